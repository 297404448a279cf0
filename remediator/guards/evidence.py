"""Guard `evidence`: an alert that began before the routes were last changed accuses another state than this one."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason
from remediator.traffic.view import RouteChange

GUARD: Final = "evidence"


def evaluate(starts_at: datetime, changed: RouteChange | None, kept_up: str) -> Verdict:
    """No, if somebody else has changed the routes since the alert began.

    Args:
        changed: who wrote the object's routes last, besides ourselves, and when, in whole seconds; None: nobody knows,
            as in a folder of YAML, or nobody did since we wrote them.
        kept_up: the record by which this very firing has taken the traffic away already, and whose hold lasts: whoever
            gave it back since has no say. Empty: there is none.
    """
    if changed is None:
        return yes(GUARD, "nobody but the remediator is known to have changed the routes")
    by = f" by {changed.by}" if changed.by else ""
    told = f"the routes were last changed at {_words(changed.at)}{by}, and the alert began at {_words(starts_at)}"
    if changed.at <= starts_at:
        return yes(GUARD, told)
    if kept_up:
        return yes(GUARD, f"{told}; but {kept_up} holds the withdrawal up against whoever gives the traffic back")
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
