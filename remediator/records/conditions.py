"""A record's status as Kubernetes' conditions, for `kubectl wait --for=condition=Applied`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from remediator.outcome import Reason
from remediator.records.model import Phase, Status
from remediator.records.times import second
from remediator.verification.model import VerificationVerdict

Json = dict[str, Any]


def conditions(status: Status) -> list[Json]:
    """Derived from the rest of the status, and never read."""
    told: list[tuple[str, bool, datetime | None, str]] = []
    if status.finished_at:
        applied = status.phase in (Phase.APPLIED, Phase.UNDONE)
        told.append(("Applied", applied, status.applied_at if applied else status.finished_at, status.message))
    if status.undo and status.undo.done_at:
        told.append(("Undone", True, status.undo.done_at, f"by {status.undo.request.by}"))
    if status.release:
        told.append(("Released", True, status.release.at, f"by {status.release.request.by}"))
    if status.hold and status.hold.lost_at:
        told.append(("HoldLost", True, status.hold.lost_at, f"to {status.hold.lost_to or 'somebody unknown'}"))
    if status.verification and status.verification.unrouted_at:
        told.append(("Unrouted", True, status.verification.unrouted_at, "the routes send the suspect nothing"))
    elif status.verification and status.verification.verdict is VerificationVerdict.STILL_ROUTED:
        told.append(("Unrouted", False, status.verification.at, status.verification.message))
    if status.resolved:
        told.append(("Resolved", True, status.resolved[0].at, ""))
    return [
        without_empty(
            {
                "type": kind,
                "status": str(holds),
                "reason": (status.reason or Reason.PATCHED).value if kind == "Applied" else kind,
                "message": message,
                "lastTransitionTime": second(since),
            }
        )
        for kind, holds, since, message in told
        if since
    ]


def without_empty(fields: Json) -> Json:
    """What is empty is not written, as Kubernetes does it."""
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}
