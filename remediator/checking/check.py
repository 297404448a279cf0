"""All checks, over whatever was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from remediator.checking.contract import Contract, contract_findings, dropped_labels
from remediator.checking.conventions import convention_findings
from remediator.checking.expressions import expression_findings
from remediator.checking.findings import Finding, Where
from remediator.checking.routes import Wiring, route_findings, wiring_of
from remediator.checking.routing import Configuration
from remediator.checking.rulebook import Alert, RuleBook
from remediator.checking.timing import DEFAULT_CLOCK, Clock, Delay, delays, slow_findings
from remediator.policies.model import PolicySet
from remediator.rules.model import RuleFile


@dataclass(frozen=True, slots=True)
class Given:
    """What is held against each other. None: it was not given, or not read; checks that need it are left out."""

    rules: tuple[RuleFile, ...] | None = None
    policies: PolicySet | None = None
    places: Mapping[str, Where] = field(default_factory=dict)
    """By name of policy: where it stands."""
    alertmanager: Configuration | None = None
    receiver: str | None = None
    """The name of ours; None: the one whose webhook's path is ours."""
    external: tuple[str, ...] = ()
    """Labels that Prometheus adds to every alert (`external_labels`)."""
    clock: Clock = DEFAULT_CLOCK


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it."""

    findings: tuple[Finding, ...]
    delays: tuple[Delay, ...]
    """Of each alert that may ask for an action, in the order of the rules."""


def check(given: Given) -> Report:
    """Every finding, in the order of files and lines, and the worst time of every alert."""
    book = RuleBook(given.rules or (), given.external)
    wiring = wiring_of(given.alertmanager, given.receiver) if given.alertmanager else None
    found = [wiring] if isinstance(wiring, Finding) else []
    wired = wiring if isinstance(wiring, Wiring) else None
    times = delays(book, given.clock, wired.delay if wired else _no_delay)
    found += expression_findings(book, given.clock.scrape)
    found += convention_findings(book)
    found += slow_findings(times, given.clock.most)
    found += _agreements(given, book)
    if wired:
        found += route_findings(wired, book.alerts, given.policies)
    files = list(dict.fromkeys(each.where.file for each in found))
    found.sort(key=lambda each: (files.index(each.where.file), each.where.line))
    return Report(tuple(found), times)


def _agreements(given: Given, book: RuleBook) -> Iterator[Finding]:
    if given.rules is None:
        return
    if given.policies is not None:
        places = {
            policy.name: given.places.get(policy.name) or _place(policy.source) for policy in given.policies.policies
        }
        yield from contract_findings(Contract(book.alerts, given.policies, places))
    else:
        for alert in book.alerts:
            if alert.asks is not None:
                yield from dropped_labels(alert, ())


def _place(source: str) -> Where:
    return Where(source.rpartition(", document ")[0] or source)


def _no_delay(_alert: Alert) -> timedelta:
    return timedelta()
