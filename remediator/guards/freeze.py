"""Guard `freeze`: the policy names intervals in which nothing is changed."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason
from remediator.policies.intervals import Span, TimeInterval

GUARD: Final = "freeze"

_LOOK_AHEAD: Final = timedelta(days=8)
"""How far the end of a freeze is looked for; a longer one is only said to hold."""
_STEP: Final = timedelta(minutes=1)
"""Intervals begin and end at whole minutes, in every time zone there is today."""


def contains(interval: TimeInterval, moment: datetime) -> bool:
    """Whether `moment` is in the interval: in one range of every kind that is given, by its own clock on the wall.

    As Alertmanager reads it (prometheus/alertmanager timeinterval/timeinterval.go, ContainsTime): on the day on which
    clocks go back, a minute that comes twice is in the interval both times.
    """
    local = moment.astimezone(ZoneInfo(interval.location))
    minute = local.hour * 60 + local.minute
    return (
        _any(interval.times, (range_.start <= minute < range_.end for range_ in interval.times))
        and _any(interval.days_of_month, (_has_day(span, local) for span in interval.days_of_month))
        and _in(interval.months, local.month)
        and _in(interval.weekdays, local.isoweekday() % 7)
        and _in(interval.years, local.year)
    )


def evaluate(freeze: tuple[TimeInterval, ...], now: datetime) -> Verdict:
    """No, while one of the policy's intervals holds."""
    if not freeze:
        return yes(GUARD, "the policy names no freeze")
    holding = [number for number, interval in enumerate(freeze, start=1) if contains(interval, now)]
    if not holding:
        return yes(GUARD, f"none of the policy's {len(freeze)} freeze intervals holds at {_words(now)}")
    end = _end(freeze, now.astimezone(UTC).replace(second=0, microsecond=0))
    until = f"until {_words(end)}" if end else f"for more than {_LOOK_AHEAD.days} days"
    which = ", ".join(f"[{number - 1}] ({freeze[number - 1].location})" for number in holding)
    return no(GUARD, Reason.FROZEN, f"a freeze of the policy holds {until}: spec.guards.freeze{which}")


@lru_cache(maxsize=256)
def _end(freeze: tuple[TimeInterval, ...], minute: datetime) -> datetime | None:
    """The first minute in which none of them holds; kept, for in a storm many ask in the same minute."""
    moment = minute
    while moment - minute <= _LOOK_AHEAD:
        if not any(contains(interval, moment) for interval in freeze):
            return moment
        moment += _STEP
    return None


def _any(given: tuple[object, ...], held: Iterable[bool]) -> bool:
    return not given or any(held)


def _in(spans: tuple[Span, ...], number: int) -> bool:
    return _any(spans, (span.begin <= number <= span.end for span in spans))


def _has_day(span: Span, local: datetime) -> bool:
    """Whether a day of the month is in the span, whose ends may count from the month's end."""
    last = monthrange(local.year, local.month)[1]
    begin, end = (last + 1 + day if day < 0 else day for day in (span.begin, span.end))
    return begin <= last and begin <= local.day <= end


def _words(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
