"""Who pauses, why and until when, of what stands on the command line."""

from __future__ import annotations

from datetime import datetime, timedelta

from remediator.alerts.values import moment
from remediator.cli.requester import requester
from remediator.errors import InputError, NotificationError
from remediator.guards.pause import Pause
from remediator.policies.mistake import Mistake, shown
from remediator.policies.quantities import parse_duration


def wished(by: str | None, reason: str, duration: str | None, until: str | None, now: datetime) -> Pause:
    """The pause that is asked for.

    Args:
        by: as for requester.
        duration, until: when it ends by itself; one of them, or neither.

    Raises:
        InputError: one of them is wrong.
    """
    if not reason.strip():
        raise InputError("--reason: is empty; say why, for all who will wonder")
    request = requester(by, reason)
    return Pause(by=request.by, reason=request.reason, until=_end(duration, until, now))


def _end(duration: str | None, until: str | None, now: datetime) -> datetime | None:
    if duration is not None and until is not None:
        raise InputError("--for and --until exclude each other: each says when it ends")
    if duration is not None:
        return _after(duration, now)
    return None if until is None else _moment(until, now)


def _after(duration: str, now: datetime) -> datetime:
    """A whole second, so that it is easily read; not before it was asked for to end."""
    try:
        length = parse_duration(duration)
    except Mistake as error:
        raise InputError(f"--for: {error}") from error
    if not length:
        raise InputError(f"--for: {shown(duration)} is over at once; `remediator resume` ends a pause")
    whole = (now + length).replace(microsecond=0)
    return whole if whole == now + length else whole + timedelta(seconds=1)


def _moment(until: str, now: datetime) -> datetime:
    try:
        end = moment(until, "--until")
    except NotificationError as error:
        raise InputError(f"--until: {shown(until)} is no time with its zone, such as 2026-08-01T12:00:00Z") from error
    if end <= now:
        raise InputError(f"--until: {until} is over already; `remediator resume` ends a pause")
    return end
