"""What the service is made of, built from Settings."""

from __future__ import annotations

from collections.abc import Callable

from remediator.cluster.kubernetes import connect
from remediator.cluster.local import LocalCluster
from remediator.cluster.port import Cluster
from remediator.errors import SettingsError
from remediator.settings import Settings

Observe = Callable[[str, str, str, float], None]
"""Told of each request to the API server: verb, resource, code, seconds."""


def open_cluster(settings: Settings, observe: Observe | None = None) -> Cluster:
    """The cluster, or the folder that stands in for it. Makes no request, and starts nothing.

    Raises:
        SettingsError: no such folder, or no credentials for a cluster.
    """
    if settings.manifests is not None:
        if not settings.manifests.is_dir():
            raise SettingsError(f"{settings.origins['manifests']}: {settings.manifests} is no folder; create it first")
        return LocalCluster(settings.manifests)
    told = {} if observe is None else {"observe": observe}
    return connect(settings.kubeconfig, settings.context, namespaces=settings.namespaces, **told)
