"""Guard `pause`: a person has told the whole service to change nothing for a while."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason

GUARD: Final = "pause"


@dataclass(frozen=True, slots=True)
class Pause:
    """Somebody's word that nothing is to be changed."""

    by: str
    """Who said so; empty: the object does not tell."""
    reason: str = ""
    since: datetime | None = None
    """None: unknown."""
    until: datetime | None = None
    """The first moment at which it no longer holds; None: until somebody resumes."""
    name: str = "fleet"
    """Of the object that says so."""
    fault: str = ""
    """What in the object cannot be read. It holds all the same: what is unknown is no."""

    def holds(self, now: datetime) -> bool:
        """Whether it holds at `now`."""
        return bool(self.fault) or self.until is None or now < self.until

    def __str__(self) -> str:
        """`by kim until 2026-08-01T12:00:00Z: etcd is being moved`."""
        parts = [f"by {self.by or 'somebody'}"]
        parts += [f"since {_words(self.since)}"] if self.since else []
        parts += [f"until {_words(self.until)}"] if self.until else ["until somebody resumes"]
        told = " ".join(parts) + (f": {self.reason}" if self.reason else "")
        return f"{told} ({self.fault})" if self.fault else told


def _words(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def evaluate(pauses: Iterable[Pause], now: datetime) -> Verdict:
    """No, while any pause holds."""
    holding = [pause for pause in pauses if pause.holds(now)]
    if not holding:
        return yes(GUARD, "nobody has paused the service")
    listed = "; ".join(map(str, holding))
    return no(GUARD, Reason.PAUSED, f"the service is paused {listed}. `remediator resume` ends that")
