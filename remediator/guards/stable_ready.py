"""Guard `stableReady`: whoever is to get the traffic has enough ready endpoints to bear it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from remediator.guards.verdict import Verdict, no, off, yes
from remediator.outcome import Reason
from remediator.traffic.view import Destination

GUARD: Final = "stableReady"


@dataclass(frozen=True, slots=True)
class Readiness:
    """How many endpoints a destination has, and how many of them are ready."""

    destination: Destination
    ready: int
    total: int
    unknown: str = ""
    """Why the counts are not known: a permission that is missing. Then they count for nothing."""

    @property
    def share(self) -> float:
        """Ready endpoints of all, 0 to 1; 0 where there is none."""
        return self.ready / self.total if self.total else 0.0

    def __str__(self) -> str:
        if self.unknown:
            return f"{self.destination}: not known, {self.unknown}"
        if not self.total:
            return f"{self.destination}: it has no endpoints"
        return f"{self.destination}: {self.ready} of {self.total} endpoints ready ({100 * self.share:.4g} %)"


def evaluate(found: Sequence[Readiness] | None, least: float) -> Verdict:
    """No, if any receiver has too few ready endpoints.

    Args:
        found: of every destination that gets more traffic than before; None: the folder of YAML that stands in for a
            cluster holds no EndpointSlice at all, so nothing can be said.
        least: the policy's stableReady, 0 to 1; 0 switches the guard off.
    """
    if least <= 0:
        return off(GUARD, "the policy's spec.guards.stableReady is 0%")
    if found is None:
        return yes(GUARD, "not asked: the folder holds no EndpointSlices")
    if not found:
        return yes(GUARD, "no traffic is moved to anybody")
    listed = "; ".join(map(str, found))
    wanted = f"the policy wants {100 * least:.4g} % and at least one (spec.guards.stableReady)"
    short = [each for each in found if each.unknown or not each.ready or each.share < least]
    return no(GUARD, Reason.STABLE_NOT_READY, f"{listed}; {wanted}") if short else yes(GUARD, f"{listed}; {wanted}")
