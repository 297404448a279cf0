"""An address to serve at, tried before anything is started there."""

from __future__ import annotations

import socket

from remediator.errors import InputError


def tried(listen: str) -> str:
    """Bind to an address, and let go of it again.

    Args:
        listen: HOST:PORT, as settings.read has checked it; port 0 stands for any that is free.

    Returns:
        `listen`, with the port that was free in the place of 0.

    Raises:
        InputError: somebody listens there already, the host is none of this machine's, or it is not allowed.
    """
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # As the server does: connections that just ended keep nobody out.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host.strip("[]"), int(port)))
            return f"{host}:{probe.getsockname()[1]}"
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"cannot listen at {listen}: {why}; name another HOST:PORT with --listen") from error
