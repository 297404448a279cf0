"""A thread that carries out what people have answered to plans that wait, wherever they wrote it, and lets those expire
to which nobody has said anything.

Every replica does so. They meet at the records, as they do about alerts.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from remediator.errors import ClusterError, NotFound
from remediator.outcome import Outcome
from remediator.pipeline import approving
from remediator.pipeline.rounds import Pause, Rounds
from remediator.pipeline.shell import Pipeline
from remediator.records.ledger import Head
from remediator.records.model import Remediation

EVERY_S: Final = 1.0
"""About so often the index is asked who waits; no request is made."""
LONGEST_WAIT: Final = timedelta(minutes=1)
"""Between two tries to carry out what was approved, while the API server is away."""

logger = logging.getLogger(__name__)


class Approvals:
    """Looks after the plans that wait for a person."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        chance: Callable[[], float] = random.random,
        pause: Pause = threading.Event.wait,
    ) -> None:
        """
        Args:
            chance: from 0 to 1.
            pause: between two rounds.
        """
        self._pipeline = pipeline
        # Replicas look at different times, so that seldom two of them do the same.
        self._rounds = Rounds("approvals", self.look, lambda: EVERY_S * (0.5 + chance()), pause)
        self._told: frozenset[str] = frozenset()
        self._failed: dict[tuple[str, str], tuple[int, datetime]] = {}
        """Approved, and not carried out yet: how often it was tried, and when it is tried again."""

    def start(self) -> None:
        """Begin."""
        self._rounds.start()

    def stop(self) -> None:
        """End the thread."""
        self._rounds.stop()

    def look(self) -> None:
        """One round over all that wait. Never raises."""
        failures: list[str] = []
        try:
            waiting = self._pipeline.cluster.ledger.awaiting()
        except ClusterError:
            return  # as at every start; /readyz says so
        keys = {head.key for head in waiting}
        self._failed = {key: tries for key, tries in self._failed.items() if key in keys}
        for head in waiting:
            try:
                self._see_to(head, failures)
            except Exception:  # the outer edge: a bug at one of them must not let the others wait
                logger.exception("internal error at the approval of %s/%s; it is tried again", *head.key)
        for message in sorted(set(failures) - self._told):
            logger.warning("an approval could not be seen to; it is tried again: %s", message)
        self._told = frozenset(failures)

    def _see_to(self, head: Head, failures: list[str]) -> None:
        ledger, now = self._pipeline.cluster.ledger, self._pipeline.clock.now()
        record = ledger.get(*head.key)
        if record is None or not record.waits or record.name in self._pipeline.busy:
            return
        end = approving.expires_at(record, self._pipeline.bounds.approve_within)
        try:
            if record.refused or (end is not None and now >= end):
                self._pipeline.end_waiting(record)
            elif record.approved:
                self._carry_out(record)
        except NotFound:
            return  # somebody deleted it
        except ClusterError as error:
            failures.append(f"{record}: {error}")

    def _carry_out(self, record: Remediation) -> None:
        """Carry it out; if that fails, it is tried again, after a while that grows."""
        key, now = (record.namespace, record.name), self._pipeline.clock.now()
        tries, not_before = self._failed.get(key, (0, now))
        if now < not_before:
            return
        self._failed[key] = tries + 1, now + min(timedelta(seconds=2 ** min(tries, 10)), LONGEST_WAIT)
        if self._pipeline.carry_out(record).outcome is not Outcome.FAILED:
            del self._failed[key]
