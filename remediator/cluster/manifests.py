"""Manifests as text: the documents of a YAML file, the routing objects in them, and one document written anew.

It reads and writes strings; files are folder.py's. What is ambiguous is refused: `errors.Unavailable` names the
file, the line and what to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import yaml

from remediator.cluster.inventory import KINDS, reference
from remediator.errors import Rejected, Unavailable
from remediator.outcome import TargetRef

API_GROUP = "networking.istio.io/"
MAX_DEPTH = 100
"""Mappings and lists within each other in one document; a VirtualService needs ten."""

_BYTE_ORDER_MARK = "\ufeff"
_LINE_REST = re.compile(r"[ \t]*#[^\r\n]*")
_EXPONENT = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+\Z")
_SHORT_BOOLEAN = re.compile(r"[yYnN]\Z")
_BOOLEAN = "tag:yaml.org,2002:bool"
_FLOAT = "tag:yaml.org,2002:float"
_NOT_JSON = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
_Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]


def _resolvers(*more: tuple[str, re.Pattern[str], str]) -> _Resolvers:
    """PyYAML's table of what plain scalars mean, and `more`: (tag, pattern, first characters)."""
    table = {first: list(known) for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    for tag, pattern, firsts in ((_FLOAT, _EXPONENT, "-+0123456789"), *more):
        for first in firsts:
            table.setdefault(first, []).append((tag, pattern))
    return table


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # libyaml's, ten times as fast
    """Reads as kubectl does where PyYAML does otherwise: a date and `=` are text, 1e3 is a number."""

    yaml_implicit_resolvers: ClassVar[_Resolvers] = {
        first: [(tag, pattern) for tag, pattern in known if tag not in _NOT_JSON]
        for first, known in _resolvers().items()
    }


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes every value out, without anchors, and quotes what any reader of YAML might not take for text."""

    yaml_implicit_resolvers = _resolvers((_BOOLEAN, _SHORT_BOOLEAN, "yYnN"))

    def ignore_aliases(self, _data: object) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document."""

    line: int
    """Its first line, counted from 1."""
    data: Any
    """What it says; None for one of comments only."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands."""

    file: str
    line: int
    """Where its document begins, counted from 1."""
    document: int
    """Which document of the file, counted from 0."""
    item: int | None = None
    """Which item of a `kind: List`, counted from 0; None for an object that is a document of its own."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + ("" if self.item is None else f", item {self.item + 1} of the list")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One VirtualService or DestinationRule."""

    ref: TargetRef
    body: dict[str, Any]
    """JSON, as written: no default is filled in."""
    place: Place


def documents(text: str, file: str) -> tuple[Document, ...]:
    """The documents of a file.

    Raises:
        Unavailable: not YAML (half-written, say), nested too deeply, or a key stands twice in one object.
    """
    loader = _Loader(text)
    found: list[Document] = []
    try:
        _refuse_depth(text, file)
        while loader.check_node():
            node = loader.get_node()
            _refuse_twins(node, file)
            found.append(Document(node.start_mark.line + 1, loader.construct_document(node)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # Of a file that ends too early the mark is behind the last line.
        line = min(mark.line + 1 if mark else 1, len(text.splitlines()))
        raise _unreadable(file, line, f"not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        raise _unreadable(file, text.count("\n", 0, error.position) + 1, f"not YAML: {error.reason}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(file, found[-1].line if found else 1, f"not YAML, here or further down: {error}") from error
    finally:
        loader.dispose()
    return tuple(found)


def manifests(found: tuple[Document, ...], file: str) -> tuple[Manifest, ...]:
    """The VirtualServices and DestinationRules of a file, `kind: List` unrolled; everything else is left out.

    Raises:
        Unavailable: what should be an object is none, has no name, or cannot be said in JSON.
    """
    return tuple(
        _manifest(data, place)
        for number, document in enumerate(found)
        for place, data in _objects(document.data, Place(file, document.line, number))
        if _is_routing(data, place)
    )


def rewrite(text: str, manifest: Manifest, body: Mapping[str, Any]) -> str:
    """`text` with `body` in the place of `manifest`; every other document stays as it is, to the byte.

    In the document itself, comments before the first key and after the last value stay, those between are lost.

    Raises:
        Rejected: the result would not say what it should. No text that PyYAML reads is known to do that.
    """
    place = manifest.place
    expected = [document.data for document in documents(text, place.file)]
    data = dict(body) if place.item is None else _with_item(expected[place.document], place.item, body)
    expected[place.document] = data
    result = _replaced(text, place.document, data)
    if [document.data for document in documents(result, place.file)] != expected:
        raise Rejected(f"{place}: {manifest.ref} cannot be written back safely. Give it a file of its own")
    return result


def _unreadable(file: str, line: int, problem: str) -> Unavailable:
    return Unavailable(
        f"{file}:{line}: {problem}. Mend the file, or wait for whoever is writing it; nothing is read until then"
    )


def _refuse_depth(text: str, file: str) -> None:
    """Deep nesting ends the process when it is composed: libyaml's binding recurses on C's stack, with no limit of
    its own (PyYAML yaml/_yaml.pyx, _compose_node). Its events come one by one."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _unreadable(file, line, f"nests deeper than {MAX_DEPTH} mappings and lists")


def _refuse_twins(root: yaml.Node, file: str) -> None:
    """YAML lets the last of two equal keys win, and a reader of the file sees the first."""
    seen: set[int] = set()
    left = [root]
    while left:
        node = left.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _refuse_twin_keys(node, file)
            left.extend(value for _, value in node.value)
        else:
            left.extend(node.value)


def _refuse_twin_keys(node: yaml.MappingNode, file: str) -> None:
    keys: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        line = key.start_mark.line + 1
        if key.value in keys:
            raise Unavailable(
                f"{file}:{line}: key {key.value!r} stands twice, first in line {keys[key.value]}."
                " Remove one; nothing is read until then"
            )
        keys[key.value] = line


def _objects(data: Any, place: Place) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """A document's objects, each with its place."""
    if data is None:
        return
    listed = isinstance(data, Mapping) and str(data.get("kind")).endswith("List")
    items = data.get("items") if listed else None
    found = [(replace(place, item=item), one) for item, one in enumerate(items)] if isinstance(items, list) else []
    for where, one in found if listed else [(place, data)]:
        if not isinstance(one, Mapping):
            raise Unavailable(f"{where}: not a Kubernetes object but {type(one).__name__}. Is the file half-written?")
        yield where, one


def _is_routing(data: Mapping[str, Any], place: Place) -> bool:
    version, kind = data.get("apiVersion"), data.get("kind")
    if kind is not None and version is not None:
        return kind in KINDS and str(version).startswith(API_GROUP)
    if kind in KINDS or version is not None:
        missing = "kind" if kind is None else "apiVersion"
        raise Unavailable(f"{place}: {missing} is missing. Add it; nothing is read until then")
    return False  # some other program's file: Helm's values, say


def _manifest(data: Mapping[str, Any], place: Place) -> Manifest:
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(metadata, Mapping) or not isinstance(name, str) or not name:
        raise Unavailable(f"{place}: {data['kind']} needs a metadata.name that is text; nothing is read until then")
    if not isinstance(metadata.get("namespace"), str | None):
        raise Unavailable(f"{place}: {data['kind']} {name}: metadata.namespace must be text. Put it in quotes")
    if not isinstance(data.get("spec"), Mapping):
        raise Unavailable(f"{place}: {data['kind']} {name} has no spec. Is the file half-written?")
    try:
        # Aliases share one value; JSON cannot, and a patch of one place must not change another.
        body = json.loads(json.dumps(data, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise Unavailable(
            f"{place}: {data['kind']} {name} cannot be said in JSON: {error}. Mend the file; nothing is read until then"
        ) from error
    return Manifest(reference(body), body, place)


def _with_item(data: Mapping[str, Any], item: int, body: Mapping[str, Any]) -> dict[str, Any]:
    items = list(data["items"])
    items[item] = dict(body)
    return {**data, "items": items}


def _replaced(text: str, document: int, data: object) -> str:
    mark = len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0
    start, end = (mark + index for index in _spans(text[mark:])[document])
    newline = "\r\n" if "\r\n" in text else "\n"
    written = yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=2**30,
        line_break=newline,
    ).rstrip("\r\n")
    line = max(mark, text.rfind("\n", 0, start) + 1)
    if text[line:start].strip(" "):
        written = newline + written  # it began on the line of its `---`, where a mapping may not
    else:
        start = line
    if text[end - 1] == "\n":
        written += newline  # a block scalar was last, and its own line break is part of it
    else:
        end += _rest_of_line(text[end:])
    return text[:start] + written + text[end:]


def _rest_of_line(tail: str) -> int:
    """A comment on the line of the last value speaks of that value, and another may come to stand there."""
    match = _LINE_REST.match(tail)
    return match.end() if match else 0


def _spans(text: str) -> list[tuple[int, int]]:
    """Where the content of each document begins and ends, in characters; without the comments around it."""
    spans: list[tuple[int, int]] = []
    begun = False
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            begun = False
        elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            first, last = (mark.index for mark in (event.start_mark, event.end_mark) if mark)
            if not begun:
                spans.append((first, last))
                begun = True
            # The end of a block collection is where the next token stands, behind the comments: no width.
            elif last > first or isinstance(event, yaml.ScalarEvent):
                spans[-1] = (spans[-1][0], max(spans[-1][1], last))
    return spans
