"""The watches that one index is kept by, and whether it can be believed."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Final

from remediator.cluster.watch import Watch
from remediator.errors import NotSynced

LONGEST_GAP: Final = 15.0
"""Seconds that a watch may be down before the index is no longer believed."""


class Watches:
    """Watches that have to be well together.

    Args:
        watches: not started yet.
        stale_after: seconds without a sign of life after which the index is no longer believed.
        clock: Unix time (s).
    """

    def __init__(self, watches: Iterable[Watch], stale_after: float, clock: Callable[[], float]) -> None:
        self._watches = tuple(watches)
        self._stale_after = stale_after
        self._clock = clock

    def start(self) -> None:
        """Begin to fill the index. Returns at once."""
        for watch in self._watches:
            watch.start()

    def stop(self) -> None:
        """End every thread that `start` began. Cannot be started again."""
        for watch in self._watches:
            watch.stop()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._watches)

    @property
    def listing(self) -> bool:
        """Whether everything is told anew by one of them, and in no order."""
        return any(watch.state.listing for watch in self._watches)

    @property
    def last_events(self) -> tuple[float | None, ...]:
        """When each was last heard of: Unix times (s)."""
        return tuple(watch.state.last_event for watch in self._watches)

    @property
    def broken(self) -> bool:
        """Whether a bug has ended one of them."""
        return any(watch.broken for watch in self._watches)

    def faults(self) -> tuple[str, ...]:
        """Why the index cannot be believed, in words for an operator. Empty: it can."""
        now = self._clock()
        return tuple(fault for watch in self._watches if (fault := self._fault(watch, now)))

    def require(self) -> None:
        """Raises:
        NotSynced: the index is not complete or too old.
        """
        faults = self.faults()
        if faults:
            raise NotSynced("the index cannot be believed: " + "; ".join(faults))

    def _fault(self, watch: Watch, now: float) -> str | None:
        state = watch.state
        why = f": {state.error}" if state.error else ""
        if state.ended:
            return f"the watch of {watch.scope} has ended{why}"
        if not state.synced:
            return f"{watch.scope} not listed yet{why}"
        if state.down_since is not None and now - state.down_since > LONGEST_GAP:
            return f"no watch of {watch.scope} since {_moment(state.down_since)}{why}"
        if state.last_event is None or now - state.last_event > self._stale_after:
            return f"nothing heard of {watch.scope} since {_moment(state.last_event or 0)}{why}"
        return None


def _moment(unix: float) -> str:
    return datetime.datetime.fromtimestamp(unix, datetime.UTC).isoformat(timespec="seconds")
