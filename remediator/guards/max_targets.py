"""Guard `maxTargets`: one alert changes a few routing objects, or none."""

from __future__ import annotations

from typing import Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason

GUARD: Final = "maxTargets"


def evaluate(count: int, most: int) -> Verdict:
    """No, if more routing objects than `most` would be changed for one alert."""
    objects = f"{count} routing object{'' if count == 1 else 's'} would be changed for this alert"
    told = f"{objects}, and the policy allows {most} (spec.guards.maxTargets)"
    return no(GUARD, Reason.TOO_MANY_TARGETS, told) if count > most else yes(GUARD, told)
