"""Standard output that ends in order whatever becomes of it: an old encoding, a full disk, a reader that has left."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from remediator.errors import RemediatorError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputLost(RemediatorError):
    """Standard output cannot be written."""


class _Outlet(io.FileIO):
    """A file that takes everything: after a first failure, which is told or forgiven, what comes is thrown away.

    Without that, Python would try the rest once more as it ends, and put its own message and exit code before ours.
    """

    _lost = False

    def write(self, data: ReadableBuffer) -> int:
        """Write, and raise OutputLost the first time that this fails."""
        if not self._lost:
            try:
                return super().write(data) or 0
            except BrokenPipeError:
                # `| head -1` has seen enough. No error: the exit code still says what was found.
                self._lost = True
            except OSError as error:
                self._lost = True
                raise OutputLost(f"standard output cannot be written: {os.strerror(error.errno or 0)}") from error
        return memoryview(data).nbytes


def open_outlet() -> None:
    """Make standard output one. What its encoding cannot say is written as an escape: `→` as `\\u2192`."""
    if sys.stdout is None:
        # The caller closed it, and wants no more than the exit code.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
        return
    outlet = _Outlet(sys.stdout.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=sys.stdout.encoding,
        errors="backslashreplace",
        line_buffering=outlet.isatty(),
    )
