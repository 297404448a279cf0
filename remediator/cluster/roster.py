"""The index of pauses that both adapters answer from."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from remediator.cluster.inventory import reference
from remediator.guards.pause import Pause
from remediator.outcome import TargetRef
from remediator.records.pauses import parse

_log = logging.getLogger(__name__)


class Roster:
    """Every Pause that there is. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pauses: dict[TargetRef, Pause] = {}

    def put(self, body: Mapping[str, Any], *, listed: bool = False) -> None:  # noqa: ARG002 - of a Sink
        """Add a Pause, or put it in the place of the one of its name. None is left out, whatever is in it."""
        ref, pause = reference(body), parse(body)
        with self._lock:
            before = self._pauses.get(ref)
            self._pauses[ref] = pause
        if before != pause:  # a list brings again what is known
            _log.warning("pause %s: %s", ref.name, pause)

    def drop(self, kind: str, namespace: str, name: str) -> None:
        """Forget a Pause; nothing happens if it is not there."""
        # What belongs to no namespace is kept as what names none is: in `default`.
        with self._lock:
            gone = self._pauses.pop(TargetRef(kind, namespace or "default", name), None)
        if gone:
            _log.warning("pause %s is taken away: it was %s", name, gone)

    def all(self) -> tuple[Pause, ...]:
        """Every Pause, by name."""
        with self._lock:
            return tuple(self._pauses[ref] for ref in self._sorted())

    def refs(self) -> tuple[TargetRef, ...]:
        """What names each of them, in the same order."""
        with self._lock:
            return tuple(self._sorted())

    def _sorted(self) -> list[TargetRef]:
        return sorted(self._pauses, key=lambda ref: (ref.name, ref.namespace))
