"""One target: send the patch; where the object moved, read, plan and try again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from remediator.cluster.port import Cluster
from remediator.errors import ClusterError, Conflict, Forbidden, NotFound, Rejected
from remediator.metrics import Attempt
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.preparation import Work
from remediator.pipeline.rows import reason_of
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
            # The index may lag behind: that nothing is to be done is said of the object itself, and not of that.
            if attempt or False in work.proposal.verdicts:
                work = work.on(cluster.read(work.ref))
            if work.proposal.patch is None or work.mode is Mode.APPROVE:
                return carried_out(work)
            _send(work, cluster, attempted)
        except Conflict:
            continue
        except ClusterError as error:
            return _failed(work, error)
        return carried_out(work)
    message = f"the object changed {ATTEMPTS} times between reading and patching; the next delivery tries again"
    return _ended(work, Outcome.FAILED, Refusal(Reason.CONFLICT, message))


def _send(work: Work, cluster: Cluster, attempted: Callable[[Attempt], None]) -> None:
    patch = work.proposal.patch
    if patch is None:
        return
    try:
        cluster.patch(work.ref, patch, dry_run=work.mode is Mode.OBSERVE)
    except ClusterError as error:
        attempted(_attempt(error))
        raise
    attempted(Attempt.PATCHED)


def _attempt(error: ClusterError) -> Attempt:
    for kind in (Conflict, NotFound, Forbidden, Rejected):
        if isinstance(error, kind):
            return Attempt(kind.__name__)
    return Attempt.UNAVAILABLE


def carried_out(work: Work) -> Rows:
    """How each case of a work ends that was carried out, or had nothing to send."""
    outcome, reason, said = _WORDS[work.mode]
    changes = work.proposal.plan.changes
    return _ended(work, outcome, Refusal(reason, f"{said}: {'; '.join(changes)}"), changes)


_WORDS = {
    Mode.ENFORCE: (Outcome.APPLIED, Reason.PATCHED, "changed"),
    Mode.OBSERVE: (Outcome.OBSERVED, Reason.DRY_RUN, "mode Observe, nothing was changed; the server would accept"),
    Mode.APPROVE: (Outcome.AWAITING_APPROVAL, Reason.APPROVAL_REQUIRED, "mode Approve, nothing was changed; to do"),
}


def _failed(work: Work, error: ClusterError) -> Rows:
    """How each case of a work ends that the cluster did not carry out."""
    if isinstance(error, NotFound):
        return _ended(work, Outcome.UNCHANGED, Refusal(Reason.NOT_EXPOSED, "is gone, and its routes with it"))
    if isinstance(error, Forbidden):
        return _ended(work, Outcome.DENIED, Refusal(Reason.FORBIDDEN, str(error)))
    if isinstance(error, Rejected):
        return _ended(work, Outcome.DENIED, Refusal(Reason.REJECTED, f"the server refused the change: {error}"))
    return _ended(work, Outcome.FAILED, Refusal(reason_of(error), str(error)))


def _ended(work: Work, outcome: Outcome, why: Refusal, changes: tuple[str, ...] = ()) -> Rows:
    """The rows of a work: `outcome` for the cases that take part; what the planner said for the others."""
    return tuple(
        (
            case.number,
            replace(case.row(work.ref, outcome, *why.words), changes=changes)
            if verdict is True
            else work.refused(case, verdict),
        )
        for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True)
    )
