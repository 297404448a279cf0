"""Renders the difference of two views of a VirtualService into edits of its JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from remediator.traffic.hosts import Host
from remediator.traffic.patch import ABSENT, Edit, Patch, Path
from remediator.traffic.view import Destination, Route, RoutingObject
from remediator.traffic.virtualservice.reading import (
    MIRROR_PERCENT_KEYS,
    Json,
    entries,
    mapping,
    sequence,
)

_OFF = {"value": 0}


def render(body: Json, before: RoutingObject, after: RoutingObject) -> Patch:
    """The patch that takes `body`, which `before` was read from, to what `after` says.

    Only weights, destinations and mirrors may differ; the routes and their shares are the same in number.
    """
    expects: list[tuple[Path, Any]] = []
    edits: list[Edit] = []
    for old, new in zip(before.routes, after.routes, strict=True):
        if old == new:
            continue
        entry = entries(body, old.protocol)[old.index]
        path: Path = ("spec", str(old.protocol), old.index)
        expects.extend(_expected_shares(entry, path, old, new))
        edits.extend(_edited_shares(entry, path, old, new))
        expects.extend(_expected_mirrors(entry, path, old, new))
        edits.extend(_edited_mirrors(entry, path, old, new))
    return Patch(before.uid, before.resource_version, tuple(expects), tuple(edits))


def _expected_shares(entry: Json, path: Path, old: Route, new: Route) -> Iterator[tuple[Path, Any]]:
    """What was read of the shares that change: so that a reordered list is never patched at the wrong place."""
    for position, (was, now) in enumerate(zip(old.shares, new.shares, strict=True)):
        if was != now:
            item = entry["route"][position]
            yield from _expected_destination(item["destination"], (*path, "route", position, "destination"))
            if isinstance(item.get("weight"), int):
                yield (*path, "route", position, "weight"), item["weight"]


def _expected_mirrors(entry: Json, path: Path, old: Route, new: Route) -> Iterator[tuple[Path, Any]]:
    for mirror in old.mirrors:
        if mirror in new.mirrors:
            continue
        if mirror.slot is None:
            yield from _expected_destination(entry["mirror"], (*path, "mirror"))
        else:
            destination = entry["mirrors"][mirror.slot]["destination"]
            yield from _expected_destination(destination, (*path, "mirrors", mirror.slot, "destination"))


def _expected_destination(destination: Json, path: Path) -> Iterator[tuple[Path, Any]]:
    for key in ("host", "subset"):
        if isinstance(destination.get(key), str):
            yield (*path, key), destination[key]


def _edited_shares(entry: Json, path: Path, old: Route, new: Route) -> Iterator[Edit]:
    for position, (was, now) in enumerate(zip(old.shares, new.shares, strict=True)):
        item = entry["route"][position]
        if was.destination != now.destination:
            destination = (*path, "route", position, "destination")
            yield from _edited_destination(item["destination"], destination, was.destination, now.destination)
        if was.weight != now.weight:
            yield Edit((*path, "route", position, "weight"), item.get("weight", ABSENT), now.weight)


def _edited_destination(found: Json, path: Path, was: Destination, now: Destination) -> Iterator[Edit]:
    if was.host != now.host:
        yield Edit((*path, "host"), found["host"], str(Host(now.host)))
    if was.subset != now.subset:
        yield Edit((*path, "subset"), found.get("subset", ABSENT), now.subset or ABSENT)


def _edited_mirrors(entry: Json, path: Path, old: Route, new: Route) -> Iterator[Edit]:
    kept = {mirror.slot: mirror for mirror in new.mirrors}
    changed = [mirror.slot for mirror in old.mirrors if kept.get(mirror.slot) != mirror]
    slots = [slot for slot in changed if slot is not None]
    if None in changed:
        yield from _switched_off(entry, path) if None in kept else _removed_mirror(entry, path)
    if any(slot in kept for slot in slots):
        for slot in slots:
            found = mapping(entry["mirrors"][slot]).get("percentage", ABSENT)
            yield Edit((*path, "mirrors", slot, "percentage"), found, _OFF)
    elif len(slots) == len(sequence(entry.get("mirrors"))) > 0:
        yield Edit((*path, "mirrors"), entry["mirrors"], ABSENT)
    else:
        # From the last to the first: a removal moves what stands behind it.
        for slot in sorted(slots, reverse=True):
            yield Edit((*path, "mirrors", slot), entry["mirrors"][slot], ABSENT)


def _removed_mirror(entry: Json, path: Path) -> Iterator[Edit]:
    for key in ("mirror", *MIRROR_PERCENT_KEYS):
        if key in entry:
            yield Edit((*path, key), entry[key], ABSENT)


def _switched_off(entry: Json, path: Path) -> Iterator[Edit]:
    yield Edit((*path, "mirrorPercentage"), entry.get("mirrorPercentage", ABSENT), _OFF)
