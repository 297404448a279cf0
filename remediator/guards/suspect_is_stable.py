"""Guard `suspectIsStable`: the accused version is the one to fall back on, so there is nothing better to send its
traffic to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason
from remediator.policies.model import Action
from remediator.traffic.exposure import Facts, Relation
from remediator.traffic.plan import Plan
from remediator.traffic.suspect import Demand
from remediator.traffic.view import Destination, Route, Share

GUARD: Final = "suspectIsStable"


def evaluate(
    demand: Demand, names: tuple[tuple[str, str | None], ...], plan: Plan, facts: Facts, kept_up: str = ""
) -> Verdict:
    """No, if somebody calls the suspect stable; or, where nobody says who is, if it is the heaviest everywhere.

    Args:
        names: who names a stable version, and which: the policy, the object's annotation; None: it names none.
        plan: what is planned; its routes as they are now count.
        kept_up: as for evidence.evaluate.
    """
    if Action.REVERT_TO_STABLE not in demand.actions:
        return yes(GUARD, "no weight is moved")
    suspect = demand.suspect
    for who, version in names:
        if version is not None and version == suspect.version:
            message = f"{suspect} is accused, and {who} calls {version} stable: there is nothing better to fall back on"
            return no(GUARD, Reason.SUSPECT_IS_STABLE, message)
    for who, version in names:
        if version is not None:
            return yes(GUARD, f"{who} calls {version} stable, and {suspect} is accused")
    heaviest = list(_heaviest(demand, plan, facts))
    if heaviest and all(heaviest) and kept_up:
        return yes(GUARD, f"{suspect} is the heaviest by now; but {kept_up} holds the withdrawal up, and judged before")
    if heaviest and all(heaviest):
        message = (
            f"{suspect} is the heaviest destination of every route that it shares, and so taken for stable. Name the "
            "stable version in the policy's spec.target.stable or the object's annotation remediator.io/stable"
        )
        return no(GUARD, Reason.SUSPECT_IS_STABLE, message)
    return yes(GUARD, f"{suspect} is not the heaviest destination of every route")


def _heaviest(demand: Demand, plan: Plan, facts: Facts) -> Iterator[bool]:
    """For each live route to the suspect or to whoever receives: whether the suspect outweighs each of the others.

    Of a route that only the suspect has, the others tell: it may be the canary's own, matched by a header.
    """
    receivers = {_service(destination) for destination in plan.receivers}
    for route in plan.before.routes:
        ours = sum(share.weight for share in _shares(route, demand, facts, of_suspect=True))
        others = list(_shares(route, demand, facts, of_suspect=False))
        if others and (ours or any(_service(share.destination) in receivers for share in others)):
            together = Counter[object]()  # of one version several subsets, or several shares, may be in the route
            for share in others:
                together[_version(share.destination, facts)] += share.weight
            yield ours > max(together.values())


def _shares(route: Route, demand: Demand, facts: Facts, *, of_suspect: bool) -> Iterator[Share]:
    """The live shares of a route that are the suspect, or those that are not."""
    for position, share in enumerate(route.shares):
        is_suspect = facts.of_share(route, position, demand.suspect) is Relation.SUSPECT
        if route.reachable and share.weight > 0 and is_suspect is of_suspect:
            yield share


def _version(destination: Destination, facts: Facts) -> object:
    """What tells a destination from another version: equal for those that are the same one."""
    host, subset = destination.host, destination.subset
    return host, subset and (facts.rules.versions(host, subset, facts.namespace) or subset)


def _service(destination: Destination) -> tuple[str, str | None]:
    """A destination without its port, which is the route's own."""
    return destination.host, destination.subset
