"""Which version of Istio's API is asked for, and of ours."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from kubernetes.client import Configuration

from remediator.cluster.discovery import Discovery
from remediator.cluster.failures import Unserved
from remediator.cluster.rest import Rest
from remediator.cluster.scope import Scope
from tests.processes import wait_until
from tests.scripted import Answer, Request, reply, scripted
from tests.watching import GROUP, QUICK, Script, page, running, thing


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        pytest.param(("v1alpha3", "v1beta1", "v1"), "v1", id="all: v1"),
        pytest.param(("v1alpha3", "v1beta1"), "v1beta1", id="before Istio 1.22: v1beta1"),
        pytest.param(("v1alpha3",), "v1alpha3", id="long ago: v1alpha3"),
    ],
)
def test_the_best_version_that_is_served(served: tuple[str, ...], expected: str) -> None:
    with scripted(Script([], served=served)) as server:
        resource = Discovery(Rest(Configuration(host=server.url))).resource("VirtualService")
    assert expected == resource.version


def test_a_version_of_the_group_that_lacks_the_kind_is_passed_over() -> None:
    """CRDs of several releases side by side: v1 of the group is there, but not for VirtualService."""

    def answer(request: Request) -> Answer:
        if request.path == GROUP:
            return reply(200, {"versions": [{"version": "v1"}, {"version": "v1beta1"}]})
        name = "sidecars" if request.path.endswith("/v1") else "virtualservices"
        return reply(200, {"resources": [{"name": name}]})

    with scripted(answer) as server:
        resource = Discovery(Rest(Configuration(host=server.url))).resource("VirtualService")
    assert "v1beta1" == resource.version


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(
            lambda _request: reply(404, b"404 page not found"),
            "the API server serves no remediations.remediator.io: "
            "install its CRD: remediator schema --crd | kubectl apply -f -",
            id="nothing of ours",
        ),
        pytest.param(
            lambda request: reply(200, {"versions": [{"version": "v9"}], "resources": [{"name": "remediations"}]}),
            "the API server serves no remediations.remediator.io in any of v1alpha1: "
            "install its CRD: remediator schema --crd | kubectl apply -f -",
            id="another version than ours",
        ),
        pytest.param(
            lambda request: reply(200, {"versions": [{"version": "v1alpha1"}], "resources": [{"name": "others"}]}),
            "the API server serves no remediations.remediator.io in any of v1alpha1: "
            "install its CRD: remediator schema --crd | kubectl apply -f -",
            id="our group without the kind",
        ),
    ],
)
def test_without_our_crd_it_says_how_to_get_it(answer: Callable[[Request], Answer], words: str) -> None:
    with scripted(answer) as server, pytest.raises(Unserved) as caught:
        Discovery(Rest(Configuration(host=server.url))).resource("Remediation")
    assert words == str(caught.value)


def test_our_kind_is_found_in_our_group() -> None:
    def answer(request: Request) -> Answer:
        assert request.path.startswith("/apis/remediator.io")
        return reply(200, {"versions": [{"version": "v1alpha1"}], "resources": [{"name": "remediations"}]})

    with scripted(answer) as server:
        resource = Discovery(Rest(Configuration(host=server.url))).resource("Remediation")
    assert "/apis/remediator.io/v1alpha1/namespaces/shop/remediations" == resource.path("shop")


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        pytest.param(("v1beta1", "v1"), "v1", id="from Kubernetes 1.21 on: v1"),
        pytest.param(("v1beta1",), "v1beta1", id="before: v1beta1"),
    ],
)
def test_the_best_version_of_endpoint_slices(served: tuple[str, ...], expected: str) -> None:
    def answer(request: Request) -> Answer:
        assert request.path.startswith("/apis/discovery.k8s.io")
        versions = [{"version": version} for version in served]
        return reply(200, {"versions": versions, "resources": [{"name": "endpointslices"}]})

    with scripted(answer) as server:
        resource = Discovery(Rest(Configuration(host=server.url))).resource("EndpointSlice")
    assert f"/apis/discovery.k8s.io/{expected}/namespaces/shop/endpointslices" == resource.path("shop")


def test_a_server_too_old_for_endpoint_slices_is_named() -> None:
    with scripted(lambda _request: reply(404, b"404 page not found")) as server, pytest.raises(Unserved) as caught:
        Discovery(Rest(Configuration(host=server.url))).resource("EndpointSlice")
    expected = "the API server knows no group discovery.k8s.io: update Kubernetes: endpoints are counted from 1.17 on"
    assert expected == str(caught.value)


def test_namespaces_are_where_they_always_were() -> None:
    """In the core group, which has no list of versions."""
    with scripted(lambda _request: reply(500, {})) as server:
        resource = Discovery(Rest(Configuration(host=server.url))).resource("Namespace")
    assert ("/api/v1/namespaces", "v1") == (resource.path(), resource.api_version)
    assert [] == server.requests
    assert "namespaces in the whole cluster" == str(Scope("Namespace"))


def test_istio_may_come_later() -> None:
    installed = threading.Event()
    script = Script([page(thing("a", 1), version=7)])
    absent = reply(404, b"404 page not found")
    with running(
        lambda request: script(request) if installed.is_set() else absent, QUICK, Scope("VirtualService")
    ) as run:
        wait_until(lambda: run.state.error, "error said", timeout=5)
        assert run.state.error == ("Istio's CRDs are not installed: the API server knows no group networking.istio.io")
        installed.set()
        run.holds("a")
