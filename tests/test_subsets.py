"""What DestinationRules say, where there are several, and where they are malformed."""

import json
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
    labels = (("app.kubernetes.io/version", "2.0"), ("service.istio.io/canonical-revision", "rev"))
    assert (Subset("green", "2.0", labels),) == subsets.read(body).subsets


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        pytest.param((), (), id="no rule: nothing is known"),
        pytest.param((destination_rule("ratings", green="v2"),), (), id="another host's rule: nothing is known"),
        pytest.param((destination_rule(blue="v1"),), (), id="a rule without the subset: nothing is there"),
        pytest.param((destination_rule(green="v2"),), ({"version": "v2"},), id="a version"),
        pytest.param(
            (destination_rule(green={"version": "v2", "app": "x"}),), ({"app": "x", "version": "v2"},), id="all of them"
        ),
        pytest.param((destination_rule(green={}),), ({},), id="a subset without labels: the whole service"),
        pytest.param(
            (private(destination_rule(green="v2")), destination_rule(FQDN, "istio-system", green="v3")),
            ({"version": "v2"}, {"version": "v3"}),
            id="it depends on the client where the service's rule is private",
        ),
        pytest.param(
            (
                private(destination_rule(green={"version": "v2", "app": "x"})),
                destination_rule(FQDN, "istio-system", green={"app": "x", "version": "v2"}),
            ),
            ({"app": "x", "version": "v2"},),
            id="the same of two rules once",
        ),
        pytest.param(
            (
                created(destination_rule(name="young", green="v3"), "2026-02-01T00:00:00Z"),
                created(destination_rule(name="old", green="v2"), "2026-01-01T00:00:00Z"),
            ),
            ({"version": "v2"},),
            id="of two rules of one namespace the older counts",
        ),
    ],
)
def test_labels_of_a_subset(bodies: tuple[dict[str, Any], ...], expected: tuple[dict[str, str], ...]) -> None:
    assert expected == tuple(map(dict, rules(*bodies).labels(REVIEWS, "green", "shop")))


def test_labels_that_are_no_text_are_what_they_look_like() -> None:
    """In a file, where YAML made a number of the version."""
    body = destination_rule(green={"version": 2})  # type: ignore[dict-item]
    assert (Subset("green", "2", (("version", "2"),)),) == subsets.read(body).subsets


def test_equal_words_of_many_rules_are_kept_once() -> None:
    first, second = (subsets.read(json.loads(json.dumps(destination_rule(green="v2")))).subsets[0] for _ in range(2))
    assert (first.name, first.version) == ("green", "v2")
    for one, other in zip((*first.labels[0], first.name), (*second.labels[0], second.name), strict=True):
        assert one is other
