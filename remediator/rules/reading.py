"""From the text of a file to rules: PrometheusRule objects, lists of them, and plain rule files.

What the operator's CustomResourceDefinition or Prometheus would refuse is a fault, and all faults are told at once
(prometheus/prometheus model/rulefmt/rulefmt.go; prometheus-operator, monitoring.coreos.com_prometheusrules.yaml).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeGuard

from remediator.errors import Fault
from remediator.policies.fields import found, nearest
from remediator.policies.mistake import Mistake, shown
from remediator.policies.quantities import parse_duration
from remediator.policies.strict_yaml import Allowed, Document, printable, read_documents
from remediator.rules.model import NO_TIME, AlertingRule, RecordingRule, Rule, RuleFile, RuleGroup

ALLOWED = Allowed(nodes=500_000, templates=True, merges=True)
"""The shipped rules have about 700 values. A file that multiplies by its aliases ends here."""

_GROUP_KEYS = (
    "name", "interval", "rules", "labels", "limit", "query_offset", "evaluation_delay", "partial_response_strategy",
)  # fmt: skip
_RECORDING_KEYS = ("record", "expr", "labels")
_ALERTING_KEYS = ("alert", "expr", "for", "keep_firing_for", "labels", "annotations")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one file says, and all that is wrong with it."""

    files: tuple[RuleFile, ...]
    """One for each object; rules with a fault are left out."""
    faults: tuple[Fault, ...]


def read_rules(text: str, file: str) -> Reading:
    """Read a rule file.

    Args:
        text: YAML, of one document or more.
        file: its path, for faults and findings.
    """
    files: list[RuleFile] = []
    faults: list[Fault] = []
    for document in read_documents(text, file, ALLOWED):
        place = Place(file, document, faults)
        faults += document.faults
        if not document.faults:
            files += _objects(place, document.value, "")
    if not files and not faults:
        faults.append(Fault(file, 1, "", "no rules in it", "give a PrometheusRule, or a file with `groups:`"))
    return Reading(tuple(files), tuple(faults))


@dataclass(frozen=True, slots=True)
class Place:
    """A document that is read: notes faults with the line in which they stand, and checks the types of values."""

    file: str
    document: Document
    faults: list[Fault] = field(default_factory=list)

    def line(self, key: str) -> int:
        """The line of a dotted key, counted from 1; 0 if it is not there."""
        return self.document.lines.get(key, 0)

    def fault(self, key: str, message: str, hint: str = "") -> None:
        """Note one."""
        line = self.line(key)
        where = f"line {line}: " if line else ""
        self.faults.append(Fault(self.file, self.document.number, key, where + message, hint))

    def mapping(self, value: object, key: str) -> Mapping[str, object]:
        """`value` if it is a mapping; else it is noted, and the answer empty."""
        if isinstance(value, Mapping):
            return value
        self.fault(key, f"expected a mapping, found {found(value)}", "write `key: value` lines below it")
        return {}

    def items(self, value: object, key: str) -> Iterator[tuple[str, object]]:
        """The items of a list, each with its dotted key; nothing of what is none, which is noted."""
        if not isinstance(value, tuple):
            self.fault(key, f"expected a list, found {found(value)}", "write it as lines that start with -")
            return
        yield from ((f"{key}[{number}]", item) for number, item in enumerate(value))

    def text(self, value: object, key: str) -> str:
        """`value` if it is text; else it is noted, and the answer empty."""
        if isinstance(value, str):
            return value
        self.fault(key, f"expected text, found {found(value)}", "put it in quotes")
        return ""

    def texts(self, value: object, key: str) -> dict[str, str]:
        """A mapping from text to text, such as labels. None counts as empty."""
        given = {} if value is None else self.mapping(value, key)
        return {name: self.text(each, below(key, name)) for name, each in given.items()}

    def duration(self, value: object, key: str) -> timedelta:
        """A duration in Prometheus' syntax. None counts as none."""
        if value is None or value == 0:
            return NO_TIME
        try:
            return parse_duration(value) if isinstance(value, str) else parse_duration(str(value))
        except Mistake as mistake:
            self.fault(key, mistake.message, mistake.hint)
            return NO_TIME

    def known(self, given: Mapping[str, object], key: str, keys: tuple[str, ...]) -> None:
        """Note every key that is not one of `keys`."""
        for name in given:
            if name not in keys:
                self.fault(below(key, name), "unknown key", nearest(name[:80], list(keys)))


def below(key: str, name: str) -> str:
    """The dotted key of `name` in the mapping at `key`."""
    return f"{key}.{printable(name)}" if key else printable(name)


def _objects(place: Place, value: object, key: str) -> Iterator[RuleFile]:
    """The rule files in a document, or in an item of a list at `key`."""
    body = place.mapping(value, key)
    kind = body.get("kind")
    if isinstance(kind, str) and kind.endswith("List"):
        for item_key, item in place.items(body.get("items", ()), below(key, "items")):
            yield from _objects(place, item, item_key)
    elif kind == "PrometheusRule":
        yield _prometheus_rule(place, body, key)
    elif kind is not None:
        place.fault(below(key, "kind"), f"{shown(str(kind))} holds no rules", "give objects of kind PrometheusRule")
    elif "groups" in body:
        place.known(body, key, ("groups",))
        yield RuleFile(place.file, _groups(place, body["groups"], below(key, "groups")), file=place.file)
    elif body:
        place.fault(key, "neither a PrometheusRule nor a rule file", "a rule file has `groups:` at its top")


def _prometheus_rule(place: Place, body: Mapping[str, object], key: str) -> RuleFile:
    metadata_key, spec_key = below(key, "metadata"), below(key, "spec")
    metadata = place.mapping(body.get("metadata", {}), metadata_key)
    spec = place.mapping(body.get("spec", {}), spec_key)
    place.known(spec, spec_key, ("groups",))
    return RuleFile(
        name=place.text(metadata.get("name", ""), below(metadata_key, "name")),
        groups=_groups(place, spec.get("groups", ()), below(spec_key, "groups")),
        labels=place.texts(metadata.get("labels"), below(metadata_key, "labels")),
        file=place.file,
    )


def _groups(place: Place, value: object, key: str) -> tuple[RuleGroup, ...]:
    groups: list[RuleGroup] = []
    for group_key, each in place.items(value, key):
        group = _group(place, place.mapping(each, group_key), group_key)
        if group.name and group.name in {other.name for other in groups}:
            place.fault(group_key, f"a group {shown(group.name)} is there already", "give each group its own name")
        groups.append(group)
    return tuple(groups)


def _group(place: Place, group: Mapping[str, object], key: str) -> RuleGroup:
    place.known(group, key, _GROUP_KEYS)
    name = group.get("name", "")
    if name == "":
        place.fault(key, "a group needs a name", "write `name:`")
    common = place.texts(group.get("labels"), below(key, "labels"))
    items = place.items(group.get("rules", ()), below(key, "rules"))
    interval = place.duration(group.get("interval"), below(key, "interval"))
    return RuleGroup(
        name=place.text(name, below(key, "name")),
        rules=tuple(rule for item_key, item in items if (rule := _rule(place, item, item_key, common))),
        interval=interval or None,
    )


def _rule(place: Place, value: object, key: str, common: Mapping[str, str]) -> Rule | None:
    """The rule at `key`; None if it has a fault. `common` are the group's labels, over which the rule's own win."""
    before = len(place.faults)
    body = place.mapping(value, key)
    labels = dict(common) | place.texts(body.get("labels"), below(key, "labels"))
    expr = _expr(place, body, key)
    rule: Rule | None = None
    if _is_one(body, "alert", "record"):
        place.known(body, key, _ALERTING_KEYS)
        rule = _alerting(place, body, key, AlertingRule("", expr, labels=labels, line=place.line(key)))
    elif _is_one(body, "record", "alert"):
        place.known(body, key, _RECORDING_KEYS)
        record = place.text(body["record"], below(key, "record"))
        rule = RecordingRule(record, expr, labels, place.line(key))
    elif isinstance(value, Mapping):
        place.fault(key, "a rule has either `alert` or `record`", "write one of the two")
    return rule if len(place.faults) == before else None


def _is_one(body: Mapping[str, object], key: str, other: str) -> bool:
    return bool(body.get(key)) and other not in body


def _alerting(place: Place, body: Mapping[str, object], key: str, begun: AlertingRule) -> AlertingRule:
    return AlertingRule(
        alert=place.text(body["alert"], below(key, "alert")),
        expr=begun.expr,
        wait=place.duration(body.get("for"), below(key, "for")),
        keep_firing=place.duration(body.get("keep_firing_for"), below(key, "keep_firing_for")),
        labels=begun.labels,
        annotations=place.texts(body.get("annotations"), below(key, "annotations")),
        line=begun.line,
    )


def _expr(place: Place, body: Mapping[str, object], key: str) -> str:
    """The expression; a number is one too, and the CustomResourceDefinition allows it."""
    value = body.get("expr")
    if _is_number(value):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value
    if body:
        place.fault(below(key, "expr"), "a rule needs an expression", "write PromQL below `expr:`")
    return ""


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
