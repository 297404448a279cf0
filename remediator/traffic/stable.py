"""Where a suspect's traffic goes instead: the stable side of a route."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from remediator.outcome import Reason
from remediator.traffic.exposure import Facts, Relation
from remediator.traffic.suspect import Demand, Refusal, Suspect
from remediator.traffic.view import Destination, Route, RoutingObject


@dataclass(frozen=True, slots=True)
class Receivers:
    """Positions in the route itself that take the traffic over; never empty."""

    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a choice is made from."""

    routing: RoutingObject
    route: Route
    facts: Facts
    demand: Demand
    accused: frozenset[Suspect]
    """Nobody of these receives anything."""

    @property
    def free(self) -> tuple[int, ...]:
        """Positions in the route that are surely none of the accused."""
        return tuple(
            position
            for position, share in enumerate(self.route.shares)
            if share.destination.host and _is_free(self, self.route, position)
        )

    def live(self, positions: Iterable[int]) -> tuple[int, ...]:
        """Those of `positions` that carry traffic."""
        return tuple(position for position in positions if self.route.shares[position].weight > 0)


def choose(scene: Scene) -> Receivers | Destination | Refusal:
    """The stable side of a route: some of its own destinations, or one to put in the suspect's place.

    In this order: what the policy calls stable; the route's other live destinations; the one destination that the
    object's other routes to these hosts use. A destination that is idle everywhere is none: it may be what was
    taken out of traffic a minute ago.
    """
    if scene.demand.stable is not None:
        return _named(scene)
    live = scene.live(scene.free)
    if live:
        return Receivers(live)
    used = _used_elsewhere(scene)
    if len(used) != 1:
        return _no_stable(scene, _other_destinations(scene, used))
    only = next(iter(used))
    here = [position for position in scene.free if _without_port(scene.route.shares[position].destination) == only]
    if here:
        return Receivers((here[0],))
    # In the suspect's place only another part of the same service: a port is the service's own.
    return only if only.host == scene.demand.suspect.host else _no_stable(scene, _other_destinations(scene, used))


def _named(scene: Scene) -> Receivers | Destination | Refusal:
    """The policy's stable version: in the route, as a subset of the host, or the other host of a split by host."""
    facts, shares = scene.facts, scene.route.shares
    stable = Suspect(scene.demand.suspect.host, scene.demand.stable)
    here = [
        position for position in scene.free if facts.relation(shares[position].destination, stable) is Relation.SUSPECT
    ]
    if here:
        return Receivers(scene.live(here) or (here[0],))
    named = _subsets(scene.routing, facts, stable)
    subsets = [name for name in named if facts.is_other(Destination(stable.host, name), scene.accused)]
    if len(subsets) == 1:
        return Destination(stable.host, subsets[0])
    elsewhere = scene.live(position for position in scene.free if shares[position].destination.host != stable.host)
    if elsewhere and not named:
        return Receivers(elsewhere)
    listed = ", ".join(subsets) or (f"{', '.join(named)}, accused as well" if named else "none")
    return _no_stable(scene, f"subsets of the policy's stable version {stable.version}: {listed}")


def _subsets(routing: RoutingObject, facts: Facts, stable: Suspect) -> list[str]:
    """The subsets that are the stable version; those that the object uses, if any is in use."""
    used = {
        str(share.destination.subset)
        for route in routing.routes
        for share in route.shares
        if facts.relation(share.destination, stable) is Relation.SUSPECT
    }
    named = set(facts.rules.names(stable.host, str(stable.version), facts.namespace))
    if not facts.rules.speaks_of(stable.host, facts.namespace):
        return sorted(used)
    return sorted(named & used or named)


def _without_port(destination: Destination) -> Destination:
    return Destination(destination.host, destination.subset)


def _is_free(scene: Scene, route: Route, position: int) -> bool:
    return all(scene.facts.of_share(route, position, suspect) is Relation.OTHER for suspect in scene.accused)


def _used_elsewhere(scene: Scene) -> frozenset[Destination]:
    """The destinations that live shares of the object's other routes have on the route's hosts."""
    hosts = {share.destination.host for share in scene.route.shares}
    return frozenset(
        _without_port(share.destination)
        for other in scene.routing.routes
        if other is not scene.route and other.reachable
        for position, share in enumerate(other.shares)
        if share.weight > 0 and share.destination.host in hosts and _is_free(scene, other, position)
    )


def _other_destinations(scene: Scene, used: frozenset[Destination]) -> str:
    if used:
        return "the object's other routes use " + ", ".join(sorted(map(str, used)))
    idle = ", ".join(str(scene.route.shares[position].destination) for position in scene.free)
    if idle:
        return f"{idle} has weight 0, and what is idle is not taken for stable"
    return "no route of the object uses another destination of this service"


def _accused_as_well(scene: Scene) -> tuple[Destination, ...]:
    """The live destinations of the object that would do, if other alerts did not accuse them."""
    facts, others = scene.facts, scene.accused - {scene.demand.suspect}
    hosts = {share.destination.host for share in scene.route.shares}
    found = (
        share.destination
        for route in scene.routing.routes
        for position, share in enumerate(route.shares)
        if route.reachable and share.weight > 0 and share.destination.host in hosts
        if facts.of_share(route, position, scene.demand.suspect) is Relation.OTHER
        if any(facts.of_share(route, position, suspect) is Relation.SUSPECT for suspect in others)
    )
    return tuple(dict.fromkeys(found))


def _no_stable(scene: Scene, found: str) -> Refusal:
    also = _accused_as_well(scene)
    if also:
        listed = ", ".join(map(str, also))
        return Refusal(
            Reason.STABLE_ALSO_FAILING,
            f"{scene.route} could send the traffic of {scene.demand.suspect} only to {listed}, which is accused too, "
            "by another alert of this notification: the cause is probably not this version",
        )
    hint = "Give that version a subset" if scene.demand.stable else "Name it in the policy's spec.target.stable"
    return Refusal(
        Reason.NO_STABLE_DESTINATION,
        f"{scene.route} sends its traffic to {scene.demand.suspect} only, and there is no one version to fall back on: "
        f"{found}. {hint}",
    )
