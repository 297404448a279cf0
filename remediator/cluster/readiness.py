"""Asks the API server how many endpoints of a destination are ready, and what their pods run: when it is needed, for
nothing watches them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from remediator.cluster import answers
from remediator.cluster.call import PODS
from remediator.cluster.discovery import Discovery
from remediator.cluster.endpoints import (
    ENDPOINT_SLICE,
    NO_SERVICE,
    SERVICE_LABEL,
    counted,
    pods_behind,
    pods_wanted,
    selected,
    selector,
    service,
    unknown,
)
from remediator.cluster.failures import Unserved
from remediator.cluster.images import images
from remediator.cluster.rest import JSON, Rest
from remediator.cluster.watch import PAGE_SIZE
from remediator.errors import Forbidden
from remediator.guards.stable_ready import Readiness
from remediator.records.images import Ran
from remediator.traffic.view import Destination

_MOST_PODS: Final = 3
"""Of a service that is a suspect as a whole: its pods are all alike."""
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""A pod has kilobytes, and what is asked for are names."""


def readiness(rest: Rest, discovery: Discovery, destination: Destination, labels: Mapping[str, str]) -> Readiness:
    """Count the endpoints of `destination` that `labels` select.

    Raises:
        Retriable.
    """
    found = service(destination.host)
    if found is None:
        return unknown(destination, NO_SERVICE)
    namespace, name = found
    try:
        slices = _slices(rest, discovery, namespace, name)
        wanted = pods_wanted(slices, labels)
        pods = selected(pods_with(rest, namespace, labels), labels) if wanted else frozenset[str]()
    except Forbidden as error:
        return unknown(destination, f"no permission to {error.verb} {error.resource} in {namespace}")
    return counted(destination, slices, labels, pods)


def images_behind(
    rest: Rest, discovery: Discovery, destination: Destination, labels: Mapping[str, str]
) -> tuple[Ran, ...]:
    """What the pods behind `destination` run that have these labels; without any labels the first few are looked at.

    Nothing where the host is no Kubernetes service, or where the permission is missing.

    Raises:
        Retriable.
    """
    found = service(destination.host)
    if found is None:
        return ()
    namespace, name = found
    try:
        names = pods_behind(_slices(rest, discovery, namespace, name))
        queries = _whole_pods(names, labels)
        pods = [pod for query in queries for pod in _listed(rest, PODS.path(namespace), query)]
    except Forbidden:
        return ()
    ran = images(pods, names)
    return (*ran, Ran("", None)) if not labels and len(names) > _MOST_PODS else ran


def _whole_pods(names: Iterable[str], labels: Mapping[str, str]) -> list[dict[str, str]]:
    """The queries that list these pods: with labels those that have them, and else one by one, which takes no more
    permission."""
    if not labels:
        return [{"fieldSelector": f"metadata.name={name}"} for name in sorted(names)[:_MOST_PODS]]
    chosen = selector(labels)
    return [] if chosen is None else [{"labelSelector": chosen, "resourceVersion": "0"}]


def _slices(rest: Rest, discovery: Discovery, namespace: str, name: str) -> list[dict[str, Any]]:
    path = discovery.resource(ENDPOINT_SLICE).path(namespace)
    try:
        return _listed(rest, path, {"labelSelector": f"{SERVICE_LABEL}={name}", "limit": str(PAGE_SIZE)})
    except Unserved:
        discovery.forget(ENDPOINT_SLICE)  # v1beta1 goes with Kubernetes 1.25
        raise


def pods_with(rest: Rest, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The metadata of the pods that have these labels: as the server's cache has them, which spares etcd.

    Raises:
        Forbidden, Retriable.
    """
    chosen = selector(labels)
    if chosen is None:
        return []
    query = {"labelSelector": chosen, "resourceVersion": "0"}
    return _listed(rest, PODS.path(namespace), query, accept=_METADATA_ONLY)


def _listed(rest: Rest, path: str, query: Mapping[str, str], *, accept: str = JSON) -> list[dict[str, Any]]:
    """Every object, page by page."""
    page = rest.get(path, query, accept=accept)
    found = answers.items(page)
    # The token says of itself what it goes on from; a resourceVersion beside it is refused.
    further = {key: value for key, value in query.items() if key != "resourceVersion"}
    while token := answers.following(page):
        page = rest.get(path, {**further, "continue": token}, accept=accept)
        found += answers.items(page)
    return found
