"""Progress on standard error, when that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Progress:
    """One line that is written over again and again."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def track(self, what: str, things: Iterable[T], total: int) -> Iterator[T]:
        """Pass `things` on, and tell how many of `total` there have been; say nothing where `what` is empty."""
        step = max(1, total // 100)
        for count, thing in enumerate(things, start=1):
            if what and (count % step == 0 or count == total):
                self._write(f"{what}: {count} of {total}")
            yield thing
        self._write("")

    def _write(self, text: str) -> None:
        if self._shown:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
