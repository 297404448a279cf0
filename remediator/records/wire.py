"""The JSON of a Remediation, as the CRD has it (chart/crds/remediations.yaml): parse and render."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from remediator.errors import InputError
from remediator.outcome import Reason, TargetRef
from remediator.policies.model import Action, Mode
from remediator.policies.quantities import format_duration
from remediator.records.conditions import conditions, without_empty
from remediator.records.model import (
    GROUP,
    KIND,
    VERSION,
    Accusation,
    Companion,
    Intent,
    Phase,
    PolicyRef,
    Remediation,
    Request,
    Resolution,
    Status,
    Target,
    Undoing,
)
from remediator.records.times import micro_time, parse_time, second
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect

Json = dict[str, Any]

POLICY_LABEL = f"{GROUP}/policy"
"""For `kubectl get rem -l remediator.io/policy=…`."""


_LONGEST_S = 9_999_999_999
"""Of `afterSeconds`, in the CRD too: a number that is a duration in any case."""


class RecordError(InputError):
    """A Remediation that is none of ours, or that somebody has broken by hand."""


def render(record: Remediation) -> Json:
    """The whole object. What the server fills in is there if it is known."""
    metadata: Json = {
        "name": record.name,
        "namespace": record.namespace,
        "labels": {POLICY_LABEL: record.intent.policy.name},
    }
    if record.uid:
        metadata["uid"] = record.uid
    if record.resource_version:
        metadata["resourceVersion"] = record.resource_version
    if record.created_at:
        metadata["creationTimestamp"] = second(record.created_at)
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": metadata,
        "spec": render_intent(record.intent),
        "status": render_status(record.status),
    }


def render_intent(intent: Intent) -> Json:
    """The `spec`."""
    target = intent.target
    spec: Json = {
        "summary": {
            "target": f"{target.ref.kind}/{target.ref.name}",
            "suspect": str(intent.suspect),
            "actions": ",".join(intent.actions),
        },
        "alert": _accusation_json(intent.alert),
        "also": [_companion_json(each) for each in intent.also],
        "policy": without_empty({"name": intent.policy.name, "contentHash": intent.policy.content_hash}),
        "target": {
            "apiVersion": target.api_version,
            "kind": target.ref.kind,
            "name": target.ref.name,
            "uid": target.uid,
        },
        "suspect": _suspect_json(intent.suspect),
        "stable": intent.stable,
        "actions": [action.value for action in intent.actions],
        "mode": intent.mode.value,
        "changes": list(intent.changes),
        "patch": list(intent.patch),
        "undo": list(intent.undo),
        "holdUntil": intent.hold_until and micro_time(intent.hold_until),
        "request": intent.request and _request_json(intent.request),
    }
    return without_empty(spec)


def render_status(status: Status) -> Json:
    """The `status`."""
    undo = status.undo
    return without_empty(
        {
            "phase": status.phase.value,
            "reason": status.reason and status.reason.value,
            "message": status.message,
            "appliedAt": status.applied_at and micro_time(status.applied_at),
            "finishedAt": status.finished_at and micro_time(status.finished_at),
            "resolved": [_resolution_json(each) for each in status.resolved],
            "undo": undo
            and without_empty(
                _request_json(undo.request)
                | {
                    "requestedAt": micro_time(undo.requested_at),
                    "doneAt": undo.done_at and micro_time(undo.done_at),
                }
            ),
            "conditions": conditions(status),
        }
    )


def parse(body: Mapping[str, Any]) -> Remediation:
    """Read a Remediation. Keys that are not known are ignored.

    Raises:
        RecordError: what every record has is missing or of the wrong type.
    """
    name = "?"
    try:
        metadata = body["metadata"]
        name = f"{metadata.get('namespace')}/{metadata['name']}"
        created = metadata.get("creationTimestamp")
        return Remediation(
            namespace=_text(metadata, "namespace"),
            name=_text(metadata, "name"),
            intent=_intent(body["spec"], _text(metadata, "namespace")),
            status=_status(body.get("status") or {}),
            uid=str(metadata.get("uid") or ""),
            resource_version=str(metadata.get("resourceVersion") or ""),
            created_at=parse_time(created) if created else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        why = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise RecordError(f"Remediation {name} cannot be understood: {why}") from error


def _intent(spec: Mapping[str, Any], namespace: str) -> Intent:
    target, policy, hold, request = spec["target"], spec["policy"], spec.get("holdUntil"), spec.get("request")
    return Intent(
        alert=_accusation(spec["alert"]),
        policy=PolicyRef(_text(policy, "name"), str(policy.get("contentHash") or "")),
        target=Target(
            api_version=_text(target, "apiVersion"),
            ref=TargetRef(_text(target, "kind"), namespace, _text(target, "name")),
            uid=_text(target, "uid"),
        ),
        suspect=_suspect(spec["suspect"]),
        actions=tuple(Action(action) for action in spec["actions"]),
        mode=Mode(spec["mode"]),
        changes=tuple(str(change) for change in spec.get("changes") or ()),
        patch=_operations(spec.get("patch")),
        undo=_operations(spec.get("undo")),
        stable=_optional(spec, "stable"),
        also=tuple(_companion(each) for each in spec.get("also") or ()),
        hold_until=parse_time(hold) if hold else None,
        request=_request(request) if request else None,
    )


def _status(status: Mapping[str, Any]) -> Status:
    undo, reason = status.get("undo"), status.get("reason")
    return Status(
        phase=Phase(status.get("phase") or Phase.PLANNED.value),
        # A word of a later version's: the record is not to be lost for it.
        reason=Reason(reason) if reason in tuple(Reason) else None,
        message=str(status.get("message") or ""),
        applied_at=parse_time(status["appliedAt"]) if status.get("appliedAt") else None,
        finished_at=parse_time(status["finishedAt"]) if status.get("finishedAt") else None,
        resolved=tuple(_resolution(each) for each in status.get("resolved") or ()),
        undo=Undoing(
            request=_request(undo),
            requested_at=parse_time(undo["requestedAt"]),
            done_at=parse_time(undo["doneAt"]) if undo.get("doneAt") else None,
        )
        if undo
        else None,
    )


def _accusation_json(alert: Accusation) -> Json:
    return without_empty(
        {
            "fingerprint": alert.fingerprint,
            "alertname": alert.alertname,
            "startsAt": micro_time(alert.starts_at),
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "generatorURL": alert.generator_url,
        }
    )


def _accusation(found: Mapping[str, Any]) -> Accusation:
    return Accusation(
        fingerprint=_text(found, "fingerprint"),
        alertname=str(found.get("alertname") or ""),
        starts_at=parse_time(found["startsAt"]),
        labels=dict(found.get("labels") or {}),
        annotations=dict(found.get("annotations") or {}),
        generator_url=str(found.get("generatorURL") or ""),
    )


def _companion_json(alert: Companion) -> Json:
    return without_empty(
        {
            "fingerprint": alert.fingerprint,
            "alertname": alert.alertname,
            "startsAt": micro_time(alert.starts_at),
            "policy": alert.policy,
            "suspect": _suspect_json(alert.suspect),
        }
    )


def _companion(found: Mapping[str, Any]) -> Companion:
    return Companion(
        fingerprint=_text(found, "fingerprint"),
        alertname=str(found.get("alertname") or ""),
        starts_at=parse_time(found["startsAt"]),
        policy=_text(found, "policy"),
        suspect=_suspect(found["suspect"]),
    )


def _suspect_json(suspect: Suspect) -> Json:
    return without_empty({"host": str(suspect.host), "version": suspect.version})


def _suspect(found: Mapping[str, Any]) -> Suspect:
    return Suspect(Host(_text(found, "host")), _optional(found, "version"))


def _request_json(request: Request) -> Json:
    return without_empty({"by": request.by, "reason": request.reason})


def _request(found: Mapping[str, Any]) -> Request:
    return Request(_text(found, "by"), str(found.get("reason") or ""))


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
    return Resolution(_text(found, "fingerprint"), parse_time(found["at"]), None if after is None else float(after))


def _operations(found: Any) -> tuple[Json, ...]:
    return tuple(dict(operation) for operation in found or ())


def _text(found: Mapping[str, Any], key: str) -> str:
    """A text that has to be there: an empty one would not be written again, and the record be lost with it."""
    if found[key] == "" or not isinstance(found[key], str):
        raise ValueError(f"{key} is {found[key]!r}, and no text")
    return str(found[key])


def _optional(found: Mapping[str, Any], key: str) -> str | None:
    """A text that may be left out."""
    return _text(found, key) if found.get(key) else None
