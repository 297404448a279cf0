"""The index: which routing objects send traffic to a host, and which DestinationRules speak of it."""

from __future__ import annotations

import gc
import sys
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.inventory import LAST_APPLIED, Inventory
from remediator.outcome import TargetRef
from remediator.traffic.hosts import Host
from remediator.traffic.subsets import read as read_rule
from remediator.traffic.view import RouteChange
from tests.builders import Json, destination, destination_rule, managed, namespace, split, virtual_service

REVIEWS = Host("reviews.shop.svc.cluster.local")
REF = TargetRef("VirtualService", "shop", "reviews")


def host(name: str, namespace: str = "shop") -> Host:
    return Host(f"{name}.{namespace}.svc.cluster.local")


def to(name: str, **options: Any) -> Json:
    """A VirtualService `vs-NAME` that sends everything to the service NAME."""
    return virtual_service({"route": [{"destination": destination(host=name)}]}, name=f"vs-{name}", **options)


def inventory(*bodies: Json) -> Inventory:
    result = Inventory()
    for body in bodies:
        result.put(body)
    return result


def names(found: Inventory, of: Host = REVIEWS) -> list[str]:
    return [snapshot.routing.ref.name for snapshot in found.routing_to(of)]


def rules(found: Inventory) -> list[str]:
    (snapshot,) = found.routing_to(REVIEWS)
    return [rule.name for rule in snapshot.rules.rules]


def test_answers_in_the_order_of_namespace_and_name() -> None:
    found = inventory(
        virtual_service({"route": split("reviews.shop.svc.cluster.local", v1=1)}, name="a", namespace="web"),
        virtual_service({"route": split(v1=1)}, name="c"),
        virtual_service({"route": split(v1=1)}, name="b"),
    )

    assert ["b", "c", "a"] == names(found)
    assert ["b", "c", "a"] == [snapshot.routing.ref.name for snapshot in found.routing()]


def test_forgets_what_an_object_said_before() -> None:
    found = inventory(to("reviews"))

    found.put(to("ratings") | {"metadata": to("reviews")["metadata"]})

    assert not names(found)
    assert ["vs-reviews"] == names(found, host("ratings"))
    assert {"VirtualService": 1, "DestinationRule": 0} == found.counts()


def test_drops_an_object_and_does_not_mind_if_it_is_gone() -> None:
    found = inventory(to("reviews"), destination_rule(v1="1"))

    for _ in range(2):
        found.drop("VirtualService", "shop", "vs-reviews")
        found.drop("DestinationRule", "shop", "reviews")
        found.drop("Gateway", "shop", "reviews")

    assert not names(found)
    assert {"VirtualService": 0, "DestinationRule": 0} == found.counts()


def test_ignores_other_kinds() -> None:
    found = inventory({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "reviews"}})

    assert {"VirtualService": 0, "DestinationRule": 0} == found.counts()


def test_keeps_an_object_without_its_managed_fields_and_its_own_text() -> None:
    body = to("reviews")
    body["metadata"] |= {"managedFields": [{"manager": "x"}], "annotations": {LAST_APPLIED: "{...}"}}

    (indexed,) = inventory(body).routing_to(REVIEWS)

    assert "managedFields" not in indexed.body["metadata"]
    # Not gone altogether: a patch would then add `annotations`, and so remove the one that is hidden.
    assert indexed.body["metadata"]["annotations"] == {}
    assert inventory().snapshot(body).body == indexed.body
    assert "managedFields" in body["metadata"]


def test_keeps_of_managed_fields_who_changed_the_routes_and_when() -> None:
    body = to("reviews")
    body["metadata"]["managedFields"] = [managed("argocd", "2026-08-01T12:00:00Z", "http")]
    found = inventory(body)
    expected = RouteChange(datetime(2026, 8, 1, 12, tzinfo=UTC), "argocd")

    (indexed,) = found.routing_to(REVIEWS)
    assert (expected, expected) == (indexed.changed, found.snapshot(body).changed)

    found.put(to("reviews"))
    (indexed,) = found.routing_to(REVIEWS)
    assert indexed.changed is None


class TestNamespaces:
    def modes(self, found: Inventory) -> list[str | None]:
        """What the namespace of `vs-reviews` says, by every way to a snapshot."""
        got = found.get(TargetRef("VirtualService", "shop", "vs-reviews"))
        assert got
        snapshots = (*found.routing_to(REVIEWS), *found.routing(), got, found.snapshot(to("reviews")))
        return list(dict.fromkeys(snapshot.namespace_mode for snapshot in snapshots))

    @pytest.mark.parametrize(
        ("bodies", "expected"),
        [
            pytest.param((), None, id="a namespace that is not known"),
            pytest.param((namespace("shop"),), None, id="one that says nothing"),
            pytest.param((namespace("shop", "Observe"),), "Observe", id="one that says something"),
            pytest.param((namespace("shop", "nonsense "),), "nonsense ", id="as it is written, whatever it is"),
            pytest.param((namespace("shop", ""),), "", id="an empty word, too"),
            pytest.param((namespace("web", "Off"),), None, id="another one"),
            pytest.param((namespace("shop", "Off"), namespace("shop", "Enforce")), "Enforce", id="the last word"),
            pytest.param((namespace("shop", "Off"), namespace("shop")), None, id="a word that was taken back"),
        ],
    )
    def test_a_snapshot_has_what_its_namespace_says(self, bodies: tuple[Json, ...], expected: str | None) -> None:
        assert [expected] == self.modes(inventory(to("reviews"), *bodies))

    @pytest.mark.parametrize(
        "given", [pytest.param("", id="as a watch calls it"), pytest.param("default", id="a file")]
    )
    def test_a_namespace_that_is_gone_says_nothing(self, given: str) -> None:
        found = inventory(to("reviews"), namespace("shop", "Off"))

        for _ in range(2):
            found.drop("Namespace", given, "shop")

        assert [None] == self.modes(found)

    def test_are_not_counted(self) -> None:
        assert {"VirtualService": 0, "DestinationRule": 0} == inventory(namespace("shop", "Off")).counts()


def test_a_snapshot_is_its_owners() -> None:
    found = inventory(to("reviews"))

    found.routing_to(REVIEWS)[0].body["spec"]["http"].clear()

    assert to("reviews")["spec"] == found.routing_to(REVIEWS)[0].body["spec"]


def test_keeps_numbers_and_letters_as_they_are() -> None:
    body = to("reviews")
    body["spec"]["http"][0] |= {"timeout": "5s", "mirrorPercentage": {"value": 5.0}, "name": "ä😀\ud800"}

    (found,) = inventory(body).routing_to(REVIEWS)

    assert body == found.body
    assert isinstance(found.body["spec"]["http"][0]["mirrorPercentage"]["value"], float)


def test_finds_a_switched_off_mirror() -> None:
    """Whether it counts is for the plan to say."""
    entry = {"route": split("ratings", v1=1), "mirror": destination("v2"), "mirrorPercentage": {"value": 0}}

    assert ["reviews"] == names(inventory(virtual_service(entry)))


class TestDelegates:
    ROOT = virtual_service(
        {"delegate": {"name": "reviews", "namespace": "shop"}, "mirror": destination(host="shadow")},
        name="root",
        namespace="web",
    )
    DELEGATE = virtual_service({"route": split(v1=90, v2=10), "mirror": destination("v2")})

    @pytest.mark.parametrize("root_first", [pytest.param(True, id="root first"), pytest.param(False, id="root last")])
    def test_are_read_with_their_roots(self, root_first: bool) -> None:
        found = inventory(*(self.ROOT, self.DELEGATE)[:: 1 if root_first else -1])

        for snapshot in (found.routing_to(REVIEWS)[0], found.snapshot(self.DELEGATE), found.get(REF)):
            assert snapshot
            assert snapshot.routing.routes[0].mirrors_switch_off

    def test_are_read_alone_when_the_root_is_gone(self) -> None:
        found = inventory(self.ROOT, self.DELEGATE)

        found.drop("VirtualService", "web", "root")

        assert not found.routing_to(REVIEWS)[0].routing.routes[0].mirrors_switch_off

    @pytest.mark.parametrize(
        ("all_routing", "hosts", "off"),
        [
            pytest.param(True, [], False, id="every routing object is read, and none is its root"),
            pytest.param(False, [], True, id="its root may be one that is not read"),
            pytest.param(False, ["reviews"], False, id="what has hosts is no delegate"),
        ],
    )
    def test_keep_a_mirror_of_their_own_where_a_root_may_have_one(
        self, *, all_routing: bool, hosts: list[str], off: bool
    ) -> None:
        found = Inventory(all_routing=all_routing)
        found.put(virtual_service({"route": split(v1=90, v2=10), "mirror": destination("v2")}, hosts=hosts))

        assert off is found.routing_to(REVIEWS)[0].routing.routes[0].mirrors_switch_off

    def test_come_with_the_rules_for_what_the_root_sends(self) -> None:
        found = inventory(self.ROOT, self.DELEGATE, destination_rule("shadow", namespace="web", v1="1"))

        assert ["shadow"] == rules(found)


@pytest.mark.parametrize(
    ("rule_host", "expected"),
    [
        pytest.param("reviews", True, id="the host"),
        pytest.param("reviews.shop.svc.example.org", True, id="the host under another domain"),
        pytest.param("*", True, id="everything"),
        pytest.param("*.shop.svc.cluster.local", True, id="its namespace"),
        pytest.param("*.cluster.local", True, id="its cluster"),
        pytest.param("*-canary.shop.svc.cluster.local", False, id="part of a label that does not fit"),
        pytest.param("*.web.svc.cluster.local", False, id="another namespace"),
        pytest.param("ratings", False, id="another host"),
        pytest.param("", False, id="no host at all"),
    ],
)
def test_a_snapshot_has_the_rules_that_may_speak_of_its_hosts(rule_host: str, expected: bool) -> None:
    found = inventory(to("reviews"), destination_rule(rule_host, name="rule", v1="1"))

    assert ["rule"][: int(expected)] == rules(found)

    found.drop("DestinationRule", "shop", "rule")
    assert not rules(found)


def test_a_rule_that_changes_its_host_is_found_by_the_new_one_only() -> None:
    found = inventory(to("reviews"), destination_rule("*", name="rule", v1="1"))

    found.put(destination_rule("ratings", name="rule", v1="1"))

    assert not rules(found)


hosts = st.sampled_from(["reviews", "ratings", "*", "*.local", "*s.shop.svc.cluster.local", "a.example.org", "*.org"])


@given(st.lists(hosts, max_size=6), st.sampled_from(["reviews", "ratings", "a.example.org"]))
def test_the_index_of_rules_agrees_with_the_rules(rule_hosts: list[str], sent_to: str) -> None:
    bodies = [destination_rule(rule_host, name=f"r{n}", v1="1") for n, rule_host in enumerate(rule_hosts)]
    found = inventory(virtual_service({"route": split(sent_to, v1=1)}), *bodies)
    (snapshot,) = found.routing()
    (share,) = snapshot.routing.routes[0].shares

    expected = tuple(rule for rule in map(read_rule, bodies) if rule.covers(share.destination.host))

    assert expected == snapshot.rules.rules


operations = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["reviews", "ratings", None])), min_size=1, max_size=12
)


@given(operations)
def test_any_sequence_of_changes_leaves_what_the_last_of_each_said(changes: list[tuple[str, str | None]]) -> None:
    found = Inventory()
    expected: dict[str, str] = {}
    for name, service in changes:
        if service is None:
            found.drop("VirtualService", "shop", name)
            expected.pop(name, None)
        else:
            found.put(virtual_service({"route": split(service, v1=1)}, name=name))
            expected[name] = service

    for service in ("reviews", "ratings"):
        assert sorted(name for name, sent_to in expected.items() if sent_to == service) == names(found, host(service))
    assert len(expected) == found.counts()["VirtualService"]


def calls_of_a_lookup(objects: int) -> int:
    """How many functions one look-up calls, in an inventory of so many objects of each kind."""
    bodies = [to("reviews"), destination_rule("*.cluster.local", name="all", v1="1")]
    bodies += [to(f"service-{n}") for n in range(objects)]
    bodies += [destination_rule(f"service-{n}", v1="1") for n in range(objects)]
    bodies += [destination_rule(f"*.n{n}.svc.cluster.local", name=f"wild-{n}", v1="1") for n in range(objects)]
    found = inventory(*bodies)
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    found.routing_to(REVIEWS)  # fills caches of the standard library
    before = sys.getprofile()
    gc.disable()  # its callbacks, Hypothesis has one, would be counted
    sys.setprofile(count)
    try:
        answer = found.routing_to(REVIEWS)
    finally:
        sys.setprofile(before)
        gc.enable()
    assert len(answer) == 1
    return calls


def test_a_lookup_costs_the_same_however_many_objects_there_are() -> None:
    assert calls_of_a_lookup(10) == calls_of_a_lookup(1000)


def test_says_nothing_of_an_object_that_it_has_not() -> None:
    found = inventory(to("reviews"))

    assert found.get(TargetRef("VirtualService", "shop", "other")) is None
    assert found.get(TargetRef("DestinationRule", "shop", "vs-reviews")) is None
    assert found.get(TargetRef("VirtualService", "shop", "vs-reviews")) == found.routing_to(REVIEWS)[0]
