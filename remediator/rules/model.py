"""Prometheus rules as values: what a PrometheusRule object or a plain rule file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A series that Prometheus computes and stores."""

    record: str
    """The metric's name."""
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
    line: int = field(default=0, compare=False)
    """Where it begins in its file, counted from 1; 0 where no file was read."""


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """An alert for each series of `expr`."""

    alert: str
    """The label `alertname`."""
    expr: str
    wait: timedelta = NO_TIME
    """`for`: how long the expression must have held."""
    keep_firing: timedelta = NO_TIME
    """`keep_firing_for`: how long it fires on when the expression no longer holds."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Templates; they win over the labels of the series."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    line: int = field(default=0, compare=False)
    """Where it begins in its file, counted from 1; 0 where no file was read."""


Rule = RecordingRule | AlertingRule


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated together, in their order, at one timestamp."""

    name: str
    rules: tuple[Rule, ...]
    interval: timedelta | None = None
    """None: Prometheus' own evaluation_interval."""

    @property
    def alerts(self) -> Iterator[AlertingRule]:
        """The alerting rules, in their order."""
        return (rule for rule in self.rules if isinstance(rule, AlertingRule))


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One PrometheusRule object, or one plain rule file."""

    name: str
    """The object's name; of a plain file its path."""
    groups: tuple[RuleGroup, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the object: what the operator's ruleSelector looks for."""
    file: str = field(default="", compare=False)
    """The path of the file that holds it; empty where no file was read."""
