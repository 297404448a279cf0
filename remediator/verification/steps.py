"""From what is known, and what was answered, to what is known next.

                     ┌── StillReceiving ■    at the deadline
    (nothing yet) ───┼── NoData ■            at the deadline, or when nobody answers beyond the patience
          │          └── NotVerified ■       there is nobody to ask
          ▼
      Withdrawn ───────┬── Recovered ■       as soon as it is seen
                       ├── NotRecovered ■    at the second deadline
                       └── Withdrawn ■       at the second deadline, where nobody can tell

■: final. Nothing else is ever taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

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
    """None, or `Withdrawn` and not concluded."""

    @property
    def begun_at(self) -> datetime:
        """Since when the present deadline counts."""
        return (self.so_far.withdrawn_at if self.so_far else None) or self.applied_at

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
    if course.so_far is not None:
        return _of_errors(replace(course.so_far, at=at), recovered(course.question, evidence), is_last)
    seen = withdrawn(course.question, evidence)
    found = Verification(
        verdict=seen.verdict,
        at=at,
        message=seen.message,
        window_s=course.schedule.window.total_seconds(),
        figures=seen.figures,
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
    if course.so_far is not None:
        message = f"{course.so_far.message}; how its errors went on could not be asked: {why}"
        return replace(course.so_far, message=message, concluded_at=at)
    return Verification(VerificationVerdict.NO_DATA, at, f"Prometheus could not be asked: {why}", concluded_at=at)


def unasked(now: datetime) -> Verification:
    """What is known where there is nobody to ask."""
    return Verification(VerificationVerdict.NOT_VERIFIED, now, _UNASKED, concluded_at=now)
