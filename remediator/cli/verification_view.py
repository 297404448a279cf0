"""Whether a patch worked, as `show` shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Console

from remediator.cli.render import say
from remediator.policies.quantities import format_duration
from remediator.records.images import Images
from remediator.records.model import Status
from remediator.traffic.hosts import short
from remediator.verification.model import Verification, VerificationVerdict

_STYLES: Final = {
    VerificationVerdict.WITHDRAWN: "green",
    VerificationVerdict.RECOVERED: "green",
    VerificationVerdict.NOT_RECOVERED: "red",
    VerificationVerdict.STILL_RECEIVING: "bold red",
    VerificationVerdict.NO_DATA: "yellow",
    VerificationVerdict.NOT_VERIFIED: "dim",
    VerificationVerdict.UNROUTED: "green",
    VerificationVerdict.STILL_ROUTED: "bold red",
}
_ON: Final = {
    VerificationVerdict.STILL_ROUTED: "; it is looked on whether its driver takes the traffic away",
    VerificationVerdict.UNROUTED: "; it is asked on whether the traffic has followed",
}


_EXPLAINED: Final = (VerificationVerdict.NO_DATA, VerificationVerdict.NOT_VERIFIED, VerificationVerdict.WITHDRAWN)
"""What the figures do not say: why no more is known."""


def say_aftermath(out: Console, status: Status) -> None:
    """Print what was found out after the patch, as far as anything was."""
    if status.verification:
        say_verification(out, status.verification)
    if status.images:
        _say_images(out, status.images)


def _say_images(out: Console, images: Images) -> None:
    some = "" if images.complete else "; not all of them are known"
    say(out, f"Images of the suspect's pods, {_written(images.at)}{some}:")
    for each in images.found:
        say(out, f"  {each.suspect}, {each.container}: {each.digest}")
    say(out)


def say_verification(out: Console, found: Verification) -> None:
    """Print the verdict and its figures."""
    asked_on = "" if found.concluded_at else _ON.get(found.verdict, "; it is asked on whether the errors end")
    verdict = (found.verdict.value, _STYLES[found.verdict])
    say(out, "Verification: ", verdict, f", {_written(found.at)}{asked_on}")
    span = format_duration(timedelta(seconds=found.window_s or 0))
    for figure in found.figures:
        counts = f"{figure.before:g} in the {span} before the patch, {figure.after:g} in {span} since"
        say(out, f"  {figure.suspect}, {figure.side.lower()} requests: {counts} (up to {figure.floor:g} count as none)")
    for errors in found.errors:
        ratios = f"{_percent(errors.before)} before, {_percent(errors.after)} since"
        say(out, f"  {short(errors.host)}, errors: {ratios}; its other versions {_percent(errors.others)} before")
    if found.verdict in _ON or (found.verdict in _EXPLAINED and found.concluded_at):
        say(out, f"  {found.message}")
    elif found.unrouted_at:
        say(out, f"  the routes have sent it nothing since {_written(found.unrouted_at)}")
    say(out)


def _percent(ratio: float | None) -> str:
    return "no requests" if ratio is None else f"{100 * ratio:.1f} %"


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
