"""Files of expected objects: read, compared with what came, and rewritten."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from remediator.cluster.manifests import documents
from remediator.errors import InputError, Unavailable
from remediator.testing.model import Json
from remediator.testing.results import Difference, Golden, Ran
from remediator.traffic.stamp import ANNOTATION

_CONTEXT_LINES = 3


def comparable(body: Json) -> Json:
    """An object without the annotation that names the record: that name depends on alert, policy and object."""
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(annotations, dict) or ANNOTATION not in annotations:
        return body
    left = {key: value for key, value in annotations.items() if key != ANNOTATION}
    rest = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**body, "metadata": rest | ({"annotations": left} if left else {})}


def read_golden(path: Path, kind: object) -> Json | None:
    """The object of this kind in a file; None: there is no such file.

    Raises:
        InputError: it cannot be read, or holds something else than one such object, which `--update` must not replace.
    """
    try:
        found = [each.data for each in documents(path.read_text(encoding="utf-8"), str(path)) if each.data is not None]
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, Unavailable) as error:
        raise InputError(f"objectFile: {path} cannot be read: {error}") from error
    if len(found) != 1 or not isinstance(found[0], dict):
        raise InputError(f"objectFile: {path} must hold one object, and nothing else")
    if found[0].get("kind") != kind:
        raise InputError(f"objectFile: {path} holds a {found[0].get('kind')}, and no {kind}; is it the right file?")
    return found[0]


def golden_for(path: Path, body: Json) -> Golden:
    """What a file would have to say; the comments at its top stay."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        lines = []
    top = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return Golden(path, "".join(lines[:top]) + written(comparable(body)))


def update(results: Iterable[Ran]) -> tuple[Ran, ...]:
    """Rewrite the files of every test to which nothing else than its files was wrong; the results as they are then.

    Raises:
        InputError: a test could not be run, two tests want a file to say different things, or a file cannot be
            written. In the first two cases nothing is.
    """
    found = tuple(results)
    if any(each.error for each in found):
        raise InputError("nothing was rewritten, because a test could not be run; see what is wrong with it first")
    wanted: dict[Path, str] = {}
    for golden in (golden for each in found for golden in _rewritable(each)):
        if wanted.setdefault(golden.path, golden.text) != golden.text:
            raise InputError(f"nothing was rewritten: two tests want {golden.path} to say different things")
    for path, text in wanted.items():
        _write(path, text)
    return tuple(_not_rewritten(each.having(golden.path for golden in _rewritable(each))) for each in found)


def _not_rewritten(ran: Ran) -> Ran:
    """The same, with a word at each file that was left as it is."""
    told = (f"not rewritten: of {ran.test.origin.name} something else differs as well",)
    differences = tuple(replace(each, detail=told) if each.golden else each for each in ran.differences)
    return replace(ran, differences=differences)


def _rewritable(ran: Ran) -> Iterator[Golden]:
    """The files of a test, if nothing else is wrong with it: what came may not be what is meant."""
    if all(each.golden for each in ran.differences):
        yield from (each.golden for each in ran.differences if each.golden)


def _write(path: Path, text: str) -> None:
    """In one piece: whoever reads meanwhile sees the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


def object_difference(about: str, expected: Json | None, actual: Json, golden: Golden | None) -> Difference | None:
    """How two whole objects differ, as a unified diff of their YAML; None: they do not.

    Args:
        expected: None: the file that should have it is not there.
    """
    what = f"object ({golden.path})" if golden else "object"
    if expected is None:
        return Difference(about, what, "a file", "not there; --update writes it", (), golden)
    before, after = comparable(expected), comparable(actual)
    if before == after:
        return None
    lines = unified(written(before), written(_in_order_of(after, before)))
    return Difference(about, what, "what stands there", "another", lines, golden)


def unified(expected: str, actual: str) -> tuple[str, ...]:
    """The unified diff of two texts."""
    before, after = expected.splitlines(), actual.splitlines()
    return tuple(difflib.unified_diff(before, after, "expected", "actual", n=_CONTEXT_LINES, lineterm=""))


def _in_order_of(value: Any, other: Any) -> Any:
    """`value` with its keys in the order of `other`, which means nothing in an object and much in a diff."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        keys = [*(key for key in other if key in value), *(key for key in value if key not in other)]
        return {key: _in_order_of(value[key], other.get(key)) for key in keys}
    if isinstance(value, list) and isinstance(other, list):
        return [_in_order_of(each, other[n] if n < len(other) else None) for n, each in enumerate(value)]
    return value


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: object) -> bool:
        return True


def written(value: object) -> str:
    """A value as YAML."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**30)
    return text
