"""What one process is about to do, so that no two of its threads do it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Busy:
    """What is being carried out here, so that another thread of ours leaves it alone. Safe to use from many threads."""

    def __init__(self) -> None:
        self._names: list[str] = []

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """Be at it."""
        self._names.append(name)
        try:
            yield
        finally:
            self._names.remove(name)

    def __contains__(self, name: str) -> bool:
        return name in self._names
