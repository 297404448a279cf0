"""Which labels the series of an expression have: followed through aggregations, operators, functions and recorded
series, down to what is scraped.

What each step keeps is Prometheus' own doing: promql/engine.go (resultMetric, VectorAnd and its like, aggregation) and
promql/functions.go (label_replace, label_join, absent, histogram_quantile).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from remediator.policies.matchers import Op
from remediator.rules import relabelling
from remediator.rules.expression import (
    SET_OPERATORS,
    Aggregation,
    Binary,
    Call,
    Cardinality,
    Expr,
    Negation,
    Selector,
    Subquery,
    Text,
    is_scalar,
)
from remediator.rules.istio import is_traffic
from remediator.rules.labels import ABSENT, ANY_LABELS, NO_LABELS, PRESENT, Label, Labels, exactly

_CHOOSING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
"""Aggregations whose result is some of the series, with all of their labels."""
_WITHOUT_LE = frozenset({"histogram_quantile", "histogram_fraction"})
_ABSENCE = frozenset({"absent", "absent_over_time"})


@dataclass(frozen=True, slots=True)
class Recorded:
    """A series that a rule records: its expression, and the labels that the rule sets."""

    expr: Expr
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An operator that finds no partner for any series: a label is never alike on both sides."""

    operator: str
    label: str
    left: Label
    right: Label


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of an expression's series, and what in it can never be."""

    labels: Labels
    mismatches: tuple[Mismatch, ...] = ()
    dead: tuple[Selector, ...] = ()
    """Selectors of recorded series that let none of them through."""


class Labelling:
    """Follows labels through expressions. Remembers the recorded series that it has followed."""

    def __init__(self, recorded: Mapping[str, Sequence[Recorded]]) -> None:
        """`recorded` are all recording rules that are known, by the names that they record."""
        self._recorded = recorded
        self._known: dict[tuple[str, int], Labels] = {}

    def of(self, expr: Expr) -> Found:
        """What is known of an expression's series."""
        reading = _Following(self)
        labels = reading.labels(expr)
        return Found(labels, tuple(reading.mismatches), tuple(reading.dead))

    def selected(self, selector: Selector) -> Labels | None:
        """What is known of the series that a selector lets through; None: it lets none of the recorded ones."""
        rules = self._recorded.get(selector.name, ())
        if not rules:
            return self._scraped(selector).where(selector.matchers) or NO_LABELS
        each = (self._of_rule(selector.name, number).where(selector.matchers) for number in range(len(rules)))
        possible = [labels for labels in each if labels is not None]
        return _any_of(possible) if possible else None

    def _scraped(self, selector: Selector) -> Labels:
        named: dict[str, Label] = {"reporter": PRESENT} if is_traffic(selector) else {}
        if selector.name.endswith("_bucket"):
            named["le"] = PRESENT
        return Labels(named)

    def _of_rule(self, name: str, number: int) -> Labels:
        """The labels of a recorded series. Of one that refers to itself nothing is known on the way round."""
        key = (name, number)
        if key not in self._known:
            self._known[key] = ANY_LABELS
            rule = self._recorded[name][number]
            self._known[key] = _Following(self).labels(rule.expr).overridden(rule.labels)
        return self._known[key]


class _Following:
    """One expression, followed once."""

    def __init__(self, labelling: Labelling) -> None:
        self._labelling = labelling
        self.mismatches: list[Mismatch] = []
        self.dead: list[Selector] = []

    def labels(self, expr: Expr) -> Labels:
        """What is known of the series of `expr`."""
        match expr:
            case Selector():
                return self._selected(expr)
            case Subquery() | Negation():
                return self.labels(expr.of)
            case Aggregation():
                return self._aggregated(expr)
            case Call():
                return self._called(expr)
            case Binary():
                return self._operated(expr)
            case _:
                return NO_LABELS

    def _selected(self, selector: Selector) -> Labels:
        found = self._labelling.selected(selector)
        if found is None:
            self.dead.append(selector)
            return ANY_LABELS
        return found

    def _aggregated(self, expr: Aggregation) -> Labels:
        inner = self.labels(expr.of)
        if expr.operator in _CHOOSING:
            return inner
        grouping = expr.grouping
        result = inner.without(grouping.labels) if grouping.without else inner.only(grouping.labels)
        if expr.operator == "count_values" and isinstance(expr.parameter, Text):
            return result.having(expr.parameter.value, PRESENT)
        return result

    def _called(self, call: Call) -> Labels:
        if call.function in _ABSENCE:
            return _absence(call)
        vectors = [self.labels(each) for each in call.arguments if not is_scalar(each)]
        if not vectors or call.function == "vector":
            return NO_LABELS
        inner = vectors[0]
        if call.function in _WITHOUT_LE:
            return inner.without(("le",))
        if call.function == "info":
            return replace(inner, others=ANY_LABELS.others)
        return relabelling.applied(call, inner)

    def _operated(self, expr: Binary) -> Labels:
        left, right = self.labels(expr.left), self.labels(expr.right)
        if is_scalar(expr.left):
            return right
        if is_scalar(expr.right):
            return left
        if expr.operator == "or":
            return left.joined(right)
        both = self._both(expr, left, right)
        if expr.operator == "unless":
            return left
        many, one = (right, left) if expr.matching.cardinality is Cardinality.ONE_TO_MANY else (left, right)
        return _result(expr, both, many, one)

    def _both(self, expr: Binary, left: Labels, right: Labels) -> Labels:
        """What is known of the labels that are alike on both sides."""
        names = {*left.named, *right.named, *(expr.matching.labels if expr.matching.on else ())}
        found: dict[str, Label] = {}
        for name in sorted(filter(expr.matching.compares, names)):
            met = left.of(name).met(right.of(name))
            if met is None:
                self.mismatches.append(Mismatch(expr.operator, name, left.of(name), right.of(name)))
            found[name] = met or left.of(name)
        return Labels(found, left.others.met(right.others) or ABSENT)


def _result(expr: Binary, both: Labels, many: Labels, one: Labels) -> Labels:
    """The labels of an operator's result: those of the side that is many, and what the other must share with it."""
    matching = expr.matching
    if matching.cardinality is Cardinality.ONE_TO_ONE and expr.operator not in SET_OPERATORS:
        return both.only(matching.labels) if matching.on else both.without(matching.labels)
    others = many.others if matching.on else both.others
    # What is not compared stays as the many have it, be it known by name or not.
    ignored = {} if matching.on else {name: many.of(name) for name in matching.labels}
    result = Labels({**many.named, **ignored, **both.named}, others)
    for name in matching.include:
        result = result.having(name, one.of(name))
    return result


def _absence(call: Call) -> Labels:
    """The one series of `absent`: the labels that its selector's equality matchers fix."""
    argument = call.arguments[0]
    if not isinstance(argument, Selector):
        return NO_LABELS
    names = [matcher.name for matcher in argument.matchers]
    fixed = (each for each in argument.matchers if each.op is Op.EQUAL and names.count(each.name) == 1)
    return Labels({matcher.name: exactly(matcher.value) for matcher in fixed}, ABSENT)


def _any_of(possible: Sequence[Labels]) -> Labels:
    found = possible[0]
    for labels in possible[1:]:
        found = found.joined(labels)
    return found
