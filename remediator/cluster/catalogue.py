"""Which file says what: keeps the indexes in step with a folder, and finds the file of an object."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from remediator.cluster.archive import Archive
from remediator.cluster.folder import Folder, Stamp
from remediator.cluster.identity import presented
from remediator.cluster.inventory import Inventory
from remediator.cluster.manifests import Manifest, Place, documents, manifests
from remediator.cluster.roster import Roster
from remediator.errors import NotFound, Unavailable
from remediator.outcome import TargetRef
from remediator.records import pauses
from remediator.records.model import GROUP, KIND, VERSION, Remediation
from remediator.records.wire import RecordError, parse

_SETTLED = 2.0
"""Seconds. Two writes within one tick of a file system's clock (FAT's is the longest) leave the same stamp, so the
stamp of a file that has only just changed says nothing."""


@dataclass(frozen=True, slots=True)
class Source:
    """An object as its file has it at this moment."""

    path: Path
    text: str
    stamp: Stamp
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class _Known:
    """What a file said when it was last read."""

    stamp: Stamp | None = None
    """None: it has to be read again, whatever it looks like."""
    digest: bytes = b""
    places: Mapping[TargetRef, Place] = field(default_factory=dict)
    fault: str = ""
    """Why it cannot be understood; `places` are then those of before."""


_UNREAD = _Known()


class Catalogue:
    """The objects of a folder's files: routing objects and rules in an inventory, records in an archive, pauses in a
    roster. Safe to use from many threads."""

    def __init__(
        self, folder: Folder, inventory: Inventory, archive: Archive, roster: Roster, clock: Callable[[], float]
    ) -> None:
        """
        Args:
            clock: Unix time (s), as the file system's clock has it.
        """
        self._folder = folder
        self._inventory = inventory
        self._archive = archive
        self._roster = roster
        self._clock = clock
        self.looked_at: float | None = None
        """Unix time (s) of the last refresh that found everything to be right."""
        self._lock = threading.Lock()
        self._begun = self._done = 0  # how many refreshes were begun; which was the last that came to its end
        self._known: dict[str, _Known] = {}
        self._homes: dict[TargetRef, str] = {}
        self._fault = ""

    def refresh(self) -> None:
        """Bring the indexes up to date: every file is looked at, and those that changed are read.

        Raises:
            Unavailable: the folder or a file cannot be read or understood, or two documents claim one object.
                The indexes are not to be believed until a refresh succeeds.
        """
        asked = self._begun
        with self._lock:
            if self._done <= asked:  # else another thread's was begun after we asked, and answers for both
                self._begun += 1
                self._look()
                self._done = self._begun
            if self._fault:
                raise Unavailable(self._fault)
            self.looked_at = self._clock()

    def home(self, ref: TargetRef) -> str | None:
        """The file that has the object, at the last refresh; None if there is none."""
        return self._homes.get(ref)

    def source(self, ref: TargetRef) -> Source:
        """Read one object from its file.

        Raises:
            NotFound: no file has it. Unavailable: as `refresh`.
        """
        self.refresh()
        path = self.home(ref)
        content = self._content(path) if path else None
        if path and content:
            text, stamp = content
            for manifest in manifests(documents(text, path), path):
                if manifest.ref == ref:
                    return Source(Path(path), text, stamp, manifest)
        raise NotFound(f"{ref} is in no file of {self._folder.root}")

    def bodies(self, kind: str) -> tuple[dict[str, Any], ...]:
        """Every object of a kind that no index keeps, read from the files.

        Raises:
            Unavailable: as `refresh`.
        """
        self.refresh()
        paths = sorted({path for ref, path in self._homes.items() if ref.kind == kind})
        contents = ((path, content) for path in paths if (content := self._content(path)))
        found = (one for path, (text, _) in contents for one in manifests(documents(text, path), path))
        return tuple(one.body for one in found if one.ref.kind == kind)

    def _look(self) -> None:
        stamps = self._folder.files()
        removed = self._known.keys() - stamps.keys()
        changed = [path for path, stamp in stamps.items() if self._known.get(path, _UNREAD).stamp != stamp]
        for path in removed:
            del self._known[path]
        for path in sorted(changed):
            known = self._read(path)
            if known:
                self._known[path] = known
            else:
                self._known.pop(path, None)
        if removed or changed:
            self._reconcile()

    def _content(self, path: str) -> tuple[str, Stamp] | None:
        """As `Folder.read`; None if the file was removed since the folder was listed, as records are by others."""
        try:
            return self._folder.read(Path(path))
        except Unavailable:
            if os.path.lexists(path):
                raise
            return None

    def _read(self, path: str) -> _Known | None:
        """Read a file that has changed, and put its objects into the indexes; None if it is gone."""
        before = self._known.get(path, _UNREAD)
        try:
            content = self._content(path)
        except Unavailable as error:
            return replace(before, stamp=None, digest=b"", fault=str(error))
        if content is None:
            return None
        text, read_stamp = content
        settled = read_stamp.ctime_ns / 1e9 + _SETTLED < self._clock()
        stamp = read_stamp if settled else None
        digest = hashlib.sha256(text.encode()).digest()
        if digest == before.digest:
            return replace(before, stamp=stamp)
        try:
            found = manifests(documents(text, path), path)
            records = [remediation(manifest) for manifest in found if manifest.ref.kind == KIND]
        except Unavailable as error:
            return replace(before, stamp=stamp, digest=digest, fault=str(error))
        for manifest in found:
            if manifest.ref.kind == pauses.KIND:
                self._roster.put(manifest.body)
            elif manifest.ref.kind != KIND:
                self._inventory.put(presented(manifest.body))
        for record in records:
            self._archive.put(record)
        return _Known(stamp, digest, {one.ref: one.place for one in found}, _twins_within(found))

    def _reconcile(self) -> None:
        """Drop what no file has any more, and find what is wrong with the files taken together."""
        homes: dict[TargetRef, str] = {}
        faults = [known.fault for _, known in sorted(self._known.items()) if known.fault]
        for path, known in sorted(self._known.items()):
            for ref, place in known.places.items():
                first = homes.setdefault(ref, path)
                if first != path:
                    faults.append(_twins(ref, self._known[first].places[ref], place))
                    # Whichever of the two stays, the index may hold the other: both are read again.
                    self._known[first] = replace(self._known[first], stamp=None, digest=b"")
                    self._known[path] = replace(self._known[path], stamp=None, digest=b"")
        for ref in self._homes.keys() - homes.keys():
            if ref.kind == KIND:
                self._archive.drop(ref.namespace, ref.name)
            elif ref.kind == pauses.KIND:
                self._roster.drop(ref.kind, ref.namespace, ref.name)
            else:
                self._inventory.drop(ref.kind, ref.namespace, ref.name)
        self._homes = homes
        self._fault = (faults[0] + (f" ({len(faults) - 1} more faults)" if faults[1:] else "")) if faults else ""


def remediation(manifest: Manifest) -> Remediation:
    """The record that stands in a file. One without a creationTimestamp is taken to be as old as its alert.

    Raises:
        Unavailable: it cannot be understood.
    """
    version = manifest.body["apiVersion"]
    try:
        if version != f"{GROUP}/{VERSION}":
            raise RecordError(f"{manifest.ref} is of {version}, and this program reads {GROUP}/{VERSION}")
        record = parse(presented(manifest.body))
    except RecordError as error:
        raise Unavailable(f"{manifest.place}: {error}. Mend it or remove it; nothing is read until then") from error
    if record.created_at is None:
        record = replace(record, created_at=record.intent.alert.starts_at.replace(microsecond=0))
    return record


def _twins_within(found: tuple[Manifest, ...]) -> str:
    places: dict[TargetRef, Place] = {}
    for manifest in found:
        if manifest.ref in places:
            return _twins(manifest.ref, places[manifest.ref], manifest.place)
        places[manifest.ref] = manifest.place
    return ""


def _twins(ref: TargetRef, one: Place, other: Place) -> str:
    return f"{ref} stands twice: {one} and {other}. Remove one; nothing is read until then"
