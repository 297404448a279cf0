"""Asks the gate: the records that bar a candidate, by the index, and in words for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from remediator.records.gate import Bar, Candidate, judge
from remediator.records.ledger import Ledger
from remediator.traffic.hosts import short


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate says."""

    candidate: Candidate
    bars: tuple[Bar, ...]
    """What holds it back, the latest first."""

    @property
    def go(self) -> bool:
        """Whether it may have more traffic."""
        return not self.bars

    @property
    def message(self) -> str:
        """Yes or no, and why; one line."""
        return f"{'go' if self.go else 'held'}: {self.reason}"

    @property
    def reason(self) -> str:
        """Why."""
        if self.bars:
            return "; ".join(map(said, self.bars))
        version = f" {self.candidate.version}" if self.candidate.version else ""
        image = f" ({self.candidate.image})" if self.candidate.image else ""
        return f"nothing holds {short(self.candidate.hosts[-1])}{version}{image} back"


def said(bar: Bar) -> str:
    """A bar in one line: whom, why, by which record, until when, and what ends it."""
    since = f" since {_written(bar.since)}" if bar.since else ""
    until = f"until {_written(bar.until)}, or " if bar.until else ""
    return f"{bar.suspect}: {bar.why} ({bar.record}{since}); {until}{bar.remedy}"


def ask(ledger: Ledger, candidate: Candidate, now: datetime, known_bad: timedelta | None) -> Answer:
    """Ask whether `candidate` may have more traffic; no request is made.

    Args:
        known_bad: how long a version is known as bad after the patch; None: for as long as there is the record.

    Raises:
        NotSynced: the index is not complete or too old, so nobody knows. Unavailable: the folder cannot be read.
    """
    records = {record.ref: record for host in candidate.hosts for record in ledger.barring(host)}
    return Answer(candidate, judge(candidate, records.values(), now, known_bad))


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
