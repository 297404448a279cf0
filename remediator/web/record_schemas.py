"""The JSON Schemas of remediations, as records/wire.py writes them, and of what people do to one."""

from __future__ import annotations

from remediator.outcome import Outcome, Reason
from remediator.policies.model import Action, MirrorScope, Mode
from remediator.records.model import GROUP, KIND, VERSION, Phase
from remediator.web.asking import ANONYMOUS, LONGEST, NO_CONTROLS
from remediator.web.schema_terms import TEXT, TIME, Schema, array, closed, page_of, ref, said

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
                "approval": said("What a person said to a plan that waited for one.", _approval()),
            },
            optional=("also", "stable", "mirrors", "changes", "patch", "undo", "holdUntil", "request", "approval"),
        ),
    )


def _status() -> Schema:
    resolved = closed(
        {
            "fingerprint": TEXT,
            "at": TIME,
            "afterSeconds": said("Since the patch.", {"type": "number"}),
            "after": said("The same, as Prometheus writes durations.", TEXT),
        },
        optional=("afterSeconds", "after"),
    )
    members: dict[str, Schema] = {
        "phase": {"enum": list(Phase)},
        "reason": {"enum": list(Reason)},
        "message": TEXT,
        "appliedAt": TIME,
        "finishedAt": TIME,
        "resolved": said("Alerts that are over.", array(resolved)),
        "undo": said("Who asked for an undo; without `doneAt` it is not known to be done.", _undo()),
        "release": said("Who let the suspect have traffic again.", _asked({"at": TIME})),
        "hold": said("What has become of the hold.", _hold()),
        "verdicts": said("What each guard said when they were asked last.", array(_verdict())),
        "judgedAt": TIME,
        "askedAt": TIME,
        "heardAt": TIME,
        "conditions": array(_condition()),
    }
    return said("What became of it.", closed(members, optional=tuple(name for name in members if name != "phase")))


def _hold() -> Schema:
    once = closed(
        {"at": TIME, "writer": TEXT, "resourceVersion": TEXT, "doneAt": TIME},
        optional=("writer", "resourceVersion", "doneAt"),
    )
    return closed(
        {
            "enforcements": said("How often the withdrawal was brought back, and against whom.", array(once)),
            "lostAt": said("When it was given up.", TIME),
            "lostTo": TEXT,
        },
        optional=("enforcements", "lostAt", "lostTo"),
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
