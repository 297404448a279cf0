"""Moments as Kubernetes writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def micro_time(at: datetime) -> str:
    """A MicroTime: always six digits, which isoformat leaves out at a whole second unless told (kubernetes#89156).

    And four of the year, which strftime leaves out before 1000: Go's zero time is of the year 1.
    """
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def second(at: datetime) -> str:
    """A metav1.Time: whole seconds."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_time(text: Any) -> datetime:
    """Read either.

    Raises:
        ValueError: no time, or one without a zone.
    """
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)
