"""The port: where records and Events are kept. Two adapters answer: kubernetes and local (cluster/)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remediator.guards.cooldown import Made
from remediator.outcome import TargetRef
from remediator.records.events import Event
from remediator.records.model import Phase, Remediation
from remediator.traffic.hosts import Host

Firing = tuple[str, datetime]
"""Fingerprint and start of an alert: what tells this firing of it from the next."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the index keeps of a record within reach: enough to find, filter and order it."""

    namespace: str
    name: str
    created_at: datetime
    finished_at: datetime | None
    policy: str
    phase: Phase
    target: TargetRef
    target_uid: str
    taken_back: bool = False
    """As of Remediation."""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.namespace, self.name


@dataclass(frozen=True, slots=True)
class Tally:
    """Remediations of a span of time in the whole fleet."""

    made: int
    """What alerts had changed."""
    begun: int
    """What is about to be changed, or may be changed already."""
    observed: int
    """What would have been changed, were it not for mode Observe."""
    latest: tuple[str, str] | None = None
    """Namespace and name of the last record of those that were made."""


def head(record: Remediation) -> Head:
    """The head of a record that is stored."""
    assert record.created_at is not None, "a record that is stored has a creation time"  # noqa: S101
    intent, status = record.intent, record.status
    return Head(
        namespace=record.namespace,
        name=record.name,
        created_at=record.created_at,
        finished_at=status.finished_at,
        policy=intent.policy.name,
        phase=status.phase,
        target=intent.target.ref,
        target_uid=intent.target.uid,
        taken_back=record.taken_back,
    )


def unheard(_: Event) -> None:
    """The listener where nobody listens."""


class Ledger(Protocol):
    """Keeps records. Raises errors of ours (errors.ClusterError) and nothing else."""

    listener: Callable[[Event], None]
    """Told of each Event that the pipeline tells (pipeline.telling) and that nobody has told before. Never raises."""

    # -- at the source

    def create(self, record: Remediation) -> Remediation:
        """Store a new record: its name, namespace and intent. It begins as Planned, whatever its status says.

        Raises:
            AlreadyExists: there is one of this name. NotFound: its namespace is gone.
            Rejected, Forbidden, Retriable.
        """

    def read(self, namespace: str, name: str) -> Remediation:
        """Read a record from its source, past the index.

        Raises:
            NotFound, Forbidden, Retriable.
        """

    def rewrite(self, record: Remediation) -> Remediation:
        """Store the record's intent in the place of the one there, if nobody changed the record since it was read.

        Raises:
            Conflict: somebody did. NotFound, Rejected, Forbidden, Retriable.
        """

    def conclude(self, record: Remediation) -> Remediation:
        """Store the record's status, and nothing else of it. Raises as `rewrite`."""

    def delete(self, record: Remediation) -> None:
        """Delete the record, if nobody changed it since it was read. Raises as `rewrite`."""

    def listed(self, namespace: str | None = None) -> Iterator[Remediation]:
        """Every record of a namespace, or of all, from the source; in no order.

        Raises:
            Forbidden, Retriable.
        """

    def announce(self, event: Event) -> bool:
        """Store an Event; one that is there already stays. Raises Forbidden, Rejected, NotFound, Retriable.

        Returns:
            False: it was there, so somebody has told it before.
        """

    # -- by the index: no request is made

    def heads(self) -> Sequence[Head]:
        """The head of every record, newest first, then by namespace and name.

        Raises:
            NotSynced: the index is not complete or too old. Unavailable: the folder cannot be read.
        """

    def get(self, namespace: str, name: str) -> Remediation | None:
        """One record; None if there is none. Raises as `heads`."""

    def answering(self, fingerprint: str, starts_at: datetime) -> tuple[Head, ...]:
        """The head of every record that answers this firing of an alert, as its first alert or beside it; by namespace
        and name. Raises as `heads`."""

    def taken_back(self, target_uid: str) -> tuple[Head, ...]:
        """The head of every record of the routing object with this uid that a person has taken back, or wants to; by
        namespace and name. Raises as `heads`."""

    def awaiting(self) -> tuple[Head, ...]:
        """The head of every record that waits for a person; by namespace and name. Raises as `heads`."""

    def unverified(self, since: datetime) -> tuple[Head, ...]:
        """The head of every record made later than `since`, if it is not known yet whether it worked; by namespace and
        name. Raises as `heads`."""

    def unidentified(self, since: datetime) -> tuple[Head, ...]:
        """The head of every record made later than `since`, if it is not known which images its suspects ran; by
        namespace and name. Raises as `heads`."""

    def holding(self, now: datetime) -> tuple[Head, ...]:
        """The head of every record whose withdrawal is held up at `now`; by namespace and name. Raises as `heads`."""

    def let_go(self, target_uid: str) -> tuple[Head, ...]:
        """The head of every record of the routing object with this uid whose suspect may have had traffic again since,
        by an undo, a release or a lost hold; by namespace and name. Raises as `heads`."""

    def latest(self, target_uid: str) -> Made | None:
        """The last change of the routing object with this uid, whatever became of that; None: there was none. Raises as
        `heads`."""

    def accusing(self, host: Host, since: datetime) -> tuple[Remediation, ...]:
        """The records that accuse a version of this service, and whose alert was heard later than `since` and is not
        over; the latest first. Raises as `heads`."""

    def barring(self, host: Host) -> tuple[Remediation, ...]:
        """The records that hold a version of this service back (gate.py), their age left out; by namespace and name.
        Raises as `heads`."""

    def of_canary(self, namespace: str, name: str) -> tuple[Remediation, ...]:
        """The records that condemn a revision of this Canary, whatever became of them; by name.

        Of an index of whatever age, and then without what is newer: what was told to Flagger once stays told. Whoever
        concludes anything from what is not there asks `offered` as well.
        """

    def offered(self) -> tuple[Head, ...]:
        """The head of every record that waits for Flagger to ask; by namespace and name. Raises as `heads`."""

    def tally(self, since: datetime) -> Tally:
        """The remediations later than `since`. What people did by hand does not count. Raises as `heads`."""

    def ahead(self, record: Remediation, since: datetime) -> int:
        """How many remediations later than `since` are made, or were begun before this one, which has just been stored:
        of any two that are begun at once by whomever, one is before the other.

        Raises:
            NotSynced: the index has not heard of this record; or as `heads`.
        """
