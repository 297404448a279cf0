"""Names of services, resolved as Istio resolves them."""

import pytest

from remediator.traffic.hosts import resolve, service_namespace, short


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("reviews", "reviews.shop.svc.cluster.local", id="a short name is in the object's namespace"),
        pytest.param("Reviews", "reviews.shop.svc.cluster.local", id="names are compared in lower case"),
        pytest.param("reviews.prod.svc.cluster.local", "reviews.prod.svc.cluster.local", id="a full name stays"),
        pytest.param("reviews.prod.svc.corp.example", "reviews.prod.svc.cluster.local", id="another cluster domain"),
        pytest.param("reviews.prod", "reviews.prod", id="a dotted name is never expanded"),
        pytest.param("reviews.prod.svc", "reviews.prod.svc", id="not even this one"),
        pytest.param(
            "reviews.prod.svc.clusterset.local", "reviews.prod.svc.clusterset.local", id="a multi-cluster name"
        ),
        pytest.param("api.example.com", "api.example.com", id="a host outside the cluster"),
        pytest.param("10.0.0.1", "10.0.0.1", id="an IPv4 address"),
        pytest.param("::1", "::1", id="an IPv6 address, which has no dot"),
        pytest.param("*", "*", id="everything"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_resolve(host: str, expected: str) -> None:
    assert expected == resolve(host, "shop")


@pytest.mark.parametrize(
    ("host", "namespace", "said"),
    [
        pytest.param("reviews", "shop", "reviews.shop", id="a service"),
        pytest.param("api.example.com", None, "api.example.com", id="a host outside the cluster"),
        pytest.param(
            "reviews.prod.svc.clusterset.local", None, "reviews.prod.svc.clusterset.local", id="a multi-cluster service"
        ),
    ],
)
def test_namespace_and_short_form(host: str, namespace: str | None, said: str) -> None:
    resolved = resolve(host, "shop")
    assert (namespace, said) == (service_namespace(resolved), short(resolved))
