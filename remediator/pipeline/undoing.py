"""Undo: puts back what a remediation changed, and refuses where somebody changed it since.

The request is written on the record before anything is put back: from then on no alert that fires already takes
the traffic away again, whatever the moment of a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import ClusterError, Conflict, NotFound
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.owners import Lever
from remediator.pipeline.endings import failure
from remediator.pipeline.rows import row_of
from remediator.pipeline.telling import announce, undo_event
from remediator.records.journal import Journal
from remediator.records.ledger import Ledger
from remediator.records.model import Phase, Remediation, Request, Undoing
from remediator.records.offers import is_offered, take_back_words
from remediator.traffic import undo as way_back
from remediator.traffic import virtualservice
from remediator.traffic.exposure import Facts
from remediator.traffic.patch import Patch
from remediator.traffic.stamp import stamp_of
from remediator.traffic.suspect import Refusal
from remediator.traffic.undo import Difference

ATTEMPTS = 5
"""How often it is tried on an object that others keep changing."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an undo ended."""

    record: Remediation
    """As it is now."""
    outcome: Outcome
    """Applied; Unchanged: there was nothing to put back; Denied; Failed: try again."""
    reason: Reason
    message: str
    before: dict[str, Any] | None = None
    """The routing object as it was found; None where it was not looked at, or is gone."""
    after: dict[str, Any] | None = None
    """As the undo leaves it, or would; None where it changes nothing."""
    differences: tuple[Difference, ...] = ()
    """What somebody changed since."""

    @property
    def changes(self) -> tuple[str, ...]:
        """What was put back, as a person reads it."""
        if self.before is None or self.after is None:
            return ()
        return way_back.described(virtualservice.read(self.before), virtualservice.read(self.after))

    @property
    def row(self) -> AlertOutcome:
        """In the words of an outcome, for log, metric and Event."""
        return row_of(self.record, self.outcome, Refusal(self.reason, self.message), self.changes)


def tell(ledger: Ledger, ending: Ending, request: Request, now: datetime) -> None:
    """Tell on the target that it was undone, or that somebody tried to."""
    if ending.outcome in (Outcome.APPLIED, Outcome.DENIED) or ending.record.status.phase is Phase.UNDONE:
        announce(ledger, [undo_event(ending.record, request, ending.row, now)])


def undo(
    cluster: Cluster, record: Remediation, request: Request, now: Callable[[], datetime], *, dry_run: bool = False
) -> Ending:
    """Undo `record`, as it was read from its source.

    Args:
        request: who asks, and why.
        dry_run: the server tries it and keeps nothing; nor is anything recorded.
    """
    attempt = _Undo(cluster, Journal(cluster.ledger, now), request, dry_run, record.status.undo is None)
    for _ in range(ATTEMPTS):
        try:
            return attempt.on(record)
        except Conflict:
            try:
                record = cluster.ledger.read(record.namespace, record.name)
            except ClusterError as error:
                return attempt.failed(record, error)
        except ClusterError as error:
            return attempt.failed(record, error)
    message = f"the object changed {ATTEMPTS} times between reading and patching; try again"
    return Ending(record, Outcome.FAILED, Reason.CONFLICT, message)


@dataclass(frozen=True, slots=True)
class _Undo:
    cluster: Cluster
    journal: Journal
    request: Request
    dry_run: bool
    is_first: bool
    """Nobody has asked for this undo before."""

    def on(self, record: Remediation) -> Ending:
        """One attempt. Raises Conflict: begin again with the record as it is then."""
        if record.status.phase is Phase.UNDONE:
            return Ending(record, Outcome.UNCHANGED, Reason.UNDONE, f"{record.name} was undone before{_by(record)}")
        if record.status.phase is not Phase.APPLIED and not record.unproven:
            message = f"{record.name} is {record.status.phase}: it changed nothing, so there is nothing to put back"
            return Ending(record, Outcome.UNCHANGED, Reason.NOT_APPLIED, message)
        try:
            live = self.cluster.read(record.intent.target.ref)
        except NotFound:
            return self._gone(record, "is gone")
        if live.routing.uid != record.intent.target.uid:
            return self._gone(record, "is another object of that name now")
        if record.unproven and record.status.undo is None and stamp_of(live.body) != record.name:
            yet = ", or not yet" if record.status.phase is Phase.PLANNED else ""
            message = (
                f"{record.name} is {record.status.phase}: it changed nothing{yet}, so there is nothing to put back"
            )
            if is_offered(record):
                message += f". Flagger is told to roll back once it asks: {take_back_words(record)}"
            return Ending(record, Outcome.UNCHANGED, Reason.NOT_APPLIED, message)
        return self._put_back(record, live)

    def _put_back(self, record: Remediation, live: Snapshot) -> Ending:
        if record.intent.lever is not Lever.PATCH:
            return self._denied(record, Refusal(Reason.NO_LEVER, retry_words(record)))
        patch = self._way_back(record, live)
        if isinstance(patch, Ending):
            return patch
        target, after = record.intent.target.ref, patch.applied(live.body)
        if not self.dry_run:
            record = self._requested(record)
        try:
            self.cluster.patch(target, patch, dry_run=self.dry_run)
        except Conflict:
            raise
        except ClusterError as error:
            return self.failed(record, error)
        done = Ending(record, Outcome.APPLIED, Reason.UNDONE, "", live.body, after)
        said = "would put back" if self.dry_run else "put back"
        message = f"{said} what {record.name} changed on {target}: {'; '.join(done.changes)}"
        try:
            return replace(done, message=message, record=self._done(record))
        except ClusterError as error:
            message += f"; but the record could not be completed ({error}): undo it again to have that done"
            return replace(done, outcome=Outcome.FAILED, reason=Reason.UNAVAILABLE, message=message)

    def _way_back(self, record: Remediation, live: Snapshot) -> Patch | Ending:
        """The patch that puts everything back, or why there is none."""
        operations = record.intent.undo
        if way_back.is_undone(operations, live.body):
            message = f"{record.intent.target.ref} is as it was before {record.name} already"
            return Ending(self._done(record), Outcome.UNCHANGED, Reason.UNDONE, message, before=live.body)
        differences = way_back.differences(operations, live.body)
        if differences:
            return self._refused(record, live, differences)
        try:
            patch = way_back.patch(operations, live.body)
            faults = self._faults(live, patch.applied(live.body))
        except LookupError as error:
            why = Refusal(Reason.REJECTED, f"the record's spec.undo was edited by hand, and does not fit: {error}")
            return self._denied(record, why, live)
        if faults:
            why = Refusal(Reason.UNSAFE_PLAN, f"it would not be safe to put it back: {'; '.join(faults[:5])}")
            return self._denied(record, why, live)
        return patch

    def _faults(self, live: Snapshot, after: dict[str, Any]) -> tuple[str, ...]:
        """Why the object must not become `after`: Istio would refuse it, or a destination has gone meanwhile."""
        facts = Facts(live.routing.ref.namespace, live.rules)
        new = facts.black_holes(virtualservice.read(after)) - facts.black_holes(live.routing)
        gone = (
            f"{route} would send traffic to {where}, which no DestinationRule defines" for route, where in sorted(new)
        )
        return (*virtualservice.faults(after), *gone)

    def failed(self, record: Remediation, error: ClusterError) -> Ending:
        """How it ends where the cluster did not do what was asked."""
        outcome, why = failure(error)
        if outcome is Outcome.DENIED:
            return self._denied(record, why)
        return Ending(record, outcome, *why.words)

    def _refused(self, record: Remediation, live: Snapshot, differences: tuple[Difference, ...]) -> Ending:
        message = (
            f"somebody changed what {record.name} had changed on {record.intent.target.ref}, so nothing was put back: "
            + "; ".join(map(str, differences))
        )
        denied = self._denied(record, Refusal(Reason.CHANGED_SINCE, message), live)
        return replace(denied, differences=differences)

    def _denied(self, record: Remediation, why: Refusal, live: Snapshot | None = None) -> Ending:
        """A final no. Nothing was given back, so our request is taken from the record again; an earlier one stays, for
        nobody knows how far that came."""
        if self.is_first and record.status.undo is not None and not self.dry_run:
            with suppress(ClusterError):  # it then stays asked for, and can be asked for again
                record = self.journal.set_status(record, lambda status: replace(status, undo=None))
        return Ending(record, Outcome.DENIED, why.reason, why.message, before=live.body if live else None)

    def _gone(self, record: Remediation, what: str) -> Ending:
        message = f"{record.intent.target.ref} {what}: there is nothing to put back"
        return Ending(record, Outcome.UNCHANGED, Reason.NOT_EXPOSED, message)

    def _requested(self, record: Remediation) -> Remediation:
        """Note the request on the record; the first one stays."""
        asked = Undoing(self.request, self.journal.now())
        return self.journal.set_status(record, lambda status: replace(status, undo=status.undo or asked))

    def _done(self, record: Remediation) -> Remediation:
        """Note that what was changed is put back."""
        return record if self.dry_run else self.journal.undone(record, self.request)


def retry_words(record: Remediation) -> str:
    """How traffic is given back that the abort of a Rollout, or Flagger, took away."""
    rollback = record.intent.rollback
    if rollback is not None:
        return (
            f"{record.name} had Flagger roll Canary {record.namespace}/{rollback.canary} back, and that lasts "
            f"until the target changes. To let it try the same revision again: remediator release {record}"
        )
    name = record.intent.owner.name.rpartition(" ")[2] if record.intent.owner else "NAMESPACE/NAME"
    namespace, _, rollout = name.partition("/")
    return (
        f"{record.name} aborted a Rollout, which puts back what anybody else changes. To let it go on with the "
        f"update: kubectl argo rollouts retry rollout {rollout} -n {namespace}"
    )


def _by(record: Remediation) -> str:
    undo = record.status.undo
    return f" by {undo.request.by} at {undo.requested_at.isoformat(timespec='seconds')}" if undo else ""
