"""A loopback HTTP server whose answers a test writes, down to where the connection breaks."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What the server was sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes


class ScriptedServer(ThreadingHTTPServer):
    """Answers each request as `answer` says, and keeps what it was sent."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.answer = answer
        self.requests: list[Request] = []
        self.closing = threading.Event()
        """Ends every answer that hangs."""
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is none of the test's business."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), headers, self.rfile.read(length))
        self.server.requests.append(request)
        self.server.answer(request)(self)

    do_GET = _answer  # noqa: N815 - http.server's name
    do_PATCH = _answer  # noqa: N815
    do_POST = _answer  # noqa: N815
    do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def break_off(self) -> None:
        """End the connection at once, with what was sent."""
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def chunk(self, data: bytes) -> None:
        """Send one chunk."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def head(self, status: int, **headers: str) -> None:
        """Send status and headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()


Answer = Callable[[_Connection], None]


def reply(status: int, body: Json | bytes) -> Answer:
    """A whole answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(connection: _Connection) -> None:
        connection.head(status, Content_Type="application/json", Content_Length=str(len(data)))
        connection.wfile.write(data)

    return answer


def failure(code: int, message: str = "no", **details: Any) -> Answer:
    """A Status of failure, as the API server sends it."""
    status = {"kind": "Status", "status": "Failure", "code": code, "message": message, "details": details}
    return reply(code, status)


def half(body: Json) -> Answer:
    """An answer that breaks off in the middle of its body."""
    data = json.dumps(body).encode()

    def answer(connection: _Connection) -> None:
        connection.head(200, Content_Length=str(len(data)))
        connection.wfile.write(data[: len(data) // 2])
        connection.break_off()

    return answer


def silent(connection: _Connection) -> None:
    """No answer until the server closes."""
    connection.server.closing.wait()


def hang_up(connection: _Connection) -> None:
    """The connection ends without an answer."""
    connection.break_off()


def events(*lines: Json | bytes, then: Answer | None = None) -> Answer:
    """A chunked answer of lines, which ends in order, or as `then` says."""

    def answer(connection: _Connection) -> None:
        connection.head(200, Transfer_Encoding="chunked")
        for line in lines:
            connection.chunk(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        if then is None:
            connection.wfile.write(b"0\r\n\r\n")
        else:
            then(connection)

    return answer


@contextlib.contextmanager
def scripted(answer: Callable[[Request], Answer]) -> Iterator[ScriptedServer]:
    """A running server that ends with the block."""
    server = ScriptedServer(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
