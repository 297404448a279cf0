"""The view that plans are made on: routes, shares and mirrors, whatever the kind of routing object.

A kind's own module (virtualservice.py) reads its JSON into this view, and renders the difference of two views
into a patch. The weights here are *effective*: a route's only destination has all of it, whatever the object says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remediator.outcome import TargetRef
from remediator.traffic.hosts import Host, short


class Protocol(StrEnum):
    """The list of an object that a route stands in."""

    HTTP = "http"
    TLS = "tls"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where traffic goes: a service, and perhaps one subset of it."""

    host: Host
    subset: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        return short(self.host) + (f" subset {self.subset}" if self.subset else "")


@dataclass(frozen=True, slots=True)
class Share:
    """One destination of a route and its part of the traffic."""

    destination: Destination
    weight: int
    """Relative to the route's total; 0 is no traffic."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of a route's traffic, answers thrown away."""

    destination: Destination
    percentage: float
    """0 to 100; 0 is a mirror that is there but off."""
    slot: int | None
    """Position in a list of mirrors as it was read; None for the single `mirror` field."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a routing object."""

    protocol: Protocol
    index: int
    """Position in the object's list of this protocol."""
    name: str | None
    shares: tuple[Share, ...]
    mirrors: tuple[Mirror, ...] = ()
    reachable: bool = True
    """False behind a route that takes everything: Istio drops it, so it carries no traffic."""
    mirrors_switch_off: bool = False
    """True where a mirror must be set to 0 % and not removed, because its removal would uncover another
    (a delegate's route, whose root has a mirror of its own)."""

    def __str__(self) -> str:
        return f"{self.protocol}[{self.index}]" + (f" ({self.name})" if self.name else "")

    @property
    def total(self) -> int:
        """Sum of the weights."""
        return sum(share.weight for share in self.shares)

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Where the route sends or mirrors anything, live or not."""
        return (*(share.destination for share in self.shares), *(mirror.destination for mirror in self.mirrors))


@dataclass(frozen=True, slots=True)
class RoutingObject:
    """One routing object, as planned on."""

    ref: TargetRef
    uid: str
    resource_version: str
    routes: tuple[Route, ...]

    def route(self, protocol: Protocol, index: int) -> Route:
        """The route at this position. Raises KeyError if there is none."""
        for route in self.routes:
            if route.protocol is protocol and route.index == index:
                return route
        raise KeyError(f"{protocol}[{index}]")


@dataclass(frozen=True, slots=True)
class RouteChange:
    """When somebody else than this program last changed where an object sends traffic."""

    at: datetime
    """In UTC; of whole seconds, for Kubernetes notes no more."""
    by: str
    """What managedFields calls the writer: `kubectl-edit`, `argocd-controller`. Empty if that is not known."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Something in an object that does not mean what it looks like."""

    path: str
    """Where: `spec.http[0].weight`."""
    meaning: str
    """What Istio and the API server make of it."""
    fix: str
    """The right form."""

    def __str__(self) -> str:
        return f"{self.path}: {self.meaning} {self.fix}"
