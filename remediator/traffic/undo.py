"""The way back: the inverse of a patch, which puts back what was changed, and only while nobody else has changed it.

The undo is a JSON Patch that stands by itself: the object's uid, what we left there, then the inverse edits. A person
can give it to `kubectl patch --type=json`; the service makes it a `Patch` for the object as it now is. There is no
resourceVersion in it, since the object may have moved on in other places.

The API server's `test` with the value null holds where nothing stands, so long as what would hold it is there
(evanphx/json-patch, patch.go); the same is so here.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from remediator.traffic import virtualservice
from remediator.traffic.patch import ABSENT, Edit, Operation, Patch, Path, apply, pointer
from remediator.traffic.plan import Plan
from remediator.traffic.stamp import ANNOTATION, stamp_of
from remediator.traffic.view import RoutingObject

_UID = pointer(("metadata", "uid"))
_ANNOTATIONS: Path = ("metadata", "annotations")
_STAMP: Path = (*_ANNOTATIONS, ANNOTATION)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something is no longer as we left it."""

    path: str
    """JSON Pointer."""
    expected: Any
    """What we left there; ABSENT: nothing."""
    found: Any
    """What stands there; ABSENT: nothing."""

    def __str__(self) -> str:
        return f"{self.path}: was left {_left(self.expected)}, and is now {_json(self.found)}"


def make(body: Mapping[str, Any], patch: Patch) -> tuple[Operation, ...]:
    """The JSON Patch that takes `patch` back, preconditions first.

    Args:
        body: what `patch` was made for.
        patch: stamped with the remediation's name (stamp.py).
    """
    left = patch.applied(dict(body))
    places = dict.fromkeys(_places(left, patch))
    tests = [_test(path, _look(left, path)) for path in places]
    inverse = [edit.operation for edit in patch.undo if not _is_stamp(edit)]
    name, previous = stamp_of(left), stamp_of(body)
    if name is not None and name != previous:
        tests.insert(0, _test(_STAMP, name))
        inverse.append(Edit(_STAMP, name, ABSENT if previous is None else previous).operation)
    return ({"op": "test", "path": _UID, "value": patch.uid}, *tests, *inverse)


def differences(undo: Sequence[Operation], live: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Which of the preconditions of `undo` do not hold in `live`, each at the deepest place that tells.

    Empty: it is safe to undo. The annotation is none of them: a later remediation may have written its own name.
    """
    found: dict[str, Difference] = {}
    for path, expected in _tests(undo):
        for difference in _compared(path, expected, live):
            found.setdefault(difference.path, difference)
    # Where a route is gone, it says nothing that nothing of it is there.
    telling = [each for each in found.values() if (each.expected, each.found) != (ABSENT, ABSENT)] or found.values()
    return tuple(each for each in telling if not any(each.path.startswith(f"{other.path}/") for other in telling))


def is_undone(undo: Sequence[Operation], live: Mapping[str, Any]) -> bool:
    """Whether all that `undo` would restore stands in `live` already, among what it stood among.

    So it is if a person put it back by hand, or an undo was made whose answer never came. The annotation does not
    matter.
    """
    edits = [operation for operation in undo if operation["path"] != pointer(_STAMP)]
    try:
        left = _as_left(undo, live)
        return apply(left, _edits(edits, left)) == live
    except LookupError:
        return False


def patch(undo: Sequence[Operation], live: Mapping[str, Any]) -> Patch:
    """`undo` as a patch for `live`, at its uid and resourceVersion.

    The annotation goes back to what it was if it still names the remediation that is undone. Only our key ever goes:
    beside it there may be annotations that the index does not show (cluster/inventory.py, lean), and an empty object
    of annotations Kubernetes drops by itself.

    Raises:
        LookupError: something is no longer as we left it (`differences` says what), or `undo` changes what no
            remediation changes: somebody else wrote it.
    """
    wrong = differences(undo, live)
    if wrong:
        raise LookupError("; ".join(map(str, wrong)))
    edits = _edits(undo, live)
    strange = [edit for edit in edits if not _is_stamp(edit) and not virtualservice.identity(dict(live), edit.path)]
    if strange:
        raise LookupError(f"{pointer(strange[0].path)}: is no part of a route, and no remediation changes it")
    metadata = live["metadata"]
    expects = (
        (typed, _look(live, typed))
        for typed in (_typed(path, live) for path, value in _tests(undo) if isinstance(value, str | int | float))
        if pointer(typed) != _UID
    )
    return Patch(str(metadata["uid"]), str(metadata["resourceVersion"]), tuple(expects), edits)


def described(before: RoutingObject, after: RoutingObject) -> tuple[str, ...]:
    """What an undo changes, as a person reads it: `http[0]: reviews.shop subset v2 weight 0 → 10`."""
    lines: list[str] = []
    for old, new in zip(before.routes, after.routes, strict=True):
        was, now = (replace(before, routes=(replace(route, mirrors=()),)) for route in (old, new))
        lines += Plan(was, now, ()).changes
        # Their positions in a list move where one comes back before them.
        there = Counter((mirror.destination, mirror.percentage) for mirror in old.mirrors)
        for mirror in new.mirrors:
            if there[mirror.destination, mirror.percentage] > 0:
                there[mirror.destination, mirror.percentage] -= 1
            else:
                lines.append(f"{new}: mirror to {mirror.destination} ({mirror.percentage:g} %) restored")
    return tuple(lines)


def _places(left: Mapping[str, Any], patch: Patch) -> Iterator[Path]:
    """Every place whose value must still be the one in `left`."""
    edits = [edit for edit in patch.edits if not _is_stamp(edit)]
    # What stands in a list that has lost or got an element has moved: the list is looked at as a whole.
    shifted = {edit.path[:-1] for edit in edits if isinstance(edit.path[-1], int)}
    for edit in edits:
        yield from virtualservice.identity(left, edit.path)
        lengths = range(len(edit.path))
        yield next((edit.path[:length] for length in lengths if edit.path[:length] in shifted), edit.path)


def _is_stamp(edit: Edit) -> bool:
    return edit.path[:2] == _ANNOTATIONS


def _test(path: Path, value: Any) -> Operation:
    return {"op": "test", "path": pointer(path), "value": None if value is ABSENT else copy.deepcopy(value)}


def _tests(undo: Sequence[Operation]) -> Iterator[tuple[Path, Any]]:
    """The preconditions besides the annotation: place and value, ABSENT for null."""
    for operation in undo:
        if operation["op"] == "test" and operation["path"] != pointer(_STAMP):
            value = operation.get("value")
            yield _parts(operation["path"]), ABSENT if value is None else value


def _compared(path: Path, expected: Any, live: Mapping[str, Any]) -> Iterator[Difference]:
    found = _look(live, path)
    if expected is not ABSENT:
        yield from _drilled(path, expected, found)
    elif found not in (ABSENT, None) or not isinstance(_look(live, path[:-1]), Mapping):
        yield Difference(pointer(path), expected, found)


def _drilled(path: Path, expected: Any, found: Any) -> Iterator[Difference]:
    """Where two values differ: members and elements, unless one is of another kind or length."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in {**expected, **found}:
            yield from _drilled((*path, key), expected.get(key, ABSENT), found.get(key, ABSENT))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _drilled((*path, index), one, other)
    # To Python, True is 1.
    elif expected != found or isinstance(expected, bool) is not isinstance(found, bool):
        yield Difference(pointer(path), expected, found)


def _as_left(undo: Sequence[Operation], live: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `live` in which every precondition of `undo` holds. Raises LookupError where one has no place."""
    left = dict(live)
    for path, value in _tests(undo):
        if any(_compared(path, value, left)):
            found = _look(left, path)
            if found is ABSENT and not isinstance(_look(left, path[:-1]), Mapping):
                raise LookupError(f"{pointer(path)}: there is nothing that could hold it")
            left = apply(left, [Edit(_typed(path, left), found, value)])
    return left


def _edits(undo: Sequence[Operation], live: Mapping[str, Any]) -> tuple[Edit, ...]:
    """The edits of `undo`, each with what it finds in its turn. Raises LookupError where one has no place."""
    state, edits = dict(live), []
    for operation in undo:
        edit = None if operation["op"] == "test" else _edit(operation, undo, state)
        if edit is not None:
            state = apply(state, [edit])
            edits.append(edit)
    return tuple(edits)


def _edit(operation: Operation, undo: Sequence[Operation], state: Mapping[str, Any]) -> Edit | None:
    """The edit that `operation` is in `state`; None for the annotation of another remediation, which stays."""
    if operation["path"] == pointer(_STAMP):
        own = (test.get("value") for test in undo if (test["op"], test["path"]) == ("test", operation["path"]))
        if stamp_of(state) not in own:
            return None
    *place, last = _parts(operation["path"])
    parent, found = _look(state, tuple(place)), _look(state, (*place, last))
    in_list = isinstance(parent, list) and str(last).isdecimal()
    fits = (in_list or isinstance(parent, Mapping)) if operation["op"] == "add" else found is not ABSENT
    if not fits or operation["op"] not in ("add", "remove", "replace"):
        raise LookupError(f"{operation['path']}: there is no place for the {operation['op']} of an undo")
    inserts = in_list and operation["op"] == "add"
    after = ABSENT if operation["op"] == "remove" else operation.get("value")
    return Edit(_typed((*place, last), state), ABSENT if inserts else found, after)


def _parts(text: str) -> Path:
    """The parts of a JSON Pointer, all as text: which are positions, only a document tells."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def _typed(path: Path, document: Mapping[str, Any]) -> Path:
    """`path` with numbers for the positions in lists of `document`."""
    parts = enumerate(path)
    return tuple(int(part) if isinstance(_look(document, path[:depth]), list) else part for depth, part in parts)


def _look(document: Any, path: Path) -> Any:
    """What stands at `path`; ABSENT where nothing does."""
    for part in path:
        if isinstance(document, Mapping):
            document = document.get(part, ABSENT)
        elif isinstance(document, list) and str(part).isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            return ABSENT
    return document


def _left(value: Any) -> str:
    return "absent" if value is ABSENT else f"as {_json(value)}"


def _json(value: Any) -> str:
    return "absent" if value is ABSENT else json.dumps(value, ensure_ascii=False)
