"""A real server for test_server.py to run: `python -m tests.web_server CONTROL_PORT GRACE_S ARRIVAL_S`.

Its pipeline connects to the test's own port when a notification comes, and goes on when the test answers.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from pathlib import Path

from remediator import logs
from remediator.alerts import Notification
from remediator.outcome import AlertOutcome
from remediator.web.server import Serving, run
from remediator.web.tls import Certificate
from tests.web_fakes import FakePipeline, House

logger = logging.getLogger("test")


class GatedPipeline(FakePipeline):
    """Ends an alert only when the test says so."""

    def __init__(self, control_port: int) -> None:
        super().__init__()
        self.control_port = control_port

    def handle(self, notification: Notification) -> tuple[AlertOutcome, ...]:
        with socket.create_connection(("127.0.0.1", self.control_port)) as gate:
            gate.sendall(b"entered")
            gate.recv(1)
        return super().handle(notification)


def certificate() -> Certificate | None:
    """Of the files that CERT_FILE and KEY_FILE name; without them it is HTTP."""
    if "CERT_FILE" not in os.environ:
        return None
    return Certificate(Path(os.environ["CERT_FILE"]), Path(os.environ["KEY_FILE"]))


def main(control_port: int, grace_s: float, arrival_s: float) -> None:
    logs.configure(sys.stderr)
    house = House(pipeline=GatedPipeline(control_port), draining=threading.Event())
    serving = Serving(
        listen="127.0.0.1:0",
        threads=4,
        grace_s=grace_s,
        draining=house.draining,
        on_start=lambda: logger.info("on_start"),
        on_stop=lambda: logger.info("on_stop; draining: %s", house.draining.is_set()),
        arrival_s=arrival_s,
        certificate=certificate(),
    )
    run(house.app(), serving)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
