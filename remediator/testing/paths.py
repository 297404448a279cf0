"""Places in an object, as a person writes them: `spec.http[0].route[1].weight`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from remediator.policies.mistake import Mistake, shown

_STEP = re.compile(
    r"""
      \.? (?P<key> [A-Za-z_][A-Za-z0-9_-]* )
    | \[ (?P<index> [0-9]{1,6} ) \]
    | \[ (?P<quoted> "[^"\\]*" ) \]
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an object."""

    text: str
    """As it was written."""
    steps: tuple[str | int, ...]

    def __str__(self) -> str:
        return self.text

    def of(self, value: Any) -> Any:
        """What stands there; None where there is nothing."""
        for step in self.steps:
            if isinstance(step, int):
                value = value[step] if isinstance(value, list) and step < len(value) else None
            else:
                value = value.get(step) if isinstance(value, dict) else None
        return value


def parse_place(text: str) -> Place:
    """Read a place.

    >>> parse_place('metadata.annotations["remediator.io/mode"]').steps
    ('metadata', 'annotations', 'remediator.io/mode')

    Raises:
        Mistake: not a place.
    """
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        # A key stands behind a dot, and only the first one behind nothing.
        if not found or (found["key"] is not None and (position > 0) != text.startswith(".", position)):
            break
        steps.append(_step(found))
        position = found.end()
    if position < len(text) or not steps or isinstance(steps[0], int):
        raise Mistake(
            f"{shown(text)} is no place in an object",
            'write it as spec.http[0].route[1].weight, and odd keys as metadata.annotations["remediator.io/mode"]',
        )
    return Place(text, tuple(steps))


def _step(found: re.Match[str]) -> str | int:
    if found["index"] is not None:
        return int(found["index"])
    return str(json.loads(found["quoted"])) if found["quoted"] else found["key"]
