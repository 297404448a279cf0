"""Guard `evidence`: an alert that began before the routes were last changed accuses another state than this one.

A step of the driver's is no other state: the pods that are on trial are those that were accused.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from remediator.guards.cooldown import Made
from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason
from remediator.owners import Tried
from remediator.traffic.view import RouteChange

GUARD: Final = "evidence"


def evaluate(
    starts_at: datetime,
    changed: RouteChange | None,
    kept_up: str,
    tried: Tried | None = None,
    last: Made | None = None,
) -> Verdict:
    """No, if somebody else has changed the routes since the alert began.

    Args:
        changed: who wrote the object's routes last, besides ourselves, and when, in whole seconds; None: nobody knows,
            as in a folder of YAML, or nobody did since we wrote them.
        kept_up: the record by which this very firing has taken the traffic away already, and whose hold lasts: whoever
            gave it back since has no say. Empty: there is none.
        tried: what the driver tries that changed them, if the alert accuses that; None: somebody else did, or nobody
            knows.
        last: when traffic was last taken away here: what was given back since began anew.
    """
    if changed is None:
        return yes(GUARD, "nobody but the remediator is known to have changed the routes")
    by = f" by {changed.by}" if changed.by else ""
    told = f"the routes were last changed at {_words(changed.at)}{by}, and the alert began at {_words(starts_at)}"
    if changed.at <= starts_at:
        return yes(GUARD, told)
    if kept_up:
        return yes(GUARD, f"{told}; but {kept_up} holds the withdrawal up against whoever gives the traffic back")
    if tried is not None and tried.since <= starts_at and not (last and last.at >= starts_at):
        return yes(GUARD, f"{told}; but that was a step of {tried.driver}, and what it tries is as old as the alert")
    return no(GUARD, Reason.STALE_EVIDENCE, f"{told}: it accuses what stood there before")


def of_another(record: str) -> Verdict:
    """No, where the alert accuses the revision that Flagger had on trial before.

    Args:
        record: that condemns it.
    """
    message = f"the alert began before {record} condemned the revision on trial then, and another one is on trial now"
    return no(GUARD, Reason.STALE_EVIDENCE, f"{message}: it accuses what stood there before")


def _words(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
