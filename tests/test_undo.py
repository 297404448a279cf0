"""The way back: it restores what was changed and nothing else, and refuses where somebody changed it since."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonpatch
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remediator.policies.model import Action, MirrorScope
from remediator.traffic import subsets, undo, virtualservice
from remediator.traffic.hosts import resolve
from remediator.traffic.patch import ABSENT, Edit, Operation, Patch, pointer
from remediator.traffic.proposal import propose
from remediator.traffic.stamp import ANNOTATION, stamp
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Suspect
from remediator.traffic.undo import Difference
from tests.builders import Json, destination, destination_rule, split, virtual_service, when
from tests.strategies import SUBSETS, live_virtual_services, places, spoil

NAME = "canary-1"
STAMP = "/metadata/annotations/remediator.io~1remediation"
BOTH = frozenset({Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS})
V2 = Demand(Suspect(resolve("reviews", "shop"), "v2"), BOTH, MirrorScope.SUSPECT, "v1")
RULES = Rules((subsets.read(destination_rule(**SUBSETS, v1="v1", v2="v2", v3="v3")),))
# With a root that mirrors, mirrors are switched off and not removed.
ROOT = virtual_service(
    {"delegate": {"name": "reviews", "namespace": "shop"}, "mirror": destination(host="shadow")},
    name="root",
    namespace="web",
)


def stamped(body: Json, *roots: Json, name: str = NAME) -> Patch:
    """The patch for v2, as it is sent."""
    found = propose(body, virtualservice.read(body, roots), RULES, (V2,)).patch
    assert found is not None, "nothing is to be changed"
    return stamp(found, body, name)


def kept(body: Json) -> Json:
    """As the API server keeps it: without an empty object of annotations."""
    metadata = {key: value for key, value in body["metadata"].items() if (key, value) != ("annotations", {})}
    return {**body, "metadata": metadata}


def moved_on(body: Json) -> Json:
    """The same at a later resourceVersion."""
    return body | {"metadata": body["metadata"] | {"resourceVersion": "77"}}


def edited(body: Json, *edits: Edit) -> Json:
    return moved_on(Patch("", "", (), edits).applied(body))


def at(body: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        body = body[part]
    return body


@st.composite
def done(draw: st.DrawFn) -> tuple[Json, tuple[Operation, ...], Json]:
    """A VirtualService, the way back, and what the patch has made of it."""
    # No two places are one object, as generated ones may be: the body is JSON.
    body = json.loads(json.dumps(draw(live_virtual_services())))
    roots = draw(st.sampled_from([(), (ROOT,)]))
    assume(propose(body, virtualservice.read(body, roots), RULES, (V2,)).patch is not None)
    patch = stamped(body, *roots)
    return body, undo.make(body, patch), moved_on(patch.applied(body))


def touched(operations: tuple[Operation, ...]) -> set[tuple[str, int]]:
    """Protocol and position of each route that is edited."""
    parts = [operation["path"].split("/") for operation in operations if operation["op"] != "test"]
    return {(path[2], int(path[3])) for path in parts if path[1] == "spec"}


# Properties


@given(done())
def test_undo_restores_what_was(case: tuple[Json, tuple[Operation, ...], Json]) -> None:
    body, operations, live = case
    back = undo.patch(operations, live)
    assert ("uid-shop-reviews", "77") == (back.uid, back.resource_version)
    assert kept(moved_on(body)) == kept(back.applied(live))
    assert kept(moved_on(body)) == kept(jsonpatch.apply_patch(live, back.operations))


@given(done())
def test_it_is_undone_afterwards_and_not_before(case: tuple[Json, tuple[Operation, ...], Json]) -> None:
    body, operations, live = case
    assert not undo.is_undone(operations, live)
    assert undo.is_undone(operations, moved_on(body))
    assert undo.differences(operations, moved_on(body))


@given(done())
def test_put_back_by_hand_is_undone_whatever_the_annotation(case: tuple[Json, tuple[Operation, ...], Json]) -> None:
    body, operations, live = case
    assert undo.is_undone(operations, live | {"spec": body["spec"]})


@given(done())
def test_the_operations_stand_by_themselves(case: tuple[Json, tuple[Operation, ...], Json]) -> None:
    """Made by another library; it cannot test for null what is not there."""
    body, operations, live = case
    known = [each for each in operations if each["op"] != "test" or each["value"] is not None]
    assert kept(moved_on(body)) == kept(jsonpatch.apply_patch(live, known))
    assert {"op": "test", "path": "/metadata/uid", "value": "uid-shop-reviews"} == operations[0]
    assert "/metadata/resourceVersion" not in [each["path"] for each in operations]


@given(done(), st.data())
def test_a_change_of_anything_that_is_relied_on_is_told_at_its_place(
    case: tuple[Json, tuple[Operation, ...], Json], data: st.DataObject
) -> None:
    _, operations, live = case
    tests = [each for each in operations if each["op"] == "test" and each["path"] not in (STAMP, "/metadata/uid")]
    chosen = data.draw(st.sampled_from(tests))
    top = tuple(int(part) if part.isdecimal() else part for part in chosen["path"].split("/")[1:])
    path = (*top, *data.draw(st.sampled_from(places(chosen["value"]))))
    before = ABSENT if chosen["value"] is None else at(live, path)
    changed = edited(live, Edit(path, before, "changed"))
    assert (Difference(pointer(path), before, "changed"),) == undo.differences(operations, changed)
    assert not undo.is_undone(operations, changed)
    with pytest.raises(LookupError, match="changed"):
        undo.patch(operations, changed)


@given(done(), st.data())
def test_a_route_before_it_is_noticed(case: tuple[Json, tuple[Operation, ...], Json], data: st.DataObject) -> None:
    _, operations, live = case
    protocol, index = data.draw(st.sampled_from(sorted(touched(operations))))
    position = data.draw(st.integers(0, index))
    added = {"match": [{"port": 1}], "route": split(v1=100)}
    changed = edited(live, Edit(("spec", protocol, position), ABSENT, added))
    assert undo.differences(operations, changed)
    assert not undo.is_undone(operations, changed)


@given(done(), st.data())
def test_another_order_and_a_removed_route_are_noticed(
    case: tuple[Json, tuple[Operation, ...], Json], data: st.DataObject
) -> None:
    _, operations, live = case
    protocol, _ = data.draw(st.sampled_from(sorted(touched(operations))))
    entries = live["spec"][protocol]
    order = data.draw(st.permutations(range(len(entries))))[: len(entries) - data.draw(st.integers(0, 1))]

    def told(positions: list[int]) -> list[Any]:
        """What tells the touched routes from others."""
        keys = ("name", "match", "route", "delegate")
        at = [
            positions[index] if index < len(positions) else None for of, index in touched(operations) if of == protocol
        ]
        return [None if index is None else [entries[index].get(key) for key in keys] for index in at]

    assume(told(order) != told(list(range(len(entries)))))
    changed = edited(live, Edit(("spec", protocol), entries, [entries[index] for index in order]))
    assert undo.differences(operations, changed)
    with pytest.raises(LookupError):
        undo.patch(operations, changed)


def somewhere_else(data: st.DataObject, operations: tuple[Operation, ...], body: Json) -> Callable[[Json], None]:
    """A change by somebody else that does not concern what was changed."""
    protocol, index = data.draw(st.sampled_from(sorted(touched(operations))))
    others = [
        (each, position)
        for each in ("http", "tls", "tcp")
        for position in range(len(body["spec"].get(each, ())))
        if (each, position) not in touched(operations)
    ]
    changes: list[Callable[[Json], None]] = [
        lambda found: found["metadata"].update(labels={"team": "shop"}),
        lambda found: found["metadata"].setdefault("annotations", {}).update(note="seen"),
        lambda found: found["spec"].update(exportTo=["."]),
        lambda found: found["spec"][protocol][index].update(timeout="99s"),
        lambda found: found["spec"][protocol].append({"route": split(v1=100)}),
    ]
    if others:
        other, position = data.draw(st.sampled_from(others))
        changes.append(lambda found: found["spec"][other][position].update(route=split(v3=100)))
    return data.draw(st.sampled_from(changes))


@given(done(), st.data())
def test_what_others_changed_elsewhere_stays(
    case: tuple[Json, tuple[Operation, ...], Json], data: st.DataObject
) -> None:
    body, operations, live = case
    # Of two routes that look alike, only the whole list tells which is which.
    assume(not {"/spec/http", "/spec/tls", "/spec/tcp"} & {each["path"] for each in operations})
    for change in [somewhere_else(data, operations, body) for _ in range(data.draw(st.integers(1, 3)))]:
        body, live = copy.deepcopy(body), copy.deepcopy(live)
        change(body)
        change(live)
    assert () == undo.differences(operations, live)
    back = undo.patch(operations, live).applied(live)
    assert kept(moved_on(body)) == kept(back)
    assert undo.is_undone(operations, back)


@given(done(), st.data())
def test_whatever_the_object_has_become_it_is_undone_soundly_or_not_at_all(
    case: tuple[Json, tuple[Operation, ...], Json], data: st.DataObject
) -> None:
    _, operations, live = case
    live = copy.deepcopy(live)
    spoil(live, data)
    before = copy.deepcopy(live)
    if undo.differences(operations, live):
        with pytest.raises(LookupError):
            undo.patch(operations, live)
        undo.is_undone(operations, live)
    else:
        assert undo.is_undone(operations, undo.patch(operations, live).applied(live))
    assert before == live


# One object in full

MAIN = {
    "name": "main",
    "route": split(v1=90, v2=10),
    "mirror": destination("v2"),
    "mirrorPercentage": {"value": 12.5},
}


def canary(**metadata: Any) -> Json:
    body = virtual_service(when(route=split(v3=100)), copy.deepcopy(MAIN))
    body["metadata"] |= metadata
    return body


def test_the_operations_in_full() -> None:
    body = virtual_service(
        when(route=split(v1=100), mirrors=[{"destination": destination("v3")}, {"destination": destination("v2")}]),
        {"route": split(v1=None, v2=10)},
    )
    left = [{"destination": destination("v1"), "weight": 10}, {"destination": destination("v2"), "weight": 0}]
    beta, rest = "/spec/http/0", "/spec/http/1"
    expected = [
        ("test", "/metadata/uid", "uid-shop-reviews"),
        ("test", STAMP, NAME),
        ("test", f"{beta}/name", None),
        ("test", f"{beta}/match", body["spec"]["http"][0]["match"]),
        ("test", f"{beta}/route/0/destination", destination("v1")),
        ("test", f"{beta}/mirror", None),
        ("test", f"{beta}/mirrorPercentage", None),
        ("test", f"{beta}/mirrorPercent", None),
        ("test", f"{beta}/mirror_percent", None),
        ("test", f"{beta}/mirrors", [{"destination": destination("v3")}]),
        ("test", f"{rest}/name", None),
        ("test", f"{rest}/match", None),
        ("test", f"{rest}/route", left),
        ("test", f"{rest}/route/0/weight", 10),
        ("test", f"{rest}/route/1/weight", 0),
        ("replace", f"{rest}/route/1/weight", 10),
        ("remove", f"{rest}/route/0/weight", None),
        ("add", f"{beta}/mirrors/1", {"destination": destination("v2")}),
        ("remove", STAMP, None),
    ]
    found = undo.make(body, stamped(body))
    assert expected == [(each["op"], each["path"], each.get("value")) for each in found]


def http(*path: str | int) -> tuple[str | int, ...]:
    return ("spec", "http", 1, *path)


CHANGES = (
    pytest.param(
        [Edit(http("route", 1, "weight"), 0, 5)],
        ["/spec/http/1/route/1/weight: was left as 0, and is now 5"],
        id="a weight is said once, though the whole route was looked at",
    ),
    pytest.param(
        [Edit(http("route", 1, "weight"), 0, ABSENT)],
        ["/spec/http/1/route/1/weight: was left as 0, and is now absent"],
        id="a weight is gone",
    ),
    pytest.param(
        [Edit(http("route", 1, "weight"), 0, False)],
        ["/spec/http/1/route/1/weight: was left as 0, and is now false"],
        id="false is not 0",
    ),
    pytest.param(
        [Edit(http("route", 0, "headers"), ABSENT, {"request": {}})],
        ['/spec/http/1/route/0/headers: was left absent, and is now {"request": {}}'],
        id="something new beside a weight",
    ),
    pytest.param(
        [Edit(http("route", 1), {"destination": destination("v2"), "weight": 0}, ABSENT)],
        [
            '/spec/http/1/route: was left as [{"destination": {"host": "reviews", "subset": "v1"}, "weight": 100}, '
            '{"destination": {"host": "reviews", "subset": "v2"}, "weight": 0}], '
            'and is now [{"destination": {"host": "reviews", "subset": "v1"}, "weight": 100}]'
        ],
        id="a destination is gone: the list, and not each element that has moved",
    ),
    pytest.param(
        [Edit(http("mirror"), ABSENT, destination("v3"))],
        ['/spec/http/1/mirror: was left absent, and is now {"host": "reviews", "subset": "v3"}'],
        id="another mirror",
    ),
    pytest.param(
        [Edit(http("mirrors"), ABSENT, [])],
        ["/spec/http/1/mirrors: was left absent, and is now []"],
        id="mirrors in the other form, which Istio takes only without the first",
    ),
    pytest.param(
        [Edit(http("mirrorPercent"), ABSENT, 5)],
        ["/spec/http/1/mirrorPercent: was left absent, and is now 5"],
        id="a percentage that would apply to the mirror",
    ),
    pytest.param(
        [Edit(http("name"), "main", "rest")],
        ['/spec/http/1/name: was left as "main", and is now "rest"'],
        id="a route of another name",
    ),
    pytest.param(
        [Edit(http("match"), ABSENT, [{"port": 80}])],
        ['/spec/http/1/match: was left absent, and is now [{"port": 80}]'],
        id="a route that takes something else",
    ),
    pytest.param(
        [Edit(("metadata", "uid"), "uid-shop-reviews", "other")],
        ['/metadata/uid: was left as "uid-shop-reviews", and is now "other"'],
        id="another object of that name",
    ),
    pytest.param(
        [Edit(("spec",), ..., ABSENT)],
        [
            '/spec/http/1/name: was left as "main", and is now absent',
            '/spec/http/1/route: was left as [{"destination": {"host": "reviews", "subset": "v1"}, "weight": 100}, '
            '{"destination": {"host": "reviews", "subset": "v2"}, "weight": 0}], and is now absent',
        ],
        id="nothing is left: what was there is told, and not what was not",
    ),
)


@pytest.mark.parametrize(("edits", "expected"), CHANGES)
def test_differences_are_sentences(edits: list[Edit], expected: list[str]) -> None:
    body = canary()
    patch = stamped(body)
    live = patch.applied(body)
    operations = undo.make(body, patch)
    changed = edited(
        live, *(Edit(each.path, at(live, each.path), each.after) if each.before is ... else each for each in edits)
    )
    assert expected == [str(each) for each in undo.differences(operations, changed)]
    assert not undo.is_undone(operations, changed)
    with pytest.raises(LookupError) as refused:
        undo.patch(operations, changed)
    assert "; ".join(expected) == str(refused.value)


@pytest.mark.parametrize(
    ("before", "live", "after"),
    [
        pytest.param(None, {ANNOTATION: NAME}, None, id="ours alone: the object is again what it was"),
        pytest.param(None, {ANNOTATION: NAME, "note": "x"}, {"note": "x"}, id="somebody else's stays"),
        pytest.param({"note": "x"}, {ANNOTATION: NAME, "note": "x"}, {"note": "x"}, id="ours goes from among others"),
        pytest.param(
            {ANNOTATION: "canary-0"}, {ANNOTATION: NAME}, {ANNOTATION: "canary-0"}, id="an older one comes back"
        ),
        pytest.param(None, {ANNOTATION: "canary-2"}, {ANNOTATION: "canary-2"}, id="a later one stays"),
        pytest.param(
            {ANNOTATION: "canary-0"}, {ANNOTATION: "canary-2"}, {ANNOTATION: "canary-2"}, id="a later one, not an older"
        ),
        pytest.param({ANNOTATION: "canary-0"}, {"note": "x"}, {"note": "x"}, id="what a person took away stays away"),
        pytest.param({"note": "x"}, None, None, id="all annotations were taken away"),
        pytest.param({}, {ANNOTATION: NAME}, None, id="an empty object counts as none, as in Kubernetes"),
    ],
)
def test_annotation(before: Json | None, live: Json | None, after: Json | None) -> None:
    body = canary() if before is None else canary(annotations=before)
    patch = stamped(body)
    found = patch.applied(body)
    found["metadata"].pop("annotations")
    found["metadata"] |= {} if live is None else {"annotations": live}
    operations = undo.make(body, patch)
    assert () == undo.differences(operations, found)
    back = undo.patch(operations, found).applied(found)
    assert body["spec"] == back["spec"]
    assert after == kept(back)["metadata"].get("annotations")
    # There may be others that the index does not show (inventory.lean): never the whole object of them.
    assert "annotations" in back["metadata"] or live is None
    assert undo.is_undone(operations, back)


def test_later_remediation_of_another_route_does_not_stand_in_the_way() -> None:
    """Each takes back its own; the second's annotation stays until it is taken back itself."""
    body = virtual_service(when(route=split(v2=100)), {"route": split(v1=100)})
    first = stamped(body)
    between = first.applied(body)
    weight = Edit(("spec", "http", 1, "route", 0, "weight"), 100, 99)
    second = stamp(Patch(first.uid, "2", (), (weight,)), between, "canary-2")
    live = second.applied(between)

    back = undo.patch(undo.make(body, first), live).applied(live)

    assert body["spec"]["http"][0] == back["spec"]["http"][0]
    assert 99 == back["spec"]["http"][1]["route"][0]["weight"]
    assert "canary-2" == back["metadata"]["annotations"][ANNOTATION]


def test_delegating_route_is_told_by_its_delegate() -> None:
    body = virtual_service({"delegate": {"name": "other"}, "mirror": destination("v2")})
    patch = stamped(body)
    operations = undo.make(body, patch)
    live = edited(patch.applied(body), Edit(("spec", "http", 0, "delegate", "name"), "other", "another"))
    assert ["/spec/http/0/delegate/name"] == [each.path for each in undo.differences(operations, live)]


def test_among_routes_that_look_alike_nothing_may_have_changed() -> None:
    """Without a look at the whole list, the first route would be given v2's traffic, which it never had."""
    match = [{"port": 443, "sniHosts": ["reviews"]}]
    body = virtual_service(tls=[{"match": match, "route": split(v1=None)}, {"match": match, "route": split(v2=None)}])
    patch = stamped(body)
    operations = undo.make(body, patch)
    live = patch.applied(body)
    assert body == kept(undo.patch(operations, live).applied(live))
    changed = edited(live, Edit(("spec", "tls", 0), ABSENT, {"match": match, "route": split(v3=None)}))
    assert ["/spec/tls"] == [each.path for each in undo.differences(operations, changed)]


def test_record_that_has_lost_its_nulls_means_the_same() -> None:
    """A store may drop a member that is null: a `test` without a value is one for null."""
    body = canary()
    patch = stamped(body)
    live = patch.applied(body)
    operations = [
        {key: value for key, value in operation.items() if value is not None} for operation in undo.make(body, patch)
    ]
    assert body == kept(undo.patch(operations, live).applied(live))
    changed = edited(live, Edit(http("mirror"), ABSENT, destination("v3")))
    assert ["/spec/http/1/mirror"] == [each.path for each in undo.differences(operations, changed)]


def test_null_in_the_place_of_nothing_is_no_difference() -> None:
    """The API server's `test` holds, and what Istio reads is the same."""
    body = canary()
    patch = stamped(body)
    live = edited(patch.applied(body), Edit(http("mirror"), ABSENT, None))
    operations = undo.make(body, patch)
    assert () == undo.differences(operations, live)
    assert moved_on(body) == kept(undo.patch(operations, live).applied(live))


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param({"op": "add", "path": "/spec/http/7/timeout", "value": "5s"}, id="in a route that is not there"),
        pytest.param({"op": "add", "path": "/spec/http/-", "value": {}}, id="at no position of a list"),
        pytest.param({"op": "move", "path": "/spec/http/0", "from": "/spec/http/1"}, id="what no undo does"),
        pytest.param({"op": "remove", "path": "/spec/http/1/timeout"}, id="away with what is not there"),
        pytest.param({"op": "remove", "path": "/spec/http/7"}, id="away with an element that is not there"),
    ],
)
def test_edit_that_has_no_place_is_refused(operation: Operation) -> None:
    """An undo that somebody wrote, whose edits go where no precondition looked."""
    live = canary()
    assert () == undo.differences([operation], live)
    assert not undo.is_undone([operation], live)
    with pytest.raises(LookupError):
        undo.patch([operation], live)


def test_place_outside_the_routes_has_no_identity() -> None:
    body = canary()
    assert () == virtualservice.identity(body, ("metadata", "labels", "team"))
    assert () == virtualservice.identity(body, ("spec", "exportTo", 0))
