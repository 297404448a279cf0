"""Where a VirtualService says which route this is: what must still stand before an edit made there is taken back."""

from __future__ import annotations

from remediator.traffic.patch import Path
from remediator.traffic.virtualservice.reading import MIRROR_PERCENT_KEYS, Json, entries

_NAMES = {"http": ("name", "match"), "tls": ("match",), "tcp": ("match",)}
_TARGETS = ("route", "delegate")
MIRRORS = ("mirror", *MIRROR_PERCENT_KEYS, "mirrors")
"""Every field of a route that speaks of mirrors."""


def identity(body: Json, path: Path) -> tuple[Path, ...]:
    """The places in `body` whose values an edit at `path` relies on; at some of them nothing may stand.

    They tell the route from others (`name`, `match`, where it leads), and what the edited value is relative to:
    weights to the whole `route`, a mirror to every field that speaks of mirrors, since one replaces another; the
    weights beside a mirror may have moved on.
    Where a second route is the same in all of this, only the whole list tells which is which. Empty for a path
    outside the routes.

    >>> identity({"spec": {"tcp": [{"route": []}]}}, ("spec", "tcp", 0, "route", 1, "weight"))
    (('spec', 'tcp', 0, 'match'), ('spec', 'tcp', 0, 'route'))
    """
    match path:
        case "spec", str(protocol), int(index), str(field), *_ if protocol in _NAMES:
            routes = entries(body, protocol)
        case _:
            return ()
    targets = [key for key in _TARGETS if key in routes[index]]
    mirrors = MIRRORS if field in MIRRORS else ()
    keys = (*_NAMES[protocol], *targets, *mirrors)
    alike = [all(route.get(key) == routes[index].get(key) for key in keys) for route in routes]
    route: Path = ("spec", protocol, index)
    places = [
        place for key in keys for place in _places(routes[index], key, weighed=field not in MIRRORS, within=route)
    ]
    return (*places, ("spec", protocol)) if alike.count(True) > 1 else tuple(places)


def _places(route: Json, key: str, *, weighed: bool, within: Path) -> tuple[Path, ...]:
    """Where `key` of a route is looked at: all of it; of weighted destinations without the weights, if they say so."""
    if key != "route" or weighed:
        return ((*within, key),)
    return tuple((*within, key, position, "destination") for position in range(len(route[key])))
