"""The JSON Schemas of remediations, as records/wire.py writes them, and of what people do to one."""

from __future__ import annotations

from remediator.outcome import Outcome, Reason
from remediator.owners import Driver, Lever
from remediator.policies.model import Action, MirrorScope, Mode
from remediator.records.model import GROUP, KIND, VERSION, Phase
from remediator.web.aftermath_schemas import hold, images, verification
from remediator.web.asking import ANONYMOUS, LONGEST, NO_CONTROLS
from remediator.web.flagger_operations import rollback
from remediator.web.gate import IMAGE, NAME, VERSION_LABEL
from remediator.web.schema_terms import TEXT, TEXT_OR_NULL, TIME, Schema, array, closed, or_null, page_of, ref, said

_TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
_SUSPECT = closed({"host": TEXT, "version": TEXT}, optional=("version",))
_REQUEST = {"by": TEXT, "reason": TEXT}


def record_schemas() -> dict[str, Schema]:
    """All of them, by name."""
    return {
        "RemediationList": page_of("Remediation"),
        "Remediation": _remediation(),
        "RemediationSpec": _spec(),
        "RemediationStatus": _status(),
        "JsonPatch": _json_patch(),
        "AskedBy": _asked_by(),
        "Ending": _ending(),
        "Answer": _answer(),
        "Released": _released(),
        "GateAnswer": _gate_answer(),
        "GateQuestion": _gate_question(),
    }


def _remediation() -> Schema:
    metadata = closed(
        {
            "name": TEXT,
            "namespace": TEXT,
            "labels": _TEXTS,
            "uid": TEXT,
            "resourceVersion": TEXT,
            "creationTimestamp": TIME,
        },
        optional=("uid", "resourceVersion", "creationTimestamp"),
    )
    return said(
        "A record, as `kubectl get remediation -o json` shows it. What is empty is left out.",
        closed(
            {
                "apiVersion": {"const": f"{GROUP}/{VERSION}"},
                "kind": {"const": KIND},
                "metadata": metadata,
                "spec": ref("RemediationSpec"),
                "status": ref("RemediationStatus"),
            }
        ),
    )


def _spec() -> Schema:
    alert = {"fingerprint": TEXT, "alertname": TEXT, "startsAt": TIME}
    more = {"labels": _TEXTS, "annotations": _TEXTS, "generatorURL": TEXT}
    also = closed({**alert, "policy": TEXT, "suspect": _SUSPECT}, optional=("alertname",))
    return said(
        "What was to be done, and all that led to it. Written before anything was changed.",
        closed(
            {
                "summary": said("For tables.", closed({"target": TEXT, "suspect": TEXT, "actions": TEXT})),
                "alert": closed(alert | more, optional=("alertname", *more)),
                "also": said("Other alerts that the same patch answers.", array(also)),
                "policy": closed({"name": TEXT, "contentHash": TEXT}, optional=("contentHash",)),
                "target": closed({"apiVersion": TEXT, "kind": TEXT, "name": TEXT, "uid": TEXT}),
                "suspect": _SUSPECT,
                "stable": said("Who gets the traffic; without it the route's other destinations.", TEXT),
                "mirrors": said(
                    "Which mirrors are taken; without it those to the suspect.", {"enum": list(MirrorScope)}
                ),
                "actions": array({"enum": list(Action)}),
                "mode": {"enum": list(Mode)},
                "changes": said("What was to be changed: old → new.", array(TEXT)),
                "patch": said("What is sent, preconditions first.", ref("JsonPatch")),
                "undo": said("What takes it back, preconditions first.", ref("JsonPatch")),
                "holdUntil": TIME,
                "request": said("Who asked by hand; without it an alert did.", _asked({})),
                "owner": said("Who drove the target then.", owner()),
                "lever": said("What takes the traffic away.", {"enum": list(Lever)}),
                "rollback": said("What Flagger is told to roll back.", rollback()),
                "approval": said("What a person said to a plan that waited for one.", _approval()),
            },
            optional=(
                *("also", "stable", "mirrors", "changes", "patch", "undo", "holdUntil", "request", "owner"),
                *("rollback", "approval"),
            ),
        ),
    )


def owner() -> Schema:
    """Who drives a routing object."""
    name = said("The driver's own object: `Kustomization flux-system/apps`.", TEXT)
    return closed(
        {"driver": {"enum": list(Driver)}, "name": name, "evidence": said("What tells.", TEXT)},
        optional=("name", "evidence"),
    )


def _status() -> Schema:
    fields: dict[str, Schema] = {
        "phase": {"enum": list(Phase)},
        "reason": {"enum": list(Reason)},
        "message": TEXT,
        "appliedAt": TIME,
        "finishedAt": TIME,
        "resolved": said("Alerts that are over.", array(_resolution())),
        "undo": said("Who asked for an undo; without `doneAt` it is not known to be done.", _undo()),
        "release": said("Who let the suspect have traffic again.", _asked({"at": TIME})),
        "hold": said("What has become of the hold.", hold()),
        "verdicts": said("What each guard said when they were asked last.", array(_verdict())),
        "judgedAt": TIME,
        "askedAt": TIME,
        "heardAt": TIME,
        "verification": said("Whether it worked, by what Prometheus counted.", verification()),
        "images": said("Which images the suspects' pods ran.", images()),
        "conditions": array(_condition()),
    }
    return said("What became of it.", closed(fields, optional=tuple(set(fields) - {"phase"})))


def _resolution() -> Schema:
    return closed(
        {
            "fingerprint": TEXT,
            "at": TIME,
            "afterSeconds": said("Since the patch.", {"type": "number"}),
            "after": said("The same, as Prometheus writes durations.", TEXT),
        },
        optional=("afterSeconds", "after"),
    )


def _condition() -> Schema:
    return closed(
        {
            "type": TEXT,
            "status": {"enum": ["True", "False"]},
            "reason": TEXT,
            "message": TEXT,
            "lastTransitionTime": TIME,
        },
        optional=("message",),
    )


def _verdict() -> Schema:
    return closed(
        {"guard": TEXT, "allows": {"enum": ["Yes", "No"]}, "reason": {"enum": list(Reason)}, "message": TEXT},
        optional=("reason", "message"),
    )


def _approval() -> Schema:
    return closed({"approved": {"type": "boolean"}, **_REQUEST, "at": TIME}, optional=("by", "reason", "at"))


def _undo() -> Schema:
    return _asked({"requestedAt": TIME, "doneAt": TIME}, optional=("doneAt",))


def _asked(more: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """Who asked, and why, if they said so."""
    return closed(_REQUEST | more, optional=("reason", *optional))


def _json_patch() -> Schema:
    operation = closed(
        {"op": {"enum": ["test", "add", "remove", "replace"]}, "path": TEXT, "value": {}}, optional=("value",)
    )
    return said("RFC 6902, for `kubectl patch --type=json`.", array(operation))


def _asked_by() -> Schema:
    by = {"minLength": 1, "maxLength": LONGEST["by"], "pattern": NO_CONTROLS, "default": ANONYMOUS}
    return closed(
        {
            "by": said("Who asks; not only spaces.", TEXT | by),
            "reason": said("And why.", TEXT | {"maxLength": LONGEST["reason"], "pattern": NO_CONTROLS}),
        },
        optional=("by", "reason"),
    )


def _ending() -> Schema:
    difference = closed(
        {
            "path": said("A JSON Pointer into the routing object.", TEXT),
            "expected": said("What the remediation left there; null for nothing.", {}),
            "found": said("What stands there now; null for nothing.", {}),
        }
    )
    return closed(
        {
            "remediation": ref("Remediation"),
            "outcome": {"enum": [Outcome.APPLIED, Outcome.UNCHANGED, Outcome.DENIED, Outcome.FAILED]},
            "reason": {"enum": list(Reason)},
            "message": TEXT,
            "changes": said("What was put back: old → new.", array(TEXT)),
            "differences": said("What somebody has changed since.", array(difference)),
        }
    )


def _released() -> Schema:
    return closed(
        {
            "remediation": ref("Remediation"),
            "outcome": {"enum": [Outcome.APPLIED, Outcome.UNCHANGED, Outcome.DENIED]},
            "reason": {"enum": [Reason.RELEASED, Reason.UNDONE, Reason.NOT_APPLIED]},
            "message": TEXT,
        }
    )


def _gate_answer() -> Schema:
    held_by = closed(
        {
            "namespace": TEXT,
            "name": TEXT,
            "phase": {"enum": [Phase.PLANNED, Phase.APPLIED, Phase.AWAITING_APPROVAL]},
            "suspect": closed({"host": TEXT, "version": said("Null: the whole service.", TEXT_OR_NULL)}),
            "since": said("When its traffic was taken away, or that was planned.", or_null(TIME)),
            "until": said("When that ends by itself; null: it does not, or nobody knows.", or_null(TIME)),
            "remedy": said("What a person does who knows better.", TEXT),
        }
    )
    return closed(
        {
            "go": said("Whether the version may have more traffic.", {"type": "boolean"}),
            "held": said("The contrary.", {"type": "boolean"}),
            "message": TEXT,
            "heldBy": said("The records that hold it back, the latest first.", array(held_by)),
        }
    )


def _gate_question() -> Schema:
    metadata = {
        "service": said("Without it: `name`, and `name` with -canary.", TEXT | {"pattern": f"^{NAME}$"}),
        "version": said(
            "As the pods' label says it; without it whatever version.", TEXT | {"pattern": f"^{VERSION_LABEL}$"}
        ),
        "namespace": said("Of the service, where it is not that of the Canary.", TEXT | {"pattern": f"^{NAME}$"}),
        "image": said("REF@sha256:… or sha256:…; without it whatever image.", TEXT | {"pattern": IMAGE}),
    }
    return {
        "type": "object",
        "description": "Flagger's payload of a webhook (fluxcd/flagger, CanaryWebhookPayload). Other members are"
        " ignored.",
        "properties": {
            "name": said("Of the Canary.", TEXT | {"pattern": f"^{NAME}$"}),
            "namespace": TEXT | {"pattern": f"^{NAME}$"},
            "phase": TEXT,
            "checksum": TEXT,
            "metadata": {"type": "object", "properties": metadata, "additionalProperties": TEXT},
        },
        "required": ["namespace"],
        "anyOf": [
            {"required": ["name"]},
            {"required": ["metadata"], "properties": {"metadata": {"required": ["service"]}}},
        ],
    }


def _answer() -> Schema:
    return closed(
        {
            "remediation": ref("Remediation"),
            "outcome": {"enum": list(Outcome)},
            "reason": {"enum": list(Reason)},
            "message": TEXT,
            "changes": said("What was changed: old → new.", array(TEXT)),
        }
    )
