"""Why a patched object must not be sent: looked at as if it were new, whatever the planner says of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from remediator.policies.model import Action, MirrorScope
from remediator.traffic import virtualservice
from remediator.traffic.exposure import Facts, Relation, concerns, is_live
from remediator.traffic.suspect import Demand, Suspect
from remediator.traffic.view import Route, RoutingObject


def disproof(
    before: RoutingObject, after: dict[str, Any], facts: Facts, demands: Sequence[Demand], accused: frozenset[Suspect]
) -> str | None:
    """The first thing that is wrong with `after`; None: nothing is.

    Args:
        before: the view that was planned on.
        after: the JSON as it would be.
        demands: those that the patch is to meet.
        accused: every suspect of this moment.
    """
    faults = virtualservice.faults(after)
    if faults:
        return "Istio refuses such a VirtualService: " + "; ".join(faults[:5])
    view = virtualservice.read(after)
    for demand in demands:
        for old, new in zip(before.routes, view.routes, strict=True):
            if _reaches(old, new, facts, demand):
                return f"{new}: {demand.suspect} would still get traffic"
    return next(_losses(before, view, facts, accused), None) or next(_dead_ends(before, view, facts), None)


def _reaches(before: Route, route: Route, facts: Facts, demand: Demand) -> bool:
    """Whether `route` gives the suspect anything that the demand's actions take away; what is unclear counts."""
    suspect = demand.suspect
    if Action.REVERT_TO_STABLE in demand.actions and route.reachable:
        reaching = (Relation.SUSPECT, Relation.WHOLE, Relation.UNCLEAR)
        if any(share.weight > 0 and facts.relation(share.destination, suspect) in reaching for share in route.shares):
            return True
    if Action.REMOVE_MIRRORS not in demand.actions:
        return False
    live = [mirror for mirror in route.mirrors if is_live(route, mirror)]
    if demand.mirrors is MirrorScope.ALL:
        return bool(live) and concerns(before, suspect)
    return any(facts.of_mirror(mirror, suspect) not in (Relation.OTHER, Relation.DEAD) for mirror in live)


def _losses(before: RoutingObject, after: RoutingObject, facts: Facts, accused: frozenset[Suspect]) -> Iterator[str]:
    """Routes that have lost their total, or give an accused version more than they did."""
    for old, new in zip(before.routes, after.routes, strict=True):
        if old.total != new.total:
            yield f"{old}: the total weight would become {new.total}, not {old.total}"
        for suspect in accused:
            if _weight_of(new, facts, suspect) > _weight_of(old, facts, suspect):
                yield f"{old}: {suspect}, which is accused as well, would get more traffic"


def _dead_ends(before: RoutingObject, after: RoutingObject, facts: Facts) -> Iterator[str]:
    """Routes that would send traffic to what no DestinationRule defines any more, and did not before."""
    for route, where in sorted(facts.black_holes(after) - facts.black_holes(before)):
        yield f"{route} would send traffic to {where}, which no DestinationRule defines"


def _weight_of(route: Route, facts: Facts, suspect: Suspect) -> int:
    return sum(
        share.weight
        for position, share in enumerate(route.shares)
        if facts.of_share(route, position, suspect) not in (Relation.OTHER, Relation.DEAD)
    )
