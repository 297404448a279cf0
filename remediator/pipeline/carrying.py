"""A work whose intent is written: the patch is sent, told as an Event, and its end written on the record."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from remediator.errors import ClusterError, Conflict, NotFound
from remediator.guards import budget
from remediator.guards.budget import Spent
from remediator.guards.verdict import Verdict
from remediator.outcome import Outcome, Reason
from remediator.pipeline.drafting import key_of, stamped, target_of
from remediator.pipeline.endings import ENDINGS, Ending, Rows, aborting, attempt_of, carried_out, ended, named, outcomes
from remediator.pipeline.offering import offering
from remediator.pipeline.phases import PHASES
from remediator.pipeline.preparation import Work
from remediator.pipeline.settling import settle
from remediator.pipeline.telling import announce, event_of
from remediator.pipeline.tools import Tools
from remediator.policies.model import Mode
from remediator.policies.quantities import format_duration
from remediator.records.journal import Journal
from remediator.records.model import Conclusion, Phase, Remediation
from remediator.traffic.stamp import stamp_of
from remediator.traffic.suspect import Refusal

Verdicts = tuple[Verdict, ...]


class Moved(Conflict):
    """The object is no longer the one that the patch was made for."""


@dataclass(frozen=True, slots=True)
class Carrying:
    """One work, and the record of its intent."""

    work: Work
    tools: Tools
    record: Remediation
    mode: Mode
    """How far it goes."""
    verdicts: Mapping[int, Verdicts]
    """What the guards said of each case, by its number."""

    def out(self) -> Rows:
        """Carry it out as far as the mode goes. Raises Moved, and ClusterError where it is not known to be done."""
        work, record, ending = self.work, self.record, ENDINGS[self.mode]
        if self.mode is Mode.ENFORCE:
            denied = self._overspent()
            if denied is not None:
                return denied
            write_down(work, record.name, self.tools)
        if work.canary is not None:
            with suppress(ClusterError):  # it is about what others may do to other versions, some minutes from now
                self.tools.journal.heard(record)
        elif self.mode is not Mode.APPROVE:
            self._send()
        ending = offering(aborting(ending, work), work)
        rows = named(carried_out(work, self._inviting(ending)), work, record.name)
        # The Event before the status: a crash between them leaves a record that the next delivery takes up.
        tell(work, self.tools.journal, rows)
        error = self._written(rows, self.verdicts)
        if error is not None:
            why = Refusal(Reason.UNAVAILABLE, f"{ending.said}, but the record {record} could not be completed: {error}")
            return named(ended(work, Outcome.FAILED, why), work, record.name)
        return rows

    def _inviting(self, ending: Ending) -> Ending:
        """The ending, which says how a plan that waits for a person gets its answer."""
        if self.mode is not Mode.APPROVE:
            return ending
        span = format_duration(self.tools.guarding.bounds.approve_within)
        return replace(
            ending, said=f"mode Approve, nothing was changed; `remediator approve {self.record}` within {span} does it"
        )

    def failed(self, rows: Rows) -> Rows:
        """The rows of a work that was not carried out, with its record, which says so too where that is final."""
        record = self.record
        rows = named(rows, self.work, record.name)
        tell(self.work, self.tools.journal, rows)
        said = outcomes(rows, record.name)
        is_open = record.approved or record.status.phase in (Phase.PLANNED, Phase.FAILED)
        error = self._written(rows, self.verdicts) if is_open else None
        if said is None or error is None:
            return rows
        why = Refusal(Reason.UNAVAILABLE, f"{said.message}; and the record {record} cannot be completed: {error}")
        return named(ended(self.work, Outcome.FAILED, why), self.work, record.name)

    def _overspent(self) -> Rows | None:
        """Why the patch must not be sent after all: others began theirs before, and the fleet's budget is spent.

        Asked of the records once more now that this one is among them: of all that are begun at once, each finds the
        others before or behind it, and so does every replica.
        """
        work, record, most = self.work, self.record, self.tools.guarding.bounds.budget
        if most is None or record.intent.request is not None:
            return None
        journal = self.tools.journal
        since = journal.now() - most.window
        ahead, made = journal.ledger.ahead(record, since), journal.ledger.tally(since).made
        verdict = budget.evaluate(Spent(min(made, ahead), max(ahead - made, 0)), most)
        if verdict.allows:
            return None
        why = Refusal(Reason.BUDGET_SPENT, f"{verdict.guard}: {verdict.message}")
        rows = named(ended(work, Outcome.DENIED, why), work, record.name)
        tell(work, journal, rows)
        self.tools.overspent()
        corrected = {
            number: tuple(verdict if each.guard == budget.GUARD else each for each in verdicts)
            for number, verdicts in self.verdicts.items()
        }
        error = self._written(rows, corrected)
        if error is not None:
            raise error
        return rows

    def _written(self, rows: Rows, verdicts: Mapping[int, Verdicts]) -> ClusterError | None:
        """Write on the record how it ended, where that is final; the error if that cannot be done."""
        said = outcomes(rows, self.record.name)
        if said is None or said.outcome not in PHASES:
            return None
        first = next((case for case in self.work.cases if key_of(self.work, case).turn(self.record.name)), None)
        judged = verdicts.get(first.number, ()) if first else ()
        try:
            end = Conclusion(PHASES[said.outcome], said.reason, said.message, judged)
            self.tools.journal.end(self.record, end, sent=said.outcome is Outcome.APPLIED)
        except ClusterError as error:
            return error
        return None

    def _send(self) -> None:
        work = self.work
        send(work, self.record.name, self.tools, dry_run=self.mode is Mode.OBSERVE)
        if self.mode is Mode.ENFORCE:
            self.tools.patched(work)


def write_down(work: Work, name: str, tools: Tools) -> None:
    """End the record that the object names as Applied, if nobody has: another name is about to take the place of the
    only evidence that its patch was made.

    Args:
        name: of the record whose patch is about to be sent.
    """
    stamp, namespace = stamp_of(work.snapshot.body), work.ref.namespace
    if stamp is None or stamp == name:
        return
    ledger = tools.journal.ledger
    with suppress(NotFound):  # deleted since; there is nothing to write it on
        record = ledger.get(namespace, stamp) or ledger.read(namespace, stamp)
        if record.unproven:
            settle(tools.journal, record, work.snapshot)


def send(work: Work, name: str, tools: Tools, *, dry_run: bool = False) -> None:
    """Send the patch, which writes a record's name on the object, or abort the Rollout that drives it. Raises Moved and
    ClusterError."""
    try:
        if work.rollout is not None:
            tools.cluster.abort(work.rollout, dry_run=dry_run)
        else:
            tools.cluster.patch(work.ref, stamped(work, name), dry_run=dry_run)
    except ClusterError as error:
        tools.attempted(attempt_of(error))
        if isinstance(error, Conflict):
            raise Moved(str(error)) from error
        raise
    tools.attempted(attempt_of(None))


def tell(work: Work, journal: Journal, rows: Rows) -> None:
    """Tell on the target how its cases ended."""
    now, target = journal.now(), target_of(work)
    cases = {case.number: case for case in work.cases}
    events = [event_of(cases[number], row, target, now) for number, row in rows if number in cases]
    announce(journal.ledger, {event.name: event for event in events if event is not None}.values())
