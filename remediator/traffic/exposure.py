"""Which destinations reach a suspect, which cannot be told apart from it, and which reach nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from remediator.outcome import Reason
from remediator.traffic.hosts import short
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Refusal, Suspect
from remediator.traffic.view import Advice, Destination, Mirror, Route, RoutingObject


class Relation(Enum):
    """What a destination is to a suspect."""

    SUSPECT = "the suspect and nothing else"
    OTHER = "surely not the suspect"
    WHOLE = "the whole service, the suspect among it"
    UNCLEAR = "a subset whose labels do not tell"
    DEAD = "a subset that no DestinationRule defines: nothing is reached through it"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known around one routing object."""

    namespace: str
    rules: Rules

    def relation(self, destination: Destination, suspect: Suspect) -> Relation:
        """What `destination` is to `suspect`, on its own."""
        host, subset = destination.host, destination.subset
        called = suspect.version if host == suspect.host else None
        versions = self.rules.versions(host, subset, self.namespace, called) if subset else None
        if destination.subset and versions == frozenset():
            return Relation.DEAD
        if destination.host != suspect.host:
            return Relation.OTHER
        if destination.subset is None:
            return Relation.WHOLE
        if versions is None:
            # No DestinationRule at all: only then does a subset's name count.
            return Relation.SUSPECT if destination.subset == suspect.version else Relation.OTHER
        if versions == frozenset({suspect.version}):
            return Relation.SUSPECT
        return Relation.UNCLEAR if versions & {suspect.version, None} else Relation.OTHER

    def is_other(self, destination: Destination, suspects: Iterable[Suspect]) -> bool:
        """Whether `destination` is surely none of `suspects`, and leads somewhere."""
        return all(self.relation(destination, suspect) is Relation.OTHER for suspect in suspects)

    def unmet(self, demand: Demand) -> Refusal:
        """Why nothing is done on an object that gives the suspect nothing which the demand takes."""
        suspect = demand.suspect
        known = self.rules.known_versions(suspect.host, self.namespace)
        if not known or suspect.version is None or suspect.version in known:
            return demand.unmet
        if suspect.version in self.rules.pod_hashes(suspect.host, self.namespace):
            return demand.unmet
        listed = ", ".join(sorted(known))
        message = f"{demand.unmet.message}: no subset of {short(suspect.host)} is version {suspect.version}"
        return Refusal(Reason.NOT_EXPOSED, f"{message} (known: {listed})")

    def of_share(self, route: Route, position: int, suspect: Suspect) -> Relation:
        """What a share is to `suspect`, in its route.

        A whole service is the suspect in a split by host: the alert names the canary's own host, and the route
        has another host to fall back on. Not where the host is known to have other versions as well.
        """
        own = self.relation(route.shares[position].destination, suspect)
        if own is Relation.WHOLE and self.one_version(suspect) and self._has_another_host(route, suspect):
            return Relation.SUSPECT
        return own

    def of_mirror(self, mirror: Mirror, suspect: Suspect) -> Relation:
        """What a mirror is to `suspect`. Its answers are thrown away, so it needs nothing to fall back on."""
        own = self.relation(mirror.destination, suspect)
        return Relation.SUSPECT if own is Relation.WHOLE and self.one_version(suspect) else own

    def one_version(self, suspect: Suspect) -> bool:
        """Whether nothing says that the suspect's host has versions besides the accused one."""
        known = self.rules.known_versions(suspect.host, self.namespace)
        return known <= {suspect.version} and not self.rules.sight.unseen(suspect.host)

    def dead_ends(self, routing: RoutingObject) -> Iterator[Advice]:
        """A warning for each destination whose subset no DestinationRule defines, where there is one for its host."""
        for route in routing.routes:
            for destination in filter(self.is_dead, route.destinations):
                yield Advice(
                    f"spec.{route.protocol}[{route.index}]",
                    f"no DestinationRule for {short(destination.host)} defines subset {destination.subset}; "
                    "requests fail.",
                    "Define the subset, or name one that is there.",
                )

    def is_dead(self, destination: Destination) -> bool:
        """Whether no DestinationRule defines the destination's subset, where there is one for its host."""
        host, subset = destination.host, destination.subset
        return subset is not None and self.rules.versions(host, subset, self.namespace) == frozenset()

    def black_holes(self, routing: RoutingObject) -> frozenset[tuple[str, str]]:
        """The routes, and in each the destination, that send traffic to where nothing is."""
        return frozenset(
            (str(route), str(share.destination))
            for route in routing.routes
            for share in route.shares
            if share.weight > 0 and route.reachable and self.is_dead(share.destination)
        )

    def _has_another_host(self, route: Route, suspect: Suspect) -> bool:
        return any(
            share.destination.host != suspect.host and self.relation(share.destination, suspect) is Relation.OTHER
            for share in route.shares
        )


def concerns(route: Route, suspect: Suspect) -> bool:
    """Whether a route sends or mirrors anything to the suspect's host, whichever version."""
    shares = [share.destination for share in route.shares if share.weight > 0]
    mirrors = [mirror.destination for mirror in route.mirrors]
    return any(destination.host == suspect.host for destination in (*shares, *mirrors))


def is_live(route: Route, mirror: Mirror) -> bool:
    """Whether a mirror copies any traffic now."""
    return route.reachable and mirror.percentage > 0
