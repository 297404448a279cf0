"""How long it takes at worst from a fault to its remediation, added up from rules and routes.

A fault begins just after a scrape. It is in the next one; if its series is new, only the one after shows an increase.
Then a window has to fill, each group of rules has to be evaluated, `for` to pass, and Alertmanager to send. What comes
then (the patch, Istio's push) takes about a second and is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from remediator.checking.conventions import may_act
from remediator.checking.findings import Code, Finding
from remediator.checking.rulebook import Alert, Entry, RuleBook
from remediator.policies.quantities import format_duration
from remediator.rules.expression import (
    COMPARISONS,
    Aggregation,
    Binary,
    Call,
    Expr,
    Negation,
    Number,
    Selector,
    Subquery,
    is_scalar,
)
from remediator.rules.model import RuleGroup

NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class Clock:
    """What the rules do not say themselves."""

    scrape: timedelta = timedelta(seconds=15)
    """How often Prometheus asks the proxies."""
    evaluation: timedelta = timedelta(minutes=1)
    """The interval of groups that set none: Prometheus' own default."""
    most: timedelta = timedelta(minutes=10)
    """The longest that an alert may take."""

    def interval(self, group: RuleGroup) -> timedelta:
        """How often a group is evaluated."""
        return group.interval or self.evaluation


DEFAULT_CLOCK = Clock()


@dataclass(frozen=True, slots=True)
class Delay:
    """The worst time of one alert, in parts."""

    alert: Alert
    scrapes: timedelta
    windows: timedelta
    """Of the expression and of the recorded series behind it, with the intervals at which these are recorded."""
    evaluation: timedelta
    wait: timedelta
    """`for`, rounded up to the evaluations that it takes."""
    route: timedelta
    """Alertmanager's waiting."""

    @property
    def total(self) -> timedelta:
        """All parts together."""
        return self.scrapes + self.windows + self.evaluation + self.wait + self.route

    def __str__(self) -> str:
        parts = (
            ("scrapes", self.scrapes),
            ("windows", self.windows),
            ("evaluation", self.evaluation),
            ("for", self.wait),
            ("Alertmanager", self.route),
        )
        return " + ".join(f"{format_duration(time)} {name}" for name, time in parts if time)


def delays(book: RuleBook, clock: Clock, route: Callable[[Alert], timedelta]) -> tuple[Delay, ...]:
    """The worst time of each alert that may ask for an action; `route` says what Alertmanager adds to it."""
    windows = _Windows(book, clock)
    return tuple(
        Delay(
            alert=alert,
            scrapes=2 * clock.scrape,
            windows=windows.of(alert.entry),
            evaluation=clock.interval(alert.entry.group),
            wait=_rounded(alert.rule.wait, clock.interval(alert.entry.group)),
            route=route(alert),
        )
        for alert in book.alerts
        if may_act(alert) and alert.entry.expr is not None
    )


def slow_findings(found: tuple[Delay, ...], most: timedelta) -> Iterator[Finding]:
    """Alerts of which even the fastest rule takes longer than `most`.

    Rules of one name go together: those with long windows are there for faults that the short ones cannot see.
    """
    families: dict[tuple[str, str | None], list[Delay]] = defaultdict(list)
    for delay in found:
        families[delay.alert.rule.alert, delay.alert.remediation].append(delay)
    for family in families.values():
        fastest = min(family, key=lambda delay: delay.total)
        if fastest.total > most:
            message = f"takes up to {format_duration(fastest.total)} from fault to remediation: {fastest}"
            hint = f"make for and the window shorter, or allow more than {format_duration(most)} with --max-delay"
            yield Finding(Code.TOO_SLOW, fastest.alert.where, message, hint)


def _rounded(wait: timedelta, interval: timedelta) -> timedelta:
    return -(-wait // interval) * interval


@dataclass(frozen=True, slots=True)
class _Path:
    """One way from scraped series to an expression's value."""

    time: timedelta
    earlier: bool = False
    """Whether it looks at an earlier time (`offset`): what now is compared with."""


class _Windows:
    """Adds up windows along the way by which a fault becomes an expression's value.

    Conditions on the right of `and`, `unless` and comparisons are not on it: they hold before the fault, or tell how
    it compares. Nor is what is multiplied by 0, which only lends its labels.
    """

    def __init__(self, book: RuleBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock
        self._known: dict[int, tuple[_Path, ...]] = {}

    def of(self, entry: Entry) -> timedelta:
        """The longest way to a rule's value; what looks at an earlier time counts only if nothing looks at now."""
        paths = self._paths_to(entry)
        now = [path.time for path in paths if not path.earlier]
        return max(now or [path.time for path in paths], default=NO_TIME)

    def _paths_to(self, entry: Entry) -> tuple[_Path, ...]:
        if id(entry) not in self._known:
            # None on the way round, should a series refer to itself.
            self._known[id(entry)] = ()
            paths = self._paths(entry.expr, entry) if entry.expr is not None else ()
            self._known[id(entry)] = tuple(dict.fromkeys(paths))
        return self._known[id(entry)]

    def _paths(self, expr: Expr, reader: Entry) -> Iterator[_Path]:
        match expr:
            case Selector():
                yield from self._selected(expr, reader)
            case Subquery():
                yield from _longer(self._paths(expr.of, reader), expr.range, expr.offset)
            case Aggregation() | Negation():
                yield from self._paths(expr.of, reader)
            case Call():
                for argument in expr.arguments:
                    yield from self._paths(argument, reader)
            case Binary():
                for side in _sides(expr):
                    yield from self._paths(side, reader)

    def _selected(self, selector: Selector, reader: Entry) -> Iterator[_Path]:
        behind: list[_Path] = []
        for entry in self._book.recorded.get(selector.name, ()):
            if all(each.matches(entry.rule.labels) for each in selector.matchers if each.name in entry.rule.labels):
                behind += _longer(self._paths_to(entry), self._staleness(entry, reader), NO_TIME)
        yield from _longer(behind or [_Path(NO_TIME)], selector.range or NO_TIME, selector.offset)

    def _staleness(self, entry: Entry, reader: Entry) -> timedelta:
        """How old a recorded value may be: new in a group that records it before it is read."""
        fresh = entry.group is reader.group and entry.position < reader.position
        return NO_TIME if fresh else self._clock.interval(entry.group)


def _sides(expr: Binary) -> tuple[Expr, ...]:
    """The sides of an operator that make its value."""
    vectors = tuple(side for side in (expr.left, expr.right) if not is_scalar(side))
    if expr.operator == "*" and any(isinstance(side, Number) and side.value == 0 for side in (expr.left, expr.right)):
        return ()
    if expr.operator in ("and", "unless") or expr.operator in COMPARISONS:
        return vectors[:1]
    return vectors


def _longer(paths: tuple[_Path, ...] | list[_Path] | Iterator[_Path], by: timedelta, offset: timedelta) -> list[_Path]:
    return [_Path(path.time + by + offset, path.earlier or offset > NO_TIME) for path in paths]
