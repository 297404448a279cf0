"""Real gunicorn in a process of its own: how it starts, drains and ends, and what it does with the slow."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from tests.builders import alert, labels, notification

ROOT = Path(__file__).parents[1]
DEADLINE_S = 30.0
BODY = json.dumps(notification([alert(labels(), fingerprint="f00d")]))


@dataclass
class Server:
    """The process, and what it logs."""

    process: subprocess.Popen[str]
    gate: socket.socket
    lines: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0

    def until(self, message: str) -> str:
        """Read its log up to a line that begins so. Every line must be JSON."""
        log: IO[str] = self.process.stderr  # type: ignore[assignment]
        for line in log:
            self.lines.append(json.loads(line))
            found = str(self.lines[-1]["message"])
            if found.startswith(message):
                return found
        raise AssertionError(f"it ended without logging {message!r}: {self.lines}")

    def post(self) -> tuple[int, Any]:
        with closing(self.client()) as client:
            client.request("POST", "/webhook", BODY)
            answer = client.getresponse()
            return answer.status, json.loads(answer.read())

    def client(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)

    def entered(self) -> socket.socket:
        """Wait until a notification is in the pipeline; sending to what is returned lets it go on."""
        opened, _ = self.gate.accept()
        opened.settimeout(DEADLINE_S)
        assert b"entered" == opened.recv(7)
        return opened

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)


@contextmanager
def running(grace_s: float = 20.0, arrival_s: float = 15.0, **environment: str) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as gate:
        gate.settimeout(DEADLINE_S)
        arguments = [str(gate.getsockname()[1]), str(grace_s), str(arrival_s)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.web_server", *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": ""} | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        # So that a server that hangs fails the test, and does not hang it as well.
        watchdog = threading.Timer(DEADLINE_S, process.kill)
        watchdog.start()
        try:
            server = Server(process, gate)
            server.port = int(server.until("Listening at: ").split(":")[3].split()[0])
            server.until("on_start")
            yield server
        finally:
            watchdog.cancel()
            process.kill()
            process.communicate()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def test_sigterm_lets_the_request_in_flight_finish_and_refuses_new_ones(pool: ThreadPoolExecutor) -> None:
    with running() as server:
        answer: Future[tuple[int, Any]] = pool.submit(server.post)
        gate = server.entered()
        server.process.send_signal(signal.SIGTERM)
        server.until("stopping: no new connections")
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        assert not answer.done()

        with gate:
            gate.sendall(b"!")
        status, body = answer.result(timeout=DEADLINE_S)
        assert 200 == status
        assert ["Patched"] == [row["reason"] for row in body["outcomes"]]
        assert "on_stop; draining: True" == server.until("on_stop")
        assert 0 == server.process.wait(timeout=DEADLINE_S)


def test_sigterm_ends_an_idle_server_at_once() -> None:
    with running() as server:
        server.process.send_signal(signal.SIGTERM)
        server.until("on_stop")
        assert 0 == server.process.wait(timeout=DEADLINE_S)


def test_a_request_that_never_ends_has_only_the_grace(pool: ThreadPoolExecutor) -> None:
    with running(grace_s=0.5) as server:
        answer = pool.submit(server.post)
        with server.entered():
            server.process.send_signal(signal.SIGTERM)
            server.until("on_stop")
            assert 0 == server.process.wait(timeout=DEADLINE_S)
        assert isinstance(answer.exception(timeout=DEADLINE_S), ConnectionError | http.client.HTTPException)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"POST /webhook HTTP/1.1\r\nHost: a\r\n", id="a head that does not end"),
        pytest.param(b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{", id="a body that stops"),
    ],
)
def test_who_is_slow_is_cut_off_and_holds_up_nobody(pool: ThreadPoolExecutor, sent: bytes) -> None:
    """As many of them as there are threads, and one more request."""
    with running(arrival_s=0.2) as server:
        slow = [server.connect() for _ in range(4)]
        for connection in slow:
            connection.sendall(sent)
        answer = pool.submit(server.post)
        with server.entered() as gate:
            gate.sendall(b"!")
        assert 200 == answer.result(timeout=DEADLINE_S)[0]
        for connection in slow:
            with connection:
                assert not connection.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param(b"Content-Length: 100\r\n\r\n{", "1 of 100 bytes", id="with a length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n4\r\n{", "its last chunk did not come", id="in a chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n1\r\n{", "its last chunk did not come", id="behind a chunk"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n", "its last chunk did not come", id="before the very end"
        ),
    ],
)
def test_a_body_that_stalls_is_to_be_delivered_again(sent: bytes, said: str) -> None:
    """A stall of the network once became a 400, after which Alertmanager does not try again now."""
    with running(arrival_s=0.2) as server, server.connect() as stalled:
        stalled.sendall(b"POST /webhook HTTP/1.1\r\nHost: a\r\n" + sent)
        answer = http.client.HTTPResponse(stalled)
        answer.begin()
        expected = {"error": f"the body is incomplete: {said}"}
        assert (503, expected) == (answer.status, json.loads(answer.read()))
        server.until(f"notification did not arrive: the body is incomplete: {said}")


@pytest.mark.parametrize("chunked", [pytest.param(False, id="with a length"), pytest.param(True, id="in chunks")])
def test_a_body_that_is_too_large_is_told_so(chunked: bool) -> None:
    """In chunks it was once cut at the limit, and refused as something that is not JSON. It is read to its end: a
    sender that still writes when the connection is closed hears of a reset, and would deliver again and again."""
    piece = b" " * 64 * 1024
    with running() as server, closing(server.client()) as client:
        for _ in range(2):
            headers = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(80 * len(piece))}
            client.request("POST", "/webhook", iter([piece] * 80), headers, encode_chunked=chunked)
            answer = client.getresponse()
            expected = {"error": "the body is larger than 65536 bytes (--max-body)"}
            assert (413, expected) == (answer.status, json.loads(answer.read()))
        server.until("notification refused: the body is larger than 65536 bytes (--max-body)")
        assert 80 * len(piece) == server.lines[-1]["bytes"]


def test_a_long_request_is_not_taken_for_a_slow_one(pool: ThreadPoolExecutor) -> None:
    """Only arriving has to be quick: the answer may take the time that it takes."""
    with running(arrival_s=0.2) as server:
        answer = pool.submit(server.post)
        with server.entered() as gate, server.connect() as slow:
            slow.sendall(b"P")
            # Cut off after the other one's time is over, too.
            assert b"" == slow.recv(1)
            gate.sendall(b"!")
        assert 200 == answer.result(timeout=DEADLINE_S)[0]


def test_a_connection_is_kept_for_the_next_notification() -> None:
    with running() as server, closing(server.client()) as client:
        client.connect()
        first = client.sock
        for _ in range(2):
            client.request("GET", "/healthz")
            assert b'{"status":"ok"}\n' == client.getresponse().read()
        assert first is client.sock


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR2"])
def test_no_signal_makes_a_second_worker(name: str) -> None:
    """There is one index, and one set of metrics."""
    with running() as server:
        server.process.send_signal(signal.Signals[name])
        server.until(f"{'SIGHUP' if name == 'SIGHUP' else 'SIGTTIN'} does nothing")
        server.process.send_signal(signal.SIGTERM)
        server.until("on_stop")
        assert 1 == sum("Booting worker" in line["message"] for line in server.lines)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="without /dev/shm gunicorn has to use TMPDIR")
def test_nothing_is_written_to_the_file_system(tmp_path: Path) -> None:
    """The image's root is read-only; some versions of gunicorn put a control socket into the home folder."""
    with running(HOME=str(tmp_path), TMPDIR=str(tmp_path)) as server:
        # By the time the parent answers a signal it has begun all that it begins.
        server.process.send_signal(signal.SIGHUP)
        server.until("SIGHUP does nothing")
        written = list(tmp_path.iterdir())
        server.process.send_signal(signal.SIGTERM)
        server.until("on_stop")
        assert 0 == server.process.wait(timeout=DEADLINE_S)
        assert [] == written + list(tmp_path.iterdir())
