"""From alerts to proposals: which policy, which routing objects, what would be changed. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from remediator.alerts import Alert, Status
from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import ClusterError, NotSynced, Retriable
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.policies import match
from remediator.policies.model import Mode, Policy, PolicySet
from remediator.traffic.hosts import Host
from remediator.traffic.proposal import Proposal, propose
from remediator.traffic.suspect import Demand, Refusal, Suspect, demand


@dataclass(frozen=True, slots=True)
class Case:
    """One firing alert, the policy that takes it, and what that demands."""

    number: int
    """Position of the alert in the notification."""
    alert: Alert
    policy: Policy
    demand: Demand

    def row(self, target: TargetRef | None, outcome: Outcome, reason: Reason, message: str) -> AlertOutcome:
        """A row of the answer for this case."""
        return row(self.alert, self.policy, outcome, Refusal(reason, message), target)


Accused = Mapping[Host, frozenset[Suspect]]
"""Every suspect that any alert of the notification names, by its host; none of them receives traffic."""


@dataclass(frozen=True, slots=True)
class Work:
    """All that is demanded of one routing object in one mode: at most one patch."""

    snapshot: Snapshot
    mode: Mode
    cases: tuple[Case, ...]
    accused: Accused
    proposal: Proposal

    def on(self, snapshot: Snapshot) -> Work:
        """The same work, planned on a newer state of the object."""
        return _work(snapshot, self.mode, self.cases, self.accused)

    @property
    def ref(self) -> TargetRef:
        """The routing object."""
        return self.snapshot.routing.ref


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one set of alerts comes to."""

    rows: tuple[tuple[int, AlertOutcome], ...]
    """Alerts that are settled without any routing object, with their positions."""
    works: tuple[Work, ...]


def prepare(alerts: Sequence[Alert], policies: PolicySet, cluster: Cluster, ceiling: Mode = Mode.ENFORCE) -> Prepared:
    """Find policy, demand and targets for every alert, and propose a patch for every target.

    Never raises for one alert what concerns another: an index that cannot be believed gives the rows it
    concerns the outcome Failed.
    """
    rows: list[tuple[int, AlertOutcome]] = []
    cases: list[Case] = []
    for number, alert in enumerate(alerts):
        found = _triage(number, alert, policies)
        if isinstance(found, Case):
            cases.append(found)
        else:
            rows.append((number, found))
    seen, failed = _look_up(cases, cluster)
    rows += failed
    lost = {number for number, _ in failed}
    cases = [case for case in cases if case.number not in lost]
    works = _propose_all(cases, seen, ceiling)
    over = _over_limit(works)
    if over:
        rows += [(case.number, _too_many(case, over[case.number])) for case in cases if case.number in over]
        cases = [case for case in cases if case.number not in over]
        works = _propose_all(cases, seen, ceiling)
    rows += [(case.number, _no_route(case)) for case in cases if not seen[case.demand.suspect.host]]
    rows += _elsewhere(cases, seen)
    return Prepared(tuple(rows), tuple(works))


def row(
    alert: Alert, policy: Policy | None, outcome: Outcome, why: Refusal, target: TargetRef | None = None
) -> AlertOutcome:
    """A row of the answer."""
    return AlertOutcome(
        fingerprint=alert.fingerprint,
        alertname=alert.name,
        policy=policy.name if policy else None,
        target=target,
        outcome=outcome,
        reason=why.reason,
        message=why.message,
    )


def _triage(number: int, alert: Alert, policies: PolicySet) -> Case | AlertOutcome:
    if alert.status is Status.RESOLVED:
        why = Refusal(Reason.RESOLVED, "resolved; what was taken away stays away until a person gives it back")
        return row(alert, match.find(policies, alert.labels), Outcome.IGNORED, why)
    policy = match.find(policies, alert.labels)
    if policy is None:
        why = Refusal(Reason.NO_POLICY, "no policy's matchers all hold for this alert's labels")
        return row(alert, None, Outcome.IGNORED, why)
    wanted = demand(alert.labels, policy)
    if isinstance(wanted, Refusal):
        return row(alert, policy, Outcome.DENIED, wanted)
    return Case(number, alert, policy, wanted)


Seen = dict[Host, tuple[Snapshot, ...]]


def _look_up(cases: Iterable[Case], cluster: Cluster) -> tuple[Seen, list[tuple[int, AlertOutcome]]]:
    """What the index holds for every accused host, each asked once."""
    seen: Seen = {}
    failed: list[tuple[int, AlertOutcome]] = []
    for case in cases:
        host = case.demand.suspect.host
        try:
            if host not in seen:
                seen[host] = cluster.routing_to(host)
        except Retriable as error:
            failed.append((case.number, case.row(None, Outcome.FAILED, reason_of(error), str(error))))
    return seen, failed


def reason_of(error: ClusterError) -> Reason:
    """The word for a failure that a retry can mend."""
    return Reason.NOT_SYNCED if isinstance(error, NotSynced) else Reason.UNAVAILABLE


def _propose_all(cases: Sequence[Case], seen: Seen, ceiling: Mode) -> list[Work]:
    accused = _accused(cases)
    grouped: dict[tuple[TargetRef, Mode], tuple[Snapshot, list[Case]]] = {}
    for case in cases:
        for snapshot in seen[case.demand.suspect.host]:
            if case.policy.target.allows(snapshot.routing.ref.namespace):
                key = (snapshot.routing.ref, case.policy.mode.capped(ceiling))
                grouped.setdefault(key, (snapshot, []))[1].append(case)
    return [_work(snapshot, mode, tuple(group), accused) for (_, mode), (snapshot, group) in grouped.items()]


def _accused(cases: Iterable[Case]) -> Accused:
    found: dict[Host, set[Suspect]] = {}
    for case in cases:
        suspect = case.demand.suspect
        if suspect.version is not None:
            found.setdefault(suspect.host, set()).add(suspect)
    return {host: frozenset(suspects) for host, suspects in found.items()}


def _work(snapshot: Snapshot, mode: Mode, cases: tuple[Case, ...], accused: Accused) -> Work:
    demands = [case.demand for case in cases]
    # Traffic only moves to hosts that the object names already. In a storm of a thousand alerts, asking about every
    # suspect at every object took longer than all the patches.
    hosts = {share.destination.host for route in snapshot.routing.routes for share in route.shares}
    near = frozenset(suspect for host in hosts for suspect in accused.get(host, ()))
    proposal = propose(snapshot.body, snapshot.routing, snapshot.rules, demands, near)
    return Work(snapshot, mode, cases, accused, proposal)


def _over_limit(works: Iterable[Work]) -> dict[int, int]:
    """The cases that would change more routing objects than their policy allows: number → how many."""
    changing = [
        case
        for work in works
        for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True)
        if verdict is True
    ]
    counts = Counter(case.number for case in changing)
    return {
        case.number: counts[case.number] for case in changing if counts[case.number] > case.policy.guards.max_targets
    }


def _too_many(case: Case, count: int) -> AlertOutcome:
    return case.row(
        None,
        Outcome.DENIED,
        Reason.TOO_MANY_TARGETS,
        f"{count} routing objects send traffic to {case.demand.suspect}; policy {case.policy.name} allows "
        f"{case.policy.guards.max_targets} (spec.guards.maxTargets). Nothing was changed",
    )


def _no_route(case: Case) -> AlertOutcome:
    message = f"no routing object sends or mirrors traffic to {case.demand.suspect}"
    return case.row(None, Outcome.UNCHANGED, Reason.NOT_EXPOSED, message)


def _elsewhere(cases: Iterable[Case], seen: Seen) -> list[tuple[int, AlertOutcome]]:
    """Exposures in namespaces that the policy leaves out: left alone, but said."""
    rows = []
    for case in cases:
        for snapshot in seen[case.demand.suspect.host]:
            ref = snapshot.routing.ref
            if case.policy.target.allows(ref.namespace):
                continue
            verdict = _work(snapshot, Mode.OBSERVE, (case,), {}).proposal.verdicts[0]
            if verdict is True:
                message = (
                    f"sends traffic to {case.demand.suspect}, but policy {case.policy.name} allows only namespaces "
                    f"{', '.join(case.policy.target.namespaces)} (spec.target.namespaces)"
                )
                why = Refusal(Reason.NAMESPACE_NOT_ALLOWED, message)
            elif isinstance(verdict, Refusal):
                why = verdict
            else:
                why = case.demand.unmet
            outcome = Outcome.UNCHANGED if why.reason is Reason.NOT_EXPOSED else Outcome.DENIED
            rows.append((case.number, row(case.alert, case.policy, outcome, why, ref)))
    return rows


def settle(rows: Iterable[tuple[int, AlertOutcome]]) -> tuple[AlertOutcome, ...]:
    """The rows in the order of the alerts; objects without anything to do are named only where all are so."""
    by_alert: dict[int, list[AlertOutcome]] = {}
    for number, outcome in rows:
        by_alert.setdefault(number, []).append(outcome)
    settled: list[AlertOutcome] = []
    for number in sorted(by_alert):
        told = [outcome for outcome in by_alert[number] if outcome.outcome is not Outcome.UNCHANGED]
        settled += sorted(told, key=lambda outcome: str(outcome.target)) or [_merged(by_alert[number])]
    return tuple(settled)


def _merged(rows: list[AlertOutcome]) -> AlertOutcome:
    """One row for an alert that nothing exposes."""
    if len(rows) == 1:
        return rows[0]
    message = "; ".join(f"{outcome.target} {outcome.message}" for outcome in rows[:5])
    return replace(rows[0], target=None, message=message)
