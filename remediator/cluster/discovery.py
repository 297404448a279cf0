"""Under which version the API server serves a kind: Istio's kinds, our own, and Kubernetes' where they moved."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from remediator.cluster.call import Resource
from remediator.cluster.endpoints import ENDPOINT_SLICE
from remediator.cluster.failures import Unserved
from remediator.cluster.inventory import DESTINATION_RULE, NAMESPACE, VIRTUAL_SERVICE
from remediator.cluster.rest import Rest
from remediator.owners import CANARY, FLAGGER_GROUP, ROLLOUT, ROLLOUTS_GROUP
from remediator.records import model, pauses


@dataclass(frozen=True, slots=True)
class Api:
    """Where a kind may be served."""

    group: str
    """Empty: the core group, which every server has."""
    plural: str
    """What the kind is called in paths and in RBAC rules."""
    versions: tuple[str, ...]
    """From the best to the last resort; the core group has but one."""
    ungrouped: str
    """What to say where the whole group is unknown."""
    unserved: str
    """What to do where the group is known, and none of the versions has the kind."""
    namespaced: bool = True

    @property
    def resource(self) -> str:
        """As an RBAC rule names it: `virtualservices.networking.istio.io`, `namespaces`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _istio(plural: str) -> Api:
    # The schemas of the versions are the same; v1 came with Istio 1.22
    # (istio/istio manifests/charts/base/files/crd-all.gen.yaml).
    group, versions = "networking.istio.io", ("v1", "v1beta1", "v1alpha3")
    missing = f"Istio's CRDs are not installed: the API server knows no group {group}"
    return Api(group, plural, versions, missing, "install or update Istio's CRDs")


def _ours(plural: str, *, namespaced: bool = True) -> Api:
    advice = "install its CRD: remediator schema --crd | kubectl apply -f -"
    missing = f"the API server serves no {plural}.{model.GROUP}: {advice}"
    return Api(model.GROUP, plural, (model.VERSION,), missing, advice, namespaced)


def _slices() -> Api:
    # v1beta1 is gone since Kubernetes 1.25.
    group, advice = "discovery.k8s.io", "update Kubernetes: endpoints are counted from 1.17 on"
    return Api(group, "endpointslices", ("v1", "v1beta1"), f"the API server knows no group {group}: {advice}", advice)


def _optional(group: str, plural: str, version: str) -> Api:
    missing = f"the API server serves no {plural}.{group}"
    return Api(group, plural, (version,), missing, "install or update its CRD")


APIS: Final[Mapping[str, Api]] = {
    VIRTUAL_SERVICE: _istio("virtualservices"),
    DESTINATION_RULE: _istio("destinationrules"),
    model.KIND: _ours(model.PLURAL),
    pauses.KIND: _ours(pauses.PLURAL, namespaced=False),
    NAMESPACE: Api("", "namespaces", ("v1",), ungrouped="", unserved="", namespaced=False),
    ENDPOINT_SLICE: _slices(),
    CANARY: _optional(FLAGGER_GROUP, "canaries", "v1beta1"),
    ROLLOUT: _optional(ROLLOUTS_GROUP, "rollouts", "v1alpha1"),
}


class Discovery:
    """Finds each kind's resource once, until told to forget it. Safe to use from many threads."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._lock = threading.Lock()
        self._known: dict[str, Resource] = {}

    def resource(self, kind: str) -> Resource:
        """Where `kind` is served.

        Raises:
            Unserved: its CRD is not there, or not yet. Others as `failures.failure` says.
        """
        with self._lock:
            known = self._known.get(kind)
        if known is None:
            # Without the lock: two threads may both ask, and learn the same.
            known = self._find(APIS[kind])
            with self._lock:
                self._known[kind] = known
        return known

    def forget(self, kind: str) -> None:
        """Ask again next time: what was served is served no more."""
        with self._lock:
            self._known.pop(kind, None)

    def _find(self, api: Api) -> Resource:
        if not api.group:
            return Resource("", api.versions[0], api.plural)
        try:
            served = [version.get("version") for version in self._items(f"/apis/{api.group}", "versions")]
        except Unserved as error:
            raise Unserved(api.ungrouped) from error
        for version in api.versions:
            # A group's version tells nothing of each kind in it: CRDs may be of several releases of Istio.
            if version in served and self._serves(api, version):
                return Resource(api.group, version, api.plural)
        raise Unserved(f"the API server serves no {api.resource} in any of {', '.join(api.versions)}: {api.unserved}")

    def _serves(self, api: Api, version: str) -> bool:
        items = self._items(f"/apis/{api.group}/{version}", "resources")
        return any(item.get("name") == api.plural for item in items)

    def _items(self, path: str, key: str) -> list[dict[str, Any]]:
        items = self._rest.get(path).get(key)
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
