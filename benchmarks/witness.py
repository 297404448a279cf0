"""Sees from outside the service when a VirtualService was changed: by a watch, which is how Istio hears of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final

from benchmarks import fleet
from remediator.cluster import answers
from remediator.cluster.credentials import credentials
from remediator.cluster.rest import Lines, Rest
from remediator.errors import Unavailable
from tests.servers import ApiServer

_PATIENCE_S: Final = 30.0
_SILENCE_S: Final = 3600.0
_NOTHING: Final = (None, 0.0)


class Witness:
    """What a watch of all VirtualServices has told, and when."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._news = threading.Condition()
        self._seen: dict[str, tuple[str, float]] = {}
        """By name, which no two services share: the resourceVersion last heard of, and when (s, perf_counter)."""
        self._ended = False
        self._thread = threading.Thread(target=self._listen, name="witness", daemon=True)
        self._thread.start()

    def version(self, number: int) -> str | None:
        """The resourceVersion last heard of this service's VirtualService; None before its first change."""
        return self._seen.get(fleet.target(number).name, _NOTHING)[0]

    def changed(self, number: int, before: str | None) -> float:
        """Wait until its resourceVersion is another than `before`; when that was heard (s, perf_counter).

        Raises:
            RuntimeError: it is not heard.
        """
        with self._news:
            self._wait(lambda: self.version(number) != before, f"of a change of service {number}, known at {before}")
            return self._seen[fleet.target(number).name][1]

    def heard(self, number: int, version: str) -> None:
        """Wait until it is at this resourceVersion, so that the next change heard of is the next one made.

        Raises:
            RuntimeError: it is not heard.
        """
        with self._news:
            self._wait(lambda: self.version(number) == version, f"that service {number} is at {version}")

    def close(self) -> None:
        """End the watch."""
        self._lines.cancel()
        self._thread.join()

    def _wait(self, until: Callable[[], bool], what: str) -> None:
        if not self._news.wait_for(lambda: self._ended or until(), _PATIENCE_S) or self._ended:
            raise RuntimeError(f"the watch {'has ended' if self._ended else 'is silent'}: it does not tell {what}")

    def _listen(self) -> None:
        try:
            for line in self._lines:
                self._take(answers.event(line)[1], perf_counter())
        except Unavailable:
            pass  # closed, by us or by the server: the same to whoever waits
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _take(self, body: Mapping[str, Any], at: float) -> None:
        with self._news:
            self._seen[answers.name(body)[1]] = answers.version(body), at
            self._news.notify_all()


@contextmanager
def witness(server: ApiServer, user: str) -> Iterator[Witness]:
    """A watch from now on, for the length of the block."""
    rest = Rest(credentials(str(server.kubeconfig(user)), None), connections=2)
    path = fleet.everywhere("virtualservices")
    query = {"watch": "true", "resourceVersion": answers.version(rest.get(path, {"limit": "1"}))}
    with rest.stream(path, query, _SILENCE_S) as lines:
        found = Witness(lines)
        try:
            yield found
        finally:
            found.close()
            rest.close()
