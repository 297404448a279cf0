"""How an undo ended, as `undo` shows it."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from remediator.cli.forecast import CHANGES
from remediator.cli.record_view import by_hand, say_differences, say_later, say_peace
from remediator.cli.render import STYLES, diff, say, say_diff
from remediator.errors import RemediatorError
from remediator.outcome import Outcome
from remediator.pipeline.undoing import Ending

GOOD = (Outcome.APPLIED, Outcome.UNCHANGED)
"""The traffic is where it was, or was never taken."""


class NotUndone(RemediatorError):
    """The traffic was not given back, or nobody knows."""


def say_undo(out: Console, ending: Ending, newer: str, *, dry_run: bool) -> None:
    """Print what was put back, or what stands in the way; that it went wrong, require_done says.

    Args:
        newer: the remediation that changed the object after the one that is undone; empty: none.
    """
    if ending.outcome in GOOD:
        told = str(ending.record.intent.target.ref) if ending.changes else ending.message
        say(
            out,
            (str(ending.record), "bold"),
            ": ",
            (_verdict(ending, dry_run=dry_run), STYLES[ending.outcome]),
            f": {told}",
        )
    for change in ending.changes:
        say(out, f"  {change}")
    if ending.differences:
        say(out, (str(ending.record.intent.target.ref), "bold"), " was changed since:")
        say_differences(out, ending.differences)
    say_diff(out, _diff(ending))
    if ending.outcome is Outcome.APPLIED and not dry_run:
        say_later(out, newer, "it still stands")
    elif ending.outcome is not Outcome.UNCHANGED:
        say_later(out, newer)
    if dry_run and ending.outcome in GOOD:
        say(out, ("Dry run: nothing was changed.", "bold"))
    elif ending.outcome is Outcome.APPLIED:
        say_peace(out, ending.record)


def _verdict(ending: Ending, *, dry_run: bool) -> str:
    if ending.outcome is Outcome.APPLIED:
        return "Would be undone" if dry_run else "Undone"
    return f"{ending.outcome.value} ({ending.reason.value})"


def require_done(ending: Ending) -> None:
    """Raise NotUndone where the undo was refused, or failed."""
    if ending.outcome in GOOD:
        return
    # Each difference has been said, on a line of its own.
    why = f"nothing was put back; {by_hand(ending.record)}" if ending.differences else ending.message
    raise NotUndone(f"{ending.record}: {ending.outcome.value} ({ending.reason.value}): {why}")


def exit_code(ending: Ending, *, dry_run: bool) -> int:
    """2 where a dry run would change something, else 0."""
    return CHANGES if dry_run and ending.outcome is Outcome.APPLIED else 0


def undo_json(ending: Ending) -> dict[str, Any]:
    """As the HTTP API answers, with the diff besides."""
    from remediator.web.remediations import ending_json

    answer: dict[str, Any] = ending_json(ending)
    return answer | {"changes": list(ending.changes), "diff": "\n".join(_diff(ending))}


def _diff(ending: Ending) -> tuple[str, ...]:
    if ending.before is None or ending.after is None:
        return ()
    ref = ending.record.intent.target.ref
    return diff(ending.before, ending.after, (f"{ref} (live)", f"{ref} (undone)"))
