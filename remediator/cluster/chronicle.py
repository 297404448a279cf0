"""The records by time, as the guards ask for them: kept by the archive, under its lock."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from remediator.records.moments import Moments
from remediator.traffic.hosts import Host

_Name = tuple[str, str]
"""(namespace, name)"""
_Key = TypeVar("_Key")
_Group = TypeVar("_Group", Host, str, _Name)


class Timeline:
    """Names, each at one moment. What a question costs depends on how many it finds, not on how many there are."""

    def __init__(self) -> None:
        self._order: list[tuple[float, _Name]] = []

    def __bool__(self) -> bool:
        return bool(self._order)

    def add(self, at: datetime, name: _Name) -> None:
        """Put a name at a moment; it must be at none yet."""
        insort(self._order, (at.timestamp(), name))

    def discard(self, at: datetime, name: _Name) -> None:
        """Take a name away from the moment at which it was put."""
        del self._order[bisect_left(self._order, (at.timestamp(), name))]

    def count(self, since: datetime) -> int:
        """How many names are later than `since`."""
        return len(self._order) - self._first(since)

    def since(self, since: datetime) -> tuple[_Name, ...]:
        """The names that are later than `since`, the latest first."""
        return tuple(name for _, name in reversed(self._order[self._first(since) :]))

    def last(self) -> _Name | None:
        """The latest name; None if there is none."""
        return self._order[-1][1] if self._order else None

    def _first(self, since: datetime) -> int:
        return bisect_left(self._order, (since.timestamp(), ("\U0010ffff", "")))


class Chronicle:
    """When records changed something, whom they accuse, and in which order their patches were begun."""

    def __init__(self) -> None:
        self.made = Timeline()
        """What counts for the fleet's budget."""
        self.observed = Timeline()
        self.unverified = Timeline()
        """Patches of which is not known yet whether they worked."""
        self.unidentified = Timeline()
        """Patches of whose suspects is not known which images they ran."""
        self.awaiting: set[_Name] = set()
        self.held = Timeline()
        """At the moments until which they are held up."""
        self._let_go: dict[str, set[_Name]] = {}
        self._by_target: dict[str, Timeline] = {}
        self._accusing: dict[Host, Timeline] = {}
        self._barring: dict[Host, set[_Name]] = {}
        self.offered: set[_Name] = set()
        self._trials: dict[_Name, set[_Name]] = {}
        """By the Canary."""
        self._begun: dict[_Name, int | None] = {}
        """In which order: the same for every replica, since each hears of them in the order in which they were stored.
        None: only we know of it yet, as we have just stored it ourselves."""

    def change(self, name: _Name, old: Moments | None, new: Moments | None, order: int | None) -> None:
        """Put `new` in the place of `old`.

        Args:
            old, new: None: it was not there, or is no more.
            order: of the news; None: our own write, before its source has told of it.
        """
        if old is not None:
            self._take_out(name, old)
        if new is not None:
            self._put_in(name, new)
        if new is None or not new.begun:
            self._begun.pop(name, None)
        elif self._begun.get(name) is None:
            self._begun[name] = order

    def _take_out(self, name: _Name, old: Moments) -> None:
        for timeline, at in self._places(old):
            timeline.discard(at, name)
        self._tidy(old)
        self.awaiting.discard(name)
        for host in old.barred:
            _take(self._barring, host, name)
        if old.let_go:
            _take(self._let_go, old.target_uid, name)
        self.offered.discard(name)
        if old.trial:
            _take(self._trials, old.trial[:2], name)

    def _put_in(self, name: _Name, new: Moments) -> None:
        for timeline, at in self._places(new):
            timeline.add(at, name)
        if new.awaiting:
            self.awaiting.add(name)
        for host in new.barred:
            self._barring.setdefault(host, set()).add(name)
        if new.let_go:
            self._let_go.setdefault(new.target_uid, set()).add(name)
        if new.offered:
            self.offered.add(name)
        if new.trial:
            self._trials.setdefault(new.trial[:2], set()).add(name)

    def latest(self, uid: str) -> _Name | None:
        """The record that changed this routing object last."""
        return self._by_target[uid].last() if uid in self._by_target else None

    def accusing(self, host: Host, since: datetime) -> tuple[_Name, ...]:
        """The records heard of later than `since` that accuse a version of this service."""
        return self._accusing[host].since(since) if host in self._accusing else ()

    def barring(self, host: Host) -> tuple[_Name, ...]:
        """The records that hold a version of this service back, by name."""
        return tuple(sorted(self._barring.get(host, ())))

    def of_canary(self, canary: _Name) -> tuple[_Name, ...]:
        """The records that condemn a revision of a Canary, by name."""
        return tuple(sorted(self._trials.get(canary, ())))

    def let_go(self, uid: str) -> frozenset[_Name]:
        """The records of this routing object that were released, or whose hold was lost."""
        return frozenset(self._let_go.get(uid, ()))

    def begun(self) -> int:
        """How many patches are about to be made, or may be made already."""
        return len(self._begun)

    def ahead(self, name: _Name, since: datetime) -> int | None:
        """How many remediations later than `since` are made, or were begun before that of `name`; None where the source
        has not told of it yet."""
        own = self._begun.get(name)
        if own is None:
            return None
        before = sum(order is not None and order <= own for other, order in self._begun.items() if other != name)
        return self.made.count(since) + before

    def others(self, name: _Name) -> tuple[_Name, ...]:
        """What else is begun."""
        return tuple(other for other in self._begun if other != name)

    def _places(self, moments: Moments) -> Iterator[tuple[Timeline, datetime]]:
        """Every timeline on which a record stands, and where."""
        if moments.made_at is not None:
            yield _at(self._by_target, moments.target_uid), moments.made_at
            if moments.counts:
                yield self.made, moments.made_at
        if moments.unverified_at is not None:
            yield self.unverified, moments.unverified_at
        if moments.unidentified_at is not None:
            yield self.unidentified, moments.unidentified_at
        if moments.observed_at is not None:
            yield self.observed, moments.observed_at
        if moments.held_until is not None:
            yield self.held, moments.held_until
        if moments.heard_at is not None:
            for host in moments.accused:
                yield _at(self._accusing, host), moments.heard_at

    def _tidy(self, moments: Moments) -> None:
        """Forget the timelines that are empty now."""
        uid = moments.target_uid
        if uid in self._by_target and not self._by_target[uid]:
            del self._by_target[uid]
        for host in moments.accused:
            if host in self._accusing and not self._accusing[host]:
                del self._accusing[host]


def _at(timelines: dict[_Key, Timeline], key: _Key) -> Timeline:
    return timelines.setdefault(key, Timeline())


def _take(names_of: dict[_Group, set[_Name]], group: _Group, name: _Name) -> None:
    """Take a name out of its group; a group without names is forgotten."""
    names_of[group].discard(name)
    if not names_of[group]:
        del names_of[group]
