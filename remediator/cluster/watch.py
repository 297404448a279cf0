"""Keeps the index as the API server's objects are: one thread lists a resource and then watches it, for ever.

list, page by page ──▶ index ──▶ watch from that resourceVersion ──▶ index, event by event
     ▲                                   │
     └── 410: the history is gone ───────┤
         silence, or the server's end ───┴──▶ watch again from the last resourceVersion, at once
         any other failure ─────────────────▶ wait (longer each time), then watch again; or list, if that
                                              does not help

A kind that need not be there is looked for again now and then, as long as it is not.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from remediator.cluster import answers
from remediator.cluster.call import Resource
from remediator.cluster.discovery import APIS, Discovery
from remediator.cluster.failures import Gone, Stalled, Unserved, failure
from remediator.cluster.granting import granting
from remediator.cluster.pace import Pace
from remediator.cluster.rest import Lines, Rest
from remediator.cluster.scope import Scope
from remediator.errors import ClusterError, Forbidden, Unavailable

PAGE_SIZE: Final = 500
"""Objects in a page of a list: as many as client-go asks for (tools/pager)."""

_ATTEMPTS_BEFORE_LIST: Final = 4
"""So many failures in a row, and the server is asked for everything again: its history may be another one now
(restored from a backup), in which our resourceVersion means nothing."""

_SHORTEST: Final = 1.0
"""Seconds. A watch that ends sooner, and has told nothing, is a failure: or the next one would follow at once."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """How a watch stands. Times are Unix times (s)."""

    synced: bool = False
    """A list has been complete."""
    last_event: float | None = None
    """When the server was last heard of this resource."""
    down_since: float | None = None
    """None: a watch is open."""
    error: str = ""
    """The last failure since a watch was open."""
    listing: bool = False
    """Everything is told anew, and in no order."""
    ended: bool = False
    """The thread is no more."""
    absent: bool = False
    """Nobody serves this kind, and nobody has to."""


class Sink(Protocol):
    """What the objects go to."""

    def put(self, body: Mapping[str, Any], *, listed: bool = False) -> None: ...

    def drop(self, kind: str, namespace: str, name: str) -> None: ...


class Watch:
    """One thread that keeps `sink` as the objects of `scope` are."""

    def __init__(self, rest: Rest, discovery: Discovery, scope: Scope, sink: Sink, pace: Pace) -> None:
        self.scope = scope
        self._rest = rest
        self._discovery = discovery
        self._sink = sink
        self._pace = pace
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {scope}", daemon=True)
        self._lines: Lines | None = None
        self._version: str | None = None
        self._names: set[tuple[str, str]] = set()
        self._failures = 0
        # Written by the thread alone, and always as a whole; so it may be read without a lock.
        self._state = State(down_since=pace.clock())

    @property
    def state(self) -> State:
        """How it stands now."""
        return self._state

    @property
    def broken(self) -> bool:
        """Whether a bug has ended the thread: nobody asked it to stop."""
        return self._state.ended and not self._stop.is_set()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread; wait for it `timeout` seconds at most."""
        self._stop.set()
        lines = self._lines
        if lines is not None:
            lines.cancel()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        finally:
            # A bug gets here too (threading.excepthook prints it): an index that nobody keeps is not to be believed.
            self._state = replace(self._state, ended=True)

    def _turn(self) -> None:
        """List if need be, and follow one watch to its end, whatever end that is."""
        try:
            resource = self._discovery.resource(self.scope.kind)
            if self._version is None:
                self._version = self._list(resource)
            self._follow(resource, self._version)
        except Stalled as error:
            # No failure yet: a server without a watch cache sends no bookmarks, and may have nothing to say.
            _log.info("watch of %s: %s; asking again", self.scope, error)
            self._rest.close()  # if the peer is lost, it is lost to the idle connections too
        except ClusterError as error:
            self._failed(error)
            is_absent = isinstance(error, Unserved) and self._may_be_absent
            self._stop.wait(self._absent() if is_absent else self._pace.wait(self._failures))

    @property
    def _may_be_absent(self) -> bool:
        """Whether it is believed that nobody serves this kind. Once it was there, only where that is said repeatedly:
        a server that has only just started says so too."""
        was_there = self._state.synced and not self._state.absent
        return self.scope.optional and (not was_there or self._failures >= _ATTEMPTS_BEFORE_LIST)

    def _absent(self) -> float:
        """Note that there are no such objects; how long to wait before it is asked again (s)."""
        for name in tuple(self._names):
            self._drop(name)
        if not self._state.absent:
            _log.info("%s: nobody serves them; looked for again every %.0f s", self.scope, self._pace.absent)
        self._version, self._failures = None, 0
        self._heard(synced=True, down_since=None, error="", listing=False, absent=True)
        return min(self._pace.absent, self._pace.stall)

    def _failed(self, error: ClusterError) -> None:
        self._failures += 1
        if isinstance(error, Gone) or self._failures >= _ATTEMPTS_BEFORE_LIST:
            self._version = None
        # Whoever may not read a kind is told 403 also where nobody serves it any more.
        if isinstance(error, Unserved) or (self.scope.optional and isinstance(error, Forbidden)):
            self._discovery.forget(self.scope.kind)
        words = f"{error}; {granting(self.scope)}" if isinstance(error, Forbidden) else str(error)
        is_news = words != self._state.error and not (isinstance(error, Unserved) and self.scope.optional)
        if is_news and not self._stop.is_set():
            level = logging.INFO if isinstance(error, Gone) else logging.WARNING
            _log.log(level, "watch of %s interrupted: %s", self.scope, words)
        # What was not there, and now cannot be read, is not known.
        known = self._state.synced and (isinstance(error, Unserved) or not self._state.absent)
        self._state = replace(self._state, error=words, synced=known, absent=known and self._state.absent)

    def _heard(self, **changes: Any) -> None:
        self._state = replace(self._state, last_event=self._pace.clock(), **changes)

    # -- list

    def _list(self, resource: Resource) -> str:
        """Bring the whole scope up to date; the resourceVersion to watch from.

        Object by object, for a second index beside the first would cost half as much memory again. No look-up sees
        the first list half done, as there is no sync yet; and a later one is to it what as many events would be.
        """
        version: list[str] = []
        listed: set[tuple[str, str]] = set()
        self._state = replace(self._state, listing=True)
        for body in self._pages(resource, version):
            self._put(body, listed=True)
            listed.add(answers.name(body))
        for name in self._names - listed:  # deleted while no watch was open
            self._drop(name)
        if not self._state.synced or self._state.absent:
            _log.info("%s listed", self.scope)
        self._heard(synced=True, listing=False, absent=False)
        return version[0]

    def _pages(self, resource: Resource, version: list[str]) -> Iterator[dict[str, Any]]:
        """Every object; at the end the list's resourceVersion is put in `version`.

        Two pages are in memory: the next one comes while this one is brought into the index. Without a
        resourceVersion in the query the answer is what etcd holds, not what a cache once held.
        """
        path, query = resource.path(self.scope.namespace), self.scope.query | {"limit": str(PAGE_SIZE)}
        kind = {"apiVersion": resource.api_version, "kind": self.scope.kind}
        page = self._rest.get(path, query)
        with ThreadPoolExecutor(1, thread_name_prefix=f"list {self.scope}") as ahead:
            while not self._stop.is_set():
                self._heard()
                token = answers.following(page)
                coming = ahead.submit(self._rest.get, path, query | {"continue": token}) if token else None
                for body in answers.items(page):
                    yield kind | body
                if coming is None:
                    version.append(answers.version(page))
                    return
                page = coming.result()
        raise Unavailable("stopped before the list was complete")

    # -- watch

    def _follow(self, resource: Resource, version: str) -> None:
        """Watch from `version` until the server ends it, or something goes wrong."""
        down_since, opened = self._state.down_since, self._pace.clock()
        query = self.scope.query | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(self._pace.lifetime()),
        }
        with self._rest.stream(resource.path(self.scope.namespace), query, self._pace.stall) as lines:
            self._lines = lines
            self._heard(down_since=None, error="")
            try:
                self._take_all(lines)
            finally:
                worked = self._version != version or self._pace.clock() - opened >= _SHORTEST
                self._closed(down_since=None if worked else down_since)
        if not worked:
            raise Unavailable("the server ended the watch as soon as it had opened it")

    def _closed(self, down_since: float | None) -> None:
        """Note that no watch is open: since now, or since `down_since` if this one mended nothing."""
        if down_since is None:
            self._failures = 0
        self._state = replace(self._state, down_since=down_since or self._pace.clock())

    def _take_all(self, lines: Lines) -> None:
        if self._stop.is_set():  # `stop` may have looked for lines to cancel before there were any
            return
        for line in lines:
            self._take(line)
            self._heard()
            if self._stop.is_set():
                return

    def _take(self, line: bytes) -> None:
        """Bring one event into the index. Raises ClusterError, whatever the line is."""
        kind, body = answers.event(line)
        if kind == "ERROR":
            code = body.get("code")
            known = code if isinstance(code, int) and code else 500
            raise failure(known, body, "watch", APIS[self.scope.kind].resource)
        if kind in {"ADDED", "MODIFIED"}:
            self._put(body)
        elif kind == "DELETED":
            self._drop(answers.name(body))
        self._version = answers.version(body)

    # -- index

    def _put(self, body: dict[str, Any], *, listed: bool = False) -> None:
        name = answers.name(body)
        if self.scope.keeps(name[0]):
            self._names.add(name)
            self._sink.put(body, listed=listed)

    def _drop(self, name: tuple[str, str]) -> None:
        self._names.discard(name)
        self._sink.drop(self.scope.kind, *name)
