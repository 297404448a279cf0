"""Every destination that shares traffic with another now, and every mirror: what a person has to know of at 3 a.m.

The stable side is listed, too: which part is the canary stands in no routing object.

Pure: it reads the view of routing objects, and decides and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from remediator.cluster.port import Snapshot
from remediator.outcome import TargetRef
from remediator.owners import Owner
from remediator.traffic.view import Destination, Mirror, Route, Share


class Via(StrEnum):
    """How traffic comes to a destination."""

    SPLIT = "Split"
    """By weight: the route has several live destinations."""
    MATCH = "Match"
    """All of a route's traffic, where another route of the object sends to another part of the same service:
    a canary chosen by a header, say, and the route that takes the rest."""
    MIRROR = "Mirror"
    """A copy of the route's traffic."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """One destination that gets traffic through one route, beside another that could."""

    target: TargetRef
    route: str
    via: Via
    destination: Destination
    versions: tuple[str, ...]
    """What the DestinationRules, or without any the subset's name, say that the destination is."""
    weight: int | None
    """None for a mirror."""
    total: int | None
    """Sum of the route's weights; None for a mirror."""
    share: float
    """Of the route's traffic, 0 to 1; for a mirror the part that is copied."""
    position: int
    """Counted within the target."""
    owner: Owner
    """Who drives the target."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Sorts exposures, and tells a page where the one before it ended."""
        return (self.target.namespace, self.target.name, self.target.kind, self.position)


def exposures(snapshots: Iterable[Snapshot], namespace: str | None = None) -> tuple[Exposure, ...]:
    """Find the exposures in `snapshots`, sorted by namespace and name; of all namespaces, or only of one."""
    found = (
        exposure
        for snapshot in snapshots
        if namespace is None or snapshot.routing.ref.namespace == namespace
        for exposure in _of_object(snapshot)
    )
    return tuple(sorted(found, key=lambda exposure: exposure.key))


def _of_object(snapshot: Snapshot) -> Iterator[Exposure]:
    routes = [route for route in snapshot.routing.routes if route.reachable]
    divided = _divided_hosts(routes)
    position = 0
    for route in routes:
        via = Via.SPLIT if len({_part(share.destination) for share in _live(route)}) > 1 else Via.MATCH
        for share in _live(route):
            if via is Via.SPLIT or share.destination.host in divided:
                yield _of_share(snapshot, route, share, via, position)
                position += 1
        for mirror in route.mirrors:
            if mirror.percentage > 0:
                yield _of_mirror(snapshot, route, mirror, position)
                position += 1


def _live(route: Route) -> list[Share]:
    return [share for share in route.shares if share.weight > 0]


def _part(destination: Destination) -> tuple[str, str | None]:
    return (destination.host, destination.subset)


def _divided_hosts(routes: Iterable[Route]) -> set[str]:
    """Hosts of which more than one part gets traffic."""
    parts = {_part(share.destination) for route in routes for share in _live(route)}
    hosts = [host for host, _ in parts]
    return {host for host in hosts if hosts.count(host) > 1}


def _of_share(snapshot: Snapshot, route: Route, share: Share, via: Via, position: int) -> Exposure:
    return Exposure(
        target=snapshot.routing.ref,
        route=str(route),
        via=via,
        destination=share.destination,
        versions=_versions(snapshot, share.destination),
        weight=share.weight,
        total=route.total,
        share=share.weight / route.total,
        position=position,
        owner=snapshot.owner,
    )


def _of_mirror(snapshot: Snapshot, route: Route, mirror: Mirror, position: int) -> Exposure:
    return Exposure(
        target=snapshot.routing.ref,
        route=str(route),
        via=Via.MIRROR,
        destination=mirror.destination,
        versions=_versions(snapshot, mirror.destination),
        weight=None,
        total=None,
        share=mirror.percentage / 100,
        position=position,
        owner=snapshot.owner,
    )


def _versions(snapshot: Snapshot, destination: Destination) -> tuple[str, ...]:
    if destination.subset is None:
        return ()
    known = snapshot.rules.versions(destination.host, destination.subset, snapshot.routing.ref.namespace)
    if known is None:
        return (destination.subset,)
    return tuple(sorted(version for version in known if version))
