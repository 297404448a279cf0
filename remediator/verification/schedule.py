"""When is asked, and about which spans of time: all of it follows from `--verify-within`.

    window          settle        window
 ├───────────┤ patch ├───┤ ├──────────────────┤        --verify-within = 2m
-1m          0         15s ├ first look: 1m15s ┤ … last look: 2m
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_WINDOW: Final = 2
_SETTLE: Final = 8
_PAUSE: Final = 16
_PATIENCE: Final = 2
_LOOK_BACK: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times of one verification."""

    within: timedelta
    """`--verify-within`: by then the traffic is gone, or a person is told."""

    @property
    def window(self) -> timedelta:
        """What is counted before and after: at least two scrapes have to be in it."""
        return self.within / _WINDOW

    @property
    def settle(self) -> timedelta:
        """After the patch: istiod tells the proxies, requests in flight end, a scrape goes by. None of it counts."""
        return self.within / _SETTLE

    @property
    def pause(self) -> timedelta:
        """Between two looks, about."""
        return self.within / _PAUSE

    @property
    def patience(self) -> timedelta:
        """How much longer it is tried to ask a Prometheus that does not answer."""
        return self.within / _PATIENCE

    @property
    def look_back(self) -> timedelta:
        """A patch that was made longer ago is not asked about any more, if nobody was there to do so."""
        return max(_LOOK_BACK, 4 * self.within)

    def first(self, applied_at: datetime) -> datetime:
        """The first moment at which a whole window lies behind the patch."""
        return applied_at + self.settle + self.window

    def deadline(self, begun_at: datetime) -> datetime:
        """The end of the last window: of the traffic since the patch, of the errors since the traffic was gone."""
        return begun_at + self.within

    def asked_about(self, now: datetime, begun_at: datetime) -> datetime:
        """The end of the window to ask about now. Who comes late asks about the time at which it was to be asked."""
        return min(now, self.deadline(begun_at))
