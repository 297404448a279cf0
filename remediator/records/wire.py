"""The JSON of a Remediation, as the CRD has it (chart/crds/remediations.yaml): parse and render."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.errors import InputError
from remediator.outcome import TargetRef
from remediator.owners import Driver, Lever, Owner
from remediator.policies.model import Action, MirrorScope, Mode
from remediator.records.conditions import without_empty
from remediator.records.model import (
    GROUP,
    KIND,
    VERSION,
    Accusation,
    Companion,
    Intent,
    PolicyRef,
    Remediation,
    Target,
)
from remediator.records.rollback import parse_rollback, rollback_json
from remediator.records.status_wire import (
    approval_json,
    optional,
    parse_approval,
    parse_request,
    parse_status,
    render_status,
    request_json,
    text,
)
from remediator.records.times import micro_time, parse_time, second
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect

Json = dict[str, Any]

POLICY_LABEL = f"{GROUP}/policy"
"""For `kubectl get rem -l remediator.io/policy=…`."""


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
        "spec": render_spec(record),
        "status": render_status(record.status),
    }


def render_spec(record: Remediation) -> Json:
    """The `spec`: the intent, and what a person has said to it."""
    approval = record.approval
    return render_intent(record.intent) | ({"approval": approval_json(approval)} if approval else {})


def render_intent(intent: Intent) -> Json:
    """The `spec`, but for what a person says to it."""
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
        "mirrors": intent.mirrors.value if intent.mirrors is not MirrorScope.SUSPECT else None,
        "mode": intent.mode.value,
        "changes": list(intent.changes),
        "patch": list(intent.patch),
        "undo": list(intent.undo),
        "holdUntil": intent.hold_until and micro_time(intent.hold_until),
        "request": intent.request and request_json(intent.request),
        "owner": intent.owner and owner_json(intent.owner),
        "lever": intent.lever.value,
        "rollback": intent.rollback and rollback_json(intent.rollback),
    }
    return without_empty(spec)


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
            namespace=text(metadata, "namespace"),
            name=text(metadata, "name"),
            intent=_intent(body["spec"], text(metadata, "namespace")),
            status=parse_status(body.get("status") or {}),
            uid=str(metadata.get("uid") or ""),
            resource_version=str(metadata.get("resourceVersion") or ""),
            created_at=parse_time(created) if created else None,
            approval=parse_approval(body["spec"].get("approval")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        why = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise RecordError(f"Remediation {name} cannot be understood: {why}") from error


def _intent(spec: Mapping[str, Any], namespace: str) -> Intent:
    target, policy, hold, request = spec["target"], spec["policy"], spec.get("holdUntil"), spec.get("request")
    owner, rollback = spec.get("owner"), spec.get("rollback")
    return Intent(
        alert=_accusation(spec["alert"]),
        policy=PolicyRef(text(policy, "name"), str(policy.get("contentHash") or "")),
        target=Target(
            api_version=text(target, "apiVersion"),
            ref=TargetRef(text(target, "kind"), namespace, text(target, "name")),
            uid=text(target, "uid"),
        ),
        suspect=_suspect(spec["suspect"]),
        actions=_actions(spec["actions"]),
        mode=Mode(spec["mode"]),
        changes=tuple(str(change) for change in spec.get("changes") or ()),
        patch=_operations(spec.get("patch")),
        undo=_operations(spec.get("undo")),
        stable=optional(spec, "stable"),
        also=tuple(_companion(each) for each in spec.get("also") or ()),
        mirrors=MirrorScope(spec.get("mirrors") or MirrorScope.SUSPECT),
        hold_until=parse_time(hold) if hold else None,
        request=parse_request(request) if request else None,
        owner=_owner(owner) if owner else None,
        lever=Lever(spec.get("lever") or Lever.PATCH),
        rollback=parse_rollback(rollback) if rollback else None,
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
        fingerprint=text(found, "fingerprint"),
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
        fingerprint=text(found, "fingerprint"),
        alertname=str(found.get("alertname") or ""),
        starts_at=parse_time(found["startsAt"]),
        policy=text(found, "policy"),
        suspect=_suspect(found["suspect"]),
    )


def _suspect_json(suspect: Suspect) -> Json:
    return without_empty({"host": str(suspect.host), "version": suspect.version})


def _suspect(found: Mapping[str, Any]) -> Suspect:
    return Suspect(Host(text(found, "host")), optional(found, "version"))


def owner_json(owner: Owner) -> Json:
    """Who drives a routing object; what is empty is left out."""
    return without_empty({"driver": owner.driver.value, "name": owner.name, "evidence": owner.evidence})


def _owner(found: Mapping[str, Any]) -> Owner:
    return Owner(Driver(found["driver"]), str(found.get("name") or ""), str(found.get("evidence") or ""))


def _actions(found: Any) -> tuple[Action, ...]:
    if not found:
        raise ValueError("actions is empty")  # and would be missing when the record is written again
    return tuple(Action(action) for action in found)


def _operations(found: Any) -> tuple[Json, ...]:
    return tuple(dict(operation) for operation in found or ())
