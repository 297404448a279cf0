"""One look at a remediation that is held up: where its suspect gets traffic again, that is taken away once more.

index: does it? ──▶ read record and object, plan ──▶ guards ──▶ count it on the record ──▶ patch ──▶ Event ──▶ done
                                ▲                                        │                   │
                                └──────── somebody was quicker ──────────┴───────────────────┘

It is counted before it is patched, so that a crash forgets none. Two replicas meet at the record: one of them writes,
and the other finds the enforcement of the very state that it has seen, and leaves it to whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remediator.cluster.port import Snapshot
from remediator.errors import ClusterError, Conflict, Forbidden, NotFound, Rejected
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.carrying import send, write_down
from remediator.pipeline.endings import failure
from remediator.pipeline.held import Held, let_go
from remediator.pipeline.rows import row_of
from remediator.pipeline.telling import HOLD, announce, hold_event
from remediator.pipeline.tools import Tools
from remediator.policies.model import Mode, PolicySet
from remediator.policies.quantities import format_duration
from remediator.records.hold import Enforcement, Hold
from remediator.records.ledger import Head
from remediator.records.model import Remediation, Status
from remediator.records.moments import is_held
from remediator.traffic.stamp import stamp_of
from remediator.traffic.suspect import Refusal

PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (0, 0.1, 0.2, 0.4, 0.6))
"""Before each enforcement, since the one before it; there are no more than these. Whoever writes every two seconds is
answered at once each time; and against whoever answers at once they grow no longer than that the suspect has traffic
for less than a second each time."""
TAKE_OVER: Final = timedelta(seconds=1)
"""For so long an enforcement that another replica has begun is left to it."""
_ATTEMPTS = 5

Tell = Callable[[AlertOutcome, str], None]
"""Told of what was done about a record, and against which writer."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a look ended."""

    again_at: datetime | None = None
    """When to look again; None: when something changes."""
    why: Refusal | None = None
    """Why the suspect keeps its traffic for now; None: it has none, or nobody holds it back any more."""


_DONE: Final = Look()


@dataclass(frozen=True, slots=True)
class Enforcing:
    """What a look at the records of one routing object needs."""

    tools: Tools
    policies: PolicySet
    ceiling: Mode
    tell: Tell
    heads: tuple[Head, ...]
    """All that are held on this object, by the index."""
    pauses: tuple[timedelta, ...] = PAUSES

    def look_at(self, record: Remediation) -> Look:
        """Look at the target of `record`, which is held, and bring it back if need be.

        Raises:
            ClusterError: it is not known what became of it; look again later.
        """
        live = self.tools.cluster.find(record.intent.target.ref)
        if live is None:
            return _DONE
        held = self._held(record, live)
        if held is None or not held.exposes:
            return self._settled(held) if held else _DONE
        # The index may lag behind a patch of another replica, and what is not so must not be counted.
        for _ in range(_ATTEMPTS):
            try:
                return self._answer(record)
            except Conflict:
                continue
        raise Conflict(f"{record.intent.target.ref} or its record changed {_ATTEMPTS} times while it was brought back")

    def _held(self, record: Remediation, live: Snapshot) -> Held | None:
        return Held.on(live, record, self._beside(record), self.policies, self.ceiling)

    def _beside(self, record: Remediation) -> tuple[Remediation, ...]:
        ledger, own = self.tools.journal.ledger, (record.namespace, record.name)
        found = (ledger.get(*head.key) for head in self.heads if head.key != own)
        return tuple(each for each in found if each is not None)

    # -- what is done

    def _answer(self, known: Remediation) -> Look:
        """Go on from what the API server says. Raises Conflict: somebody was quicker, begin again."""
        held = self._at_the_source(known)
        if held is None:
            return _DONE
        if not held.exposes:
            return self._settled(held)
        if let_go(held.record, self._beside(known), self.tools.journal):
            return _DONE
        early = self._too_early(held)
        if early is not None:
            return Look(early)
        why = held.forbidden(self.tools.guarding)
        if why is not None:
            self._say_withheld(held, why)
            return Look(None, why)
        self._bring_back(held)
        return _DONE

    def _at_the_source(self, known: Remediation) -> Held | None:
        """Record and target as they are; None: the one is no longer held, or the other is gone."""
        journal = self.tools.journal
        record = journal.read_again(known)
        if record is None or not is_held(record, journal.now()):
            return None
        try:
            return self._held(record, self.tools.cluster.read(record.intent.target.ref))
        except NotFound:
            return None

    def _too_early(self, held: Held) -> datetime | None:
        """Until when to wait; None: it may be brought back now."""
        hold, now = held.record.status.hold or Hold(), self.tools.journal.now()
        last, count = hold.last, len(hold.enforcements)
        at = None
        if hold.pending and hold.pending.resource_version == held.version:
            at = hold.pending.at + TAKE_OVER
        elif last is not None and count < len(self.pauses):
            at = (last.done_at or last.at) + self.pauses[count]
        return at if at is not None and now < at else None

    def _bring_back(self, held: Held) -> None:
        """Count it and send the patch; after the last one, lose the hold. Raises Conflict, ClusterError."""
        hold = held.record.status.hold or Hold()
        if hold.pending and hold.pending.resource_version == held.version:
            counted = held.record  # by somebody who died before the patch was made
        elif len(hold.enforcements) >= len(self.pauses):
            self._lose(held, hold)
            return
        else:
            entry = Enforcement(self.tools.journal.now(), held.writer, held.version)
            counted = self._write(held.record, replace(hold, enforcements=(*hold.enforcements, entry)))
        work = held.work
        try:
            write_down(work, counted.name, self.tools)
            send(work, counted.name, self.tools)
        except (Conflict, Forbidden, Rejected, NotFound) as error:
            self._take_back(Held(counted, work), error)
            raise
        self._complete(counted, work.proposal.plan.changes)

    def _take_back(self, held: Held, error: ClusterError) -> None:
        """The answer says that nothing was changed, so nothing is counted."""
        hold = held.record.status.hold or Hold()
        self._write(held.record, replace(hold, enforcements=hold.enforcements[:-1]))
        if isinstance(error, (Forbidden, Rejected)):
            self._say_withheld(held, failure(error)[1])

    def _write(self, record: Remediation, hold: Hold) -> Remediation:
        """Write the hold, if nobody has changed the record since it was read. Raises Conflict."""
        return self.tools.journal.ledger.conclude(replace(record, status=replace(record.status, hold=hold)))

    # -- how it ends

    def _settled(self, held: Held) -> Look:
        """Nothing is exposed: what was begun is done, if the object says so, and else it was not ours."""
        record, hold = held.record, held.record.status.hold
        if hold is None or hold.pending is None:
            return _DONE
        theirs = hold.pending.at + TAKE_OVER
        if self.tools.journal.now() < theirs:
            return Look(theirs)  # whoever began it is about to say so
        if stamp_of(held.work.snapshot.body) == record.name:
            self._complete(record, record.intent.changes)
        else:
            self._write(record, replace(hold, enforcements=hold.enforcements[:-1]))
        return _DONE

    def _complete(self, record: Remediation, changes: tuple[str, ...]) -> None:
        """Tell of the last enforcement, and write that it is done."""
        hold, journal = record.status.hold or Hold(), self.tools.journal
        last, count = hold.enforcements[-1], len(hold.enforcements)
        message = (
            f"{_who(last.writer)} gave {record.intent.suspect} traffic again, and it was taken away once more, "
            f"{count} of {len(self.pauses)} times: {'; '.join(changes)}"
        )
        row = row_of(record, Outcome.APPLIED, Refusal(Reason.HELD, message), changes)
        # The last one is told to be the last while the suspect is still withdrawn: then somebody can stop the writer.
        lost = self._loss(record, hold, last.writer) if count >= len(self.pauses) else None
        events = [hold_event(record, row, (HOLD, str(count)), journal.now())]
        announce(journal.ledger, [*events, *([hold_event(record, lost, (HOLD,), journal.now())] if lost else ())])
        ours: list[bool] = []

        def done(status: Status) -> Status:
            changed = _done(status, last, journal.now(), lost=lost is not None)
            ours[:] = [changed != status]
            return changed

        journal.set_status(record, done)
        for said in (row, lost) if ours == [True] else ():
            if said is not None:
                self.tell(said, last.writer)

    def _lose(self, held: Held, hold: Hold) -> None:
        """Give up a hold whose suspect has its traffic again after the last enforcement, of which nobody could say that
        it was the last; and tell everybody."""
        journal, record, writer = self.tools.journal, held.record, held.writer
        row = self._loss(record, hold, writer)
        lost = self._write(record, replace(hold, lost_at=journal.now(), lost_to=writer))
        announce(journal.ledger, [hold_event(lost, row, (HOLD,), journal.now())])
        self.tell(row, writer)

    def _loss(self, record: Remediation, hold: Hold, writer: str) -> AlertOutcome:
        """That the hold is given up, in words."""
        span = self.tools.journal.now() - hold.enforcements[0].at
        within = format_duration(timedelta(seconds=max(1, round(span.total_seconds()))))
        message = (
            f"{record.intent.suspect} was given traffic again and again, by {_who(writer)} last, and it was taken away "
            f"{len(hold.enforcements)} times within {within}: it will not be taken away again to hold {record.name} "
            "up. Stop the writer, or it keeps what it is given next"
        )
        return row_of(record, Outcome.DENIED, Refusal(Reason.HOLD_LOST, message), ())

    def _say_withheld(self, held: Held, why: Refusal) -> None:
        """Tell on the target that the suspect keeps what somebody gave it; once for each reason and writer."""
        journal, record = self.tools.journal, held.record
        message = f"{_who(held.writer)} gave {record.intent.suspect} traffic again, and it keeps it: {why.message}"
        row = row_of(record, Outcome.DENIED, Refusal(why.reason, message), ())
        announce(journal.ledger, [hold_event(record, row, (HOLD, held.writer), journal.now())])


def _done(status: Status, begun: Enforcement, now: datetime, *, lost: bool) -> Status:
    """`status`, in which an enforcement that was begun is done, if nobody has said so yet; and the hold is lost with
    it, if it was the last one."""
    if status.hold is None:
        return status
    each = status.hold.enforcements
    ended = tuple(replace(one, done_at=one.done_at or now) if one.at == begun.at else one for one in each)
    hold = replace(status.hold, enforcements=ended)
    if lost and hold.lost_at is None:
        hold = replace(hold, lost_at=now, lost_to=begun.writer)
    return replace(status, hold=hold)


def _who(writer: str) -> str:
    return writer or "somebody unknown"
