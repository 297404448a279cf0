"""Tells Flagger whether to roll back, and ends the offers for which it did not ask in time.

    Flagger asks ─▶ told so before? ── yes ─▶ yes, whatever else is the matter
                         │ no
                         ▼
                    an offer for this revision, and no guard against it ─▶ written as Applied ─▶ yes

It is written before it is said: a crash between the two costs Flagger one interval, and no record says what was not
done. Every replica answers, and every one ends offers; they meet at the records.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import replace
from datetime import datetime
from typing import Final

from remediator import logs
from remediator.errors import ClusterError, NotFound, Unavailable
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.owners import Canary
from remediator.owners.rollback import advice, over
from remediator.pipeline.held import Held
from remediator.pipeline.rounds import Pause, Rounds
from remediator.pipeline.rows import row_of
from remediator.pipeline.shell import Pipeline
from remediator.pipeline.telling import announce
from remediator.policies.model import PolicySet
from remediator.policies.quantities import format_duration
from remediator.records.events import Event
from remediator.records.journal import Journal
from remediator.records.ledger import Head
from remediator.records.model import Conclusion, Phase, Remediation
from remediator.records.offers import condemns, is_offered, offered_until, trial_of
from remediator.records.rollback import Trial
from remediator.traffic.suspect import Refusal

EVERY_S: Final = 1.0
"""About so often the index is asked for which offers Flagger should have asked by now; no request is made."""
WRITTEN_WITHIN_S: Final = 5.0
"""So long it may take to write that Flagger was told: it waits for 10 s, unless the Canary says otherwise."""
ROLLBACK: Final = "Rollback"
"""The action of an Event that tells of it."""
_AT_ONCE: Final = 4

logger = logging.getLogger(__name__)


class Rollbacks:
    """Looks after what Flagger is to roll back."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        chance: Callable[[], float] = random.random,
        pause: Pause = threading.Event.wait,
        written_within_s: float = WRITTEN_WITHIN_S,
    ) -> None:
        """
        Args:
            chance: from 0 to 1.
            pause: between two rounds.
        """
        self._pipeline = pipeline
        self._written_within_s = written_within_s
        # Replicas look at different times, so that seldom two of them do the same.
        self._rounds = Rounds("rollbacks", self.look, lambda: EVERY_S * (0.5 + chance()), pause)
        self._writers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="rollback")
        self._told: frozenset[str] = frozenset()

    def start(self) -> None:
        """Begin to end the offers for which Flagger does not ask."""
        self._rounds.start()

    def stop(self) -> None:
        """End the thread."""
        self._rounds.stop()
        self._writers.shutdown(wait=False)

    # -- Flagger asks

    def asked(self, trial: Trial) -> bool:
        """Whether Flagger is to roll this revision back.

        Raises:
            ClusterError: nobody knows, or it could not be written in time; at its next interval Flagger asks again.
        """
        ledger, now = self._pipeline.cluster.ledger, self._pipeline.clock.now()
        namespace, canary, _ = trial
        found = [record for record in ledger.of_canary(namespace, canary) if trial_of(record) == trial]
        if any(condemns(record, now, self._pipeline.bounds.known_bad) for record in found):
            return True
        ledger.offered()  # an index that cannot be believed must not tell of no offer
        offers = [record for record in found if self._is_open(record, now)]
        if not offers:
            return False
        writing = self._writers.submit(self._take, offers)
        try:
            return writing.result(self._written_within_s)
        except TookTooLong:
            raise Unavailable(f"not written within {self._written_within_s:g} s") from None

    @staticmethod
    def _is_open(record: Remediation, now: datetime) -> bool:
        until = offered_until(record)
        return until is not None and now < until

    def _take(self, offers: list[Remediation]) -> bool:
        """Write on each offer that Flagger was told. Raises ClusterError, if that could be done with none of them."""
        taken, fault = False, None
        for record in offers:
            try:
                taken |= self._take_one(record)
            except NotFound:
                continue  # somebody deleted it
            except ClusterError as error:
                fault = error
        if fault is not None and not taken:
            raise fault
        return taken

    def _take_one(self, record: Remediation) -> bool:
        pipeline, now = self._pipeline, self._pipeline.clock.now()
        why = self._against(record)
        if why is not None:
            logger.info("Flagger is not told to roll back, by %s: %s", record, why.message)
            return False
        message = f"Flagger asked, and was told to roll {_canary(record)} back: {'; '.join(record.intent.changes)}"
        end = Conclusion(Phase.APPLIED, Reason.ROLLED_BACK, message)
        written = self._end(record, end, Outcome.APPLIED, now)
        return condemns(written, now, pipeline.bounds.known_bad)

    def _against(self, record: Remediation) -> Refusal | None:
        """Why Flagger is not told after all: the object is another one by now, or a guard is against it."""
        pipeline, ref = self._pipeline, record.intent.target.ref
        live = pipeline.cluster.find(ref)
        policies = pipeline.policies.current().policies
        held = Held.on(live, _whole(record, policies), (), policies, pipeline.ceiling) if live else None
        if held is None:
            return Refusal(Reason.NOT_EXPOSED, f"{ref} is gone, or another object by now")
        if record.intent.request is not None:
            return None  # no guard binds a person, who has seen what they say
        if not held.exposes:
            return Refusal(Reason.NOT_EXPOSED, f"{ref} sends nothing at present that would have to be taken away")
        return held.forbidden(pipeline.guarding)

    # -- Flagger does not ask

    def look(self) -> None:
        """One round over all offers. Never raises."""
        failures: list[str] = []
        try:
            offers = self._pipeline.cluster.ledger.offered()
        except ClusterError:
            return  # as at every start; /readyz says so
        for head in offers:
            try:
                self._see_to(head)
            except NotFound:
                continue  # somebody deleted it
            except ClusterError as error:
                failures.append(f"{head.namespace}/{head.name}: {error}")
            except Exception:  # the outer edge: a bug at one of them must not let the others wait
                logger.exception("internal error at the offer %s/%s; it is tried again", *head.key)
        for message in sorted(set(failures) - self._told):
            logger.warning("an offer to Flagger could not be ended; it is tried again: %s", message)
        self._told = frozenset(failures)

    def _see_to(self, head: Head) -> None:
        pipeline, now = self._pipeline, self._pipeline.clock.now()
        ledger = pipeline.cluster.ledger
        known = ledger.get(*head.key)
        if known is None or not _is_over(known, now):
            return
        # It is told before it is written: by then another replica may have told Flagger, at the last moment.
        record = ledger.read(*head.key)
        if not _is_over(record, now):
            return
        live = pipeline.cluster.find(record.intent.target.ref)
        outcome, end = unasked(record, live.driving.canary if live else None)
        self._end(record, end, outcome, now)

    def _end(self, record: Remediation, end: Conclusion, outcome: Outcome, now: datetime) -> Remediation:
        """Write how an offer ended, and tell it: as an Event before, in the log and the metrics once it was we."""
        pipeline, ledger, begun = self._pipeline, self._pipeline.cluster.ledger, self._pipeline.clock.seconds()
        current = ledger.read(record.namespace, record.name)
        if not is_offered(current):
            return current  # somebody was quicker
        row = row_of(current, outcome, Refusal(end.reason, end.message), current.intent.changes)
        announce(ledger, [_event(current, row, now)])
        written = Journal(ledger, lambda: now).end_offered(current, end)
        if written.status.phase is end.phase and now in (written.status.applied_at, written.status.finished_at):
            logs.outcome(pipeline.log, row, duration_s=pipeline.clock.seconds() - begun)
            pipeline.metrics.outcome(row)
        return written


def _is_over(record: Remediation, now: datetime) -> bool:
    """Whether an offer is still there, and Flagger has had its time."""
    until = offered_until(record)
    return until is not None and until <= now


def unasked(record: Remediation, canary: Canary | None) -> tuple[Outcome, Conclusion]:
    """How an offer ends for which Flagger has not asked in time.

    Args:
        canary: as it is now; None: it is gone.
    """
    rollback = record.intent.rollback
    assert rollback is not None, "only of an offer"  # noqa: S101
    gone = Conclusion(Phase.EXPIRED, Reason.NOT_EXPOSED, f"{_canary(record)} is gone, and what it had on trial with it")
    if canary is None:
        return Outcome.UNCHANGED, gone
    if canary.checksum != rollback.checksum:
        message = f"{canary} has another revision on trial by now, and Flagger never asked about this one"
        return Outcome.UNCHANGED, Conclusion(Phase.EXPIRED, Reason.NOT_EXPOSED, message)
    if canary.phase == "Failed":
        message = f"Flagger has ended the trial by itself: {canary} is Failed"
        return Outcome.UNCHANGED, Conclusion(Phase.EXPIRED, Reason.NOT_EXPOSED, message)
    why = over(canary)
    if why is not None:
        return Outcome.DENIED, Conclusion(Phase.FAILED, Reason.NOTHING_TO_ABORT, f"Flagger did not ask before {why}")
    again = "The next delivery of the alert offers it again"
    if record.intent.request is not None:
        again = "Nobody offers it again by itself: do so by the same command"
    message = (
        f"Flagger did not ask within {format_duration(rollback.within)}, three intervals. {advice(canary)}. {again}"
    )
    return Outcome.DENIED, Conclusion(Phase.FAILED, Reason.LEVER_NOT_PULLED, message)


def _whole(record: Remediation, policies: PolicySet) -> Remediation:
    """The record with all that its policy takes: what it had to take when it was written may be another part of that,
    as a mirrored canary gets weight at a later step."""
    intent = record.intent
    policy = next((each for each in policies.policies if each.name == intent.policy.name), None)
    return replace(record, intent=replace(intent, actions=policy.actions)) if policy else record


def _canary(record: Remediation) -> str:
    rollback = record.intent.rollback
    return f"Canary {record.namespace}/{rollback.canary if rollback else ''}"


def _event(record: Remediation, row: AlertOutcome, now: datetime) -> Event:
    # Unasked for once, it may be offered again: each time is told.
    again = () if row.outcome is Outcome.APPLIED else (now.isoformat(timespec="minutes"),)
    return Event(
        target=record.intent.target,
        subject=(record.name, ROLLBACK, *again),
        outcome=row.outcome,
        reason=row.reason.value,
        action=ROLLBACK,
        note=row.message,
        at=now,
        record=record.name,
    )
