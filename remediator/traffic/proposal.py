"""Plan, patch and proof for one routing object: what is sent has been proved to do what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from remediator.outcome import Reason
from remediator.traffic import virtualservice
from remediator.traffic.exposure import Facts
from remediator.traffic.patch import Patch
from remediator.traffic.plan import Plan, make, withdraw
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Refusal, Suspect
from remediator.traffic.view import Advice, RoutingObject


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan for one routing object, rendered and proved."""

    plan: Plan
    patch: Patch | None
    """None: there is nothing to change."""
    after: dict[str, Any]
    """The object as it shall be; as it is, where there is nothing to change."""
    verdicts: tuple[Refusal | bool, ...]
    """For each demand: why not; or whether it takes part in the change."""


def propose(
    body: dict[str, Any],
    routing: RoutingObject,
    rules: Rules,
    demands: Sequence[Demand],
    accused: frozenset[Suspect] = frozenset(),
) -> Proposal:
    """Plan `demands` on a routing object read from `body`, render the patch, and prove its result.

    Args:
        accused: suspects besides those of the demands, which may receive no traffic either.
    """
    facts = Facts(routing.ref.namespace, rules)
    plan = make(routing, facts, demands, accused)
    if plan.after == plan.before:
        return Proposal(plan, None, body, _unless_malformed(body, plan.verdicts))
    patch = virtualservice.render(body, plan.before, plan.after)
    after = patch.applied(body)
    granted = [demand for demand, verdict in zip(demands, plan.verdicts, strict=True) if verdict is True]
    refusal = _disproof(plan, after, facts, granted)
    if refusal is None:
        return Proposal(plan, patch, after, plan.verdicts)
    verdicts = tuple(refusal if verdict is True else verdict for verdict in plan.verdicts)
    return Proposal(plan, None, body, verdicts)


def advise(body: dict[str, Any], routing: RoutingObject, rules: Rules) -> tuple[Advice, ...]:
    """What in an object does not mean what it looks like: misplaced fields, and subsets that are not there."""
    return (*virtualservice.warnings(body), *Facts(routing.ref.namespace, rules).dead_ends(routing))


def _unless_malformed(body: dict[str, Any], verdicts: tuple[Refusal | bool, ...]) -> tuple[Refusal | bool, ...]:
    """A malformed object that seems to expose nothing: nobody can tell, so the answer is no."""
    faults = virtualservice.faults(body)
    if not faults:
        return verdicts
    refusal = _unsafe("it is malformed, so nobody can tell what it sends where: " + "; ".join(faults[:5]))
    return tuple(refusal if verdict is False else verdict for verdict in verdicts)


def _disproof(plan: Plan, after: dict[str, Any], facts: Facts, demands: Sequence[Demand]) -> Refusal | None:
    """Why the patched object must not be sent: read back as if it were new, whatever the planner says."""
    faults = virtualservice.faults(after)
    if faults:
        return _unsafe("Istio refuses such a VirtualService: " + "; ".join(faults[:5]))
    switch_off = plan.before.routes[0].mirrors_switch_off
    view = virtualservice.read(after)
    view = replace(view, routes=tuple(replace(route, mirrors_switch_off=switch_off) for route in view.routes))
    accused = frozenset(demand.suspect for demand in demands)
    for demand in demands:
        if withdraw(view, facts, demand, accused) != view:
            return _unsafe(f"{demand.suspect} would still get traffic")
    for old, new in zip(plan.before.routes, view.routes, strict=True):
        if old.total != new.total:
            return _unsafe(f"{old}: the total weight would become {new.total}, not {old.total}")
    return None


def _unsafe(message: str) -> Refusal:
    return Refusal(Reason.UNSAFE_PLAN, f"{message}. Nothing was sent; put the object right by hand")
