"""The gate's operations, as OpenAPI has them."""

from __future__ import annotations

from typing import Any

from remediator.web.gate import IMAGE, NAME, VERSION_LABEL
from remediator.web.operation_terms import OPEN, json_answer, one_of, operation, parameter
from remediator.web.schema_terms import Schema, ref


def gate_paths() -> dict[str, Any]:
    """The gate's paths."""
    return {
        "/api/v1/gate": {"get": _gate(), "post": _gate_post()},
        "/api/v1/gate/{token}": {"post": _gate_hook()},
    }


def _gate() -> dict[str, Any]:
    answers = {
        "200": json_answer("Go, or held: see `go`.", "GateAnswer"),
        "400": json_answer("A parameter is missing, wrong or unknown, or stands twice.", "Error"),
        "503": json_answer("The index cannot be believed now, so nobody knows. That is no yes.", "Error"),
    }
    described = operation("askGate", "May this version have more traffic?", answers)
    name: Schema = {"type": "string", "pattern": f"^{NAME}$"}
    described["parameters"] = [
        parameter("namespace", "Where the service is.", name) | {"required": True},
        parameter("service", "NAME, NAME.NAMESPACE or a whole host.", name) | {"required": True},
        parameter(
            "version",
            "As the pods' label says it; without it whatever version is held back.",
            {"type": "string", "pattern": f"^{VERSION_LABEL}$"},
        ),
        parameter(
            "image",
            "REF@sha256:… or sha256:…; the same image is held back under any name, and another one under none.",
            {"type": "string", "pattern": IMAGE},
        ),
    ]
    return described


def _gate_post() -> dict[str, Any]:
    answers = {
        "200": json_answer("Go.", "GateAnswer"),
        "400": json_answer("The body is wrong, or there is a query parameter.", "Error"),
        "403": one_of("Held; or sent by a browser for a page of another site.", "GateAnswer", "Error"),
        "413": json_answer("The body is larger than --max-body.", "Error"),
        "503": json_answer("The index cannot be believed now, so nobody knows; or the body did not all come.", "Error"),
    }
    described = operation("passGate", "The same, told by the status, for Flagger's webhooks and for curl -f.", answers)
    described["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref("GateQuestion")}}}
    return described


def _gate_hook() -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return _gate_post() | {
        "operationId": "passGateHook",
        "summary": "The same for Flagger, which sends no header: the path holds a token that opens nothing else.",
        "security": OPEN,
        "parameters": [{"name": "token", "in": "path", "required": True, "schema": schema}],
    }
