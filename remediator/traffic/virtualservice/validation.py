"""What Istio's webhook would refuse in a VirtualService, so far as routing is concerned.

The webhook may be absent or set to ignore failures, so the rules are checked here as well
(istio/istio pkg/config/validation/validation.go and virtualservice.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from remediator.traffic.virtualservice.reading import Json, mapping, sequence

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ACTIONS = ("route", "redirect", "directResponse", "delegate")
_CONFLICTS = (
    ("redirect", "route"),
    ("redirect", "fault"),
    ("redirect", "rewrite"),
    ("redirect", "directResponse"),
    ("directResponse", "route"),
    ("directResponse", "fault"),
    ("directResponse", "rewrite"),
    ("delegate", "route"),
    ("delegate", "redirect"),
    ("mirror", "mirrors"),
)


def faults(body: Json) -> tuple[str, ...]:
    """Every reason for which Istio would refuse `body`, each with its path. Empty: none."""
    return tuple(_faults(mapping(body.get("spec"))))


def _faults(spec: Json) -> Iterator[str]:
    if not any(spec.get(protocol) for protocol in ("http", "tls", "tcp")):
        yield "spec: one of http, tls and tcp is needed"
    for protocol in ("http", "tls", "tcp"):
        if spec.get(protocol) is not None and not isinstance(spec[protocol], list):
            yield f"spec.{protocol}: must be a list"
    yield from _delegate_faults(spec)
    for index, entry in enumerate(sequence(spec.get("http"))):
        yield from _http_faults(entry, f"spec.http[{index}]")
    for protocol in ("tls", "tcp"):
        for index, entry in enumerate(sequence(spec.get(protocol))):
            yield from _stream_faults(entry, f"spec.{protocol}[{index}]", needs_match=protocol == "tls")


def _delegate_faults(spec: Json) -> Iterator[str]:
    hosts = sequence(spec.get("hosts"))
    if len(set(map(str, hosts))) != len(hosts):
        yield "spec.hosts: a host is named twice"
    if hosts:
        return
    for key in ("gateways", "tls", "tcp"):
        if spec.get(key):
            yield f"spec.{key}: not allowed in a delegate, which has no hosts"
    for index, entry in enumerate(sequence(spec.get("http"))):
        if mapping(entry).get("delegate"):
            yield f"spec.http[{index}].delegate: a delegate may not delegate further"


def _http_faults(entry: object, path: str) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f"{path}: is null or no object"
        return
    if not any(entry.get(key) for key in _ACTIONS):
        yield f"{path}: one of {', '.join(_ACTIONS)} is needed"
    for one, other in _CONFLICTS:
        if entry.get(one) and entry.get(other):
            yield f"{path}: {one} and {other} exclude each other"
    yield from _route_faults(entry.get("route"), f"{path}.route")
    yield from _mirror_faults(entry, path)


def _stream_faults(entry: object, path: str, *, needs_match: bool) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f"{path}: is null or no object"
        return
    if not entry.get("route"):
        yield f"{path}.route: is needed"
    matches = sequence(entry.get("match"))
    if needs_match and not (matches and all(mapping(match).get("sniHosts") for match in matches)):
        yield f"{path}.match: sniHosts are needed"
    yield from _route_faults(entry.get("route"), f"{path}.route")


def _route_faults(route: object, path: str) -> Iterator[str]:
    if route is not None and not isinstance(route, list):
        yield f"{path}: must be a list"
    items = sequence(route)
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            yield f"{path}[{index}]: is null or no object"
            continue
        yield from _destination_faults(item.get("destination"), f"{path}[{index}].destination")
        yield from _weight_faults(item.get("weight"), f"{path}[{index}].weight")
    if len(items) > 1 and sum(_weight(item) for item in items) == 0:
        yield f"{path}: the total weight is 0"


def _weight_faults(weight: object, path: str) -> Iterator[str]:
    if weight is None:
        return
    if isinstance(weight, bool) or not isinstance(weight, int):
        yield f"{path}: must be a whole number"
    elif weight < 0:
        yield f"{path}: {weight} is below 0"


def _weight(item: object) -> int:
    weight = mapping(item).get("weight")
    return weight if isinstance(weight, int) and weight > 0 else 0


def _destination_faults(destination: object, path: str) -> Iterator[str]:
    if not isinstance(destination, Mapping):
        yield f"{path}: is missing"
        return
    host, subset = destination.get("host"), destination.get("subset")
    if not isinstance(host, str) or not host or host == "*":
        yield f"{path}.host: must name one host"
    if subset and not (isinstance(subset, str) and _LABEL.fullmatch(subset)):
        yield f"{path}.subset: must be a DNS label"
    port = mapping(destination.get("port")).get("number")
    if port is not None and not (isinstance(port, int) and 1 <= port <= 65535):
        yield f"{path}.port.number: must be 1 to 65535"


def _mirror_faults(entry: Json, path: str) -> Iterator[str]:
    if entry.get("mirror") is not None:
        yield from _destination_faults(entry["mirror"], f"{path}.mirror")
    for key in ("mirrorPercent", "mirror_percent"):
        yield from _percentage_faults(entry.get(key), f"{path}.{key}")
    percentage = mapping(entry.get("mirrorPercentage"))
    yield from _percentage_faults(percentage.get("value"), f"{path}.mirrorPercentage.value")
    for index, item in enumerate(sequence(entry.get("mirrors"))):
        where = f"{path}.mirrors[{index}]"
        yield from _destination_faults(mapping(item).get("destination"), f"{where}.destination")
        amount: Any = mapping(mapping(item).get("percentage")).get("value")
        yield from _percentage_faults(amount, f"{where}.percentage.value")


def _percentage_faults(value: object, path: str) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        yield f"{path}: must be 0 to 100"
