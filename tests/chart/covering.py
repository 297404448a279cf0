"""Few rows in which each choice of each factor meets each choice of every other one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

Row = tuple[int, ...]
_Pair = tuple[tuple[int, int], tuple[int, int]]


def pairwise(sizes: Sequence[int]) -> list[Row]:
    """Rows of choices, one for each factor, that have all pairs; `sizes` says how many choices each has.

    Greedy, and the same each time: the row that begins with a pair that is still missing takes, factor by factor, the
    choice that brings most of the others. The first row takes the first choice of each.
    """
    factors = range(len(sizes))
    missing = {
        ((one, x), (two, y))
        for one, two in itertools.combinations(factors, 2)
        for x, y in itertools.product(range(sizes[one]), range(sizes[two]))
    }
    rows = [(0,) * len(sizes)]
    missing -= _pairs(rows[0])
    while missing:
        row = _filled(dict(min(missing)), sizes, missing)
        rows.append(row)
        missing -= _pairs(row)
    return rows


def _filled(begun: dict[int, int], sizes: Sequence[int], missing: set[_Pair]) -> Row:
    for factor in range(len(sizes)):
        if factor not in begun:
            begun[factor] = max(range(sizes[factor]), key=lambda choice: _gain(factor, choice, begun, missing))
    return tuple(begun[factor] for factor in range(len(sizes)))


def _gain(factor: int, choice: int, begun: Mapping[int, int], missing: set[_Pair]) -> int:
    ends = ((factor, choice),)
    return sum(tuple(sorted((*ends, other))) in missing for other in begun.items())


def _pairs(row: Row) -> set[_Pair]:
    return set(itertools.combinations(enumerate(row), 2))
