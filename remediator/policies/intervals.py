"""Alertmanager's time intervals as values. When one holds is decided elsewhere: nothing here knows the time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from remediator.policies.mistake import Mistake

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip

TIME_PATTERN = r"^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_LONGEST_MONTH = 31


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A part of a day, in minutes since midnight; the end does not belong to it."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Span:
    """Whole numbers from `begin` to `end`, both included."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """A moment is in it if it is in one range of every kind that is given
    (prometheus/alertmanager timeinterval/timeinterval.go, ContainsTime)."""

    times: tuple[TimeRange, ...] = ()
    weekdays: tuple[Span, ...] = ()
    """0 is Sunday."""
    days_of_month: tuple[Span, ...] = ()
    """Negative days count from the end of the month: -1 is its last day."""
    months: tuple[Span, ...] = ()
    """1 is January."""
    years: tuple[Span, ...] = ()
    location: str = "UTC"
    """Name of an IANA time zone."""


def parse_time(text: str) -> int:
    """Minutes since midnight of `HH:MM`, 00:00 to 24:00.

    Raises:
        ValueError: not such a time.
    """
    if not re.fullmatch(TIME_PATTERN, text) or text.endswith("\n"):
        raise ValueError("a time is written HH:MM, from 00:00 to 24:00")
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def time_range(start: int, end: int) -> TimeRange:
    """A part of one day, from and to minutes since midnight.

    Raises:
        ValueError: the end is not after the start.
    """
    if start >= end:
        raise Mistake("the end is not after the start", "write a range over midnight as two")
    return TimeRange(start, end)


def parse_weekdays(text: str) -> Span:
    """`saturday`, or `monday:friday`.

    Raises:
        ValueError: not a weekday, or the end is before the start.
    """
    return _ordered(*(_weekday(part) for part in _ends(text)))


def parse_days_of_month(text: str) -> Span:
    """`1:5`, or `-3:-1` for the last three days.

    Raises:
        ValueError: not days from 1 to 31 or -31 to -1, or a range that is empty in every month.
    """
    begin, end = (_number(part, "a day of the month") for part in _ends(text))
    if not (1 <= abs(begin) <= 31 and 1 <= abs(end) <= 31):
        raise ValueError("a day of the month is 1 to 31, or -31 to -1 from the month's end")
    if begin < 0 < end:
        raise ValueError("a range that starts from the month's end must end there too")
    # Which of 28 and -2 comes first depends on the month; what is empty even in the longest one is a mistake.
    if _from_start(begin) > _from_start(end):
        raise ValueError("the end is before the start")
    return Span(begin, end)


def parse_months(text: str) -> Span:
    """`december`, `12`, or `june:august`.

    Raises:
        ValueError: not a month, or the end is before the start.
    """
    return _ordered(*(_month(part) for part in _ends(text)))


def parse_years(text: str) -> Span:
    """`2030`, or `2030:2032`.

    Raises:
        ValueError: not a year, or the end is before the start.
    """
    return _ordered(*(_number(part, "a year") for part in _ends(text)))


def _ends(text: str) -> tuple[str, str]:
    begin, colon, end = text.strip().lower().partition(":")
    return begin, end if colon else begin


def _ordered(begin: int, end: int) -> Span:
    if begin > end:
        raise Mistake("the end is before the start", "write a range over the turn as two")
    return Span(begin, end)


def _weekday(text: str) -> int:
    if text not in WEEKDAYS:
        raise ValueError(f"a weekday is one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(text)


def _month(text: str) -> int:
    if text in MONTHS:
        return MONTHS.index(text) + 1
    number = _number(text, "a month")
    if not 1 <= number <= 12:
        raise ValueError("a month is 1 to 12, or its English name")
    return number


def _number(text: str, what: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,4}", text):
        raise ValueError(f"{what} is a whole number, or two with a colon between")
    return int(text)


def _from_start(day: int) -> int:
    return day if day > 0 else _LONGEST_MONTH + 1 + day
