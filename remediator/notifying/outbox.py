"""Where everything goes that people are told: to each recipient's own thread, once, and never waiting for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

from remediator.notifying.courier import Counted, Courier, Pace, Recipient
from remediator.notifying.notice import Notice, of_event, of_row
from remediator.outcome import AlertOutcome
from remediator.records.events import Event

AGAIN_AFTER_S: Final = 3600.0
"""The same notice is told again after an hour: as the API server forgets its Event by then."""
_MOST_KNOWN: Final = 10_000

logger = logging.getLogger(__name__)


class HasRecipients(Protocol):
    """The recipients in force, which may change while the service runs."""

    def current(self) -> tuple[Recipient, ...]:
        """Those that are to be told now; the same objects for as long as they are the same. Never raises."""


class Outbox:
    """Tells people what happened. Safe to use from many threads; what is told comes back at once."""

    def __init__(
        self,
        recipients: HasRecipients,
        counted: Counted,
        *,
        pace: Pace = Pace(),  # noqa: B008 - frozen
        patience_s: float = 5.0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            counted: told what became of notices.
            patience_s: how long the end waits for what is on its way.
            seconds: a clock that never goes back.
        """
        self._recipients = recipients
        self._counted = counted
        self._pace = pace
        self._patience_s = patience_s
        self._seconds = seconds
        self._lock = threading.Lock()
        self._known: OrderedDict[str, float] = OrderedDict()
        """When each was told last, by its key; the earliest first."""
        self._couriers: dict[Recipient, Courier] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifying", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._refresh()
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, for as long as the patience lasts, and end."""
        self._stop.set()
        couriers = list(self._couriers.values())
        for courier in couriers:
            courier.finish()
        end = self._seconds() + self._patience_s
        for courier in couriers:
            courier.join(max(end - self._seconds(), 0.0))

    def hear(self, event: Event) -> None:
        """Tell what an Event tells. Never raises."""
        self._hear(lambda: of_event(event))

    def tell(self, row: AlertOutcome) -> None:
        """Tell how an alert ended, where no Event tells it. Never raises."""
        self._hear(lambda: of_row(row, datetime.now(UTC)))

    def _hear(self, made: Callable[[], Notice | None]) -> None:
        try:
            notice = made()
            if notice is not None and self._is_news(notice.key):
                for courier in list(self._couriers.values()):
                    courier.take(notice)
        except Exception:  # the outer edge: what was done stays done, whether or not people can be told
            logger.exception("internal error while people were to be told")

    def _is_news(self, key: str) -> bool:
        now = self._seconds()
        with self._lock:
            told = self._known.get(key)
            if told is not None and now - told < AGAIN_AFTER_S:
                return False
            self._known[key] = now
            self._known.move_to_end(key)
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
            return True

    def _run(self) -> None:
        while not self._stop.wait(self._pace.look):
            try:
                self._refresh()
            except Exception:  # the outer edge: after one bug it must not rest for as long as the process lives
                logger.exception("internal error while the recipients were looked at; the next look tries again")

    def _refresh(self) -> None:
        """A thread for each recipient that is new; those that are gone send what they have, and end."""
        wanted = self._recipients.current()
        for gone in self._couriers.keys() - set(wanted):
            self._couriers.pop(gone).finish()
        for recipient in wanted:
            if recipient not in self._couriers:
                courier = Courier(recipient, self._counted, self._pace)
                courier.start()
                self._couriers[recipient] = courier
