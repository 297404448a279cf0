"""The local adapter: a folder of YAML files stands in for a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointerException

from remediator.cluster.archive import Archive
from remediator.cluster.catalogue import Catalogue, Source
from remediator.cluster.edits import rewrite
from remediator.cluster.endpoints import ENDPOINT_SLICE, POD, counted_in
from remediator.cluster.folder import Folder
from remediator.cluster.identity import presented, stored
from remediator.cluster.images import images_in
from remediator.cluster.inventory import VIRTUAL_SERVICE, Inventory, reference
from remediator.cluster.local_brake import LocalBrake
from remediator.cluster.local_ledger import LocalLedger
from remediator.cluster.news import News
from remediator.cluster.port import Health, Snapshot, counted
from remediator.cluster.rollout_versions import among
from remediator.cluster.roster import Roster
from remediator.cluster.writer import Gate, Right
from remediator.errors import ClusterError, Conflict, NotFound, Rejected
from remediator.guards.stable_ready import Readiness
from remediator.outcome import TargetRef
from remediator.owners import Rollout
from remediator.records.brake import Brake
from remediator.records.images import Ran
from remediator.records.ledger import Ledger
from remediator.records.model import KIND
from remediator.traffic.hosts import Host
from remediator.traffic.patch import Patch
from remediator.traffic.sight import ROOT_NAMESPACE, Sight
from remediator.traffic.view import Destination

_PATCH = Right("patch", "virtualservices.networking.istio.io")
_ABORT = Right("patch", "rollouts/status.argoproj.io")


class LocalCluster:
    """A `port.Cluster` on the VirtualServices and DestinationRules in a folder of YAML, which keeps the records too
    (docs/local.md).

    Files are looked at (stat) at each use and read again where they changed, so there is nothing to watch. One
    file that cannot be understood makes everything `Unavailable`: the object that matters may be in that one.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float] = time.time, root_namespace: str = ROOT_NAMESPACE
    ) -> None:
        """
        Args:
            folder: where the files are; its subfolders count too.
            clock: Unix time (s).
            root_namespace: Istio's.
        """
        self._inventory = Inventory(Sight(None, root_namespace))
        self._archive = Archive()
        roster = Roster()
        self._catalogue = Catalogue(Folder(folder), self._inventory, self._archive, roster, clock)
        self._gate = Gate(folder)
        self._ledger = LocalLedger(folder, self._catalogue, self._archive, self._gate, clock)
        self._brake = LocalBrake(folder, self._catalogue, roster, self._gate, clock)

    @property
    def ledger(self) -> Ledger:
        """The records: below `remediations` in the folder, and wherever else somebody has put one."""
        return self._ledger

    @property
    def brake(self) -> Brake:
        """The pauses: `pauses/fleet.yaml` in the folder, and wherever else somebody has put one."""
        return self._brake

    def start(self) -> None:
        """Nothing to begin: the folder is read when it is asked about."""

    def stop(self) -> None:
        """Nothing to end."""

    def health(self) -> Health:
        """Whether every file can be understood, and what is in them. Never raises."""
        try:
            self._catalogue.refresh()
        except ClusterError as error:
            fault = str(error)
            return Health(False, fault, self._counts(), self._catalogue.looked_at, routing_fault=fault)
        counts = self._counts()
        return Health(True, counted(counts), counts, self._catalogue.looked_at)

    def routing_to(self, host: Host) -> tuple[Snapshot, ...]:
        """Every routing object with a destination or a mirror of `host`.

        Raises:
            Unavailable: the folder or a file in it cannot be read or understood.
        """
        self._catalogue.refresh()
        return self._inventory.routing_to(host)

    def routing(self) -> tuple[Snapshot, ...]:
        """Every routing object. Raises as `routing_to`."""
        self._catalogue.refresh()
        return tuple(self._inventory.routing())

    def find(self, ref: TargetRef) -> Snapshot | None:
        """One routing object; None if there is none. Raises as `routing_to`."""
        self._catalogue.refresh()
        return self._inventory.get(ref)

    def marked(self) -> tuple[TargetRef, ...]:
        """What GitOps was told to leave alone by us. Raises as `routing_to`."""
        self._catalogue.refresh()
        return self._inventory.marked()

    def news(self) -> News:
        """What is found changed from now on, whenever the folder is looked at."""
        return self._inventory.news()

    def read(self, ref: TargetRef) -> Snapshot:
        """Read one routing object from its file.

        Raises:
            NotFound: no file has it. Unavailable: as `routing_to`.
        """
        body = presented(self._source(ref).manifest.body)
        found = self._inventory.snapshot(body)
        rollouts = tuple(among(each, self._catalogue.bodies(POD)) for each in found.driving.rollouts)
        return self._inventory.snapshot(body, rollouts)

    def readiness(self, destination: Destination, labels: Mapping[str, str]) -> Readiness | None:
        """Count the endpoints of a destination's service among the EndpointSlices and Pods of the folder; None where it
        holds no EndpointSlice at all. Raises as `routing_to`."""
        slices, pods = self._catalogue.bodies(ENDPOINT_SLICE), self._catalogue.bodies(POD)
        return counted_in(slices, pods, destination, labels)

    def images(self, destination: Destination, labels: Mapping[str, str]) -> tuple[Ran, ...]:
        """What the Pods of the folder run that its EndpointSlices name. Raises as `routing_to`."""
        return images_in(self._catalogue.bodies(ENDPOINT_SLICE), self._catalogue.bodies(POD), destination, labels)

    def patch(self, ref: TargetRef, patch: Patch, *, dry_run: bool = False) -> Snapshot:
        """Apply `patch` to the object in its file; with `dry_run` to a copy of it.

        Raises:
            Conflict: the object is another one than was read, or has changed since. NotFound: no file has it.
            Rejected: the patch does not fit, though the object is as it was read.
            Forbidden: the file may not be written. Unavailable: as `routing_to`.
        """
        if dry_run:
            return self._inventory.snapshot(_patched(self._source(ref), patch))
        with self._gate.passed(_PATCH) as writer:
            source = self._source(ref)
            written = source.manifest.body
            result = stored(_patched(source, patch), written)
            if result != written:
                writer.replace(source.path, rewrite(source.text, source.manifest, result), source.stamp)
            # Not by way of the folder: what is done is done, even if another file has become faulty meanwhile.
            return self._inventory.snapshot(presented(result))

    def abort(self, rollout: Rollout, *, dry_run: bool = False) -> None:
        """Write into a Rollout's file that its update is aborted; with `dry_run` into a copy.

        Raises:
            Conflict: it is at another update, or gone. Forbidden, Unavailable: as `patch`.
        """
        if dry_run:
            _aborted(self._rollout(rollout), rollout)
            return
        with self._gate.passed(_ABORT) as writer:
            source = self._rollout(rollout)
            result = stored(_aborted(source, rollout), source.manifest.body)
            if result != source.manifest.body:
                writer.replace(source.path, rewrite(source.text, source.manifest, result), source.stamp)

    def _rollout(self, rollout: Rollout) -> Source:
        try:
            return self._catalogue.source(rollout.ref)
        except NotFound as error:
            raise Conflict(f"{rollout} is gone") from error

    def _source(self, ref: TargetRef) -> Source:
        if ref.kind != VIRTUAL_SERVICE:
            raise NotFound(f"{ref} is no routing object that is read from files")
        return self._catalogue.source(ref)

    def _counts(self) -> dict[str, int]:
        return self._inventory.counts() | {KIND: len(self._archive)}


def _patched(source: Source, patch: Patch) -> dict[str, Any]:
    """The object with `patch` applied, answered as an API server does: 409 where the object has moved, 422 where
    the patch does not fit what stands there (kubernetes apiserver, handlers/patch.go)."""
    current = presented(source.manifest.body)
    ref, metadata = source.manifest.ref, current["metadata"]
    if patch.uid != metadata["uid"]:
        raise Conflict(f"{ref} is another object of that name: its uid is {metadata['uid']}, not {patch.uid}")
    if patch.resource_version != metadata["resourceVersion"]:
        raise Conflict(f"{ref} was changed since it was read, in {source.path}")
    try:
        result: dict[str, Any] = cast(Any, JsonPatch)(patch.operations).apply(current)
    except (JsonPatchException, JsonPointerException, TypeError) as error:
        raise Rejected(f"the patch does not fit {ref}: {error}") from error
    if _identity(result) != _identity(current):
        raise Rejected(f"the patch changes what names {ref}: kind, name, namespace, uid or resourceVersion")
    return result


def _aborted(source: Source, rollout: Rollout) -> dict[str, Any]:
    """The Rollout with its update aborted."""
    try:
        result: dict[str, Any] = cast(Any, JsonPatch)(rollout.abort).apply(presented(source.manifest.body))
    except (JsonPatchException, JsonPointerException, TypeError) as error:
        raise Conflict(f"{rollout} is at another update than was read, in {source.path}") from error
    return result


def _identity(body: dict[str, Any]) -> tuple[object, ...]:
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return ()
    given = (metadata.get("namespace"), metadata.get("uid"), metadata.get("resourceVersion"))
    return (reference(body), body.get("apiVersion"), *given)
