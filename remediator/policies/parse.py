"""From the plain values of one document to a policy, or to every fault in it."""

from __future__ import annotations

import hashlib
import json
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from remediator.errors import Fault
from remediator.policies.document import PolicyDocument
from remediator.policies.fields import found, nearest
from remediator.policies.mistake import Mistake
from remediator.policies.model import Policy
from remediator.policies.strict_yaml import Document, printable

_Path = tuple[int | str, ...]
_MAX_FAULTS = 50


def parse_policy(document: Document, file: str) -> Policy | tuple[Fault, ...]:
    """The policy that a document says, or all that is wrong with it."""
    if document.faults:
        return document.faults
    try:
        parsed = PolicyDocument.model_validate(document.value)
    except ValidationError as error:
        faults = [_fault(detail, file, document.number) for detail in error.errors(include_url=False)]
        return tuple(faults[:_MAX_FAULTS])
    return parsed.value(f"{file}, document {document.number}", _hash(document.value))


def _hash(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _fault(detail: Any, file: str, number: int) -> Fault:
    """One of pydantic's errors as a fault of ours (https://docs.pydantic.dev/latest/errors/validation_errors/)."""
    path: _Path = detail["loc"]
    message, hint = _words(detail["type"], path, detail)
    return Fault(file, number, _dotted(path), message, hint)


def _words(kind: str, path: _Path, detail: Any) -> tuple[str, str]:
    value = detail["input"]
    if kind == "value_error":
        error = detail["ctx"]["error"]
        return (error.message, error.hint) if isinstance(error, Mistake) else (str(error), "")
    if kind == "extra_forbidden":
        return "unknown key", nearest(str(path[-1])[:80], _known_keys(path[:-1]))
    if kind == "missing":
        return "this key is missing", _meaning(path)
    if kind not in _WANTED:
        return f"{detail['msg']}, found {found(value)}", ""
    wanted, hint = _WANTED[kind]
    if kind == "literal_error":
        hint = _CONSTANTS[str(path[-1])]
    return f"expected {wanted.format(**detail.get('ctx', {}))}, found {found(value)}", hint


_WANTED = {
    "string_type": ("text", "put it in quotes"),
    "tuple_type": ("a list", "write it as [value] or as lines that start with -"),
    "model_type": ("a mapping", "write `key: value` lines below it"),
    "int_type": ("a whole number", "write it without quotes"),
    "greater_than_equal": ("{ge} or more", ""),
    "literal_error": ("{expected}", ""),
}

_CONSTANTS = {
    "apiVersion": "this release reads no other version",
    "kind": "policy files hold no other kind",
}


def _dotted(path: _Path) -> str:
    """`("spec", "matchers", 0)` as a person writes it: `spec.matchers[0]`."""
    dotted = ""
    for part in path:
        dotted += f"[{part}]" if isinstance(part, int) else f".{printable(part)}" if dotted else printable(part)
    return dotted


def _known_keys(path: _Path) -> list[str]:
    return [field.alias or name for name, field in _model_at(path).model_fields.items()]


def _meaning(path: _Path) -> str:
    fields = _model_at(path[:-1]).model_fields
    found_field = next((field for name, field in fields.items() if (field.alias or name) == path[-1]), None)
    return (found_field.description or "") if found_field else ""


def _model_at(path: _Path) -> type[BaseModel]:
    """The class that reads the mapping at `path`."""
    model: type[BaseModel] = PolicyDocument
    for part in path:
        if isinstance(part, str):
            field = next(field for name, field in model.model_fields.items() if (field.alias or name) == part)
            model = next(kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind))
    return model


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
