"""VirtualService's JSON: read, checked, commented on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.traffic import virtualservice
from tests.builders import destination, split, virtual_service, when
from tests.strategies import spoil, virtual_services

Json = dict[str, Any]
HOST = "reviews.shop.svc.cluster.local"


@given(virtual_services(), st.data())
def test_nothing_malformed_makes_reading_raise(body: Json, data: st.DataObject) -> None:
    """Any value put in any place: read, hosts, delegates, faults and warnings still answer."""
    spoil(body, data)
    virtualservice.read(body)
    virtualservice.hosts(body)
    virtualservice.delegates(body)
    virtualservice.faults(body)
    virtualservice.warnings(body)


@given(virtual_services())
def test_generated_objects_have_no_faults_but_a_total_of_nothing(body: Json) -> None:
    assert () == virtualservice.faults(body)


def test_hosts_are_those_of_destinations_and_mirrors() -> None:
    body = virtual_service(
        {"route": split(v1=1), "mirror": destination(host="audit.ops.svc.cluster.local")},
        tcp=[{"route": [{"destination": destination(host="mongo")}]}],
        tls=[{"match": [{"sniHosts": ["x"]}], "route": [{"destination": destination(host="api.example.com")}]}],
    )
    assert {HOST, "audit.ops.svc.cluster.local", "mongo.shop.svc.cluster.local", "api.example.com"} == set(
        virtualservice.hosts(body)
    )


def test_delegates_default_to_the_roots_namespace() -> None:
    body = virtual_service({"delegate": {"name": "a"}}, {"delegate": {"name": "b", "namespace": "team"}})
    assert {("shop", "a"), ("team", "b")} == set(virtualservice.delegates(body))


@pytest.mark.parametrize(
    ("entry", "reachable"),
    [
        pytest.param({"route": split(v1=1)}, False, id="no match takes everything"),
        pytest.param({"match": [], "route": split(v1=1)}, False, id="an empty match takes everything"),
        pytest.param({"match": [{"uri": {"prefix": "/"}}], "route": split(v1=1)}, False, id="the prefix / does too"),
        pytest.param(
            {"match": [{"uri": {"prefix": "/api"}}], "route": split(v1=1)}, True, id="another prefix does not"
        ),
        pytest.param(
            {"match": [{"uri": {"prefix": "/"}, "headers": {"x": {"exact": "y"}}}], "route": split(v1=1)},
            True,
            id="the prefix / with a header does not",
        ),
        pytest.param(
            {"match": [{"uri": {"prefix": "/"}, "gateways": ["g"]}], "route": split(v1=1)},
            True,
            id="the prefix / at one gateway does not",
        ),
    ],
)
def test_what_stands_behind_a_route(entry: Json, reachable: bool) -> None:
    body = virtual_service(entry, {"route": split(v2=1)})
    assert (True, reachable) == tuple(route.reachable for route in virtualservice.read(body).routes)


ROUTE = {"route": split(v1=1)}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param(virtual_service(), "spec: one of http, tls and tcp is needed", id="no routes at all"),
        pytest.param(virtual_service({}), "spec.http[0]: one of route, redirect", id="an entry that does nothing"),
        pytest.param(virtual_service({"route": []}), "spec.http[0]: one of route", id="an empty route"),
        pytest.param(virtual_service(ROUTE | {"redirect": {"uri": "/"}}), "redirect and route exclude", id="both"),
        pytest.param(virtual_service(ROUTE | {"delegate": {"name": "x"}}), "delegate and route exclude", id="delegate"),
        pytest.param(
            virtual_service({"delegate": {"name": "x"}}, hosts=[]), "may not delegate further", id="delegate twice"
        ),
        pytest.param(virtual_service(ROUTE, hosts=[], gateways=["g"]), "spec.gateways: not allowed", id="gateways"),
        pytest.param(virtual_service(ROUTE, hosts=["a", "a"]), "a host is named twice", id="hosts twice"),
        pytest.param(virtual_service(ROUTE | {"mirrorPercent": 101}), "mirrorPercent: must be 0 to 100", id="101 %"),
        pytest.param(
            virtual_service(ROUTE | {"mirrorPercentage": {"value": -1}}), "mirrorPercentage.value: must", id="-1 %"
        ),
        pytest.param(virtual_service(ROUTE | {"mirrors": [{}]}), "mirrors[0].destination: is missing", id="no mirror"),
        pytest.param(virtual_service({"route": [None]}), "spec.http[0].route[0]: is null", id="a null destination"),
        pytest.param(virtual_service({"route": {"a": 1}}), "spec.http[0].route: must be a list", id="no list"),
        pytest.param(virtual_service({"route": [{"weight": 1}]}), "destination: is missing", id="no destination"),
        pytest.param(virtual_service({"route": [{"destination": {"host": "*"}}]}), "must name one host", id="any host"),
        pytest.param(
            virtual_service({"route": [{"destination": destination("Not_A_Label")}]}), "a DNS label", id="subset"
        ),
        pytest.param(
            virtual_service({"route": [{"destination": destination(port=70000)}]}), "1 to 65535", id="port number"
        ),
        pytest.param(virtual_service({"route": split(v1=0, v2=0)}), "the total weight is 0", id="no weight"),
        pytest.param(virtual_service({"route": split(v1=1, v2=-1)}), "-1 is below 0", id="a negative weight"),
        pytest.param(virtual_service(tcp=[{"match": []}]), "spec.tcp[0].route: is needed", id="tcp without route"),
        pytest.param(virtual_service(tls=[ROUTE]), "sniHosts are needed", id="tls without SNI"),
        pytest.param(virtual_service(tls=[None]), "spec.tls[0]: is null", id="a null tls route"),
        pytest.param(virtual_service(http={"a": 1}), "spec.http: must be a list", id="http is no list"),
    ],
)
def test_what_istio_refuses(body: Json, fault: str) -> None:
    assert fault in "\n".join(virtualservice.faults(body))


def test_a_wildcard_destination_is_one_that_istio_accepts() -> None:
    assert () == virtualservice.faults(virtual_service({"route": [{"destination": {"host": "*.example.com"}}]}))


def test_weight_beside_route_is_explained_with_the_right_form() -> None:
    body = virtual_service({"route": split(v1=None), "weight": 99}, {"route": split(v2=None), "weight": 1})
    first, second, unreachable = virtualservice.warnings(body)
    assert ("spec.http[0].weight", "spec.http[1].weight", "spec.http[1]") == (
        first.path,
        second.path,
        unreachable.path,
    )
    assert "the API server drops it" in first.meaning
    assert (
        "`route: [{destination: {host: reviews, subset: v1}, weight: 99}, "
        "{destination: {host: reviews, subset: v2}, weight: 1}]`"
    ) in first.fix
    assert "spec.http[0] takes everything that reaches it" in unreachable.meaning


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param(virtual_service(ROUTE | {"mirror_percentage": 1}), "spec.http[0].mirror_percentage", id="snake"),
        pytest.param(virtual_service({"route": split(v1=10)}), "spec.http[0].route[0].weight", id="a lone weight"),
        pytest.param(virtual_service(tcp=[ROUTE | {"weight": 5}]), "spec.tcp[0].weight", id="in tcp"),
    ],
)
def test_other_misunderstandings(body: Json, path: str) -> None:
    assert path in [warning.path for warning in virtualservice.warnings(body)]


def test_a_sound_object_has_no_warnings() -> None:
    body = virtual_service(when(route=split(v2=None)), {"route": split(v1=90, v2=10), "mirror": destination("v2")})
    assert () == virtualservice.warnings(body)
