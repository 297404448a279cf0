"""How long each rule and each group took, from what Prometheus tells of itself while it runs."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.prometheus import Prometheus

_MISSED: Final = re.compile(
    r'^prometheus_rule_group_iterations_missed_total\{rule_group="(.*?)"\} (\S+)$', re.MULTILINE
)
_FAILED: Final = re.compile(r'^prometheus_rule_evaluation_failures_total\{rule_group="(.*?)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one group or one rule takes, on average."""

    name: str
    seconds: float
    """One evaluation, by the clock on the wall."""
    interval: float
    """Between two (s)."""
    evaluations: int

    @property
    def share(self) -> float:
        """Of one core, if it had one to itself."""
        return self.seconds / self.interval


@dataclass(slots=True)
class Watch:
    """The evaluations seen so far; each counts once, by the moment at which it began."""

    groups: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    rules: dict[tuple[str, int, str], dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    intervals: dict[str, float] = field(default_factory=dict)
    loads: list[float] = field(default_factory=list)

    def look(self, prometheus: Prometheus) -> None:
        """Ask once; it must be asked more often than the shortest interval."""
        self.loads.append(os.getloadavg()[0])
        for group in prometheus.get("rules")["groups"]:
            self.take(group)

    def take(self, group: Mapping[str, Any]) -> None:
        """One group of the answer of /api/v1/rules."""
        name, moment = group["name"], group["lastEvaluation"]
        if moment.startswith("0001"):
            return
        self.intervals[name] = group["interval"]
        self.groups[name][moment] = group["evaluationTime"]
        for place, rule in enumerate(group["rules"]):
            what = (
                rule["name"] if rule["type"] == "recording" else f"{rule['name']} ({rule['labels'].get('window', '')})"
            )
            self.rules[name, place, what][rule["lastEvaluation"]] = rule["evaluationTime"]

    def forget(self) -> None:
        """The warm-up is over."""
        self.groups.clear()
        self.rules.clear()
        self.loads.clear()

    def costs_of_groups(self) -> list[Cost]:
        """Most expensive first."""
        return _sorted(Cost(name, _mean(seen), self.intervals[name], len(seen)) for name, seen in self.groups.items())

    def costs_of_rules(self) -> list[Cost]:
        """Most expensive first."""
        return _sorted(
            Cost(f"{group}: {what}", _mean(seen), self.intervals[group], len(seen))
            for (group, _place, what), seen in self.rules.items()
        )


def missed(text: str) -> dict[str, int]:
    """How many evaluations each group has missed, from Prometheus' own metrics."""
    return _by_group(_MISSED, text)


def failed(text: str) -> dict[str, int]:
    """How many evaluations of a rule have failed, by group, from Prometheus' own metrics."""
    return _by_group(_FAILED, text)


def _by_group(pattern: re.Pattern[str], text: str) -> dict[str, int]:
    return {group.rsplit(";", 1)[1]: int(float(count)) for group, count in pattern.findall(text)}


def _mean(seen: Mapping[str, float]) -> float:
    return sum(seen.values()) / len(seen)


def _sorted(costs: Iterable[Cost]) -> list[Cost]:
    return sorted(costs, key=lambda cost: cost.share, reverse=True)
