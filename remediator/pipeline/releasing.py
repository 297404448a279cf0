"""Release: a person lets the suspect have traffic again. It is written on the record, and no routing object is changed.

A hold ends with it, and the version is no longer known as bad. An alert that fires all the same acts again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline.rows import row_of
from remediator.pipeline.telling import announce
from remediator.records.events import Event
from remediator.records.journal import Journal
from remediator.records.ledger import Ledger
from remediator.records.model import Phase, Release, Remediation, Request
from remediator.records.offers import is_offered, take_back_words
from remediator.traffic.suspect import Refusal

RELEASE: Final = "Release"
"""The action of an Event that tells of a release."""


@dataclass(frozen=True, slots=True)
class Released:
    """What became of a release."""

    record: Remediation
    """As it is now."""
    outcome: Outcome
    """Applied; Unchanged: nobody held the suspect back any more; Denied: the record took no traffic."""
    reason: Reason
    message: str

    @property
    def row(self) -> AlertOutcome:
        """In the words of an outcome, for log and metric."""
        return row_of(self.record, self.outcome, Refusal(self.reason, self.message), ())


def release(journal: Journal, record: Remediation, request: Request) -> Released:
    """Write on `record` that its suspect may have traffic again, if it is one that took traffic; the first one stays.

    Args:
        record: as it was read from its source.
        request: who asks, and why.

    Raises:
        ClusterError: it could not be written; ask again.
    """
    asked = Release(request, journal.now())
    written = journal.release(record, asked)
    # Equal, also where the answer to our own write was lost and the record was read again.
    if written.status.release == asked:
        message = f"{written.name} is released: {_suspects(written)} may have traffic again; no route was changed"
        return Released(written, Outcome.APPLIED, Reason.RELEASED, message)
    return _not_needed(written)


def _not_needed(record: Remediation) -> Released:
    name, phase, before = record.name, record.status.phase, record.status.release
    if phase is Phase.UNDONE:
        message = f"{name} is undone: nobody holds {_suspects(record)} back any more"
        return Released(record, Outcome.UNCHANGED, Reason.UNDONE, message)
    if before is not None:
        message = f"{name} was released before by {before.request.by} at {before.at.isoformat(timespec='seconds')}"
        return Released(record, Outcome.UNCHANGED, Reason.RELEASED, message)
    why = (
        f"Flagger is told to roll back once it asks; {take_back_words(record)}"
        if is_offered(record)
        else _WHY_NOT[phase]
    )
    return Released(record, Outcome.DENIED, Reason.NOT_APPLIED, f"{name} is {phase}: {why}")


_NOTHING = "it took no traffic from anybody, so there is nothing to release"
_WHY_NOT: Final = dict.fromkeys(Phase, _NOTHING) | {
    Phase.PLANNED: "its patch is about to be made, or nobody knows; the next delivery of its alert settles that",
    Phase.AWAITING_APPROVAL: "it took no traffic from anybody yet; reject it, and it never will",
}


def tell(ledger: Ledger, released: Released, now: datetime) -> None:
    """Tell on the target that it was released."""
    record = released.record
    release = record.status.release
    if release is None or released.reason is not Reason.RELEASED:
        return
    request = release.request
    why = request.by + (f": {request.reason}" if request.reason else "")
    event = Event(
        target=record.intent.target,
        # Whoever finds it written tells it as well: who wrote it may have died before that. It is one Event.
        subject=(record.name, RELEASE),
        outcome=Outcome.APPLIED,
        reason=Reason.RELEASED.value,
        action=RELEASE,
        note=f"{_suspects(record)} may have traffic again; no route was changed (asked for by {why})",
        at=now,
        record=record.name,
    )
    announce(ledger, [event])


def _suspects(record: Remediation) -> str:
    return ", ".join(sorted(map(str, record.intent.suspects)))
