"""The cluster that Settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remediator.cluster.local import LocalCluster
from remediator.cluster.port import Cluster
from remediator.errors import SettingsError
from remediator.settings import Settings

if TYPE_CHECKING:
    from remediator.cluster.rest import Observe


def open_cluster(settings: Settings, observe: Observe | None = None) -> Cluster:
    """The cluster, or the folder that stands in for it. Makes no request, and starts nothing.

    Args:
        observe: told of each request to the API server.

    Raises:
        SettingsError: no such folder, or no credentials for a cluster.
    """
    if settings.manifests is not None:
        if not settings.manifests.is_dir():
            raise SettingsError(f"{settings.origins['manifests']}: {settings.manifests} is no folder; create it first")
        return LocalCluster(settings.manifests, root_namespace=settings.root_namespace)
    # Takes longer to import than everything else together.
    from remediator.cluster.area import Area
    from remediator.cluster.kubernetes import connect
    from remediator.cluster.rest import unobserved

    area = Area(settings.namespaces, settings.root_namespace)
    return connect(settings.kubeconfig, settings.context, area=area, observe=observe or unobserved)
