"""The certificate that is served, from two files that may be replaced at any moment."""

from __future__ import annotations

import logging
import os
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from remediator.errors import SettingsError

logger = logging.getLogger(__name__)

_State = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """One reading of the files."""

    state: _State | None
    context: ssl.SSLContext


class Certificate:
    """A certificate chain and its key. Safe for threads.

    The files are looked at for each connection and read again when they changed, also by the swap of a symbolic link,
    which is how Kubernetes updates a mounted Secret. What cannot be used is logged, and the old certificate stays.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        """Read the files.

        Raises:
            SettingsError: they cannot be read, hold no certificate and key, or do not belong together.
        """
        self._cert_file, self._key_file = cert_file, key_file
        self._lock = threading.Lock()
        try:
            self._loaded = _Loaded(self._state(), self._read())
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(
                f"--tls-cert-file {cert_file}, --tls-key-file {key_file}: cannot be used: {_why(error)}; "
                "give PEM files, a certificate chain and its own key without a passphrase"
            ) from error

    @property
    def files(self) -> tuple[Path, Path]:
        """Chain and key."""
        return self._cert_file, self._key_file

    def context(self) -> ssl.SSLContext:
        """What a new connection is served with: TLS 1.2 or later, no certificate asked of the client."""
        if self._state() != self._loaded.state:
            with self._lock:
                self._reload()
        return self._loaded.context

    def _reload(self) -> None:
        # Looked at before the files are read: a change in between is then seen by the next connection.
        state = self._state()
        if state == self._loaded.state:
            return
        try:
            self._loaded = _Loaded(state, self._read())
        except OSError as error:
            # With its state kept, a bad content is reported once and not at each connection.
            self._loaded = _Loaded(state, self._loaded.context)
            logger.warning("the certificate changed and cannot be used; the old one stays: %s", _why(error))
        else:
            logger.info("the certificate changed: new connections are served with it")

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Without a password function, OpenSSL would ask at the terminal for the passphrase of a key that has one.
        context.load_cert_chain(self._cert_file, self._key_file, password=lambda: b"")
        return context

    def _state(self) -> _State | None:
        try:
            return tuple(_signature(path) for path in self.files)
        except OSError:
            return None


def _signature(path: Path) -> tuple[int, int, int, int]:
    status = os.stat(path)
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").lower().replace("_", " ")
    return error.strerror or str(error)
