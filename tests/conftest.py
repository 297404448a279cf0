"""Fixtures that more than one test module uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from remediator.cluster.kubernetes import KubernetesCluster
from tests.processes import Missing
from tests.real_world import QUICK, RealWorld, Start, cleared, rest_of
from tests.relay import Relay, relay
from tests.servers import ApiServer, running_api_server


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """A real kube-apiserver with Istio's CRDs (v1, v1beta1, v1alpha3). Whoever stops it starts it again."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_api_server())
        except Missing as missing:
            pytest.skip(str(missing))
        yield server


@pytest.fixture
def start(api_server: ApiServer) -> Iterator[Start]:
    """Start Kubernetes adapters on the empty server; they are stopped after the test."""
    with ExitStack() as stack:
        cleared(api_server)

        def started(user: str = "admin", *, port: int | None = None, **options: Any) -> RealWorld:
            rest = rest_of(api_server, user, port=port, read_timeout=2)
            cluster = KubernetesCluster(rest, **{"pace": QUICK} | options)
            stack.callback(cluster.stop)
            cluster.start()
            return RealWorld(api_server, cluster)

        yield started


@pytest.fixture
def network(api_server: ApiServer) -> Iterator[Relay]:
    """A relay to the API server, to be cut and mended."""
    with relay(api_server.port) as made:
        yield made
