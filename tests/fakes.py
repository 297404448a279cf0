"""A cluster in memory: real index, real JSON Patch, resourceVersions, and failures on demand."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import jsonpatch

from remediator.cluster.inventory import Inventory, reference
from remediator.cluster.port import Health, Snapshot
from remediator.errors import ClusterError, Conflict, NotFound, Rejected
from remediator.outcome import TargetRef
from remediator.traffic.hosts import Host
from remediator.traffic.patch import Patch

Json = dict[str, Any]


class FakeCluster:
    """Implements `port.Cluster`. What the index holds may be older than what is stored, as with a real watch."""

    def __init__(self, *bodies: Json) -> None:
        self._lock = threading.Lock()
        self._index = Inventory()
        self.stored: dict[TargetRef, Json] = {}
        self.patches: list[tuple[TargetRef, bool]] = []
        """Every patch that was accepted: (object, dry run)."""
        self.fails: ClusterError | None = None
        """Raised by `routing_to`."""
        self.before_patch: Callable[[TargetRef], None] = lambda _ref: None
        """Called before each patch: to change the object, or to raise."""
        for body in bodies:
            self.put(body)

    def put(self, body: Json, *, indexed: bool = True) -> None:
        """Store an object, as somebody else would; with `indexed=False` the index has not heard of it yet."""
        body = copy.deepcopy(body)
        self.stored[reference(body)] = body
        if indexed:
            self._index.put(body)

    def edit(self, ref: TargetRef, change: Callable[[Json], Any], *, indexed: bool = False) -> None:
        """Change an object in place and give it a new resourceVersion."""
        body = copy.deepcopy(self.stored[ref])
        change(body)
        self._bump(body)
        self.put(body, indexed=indexed)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def health(self) -> Health:
        return Health(self.fails is None, str(self.fails or "in memory"), self._index.counts(), None)

    def routing_to(self, host: Host) -> tuple[Snapshot, ...]:
        if self.fails is not None:
            raise self.fails
        return self._index.routing_to(host)

    def routing(self) -> tuple[Snapshot, ...]:
        return tuple(self._index.routing())

    def read(self, ref: TargetRef) -> Snapshot:
        if ref not in self.stored:
            raise NotFound(f"{ref} not found")
        return self._index.snapshot(copy.deepcopy(self.stored[ref]))

    def patch(self, ref: TargetRef, patch: Patch, *, dry_run: bool = False) -> Snapshot:
        self.before_patch(ref)
        with self._lock:
            after = self._patched(ref, patch)
            self.patches.append((ref, dry_run))
            if not dry_run:
                self._bump(after)
                self.put(after)
        return self._index.snapshot(after)

    def _patched(self, ref: TargetRef, patch: Patch) -> Json:
        if ref not in self.stored:
            raise NotFound(f"{ref} not found")
        body = self.stored[ref]
        if body["metadata"]["resourceVersion"] != patch.resource_version:
            raise Conflict(f"{ref} was modified")
        try:
            after: Json = jsonpatch.apply_patch(body, patch.operations)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise Rejected(str(error)) from error
        return after

    @staticmethod
    def _bump(body: Json) -> None:
        body["metadata"]["resourceVersion"] = str(int(body["metadata"]["resourceVersion"]) + 1)
