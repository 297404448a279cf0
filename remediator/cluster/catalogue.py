"""Which file says what: keeps an inventory in step with a folder, and finds the file of an object."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from remediator.cluster.folder import Folder, Stamp
from remediator.cluster.identity import presented
from remediator.cluster.inventory import Inventory
from remediator.cluster.manifests import Manifest, Place, documents, manifests
from remediator.errors import NotFound, Unavailable
from remediator.outcome import TargetRef

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
    """The objects of a folder's files, in an inventory. Safe to use from many threads."""

    def __init__(self, folder: Folder, inventory: Inventory, clock: Callable[[], float]) -> None:
        """
        Args:
            clock: Unix time (s), as the file system's clock has it.
        """
        self._folder = folder
        self._inventory = inventory
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._homes: dict[TargetRef, str] = {}
        self._fault = ""

    def refresh(self) -> None:
        """Bring the inventory up to date: every file is looked at, and those that changed are read.

        Raises:
            Unavailable: the folder or a file cannot be read or understood, or two documents claim one object.
                The inventory is not to be believed until a refresh succeeds.
        """
        with self._lock:
            stamps = self._folder.files()
            removed = self._known.keys() - stamps.keys()
            changed = [path for path, stamp in stamps.items() if self._known.get(path, _UNREAD).stamp != stamp]
            for path in removed:
                del self._known[path]
            for path in sorted(changed):
                self._known[path] = self._read(path)
            if removed or changed:
                self._reconcile()
            if self._fault:
                raise Unavailable(self._fault)

    def source(self, ref: TargetRef) -> Source:
        """Read one object from its file.

        Raises:
            NotFound: no file has it. Unavailable: as `refresh`.
        """
        self.refresh()
        path = self._homes.get(ref)
        if path is not None:
            text, stamp = self._folder.read(Path(path))
            for manifest in manifests(documents(text, path), path):
                if manifest.ref == ref:
                    return Source(Path(path), text, stamp, manifest)
        raise NotFound(f"{ref} is in no file of {self._folder.root}")

    def _read(self, path: str) -> _Known:
        """Read a file that has changed, and put its objects into the inventory."""
        before = self._known.get(path, _UNREAD)
        try:
            text, read_stamp = self._folder.read(Path(path))
        except Unavailable as error:
            return replace(before, stamp=None, digest=b"", fault=str(error))
        settled = read_stamp.ctime_ns / 1e9 + _SETTLED < self._clock()
        stamp = read_stamp if settled else None
        digest = hashlib.sha256(text.encode()).digest()
        if digest == before.digest:
            return replace(before, stamp=stamp)
        try:
            found = manifests(documents(text, path), path)
        except Unavailable as error:
            return replace(before, stamp=stamp, digest=digest, fault=str(error))
        for manifest in found:
            self._inventory.put(presented(manifest.body))
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
                    # Whichever of the two stays, the inventory may hold the other: both are read again.
                    self._known[first] = replace(self._known[first], stamp=None, digest=b"")
                    self._known[path] = replace(self._known[path], stamp=None, digest=b"")
        for ref in self._homes.keys() - homes.keys():
            self._inventory.drop(ref.kind, ref.namespace, ref.name)
        self._homes = homes
        self._fault = (faults[0] + (f" ({len(faults) - 1} more faults)" if faults[1:] else "")) if faults else ""


def _twins_within(found: tuple[Manifest, ...]) -> str:
    places: dict[TargetRef, Place] = {}
    for manifest in found:
        if manifest.ref in places:
            return _twins(manifest.ref, places[manifest.ref], manifest.place)
        places[manifest.ref] = manifest.place
    return ""


def _twins(ref: TargetRef, one: Place, other: Place) -> str:
    return f"{ref} stands twice: {one} and {other}. Remove one; nothing is read until then"
