"""Processes and ports: what it takes to run a server in a test."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_DEADLINE = 60.0


class Missing(Exception):
    """What is needed to run a server is not on this machine; the text says what and how to name it."""


def wait_until(condition: Callable[[], object], what: str, timeout: float = _DEADLINE, pause: float = 0.02) -> None:
    """Ask `condition` again and again until it holds; TimeoutError if it does not within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        threading.Event().wait(pause)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def binary(variable: str, *names: str) -> str:
    """The path of the first of `names` that the folder in `variable` has. Raises Missing."""
    folder = os.environ.get(variable)
    if not folder:
        raise Missing(f"{variable} is not set; it names the folder that has {names[0]}")
    for name in names:
        path = Path(folder) / name
        if os.access(path, os.X_OK):
            return str(path)
    raise Missing(f"{variable} is {folder}, which has no {' or '.join(names)}")


def children(pid: int) -> tuple[int, ...]:
    """The processes that this one has started and that still run; by Linux' /proc."""
    return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


class Process:
    """A server process with its log in a file."""

    def __init__(self, command: Sequence[str], log: Path, folder: Path | None = None) -> None:
        self._command = tuple(command)
        self._log = log
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._folder
            )

    @property
    def pid(self) -> int:
        """The running process's. RuntimeError if there is none."""
        if self._process is None:
            raise RuntimeError(f"{self._command[0]} does not run")
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout: float = _DEADLINE) -> int:
        """Wait until it ends by itself; its exit code. Raises subprocess.TimeoutExpired."""
        if self._process is None:
            raise RuntimeError(f"{self._command[0]} does not run")
        return self._process.wait(timeout)

    def running(self) -> bool:
        """Whether it has neither ended nor been ended. Raises RuntimeError with the log if it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            log = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
            raise RuntimeError(f"{self._command[0]} ended with {self._process.returncode}:\n{log}")
        return self._process is not None

    def terminate(self, timeout: float = 5.0) -> None:
        """Ask it to end, and end it if it does not."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
