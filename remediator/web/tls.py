"""The certificate that is served, from two files that may be replaced at any moment."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from remediator.errors import SettingsError
from remediator.reread import Reread

logger = logging.getLogger(__name__)


class Certificate:
    """A certificate chain and its key. Safe for threads.

    The files are looked at for each connection (reread.py). What cannot be used is logged, and the old certificate
    stays.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        """Read the files.

        Raises:
            SettingsError: they cannot be read, hold no certificate and key, or do not belong together.
        """
        self._cert_file, self._key_file = cert_file, key_file
        try:
            self._loaded = Reread(self.files, self._read, changed=_tell, failed=_warn)
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
        return self._loaded.current()

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Without a password function, OpenSSL would ask at the terminal for the passphrase of a key that has one.
        context.load_cert_chain(self._cert_file, self._key_file, password=lambda: b"")
        return context


def _tell(_: ssl.SSLContext) -> None:
    logger.info("the certificate changed: new connections are served with it")


def _warn(error: OSError | SettingsError) -> None:
    logger.warning("the certificate changed and cannot be used; the old one stays: %s", _why(error))


def _why(error: OSError | SettingsError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").lower().replace("_", " ")
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
