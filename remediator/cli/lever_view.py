"""What takes the traffic of a record away, and why an undo of it is refused, in words for a person."""

from __future__ import annotations

from datetime import UTC

from remediator.owners import Lever
from remediator.pipeline.undoing import retry_words
from remediator.records.model import Intent, Remediation
from remediator.records.offers import offered_until, take_back_words


def by_lever(intent: Intent) -> str:
    """The end of a line that names the actions; empty for a patch."""
    if intent.rollback is not None:
        return f", by Flagger's rollback of Canary {intent.rollback.canary}, checksum {intent.rollback.checksum}"
    return f", by the abort of {intent.owner.name}" if intent.lever is not Lever.PATCH and intent.owner else ""


def no_way_back(record: Remediation) -> str:
    """Why there is nothing to undo of a record whose traffic its driver takes away; empty: it is a patch."""
    until = offered_until(record)
    if until is not None:
        at = until.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return f"Flagger is told to roll back as soon as it asks, until {at}; {take_back_words(record)}."
    return "" if record.intent.lever is Lever.PATCH else f"An undo is refused: {retry_words(record)}"
