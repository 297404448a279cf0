"""One target: write the intent, send the patch, write how it ended; where the object moved, begin again.

look at the object ──▶ plan ──▶ intent ──▶ patch ──▶ Event ──▶ status
   ▲                    │         │          │
   │                    │         │          └── 409: the object moved ─────┐
   │                    │         └── there is a record of this already ────┤
   │                    └── nothing to do: what was begun is settled        │
   └────────────────────────────────────────────────────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from remediator.errors import ClusterError, Conflict, NotFound
from remediator.guards.verdict import Verdict
from remediator.outcome import Outcome, Reason
from remediator.pipeline.carrying import Carrying, Moved, tell
from remediator.pipeline.drafting import draft, granted, key_of
from remediator.pipeline.endings import ENDINGS, Rows, ended, failed, joined, spoken_for
from remediator.pipeline.idling import conclude_idle, taking_away
from remediator.pipeline.offering import is_at_its_driver, lasting, offered_by, rolled_back, standing
from remediator.pipeline.overruling import (
    agreed,
    answered,
    exempt,
    overruled,
    overruling,
    rejected,
    rejection,
    settle_others,
)
from remediator.pipeline.phases import PHASES
from remediator.pipeline.preparation import Case, Work
from remediator.pipeline.refusing import is_unsettled, recorded
from remediator.pipeline.settling import settle
from remediator.pipeline.tools import Tools
from remediator.policies.model import Mode
from remediator.records.model import Phase, Remediation
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
    rows: Rows = ()
    left: Work | None = work
    while left is not None:
        execution = _Execution(left, tools)
        # Of those that were set aside the object may be another one by now.
        rows = (*rows, *execution.run(look=left is not work))
        left = execution.set_aside
    return rows


class _Again(Exception):
    """Look at the object, plan, and go on."""


class _Execution:
    """One work on its way; used by one thread."""

    def __init__(self, work: Work, tools: Tools) -> None:
        self._whole = self._work = work
        self._aside: frozenset[int] = frozenset()
        """The cases, by number, that are not part of what a person has approved, and so go their own way."""
        self._tools = tools
        self._journal = tools.journal
        self._conflicts = 0
        self._certain = True
        """Whether the plan was made on what could be read."""
        self._left: Rows = ()
        """How the cases ended that were left out on the way."""
        self._looked = False
        """Whether the object was read from its source for the plan at hand."""
        self._verdicts: Mapping[int, tuple[Verdict, ...]] = {}
        """What the guards said of the cases of the plan at hand."""
        self._record: Remediation | None = None
        """The intent that this work goes on from: written by us, or found, and then the object is looked at anew."""

    @property
    def set_aside(self) -> Work | None:
        """What is left to be carried out by itself; None: nothing."""
        rest = {case.number for case in self._whole.cases} - self._aside
        return self._whole.without(rest) if self._aside else None

    def run(self, *, look: bool = False) -> Rows:
        """See `execute`.

        Args:
            look: read the object before anything else.
        """
        # The index may lag behind: a no, and that nothing is to be done, are said of the object itself.
        look = look or not all(verdict is True for verdict in self._work.proposal.verdicts)
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
        self._certain = self._looked = True
        if not self._tools.limits.take(joined(before, self._work)):
            return ended(self._work, Outcome.FAILED, Refusal(Reason.CONFLICT, _MORE_THAN_COUNTED))
        return None

    def _advance(self) -> Rows:
        """From the plan to the end. Raises _Again where the object has to be looked at first."""
        self._obey_people()
        aborted = taking_away(self._work) or rolled_back(self._work, self._tools)
        if not self._looked and (aborted or is_at_its_driver(self._work)):
            raise _Again
        if aborted is not None:
            return self._idle(aborted)
        self._obey_guards()
        if self._work.proposal.patch is None:
            return self._idle()
        record = self._intend()
        return self._carry_out(record) if isinstance(record, Remediation) else record

    def _obey_people(self) -> None:
        """Leave out the alerts that a person has overruled by an undo, or by a no to what was to be approved; and those
        that ask for what Flagger is told already."""
        for record, cases in overruled(self._work, self._journal):
            self._leave(cases, Outcome.DENIED, Refusal(Reason.UNDONE, overruling(record)), record)
        for record, cases in rejected(self._work, self._journal):
            self._leave(cases, Outcome.DENIED, Refusal(Reason.APPROVAL_REJECTED, rejection(record)), record)
        for record, others in standing(self._work, self._tools):
            self._leave(others, Outcome.PLANNED, offered_by(record), record)

    def _obey_guards(self) -> None:
        """Leave out the alerts that a guard speaks against, and record that it did."""
        who = exempt(self._work, self._journal, self._tools.guarding.bounds.approve_within)
        screened = self._tools.guarding.screen(self._work, self._tools.limits.planned, who)
        if not self._looked and any(is_unsettled(each, self._journal) for each in screened.denied):
            raise _Again
        ours = self._record.name if self._record else ""
        rows = tuple((each.case.number, recorded(each, self._journal, ours)) for each in screened.denied)
        tell(self._work, self._journal, rows)
        if any(row.reason is Reason.BUDGET_SPENT for _, row in rows):
            self._tools.overspent()
        self._left = (*self._left, *rows)
        self._work, self._verdicts = screened.work, screened.verdicts
        if rows:
            self._record = None
        if self._work.mode is Mode.APPROVE and self._separated(who.approved):
            self._obey_guards()

    def _separated(self, approved: Collection[int]) -> bool:
        """Set aside what is not among these cases, which a person has approved: a yes to one plan is none to what
        others ask for. False: there is nothing to separate."""
        taking_part = {case.number for case in granted(self._work)}
        others = taking_part - set(approved)
        if not others or others == taking_part:
            return False
        self._aside |= others
        self._work = self._work.without(others)
        return True

    def _leave(self, cases: Sequence[Case], outcome: Outcome, why: Refusal, record: Remediation) -> None:
        """Go on without these cases: `record` tells how they end."""
        with suppress(ClusterError):  # it is about what others may do to other versions, some minutes from now
            self._journal.heard(record)
        if outcome is Outcome.DENIED:
            settle_others(self._work, self._journal, cases, record)
        rows = spoken_for(self._work, cases, record, outcome, why)
        tell(self._work, self._journal, rows)
        self._left = (*self._left, *rows)
        self._work = self._work.without({number for number, _ in rows})
        self._record = None

    # -- intent

    def _intend(self) -> Remediation | Rows:
        """Write the intent, or take up the one that is there. Rows: the record says that it is over."""
        record, first, mode = self._record, self._first(), self._mode
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
        if self._is_approved(record) and self._separated({case.number for case in covered}):
            return self._advance()
        is_awaited = record.waits and self._is_approved(record)
        is_open = record.status.phase in (Phase.PLANNED, Phase.FAILED)
        if is_awaited or (is_open and (record.approval is None or self._is_approved(record))):
            return self._take_up(record, first)
        ending = ENDINGS[mode]
        if record.status.phase is PHASES[ending.outcome] and mode is not Mode.ENFORCE:
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
        wanted = lasting(draft(self._work, first, record.name, self._journal.now()), record)
        try:
            if replace(wanted.intent, hold_until=record.intent.hold_until) != record.intent:
                record = self._journal.revise(record, wanted)
            if self._mode is Mode.ENFORCE and record.status.phase is not Phase.PLANNED:
                # Before its patch is sent, the record has to say that it may have been: also to the fleet's budget.
                record = self._journal.reopen(record)
        except (Conflict, NotFound):
            self._record = self._journal.read_again(record)
            raise _Again from None
        self._record = record
        if self._mode is Mode.ENFORCE and record.status.phase is not Phase.PLANNED:
            raise _Again
        return record

    @property
    def _mode(self) -> Mode:
        """How far this work goes: a plan that waits for a person goes on once they have said yes."""
        approved = self._record is not None and self._is_approved(self._record)
        return Mode.ENFORCE if approved and self._work.mode is Mode.APPROVE else self._work.mode

    def _is_approved(self, record: Remediation) -> bool:
        return agreed(record, self._journal.now(), self._tools.guarding.bounds.approve_within)

    def _carry_out(self, record: Remediation) -> Rows:
        """Send the patch. Raises _Again where the object has moved."""
        try:
            return self._carrying(record).out()
        except Moved as error:
            self._conflicts += 1
            if self._conflicts == ATTEMPTS:
                raise Conflict(_MOVED) from error
            raise _Again from None

    def _carrying(self, record: Remediation) -> Carrying:
        return Carrying(self._work, self._tools, record, self._mode, self._verdicts)

    # -- the end

    def _idle(self, why: Refusal | None = None) -> Rows:
        """Nothing to do: what was begun is settled by what the object tells."""
        rows = conclude_idle(self._work, self._journal, self._record, why)
        tell(self._work, self._journal, rows)
        return rows

    def _failed(self, error: ClusterError) -> Rows:
        """How it ends where the cluster did not do what was asked; the record says so too, where that is final."""
        work, record = self._work, self._record
        rows = failed(work, error, known=self._certain and work.proposal.patch is not None)
        if record is not None:
            return self._carrying(record).failed(rows)
        tell(work, self._journal, rows)
        return rows
