"""What the application is made of. Whoever starts the service builds these, and tests build fakes of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from remediator.alerts import Notification
from remediator.cluster.port import Cluster
from remediator.metrics import Brakes, Metrics
from remediator.outcome import AlertOutcome
from remediator.pipeline.approving import Answered
from remediator.pipeline.releasing import Released
from remediator.pipeline.undoing import Ending
from remediator.policies.load import Loaded
from remediator.policies.model import Mode
from remediator.records.model import Approval, Request
from remediator.records.rollback import Trial
from remediator.web.auth import Authenticator


class Remediates(Protocol):
    """The pipeline, as seen from here."""

    def handle(self, notification: Notification) -> tuple[AlertOutcome, ...]:
        """Do what the policies say for every alert. Never raises: a failure is an outcome."""

    def brakes(self) -> Brakes:
        """What holds the whole service back now. Never raises."""

    def awaiting(self) -> float:
        """How many plans wait for a person's yes or no; NaN while the records are not known. Never raises."""

    def holding(self) -> float:
        """How many withdrawals are held up; NaN while the records are not known. Never raises."""

    def undo(self, namespace: str, name: str, request: Request) -> Ending:
        """Give back the traffic that a remediation took away.

        Raises:
            NotFound: there is no such record. Forbidden, Rejected, Retriable: it could not be read.
        """

    def release(self, namespace: str, name: str, request: Request) -> Released:
        """Let the suspect of a remediation have traffic again; no route is changed.

        Raises:
            NotFound: there is no such record. Forbidden, Rejected, Conflict, Retriable: it could not be read, or the
                release not be written.
        """

    def answer(self, namespace: str, name: str, approval: Approval) -> Answered:
        """Take a person's answer to a plan that waits for one, and carry it out.

        Raises:
            NotFound: there is no such record. Forbidden, Rejected, Conflict, Retriable: it could not be read, or the
                answer not be written.
        """


class HasPolicies(Protocol):
    """The policies in force."""

    def current(self) -> Loaded:
        """The last good set, and what is wrong with the files now, if anything. Never raises."""


class TellsFlagger(Protocol):
    """What Flagger asks."""

    def asked(self, trial: Trial) -> bool:
        """Whether Flagger is to roll this revision of a Canary back.

        Raises:
            ClusterError: nobody knows; at its next interval it asks again.
        """


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that `create_app` needs."""

    pipeline: Remediates
    policies: HasPolicies
    cluster: Cluster
    metrics: Metrics
    authenticator: Authenticator
    max_body: int
    """Bytes. A larger request is refused, and never held in memory."""
    clock: Callable[[], float]
    """Unix time (s)."""
    rollbacks: TellsFlagger
    known_bad: timedelta | None = timedelta(days=7)
    """How long the gate holds a version back after its traffic was taken away; None: as long as there is the record."""
    ceiling: Mode = Mode.ENFORCE
    """No policy goes further (`--mode`)."""
    draining: threading.Event = field(default_factory=threading.Event)
    """Set once the server stops: it is no longer ready, and what was begun is finished."""
