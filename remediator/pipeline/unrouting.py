"""Sees by the routes whether their driver has taken away what it was asked to: no Prometheus is needed for it.

The index tells when there is something to see, and the source whether it is so: the index may be behind the very
request that the driver was sent.
"""

from __future__ import annotations

from datetime import datetime

from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import NotFound
from remediator.owners import Lever
from remediator.records.model import Remediation
from remediator.traffic.exposure import Facts
from remediator.verification import steps
from remediator.verification.model import Verification, VerificationVerdict
from remediator.verification.routes import Withdrawal, still_sent
from remediator.verification.steps import Course


def is_awaited(record: Remediation) -> bool:
    """Whether it is the routes that tell what is known next of a record that is to be verified."""
    found = record.status.verification
    nothing_yet = found is None or found.verdict is VerificationVerdict.STILL_ROUTED
    return record.intent.lever is not Lever.PATCH and nothing_yet


def look(cluster: Cluster, record: Remediation, course: Course, now: datetime) -> Verification | None:
    """What the routes say; None: nothing new.

    Raises:
        ClusterError: the object could not be looked at.
    """
    left = _left(cluster.find(record.intent.target.ref), record, course)
    if not left:
        left = _left(_at_the_source(cluster, record), record, course)
    return steps.routed(course, left, now)


def _at_the_source(cluster: Cluster, record: Remediation) -> Snapshot | None:
    try:
        return cluster.read(record.intent.target.ref)
    except NotFound:
        return None


def _left(live: Snapshot | None, record: Remediation, course: Course) -> list[str]:
    """What the routes send to the suspects yet; of an object that is gone nothing."""
    intent = record.intent
    if live is None or live.routing.uid != intent.target.uid:
        return []
    trial = (intent.rollback.canary, intent.rollback.checksum) if intent.rollback else None
    asked = Withdrawal(intent.suspects, course.question.sides, intent.patch, trial)
    return still_sent(asked, live.routing, Facts(live.routing.ref.namespace, live.rules), live.driving)
