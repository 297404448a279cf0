"""What the targets of one notification are carried out with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from remediator.cluster.port import Cluster
from remediator.metrics import Attempt
from remediator.pipeline.guarding import Guarding
from remediator.pipeline.preparation import Case, Work
from remediator.records.journal import Journal


class Limits:
    """How many objects each case may still change beyond those that were counted; asked from many threads."""

    def __init__(self, works: Iterable[Work]) -> None:
        self._lock = threading.Lock()
        self._left: dict[int, int] = {}
        self._planned: dict[int, int] = {}
        for work in works:
            for case, verdict in work.paired:
                left = self._left.setdefault(case.number, case.policy.guards.max_targets)
                self._left[case.number] = left - (verdict is True)
                self._planned[case.number] = self._planned.get(case.number, 0) + (verdict is True)

    def planned(self, case: Case) -> int:
        """How many objects would be changed for a case, as they were counted."""
        return max(self._planned.get(case.number, 0), 1)

    def take(self, cases: Iterable[Case]) -> bool:
        """Count one object more for each of `cases`; False if that is too many for one of them."""
        with self._lock:
            for case in cases:
                self._left[case.number] -= 1
            return all(self._left[case.number] >= 0 for case in cases)


def _nobody(_: object) -> None:
    """Counts nothing."""


def _idle() -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The outside, as one notification uses it."""

    cluster: Cluster
    journal: Journal
    limits: Limits
    """Of the notification that the works are part of."""
    guarding: Guarding
    attempted: Callable[[Attempt], None] = field(default=_nobody)
    """Told how each patch that was sent ended."""
    overspent: Callable[[], None] = field(default=_idle)
    """Told whenever an alert is refused because the fleet's budget is spent."""
    patched: Callable[[Work], None] = field(default=_nobody)
    """Told of each patch that was made, as soon as it is."""
