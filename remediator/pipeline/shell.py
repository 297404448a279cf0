"""One notification: prepare, execute concurrently, answer, log and count; and what people ask for. Owns the clock."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import nan

from remediator import logs
from remediator.alerts import Alert, Notification
from remediator.cluster.port import Cluster
from remediator.errors import ClusterError, NotFound
from remediator.guards.situation import Bounds
from remediator.metrics import Brakes, Metrics
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.owners import Lever
from remediator.pipeline import approving, releasing
from remediator.pipeline.approving import Answered
from remediator.pipeline.busy import Busy
from remediator.pipeline.drafting import granted
from remediator.pipeline.execution import execute
from remediator.pipeline.guarding import Guarding
from remediator.pipeline.preparation import Work, prepare
from remediator.pipeline.releasing import Released
from remediator.pipeline.resolving import note_resolved
from remediator.pipeline.rows import Rows, row, settle, unheard
from remediator.pipeline.storm import Storm
from remediator.pipeline.tools import Limits, Tools
from remediator.pipeline.undoing import Ending, tell, undo
from remediator.policies.load import PolicyStore
from remediator.policies.model import Mode
from remediator.records.journal import Journal
from remediator.records.model import Approval, Remediation, Request
from remediator.traffic.suspect import Refusal
from remediator.verification.model import VerificationVerdict


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the pipeline takes the time from: the one place that may ask."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """Wall time, aware."""
    seconds: Callable[[], float] = time.perf_counter
    """For durations."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Runs the stages for notifications, from many threads at once."""

    cluster: Cluster
    policies: PolicyStore
    metrics: Metrics
    executor: Executor
    """Where the targets of one notification are patched concurrently."""
    ceiling: Mode = Mode.ENFORCE
    """The most that any policy may do."""
    bounds: Bounds = field(default_factory=Bounds)
    """Of the guards."""
    verifies: bool = True
    """Whether there is a Prometheus to ask whether patches worked."""
    storm: Storm = field(default_factory=Storm)
    busy: Busy = field(default_factory=Busy)
    """With which approved plans."""
    told: Callable[[AlertOutcome], None] = unheard
    """Told of each row of an answer, and of what became of approved plans; never raises."""
    clock: Clock = field(default_factory=Clock)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("remediator.outcome"))

    @property
    def guarding(self) -> Guarding:
        """What asks the guards."""
        return Guarding(self.cluster, self.cluster.ledger, self.clock.now, self.bounds)

    def handle(self, notification: Notification) -> tuple[AlertOutcome, ...]:
        """Finish every alert of `notification`, or say which are not. Never raises.

        Returns:
            A row for each alert and target, in the order of the alerts. Any that is retriable asks for another
            delivery of the whole notification; what is finished by then is found `Unchanged`.
        """
        begun = self.clock.seconds()
        try:
            rows = self._rows(notification, begun)
        except Exception as error:  # the outer edge: a bug must not lose an alert
            self.log.exception("internal error; the notification will be delivered again")
            rows = settle(enumerate(_internal(alert, error) for alert in notification.alerts))
        try:
            self._tell(notification, rows, begun)
        except Exception:  # it is done: a bug in the telling must not make Alertmanager deliver it again
            self.log.exception("internal error while telling the outcomes")
        return rows

    def undo(self, namespace: str, name: str, request: Request) -> Ending:
        """Give back the traffic that a remediation took away.

        Raises:
            NotFound: there is no such record. Forbidden, Rejected, Retriable: it could not be read.
        """
        begun = self.clock.seconds()
        record = self.cluster.ledger.read(namespace, name)
        ending = undo(self.cluster, record, request, self.clock.now)
        tell(self.cluster.ledger, ending, request, self.clock.now())
        logs.outcome(self.log, ending.row, duration_s=self.clock.seconds() - begun, asked_by=request.by)
        self.metrics.outcome(ending.row)
        return ending

    def release(self, namespace: str, name: str, request: Request) -> Released:
        """Let the suspect of a remediation have traffic again; no route is changed.

        Raises:
            NotFound: there is no such record. ClusterError: it could not be read or written.
        """
        begun = self.clock.seconds()
        record = self.cluster.ledger.read(namespace, name)
        released = releasing.release(self.journal, record, request)
        releasing.tell(self.cluster.ledger, released, self.clock.now())
        logs.outcome(self.log, released.row, duration_s=self.clock.seconds() - begun, asked_by=request.by)
        self.metrics.outcome(released.row)
        return released

    @property
    def journal(self) -> Journal:
        """The records."""
        return Journal(self.cluster.ledger, self.clock.now, self.verifies)

    def brakes(self) -> Brakes:
        """What holds the whole service back now. Never raises."""
        return self.guarding.brakes(self.ceiling)

    def awaiting(self) -> float:
        """How many plans wait for a person's yes or no; NaN while the records are not known. Never raises."""
        try:
            return len(self.cluster.ledger.awaiting())
        except ClusterError:
            return nan

    def holding(self) -> float:
        """How many withdrawals are held up, in the whole fleet; NaN while the records are not known. Never raises."""
        try:
            return len(self.cluster.ledger.holding(self.clock.now()))
        except ClusterError:
            return nan

    def answer(self, namespace: str, name: str, approval: Approval) -> Answered:
        """Take a person's answer to a plan that waits for one, and carry it out.

        Raises:
            NotFound: there is no such record. ClusterError: it could not be read, or the answer not be written.
        """
        record = self.cluster.ledger.read(namespace, name)
        with self.busy.at(name):
            end = approving.expires_at(record, self.bounds.approve_within)
            if record.waits and end is not None and self.clock.now() >= end:
                return self.end_waiting(record)
            written = approving.write_answer(self.journal, record, approval)
            if isinstance(written, Answered):
                return written
            return self.carry_out(written) if approval.approved else self.end_waiting(written)

    def end_waiting(self, record: Remediation) -> Answered:
        """End a plan that a person has rejected, or that has waited for too long. Raises ClusterError."""
        begun, journal = self.clock.seconds(), self.journal
        if record.refused:
            ended = approving.reject(journal, record)
        else:
            ended = approving.expire(journal, record, self.bounds.approve_within)
        reason = ended.status.reason or Reason.NOT_AWAITING
        answered = Answered(ended, Outcome.DENIED, reason, ended.status.message)
        self._tell_answer(answered, begun)
        return answered

    def carry_out(self, record: Remediation) -> Answered:
        """Carry out what a person has approved, planned anew on the object as it is.

        Raises:
            ClusterError: the object or the record could not be read or written; it is tried again.
        """
        begun = self.clock.seconds()
        with self.busy.at(record.name):
            answered = self._approved(record, begun)
        self._tell_answer(answered, begun)
        return answered

    def _tell_answer(self, answered: Answered, begun: float) -> None:
        approval = answered.record.approval
        by = approval.by if approval else ""
        logs.outcome(self.log, answered.row, duration_s=self.clock.seconds() - begun, asked_by=by)
        self.metrics.outcome(answered.row)
        self.told(answered.row)

    def _approved(self, record: Remediation, begun: float) -> Answered:
        ref = record.intent.target.ref
        try:
            live = self.cluster.read(ref)
        except NotFound:
            live = None
        if live is None or live.routing.uid != record.intent.target.uid:
            gone = Answered(record, Outcome.UNCHANGED, Reason.NOT_EXPOSED, f"{ref} is gone, or another object now")
            return replace(gone, record=approving.conclude(self.journal, record, gone.row))
        work = approving.work_of(record, live, self.policies.current().policies, self.ceiling)
        rows = self._execute(work, self._tools((work,), begun))
        # Of several alerts that one patch answers, the worst end is told.
        row = min((row for _, row in rows), key=_severity)
        now = self.cluster.ledger.read(record.namespace, record.name)
        if now.waits:
            now = approving.conclude(self.journal, now, row)
        return Answered(now, row.outcome, row.reason, row.message, row.changes)

    def _tools(self, works: tuple[Work, ...], begun: float) -> Tools:
        return Tools(
            cluster=self.cluster,
            journal=self.journal,
            limits=Limits(works),
            guarding=self.guarding,
            attempted=self.metrics.attempt,
            overspent=self._overspent,
            patched=lambda cases: self._measure(cases, begun),
        )

    def _overspent(self) -> None:
        if self.bounds.budget is not None:
            self.storm.tell(self.journal, self.bounds.budget)

    def _rows(self, notification: Notification, begun: float) -> tuple[AlertOutcome, ...]:
        loaded = self.policies.current()
        prepared = prepare(notification.alerts, loaded.policies, self.cluster, self.ceiling)
        rows: list[tuple[int, AlertOutcome]] = []
        tools = self._tools(prepared.works, begun)
        if len(prepared.works) == 1:
            # No thread for one target: the hop costs as much as the planning.
            rows += self._execute(prepared.works[0], tools)
        else:
            for done in self.executor.map(lambda work: self._execute(work, tools), prepared.works):
                rows += done
        # Last: nobody suffers while it waits.
        rows += note_resolved(notification.alerts, prepared.rows, self.cluster, tools.journal)
        return settle(rows)

    def _execute(self, work: Work, tools: Tools) -> Rows:
        try:
            return execute(work, tools)
        except Exception as error:  # one target's bug must not take the others with it
            self.log.exception("internal error at %s", work.ref)
            return [(case.number, _internal(case.alert, error)) for case in work.cases]

    def _measure(self, work: Work, begun: float) -> None:
        """Time from the request, and from the alert's start, to the patch; once a patch."""
        age = (self.clock.now() - min(case.alert.starts_at for case in granted(work))).total_seconds()
        self.metrics.patched(self.clock.seconds() - begun, max(age, 0.0))
        # What a driver was asked to take away is seen in the routes, by whoever looks.
        if not self.verifies and work.lever is Lever.PATCH:
            self.metrics.verification(VerificationVerdict.NOT_VERIFIED)

    def _tell(self, notification: Notification, rows: tuple[AlertOutcome, ...], begun: float) -> None:
        duration = self.clock.seconds() - begun
        for outcome in rows:
            logs.outcome(self.log, outcome, group_key=notification.group_key, duration_s=duration)
            self.metrics.outcome(outcome)
            self.told(outcome)
        for alert in notification.alerts:
            self.metrics.alert(alert.status)
            if alert.heartbeat:
                self.metrics.heartbeat()
        if notification.truncated_alerts:
            self.metrics.truncated(notification.truncated_alerts)
            self.log.warning(
                "Alertmanager left %d alerts out of this notification, and will not send them on their own; "
                "set max_alerts: 0 in the webhook_config of receiver %s",
                notification.truncated_alerts,
                notification.receiver,
            )


_SEVERITY = tuple(map(Outcome, ("Failed", "Denied", "Applied", "Planned", "Observed", "AwaitingApproval")))


def _severity(row: AlertOutcome) -> int:
    return _SEVERITY.index(row.outcome) if row.outcome in _SEVERITY else len(_SEVERITY)


def _internal(alert: Alert, error: Exception) -> AlertOutcome:
    """A row that says a bug was met; the text stays in the log."""
    message = f"internal error ({type(error).__name__}); see the log. The next delivery tries again"
    return row(alert, None, Outcome.FAILED, Refusal(Reason.INTERNAL_ERROR, message))
