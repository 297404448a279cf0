"""Which kinds of traffic a patch takes away: told by the places that it edits."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.policies.model import Action
from remediator.traffic.patch import Operation
from remediator.traffic.virtualservice.identity import MIRRORS


def taken(operations: Iterable[Operation]) -> frozenset[Action]:
    """The actions that the edits of a patch are; a policy may ask for more than an object has. Empty: for none.

    >>> taken([{"op": "remove", "path": "/spec/http/0/mirror"}])
    frozenset({<Action.REMOVE_MIRRORS: 'RemoveMirrors'>})
    """
    return frozenset(
        Action.REMOVE_MIRRORS if field in MIRRORS else Action.REVERT_TO_STABLE
        for operation in operations
        if operation["op"] != "test" and (field := _field(str(operation["path"])))
    )


def _field(pointer: str) -> str:
    """The field of a route that a JSON Pointer leads into; empty where it leads elsewhere."""
    match pointer.split("/"):
        case "", "spec", _, _, field, *_:
            return field
    return ""
