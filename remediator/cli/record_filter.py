"""Which records `list` shows, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from remediator.alerts.values import moment
from remediator.errors import InputError, NotificationError
from remediator.policies.mistake import Mistake, shown
from remediator.policies.quantities import parse_duration
from remediator.records.model import Phase, Remediation

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """What must hold for a record to be shown; None: anything will do."""

    policy: str | None = None
    phase: Phase | None = None
    since: datetime | None = None

    @classmethod
    def of(cls, policy: str | None, phase: str | None, since: str | None, now: datetime) -> RecordFilter:
        """From what stands on the command line.

        Raises:
            InputError: `since` is neither a duration nor a time.
        """
        return cls(policy, Phase(phase) if phase else None, _since(since, now) if since else None)

    def applied(self, records: Iterable[Remediation]) -> tuple[Remediation, ...]:
        """Those that are wanted, newest first, then by namespace and name."""
        wanted = sorted(filter(self._wants, records), key=str)
        return tuple(sorted(wanted, key=_created, reverse=True))

    def _wants(self, record: Remediation) -> bool:
        return (
            self.policy in (None, record.intent.policy.name)
            and self.phase in (None, record.status.phase)
            and (self.since is None or _created(record) >= self.since)
        )


def _created(record: Remediation) -> datetime:
    return record.created_at or _BEFORE_ALL


def _since(text: str, now: datetime) -> datetime:
    try:
        return now - parse_duration(text)
    except Mistake:
        pass
    try:
        return moment(text, "--since")
    except NotificationError as error:
        raise InputError(
            f"--since: {shown(text)} is neither a duration back from now, such as 2h or 7d, nor a time with its zone, "
            "such as 2026-08-01T12:00:00Z"
        ) from error
