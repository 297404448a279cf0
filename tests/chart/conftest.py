"""Fixtures of the chart's tests."""

from __future__ import annotations

import pytest

from tests.chart.helm import NAMESPACE, Json, binary, render
from tests.chart.matrix import rows
from tests.definitions import CRDS, ISTIO, OPERATOR, crds
from tests.processes import Missing
from tests.servers import ApiServer

OPERATORS = ("alertmanagerconfigs", "podmonitors", "prometheusrules", "servicemonitors")


@pytest.fixture(scope="module", autouse=True)
def _helm(request: pytest.FixtureRequest) -> None:
    """Without Helm there is nothing to see in modules that ask for it."""
    if not request.node.get_closest_marker("servers"):
        return
    try:
        binary()
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def cluster(api_server: ApiServer) -> ApiServer:
    """The API server with the kinds of prometheus-operator and Istio's Telemetry, and the namespaces that are named."""
    try:
        definitions = [crd for plural in OPERATORS for crd in crds(CRDS / OPERATOR.format(plural), plural)]
        api_server.install(definitions + crds(ISTIO, "telemetries"))
    except Missing as missing:
        pytest.skip(str(missing))
    api_server.namespace(NAMESPACE, "monitoring", "istio-system", "shop", "payment")
    return api_server


@pytest.fixture(scope="session")
def matrix() -> list[tuple[Json, list[Json]]]:
    """Values of every kind, and the objects that the chart makes of them; the first are the defaults."""
    return [(values, render(values)) for values in rows()]
