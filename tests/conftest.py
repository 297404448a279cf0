"""Fixtures that more than one test module uses."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import pytest

from remediator.cluster.area import Area
from remediator.cluster.kubernetes import KubernetesCluster
from tests.packaged import ROOT, build, installed
from tests.processes import Missing
from tests.real_world import QUICK, RealWorld, Start, cleared, rest_of
from tests.relay import Relay, relay
from tests.servers import ApiServer, running_api_server

# Speed is measured by benchmarks/: on a machine that others use, a deadline only fails by chance.
hypothesis.settings.register_profile("remediator", deadline=None)
hypothesis.settings.load_profile("remediator")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test fails where FAIL_ON_SKIP is set: what is not run shows nothing. But for those that need what some
    machines allow nobody."""
    return _no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that is skipped as a whole."""
    return _no_skip((yield))


def _no_skip(report: Report) -> Report:
    excused = hasattr(report, "wasxfail") or "privileged" in getattr(report, "keywords", {})
    if report.skipped and os.environ.get("FAIL_ON_SKIP") and not excused:
        report.outcome = "failed"
        report.longrepr = f"skipped, and FAIL_ON_SKIP is set: {report.longrepr}"
    return report


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
            if "namespaces" in options:
                options["area"] = Area(options.pop("namespaces"))
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


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def empty_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what the lock file says, and nothing of this tree. Needs a package index."""
    return installed(wheel, tmp_path_factory.mktemp("empty") / "environment")
