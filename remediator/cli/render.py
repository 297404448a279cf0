"""How things look in a terminal, and as JSON or YAML. Colour only on a terminal, and not where NO_COLOR is set."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import yaml
from rich.console import Console
from rich.text import Text

from remediator.outcome import Outcome

_CONTEXT_LINES = 3

PAGE_WIDTH = 100
"""Of what has a width, where the output is no terminal."""

STYLES: Mapping[Outcome, str] = {
    Outcome.APPLIED: "green",
    Outcome.PLANNED: "yellow",
    Outcome.OBSERVED: "cyan",
    Outcome.AWAITING_APPROVAL: "yellow",
    Outcome.UNCHANGED: "dim",
    Outcome.IGNORED: "dim",
    Outcome.DENIED: "red",
    Outcome.FAILED: "bold red",
}

Line = tuple[str, str]
"""A line and its style."""


class _Dumper(yaml.SafeDumper):
    """Writes every value out, without anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def console() -> Console:
    """Where text for a person goes. Lines are never broken: they are searched, and copied into tickets."""
    width = None if sys.stdout.isatty() else PAGE_WIDTH
    return Console(soft_wrap=True, highlight=False, markup=False, emoji=False, width=width)


def visible(text: object) -> str:
    """Text from elsewhere, with what would move a terminal's cursor written out.

    >>> visible("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(text))


def say(out: Console, *parts: str | Line) -> None:
    """Print one line made of parts, each with its style or plain."""
    line = Text()
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        line.append(visible(text), style)
    out.print(line)


def diff(before: Mapping[str, Any], after: Mapping[str, Any], names: tuple[str, str]) -> tuple[str, ...]:
    """The unified diff of an object as YAML: the hunks that change, with a few lines around them."""
    return unified(_yaml(before), _yaml(after), names)


def unified(before: str, after: str, names: tuple[str, str]) -> tuple[str, ...]:
    """The unified diff of two texts."""
    old, new = before.splitlines(), after.splitlines()
    return tuple(difflib.unified_diff(old, new, *names, n=_CONTEXT_LINES, lineterm=""))


def say_diff(out: Console, lines: Sequence[str]) -> None:
    """Print a unified diff, added lines green and removed ones red."""
    for line in lines:
        say(out, (line, _diff_style(line)))


def _diff_style(line: str) -> str:
    if line.startswith(("---", "+++")):
        return "bold"
    return {"-": "red", "+": "green", "@": "cyan"}.get(line[:1], "")


def json_patch(operations: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A JSON Patch, one operation a line: can be read, and be given to `kubectl patch --type=json -p`."""
    yield "["
    last = len(operations) - 1
    for position, operation in enumerate(operations):
        yield "  " + json.dumps(operation, ensure_ascii=True) + ("," if position < last else "")
    yield "]"


def emit(value: object, form: str) -> None:
    """Print a plain value as `json` or `yaml`."""
    text = json.dumps(value, indent=2, ensure_ascii=True) if form == "json" else _yaml(value).rstrip("\n")
    click.echo(text, file=sys.stdout)


def _yaml(value: object) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**30)
    return text
