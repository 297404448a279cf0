"""What is done with a ledger: begin an intent, find one that was begun, and say how it ended.

Whatever the moment of a crash, the next delivery finds the record under the same name and goes on from it. Two
replicas that do the same at once meet at the record's resourceVersion: one writes, the other reads again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from remediator.errors import AlreadyExists, Conflict, NotFound
from remediator.outcome import Reason
from remediator.owners import Lever
from remediator.records.images import Images
from remediator.records.ledger import Firing, Ledger
from remediator.records.model import (
    Approval,
    Conclusion,
    Phase,
    Release,
    Remediation,
    Request,
    Resolution,
    Status,
    Undoing,
)
from remediator.records.moments import moments
from remediator.records.naming import Key
from remediator.records.offers import is_offered
from remediator.traffic.suspect import Suspect
from remediator.verification.model import Verification
from remediator.verification.steps import not_verified

_ATTEMPTS = 8
"""How often a status is written that others keep changing."""

_HEARD_EVERY = timedelta(minutes=1)

Draft = Callable[[str], Remediation]
"""The record that would be begun under a name; its patch carries that name."""


def overrules(record: Remediation, suspect: Suspect, firing: Firing) -> bool:
    """Whether the undo of `record` stands against an alert that accuses `suspect`."""
    undo = record.status.undo
    if undo is None:
        return False
    return firing in record.intent.firings or (suspect in record.intent.suspects and undo.requested_at >= firing[1])


@dataclass(frozen=True, slots=True)
class Begun:
    """A record to go on from."""

    record: Remediation
    is_new: bool
    """False: it was there. Whoever wrote it may be at work, or dead: look at the object before anything is sent."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The records as the pipeline uses them. Every method raises ClusterError as the ledger does."""

    ledger: Ledger
    now: Callable[[], datetime]
    verifies: bool = True
    """Whether somebody finds out later whether a patch worked; if not, the record says so as it ends."""

    def begin(self, key: Key, draft: Draft, after: Remediation | None = None) -> Begun:
        """Write the intent, or find the one that was written.

        Args:
            after: the record of an earlier turn, which is over; the next turn is begun.

        Raises:
            NotFound: the namespace is gone.
        """
        known = 0 if after else self.latest_turn(key)
        record = draft(key.name(key.turn(after.name) + 1 if after else known or 1))
        for _ in range(_ATTEMPTS):
            try:
                if not known:
                    return Begun(self.ledger.create(record), is_new=True)
            except AlreadyExists:
                pass
            try:
                return Begun(self.ledger.read(record.namespace, record.name), is_new=False)
            except NotFound:
                known = 0  # somebody has deleted it since: it is as if it had never been
        raise Conflict(f"the record {record} was written and deleted {_ATTEMPTS} times while it was looked for")

    def revise(self, record: Remediation, wanted: Remediation) -> Remediation:
        """Write another intent in the place of one that was never carried out, as the object has moved since.

        Raises:
            Conflict: somebody else works on it.
        """
        return self.ledger.rewrite(replace(record, intent=wanted.intent))

    def read_again(self, record: Remediation) -> Remediation | None:
        """The record as it is at its source; None if somebody has deleted it since."""
        try:
            return self.ledger.read(record.namespace, record.name)
        except NotFound:
            return None

    def end(self, record: Remediation, end: Conclusion, *, sent: bool = False) -> Remediation:
        """Write how it ended. One who knows that the patch was made is right against one who saw it unmade.

        Args:
            sent: the record's intent, as given here, is what we carried out; whatever else stands there now is wrong.
        """

        def ended(current: Remediation) -> Remediation | None:
            there = current.status
            if there.phase in (Phase.APPLIED, Phase.UNDONE):
                return None
            overtaken = current is not record and there.phase is not Phase.PLANNED and end.phase is not Phase.APPLIED
            now, heard = self.now(), there.judged_at
            # That the guards were asked again is worth a write now and then: it says that the alert goes on.
            is_news = bool(end.verdicts) and (heard is None or now - heard >= _HEARD_EVERY)
            same = (there.phase, there.reason, there.message) == (end.phase, end.reason, end.message)
            if overtaken or (same and not is_news):
                return None
            return self._unasked(current.ended(end, now), now)

        return self._written(record, ended, sent=sent)

    def reopen(self, record: Remediation) -> Remediation:
        """Make an intent Planned again that ended without its patch, as it is about to be tried once more."""

        def reopened(status: Status) -> Status:
            if status.phase in (Phase.APPLIED, Phase.UNDONE):
                return status
            return replace(status, phase=Phase.PLANNED, reason=None, message="", finished_at=None, judged_at=self.now())

        return self.set_status(record, reopened)

    def heard(self, record: Remediation) -> Remediation:
        """Note that its alert was delivered again, once a minute at most."""
        now, last = self.now(), moments(record).heard_at
        if last is not None and now - last < _HEARD_EVERY:
            return record
        return self.set_status(record, lambda status: replace(status, heard_at=now))

    def end_waiting(self, record: Remediation, end: Conclusion) -> Remediation:
        """Write how it ended that nobody carried out, if it still waits for a person; else it stays as it is."""

        def ended(current: Remediation) -> Remediation | None:
            waits = current.waits and current.approval == record.approval
            return current.ended(end, self.now()) if waits else None

        return self._written(record, ended)

    def end_offered(self, record: Remediation, end: Conclusion) -> Remediation:
        """Write how an offer to Flagger ended, if it is still open; else the record stays as it is."""

        def ended(current: Remediation) -> Remediation | None:
            return current.ended(end, self.now()) if is_offered(current) else None

        return self._written(record, ended)

    def approve(self, record: Remediation, approval: Approval) -> Remediation:
        """Write a person's answer on a record that waits for one.

        Raises:
            Conflict: somebody changed it since it was read.
        """
        return self.ledger.rewrite(replace(record, approval=approval))

    def resolve(self, record: Remediation, fingerprint: str, at: datetime) -> Remediation:
        """Note that an alert of it is resolved; once, however often Alertmanager says so."""

        def resolved(current: Remediation) -> Remediation | None:
            status = current.status
            if any(each.fingerprint == fingerprint for each in status.resolved):
                return None
            since = (at - status.applied_at).total_seconds() if status.applied_at else None
            noted = Resolution(fingerprint, at, since if since is None or since >= 0 else None)
            return replace(current, status=replace(status, resolved=(*status.resolved, noted)))

        return self._written(record, resolved)

    def undone(self, record: Remediation, request: Request) -> Remediation:
        """Write that what it changed is put back.

        Args:
            request: who asks now; whoever asked first stays on the record.
        """
        now = self.now()

        def done(status: Status) -> Status:
            asked = status.undo or Undoing(request, now)
            return replace(
                status,
                phase=Phase.UNDONE,
                reason=Reason.UNDONE,
                message=f"undone by {asked.request.by}",
                # What is put back was made, though nobody came to say so: it counts for cooldown and budget.
                applied_at=status.applied_at or now,
                finished_at=now,
                undo=replace(asked, done_at=asked.done_at or now),
            )

        return self.set_status(record, done)

    def release(self, record: Remediation, release: Release) -> Remediation:
        """Write that the suspect may have traffic again, if the patch was made and nobody has said so yet."""

        def released(current: Remediation) -> Remediation | None:
            status = current.status
            if status.phase is not Phase.APPLIED or status.release is not None:
                return None
            return replace(current, status=replace(status, release=release))

        return self._written(record, released)

    def verified(self, record: Remediation, verification: Verification) -> Remediation:
        """Write whether it worked, if nobody has done so since it was read: the first one counts."""
        known = record.status.verification

        def noted(current: Remediation) -> Remediation | None:
            if moments(current).unverified_at is None or current.status.verification != known:
                return None
            return replace(current, status=replace(current.status, verification=verification))

        return self._written(record, noted)

    def identified(self, record: Remediation, images: Images) -> Remediation:
        """Write what the suspects' pods ran, if nobody has done so: the first look counts, for pods go."""

        def noted(current: Remediation) -> Remediation | None:
            known = current.status.images is not None
            return None if known else replace(current, status=replace(current.status, images=images))

        return self._written(record, noted)

    def set_status(self, record: Remediation, change: Callable[[Status], Status]) -> Remediation:
        """Write what `change` makes of the status as it is now."""
        return self._written(record, lambda current: replace(current, status=change(current.status)))

    def answering(self, fingerprint: str, starts_at: datetime) -> tuple[Remediation, ...]:
        """The records that answer this firing of an alert, by the index."""
        found = (self.ledger.get(*each.key) for each in self.ledger.answering(fingerprint, starts_at))
        return tuple(record for record in found if record)

    def taken_back(self, target_uid: str, suspect: Suspect, firing: Firing) -> Remediation | None:
        """The record by whose undo a person gave the traffic back since this alert began, by the index.

        It counts for every alert that began before: another one that accuses the same version would otherwise do
        again at once what the person has just undone. For the record's own alerts no clock is asked.
        """
        for found in self.ledger.taken_back(target_uid):
            record = self.ledger.get(*found.key)
            if record is not None and overrules(record, suspect, firing):
                return record
        return None

    def latest_turn(self, key: Key) -> int:
        """The last turn of a remediation that the index knows of; 0 for none."""
        found = self.ledger.answering(key.fingerprint, key.starts_at)
        return max((key.turn(each.name) for each in found), default=0)

    def _unasked(self, record: Remediation, now: datetime) -> Remediation:
        """The record, which says that nobody will ask whether it worked, where that is so."""
        # What a driver was asked to take away is seen in the routes, by whoever looks.
        told_by_routes = record.intent.lever is not Lever.PATCH
        if self.verifies or told_by_routes or moments(record).unverified_at is None:
            return record
        return replace(record, status=replace(record.status, verification=not_verified(now)))

    def _written(
        self, record: Remediation, change: Callable[[Remediation], Remediation | None], *, sent: bool = False
    ) -> Remediation:
        """`record` with the change made, on top of whatever others wrote meanwhile; None from `change`: leave it."""
        current = record
        for _ in range(_ATTEMPTS):
            wanted = change(current)
            if wanted is None:
                return current
            try:
                return self.ledger.conclude(wanted)
            except Conflict:
                current = self.ledger.read(record.namespace, record.name)
            if sent and current.intent != record.intent:
                current = self.ledger.rewrite(replace(current, intent=record.intent))
        raise Conflict(f"the record {record} changed {_ATTEMPTS} times while its status was written")
