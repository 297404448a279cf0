"""What `pause` and `resume` have done, as they show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console

from remediator.cli.render import say
from remediator.guards.pause import Pause
from remediator.records.pauses import FLEET, render


@dataclass(frozen=True, slots=True)
class Paused:
    """A pause that was made."""

    pause: Pause
    before: tuple[Pause, ...]
    """Those that held before it."""
    command: str
    """What ends it."""

    @property
    def replaced(self) -> Pause | None:
        """The one in whose place it came."""
        return next((each for each in self.before if each.name == FLEET), None)

    @property
    def others(self) -> tuple[Pause, ...]:
        """Those that hold beside it: somebody wrote them with kubectl."""
        return tuple(each for each in self.before if each.name != FLEET)


def say_paused(out: Console, done: Paused) -> None:
    """Print who, why, until when, and what that means."""
    say(out, ("Paused", "bold yellow"), f" {done.pause}")
    if done.replaced:
        say(out, f"  It replaces the pause {done.replaced}")
    for other in done.others:
        say(out, f"  The pause {other.name} holds besides: {other}")
    say(
        out,
        "Every replica acts on it within seconds. Alerts end as Denied, Paused, and nothing is changed for them; what "
        "people do with rollback, stop-mirror and undo goes on.",
    )
    say(out, "To end it:")
    say(out, f"  {done.command}")


def paused_json(done: Paused) -> dict[str, Any]:
    """The same for a program; pauses in the CRD's shape."""
    return {
        "pause": _shape(done.pause),
        "replaced": _shape(done.replaced) if done.replaced else None,
        "others": [_shape(each) for each in done.others],
    }


def say_resumed(out: Console, by: str, gone: Sequence[Pause], now: datetime) -> None:
    """Print what has ended, and what follows."""
    held = [pause for pause in gone if pause.holds(now)]
    if not held:
        say(out, "Nothing was paused.")
    else:
        say(out, ("Resumed", "bold green"), f" by {by}. What has ended:")
    for pause in held:
        say(out, f"  the pause {pause}")
    for pause in gone:
        if pause not in held:
            say(out, f"  Taken away, though it was over: the pause {pause}")
    if held:
        say(
            out,
            "Every replica acts on it within seconds, and on an alert that still fires once Alertmanager delivers it "
            "again (repeat_interval).",
        )


def resumed_json(by: str, gone: Sequence[Pause]) -> dict[str, Any]:
    """The same for a program; pauses in the CRD's shape."""
    return {"by": by, "ended": [_shape(pause) for pause in gone]}


def _shape(pause: Pause) -> dict[str, Any]:
    return render(pause) | ({"fault": pause.fault} if pause.fault else {})
