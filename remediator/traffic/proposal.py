"""Plan, patch and proof for one routing object: what is sent has been proved to do what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from remediator.outcome import Reason
from remediator.traffic import virtualservice
from remediator.traffic.exposure import Facts
from remediator.traffic.patch import Patch
from remediator.traffic.plan import Plan, make
from remediator.traffic.proof import disproof
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Refusal, Suspect, suspects
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
    faults = virtualservice.faults(body)
    if faults:
        refusal = _unsafe("it is malformed, so nobody can tell what it sends where: " + "; ".join(faults[:5]))
        verdicts: tuple[Refusal | bool, ...] = (refusal,) * len(demands)
        return Proposal(Plan(routing, routing, verdicts), None, body, verdicts)
    plan = make(routing, facts, demands, accused)
    if plan.after == plan.before:
        return Proposal(plan, None, body, plan.verdicts)
    patch = virtualservice.render(body, plan.before, plan.after)
    after = patch.applied(body)
    granted = [demand for demand, verdict in zip(demands, plan.verdicts, strict=True) if verdict is True]
    wrong = disproof(routing, after, facts, granted, accused | suspects(demands))
    if wrong is None:
        return Proposal(plan, patch, after, plan.verdicts)
    verdicts = tuple(_unsafe(wrong) if verdict is True else verdict for verdict in plan.verdicts)
    return Proposal(Plan(routing, routing, verdicts), None, body, verdicts)


def advise(body: dict[str, Any], routing: RoutingObject, rules: Rules) -> tuple[Advice, ...]:
    """What in an object does not mean what it looks like: misplaced fields, and subsets that are not there."""
    return (*virtualservice.warnings(body), *Facts(routing.ref.namespace, rules).dead_ends(routing))


def _unsafe(message: str) -> Refusal:
    return Refusal(Reason.UNSAFE_PLAN, f"{message}. Nothing was sent; put the object right by hand")
