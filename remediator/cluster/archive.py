"""The index of records that both adapters answer from: by name, by alert, by target, and newest first."""

from __future__ import annotations

import json
import threading
import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, replace
from sys import intern
from typing import Final

from remediator.outcome import TargetRef
from remediator.records.ledger import Head, head
from remediator.records.model import Remediation
from remediator.records.wire import parse, render

_COMPRESSION: Final = 1
"""The quickest of zlib's levels, as for routing objects: higher ones save little, and a watch brings many records."""

_Name = tuple[str, str]
"""(namespace, name)"""
_Place = tuple[float, _Name]
"""Where a record stands in the order: newest first, then by name."""


@dataclass(frozen=True, slots=True)
class _Packed:
    """A record as it is kept: as a value it would take ten times the memory, and it is quickly had again."""

    head: Head
    version: str
    fingerprints: tuple[str, ...]
    text: bytes
    """JSON, compressed."""

    @classmethod
    def of(cls, record: Remediation) -> _Packed:
        text = json.dumps(render(record), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
        fingerprints = tuple(dict.fromkeys(intern(found) for found, _ in sorted(record.intent.firings)))
        return cls(_shared(head(record)), record.resource_version, fingerprints, zlib.compress(text, _COMPRESSION))

    def record(self) -> Remediation:
        return parse(json.loads(zlib.decompress(self.text).decode("utf-8", "surrogatepass")))


class Archive:
    """Every record, packed. Safe to use from many threads.

    The lock is held for dictionary look-ups only: JSON is packed before it is taken, and unpacked after it is given
    back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._packed: dict[_Name, _Packed] = {}
        self._by_fingerprint: dict[str, set[_Name]] = {}
        self._taken_back: dict[str, set[_Name]] = {}
        """By the uid of the routing object."""
        self._order: list[_Place] = []
        """Newest first. Kept in order, as sorting thousands anew after each change would be felt by every alert."""
        self._heads: tuple[Head, ...] | None = ()
        """None: to be made anew from the order."""

    def __len__(self) -> int:
        """How many records there are."""
        with self._lock:
            return len(self._packed)

    def put(self, record: Remediation) -> None:
        """Add a stored record, or put it in the place of the one of its namespace and name."""
        packed = _Packed.of(record)
        with self._lock:
            self._put(packed)

    def drop(self, namespace: str, name: str) -> None:
        """Forget the record; nothing happens if it is not there."""
        with self._lock:
            self._drop((namespace, name))

    def advance(self, record: Remediation, base: str | None) -> None:
        """Take what a record became by our own write, so that the next look-up knows it before the event has come.

        Only on what the write was made for: at any other version the watch knows more.

        Args:
            base: the resourceVersion that was written on; None: the record was created.
        """
        packed = _Packed.of(record)
        with self._lock:
            if self._version(packed.head.key) == base:
                self._put(packed)

    def retract(self, namespace: str, name: str, base: str | None) -> None:
        """Forget a record that the source no longer has, if it is known at resourceVersion `base`."""
        with self._lock:
            if self._version((namespace, name)) == base:
                self._drop((namespace, name))

    def version(self, namespace: str, name: str) -> str | None:
        """The resourceVersion at which the record is known; None if it is not."""
        with self._lock:
            return self._version((namespace, name))

    def heads(self) -> tuple[Head, ...]:
        """The head of every record, newest first, then by namespace and name. The same tuple until one changes."""
        with self._lock:
            if self._heads is None:
                self._heads = tuple(self._packed[name].head for _, name in self._order)
            return self._heads

    def get(self, namespace: str, name: str) -> Remediation | None:
        """One record; None if there is none."""
        with self._lock:
            packed = self._packed.get((namespace, name))
        return packed.record() if packed else None

    def answering(self, fingerprint: str) -> tuple[Head, ...]:
        """The head of every record that answers an alert of this fingerprint, as its first or beside it, by name."""
        with self._lock:
            return self._gather(self._by_fingerprint.get(fingerprint, ()))

    def taken_back(self, target_uid: str) -> tuple[Head, ...]:
        """The head of every record of this routing object that a person has taken back, or wants to, by name."""
        with self._lock:
            return self._gather(self._taken_back.get(target_uid, ()))

    # -- called with the lock held

    def _put(self, packed: _Packed) -> None:
        name = packed.head.key
        self._drop(name)
        self._packed[name] = packed
        insort(self._order, _place(packed.head))
        if packed.head.taken_back:
            self._taken_back.setdefault(packed.head.target_uid, set()).add(name)
        for fingerprint in packed.fingerprints:
            self._by_fingerprint.setdefault(fingerprint, set()).add(name)
        self._heads = None

    def _drop(self, name: _Name) -> None:
        packed = self._packed.pop(name, None)
        if packed is None:
            return
        del self._order[bisect_left(self._order, _place(packed.head))]
        if packed.head.taken_back:
            _discard(self._taken_back, packed.head.target_uid, name)
        for fingerprint in packed.fingerprints:
            _discard(self._by_fingerprint, fingerprint, name)
        self._heads = None

    def _version(self, name: _Name) -> str | None:
        packed = self._packed.get(name)
        return packed.version if packed else None

    def _gather(self, names: Iterable[_Name]) -> tuple[Head, ...]:
        return tuple(self._packed[name].head for name in sorted(names))


def _place(found: Head) -> _Place:
    return -found.created_at.timestamp(), found.key


def _shared(found: Head) -> Head:
    """The same head, in which texts that many records have in common are there once."""
    target = TargetRef(intern(found.target.kind), intern(found.target.namespace), intern(found.target.name))
    return replace(
        found,
        namespace=intern(found.namespace),
        policy=intern(found.policy),
        target=target,
        target_uid=intern(found.target_uid),
    )


def _discard(index: dict[str, set[_Name]], key: str, name: _Name) -> None:
    names = index[key]
    names.discard(name)
    if not names:
        del index[key]
