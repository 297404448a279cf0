"""The port: what the rest of the house asks of a cluster. Two adapters answer: kubernetes and local.

Everything here raises errors of ours (errors.ClusterError) and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from remediator.cluster.news import News
from remediator.guards.stable_ready import Readiness
from remediator.outcome import TargetRef
from remediator.owners import Driving, Owner, Rollout
from remediator.records.brake import Brake
from remediator.records.images import Ran
from remediator.records.ledger import Ledger
from remediator.traffic.hosts import Host
from remediator.traffic.patch import Patch
from remediator.traffic.subsets import Rules
from remediator.traffic.view import Destination, RouteChange, RoutingObject


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One routing object as it was at one resourceVersion, with all that is needed to plan on it."""

    body: dict[str, Any]
    """Its JSON, without managedFields. Never changed in place."""
    routing: RoutingObject
    rules: Rules
    """The DestinationRules that speak of its hosts."""
    changed: RouteChange | None = None
    """The last change of its routes by anybody but this program; None if none is known."""
    namespace_mode: str | None = None
    """What the annotation remediator.io/mode of its namespace says, as it is written; None where there is none."""
    driving: Driving = field(default_factory=Driving)
    """Whose program writes it."""

    @property
    def owner(self) -> Owner:
        """Who drives it."""
        return self.driving.owner


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the index can be believed."""

    synced: bool
    detail: str
    """What is wrong, or what is known: `2 VirtualServices, 1 DestinationRule`."""
    objects: Mapping[str, int]
    """How many of each kind."""
    last_event: float | None
    """Unix time (s) at which the source of the index was last heard of."""
    broken: bool = False
    """A bug has ended what keeps the index: it stays as it is until the process is restarted."""
    routing_fault: str = ""
    """What is wrong with the routing objects alone; empty: they can be planned on, whatever is with the records."""
    records_fault: str = ""
    """What is wrong with the records alone. What a person does by hand needs them, and does not ask for pauses."""


def counted(objects: Mapping[str, int]) -> str:
    """How many of each kind, for a person.

    >>> counted({"VirtualService": 2, "Canary": 2})
    '2 VirtualServices, 2 Canaries'
    """
    return ", ".join(f"{count} {kind if count == 1 else _plural(kind)}" for kind, count in objects.items())


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


class Cluster(Protocol):
    """Where routing objects live, and the records of what was done to them."""

    @property
    def ledger(self) -> Ledger:
        """Where the records are kept: beside their targets."""

    @property
    def brake(self) -> Brake:
        """Where people pause the whole service."""

    def start(self) -> None:
        """Begin to fill the index. Returns at once."""

    def stop(self) -> None:
        """End every thread that `start` began."""

    def health(self) -> Health:
        """Whether the index can be believed, those of records and pauses too, and what is in it. Never raises."""

    def routing_to(self, host: Host) -> tuple[Snapshot, ...]:
        """Every routing object with a destination or a mirror of `host`, by the index: no request is made.

        Raises:
            NotSynced: the index is not complete or too old.
            Unavailable: the folder cannot be read.
        """

    def routing(self) -> tuple[Snapshot, ...]:
        """Every routing object. Raises as `routing_to`."""

    def find(self, ref: TargetRef) -> Snapshot | None:
        """One routing object by the index; None if there is none. Raises as `routing_to`."""

    def marked(self) -> tuple[TargetRef, ...]:
        """The routing objects that a GitOps controller was told to leave alone by us (traffic/gitops.py), by the index.
        Raises as `routing_to`."""

    def news(self) -> News:
        """What the index hears from now on of routing objects, of DestinationRules, and of Namespaces."""

    def read(self, ref: TargetRef) -> Snapshot:
        """Read one routing object from its source, past the index.

        Raises:
            NotFound, Forbidden, Retriable.
        """

    def readiness(self, destination: Destination, labels: Mapping[str, str]) -> Readiness | None:
        """Count the endpoints of a destination's service, and those that are ready: requests are made, no index asked.

        Args:
            labels: of the destination's subset, as its DestinationRule has them; only endpoints with all of them count.
                Empty: the whole service.

        None: the folder that stands in for a cluster holds no EndpointSlice at all, so nothing can be said. Where the
        permission to count is missing, or the host is no Kubernetes service, the Readiness says so itself.

        Raises:
            Retriable.
        """

    def images(self, destination: Destination, labels: Mapping[str, str]) -> tuple[Ran, ...]:
        """What the pods behind a destination run, by requests; nothing where nobody knows.

        Args:
            labels: as of `readiness`.

        Raises:
            Retriable.
        """

    def patch(self, ref: TargetRef, patch: Patch, *, dry_run: bool = False) -> Snapshot:
        """Send `patch`; with `dry_run` the server answers as if, and keeps nothing. Returns what it then is.

        Raises:
            Conflict: it moved since it was read. NotFound: it is gone. Rejected: the server refuses this change.
            Forbidden, Retriable.
        """

    def abort(self, rollout: Rollout, *, dry_run: bool = False) -> None:
        """Abort the update that a Rollout is at, and no other; with `dry_run` it is only tried.

        Raises:
            Conflict: it is at another update, or gone. Rejected: the server refuses this change. Forbidden, Retriable.
        """
