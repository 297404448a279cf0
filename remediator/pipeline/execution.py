"""One target: send the patch; where the object moved, read, plan and try again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from remediator.cluster.port import Cluster
from remediator.errors import ClusterError, Conflict, Forbidden, NotFound, Rejected
from remediator.metrics import Attempt
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.preparation import Case, Work
from remediator.pipeline.rows import reason_of
from remediator.policies.model import Mode
from remediator.traffic.suspect import Refusal

ATTEMPTS = 5
"""How often a patch is tried on an object that others keep changing."""

Rows = tuple[tuple[int, AlertOutcome], ...]


class Limits:
    """How many objects each case may still change beyond those that were counted; asked from many threads."""

    def __init__(self, works: Iterable[Work]) -> None:
        self._lock = threading.Lock()
        self._left: dict[int, int] = {}
        for work in works:
            for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True):
                left = self._left.setdefault(case.number, case.policy.guards.max_targets)
                self._left[case.number] = left - (verdict is True)

    def take(self, cases: Iterable[Case]) -> bool:
        """Count one object more for each of `cases`; False if that is too many for one of them."""
        with self._lock:
            for case in cases:
                self._left[case.number] -= 1
            return all(self._left[case.number] >= 0 for case in cases)


def execute(work: Work, cluster: Cluster, attempted: Callable[[Attempt], None], limits: Limits) -> Rows:
    """Carry out one work, and say how each of its cases ended. Raises nothing but what is a bug.

    Args:
        attempted: told how each patch that was sent ended.
        limits: of the notification that the work is part of.
    """
    for attempt in range(ATTEMPTS):
        # The index may lag behind: a no, and that nothing is to be done, are said of the object itself.
        if attempt or not all(verdict is True for verdict in work.proposal.verdicts):
            try:
                live = work.on(cluster.read(work.ref))
            except ClusterError as error:
                return _failed(work, error, known=False)
            if not limits.take(_joined(work, live)):
                return _ended(live, Outcome.FAILED, Refusal(Reason.CONFLICT, _MORE_THAN_COUNTED))
            work = live
        if work.proposal.patch is None or work.mode is Mode.APPROVE:
            return carried_out(work)
        try:
            _send(work, cluster, attempted)
        except Conflict:
            continue
        except ClusterError as error:
            return _failed(work, error)
        return carried_out(work)
    message = f"the object changed {ATTEMPTS} times between reading and patching; the next delivery tries again"
    return _ended(work, Outcome.FAILED, Refusal(Reason.CONFLICT, message))


_MORE_THAN_COUNTED = (
    "the object has changed since it was indexed, and with it the policy's spec.guards.maxTargets would be exceeded; "
    "the next delivery counts again"
)


def _joined(before: Work, after: Work) -> list[Case]:
    """The cases that the index said would change nothing here, and that would change something after all."""
    pairs = zip(before.cases, before.proposal.verdicts, after.proposal.verdicts, strict=True)
    return [case for case, was, now in pairs if now is True and was is not True]


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


def _failed(work: Work, error: ClusterError, *, known: bool = True) -> Rows:
    """How each case of a work ends that the cluster did not carry out.

    Args:
        known: False if the object itself could not be read, so that nothing that was planned is certain.
    """
    if isinstance(error, NotFound):
        why = Refusal(Reason.NOT_EXPOSED, "is gone, and its routes with it")
        return _ended(work, Outcome.UNCHANGED, why, known=known)
    if isinstance(error, Forbidden):
        return _ended(work, Outcome.DENIED, Refusal(Reason.FORBIDDEN, str(error)), known=known)
    if isinstance(error, Rejected):
        why = Refusal(Reason.REJECTED, f"the server refused the change: {error}")
        return _ended(work, Outcome.DENIED, why, known=known)
    return _ended(work, Outcome.FAILED, Refusal(reason_of(error), str(error)), known=known)


def _ended(work: Work, outcome: Outcome, why: Refusal, changes: tuple[str, ...] = (), *, known: bool = True) -> Rows:
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
