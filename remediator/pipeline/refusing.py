"""A guard has said no: that is recorded as well, so that every replica and every person knows of the alert."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from remediator.cluster.port import Snapshot
from remediator.errors import ClusterError, Conflict, Retriable, Unavailable
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.drafting import draft_refused, key_of
from remediator.pipeline.overruling import latest
from remediator.pipeline.phases import PHASES
from remediator.pipeline.rows import reason_of
from remediator.pipeline.said import Denied
from remediator.pipeline.settling import is_made, settle
from remediator.records.journal import Journal
from remediator.records.model import Conclusion, Phase, Remediation
from remediator.records.moments import moments

_KEPT = (Phase.OBSERVED, Phase.AWAITING_APPROVAL, Phase.REJECTED)
"""Phases of a record that says already what is to be said of this firing."""
_OVER = (Reason.APPROVAL_EXPIRED, Reason.RESOLVED)
"""Reasons of one that waited for a person, and waits no more."""
ON_ITS_WAY = timedelta(seconds=30)
"""So young an intent may be in the hands of another replica; to end it would free what it has of the budget."""


def _is_kept(record: Remediation) -> bool:
    phase, reason = record.status.phase, record.status.reason
    return (phase in _KEPT and not record.approved) or (phase is Phase.EXPIRED and reason in _OVER)


def _is_on_its_way(record: Remediation, now: datetime) -> bool:
    found = moments(record)
    # Of an offer nothing is sent, so nothing can be on its way.
    return found.begun and not found.offered and found.begun_at is not None and now - found.begun_at < ON_ITS_WAY


def recorded(denied: Denied, journal: Journal, ours: str = "") -> AlertOutcome:
    """The row of a case that a guard spoke against, with the record that says so.

    A record that could not be written now asks for another delivery; one that can never be written does not.

    Args:
        ours: the record that this very work has begun, if it has.
    """
    case, why = denied.case, denied.why
    row = case.row(denied.work.ref, Outcome.DENIED, *why.words)
    try:
        return replace(row, remediation=_record(denied, journal, ours).name)
    except (Retriable, Conflict) as error:
        message = f"{why.message}; and that could not be recorded: {error}"
        return case.row(denied.work.ref, Outcome.FAILED, reason_of(error), message)
    except ClusterError as error:
        return replace(row, message=f"{why.message}; and that could not be recorded: {error}")


def is_unsettled(denied: Denied, journal: Journal) -> bool:
    """Whether a patch may have been made for this case, of which only the live object tells."""
    record = latest(denied.work, journal, denied.case)
    return record is not None and record.status.phase is Phase.PLANNED


def close(record: Remediation, denied: Denied, journal: Journal, live: Snapshot) -> Remediation:
    """Write on the record of a case that a guard spoke against it; unless the object tells that its patch was made."""
    if record.status.phase is Phase.PLANNED and _settle_made(record, live, journal):
        return journal.read_again(record) or record
    why = denied.why
    return journal.end(record, Conclusion(PHASES[Outcome.DENIED], why.reason, why.message, denied.verdicts))


def _settle_made(record: Remediation, live: Snapshot, journal: Journal) -> bool:
    """End a record whose patch was made, as the object tells; whether it was."""
    if not is_made(record, live):
        return False
    settle(journal, record, live)
    return True


def _record(denied: Denied, journal: Journal, ours: str) -> Remediation:
    work, case = denied.work, denied.case
    known = latest(denied.work, journal, denied.case)
    if known is not None and _is_kept(known):
        return known
    if known is not None and known.name != ours and _is_on_its_way(known, journal.now()):
        raise Unavailable(f"{known} was begun a moment ago, and its patch may be on its way from another replica")
    over = known if known is not None and known.status.phase in (Phase.APPLIED, Phase.UNDONE) else None
    if known is not None and over is None:
        return close(known, denied, journal, work.snapshot)
    now = journal.now()
    begun = journal.begin(key_of(work, case), lambda name: draft_refused(work, case, name, now), over)
    if not begun.is_new and (_is_kept(begun.record) or begun.record.status.phase is not Phase.FAILED):
        return begun.record  # another replica was quicker, and goes its own way
    return close(begun.record, denied, journal, work.snapshot)
