"""Brings notices to one recipient, in a thread of its own: whoever is slow or gone delays nobody else.

What comes within seconds is one message; where more comes, the next message waits longer. A message that is not taken
is tried again for some minutes, then given up, counted, and named in the log.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from remediator.notifying.message import Message, composed
from remediator.notifying.notice import Notice
from remediator.outcome import NoticeKind

MOST_WAITING: Final = 2_000
"""Notices that may wait for one recipient; more are dropped, counted and told in the log."""
_MOST_NAMED: Final = 20

logger = logging.getLogger(__name__)


class Result(StrEnum):
    """What became of a notice: the label `result`."""

    SENT = "Sent"
    FAILED = "Failed"
    DROPPED = "Dropped"


class Recipient(Protocol):
    """Somebody who is told, as seen from here."""

    @property
    def service(self) -> str:
        """What takes it: `slack`, `mailtos`."""

    @property
    def where(self) -> str:
        """What may be shown of it; no secret."""

    @property
    def kinds(self) -> frozenset[NoticeKind]:
        """What it is told."""

    @property
    def longest(self) -> int:
        """Characters of a body that it takes."""

    def send(self, message: Message) -> str | None:
        """Send; None, or why it was not taken, without a secret. Never raises."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the threads wait (s)."""

    gather: float = 2.0
    """From a notice to the message that tells it: what comes meanwhile is told in the same."""
    calm: float = 15.0
    """From one message to the next, at least, unless something urgent is to be told."""
    again: tuple[float, ...] = (5.0, 30.0, 90.0)
    """Before each further try."""
    look: float = 2.0
    """Between two looks at who the recipients are."""


Counted = Callable[[str, Result, int], None]
"""Told how many notices ended so, by service."""


class Courier:
    """One recipient's thread and what waits for it. Safe to use from many threads."""

    def __init__(self, recipient: Recipient, counted: Counted, pace: Pace) -> None:
        self.recipient = recipient
        self._counted = counted
        self._pace = pace
        self._waiting: queue.Queue[Notice | None] = queue.Queue(MOST_WAITING)
        self._stop = threading.Event()
        self._hurry = threading.Event()
        """Set while something urgent waits, and at the end."""
        self._thread = threading.Thread(target=self._run, name=f"notify {recipient.where}", daemon=True)
        self._last_at: float | None = None
        self._is_full = False
        for result in Result:
            counted(recipient.service, result, 0)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def take(self, notice: Notice) -> None:
        """Tell it, if it is of a kind that this recipient is told. Never waits."""
        if notice.kind not in self.recipient.kinds:
            return
        try:
            self._waiting.put_nowait(notice)
            self._is_full = False
            if notice.kind.urgent:
                self._hurry.set()
        except queue.Full:
            self._counted(self.recipient.service, Result.DROPPED, 1)
            if not self._is_full:
                logger.error("notices for %s are dropped: %d wait already", self.recipient.where, MOST_WAITING)
            self._is_full = True

    def finish(self) -> None:
        """Send at once what waits, once, and end; does not wait for that."""
        self._stop.set()
        self._hurry.set()
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return  # it is awake, and looks at the Event

    def join(self, patience_s: float) -> None:
        """Wait for the thread's end."""
        if self._thread.is_alive():
            self._thread.join(patience_s)
            if self._thread.is_alive():
                logger.warning("%s still takes a message at the end, or will not: it is left", self.recipient.where)

    def _run(self) -> None:
        while not (self._stop.is_set() and self._waiting.empty()):
            first = self._waiting.get()
            notices = self._gathered(first)
            if not notices:
                continue
            try:
                self._deliver(notices)
            except Exception:  # the outer edge: after one bug it must not rest for as long as the process lives
                logger.exception("internal error while %s was told", self.recipient.where)

    def _gathered(self, first: Notice | None) -> list[Notice]:
        if first is not None:
            is_over = self._stop.wait(self._pace.gather)
            self._hurry.wait(0.0 if is_over else max(self._calm_for(), 0.0))
        self._hurry.clear()
        found = [first]
        while True:
            try:
                found.append(self._waiting.get_nowait())
            except queue.Empty:
                return [each for each in found if each is not None]

    def _calm_for(self) -> float:
        """Seconds until the next message may be sent."""
        return self._pace.calm - (time.monotonic() - self._last_at) if self._last_at is not None else 0.0

    def _deliver(self, notices: Sequence[Notice]) -> None:
        message, why = composed(notices, self.recipient.longest), None
        for wait in (0.0, *self._pace.again):
            if wait and self._stop.wait(wait):
                break
            why = self.recipient.send(message)
            if why is None:
                break
        self._last_at = time.monotonic()
        self._counted(self.recipient.service, Result.SENT if why is None else Result.FAILED, len(notices))
        if why is not None:
            self._tell_failure(notices, why)

    def _tell_failure(self, notices: Sequence[Notice], why: str) -> None:
        named = [f"{each.kind}: {each.record or each.about}" for each in notices[:_MOST_NAMED]]
        logger.error(
            "%d notice(s) could not be brought to %s: %s",
            len(notices),
            self.recipient.where,
            why,
            extra={"notices": named},
        )
