"""How a release ended, as `release` shows it."""

from __future__ import annotations

from rich.console import Console

from remediator.cli.render import STYLES, say
from remediator.errors import RemediatorError
from remediator.outcome import Outcome
from remediator.pipeline.releasing import Released


class NotReleased(RemediatorError):
    """The record took no traffic from anybody."""


def say_released(out: Console, released: Released) -> None:
    """Print whom it lets have traffic; that it was refused, require_released says."""
    if released.outcome is Outcome.DENIED:
        return
    record = released.record
    say(out, (str(record), "bold"), ": ", (released.reason.value, STYLES[released.outcome]), f": {released.message}")
    if released.outcome is Outcome.APPLIED:
        say(out, "  An alert that still fires takes the traffic away again once there is some.")


def require_released(released: Released) -> None:
    """Raise NotReleased where it was refused."""
    if released.outcome is Outcome.DENIED:
        reason = f"{released.outcome.value} ({released.reason.value})"
        raise NotReleased(f"{released.record}: {reason}: {released.message}")
