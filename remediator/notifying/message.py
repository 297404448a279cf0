"""The text of a message: plain, for a person who was asleep. One message tells all that happened within seconds.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import Final

from remediator.notifying.notice import Notice
from remediator.outcome import NoticeKind

LONGEST: Final = 4000
"""Characters of a message, where its recipient takes as many."""
_LONGEST_TEXT: Final = 1500
_MOST_CHANGES: Final = 12


class Tone(StrEnum):
    """How bad it is; in apprise's words."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


_TONES: Final = {
    NoticeKind.HOLD_LOST: Tone.FAILURE,
    NoticeKind.STILL_RECEIVING: Tone.FAILURE,
    NoticeKind.STILL_ROUTED: Tone.FAILURE,
    NoticeKind.LEVER_NOT_PULLED: Tone.FAILURE,
    NoticeKind.NOT_RECOVERED: Tone.FAILURE,
    NoticeKind.FAILED: Tone.FAILURE,
    NoticeKind.DENIED: Tone.WARNING,
    NoticeKind.AWAITING_APPROVAL: Tone.WARNING,
    NoticeKind.NO_DATA: Tone.WARNING,
    NoticeKind.APPROVAL_EXPIRED: Tone.WARNING,
    NoticeKind.HELD: Tone.WARNING,
    NoticeKind.RECOVERED: Tone.SUCCESS,
    NoticeKind.UNROUTED: Tone.SUCCESS,
    NoticeKind.WITHDRAWN: Tone.SUCCESS,
}
"""Of the rest: INFO."""
_URGENCY: Final = {kind: number for number, kind in enumerate(NoticeKind)}


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to one recipient."""

    title: str
    body: str
    tone: Tone


def composed(notices: Sequence[Notice], longest: int = LONGEST) -> Message:
    """One message of all `notices`, at least one: the most urgent first, and no longer than its recipient takes.

    Args:
        longest: characters of the body.
    """
    ordered = sorted(notices, key=lambda each: (_URGENCY[each.kind], each.at, each.about))
    worst = ordered[0]
    return Message(_title(ordered), _body(ordered, longest), _TONES.get(worst.kind, Tone.INFO))


def _title(notices: Sequence[Notice]) -> str:
    if len(notices) == 1:
        return f"remediator: {notices[0].headline}"
    counts = Counter(each.kind for each in notices)
    return "remediator: " + ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _body(notices: Sequence[Notice], longest: int) -> str:
    """Whole notices as long as they fit; the first one cut, if it alone is too long; the rest are counted."""
    parts: list[str] = []
    for left in range(len(notices), 0, -1):
        part = "\n".join(_lines(notices[-left], with_title=len(notices) > 1))
        behind = _rest(left - 1)
        if len("\n\n".join([*parts, part, *behind])) > longest:
            # With what is told so far, the count of the rest still fits: it was counted with the one before.
            cut = (_cut(part, longest - sum(len(each) + 2 for each in behind)), *behind)
            return "\n\n".join([*parts, *_rest(left)] if parts else cut)
        parts.append(part)
    return "\n\n".join(parts)


def _rest(count: int) -> tuple[str, ...]:
    return (f"And {count} more: `remediator list --since 1h` has them.",) if count else ()


def _lines(notice: Notice, *, with_title: bool) -> Iterator[str]:
    if with_title:
        yield notice.headline
    yield _cut(_spread(notice), _LONGEST_TEXT)
    for command in notice.commands:
        if command not in notice.text:
            yield f"  {command}"
    yield notice.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _spread(notice: Notice) -> str:
    """The text, with a line for each of its changes."""
    joined = "; ".join(notice.changes)
    if not joined or joined not in notice.text:
        return notice.text
    shown = [f"  {change}" for change in notice.changes[:_MOST_CHANGES]]
    left = len(notice.changes) - len(shown)
    lines = "\n".join([*shown, *([f"  and {left} more changes"] if left else [])])
    before, _, after = notice.text.partition(joined)
    return f"{before.rstrip()}\n{lines}\n{after.lstrip('. ;')}".rstrip()


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(most - 1, 0)] + "…"
