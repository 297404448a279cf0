"""The JSON Schemas of what is asked and answered, as OpenAPI 3.1 has them under `components`."""

from __future__ import annotations

from typing import Any

from remediator.outcome import Outcome, Reason
from remediator.policies.model import Mode
from remediator.web.auth import AuthVerdict
from remediator.web.exposures import Via

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}


def ref(name: str) -> Schema:
    """A reference to one of `schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Schema]:
    """All schemas, by name."""
    return {
        "Notification": _notification(),
        "Alert": _alert(),
        "Outcomes": _outcomes(),
        "Outcome": _outcome(),
        "Target": _object({"kind": _TEXT, "namespace": _TEXT, "name": _TEXT}),
        "Readiness": _readiness(),
        "PolicyList": _list("Policy"),
        "Policy": _policy(),
        "ExposureList": _list("Exposure"),
        "Exposure": _exposure(),
        "Error": _object({"error": _said("What is wrong, where, and what to do.", _TEXT)}),
        "NotificationError": _object({"error": _TEXT, "expected": _TEXT}),
        "Unauthorized": _object(
            {"error": _TEXT, "reason": {"enum": [AuthVerdict.TOKEN_MISSING, AuthVerdict.TOKEN_NOT_ACCEPTED]}}
        ),
    }


def _object(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object of ours: closed, and all its members always there but for `optional`."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _list(item: str) -> Schema:
    return _object(
        {
            "items": _array(ref(item)),
            "next": _said("Give it as `continue` for the next page; null at the end.", _TEXT_OR_NULL),
        }
    )


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _said(description: str, schema: Schema) -> Schema:
    return {**schema, "description": description}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _notification() -> Schema:
    return {
        "type": "object",
        "description": "Alertmanager's webhook notification (prometheus/alertmanager notify/webhook/webhook.go,"
        " template/template.go). Other members are ignored.",
        "properties": {
            "version": {"const": "4"},
            "groupKey": _TEXT,
            "truncatedAlerts": _COUNT | {"maximum": 2**64 - 1},
            "receiver": _TEXT,
            "status": {"enum": ["firing", "resolved"]},
            "alerts": _array(ref("Alert")),
            "notification_reason": _TEXT,
        },
        "required": ["version", "status", "alerts"],
    }


def _alert() -> Schema:
    labels = {"type": "object", "additionalProperties": _TEXT}
    return {
        "type": "object",
        "properties": {
            "status": {"enum": ["firing", "resolved"]},
            "labels": labels,
            "annotations": labels,
            "startsAt": _TIME,
            "endsAt": _TIME,
            "generatorURL": _TEXT,
            "fingerprint": _TEXT,
        },
        "required": ["status", "labels", "startsAt"],
    }


def _outcomes() -> Schema:
    return _object(
        {
            "outcomes": _said("One for each alert and target.", _array(ref("Outcome"))),
            "retry": _said("Only with 503: what to do.", _TEXT),
        },
        optional=("retry",),
    )


def _outcome() -> Schema:
    return _object(
        {
            "fingerprint": _TEXT,
            "alertname": _TEXT,
            "policy": _said("Null where no policy matched.", _TEXT_OR_NULL),
            "target": _or_null(ref("Target")),
            "outcome": {"enum": list(Outcome)},
            "reason": {"enum": list(Reason)},
            "message": _TEXT,
            "changes": _said("What was changed, or would be: old → new.", _array(_TEXT)),
            "remediation": _said("Name of the record, once there is one.", _TEXT_OR_NULL),
        }
    )


def _readiness() -> Schema:
    index = _object(
        {
            "synced": {"type": "boolean"},
            "detail": _TEXT,
            "objects": _said("How many of each kind.", {"type": "object", "additionalProperties": _COUNT}),
            "last_event": _said("When the source of the index was last heard of.", _or_null(_TIME)),
        }
    )
    policies = _object(
        {
            "loaded": _COUNT,
            "fault": _said("What is wrong with the files now; the last good set stays in force.", _TEXT_OR_NULL),
        }
    )
    return _object(
        {
            "ready": {"type": "boolean"},
            "draining": {"type": "boolean"},
            "ceiling": _said("No policy goes further (--mode).", {"enum": list(Mode)}),
            "index": index,
            "policies": policies,
        }
    )


def _policy() -> Schema:
    labels = _object({"service": _TEXT, "name": _TEXT, "namespace": _TEXT, "version": _TEXT})
    target = _object(
        {
            "labels": labels,
            "namespaces": _said("Globs; empty is everywhere.", _array(_TEXT)),
            "stable": _TEXT_OR_NULL,
            "mirrors": _TEXT,
        }
    )
    guards = _object(
        {
            "cooldown": _said("As Prometheus writes durations.", _TEXT),
            "hold": _TEXT,
            "maxTargets": _COUNT,
            "stableReady": _said("A percentage.", _TEXT),
            "freeze": _said("How many time intervals there are in which nothing is changed.", _COUNT),
        }
    )
    return _object(
        {
            "name": _TEXT,
            "description": _TEXT,
            "matchers": _array(_TEXT),
            "actions": _array(_TEXT),
            "mode": _said("As written.", {"enum": list(Mode)}),
            "effectiveMode": _said("The more careful of `mode` and the service's --mode.", {"enum": list(Mode)}),
            "target": target,
            "guards": guards,
            "notEnforced": _said("Keys that are read and checked, and not obeyed by this version.", _array(_TEXT)),
            "source": _said("File and document.", _TEXT),
            "contentHash": _TEXT,
        }
    )


def _exposure() -> Schema:
    destination = _object(
        {"host": _TEXT, "subset": _TEXT_OR_NULL, "port": _or_null({"type": "integer"})},
    )
    return _object(
        {
            "kind": _TEXT,
            "namespace": _TEXT,
            "name": _TEXT,
            "route": _said("Which route, such as `http[0] (name)`.", _TEXT),
            "via": {"enum": list(Via)},
            "destination": destination,
            "versions": _said("What the DestinationRules say that the subset is.", _array(_TEXT)),
            "weight": _said("Null for a mirror.", _or_null(_COUNT)),
            "total": _said("Sum of the route's weights; null for a mirror.", _or_null(_COUNT)),
            "share": _said(
                "Of the route's traffic; for a mirror the part that is copied.",
                {"type": "number", "minimum": 0, "maximum": 1},
            ),
        }
    )
