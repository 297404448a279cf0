"""What is asked of the API server: paths of resources, and one request as an RBAC rule would name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

_VERBS: Final = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object as the API server serves it."""

    group: str
    """Empty: the core group."""
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        """What its objects say of themselves: `networking.istio.io/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, part: str | None = None) -> str:
        """The path of one object, of a part of it, or of the collection; without a namespace of the whole cluster.

        >>> Resource("networking.istio.io", "v1", "virtualservices").path("shop", "reviews")
        '/apis/networking.istio.io/v1/namespaces/shop/virtualservices/reviews'
        >>> Resource("", "v1", "endpoints").path("shop")
        '/api/v1/namespaces/shop/endpoints'
        """
        root = f"/apis/{self.group}" if self.group else "/api"
        within = f"/namespaces/{namespace}" if namespace else ""
        last = "".join(f"/{each}" for each in (name, part) if each)
        return f"{root}/{self.version}{within}/{self.plural}{last}"


EVENTS: Final = Resource("events.k8s.io", "v1", "events")
"""Since Kubernetes 1.19."""

PODS: Final = Resource("", "v1", "pods")


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Path and query."""
        return self.path + ("?" + urlencode(self.query) if self.query else "")

    @property
    def verb(self) -> str:
        """As an RBAC rule names it: `get`, `list`, `watch`, `create`, `patch`, `delete`."""
        if self.method != "GET":
            return _VERBS.get(self.method, self.method.lower())
        within = self._within()
        if "watch" in self.query and within:
            return "watch"
        return "list" if within and len(within) == 1 else "get"

    @property
    def resource(self) -> str:
        """As kubectl and RBAC name it: `virtualservices.networking.istio.io`, `remediations.remediator.io/status`.

        Of a path that is no resource, the path.
        """
        within = self._within()
        if not within:
            return self.path
        part = f"/{within[2]}" if len(within) > 2 else ""
        return f"{within[0]}{self._suffix}{part}"

    @property
    def _suffix(self) -> str:
        return f".{self.path.split('/')[2]}" if self.path.startswith("/apis/") else ""

    def _within(self) -> list[str]:
        """The plural and what follows it: /apis/GROUP/VERSION[/namespaces/NAMESPACE]/PLURAL[/NAME[/PART]]."""
        parts = self.path.split("/")[4 if self.path.startswith("/apis/") else 3 :]
        return parts[2:] if parts[:1] == ["namespaces"] and len(parts) > 2 else parts
