"""Who changed the routes of a VirtualService last, and when, by its managedFields. Never raises: what is malformed
tells nothing.

Kubernetes notes for each writer which fields it owns, and when it last changed anything
(kubernetes apimachinery, pkg/apis/meta/v1/types.go, ManagedFieldsEntry). `spec.http`, `tls` and `tcp` are owned as a
whole, so whoever changes one route of a list owns them all, and who had owned them does no longer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from remediator.traffic.stamp import OWN_MANAGER
from remediator.traffic.view import Protocol, RouteChange
from remediator.traffic.virtualservice.reading import Json, mapping, sequence


def last_change(body: Json) -> RouteChange | None:
    """The last change of the routes by anybody but this program, as far as is known; it may have been earlier.

    An owner of the routes that changes something else, a label say, has a newer time from then on. Only of an object
    whose spec was never changed (generation 1) it is certain: its routes are as old as it is.

    None: nobody else is known to own routes. They were last written by this program, or the object comes from
    a file, without managedFields.
    """
    metadata = mapping(body.get("metadata"))
    entries = sequence(metadata.get("managedFields"))
    if not entries:
        return None
    found = [change for entry in entries if (change := _change(mapping(entry)))]
    created = _time(metadata.get("creationTimestamp"))
    if created and metadata.get("generation") == 1:
        writers = {change.by for change in found}
        return RouteChange(created, writers.pop() if len(writers) == 1 else "")
    return max(found, key=lambda change: (change.at, change.by), default=None)


def _change(entry: Json) -> RouteChange | None:
    """What one entry says of the routes; None if it says nothing of them, or is our own."""
    manager, at = entry.get("manager"), _time(entry.get("time"))
    if at is None or not isinstance(manager, str) or manager == OWN_MANAGER:
        return None
    if entry.get("subresource") == "status" or not any(_owned(entry)):
        return None
    # Thousands of objects have the same few writers.
    return RouteChange(at, sys.intern(manager))


def _owned(entry: Json) -> Iterator[bool]:
    """For each list of routes, whether the entry owns any of it."""
    spec = mapping(mapping(entry.get("fieldsV1")).get("f:spec"))
    return (f"f:{protocol}" in spec for protocol in Protocol)


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found.astimezone(UTC) if found and found.tzinfo else None
    except (ValueError, OverflowError):  # no time at all; or none in UTC, at the ends of the calendar
        return None
