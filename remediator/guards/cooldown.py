"""Guard `cooldown`: a routing object that was changed a moment ago is left alone for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason
from remediator.policies.quantities import format_duration

GUARD: Final = "cooldown"


@dataclass(frozen=True, slots=True)
class Made:
    """A remediation that changed something."""

    record: str
    """The record's name."""
    at: datetime


def evaluate(last: Made | None, now: datetime, cooldown: timedelta, kept_up: str) -> Verdict:
    """No, until `cooldown` has passed since the object's last remediation; its last second is no still.

    Args:
        last: the last one that changed this object.
        kept_up: as for evidence.evaluate.
    """
    wanted = f"the policy wants {format_duration(cooldown)} between two (spec.guards.cooldown)"
    if last is None:
        return yes(GUARD, f"no remediation has changed this object; {wanted}")
    passed = max(now - last.at, timedelta())
    told = (
        f"{last.record} changed it {format_duration(timedelta(seconds=passed // timedelta(seconds=1)))} ago; {wanted}"
    )
    if passed >= cooldown:
        return yes(GUARD, told)
    if kept_up:
        return yes(GUARD, f"{told}; but this firing goes on, and {kept_up} holds the withdrawal up")
    return no(GUARD, Reason.COOLING_DOWN, told)
