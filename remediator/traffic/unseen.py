"""Why nothing is planned where DestinationRules that are not read may say what a subset is."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.outcome import Reason
from remediator.policies.model import Action, MirrorScope
from remediator.traffic.exposure import Facts, concerns, is_live
from remediator.traffic.hosts import short
from remediator.traffic.suspect import Demand, Refusal
from remediator.traffic.view import Destination, Route, RoutingObject


def unseen(routing: RoutingObject, facts: Facts, demand: Demand) -> Refusal | None:
    """The first route of which it is not known what the demand would take, or whom it would give that to.

    Without a weight to move, and where every mirror is taken, no version has to be told from another.
    """
    if demand.actions == {Action.REMOVE_MIRRORS} and demand.mirrors is MirrorScope.ALL:
        return None
    for route in routing.routes:
        if not concerns(route, demand.suspect):
            continue
        for destination in _told_by_rules(route, demand):
            where = facts.rules.sight.unseen(destination.host)
            if where:
                return _refusal(route, destination, where)
    return None


def _told_by_rules(route: Route, demand: Demand) -> Iterator[Destination]:
    """The destinations of a route of which only DestinationRules say what they are."""
    for destination in (share.destination for share in route.shares if route.reachable):
        # A whole service of another name is surely not the suspect; of the suspect's own the rules name the versions.
        if destination.subset or destination.host == demand.suspect.host:
            yield destination
    for mirror in route.mirrors:
        # One to another service is not the suspect, whatever its subset is, and gets nothing that is taken away.
        if is_live(route, mirror) and mirror.destination.host == demand.suspect.host:
            yield mirror.destination


def _refusal(route: Route, destination: Destination, where: str) -> Refusal:
    return Refusal(
        Reason.RULES_UNKNOWN,
        f"{route}: which versions {short(destination.host)} has may be said by DestinationRules in {where}, and these "
        "are not read. Watch that namespace too (--namespaces, with a Role there), or all of them",
    )
