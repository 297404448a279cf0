"""Who drives a routing object, as values; what is kept of those that drive one; and the levers there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from remediator.outcome import TargetRef
from remediator.traffic.hosts import Host, resolve
from remediator.traffic.patch import Operation

CANARY: Final = "Canary"
FLAGGER_GROUP: Final = "flagger.app"
ROLLOUT: Final = "Rollout"
ROLLOUTS_GROUP: Final = "argoproj.io"

Name = tuple[str, str]
"""(namespace, name)"""


class Driver(StrEnum):
    """Whose program writes a routing object."""

    NOBODY = "Nobody"
    """Nobody's that is known: a person, a pipeline."""
    HELM = "Helm"
    """At the next upgrade."""
    ARGO_CD = "ArgoCD"
    FLUX = "Flux"
    ARGO_ROLLOUTS = "ArgoRollouts"
    FLAGGER = "Flagger"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who drives a routing object, and how that is known."""

    driver: Driver = Driver.NOBODY
    name: str = ""
    """The driver's own object: `Canary shop/reviews`, `Kustomization flux-system/apps`; empty: there is none."""
    evidence: str = ""
    """What tells, for a person."""

    def __str__(self) -> str:
        return f"{self.driver.value} ({self.name})" if self.name else self.driver.value


NOBODY: Final = Owner(evidence="no label, annotation, Canary or Rollout tells of anybody")


@dataclass(frozen=True, slots=True)
class Canary:
    """What is kept of a Canary of Flagger's."""

    namespace: str
    name: str
    apex: str
    """What its VirtualService is called, in its own namespace."""
    provider: str = ""
    """Of the mesh; empty: as Flagger was told at its start."""
    phase: str = ""
    """As its status says; empty: nothing yet."""
    checksum: str = ""
    """Of the revision that it has tried last (checksum.py); empty: it has none."""
    began: datetime | None = None
    """When what it has on trial began to be, in whole seconds; None: nothing is, or nobody knows."""
    interval: timedelta = timedelta(seconds=60)
    """How often Flagger looks at it."""
    rollback_urls: tuple[str, ...] = field(default=(), repr=False)
    """Whom Flagger asks whether to roll back. A token may be part of them."""
    suspended: bool = False
    skips_analysis: bool = False

    @property
    def drives(self) -> Name | None:
        """The VirtualService that Flagger writes for it; None: it writes none."""
        return (self.namespace, self.apex) if self.apex and self.provider in ("", "istio") else None

    @property
    def hosts(self) -> tuple[Host, Host]:
        """Where Flagger sends traffic: the good version, and the one on trial."""
        primary, canary = (resolve(f"{self.apex}-{side}", self.namespace) for side in ("primary", "canary"))
        return primary, canary

    def __str__(self) -> str:
        return f"{CANARY} {self.namespace}/{self.name}"


class Lever(StrEnum):
    """How traffic is taken away so that it stays away."""

    PATCH = "Patch"
    """A JSON Patch of the routing object."""
    ARGO_ROLLOUTS = "ArgoRollouts"
    """The Rollout that drives it is aborted."""
    FLAGGER = "Flagger"
    """Flagger, which drives it, asks whether to roll back, and is told to."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two versions of a Rollout: where its traffic goes."""

    host: Host | None = None
    """Of a split by host."""
    subset: str = ""
    """Of a split by subset, of the Rollout's DestinationRule; empty: it is none."""


@dataclass(frozen=True, slots=True)
class Update:
    """Where a Rollout stands between two versions, by its status."""

    current: str = ""
    """Pod hash of the version that it is to run."""
    stable: str = ""
    """Of the one to fall back on."""
    aborted: bool = False

    @property
    def in_progress(self) -> bool:
        """Whether there is another version to fall back on."""
        return bool(self.current and self.stable) and self.current != self.stable


@dataclass(frozen=True, slots=True)
class Versions:
    """What is known of the two versions of an update, besides their hashes."""

    version: str | None = None
    """What the labels of the pod template call the new one; None: they do not, or its status speaks of another."""
    stable_version: str | None = None
    """What the labels of its pods call the stable one; None: nobody has asked, or they do not agree."""
    since: datetime | None = None
    """Nobody has changed the pod template since, by its managedFields; None: nobody knows."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """What is kept of a Rollout of Argo's that routes with Istio."""

    namespace: str
    name: str
    uid: str = ""
    drives: frozenset[Name] = frozenset()
    """The VirtualServices whose weights it writes."""
    rule: Name | None = None
    """The DestinationRule whose subsets it writes."""
    canary: Side = Side()
    stable: Side = Side()
    update: Update = Update()
    versions: Versions = Versions()

    @property
    def ref(self) -> TargetRef:
        """What names it."""
        return TargetRef(ROLLOUT, self.namespace, self.name)

    @property
    def abort(self) -> tuple[Operation, ...]:
        """The JSON Patch of its status that ends this update and no other
        (argoproj/argo-rollouts pkg/kubectl-argo-rollouts/cmd/abort/abort.go)."""
        return (
            {"op": "test", "path": "/metadata/uid", "value": self.uid},
            {"op": "test", "path": "/status/currentPodHash", "value": self.update.current},
            {"op": "test", "path": "/status/stableRS", "value": self.update.stable},
            {"op": "add", "path": "/status/abort", "value": True},
        )

    def version_of(self, pod_hash: str) -> str | None:
        """The version of the pods that have this hash; None: not known, or the update does not change it."""
        versions, update = self.versions, self.update
        if update.in_progress and versions.stable_version in (None, versions.version):
            return None
        if not pod_hash or pod_hash not in (update.current, update.stable):
            return None
        return versions.version if pod_hash == update.current else versions.stable_version

    def __str__(self) -> str:
        return f"{ROLLOUT} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Driving:
    """Who drives one routing object, and what is known of the driver."""

    owner: Owner = NOBODY
    canary: Canary | None = None
    """The Canary for which Flagger writes it."""
    rollouts: tuple[Rollout, ...] = ()
    """Those that write its weights."""

    @property
    def overwritten(self) -> bool:
        """Whether the driver puts back within seconds what somebody else changes in the routes."""
        return self.owner.driver is Driver.FLAGGER or bool(self.rollouts)
