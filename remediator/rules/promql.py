"""From PromQL's text to a tree of our own values. The only home of promql_parser (PyPI, in Rust: Prometheus' grammar
of 2.45, and what came later behind a flag).

What a tree means, which labels it keeps say, is told by `labelling`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import promql_parser as promql

from remediator.policies.matchers import Matcher, Op
from remediator.rules.expression import (
    NOTHING_KEPT,
    Aggregation,
    Binary,
    Call,
    Cardinality,
    Expr,
    Grouping,
    Matching,
    Negation,
    Number,
    Selector,
    Subquery,
    Text,
)

_NAME = "__name__"

MAX_OPERATORS = 1_500
"""Operators and parentheses in one expression. The parser goes down one level of its stack for each, and at several
thousand the process ends; the longest of the shipped expressions has about a hundred."""

_OPERATORS = re.compile(r"[-+*/%^<>(\[]|\b(?:and|or|unless|atan2)\b")

MOST_TOKENS = 500
"""Of an expression that is wrong: beyond them it is not said where."""

_TOKEN = re.compile(r"[\w:.]+|\S")
_STRINGS = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?P<raw>[^`]*)`|\#[^\n]*""", re.DOTALL)


class PromqlError(ValueError):
    """A text that is no PromQL; says what is wrong."""


def parse(text: str) -> Expr:
    """Read an expression.

    >>> str(parse('up{job="a"}'))
    'up{job="a"}'

    Raises:
        PromqlError: Prometheus would not take it.
    """
    if sum(1 for _ in _OPERATORS.finditer(text)) > MAX_OPERATORS:
        raise PromqlError(f"over {MAX_OPERATORS} operators and parentheses; record parts of it by rules of their own")
    try:
        return _expr(promql.parse(_STRINGS.sub(_quoted, text)))
    except RecursionError:
        raise PromqlError("nested too deep; record parts of it by rules of their own") from None
    except ValueError as error:
        raise PromqlError(f"{error}{_read_as_far_as(text)}") from error


def _read_as_far_as(text: str) -> str:
    """Where the longest beginning ends that is PromQL by itself: the parser does not say where it stopped."""
    for end in reversed([token.end() for token in _TOKEN.finditer(text)][:MOST_TOKENS]):
        try:
            promql.parse(_STRINGS.sub(_quoted, text[:end]))
        except ValueError:
            continue
        line = text.count("\n", 0, end) + 1
        column = end - (text.rfind("\n", 0, end) + 1)
        return f", read as far as line {line}, column {column}"
    return ""


def _quoted(string: re.Match[str]) -> str:
    """A text in backticks as one in quotes: there the parser would take backslashes for escapes."""
    raw = string["raw"]
    return string[0] if raw is None else json.dumps(raw, ensure_ascii=False)


def _expr(node: promql.Expr) -> Expr:
    for kind, read in _READERS.items():
        if isinstance(node, kind):
            return read(node)
    raise PromqlError(f"an expression of a kind that is not known here: {type(node).__name__}")


def _argument(value: object) -> Expr:
    """An argument or a parameter; literals may come as plain values."""
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, int | float):
        return Number(float(value))
    if isinstance(value, promql.Expr):
        return _expr(value)
    raise PromqlError(f"an argument of a kind that is not known here: {type(value).__name__}")


def _selector(node: promql.VectorSelector, range_: timedelta | None) -> Selector:
    found = tuple(_matchers(node.matchers.matchers))
    named = next((each.value for each in found if each.name == _NAME and each.op is Op.EQUAL), "")
    return Selector(
        name=node.name or named,
        matchers=tuple(each for each in found if each.name != _NAME),
        range=range_,
        offset=node.offset or timedelta(),
    )


def _matchers(given: Iterable[promql.Matcher]) -> Iterable[Matcher]:
    return (Matcher(each.name, _operator(each.op), each.value) for each in given)


def _operator(op: promql.MatchOp) -> Op:
    operators = (
        (promql.MatchOp.Equal, Op.EQUAL),
        (promql.MatchOp.NotEqual, Op.NOT_EQUAL),
        (promql.MatchOp.Re, Op.MATCHES),
        (promql.MatchOp.NotRe, Op.NOT_MATCHES),
    )
    return next(ours for theirs, ours in operators if theirs == op)


def _aggregation(node: promql.AggregateExpr) -> Aggregation:
    grouping = NOTHING_KEPT
    if node.modifier is not None:
        without = node.modifier.type == promql.AggModifierType.Without
        grouping = Grouping(without, tuple(node.modifier.labels))
    parameter = None if node.param is None else _argument(node.param)
    return Aggregation(str(node.op), _expr(node.expr), grouping, parameter)


def _binary(node: promql.BinaryExpr) -> Binary:
    operator, modifier = str(node.op), node.modifier
    left, right = _expr(node.lhs), _expr(node.rhs)
    if modifier is None:
        return Binary(operator, left, right)
    return Binary(operator, left, right, _matching(modifier), modifier.return_bool)


def _matching(modifier: promql.BinModifier) -> Matching:
    on, labels = False, tuple[str, ...]()
    if modifier.matching is not None:
        on = modifier.matching.type == promql.LabelModifierType.Include
        labels = tuple(modifier.matching.labels)
    return Matching(on, labels, _cardinality(modifier.card), tuple(modifier.group_labels or ()))


def _cardinality(card: promql.VectorMatchCardinality) -> Cardinality:
    kinds = (
        (promql.VectorMatchCardinality.OneToOne, Cardinality.ONE_TO_ONE),
        (promql.VectorMatchCardinality.ManyToOne, Cardinality.MANY_TO_ONE),
        (promql.VectorMatchCardinality.OneToMany, Cardinality.ONE_TO_MANY),
        (promql.VectorMatchCardinality.ManyToMany, Cardinality.MANY_TO_MANY),
    )
    return next(ours for theirs, ours in kinds if theirs == card)


_READERS: Mapping[type[promql.Expr], Callable[[Any], Expr]] = {
    promql.ParenExpr: lambda node: _expr(node.expr),
    promql.NumberLiteral: lambda node: Number(node.val),
    promql.StringLiteral: lambda node: Text(node.val),
    promql.VectorSelector: lambda node: _selector(node, None),
    promql.MatrixSelector: lambda node: _selector(node.vector_selector, node.range),
    promql.SubqueryExpr: lambda node: Subquery(_expr(node.expr), node.range or timedelta(), node.offset or timedelta()),
    promql.UnaryExpr: lambda node: Negation(_expr(node.expr)),
    promql.Call: lambda node: Call(node.func.name, tuple(map(_argument, node.args))),
    promql.AggregateExpr: _aggregation,
    promql.BinaryExpr: _binary,
}
