"""Rows of the answer: how one alert ended for one target, and how the rows of a notification are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from remediator.alerts import Alert
from remediator.errors import ClusterError, NotSynced
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.policies.model import Policy
from remediator.records.model import Remediation
from remediator.traffic.suspect import Refusal

Rows = Iterable[tuple[int, AlertOutcome]]
"""Rows with the positions of their alerts in the notification."""


def row(
    alert: Alert, policy: Policy | None, outcome: Outcome, why: Refusal, target: TargetRef | None = None
) -> AlertOutcome:
    """A row of the answer."""
    return AlertOutcome(
        fingerprint=alert.fingerprint,
        alertname=alert.name,
        policy=policy.name if policy else None,
        target=target,
        outcome=outcome,
        reason=why.reason,
        message=why.message,
    )


def row_of(record: Remediation, outcome: Outcome, why: Refusal, changes: tuple[str, ...]) -> AlertOutcome:
    """What became of a record, in the words of an outcome: for log, metric and Event."""
    intent = record.intent
    return AlertOutcome(
        fingerprint=intent.alert.fingerprint,
        alertname=intent.alert.alertname,
        policy=intent.policy.name,
        target=intent.target.ref,
        outcome=outcome,
        reason=why.reason,
        message=why.message,
        changes=changes,
        remediation=record.name,
    )


def unheard(_: AlertOutcome) -> None:
    """Nobody is told of a row."""


def reason_of(error: ClusterError) -> Reason:
    """The word for a failure that a retry can mend."""
    return Reason.NOT_SYNCED if isinstance(error, NotSynced) else Reason.UNAVAILABLE


def settle(rows: Iterable[tuple[int, AlertOutcome]]) -> tuple[AlertOutcome, ...]:
    """The rows in the order of the alerts; objects without anything to do are named only where all are so."""
    by_alert: dict[int, list[AlertOutcome]] = {}
    for number, outcome in rows:
        by_alert.setdefault(number, []).append(outcome)
    settled: list[AlertOutcome] = []
    for number in sorted(by_alert):
        told = [outcome for outcome in by_alert[number] if outcome.outcome is not Outcome.UNCHANGED]
        settled += sorted(told, key=lambda outcome: str(outcome.target)) or [_merged(by_alert[number])]
    return tuple(settled)


def _merged(rows: list[AlertOutcome]) -> AlertOutcome:
    """One row for an alert that nothing exposes."""
    if len(rows) == 1:
        return rows[0]
    message = "; ".join(f"{outcome.target} {outcome.message}" for outcome in rows[:5])
    return replace(rows[0], target=None, message=message)
