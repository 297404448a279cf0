"""The terms in which operations are described, as OpenAPI has them."""

from __future__ import annotations

from typing import Any

from remediator.web.schema_terms import Schema, ref

OPEN: list[Schema] = []
"""The security of an operation that needs no token."""


def operation(name: str, summary: str, answers: dict[str, Any]) -> dict[str, Any]:
    """An operation that needs a token."""
    return {"operationId": name, "summary": summary, "responses": {**answers, "401": _unauthorized()}}


def open_operation(name: str, summary: str, answers: dict[str, Any]) -> dict[str, Any]:
    """An operation that needs none."""
    return {"operationId": name, "summary": summary, "security": OPEN, "responses": answers}


def json_answer(description: str, schema: str) -> dict[str, Any]:
    """An answer with a body of this schema."""
    return {"description": description, "content": {"application/json": {"schema": ref(schema)}}}


def _unauthorized() -> dict[str, Any]:
    challenge = {"required": True, "schema": {"type": "string"}}
    return {
        **json_answer("No token, or one that is not accepted.", "Unauthorized"),
        "headers": {"WWW-Authenticate": challenge},
    }


def one_of(description: str, *schemas: str) -> dict[str, Any]:
    """An answer with a body of one of these schemas."""
    content = {"schema": {"anyOf": [ref(schema) for schema in schemas]}}
    return {"description": description, "content": {"application/json": content}}


def parameter(name: str, description: str, schema: Schema) -> dict[str, Any]:
    """A parameter of the query that may be left out."""
    return {"name": name, "in": "query", "description": description, "required": False, "schema": schema}
