"""Resolved alerts: noted on the records that answered them, and never more.

The traffic stays away: that it was taken away may be what resolved the alert.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from remediator.alerts import Alert, Status
from remediator.cluster.port import Cluster
from remediator.errors import ClusterError, Conflict, NotFound, NotSynced, Retriable
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline import approving
from remediator.pipeline.settling import look_and_settle
from remediator.records.journal import Journal
from remediator.records.model import Remediation

Row = tuple[int, AlertOutcome]


def note_resolved(alerts: tuple[Alert, ...], rows: Iterable[Row], cluster: Cluster, journal: Journal) -> list[Row]:
    """The rows, those of resolved alerts with their record; Failed where it could not be written."""
    return [
        (number, _noted(alerts[number], row, cluster, journal))
        if alerts[number].status is Status.RESOLVED
        else (number, row)
        for number, row in rows
    ]


def _noted(alert: Alert, row: AlertOutcome, cluster: Cluster, journal: Journal) -> AlertOutcome:
    try:
        records = journal.answering(alert.fingerprint, alert.starts_at)
        for record in records:
            _note(alert, record, cluster, journal)
    except (Retriable, Conflict) as error:
        reason = Reason.NOT_SYNCED if isinstance(error, NotSynced) else Reason.UNAVAILABLE
        message = f"resolved, but that could not be noted on its record: {error}"
        return replace(row, outcome=Outcome.FAILED, reason=reason, message=message)
    except ClusterError as error:  # final: to deliver it again would not help
        return replace(row, message=f"{row.message}; it could not be noted on its record: {error}")
    return replace(row, remediation=max(records, key=_age).name) if records else row


def _note(alert: Alert, record: Remediation, cluster: Cluster, journal: Journal) -> None:
    try:
        if record.unproven:  # no more deliveries will come that could settle it
            look_and_settle(cluster, journal, record)
            record = journal.ledger.read(record.namespace, record.name)
        approving.resolve(journal, journal.resolve(record, alert.fingerprint, alert.ends_at or journal.now()))
    except NotFound:
        return  # a person deleted it


def _age(record: Remediation) -> tuple[str, str]:
    created = record.created_at.isoformat() if record.created_at else ""
    return created, record.name
