"""Durations and percentages as people write them in Prometheus' files."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

from remediator.policies.mistake import Mistake, shown

DURATION_PATTERN = (
    r"^(?:0|(?=[0-9])(?:[0-9]{1,9}y)?(?:[0-9]{1,9}w)?(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?"
    r"(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?(?:[0-9]{1,9}ms)?)$"
)
"""Prometheus' duration (prometheus/common model/time.go, ParseDuration), as JSON Schema writes patterns."""

PERCENTAGE_PATTERN = r"^(?:100(?:\.0+)?|[0-9]{1,2}(?:\.[0-9]+)?)%$"

_UNITS = {
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_PART = re.compile(r"([0-9]+)(ms|[ywdhms])")
# Prometheus counts nanoseconds in 64 bits, so it knows no longer one.
_LONGEST = timedelta(microseconds=(2**63 - 1) // 1000)


def parse_duration(text: str) -> timedelta:
    """Read a duration in Prometheus' syntax.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)

    Raises:
        Mistake: not a duration, or longer than Prometheus can count (about 292 years).
    """
    if not re.fullmatch(DURATION_PATTERN, text) or text.endswith("\n"):
        raise Mistake(f"{shown(text)} is not a duration", "write it as 30s, 10m or 1h30m, largest unit first")
    try:
        total = sum((int(count) * _UNITS[unit] for count, unit in _PART.findall(text)), timedelta())
    except OverflowError:
        total = timedelta.max
    if total > _LONGEST:
        raise Mistake(f"{shown(text)} is too long", "a duration has at most 292 years")
    return total


def format_duration(duration: timedelta) -> str:
    """Write a duration in Prometheus' syntax; what is below a millisecond is dropped.

    >>> format_duration(timedelta(minutes=90))
    '1h30m'
    """
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, duration = divmod(duration, _UNITS[unit])
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts) or "0s"


def parse_percentage(text: str) -> float:
    """Read a percentage, 0 % to 100 %, as a share from 0 to 1.

    >>> parse_percentage("80%")
    0.8

    Raises:
        Mistake: not a percentage.
    """
    if not re.fullmatch(PERCENTAGE_PATTERN, text) or text.endswith("\n"):
        raise Mistake(f"{shown(text)} is not a percentage from 0% to 100%", "write it as 80%")
    # Rounded once: 999 of 1000 is to be 99.9 %, and not a little less.
    return float(Fraction(text.removesuffix("%")) / 100)


def format_percentage(share: float) -> str:
    """Write a share from 0 to 1 as a percentage.

    >>> format_percentage(0.8)
    '80%'
    """
    return f"{round(share * 100, 6):g}%"
