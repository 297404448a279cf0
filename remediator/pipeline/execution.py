"""One target: send the patch; where the object moved, read, plan and try again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from remediator.cluster.port import Cluster
from remediator.errors import ClusterError, Conflict, Forbidden, NotFound, Rejected
from remediator.metrics import Attempt
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.preparation import Case, Work, reason_of
from remediator.policies.model import Mode
from remediator.traffic.suspect import Refusal

ATTEMPTS = 5
"""How often a patch is tried on an object that others keep changing."""

Rows = tuple[tuple[int, AlertOutcome], ...]


def execute(work: Work, cluster: Cluster, attempted: Callable[[Attempt], None]) -> Rows:
    """Carry out one work, and say how each of its cases ended. Raises nothing but what is a bug.

    Args:
        attempted: told how each patch that was sent ended.
    """
    for attempt in range(ATTEMPTS):
        try:
            if attempt:
                work = work.on(cluster.read(work.ref))
            if work.proposal.patch is None or work.mode is Mode.APPROVE:
                return _verdicts(work)
            cluster.patch(work.ref, work.proposal.patch, dry_run=work.mode is Mode.OBSERVE)
        except ClusterError as error:
            attempted(_attempt(error))
            if not isinstance(error, Conflict):
                return _failed(work, error)
        else:
            attempted(Attempt.PATCHED)
            return _verdicts(work)
    message = f"the object changed {ATTEMPTS} times between reading and patching; the next delivery tries again"
    return _all_granted(work, Outcome.FAILED, Refusal(Reason.CONFLICT, message))


def _attempt(error: ClusterError) -> Attempt:
    for kind in (Conflict, NotFound, Forbidden, Rejected):
        if isinstance(error, kind):
            return Attempt(kind.__name__)
    return Attempt.UNAVAILABLE


def _verdicts(work: Work) -> Rows:
    """The rows of a work that was carried out, or had nothing to send."""
    outcome, reason, said = _WORDS[work.mode]
    changes = work.proposal.plan.changes
    rows = []
    for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True):
        if isinstance(verdict, Refusal):
            rows.append(_row(work, case, Outcome.DENIED, verdict))
        elif verdict:
            why = Refusal(reason, f"{said}: {'; '.join(changes)}")
            rows.append(replace(_row(work, case, outcome, why), changes=changes))
        else:
            why = Refusal(Reason.NOT_EXPOSED, f"sends no traffic to {case.demand.suspect}")
            rows.append(_row(work, case, Outcome.UNCHANGED, why))
    return tuple((case.number, row) for case, row in zip(work.cases, rows, strict=True))


_WORDS = {
    Mode.ENFORCE: (Outcome.APPLIED, Reason.PATCHED, "changed"),
    Mode.OBSERVE: (Outcome.OBSERVED, Reason.DRY_RUN, "mode Observe, nothing was changed; the server would accept"),
    Mode.APPROVE: (Outcome.AWAITING_APPROVAL, Reason.APPROVAL_REQUIRED, "mode Approve, nothing was changed; to do"),
}


def _failed(work: Work, error: ClusterError) -> Rows:
    """The rows of a work that the cluster did not carry out; refusals of the planner stay what they are."""
    if isinstance(error, NotFound):
        return _all_granted(work, Outcome.UNCHANGED, Refusal(Reason.NOT_EXPOSED, "is gone, and its routes with it"))
    if isinstance(error, Forbidden):
        return _all_granted(work, Outcome.DENIED, Refusal(Reason.FORBIDDEN, str(error)))
    if isinstance(error, Rejected):
        refused = Refusal(Reason.REJECTED, f"the server refused the change: {error}")
        return _all_granted(work, Outcome.DENIED, refused)
    return _all_granted(work, Outcome.FAILED, Refusal(reason_of(error), str(error)))


def _all_granted(work: Work, outcome: Outcome, why: Refusal) -> Rows:
    told = dict(_verdicts(work))
    for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True):
        if verdict is True:
            told[case.number] = _row(work, case, outcome, why)
    return tuple(told.items())


def _row(work: Work, case: Case, outcome: Outcome, why: Refusal) -> AlertOutcome:
    return case.row(work.ref, outcome, why.reason, why.message)
