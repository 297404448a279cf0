"""Manifests as text: the documents of a YAML file, and the objects in them that this program reads.

It reads strings; files are folder.py's. What is ambiguous is refused: `errors.Unavailable` names the file, the line
and what to do. How such a text is changed, is in edits.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import yaml

from remediator.cluster.endpoints import ENDPOINT_SLICE, POD
from remediator.cluster.inventory import KINDS, NAMESPACE, reference
from remediator.errors import Unavailable
from remediator.outcome import TargetRef
from remediator.owners import CANARY, FLAGGER_GROUP, ROLLOUT, ROLLOUTS_GROUP
from remediator.records import pauses
from remediator.records.model import GROUP, KIND

MAX_DEPTH = 100
"""Mappings and lists within each other in one document; a VirtualService needs ten."""
_TOO_DEEP: Final = f"nests deeper than {MAX_DEPTH} mappings and lists"

_GROUPS: Final = {
    **dict.fromkeys(KINDS, "networking.istio.io"),
    KIND: GROUP,
    pauses.KIND: GROUP,
    NAMESPACE: "",
    CANARY: FLAGGER_GROUP,
    ROLLOUT: ROLLOUTS_GROUP,
    ENDPOINT_SLICE: "discovery.k8s.io",
    POD: "",
}
"""The kinds that are read, each of its API group (empty: the core group); objects of any other are ignored."""

_WITHOUT_SPEC: Final = (pauses.KIND, NAMESPACE, ENDPOINT_SLICE, POD)
"""Kinds of which an object may have none, or none that is read: a Pause holds all the same."""

_EXPONENT = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+\Z")
_FLOAT = "tag:yaml.org,2002:float"
_NOT_JSON = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]


def resolvers(*more: tuple[str, re.Pattern[str], str]) -> Resolvers:
    """PyYAML's table of what plain scalars mean, 1e3 a number, and `more`: (tag, pattern, first characters)."""
    table = {first: list(known) for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    for tag, pattern, firsts in ((_FLOAT, _EXPONENT, "-+0123456789"), *more):
        for first in firsts:
            table.setdefault(first, []).append((tag, pattern))
    return table


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # libyaml's, ten times as fast
    """Reads as kubectl does where PyYAML does otherwise: a date and `=` are text, 1e3 is a number."""

    yaml_implicit_resolvers: ClassVar[Resolvers] = {
        first: [(tag, pattern) for tag, pattern in known if tag not in _NOT_JSON]
        for first, known in resolvers().items()
    }


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
    """One object of a kind that is read: VirtualService, DestinationRule, Remediation, Pause, Namespace, Canary,
    Rollout, EndpointSlice or Pod."""

    ref: TargetRef
    body: dict[str, Any]
    """JSON, as written: no default is filled in."""
    place: Place


def documents(text: str, file: str) -> tuple[Document, ...]:
    """The documents of a file.

    Raises:
        Unavailable: not YAML (half-written, say), nested too deeply, or a key stands twice in one object.
    """
    loader = Loader(text)
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
        raise _unreadable(file, line, _problem(error)) from error
    except yaml.reader.ReaderError as error:
        raise _unreadable(file, text.count("\n", 0, error.position) + 1, f"not YAML: {error.reason}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(file, found[-1].line if found else 1, f"not YAML, here or further down: {error}") from error
    finally:
        loader.dispose()
    return tuple(found)


def _problem(error: yaml.MarkedYAMLError) -> str:
    # libyaml has a limit of its own for flow collections since 0.2.6, and meets it as it reads ahead.
    if "maximum nesting depth" in str(error.problem):
        return _TOO_DEEP
    return f"not YAML: {error.problem}"


def manifests(found: tuple[Document, ...], file: str) -> tuple[Manifest, ...]:
    """The objects of a file that are of a kind that is read, `kind: List` unrolled; everything else is left out.

    Raises:
        Unavailable: what should be an object is none, has no name, or cannot be said in JSON.
    """
    return tuple(
        _manifest(data, place)
        for number, document in enumerate(found)
        for place, data in _objects(document.data, Place(file, document.line, number))
        if _is_ours(data, place)
    )


def _unreadable(file: str, line: int, problem: str) -> Unavailable:
    return Unavailable(
        f"{file}:{line}: {problem}. Mend the file, or wait for whoever is writing it; nothing is read until then"
    )


def _refuse_depth(text: str, file: str) -> None:
    """Deep nesting ends the process when it is composed: libyaml's binding recurses on C's stack, with no limit of
    its own (PyYAML yaml/_yaml.pyx, _compose_node). Its events come one by one."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _unreadable(file, line, _TOO_DEEP)


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


def _is_ours(data: Mapping[str, Any], place: Place) -> bool:
    version, kind = data.get("apiVersion"), data.get("kind")
    if kind is not None and version is not None:
        return kind in _GROUPS and str(version).rpartition("/")[0] == _GROUPS[kind]
    if kind in _GROUPS or version is not None:
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
    if data["kind"] not in _WITHOUT_SPEC and not isinstance(data.get("spec"), Mapping):
        raise Unavailable(f"{place}: {data['kind']} {name} has no spec. Is the file half-written?")
    try:
        # Aliases share one value; JSON cannot, and a patch of one place must not change another.
        body = json.loads(json.dumps(data, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise Unavailable(
            f"{place}: {data['kind']} {name} cannot be said in JSON: {error}. Mend the file; nothing is read until then"
        ) from error
    return Manifest(reference(body), body, place)
