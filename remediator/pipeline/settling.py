"""What became of an intent that nobody wrote the end of: the live object tells."""

from __future__ import annotations

from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import NotFound
from remediator.outcome import Outcome, Reason
from remediator.owners import Lever
from remediator.pipeline.phases import PHASES
from remediator.pipeline.telling import announce
from remediator.records.events import Event
from remediator.records.journal import Journal
from remediator.records.model import Conclusion, Phase, Remediation
from remediator.records.offers import is_offered
from remediator.traffic import undo
from remediator.traffic.stamp import stamp_of
from remediator.traffic.suspect import Refusal

_MADE_BY = {Lever.PATCH: Reason.PATCHED, Lever.ARGO_ROLLOUTS: Reason.ABORTED, Lever.FLAGGER: Reason.ROLLED_BACK}
MADE = "the patch was made; whoever made it did not come to say so"
NOTHING_LEFT = "by the time the intent was taken up again there was nothing left to do; it was not carried out"


def settle(journal: Journal, record: Remediation, live: Snapshot | None, otherwise: Refusal | None = None) -> Phase:
    """End a record that is not known to be carried out.

    The object tells: if it names the record, the patch was made, whatever the record says. If not, one that is
    Planned comes to an end without it; one that has ended stays as it is.

    Args:
        live: its target as it is now; None: it is gone.
        otherwise: why nothing more is to be done, if the patch was not made; None: there is nothing left to do.

    Returns:
        The phase that it has now.

    Raises:
        ClusterError: it could not be written.
    """
    intent = record.intent
    if live is not None and is_made(record, live):
        message = f"{'; '.join(intent.changes)} ({MADE})"
        announce(journal.ledger, [_made(record, message, journal)])
        return journal.end(record, Conclusion(Phase.APPLIED, _MADE_BY[intent.lever], message)).status.phase
    asked = record.status.undo
    if asked is not None and live is not None and undo.is_undone(intent.undo, live.body):
        return journal.undone(record, asked.request).status.phase
    if record.status.phase is not Phase.PLANNED:
        return record.status.phase
    if otherwise is None:
        return journal.end(record, Conclusion(Phase.EXPIRED, Reason.NOT_EXPOSED, NOTHING_LEFT)).status.phase
    return journal.end(record, Conclusion(PHASES[Outcome.DENIED], *otherwise.words)).status.phase


def is_made(record: Remediation, live: Snapshot) -> bool:
    """Whether the live object tells that what the record intended was done.

    A patched object names the record. A Rollout does not, for nobody else may write its status for long: if the
    very update that was to be aborted is, it is all the same who was quicker.
    """
    intent = record.intent
    if live.routing.uid != intent.target.uid:
        return False
    if intent.lever is Lever.FLAGGER:
        return record.status.phase is Phase.APPLIED  # written before Flagger was told
    if intent.lever is Lever.PATCH:
        return stamp_of(live.body) == record.name
    return any(each.update.aborted and each.abort == intent.patch for each in live.driving.rollouts)


def look_and_settle(cluster: Cluster, journal: Journal, record: Remediation) -> Phase:
    """Read the target, and settle the record by it; an offer to Flagger is left to whoever looks after those
    (rollbacks.py). Raises as `settle`."""
    if is_offered(record):
        return record.status.phase
    try:
        live = cluster.read(record.intent.target.ref)
    except NotFound:
        live = None
    return settle(journal, record, live, _INTERRUPTED)


_INTERRUPTED = Refusal(
    Reason.INTERRUPTED, "the intent was written, the patch was not made, and the alert was not delivered again"
)


def _made(record: Remediation, message: str, journal: Journal) -> Event:
    """The same Event as whoever made the patch would have written, or has."""
    intent = record.intent
    return Event(
        target=intent.target,
        subject=(record.name,),
        outcome=Outcome.APPLIED,
        reason=_MADE_BY[intent.lever].value,
        action=",".join(intent.actions),
        note=f"changed: {message}. Alert {intent.alert.alertname}, policy {intent.policy.name}",
        at=journal.now(),
        record=record.name,
        changes=intent.changes,
    )
