"""How the text of a YAML file is changed: one object written anew or taken out, and the text of a new file.

Every other document stays as it is, to the byte. It makes strings; files are writer.py's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

import yaml

from remediator.cluster.manifests import Loader, Manifest, Resolvers, documents, resolvers
from remediator.errors import Rejected, Unavailable

_BYTE_ORDER_MARK = "\ufeff"
_LINE_REST = re.compile(r"[ \t]*#[^\r\n]*")
_SHORT_BOOLEAN = re.compile(r"[yYnN]\Z")
_BOOLEAN = "tag:yaml.org,2002:bool"
_TEXT = "tag:yaml.org,2002:str"
_LINES = re.compile(r"[^\s\x85\u2028\u2029][^\r\x85\u2028\u2029]*(?<!\s)\n?\Z")
"""Text that keeps its meaning line by line below a `|`: breaks of other kinds are read as \\n, blank ends are lost."""


class _Plain(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes every value out, without anchors, and quotes what any reader of YAML might not take for text."""

    yaml_implicit_resolvers: ClassVar[Resolvers] = resolvers((_BOOLEAN, _SHORT_BOOLEAN, "yYnN"))

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: Any, data: str) -> Any:
    return dumper.represent_scalar(_TEXT, data, style="|" if "\n" in data and _LINES.match(data) else None)


class _Readable(_Plain):
    """Text of many lines stands line by line, as a person writes it."""

    yaml_representers: ClassVar[dict[Any, Any]] = {**yaml.SafeDumper.yaml_representers, str: _text}


_DUMPERS: tuple[type[_Plain], ...] = (_Readable, _Plain)
"""The second is for where the first would be misread: an indented comment below text line by line is text, too."""


def rewrite(text: str, manifest: Manifest, body: Mapping[str, Any]) -> str:
    """`text` with `body` in the place of `manifest`; every other document stays as it is, to the byte.

    In the document itself, comments before the first key and after the last value stay, those between are lost.

    Raises:
        Rejected: the result would not say what it should. No text that PyYAML reads is known to do that.
    """
    place = manifest.place
    listed = None if place.item is None else _said(text, place.file)[place.document]
    return _replaced(text, manifest, dict(body) if listed is None else _with_items(listed, place.item, (body,)))


def without(text: str, manifest: Manifest) -> str:
    """`text` without `manifest`; empty if nothing else is said there.

    With its document goes all from the `---` above it to that of the next: its comments too.

    Raises:
        Rejected: as `rewrite`.
    """
    place = manifest.place
    said = _said(text, place.file)
    if place.item is not None and len(said[place.document]["items"]) > 1:
        return _replaced(text, manifest, _with_items(said[place.document], place.item, ()))
    del said[place.document]
    if all(data is None for data in said):
        return ""
    return _first_that_says(said, (_cut(text, place.document),), manifest)


def alone(manifest: Manifest) -> str:
    """The text of a file with `manifest` in it, and nothing else.

    Raises:
        Rejected: as `rewrite`.
    """
    attempts = (_dumped(manifest.body, dumper, "\n") + "\n" for dumper in _DUMPERS)
    return _first_that_says([manifest.body], attempts, manifest)


def as_json(body: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in JSON's own types. Half a surrogate pair, which no file can say, becomes U+FFFD, as in Go."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False)
    result: dict[str, Any] = json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return result


def _with_items(listed: Mapping[str, Any], item: int | None, bodies: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """The list with `bodies` in the place of that item."""
    return {**listed, "items": [*listed["items"][:item], *map(dict, bodies), *listed["items"][(item or 0) + 1 :]]}


def _replaced(text: str, manifest: Manifest, data: Mapping[str, Any]) -> str:
    number = manifest.place.document
    expected = _said(text, manifest.place.file)
    expected[number] = data
    return _first_that_says(expected, (_with_document(text, number, data, dumper) for dumper in _DUMPERS), manifest)


def _first_that_says(expected: list[Any], attempts: Iterable[str], manifest: Manifest) -> str:
    """What was written is read again before anybody relies on it."""
    for attempt in attempts:
        with suppress(Unavailable):  # it would not even be YAML
            if _said(attempt, manifest.place.file) == expected:
                return attempt
    raise Rejected(f"{manifest.place}: {manifest.ref} cannot be written back safely. Give it a file of its own")


def _said(text: str, file: str) -> list[Any]:
    return [document.data for document in documents(text, file)]


def _dumped(data: object, dumper: type[_Plain], newline: str) -> str:
    text: str = yaml.dump(
        data,
        Dumper=dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=2**30,
        line_break=newline,
    )
    return text.rstrip("\r\n")


def _with_document(text: str, document: int, data: object, dumper: type[_Plain]) -> str:
    mark = _mark(text)
    start, end = (mark + index for index in _spans(text[mark:])[document])
    newline = _newline(text)
    written = _dumped(data, dumper, newline)
    line = max(mark, _line(text, start))
    if text[line:start].strip(" "):
        written = newline + written  # it began on the line of its `---`, where a mapping may not
    else:
        start = line
    if text[end - 1] == "\n":
        written += newline  # a block scalar was last, and its own line break is part of it
    else:
        end += _rest_of_line(text[end:])
    return text[:start] + written + text[end:]


def _cut(text: str, document: int) -> str:
    """`text` without the lines from the one on which the document begins to the one on which the next does."""
    mark = _mark(text)
    starts = [
        max(mark, _line(text, mark + event.start_mark.index))
        for event in yaml.parse(text[mark:], Loader=Loader)
        if isinstance(event, yaml.DocumentStartEvent) and event.start_mark
    ]
    return text[: starts[document]] + text[[*starts, len(text)][document + 1] :]


def _mark(text: str) -> int:
    return len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _line(text: str, index: int) -> int:
    """Where the line begins that `index` is on."""
    return text.rfind("\n", 0, index) + 1


def _rest_of_line(tail: str) -> int:
    """A comment on the line of the last value speaks of that value, and another may come to stand there."""
    match = _LINE_REST.match(tail)
    return match.end() if match else 0


def _spans(text: str) -> list[tuple[int, int]]:
    """Where the content of each document begins and ends, in characters; without the comments around it."""
    spans: list[tuple[int, int]] = []
    begun = False
    for event in yaml.parse(text, Loader=Loader):
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
