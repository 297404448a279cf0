"""Guard `budget`: in a storm the whole fleet's remediations are few, and the rest is for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from remediator.guards.verdict import Verdict, no, off, yes
from remediator.outcome import Reason
from remediator.policies.quantities import format_duration

GUARD: Final = "budget"


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many remediations in any span of time of this length."""

    most: int
    window: timedelta

    def __str__(self) -> str:
        """As `--budget` is written."""
        return f"{self.most}/{format_duration(self.window)}"


@dataclass(frozen=True, slots=True)
class Spent:
    """Remediations of the budget's window in the whole fleet."""

    made: int = 0
    begun: int = 0
    """About to be made, or perhaps made already."""
    observed: int = 0
    """What would have been made, were it not for mode Observe; none where that does not count."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.made + self.begun + self.observed

    def __str__(self) -> str:
        """`2 made, 1 under way`."""
        parts = ((self.made, "made"), (self.begun, "under way"), (self.observed, "that would have been made (Observe)"))
        return ", ".join(f"{count} {what}" for count, what in parts if count) or "none"


def evaluate(spent: Spent, budget: Budget | None) -> Verdict:
    """No, if the budget is spent.

    Args:
        budget: None: there is none.
    """
    if budget is None:
        return off(GUARD, "--budget off")
    span = format_duration(budget.window)
    told = f"remediations in the whole fleet within {span}: {spent}; --budget {budget} allows {budget.most}"
    if spent.total >= budget.most:
        return no(GUARD, Reason.BUDGET_SPENT, f"{told}: so many at once are seldom the versions' fault")
    return yes(GUARD, told)
