"""A work as people's decisions and the guards leave it: asked as the service asks them. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from remediator.cli.knowledge import Knowledge
from remediator.errors import ClusterError
from remediator.guards.situation import Bounds
from remediator.guards.verdict import Verdict
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.drafting import granted
from remediator.pipeline.guarding import Exempt, Guarding
from remediator.pipeline.overruling import exempt, overruled, overruling, rejected, rejection
from remediator.pipeline.preparation import Case, Work
from remediator.pipeline.rows import reason_of
from remediator.pipeline.said import Denied, Screened, Verdicts
from remediator.pipeline.tools import Limits
from remediator.policies.model import Mode
from remediator.records.journal import Journal
from remediator.records.model import Remediation

Rows = tuple[tuple[int, AlertOutcome], ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A work, and what was said of its cases."""

    work: Work
    """What is left of it."""
    rows: Rows = ()
    """How the cases end that are not part of it any more."""
    verdicts: Mapping[int, Verdicts] = field(default_factory=lambda: MappingProxyType({}))
    """Of each case that the guards were asked about, by its number."""


@dataclass(frozen=True, slots=True)
class Screening:
    """Asks about the works of one notification, one after the other."""

    knowledge: Knowledge
    bounds: Bounds
    at: datetime
    """The moment that is asked about."""
    limits: Limits

    def judged(self, work: Work) -> Judged:
        """Leave out the cases that a person or a guard speaks against. Raises nothing but what is a bug."""
        try:
            left, rows, spared = self._overruled(work)
            screened = self._guarding.screen(left, self.limits.planned, spared)
        except ClusterError as error:
            return _failed(work, error)
        left = screened.work
        if left.mode is Mode.APPROVE and all(case.number in spared.approved for case in granted(left)):
            left = replace(left, mode=Mode.ENFORCE)  # a person has said yes to it
        if left.proposal.patch:
            self.knowledge.records.count(left.mode)
        return Judged(left, (*rows, *map(_denied, screened.denied)), self._said(screened))

    @property
    def _guarding(self) -> Guarding:
        return Guarding(self.knowledge, self.knowledge.records, lambda: self.at, self.bounds)

    def _overruled(self, work: Work) -> tuple[Work, Rows, Exempt]:
        """Without the cases that a person has said no to, and which of the others a person has been asked about."""
        if self.knowledge.ledger is None:
            return work, (), Exempt()
        journal = Journal(self.knowledge.ledger, lambda: self.at)
        rows: Rows = ()
        for record, cases in overruled(work, journal):
            rows += _ended(work, cases, Reason.UNDONE, overruling(record), record)
        for record, cases in rejected(work, journal):
            rows += _ended(work, cases, Reason.APPROVAL_REJECTED, rejection(record), record)
        left = work.without({number for number, _ in rows}) if rows else work
        return left, rows, exempt(left, journal, self.bounds.approve_within)

    def _said(self, screened: Screened) -> Mapping[int, Verdicts]:
        said = {each.case.number: each.verdicts for each in screened.denied} | dict(screened.verdicts)
        return {number: tuple(map(self._honest, verdicts)) for number, verdicts in said.items()}

    def _honest(self, verdict: Verdict) -> Verdict:
        """A yes of which nothing was known says so; a guard that is switched off would not have asked."""
        gap = next((each for each in self.knowledge.gaps if verdict.guard in each.guards), None)
        if gap is None or verdict.off or not verdict.allows:
            return verdict
        return replace(verdict, message=f"not asked: {gap.what} cannot be read")


def _ended(work: Work, cases: Iterable[Case], reason: Reason, message: str, record: Remediation) -> Rows:
    rows = ((case.number, case.row(work.ref, Outcome.DENIED, reason, message)) for case in cases)
    return tuple((number, replace(row, remediation=record.name)) for number, row in rows)


def _denied(denied: Denied) -> tuple[int, AlertOutcome]:
    return denied.case.number, denied.case.row(denied.work.ref, Outcome.DENIED, *denied.why.words)


def _failed(work: Work, error: ClusterError) -> Judged:
    """Of cases that would be carried out it cannot be told; the planner's refusals stand."""
    cases = granted(work)
    rows = tuple(
        (case.number, case.row(work.ref, Outcome.FAILED, reason_of(error), f"the guards could not be asked: {error}"))
        for case in cases
    )
    return Judged(work.without({case.number for case in cases}), rows)
