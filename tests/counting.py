"""An HTTP proxy in front of the API server: it counts requests, and a test decides what becomes of each.

service ──HTTP──▶ proxy ── `before` ──HTTPS──▶ kube-apiserver
        ◀──────── proxy ── `after` ◀──────────
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from remediator.cluster.call import Call
from tests.servers import ApiServer

_PASSED_ON = ("Authorization", "Content-Type", "Accept", "User-Agent")
_BESIDE = re.compile(r"/apis/[^/]+|.*/(endpointslices|pods)")
"""Asked whether a kind is served, now and then, and which pods a suspect has, beside everything else: not counted."""
_TIMEOUT_S = 600.0
"""Of the server's answers: a watch may be silent for minutes."""


class Lost(Exception):
    """Raised by a test's hook: the connection ends here, and whoever waits at its other end is told nothing."""


@dataclass(eq=False)
class Passage:
    """One request on its way through the proxy, and the answer to it."""

    number: int
    """Counted from 1 since `Proxy.recount`."""
    method: str
    path: str
    """Without the query."""
    body: Any
    """JSON; None for none."""
    status: int | None = None
    """The server's answer; None: there was none, or not yet."""
    answer: Any = None
    """Its JSON."""

    @property
    def step(self) -> str:
        """What is asked for, as one says it: `patch virtualservices`, `patch remediations/status`."""
        call = Call(self.method, self.path, {})
        plural, _, rest = call.resource.partition(".")
        _, slash, part = rest.partition("/")
        return f"{call.verb} {plural}{slash}{part}"

    def concerns(self, namespace: str) -> bool:
        """Whether it is about an object in `namespace`; empty: in any."""
        return f"/namespaces/{namespace}{'/' if namespace else ''}" in self.path


Hook = Callable[[Passage], None]
"""Called in a thread of the proxy. May wait, change things behind the service's back, or raise Lost."""


def _let_pass(_: Passage) -> None:
    """What becomes of a request of which nobody said anything."""


class Proxy(ThreadingHTTPServer):
    """Passes requests on to an API server; a watch goes through as it comes, and is not counted."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, server: ApiServer) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.api = server
        self.context = ssl.create_default_context(cafile=str(server.ca_file))
        self.before: Hook = _let_pass
        """A request is here, and the server has not seen it."""
        self.after: Hook = _let_pass
        """The server has answered, and the service has not seen it."""
        self._mute = ""
        self._flow = threading.Event()
        self._flow.set()
        self._lock = threading.Lock()
        self._passages: list[Passage] = []
        self._uncounted = 0
        self._sockets: set[socket.socket] = set()

    def kubeconfig(self, user: str) -> Path:
        """For `user`, whose requests then come by here."""
        path = self.api.kubeconfig(user, port=self.server_port)
        path.write_text(path.read_text().replace("https://", "http://"))
        return path

    def steps(self, namespace: str) -> tuple[str, ...]:
        """What was asked for in a namespace since `recount`, in the order in which it came."""
        with self._lock:
            counted = self._passages[self._uncounted :]
        return tuple(passage.step for passage in counted if passage.concerns(namespace))

    def made(self, step: str, namespace: str) -> tuple[Passage, ...]:
        """The requests of this kind that the server has ever carried out, whoever heard of it."""
        with self._lock:
            passages = tuple(self._passages)
        done = (passage for passage in passages if passage.status in (200, 201))
        return tuple(passage for passage in done if passage.step == step and passage.concerns(namespace))

    def recount(self) -> None:
        """Count from here, and let everything pass."""
        self.before = self.after = _let_pass
        with self._lock:
            self._uncounted = len(self._passages)

    def cut(self) -> None:
        """End every connection, as those of a process that is no more, and the watches at the server.

        What the server is doing just now it does, and the answer is noted.
        """
        with self._lock:
            sockets = tuple(self._sockets)
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def muted(self, part: str) -> Iterator[None]:
        """Let no watch whose path has this part tell anything until the block ends: an index lags."""
        self._mute = part
        self._flow.clear()
        try:
            yield
        finally:
            self._flow.set()

    def flows(self, path: str) -> None:
        """Wait until the watch of `path` may tell something."""
        if self._mute in path:
            self._flow.wait()

    def entered(self, method: str, path: str, body: Any) -> Passage:
        """Count a request. Called by its connection, as are those around it."""
        with self._lock:
            self._passages.append(Passage(len(self._passages) + 1 - self._uncounted, method, path, body))
            return self._passages[-1]

    def opened(self, each: socket.socket) -> None:
        """Note a socket that `cut` is to end."""
        with self._lock:
            self._sockets.add(each)

    def closed(self, each: socket.socket) -> None:
        """Forget it again."""
        with self._lock:
            self._sockets.discard(each)

    def handle_error(self, request: object, client_address: object) -> None:
        """A service that was killed in the middle of a request is what these tests are about."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes
    server: Proxy

    def setup(self) -> None:
        super().setup()
        self._far = HTTPSConnection("127.0.0.1", self.server.api.port, timeout=_TIMEOUT_S, context=self.server.context)
        self._far.connect()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        self._far.close()
        with contextlib.suppress(OSError):
            super().finish()

    def _pass(self) -> None:
        try:
            self._pass_on(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        except (Lost, OSError, HTTPException):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815 - http.server's names

    def _pass_on(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        if "watch=true" in parts.query:
            self._stream(self._asked(body))
            return
        if _BESIDE.fullmatch(parts.path):
            self._answer(self._asked(body))
            return
        passage = self.server.entered(self.command, parts.path, json.loads(body) if body else None)
        self.server.before(passage)
        answer = self._asked(body)
        data = answer.read()
        passage.status, passage.answer = answer.status, json.loads(data)
        self.server.after(passage)
        self._answer(answer, data)

    def _answer(self, answer: HTTPResponse, data: bytes | None = None) -> None:
        data = answer.read() if data is None else data
        self._head(answer, Content_Length=str(len(data)))
        self.wfile.write(data)

    def _asked(self, body: bytes) -> HTTPResponse:
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        self._far.request(self.command, self.path, body or None, headers)
        return self._far.getresponse()

    def _stream(self, answer: HTTPResponse) -> None:
        far = self._far.sock
        self.server.opened(far)
        try:
            self._copy(answer)
        finally:
            self.server.closed(far)

    def _copy(self, answer: HTTPResponse) -> None:
        self._head(answer, Transfer_Encoding="chunked")
        while data := answer.read1(1 << 16):
            self.server.flows(self.path)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, answer: HTTPResponse, **headers: str) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def counting(server: ApiServer) -> Iterator[Proxy]:
    """A proxy to `server` that ends with the block."""
    proxy = Proxy(server)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        proxy.cut()
        thread.join()
