"""The guards' verdicts, as `explain` and `show` show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console

from remediator.cli.render import say
from remediator.guards.judging import GUARDS
from remediator.guards.verdict import Verdict

_MEANING: Final = "yes: nothing against it; NO: nothing is changed"


def say_verdicts(out: Console, verdicts: Sequence[Verdict], title: str = "Guards", indent: str = "") -> None:
    """Print a line for each guard, in the order in which a no is told first."""
    say(out, f"{indent}{title} ({_MEANING}):")
    width = max((len(verdict.guard) for verdict in verdicts), default=0)
    for verdict in verdicts:
        word = ("yes", "green") if verdict.allows else ("NO ", "bold red")
        say(out, f"{indent}  ", word, f"  {verdict.guard:<{width}}  {verdict.message}")
    if len(verdicts) < len(GUARDS):
        say(out, f"{indent}  The others were not asked: there is no plan to judge.")


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """One verdict as plain values."""
    return {
        "guard": verdict.guard,
        "allows": verdict.allows,
        "reason": verdict.reason and verdict.reason.value,
        "message": verdict.message,
    }
