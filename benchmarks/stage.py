"""The API server with a fleet that grows, the service in front of it, and kept-alive connections to both."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from time import perf_counter
from typing import Any, Final

from benchmarks import fleet
from benchmarks.progress import Progress
from remediator.cluster.watch import PAGE_SIZE
from tests.builders import notification
from tests.processes import wait_until
from tests.servers import ApiServer, running_api_server
from tests.service import Service, running_service

Json = dict[str, Any]

PERMISSIONS: Final = (
    {
        "apiGroups": ["networking.istio.io"],
        "resources": ["virtualservices", "destinationrules"],
        "verbs": ["get", "list", "watch", "patch"],
    },
)
"""What the service may do, and whoever it is compared with: the same user, so the same checks by the API server."""

CONNECTIONS: Final = 16
"""As many as the service has threads."""

_JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"
_LIST_END = 1000
"""Bytes of a list in which its metadata stand."""


class Direct:
    """A client of the API server with one kept-alive connection for each thread: the standard library, nothing more."""

    def __init__(self, server: ApiServer, user: str) -> None:
        self._port = server.port
        self._context = ssl.create_default_context(cafile=str(server.ca_file))
        self._authorization = f"Bearer {server.tokens[user]}"
        self._own = threading.local()
        self._opened: list[http.client.HTTPSConnection] = []

    def close(self) -> None:
        """Close every connection."""
        for connection in self._opened:
            connection.close()

    def create(self, collection: str, body: Json) -> None:
        """Create an object."""
        self._send("POST", collection, json.dumps(body).encode(), _JSON)

    def patch(self, path: str, operations: bytes) -> None:
        """Send a JSON Patch, and read the answer to its end."""
        self._send("PATCH", path, operations, _JSON_PATCH)

    def list_all(self, path: str) -> None:
        """Read a list page by page, as the service does, and make nothing of it."""
        token = ""
        while True:
            page = self._send("GET", f"{path}?limit={PAGE_SIZE}&continue={token}")
            # It stands at the end, behind the items.
            found = re.search(rb'"continue":"([^"]+)"', page[-_LIST_END:])
            if found is None:
                return
            token = found[1].decode()

    def _send(self, method: str, path: str, body: bytes | None = None, content_type: str = _JSON) -> bytes:
        headers = {"Authorization": self._authorization, "Content-Type": content_type, "Accept": _JSON}
        connection = self._connection()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in {200, 201}:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return text

    def _connection(self) -> http.client.HTTPSConnection:
        found: http.client.HTTPSConnection | None = getattr(self._own, "connection", None)
        if found is None:
            found = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=60, context=self._context)
            self._own.connection = found
            self._opened.append(found)
        return found


class Deliveries:
    """Alertmanager's side: one kept-alive connection to the service."""

    def __init__(self, service: Service) -> None:
        self._client = service.client()
        self._headers = service.headers

    def send(self, numbers: Iterable[int]) -> Callable[[], float]:
        """One notification with an alert for each of these services, ready to go.

        What is returned delivers it and says how long that took (s): from sending the request to having read the
        answer. It raises RuntimeError unless every alert has changed its VirtualService.
        """
        body = self._body(numbers)

        def deliver() -> float:
            begin = perf_counter()
            answer = self._post(body)
            seconds = perf_counter() - begin
            outcomes = {row["outcome"] for row in json.loads(answer)["outcomes"]}
            if outcomes != {"Applied"}:
                raise RuntimeError(f"not every alert was applied: {answer[:1000]!r}")
            return seconds

        return deliver

    def applies(self, number: int) -> bool:
        """Deliver one alert; whether there was something to change."""
        answer = json.loads(self._post(self._body([number])))
        return [row["outcome"] for row in answer["outcomes"]] == ["Applied"]

    def _body(self, numbers: Iterable[int]) -> bytes:
        return json.dumps(notification([fleet.alert(number) for number in numbers])).encode()

    def _post(self, body: bytes) -> bytes:
        self._client.request("POST", "/webhook", body, self._headers)
        answer = self._client.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"POST /webhook: {answer.status} {text[:1000]!r}")
        return text

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class Stage:
    """Everything that a measure needs. Grows, and never shrinks.

    Args:
        server: fresh.
        pool: CONNECTIONS threads.
        progress: told of what takes long.
    """

    def __init__(self, server: ApiServer, pool: Executor, progress: Progress) -> None:
        server.allow("guest", *PERMISSIONS)
        self.server = server
        self.admin, self.guest = Direct(server, "admin"), Direct(server, "guest")
        self.progress = progress
        self.size = 0
        """How many services there are."""
        self.set_up = 0.0
        """Seconds spent on creating them."""
        self._pool = pool
        server.namespace(fleet.target(fleet.FENCE).namespace)
        self._create(fleet.FENCE)

    def close(self) -> None:
        """Close the connections."""
        self.admin.close()
        self.guest.close()

    def grow(self, size: int) -> None:
        """Create services until there are so many."""
        begin = perf_counter()
        new = range(self.size, size)
        self.server.namespace(*dict.fromkeys(fleet.target(number).namespace for number in new))
        self.all(f"creating {len(new)} services", self._create, new)
        self.size = size
        self.set_up += perf_counter() - begin

    def put_back(self, number: int) -> None:
        """Give one canary its traffic back."""
        self.admin.patch(fleet.path(number), encoded(fleet.restore(number)))

    def settle(self, deliveries: Deliveries) -> None:
        """Wait until the service has heard of all that was put back: the API server tells events in their order, so
        when it knows of the last one it knows of all."""
        self.put_back(fleet.FENCE)
        wait_until(lambda: deliveries.applies(fleet.FENCE), "the service has heard of what was put back")

    def service(self) -> AbstractContextManager[Service]:
        """The service, ready."""
        return running_service(self.server.kubeconfig("guest"), [fleet.policy()])

    def all(self, what: str, work: Callable[[int], None], numbers: Iterable[int]) -> float:
        """Do `work` for all numbers, over CONNECTIONS connections; how long it took (s)."""
        numbers = tuple(numbers)
        begin = perf_counter()
        for _ in self.progress.track(what, self._pool.map(work, numbers), len(numbers)):
            pass
        return perf_counter() - begin

    def _create(self, number: int) -> None:
        self.admin.create(fleet.collection(number, "destinationrules"), fleet.destination_rule(number))
        self.admin.create(fleet.collection(number, "virtualservices"), fleet.virtual_service(number))


@contextlib.contextmanager
def staged(progress: Progress) -> Iterator[Stage]:
    """An empty stage; everything on it ends with the block. Raises Missing."""
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        with running_api_server() as server, contextlib.closing(Stage(server, pool, progress)) as stage:
            yield stage
    finally:
        # After Ctrl-C there may be thousands of objects still to be created.
        pool.shutdown(cancel_futures=True)


def encoded(operations: list[Json]) -> bytes:
    """A JSON Patch as it goes over the wire."""
    return json.dumps(operations, separators=(",", ":")).encode()
