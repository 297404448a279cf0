"""The gate: may a version have more traffic? Not while a record holds it back. Unknown means no."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remediator.policies.model import Mode
from remediator.records.images import Images
from remediator.records.model import Phase, Remediation
from remediator.records.offers import acts, is_offered, take_back_words, trial_of
from remediator.records.rollback import Trial
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is about to get more traffic."""

    hosts: tuple[Host, ...]
    """Every service that may be meant; one that is held back is enough for a no."""
    version: str | None = None
    """None: not said, so that any version counts which is held back."""
    trial: Trial | None = None
    """The revision, where Flagger asks; None: somebody else does."""
    image: str | None = None
    """Its digest; None: not said."""

    def is_meant_by(self, suspect: Suspect, images: Images | None = None) -> bool:
        """Whether this may be the suspect. One without a version is its whole service.

        An image says more than a name: the same one under another name is the suspect, and another one under the same
        name is not, if it is known of all the suspect's pods what they ran.

        Args:
            images: what the suspects ran.
        """
        if suspect.host not in self.hosts:
            return False
        known = images.of(suspect) if images and self.image else frozenset()
        if self.image in known:
            return True
        if known and images is not None and images.complete:
            return False
        return None in (suspect.version, self.version) or suspect.version == self.version

    def is_another_trial(self, record: Remediation) -> bool:
        """Whether this is a revision of a Canary of which the record condemns another one."""
        own, theirs = self.trial, trial_of(record)
        return own is not None and theirs is not None and own[:2] == theirs[:2] and own != theirs


@dataclass(frozen=True, slots=True)
class Bar:
    """A record that holds a candidate back."""

    record: Remediation
    suspect: Suspect
    since: datetime | None
    until: datetime | None
    """When that ends by itself; None: it does not, or nobody knows."""

    @property
    def why(self) -> str:
        """As the end of a sentence that begins with the suspect."""
        return _WHY[self.record.status.phase]

    @property
    def remedy(self) -> str:
        """What a person does who knows better."""
        if is_offered(self.record):
            return f"wait until Flagger asks; {take_back_words(self.record)}"
        return _REMEDIES[self.record.status.phase].format(self.record)


_WHY: Final = {
    Phase.APPLIED: "its traffic was taken away",
    Phase.PLANNED: "its traffic is about to be taken away, or was, and nobody knows yet",
    Phase.AWAITING_APPROVAL: "a person is asked whether its traffic is to be taken away",
}
_REMEDIES: Final = {
    Phase.APPLIED: "remediator release {}",
    Phase.PLANNED: "wait: the next delivery of its alert settles {}, or the service does within the hour",
    Phase.AWAITING_APPROVAL: "remediator reject {}",
}


def bars(record: Remediation) -> bool:
    """Whether a record holds its suspects back, its age left out.

    It has taken traffic from them, or is about to, and no person says otherwise. What was refused, tried only or
    never carried out does not: the suspect kept its traffic.
    """
    if record.taken_back or record.refused or record.status.release is not None:
        return False
    if record.status.phase is Phase.PLANNED:
        # Without a patch it is a guard's no that is being written down.
        return acts(record.intent) and record.intent.mode is not Mode.OBSERVE
    return record.status.phase in (Phase.APPLIED, Phase.AWAITING_APPROVAL)


def barred(record: Remediation) -> tuple[Host, ...]:
    """The services of which a record holds a version back."""
    return tuple(sorted({suspect.host for suspect in record.intent.suspects})) if bars(record) else ()


def judge(
    candidate: Candidate, records: Iterable[Remediation], now: datetime, known_bad: timedelta | None
) -> tuple[Bar, ...]:
    """What holds `candidate` back, the latest first; nothing: it may go on.

    Args:
        records: those that bar a version of one of its services.
        known_bad: how long a version is known as bad after the patch; None: for as long as there is the record.
    """
    found = (bar for record in records if bars(record) for bar in _found(candidate, record, known_bad))
    standing = [bar for bar in found if bar.until is None or now < bar.until]
    return tuple(sorted(standing, key=lambda bar: (-_time(bar.since), str(bar.record))))


def _found(candidate: Candidate, record: Remediation, known_bad: timedelta | None) -> list[Bar]:
    """At most one: a record says once why."""
    images = record.status.images
    suspects = sorted((each for each in record.intent.suspects if candidate.is_meant_by(each, images)), key=str)
    if not suspects or candidate.is_another_trial(record):
        return []
    since, until = record.status.applied_at or record.created_at, None
    if record.status.phase is Phase.APPLIED and known_bad is not None and since is not None:
        until = since + known_bad
    return [Bar(record, suspects[0], since, until)]


def _time(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
