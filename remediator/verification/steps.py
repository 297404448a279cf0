"""From what is known, and what was answered, to what is known next.

    (nothing yet) ─▶ StillRouted ─▶ Unrouted     by the routes alone, where their driver was asked
          │                            │
          │  ┌─────────────────────────┴── ■     there is nobody to ask
          │  │       ┌── StillReceiving ■    at the deadline
          ├──┴───────┼── NoData ■            at the deadline, or when nobody answers beyond the patience
          │          └── NotVerified ■       there is nobody to ask
          ▼
      Withdrawn ───────┬── Recovered ■       as soon as it is seen
                       ├── NotRecovered ■    at the second deadline
                       └── Withdrawn ■       at the second deadline, where nobody can tell

■: final. Nothing else is ever taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from remediator.policies.quantities import format_duration
from remediator.verification.judging import Evidence, Question, Seen, recovered, withdrawn
from remediator.verification.model import Verification, VerificationVerdict
from remediator.verification.schedule import Schedule

_UNASKED = "there is no Prometheus to ask: --prometheus-url is not set"


@dataclass(frozen=True, slots=True)
class Course:
    """One verification on its way."""

    question: Question
    schedule: Schedule
    applied_at: datetime
    so_far: Verification | None = None
    """None, or what is not concluded: `StillRouted`, `Unrouted`, `Withdrawn`."""

    @property
    def unrouted_at(self) -> datetime | None:
        """As of Verification."""
        return self.so_far.unrouted_at if self.so_far else None

    @property
    def gone(self) -> Verification | None:
        """What is known, if it is that the traffic is gone; None: it is not."""
        return self.so_far if self.so_far and self.so_far.withdrawn_at else None

    @property
    def begun_at(self) -> datetime:
        """Since when the present deadline counts."""
        return (self.gone.withdrawn_at if self.gone else None) or self.unrouted_at or self.applied_at

    def asked_about(self, now: datetime) -> datetime:
        """The end of the window to ask about."""
        return self.schedule.asked_about(now, self.begun_at)


def answered(course: Course, evidence: Evidence, now: datetime) -> Verification | None:
    """What is known next.

    Args:
        evidence: of the window that ends at `course.asked_about(now)`.

    Returns:
        None: nothing new; ask again.
    """
    at = course.asked_about(now)
    is_last = at >= course.schedule.deadline(course.begun_at)
    if course.gone is not None:
        return _of_errors(replace(course.gone, at=at), recovered(course.question, evidence), is_last)
    seen = withdrawn(course.question, evidence)
    found = Verification(
        verdict=seen.verdict,
        at=at,
        message=seen.message,
        window_s=course.schedule.window.total_seconds(),
        figures=seen.figures,
        unrouted_at=course.unrouted_at,
    )
    if seen.verdict is VerificationVerdict.WITHDRAWN:
        found = replace(found, withdrawn_at=at)
        return _of_errors(found, recovered(course.question, evidence), is_last=False) or found
    return replace(found, concluded_at=at) if is_last else None


def _of_errors(gone: Verification, seen: Seen, is_last: bool) -> Verification | None:
    """What is known of the errors, now that the traffic is gone; None: not enough yet."""
    if seen.verdict is not VerificationVerdict.RECOVERED and not is_last:
        return None
    known = replace(gone, message=f"{gone.message}; {seen.message}", errors=seen.errors, concluded_at=gone.at)
    return known if seen.verdict is VerificationVerdict.NO_DATA else replace(known, verdict=seen.verdict)


def unanswered(course: Course, why: str, now: datetime) -> Verification | None:
    """What is known next where Prometheus gave no answer that can be believed; None: ask again."""
    if now < course.schedule.deadline(course.begun_at) + course.schedule.patience:
        return None
    at = course.asked_about(now)
    if course.gone is not None:
        message = f"{course.gone.message}; how its errors went on could not be asked: {why}"
        return replace(course.gone, message=message, concluded_at=at)
    message = f"Prometheus could not be asked: {why}"
    return Verification(VerificationVerdict.NO_DATA, at, message, unrouted_at=course.unrouted_at, concluded_at=at)


def routed(course: Course, left: Sequence[str], now: datetime) -> Verification | None:
    """What is known next of routes whose driver was asked to take the traffic away.

    Args:
        left: what they send to the suspect yet, a line each.

    Returns:
        None: nothing new; look again.
    """
    who, span = ", ".join(map(str, course.question.suspects)) or "the suspect", _span(now - course.applied_at)
    if not left:
        message = f"the routes send {who} nothing, as was seen {span} after their driver was asked to see to it"
        # Of a suspect without a version nobody can ask how its traffic went on.
        ends = None if course.question.suspects else now
        return Verification(VerificationVerdict.UNROUTED, now, message, unrouted_at=now, concluded_at=ends)
    if course.so_far is not None or now < course.schedule.deadline(course.applied_at):
        return None
    message = f"{span} after their driver was asked to take it away, the routes send {who} yet: {'; '.join(left)}"
    return Verification(VerificationVerdict.STILL_ROUTED, now, message)


def _span(span: timedelta) -> str:
    return format_duration(timedelta(seconds=max(0, round(span.total_seconds()))))


def unasked(course: Course, now: datetime) -> Verification:
    """What is known where there is nobody to ask: what the routes say, if anything had to be seen there."""
    known = course.so_far
    if known is not None and known.verdict is VerificationVerdict.STILL_ROUTED:
        return known
    if known is not None and known.verdict is VerificationVerdict.UNROUTED:
        return replace(known, concluded_at=now)
    return not_verified(now)


def not_verified(now: datetime) -> Verification:
    """What is known where there is nobody to ask, and nothing to be seen in the routes."""
    return Verification(VerificationVerdict.NOT_VERIFIED, now, _UNASKED, concluded_at=now)
