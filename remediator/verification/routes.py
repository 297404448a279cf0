"""What a routing object sends to a suspect yet: how it is seen whether its driver did what it was asked to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from remediator.owners import Rollout
from remediator.owners.abort import is_side, its_rollout
from remediator.traffic.exposure import Facts, Relation, is_live
from remediator.traffic.patch import Operation
from remediator.traffic.suspect import Suspect
from remediator.traffic.view import Mirror, Route, RoutingObject
from remediator.verification.model import Side


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a driver was asked to take away."""

    suspects: frozenset[Suspect]
    sides: tuple[Side, ...]
    sent: tuple[Operation, ...] = ()
    """What was sent to it: the abort of one update of a Rollout."""


def still_sent(asked: Withdrawal, routing: RoutingObject, facts: Facts, rollouts: tuple[Rollout, ...]) -> list[str]:
    """What the suspects get by these routes, a line each; nothing: they get nothing.

    Args:
        rollouts: those that drive the object. While the aborted update is there, its canary side is the suspect; once
            another has taken its place, the suspect is on no side any more.
    """
    rollout = its_rollout(asked.sent, rollouts)
    if rollout is not None and rollout.abort != asked.sent:
        return []
    return [line for route in routing.routes for line in _of_route(route, asked, _Telling(asked, facts, rollout))]


@dataclass(frozen=True, slots=True)
class _Telling:
    """Tells the suspects' shares and mirrors from others."""

    asked: Withdrawal
    facts: Facts
    rollout: Rollout | None

    def share(self, route: Route, position: int) -> bool:
        destination = route.shares[position].destination
        if self.rollout is not None:
            return is_side(destination, self.rollout.canary, self.rollout, self.facts)
        return self._any(lambda suspect: self.facts.of_share(route, position, suspect))

    def mirror(self, mirror: Mirror) -> bool:
        if self.rollout is not None:
            return is_side(mirror.destination, self.rollout.canary, self.rollout, self.facts)
        return self._any(lambda suspect: self.facts.of_mirror(mirror, suspect))

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
