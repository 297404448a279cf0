"""Deletes the records that were finished long ago, and settles those that a crash has left Planned.

Every replica does so, at its own times. A record that somebody else has changed or deleted meanwhile is left to them.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Final

from remediator.cluster.port import Cluster
from remediator.errors import ClusterError, Conflict, NotFound
from remediator.pipeline.rounds import Pause, Rounds
from remediator.pipeline.settling import look_and_settle
from remediator.records.journal import Journal
from remediator.records.ledger import Head
from remediator.records.model import Phase, Remediation

FIRST_S: Final = 300.0
SPREAD_S: Final = 600.0
"""The first round is so long after the start, and up to so much longer at random, so that replicas spread."""
EVERY_S: Final = 3600.0

ABANDONED: Final = timedelta(hours=1)
"""The age at which a Planned record is taken for abandoned: Alertmanager would have delivered again long before."""
UNDO_STANDS: Final = timedelta(days=30)
"""How long an undo is kept at least: without its record, an alert that still fires would take the traffic again."""

MOST: Final = 500
"""How many records are deleted or settled in one round, so that the first one on a full cluster is no storm."""
MOST_FAILURES: Final = 5
"""After so many failures in one round the rest waits for the next: the API server has other troubles."""

logger = logging.getLogger(__name__)


def due(heads: Iterable[Head], now: datetime, retention: timedelta | None) -> tuple[Head, ...]:
    """The records to look at more closely: Planned for too long, or finished for longer than the retention.

    Args:
        retention: None: finished records are kept.
    """
    return tuple(
        head
        for head in heads
        if (head.phase is Phase.PLANNED and now - head.created_at >= ABANDONED)
        or (head.phase.finished and retention is not None and now - (head.finished_at or head.created_at) >= retention)
    )


def is_over(record: Remediation, now: datetime, retention: timedelta) -> bool:
    """Whether nothing of a record is needed any more: it is finished, and whatever was done about it is long ago."""
    status, hold_until = record.status, record.intent.hold_until
    if not status.phase.finished:
        return False
    if status.phase is Phase.APPLIED and hold_until and hold_until > now:
        return False
    moments = (status.finished_at or record.created_at, status.undo.requested_at if status.undo else None)
    known = [moment for moment in moments if moment]
    kept = max(retention, UNDO_STANDS) if record.taken_back else retention
    return bool(known) and now - max(known) >= kept


class Housekeeping:
    """Keeps the records few, in a thread of its own."""

    def __init__(
        self,
        cluster: Cluster,
        retention: timedelta | None,
        now: Callable[[], datetime],
        *,
        chance: Callable[[], float] = random.random,
        pause: Pause = threading.Event.wait,
    ) -> None:
        """
        Args:
            retention: how long finished records are kept; None: for ever. What was left Planned is settled in any case.
            chance: from 0 to 1.
            pause: between two rounds.
        """
        self._cluster = cluster
        self._retention = retention
        self._now = now
        self._chance = chance
        waits = chain((FIRST_S + SPREAD_S * chance(),), repeat(EVERY_S))
        self._rounds = Rounds("housekeeping", self.tidy, lambda: next(waits), pause)
        self._told: frozenset[str] = frozenset()

    def start(self) -> None:
        """Begin; the first round comes some minutes later."""
        self._rounds.start()

    def stop(self) -> None:
        """End the thread."""
        self._rounds.stop()

    def tidy(self) -> None:
        """One round: do what is due, and tell it. Never raises."""
        try:
            self._tell(self._round())
        except Exception:  # the outer edge: after one bug it must not rest for as long as the process lives
            logger.exception("internal error while old records were deleted; the next round tries again")

    def _round(self) -> _Round:
        done = _Round(self._cluster, self._now, self._retention)
        try:
            heads = self._cluster.ledger.heads()
        except ClusterError as error:
            done.failures.append(str(error))
            return done
        # In any order: replicas at work at once seldom meet, and no record that cannot be deleted blocks the others.
        for head in sorted(due(heads, self._now(), self._retention), key=lambda _: self._chance()):
            if self._rounds.stopping or done.is_full or len(done.failures) >= MOST_FAILURES:
                break
            done.take(head)
        return done

    def _tell(self, done: _Round) -> None:
        failures = frozenset(done.failures)
        for message in sorted(failures - self._told):
            logger.warning("old records could not all be deleted or settled; the next round tries again: %s", message)
        self._told = failures
        if done.deleted or done.settled:
            logger.info(
                "%d finished records deleted, %d that were left Planned settled%s",
                done.deleted,
                len(done.settled),
                "; the next round goes on" if done.is_full else "",
                extra={"deleted": done.deleted, "settled": done.settled},
            )


@dataclass(slots=True)
class _Round:
    """One round, and what was done in it so far."""

    cluster: Cluster
    now: Callable[[], datetime]
    retention: timedelta | None
    deleted: int = 0
    settled: dict[str, str] = field(default_factory=dict)
    """The phase that each has now."""
    failures: list[str] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether the rest is left to the next round."""
        return self.deleted + len(self.settled) >= MOST

    def take(self, head: Head) -> None:
        """Do what is due for one record."""
        try:
            if head.phase is Phase.PLANNED:
                self._settle(head)
            else:
                self._delete(head)
        except (Conflict, NotFound):
            return  # another replica or a person was quicker
        except ClusterError as error:
            self.failures.append(str(error))

    def _settle(self, head: Head) -> None:
        record = self.cluster.ledger.read(*head.key)
        if record.status.phase is Phase.PLANNED:
            phase = look_and_settle(self.cluster, Journal(self.cluster.ledger, self.now), record)
            if phase is not Phase.PLANNED:
                self.settled[str(record)] = phase.value

    def _delete(self, head: Head) -> None:
        # As the index has it: if that is not what is stored, the precondition of the delete fails.
        record = self.cluster.ledger.get(*head.key)
        if record is not None and self.retention is not None and is_over(record, self.now(), self.retention):
            self.cluster.ledger.delete(record)
            self.deleted += 1
