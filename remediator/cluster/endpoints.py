"""Counts the endpoints of a destination, and those of them that are ready. Pure: EndpointSlices and names of pods go
in as JSON; how they are had is for the adapters.

Facts are from kubernetes api, discovery/v1/types.go, and endpointslice/utils.go.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from remediator.cluster.inventory import reference
from remediator.guards.stable_ready import Readiness
from remediator.traffic.hosts import Host, service_namespace
from remediator.traffic.view import Destination

ENDPOINT_SLICE: Final = "EndpointSlice"
POD: Final = "Pod"
SERVICE_LABEL: Final = "kubernetes.io/service-name"
"""What says on an EndpointSlice whose endpoints it has."""

NO_SERVICE: Final = "it is no Kubernetes service, so its endpoints cannot be counted"
NO_PODS: Final = "the folder holds no Pods, and no labels of its EndpointSlices say which endpoints are of that version"

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_KEY: Final = re.compile(rf"(?:[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_NAME}")
_VALUE: Final = re.compile(rf"(?:{_NAME})?")
"""What a label may be (kubernetes apimachinery, pkg/util/validation/validation.go). Anything else might be read as
another selector: `a,b` as two conditions."""

Json = Mapping[str, Any]


def service(host: Host) -> tuple[str, str] | None:
    """Namespace and name of a Kubernetes service; None for any other host.

    >>> service(Host("reviews.shop.svc.cluster.local"))
    ('shop', 'reviews')
    """
    namespace = service_namespace(host)
    return (namespace, host.partition(".")[0]) if namespace else None


def selector(labels: Mapping[str, str]) -> str | None:
    """A label selector for all of `labels`; None where no object can have them.

    >>> selector({"app": "reviews", "version": "v2"})
    'app=reviews,version=v2'
    """
    if not all(_KEY.fullmatch(key) and _VALUE.fullmatch(value) for key, value in labels.items()):
        return None
    return ",".join(f"{key}={value}" for key, value in labels.items())


def selected(objects: Iterable[Json], labels: Mapping[str, str]) -> frozenset[str]:
    """The names of the objects that have all of `labels`."""
    return frozenset(str(_mapping(each.get("metadata")).get("name")) for each in objects if _has(each, labels))


def pods_wanted(slices: Iterable[Json], labels: Mapping[str, str]) -> bool:
    """Whether it takes the pods' own labels to say which of the endpoints are selected."""
    return bool(labels) and any(_pod(endpoint) for each in slices for endpoint in _endpoints(each))


def pods_behind(slices: Iterable[Json]) -> frozenset[str]:
    """The names of the pods that a service's endpoints are."""
    found = (_pod(endpoint) for each in slices for endpoint in _endpoints(each))
    return frozenset(name for name in found if name)


def has_labels(body: Json, labels: Mapping[str, str]) -> bool:
    """Whether an object has all of `labels`."""
    return _has(body, labels)


def counted(
    destination: Destination, slices: Iterable[Json], labels: Mapping[str, str], pods: Collection[str] = ()
) -> Readiness:
    """Count the endpoints that `labels` select, each once.

    An endpoint is in several slices where it has an address of each family. Whether it is terminating is not asked:
    such a one is not ready, unless its Service publishes what is not ready as well.

    Args:
        slices: of the destination's service.
        labels: an endpoint is selected where its pod has all of them, or its slice if it is no pod. None: all are.
            Of a pod the slice's labels tell nothing: they are copies of the Service's, which all versions share.
        pods: the names of the pods that have them, in the service's namespace.
    """
    chosen: set[tuple[str, ...]] = set()
    ready: set[tuple[str, ...]] = set()
    for each in slices:
        alike = _has(each, labels)
        for endpoint in _endpoints(each):
            name, pod = _name(endpoint), _pod(endpoint)
            if not labels or (alike if pod is None else pod in pods):
                chosen.add(name)
            # Not there, it is not known, and to be taken for ready.
            if _mapping(endpoint.get("conditions")).get("ready") in (None, True):
                ready.add(name)
    return Readiness(destination, ready=len(chosen & ready), total=len(chosen))


def unknown(destination: Destination, why: str) -> Readiness:
    """Endpoints that cannot be counted."""
    return Readiness(destination, ready=0, total=0, unknown=why)


def counted_in(
    slices: Sequence[Json], pods: Iterable[Json], destination: Destination, labels: Mapping[str, str]
) -> Readiness | None:
    """Count among all the EndpointSlices and Pods of a folder; None where it holds no EndpointSlice at all."""
    if not slices:
        return None
    found = service(destination.host)
    if found is None:
        return unknown(destination, NO_SERVICE)
    namespace, name = found
    own = [each for each in slices if reference(each).namespace == namespace and _has(each, {SERVICE_LABEL: name})]
    everywhere = list(pods)
    if labels and not everywhere:
        # Nobody wrote pods down: then what somebody wrote on a slice is meant for its endpoints.
        alike = [each for each in own if _has(each, labels)]
        return counted(destination, alike, {}) if alike or not own else unknown(destination, NO_PODS)
    near = (pod for pod in everywhere if reference(pod).namespace == namespace)
    return counted(destination, own, labels, selected(near, labels))


def _endpoints(each: Json) -> Iterator[Json]:
    """The endpoints of a slice that lead anywhere."""
    found = each.get("endpoints")
    for endpoint in map(_mapping, found if isinstance(found, list) else ()):
        if any(_name(endpoint)):
            yield endpoint


def _name(endpoint: Json) -> tuple[str, ...]:
    """What tells one endpoint from another: whom it leads to, or else its first address."""
    target = _mapping(endpoint.get("targetRef"))
    if target.get("uid"):
        return (str(target["uid"]),)
    if target.get("name"):
        return str(target.get("kind")), str(target.get("namespace")), str(target["name"])
    addresses = endpoint.get("addresses")
    return (str(addresses[0]),) if isinstance(addresses, list) and addresses else ()


def _pod(endpoint: Json) -> str | None:
    target = _mapping(endpoint.get("targetRef"))
    return str(target["name"]) if target.get("kind") == POD and target.get("name") else None


def _has(body: Json, labels: Mapping[str, str]) -> bool:
    """Whether an object has all of `labels`."""
    own = _mapping(_mapping(body.get("metadata")).get("labels"))
    return all(key in own and str(own[key]) == value for key, value in labels.items())


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}
