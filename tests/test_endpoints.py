"""Which endpoints of a service a subset's labels select, and how many of them are ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from remediator.cluster.endpoints import NO_PODS, counted, counted_in, pods_wanted, selected, selector, service
from remediator.guards.stable_ready import Readiness
from remediator.traffic.hosts import Host, resolve
from remediator.traffic.view import Destination
from tests.builders import Json, endpoint, endpoint_slice, pod
from tests.strategies import json_values

REVIEWS = Destination(resolve("reviews", "shop"), "v2", 9080)
V2 = {"version": "v2"}
NO_SERVICE = "it is no Kubernetes service, so its endpoints cannot be counted"

two = (endpoint("10.0.0.1", ready=True), endpoint("10.0.0.2", ready=False))


def of_pods(**ready: bool) -> list[Json]:
    """Endpoints of pods of these names."""
    return [endpoint(f"10.0.0.{number}", name, ready=is_ready) for number, (name, is_ready) in enumerate(ready.items())]


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        pytest.param((), (0, 0), id="no slice: none"),
        pytest.param((endpoint_slice(),), (0, 0), id="an empty slice: none"),
        pytest.param((endpoint_slice(*two),), (1, 2), id="ready and not ready"),
        pytest.param((endpoint_slice(endpoint("10.0.0.1")),), (1, 1), id="nothing said of it: ready"),
        pytest.param((endpoint_slice(endpoint("10.0.0.1", ready=None)),), (1, 1), id="null said of it: ready"),
        pytest.param(
            (endpoint_slice({"addresses": ["10.0.0.1"]}),), (1, 1), id="without conditions: ready, as nothing is said"
        ),
        pytest.param(
            (endpoint_slice(endpoint("10.0.0.1", ready=False, serving=True, terminating=True)),),
            (0, 1),
            id="terminating: not ready, though it serves",
        ),
        pytest.param(
            (endpoint_slice(two[0]), endpoint_slice(two[1], name="reviews-2")), (1, 2), id="in more slices than one"
        ),
        pytest.param(
            (endpoint_slice(*of_pods(a=True)), endpoint_slice(endpoint("fd00::1", "a", ready=True), name="reviews-2")),
            (1, 1),
            id="a pod with an address of each family: once",
        ),
        pytest.param(
            (endpoint_slice(*of_pods(a=False)), endpoint_slice(endpoint("fd00::1", "a", ready=True), name="reviews-2")),
            (1, 1),
            id="ready in one of its slices: ready",
        ),
        pytest.param((endpoint_slice(two[0], two[0]),), (1, 1), id="an address twice: once"),
        pytest.param(
            (endpoint_slice(*of_pods(a=True, b=True), two[0]),), (3, 3), id="pods, and an address that is none of them"
        ),
    ],
)
def test_all_endpoints_of_a_service(slices: tuple[Json, ...], expected: tuple[int, int]) -> None:
    assert Readiness(REVIEWS, *expected) == counted(REVIEWS, slices, {})


def test_pods_of_one_name_are_told_apart_by_their_uid() -> None:
    """A StatefulSet's pod that is gone, and the one that comes after it."""
    old, new = endpoint("10.0.0.1", "a", ready=False), endpoint("10.0.0.2", "a", ready=True)
    old["targetRef"]["uid"], new["targetRef"]["uid"] = "1", "2"

    assert Readiness(REVIEWS, 1, 2) == counted(REVIEWS, [endpoint_slice(old, new)], {})


@pytest.mark.parametrize(
    ("slices", "pods", "expected"),
    [
        pytest.param((endpoint_slice(*of_pods(a=True, b=False, c=True)),), ("a", "b"), (1, 2), id="its pods only"),
        pytest.param((endpoint_slice(*of_pods(a=True)),), (), (0, 0), id="none of its pods"),
        pytest.param((endpoint_slice(*two, version="v2"),), (), (1, 2), id="addresses whose slice has the labels"),
        pytest.param((endpoint_slice(*two, version="v1"),), (), (0, 0), id="addresses whose slice has others"),
        pytest.param((endpoint_slice(*two),), (), (0, 0), id="addresses whose slice has none"),
        pytest.param(
            (endpoint_slice(*of_pods(a=True, b=True), version="v2"),),
            ("a",),
            (1, 1),
            id="a pod by its own labels, whatever the slice has from the Service",
        ),
        pytest.param(
            (endpoint_slice(*of_pods(a=False), two[0], version="v2"),), ("a",), (1, 2), id="pods and addresses together"
        ),
    ],
)
def test_the_endpoints_of_a_subset(slices: tuple[Json, ...], pods: tuple[str, ...], expected: tuple[int, int]) -> None:
    assert Readiness(REVIEWS, *expected) == counted(REVIEWS, slices, V2, pods)


@pytest.mark.parametrize(
    ("slices", "labels", "expected"),
    [
        pytest.param((endpoint_slice(*of_pods(a=True)),), V2, True, id="for a subset's pods"),
        pytest.param((endpoint_slice(*of_pods(a=True)),), {}, False, id="not for the whole service"),
        pytest.param((endpoint_slice(*two),), V2, False, id="not for addresses"),
        pytest.param((endpoint_slice(),), V2, False, id="not for nothing"),
    ],
)
def test_pods_are_asked_for_only_where_they_tell_something(
    slices: tuple[Json, ...], labels: Mapping[str, str], expected: bool
) -> None:
    assert expected == pods_wanted(slices, labels)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({"version": "v2"}, "version=v2", id="one"),
        pytest.param(
            {"app.kubernetes.io/version": "2.0_a-b", "app": ""}, "app.kubernetes.io/version=2.0_a-b,app=", id="several"
        ),
        pytest.param({}, "", id="none"),
        pytest.param({"version": "v2,app"}, None, id="a comma, which would be two conditions"),
        pytest.param({"version": "a" * 64}, None, id="longer than a label may be"),
        pytest.param({"version in (a)": "v2"}, None, id="a key that is an expression"),
        pytest.param({"version": "v2\n"}, None, id="a line feed at its end"),
    ],
)
def test_the_selector_for_labels(labels: Mapping[str, str], expected: str | None) -> None:
    assert expected == selector(labels)


def test_the_objects_that_have_all_of_the_labels() -> None:
    objects = [pod("a", version="v2", app="x"), pod("b", version="v2"), pod("c", version="v1", app="x"), {}]
    assert frozenset({"a"}) == selected(objects, V2 | {"app": "x"})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("reviews.shop.svc.cluster.local", ("shop", "reviews"), id="a service"),
        pytest.param("api.example.org", None, id="a host outside"),
        pytest.param("reviews.shop.svc.clusterset.local", None, id="a service of many clusters"),
        pytest.param("10.0.0.1", None, id="an address"),
        pytest.param("*", None, id="all hosts"),
    ],
)
def test_the_service_of_a_host(host: str, expected: tuple[str, str] | None) -> None:
    assert expected == service(Host(host))


class TestAFolder:
    @pytest.mark.parametrize(
        ("slices", "pods", "expected"),
        [
            pytest.param((endpoint_slice(*two, version="v2"),), (), (1, 2), id="by the slices"),
            pytest.param(
                (endpoint_slice(*of_pods(a=True, b=True)),),
                (pod("a", version="v2"), pod("b", version="v1")),
                (1, 1),
                id="by the pods",
            ),
            pytest.param(
                (endpoint_slice(*of_pods(a=True)),),
                (pod("a", namespace="web", version="v2"),),
                (0, 0),
                id="not by a pod of that name elsewhere",
            ),
            pytest.param(
                (endpoint_slice(*two, service="ratings", version="v2"),), (), (0, 0), id="not another service's"
            ),
            pytest.param(
                (endpoint_slice(*two, namespace="web", version="v2"),), (), (0, 0), id="not those of one elsewhere"
            ),
        ],
    )
    def test_is_asked_as_a_cluster_is(
        self, slices: tuple[Json, ...], pods: tuple[Json, ...], expected: tuple[int, int]
    ) -> None:
        assert Readiness(REVIEWS, *expected) == counted_in(slices, pods, REVIEWS, V2)

    def test_without_slices_says_nothing(self) -> None:
        assert counted_in((), (pod("a", version="v2"),), REVIEWS, V2) is None

    def test_says_that_a_host_outside_cannot_be_counted(self) -> None:
        outside = Destination(Host("api.example.org"))
        assert Readiness(outside, 0, 0, NO_SERVICE) == counted_in((endpoint_slice(),), (), outside, {})

    def test_without_pods_a_slice_speaks_for_its_endpoints(self) -> None:
        found = endpoint_slice(endpoint("10.0.0.1", "a", ready=True), endpoint("10.0.0.2", "b", ready=False))
        found["metadata"]["labels"]["version"] = "v2"
        assert Readiness(REVIEWS, 1, 2) == counted_in((found,), (), REVIEWS, V2)

    def test_without_pods_and_labels_nobody_knows(self) -> None:
        found = endpoint_slice(endpoint("10.0.0.1", "a", ready=True))
        assert Readiness(REVIEWS, 0, 0, NO_PODS) == counted_in((found,), (), REVIEWS, V2)

    def test_takes_a_number_for_the_text_that_was_meant(self) -> None:
        """YAML reads `version: 2` as one, and so does the DestinationRule's."""
        found = endpoint_slice(*two)
        found["metadata"]["labels"]["version"] = 2
        assert Readiness(REVIEWS, 1, 2) == counted_in((found,), (), REVIEWS, {"version": "2"})


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(None, id="nothing"),
        pytest.param({}, id="an empty one"),
        pytest.param({"addresses": []}, id="no address"),
        pytest.param({"addresses": "10.0.0.3"}, id="addresses that are no list"),
        pytest.param({"targetRef": {"kind": "Pod"}}, id="a pod without a name"),
    ],
)
def test_an_endpoint_that_leads_nowhere_is_none(broken: Any) -> None:
    assert Readiness(REVIEWS, 1, 2) == counted(REVIEWS, [endpoint_slice(*two, broken)], {})


def test_what_is_neither_ready_nor_unknown_is_not_ready() -> None:
    odd = {"addresses": ["10.0.0.3"], "conditions": {"ready": "true"}}
    assert Readiness(REVIEWS, 1, 3) == counted(REVIEWS, [endpoint_slice(*two, odd)], {})


@given(json_values, json_values)
def test_malformed_slices_and_pods_never_raise(anything: Any, more: Any) -> None:
    slices = [endpoint_slice(anything), {"endpoints": anything, "metadata": {"labels": more}}]
    found = counted_in(slices, [{"metadata": {"labels": anything, "name": more}}], REVIEWS, V2)
    assert isinstance(found, Readiness)
