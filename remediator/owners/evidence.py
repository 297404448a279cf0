"""What tells who drives a routing object: the object itself, and the Canaries and Rollouts that name it.

Facts are from fluxcd/flagger pkg/router/istio.go, argoproj/argo-cd util/argo/resource_tracking.go, and helm
pkg/action/validate.go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

from remediator.outcome import TargetRef
from remediator.owners.model import CANARY, FLAGGER_GROUP, NOBODY, Canary, Driver, Driving, Name, Owner, Rollout
from remediator.owners.reading import Json, mapping, metadata, name_of
from remediator.traffic.hosts import Host, short

_ISTIO: Final = "networking.istio.io"
_TRACKING: Final = "argocd.argoproj.io/tracking-id"
_INSTANCE: Final = "app.kubernetes.io/instance"
_ARGO_MANAGER: Final = "argocd-controller"
_FLUX: Final = {"kustomize.toolkit.fluxcd.io": "Kustomization", "helm.toolkit.fluxcd.io": "HelmRelease"}
_RELEASE: Final = "meta.helm.sh/release"


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
    found = metadata(body).get("ownerReferences")
    for each in map(mapping, found if isinstance(found, list) else ()):
        if each.get("kind") == CANARY and str(each.get("apiVersion")).partition("/")[0] == FLAGGER_GROUP:
            return Owner(Driver.FLAGGER, f"{CANARY} {name_of(body)[0]}/{each.get('name')}", "its ownerReference")
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
    namespace, name = name_of(body)
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


def _managers(body: Json) -> Iterator[str]:
    found = metadata(body).get("managedFields")
    for each in map(mapping, found if isinstance(found, list) else ()):
        yield str(each.get("manager"))


def _texts(body: Json, key: str) -> Mapping[str, str]:
    """Labels or annotations that are text."""
    return {name: text for name, text in mapping(metadata(body).get(key)).items() if isinstance(text, str)}
