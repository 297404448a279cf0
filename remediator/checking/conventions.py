"""What each alert must carry, and must not: labels, annotations, names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from remediator.checking.findings import Code, Finding, Where
from remediator.checking.rulebook import REMEDIATIONS, Alert, RuleBook
from remediator.rules.model import AlertingRule

SEVERITIES = ("critical", "warning", "info", "none")
ANNOTATIONS = ("summary", "description", "runbook_url")
CONTRACT = ("namespace", "window")
"""Labels of every alert that asks for an action, besides those that say which version is accused."""
PER_SERIES = ("pod", "instance", "response_code", "response_flags", "grpc_response_status")
"""Labels that part one fault into many alerts."""

_NAME = re.compile(r"(?:[A-Z][a-z0-9]*)+")
_VALUE = re.compile(r"\{\{[^}]*(?:\$value\b|\.Value\b)")
_LABEL = re.compile(r"(?:\$labels|\.Labels)\.([a-zA-Z_]\w*)")


def convention_findings(book: RuleBook) -> Iterator[Finding]:
    """Everything about names, labels and annotations."""
    yield from _duplicates(book)
    for alert in book.alerts:
        if alert.is_ours:
            yield from _templates(alert)
            yield from _name(alert)
            yield from _severity(alert)
            yield from _remediation(alert)
            yield from _contract(alert)
            yield from _annotations(alert)


def may_act(alert: Alert) -> bool:
    """Whether an alert asks for an action, or is about the mesh and leaves open what it asks for."""
    return alert.asks is not None or (alert.is_ours and not alert.remediation)


def _duplicates(book: RuleBook) -> Iterator[Finding]:
    seen: dict[tuple[object, ...], Where] = {}
    for entry in filter(book.is_ours, book.entries):
        rule = entry.rule
        key = (type(rule), rule.alert if isinstance(rule, AlertingRule) else rule.record, *sorted(rule.labels.items()))
        first = seen.setdefault(key, entry.where)
        if first != entry.where:
            message = f"the rule in {first.file}, line {first.line} has the same name and labels"
            yield Finding(Code.DUPLICATE, entry.where, message, "remove one, or set them apart by a label")


def _templates(alert: Alert) -> Iterator[Finding]:
    for name, text in alert.rule.labels.items():
        if _VALUE.search(text):
            message = f"the label {name} holds the value, so each evaluation makes another alert of it"
            yield Finding(Code.VALUE_IN_LABEL, alert.where, message, "put it into an annotation")
    texts = (*alert.rule.labels.items(), *alert.rule.annotations.items())
    for name, text in texts:
        for label in sorted(set(_LABEL.findall(text))):
            if not alert.series.of(label).may_be_there:
                message = f"{name} names the label {label}, which the expression's result does not have"
                kept = ", ".join(alert.series.names) or "none"
                yield Finding(Code.TEMPLATE_LABEL, alert.where, message, f"it has: {kept}")


def _name(alert: Alert) -> Iterator[Finding]:
    if not _NAME.fullmatch(alert.rule.alert):
        yield Finding(Code.ALERT_NAME, alert.where, "the name is not CamelCase", "write it as CanaryHardDown")


def _severity(alert: Alert) -> Iterator[Finding]:
    label = alert.labels.of("severity")
    if "severity" not in alert.rule.labels and not label.is_there:
        message = "no label severity"
        yield Finding(Code.SEVERITY, alert.where, message, f"set it to one of {', '.join(SEVERITIES)}")
    elif label.value is not None and label.value not in SEVERITIES:
        message = f'severity is "{label.value}"'
        yield Finding(Code.SEVERITY, alert.where, message, f"write one of {', '.join(SEVERITIES)}")


def _remediation(alert: Alert) -> Iterator[Finding]:
    given = alert.remediation
    known = ", ".join(REMEDIATIONS)
    if given and given not in REMEDIATIONS:
        folded = {_folded(word): str(word) for word in REMEDIATIONS}
        close = get_close_matches(_folded(given), folded, n=1)
        hint = f"did you mean {folded[close[0]]}?" if close else f"known: {known}"
        yield Finding(Code.REMEDIATION, alert.where, f'remediation is "{given}", which asks for nothing', hint)
    elif "remediation" not in alert.rule.labels and not alert.labels.of("remediation").is_there:
        hint = f"set it to one of {known}; None says that a person is to look"
        yield Finding(
            Code.REMEDIATION_MISSING, alert.where, "no label remediation: nobody says what is to be done", hint
        )


def _folded(word: str) -> str:
    """`revert-to-stable` and `RevertToStable` are one word in two spellings."""
    return re.sub(r"[^a-z]", "", word.lower())


def _contract(alert: Alert) -> Iterator[Finding]:
    if not may_act(alert):
        return
    missing = [name for name in CONTRACT if alert.asks and not alert.labels.of(name).may_be_there]
    if missing:
        message = f"no label {' and no label '.join(missing)}"
        yield Finding(Code.CONTRACT_LABEL, alert.where, message, "every alert that asks for an action carries them")
    many = [name for name in PER_SERIES if alert.labels.of(name).may_be_there and alert.labels.of(name).value is None]
    if many and alert.entry.expr is not None:
        message = f"one fault makes many alerts: the result may have {', '.join(many)}"
        hint = "sum by (destination_service_name, destination_service_namespace, destination_version) (…)"
        yield Finding(Code.PER_SERIES, alert.where, message, hint)


def _annotations(alert: Alert) -> Iterator[Finding]:
    missing = [name for name in ANNOTATIONS if not alert.rule.annotations.get(name, "").strip()]
    if missing:
        yield Finding(Code.ANNOTATIONS, alert.where, f"no {', no '.join(missing)}", "say it to whoever is woken")
