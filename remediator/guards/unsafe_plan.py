"""Guard `unsafePlan`: whatever the planner says, a last look at the object as it would be."""

from __future__ import annotations

from typing import Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason

GUARD: Final = "unsafePlan"


def evaluate(wrong: str | None) -> Verdict:
    """No, if something is wrong with the patched object.

    Args:
        wrong: what traffic.proof finds; None: nothing.
    """
    if wrong is not None:
        return no(GUARD, Reason.UNSAFE_PLAN, wrong)
    return yes(GUARD, "the patched object is one that Istio accepts, and every route keeps a live destination")
