"""What a routing object sends to a suspect yet: how it is seen whether its driver did what it was asked to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from remediator.owners import Canary, Driving, Rollout
from remediator.owners.abort import is_side, its_rollout
from remediator.owners.rollback import PROMOTED
from remediator.traffic.exposure import Facts, Relation, is_live
from remediator.traffic.patch import Operation
from remediator.traffic.suspect import Suspect
from remediator.traffic.view import Destination, Mirror, Route, RoutingObject
from remediator.verification.model import Side


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a driver was asked to take away."""

    suspects: frozenset[Suspect]
    sides: tuple[Side, ...]
    sent: tuple[Operation, ...] = ()
    """What was sent to it: the abort of one update of a Rollout."""
    trial: tuple[str, str] | None = None
    """What Flagger was told to roll back: the name of a Canary, and the checksum of one revision."""


def still_sent(asked: Withdrawal, routing: RoutingObject, facts: Facts, driving: Driving) -> list[str]:
    """What the suspects get by these routes, a line each; nothing: they get nothing.

    Args:
        driving: who drives the object. While what was to be ended is on trial there, the canary side is the suspect;
            once another update or revision has taken its place, the suspect is on no side any more.
    """
    rollout, canary = its_rollout(asked.sent, driving.rollouts), _its_canary(asked, driving)
    if rollout is not None and rollout.abort != asked.sent:
        return []
    if canary is not None and asked.trial is not None and canary.checksum:
        if canary.checksum != asked.trial[1]:
            return []
        if canary.phase in PROMOTED:
            return [f"{canary} is {canary.phase}: the accused version takes the place of the primary, and its traffic"]
    told = _Telling(asked, facts, rollout, canary)
    return [line for route in routing.routes for line in _of_route(route, asked, told)]


def _its_canary(asked: Withdrawal, driving: Driving) -> Canary | None:
    """The Canary that was to be rolled back, at whatever revision it is by now; None: it does not drive the object."""
    canary = driving.canary
    return canary if canary is not None and asked.trial is not None and canary.name == asked.trial[0] else None


@dataclass(frozen=True, slots=True)
class _Telling:
    """Tells the suspects' shares and mirrors from others."""

    asked: Withdrawal
    facts: Facts
    rollout: Rollout | None
    canary: Canary | None

    def share(self, route: Route, position: int) -> bool:
        known = self._side(route.shares[position].destination)
        return self._any(lambda suspect: self.facts.of_share(route, position, suspect)) if known is None else known

    def mirror(self, mirror: Mirror) -> bool:
        known = self._side(mirror.destination)
        return self._any(lambda suspect: self.facts.of_mirror(mirror, suspect)) if known is None else known

    def _side(self, destination: Destination) -> bool | None:
        """Whether it is the side on trial; None: no driver tells."""
        if self.rollout is not None:
            return is_side(destination, self.rollout.canary, self.rollout, self.facts)
        return destination.host == self.canary.hosts[1] if self.canary is not None else None

    def _any(self, relation: Callable[[Suspect], Relation]) -> bool:
        return any(relation(suspect) is Relation.SUSPECT for suspect in self.asked.suspects)


def _of_route(route: Route, asked: Withdrawal, told: _Telling) -> Iterator[str]:
    if Side.LIVE in asked.sides and route.reachable:
        for position, share in enumerate(route.shares):
            if share.weight and told.share(route, position):
                yield f"{route}: {share.destination} weight {share.weight} of {route.total}"
    if Side.MIRRORED in asked.sides:
        for mirror in route.mirrors:
            if is_live(route, mirror) and told.mirror(mirror):
                yield f"{route}: mirror to {mirror.destination} ({mirror.percentage:g} %)"
