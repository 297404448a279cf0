"""Guard `alertAge`: an alert that began long ago is no reason to act now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from remediator.guards.verdict import Verdict, no, off, yes
from remediator.outcome import Reason
from remediator.policies.quantities import format_duration

GUARD: Final = "alertAge"


def evaluate(starts_at: datetime, now: datetime, most: timedelta | None) -> Verdict:
    """No, if the alert is older than `most`.

    Args:
        most: None: any age will do.
    """
    if most is None:
        return off(GUARD, "--max-alert-age 0")
    age = max(now - starts_at, timedelta())
    told = f"the alert began {format_duration(timedelta(seconds=age // timedelta(seconds=1)))} ago"
    limit = f"at most {format_duration(most)} is acted upon (--max-alert-age)"
    if age > most:
        return no(GUARD, Reason.STALE_EVIDENCE, f"{told}; {limit}")
    return yes(GUARD, f"{told}; {limit}")
