"""Generated VirtualServices: http, tls and tcp routes, odd weights, mirrors in every form, several subsets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.builders import destination, destination_rule, virtual_service, when

Json = dict[str, Any]

# Subset names are not versions: what a subset is, the DestinationRule says.
SUBSETS = {"blue": "v1", "green": "v2", "red": "v3", "amber": "v2"}
RULE = destination_rule(**SUBSETS)
GREEN = frozenset(name for name, version in SUBSETS.items() if version == "v2")

subset = st.sampled_from(sorted(SUBSETS))
percentage = st.one_of(
    st.just({}),
    st.builds(lambda value: {"mirrorPercentage": {"value": value}}, st.floats(0, 100)),
    st.builds(lambda value: {"mirrorPercent": value}, st.integers(0, 100)),
    st.builds(lambda value: {"mirror_percent": value}, st.integers(0, 100)),
)


@st.composite
def routes(draw: st.DrawFn) -> list[Json]:
    """A valid list of weighted destinations, one to four."""
    chosen = draw(st.lists(subset, min_size=1, max_size=4))
    weights = draw(st.lists(st.one_of(st.none(), st.integers(0, 500)), min_size=len(chosen), max_size=len(chosen)))
    if len(chosen) > 1 and not any(weights):
        weights[draw(st.integers(0, len(chosen) - 1))] = draw(st.integers(1, 500))
    extra = draw(st.sampled_from([{}, {"headers": {"request": {"set": {"x-route": "1"}}}}]))
    return [
        {"destination": destination(name, port=draw(st.sampled_from([None, 8080])))}
        | ({} if weight is None else {"weight": weight})
        | extra
        for name, weight in zip(chosen, weights, strict=True)
    ]


@st.composite
def mirrors(draw: st.DrawFn) -> Json:
    """Mirror fields of an http entry: none, the single one, or the list."""
    form = draw(st.sampled_from(["none", "mirror", "mirrors"]))
    if form == "none":
        return draw(percentage)
    if form == "mirror":
        return {"mirror": destination(draw(subset))} | draw(percentage)
    items = draw(st.lists(st.tuples(subset, st.one_of(st.none(), st.floats(0, 100))), max_size=4))
    return {
        "mirrors": [
            {"destination": destination(name)} | ({} if value is None else {"percentage": {"value": value}})
            for name, value in items
        ]
    }


@st.composite
def http_entries(draw: st.DrawFn) -> list[Json]:
    """Entries with matches, and perhaps one without, which takes the rest."""
    entries = []
    for number in range(draw(st.integers(1, 4))):
        extra = draw(st.sampled_from([{}, {"timeout": "5s"}, {"retries": {"attempts": 3, "perTryTimeout": "1s"}}]))
        action = {"delegate": {"name": "other"}} if draw(st.integers(0, 5)) == 0 else {"route": draw(routes())}
        entry = action | draw(mirrors()) | extra
        entries.append(when(f"kind-{number}", **entry) if draw(st.booleans()) else entry)
    return entries


@st.composite
def virtual_services(draw: st.DrawFn) -> Json:
    """A valid VirtualService."""
    tls = [
        {"match": [{"port": 443, "sniHosts": ["reviews"]}], "route": draw(routes())}
        for _ in range(draw(st.integers(0, 2)))
    ]
    tcp = [{"match": [{"port": 9000 + number}], "route": draw(routes())} for number in range(draw(st.integers(0, 2)))]
    body = virtual_service(*draw(http_entries()))
    body["spec"] |= ({"tls": tls} if tls else {}) | ({"tcp": tcp} if tcp else {})
    return body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def spoil(body: Json, data: st.DataObject) -> None:
    """Put any JSON value in any place of the object's spec."""
    path = data.draw(st.sampled_from(list(_places(body["spec"], ("spec",)))))
    parent: Any = body
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = data.draw(json_values)


def _places(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _places(inner, (*path, key))
