"""What a VirtualService says that does not mean what it looks like: said by `plan` and `explain`."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.traffic.view import Advice
from remediator.traffic.virtualservice.reading import Json, catches_all, entries, mapping, sequence

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
    for index, entry in enumerate(entries(body, protocol)):
        path = f"spec.{protocol}[{index}]"
        yield from _unknown_keys(entry, path, _HTTP_KEYS if protocol == "http" else _STREAM_KEYS)
        yield from _lone_weight(entry, path)
        if taker is not None:
            yield _unreachable(path, f"spec.{protocol}[{taker}]")
        elif protocol != "tls" and catches_all(entry):
            taker = index


def _unknown_keys(entry: Json, path: str, known: frozenset[str]) -> Iterator[Advice]:
    for key in entry:
        if key == "weight":
            yield Advice(
                f"{path}.weight",
                "`weight` is no field of a route: the API server drops it without a word, and the route takes "
                "everything that reaches it.",
                "Write one route with both destinations, each with its `weight` beside its `destination`: "
                + _joined_form(entry),
            )
        elif key not in known:
            yield Advice(
                f"{path}.{key}",
                f"`{key}` is no field of a route: the API server drops it without a word.",
                "Remove it, or use the field's camelCase name if that is what was meant.",
            )


def _joined_form(entry: Json) -> str:
    shown = []
    for item in sequence(entry.get("route")):
        destination = mapping(mapping(item).get("destination"))
        inner = ", ".join(f"{key}: {destination[key]}" for key in ("host", "subset") if destination.get(key))
        shown.append(f"{{destination: {{{inner}}}, weight: {entry.get('weight')}}}")
    return f"`route: [{', '.join([*shown, '…'])}]`."


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
        f"{taker} has no match, so it takes everything; Istio drops the routes behind it, and this one gets no "
        "traffic.",
        "Give the earlier route a match, or make one route of both with weights.",
    )
