"""From pydantic's errors to faults that a person can act on: where, what, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from remediator.errors import Fault
from remediator.policies.fields import found, nearest
from remediator.policies.mistake import Mistake
from remediator.policies.strict_yaml import printable

_Path = tuple[int | str, ...]
_MAX_FAULTS = 50


@dataclass(frozen=True, slots=True)
class Form:
    """What a kind of document is made of."""

    model: type[BaseModel]
    """The class that reads the whole document."""
    constants: Mapping[str, str]
    """What to say where a key must have one value and has another, by the key."""

    def faults(self, error: ValidationError, file: str, number: int) -> tuple[Fault, ...]:
        """All that is wrong with a document, up to fifty faults.

        Args:
            number: which document of the file, counted from 1.
        """
        return tuple(self._faults(error, file, number))[:_MAX_FAULTS]

    def _faults(self, error: ValidationError, file: str, number: int) -> Iterator[Fault]:
        """As faults of ours (https://docs.pydantic.dev/latest/errors/validation_errors/)."""
        for detail in error.errors(include_url=False):
            path: _Path = detail["loc"]
            message, hint = self._words(detail["type"], path, detail)
            yield Fault(file, number, dotted(path), message, hint)

    def _words(self, kind: str, path: _Path, detail: Any) -> tuple[str, str]:
        value = detail["input"]
        if kind == "value_error":
            error = detail["ctx"]["error"]
            return (error.message, error.hint) if isinstance(error, Mistake) else (str(error), "")
        if kind == "extra_forbidden":
            return "unknown key", nearest(str(path[-1])[:80], self._known_keys(path[:-1]))
        if kind == "missing":
            return "this key is missing", self._meaning(path)
        if kind not in _WANTED:
            return f"{detail['msg']}, found {found(value)}", ""
        wanted, hint = _WANTED[kind]
        if kind == "literal_error":
            hint = self.constants[str(path[-1])]
        return f"expected {wanted.format(**detail.get('ctx', {}))}, found {found(value)}", hint

    def _known_keys(self, path: _Path) -> list[str]:
        return [field.alias or name for name, field in self._model_at(path).model_fields.items()]

    def _meaning(self, path: _Path) -> str:
        fields = self._model_at(path[:-1]).model_fields
        known = next((field for name, field in fields.items() if (field.alias or name) == path[-1]), None)
        return (known.description or "") if known else ""

    def _model_at(self, path: _Path) -> type[BaseModel]:
        """The class that reads the mapping at `path`."""
        model = self.model
        for part in path:
            if isinstance(part, str):
                field = next(field for name, field in model.model_fields.items() if (field.alias or name) == part)
                model = next(kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind))
        return model


_WANTED = {
    "string_type": ("text", "put it in quotes"),
    "tuple_type": ("a list", "write it as [value] or as lines that start with -"),
    "model_type": ("a mapping", "write `key: value` lines below it"),
    "dict_type": ("a mapping", "write `key: value` lines below it"),
    "int_type": ("a whole number", "write it without quotes"),
    "bool_type": ("true or false", "write it without quotes"),
    "greater_than_equal": ("{ge} or more", ""),
    "literal_error": ("{expected}", ""),
}


def dotted(path: _Path) -> str:
    """`("spec", "matchers", 0)` as a person writes it: `spec.matchers[0]`."""
    written = ""
    for part in path:
        written += f"[{part}]" if isinstance(part, int) else f".{printable(part)}" if written else printable(part)
    return written


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
