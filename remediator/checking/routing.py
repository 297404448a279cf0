"""Alertmanager's routing tree, and which of its routes take an alert.

As prometheus/alertmanager dispatch/route.go does it: the children are asked in order, the first that matches ends the
search unless it says `continue`, and a route takes an alert itself only if none of its children does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum

from remediator.checking.findings import Where
from remediator.policies.matchers import Matcher
from remediator.rules.labels import Labels

NOWHERE = Where("")

EACH_ALERT = ("...",)
"""`group_by` of a route in which every alert is a group of its own."""


class Chance(IntEnum):
    """Whether matchers hold for alerts of which not every label is known."""

    NEVER = 0
    POSSIBLE = 1
    SURE = 2


def chance(matchers: Iterable[Matcher], labels: Labels) -> Chance:
    """Whether all of them hold. A label of which nothing is known could match."""
    found = Chance.SURE
    for matcher in matchers:
        label = labels.of(matcher.name)
        if label.where(matcher) is None:
            return Chance.NEVER
        if label.value is None:
            found = Chance.POSSIBLE
    return found


@dataclass(frozen=True, slots=True)
class Times:
    """How long a route waits, and for what. Children have their parents' unless they set their own."""

    group_by: tuple[str, ...] = ()
    group_wait: timedelta = timedelta(seconds=30)
    group_interval: timedelta = timedelta(minutes=5)
    repeat_interval: timedelta = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Route:
    """One node of the tree."""

    receiver: str
    times: Times = Times()
    matchers: tuple[Matcher, ...] = ()
    continues: bool = False
    muted: tuple[str, ...] = ()
    """Names of its mute and active time intervals: outside of, or within them it sends nothing."""
    routes: tuple[Route, ...] = ()
    where: Where = NOWHERE

    def taking(self, labels: Labels) -> tuple[Route, ...]:
        """The routes that could take an alert with these labels, in the order in which they are asked.

        A child that only may match does not end the search, since the alert may as well go past it.
        """
        taken: list[Route] = []
        passed_by = True
        for child in self.routes:
            match = chance(child.matchers, labels)
            if match is Chance.NEVER:
                continue
            taken += child.taking(labels)
            if match is Chance.SURE:
                passed_by = False
                if not child.continues:
                    break
        return (*taken, self) if passed_by else tuple(taken)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One entry of a receiver's `webhook_configs`."""

    url: str = ""
    """Empty: it stands in a file of its own."""
    send_resolved: bool = True
    max_alerts: int = 0
    authorized: bool = False
    """Whether it sends something that tells who it is."""
    where: Where = NOWHERE


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where notifications go."""

    name: str
    webhooks: tuple[Webhook, ...] = ()
    where: Where = NOWHERE


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert of the source fires, those of the target are not sent."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    where: Where = NOWHERE


@dataclass(frozen=True, slots=True)
class Configuration:
    """What of Alertmanager's configuration decides whether and when alerts reach us."""

    file: str
    root: Route
    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    inhibitions: tuple[Inhibition, ...] = ()

    def reaching(self, labels: Labels, receivers: Iterable[str]) -> tuple[Route, ...]:
        """The routes that could take an alert with these labels to one of these receivers."""
        names = set(receivers)
        return tuple(route for route in self.root.taking(labels) if route.receiver in names)


def every_route(route: Route) -> Iterator[Route]:
    """A route and all below it."""
    yield route
    for child in route.routes:
        yield from every_route(child)
