"""The rows of the matrix are few, and no pair of choices is missing."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from tests.chart.covering import pairwise
from tests.chart.matrix import FACTORS, rows

SIZES = st.lists(st.integers(1, 4), min_size=2, max_size=7)


@given(SIZES)
def test_every_pair_of_choices_meets(sizes: list[int]) -> None:
    found = pairwise(sizes)
    for one, two in itertools.combinations(range(len(sizes)), 2):
        expected = set(itertools.product(range(sizes[one]), range(sizes[two])))
        assert expected == {(row[one], row[two]) for row in found}


@given(SIZES)
def test_no_row_is_there_for_nothing(sizes: list[int]) -> None:
    found = pairwise(sizes)
    assert len(found) == len(set(found)) <= math.prod(sizes)
    assert (0,) * len(sizes) == found[0]


def test_the_matrix_stays_small() -> None:
    """Each row costs a tenth of a second of Helm."""
    largest = sorted(map(len, FACTORS.values()))[-2:]
    assert math.prod(largest) <= len(rows()) <= 40
