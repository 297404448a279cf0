"""Under which version the API server serves a kind of Istio's."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from remediator.cluster.failures import Unserved
from remediator.cluster.rest import Resource, Rest

GROUP: Final = "networking.istio.io"

PLURALS: Final[Mapping[str, str]] = {"VirtualService": "virtualservices", "DestinationRule": "destinationrules"}
"""What a kind is called in paths and in RBAC rules."""

VERSIONS: Final = ("v1", "v1beta1", "v1alpha3")
"""From the best to the last resort. The schemas are the same; v1 came with Istio 1.22
(istio/istio manifests/charts/base/files/crd-all.gen.yaml)."""


class Discovery:
    """Finds each kind's resource once, until told to forget it. Safe to use from many threads."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._lock = threading.Lock()
        self._known: dict[str, Resource] = {}

    def resource(self, kind: str) -> Resource:
        """Where `kind` is served.

        Raises:
            Unserved: Istio's CRDs are not there, or not yet. Others as `failures.failure` says.
        """
        with self._lock:
            known = self._known.get(kind)
        if known is None:
            # Without the lock: two threads may both ask, and learn the same.
            known = self._find(PLURALS[kind])
            with self._lock:
                self._known[kind] = known
        return known

    def forget(self, kind: str) -> None:
        """Ask again next time: what was served is served no more."""
        with self._lock:
            self._known.pop(kind, None)

    def _find(self, plural: str) -> Resource:
        try:
            served = [version.get("version") for version in self._items(f"/apis/{GROUP}", "versions")]
        except Unserved as error:
            raise Unserved(f"Istio's CRDs are not installed: the API server knows no group {GROUP}") from error
        for version in VERSIONS:
            # A group's version tells nothing of each kind in it: CRDs may be of several releases of Istio.
            if version in served and self._serves(version, plural):
                return Resource(GROUP, version, plural)
        raise Unserved(
            f"the API server serves no {plural}.{GROUP} in any of {', '.join(VERSIONS)}: install or update Istio's CRDs"
        )

    def _serves(self, version: str, plural: str) -> bool:
        items = self._items(f"/apis/{GROUP}/{version}", "resources")
        return any(item.get("name") == plural for item in items)

    def _items(self, path: str, key: str) -> list[dict[str, Any]]:
        items = self._rest.get(path).get(key)
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
