"""Tells that the fleet's budget is spent: once, however many alerts are refused for it."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from remediator.errors import ClusterError
from remediator.guards.budget import Budget
from remediator.outcome import Outcome, Reason
from remediator.pipeline.telling import announce
from remediator.records.events import Event
from remediator.records.journal import Journal
from remediator.records.model import Remediation

ACTION = "SpendBudget"

_log = logging.getLogger(__name__)


class Storm:
    """When it was told last. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logged_at: datetime | None = None
        self._announced_at: datetime | None = None

    def tell(self, journal: Journal, budget: Budget) -> None:
        """Tell it in the log, and on the target of the latest remediation; once in the budget's window. Never raises.

        Another replica tells the same. The Event's name is made of that remediation's, so it is one Event, or two where
        they do not know the same one to be the latest.
        """
        now = journal.now()
        with self._lock:
            if not _was(self._logged_at, now, budget):
                self._logged_at = now
                _log.error("%s", _words(budget), extra={"budget": str(budget)})
            last = self._news(journal, now, budget)
        if last is not None:
            announce(journal.ledger, [_event(last, budget, journal)])

    def _news(self, journal: Journal, now: datetime, budget: Budget) -> Remediation | None:
        """On which remediation it is to be told now; None: it was told, or all that took the budget is only begun, so
        that the next refusal tells it."""
        if _was(self._announced_at, now, budget):
            return None
        try:
            tally = journal.ledger.tally(now - budget.window)
            last = journal.ledger.get(*tally.latest) if tally.latest else None
        except ClusterError as error:
            _log.warning("no Event tells yet that the budget is spent: %s", error)
            return None
        if last is not None:
            self._announced_at = now
        return last


def _was(told_at: datetime | None, now: datetime, budget: Budget) -> bool:
    return told_at is not None and now - told_at < budget.window


def _words(budget: Budget) -> str:
    return (
        f"the budget of the whole fleet is spent (--budget {budget}): further alerts are refused until it is not. So "
        "many at once are seldom the versions' fault; `remediator list --phase Failed` shows what was refused"
    )


def _event(last: Remediation, budget: Budget, journal: Journal) -> Event:
    return Event(
        target=last.intent.target,
        subject=(last.name, ACTION),
        outcome=Outcome.DENIED,
        reason=Reason.BUDGET_SPENT.value,
        action=ACTION,
        note=f"{last.name} is the latest of them: {_words(budget)}",
        at=journal.now(),
        record=last.name,
    )
