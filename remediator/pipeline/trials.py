"""Which revision of a Canary a work condemns, and whether its alerts accuse that one."""

from __future__ import annotations

from typing import Final, Protocol

from remediator.pipeline.preparation import Case, Work
from remediator.records.model import Remediation
from remediator.records.rollback import Rollback
from remediator.traffic.view import RouteChange

ASKED_WITHIN: Final = 3
"""Intervals of its Canary in which Flagger has to ask whether to roll back."""


class KnowsTrials(Protocol):
    """What is asked of the records: a part of records.ledger.Ledger, by the index."""

    def of_canary(self, namespace: str, name: str) -> tuple[Remediation, ...]:
        """As of Ledger."""


def rollback_of(work: Work) -> Rollback | None:
    """What Flagger is told to roll back; None: it is not told."""
    canary = work.canary
    if canary is None:
        return None
    return Rollback(canary.name, canary.checksum, canary.interval * ASKED_WITHIN)


def changed(work: Work) -> RouteChange | None:
    """What must not be later than the alert. Of what Flagger drives that is the begin of the trial, for it changes the
    weights at each step; where nobody knows when that was, its last step."""
    began = work.canary.began if work.canary else None
    if began is None:
        return work.snapshot.changed
    return RouteChange(began, "Flagger, which then began what it has on trial")


def other_trial(records: KnowsTrials, work: Work, case: Case) -> str:
    """The record that condemns another revision of the Canary, and was written after this alert began; empty: none.

    That is the revision which this alert accuses: a Canary has one on trial at a time.
    """
    canary = work.canary
    firing = case.alert.fingerprint, case.alert.starts_at
    for record in records.of_canary(canary.namespace, canary.name) if canary else ():
        was_before = record.created_at is not None and record.created_at < case.alert.starts_at
        is_other = canary and record.intent.rollback and record.intent.rollback.checksum != canary.checksum
        if is_other and (firing in record.intent.firings or not was_before):
            return record.name
    return ""
