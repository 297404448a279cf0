"""What DestinationRules say, where there are several, and where they are malformed."""

from typing import Any

import pytest

from remediator.traffic import subsets
from remediator.traffic.hosts import resolve
from remediator.traffic.subsets import Rules, Subset
from tests.builders import destination_rule

REVIEWS = resolve("reviews", "shop")
FQDN = str(REVIEWS)


def rules(*bodies: dict[str, Any]) -> Rules:
    return Rules(tuple(subsets.read(body) for body in bodies))


def created(body: dict[str, Any], at: str) -> dict[str, Any]:
    return body | {"metadata": body["metadata"] | {"creationTimestamp": at}}


def private(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"spec": body["spec"] | {"exportTo": ["."]}}


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        pytest.param((), None, id="no rule says nothing"),
        pytest.param((destination_rule("ratings", green="v2"),), None, id="another host's rule says nothing"),
        pytest.param((destination_rule(blue="v1"),), frozenset(), id="a rule without the subset: nothing is there"),
        pytest.param((destination_rule(green="v2"),), {"v2"}, id="its version"),
        pytest.param((destination_rule(green={"app": "x"}),), {None}, id="labels without a version"),
        pytest.param((destination_rule(FQDN, "other", green="v2"),), None, id="a stranger's namespace does not count"),
        pytest.param((destination_rule(FQDN, "istio-system", green="v2"),), {"v2"}, id="the root namespace counts"),
        pytest.param(
            (destination_rule(green="v2"), destination_rule(FQDN, "istio-system", green="v3")),
            {"v2"},
            id="the root namespace is not asked where the service's own has a rule",
        ),
        pytest.param(
            (private(destination_rule(green="v2")), destination_rule(FQDN, "istio-system", green="v3")),
            {"v2", "v3"},
            id="it depends on the client where that rule is private",
        ),
        pytest.param(
            (destination_rule("*.shop.svc.cluster.local", green="v1"), destination_rule(green="v2")),
            {"v2"},
            id="an exact host wins over a wildcard of its namespace",
        ),
        pytest.param(
            (
                destination_rule("*.local", green="v1"),
                destination_rule("*.shop.svc.cluster.local", name="narrow", green="v2"),
            ),
            {"v2"},
            id="the longer wildcard wins",
        ),
        pytest.param(
            (
                created(destination_rule(name="young", green="v3"), "2026-02-01T00:00:00Z"),
                created(destination_rule(name="old", green="v2"), "2026-01-01T00:00:00Z"),
            ),
            {"v2"},
            id="of two rules the older counts",
        ),
    ],
)
def test_versions_of_a_subset(bodies: tuple[dict[str, Any], ...], expected: set[str | None] | None) -> None:
    assert expected == rules(*bodies).versions(REVIEWS, "green", "shop")


def test_names_are_the_subsets_of_a_version() -> None:
    found = rules(destination_rule(blue="v1", green="v2", amber="v2"))
    assert ("green", "amber") == found.names(REVIEWS, "v2", "shop")
    assert {"v1", "v2"} == found.known_versions(REVIEWS, "shop")


def test_every_namespace_counts_for_a_host_outside_the_cluster() -> None:
    external = resolve("api.example.com", "shop")
    assert {"v2"} == rules(destination_rule("api.example.com", "egress", green="v2")).versions(
        external, "green", "shop"
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="an empty object"),
        pytest.param({"metadata": None, "spec": None}, id="nulls"),
        pytest.param({"spec": {"host": 1, "subsets": 2}}, id="numbers"),
        pytest.param({"spec": {"host": "reviews", "subsets": [None, {}, {"name": ""}, 1]}}, id="subsets of nothing"),
    ],
)
def test_a_malformed_rule_tells_nothing(body: dict[str, Any]) -> None:
    assert () == subsets.read(body).subsets


def test_the_first_label_that_is_there_counts() -> None:
    body = destination_rule(green={"app.kubernetes.io/version": "2.0", "service.istio.io/canonical-revision": "rev"})
    assert (Subset("green", "2.0"),) == subsets.read(body).subsets
