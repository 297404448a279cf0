"""What to do where the permission to watch something is missing."""

from __future__ import annotations

from remediator.cluster.scope import Scope


def granting(scope: Scope) -> str:
    """Whoever runs the service, by which role to permit `scope`; all roles at once are printed by `schema --rbac`."""
    if scope.namespace:
        return f"grant list and watch by a Role in {scope.namespace} (remediator schema --rbac --namespaces prints it)"
    by_role = "grant list and watch by a ClusterRole (remediator schema --rbac prints it)"
    if scope.name or not scope.namespaced:
        return by_role
    return f"{by_role}; or name the namespaces with --namespaces, and a Role in each is enough"
