"""Samples, targets, and what came of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import Final

TIMES: Final = "\u00d7"
"""The unit of a ratio."""
_MANY: Final = 100


@dataclass(frozen=True, slots=True)
class Samples:
    """Durations of one thing that was done again and again, in seconds, in the order in which it was done."""

    seconds: tuple[float, ...]

    @property
    def p50(self) -> float:
        """The median (s)."""
        return median(self.seconds)

    @property
    def p99(self) -> float:
        """What 99 of 100 do not exceed (s): a value that was measured, the nearest-rank way.

        >>> Samples(tuple(float(number) for number in range(1, 201))).p99
        198.0
        """
        return sorted(self.seconds)[math.ceil(0.99 * len(self.seconds)) - 1]

    def __str__(self) -> str:
        # Of a few, the 99th percentile would only be another name for the longest.
        tail = f"p99 {_ms(self.p99)}" if len(self.seconds) >= _MANY else f"max {_ms(max(self.seconds))}"
        return f"p50 {_ms(self.p50)}, {tail}, n = {len(self.seconds)}"


@dataclass(frozen=True, slots=True)
class Target:
    """What was promised: a limit, and on which side of it to be."""

    limit: float
    at_most: bool = True

    def met(self, value: float) -> bool:
        """Whether `value` keeps the promise."""
        return value <= self.limit if self.at_most else value >= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result."""

    name: str
    value: float
    unit: str
    """Behind the number: TIMES, `MiB`, `s`, `alerts/s`, `ms`."""
    raw: str
    """What it was computed from, with the number of samples."""
    target: Target | None = None
    """None: told for its own sake."""

    @property
    def verdict(self) -> str:
        """`met`, `MISSED`, or nothing where nothing was promised."""
        if self.target is None:
            return ""
        return "met" if self.target.met(self.value) else "MISSED"


def ratio(name: str, one: Samples, other: Samples, at_most: float | None = None) -> Figure:
    """How many times as long one takes as the other, by the medians."""
    target = None if at_most is None else Target(at_most)
    return Figure(name, one.p50 / other.p50, TIMES, f"{one} over {other}", target)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
