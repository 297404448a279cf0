"""Guard `stableAlsoFailing`: whoever is to get the traffic is accused as well, by an alert that came lately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason
from remediator.traffic.exposure import Facts, Relation
from remediator.traffic.suspect import Suspect
from remediator.traffic.view import Destination

GUARD: Final = "stableAlsoFailing"

LATELY: Final = timedelta(minutes=10)
"""How long an alert counts after it was last delivered: twice the `repeat_interval` that docs/alertmanager.md sets."""


@dataclass(frozen=True, slots=True)
class Accused:
    """A version that a firing alert accuses, by the record of that alert."""

    suspect: Suspect
    alertname: str
    heard_at: datetime
    record: str
    """The record's name."""


def evaluate(receivers: Sequence[Destination], accusations: Iterable[Accused], facts: Facts) -> Verdict:
    """No, if one of `receivers` is, or may be, a version that is accused.

    Args:
        receivers: who gets more traffic than before.
        accusations: those of the last minutes. The alerts of the same notification are the planner's: it sends no
            traffic to whom one of them accuses.
    """
    if not receivers:
        return yes(GUARD, "no traffic is moved to anybody")
    for accused in accusations:
        hit = next((each for each in receivers if _may_be(each, accused.suspect, facts)), None)
        if hit is not None:
            since = accused.heard_at.isoformat(timespec="seconds").replace("+00:00", "Z")
            message = (
                f"{hit} would get the traffic, and alert {accused.alertname} accuses {accused.suspect} as well "
                f"(heard {since}, record {accused.record}): the cause is probably not this version"
            )
            return no(GUARD, Reason.STABLE_ALSO_FAILING, message)
    listed = ", ".join(map(str, receivers))
    return yes(GUARD, f"no alert of the last {LATELY // timedelta(minutes=1)} minutes accuses {listed}")


def _may_be(destination: Destination, suspect: Suspect, facts: Facts) -> bool:
    return facts.relation(destination, suspect) in (Relation.SUSPECT, Relation.WHOLE, Relation.UNCLEAR)
