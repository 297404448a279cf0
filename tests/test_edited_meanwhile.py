"""Somebody edits the VirtualService between our look at it and our patch: it is planned again on what is there, or
refused with a reason; never applied blindly, and never to another route.

A proxy before the real API server lets the edit be made while a request of the service waits at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count

import pytest

from tests.builders import destination, split, when
from tests.canaries import Canaries, Json, content, delivery, main_route, phase, same_patch, without_v2
from tests.counting import Passage
from tests.real_world import cleared
from tests.replica import Replica, running_replica
from tests.servers import ApiServer
from tests.service import PERMISSIONS

pytestmark = pytest.mark.servers

PATCH = "patch virtualservices"
BEFORE_IT_IS_MADE = ("create remediations", PATCH)
AFTER_IT_IS_MADE = ("create events", "patch remediations/status")

Change = Callable[[Json], object]

_numbers = count()


@pytest.fixture(scope="module")
def canaries(api_server: ApiServer) -> Canaries:
    cleared(api_server)
    api_server.allow("guest", *PERMISSIONS)
    return Canaries(api_server)


@pytest.fixture(scope="module")
def replica(canaries: Canaries) -> Iterator[Replica]:
    with ExitStack() as stack:
        yield stack.enter_context(running_replica(canaries.server))


@pytest.fixture
def namespace(replica: Replica, canaries: Canaries) -> str:
    """With a canary that the service knows."""
    name = f"edited-{next(_numbers)}"
    canaries.create(name)
    replica.knows(name)
    return name


def weights(body: Json) -> None:
    main_route(body)["route"] = split(v1=70, v2=30)


def reorder(body: Json) -> None:
    body["spec"]["http"].reverse()


def insert(body: Json) -> None:
    body["spec"]["http"].insert(0, when("new", route=split(v1=100), mirror=destination("v1")))


def insert_more_of_v2(body: Json) -> None:
    body["spec"]["http"].insert(0, when("new", route=split(v2=100), timeout="1s"))


def drop_a_route(body: Json) -> None:
    del body["spec"]["http"][0]


def mirror_v3(body: Json) -> None:
    main_route(body)["mirror"] = destination("v3")


def label(body: Json) -> None:
    body["metadata"]["labels"]["edited"] = "yes"


def nothing_for_v2(body: Json) -> None:
    """What the service is about to do, by hand, and a little differently."""
    body["spec"]["http"] = [{"name": "main", "route": split(v1=100)}]


def nothing_but_v2(body: Json) -> None:
    body["spec"] = {"hosts": ["reviews"], "http": [{"name": "main", "route": split(v2=100)}]}


EDITS = (
    pytest.param(weights, id="other weights"),
    pytest.param(reorder, id="the routes in another order"),
    pytest.param(insert, id="a route before the others"),
    pytest.param(insert_more_of_v2, id="another route to the suspect"),
    pytest.param(drop_a_route, id="a route is gone"),
    pytest.param(mirror_v3, id="the mirror goes to a version that nobody accuses"),
    pytest.param(label, id="a label"),
)


def sent(replica: Replica, namespace: str) -> tuple[Passage, ...]:
    """The patches of the canary that the server carried out."""
    return replica.proxy.made(PATCH, namespace)


@pytest.mark.parametrize("step", BEFORE_IT_IS_MADE)
@pytest.mark.parametrize("change", EDITS)
def test_an_edit_before_the_patch_is_planned_on(
    replica: Replica, canaries: Canaries, namespace: str, change: Change, step: str
) -> None:
    edited: list[Json] = []
    replica.meanwhile(step, lambda: edited.append(canaries.edit(namespace, change)))

    code, (row,) = replica.deliver(delivery(namespace))

    (before,), record = edited, canaries.record(namespace)
    name = record["metadata"]["name"]
    assert (200, "Applied", name) == (code, row["outcome"], row["remediation"])
    assert content(without_v2(before, name)) == content(canaries.live(namespace))
    (patch,) = sent(replica, namespace)
    assert same_patch(record, patch.body), "the record says what was really done"
    assert row["changes"] == record["spec"]["changes"]
    assert "Applied" == phase(record)

    code, answer = replica.undo(record)
    assert (200, "Applied") == (code, answer["outcome"])
    assert content(before) == content(canaries.live(namespace)), "what stood there before the patch, with the edit"


@pytest.mark.parametrize("step", AFTER_IT_IS_MADE)
@pytest.mark.parametrize("change", EDITS)
def test_an_edit_after_the_patch_stays(
    replica: Replica, canaries: Canaries, namespace: str, change: Change, step: str
) -> None:
    """Even one that brings the suspect back: the next delivery answers that, with a record of its own."""
    before, edited = canaries.live(namespace), list[Json]()
    replica.meanwhile(step, lambda: edited.append(canaries.edit(namespace, change)))

    code, (row,) = replica.deliver(delivery(namespace))

    record = canaries.record(namespace)
    assert (200, "Applied") == (code, row["outcome"])
    assert content(edited[0]) == content(canaries.live(namespace))
    (patch,) = sent(replica, namespace)
    assert same_patch(record, patch.body)
    assert before["metadata"]["generation"] + 1 == patch.answer["metadata"]["generation"]
    name = record["metadata"]["name"]
    assert content(without_v2(before, name)) == content(patch.answer)

    code, (row,) = replica.deliver(delivery(namespace))

    if change in (weights, insert_more_of_v2):
        assert (200, "Applied", f"{name}-2") == (code, row["outcome"], row["remediation"])
        assert content(without_v2(edited[0], f"{name}-2")) == content(canaries.live(namespace))
    else:
        assert (200, "Unchanged", name) == (code, row["outcome"], row["remediation"])
        assert content(edited[0]) == content(canaries.live(namespace))


@pytest.mark.parametrize("step", BEFORE_IT_IS_MADE)
def test_nothing_is_left_to_do(replica: Replica, canaries: Canaries, namespace: str, step: str) -> None:
    edited: list[Json] = []
    replica.meanwhile(step, lambda: edited.append(canaries.edit(namespace, nothing_for_v2)))

    code, (row,) = replica.deliver(delivery(namespace))

    assert (200, "Unchanged", "NotExposed") == (code, row["outcome"], row["reason"])
    assert content(edited[0]) == content(canaries.live(namespace))
    assert () == sent(replica, namespace)
    record = canaries.record(namespace)
    assert ("Expired", "NotExposed") == (phase(record), record["status"]["reason"])
    assert [] == canaries.events(namespace)
    code, answer = replica.undo(record)
    assert (200, "Unchanged", "NotApplied") == (code, answer["outcome"], answer["reason"])


@pytest.mark.parametrize("step", BEFORE_IT_IS_MADE)
def test_no_plan_is_safe_any_more(replica: Replica, canaries: Canaries, namespace: str, step: str) -> None:
    edited: list[Json] = []
    replica.meanwhile(step, lambda: edited.append(canaries.edit(namespace, nothing_but_v2)))

    code, (row,) = replica.deliver(delivery(namespace))

    assert (200, "Denied", "NoStableDestination") == (code, row["outcome"], row["reason"])
    assert content(edited[0]) == content(canaries.live(namespace))
    record = canaries.record(namespace)
    assert ("Failed", "NoStableDestination") == (phase(record), record["status"]["reason"])
    assert ["NoStableDestination"] == [reason for reason, _ in canaries.story(namespace)]


@pytest.mark.parametrize("step", BEFORE_IT_IS_MADE)
def test_the_object_is_deleted(replica: Replica, canaries: Canaries, namespace: str, step: str) -> None:
    replica.meanwhile(step, lambda: canaries.delete(namespace))

    code, (row,) = replica.deliver(delivery(namespace))

    assert (200, "Unchanged", "NotExposed") == (code, row["outcome"], row["reason"])
    assert "is gone" in row["message"]
    assert "Expired" == phase(canaries.record(namespace))
    assert [] == canaries.events(namespace)


@pytest.mark.parametrize("step", BEFORE_IT_IS_MADE)
def test_the_object_is_deleted_and_made_again(replica: Replica, canaries: Canaries, namespace: str, step: str) -> None:
    """Another object: the intent for the old one is over, and the new one has a record of its own."""
    old, made = canaries.live(namespace)["metadata"]["uid"], list[Json]()

    def make_again() -> None:
        canaries.delete(namespace)
        made.append(canaries.create(namespace))

    replica.meanwhile(step, make_again)

    code, (row,) = replica.deliver(delivery(namespace))

    records = {record["spec"]["target"]["uid"]: record for record in canaries.records(namespace)}
    ours = records.pop(made[0]["metadata"]["uid"])
    name = ours["metadata"]["name"]
    assert (200, "Applied", name) == (code, row["outcome"], row["remediation"])
    assert content(without_v2(made[0], name)) == content(canaries.live(namespace))
    (patch,) = sent(replica, namespace)
    assert same_patch(ours, patch.body)
    assert {old: "Expired"} == {uid: phase(record) for uid, record in records.items()}


@pytest.mark.parametrize("edits", [2, 3, 5, 8])
def test_edited_at_so_many_requests(replica: Replica, canaries: Canaries, namespace: str, edits: int) -> None:
    """At each of the first ones, whatever it is: the record's rewriting, the read before it."""
    edited: list[Json] = []
    replica.proxy.recount()

    def before(passage: Passage) -> None:
        if passage.number <= edits:
            edited.append(canaries.edit(namespace, partial(shift, passage.number)))

    replica.proxy.before = before

    code, (row,) = replica.deliver(delivery(namespace))

    record = canaries.record(namespace)
    assert (200, "Applied") == (code, row["outcome"])
    (patch,) = sent(replica, namespace)
    assert same_patch(record, patch.body)
    done = next(each for each in edited if each["metadata"]["resourceVersion"] == planned_on(patch))
    assert content(without_v2(done, record["metadata"]["name"])) == content(patch.answer)


def shift(number: int, body: Json) -> None:
    main_route(body)["route"] = split(v1=90 - number, v2=10 + number)


def planned_on(patch: Passage) -> str:
    """The resourceVersion that a patch was made for."""
    (version,) = [each["value"] for each in patch.body if each["path"] == "/metadata/resourceVersion"]
    return str(version)


def test_edited_without_end(replica: Replica, canaries: Canaries, namespace: str) -> None:
    """Asked for again, and done then."""
    replica.proxy.recount()

    def before(passage: Passage) -> None:
        if passage.step == PATCH:
            canaries.edit(namespace, partial(shift, passage.number))

    replica.proxy.before = before
    code, (row,) = replica.deliver(delivery(namespace))
    assert (503, "Failed", "Conflict") == (code, row["outcome"], row["reason"])
    assert ((), "Planned") == (sent(replica, namespace), phase(canaries.record(namespace)))

    replica.proxy.recount()
    found = canaries.live(namespace)
    code, (row,) = replica.deliver(delivery(namespace))

    record = canaries.record(namespace)
    assert (200, "Applied", "Applied") == (code, row["outcome"], phase(record))
    assert content(without_v2(found, record["metadata"]["name"])) == content(canaries.live(namespace))


# -- while it is undone

UNDO = ("patch remediations/status", PATCH)


@pytest.fixture
def record(replica: Replica, canaries: Canaries, namespace: str) -> Json:
    """Of a canary whose alert has been answered."""
    replica.proxy.recount()
    assert 200 == replica.deliver(delivery(namespace))[0]
    return canaries.record(namespace)


@pytest.mark.parametrize("step", UNDO)
def test_an_edit_elsewhere_is_kept_by_an_undo(
    replica: Replica, canaries: Canaries, namespace: str, record: Json, step: str
) -> None:
    replica.meanwhile(step, lambda: canaries.edit(namespace, label))

    code, answer = replica.undo(record)

    assert (200, "Applied") == (code, answer["outcome"])
    live = canaries.live(namespace)
    assert "yes" == live["metadata"]["labels"]["edited"]
    assert (split(v1=90, v2=10), destination("v2")) == (main_route(live)["route"], main_route(live)["mirror"])
    assert "Undone" == phase(canaries.record(namespace))


@pytest.mark.parametrize("step", UNDO)
@pytest.mark.parametrize(
    "change", [edit for edit in EDITS if edit.id in ("other weights", "the routes in another order")]
)
def test_an_edit_of_what_an_undo_would_put_back_refuses_it(
    replica: Replica, canaries: Canaries, namespace: str, record: Json, change: Change, step: str
) -> None:
    edited: list[Json] = []
    replica.meanwhile(step, lambda: edited.append(canaries.edit(namespace, change)))

    code, answer = replica.undo(record)

    assert (409, "Denied", "ChangedSince") == (code, answer["outcome"], answer["reason"])
    assert answer["differences"]
    assert content(edited[0]) == content(canaries.live(namespace))
    refused = canaries.record(namespace)
    assert "Applied" == phase(refused)
    assert "undo" not in refused["status"], "nothing was given back, so the alert goes on being answered"


@pytest.mark.parametrize("step", UNDO)
def test_somebody_puts_it_back_by_hand_while_it_is_undone(
    replica: Replica, canaries: Canaries, namespace: str, record: Json, step: str
) -> None:
    def by_hand(body: Json) -> None:
        header, main = body["spec"]["http"]
        header["route"] = split(v2=100)
        main |= {"route": split(v1=90, v2=10), "mirror": destination("v2"), "mirrorPercentage": {"value": 12.5}}

    edited: list[Json] = []
    replica.meanwhile(step, lambda: edited.append(canaries.edit(namespace, by_hand)))

    code, answer = replica.undo(record)

    assert (200, "Unchanged", "Undone") == (code, answer["outcome"], answer["reason"])
    assert content(edited[0]) == content(canaries.live(namespace))
    assert "Undone" == phase(canaries.record(namespace))
