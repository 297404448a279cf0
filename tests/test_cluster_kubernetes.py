"""The Kubernetes adapter on a real kube-apiserver: the contract, permissions, namespaces."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest

from remediator.cluster.credentials import credentials
from remediator.cluster.kubernetes import KubernetesCluster
from remediator.cluster.rest import Rest
from remediator.errors import Forbidden, NotSynced, Rejected, Unauthenticated, Unavailable
from remediator.guards.stable_ready import Readiness
from remediator.traffic.hosts import Host
from remediator.traffic.patch import Edit
from remediator.traffic.view import Destination, RouteChange
from tests.builders import Json, destination, destination_rule, endpoint, endpoint_slice, pod, split, virtual_service
from tests.contract import (
    REF,
    REVIEWS,
    ClusterContract,
    canary,
    edit_elsewhere,
    manifest,
    names,
    rule_names,
    seen,
    withdrawal,
)
from tests.definitions import ISTIO_WITHOUT_V1
from tests.processes import Missing, wait_until
from tests.real_world import QUICK, RealWorld, Start, cleared, may_read, path_of, rest_of
from tests.servers import ApiServer, running_api_server
from tests.service import PERMISSIONS

pytestmark = pytest.mark.servers


@pytest.fixture
def world(start: Start) -> RealWorld:
    made = start()
    made.eventually(lambda: made.cluster.health().synced)
    return made


class TestContract(ClusterContract):
    """On the newest CRDs: v1."""


@pytest.fixture(scope="module")
def old_server() -> Iterator[ApiServer]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_api_server(ISTIO_WITHOUT_V1))
        except Missing as missing:
            pytest.skip(str(missing))
        yield server


class TestContractWithoutV1(ClusterContract):
    """On the CRDs of Istio 1.21, which know no v1."""

    @pytest.fixture
    def world(self, old_server: ApiServer) -> Iterator[RealWorld]:
        cleared(old_server)
        cluster = KubernetesCluster(rest_of(old_server), pace=QUICK)
        cluster.start()
        made = RealWorld(old_server, cluster)
        made.eventually(lambda: cluster.health().synced)
        yield made
        cluster.stop()

    def test_asks_for_the_newest_version_there_is(self, world: RealWorld) -> None:
        assert seen(world, canary()).body["apiVersion"] == "networking.istio.io/v1beta1"


# What the server says


def test_asks_for_v1_where_it_is_served(world: RealWorld) -> None:
    assert seen(world, canary()).body["apiVersion"] == "networking.istio.io/v1"


def test_the_schema_rejects_and_says_where(world: RealWorld) -> None:
    before = seen(world, canary())
    edits = (Edit(("spec", "http", 1, "route", 0, "weight"), 90, "ninety"),)
    with pytest.raises(Rejected, match=r"spec\.http.*weight"):
        world.cluster.patch(REF, withdrawal(before, edits=edits))


def test_a_precondition_on_a_text_with_escapes_holds(world: RealWorld) -> None:
    """A `test` compares text: encode writes what the server would."""
    body = canary()
    text = 'ä<&>\u2028\\"/'
    body["spec"]["http"][1]["headers"]["request"]["set"]["x-ä/~"] = text
    before = seen(world, body)
    expects = ((("spec", "http", 1, "headers", "request", "set", "x-ä/~"), text),)
    world.cluster.patch(REF, withdrawal(before, expects=expects))


def test_we_are_named_as_the_writer(world: RealWorld) -> None:
    world.cluster.patch(REF, withdrawal(seen(world, canary())))
    body = world.server.request("GET", path_of(REF))
    assert "remediator" in {entry["manager"] for entry in body["metadata"]["managedFields"]}


def test_it_knows_who_changed_the_routes_last(world: RealWorld) -> None:
    def write(manager: str, change: Callable[[Json], Any]) -> RouteChange:
        """Let somebody change the object; what the server notes of them."""
        body = world.server.request("GET", path_of(REF))
        change(body)
        after = world.server.request("PUT", f"{path_of(REF)}?fieldManager={manager}", body)
        (at,) = [entry["time"] for entry in after["metadata"]["managedFields"] if entry["manager"] == manager]
        return RouteChange(datetime.fromisoformat(at), manager)

    def known(expected: RouteChange | None) -> None:
        assert expected == world.cluster.read(REF).changed
        world.eventually(lambda: [expected] == [found.changed for found in world.cluster.routing_to(REVIEWS)])

    def reroute(body: Json) -> None:
        body["spec"]["http"][1]["timeout"] = "7s"

    body = canary()
    del body["spec"]["tcp"]  # or its writer would own routes for ever
    created = datetime.fromisoformat(seen(world, body).body["metadata"]["creationTimestamp"])
    known(RouteChange(created, "Python-urllib"))
    write("labeller", edit_elsewhere)
    known(RouteChange(created, "Python-urllib"))
    known(write("kubectl-edit", reroute))
    answer = world.cluster.patch(REF, withdrawal(world.cluster.read(REF)))
    assert answer.changed is None, "nobody but us has written them since"
    known(None)
    known(write("argocd-controller", lambda body: body["spec"]["http"].pop(1)))


@pytest.mark.parametrize(
    ("lacking", "resource"),
    [
        pytest.param("endpointslices", "endpointslices.discovery.k8s.io", id="slices"),
        pytest.param("pods", "pods", id="pods"),
    ],
)
def test_without_the_permission_to_count_endpoints_it_says_which(
    start: Start, api_server: ApiServer, lacking: str, resource: str
) -> None:
    world = start("guest")
    world.create(endpoint_slice(endpoint("10.0.0.1", "a")))
    allowed = [rule for rule in PERMISSIONS if lacking not in rule["resources"]]
    api_server.allow("guest", *allowed)
    destination = Destination(REVIEWS, "v2")
    expected = Readiness(destination, 0, 0, f"no permission to list {resource} in shop")
    # What a role allows counts a moment later.
    world.eventually(lambda: expected == world.cluster.readiness(destination, {"version": "v2"}))


def test_the_permissions_that_it_asks_for_are_enough(start: Start, api_server: ApiServer) -> None:
    api_server.allow("guest", *PERMISSIONS)
    world = start("guest")
    world.create(pod("a", version="v2"))
    world.create(endpoint_slice(endpoint("10.0.0.1", "a")))
    destination = Destination(REVIEWS, "v2")
    world.eventually(lambda: Readiness(destination, 1, 1) == world.cluster.readiness(destination, {"version": "v2"}))
    world.eventually(lambda: not world.cluster.health().routing_fault)


def test_without_a_permission_it_says_which(start: Start, api_server: ApiServer) -> None:
    api_server.allow("guest")
    world = start("guest")
    missing = "no permission to list virtualservices"
    wait_until(lambda: missing in world.cluster.health().detail, "the reason is said", timeout=10)
    with pytest.raises(NotSynced, match=r"no permission to list virtualservices\.networking\.istio\.io: .*guest"):
        world.cluster.routing_to(REVIEWS)
    api_server.allow("guest", may_read("VirtualService", "DestinationRule", "Namespace", "Remediation", "Pause"))
    world.eventually(lambda: world.cluster.health().synced)
    world.create(canary())
    world.eventually(lambda: names(world) == {"reviews"})
    (found,) = world.cluster.routing_to(REVIEWS)
    with pytest.raises(Forbidden) as caught:
        world.cluster.patch(REF, withdrawal(found))
    assert ("patch", "virtualservices.networking.istio.io") == (caught.value.verb, caught.value.resource)
    with pytest.raises(Forbidden, match="no permission to get virtualservices"):
        world.cluster.read(REF)


def test_a_token_that_nobody_knows(api_server: ApiServer) -> None:
    configuration = credentials(str(api_server.kubeconfig()), None)
    configuration.refresh_api_key_hook = None
    configuration.api_key = {"BearerToken": "Bearer unknown"}
    with pytest.raises(Unauthenticated):
        KubernetesCluster(Rest(configuration)).read(REF)


def test_without_istio_it_says_so(api_server: ApiServer) -> None:
    with running_api_server(None) as bare:
        cluster = KubernetesCluster(rest_of(bare), pace=QUICK)
        cluster.start()
        try:
            wait_until(lambda: "not installed" in cluster.health().detail, "reason said", timeout=10)
            assert not cluster.health().synced
            with pytest.raises(Unavailable, match="Istio's CRDs are not installed"):
                cluster.read(REF)
        finally:
            cluster.stop()


# Namespaces


def test_names_are_watched_one_by_one_with_a_role_in_each(start: Start, api_server: ApiServer) -> None:
    api_server.allow("guest", may_read("Pause"), may_read("Namespace") | {"resourceNames": ["shop"]})
    api_server.namespace("shop", "istio-system")
    api_server.allow("guest", may_read("VirtualService", "DestinationRule", "Remediation"), namespace="shop")
    api_server.allow("guest", may_read("DestinationRule"), namespace="istio-system")
    world = start("guest", namespaces=("shop",))
    world.eventually(lambda: world.cluster.health().synced)
    elsewhere = canary()
    elsewhere["metadata"]["namespace"] = "web"
    world.create(elsewhere)
    world.create(canary())
    world.eventually(lambda: len(world.cluster.routing()) == 1)
    world.delete(REF)
    world.eventually(lambda: not world.cluster.routing())


def test_with_names_too_it_needs_to_read_the_rules_of_the_root_namespace(start: Start, api_server: ApiServer) -> None:
    """A rule that may not be read would pass for one that is not there."""
    api_server.allow("guest", may_read("Pause", "Namespace"))
    api_server.namespace("shop", "istio-system")
    api_server.allow("guest", may_read("VirtualService", "DestinationRule", "Remediation"), namespace="shop")
    api_server.allow("guest", namespace="istio-system")
    world = start("guest", namespaces=("shop",))
    missing = (
        r"destinationrules\.networking\.istio\.io in istio-system not listed yet: no permission to list .*"
        r"; grant list and watch by a Role in istio-system \(remediator schema --rbac"
    )
    wait_until(lambda: re.search(missing, world.cluster.health().detail), "permission named", timeout=10)
    with pytest.raises(NotSynced, match=missing):
        world.cluster.routing_to(REVIEWS)


def test_what_namespaces_say_of_the_mode_has_to_be_known(start: Start, api_server: ApiServer) -> None:
    """One that may not be read could say Off."""
    api_server.allow("guest", may_read("VirtualService", "DestinationRule", "Remediation", "Pause"))
    world = start("guest")
    missing = "namespaces in the whole cluster not listed yet: no permission to list namespaces: "
    wait_until(lambda: missing in world.cluster.health().detail, "permission named", timeout=10)
    with pytest.raises(NotSynced, match=missing):
        world.cluster.routing_to(REVIEWS)
    assert missing in world.cluster.health().routing_fault


@pytest.mark.parametrize("namespaces", [pytest.param(("shop",), id="a name"), pytest.param(("sho?",), id="a glob")])
def test_a_rule_of_the_root_namespace_counts_though_it_is_not_named(start: Start, namespaces: tuple[str, ...]) -> None:
    """Here v2 is the name of the good version's subset; by its name alone it would be the accused one."""
    world = start(namespaces=namespaces)
    world.create(manifest(destination_rule(REVIEWS, namespace="istio-system", name="mesh", v2="v1", green="v2")))
    world.create(manifest(destination_rule(REVIEWS, namespace="web", name="clients", v2="v3")))
    seen(world, canary())
    world.eventually(lambda: "mesh" in rule_names(world))
    for found in (*world.cluster.routing_to(REVIEWS), world.cluster.read(REF)):
        assert frozenset({"v1"}) == found.rules.versions(REVIEWS, "v2", "shop")
        assert frozenset({"v2"}) == found.rules.versions(REVIEWS, "green", "shop")


def test_a_host_of_a_namespace_that_is_not_watched_is_not_told_by_what_is(start: Start) -> None:
    world = start(namespaces=("shop",))
    bank = Host("reviews.bank.svc.cluster.local")
    world.create(manifest(destination_rule(bank, namespace="bank", name="its-own", v2="v1")))
    world.create(manifest(destination_rule(bank, namespace="istio-system", name="mesh", v2="v2")))
    body = canary()
    body["spec"]["http"][1]["route"] = split(bank, v1=90, v2=10)
    world.create(body)
    world.eventually(lambda: "mesh" in {rule.name for found in world.cluster.routing() for rule in found.rules.rules})
    for found in (*world.cluster.routing_to(bank), world.cluster.read(REF)):
        assert frozenset({"v2", None}) == found.rules.versions(bank, "v2", "shop")
        assert "namespace bank" == found.rules.sight.unseen(bank)


@pytest.mark.parametrize(
    ("namespaces", "off"),
    [
        pytest.param((), False, id="all are watched"),
        pytest.param(("shop",), True, id="a name"),
        pytest.param(("sho?",), True, id="a glob"),
    ],
)
def test_a_delegate_whose_root_may_be_elsewhere_keeps_a_mirror_of_its_own(
    start: Start, namespaces: tuple[str, ...], off: bool
) -> None:
    world = start(namespaces=namespaces)
    body = virtual_service({"route": split(v1=90, v2=10), "mirror": destination("v2")}, hosts=[])
    world.create(manifest(body))
    world.eventually(world.cluster.routing)
    for found in (*world.cluster.routing(), world.cluster.read(REF)):
        assert off is found.routing.routes[0].mirrors_switch_off


def test_a_glob_sees_what_it_matches(start: Start) -> None:
    world = start(namespaces=("shop*", "web"))
    for namespace in ("bank", "web", "shop-2", "shop"):
        body = canary()
        body["metadata"]["namespace"] = namespace
        world.create(body)
    world.eventually(lambda: len(world.cluster.routing()) == 3)
    assert {"shop", "shop-2", "web"} == {found.routing.ref.namespace for found in world.cluster.routing()}
