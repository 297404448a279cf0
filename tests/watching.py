"""A scripted API server with a watch on it, for tests of the watch and of discovery."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from kubernetes.client import Configuration

from remediator.cluster.discovery import Discovery
from remediator.cluster.pace import Pace
from remediator.cluster.rest import Rest
from remediator.cluster.scope import Scope
from remediator.cluster.watch import State, Watch
from tests.processes import wait_until
from tests.scripted import Answer, Json, Request, ScriptedServer, events, reply, scripted, silent

GROUP = "/apis/networking.istio.io"
QUICK = Pace(stall=5, first_wait=0.01, longest_wait=0.05)


def thing(name: str, version: int, namespace: str = "shop") -> Json:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"namespace": namespace, "name": name, "resourceVersion": str(version)},
    }


def event(kind: str, body: Json) -> Json:
    return {"type": kind, "object": body}


def page(*items: Json, version: int, token: str = "") -> Answer:
    return reply(200, {"items": list(items), "metadata": {"resourceVersion": str(version), "continue": token}})


def expired(text: str = "too old resource version") -> Json:
    status = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": text}
    return event("ERROR", status)


class Shelf:
    """A sink that keeps names and resourceVersions."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    @staticmethod
    def _name(body: Mapping[str, Any]) -> tuple[str, str]:
        assert (body["apiVersion"], body["kind"]) == ("networking.istio.io/v1", "VirtualService")
        return body["metadata"]["namespace"], body["metadata"]["name"]

    def put(self, body: Mapping[str, Any], *, listed: bool = False) -> None:
        self.held[self._name(body)] = body["metadata"]["resourceVersion"]

    def drop(self, kind: str, namespace: str, name: str) -> None:
        self.held.pop((namespace, name), None)


@dataclass
class Script:
    """Answers discovery, and then lists and watches from what a test has laid ready; the last one stays."""

    lists: list[Answer]
    watches: list[Answer] = field(default_factory=lambda: [events(then=silent)])
    served: tuple[str, ...] = ("v1",)

    def __call__(self, request: Request) -> Answer:
        if request.path == GROUP:
            return reply(200, {"versions": [{"version": version} for version in self.served]})
        if request.path.count("/") == 3:
            return reply(200, {"resources": [{"name": "virtualservices"}]})
        ready = self.watches if "watch" in request.query else self.lists
        return ready.pop(0) if len(ready) > 1 else ready[0]


@dataclass
class Running:
    watch: Watch
    shelf: Shelf
    server: ScriptedServer

    @property
    def state(self) -> State:
        return self.watch.state

    def asked(self, *, watch: bool) -> list[Request]:
        """The lists, or the watches, that were asked for."""
        return [
            request
            for request in self.server.requests
            if "virtualservices" in request.path and ("watch" in request.query) == watch
        ]

    def holds(self, *names: str) -> None:
        """Wait until exactly these names are on the shelf."""
        expected = sorted(names)
        wait_until(lambda: expected == sorted(name for _, name in self.shelf.held), f"{expected} held", timeout=5)

    def watched(self, times: int) -> None:
        """Wait until so many watches have been asked for."""
        wait_until(lambda: len(self.asked(watch=True)) >= times, f"{times} watches", timeout=5)


@contextmanager
def running(answer: Callable[[Request], Answer], pace: Pace, scope: Scope) -> Iterator[Running]:
    with scripted(answer) as server:
        rest = Rest(Configuration(host=server.url), read_timeout=1)
        shelf = Shelf()
        watch = Watch(rest, Discovery(rest), scope, shelf, pace)
        watch.start()
        try:
            yield Running(watch, shelf, server)
        finally:
            watch.stop()
            rest.close()


def started(
    lists: list[Answer], watches: list[Answer] | None = None, *, pace: Pace = QUICK, scope: Scope | None = None
) -> AbstractContextManager[Running]:
    script = Script(lists, watches or [events(then=silent)])
    return running(script, pace, scope or Scope("VirtualService"))
