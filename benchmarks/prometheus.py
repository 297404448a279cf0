"""A real Prometheus for a benchmark: started, asked, and written to."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import tempfile
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.processes import Process, binary, free_port, wait_until

Json = dict[str, Any]
_TIMEOUT_S: Final = 600.0


class Prometheus:
    """A running server.

    Args:
        port: of the loopback interface.
        process: its own.
    """

    def __init__(self, port: int, process: Process) -> None:
        self.pid = process.pid
        self.url = f"http://127.0.0.1:{port}"
        self._process = process
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ready(self) -> bool:
        """Whether it answers. RuntimeError with its log if it has ended."""
        self._process.running()
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self._request("GET", "/-/ready")[0] == http.client.OK
        self._connection.close()
        return False

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of /api/v1. RuntimeError with what it says otherwise."""
        body = urllib.parse.urlencode(parameters)
        method, target = ("POST", path) if parameters else ("GET", path)
        status, text = self._request(method, f"/api/v1/{target}", body.encode(), "application/x-www-form-urlencoded")
        if status != http.client.OK:
            raise RuntimeError(f"Prometheus answered {status} to {target}: {text[:500].decode(errors='replace')}")
        return json.loads(text)["data"]

    def number(self, query: str) -> float:
        """The only sample of an instant query, 0 if there is none."""
        found = self.get("query", query=query)["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def range(self, query: str, start: float, end: float, step: float) -> list[Json]:
        """The series of a range query: {"metric": {…}, "values": [[time, text], …]}."""
        moments = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        found: list[Json] = self.get("query_range", query=query, **moments)["result"]
        return found

    def write(self, body: bytes) -> None:
        """One remote-write request. RuntimeError with the reason if a sample is refused."""
        status, text = self._request("POST", "/api/v1/write", body, "application/x-protobuf")
        if status != http.client.NO_CONTENT:
            raise RuntimeError(f"Prometheus refused samples with {status}: {text[:500].decode(errors='replace')}")

    def reload(self) -> None:
        """Make it read its configuration and its rules again."""
        self._process.send(signal.SIGHUP)

    def exposed(self) -> str:
        """Its own metrics, as text."""
        return self._request("GET", "/metrics")[1].decode()

    def cpu_seconds(self) -> float:
        """Processor time that it has used so far, user and system; by Linux' /proc."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _request(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, bytes]:
        headers = {"Content-Type": kind} if kind else {}
        self._connection.request(method, path, body or None, headers)
        with self._connection.getresponse() as answer:
            return answer.status, answer.read()


@contextlib.contextmanager
def running_prometheus(config: Json, flags: Sequence[str] = ()) -> Iterator[Prometheus]:
    """Prometheus with an empty storage of its own. Raises Missing."""
    program = binary("PROMETHEUS_BIN_DIR", "prometheus")
    with tempfile.TemporaryDirectory(prefix="prometheus-") as name:
        folder, port = Path(name), free_port()
        (folder / "prometheus.yml").write_text(json.dumps(config))
        own = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        process = Process([program, *own, f"--web.listen-address=127.0.0.1:{port}", *flags], folder / "log")
        process.start()
        try:
            with contextlib.closing(Prometheus(port, process)) as server:
                wait_until(server.ready, "Prometheus is ready")
                yield server
        finally:
            process.terminate()
