"""What people are told: one thing that happened, made of what an Event or a row of the answer says.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remediator.outcome import AlertOutcome, NoticeKind, Outcome, Reason, TargetRef
from remediator.records.events import Event
from remediator.traffic.virtualservice import KIND

_WORDS: Final[Mapping[str, NoticeKind]] = {kind.value: kind for kind in NoticeKind}

_DECIDED: Final = frozenset(
    each.value
    for each in (
        Reason.UNDONE,
        Reason.RESOLVED,
        Reason.APPROVAL_REJECTED,
        Reason.SWITCHED_OFF,
        Reason.NOT_OPTED_IN,
    )
)
"""Refusals that say no more than what people have decided about this very object, version or alert."""
_ASKED_FOR: Final = frozenset({"Undo", "Release", "PauseGitOps", "ResumeGitOps"})
"""Actions whose refusal the person who asked is told at once, or that concern nobody."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that people are told."""

    key: str
    """What makes it the same notice when it is told again."""
    kind: NoticeKind
    reason: str
    """A word of outcome.Reason, or a verdict."""
    about: str
    """`VirtualService shop/reviews`, or the alert where no object is known."""
    text: str
    """What happened, and why: a sentence or two."""
    at: datetime
    changes: tuple[str, ...] = ()
    """Those that `text` names one after the other, for a line each."""
    record: str | None = None
    """`NAMESPACE/NAME` of the remediation."""
    target: TargetRef | None = None

    @property
    def headline(self) -> str:
        """What it is, of whom; of what was not done, why not."""
        why = f" ({self.reason})" if self.kind in (NoticeKind.DENIED, NoticeKind.FAILED) else ""
        return f"{self.kind}{why}: {self.about}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What to type next."""
        by_hand: tuple[str, ...] = ()
        if self.kind is NoticeKind.HOLD_LOST and self.target is not None and self.target.kind == KIND:
            by_hand = (f"rollback {self.target.namespace}/{self.target.name} --suspect VERSION",)
        following = _INSTEAD.get(self.reason, _NEXT.get(self.kind, ()))
        verbs = ("show", *following) if self.record else ()
        return tuple(f"remediator {each}" for each in (*(f"{verb} {self.record}" for verb in verbs), *by_hand))


_NEXT: Final[Mapping[NoticeKind, tuple[str, ...]]] = {
    NoticeKind.APPLIED: ("undo",),
    NoticeKind.AWAITING_APPROVAL: ("approve", "reject"),
    NoticeKind.HELD: ("release",),
    NoticeKind.NOT_RECOVERED: ("undo",),
}
_INSTEAD: Final[Mapping[str, tuple[str, ...]]] = {Reason.ABORTED.value: (), Reason.ROLLED_BACK.value: ("release",)}
"""By the reason: what a driver has taken away no undo puts back."""


def of_event(event: Event) -> Notice | None:
    """What an Event is to people; None where it is nothing that they have to hear of."""
    kind = _kind(event.reason, event.outcome, event.action)
    if kind is None:
        return None
    ref = event.target.ref
    record = f"{ref.namespace}/{event.record}" if event.record else None
    return Notice(event.name, kind, event.reason, str(ref), event.note, event.at, event.changes, record, ref)


def of_row(row: AlertOutcome, now: datetime) -> Notice | None:
    """What a row of the answer is to people, where no Event says so: what failed, and what was refused before any
    object was looked at."""
    is_told = row.outcome is Outcome.FAILED or (row.outcome is Outcome.DENIED and row.target is None)
    kind = _kind(row.reason.value, row.outcome, "") if is_told else None
    if kind is None:
        return None
    ref, alert = row.target, f"Alert {row.alertname or row.fingerprint}"
    record = f"{ref.namespace}/{row.remediation}" if ref and row.remediation else None
    policy = f", policy {row.policy}" if row.policy else ""
    key = "\x00".join((row.fingerprint, row.policy or "", str(ref), row.outcome.value, row.reason.value))
    text = f"{row.message}. {alert}{policy}"
    return Notice(key, kind, row.reason.value, str(ref) if ref else alert, text, now, (), record, ref)


def _kind(reason: str, outcome: Outcome, action: str) -> NoticeKind | None:
    if outcome is Outcome.DENIED and (reason in _DECIDED or action in _ASKED_FOR):
        return None
    if reason == Reason.HELD.value and action in _ASKED_FOR:
        return None
    return _WORDS.get(reason) or _WORDS.get(outcome.value)
