"""The index of records that both adapters answer from: by name, by alert, by target, and newest first."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from remediator.cluster.chronicle import Chronicle
from remediator.cluster.packed import Packed
from remediator.guards.cooldown import Made
from remediator.records.ledger import Firing, Head, Tally
from remediator.records.model import Remediation
from remediator.traffic.hosts import Host

_Name = tuple[str, str]
"""(namespace, name)"""
_Place = tuple[float, _Name]
"""Where a record stands in the order: newest first, then by name."""


class Archive:
    """Every record, packed. Safe to use from many threads.

    The lock is held for dictionary look-ups only: JSON is packed before it is taken, and unpacked after it is given
    back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._chronicle = Chronicle()
        self._count = 0
        """Of the news that the source has told."""
        self._packed: dict[_Name, Packed] = {}
        self._by_firing: dict[Firing, tuple[_Name, ...]] = {}
        """An alert that fires every half hour has many records, and one or two of each firing."""
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

    def put(self, record: Remediation, *, listed: bool = False) -> None:
        """Add a stored record, or put it in the place of the one of its namespace and name.

        Args:
            listed: it is told as one of many, in no order: then it counts as begun before whatever is not known.
        """
        packed = replace(Packed.of(record), told=True)
        with self._news:
            self._count += not listed
            self._put(packed, self._count)
            self._news.notify_all()

    def told(self, namespace: str, name: str, version: str, *, listed: bool = False) -> bool:
        """Take the news of a record that is known at this very version, as we have written it: all that is new is that
        its source has told of it. False: it is not known so.

        Args:
            listed: as for `put`.
        """
        with self._news:
            known = self._packed.get((namespace, name))
            if known is None or known.version != version:
                return False
            self._count += not listed
            self._put(replace(known, told=True), self._count)
            self._news.notify_all()
            return True

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
        packed = Packed.of(record)
        with self._lock:
            if self._version(packed.head.key) == base:
                self._put(packed, None)

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

    def answering(self, fingerprint: str, starts_at: datetime) -> tuple[Head, ...]:
        """The head of every record that answers this firing of an alert, as its first alert or beside it, by name."""
        with self._lock:
            return self._gather(self._by_firing.get((fingerprint, starts_at), ()))

    def taken_back(self, target_uid: str) -> tuple[Head, ...]:
        """The head of every record of this routing object that a person has taken back, or wants to, by name."""
        with self._lock:
            return self._gather(self._taken_back.get(target_uid, ()))

    def awaiting(self) -> tuple[Head, ...]:
        """The head of every record that waits for a person, by name."""
        with self._lock:
            return self._gather(self._chronicle.awaiting)

    def unverified(self, since: datetime) -> tuple[Head, ...]:
        """The head of every record that changed its target later than `since` and is not verified yet, by name."""
        with self._lock:
            return self._gather(self._chronicle.unverified.since(since))

    def unidentified(self, since: datetime) -> tuple[Head, ...]:
        """The head of every record made later than `since` whose suspects' images are not known, by name."""
        with self._lock:
            return self._gather(self._chronicle.unidentified.since(since))

    def holding(self, now: datetime) -> tuple[Head, ...]:
        """The head of every record whose withdrawal is held up, by name."""
        with self._lock:
            return self._gather(self._chronicle.held.since(now))

    def let_go(self, target_uid: str) -> tuple[Head, ...]:
        """The head of every record of this routing object whose suspect may have had traffic again since, by name."""
        with self._lock:
            return self._gather(self._chronicle.let_go(target_uid) | self._taken_back.get(target_uid, set()))

    def latest(self, target_uid: str) -> Made | None:
        """The last change of this routing object; None if there was none."""
        with self._lock:
            name = self._chronicle.latest(target_uid)
            made_at = self._packed[name].moments.made_at if name else None
            return Made(name[1], made_at) if name and made_at else None

    def accusing(self, host: Host, since: datetime) -> tuple[Remediation, ...]:
        """The records heard of later than `since` that accuse a version of this service, the latest first."""
        with self._lock:
            names = self._chronicle.accusing(host, since)
        return tuple(record for name in names if (record := self.get(*name)))

    def barring(self, host: Host) -> tuple[Remediation, ...]:
        """The records that hold a version of this service back, by name."""
        with self._lock:
            names = self._chronicle.barring(host)
        return tuple(record for name in names if (record := self.get(*name)))

    def of_canary(self, namespace: str, name: str) -> tuple[Remediation, ...]:
        """The records that condemn a revision of this Canary, by name."""
        with self._lock:
            names = self._chronicle.of_canary((namespace, name))
        return tuple(record for name in names if (record := self.get(*name)))

    def offered(self) -> tuple[Head, ...]:
        """The head of every record that waits for Flagger to ask, by name."""
        with self._lock:
            return self._gather(self._chronicle.offered)

    def tally(self, since: datetime) -> Tally:
        """The remediations later than `since`."""
        with self._lock:
            kept = self._chronicle
            made = kept.made.count(since)
            return Tally(made, kept.begun(), kept.observed.count(since), kept.made.last() if made else None)

    def ahead(self, record: Remediation, since: datetime, *, patience_s: float = 0.0) -> int | None:
        """How many remediations later than `since` are made, or were begun before this one.

        Args:
            record: as it was stored: an older version of it may have been begun in another place.
            patience_s: how long to wait until the source has told of it.

        Returns:
            None where it has not.
        """
        name = record.namespace, record.name

        def asked() -> int | None:
            known = self._packed.get(name)
            is_told = known is not None and known.told and known.version == record.resource_version
            return self._chronicle.ahead(name, since) if is_told else None

        with self._news:
            self._news.wait_for(lambda: asked() is not None, patience_s)
            return asked()

    def first(self, record: Remediation, since: datetime) -> int:
        """The same where there are several sources, whose news come in no common order: what was begun earlier is
        before, by the clocks of whoever began it."""
        name = record.namespace, record.name
        with self._lock:
            own = self._packed.get(name)
            others = [self._packed[other] for other in self._chronicle.others(name)]
            before = sum(own is None or _begun(other) < _begun(own) for other in others)
            return self._chronicle.made.count(since) + before

    # -- called with the lock held

    def _put(self, packed: Packed, order: int | None) -> None:
        name = packed.head.key
        known = self._packed.get(name)
        self._forget(name)
        self._chronicle.change(name, known.moments if known else None, packed.moments, order)
        self._packed[name] = packed
        insort(self._order, _place(packed.head))
        if packed.head.taken_back:
            self._taken_back.setdefault(packed.head.target_uid, set()).add(name)
        for firing in packed.firings:
            self._by_firing[firing] = (*self._by_firing.get(firing, ()), name)
        self._heads = None

    def _drop(self, name: _Name) -> None:
        packed = self._packed.get(name)
        if packed is not None:
            self._forget(name)
            self._chronicle.change(name, packed.moments, None, None)

    def _forget(self, name: _Name) -> None:
        packed = self._packed.pop(name, None)
        if packed is None:
            return
        del self._order[bisect_left(self._order, _place(packed.head))]
        if packed.head.taken_back:
            _discard(self._taken_back, packed.head.target_uid, name)
        for firing in packed.firings:
            others = tuple(each for each in self._by_firing.pop(firing) if each != name)
            if others:
                self._by_firing[firing] = others
        self._heads = None

    def _version(self, name: _Name) -> str | None:
        packed = self._packed.get(name)
        return packed.version if packed else None

    def _gather(self, names: Iterable[_Name]) -> tuple[Head, ...]:
        return tuple(self._packed[name].head for name in sorted(names))


def _begun(found: Packed) -> tuple[datetime, _Name]:
    """By which the earlier of two is before the other, wherever that is asked."""
    return found.moments.begun_at or found.head.created_at, found.head.key


def _place(found: Head) -> _Place:
    return -found.created_at.timestamp(), found.key


def _discard(index: dict[str, set[_Name]], key: str, name: _Name) -> None:
    names = index[key]
    names.discard(name)
    if not names:
        del index[key]
