"""Tells whoever waits for it which indexed objects have changed: the one way to learn of a change without asking."""

from __future__ import annotations

import threading

from remediator.outcome import TargetRef


class News:
    """What has changed since it was asked for last. Safe to use from many threads."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._refs: set[TargetRef] = set()

    def tell(self, ref: TargetRef) -> None:
        """Note that an object came, changed or went, and wake whoever waits."""
        with self._told:
            self._refs.add(ref)
            self._told.notify_all()

    def take(self, patience_s: float) -> frozenset[TargetRef]:
        """What has changed; where nothing has, wait so long for it."""
        with self._told:
            self._told.wait_for(lambda: self._refs, patience_s)
            taken = frozenset(self._refs)
            self._refs.clear()
        return taken
