"""Which images the pods behind a destination run. Pure: EndpointSlices and Pods go in as JSON.

Facts are from kubernetes api, core/v1/types.go: `imageID` of a container's status is what the runtime has pulled.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from remediator.cluster.endpoints import SERVICE_LABEL, has_labels, pods_behind, service
from remediator.cluster.inventory import reference
from remediator.records.images import Ran
from remediator.traffic.view import Destination

_PULLED: Final = re.compile(r"(?:.+)@(sha256:[0-9a-f]{64})")
"""Without a name before it, it is the digest of the image's configuration: no registry knows it by that."""
_SIDECAR: Final = "istio-proxy"
"""Is in the pods of all versions, and says nothing of any."""

Json = Mapping[str, Any]


def images(pods: Iterable[Json], names: Collection[str]) -> tuple[Ran, ...]:
    """What the containers of the pods with these names run, each once; by container and digest."""
    found = {ran for pod in pods if reference(pod).name in names for ran in _of(pod)}
    return tuple(sorted(found, key=lambda ran: (ran.container, ran.digest or "")))


def _of(pod: Json) -> Iterator[Ran]:
    statuses = {str(each.get("name")): each for each in _listed(pod, "status", "containerStatuses")}
    for container in _listed(pod, "spec", "containers"):
        name = str(container.get("name"))
        if name == _SIDECAR:
            continue
        pulled, pinned = _digest(statuses.get(name, {}).get("imageID")), _digest(container.get("image"))
        # Some runtimes tell only the image that they have pulled, and not the index of images that it is from. So of
        # what is named by a tag nobody knows by which digests it goes besides.
        told = {pinned, pulled or pinned}
        yield from (Ran(name, digest) for digest in told)


def _digest(value: object) -> str | None:
    found = _PULLED.fullmatch(value) if isinstance(value, str) else None
    return found.group(1) if found else None


def _listed(body: Json, member: str, key: str) -> list[Json]:
    part = body.get(member)
    found = part.get(key) if isinstance(part, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def images_in(
    slices: Iterable[Json], pods: Iterable[Json], destination: Destination, labels: Mapping[str, str]
) -> tuple[Ran, ...]:
    """The same among all the EndpointSlices and Pods of a folder."""
    found = service(destination.host)
    if found is None:
        return ()
    namespace, name = found
    own = (
        each for each in slices if reference(each).namespace == namespace and has_labels(each, {SERVICE_LABEL: name})
    )
    near = (pod for pod in pods if reference(pod).namespace == namespace and has_labels(pod, labels))
    return images(near, pods_behind(own))
