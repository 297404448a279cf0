"""One target: write the intent, send the patch, write how it ended; where the object moved, begin again.

look at the object ──▶ plan ──▶ intent ──▶ patch ──▶ Event ──▶ status
   ▲                    │         │          │
   │                    │         │          └── 409: the object moved ─────┐
   │                    │         └── there is a record of this already ────┤
   │                    └── nothing to do: what was begun is settled        │
   └────────────────────────────────────────────────────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from remediator.errors import ClusterError, Conflict, NotFound
from remediator.outcome import Outcome, Reason
from remediator.pipeline.drafting import draft, granted, key_of, stamped, target_of
from remediator.pipeline.endings import (
    ENDINGS,
    Rows,
    attempt_of,
    carried_out,
    ended,
    failed,
    joined,
    named,
    outcomes,
)
from remediator.pipeline.idling import conclude_idle
from remediator.pipeline.overruling import answered, overruled, overruling, settle_others
from remediator.pipeline.preparation import Case, Work
from remediator.pipeline.settling import settle
from remediator.pipeline.telling import announce, event_of
from remediator.pipeline.tools import Tools
from remediator.policies.model import Mode
from remediator.records.model import PHASES, Phase, Remediation
from remediator.traffic.stamp import stamp_of
from remediator.traffic.suspect import Refusal

ATTEMPTS = 5
"""How often a patch is tried on an object that others keep changing."""

_ROUNDS = 20
"""How often it is begun again for any reason: a bound, where object and records both keep changing."""

_MORE_THAN_COUNTED = (
    "the object has changed since it was indexed, and with it the policy's spec.guards.maxTargets would be exceeded; "
    "the next delivery counts again"
)
_MOVED = f"the object changed {ATTEMPTS} times between reading and patching; the next delivery tries again"


def execute(work: Work, tools: Tools) -> Rows:
    """Carry out one work, and say how each of its cases ended. Raises nothing but what is a bug."""
    return _Execution(work, tools).run()


class _Again(Exception):
    """Look at the object, plan, and go on."""


class _Execution:
    """One work on its way; used by one thread."""

    def __init__(self, work: Work, tools: Tools) -> None:
        self._work = work
        self._tools = tools
        self._journal = tools.journal
        self._conflicts = 0
        self._certain = True
        """Whether the plan was made on what could be read."""
        self._left: Rows = ()
        """How the cases ended that were left out on the way."""
        self._record: Remediation | None = None
        """The intent that this work goes on from: written by us, or found, and then the object is looked at anew."""

    def run(self) -> Rows:
        """See `execute`."""
        # The index may lag behind: a no, and that nothing is to be done, are said of the object itself.
        look = not all(verdict is True for verdict in self._work.proposal.verdicts)
        for _ in range(_ROUNDS):
            try:
                rows = (self._look() if look else None) or self._advance()
            except _Again:
                look = True
                continue
            except ClusterError as error:
                rows = self._failed(error)
            return (*self._left, *rows)
        return (*self._left, *self._failed(Conflict(_MOVED)))

    def _look(self) -> Rows | None:
        """Plan on the object as it is. Rows: that is the end of it."""
        before, self._certain = self._work, False
        self._work = before.on(self._tools.cluster.read(before.ref))
        self._certain = True
        if not self._tools.limits.take(joined(before, self._work)):
            return ended(self._work, Outcome.FAILED, Refusal(Reason.CONFLICT, _MORE_THAN_COUNTED))
        return None

    def _advance(self) -> Rows:
        """From the plan to the end. Raises _Again where the object has to be looked at first."""
        self._obey_undo()
        if self._work.proposal.patch is None:
            return self._idle()
        record = self._intend()
        return self._carry_out(record) if isinstance(record, Remediation) else record

    def _obey_undo(self) -> None:
        """Leave out the alerts that a person has overruled by an undo."""
        for record, cases in overruled(self._work, self._journal):
            self._leave(cases, Outcome.DENIED, Refusal(Reason.UNDONE, overruling(record)), record)

    def _leave(self, cases: Sequence[Case], outcome: Outcome, why: Refusal, record: Remediation) -> None:
        """Go on without these cases: `record` tells how they end."""
        if outcome is Outcome.DENIED:
            settle_others(self._work, self._journal, cases, record)
        changes = record.intent.changes if outcome is not Outcome.DENIED else ()
        rows = tuple(
            (
                case.number,
                replace(case.row(self._work.ref, outcome, *why.words), remediation=record.name, changes=changes),
            )
            for case in cases
        )
        self._tell(rows)
        self._left = (*self._left, *rows)
        self._work = self._work.without({number for number, _ in rows})
        self._record = None

    # -- intent

    def _intend(self) -> Remediation | Rows:
        """Write the intent, or take up the one that is there. Rows: the record says that it is over."""
        record, first = self._record, self._first()
        if record is not None and not key_of(self._work, first).turn(record.name):
            # The alert that it was begun for takes no part any more, and others do.
            settle(self._journal, record, self._work.snapshot)
            record = None
        if record is None:
            return self._begin(first)
        covered = answered(self._work, record)
        if record.taken_back:
            self._leave(covered, Outcome.DENIED, Refusal(Reason.UNDONE, overruling(record)), record)
            return self._advance()
        if record.unproven and record.name == stamp_of(self._work.snapshot.body):
            # Its patch was made, and somebody has brought the suspect back since: that is for another record.
            settle(self._journal, record, self._work.snapshot)
            self._record = self._journal.read_again(record)
            raise _Again
        if record.status.phase in (Phase.PLANNED, Phase.FAILED):
            return self._take_up(record, first)
        ending = ENDINGS[self._work.mode]
        if record.status.phase is PHASES[ending.outcome] and self._work.mode is not Mode.ENFORCE:
            self._leave(covered, ending.outcome, Refusal(ending.reason, record.status.message), record)
            return self._advance()
        # It was applied, and somebody brought the suspect back since; or the policy goes further now.
        return self._begin(first, after=record)

    def _first(self) -> Case:
        """The case that the record is named for: that of the record at hand, or of one that was begun earlier."""
        work, cases, record = self._work, granted(self._work), self._record

        def is_known(case: Case) -> bool:
            key = key_of(work, case)
            return bool(key.turn(record.name) if record is not None else self._journal.latest_turn(key))

        return next(filter(is_known, cases), cases[0])

    def _begin(self, first: Case, after: Remediation | None = None) -> Remediation:
        work, now = self._work, self._journal.now()
        begun = self._journal.begin(key_of(work, first), lambda name: draft(work, first, name, now), after)
        self._record = begun.record
        if not begun.is_new:
            raise _Again
        return begun.record

    def _take_up(self, record: Remediation, first: Case) -> Remediation:
        """Go on from an intent that is not known to be carried out."""
        wanted = draft(self._work, first, record.name, self._journal.now())
        if replace(wanted.intent, hold_until=record.intent.hold_until) != record.intent:
            try:
                record = self._journal.revise(record, wanted)
            except (Conflict, NotFound):
                self._record = self._journal.read_again(record)
                raise _Again from None
            self._record = record
        return record

    # -- patch

    def _carry_out(self, record: Remediation) -> Rows:
        """Send the patch, tell it, and write how it ended."""
        work, ending = self._work, ENDINGS[self._work.mode]
        if work.mode is Mode.ENFORCE:
            self._write_down(record.name)
        if work.mode is not Mode.APPROVE:
            self._send(record.name)
        rows = named(carried_out(work), work, record.name)
        # The Event before the status: a crash between them leaves a record that the next delivery takes up.
        self._tell(rows)
        said = outcomes(rows, record.name)
        try:
            message = said.message if said else ""
            sent = work.mode is Mode.ENFORCE
            self._journal.end(record, PHASES[ending.outcome], ending.reason, message, sent=sent)
        except ClusterError as error:
            why = Refusal(Reason.UNAVAILABLE, f"{ending.said}, but the record {record} could not be completed: {error}")
            return named(ended(work, Outcome.FAILED, why), work, record.name)
        return rows

    def _write_down(self, name: str) -> None:
        """End the record that the object names as Applied, if nobody has: our own name is about to take the place of
        the only evidence that its patch was made."""
        stamp, namespace = stamp_of(self._work.snapshot.body), self._work.ref.namespace
        if stamp is None or stamp == name:
            return
        ledger = self._journal.ledger
        with suppress(NotFound):  # deleted since; there is nothing to write it on
            record = ledger.get(namespace, stamp) or ledger.read(namespace, stamp)
            if record.unproven:
                settle(self._journal, record, self._work.snapshot)

    def _send(self, name: str) -> None:
        work = self._work
        try:
            self._tools.cluster.patch(work.ref, stamped(work, name), dry_run=work.mode is Mode.OBSERVE)
        except ClusterError as error:
            self._tools.attempted(attempt_of(error))
            if not isinstance(error, Conflict):
                raise
            self._conflicts += 1
            if self._conflicts == ATTEMPTS:
                raise Conflict(_MOVED) from error
            raise _Again from None
        self._tools.attempted(attempt_of(None))
        if work.mode is Mode.ENFORCE:
            self._tools.patched(granted(work))

    # -- the end

    def _idle(self) -> Rows:
        """Nothing to patch: what was begun is settled by what the object tells."""
        rows = conclude_idle(self._work, self._journal, self._record)
        self._tell(rows)
        return rows

    def _failed(self, error: ClusterError) -> Rows:
        """How it ends where the cluster did not do what was asked; the record says so too, where that is final."""
        work, record = self._work, self._record
        rows = failed(work, error, known=self._certain and work.proposal.patch is not None)
        if record is None:
            self._tell(rows)
            return rows
        rows = named(rows, work, record.name)
        self._tell(rows)
        said = outcomes(rows, record.name)
        if said is not None and said.outcome in PHASES and record.status.phase in (Phase.PLANNED, Phase.FAILED):
            try:
                self._journal.end(record, PHASES[said.outcome], said.reason, said.message)
            except ClusterError as again:
                why = Refusal(
                    Reason.UNAVAILABLE, f"{said.message}; and the record {record} cannot be completed: {again}"
                )
                return named(ended(work, Outcome.FAILED, why), work, record.name)
        return rows

    def _tell(self, rows: Rows) -> None:
        now, target = self._journal.now(), target_of(self._work)
        cases = {case.number: case for case in self._work.cases}
        events = [event_of(cases[number], row, target, now) for number, row in rows]
        announce(self._journal.ledger, {event.name: event for event in events if event is not None}.values())
