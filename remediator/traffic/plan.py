"""From the live view to one in which no suspect gets traffic. The plan is their difference.

live view of a route                  RevertToStable makes of it
v1 90, v2 10            v2 accused    v1 100, v2 0
v1 60, v3 30, v2 10     v2 accused    v1 67, v3 33, v2 0       in proportion, largest remainder
v2 (header-matched)     v2 accused    v1                       what the object's other routes use
v1 100, v2 0            v2 accused    the same                 nothing to do
whole service           v2 accused    Denied, NotSeparable
v2, and no other route  v2 accused    Denied, NoStableDestination
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from remediator.outcome import Reason
from remediator.policies.model import Action, MirrorScope
from remediator.traffic.exposure import Facts, Relation, concerns, is_live
from remediator.traffic.stable import Receivers, Scene, choose
from remediator.traffic.suspect import Demand, Refusal, Suspect, suspects
from remediator.traffic.unseen import unseen
from remediator.traffic.view import Destination, Route, RoutingObject, Share


@dataclass(frozen=True, slots=True)
class Plan:
    """What is, what shall be, and what became of each demand."""

    before: RoutingObject
    after: RoutingObject
    verdicts: tuple[Refusal | bool, ...]
    """For each demand: why not; or whether it takes part in the change (False: it exposes nothing)."""

    @property
    def changes(self) -> tuple[str, ...]:
        """The difference, as a person reads it."""
        pairs = zip(self.before.routes, self.after.routes, strict=True)
        return tuple(line for old, new in pairs if old != new for line in _describe(old, new))

    @property
    def receivers(self) -> tuple[Destination, ...]:
        """Who gets traffic that it did not get before."""
        gains = (
            new.destination
            for old_route, new_route in zip(self.before.routes, self.after.routes, strict=True)
            for old, new in zip(old_route.shares, new_route.shares, strict=True)
            if new.weight > old.weight or new.destination != old.destination
        )
        return tuple(dict.fromkeys(gains))


def make(
    routing: RoutingObject, facts: Facts, demands: Sequence[Demand], accused: frozenset[Suspect] = frozenset()
) -> Plan:
    """Plan all `demands` on one routing object together, so that none sends traffic to what another accuses.

    Args:
        accused: suspects besides those of the demands; they receive nothing either.
    """
    accused |= suspects(demands)
    state, verdicts = routing, []
    for demand in demands:
        alone = withdraw(routing, facts, demand, accused)
        together = withdraw(state, facts, demand, accused)
        refusal = next((result for result in (alone, together) if isinstance(result, Refusal)), None)
        verdicts.append(refusal if refusal is not None else alone != routing)
        if not isinstance(together, Refusal) and refusal is None:
            state = together
    return Plan(routing, state, tuple(verdicts))


def withdraw(
    routing: RoutingObject, facts: Facts, demand: Demand, accused: frozenset[Suspect]
) -> RoutingObject | Refusal:
    """`routing` without traffic to the demand's suspect; unchanged where it has none.

    Args:
        accused: every suspect of this moment, this demand's among them; none may receive what is withdrawn.
    """
    unclear = unseen(routing, facts, demand) or next(
        filter(None, (_inseparable(route, facts, demand) for route in routing.routes)), None
    )
    if unclear is not None:
        return unclear
    routes: list[Route] = []
    for route in routing.routes:
        changed: Route | Refusal = route
        if Action.REVERT_TO_STABLE in demand.actions:
            changed = _revert(routing, route, facts, demand, accused)
        if isinstance(changed, Refusal):
            return changed
        removes = Action.REMOVE_MIRRORS in demand.actions and (
            # Of the route as it was: without its weight, the service may no longer be concerned.
            demand.mirrors is MirrorScope.SUSPECT or concerns(route, demand.suspect)
        )
        routes.append(_remove_mirrors(changed, facts, demand) if removes else changed)
    return replace(routing, routes=tuple(routes))


def _inseparable(route: Route, facts: Facts, demand: Demand) -> Refusal | None:
    """Why the suspect cannot be told apart from the good version in what the actions would take from `route`."""
    found: list[tuple[str, Relation]] = []
    if Action.REVERT_TO_STABLE in demand.actions:
        for position in _live(route):
            relation = facts.of_share(route, position, demand.suspect)
            found.append((str(route.shares[position].destination), relation))
    if Action.REMOVE_MIRRORS in demand.actions and demand.mirrors is MirrorScope.SUSPECT:
        for mirror in route.mirrors:
            if is_live(route, mirror):
                found.append((f"mirror to {mirror.destination}", facts.of_mirror(mirror, demand.suspect)))
    for what, relation in found:
        if relation in (Relation.WHOLE, Relation.UNCLEAR):
            return Refusal(
                Reason.NOT_SEPARABLE,
                f"{route}: {what} is {relation.value}; {demand.suspect} cannot be told apart from the good version. "
                "Route to a subset whose DestinationRule labels name the version, or to a host of its own",
            )
    return None


def _live(route: Route) -> list[int]:
    """Positions of the shares that carry traffic."""
    return [position for position, share in enumerate(route.shares) if route.reachable and share.weight > 0]


def _revert(
    routing: RoutingObject, route: Route, facts: Facts, demand: Demand, accused: frozenset[Suspect]
) -> Route | Refusal:
    suspects = tuple(
        position for position in _live(route) if facts.of_share(route, position, demand.suspect) is Relation.SUSPECT
    )
    if not suspects:
        return route
    stable = choose(Scene(routing, route, facts, demand, accused))
    if isinstance(stable, Refusal):
        return stable
    if isinstance(stable, Receivers):
        return replace(route, shares=shift(route.shares, suspects, stable.positions))
    shares = list(route.shares)
    for position in suspects:
        # The port stays: it is the route's, and the service is the same.
        destination = replace(shares[position].destination, host=stable.host, subset=stable.subset)
        shares[position] = replace(shares[position], destination=destination)
    return replace(route, shares=tuple(shares))


def shift(shares: tuple[Share, ...], suspects: Sequence[int], receivers: Sequence[int]) -> tuple[Share, ...]:
    """Move the suspects' weight to the receivers in their proportions; whole numbers, the total kept.

    Largest remainder: each receiver gets the whole part of its due, and what is left goes one by one to the
    largest fractions, earlier positions first. Where no receiver has any yet, the first one gets it all.
    """
    pool = sum(shares[position].weight for position in (*suspects, *receivers))
    base = sum(shares[position].weight for position in receivers)
    if base == 0:
        due = {receivers[0]: (pool, 0)}
    else:
        due = {position: divmod(pool * shares[position].weight, base) for position in receivers}
    left = pool - sum(whole for whole, _ in due.values())
    lucky = sorted(due, key=lambda position: (-due[position][1], position))[:left]
    return tuple(
        replace(share, weight=0)
        if position in suspects
        else replace(share, weight=due[position][0] + (position in lucky))
        if position in due
        else share
        for position, share in enumerate(shares)
    )


def _remove_mirrors(route: Route, facts: Facts, demand: Demand) -> Route:
    gone = [
        mirror
        for mirror in route.mirrors
        if is_live(route, mirror)
        and (demand.mirrors is MirrorScope.ALL or facts.of_mirror(mirror, demand.suspect) is Relation.SUSPECT)
    ]
    if route.mirrors_switch_off:
        kept = tuple(replace(mirror, percentage=0.0) if mirror in gone else mirror for mirror in route.mirrors)
    else:
        kept = tuple(mirror for mirror in route.mirrors if mirror not in gone)
    return replace(route, mirrors=kept)


def _describe(old: Route, new: Route) -> list[str]:
    lines = []
    for was, now in zip(old.shares, new.shares, strict=True):
        if was.destination != now.destination:
            lines.append(f"{old}: {was.destination} → {now.destination}")
        if was.weight != now.weight:
            lines.append(f"{old}: {now.destination} weight {was.weight} → {now.weight}")
    for mirror in old.mirrors:
        if mirror not in new.mirrors:
            how = "switched off" if any(kept.slot == mirror.slot for kept in new.mirrors) else "removed"
            lines.append(f"{old}: mirror to {mirror.destination} ({mirror.percentage:g} %) {how}")
    return lines
