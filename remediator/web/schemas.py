"""The JSON Schemas of what is asked and answered, as OpenAPI 3.1 has them under `components`."""

from __future__ import annotations

from remediator.outcome import Outcome, Reason
from remediator.policies.model import Mode
from remediator.web.auth import AuthVerdict
from remediator.web.exposures import Via
from remediator.web.flagger_operations import flagger_schemas
from remediator.web.record_schemas import owner, record_schemas
from remediator.web.schema_terms import (
    COUNT,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    Schema,
    array,
    closed,
    or_null,
    page_of,
    ref,
    said,
)


def schemas() -> dict[str, Schema]:
    """All schemas, by name."""
    return {
        "Notification": _notification(),
        "Alert": _alert(),
        "Outcomes": _outcomes(),
        "Outcome": _outcome(),
        "Target": closed({"kind": TEXT, "namespace": TEXT, "name": TEXT}),
        "Readiness": _readiness(),
        "PolicyList": page_of("Policy"),
        "Policy": _policy(),
        "ExposureList": page_of("Exposure"),
        "Exposure": _exposure(),
        **record_schemas(),
        **flagger_schemas(),
        "Error": closed({"error": said("What is wrong, where, and what to do.", TEXT)}),
        "NotificationError": closed({"error": TEXT, "expected": TEXT}),
        "Unauthorized": closed(
            {"error": TEXT, "reason": {"enum": [AuthVerdict.TOKEN_MISSING, AuthVerdict.TOKEN_NOT_ACCEPTED]}}
        ),
    }


def _notification() -> Schema:
    return {
        "type": "object",
        "description": "Alertmanager's webhook notification (prometheus/alertmanager notify/webhook/webhook.go,"
        " template/template.go). Other members are ignored.",
        "properties": {
            "version": {"const": "4"},
            "groupKey": TEXT,
            "truncatedAlerts": COUNT | {"maximum": 2**64 - 1},
            "receiver": TEXT,
            "status": {"enum": ["firing", "resolved"]},
            "alerts": array(ref("Alert")),
            "notification_reason": TEXT,
        },
        "required": ["version", "status", "alerts"],
    }


def _alert() -> Schema:
    labels = {"type": "object", "additionalProperties": TEXT}
    return {
        "type": "object",
        "properties": {
            "status": {"enum": ["firing", "resolved"]},
            "labels": labels,
            "annotations": labels,
            "startsAt": TIME,
            "endsAt": TIME,
            "generatorURL": TEXT,
            "fingerprint": TEXT,
        },
        "required": ["status", "labels", "startsAt"],
    }


def _outcomes() -> Schema:
    return closed(
        {
            "outcomes": said("One for each alert and target.", array(ref("Outcome"))),
            "retry": said("Only with 503: what to do.", TEXT),
        },
        optional=("retry",),
    )


def _outcome() -> Schema:
    return closed(
        {
            "fingerprint": TEXT,
            "alertname": TEXT,
            "policy": said("Null where no policy matched.", TEXT_OR_NULL),
            "target": or_null(ref("Target")),
            "outcome": {"enum": list(Outcome)},
            "reason": {"enum": list(Reason)},
            "message": TEXT,
            "changes": said("What was changed, or would be: old → new.", array(TEXT)),
            "remediation": said("Name of the record, once there is one.", TEXT_OR_NULL),
        }
    )


def _readiness() -> Schema:
    index = closed(
        {
            "synced": {"type": "boolean"},
            "detail": TEXT,
            "objects": said("How many of each kind.", {"type": "object", "additionalProperties": COUNT}),
            "last_event": said("When the source of the index was last heard of.", or_null(TIME)),
        }
    )
    policies = closed(
        {
            "loaded": COUNT,
            "fault": said("What is wrong with the files now; the last good set stays in force.", TEXT_OR_NULL),
        }
    )
    return closed(
        {
            "ready": {"type": "boolean"},
            "draining": {"type": "boolean"},
            "ceiling": said("No policy goes further (--mode).", {"enum": list(Mode)}),
            "index": index,
            "policies": policies,
        }
    )


def _policy() -> Schema:
    labels = closed({"service": TEXT, "name": TEXT, "namespace": TEXT, "version": TEXT})
    target = closed(
        {
            "labels": labels,
            "namespaces": said("Globs; empty is everywhere.", array(TEXT)),
            "stable": TEXT_OR_NULL,
            "mirrors": TEXT,
        }
    )
    guards = closed(
        {
            "cooldown": said("As Prometheus writes durations.", TEXT),
            "hold": TEXT,
            "maxTargets": COUNT,
            "stableReady": said("A percentage.", TEXT),
            "freeze": said("How many time intervals there are in which nothing is changed.", COUNT),
        }
    )
    return closed(
        {
            "name": TEXT,
            "description": TEXT,
            "matchers": array(TEXT),
            "actions": array(TEXT),
            "mode": said("As written.", {"enum": list(Mode)}),
            "effectiveMode": said("The more careful of `mode` and the service's --mode.", {"enum": list(Mode)}),
            "target": target,
            "guards": guards,
            "notEnforced": said("Keys that are read and checked, and not obeyed by this version.", array(TEXT)),
            "source": said("File and document.", TEXT),
            "contentHash": TEXT,
        }
    )


def _exposure() -> Schema:
    destination = closed(
        {"host": TEXT, "subset": TEXT_OR_NULL, "port": or_null({"type": "integer"})},
    )
    return closed(
        {
            "kind": TEXT,
            "namespace": TEXT,
            "name": TEXT,
            "route": said("Which route, such as `http[0] (name)`.", TEXT),
            "via": {"enum": list(Via)},
            "destination": destination,
            "versions": said("What the DestinationRules say that the subset is.", array(TEXT)),
            "weight": said("Null for a mirror.", or_null(COUNT)),
            "total": said("Sum of the route's weights; null for a mirror.", or_null(COUNT)),
            "share": said(
                "Of the route's traffic; for a mirror the part that is copied.",
                {"type": "number", "minimum": 0, "maximum": 1},
            ),
            "owner": said("Who drives the object.", owner()),
        }
    )
