"""Finds out whether it worked: looks at the routes where their driver has to change them, asks Prometheus, and writes
the verdict on the record.

What is to be verified stands in the records, so any replica goes on from where another, or an earlier life of this
one, has left off. All of them look, each at its own times; whoever writes a verdict first is right.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from remediator.cluster.port import Cluster
from remediator.errors import ClusterError, NotFound, Unanswered
from remediator.outcome import Outcome
from remediator.pipeline import unrouting
from remediator.pipeline.identifying import Identifying
from remediator.pipeline.rounds import Rounds
from remediator.pipeline.telling import announce
from remediator.policies.model import Action
from remediator.records.events import Event
from remediator.records.journal import Journal
from remediator.records.model import Remediation
from remediator.records.moments import moments
from remediator.traffic import virtualservice
from remediator.traffic.hosts import Host
from remediator.verification import queries, steps
from remediator.verification.judging import Evidence, Question
from remediator.verification.model import Side, Verification, VerificationVerdict
from remediator.verification.reading import Sample, Traffic
from remediator.verification.schedule import Schedule
from remediator.verification.steps import Course

EVERY_S: Final = 1.0
"""About so often the index is asked what is to be verified; no request is made."""
AT_ONCE: Final = 4
"""So many verifications ask at the same time, each one query after the other."""
VERIFY: Final = "Verify"
"""The action of an Event that tells a verdict."""
_SIDES: Final = {Action.REVERT_TO_STABLE: Side.LIVE, Action.REMOVE_MIRRORS: Side.MIRRORED}

_Key = tuple[str, str]

logger = logging.getLogger(__name__)


class _Stopping(Exception):
    """The service is to end, and does not wait for answers."""


class Asks(Protocol):
    """A Prometheus, as seen from here."""

    def instant(self, query: str, at: datetime) -> Iterable[Sample]:
        """The rows of an instant query at a moment. Raises Unanswered."""


class Verifying:
    """Looks after the patches of which is not known yet whether they worked."""

    def __init__(
        self,
        cluster: Cluster,
        prometheus: Asks | None,
        schedule: Schedule,
        *,
        now: Callable[[], datetime],
        counted: Callable[[VerificationVerdict], None] = lambda _: None,
    ) -> None:
        """
        Args:
            prometheus: None: there is nobody to ask.
            now: the wall clock, aware.
            counted: told of each verdict that this replica has written, once it is final.
        """
        self._cluster = cluster
        self._prometheus = prometheus
        self._schedule = schedule
        self._now = now
        self._counted = counted
        self.chance: Callable[[], float] = random.random
        """From 0 to 1."""
        self._rounds = Rounds("verifying", self.look, lambda: EVERY_S * (0.5 + self.chance()))
        self._not_before: dict[_Key, datetime] = {}
        """When each is looked at next. Forgotten by a crash, which costs a look."""
        self._told: frozenset[str] = frozenset()
        self._identifying = Identifying(cluster, now)

    def start(self) -> None:
        """Begin."""
        if self._prometheus is None:
            logger.info("patches are not verified: --prometheus-url is not set; aborts are, by the routes")
        self._rounds.start()

    def stop(self) -> None:
        """End the thread."""
        self._rounds.stop()

    def look(self) -> None:
        """One round over all that are to be verified. Never raises."""
        try:
            self._round(self._due(), self._identifying.due())
        except ClusterError:
            return  # the index is not known, as at every start; /readyz says so
        except Exception:  # the outer edge: after one bug it must not rest for as long as the process lives
            logger.exception("internal error while patches were verified; the next round tries again")

    def _round(self, due: tuple[Remediation, ...], new: tuple[Remediation, ...]) -> None:
        if not due and not new:
            return
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="verify") as pool:
            # First: pods of a version without traffic may soon be gone.
            list(pool.map(self._identifying.see_to, new))
            failures = frozenset(why for why in pool.map(self._guarded, due) if why)
        for why in sorted(failures - self._told):
            logger.warning("a verification could not be seen to; it is tried again: %s", why)
        self._told = failures

    def _due(self) -> tuple[Remediation, ...]:
        """Those whose time has come, by the index."""
        now, ledger = self._now(), self._cluster.ledger
        heads = ledger.unverified(now - self._schedule.look_back)
        self._not_before = {head.key: at for head in heads if (at := self._not_before.get(head.key))}
        found = (ledger.get(*head.key) for head in heads if self._not_before.get(head.key, now) <= now)
        return tuple(record for record in found if record and self._has_come(record, now))

    def _has_come(self, record: Remediation, now: datetime) -> bool:
        """Whether it is time to look at a record; and set when it is so next.

        Replicas look at different times, so that mostly one of them finds the verdict, and the others find it written.
        """
        key, applied_at = (record.namespace, record.name), moments(record).unverified_at
        if applied_at is None:
            return False
        if unrouting.is_awaited(record):
            return True
        if key not in self._not_before:
            begun_at = course_of(record, self._schedule).begun_at
            first = self._schedule.first(begun_at) if self._prometheus else applied_at
            self._not_before[key] = max(now, first) + self._schedule.pause * self.chance()
        if now < self._not_before[key]:
            return False
        self._not_before[key] = now + self._schedule.pause * (0.5 + self.chance())
        return True

    def _guarded(self, record: Remediation) -> str:
        """See to one record; why it could not be, if so."""
        if self._rounds.stopping:
            return ""
        try:
            return self._see_to(record)
        except NotFound:
            return ""  # somebody deleted it
        except _Stopping:
            return ""  # whoever is there next goes on from the record
        except ClusterError as error:
            return f"{record}: {error}"
        except Exception:  # the outer edge: a bug at one of them must not let the others wait
            logger.exception("internal error at the verification of %s; it is tried again", record)
            return ""

    def _see_to(self, record: Remediation) -> str:
        now, why, course = self._now(), "", course_of(record, self._schedule)
        if unrouting.is_awaited(record):
            routed = unrouting.look(self._cluster, record, course, now)
            if routed is not None and self._prometheus is None:
                routed = steps.unasked(replace(course, so_far=routed), now)
            if routed is not None:
                self._write(record, routed)
            return why
        if self._prometheus is None:
            self._write(record, steps.unasked(course, now))
            return why
        try:
            found = steps.answered(course, self._evidence(self._prometheus, course, now), now)
        except Unanswered as error:
            why = str(error)
            found = steps.unanswered(course, why, now)
        if found is not None:
            self._write(record, found)
        return why

    def _evidence(self, prometheus: Asks, course: Course, now: datetime) -> Evidence:
        """Ask for both windows. Raises Unanswered."""
        window, hosts = self._schedule.window, course.question.hosts

        def asked(host: Host, at: datetime) -> Traffic:
            if self._rounds.stopping:
                raise _Stopping
            return Traffic(tuple(prometheus.instant(queries.requests(host, window), at)))

        at = course.asked_about(now)
        before = {host: asked(host, course.applied_at) for host in hosts}
        return Evidence(window, before, {host: asked(host, at) for host in hosts})

    def _write(self, record: Remediation, found: Verification) -> None:
        """Write the verdict; and if it is final, or bad, tell it: as an Event before, so that a crash between them
        leaves a record that is looked at again."""
        ledger, journal = self._cluster.ledger, Journal(self._cluster.ledger, self._now)
        current = ledger.read(record.namespace, record.name)
        known = current.status.verification
        if moments(current).unverified_at is None or known != record.status.verification:
            return  # somebody was quicker
        is_news = found.concluded_at is not None or found.verdict is VerificationVerdict.STILL_ROUTED
        if is_news and found.verdict is not VerificationVerdict.NOT_VERIFIED:
            announce(ledger, [_event(current, found, self._now())])
        written = journal.verified(current, found)
        if written.status.verification == found and is_news:
            self._counted(found.verdict)
            _tell(written, found)


def course_of(record: Remediation, schedule: Schedule) -> Course:
    """The verification of a record that is to be verified."""
    intent = record.intent
    applied_at = moments(record).unverified_at
    assert applied_at is not None, "only of a record that is to be verified"  # noqa: S101
    suspects = sorted((each for each in intent.suspects if each.version), key=str)
    actions = virtualservice.taken(intent.patch) or frozenset(intent.actions)
    sides = tuple(side for action, side in _SIDES.items() if action in actions)
    return Course(Question(tuple(suspects), sides), schedule, applied_at, record.status.verification)


def _event(record: Remediation, found: Verification, now: datetime) -> Event:
    return Event(
        target=record.intent.target,
        subject=(record.name, VERIFY),
        # A warning where a person has to look.
        outcome=Outcome.DENIED if found.verdict.needs_a_person else Outcome.APPLIED,
        reason=found.verdict.value,
        action=VERIFY,
        note=f"{record.name}: {found.message}",
        at=now,
        record=record.name,
    )


def _tell(record: Remediation, found: Verification) -> None:
    level = logging.WARNING if found.verdict.needs_a_person else logging.INFO
    fields = {"remediation": str(record), "target": str(record.intent.target.ref), "verdict": found.verdict.value}
    logger.log(level, "%s: %s", found.verdict.value, found.message, extra=fields)
