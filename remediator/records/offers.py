"""What Flagger is told of a record when it asks whether to roll a Canary back.

offered ─▶ Applied, once Flagger has asked and was told to: it is told so for as long as the revision is known as bad
   ├─────▶ Failed: it did not ask in time
   ├─────▶ Failed: a guard spoke against it before Flagger asked
   └─────▶ Expired: by the end of its time the revision was gone, or its trial over
"""

from __future__ import annotations

from datetime import datetime, timedelta

from remediator.owners import Lever
from remediator.policies.model import Mode
from remediator.records.model import Intent, Phase, Remediation
from remediator.records.rollback import Trial


def acts(intent: Intent) -> bool:
    """Whether there is something to send or to tell; without that, it is a guard's no that is being written down."""
    return bool(intent.patch) or intent.rollback is not None


def trial_of(record: Remediation) -> Trial | None:
    """The revision that a record condemns; None: it is not Flagger's."""
    rollback = record.intent.rollback
    return rollback.of(record.namespace) if rollback and record.intent.lever is Lever.FLAGGER else None


def is_offered(record: Remediation) -> bool:
    """Whether Flagger is told to roll back as soon as it asks, its time left out."""
    mode = record.intent.mode
    agreed = mode is Mode.ENFORCE or (mode is Mode.APPROVE and record.approved)
    return trial_of(record) is not None and record.status.phase is Phase.PLANNED and agreed and _stands(record)


def offered_until(record: Remediation) -> datetime | None:
    """Until when Flagger is waited for; None: it is not."""
    since, rollback = record.status.judged_at or record.created_at, record.intent.rollback
    return since + rollback.within if is_offered(record) and since and rollback else None


def condemns(record: Remediation, now: datetime, known_bad: timedelta | None) -> bool:
    """Whether Flagger was told to roll back, and is told so again.

    Args:
        known_bad: how long a revision is known as bad; None: for as long as there is the record.
    """
    applied_at = record.status.applied_at
    told = trial_of(record) is not None and record.status.phase is Phase.APPLIED and _stands(record)
    return told and (known_bad is None or applied_at is None or now < applied_at + known_bad)


def take_back_words(record: Remediation) -> str:
    """How an offer to Flagger is taken back before it asks."""
    return f"to take that back before, kubectl delete rem {record.name} -n {record.namespace}"


def _stands(record: Remediation) -> bool:
    """Whether no person says otherwise."""
    return not (record.taken_back or record.refused or record.status.release)
