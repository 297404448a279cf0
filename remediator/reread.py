"""What stands in files that may be replaced at any moment: read again when they changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from remediator.errors import SettingsError

T = TypeVar("T")

_State = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    state: _State | None
    """None: they could not be looked at."""
    value: T


class Reread(Generic[T]):
    """What was read from some files last. Safe for threads.

    The files are looked at each time, and read again when they changed, also by the swap of a symbolic link, which is
    how Kubernetes updates a mounted Secret. What cannot be used changes nothing.
    """

    def __init__(
        self,
        files: tuple[Path, ...],
        read: Callable[[], T],
        *,
        changed: Callable[[T], object],
        failed: Callable[[OSError | SettingsError], object],
    ) -> None:
        """Read the files.

        Args:
            read: reads them. Raises OSError, SettingsError where they cannot be used.
            changed: told of what was read anew.
            failed: told once why a change cannot be used, and the old value stays.

        Raises:
            OSError, SettingsError: they cannot be used.
        """
        self._files = files
        self._read = read
        self._changed = changed
        self._failed = failed
        self._lock = threading.Lock()
        self._kept = _Kept(self._state(), read())

    @property
    def last(self) -> T:
        """What was read last, whatever has become of the files since."""
        return self._kept.value

    def current(self) -> T:
        """What is in force. Never raises."""
        if self._state() != self._kept.state:
            with self._lock:
                self._renew()
        return self._kept.value

    def _renew(self) -> None:
        # Looked at before they are read: a change in between is then seen the next time.
        state = self._state()
        if state == self._kept.state:
            return
        try:
            value = self._read()
        except (OSError, SettingsError) as error:
            # With its state kept, a bad content is told of once and not each time.
            self._kept = _Kept(state, self._kept.value)
            self._failed(error)
        else:
            self._kept = _Kept(state, value)
            self._changed(value)

    def _state(self) -> _State | None:
        try:
            return tuple(map(_signature, self._files))
        except OSError:
            return None


def _signature(path: Path) -> tuple[int, int, int, int]:
    status = os.stat(path)
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
