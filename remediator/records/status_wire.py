"""The JSON of what is said about an intent afterwards: a Remediation's `status`, and a person's answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from remediator.guards.verdict import Verdict
from remediator.outcome import Reason
from remediator.policies.quantities import format_duration
from remediator.records.conditions import conditions, without_empty
from remediator.records.hold_wire import hold_json, parse_hold
from remediator.records.images_wire import images_json, parse_images
from remediator.records.model import Approval, Phase, Release, Request, Resolution, Status, Undoing
from remediator.records.times import micro_time, parse_time
from remediator.records.verification_wire import parse_verification, verification_json

Json = dict[str, Any]

_LONGEST_S = 9_999_999_999
"""Of `afterSeconds`, in the CRD too: a number that is a duration in any case."""


def render_status(status: Status) -> Json:
    """The `status`."""
    return without_empty(
        {
            "phase": status.phase.value,
            "reason": status.reason and status.reason.value,
            "message": status.message,
            "appliedAt": status.applied_at and micro_time(status.applied_at),
            "finishedAt": status.finished_at and micro_time(status.finished_at),
            "resolved": [_resolution_json(each) for each in status.resolved],
            "undo": status.undo and _undo_json(status.undo),
            "release": status.release
            and (request_json(status.release.request) | {"at": micro_time(status.release.at)}),
            "hold": status.hold and hold_json(status.hold),
            "verdicts": [_verdict_json(each) for each in status.verdicts],
            "judgedAt": status.judged_at and micro_time(status.judged_at),
            "askedAt": status.asked_at and micro_time(status.asked_at),
            "heardAt": status.heard_at and micro_time(status.heard_at),
            "verification": status.verification and verification_json(status.verification),
            "images": status.images and images_json(status.images),
            "conditions": conditions(status),
        }
    )


def parse_status(status: Mapping[str, Any]) -> Status:
    """Read a `status`. Raises KeyError, TypeError and ValueError where it is broken."""
    undo, release, reason = status.get("undo"), status.get("release"), status.get("reason")
    return Status(
        phase=Phase(status.get("phase") or Phase.PLANNED.value),
        reason=_reason(reason),
        message=str(status.get("message") or ""),
        applied_at=parse_time(status["appliedAt"]) if status.get("appliedAt") else None,
        finished_at=parse_time(status["finishedAt"]) if status.get("finishedAt") else None,
        resolved=tuple(_resolution(each) for each in status.get("resolved") or ()),
        undo=Undoing(
            request=parse_request(undo),
            requested_at=parse_time(undo["requestedAt"]),
            done_at=parse_time(undo["doneAt"]) if undo.get("doneAt") else None,
        )
        if undo
        else None,
        release=Release(parse_request(release), parse_time(release["at"])) if release else None,
        hold=parse_hold(status["hold"]) if status.get("hold") else None,
        verdicts=tuple(_verdict(each) for each in status.get("verdicts") or ()),
        judged_at=parse_time(status["judgedAt"]) if status.get("judgedAt") else None,
        asked_at=parse_time(status["askedAt"]) if status.get("askedAt") else None,
        heard_at=parse_time(status["heardAt"]) if status.get("heardAt") else None,
        verification=parse_verification(status.get("verification")),
        images=parse_images(status["images"]) if status.get("images") else None,
    )


def request_json(request: Request) -> Json:
    """Who asked, and why."""
    return without_empty({"by": request.by, "reason": request.reason})


def parse_request(found: Mapping[str, Any]) -> Request:
    """Read who asked. Raises KeyError and ValueError."""
    return Request(text(found, "by"), str(found.get("reason") or ""))


def _undo_json(undo: Undoing) -> Json:
    done = {"doneAt": undo.done_at and micro_time(undo.done_at)}
    return without_empty(request_json(undo.request) | {"requestedAt": micro_time(undo.requested_at)} | done)


def _resolution_json(resolution: Resolution) -> Json:
    after = resolution.after_s
    return without_empty(
        {
            "fingerprint": resolution.fingerprint,
            "at": micro_time(resolution.at),
            "afterSeconds": after,
            "after": None if after is None else format_duration(timedelta(seconds=round(after))),
        }
    )


def _resolution(found: Mapping[str, Any]) -> Resolution:
    after = found.get("afterSeconds")
    if after is not None and not 0 <= float(after) <= _LONGEST_S:
        raise ValueError(f"{after} s is no time between a patch and the end of an alert")
    return Resolution(text(found, "fingerprint"), parse_time(found["at"]), None if after is None else float(after))


def approval_json(approval: Approval) -> Json:
    """What a person said to a plan."""
    said = {"by": approval.by, "reason": approval.reason, "at": approval.at and micro_time(approval.at)}
    return {"approved": approval.approved} | without_empty(said)


def parse_approval(found: Any) -> Approval | None:
    """Read what a person said to a plan; None: nothing. Raises TypeError and ValueError."""
    if found is None:
        return None
    if not isinstance(found, Mapping) or not isinstance(found.get("approved"), bool):
        raise ValueError("spec.approval does not say approved: true or false")
    at = found.get("at")
    return Approval(
        approved=found["approved"],
        by=str(found.get("by") or ""),
        reason=str(found.get("reason") or ""),
        at=parse_time(at) if at else None,
    )


def _verdict_json(verdict: Verdict) -> Json:
    return without_empty(
        {
            "guard": verdict.guard,
            "allows": "Yes" if verdict.allows else "No",
            "reason": verdict.reason and verdict.reason.value,
            "message": verdict.message,
        }
    )


def _verdict(found: Mapping[str, Any]) -> Verdict:
    reason = _reason(found.get("reason"))
    if reason is None and found.get("allows") == "No":
        raise ValueError(f"the verdict of {found.get('guard')} says no without a reason")
    return Verdict(text(found, "guard"), reason, str(found.get("message") or ""))


def _reason(found: Any) -> Reason | None:
    """A word of a later version's is none: the record is not to be lost for it."""
    return Reason(found) if found in tuple(Reason) else None


def text(found: Mapping[str, Any], key: str) -> str:
    """A text that has to be there: an empty one would not be written again, and the record be lost with it.

    Raises:
        KeyError, ValueError.
    """
    if found[key] == "" or not isinstance(found[key], str):
        raise ValueError(f"{key} is {found[key]!r}, and no text")
    return str(found[key])


def optional(found: Mapping[str, Any], key: str) -> str | None:
    """A text that may be left out. Raises ValueError."""
    return text(found, key) if found.get(key) else None
