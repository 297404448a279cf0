"""Somebody who is told: a real HTTP server that takes what apprise's `json://` sends, or refuses it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.processes import wait_until


@dataclass
class Mailbox:
    """What came, and what is answered."""

    port: int = 0
    taken: list[dict[str, Any]] = field(default_factory=list)
    """Messages, as apprise sends them: `title`, `message`, `type`."""
    tries: int = 0
    code: int = 200
    before: Callable[[], object] = lambda: None
    """Called before each answer: it may wait."""
    headers: bytes = b""
    """Further lines of the answer's head, whatever they are."""

    def url(self, path: str = "inbox", credentials: str = "") -> str:
        """Apprise's URL of it."""
        return f"json://{credentials}{'@' if credentials else ''}127.0.0.1:{self.port}/{path}"

    def await_messages(self, count: int) -> list[dict[str, Any]]:
        """The messages, once there are so many."""
        wait_until(lambda: len(self.taken) >= count, f"{count} message(s) have come, not {self.taken}")
        return self.taken


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """One that listens."""
    box = Mailbox()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            box.tries += 1
            box.before()
            if box.code == 200:
                box.taken.append(body)
            self.wfile.write(b"HTTP/1.0 %d x\r\n" % box.code + box.headers + b"Content-Length: 0\r\n\r\n")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        server.daemon_threads = True
        box.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()
