"""What the targets of one notification are carried out with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from remediator.cluster.port import Cluster
from remediator.metrics import Attempt
from remediator.pipeline.preparation import Case, Work
from remediator.records.journal import Journal


class Limits:
    """How many objects each case may still change beyond those that were counted; asked from many threads."""

    def __init__(self, works: Iterable[Work]) -> None:
        self._lock = threading.Lock()
        self._left: dict[int, int] = {}
        for work in works:
            for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True):
                left = self._left.setdefault(case.number, case.policy.guards.max_targets)
                self._left[case.number] = left - (verdict is True)

    def take(self, cases: Iterable[Case]) -> bool:
        """Count one object more for each of `cases`; False if that is too many for one of them."""
        with self._lock:
            for case in cases:
                self._left[case.number] -= 1
            return all(self._left[case.number] >= 0 for case in cases)


def _nobody(_: object) -> None:
    """Counts nothing."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The outside, as one notification uses it."""

    cluster: Cluster
    journal: Journal
    limits: Limits
    """Of the notification that the works are part of."""
    attempted: Callable[[Attempt], None] = field(default=_nobody)
    """Told how each patch that was sent ended."""
    patched: Callable[[tuple[Case, ...]], None] = field(default=_nobody)
    """Told of each patch that was made, as soon as it is: the cases that asked for it."""
