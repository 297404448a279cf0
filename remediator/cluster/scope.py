"""What one watch covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from remediator.cluster.discovery import APIS


@dataclass(frozen=True, slots=True)
class Scope:
    """What one watch covers."""

    kind: str
    namespace: str | None = None
    """None: the whole cluster."""
    keeps: Callable[[str], bool] = field(default=lambda _namespace: True)
    """Which namespaces of the whole cluster."""
    optional: bool = False
    """Where nobody serves this kind, there are no objects of it, and nothing is wrong."""
    name: str | None = None
    """None: every object. Else the one that is called so, which RBAC can permit by itself (`resourceNames`)."""

    @property
    def namespaced(self) -> bool:
        """Whether objects of this kind are in namespaces."""
        return APIS[self.kind].namespaced

    @property
    def query(self) -> dict[str, str]:
        """What every request for it says."""
        return {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}

    def __str__(self) -> str:
        api = APIS[self.kind]
        if self.name:
            return f"{api.resource} named {self.name}"
        return f"{api.resource} in {self.namespace or ('all namespaces' if api.namespaced else 'the whole cluster')}"
