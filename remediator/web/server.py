"""gunicorn, started from within: one worker process with many threads, so that index and metrics are one.

How it ends:

    SIGTERM → stop accepting (new connections are refused) → finish what was begun, within the grace
            → on_stop → exit 0
"""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from remediator.web.tls import Certificate

logger = logging.getLogger(__name__)

_KEEPALIVE_S = 90
_HANG_S = 60
_STOP_S = 2
_MEMORY_FOLDER = "/dev/shm"  # noqa: S108 - not a file of ours: gunicorn opens and unlinks one there


@dataclass(frozen=True, slots=True)
class Serving:
    """How to serve."""

    listen: str
    """`HOST:PORT`; `[::]:8080` for IPv6."""
    threads: int
    grace_s: float
    """Seconds that requests in flight have to finish once the server stops."""
    draining: threading.Event
    """Set when the server begins to stop; the same one that `Parts` has."""
    on_start: Callable[[], None]
    """Called in the worker process before the first request. Threads begun earlier would not live through the fork."""
    on_stop: Callable[[], None]
    """Called in the worker process after the last request, or when the grace is over."""
    arrival_s: float = 15.0
    """Seconds in which a request has to have arrived, head and body. A thread waits for it, so the slow are cut off."""
    certificate: Certificate | None = None
    """What HTTPS is served with; None: HTTP."""


def run(app: Flask, serving: Serving) -> None:
    """Serve until SIGTERM or SIGINT; ends the process by SystemExit, with code 0 after SIGTERM."""
    _Embedded(app, serving).run()


def gunicorn_settings(serving: Serving) -> Mapping[str, Any]:
    """The settings of gunicorn, by its names (docs.gunicorn.org/en/stable/settings.html)."""
    return {
        "bind": [serving.listen],
        "workers": 1,
        "worker_class": _Worker,
        "threads": serving.threads,
        # The worker begins to stop after the parent starts counting; without the extra, on_stop could be cut off.
        "graceful_timeout": math.ceil(serving.grace_s) + _STOP_S,
        # A worker whose main loop hangs for so long is replaced. Long requests run in other threads.
        "timeout": _HANG_S,
        # Alertmanager sends a burst of groups over one connection, and repeats a group within minutes.
        "keepalive": _KEEPALIVE_S,
        "limit_request_line": 4094,
        "limit_request_fields": 64,
        "limit_request_field_size": 8190,
        # The file system of the image is read-only.
        "worker_tmp_dir": _MEMORY_FOLDER if os.path.isdir(_MEMORY_FOLDER) else None,
        "control_socket_disable": True,
        "preload_app": False,
        "accesslog": None,
        "logger_class": _Log,
        "proc_name": "remediator",
    }


class _Embedded(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """The application, and how gunicorn is to run it."""

    def __init__(self, app: Flask, serving: Serving) -> None:
        self._app = app
        self._serving = serving
        super().__init__()

    def load_config(self) -> None:
        for name, value in gunicorn_settings(self._serving).items():
            # The control socket came with gunicorn 25; older ones know no such setting.
            if name in self.cfg.settings:
                self.cfg.set(name, value)
        if self._serving.certificate:
            self._secure(self._serving.certificate)
        self.cfg.set("post_worker_init", self._begin)
        self.cfg.set("worker_exit", self._end)

    def _secure(self, certificate: Certificate) -> None:
        # The files' names say that it is HTTPS at all; what is in them, each connection asks of `certificate`.
        for name, path in zip(("certfile", "keyfile"), certificate.files, strict=True):
            self.cfg.set(name, str(path))
        self.cfg.set("ssl_context", lambda _cfg, _default: certificate.context())
        # By the thread that serves the connection, once it is known there: who is slow in it is cut off, too.
        self.cfg.set("do_handshake_on_connect", False)

    def load(self) -> Flask:
        return self._app

    def run(self) -> None:
        _OneWorker(self).run()

    def _begin(self, worker: Any) -> None:
        worker.cfg.set("graceful_timeout", math.ceil(self._serving.grace_s))
        worker.serving = self._serving
        self._serving.on_start()

    def _end(self, _parent: Any, _worker: Any) -> None:
        self._serving.on_stop()


class _OneWorker(Arbiter):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's parent process, without the signals that would make it a second worker or a second parent."""

    def handle_hup(self) -> None:
        self.log.info("SIGHUP does nothing: policies and tokens are read again when their files change")

    def handle_ttin(self) -> None:
        self.log.info("SIGTTIN does nothing: there is one worker process")

    handle_ttou = handle_usr2 = handle_ttin


class _Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's threaded worker, which also refuses newcomers while it drains and cuts off who is slow."""

    serving: Serving

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving: dict[Any, float] = {}

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called by the main loop; with False also when it has ended."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self.serving.draining.set()
            # gunicorn keeps the listening sockets until the drain is over, so a newcomer would wait in the backlog
            # and then be reset. Refused at once, Alertmanager tries again, and reaches another replica.
            for listener in self.sockets:
                listener.close()
            logger.info("stopping: no new connections; %d open ones are finished", self.nr_conns)

    def handle(self, conn: Any) -> Any:
        """Serve one connection until its request is answered. Runs in a thread of the pool."""
        self._arriving[conn] = time.monotonic() + self.serving.arrival_s
        try:
            return super().handle(conn)
        finally:
            self._arriving.pop(conn, None)

    def murder_keepalived(self, *args: Any, **kwargs: Any) -> None:
        """Called by the main loop, at least once a second."""
        super().murder_keepalived(*args, **kwargs)
        now = time.monotonic()
        for conn, deadline in self._arriving.copy().items():
            if now > deadline:
                _stop_reading(conn.sock)


def _stop_reading(connection: socket.socket) -> None:
    """Wake the thread that waits for more of a request. An answer that is being made can still be sent."""
    try:
        # The socket's own: that of an SSLSocket would have the answer sent without encryption.
        socket.socket.shutdown(connection, socket.SHUT_RD)
    except OSError:
        logger.debug("the connection was closed meanwhile")


class _Log(Logger):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's log, written where all others go (logs.configure)."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
