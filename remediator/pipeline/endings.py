"""How the cases of a work end, as rows of the answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from remediator.errors import ClusterError, Conflict, Forbidden, NotFound, Rejected
from remediator.metrics import Attempt
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.preparation import Case, Work
from remediator.pipeline.rows import reason_of
from remediator.policies.model import Mode
from remediator.records.model import Remediation
from remediator.traffic.suspect import Refusal

Rows = tuple[tuple[int, AlertOutcome], ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a mode ends that was carried out."""

    outcome: Outcome
    reason: Reason
    said: str


ENDINGS = {
    Mode.ENFORCE: Ending(Outcome.APPLIED, Reason.PATCHED, "changed"),
    Mode.OBSERVE: Ending(
        Outcome.OBSERVED, Reason.DRY_RUN, "mode Observe, nothing was changed; the server would accept"
    ),
    Mode.APPROVE: Ending(
        Outcome.AWAITING_APPROVAL, Reason.APPROVAL_REQUIRED, "mode Approve, nothing was changed; to do"
    ),
}


def aborting(ending: Ending, work: Work) -> Ending:
    """The ending, of a work that is carried out by the abort of a Rollout."""
    rollout = work.rollout
    if rollout is None:
        return ending
    reason = Reason.ABORTED if ending.reason is Reason.PATCHED else ending.reason
    said = "changed" if reason is Reason.ABORTED else ending.said
    return replace(ending, reason=reason, said=f"{said}: {rollout} aborted, which takes away what it has sent there")


def carried_out(work: Work, ending: Ending) -> Rows:
    """How each case of a work ends that was carried out."""
    changes = work.proposal.plan.changes
    return ended(work, ending.outcome, Refusal(ending.reason, f"{ending.said}: {'; '.join(changes)}"), changes)


def idle(work: Work) -> Rows:
    """How each case ends where there is nothing to patch: by what the planner said."""
    return tuple(
        (case.number, work.refused(case, verdict))
        for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True)
    )


def failed(work: Work, error: ClusterError, *, known: bool = True) -> Rows:
    """How each case of a work ends that the cluster did not carry out.

    Args:
        known: False if the object itself could not be read, so that nothing that was planned is certain.
    """
    return ended(work, *failure(error), known=known)


def failure(error: ClusterError) -> tuple[Outcome, Refusal]:
    """What an error of the cluster is to whoever asked."""
    match error:
        case NotFound():
            return Outcome.UNCHANGED, Refusal(Reason.NOT_EXPOSED, "is gone, and its routes with it")
        case Forbidden():
            return Outcome.DENIED, Refusal(Reason.FORBIDDEN, str(error))
        case Rejected():
            return Outcome.DENIED, Refusal(Reason.REJECTED, f"the server refused the change: {error}")
        case Conflict():
            return Outcome.FAILED, Refusal(Reason.CONFLICT, str(error))
        case _:
            return Outcome.FAILED, Refusal(reason_of(error), str(error))


def ended(work: Work, outcome: Outcome, why: Refusal, changes: tuple[str, ...] = (), *, known: bool = True) -> Rows:
    """The rows of a work: `outcome` for the cases that take part; what the planner said for the others, if known."""
    return tuple(
        (
            case.number,
            replace(case.row(work.ref, outcome, *why.words), changes=changes)
            if verdict is True or not known
            else work.refused(case, verdict),
        )
        for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True)
    )


def spoken_for(work: Work, cases: Iterable[Case], record: Remediation, outcome: Outcome, why: Refusal) -> Rows:
    """The rows of cases that `record` speaks for already."""
    changes = record.intent.changes if outcome is not Outcome.DENIED else ()
    told = ((case.number, case.row(work.ref, outcome, *why.words)) for case in cases)
    return tuple((number, replace(row, remediation=record.name, changes=changes)) for number, row in told)


def named(rows: Rows, work: Work, record: str) -> Rows:
    """The rows, with the record's name at those that take part."""
    taking_part = {
        case.number for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True) if verdict is True
    }
    return tuple((number, replace(row, remediation=record) if number in taking_part else row) for number, row in rows)


def joined(before: Work, after: Work) -> list[Case]:
    """The cases that the index said would change nothing here, and that would change something after all."""
    pairs = zip(before.cases, before.proposal.verdicts, after.proposal.verdicts, strict=True)
    return [case for case, was, now in pairs if now is True and was is not True]


def outcomes(rows: Iterable[tuple[int, AlertOutcome]], record: str) -> AlertOutcome | None:
    """The row that speaks of the record, if any."""
    return next((row for _, row in rows if row.remediation == record), None)


def attempt_of(error: ClusterError | None) -> Attempt:
    """How the sending of a patch ended, as it is counted."""
    if error is None:
        return Attempt.PATCHED
    for kind in (Conflict, NotFound, Forbidden, Rejected):
        if isinstance(error, kind):
            return Attempt(kind.__name__)
    return Attempt.UNAVAILABLE
