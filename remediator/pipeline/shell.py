"""One notification: prepare, execute concurrently, answer, log and count. Owns the clock."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from remediator import logs
from remediator.alerts import Alert, Notification
from remediator.cluster.port import Cluster
from remediator.metrics import Metrics
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.execution import execute
from remediator.pipeline.preparation import Case, Work, prepare
from remediator.pipeline.resolving import note_resolved
from remediator.pipeline.rows import Rows, row, settle
from remediator.pipeline.tools import Limits, Tools
from remediator.pipeline.undoing import Ending, tell, undo
from remediator.policies.load import PolicyStore
from remediator.policies.model import Mode
from remediator.records.journal import Journal
from remediator.records.model import Request
from remediator.traffic.suspect import Refusal


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
    clock: Clock = field(default_factory=Clock)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("remediator.outcome"))

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

    def _rows(self, notification: Notification, begun: float) -> tuple[AlertOutcome, ...]:
        loaded = self.policies.current()
        prepared = prepare(notification.alerts, loaded.policies, self.cluster, self.ceiling)
        journal = Journal(self.cluster.ledger, self.clock.now)
        rows: list[tuple[int, AlertOutcome]] = []
        tools = Tools(
            cluster=self.cluster,
            journal=journal,
            limits=Limits(prepared.works),
            attempted=self.metrics.attempt,
            patched=lambda cases: self._measure(cases, begun),
        )
        if len(prepared.works) == 1:
            # No thread for one target: the hop costs as much as the planning.
            rows += self._execute(prepared.works[0], tools)
        else:
            for done in self.executor.map(lambda work: self._execute(work, tools), prepared.works):
                rows += done
        # Last: nobody suffers while it waits.
        rows += note_resolved(notification.alerts, prepared.rows, self.cluster, journal)
        return settle(rows)

    def _execute(self, work: Work, tools: Tools) -> Rows:
        try:
            return execute(work, tools)
        except Exception as error:  # one target's bug must not take the others with it
            self.log.exception("internal error at %s", work.ref)
            return [(case.number, _internal(case.alert, error)) for case in work.cases]

    def _measure(self, cases: tuple[Case, ...], begun: float) -> None:
        """Time from the request, and from the alert's start, to the patch; once a patch."""
        age = (self.clock.now() - min(case.alert.starts_at for case in cases)).total_seconds()
        self.metrics.patched(self.clock.seconds() - begun, max(age, 0.0))

    def _tell(self, notification: Notification, rows: tuple[AlertOutcome, ...], begun: float) -> None:
        duration = self.clock.seconds() - begun
        for outcome in rows:
            logs.outcome(self.log, outcome, group_key=notification.group_key, duration_s=duration)
            self.metrics.outcome(outcome)
        for alert in notification.alerts:
            self.metrics.alert(alert.status)
        if notification.truncated_alerts:
            self.metrics.truncated(notification.truncated_alerts)
            self.log.warning(
                "Alertmanager left %d alerts out of this notification, and will not send them on their own; "
                "set max_alerts: 0 in the webhook_config of receiver %s",
                notification.truncated_alerts,
                notification.receiver,
            )


def _internal(alert: Alert, error: Exception) -> AlertOutcome:
    """A row that says a bug was met; the text stays in the log."""
    message = f"internal error ({type(error).__name__}); see the log. The next delivery tries again"
    return row(alert, None, Outcome.FAILED, Refusal(Reason.INTERNAL_ERROR, message))
