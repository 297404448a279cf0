"""Guard `mode`: the annotation `remediator.io/mode` on the object or its namespace says how far anything may go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason
from remediator.policies.model import Mode

GUARD: Final = "mode"
ANNOTATION: Final = "remediator.io/mode"
STABLE_ANNOTATION: Final = "remediator.io/stable"
OFF: Final = "Off"
_WORDS: Final = (OFF, *(mode.value for mode in Mode))


@dataclass(frozen=True, slots=True)
class Switch:
    """What the two annotations say, as written; None: it is not there."""

    on_object: str | None = None
    on_namespace: str | None = None

    @property
    def words(self) -> tuple[tuple[str, str], ...]:
        """Each annotation that is there: where, and what it says."""
        found = (("the object", self.on_object), ("its namespace", self.on_namespace))
        return tuple((where, text) for where, text in found if text is not None)

    def cap(self, mode: Mode) -> Mode:
        """`mode`, or what is more careful of the annotations. One that says `Off`, or nothing that is known, caps
        nothing: it is `evaluate` that says no."""
        for _, text in self.words:
            mode = mode.capped(Mode(text)) if text in tuple(Mode) else mode
        return mode


def annotated(body: Mapping[str, Any], name: str) -> str | None:
    """What an annotation of an object says; None where it is not there. One without a value is there, and empty,
    as on an API server."""
    annotations = (body.get("metadata") or {}).get("annotations")
    if not isinstance(annotations, Mapping) or name not in annotations:
        return None
    return "" if annotations[name] is None else str(annotations[name])


def named_stable(body: Mapping[str, Any]) -> str | None:
    """The version that an object's own annotation calls stable; an empty one names none."""
    return annotated(body, STABLE_ANNOTATION) or None


def evaluate(switch: Switch, *, opt_in: bool) -> Verdict:
    """No, where an annotation says `Off` or a word that is not known; with `opt_in` also where there is none."""
    for where, text in switch.words:
        if text == OFF:
            return no(GUARD, Reason.SWITCHED_OFF, f"the annotation {ANNOTATION} of {where} says Off")
        if text not in _WORDS:
            message = f"the annotation {ANNOTATION} of {where} says {text!r}, which is none of {', '.join(_WORDS)}"
            # YAML 1.1, as a folder of files is read, takes a bare Off for a boolean.
            message += '; in YAML write "Off" in quotes' if text == "False" else ""
            return no(GUARD, Reason.SWITCHED_OFF, message)
    if switch.words:
        said = ", ".join(f"{text} on {where}" for where, text in switch.words)
        return yes(GUARD, f"the annotation {ANNOTATION} says {said}")
    if opt_in:
        message = (
            f"the service acts only where the annotation {ANNOTATION} says so (--opt-in), and neither the object nor "
            "its namespace has it"
        )
        return no(GUARD, Reason.NOT_OPTED_IN, message)
    return yes(GUARD, f"no annotation {ANNOTATION} on the object or its namespace")
