"""The shape of what the API server sends. Any other is Unavailable, and never taken for an empty answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from remediator.errors import Unavailable


def event(line: bytes) -> tuple[str, dict[str, Any]]:
    """What happened, of one line of a watch, and the object that it happened to; of an ERROR the Status.

    Raises:
        Unavailable: the line is no event.
    """
    try:
        found = json.loads(line)
        kind, body = str(found["type"]), found["object"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Unavailable(f"an event that cannot be read: {line[:100]!r}") from error
    if not isinstance(body, dict):
        raise Unavailable(f"an event without an object: {line[:100]!r}")
    return kind, body


def items(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects of a page of a list.

    Raises:
        Unavailable: what is there is no list of objects; to take it for an empty one would empty the index.
    """
    found = page.get("items")
    if found is None:  # how Go writes a list that was never made
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Unavailable("the API server sent a list whose items are no objects")
    return found


def following(page: Mapping[str, Any]) -> str | None:
    """The token for the next page; None at the last. Raises Unavailable."""
    token = _metadata(page).get("continue")
    return str(token) if token else None


def name(body: Any) -> tuple[str, str]:
    """Namespace and name of an object. Raises Unavailable."""
    metadata = _metadata(body)
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def version(body: Any) -> str:
    """The resourceVersion of an object or a list. Raises Unavailable."""
    found = _metadata(body).get("resourceVersion")
    if not found:
        raise Unavailable("the API server sent an object without a resourceVersion")
    return str(found)


def _metadata(body: Any) -> Mapping[str, Any]:
    metadata = body.get("metadata") if isinstance(body, Mapping) else None
    if not isinstance(metadata, Mapping):
        raise Unavailable("the API server sent an object without metadata")
    return metadata
