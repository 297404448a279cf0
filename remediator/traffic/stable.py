"""Where a suspect's traffic goes instead: the stable side of a route."""

from __future__ import annotations

from dataclasses import dataclass

from remediator.outcome import Reason
from remediator.traffic.exposure import Facts, Relation
from remediator.traffic.suspect import Demand, Refusal, Suspect
from remediator.traffic.view import Destination, Route, RoutingObject


@dataclass(frozen=True, slots=True)
class Receivers:
    """Positions in the route itself that take the traffic over; never empty."""

    positions: tuple[int, ...]


def choose(
    routing: RoutingObject, route: Route, facts: Facts, demand: Demand, accused: frozenset[Suspect]
) -> Receivers | Destination | Refusal:
    """The stable side of `route`: some of its own destinations, or one to put in the suspect's place.

    In this order: what the policy calls stable; the route's other live destinations; the one destination that the
    object's other routes to these hosts use. A destination that is idle everywhere is none: it may be what was
    taken out of traffic a minute ago.
    """
    free = [
        position
        for position, share in enumerate(route.shares)
        if _is_free(facts, route, position, accused) and share.destination.host
    ]
    if demand.stable is not None:
        return _named(routing, route, facts, demand, free)
    live = [position for position in free if route.shares[position].weight > 0]
    if live:
        return Receivers(tuple(live))
    used = _used_elsewhere(routing, route, facts, accused)
    if len(used) != 1:
        return _no_stable(route, demand, "its other routes use " + _listed(used))
    only = next(iter(used))
    here = [position for position in free if _without_port(route.shares[position].destination) == only]
    return Receivers((here[0],)) if here else only


def _named(
    routing: RoutingObject, route: Route, facts: Facts, demand: Demand, free: list[int]
) -> Receivers | Destination | Refusal:
    """The policy's stable version: in the route, as a subset of the host, or the other host of a split by host."""
    stable = Suspect(demand.suspect.host, demand.stable)
    relations = {position: facts.relation(route.shares[position].destination, stable) for position in free}
    here = [position for position in free if relations[position] is Relation.SUSPECT]
    if here:
        return _livest(route, here)
    named = set(facts.rules.names(stable.host, str(demand.stable), facts.namespace))
    used = {
        share.destination.subset
        for other in routing.routes
        for share in other.shares
        if facts.relation(share.destination, stable) is Relation.SUSPECT
    }
    candidates = (named & used or named) if named else used
    if len(candidates) == 1:
        return Destination(stable.host, candidates.pop())
    elsewhere = [position for position in free if route.shares[position].destination.host != stable.host]
    if elsewhere and not candidates:
        return _livest(route, elsewhere)
    what = f"subsets of version {demand.stable}: {', '.join(map(str, sorted(map(str, candidates)))) or 'none'}"
    return _no_stable(route, demand, what)


def _livest(route: Route, positions: list[int]) -> Receivers:
    """Those with traffic, else the first."""
    live = [position for position in positions if route.shares[position].weight > 0]
    return Receivers(tuple(live or positions[:1]))


def _without_port(destination: Destination) -> Destination:
    return Destination(destination.host, destination.subset)


def _is_free(facts: Facts, route: Route, position: int, accused: frozenset[Suspect]) -> bool:
    return all(facts.of_share(route, position, suspect) is Relation.OTHER for suspect in accused)


def _used_elsewhere(
    routing: RoutingObject, route: Route, facts: Facts, accused: frozenset[Suspect]
) -> frozenset[Destination]:
    """The destinations that live shares of the object's other routes have on the accused hosts."""
    hosts = {share.destination.host for share in route.shares}
    return frozenset(
        _without_port(share.destination)
        for other in routing.routes
        if other is not route and other.reachable
        for position, share in enumerate(other.shares)
        if share.weight > 0 and share.destination.host in hosts and _is_free(facts, other, position, accused)
    )


def _listed(destinations: frozenset[Destination]) -> str:
    return ", ".join(sorted(map(str, destinations))) or "no other destination of this service"


def _no_stable(route: Route, demand: Demand, found: str) -> Refusal:
    return Refusal(
        Reason.NO_STABLE_DESTINATION,
        f"{route} sends its traffic to {demand.suspect} only, and there is no one version to fall back on ({found}). "
        "Name it in the policy's spec.target.stable, and give it a subset",
    )
