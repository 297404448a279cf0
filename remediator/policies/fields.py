"""The kinds of values in a policy document: how each is checked, and how the JSON Schema says it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from remediator.policies import intervals
from remediator.policies.globs import GLOB_PATTERN, parse_glob
from remediator.policies.matchers import Matcher, parse_matchers
from remediator.policies.mistake import Mistake
from remediator.policies.model import MANUAL, Action, MirrorScope, Mode
from remediator.policies.quantities import (
    DURATION_PATTERN,
    PERCENTAGE_PATTERN,
    parse_duration,
    parse_percentage,
)

_NAME = rf"^(?!{MANUAL}$)[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?$"
_VERSION = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"


def _text(parse: Callable[[str], Any]) -> Callable[[object], Any]:
    """A validator that wants text, and parses it."""

    def validate(value: object) -> Any:
        if not isinstance(value, str):
            scalar = isinstance(value, bool | int | float)
            raise Mistake(f"expected text, found {found(value)}", "put it in quotes" if scalar else "")
        return parse(value)

    return validate


def found(value: object) -> str:
    """What a value of a document is, for a person: `the number 1.1`, `a list`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        shown = value if len(value) <= 60 else value[:60] + "…"
        return f"the text {shown!r}"
    return "a mapping" if isinstance(value, dict) else "a list"


def _shaped(pattern: str, rule: str) -> Callable[[object], str]:
    """A validator for text of one shape; `rule` says which."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text) or text.endswith("\n"):
            raise ValueError(f"{found(text)} does not fit: {rule}")
        return text

    return _text(parse)


def _one_of(options: type[StrEnum]) -> Callable[[object], Any]:
    names = [str(option) for option in options]

    def parse(text: str) -> StrEnum:
        if text not in names:
            raise Mistake(f"{found(text)} is not one of {', '.join(names)}", nearest(text, names))
        return options(text)

    return _text(parse)


def _span(parse: Callable[[str], intervals.Span]) -> Callable[[object], intervals.Span]:
    """A validator for a range, which may be written as a bare number."""

    def validate(value: object) -> intervals.Span:
        plain = isinstance(value, int) and not isinstance(value, bool)
        return parse(str(value) if plain else _text(str)(value))

    return validate


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that `word` may stand for, or at all of them."""
    known = list(known)
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_lower, n=1)
    return f"did you mean {by_lower[close[0]]}?" if close else f"known: {', '.join(known)}"


def _matchers(text: str) -> tuple[Matcher, ...]:
    matchers = parse_matchers(text)
    if not matchers:
        raise Mistake("there is no matcher in this item", 'write it as alertname = "CanaryHardDown"')
    return matchers


def selective(lines: tuple[tuple[Matcher, ...], ...]) -> tuple[tuple[Matcher, ...], ...]:
    """Refuse matchers that leave no alert out."""
    if not lines:
        raise Mistake("at least one matcher is needed", 'such as alertname = "CanaryHardDown"')
    if all(matcher.matches({}) for line in lines for matcher in line):
        raise Mistake(
            "these matchers hold for every alert, even one without labels",
            'name what the policy is for: alertname = "CanaryHardDown"',
        )
    return lines


def distinct(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Refuse an action that stands twice, and none at all."""
    if not actions:
        raise Mistake("at least one action is needed", f"known: {', '.join(Action)}")
    twice = next((action for action in actions if actions.count(action) > 1), None)
    if twice:
        raise Mistake(f"{twice} stands twice", "name each action once")
    return actions


def _enum(options: type[StrEnum]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [str(option) for option in options]})


def _string(pattern: str = "") -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **({"pattern": pattern} if pattern else {"minLength": 1})})


_RANGE = WithJsonSchema({"type": ["string", "integer"]})

ActionWord = Annotated[Action, PlainValidator(_one_of(Action)), _enum(Action)]
ModeWord = Annotated[Mode, PlainValidator(_one_of(Mode)), _enum(Mode)]
MirrorWord = Annotated[MirrorScope, PlainValidator(_one_of(MirrorScope)), _enum(MirrorScope)]
Duration = Annotated[timedelta, PlainValidator(_text(parse_duration)), _string(DURATION_PATTERN)]
Percentage = Annotated[float, PlainValidator(_text(parse_percentage)), _string(PERCENTAGE_PATTERN)]
Time = Annotated[int, PlainValidator(_text(intervals.parse_time)), _string(intervals.TIME_PATTERN)]
Weekdays = Annotated[intervals.Span, PlainValidator(_text(intervals.parse_weekdays)), _string()]
DaysOfMonth = Annotated[intervals.Span, PlainValidator(_span(intervals.parse_days_of_month)), _RANGE]
Months = Annotated[intervals.Span, PlainValidator(_span(intervals.parse_months)), _RANGE]
Years = Annotated[intervals.Span, PlainValidator(_span(intervals.parse_years)), _RANGE]
MatcherLine = Annotated[tuple[Matcher, ...], PlainValidator(_text(_matchers)), _string()]
_NAMES = (
    "a name is a DNS-1123 label: a-z, 0-9 and -, at most 63, no - at the ends; "
    f"and not {MANUAL}, which is what people do by hand"
)
Name = Annotated[
    str,
    PlainValidator(_shaped(_NAME, _NAMES)),
    _string(_NAME),
]
Label = Annotated[str, PlainValidator(_shaped(r"(?s).+", "the name of a label is not empty")), _string()]
Glob = Annotated[str, PlainValidator(_text(parse_glob)), _string(GLOB_PATTERN)]
Version = Annotated[
    str,
    PlainValidator(_shaped(_VERSION, "a version is the value of a Kubernetes label: letters, digits, . _ and -")),
    _string(_VERSION),
]
Zone = Annotated[str, PlainValidator(_shaped(r"[A-Za-z0-9_+/-]+", "write a time zone as Europe/Berlin")), _string()]
