"""A thread that looks again and again until it is stopped. Each of the service's own threads is one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

Pause = Callable[[threading.Event, float], bool]
"""Waits so many seconds, or for the event; returns whether it was the event."""

_STOP_S: Final = 1.0
"""How long `stop` waits for a round that is under way. To cut one off does no harm: the records say what is pending."""


class Rounds:
    """Rounds at intervals, in a thread of their own."""

    def __init__(
        self,
        name: str,
        look: Callable[[], object],
        wait: Callable[[], float],
        pause: Pause = threading.Event.wait,
    ) -> None:
        """
        Args:
            name: of the thread, in stack traces.
            look: one round. Must not raise: the thread would end.
            wait: how long to wait before the next round, in seconds; asked before each.
        """
        self._look = look
        self._wait = wait
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def stopping(self) -> bool:
        """Whether the end has been asked for: a long round ends early then."""
        return self._stop.is_set()

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin; the first wait comes before the first round."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, or leave it behind where its round takes long."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._pause(self._stop, self._wait()):
            self._look()
