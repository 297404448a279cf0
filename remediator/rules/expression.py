"""A PromQL expression as a tree of values. Parentheses are not in it: the tree's shape says what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from remediator.policies.matchers import Matcher

SET_OPERATORS = frozenset({"and", "or", "unless"})
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
NO_OFFSET = timedelta()

_SCALARS = frozenset({"scalar", "time", "pi"})
"""Functions whose result is a number and no vector."""


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A literal; only ever an argument."""

    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by name and labels: `name{matchers}[range] offset …`."""

    name: str
    """The metric's; empty where the expression does not fix it."""
    matchers: tuple[Matcher, ...]
    """All of them hold. Those of `or` groups are not among them: of these nothing is sure."""
    range: timedelta | None = None
    """None: an instant vector."""
    offset: timedelta = NO_OFFSET
    """How far back; negative: into the future."""

    def matcher(self, label: str) -> Matcher | None:
        """The first matcher on a label."""
        return next((matcher for matcher in self.matchers if matcher.name == label), None)

    def __str__(self) -> str:
        inside = ",".join(map(str, self.matchers))
        return self.name + (f"{{{inside}}}" if inside else "")


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression evaluated again and again over a range: `expr[5m:15s]`."""

    of: Expr
    range: timedelta
    offset: timedelta = NO_OFFSET


@dataclass(frozen=True, slots=True)
class Call:
    """A function of Prometheus."""

    function: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """`by (…)` or `without (…)`."""

    without: bool
    labels: tuple[str, ...]


NOTHING_KEPT = Grouping(without=False, labels=())
"""What an aggregation does that names no labels."""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """`sum by (…) (of)`, `topk(parameter, of)` and the like."""

    operator: str
    of: Expr
    grouping: Grouping = NOTHING_KEPT
    parameter: Expr | None = None


class Cardinality(Enum):
    """How many series of one side go with how many of the other."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "group_left"
    ONE_TO_MANY = "group_right"
    MANY_TO_MANY = "many-to-many"
    """Of the set operators."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Which labels must be alike on both sides of an operator, and what the result takes over."""

    on: bool = False
    """Only `labels` count; False: all but `labels` (`ignoring`, or nothing said)."""
    labels: tuple[str, ...] = ()
    cardinality: Cardinality = Cardinality.ONE_TO_ONE
    include: tuple[str, ...] = ()
    """The labels that `group_left` or `group_right` takes from the side that is one."""

    def compares(self, label: str) -> bool:
        """Whether a label must be alike on both sides."""
        return (label in self.labels) is self.on


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions and an operator between them."""

    operator: str
    left: Expr
    right: Expr
    matching: Matching = Matching()
    returns_bool: bool = False
    """A comparison that gives 0 or 1 and drops nothing."""


@dataclass(frozen=True, slots=True)
class Negation:
    """`-of`."""

    of: Expr


Expr = Number | Text | Selector | Subquery | Call | Aggregation | Binary | Negation


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions that one is made of, from left to right."""
    match expr:
        case Call():
            return expr.arguments
        case Aggregation():
            return (expr.of,) if expr.parameter is None else (expr.parameter, expr.of)
        case Binary():
            return expr.left, expr.right
        case Negation() | Subquery():
            return (expr.of,)
        case Number() | Text() | Selector():
            return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """An expression and all within it, the outermost first."""
    # Not by recursion: a generator within a generator takes quadratic time, and rendered rules nest deep.
    waiting = [expr]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(children(current)))


def selectors(expr: Expr) -> Iterator[Selector]:
    """Every selector in an expression, from left to right."""
    return (each for each in walk(expr) if isinstance(each, Selector))


def is_scalar(expr: Expr) -> bool:
    """Whether an expression gives a number, and not a vector."""
    match expr:
        case Number() | Text():
            return True
        case Call():
            return expr.function in _SCALARS
        case Negation():
            return is_scalar(expr.of)
        case Binary():
            return is_scalar(expr.left) and is_scalar(expr.right)
        case _:
            return False
