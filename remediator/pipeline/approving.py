"""A person's answer to a plan that waits: written on the record, and carried out on the object as it is by then.

The answer stands in the record (`spec.approval`), whoever writes it: the API, the command line, or `kubectl patch`. So
any replica carries it out, also one that starts afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from remediator.alerts import Alert, Status
from remediator.cluster.port import Snapshot
from remediator.errors import Conflict
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.phases import PHASES
from remediator.pipeline.preparation import Case, Work, by_host, plan_work, switch_of
from remediator.pipeline.rows import row_of
from remediator.pipeline.telling import announce
from remediator.policies.model import Guards, Mode, Policy, PolicySet, TargetSpec
from remediator.policies.quantities import format_duration
from remediator.records.events import Event
from remediator.records.journal import Journal
from remediator.records.model import (
    Accusation,
    Approval,
    Companion,
    Conclusion,
    Phase,
    Remediation,
)
from remediator.traffic.suspect import Demand, Refusal, Suspect

_ATTEMPTS = 5

APPROVE, REJECT, EXPIRE = "Approve", "Reject", "Expire"
"""The actions of Events that tell of it."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a person's answer."""

    record: Remediation
    """As it is now."""
    outcome: Outcome
    reason: Reason
    message: str
    changes: tuple[str, ...] = ()

    @property
    def row(self) -> AlertOutcome:
        """In the words of an outcome, for log and metric."""
        return row_of(self.record, self.outcome, Refusal(self.reason, self.message), self.changes)


def write_answer(journal: Journal, record: Remediation, approval: Approval) -> Remediation | Answered:
    """Write `approval` on a record that waits for one; or what is said to it, if it does not.

    The first answer stands: a second one is refused, unless it is the same.

    Raises:
        ClusterError: it could not be written.
    """
    for _ in range(_ATTEMPTS):
        if record.approval is not None:
            return record if record.approval.approved is approval.approved and record.waits else _not_awaiting(record)
        if not record.waits:
            return _not_awaiting(record)
        try:
            return journal.approve(record, approval)
        except Conflict:
            record = journal.ledger.read(record.namespace, record.name)
    raise Conflict(f"the record {record} changed {_ATTEMPTS} times while the answer was written")


def _not_awaiting(record: Remediation) -> Answered:
    approval = record.approval
    said = "" if approval is None else f"{'approved' if approval.approved else 'rejected'}{approval.signature}"
    message = f"{record.name} waits for no answer: it is {record.status.phase}" + (f", {said}" if said else "")
    if said and record.waits:
        message = f"{record.name} was {said} already; the first answer counts"
    return Answered(record, Outcome.UNCHANGED, Reason.NOT_AWAITING, message)


# -- what is carried out


def work_of(record: Remediation, live: Snapshot, policies: PolicySet, ceiling: Mode) -> Work:
    """The work that a record's intent is, planned on the object as it is now."""
    cases = cases_of(record, policies)
    accused = by_host(case.demand.suspect for case in cases if case.demand.suspect.version is not None)
    mode = switch_of(live).cap(Mode.APPROVE.capped(ceiling))
    return plan_work(live, mode, cases, accused)


def cases_of(record: Remediation, policies: PolicySet) -> tuple[Case, ...]:
    """What a record demands: of its own alert, and of those beside it."""
    return tuple(_cases(record, policies))


def _cases(record: Remediation, policies: PolicySet) -> Iterator[Case]:
    intent = record.intent
    known = {policy.name: policy for policy in policies.policies}
    own = known.get(intent.policy.name) or _stand_in(record)
    # What was approved is what the record says, whatever the policy says by now; its guards are today's.
    target = replace(own.target, stable=intent.stable, mirrors=intent.mirrors)
    own = replace(own, actions=intent.actions, target=target)
    yield _case(0, _alert(intent.alert), own, intent.suspect)
    for number, also in enumerate(intent.also, start=1):
        yield _case(number, _alert(also), known.get(also.policy) or replace(own, name=also.policy), also.suspect)


def _case(number: int, alert: Alert, policy: Policy, suspect: Suspect) -> Case:
    demand = Demand(suspect, frozenset(policy.actions), policy.target.mirrors, policy.target.stable)
    return Case(number, alert, policy, demand)


def _stand_in(record: Remediation) -> Policy:
    """For a policy that is no longer there."""
    intent = record.intent
    return Policy(
        name=intent.policy.name,
        description="",
        matchers=(),
        target=TargetSpec(stable=intent.stable),
        actions=intent.actions,
        mode=Mode.APPROVE,
        guards=Guards(),
        content_hash=intent.policy.content_hash,
    )


def _alert(accusation: Accusation | Companion) -> Alert:
    """The alert as the record has it."""
    whole = accusation if isinstance(accusation, Accusation) else None
    return Alert(
        status=Status.FIRING,
        labels=whole.labels if whole else {"alertname": accusation.alertname},
        annotations=whole.annotations if whole else {},
        starts_at=accusation.starts_at,
        ends_at=None,
        generator_url=whole.generator_url if whole else "",
        fingerprint=accusation.fingerprint,
    )


# -- how it ends without being carried out


def expires_at(record: Remediation, patience: timedelta) -> datetime | None:
    """When a record that waits has waited for too long; None: nobody knows since when it waits."""
    since = record.status.asked_at or record.created_at
    return None if since is None else since + patience


def reject(journal: Journal, record: Remediation) -> Remediation:
    """End a record that a person said no to, and tell it on the target."""
    message = f"rejected{record.approval.signature if record.approval else ''}"
    return _ended(journal, record, Conclusion(Phase.REJECTED, Reason.APPROVAL_REJECTED, message), REJECT)


def expire(journal: Journal, record: Remediation, patience: timedelta) -> Remediation:
    """End a record that nobody answered in time, or whose approval could not be carried out in time; and tell it."""
    span = format_duration(patience)
    message = f"nobody approved or rejected it within {span}"
    if record.approved:
        message = f"it was approved, and could not be carried out within {span} of being asked for"
    return _ended(journal, record, Conclusion(Phase.EXPIRED, Reason.APPROVAL_EXPIRED, message), EXPIRE)


def resolve(journal: Journal, record: Remediation) -> Remediation:
    """End a record that waits for a person, if all of its alerts are over: nobody has to decide any more."""
    over = {each.fingerprint for each in record.status.resolved}
    if not record.waits or {fingerprint for fingerprint, _ in record.intent.firings} - over:
        return record
    message = "its alert is over, so there is nothing left to decide"
    return _ended(journal, record, Conclusion(Phase.EXPIRED, Reason.RESOLVED, message), EXPIRE)


def conclude(journal: Journal, record: Remediation, row: AlertOutcome) -> Remediation:
    """End a record that was approved and could not be carried out any more."""
    if row.outcome not in PHASES:
        return record
    return journal.end_waiting(record, Conclusion(PHASES[row.outcome], row.reason, row.message))


def _ended(journal: Journal, record: Remediation, end: Conclusion, action: str) -> Remediation:
    """Only if it still waits, and as it was answered: somebody else may be about to carry it out."""
    ended = journal.end_waiting(record, end)
    if ended.status.phase is not end.phase:
        return ended
    event = Event(
        target=record.intent.target,
        subject=(record.name, action),
        outcome=Outcome.DENIED,
        reason=end.reason.value,
        action=action,
        note=f"{record.name}: {end.message}. Nothing was changed: {'; '.join(record.intent.changes)}",
        at=journal.now(),
        record=record.name,
        changes=record.intent.changes,
    )
    announce(journal.ledger, [event])
    return ended
