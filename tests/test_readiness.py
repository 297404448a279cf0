"""What is asked of the API server to count endpoints."""

from __future__ import annotations

import pytest
from kubernetes.client import Configuration

from remediator.cluster.discovery import Discovery
from remediator.cluster.readiness import readiness
from remediator.cluster.rest import Rest
from remediator.errors import Unavailable
from remediator.guards.stable_ready import Readiness
from remediator.traffic.hosts import Host, resolve
from remediator.traffic.view import Destination
from tests.builders import Json, endpoint, endpoint_slice, pod
from tests.scripted import Answer, Request, ScriptedServer, failure, reply, scripted

REVIEWS = Destination(resolve("reviews", "shop"), "v2")
V2 = {"version": "v2"}
GROUP = "/apis/discovery.k8s.io"
SLICES = f"{GROUP}/v1/namespaces/shop/endpointslices"
PODS = "/api/v1/namespaces/shop/pods"


class Script:
    """Answers discovery, and lists from the pages that a test has laid ready, by path."""

    def __init__(self, versions: tuple[str, ...] = ("v1",), **pages: list[Answer]) -> None:
        self.versions = versions
        self.pages = pages

    def __call__(self, request: Request) -> Answer:
        if request.path == GROUP:
            return reply(200, {"versions": [{"version": version} for version in self.versions]})
        if request.path.startswith(GROUP) and request.path.count("/") == 3:
            return reply(200, {"resources": [{"name": "endpointslices"}]})
        return self.pages[request.path.rpartition("/")[2]].pop(0)


def page(*items: Json, token: str = "") -> Answer:
    return reply(200, {"items": list(items), "metadata": {"continue": token}})


def asked(server: ScriptedServer, path: str) -> list[Request]:
    return [request for request in server.requests if request.path == path]


def test_the_slices_of_the_service_page_by_page() -> None:
    pages = [page(endpoint_slice(endpoint("10.0.0.1")), token="next"), page(endpoint_slice(endpoint("10.0.0.2")))]
    with scripted(Script(endpointslices=pages)) as server:
        rest = Rest(Configuration(host=server.url))
        assert Readiness(REVIEWS, 2, 2) == readiness(rest, Discovery(rest), REVIEWS, {})

    first, second = asked(server, SLICES)
    query = {"labelSelector": "kubernetes.io/service-name=reviews", "limit": "500"}
    assert (query, query | {"continue": "next"}) == (first.query, second.query)
    assert [] == asked(server, PODS)


def test_of_the_pods_their_names_from_the_servers_cache() -> None:
    slices = [page(endpoint_slice(endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b", ready=False)))]
    pods = [page(pod("a", version="v2"), token="next"), page(pod("b", version="v2"))]
    with scripted(Script(endpointslices=slices, pods=pods)) as server:
        rest = Rest(Configuration(host=server.url))
        assert Readiness(REVIEWS, 1, 2) == readiness(rest, Discovery(rest), REVIEWS, V2)

    first, second = asked(server, PODS)
    assert {"labelSelector": "version=v2", "resourceVersion": "0"} == first.query
    # The server refuses a token with a resourceVersion beside it.
    assert {"labelSelector": "version=v2", "continue": "next"} == second.query
    partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert [partial, partial] == [first.headers["accept"], second.headers["accept"]]
    assert ["application/json"] == [request.headers["accept"] for request in asked(server, SLICES)]


@pytest.mark.parametrize(
    ("slices", "labels"),
    [
        pytest.param(endpoint_slice(endpoint("10.0.0.1", "a")), {}, id="for the whole service"),
        pytest.param(endpoint_slice(endpoint("10.0.0.1"), version="v2"), V2, id="for addresses"),
        pytest.param(
            endpoint_slice(endpoint("10.0.0.1", "a")), {"version": "v2,a"}, id="for labels that none can have"
        ),
    ],
)
def test_pods_are_not_asked_for_where_they_tell_nothing(slices: Json, labels: dict[str, str]) -> None:
    with scripted(Script(endpointslices=[page(slices)])) as server:
        rest = Rest(Configuration(host=server.url))
        readiness(rest, Discovery(rest), REVIEWS, labels)

    assert [] == asked(server, PODS)


def test_of_what_is_no_service_nothing_is_asked() -> None:
    outside = Destination(Host("api.example.org"))
    with scripted(Script()) as server:
        rest = Rest(Configuration(host=server.url))
        found = readiness(rest, Discovery(rest), outside, {})

    assert Readiness(outside, 0, 0, "it is no Kubernetes service, so its endpoints cannot be counted") == found
    assert [] == server.requests


@pytest.mark.parametrize(
    ("pages", "resource"),
    [
        pytest.param({"endpointslices": [failure(403)]}, "endpointslices.discovery.k8s.io", id="slices"),
        pytest.param(
            {"endpointslices": [page(endpoint_slice(endpoint("10.0.0.1", "a")))], "pods": [failure(403)]},
            "pods",
            id="pods",
        ),
    ],
)
def test_a_missing_permission_is_no_error_but_an_answer(pages: dict[str, list[Answer]], resource: str) -> None:
    with scripted(Script(**pages)) as server:  # type: ignore[arg-type]
        rest = Rest(Configuration(host=server.url))
        found = readiness(rest, Discovery(rest), REVIEWS, V2)

    assert Readiness(REVIEWS, 0, 0, f"no permission to list {resource} in shop") == found


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param({"endpointslices": [failure(503)]}, id="no slices"),
        pytest.param({"endpointslices": [page(token="next"), failure(500)]}, id="half of the slices"),
        pytest.param({"endpointslices": [reply(200, {"metadata": {}, "items": "many"})]}, id="what is no list"),
        pytest.param(
            {"endpointslices": [page(endpoint_slice(endpoint("10.0.0.1", "a")))], "pods": [failure(504)]}, id="no pods"
        ),
    ],
)
def test_half_an_answer_is_none(pages: dict[str, list[Answer]]) -> None:
    with scripted(Script(**pages)) as server:  # type: ignore[arg-type]
        rest = Rest(Configuration(host=server.url))
        with pytest.raises(Unavailable):
            readiness(rest, Discovery(rest), REVIEWS, V2)


def test_a_version_that_is_served_no_more_is_looked_for_again() -> None:
    """Kubernetes 1.25 no longer serves v1beta1; a server may be updated under us."""
    script = Script(("v1beta1",), endpointslices=[failure(404), page(endpoint_slice(endpoint("10.0.0.1")))])
    with scripted(script) as server:
        rest = Rest(Configuration(host=server.url))
        discovery = Discovery(rest)
        with pytest.raises(Unavailable):
            readiness(rest, discovery, REVIEWS, {})
        script.versions = ("v1",)
        assert Readiness(REVIEWS, 1, 1) == readiness(rest, discovery, REVIEWS, {})

    assert 1 == len(asked(server, SLICES))
