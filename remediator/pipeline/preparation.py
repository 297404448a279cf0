"""From alerts to proposals: which policy, which routing objects, what would be changed. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from remediator.alerts import Alert, Status
from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import Retriable
from remediator.guards import lever, max_targets, namespaces
from remediator.guards.switch import ANNOTATION, Switch, annotated, named_stable
from remediator.guards.verdict import Verdict
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.owners import Canary, Lever, Rollout
from remediator.owners.abort import to_abort
from remediator.owners.rollback import to_roll_back
from remediator.pipeline.rows import reason_of, row
from remediator.policies import match
from remediator.policies.model import Mode, Policy, PolicySet
from remediator.records.model import Request
from remediator.traffic.exposure import Facts
from remediator.traffic.hosts import Host, service_namespace
from remediator.traffic.proposal import Proposal, propose
from remediator.traffic.suspect import Demand, Refusal, Suspect, accused, demand

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Case:
    """One firing alert, the policy that takes it, and what that demands."""

    number: int
    """Position of the alert in the notification."""
    alert: Alert
    policy: Policy
    demand: Demand
    request: Request | None = None
    """Who asked for it by hand; None: an alert did."""

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
        """The same work, planned on a newer state of the object, whose annotations may be more careful by now."""
        by_hand = any(case.request for case in self.cases)
        mode = self.mode if by_hand else switch_of(snapshot).cap(self.mode)
        return plan_work(snapshot, mode, self.cases, self.accused)

    def without(self, numbers: Collection[int]) -> Work:
        """The same work, without the cases of these alerts."""
        cases = tuple(case for case in self.cases if case.number not in numbers)
        return plan_work(self.snapshot, self.mode, cases, self.accused)

    @property
    def ref(self) -> TargetRef:
        """The routing object."""
        return self.snapshot.routing.ref

    @property
    def rollout(self) -> Rollout | None:
        """The Rollout that takes the traffic away once its update is aborted; None: a patch does."""
        if not self.snapshot.driving.rollouts:
            return None
        found = to_abort(self.snapshot.driving, self.proposal.plan, self.facts)
        return found if isinstance(found, Rollout) else None

    @property
    def leverage(self) -> Verdict:
        """Whether there is a lever that takes away what the plan does: of all guards the one that binds people too, for
        without one nothing would come of it."""
        return lever.evaluate(self.snapshot.driving, self.proposal.plan, self.facts)

    @property
    def canary(self) -> Canary | None:
        """The Canary that Flagger is told to roll back; None: a patch does it, or the abort of a Rollout."""
        found = to_roll_back(self.snapshot.driving, self.proposal.plan)
        return found if isinstance(found, Canary) else None

    @property
    def lever(self) -> Lever:
        """What takes the traffic away."""
        return Lever.FLAGGER if self.canary else Lever.ARGO_ROLLOUTS if self.rollout else Lever.PATCH

    @property
    def facts(self) -> Facts:
        """What is known around the routing object."""
        return Facts(self.ref.namespace, self.snapshot.rules)

    @property
    def paired(self) -> tuple[tuple[Case, Refusal | bool], ...]:
        """Each case with the planner's verdict on it."""
        return tuple(zip(self.cases, self.proposal.verdicts, strict=True))

    def refused(self, case: Case, verdict: Refusal | bool) -> AlertOutcome:
        """The row of a case that takes no part: refused, or (False) with nothing to do."""
        if isinstance(verdict, Refusal):
            return case.row(self.ref, Outcome.DENIED, *verdict.words)
        why = self.facts.unmet(case.demand)
        return case.row(self.ref, Outcome.UNCHANGED, *why.words)


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
    suspects: list[Suspect] = []
    for number, alert in enumerate(alerts):
        found, suspect = _triage(number, alert, policies)
        suspects += [suspect] if suspect else []
        if isinstance(found, Case):
            cases.append(found)
        else:
            rows.append((number, found))
    field = _Field(by_host(suspects), ceiling)
    rows += field.look_up(cases, cluster)
    cases = _without(cases, rows)
    works = field.propose(cases)
    while over := _over_limit(works):
        # Without them the others are planned anew; what is then too much for one of those goes as well.
        rows += [(case.number, _too_many(case, over[case.number])) for case in cases if case.number in over]
        cases = _without(cases, rows)
        works = field.propose(cases)
    rows += [(case.number, _no_route(case)) for case in cases if not field.seen[case.demand.suspect.host]]
    rows += _elsewhere(cases, field)
    return Prepared(tuple(rows), tuple(works))


def _without(cases: Iterable[Case], rows: Iterable[tuple[int, AlertOutcome]]) -> list[Case]:
    settled = {number for number, _ in rows}
    return [case for case in cases if case.number not in settled]


def _triage(number: int, alert: Alert, policies: PolicySet) -> tuple[Case | AlertOutcome, Suspect | None]:
    """The case that an alert makes, or how it ends without one; and whom it accuses, which counts either way."""
    if alert.heartbeat:
        why = Refusal(Reason.HEARTBEAT, "the watchdog: noted, and nothing else is asked for")
        return row(alert, None, Outcome.IGNORED, why), None
    policy = match.find(policies, alert.labels)
    if alert.status is Status.RESOLVED:
        why = Refusal(Reason.RESOLVED, "resolved; whatever was taken away stays away until a person gives it back")
        return row(alert, policy, Outcome.IGNORED, why), None
    if policy is None:
        why = Refusal(Reason.NO_POLICY, "no policy's matchers all hold for this alert's labels")
        return row(alert, None, Outcome.IGNORED, why), None
    suspect = accused(alert.labels, policy)
    wanted = demand(alert.labels, policy)
    if isinstance(wanted, Refusal):
        return row(alert, policy, Outcome.DENIED, wanted), suspect
    return Case(number, alert, policy, wanted), suspect


def by_host(suspects: Iterable[Suspect]) -> Accused:
    """The accused versions of each host."""
    found: dict[Host, set[Suspect]] = {}
    for suspect in suspects:
        found.setdefault(suspect.host, set()).add(suspect)
    return {host: frozenset(group) for host, group in found.items()}


@dataclass(frozen=True, slots=True)
class _Field:
    """What is planned on: who is accused, and what the index holds."""

    accused: Accused
    ceiling: Mode
    seen: dict[Host, tuple[Snapshot, ...]] = field(default_factory=dict)

    def look_up(self, cases: Iterable[Case], cluster: Cluster) -> list[tuple[int, AlertOutcome]]:
        """Ask the index for every accused host, once; the rows of cases for which it cannot be believed."""
        failed: list[tuple[int, AlertOutcome]] = []
        for case in cases:
            host = case.demand.suspect.host
            try:
                if host not in self.seen:
                    self.seen[host] = cluster.routing_to(host)
            except Retriable as error:
                failed.append((case.number, case.row(None, Outcome.FAILED, reason_of(error), str(error))))
        return failed

    def propose(self, cases: Sequence[Case]) -> list[Work]:
        """One work for each routing object and mode."""
        grouped: dict[tuple[TargetRef, Mode], tuple[Snapshot, list[Case]]] = {}
        for case in cases:
            for snapshot in self.seen[case.demand.suspect.host]:
                if case.policy.target.allows(snapshot.routing.ref.namespace):
                    mode = switch_of(snapshot).cap(case.policy.mode.capped(self.ceiling))
                    key = (snapshot.routing.ref, mode)
                    grouped.setdefault(key, (snapshot, []))[1].append(case)
        return [
            plan_work(snapshot, mode, tuple(group), self.accused) for (_, mode), (snapshot, group) in grouped.items()
        ]


def switch_of(snapshot: Snapshot) -> Switch:
    """What the object's annotation and its namespace's say about how far anything may go."""
    return Switch(annotated(snapshot.body, ANNOTATION), snapshot.namespace_mode)


def near(snapshot: Snapshot, accused: Accused) -> frozenset[Suspect]:
    """The accused versions to which traffic of this object could move.

    It only moves to hosts that the object names already. In a storm of a thousand alerts, asking about every suspect
    at every object took longer than all the patches.
    """
    hosts = {share.destination.host for route in snapshot.routing.routes for share in route.shares}
    return frozenset(suspect for host in hosts for suspect in accused.get(host, ()))


def plan_work(snapshot: Snapshot, mode: Mode, cases: tuple[Case, ...], accused: Accused) -> Work:
    """Propose one patch for all that `cases` demand of one routing object."""
    named = named_stable(snapshot.body)
    # Where the policy names no stable version, the object may.
    demands = [replace(case.demand, stable=case.demand.stable or named) for case in cases]
    proposal = propose(snapshot.body, snapshot.routing, snapshot.rules, demands, near(snapshot, accused))
    return Work(snapshot, mode, cases, accused, proposal)


def _over_limit(works: Iterable[Work]) -> dict[int, list[TargetRef]]:
    """The cases that would change more routing objects than their policy allows: number → which."""
    changed: dict[int, list[TargetRef]] = {}
    limits: dict[int, int] = {}
    for work in works:
        for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True):
            if verdict is True:
                changed.setdefault(case.number, []).append(work.ref)
                limits[case.number] = case.policy.guards.max_targets
    return {
        number: refs for number, refs in changed.items() if not max_targets.evaluate(len(refs), limits[number]).allows
    }


def _too_many(case: Case, refs: list[TargetRef]) -> AlertOutcome:
    listed = ", ".join(sorted(map(str, refs))[:_MOST_NAMED]) + (", …" if len(refs) > _MOST_NAMED else "")
    verdict = max_targets.evaluate(len(refs), case.policy.guards.max_targets)
    return case.row(
        None,
        Outcome.DENIED,
        Reason.TOO_MANY_TARGETS,
        f"{verdict.message}. Nothing was changed: {listed} send traffic to {case.demand.suspect}",
    )


def _no_route(case: Case) -> AlertOutcome:
    host = case.demand.suspect.host
    message = f"no routing object sends or mirrors traffic to host {host}"
    if service_namespace(host) is None:
        message += "; a dotted name is taken as it is, and a service's whole name is NAME.NAMESPACE.svc.cluster.local"
    return case.row(None, Outcome.UNCHANGED, Reason.NOT_EXPOSED, message)


def _elsewhere(cases: Iterable[Case], field: _Field) -> list[tuple[int, AlertOutcome]]:
    """Exposures in namespaces that the policy leaves out: left alone, but said."""
    rows = []
    for case in cases:
        for snapshot in field.seen[case.demand.suspect.host]:
            ref = snapshot.routing.ref
            if case.policy.target.allows(ref.namespace):
                continue
            work = plan_work(snapshot, Mode.OBSERVE, (case,), field.accused)
            verdict = work.proposal.verdicts[0]
            if verdict is True:
                said = namespaces.evaluate(ref.namespace, case.policy.target)
                message = f"sends traffic to {case.demand.suspect}, but {said.message}"
                verdict = Refusal(Reason.NAMESPACE_NOT_ALLOWED, message)
            rows.append((case.number, work.refused(case, verdict)))
    return rows
