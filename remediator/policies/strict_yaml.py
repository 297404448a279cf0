"""YAML without its traps: what a person wrote is what it means, or it is a fault.

Scalars are read as in YAML 1.2's core schema: `yes`, `on` and `17:00` are text, not a boolean or a number of
seconds. Duplicate keys, tags, aliases that multiply and templates that were not rendered are faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from remediator.errors import Fault

MAX_NODES = 20_000
"""Values in one document, aliases counted as often as they are used."""
MAX_DEPTH = 30
"""Mappings and lists within each other."""


_TAG = "tag:yaml.org,2002:"
# https://yaml.org/spec/1.2.2/#103-core-schema; octal and hexadecimal numbers are left out: nothing here wants one.
_CORE = (
    ("null", re.compile(r"^(?:null|Null|NULL|~|)$"), ("n", "N", "~", "")),
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), tuple("tTfF")),
    ("int", re.compile(r"^[-+]?[0-9]{1,18}$"), tuple("-+0123456789")),
    ("float", re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"), tuple("-+.0123456789")),
)


class _Loader(yaml.SafeLoader):
    """Composes nodes, and resolves plain scalars as YAML 1.2 does."""

    # By the first character, as PyYAML keeps them.
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own attribute
        char: [(_TAG + name, pattern) for name, pattern, firsts in _CORE if char in firsts]
        for char in {first for _, _, firsts in _CORE for first in firsts}
    }


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a kind of file may hold. The defaults are for policies."""

    nodes: int = MAX_NODES
    templates: bool = False
    """Whether a quoted text may hold `{{ … }}`: Prometheus expands it itself, and promtool writes histograms so."""
    merges: bool = False
    """Whether `<<: *common` takes over what `common` says (yaml.org/type/merge), as Prometheus and Alertmanager do."""


POLICY = Allowed()


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file, as plain values: dict, tuple, str, int, float, bool and None."""

    number: int
    """Counted from 1."""
    value: object
    faults: tuple[Fault, ...]
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    """By dotted key, such as `spec.matchers[0]`: where it stands in the file, counted from 1."""


def read_documents(text: str, file: str, allowed: Allowed = POLICY) -> Iterator[Document]:
    """Every document of `text` that is not empty. What YAML cannot read ends the file with a fault."""
    number = 1
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                break
            document = _Reader(file, number, allowed).read(node)
            if document.value is not None or document.faults:
                yield document
            number += 1
    except yaml.YAMLError as error:
        unrendered = None if allowed.templates else _unrendered(text)
        yield Document(number, None, (Fault(file, number, "", *(unrendered or _syntax(error))),))
    except RecursionError:
        fault = Fault(file, number, "", f"nests deeper than {MAX_DEPTH} levels", "a policy needs five")
        yield Document(number, None, (fault,))


class _Reader:
    """Turns the nodes of one document into plain values, and notes the faults on the way. One use only."""

    def __init__(self, file: str, number: int, allowed: Allowed) -> None:
        self._file = file
        self._number = number
        self._allowed = allowed
        self._nodes = 0
        self._lines: dict[str, int] = {}
        self._faults: list[Fault] = []

    def read(self, node: yaml.Node) -> Document:
        """The document under `node`; its value means nothing if there are faults."""
        value = self._value(node, "", 0)
        return Document(self._number, value, tuple(self._faults), self._lines)

    def _value(self, node: yaml.Node, key: str, depth: int) -> object:
        self._nodes += 1
        if self._nodes > self._allowed.nodes or depth > MAX_DEPTH:
            self._too_much(key, depth)
            return None
        # A key's own line, where it has one: a value may begin below it.
        self._lines.setdefault(key, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, key, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return tuple(self._value(item, f"{key}[{i}]", depth + 1) for i, item in enumerate(node.value))
        if isinstance(node, yaml.ScalarNode) and node.tag.removeprefix(_TAG) in _SCALARS:
            return self._scalar(node, key)
        self._fault(key, node, f"the tag {_short(node.tag)} is not allowed", "write plain values")
        return None

    def _mapping(self, node: yaml.MappingNode, key: str, depth: int) -> dict[str, object]:
        result: dict[str, object] = {}
        lines: dict[str, int] = {}
        for name_node, value_node in self._merged(node) if self._allowed.merges else node.value:
            name = name_node.value
            if _is_template(node) or _is_template(name_node):
                self._fault(key, name_node, *(_QUOTE if self._allowed.templates else _RENDER))
                continue
            if not isinstance(name_node, yaml.ScalarNode) or not isinstance(name, str):
                self._fault(key, name_node, "a key is not text", "write `key: value`")
                continue
            below = f"{key}.{printable(name)}" if key else printable(name)
            line = name_node.start_mark.line + 1
            if name in result:
                self._fault(below, name_node, f"stands twice, in line {lines[name]} too", "keep one of the two")
            self._lines[below] = line
            result[name] = self._value(value_node, below, depth + 1)
            lines[name] = line
        return result

    def _merged(self, node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
        """The pairs of a mapping: its own, and those of the mappings that it merges, of which the first one wins."""
        pairs = [pair for pair in node.value if pair[0].value != "<<"]
        own = {str(name.value) for name, _ in pairs}
        for name, value in node.value:
            if name.value != "<<":
                continue
            sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in sources:
                self._nodes += 1
                if not isinstance(source, yaml.MappingNode):
                    self._fault("<<", source, "only mappings can be merged", "write <<: *name, of a mapping &name")
                elif self._nodes <= self._allowed.nodes:
                    new = [pair for pair in self._merged(source) if str(pair[0].value) not in own]
                    pairs += new
                    own |= {str(pair[0].value) for pair in new}
        return pairs

    def _scalar(self, node: yaml.ScalarNode, key: str) -> object:
        if not self._allowed.templates and _holds_template(node.value):
            self._fault(key, node, *_RENDER)
            return None
        try:
            return _SCALARS[node.tag.removeprefix(_TAG)](node.value)
        except ValueError:
            self._fault(key, node, f"the tag {_short(node.tag)} does not fit", "remove the tag")
            return None

    def _too_much(self, key: str, depth: int) -> None:
        # Once is enough: thousands of values may follow.
        if self._faults and self._faults[-1].message.startswith("too "):
            return
        if depth > MAX_DEPTH:
            self._faults.append(Fault(self._file, self._number, key[:80], f"too deep: over {MAX_DEPTH} levels"))
        else:
            hint = "an alias counts as often as it is used"
            self._faults.append(
                Fault(self._file, self._number, "", f"too large: over {self._allowed.nodes} values", hint)
            )

    def _fault(self, key: str, node: yaml.Node, message: str, hint: str) -> None:
        where = f"line {node.start_mark.line + 1}: {message}"
        self._faults.append(Fault(self._file, self._number, key, where, hint))


_SCALARS: dict[str, Callable[[str], object]] = {
    "str": str,
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": float,
}


# No name, glob, matcher or number of a policy holds two braces.
_RENDER = "{{ … }} is not a value", "this looks like a Helm template; render it first"
_QUOTE = "{{ … }} is not a value", "put the whole text in quotes"


def _holds_template(text: str) -> bool:
    start = text.find("{{")
    return start >= 0 and text.find("}}", start) >= 0


def _is_template(node: yaml.Node) -> bool:
    """Whether YAML took `{{ … }}` for a mapping whose key is a mapping."""
    if not isinstance(node, yaml.MappingNode) or not node.flow_style or len(node.value) != 1:
        return False
    key = node.value[0][0]
    return isinstance(key, yaml.MappingNode) and bool(key.flow_style)


def _unrendered(text: str) -> tuple[str, str] | None:
    """What is wrong with a file that is not YAML, if that is because it has yet to be rendered."""
    lines = (number for number, line in enumerate(text.splitlines(), 1) if _holds_template(line.partition("#")[0]))
    number = next(lines, None)
    return None if number is None else (f"not YAML: line {number}: {_RENDER[0]}", _RENDER[1])


def printable(key: str) -> str:
    """A key as it may stand in a fault: short, and without what a terminal obeys."""
    shown = key if len(key) <= 80 else key[:80] + "…"
    return shown if shown.isprintable() else ascii(shown)


def _short(tag: str) -> str:
    return tag.replace(_TAG, "!!")[:80]


def _syntax(error: yaml.YAMLError) -> tuple[str, str]:
    """What is wrong with a file that is not YAML, and what to do."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"not YAML: {str(error).splitlines()[0]}", "save the file as plain UTF-8 text"
    problem = f"{error.problem}" if isinstance(error, yaml.MarkedYAMLError) else "malformed"
    hints = {
        "'\\t'": "indent with spaces",
        "mapping values": "quote a text that holds a colon and a space",
        "that cannot start": "quote the text",
        "undefined alias": "quote a text that starts with *",
    }
    hint = next((hint for words, hint in hints.items() if words in problem), "check the indentation and the quotes")
    return f"not YAML: line {mark.line + 1}, column {mark.column + 1}: {problem}", hint
