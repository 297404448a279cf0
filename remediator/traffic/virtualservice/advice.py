"""What a VirtualService says that does not mean what it looks like: said by `plan` and `explain`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from remediator.traffic.view import Advice
from remediator.traffic.virtualservice.reading import Json, catches_all, entries, is_delegate, mapping, sequence

_HTTP_KEYS = frozenset(
    (
        *("name", "match", "route", "redirect", "directResponse", "delegate"),
        *("rewrite", "timeout", "retries", "fault", "corsPolicy", "headers"),
        *("mirror", "mirrors", "mirrorPercent", "mirror_percent", "mirrorPercentage"),
    )
)
_STREAM_KEYS = frozenset(("match", "route"))


def warnings(body: Json) -> tuple[Advice, ...]:
    """What a reader of `body` may misunderstand, in the order of the routes."""
    return tuple(warning for protocol in ("http", "tls", "tcp") for warning in _protocol_warnings(body, protocol))


def _protocol_warnings(body: Json, protocol: str) -> Iterator[Advice]:
    taker: int | None = None
    listed = entries(body, protocol)
    for index, entry in enumerate(listed):
        path = f"spec.{protocol}[{index}]"
        if "weight" in entry:
            yield _weight_beside_route(path, listed)
        yield from _unknown_keys(entry, path, _HTTP_KEYS if protocol == "http" else _STREAM_KEYS)
        yield from _lone_weight(entry, path)
        if taker is not None:
            yield _unreachable(path, f"spec.{protocol}[{taker}]")
        elif protocol != "tls" and catches_all(entry, delegate=is_delegate(body)):
            taker = index


def _unknown_keys(entry: Json, path: str, known: frozenset[str]) -> Iterator[Advice]:
    for key in entry:
        if key != "weight" and key not in known:
            yield Advice(
                f"{path}.{key}",
                f"`{key}` is no field of a route: the API server drops it without a word.",
                "Remove it, or use the field's camelCase name if that is what was meant.",
            )


def _weight_beside_route(path: str, listed: Sequence[Json]) -> Advice:
    """The right form is one route of all destinations that were meant to share."""
    meant = [
        _weighted(mapping(item), entry["weight"])
        for entry in listed
        if "weight" in entry
        for item in sequence(entry.get("route"))
    ]
    return Advice(
        f"{path}.weight",
        "`weight` is no field of a route: the API server drops it without a word, and the route takes everything that "
        "reaches it.",
        f"Write one route with a weight beside each destination: `route: [{', '.join(meant)}]`.",
    )


def _weighted(item: Json, weight: object) -> str:
    destination = mapping(item.get("destination"))
    inner = ", ".join(f"{key}: {destination[key]}" for key in ("host", "subset") if destination.get(key))
    return f"{{destination: {{{inner}}}, weight: {weight}}}"


def _lone_weight(entry: Json, path: str) -> Iterator[Advice]:
    route = sequence(entry.get("route"))
    if len(route) == 1 and mapping(route[0]).get("weight") not in (None, 100):
        yield Advice(
            f"{path}.route[0].weight",
            f"a route's only destination gets all of its traffic; weight {mapping(route[0])['weight']} says nothing.",
            "Add the destination that shall get the rest.",
        )


def _unreachable(path: str, taker: str) -> Advice:
    return Advice(
        path,
        f"{taker} takes everything that reaches it; Istio drops the routes behind it, and this one gets no traffic.",
        "Give the earlier route a match, or make one route of both with weights.",
    )
