"""GET /openapi.json: every path and every answer, as OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

import remediator
from remediator.policies.quantities import DURATION_PATTERN
from remediator.records.model import Phase
from remediator.web.flagger_operations import flagger_paths
from remediator.web.gate_operations import gate_paths
from remediator.web.operation_terms import json_answer as _json
from remediator.web.operation_terms import one_of as _one_of
from remediator.web.operation_terms import open_operation as _open_operation
from remediator.web.operation_terms import operation as _operation
from remediator.web.operation_terms import parameter as _parameter
from remediator.web.paging import DEFAULT_LIMIT, MOST_LIMIT
from remediator.web.schema_terms import Schema, ref
from remediator.web.schemas import schemas

_PROMETHEUS = "text/plain"
_OPENMETRICS = "application/openmetrics-text"


def openapi_routes() -> Blueprint:
    """The description of the API. It needs nothing but itself."""
    blueprint = Blueprint("openapi", __name__)

    @blueprint.get("/openapi.json", endpoint="document")
    def document() -> ResponseReturnValue:
        return jsonify(openapi())

    return blueprint


def openapi() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "remediator",
            "version": remediator.__version__,
            "description": "Takes traffic away from a failing canary or mirror when Alertmanager says so.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"bearer": []}, {"basic": []}],
        "paths": {
            "/webhook": {"post": _webhook()},
            "/healthz": {"get": _healthz()},
            "/readyz": {"get": _readyz()},
            "/metrics": {"get": _metrics()},
            "/api/v1/policies": {"get": _policies()},
            "/api/v1/exposures": {"get": _exposures()},
            "/api/v1/remediations": {"get": _remediations()},
            "/api/v1/remediations/{namespace}/{name}": {"get": _remediation()},
            "/api/v1/remediations/{namespace}/{name}/undo": {"post": _undo()},
            "/api/v1/remediations/{namespace}/{name}/release": {"post": _release()},
            "/api/v1/remediations/{namespace}/{name}/approve": {"post": _approve()},
            "/api/v1/remediations/{namespace}/{name}/reject": {"post": _reject()},
            **(gate_paths() | flagger_paths()),
            "/openapi.json": {"get": _document()},
            "/": {"get": _page()},
        },
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any user name; the token is the password.",
                },
            },
        },
    }


def _webhook() -> dict[str, Any]:
    answers = {
        "200": _json("Every alert has its final outcome.", "Outcomes"),
        "400": _json('Not a version "4" notification. A retry with the same body fails again.', "NotificationError"),
        "403": _json("Sent by a browser for a page of another site.", "Error"),
        "413": _json("The body is larger than --max-body.", "Error"),
        "503": _one_of(
            "Something failed that a retry can mend; the outcomes so far. An error alone: not all of the body came.",
            "Outcomes",
            "Error",
        ),
    }
    operation = _operation("receiveNotification", "Alertmanager's receiver.", answers)
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": ref("Notification")}},
    }
    return operation


def _healthz() -> dict[str, Any]:
    answers = {
        "200": _status("Requests are answered.", "ok"),
        "503": _status("A bug has ended what keeps the index; a restart mends that.", "broken"),
    }
    return _open_operation("getHealth", "Liveness.", answers)


def _status(description: str, status: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"status": {"const": status}}, "required": ["status"]}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _readyz() -> dict[str, Any]:
    answers = {
        "200": _json("The index has synced, and policies are in force.", "Readiness"),
        "503": _json("Not yet, not now, or stopping; the body says which.", "Readiness"),
    }
    return _open_operation("getReadiness", "Readiness.", answers)


def _metrics() -> dict[str, Any]:
    text = {"schema": {"type": "string"}}
    answer = {"description": "All metrics.", "content": {_PROMETHEUS: text, _OPENMETRICS: text}}
    return _open_operation("getMetrics", "Metrics for Prometheus.", {"200": answer})


def _policies() -> dict[str, Any]:
    answers = {
        "200": _json("In the order in which they are tried.", "PolicyList"),
        "400": _json("A parameter was given; there are none.", "Error"),
    }
    return _operation("listPolicies", "The policies in force.", answers)


def _exposures() -> dict[str, Any]:
    answers = {
        "200": _json("Sorted by namespace and name of the routing object.", "ExposureList"),
        "400": _json("A parameter is wrong or unknown, or stands twice.", "Error"),
        "503": _json("The index cannot be believed now.", "Error"),
    }
    operation = _operation(
        "listExposures",
        "Every destination that shares traffic with another now, the stable side among them, and every mirror.",
        answers,
    )
    operation["parameters"] = [
        _parameter("namespace", "Only routing objects of this namespace.", {"type": "string"}),
        *_page_parameters(),
    ]
    return operation


def _remediations() -> dict[str, Any]:
    answers = {
        "200": _json("The newest first.", "RemediationList"),
        "400": _json("A parameter is wrong or unknown, or stands twice.", "Error"),
        "503": _json("The index cannot be believed now.", "Error"),
    }
    operation = _operation("listRemediations", "What was done, or was to be done, and what became of it.", answers)
    text: Schema = {"type": "string"}
    operation["parameters"] = [
        _parameter("namespace", "Only those of this namespace.", text),
        _parameter("policy", "Only those of the policy of this name.", text),
        _parameter("phase", "Only those in this phase.", {"enum": list(Phase)}),
        _parameter(
            "since",
            "Only those created since: an RFC 3339 time, or a duration back from now, such as 2h or 30m.",
            {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "pattern": DURATION_PATTERN}]},
        ),
        *_page_parameters(),
    ]
    return operation


def _remediation() -> dict[str, Any]:
    answers = {
        "200": _json("The record.", "Remediation"),
        "400": _json("A query parameter was given; there are none.", "Error"),
        "404": _json("There is no such record.", "Error"),
        "503": _json("It is not in the index, and its source cannot be read now.", "Error"),
    }
    operation = _operation("getRemediation", "One record.", answers)
    operation["parameters"] = _names()
    return operation


def _undo() -> dict[str, Any]:
    answers = {
        "200": _json("The traffic is given back, was already, or had never been taken.", "Ending"),
        "400": _json("The body is wrong, or there is a query parameter.", "Error"),
        "403": _json("Sent by a browser for a page of another site.", "Error"),
        "404": _json("There is no such record.", "Error"),
        "409": _json("Refused: somebody has changed these fields since, or a permission is missing.", "Ending"),
        "413": _json("The body is larger than --max-body.", "Error"),
        "503": _one_of("Not done, and a retry can mend it.", "Ending", "Error"),
    }
    operation = _operation("undoRemediation", "Give back the traffic that a remediation took away.", answers)
    operation["parameters"] = _names()
    operation["requestBody"] = {"required": False, "content": {"application/json": {"schema": ref("AskedBy")}}}
    return operation


def _release() -> dict[str, Any]:
    answers = {
        "200": _json("The suspect may have traffic again, now or before.", "Released"),
        "400": _json("The body is wrong, or there is a query parameter.", "Error"),
        "403": _json("Sent by a browser for a page of another site.", "Error"),
        "404": _json("There is no such record.", "Error"),
        "409": _json("Refused: the record took no traffic from anybody.", "Released"),
        "413": _json("The body is larger than --max-body.", "Error"),
        "503": _json("Not done, and a retry can mend it.", "Error"),
    }
    operation = _operation("releaseRemediation", "Let the suspect have traffic again; no route is changed.", answers)
    operation["parameters"] = _names()
    operation["requestBody"] = {"required": False, "content": {"application/json": {"schema": ref("AskedBy")}}}
    return operation


def _approve() -> dict[str, Any]:
    return _answer("approveRemediation", "Say yes to a plan that waits for a person, and carry it out.")


def _reject() -> dict[str, Any]:
    return _answer("rejectRemediation", "Say no to a plan that waits for a person.")


def _answer(name: str, summary: str) -> dict[str, Any]:
    answers = {
        "200": _json("Done, or there was nothing to do; or the record waits for no answer.", "Answer"),
        "400": _json("The body is wrong, or there is a query parameter.", "Error"),
        "403": _json("Sent by a browser for a page of another site.", "Error"),
        "404": _json("There is no such record.", "Error"),
        "409": _json("Approved, and refused all the same: a guard, or the API server, says no.", "Answer"),
        "413": _json("The body is larger than --max-body.", "Error"),
        "503": _one_of("Not done; an approval that is written is carried out later.", "Answer", "Error"),
    }
    operation = _operation(name, summary, answers)
    operation["parameters"] = _names()
    operation["requestBody"] = {"required": False, "content": {"application/json": {"schema": ref("AskedBy")}}}
    return operation


def _page_parameters() -> list[dict[str, Any]]:
    limit = {"type": "integer", "minimum": 1, "maximum": MOST_LIMIT, "default": DEFAULT_LIMIT}
    return [
        _parameter("limit", "The most items of a page.", limit),
        _parameter("continue", "`next` of the page before.", {"type": "string"}),
    ]


def _names() -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in ("namespace", "name")]


def _document() -> dict[str, Any]:
    answer = {"description": "This document.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return _operation("getDocument", "This document.", {"200": answer})


def _page() -> dict[str, Any]:
    answer = {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
    return _operation(
        "getPage", "Readiness, policies, exposures and the latest remediations, for a person's eyes.", {"200": answer}
    )
