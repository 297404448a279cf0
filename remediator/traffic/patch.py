"""Edits of a JSON document, the JSON Patch that makes them, and the way back.

An edit names one place, what stood there and what shall stand there; so the patch, its inverse, and what a
person reads all come from the same value. JSON Patch is RFC 6902, pointers RFC 6901.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

Operation = dict[str, Any]
Path = tuple[str | int, ...]


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent.ABSENT
"""Stands for `there is nothing here`, which null is not."""


def pointer(path: Path) -> str:
    """Write a path as a JSON Pointer.

    >>> pointer(("metadata", "annotations", "a/b~c", 0))
    '/metadata/annotations/a~1b~0c/0'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


@dataclass(frozen=True, slots=True)
class Edit:
    """One change at one place. Removing from or inserting into a list moves what stands behind."""

    path: Path
    before: Any
    after: Any

    @property
    def inverse(self) -> Edit:
        """The edit that takes this one back."""
        return Edit(self.path, self.after, self.before)

    @property
    def operation(self) -> Operation:
        """The JSON Patch operation. `add` sets a member of an object whether it is there or not."""
        if self.after is ABSENT:
            return {"op": "remove", "path": pointer(self.path)}
        operation = "add" if self.before is ABSENT else "replace"
        return {"op": operation, "path": pointer(self.path), "value": self.after}


@dataclass(frozen=True, slots=True)
class Patch:
    """Edits in the order they are made, and what must hold for them to be right."""

    uid: str
    resource_version: str
    expects: tuple[tuple[Path, Any], ...]
    """Scalars that were read and must still stand where they stood."""
    edits: tuple[Edit, ...]

    @property
    def operations(self) -> list[Operation]:
        """The JSON Patch for the API server, preconditions first.

        A `replace` of the resourceVersion answers 409 where the object has moved; a `test` would answer 422, as
        an admission or schema failure does (kubernetes apiserver, handlers/patch.go).
        """
        return [
            {"op": "test", "path": "/metadata/uid", "value": self.uid},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": self.resource_version},
            *({"op": "test", "path": pointer(path), "value": value} for path, value in self.expects),
            *(edit.operation for edit in self.edits),
        ]

    def applied(self, body: dict[str, Any]) -> dict[str, Any]:
        """A copy of `body` with the edits made."""
        return apply(body, self.edits)

    @property
    def undo(self) -> tuple[Edit, ...]:
        """The edits that restore what was, in the order to make them."""
        return tuple(edit.inverse for edit in reversed(self.edits))


def apply(body: dict[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    """Make `edits` on a copy of `body`.

    Raises:
        LookupError: a path leads nowhere, or what stands there is not what the edit says.
    """
    result = copy.deepcopy(body)
    for edit in edits:
        parent: Any = result
        for part in edit.path[:-1]:
            parent = parent[part]
        _apply_one(parent, edit)
    return result


def _apply_one(parent: Any, edit: Edit) -> None:
    last = edit.path[-1]
    if isinstance(parent, list) and edit.before is ABSENT:
        parent.insert(int(last), copy.deepcopy(edit.after))
        return
    found = parent[last] if edit.before is not ABSENT else parent.get(last, ABSENT)
    if found != edit.before:
        raise LookupError(f"{pointer(edit.path)} is {found!r}, not {edit.before!r}")
    if edit.after is ABSENT:
        del parent[last]
    else:
        parent[last] = copy.deepcopy(edit.after)
