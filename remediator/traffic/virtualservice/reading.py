"""Reads a VirtualService's JSON into the view. Never raises: what is malformed carries no traffic here, and
`validation` says what is wrong with it.

Facts are from istio/api networking/v1alpha3/virtual_service.proto and istio/istio
pilot/pkg/networking/core/route/route.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from remediator.outcome import TargetRef
from remediator.traffic.hosts import Host, resolve
from remediator.traffic.view import Destination, Mirror, Protocol, Route, RoutingObject, Share

KIND = "VirtualService"

MIRROR_PERCENT_KEYS = ("mirrorPercentage", "mirrorPercent", "mirror_percent")
"""Every key that says how much `mirror` takes; the schema knows both spellings of the deprecated one."""

Json = Mapping[str, Any]


def read(body: Json, roots: Sequence[Json] = (), *, all_roots: bool = True) -> RoutingObject:
    """Read `body` into the view.

    Args:
        body: a VirtualService.
        roots: the VirtualServices that delegate to it. A delegate's route without a mirror inherits its
            root's, so removing one there may uncover another (istio/istio pilot/pkg/model/virtualservice.go).
        all_roots: whether there are no others; else each delegate may have one that mirrors.
    """
    metadata = mapping(body.get("metadata"))
    namespace = namespace_of(body)
    name = str(metadata.get("name") or "")
    uncovers = any(_mirrors_to_delegate(root, namespace, name) for root in roots)
    uncovers |= not all_roots and is_delegate(body)
    return RoutingObject(
        ref=TargetRef(KIND, namespace, name),
        uid=str(metadata.get("uid") or ""),
        resource_version=str(metadata.get("resourceVersion") or ""),
        routes=tuple(route for protocol in Protocol for route in _routes(body, protocol, switch_off=uncovers)),
    )


def hosts(body: Json) -> frozenset[Host]:
    """Every host that the object sends or mirrors traffic to, switched off or not."""
    found = {destination.host for route in read(body).routes for destination in route.destinations}
    return frozenset(host for host in found if host)


def delegates(body: Json) -> frozenset[tuple[str, str]]:
    """(namespace, name) of every VirtualService that this one delegates to."""
    return frozenset(_delegate(body, item) for item in entries(body, "http") if mapping(item.get("delegate")))


def namespace_of(body: Json) -> str:
    """The object's namespace, in which its short names are resolved."""
    return str(mapping(body.get("metadata")).get("namespace") or "default")


def entries(body: Json, protocol: str) -> list[Json]:
    """The routes of one protocol; something that is no object counts as an empty one, so that positions hold."""
    return [mapping(item) for item in sequence(mapping(body.get("spec")).get(protocol))]


def catches_all(entry: Json, *, delegate: bool) -> bool:
    """Whether a route takes whatever reaches it, so that Istio drops the routes behind it.

    A missing match is one; a path prefix `/` alone is another (route.go, isCatchAllRoute), but not in a delegate,
    where it is merged with the root's match. A route that delegates takes what its delegate's routes match, which
    is not known here.

    Args:
        delegate: whether the object is one, which has no hosts of its own.
    """
    if mapping(entry.get("delegate")):
        return False
    match = entry.get("match")
    return not match or (not delegate and any(_matches_everything(item) for item in sequence(match)))


def is_delegate(body: Json) -> bool:
    """Whether other VirtualServices delegate to this one: it has no hosts."""
    return not mapping(body.get("spec")).get("hosts")


def mapping(value: object) -> Json:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """`value` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else ()


def mirror_percentage(entry: Json) -> float:
    """How much of the traffic `mirror` takes, 0 to 100: the message wins over the number, absent is all."""
    for key in MIRROR_PERCENT_KEYS:
        value = entry.get(key)
        if isinstance(value, Mapping):
            return _number(value.get("value", 0))
        if value is not None:
            return _number(value)
    return 100.0


def _routes(body: Json, protocol: Protocol, *, switch_off: bool) -> Iterator[Route]:
    namespace = namespace_of(body)
    reachable = True
    for index, entry in enumerate(entries(body, protocol)):
        yield Route(
            protocol=protocol,
            index=index,
            name=str(entry["name"]) if entry.get("name") else None,
            shares=_shares(entry, namespace),
            mirrors=_mirrors(entry, namespace) if protocol is Protocol.HTTP else (),
            reachable=reachable,
            mirrors_switch_off=switch_off,
        )
        # A tls route must match by SNI, so only http and tcp routes can take everything.
        if protocol is not Protocol.TLS and catches_all(entry, delegate=is_delegate(body)):
            reachable = False


def _shares(entry: Json, namespace: str) -> tuple[Share, ...]:
    route = sequence(entry.get("route"))
    alone = len(route) == 1
    return tuple(
        Share(_destination(mapping(item).get("destination"), namespace), _weight(mapping(item), alone=alone))
        for item in route
    )


def _weight(item: Json, *, alone: bool) -> int:
    """The effective weight: an only destination gets everything, whatever its weight; else missing is 0."""
    weight = item.get("weight")
    if isinstance(weight, bool) or not isinstance(weight, int) or weight <= 0:
        return 100 if alone else 0
    return weight


def _mirrors(entry: Json, namespace: str) -> tuple[Mirror, ...]:
    if entry.get("redirect") or entry.get("directResponse"):
        return ()
    found = []
    if mapping(entry.get("mirror")):
        found.append(Mirror(_destination(entry["mirror"], namespace), mirror_percentage(entry), None))
    for slot, item in enumerate(sequence(entry.get("mirrors"))):
        percentage = mapping(item).get("percentage")
        amount = _number(percentage.get("value", 0)) if isinstance(percentage, Mapping) else 100.0
        found.append(Mirror(_destination(mapping(item).get("destination"), namespace), amount, slot))
    return tuple(found)


def _destination(value: object, namespace: str) -> Destination:
    destination = mapping(value)
    host, subset = destination.get("host"), destination.get("subset")
    port = mapping(destination.get("port")).get("number")
    return Destination(
        host=resolve(host, namespace) if isinstance(host, str) else Host(""),
        subset=subset if isinstance(subset, str) and subset else None,
        port=port if isinstance(port, int) else None,
    )


def _delegate(body: Json, entry: Json) -> tuple[str, str]:
    delegate = mapping(entry.get("delegate"))
    return str(delegate.get("namespace") or namespace_of(body)), str(delegate.get("name") or "")


def _mirrors_to_delegate(root: Json, namespace: str, name: str) -> bool:
    return any(
        _delegate(root, entry) == (namespace, name) and (entry.get("mirror") or entry.get("mirrors"))
        for entry in entries(root, "http")
        if entry.get("delegate")
    )


def _matches_everything(match: object) -> bool:
    conditions = {key: value for key, value in mapping(match).items() if key not in ("name", "ignoreUriCase")}
    return not conditions or conditions == {"uri": {"prefix": "/"}}


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 100.0
    return float(value)
