"""The cluster for real: an index that watches keep, and requests to the API server."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from remediator.cluster.archive import Archive
from remediator.cluster.area import Area
from remediator.cluster.brake import KubernetesBrake
from remediator.cluster.credentials import credentials
from remediator.cluster.discovery import Discovery
from remediator.cluster.failures import Unapplied
from remediator.cluster.inventory import Inventory
from remediator.cluster.ledger import FIELD_MANAGER, KubernetesLedger
from remediator.cluster.news import News
from remediator.cluster.pace import Pace
from remediator.cluster.port import Health, Snapshot, counted
from remediator.cluster.readiness import images_behind, readiness
from remediator.cluster.rest import Observe, Rest, unobserved
from remediator.cluster.rollout_versions import is_still, rollout_at
from remediator.cluster.roster import Roster
from remediator.cluster.scope import Scope
from remediator.cluster.sink import RecordSink
from remediator.cluster.watch import Sink, Watch
from remediator.cluster.watches import Watches
from remediator.errors import ClusterError, Conflict, NotFound
from remediator.guards.stable_ready import Readiness
from remediator.outcome import TargetRef
from remediator.owners import Rollout
from remediator.records.brake import Brake
from remediator.records.images import Ran
from remediator.records.ledger import Ledger
from remediator.records.model import KIND as REMEDIATION
from remediator.traffic.hosts import Host
from remediator.traffic.patch import Patch
from remediator.traffic.view import Destination

_CONNECTIONS: Final = 64
"""Kept alive, besides one for each watch: more than there are threads."""


class Index:
    """The inventory as watches and patches change it: a patch's answer never puts older news over newer."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._lock = threading.Lock()

    def put(self, body: Mapping[str, Any], *, listed: bool = False) -> None:  # noqa: ARG002 - the order is not asked
        """Take an object from a watch."""
        with self._lock:
            self._inventory.put(body)

    def drop(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object that a watch calls deleted."""
        with self._lock:
            self._inventory.drop(kind, namespace, name)

    def advance(self, ref: TargetRef, version: str, body: Mapping[str, Any]) -> None:
        """Take what `ref` became by a patch, so that the next alert plans on it before the event has come.

        Only from resourceVersion `version`, that the patch was made for. At any other the watch knows more: the
        patch's own event, the change of somebody who put the traffic back at once, or a deletion.
        """
        with self._lock:
            known = self._inventory.get(ref)
            if known is not None and known.routing.resource_version == version:
                self._inventory.put(body)


class KubernetesCluster:
    """Implements port.Cluster on a Kubernetes API server.

    Args:
        rest: the API server.
        area: what is watched; the whole cluster if not given.
        stale_after: seconds without a sign of life after which the index is no longer believed. Bookmarks come
            about every minute.
        clock: Unix time (s).
        pace: the times of the watches; follows from `stale_after` if not given.
    """

    def __init__(
        self,
        rest: Rest,
        *,
        area: Area | None = None,
        stale_after: float = 120.0,
        clock: Callable[[], float] = time.time,
        pace: Pace | None = None,
    ) -> None:
        area = area or Area()
        self._rest = rest
        self._discovery = Discovery(rest)
        self._inventory = Inventory(area.sight, all_routing=not area.namespaces)
        self._index = Index(self._inventory)
        self._archive = Archive()
        # A silent connection has to be found out, and replaced, before its silence makes the index stale.
        pace = pace or Pace(stall=stale_after * 0.75, clock=clock)

        def watches(sink: Sink, *found: Scope) -> Watches:
            each = (Watch(rest, self._discovery, scope, sink, pace) for scope in found)
            return Watches(each, stale_after, clock)

        self._routing = watches(self._index, *area.routing())
        # Apart: what is asked of the routing objects does not depend on the records.
        self._records = watches(RecordSink(self._archive), *area.records())
        self._ledger = KubernetesLedger(rest, self._discovery, self._archive, self._records, platform.node())
        # Apart: a pause is for alerts, and what a person does by hand goes on without.
        roster = Roster()
        self._pauses = watches(roster, *area.pauses())
        self._brake = KubernetesBrake(rest, self._discovery, roster, self._pauses)

    @property
    def ledger(self) -> Ledger:
        """Where the records are kept: beside their targets."""
        return self._ledger

    @property
    def brake(self) -> Brake:
        """Where people pause the whole service."""
        return self._brake

    def start(self) -> None:
        """Begin to fill the index. Returns at once."""
        for watches in self._all:
            watches.start()

    def stop(self) -> None:
        """End every thread that `start` began. Cannot be started again."""
        for watches in self._all:
            watches.stop()
        self._rest.close()

    def health(self) -> Health:
        """Whether the index can be believed, those of records and pauses too, and what is in it. Never raises."""
        objects = self._inventory.counts() | {REMEDIATION: len(self._archive)}
        routing, records = self._routing.faults(), self._records.faults()
        faults = routing + records + self._pauses.faults()
        heard = [time for watches in self._all for time in watches.last_events]
        return Health(
            synced=not faults,
            detail="; ".join(faults) or counted(objects),
            objects=objects,
            last_event=min((time for time in heard if time is not None), default=None) if all(heard) else None,
            broken=any(watches.broken for watches in self._all),
            routing_fault="; ".join(routing),
            records_fault="; ".join(records),
        )

    def routing_to(self, host: Host) -> tuple[Snapshot, ...]:
        """Every routing object with a destination or a mirror of `host`, by the index: no request is made.

        Raises:
            NotSynced: the index is not complete or too old.
        """
        self._routing.require()
        return self._inventory.routing_to(host)

    def routing(self) -> tuple[Snapshot, ...]:
        """Every routing object. Raises as `routing_to`."""
        self._routing.require()
        return tuple(self._inventory.routing())

    def find(self, ref: TargetRef) -> Snapshot | None:
        """One routing object by the index; None if there is none. Raises as `routing_to`."""
        self._routing.require()
        return self._inventory.get(ref)

    def marked(self) -> tuple[TargetRef, ...]:
        """What GitOps was told to leave alone by us. Raises as `routing_to`."""
        self._routing.require()
        return self._inventory.marked()

    def news(self) -> News:
        """What the index hears from now on: each event of a watch, and each answer to a patch of ours."""
        return self._inventory.news()

    def read(self, ref: TargetRef) -> Snapshot:
        """Read one routing object from the API server, past the index, and the Rollouts that drive it.

        Raises:
            NotFound, Forbidden, Retriable.
        """
        body = self._rest.get(self._path(ref))
        found = self._inventory.snapshot(body)
        rollouts = tuple(rollout_at(self._rest, self._path(each.ref)) for each in found.driving.rollouts)
        return self._inventory.snapshot(body, rollouts) if rollouts else found

    def readiness(self, destination: Destination, labels: Mapping[str, str]) -> Readiness:
        """Count the endpoints of a destination's service that have these labels, and those that are ready, by requests.

        Raises:
            Retriable.
        """
        return readiness(self._rest, self._discovery, destination, labels)

    def images(self, destination: Destination, labels: Mapping[str, str]) -> tuple[Ran, ...]:
        """As port.Cluster. Raises Retriable."""
        return images_behind(self._rest, self._discovery, destination, labels)

    def patch(self, ref: TargetRef, patch: Patch, *, dry_run: bool = False) -> Snapshot:
        """Send `patch`; with `dry_run` the server answers as if, and keeps nothing. Returns what it then is.

        Raises:
            Conflict: it moved since it was read. NotFound: it is gone. Rejected: the server refuses this change.
            Forbidden, Retriable.
        """
        query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        try:
            body = self._rest.patch(self._path(ref), patch.operations, query)
        except Unapplied as error:
            raise self._told_apart(ref, patch, error) from error
        if not dry_run:
            self._index.advance(ref, patch.resource_version, body)
        return self._inventory.snapshot(body)

    def abort(self, rollout: Rollout, *, dry_run: bool = False) -> None:
        """Abort the update that a Rollout is at, and no other.

        On its status subresource: the same patch of the Rollout itself is answered with 200, and changes nothing.

        Raises:
            Conflict: it is at another update, or gone. Rejected: the server refuses this change. Forbidden, Retriable.
        """
        path = self._path(rollout.ref)
        query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        try:
            self._rest.patch(f"{path}/status", rollout.abort, query)
        except NotFound as error:
            raise Conflict(f"{rollout} is gone") from error
        except Unapplied as error:
            if not is_still(self._rest, path, rollout):
                raise Conflict(f"{rollout} is at another update than was read") from error
            raise

    @property
    def _all(self) -> tuple[Watches, ...]:
        return self._routing, self._records, self._pauses

    def _told_apart(self, ref: TargetRef, patch: Patch, error: Unapplied) -> ClusterError:
        """What a 422 without a cause was: the server does not name the operation that failed."""
        try:
            live = self.read(ref).routing
        except NotFound as gone:
            return gone
        if (live.uid, live.resource_version) != (patch.uid, patch.resource_version):
            return Conflict(
                f"{ref} is at resourceVersion {live.resource_version}, and was read at {patch.resource_version}"
            )
        return error

    def _path(self, ref: TargetRef) -> str:
        return self._discovery.resource(ref.kind).path(ref.namespace, ref.name)


def connect(
    kubeconfig: str | None = None,
    context: str | None = None,
    *,
    area: Area | None = None,
    observe: Observe = unobserved,
) -> KubernetesCluster:
    """The cluster that the flags or the surroundings name. Makes no request.

    Args:
        kubeconfig, context: as in credentials.
        area: as in KubernetesCluster.
        observe: told of each request.

    Raises:
        SettingsError: no credentials, or broken ones.
    """
    configuration = credentials(kubeconfig, context)
    area = area or Area()
    rest = Rest(configuration, connections=_CONNECTIONS + area.watches, observe=observe)
    return KubernetesCluster(rest, area=area)
