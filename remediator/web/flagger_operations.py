"""Flagger's hook, and what a record has of it, as OpenAPI has them."""

from __future__ import annotations

from typing import Any

from remediator.web.flagger import CHECKSUM
from remediator.web.gate import NAME
from remediator.web.operation_terms import OPEN
from remediator.web.schema_terms import TEXT, Schema, closed, ref, said


def flagger_paths() -> dict[str, Any]:
    """The hook's paths."""
    schema = {"type": "string", "minLength": 1}
    hook = _rollback() | {
        "operationId": "askRollbackHook",
        "summary": "The same for Flagger, which sends no header: the path holds a token that opens nothing else.",
        "security": OPEN,
        "parameters": [{"name": "token", "in": "path", "required": True, "schema": schema}],
    }
    return {"/flagger/rollback": {"post": _rollback()}, "/flagger/rollback/{token}": {"post": hook}}


def flagger_schemas() -> dict[str, Schema]:
    """What Flagger sends."""
    name: Schema = {"type": "string", "pattern": f"^{NAME}$"}
    members = {
        "name": said("Of the Canary.", name),
        "namespace": name,
        "phase": said("Of the Canary. In all but three of them the answer is 404.", {"type": "string"}),
        "checksum": said("Of the revision on trial.", {"type": "string", "pattern": f"^{CHECKSUM}$"}),
    }
    return {
        "RollbackQuestion": {
            "description": "Flagger's payload of a webhook (fluxcd/flagger, CanaryWebhookPayload). Other members are"
            " ignored.",
            "type": "object",
            "required": list(members),
            "properties": members,
        }
    }


def rollback() -> Schema:
    """A record's `spec.rollback`."""
    within = said("So long Flagger has to ask, in seconds.", {"type": "integer", "minimum": 1})
    return closed({"canary": TEXT, "checksum": TEXT, "withinSeconds": within})


def _rollback() -> dict[str, Any]:
    answers = {
        "200": {"description": "Roll back."},
        "400": {"description": "The body is not Flagger's payload with a checksum, or there is a query parameter."},
        "401": {"description": "No token, or not the right one."},
        "403": {"description": "Sent by a browser for a page of another site."},
        "404": {"description": "No record has it that this revision is to be rolled back."},
        "413": {"description": "The body is larger than --max-body."},
        "503": {"description": "Nobody knows now, or it could not be written; Flagger asks again."},
    }
    content = {"application/json": {"schema": ref("RollbackQuestion")}}
    return {
        "operationId": "askRollback",
        "summary": "Whether Flagger is to roll a Canary back. The answers have no body.",
        "requestBody": {"required": True, "content": content},
        "responses": answers,
    }
