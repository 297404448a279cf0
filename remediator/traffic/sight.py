"""Whose DestinationRules are known. One that nobody has read may say anything, so it is not one that is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from remediator.traffic.hosts import Host, service_namespace

ROOT_NAMESPACE: Final = "istio-system"
"""Istio's default `rootNamespace`: its DestinationRules hold for the whole mesh."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Where DestinationRules are read."""

    namespaces: frozenset[str] | None = None
    """None: everywhere. Istio's root namespace is always among them."""
    root: str = ROOT_NAMESPACE
    """Istio's `rootNamespace`."""

    @classmethod
    def of(cls, namespaces: tuple[str, ...], root: str) -> Sight:
        """Of these namespaces and the root namespace."""
        return cls(frozenset({*namespaces, root}), root)

    def unseen(self, host: Host) -> str:
        """Where rules may stand that speak of `host` and are not read, in words; empty: they are all read.

        Besides the client's own namespace, Istio asks the service's and the root namespace (istio/istio
        pilot/pkg/model/push_context.go:1259-1325). Clients are looked at where the routing object is, and so is seen.
        """
        home = service_namespace(host)
        if self.namespaces is None or home in self.namespaces:
            return ""
        return f"namespace {home}" if home else f"namespaces besides {', '.join(sorted(self.namespaces))}"
