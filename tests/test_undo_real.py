"""The way back on a real kube-apiserver: the operations as a person would send them, and as the service does."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable
from typing import Any

import pytest

from remediator.cluster.inventory import lean
from remediator.policies.model import Action, MirrorScope
from remediator.traffic import subsets, undo, virtualservice
from remediator.traffic.hosts import resolve
from remediator.traffic.patch import Operation
from remediator.traffic.proposal import propose
from remediator.traffic.stamp import stamp, stamp_of
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Suspect
from tests.builders import Json, destination, destination_rule, split, virtual_service, when
from tests.contract import LAST_APPLIED, REF, canary, content, manifest
from tests.real_world import cleared, collection_of, path_of
from tests.servers import ApiServer

pytestmark = pytest.mark.servers

JSON_PATCH = "application/json-patch+json"
RULES = Rules((subsets.read(destination_rule(v1="v1", v2="v2", v3="v3")),))
V2 = Demand(Suspect(resolve("reviews", "shop"), "v2"), frozenset(Action), MirrorScope.SUSPECT, "v1")


@pytest.fixture
def server(api_server: ApiServer) -> ApiServer:
    cleared(api_server)
    api_server.namespace("shop")
    return api_server


def read(server: ApiServer) -> Json:
    body = server.request("GET", path_of(REF))
    del body["metadata"]["managedFields"]
    return body


def send(server: ApiServer, operations: Any) -> None:
    server.request("PATCH", path_of(REF), operations, content_type=JSON_PATCH)


def refusal(server: ApiServer, operations: Any) -> int:
    """The status with which the server refuses these."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        send(server, operations)
    with refused.value as answer:
        return int(answer.code)


def withdrawn(server: ApiServer, body: Json) -> tuple[Json, tuple[Operation, ...]]:
    """Create the object and take v2's traffic away. Returns what it was, and the way back as a record keeps it."""
    server.request("POST", collection_of("VirtualService", "shop"), body)
    before = read(server)
    patch = propose(before, virtualservice.read(before), RULES, (V2,)).patch
    assert patch is not None
    patch = stamp(patch, before, "canary-1")
    send(server, patch.operations)
    return before, tuple(json.loads(json.dumps(undo.make(before, patch))))


BODIES = (
    pytest.param(canary(), id="weights, a mirror with its percentage, annotations of others"),
    pytest.param(canary(annotations={}), id="no annotations"),
    pytest.param(canary(annotations={"remediator.io/remediation": "canary-0"}), id="an older remediation's annotation"),
    pytest.param(
        manifest(
            virtual_service(
                when(
                    route=split(v1=None, v2=10),
                    mirrors=[
                        {"destination": destination("v2"), "percentage": {"value": 0.5}},
                        {"destination": destination("v3"), "percentage": {"value": 100}},
                        {"destination": destination("v2", port=8080)},
                    ],
                ),
                {"route": split(v1=100), "mirrors": [{"destination": destination("v2")}]},
                tcp=[{"match": [{"port": 9000}], "route": split(v2=None)}],
            )
        ),
        id="elements of a list of mirrors, a whole list, a weight that was not there, a subset",
    ),
    pytest.param(
        manifest(virtual_service({"delegate": {"name": "other"}, "mirror": destination("v2"), "mirrorPercent": 7})),
        id="a mirror beside a delegate",
    ),
)


@pytest.mark.parametrize("body", BODIES)
def test_the_operations_restore_the_object(server: ApiServer, body: Json) -> None:
    """As `kubectl patch --type=json` sends them, after somebody has changed something else."""
    before, operations = withdrawn(server, body)
    label = [{"op": "add", "path": "/metadata/labels", "value": {"app": "reviews"}}]
    send(server, label)
    before["metadata"]["labels"] = {"app": "reviews"}

    send(server, operations)

    assert content(before) == content(read(server))
    assert undo.is_undone(operations, read(server))


@pytest.mark.parametrize("body", BODIES)
def test_the_patch_restores_the_object(server: ApiServer, body: Json) -> None:
    before, operations = withdrawn(server, body)
    live = read(server)
    assert () == undo.differences(operations, live)

    send(server, undo.patch(operations, live).operations)

    assert content(before) == content(read(server))


def test_an_annotation_that_the_index_does_not_show_stays(server: ApiServer) -> None:
    """`kubectl apply` wrote it, and needs it for the next one."""
    body = canary(annotations={LAST_APPLIED: "{}"})
    server.request("POST", collection_of(REF.kind, REF.namespace), body)
    shown = lean(read(server))
    patch = propose(shown, virtualservice.read(shown), RULES, (V2,)).patch
    assert patch is not None
    patch = stamp(patch, shown, "canary-1")
    send(server, patch.operations)

    send(server, undo.patch(undo.make(shown, patch), lean(read(server))).operations)

    assert {LAST_APPLIED: "{}"} == read(server)["metadata"]["annotations"]


def weight(entry: Json) -> None:
    entry["route"][1]["weight"] = 5


def other_match(entry: Json) -> None:
    entry["match"] = [{"port": 80}]


def other_mirrors(entry: Json) -> None:
    entry["mirrors"] = [{"destination": destination("v3")}]


def less(entry: Json) -> None:
    del entry["route"][0]["weight"]


CHANGES = (
    pytest.param(lambda http: weight(http[1]), id="a weight"),
    pytest.param(lambda http: less(http[1]), id="a weight is gone"),
    pytest.param(lambda http: http[1].update(name="rest"), id="the route's name"),
    pytest.param(lambda http: other_match(http[1]), id="the route's match"),
    pytest.param(lambda http: http[1].update(mirror=destination("v3")), id="another mirror"),
    pytest.param(lambda http: other_mirrors(http[1]), id="mirrors in the other form"),
    pytest.param(lambda http: http[1]["route"][0].update(headers={"request": {"set": {"a": "b"}}}), id="a header"),
    pytest.param(lambda http: http.reverse(), id="the order of the routes"),
    pytest.param(lambda http: http.insert(0, when("new", route=split(v1=100))), id="a route before it"),
    pytest.param(lambda http: http.pop(), id="the route is gone"),
)


@pytest.mark.parametrize("change", CHANGES)
def test_the_server_and_we_see_the_same_changes(server: ApiServer, change: Callable[[list[Json]], Any]) -> None:
    _, operations = withdrawn(server, canary())
    live = read(server)
    change(live["spec"]["http"])
    server.request("PUT", path_of(REF), live)
    live = read(server)

    assert 422 == refusal(server, operations)
    assert undo.differences(operations, live)
    assert live == read(server)


def test_the_operations_are_refused_where_a_later_remediation_has_signed(server: ApiServer) -> None:
    """They cannot leave the annotation alone, as the service does."""
    before, operations = withdrawn(server, canary())
    send(server, [{"op": "add", "path": "/metadata/annotations/remediator.io~1remediation", "value": "canary-2"}])

    assert 422 == refusal(server, operations)

    send(server, undo.patch(operations, read(server)).operations)
    assert before["spec"] == read(server)["spec"]
    assert "canary-2" == stamp_of(read(server))
