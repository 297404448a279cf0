"""GET /openapi.json: every path and every answer, as OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

import remediator
from remediator.web.paging import DEFAULT_LIMIT, MOST_LIMIT
from remediator.web.schemas import Schema, ref, schemas

_OPEN: list[Schema] = []
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


def _operation(name: str, summary: str, answers: dict[str, Any]) -> dict[str, Any]:
    """An operation that needs a token."""
    return {"operationId": name, "summary": summary, "responses": {**answers, "401": _unauthorized()}}


def _open_operation(name: str, summary: str, answers: dict[str, Any]) -> dict[str, Any]:
    """An operation that needs none."""
    return {"operationId": name, "summary": summary, "security": _OPEN, "responses": answers}


def _json(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": ref(schema)}}}


def _unauthorized() -> dict[str, Any]:
    challenge = {"required": True, "schema": {"type": "string"}}
    return {
        **_json("No token, or one that is not accepted.", "Unauthorized"),
        "headers": {"WWW-Authenticate": challenge},
    }


def _webhook() -> dict[str, Any]:
    answers = {
        "200": _json("Every alert has its final outcome.", "Outcomes"),
        "400": _json('Not a version "4" notification. A retry with the same body fails again.', "NotificationError"),
        "403": _json("Sent by a browser for a page of another site.", "Error"),
        "413": _json("The body is larger than --max-body.", "Error"),
        "503": _retry(),
    }
    operation = _operation("receiveNotification", "Alertmanager's receiver.", answers)
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": ref("Notification")}},
    }
    return operation


def _retry() -> dict[str, Any]:
    content = {"schema": {"anyOf": [ref("Outcomes"), ref("Error")]}}
    return {
        "description": "Something failed that a retry can mend; the outcomes so far."
        " An error alone where not all of the body has come.",
        "content": {"application/json": content},
    }


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
        _parameter(
            "limit",
            "The most items of a page.",
            {"type": "integer", "minimum": 1, "maximum": MOST_LIMIT, "default": DEFAULT_LIMIT},
        ),
        _parameter("continue", "`next` of the page before.", {"type": "string"}),
    ]
    return operation


def _parameter(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "required": False, "schema": schema}


def _document() -> dict[str, Any]:
    answer = {"description": "This document.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return _operation("getDocument", "This document.", {"200": answer})


def _page() -> dict[str, Any]:
    answer = {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
    return _operation("getPage", "Readiness, policies and exposures, for a person's eyes.", {"200": answer})
