"""The real service for tests and benchmarks: `remediator serve` in a process of its own, under gunicorn.

Plain values and context managers, so that a benchmark can use them without pytest.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from remediator.cluster.permissions import permissions
from tests.builders import policy
from tests.processes import Process, children, free_port, wait_until

Json = dict[str, Any]

ROOT = Path(__file__).parents[1]
_LONGEST_ANSWER = 120.0

UNGUARDED = policy(guards={"stableReady": "0%", "cooldown": "0s", "hold": "0s"})
"""Where the guards are not what is tested: no pods run here, tests fire alerts in quick succession, and somebody puts
the traffic back to see what the next delivery does."""
ANY_EVIDENCE = ("--max-alert-age", "0", "--budget", "off")
"""The same for what the service is told: the alerts of tests began long ago, and there are many."""


PERMISSIONS = tuple(each.rule.render() for each in permissions().service)
"""All that the service may do."""


@dataclass(frozen=True)
class Service:
    """The service's parent process, what it logs, and a client."""

    port: int
    token_file: Path
    log: Path
    process: Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """What Alertmanager sends with a notification."""
        token = self.token_file.read_text().strip()
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def client(self) -> http.client.HTTPConnection:
        """A connection that is kept alive."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_LONGEST_ANSWER)

    def post(self, notification: Json | bytes) -> tuple[int, Json]:
        """Deliver a notification as Alertmanager does; code and answer."""
        body = notification if isinstance(notification, bytes) else json.dumps(notification).encode()
        with closing(self.client()) as client:
            client.request("POST", "/webhook", body, self.headers)
            answer = client.getresponse()
            return answer.status, json.loads(answer.read())

    def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Make a request with the token; code and answer, which is JSON."""
        with closing(self.client()) as client:
            client.request(method, path, None if body is None else json.dumps(body).encode(), self.headers)
            answer = client.getresponse()
            return answer.status, json.loads(answer.read())

    def metrics(self) -> str:
        """What /metrics says."""
        with closing(self.client()) as client:
            client.request("GET", "/metrics")
            return client.getresponse().read().decode()

    def kill(self) -> None:
        """End its processes with SIGKILL, wherever they are; nothing happens if there are none.

        The parent is stopped first, or it would start another worker in the place of the one that ends.
        """
        with contextlib.suppress(RuntimeError, ProcessLookupError):
            self.process.send(signal.SIGSTOP)
            self.kill_worker()
        self.process.kill()

    def kill_worker(self) -> None:
        """End its worker with SIGKILL, as the kernel does when memory is short; the parent stays."""
        for worker in children(self.process.pid):
            os.kill(worker, signal.SIGKILL)

    def alive(self) -> bool:
        """Whether it runs. Raises RuntimeError with the log if it has ended by itself."""
        return self.process.running()

    def ready(self) -> bool:
        """Whether /readyz says 200. Raises RuntimeError with the log if the process has ended."""
        self.process.running()
        try:
            with closing(self.client()) as client:
                client.request("GET", "/readyz")
                return client.getresponse().status == 200
        except OSError:
            return False

    def logged(self) -> tuple[Json, ...]:
        """The lines of its log so far."""
        # The last one may be half-written.
        lines = self.log.read_text().rpartition("\n")[0].splitlines()
        return tuple(json.loads(line) for line in lines)

    def outcomes(self, **labels: str) -> tuple[Json, ...]:
        """The logged outcomes whose fields are these."""
        return tuple(
            line for line in self.logged() if line["logger"] == "remediator.outcome" and labels.items() <= line.items()
        )


def prepared(kubeconfig: Path, policies: Sequence[Json], folder: Path, *more: str) -> Service:
    """The service on a free port, not started yet; it keeps its files in `folder`."""
    port = free_port()
    policy_file, token_file, log = folder / "policies.yaml", folder / "token", folder / "service.log"
    policy_file.write_text(yaml.safe_dump_all(policies))
    token_file.write_text(secrets.token_hex(16) + "\n")
    log.touch()
    command = (
        *(sys.executable, "-m", "remediator", "serve"),
        *("--listen", f"127.0.0.1:{port}"),
        *("--kubeconfig", str(kubeconfig)),
        *("--policies", str(policy_file)),
        *("--token-file", str(token_file)),
        *more,
    )
    return Service(port, token_file, log, Process(command, log, ROOT))


@contextlib.contextmanager
def running_service(kubeconfig: Path, policies: Sequence[Json], *more: str) -> Iterator[Service]:
    """The service, ready; `more` are flags of `serve`."""
    with tempfile.TemporaryDirectory(prefix="service-") as folder:
        service = prepared(kubeconfig, policies, Path(folder), *more)
        try:
            service.process.start()
            wait_until(service.ready, f"{service.url}/readyz says 200")
            yield service
        finally:
            service.process.terminate()
