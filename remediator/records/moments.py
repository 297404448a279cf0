"""What of a record is looked up by time: when it changed something, whom it accuses, and what it is about to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from remediator.owners import Lever
from remediator.policies.model import Mode
from remediator.records.gate import barred
from remediator.records.model import Phase, Remediation
from remediator.records.offers import acts, is_offered, trial_of
from remediator.records.rollback import Trial
from remediator.traffic.hosts import Host


@dataclass(frozen=True, slots=True)
class Moments:
    """A record, as the guards' questions find it."""

    target_uid: str
    """Of its routing object."""
    made_at: datetime | None
    """When it changed its target, whatever became of that; None: it did not."""
    observed_at: datetime | None
    """When it was found that it would have; None: it was not of mode Observe, or would not."""
    begun: bool
    """Whether its patch is about to be made, or may be made already: nobody has written the end of it."""
    counts: bool
    """Whether it counts for the fleet's budget; what people do by hand does not."""
    accused: tuple[Host, ...]
    """The services of which it accuses a version; empty once its alerts are over, or a person says otherwise."""
    barred: tuple[Host, ...]
    """The services of which it holds a version back (gate.py)."""
    heard_at: datetime | None
    """When its alert was heard last; None: it is not stored yet."""
    awaiting: bool
    """Whether it waits for a person."""
    begun_at: datetime | None
    """When its patch was begun, or was to be tried anew; None: it is not stored yet."""
    unverified_at: datetime | None
    """When it changed its target, if it is not known yet whether that worked; None: it is, or nobody has to know."""
    unidentified_at: datetime | None
    """When it changed its target, if it is not known which images its suspects ran; None: it is, or nobody asks."""
    held_until: datetime | None
    """As of the function of that name."""
    let_go: bool
    """Whether its suspect may have had traffic again since, by a release or a lost hold; not where it is taken back."""
    trial: Trial | None = None
    """The revision of a Canary that it condemns, whatever became of it; None: it is not Flagger's."""
    offered: bool = False
    """Whether it waits for Flagger to ask."""


def moments(record: Remediation) -> Moments:
    """The moments of a record."""
    intent, status, phase = record.intent, record.status, record.status.phase
    by_alert = intent.request is None
    enforced = intent.mode is Mode.ENFORCE or (intent.mode is Mode.APPROVE and record.approved)
    hosts = dict.fromkeys(suspect.host for suspect in sorted(record.accused, key=str) if suspect.version)
    return Moments(
        target_uid=intent.target.uid,
        made_at=status.applied_at if phase in (Phase.APPLIED, Phase.UNDONE) else None,
        observed_at=status.finished_at if phase is Phase.OBSERVED else None,
        begun=by_alert and enforced and phase is Phase.PLANNED and acts(intent),
        counts=by_alert,
        accused=tuple(hosts),
        barred=barred(record),
        heard_at=_last(status.judged_at, status.heard_at) or record.created_at,
        awaiting=phase is Phase.AWAITING_APPROVAL,
        begun_at=status.judged_at or record.created_at,
        unverified_at=status.applied_at if _unverified(record) else None,
        unidentified_at=status.applied_at if _stands(record) and status.images is None else None,
        held_until=held_until(record),
        let_go=not record.taken_back and let_go_at(record) is not None,
        trial=trial_of(record),
        offered=is_offered(record),
    )


def _stands(record: Remediation) -> bool:
    """Whether it changed its target, and no person says otherwise."""
    return record.status.phase is Phase.APPLIED and not record.taken_back and record.status.release is None


def _unverified(record: Remediation) -> bool:
    """Whether it is to be found out whether a patch worked: not once a person says otherwise."""
    known = record.status.verification
    # What a driver had to take away is seen in the routes, whether or not a version is named.
    can_be_told = record.intent.lever is not Lever.PATCH or any(each.version for each in record.intent.suspects)
    return _stands(record) and can_be_told and (known is None or known.concluded_at is None)


def held_until(record: Remediation) -> datetime | None:
    """Until when the withdrawal is kept up against whoever gives the traffic back; None: nobody keeps it up."""
    over = record.taken_back or record.status.release or (record.status.hold and record.status.hold.lost_at)
    # What a Rollout drives is kept by its controller: an abort lasts.
    ours = record.status.phase is Phase.APPLIED and record.intent.lever is Lever.PATCH
    return record.intent.hold_until if ours and not over else None


def is_held(record: Remediation, now: datetime) -> bool:
    """Whether the withdrawal is kept up at this moment."""
    until = held_until(record)
    return until is not None and now < until


def let_go_at(record: Remediation) -> datetime | None:
    """When its suspect was last let have traffic again: by an undo, by a release, or by the loss of the hold; None: it
    was not."""
    status = record.status
    undone = status.undo.requested_at if status.undo else None
    released = status.release.at if status.release else None
    return _last(undone, released, status.hold.lost_at if status.hold else None)


def _last(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
