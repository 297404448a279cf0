"""The terms in which JSON Schemas are written here."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}


def ref(name: str) -> Schema:
    """A reference to one of `schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def closed(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object of ours: closed, and all its members always there but for `optional`."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def page_of(item: str) -> Schema:
    """One page of a list."""
    return closed(
        {
            "items": array(ref(item)),
            "next": said("Give it as `continue` for the next page; null at the end.", TEXT_OR_NULL),
        }
    )


def array(items: Schema) -> Schema:
    """A list of any length."""
    return {"type": "array", "items": items}


def said(description: str, schema: Schema) -> Schema:
    """`schema`, with words for a person."""
    return {**schema, "description": description}


def or_null(schema: Schema) -> Schema:
    """`schema`, or null."""
    return {"anyOf": [schema, {"type": "null"}]}
