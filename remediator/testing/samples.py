"""What promtool prints of a vector that is not the one expected: `got: {a="x"} 3E+02, {a="y"} 1E+00`.

The text is for people, and nobody promises its form (prometheus cmd/promtool/unittest.go, parsedSamplesString). What
does not look so is a refusal, never a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_LABEL = re.compile(
    r'(?:(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)|(?P<quoted>"(?:[^"\\]|\\.)*"))=(?P<value>"(?:[^"\\]|\\.)*")'
)
_VALUE = re.compile(r"\} (?P<value>[-+0-9.eE]+)")
# Go's strconv.Quote has three escapes that JSON has not, and \x.. only for bytes that are no UTF-8.
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\\"'])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One element of a vector."""

    labels: Mapping[str, str]
    value: float


def printed(expression: str, output: str) -> str | None:
    """What promtool says it got for an expression; None: it does not say.

    Args:
        output: all that promtool printed.
    """
    lines = output.splitlines()
    # Go quotes as JSON does whatever is ASCII and printable.
    wanted = f"expr: {json.dumps(expression)}, time: "
    start = next((number for number, line in enumerate(lines) if line.strip().startswith(wanted)), len(lines))
    got = (
        line.strip().removeprefix("got: ") for line in lines[start + 1 : start + 4] if line.strip().startswith("got: ")
    )
    return next(got, None)


def parse_samples(text: str) -> tuple[Sample, ...]:
    """Read a vector. Raises ValueError: it does not look like one; the message has the place."""
    return () if text == "nil" else tuple(_samples(text))


def _samples(text: str) -> Iterator[Sample]:
    position = 0
    while True:
        labels, position = _labels(text, position)
        value = _VALUE.match(text, position)
        if not value:
            raise _odd(text, position)
        yield Sample(labels, float(value["value"]))
        position = value.end()
        if position == len(text):
            return
        position = _past(text, position, ", ")


def _labels(text: str, position: int) -> tuple[dict[str, str], int]:
    """The labels from `{` on, and where the `}` stands."""
    labels: dict[str, str] = {}
    position = _past(text, position, "{")
    while not text.startswith("}", position):
        position = _past(text, position, ", ") if labels else position
        label = _LABEL.match(text, position)
        if not label:
            raise _odd(text, position)
        labels[label["name"] or _unquoted(label["quoted"])] = _unquoted(label["value"])
        position = label.end()
    return labels, position


def _past(text: str, position: int, sign: str) -> int:
    if not text.startswith(sign, position):
        raise _odd(text, position)
    return position + len(sign)


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(_meant, text[1:-1])


def _meant(escape: re.Match[str]) -> str:
    if escape[1]:
        return _PLAIN.get(escape[1], escape[1])
    return chr(int(escape[2] or escape[3] or escape[4], 16))


def _odd(text: str, position: int) -> ValueError:
    return ValueError(f"character {position + 1}: {text[position : position + 40]!r}")
