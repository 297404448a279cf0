"""Which rule reads which: the order in which rules can be evaluated over a whole stretch of time, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

import promql_parser

from remediator.rules.model import AlertingRule, RecordingRule, RuleGroup

Rule = RecordingRule | AlertingRule
RAW: Final = "istio_requests_total"
"""The only metric that is simulated."""
_BELOW: Final = ("lhs", "rhs", "expr", "param", "vector_selector")


@dataclass(frozen=True, slots=True)
class Step:
    """A rule and when it is evaluated."""

    rule: Rule
    group: str
    interval: float
    """Seconds between two evaluations."""
    offset: float
    """Seconds after a multiple of the interval."""


def steps(groups: Sequence[RuleGroup], default_interval: float) -> list[Step]:
    """The rules that read RAW, themselves or through records, each after those that it reads.

    Each group gets an offset of its own, as Prometheus gives it one. Rules that read anything else only (durations,
    ALERTS) are left out: of those metrics nothing is simulated.

    Raises:
        ValueError: rules read each other in a circle, or one reads a record that is made later in its own group.
    """
    found = list(_placed(groups, default_interval))
    reads = {place: _read_by(step, found) for place, step in enumerate(found)}
    for place, step in enumerate(found):
        late = [other for other in reads[place] if other >= place and found[other].group == step.group]
        if late:
            raise ValueError(
                f"{_name(step)} of {step.group} reads {_name(found[late[0]])}, which its group makes later"
            )
    try:
        order = list(TopologicalSorter(reads).static_order())
    except CycleError as circle:
        raise ValueError(
            "rules read each other: " + ", ".join(_name(found[each]) for each in circle.args[1])
        ) from circle
    fed: set[int] = set()
    for place in order:
        if reads[place] & fed or RAW in {name for name, _ in selectors(found[place].rule.expr)}:
            fed.add(place)
    return [found[place] for place in order if place in fed]


def selectors(expr: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each metric that an expression reads, with the values that it asks of labels by `=`."""
    yield from _selectors(promql_parser.parse(expr))


def _placed(groups: Sequence[RuleGroup], default_interval: float) -> Iterator[Step]:
    for number, group in enumerate(groups, start=1):
        interval = group.interval.total_seconds() if group.interval else default_interval
        # The golden ratio spreads them evenly whatever their number is.
        offset = round(interval * (number * 0.6180339887 % 1), 3)
        yield from (Step(rule, group.name, interval, offset) for rule in group.rules)


def _read_by(step: Step, steps: Sequence[Step]) -> set[int]:
    asked = list(selectors(step.rule.expr))
    return {
        place
        for place, other in enumerate(steps)
        if isinstance(other.rule, RecordingRule)
        and any(name == other.rule.record and _fits(other.rule.labels, labels) for name, labels in asked)
    }


def _fits(own: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    return all(own.get(label, value) == value for label, value in asked.items())


def _selectors(node: Any) -> Iterator[tuple[str, dict[str, str]]]:
    if isinstance(node, promql_parser.VectorSelector):
        equal = {each.name: each.value for each in node.matchers.matchers if each.op == promql_parser.MatchOp.Equal}
        yield node.name or equal.pop("__name__", ""), equal
        return
    for name in _BELOW:
        below = getattr(node, name, None)
        if below is not None:
            yield from _selectors(below)
    for argument in getattr(node, "args", ()):
        yield from _selectors(argument)


def _name(step: Step) -> str:
    return step.rule.record if isinstance(step.rule, RecordingRule) else step.rule.alert
