"""`remediator serve` as a child process, and what the demo asks it over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remediator.cli.ourselves import ourselves
from remediator.errors import RemediatorError
from remediator.settings import PREFIX

_READY_S = 30.0
_STOP_S = 30.0
_ANSWER_S = 20.0
_POLL_S = 0.05
_TAIL_LINES = 15

Json = dict[str, Any]


class ServiceFailed(RemediatorError):
    """The child process did not start, or has ended. The message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the webhook answered."""

    code: int
    rows: tuple[Json, ...]
    seconds: float


class Service:
    """The service, as a child process on a folder of manifests."""

    def __init__(self, address: str, manifests: Path, token: Path, log: Path) -> None:
        host, _, port = address.rpartition(":")
        self.url = f"http://{_reachable(host)}:{port}"
        self._log = log
        self._token = token
        self._command = (
            *ourselves(),
            "serve",
            *("--listen", address, "--manifests", str(manifests), "--token-file", str(token)),
        )
        self._process: subprocess.Popen[bytes] | None = None
        # A proxy that the environment names knows nothing of this machine's ports.
        self._http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start it, wait until it is ready, and end it at the end.

        Raises:
            ServiceFailed: it does not become ready.
        """
        environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        with self._log.open("ab") as log:
            # In a session of its own: Ctrl-C is for the demo, which then ends the service in order.
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                self._command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._await_ready(self._process)
            yield
        finally:
            _end(self._process)

    def wait(self) -> None:
        """Return only if the service ends by itself, which it should not.

        Raises:
            ServiceFailed.
        """
        if self._process is not None:
            code = self._process.wait()
            raise ServiceFailed(f"the service has ended with code {code}\n{self.log_tail()}")

    def deliver(self, notification: bytes) -> Answer:
        """Post a notification, as Alertmanager does."""
        begun = time.perf_counter()
        code, body = self._ask("/webhook", notification)
        return Answer(code, tuple(body.get("outcomes", ())), time.perf_counter() - begun)

    def record(self, row: Json) -> Json:
        """The remediation that a row of the answer names, as the API tells it."""
        return self._ask(f"/api/v1/remediations/{row['target']['namespace']}/{row['remediation']}")[1]

    def policy(self, name: str) -> Json:
        """The policy of that name, as the API tells it."""
        _, body = self._ask("/api/v1/policies")
        found: Json = next(policy for policy in body["items"] if policy["name"] == name)
        return found

    def log_tail(self) -> str:
        """The last lines of its log, for an error message."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        # An error of the service's is not told twice as one.
        return "\n".join(("the end of the service's log:", *(line.removeprefix("error: ") for line in lines)))

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _READY_S
        pause = threading.Event()
        while not self._is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServiceFailed(f"the service did not become ready\n{self.log_tail()}")
            pause.wait(_POLL_S)

    def _is_ready(self) -> bool:
        try:
            return self._ask("/readyz")[0] == 200
        except OSError:
            return False

    def _ask(self, path: str, body: bytes | None = None) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {self._token.read_text(encoding='ascii').strip()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, data=body, headers=headers)  # noqa: S310 - our own URL
        try:
            with self._http.open(request, timeout=_ANSWER_S) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


def _reachable(host: str) -> str:
    """An address to reach ourselves at, where we listen on all of them."""
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - not bound here


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
