"""Which remediations are wanted, and in which order they are told: the newest first.

Pure: it chooses by the heads that the index keeps. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from remediator.alerts.values import moment
from remediator.errors import NotificationError
from remediator.policies.mistake import Mistake, shown
from remediator.policies.quantities import parse_duration
from remediator.records.ledger import Head
from remediator.records.model import Phase
from remediator.web.paging import Key, Order
from remediator.web.query import QueryError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a remediation must be to be told; None: whatever it is."""

    namespace: str | None = None
    policy: str | None = None
    phase: Phase | None = None
    since: datetime | None = None
    """Created then or later."""

    def of(self, heads: Iterable[Head]) -> tuple[Head, ...]:
        """Those of `heads` that are wanted, in their order."""
        return tuple(head for head in heads if self._is_met_by(head))

    def _is_met_by(self, head: Head) -> bool:
        return (
            self.namespace in (None, head.namespace)
            and self.policy in (None, head.policy)
            and self.phase in (None, head.phase)
            and (self.since is None or self.since <= head.created_at)
        )


def parse_wanted(query: Mapping[str, str], now: datetime) -> Wanted:
    """Read `namespace`, `policy`, `phase` and `since`.

    Args:
        query: the parameters of a request.
        now: what a duration is counted back from.

    Raises:
        QueryError: `phase` or `since` is wrong.
    """
    phase, since = query.get("phase"), query.get("since")
    return Wanted(
        namespace=query.get("namespace"),
        policy=query.get("policy"),
        phase=None if phase is None else _phase(phase),
        since=None if since is None else _since(since, now),
    )


def _phase(text: str) -> Phase:
    if text not in tuple(Phase):
        raise QueryError(f"phase: {shown(text)} is none; the phases are {', '.join(Phase)}")
    return Phase(text)


def _since(text: str, now: datetime) -> datetime:
    """A time, or a duration back from `now`."""
    try:
        return now - parse_duration(text)
    except Mistake:
        pass
    try:
        return moment(text, "since")
    except NotificationError as error:
        # The plus of `+02:00` is how a query writes a space.
        hint = "; write a + as %2B" if " " in text else ""
        raise QueryError(
            f"since: expected a duration back from now, such as 30m or 2h, or a time such as 2030-01-02T03:04:05Z,"
            f" not {shown(text)}{hint}"
        ) from error


def _newest_first(head: Head) -> Key:
    """As `Ledger.heads` sorts them; microseconds, for a token holds no time."""
    return (-((head.created_at - _EPOCH) // timedelta(microseconds=1)), head.namespace, head.name)


HISTORY = Order(_newest_first, (int, str, str))
