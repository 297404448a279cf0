"""Why an alert would end as it would, as a value: policies, suspect, and what reaches it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from remediator.cli.forecast import AlertForecast, Forecast
from remediator.cli.situation import Situation
from remediator.cluster.port import Cluster, Snapshot
from remediator.outcome import TargetRef
from remediator.owners import Owner
from remediator.policies import match
from remediator.policies.match import Considered
from remediator.policies.model import LabelNames, PolicySet
from remediator.traffic.exposure import Facts, Relation
from remediator.traffic.suspect import UNKNOWN, Refusal, Suspect, demand
from remediator.traffic.view import Destination, Mirror, Route


@dataclass(frozen=True, slots=True)
class Reach:
    """One destination of a route, and what it is to the suspect."""

    destination: Destination
    relation: Relation
    is_mirror: bool
    part: float
    """Of the route's traffic, in percent; 0 is none."""
    weights: str
    """`10 of 100`, or `25 %` of a mirror."""


@dataclass(frozen=True, slots=True)
class RouteReach:
    """One route of a routing object."""

    route: str
    reachable: bool
    """False: an earlier route takes everything."""
    reaches: tuple[Reach, ...]


@dataclass(frozen=True, slots=True)
class ObjectReach:
    """One routing object that names the suspect's service."""

    ref: TargetRef
    owner: Owner
    """Who drives it."""
    routes: tuple[RouteReach, ...]


@dataclass(frozen=True, slots=True)
class Accused:
    """The suspect, and the labels that it was read from."""

    suspect: Suspect
    service_labels: tuple[str, ...]
    version_label: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that led one alert to its end."""

    forecast: AlertForecast
    considered: tuple[Considered, ...]
    accused: Accused | None
    """None: no policy, or its labels do not tell; the forecast says which."""
    objects: tuple[ObjectReach, ...]


def explanations(situation: Situation, forecast: Forecast) -> tuple[Explanation, ...]:
    """Explain every alert of `forecast`, which was made of `situation`."""
    return tuple(_one(each, situation.policies, situation.cluster) for each in forecast.alerts)


def _one(forecast: AlertForecast, policies: PolicySet, cluster: Cluster) -> Explanation:
    labels = forecast.alert.labels
    considered = match.explain(policies, labels)
    accused = _accused(forecast, labels)
    snapshots = cluster.routing_to(accused.suspect.host) if accused else ()
    objects = tuple(_object(snapshot, accused.suspect) for snapshot in snapshots) if accused else ()
    return Explanation(forecast, considered, accused, tuple(sorted(objects, key=lambda each: each.ref)))


def _accused(forecast: AlertForecast, labels: Mapping[str, str]) -> Accused | None:
    if forecast.policy is None:
        return None
    wanted = demand(labels, forecast.policy)
    if isinstance(wanted, Refusal):
        return None
    names = forecast.policy.target.labels
    return Accused(wanted.suspect, tuple(_service_labels(labels, names)), names.version)


def _service_labels(labels: Mapping[str, str], names: LabelNames) -> Iterator[str]:
    """The labels that told the service: the whole host wins over the name."""
    chosen = next(name for name in (names.service, names.name) if labels.get(name, "").strip() not in ("", UNKNOWN))
    yield chosen
    if "." not in labels[chosen]:
        yield names.namespace


def _object(snapshot: Snapshot, suspect: Suspect) -> ObjectReach:
    facts = Facts(snapshot.routing.ref.namespace, snapshot.rules)
    routes = tuple(
        RouteReach(str(route), route.reachable, tuple(_reaches(route, facts, suspect)))
        for route in snapshot.routing.routes
    )
    return ObjectReach(snapshot.routing.ref, snapshot.owner, routes)


def _reaches(route: Route, facts: Facts, suspect: Suspect) -> Iterator[Reach]:
    for position, share in enumerate(route.shares):
        relation = _relation(share.destination, facts.of_share(route, position, suspect), suspect)
        part = 100 * share.weight / route.total if route.total else 0.0
        yield Reach(share.destination, relation, False, part, f"weight {share.weight} of {route.total}")
    for mirror in route.mirrors:
        relation = _relation(mirror.destination, facts.of_mirror(mirror, suspect), suspect)
        yield _mirror(mirror, relation)


def _mirror(mirror: Mirror, relation: Relation) -> Reach:
    return Reach(mirror.destination, relation, True, mirror.percentage, f"{mirror.percentage:g} %")


def _relation(destination: Destination, found: Relation, suspect: Suspect) -> Relation:
    """Without an accused version there is only this service and others."""
    if suspect.version is not None:
        return found
    return Relation.WHOLE if destination.host == suspect.host else Relation.OTHER
