"""What the guards said of a work: who is left of it, and who is refused, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remediator.guards.verdict import Verdict, against
from remediator.pipeline.preparation import Case, Work
from remediator.traffic.suspect import Refusal

Verdicts = tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """A case that a guard spoke against."""

    case: Case
    work: Work
    """What it was part of."""
    verdicts: Verdicts

    @property
    def why(self) -> Refusal:
        """The first reason, and every no in words."""
        return refusal(self.verdicts)


@dataclass(frozen=True, slots=True)
class Screened:
    """A work, and what the guards said of it."""

    work: Work
    """What is left of it."""
    verdicts: Mapping[int, Verdicts]
    """What the guards said of each case that is left, by its number."""
    denied: tuple[Denied, ...] = ()


def refusal(verdicts: Verdicts) -> Refusal:
    """The first reason against it, and every no in words."""
    nos = against(verdicts)
    first = nos[0].reason
    assert first is not None  # noqa: S101 - `against` gives no other
    return Refusal(first, "; ".join(f"{each.guard}: {each.message}" for each in nos))
