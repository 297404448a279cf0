"""The story of a target as Kubernetes Events: `kubectl describe virtualservice` tells who changed it, and why."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from remediator.outcome import Outcome
from remediator.records.model import GROUP, KIND, VERSION, Target
from remediator.records.times import micro_time

CONTROLLER: Final = "remediator.io/remediator"
"""Who reports: a qualified name, as validation demands (kubernetes pkg/apis/core/validation/events.go)."""

_LONGEST_NOTE: Final = 1024
_LONGEST_TARGET: Final = 200
_DIGITS: Final = 16

_WORTH_TELLING: Final = {Outcome.APPLIED, Outcome.PLANNED, Outcome.OBSERVED, Outcome.AWAITING_APPROVAL, Outcome.DENIED}


class Tone(StrEnum):
    """What an Event is to its reader."""

    NORMAL = "Normal"
    WARNING = "Warning"


def worth_telling(outcome: Outcome) -> bool:
    """Whether something was changed, planned or refused."""
    return outcome in _WORTH_TELLING


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a target."""

    target: Target
    subject: tuple[str, ...]
    """What makes it the same Event when it is told again: the alert's firing, the policy, a record's name."""
    outcome: Outcome
    reason: str
    action: str
    """What was done or asked for: `RevertToStable`, `Undo`."""
    note: str
    at: datetime
    record: str | None = None
    """The remediation's name."""
    changes: tuple[str, ...] = ()
    """Those that `note` names one after the other, joined by `; `."""

    @property
    def name(self) -> str:
        """Derived from what happened, so that telling it twice makes one Event."""
        parts = (self.target.uid, *self.subject, self.outcome.value, self.reason)
        digest = hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:_DIGITS]
        return f"{self.target.ref.name[:_LONGEST_TARGET].rstrip('-.')}.{digest}"

    @property
    def tone(self) -> Tone:
        """A warning where a person has to look."""
        return Tone.WARNING if self.outcome is Outcome.DENIED else Tone.NORMAL

    def body(self, instance: str) -> dict[str, Any]:
        """As events.k8s.io/v1 has it.

        Args:
            instance: which of our replicas tells it.
        """
        regarding = {
            "apiVersion": self.target.api_version,
            "kind": self.target.ref.kind,
            "namespace": self.target.ref.namespace,
            "name": self.target.ref.name,
            "uid": self.target.uid,
        }
        body: dict[str, Any] = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": self.name, "namespace": self.target.ref.namespace},
            "eventTime": micro_time(self.at),
            "reportingController": CONTROLLER,
            "reportingInstance": instance[:128] or "remediator",
            "action": self.action[:128],
            "reason": self.reason[:128],
            "type": self.tone.value,
            "note": _cut(self.note),
            "regarding": regarding,
        }
        if self.record:
            body["related"] = {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": KIND,
                "namespace": self.target.ref.namespace,
                "name": self.record,
            }
        return body


def _cut(note: str) -> str:
    """At most so many bytes, and whole characters: Go counts bytes."""
    if len(note.encode()) <= _LONGEST_NOTE:
        return note
    return note.encode()[: _LONGEST_NOTE - 3].decode(errors="ignore") + "…"
