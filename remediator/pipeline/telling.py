"""Tells the target's story as Events. They are for people: one that cannot be written changes nothing else.

Whoever writes an Event tells its listener too, so that of several replicas one does. One that cannot be written is told
all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from remediator.errors import ClusterError, Retriable
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.preparation import Case
from remediator.records.events import Event, worth_telling
from remediator.records.ledger import Ledger
from remediator.records.model import Remediation, Request, Target

UNDO = "Undo"
"""The action of an Event that tells of an undo."""
HOLD = "Hold"
"""The same of a hold."""

_log = logging.getLogger(__name__)


def announce(ledger: Ledger, events: Iterable[Event]) -> None:
    """Write the Events, and tell the listener of those that are new; those that are there already stay."""
    for event in events:
        if _is_news(ledger, event):
            ledger.listener(event)


def _is_news(ledger: Ledger, event: Event) -> bool:
    """Write an Event; False: somebody has told it before."""
    found = _announced(ledger, event)
    if isinstance(found, Retriable):  # once more: nobody else will come to write it
        # What is there by now may have been written by the first try.
        found = _announced(ledger, event) or True
    if isinstance(found, ClusterError):
        _log.warning("no Event %s on %s: %s", event.reason, event.target.ref, found)
        return True
    return found


def _announced(ledger: Ledger, event: Event) -> ClusterError | bool:
    try:
        return ledger.announce(event)
    except ClusterError as error:
        return error


def event_of(case: Case, row: AlertOutcome, target: Target, now: datetime) -> Event | None:
    """What `row` is on its target, for whoever looks there; None where nothing was changed or refused."""
    if not worth_telling(row.outcome):
        return None
    alert = case.alert
    firing = (alert.fingerprint, alert.starts_at.isoformat(), case.policy.name)
    note = f"{row.message}. {_asked(case)}"
    if row.reason is Reason.PATCHED and row.remediation:
        note = f"{note}; to undo: remediator undo {target.ref.namespace}/{row.remediation}"
    return Event(
        target=target,
        # One patch is one Event, however many alerts asked for it.
        subject=(row.remediation,) if row.remediation else firing,
        outcome=row.outcome,
        reason=row.reason.value,
        action=",".join(case.policy.actions),
        note=note,
        at=now,
        record=row.remediation,
        changes=row.changes,
    )


def _asked(case: Case) -> str:
    if case.request is None:
        return f"Alert {case.alert.name or case.alert.fingerprint}, policy {case.policy.name}"
    return f"Asked for by {case.request.by}" + (f": {case.request.reason}" if case.request.reason else "")


def hold_event(record: Remediation, said: AlertOutcome, subject: tuple[str, ...], now: datetime) -> Event:
    """That a withdrawal was brought back, that it may not be, or that the hold is lost.

    Args:
        subject: besides the record, what makes it the same Event when it is told again.
    """
    return Event(
        target=record.intent.target,
        subject=(record.name, *subject),
        outcome=said.outcome,
        reason=said.reason.value,
        action=HOLD,
        note=said.message,
        at=now,
        record=record.name,
        changes=said.changes,
    )


def undo_event(record: Remediation, request: Request, said: AlertOutcome, now: datetime) -> Event:
    """That a person gave the traffic back, or tried to."""
    why = f": {request.reason}" if request.reason else ""
    done = said.outcome is not Outcome.DENIED
    # A refusal is told each time: what stands in the way may be another thing by then.
    subject = (record.name, UNDO) if done else (record.name, UNDO, now.isoformat())
    return Event(
        target=record.intent.target,
        subject=subject,
        # Whoever finds it done tells it as well: who did it may have died before that. It is one Event.
        outcome=Outcome.APPLIED if done else said.outcome,
        reason=said.reason.value,
        action=UNDO,
        note=f"{said.message} (asked for by {request.by}{why})",
        at=now,
        record=record.name,
        changes=said.changes,
    )
