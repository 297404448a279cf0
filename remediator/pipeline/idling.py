"""Nothing to patch: each case ends by what the planner said, and what was begun for it is settled."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from remediator.errors import NotFound
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.owners.abort import canary_of
from remediator.pipeline.drafting import key_of
from remediator.pipeline.endings import Rows, ended, idle
from remediator.pipeline.preparation import Case, Work
from remediator.pipeline.settling import is_made, settle
from remediator.records.journal import Journal
from remediator.records.model import Remediation
from remediator.records.offers import acts, is_offered
from remediator.traffic.stamp import stamp_of
from remediator.traffic.suspect import Refusal


def conclude_idle(work: Work, journal: Journal, record: Remediation | None, why: Refusal | None = None) -> Rows:
    """The rows of a work that has nothing to patch, planned on the object as it is.

    Args:
        record: the intent that was begun for it on the way here.
        why: nothing is to be done though a case exposes its suspect yet; None: as the planner said.

    Raises:
        ClusterError: a record could not be found or settled.
    """
    rows = ended(work, Outcome.UNCHANGED, why) if why else idle(work)
    if record is not None:
        _settle(journal, record, work, rows)
    cases = {case.number: case for case in work.cases}
    return tuple((number, _explained(work, journal, cases[number], row)) for number, row in rows)


def taking_away(work: Work) -> Refusal | None:
    """Why nothing more is to be done: a Rollout was aborted, and is about to take away what the work would."""
    if work.proposal.patch is None:
        return None
    rollout = canary_of(work.snapshot.driving, work.proposal.plan, work.facts)
    if rollout is None or not rollout.update.aborted:
        return None
    return Refusal(Reason.ABORTED, f"{rollout} is aborted already, and its controller takes the traffic away")


def _explained(work: Work, journal: Journal, case: Case, row: AlertOutcome) -> AlertOutcome:
    """The row, with the record that tells why there is nothing to do, if one of this firing does."""
    stamp = stamp_of(work.snapshot.body)
    for record in _answering(work, journal, case, stamp):
        _settle(journal, record, work, ((case.number, row),))
        if record.name == stamp or (acts(record.intent) and is_made(record, work.snapshot)):
            row = replace(row, remediation=record.name)
    return row


def _answering(work: Work, journal: Journal, case: Case, stamp: str | None) -> list[Remediation]:
    """The records of this firing on this object: those of the index, and the one that the object names."""
    routing, alert = work.snapshot.routing, case.alert
    known = journal.answering(alert.fingerprint, alert.starts_at)
    found = [record for record in known if record.intent.target.uid == routing.uid]
    if stamp and key_of(work, case).turn(stamp) and stamp not in {record.name for record in found}:
        # The index may lag behind a replica that made the patch, and died before it could say so.
        with suppress(NotFound):  # deleted since
            found.append(journal.ledger.read(routing.ref.namespace, stamp))
    return found


def _settle(journal: Journal, record: Remediation, work: Work, rows: Rows) -> None:
    if record.unproven and not is_offered(record):
        refused = next((row for _, row in rows if row.outcome is Outcome.DENIED), None)
        why = Refusal(refused.reason, refused.message) if refused else None
        settle(journal, record, work.snapshot, why)
