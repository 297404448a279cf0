"""A TCP relay: the network between us and a server, and what may happen to it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Relay:
    """A relay to a port of 127.0.0.1."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._broken = False
        self._lost = threading.Event()
        """Set for the connections that `freeze` has met; those made later have another."""
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and refuse new ones until `mend`."""
        self._broken = True
        for each in tuple(self._sockets):
            _close(each)

    def mend(self) -> None:
        """Let connections be made again."""
        self._broken = False

    def freeze(self) -> None:
        """Lose the peer of every connection: nobody is told, and all bytes vanish. New connections are well."""
        self._lost.set()
        self._lost = threading.Event()

    def close(self) -> None:
        """End the relay."""
        _close(self._listener)
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    if self._broken:
                        raise ConnectionRefusedError
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    _close(near)
                    continue
                self._sockets |= {near, far}
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(*pair, self._lost), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if not lost.is_set():
                    sink.sendall(data)
        if lost.is_set() and not self._broken:
            return  # the other side is not told; `cut` closes both
        for each in (source, sink):
            self._sockets.discard(each)
            _close(each)


def _close(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


@contextlib.contextmanager
def relay(target: int) -> Iterator[Relay]:
    """A relay to `target` that ends with the block."""
    made = Relay(target)
    try:
        yield made
    finally:
        made.close()
