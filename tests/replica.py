"""One replica of the service: its process behind a proxy of its own, which may be killed and started again."""

from __future__ import annotations

import contextlib
import http.client
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.counting import Lost, Passage, Proxy, counting
from tests.processes import wait_until
from tests.servers import ApiServer
from tests.service import ANY_EVIDENCE, UNGUARDED, Service, prepared

Json = dict[str, Any]

DEADLINE_S = 30.0


@dataclass(frozen=True)
class Replica:
    """A service that reaches the API server by its proxy alone."""

    proxy: Proxy
    service: Service
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """Held until a process is dead: the proxy kills it from a thread of its own."""

    def start(self) -> None:
        """Start it, and wait until it is ready; nothing is counted until then."""
        self.proxy.recount()
        with self._lock:
            self.service.process.start()
        wait_until(self.service.ready, f"{self.service.url}/readyz says 200")
        self.proxy.recount()

    def kill(self) -> None:
        """End it with SIGKILL, wherever it is."""
        with self._lock:
            self.service.kill()
        self.proxy.cut()

    def restart(self) -> None:
        """Kill what may be left of it, and start again."""
        self.kill()
        self.start()

    def revive(self) -> None:
        """Start it if it is dead, and let everything pass."""
        self.proxy.recount()
        with self._lock:
            alive = self.service.alive()
        if not alive:
            self.start()

    def knows(self, *namespaces: str) -> None:
        """Wait until it has heard of the canary in each of these."""

        def known() -> bool:
            return set(namespaces) <= {each["namespace"] for each in self.exposures()}

        wait_until(known, f"the service knows {namespaces}", DEADLINE_S)

    def deliver(self, notification: Json) -> tuple[int, list[Json]]:
        """Post a notification; code and rows of the answer."""
        code, answer = self.service.post(notification)
        return code, answer["outcomes"]

    def undo(self, record: Json) -> tuple[int, Json]:
        """Have a record undone, by its API; code and answer."""
        metadata = record["metadata"]
        path = f"/api/v1/remediations/{metadata['namespace']}/{metadata['name']}/undo"
        return self.service.ask("POST", path, {"by": "mia", "reason": "it was the database"})

    def die_after(self, requests: int, *, kill: Callable[[], object] | None = None) -> None:
        """Let so many requests through; it does not live to see the next one sent."""
        self.proxy.recount()
        dead = threading.Event()

        def before(passage: Passage) -> None:
            if passage.number == requests + 1:
                (kill or self.kill)()
                dead.set()
            elif passage.number > requests:
                dead.wait()  # it hears nothing of a connection that ends before it does
            if passage.number > requests:
                raise Lost

        self.proxy.before = before

    def lose_answer(self, number: int, *, die_after: int | None = None) -> None:
        """The server carries out request `number`, and nobody hears of it."""
        self.proxy.recount()
        if die_after is not None:
            self.die_after(die_after)

        def after(passage: Passage) -> None:
            if passage.number == number:
                raise Lost

        self.proxy.after = after

    def meanwhile(self, step: str, do: Callable[[], object]) -> None:
        """Before the next request of this kind gets to the server, let somebody else do something."""
        self.proxy.recount()
        left = [do]

        def before(passage: Passage) -> None:
            if passage.step == step and left:
                left.pop()()

        self.proxy.before = before

    def exposures(self) -> list[Json]:
        """What it knows to send traffic to more than one version, or a mirror."""
        found: list[Json] = []
        token: str | None = ""
        while token is not None:
            _, page = self.service.ask("GET", "/api/v1/exposures?limit=500" + (f"&continue={token}" if token else ""))
            found += page["items"]
            token = page["next"]
        return found


@contextlib.contextmanager
def running_replica(server: ApiServer, user: str = "guest", *more: str) -> Iterator[Replica]:
    """A replica, ready; `more` are flags of `serve`."""
    with counting(server) as proxy, tempfile.TemporaryDirectory(prefix="replica-") as folder:
        service = prepared(proxy.kubeconfig(user), [UNGUARDED], Path(folder), *ANY_EVIDENCE, *more)
        replica = Replica(proxy, service)
        try:
            replica.start()
            yield replica
        finally:
            replica.kill()


def died(request: Callable[[], object]) -> bool:
    """Make a request of a replica that may not live to answer it; whether it did not."""
    try:
        request()
    except (OSError, http.client.HTTPException):
        return True
    return False
