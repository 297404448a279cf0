"""All rules of all files, read so far that questions about them can be asked: expressions, labels, what reads what."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from remediator.alerts.model import HEARTBEAT
from remediator.checking.findings import Where
from remediator.policies.model import Action
from remediator.rules.expression import Expr, selectors
from remediator.rules.istio import tells_of_traffic
from remediator.rules.labelling import Found, Labelling, Recorded
from remediator.rules.labels import ANY_LABELS, MAYBE, PRESENT, Label, Labels, exactly
from remediator.rules.model import AlertingRule, RecordingRule, Rule, RuleFile, RuleGroup
from remediator.rules.promql import PromqlError, parse

NO_ACTION = ("None", HEARTBEAT)
"""Values of the label `remediation` that ask for nothing."""
REMEDIATIONS = (*Action, *NO_ACTION)

_ONE_LABEL = re.compile(r"\{\{-?\s*\$labels\.([a-zA-Z_]\w*)\s*-?\}\}")
_CONDITION = re.compile(r"\{\{-?\s*(?:if|range|with)\b")


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule, and where it stands."""

    rule: Rule
    group: RuleGroup
    file: RuleFile
    position: int
    """In its group, from 0."""
    expr: Expr | None
    """None: it is no PromQL."""
    fault: str = ""
    """Why it is none."""

    @property
    def where(self) -> Where:
        """Its place, for a finding."""
        kind, name = ("alert", self.rule.alert) if isinstance(self.rule, AlertingRule) else ("record", self.rule.record)
        return Where(self.file.file or self.file.name, self.rule.line, f"{kind} {name}")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule, with what is known of the labels of its alerts."""

    entry: Entry
    rule: AlertingRule
    series: Labels
    """Of the expression's result."""
    labels: Labels
    """Of the alert: the series', those that the rule sets, and `alertname`."""
    reads_istio: bool
    """Whether it is about traffic in the mesh, directly or through recorded series."""

    @property
    def remediation(self) -> str | None:
        """The value of the label; empty: it has none; None: it is not known."""
        return self.labels.of("remediation").value

    @property
    def is_ours(self) -> bool:
        """Whether it is about traffic in the mesh, or says what we are to do. Others only share the file."""
        return self.reads_istio or "remediation" in self.rule.labels

    @property
    def asks(self) -> Action | None:
        """What it asks for, if that is an action."""
        return next((action for action in Action if action == self.remediation), None)

    @property
    def where(self) -> Where:
        """Its place, for a finding."""
        return self.entry.where


class RuleBook:
    """Every rule of every file. The answers are worked out when they are asked for, and kept."""

    def __init__(self, files: Iterable[RuleFile], external: Iterable[str] = ()) -> None:
        """Parses all expressions; those that are no PromQL are kept with the reason.

        `external` are the labels that Prometheus adds to every alert, whatever their values (`external_labels`).
        """
        self.entries = tuple(_entries(files))
        recorded: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            if isinstance(entry.rule, RecordingRule) and entry.expr is not None:
                recorded[entry.rule.record].append(entry)
        self.recorded: Mapping[str, list[Entry]] = dict(recorded)
        self._labelling = Labelling(
            {
                name: [Recorded(entry.expr, entry.rule.labels) for entry in entries if entry.expr is not None]
                for name, entries in self.recorded.items()
            }
        )
        self._scraped: dict[str, frozenset[str]] = {}
        self._external = external

    @cached_property
    def alerts(self) -> tuple[Alert, ...]:
        """Every alerting rule, in the order of the files."""
        return tuple(self._alert(entry, entry.rule) for entry in self.entries if isinstance(entry.rule, AlertingRule))

    @cached_property
    def found(self) -> tuple[tuple[Entry, Found], ...]:
        """For each rule that is PromQL what is known of its series."""
        return tuple((entry, self._labelling.of(entry.expr)) for entry in self.entries if entry.expr is not None)

    @cached_property
    def _series(self) -> dict[int, Labels]:
        return {id(entry): found.labels for entry, found in self.found}

    def _alert(self, entry: Entry, rule: AlertingRule) -> Alert:
        series = self._series.get(id(entry), ANY_LABELS)
        labels = series
        for name, text in rule.labels.items():
            labels = labels.having(name, _expanded(text, series))
        for name in self._external:
            if not labels.of(name).is_there:
                labels = labels.having(name, MAYBE)
        labels = labels.having("alertname", exactly(rule.alert))
        return Alert(entry, rule, series, labels, self.reads_istio(entry))

    def reads_istio(self, entry: Entry) -> bool:
        """Whether a rule is about traffic in the mesh, directly or through recorded series."""
        return entry.expr is not None and any(map(tells_of_traffic, self.scraped(entry.expr)))

    def is_ours(self, entry: Entry) -> bool:
        """Whether a rule is about traffic in the mesh, or is an alert of ours, or stands behind one."""
        return id(entry) in self._ours

    @cached_property
    def _ours(self) -> frozenset[int]:
        found: set[int] = set()
        waiting = [alert.entry for alert in self.alerts if alert.is_ours]
        waiting += [entry for entry in self.entries if self.reads_istio(entry)]
        while waiting:
            entry = waiting.pop()
            if id(entry) in found or entry.expr is None:
                continue
            found.add(id(entry))
            waiting += (each for named in selectors(entry.expr) for each in self.recorded.get(named.name, ()))
        return frozenset(found)

    def scraped(self, expr: Expr) -> frozenset[str]:
        """The names of all metrics behind an expression, followed through recorded series."""
        return frozenset().union(*(self._scraped_by(selector.name) for selector in selectors(expr)))

    def _scraped_by(self, name: str) -> frozenset[str]:
        if name not in self.recorded:
            return frozenset({name})
        if name not in self._scraped:
            # Nothing on the way round, should it refer to itself.
            self._scraped[name] = frozenset()
            behind = (self.scraped(entry.expr) for entry in self.recorded[name] if entry.expr is not None)
            self._scraped[name] = frozenset().union(*behind)
        return self._scraped[name]

    def labels_of(self, expr: Expr) -> Labels:
        """What is known of the labels of an expression's series."""
        return self._labelling.of(expr).labels


def _entries(files: Iterable[RuleFile]) -> Iterator[Entry]:
    for file in files:
        for group in file.groups:
            for position, rule in enumerate(group.rules):
                try:
                    yield Entry(rule, group, file, position, parse(rule.expr))
                except PromqlError as error:
                    yield Entry(rule, group, file, position, None, str(error))


def _expanded(text: str, series: Labels) -> Label:
    """What is known of a label whose template is `text`."""
    if "{{" not in text:
        return exactly(text)
    one = _ONE_LABEL.fullmatch(text.strip())
    if one:
        return series.of(one[1])
    if _CONDITION.search(text):
        return MAYBE
    # Plain text beside the template is there whatever the template gives.
    return PRESENT if re.sub(r"\{\{.*?\}\}", "", text).strip() else MAYBE
