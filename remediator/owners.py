"""Who drives a routing object: whose program writes its routes, by what the object says and what Canaries and Rollouts
say of it. Pure; what is malformed tells nothing.

Facts are from fluxcd/flagger pkg/router/istio.go and pkg/apis/flagger/v1beta1/canary.go, argoproj/argo-rollouts
utils/istio/istio.go, argoproj/argo-cd util/argo/resource_tracking.go, and helm pkg/action/validate.go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from remediator.outcome import TargetRef
from remediator.traffic.hosts import Host, resolve, short

CANARY: Final = "Canary"
FLAGGER_GROUP: Final = "flagger.app"
ROLLOUT: Final = "Rollout"
ROLLOUTS_GROUP: Final = "argoproj.io"

_ISTIO: Final = "networking.istio.io"
_TRACKING: Final = "argocd.argoproj.io/tracking-id"
_INSTANCE: Final = "app.kubernetes.io/instance"
_ARGO_MANAGER: Final = "argocd-controller"
_FLUX: Final = {"kustomize.toolkit.fluxcd.io": "Kustomization", "helm.toolkit.fluxcd.io": "HelmRelease"}
_RELEASE: Final = "meta.helm.sh/release"

Json = Mapping[str, Any]
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


@dataclass(frozen=True, slots=True)
class Rollout:
    """What is kept of a Rollout of Argo's that routes with Istio."""

    namespace: str
    name: str
    drives: frozenset[Name] = frozenset()
    """The VirtualServices whose weights it writes."""
    rule: Name | None = None
    """The DestinationRule whose subsets it writes."""

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


def read_canary(body: Json) -> Canary:
    """Read a Canary's JSON."""
    namespace, name = _name(body)
    spec = _mapping(body.get("spec"))
    apex = _mapping(spec.get("service")).get("name") or _mapping(spec.get("targetRef")).get("name")
    return Canary(namespace, name, str(apex or ""), str(spec.get("provider") or ""))


def read_rollout(body: Json) -> Rollout:
    """Read a Rollout's JSON."""
    namespace, name = _name(body)
    canary = _mapping(_mapping(_mapping(body.get("spec")).get("strategy")).get("canary"))
    istio = _mapping(_mapping(canary.get("trafficRouting")).get("istio"))
    several = istio.get("virtualServices")
    named = [istio.get("virtualService"), *(several if isinstance(several, list) else ())]
    texts = (str(_mapping(each).get("name") or "") for each in named)
    rule = _mapping(istio.get("destinationRule")).get("name")
    return Rollout(
        namespace,
        name,
        drives=frozenset(_qualified(text, namespace) for text in texts if text),
        rule=(namespace, str(rule)) if rule else None,
    )


def claims(body: Json) -> tuple[Owner, ...]:
    """Whom a routing object itself names as its driver, with its managedFields; the quickest to overwrite it first."""
    return tuple(
        owner for find in (_by_reference, _by_flux, _by_argo_cd, _by_helm) if (owner := find(body)) is not None
    )


def driving(
    ref: TargetRef,
    claimed: tuple[Owner, ...],
    hosts: Collection[Host],
    canary: Canary | None,
    rollouts: tuple[Rollout, ...],
) -> Driving:
    """Who drives the routing object `ref`: of several the one that would overwrite its traffic first.

    Args:
        claimed: as of `claims`.
        hosts: where it sends or mirrors traffic.
        canary: the one that drives it.
        rollouts: those that name it, or a DestinationRule of one of the hosts.
    """
    writers = tuple(each for each in rollouts if (ref.namespace, ref.name) in each.drives)
    by_flagger = tuple(each for each in claimed if each.driver is Driver.FLAGGER)
    found = [
        *((_by_canary(canary, hosts),) if canary else by_flagger),
        *(Owner(Driver.ARGO_ROLLOUTS, str(each), f"the Rollout names {ref}") for each in writers),
        *(each for each in claimed if each not in by_flagger and each.driver is not Driver.NOBODY),
        *(_by_subsets(each) for each in rollouts if each not in writers),
    ]
    if not found:
        # What one has to say that is sure of nothing.
        return Driving(next((each for each in claimed if each.driver is Driver.NOBODY), NOBODY))
    first, *others = found
    beside = "".join(f"; beside it {other}: {other.evidence}" for other in others)
    return Driving(replace(first, evidence=first.evidence + beside), canary, writers)


def _by_canary(canary: Canary, hosts: Collection[Host]) -> Owner:
    there = [short(host) for host in canary.hosts if host in hosts]
    sends = f", and it sends to {' and '.join(there)}" if there else ""
    return Owner(Driver.FLAGGER, str(canary), f"its name is the apex name of the Canary{sends}")


def _by_subsets(rollout: Rollout) -> Owner:
    rule = "/".join(rollout.rule or ())
    evidence = f"the Rollout writes the subsets of DestinationRule {rule}, and no weights here"
    return Owner(Driver.ARGO_ROLLOUTS, str(rollout), evidence)


def _by_reference(body: Json) -> Owner | None:
    """Flagger owns the VirtualServices that it has made; one that was there before it takes over without a word.

    Its annotations are no proof: people write the same, and they stay when the Canary goes.
    """
    found = _metadata(body).get("ownerReferences")
    for each in map(_mapping, found if isinstance(found, list) else ()):
        if each.get("kind") == CANARY and str(each.get("apiVersion")).partition("/")[0] == FLAGGER_GROUP:
            return Owner(Driver.FLAGGER, f"{CANARY} {_name(body)[0]}/{each.get('name')}", "its ownerReference")
    return None


def _by_flux(body: Json) -> Owner | None:
    labels = _texts(body, "labels")
    for prefix, kind in _FLUX.items():
        name, namespace = labels.get(f"{prefix}/name"), labels.get(f"{prefix}/namespace")
        if name and namespace:
            return Owner(Driver.FLUX, f"{kind} {namespace}/{name}", f"its labels {prefix}/name and namespace")
    return None


def _by_argo_cd(body: Json) -> Owner | None:
    """By the annotation, if it is not a copy of another object's: Argo CD itself takes no other.

    The label was the default before version 3, and Helm and people set it too: it counts with Argo CD among the
    writers only.
    """
    tracking, instance = _texts(body, "annotations").get(_TRACKING), _texts(body, "labels").get(_INSTANCE)
    namespace, name = _name(body)
    if tracking:
        application, _, tracked = tracking.partition(":")
        if tracked == f"{_ISTIO}/{body.get('kind')}:{namespace}/{name}":
            return Owner(Driver.ARGO_CD, _application(application), f"its annotation {_TRACKING}")
    if not instance:
        return None
    if _ARGO_MANAGER in _managers(body):
        evidence = f"its label {_INSTANCE}, and {_ARGO_MANAGER} is among its writers"
        return Owner(Driver.ARGO_CD, _application(instance), evidence)
    if _helm_release(body):
        return None
    hint = f"its label {_INSTANCE}: {instance} may be Argo CD's, or anybody's; nothing else names a driver"
    return Owner(evidence=hint)


def _by_helm(body: Json) -> Owner | None:
    release = _helm_release(body)
    if release is None:
        return None
    namespace, name = release
    return Owner(Driver.HELM, f"release {namespace}/{name}", f"its annotations {_RELEASE}-name and -namespace")


def _helm_release(body: Json) -> Name | None:
    """Argo CD and others render charts too; only Helm itself writes these annotations."""
    annotations = _texts(body, "annotations")
    name, namespace = annotations.get(f"{_RELEASE}-name"), annotations.get(f"{_RELEASE}-namespace")
    return (namespace, name) if name and namespace else None


def _application(text: str) -> str:
    """Those that are not in Argo CD's own namespace are called NAMESPACE_NAME."""
    return "Application " + text.replace("_", "/", 1)


def _qualified(text: str, namespace: str) -> Name:
    """A Rollout names a VirtualService as NAME, or NAME.NAMESPACE."""
    name, dot, elsewhere = text.partition(".")
    return (elsewhere, name) if dot and name and elsewhere else (namespace, text.rstrip("."))


def _managers(body: Json) -> Iterator[str]:
    found = _metadata(body).get("managedFields")
    for each in map(_mapping, found if isinstance(found, list) else ()):
        yield str(each.get("manager"))


def _texts(body: Json, key: str) -> Mapping[str, str]:
    """Labels or annotations that are text."""
    return {name: text for name, text in _mapping(_metadata(body).get(key)).items() if isinstance(text, str)}


def _name(body: Json) -> Name:
    metadata = _metadata(body)
    return str(metadata.get("namespace") or "default"), str(metadata.get("name") or "")


def _metadata(body: Json) -> Json:
    return _mapping(body.get("metadata"))


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}
