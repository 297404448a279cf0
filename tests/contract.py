"""What every adapter of the cluster port must do, as tests. An adapter's own test module subclasses `ClusterContract`
and has a fixture `world`."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import ClusterError, Conflict, NotFound, Rejected
from remediator.guards.stable_ready import Readiness
from remediator.outcome import TargetRef
from remediator.traffic.hosts import Host
from remediator.traffic.patch import ABSENT, Edit, Patch
from remediator.traffic.subsets import DestinationRule
from remediator.traffic.view import Destination
from tests.builders import (
    Json,
    by_host,
    destination,
    destination_rule,
    endpoint,
    endpoint_slice,
    namespace,
    pod,
    split,
    virtual_service,
    when,
)

REVIEWS = Host("reviews.shop.svc.cluster.local")
REF = TargetRef("VirtualService", "shop", "reviews")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# What the server counts, and not what anybody wrote.
_COUNTED = ("resourceVersion", "generation")


class World(Protocol):
    """A cluster in which only the test's own objects are, and somebody else who changes them."""

    @property
    def cluster(self) -> Cluster:
        """The adapter: started, synced."""

    def create(self, body: Json) -> None:
        """Create the object, its namespace too. `body` has neither uid nor resourceVersion."""

    def edit(self, ref: TargetRef, change: Callable[[Json], Any]) -> None:
        """Let `change` alter the object's JSON in place, and store it. What `change` returns is not used."""

    def delete(self, ref: TargetRef) -> None:
        """Delete the object."""

    def eventually(self, condition: Callable[[], object]) -> object:
        """Wait until `condition` gives something true, and return it. Fails when a deadline is over."""


def manifest(body: Json) -> Json:
    """A builder's object as one creates it: without what the server fills in, in a version that all CRDs serve."""
    result = copy.deepcopy(body) | {"apiVersion": "networking.istio.io/v1beta1"}
    for key in ("uid", "resourceVersion"):
        result["metadata"].pop(key, None)
    return result


def canary(**metadata: Any) -> Json:
    """`reviews`, 10 % of it on v2, with fields around that nobody may touch."""
    body = virtual_service(
        when(route=split(v2=100), timeout="5s"),
        {
            "name": "main",
            "route": split(v1=90, v2=10),
            "mirror": destination("v2"),
            "mirrorPercentage": {"value": 12.5},
            "headers": {"request": {"set": {"x-ä/~": "yes"}}},
            "retries": {"attempts": 3, "perTryTimeout": "2s"},
        },
        tcp=[{"match": [{"port": 9000}], "route": split(v1=100)}],
        exportTo=["."],
    )
    result = manifest(body)
    result["metadata"] |= {"labels": {"app": "reviews"}, "annotations": {LAST_APPLIED: "{}", "team": "shop"}} | metadata
    return result


def withdrawal(snapshot: Snapshot, **wrong: Any) -> Patch:
    """The patch that takes the canary's weight and mirror away; `wrong` are fields to get wrong."""
    http = ("spec", "http", 1)
    fields: dict[str, Any] = {
        "uid": snapshot.routing.uid,
        "resource_version": snapshot.routing.resource_version,
        "expects": (((*http, "route", 1, "destination", "subset"), "v2"),),
        "edits": (
            Edit((*http, "route", 0, "weight"), 90, 100),
            Edit((*http, "route", 1, "weight"), 10, 0),
            Edit((*http, "mirror"), destination("v2"), ABSENT),
            Edit((*http, "mirrorPercentage"), {"value": 12.5}, ABSENT),
            Edit(("metadata", "annotations", "remediator.io/remediation"), ABSENT, "canary-1"),
        ),
    }
    return Patch(**fields | wrong)


def content(body: Json) -> Json:
    """The object without what the server counts."""
    metadata = {key: value for key, value in body["metadata"].items() if key not in _COUNTED}
    return {**body, "metadata": metadata}


def patched_by_hand(snapshot: Snapshot) -> Json:
    return content(withdrawal(snapshot).applied(snapshot.body))


def edit_elsewhere(body: Json) -> None:
    """A change that no patch here looks at."""
    body["metadata"]["labels"]["edited"] = "yes"


def names(world: World, host: Host = REVIEWS) -> set[str]:
    return {snapshot.routing.ref.name for snapshot in world.cluster.routing_to(host)}


def rule_names(world: World, host: Host = REVIEWS) -> set[str]:
    return {rule.name for snapshot in world.cluster.routing_to(host) for rule in snapshot.rules.rules}


def seen(world: World, body: Json, host: Host = REVIEWS) -> Snapshot:
    """Create the object, and wait until the index has it."""
    world.create(body)
    world.eventually(lambda: body["metadata"]["name"] in names(world, host))
    return world.cluster.read(
        TargetRef("VirtualService", body["metadata"].get("namespace", "default"), body["metadata"]["name"])
    )


def _route(host: str) -> Json:
    return {"route": [{"destination": destination("v1", host)}]}


EXPOSING = (
    pytest.param(virtual_service(_route("reviews")), id="a short name, in the service's namespace"),
    pytest.param(virtual_service(_route("Reviews.shop.svc.cluster.local")), id="the full name, in capitals too"),
    pytest.param(
        virtual_service(_route("reviews.shop.svc.cluster.local"), namespace="web"), id="from another namespace"
    ),
    pytest.param(
        virtual_service({**_route("ratings"), "mirror": destination("v2")}), id="a mirror, on another host's route"
    ),
    pytest.param(
        virtual_service({**_route("ratings"), "mirrors": [{"destination": destination("v2")}]}), id="a list of mirrors"
    ),
    pytest.param(
        virtual_service(
            tls=[{"match": [{"sniHosts": ["reviews"]}], "route": split(v1=90, v2=10)}],
        ),
        id="a tls route",
    ),
    pytest.param(virtual_service(tcp=[{"route": split(v1=90, v2=10)}]), id="a tcp route"),
    pytest.param(
        virtual_service({"route": by_host(ratings=100, reviews=0)}), id="weight 0, which somebody may raise again"
    ),
)

HIDDEN = (
    pytest.param(virtual_service(_route("ratings")), id="another host"),
    pytest.param(virtual_service(_route("reviews"), namespace="web"), id="the same short name elsewhere"),
    pytest.param(
        virtual_service(_route("reviews.shop"), namespace="web"), id="a dotted name, which Istio does not complete"
    ),
)


_SPLIT = (
    endpoint_slice(
        endpoint("10.0.0.1", "a", ready=True),
        endpoint("10.0.0.2", "b", ready=True),
        endpoint("10.0.0.3", "c", ready=False),
    ),
    *(pod("a", version="v1"), pod("b", version="v2"), pod("c", version="v2")),
)
"""A service of two versions: each endpoint is a pod, and the pods' labels say which."""

ENDPOINTS = (
    pytest.param(_SPLIT, {"version": "v2"}, (1, 2), id="a subset's pods"),
    pytest.param(_SPLIT, {}, (2, 3), id="without labels the whole service"),
    pytest.param(_SPLIT, {"version": "v3"}, (0, 0), id="a subset that nothing belongs to"),
    pytest.param(_SPLIT, {"version": "v2,app"}, (0, 0), id="labels that nothing can have"),
    pytest.param(
        (
            endpoint_slice(endpoint("10.0.0.1"), endpoint("10.0.0.2", ready=False), name="a", version="v2"),
            endpoint_slice(endpoint("10.0.0.3"), name="b", version="v1"),
        ),
        {"version": "v2"},
        (1, 2),
        id="addresses by the labels of their slice",
    ),
    pytest.param(
        (
            endpoint_slice(endpoint("10.0.0.1", "a", ready=False)),
            {**endpoint_slice(endpoint("fd00::1", "a", ready=True), name="reviews-6"), "addressType": "IPv6"},
        ),
        {},
        (1, 1),
        id="a pod with an address of each family once",
    ),
    pytest.param(
        (
            endpoint_slice(endpoint("10.0.0.1"), service="ratings"),
            endpoint_slice(endpoint("10.0.0.1"), namespace="web"),
        ),
        {},
        (0, 0),
        id="nothing of other services",
    ),
)


class ClusterContract:
    """The tests. Fixture `world`: a `World`, new for each test."""

    @pytest.mark.parametrize("body", EXPOSING)
    def test_finds_what_sends_traffic_to_a_host(self, world: World, body: Json) -> None:
        world.create(manifest(body))

        world.eventually(lambda: names(world) == {"reviews"})

        (found,) = world.cluster.routing_to(REVIEWS)
        assert TargetRef("VirtualService", body["metadata"]["namespace"], "reviews") == found.routing.ref
        assert body["spec"] == found.body["spec"]

    @pytest.mark.parametrize("body", HIDDEN)
    def test_leaves_out_what_sends_it_elsewhere(self, world: World, body: Json) -> None:
        world.create(manifest(body | {"metadata": {**body["metadata"], "name": "other"}}))
        world.create(canary())

        world.eventually(lambda: len(world.cluster.routing()) == 2)

        assert names(world) == {"reviews"}

    def test_finds_a_delegate_and_reads_it_with_its_root(self, world: World) -> None:
        delegate = virtual_service({"route": split(v1=90, v2=10), "mirror": destination("v2")}, name="delegate")
        delegate["spec"].pop("hosts")
        root = virtual_service(
            {"delegate": {"name": "delegate", "namespace": "shop"}, "mirror": destination(host="shadow")},
            name="root",
            namespace="web",
        )
        world.create(manifest(delegate))
        world.eventually(lambda: names(world) == {"delegate"})
        world.create(manifest(root))
        world.eventually(lambda: len(world.cluster.routing()) == 2)

        (indexed,) = world.cluster.routing_to(REVIEWS)
        read = world.cluster.read(TargetRef("VirtualService", "shop", "delegate"))

        for snapshot in (indexed, read):
            # Without its own mirror it would have its root's.
            (route,) = snapshot.routing.routes
            assert route.mirrors_switch_off
        assert names(world, Host("shadow.web.svc.cluster.local")) == {"root"}

    def test_sees_an_edit(self, world: World) -> None:
        seen(world, canary())

        def move(body: Json) -> None:
            body["spec"]["http"] = [_route("ratings")]
            body["spec"].pop("tcp")

        world.edit(REF, move)

        world.eventually(lambda: names(world) == set())
        assert names(world, Host("ratings.shop.svc.cluster.local")) == {"reviews"}

    def test_sees_a_deletion(self, world: World) -> None:
        seen(world, canary())

        world.delete(REF)

        world.eventually(lambda: names(world) == set())
        assert not world.cluster.routing()

    def test_gives_the_rules_that_may_speak_of_the_hosts(self, world: World) -> None:
        world.create(manifest(destination_rule(v1="1", v2="2")))
        world.create(manifest(destination_rule("*.shop.svc.cluster.local", namespace="web", name="all", v1="1")))
        world.create(manifest(destination_rule("*", namespace="istio-system", name="mesh", v1="1")))
        world.create(manifest(destination_rule("ratings", v1="1")))
        world.create(manifest(destination_rule("*.web.svc.cluster.local", name="elsewhere", v1="1")))
        seen(world, canary())

        world.eventually(lambda: rule_names(world) == {"reviews", "all", "mesh"})

        rules = world.cluster.read(REF).rules
        assert {"reviews", "all", "mesh"} == {rule.name for rule in rules.rules}
        assert frozenset({"1"}) == rules.versions(REVIEWS, "v1", "shop")

    def test_sees_a_rule_change_and_go(self, world: World) -> None:
        ref = TargetRef("DestinationRule", "shop", "reviews")
        world.create(manifest(destination_rule(v1="1", v2="2")))
        seen(world, canary())
        world.eventually(lambda: rule_names(world) == {"reviews"})

        def relabel(body: Json) -> None:
            body["spec"]["subsets"][1]["labels"]["version"] = "3"

        def version() -> frozenset[str | None] | None:
            (found,) = world.cluster.routing_to(REVIEWS)
            return found.rules.versions(REVIEWS, "v2", "shop")

        world.edit(ref, relabel)
        world.eventually(lambda: version() == frozenset({"3"}))
        world.delete(ref)
        world.eventually(lambda: version() is None)

    def test_gives_one_shape_by_the_index_and_by_a_read(self, world: World) -> None:
        world.create(manifest(destination_rule(v1="1", v2="2")))
        read = seen(world, canary())
        world.eventually(lambda: rule_names(world) == {"reviews"})

        (indexed,) = world.cluster.routing_to(REVIEWS)

        assert read.body == indexed.body
        assert read.routing == indexed.routing
        assert read.changed == indexed.changed
        assert "managedFields" not in read.body["metadata"]
        assert all(isinstance(rule, DestinationRule) for rule in indexed.rules.rules)
        metadata = read.body["metadata"]
        assert (metadata["uid"], metadata["resourceVersion"]) == (read.routing.uid, read.routing.resource_version)

    def test_says_that_there_is_no_such_object(self, world: World) -> None:
        with pytest.raises(NotFound, match="reviews"):
            world.cluster.read(REF)

    def test_makes_the_edits_and_no_others(self, world: World) -> None:
        before = seen(world, canary())

        answer = world.cluster.patch(REF, withdrawal(before))

        assert patched_by_hand(before) == content(answer.body)
        assert patched_by_hand(before) == content(world.cluster.read(REF).body)

    def test_gives_a_patched_object_a_new_resource_version(self, world: World) -> None:
        before = seen(world, canary())

        answer = world.cluster.patch(REF, withdrawal(before))

        assert before.routing.uid == answer.routing.uid
        assert before.routing.resource_version != answer.routing.resource_version
        assert answer.routing == world.cluster.read(REF).routing
        version = answer.routing.resource_version
        world.eventually(
            lambda: [version] == [one.routing.resource_version for one in world.cluster.routing_to(REVIEWS)]
        )

    def test_takes_a_patch_on_the_patched(self, world: World) -> None:
        before = seen(world, canary())
        patched = world.cluster.patch(REF, withdrawal(before))
        undo = Patch(patched.routing.uid, patched.routing.resource_version, (), withdrawal(before).undo)

        answer = world.cluster.patch(REF, undo)

        assert content(before.body) == content(answer.body)

    def test_refuses_a_patch_planned_before_an_edit(self, world: World) -> None:
        before = seen(world, canary())
        world.edit(REF, edit_elsewhere)

        with pytest.raises(Conflict, match="reviews"):
            world.cluster.patch(REF, withdrawal(before))

        assert before.body["spec"] == world.cluster.read(REF).body["spec"]

    def test_calls_it_a_conflict_when_an_edit_broke_a_precondition(self, world: World) -> None:
        before = seen(world, canary())
        world.edit(REF, lambda body: body["spec"]["http"].pop(1))

        with pytest.raises(Conflict, match="reviews"):
            world.cluster.patch(REF, withdrawal(before))

    def test_refuses_the_second_use_of_a_patch(self, world: World) -> None:
        before = seen(world, canary())
        world.cluster.patch(REF, withdrawal(before))

        with pytest.raises(Conflict, match="reviews"):
            world.cluster.patch(REF, withdrawal(before))

    def test_never_patches_another_object_of_the_same_name(self, world: World) -> None:
        before = seen(world, canary())
        world.delete(REF)
        world.create(canary(labels={"app": "another"}))

        with pytest.raises(Conflict, match="reviews"):
            world.cluster.patch(REF, withdrawal(before))

        assert before.body["spec"] == world.cluster.read(REF).body["spec"]

    def test_calls_a_wrong_uid_a_conflict(self, world: World) -> None:
        """Though the resourceVersion holds: whoever planned this has read another object."""
        before = seen(world, canary())

        with pytest.raises(Conflict, match="reviews"):
            world.cluster.patch(REF, withdrawal(before, uid="7e5b9f0e-0000-4000-8000-000000000000"))

        assert content(before.body) == content(world.cluster.read(REF).body)

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param(
                {"expects": ((("spec", "http", 1, "route", 1, "destination", "subset"), "v3"),)},
                id="a precondition that never held",
            ),
            pytest.param({"edits": (Edit(("spec", "http", 7, "mirror"), {}, ABSENT),)}, id="a route that is not there"),
            pytest.param(
                {"edits": (Edit(("spec", "http", 0, "mirror"), {}, ABSENT),)}, id="a removal of what is not there"
            ),
        ],
    )
    def test_rejects_a_patch_that_does_not_fit_what_was_read(self, world: World, wrong: dict[str, Any]) -> None:
        """It would fail again however often the object is read, so it is no conflict."""
        before = seen(world, canary())

        with pytest.raises(Rejected):
            world.cluster.patch(REF, withdrawal(before, **wrong))

        assert content(before.body) == content(world.cluster.read(REF).body)

    def test_makes_all_of_a_patch_or_nothing(self, world: World) -> None:
        before = seen(world, canary())
        good = withdrawal(before).edits
        broken = Edit(("spec", "http", 0, "mirror"), {}, ABSENT)

        with pytest.raises(Rejected):
            world.cluster.patch(REF, withdrawal(before, edits=(*good, broken)))

        assert content(before.body) == content(world.cluster.read(REF).body)

    def test_answers_a_dry_run_and_keeps_nothing(self, world: World) -> None:
        before = seen(world, canary())

        answer = world.cluster.patch(REF, withdrawal(before), dry_run=True)

        assert patched_by_hand(before) == content(answer.body)
        assert before.body == world.cluster.read(REF).body
        # So the patch itself still fits.
        assert patched_by_hand(before) == content(world.cluster.patch(REF, withdrawal(before)).body)

    @pytest.mark.parametrize("dry_run", [pytest.param(True, id="dry run"), pytest.param(False, id="for real")])
    def test_finds_a_deleted_object_gone(self, world: World, dry_run: bool) -> None:
        before = seen(world, canary())
        world.delete(REF)

        with pytest.raises(NotFound, match="reviews"):
            world.cluster.patch(REF, withdrawal(before), dry_run=dry_run)

    def test_refuses_a_stale_dry_run(self, world: World) -> None:
        before = seen(world, canary())
        world.edit(REF, edit_elsewhere)

        with pytest.raises(Conflict, match="reviews"):
            world.cluster.patch(REF, withdrawal(before), dry_run=True)

    def test_lets_one_of_two_patches_win(self, world: World) -> None:
        before = seen(world, canary())
        both_ready = threading.Barrier(2, timeout=10)
        results: list[Snapshot | ClusterError] = []

        def race() -> None:
            both_ready.wait()
            try:
                results.append(world.cluster.patch(REF, withdrawal(before)))
            except ClusterError as error:
                results.append(error)

        threads = [threading.Thread(target=race) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

        assert {Snapshot, Conflict} == {type(result) for result in results}
        assert patched_by_hand(before) == content(world.cluster.read(REF).body)

    def test_hears_what_a_namespace_says_of_the_mode(self, world: World) -> None:
        def said(word: str | None) -> bool:
            (indexed,) = world.cluster.routing_to(REVIEWS)
            return [word, word] == [indexed.namespace_mode, world.cluster.read(REF).namespace_mode]

        def change(body: Json) -> None:
            body["metadata"]["annotations"]["remediator.io/mode"] = "Approve"

        ref = TargetRef("Namespace", "", "shop")
        before = seen(world, canary())
        assert before.namespace_mode is None
        world.create(namespace("web", "Off"))
        world.create(namespace("shop", "Observe"))
        world.eventually(lambda: said("Observe"))
        world.edit(ref, change)
        world.eventually(lambda: said("Approve"))
        assert "Approve" == world.cluster.patch(REF, withdrawal(before)).namespace_mode
        world.edit(ref, lambda body: body["metadata"].pop("annotations"))
        world.eventually(lambda: said(None))

    @pytest.mark.parametrize(("objects", "labels", "expected"), ENDPOINTS)
    def test_counts_the_endpoints_that_labels_select(
        self, world: World, objects: tuple[Json, ...], labels: dict[str, str], expected: tuple[int, int]
    ) -> None:
        destination = Destination(REVIEWS, "v2", 9080)
        for body in objects:
            world.create(body)

        # A server's cache may know of the pods a moment later.
        world.eventually(lambda: Readiness(destination, *expected) == world.cluster.readiness(destination, labels))

    def test_cannot_count_the_endpoints_of_what_is_no_service(self, world: World) -> None:
        outside = Destination(Host("api.example.org"))
        world.create(endpoint_slice(endpoint("10.0.0.1")))

        expected = Readiness(outside, 0, 0, "it is no Kubernetes service, so its endpoints cannot be counted")
        assert expected == world.cluster.readiness(outside, {})

    def test_knows_how_it_is(self, world: World) -> None:
        world.create(manifest(destination_rule(v1="1", v2="2")))
        seen(world, canary())
        expected = {"VirtualService": 1, "DestinationRule": 1, "Remediation": 0}
        world.eventually(lambda: expected == world.cluster.health().objects)

        health = world.cluster.health()

        assert health.synced
        assert "1 VirtualService" in health.detail
        assert health.last_event is not None
