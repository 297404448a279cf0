"""Killed at any moment, deaf at any moment: one record, one patch, and the way back, all the same.

The process is killed with SIGKILL when a proxy before the real API server has let so many of its requests through.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from tests.builders import split
from tests.canaries import Canaries, Json, content, delivery, main_route, phase, same_patch, without_v2
from tests.processes import wait_until
from tests.real_world import cleared
from tests.replica import DEADLINE_S, Replica, died, running_replica
from tests.servers import ApiServer
from tests.service import PERMISSIONS

pytestmark = pytest.mark.servers

STEPS = ("create remediations", "patch virtualservices", "create events", "patch remediations/status")
"""What one alert on one canary asks of the API server."""
UNDO_STEPS = (
    "get remediations",
    "get virtualservices",
    "patch remediations/status",
    "patch virtualservices",
    "patch remediations/status",
    "create events",
)
"""What an undo asks of it."""

PATCHED = ("Patched", "RevertToStable,RemoveMirrors")
UNDONE = ("Undone", "Undo")
REFUSED = ("Undone", "RevertToStable,RemoveMirrors")
"""The alert goes on after the undo."""


@pytest.fixture(scope="module")
def canaries(api_server: ApiServer) -> Canaries:
    cleared(api_server)
    api_server.allow("guest", *PERMISSIONS)
    return Canaries(api_server)


@pytest.fixture(scope="module")
def process(canaries: Canaries) -> Iterator[Replica]:
    """One for all tests: what they leave of it, the next one starts again."""
    with ExitStack() as stack:
        yield stack.enter_context(running_replica(canaries.server))


@pytest.fixture
def replica(process: Replica) -> Replica:
    """Ready, and nothing in its way."""
    process.revive()
    return process


def after(steps: tuple[str, ...], *, first: int = 1) -> list[object]:
    """Each position in `steps`, named by what has just been done there."""
    numbers = range(first, len(steps) + 1)
    return [pytest.param(number, id=f"{number}: {steps[number - 1]}" if number else "0: nothing") for number in numbers]


def deployed(replica: Replica, canaries: Canaries, namespace: str) -> Json:
    before = canaries.create(namespace)
    replica.knows(namespace)
    return before


def remediated(replica: Replica, canaries: Canaries, namespace: str) -> tuple[Json, Json]:
    """A canary whose alert has been answered: what it was, and the record."""
    before = deployed(replica, canaries, namespace)
    assert 200 == replica.deliver(delivery(namespace))[0]
    return before, canaries.record(namespace)


def delivered_again(replica: Replica, canaries: Canaries, *before: Json) -> Json:
    """Deliver the alerts once more, and judge what has come of all deliveries together; the last record."""
    code, rows = replica.deliver(delivery(*(each["metadata"]["namespace"] for each in before)))
    assert 200 == code
    return [judged(replica, canaries, *each) for each in zip(before, rows, strict=True)][-1]


def judged(replica: Replica, canaries: Canaries, before: Json, row: Json) -> Json:
    """One record, one patch, one Event, and the object as it is without a crash; the record."""
    namespace = before["metadata"]["namespace"]
    record, live = canaries.record(namespace), canaries.live(namespace)
    name = record["metadata"]["name"]
    assert name == row["remediation"]
    assert (row["outcome"], row["reason"]) in {("Applied", "Patched"), ("Unchanged", "NotExposed")}
    assert ("Applied", "Patched") == (phase(record), record["status"]["reason"])
    assert content(without_v2(before, name)) == content(live)
    assert before["metadata"]["generation"] + 1 == live["metadata"]["generation"]
    (sent,) = replica.proxy.made("patch virtualservices", namespace)
    assert same_patch(record, sent.body), "the record says what was really done"
    assert [PATCHED] == canaries.story(namespace)
    return record


def given_back(replica: Replica, canaries: Canaries, before: Json, record: Json) -> None:
    """Undo, and find the object as it was."""
    namespace = before["metadata"]["namespace"]
    code, answer = replica.undo(record)
    assert (200, "Applied", "Undone") == (code, answer["outcome"], answer["reason"])
    assert content(before) == content(canaries.live(namespace))
    assert "Undone" == phase(canaries.record(namespace))
    assert [PATCHED, UNDONE] == canaries.story(namespace)


def test_these_are_all_the_requests(replica: Replica, canaries: Canaries) -> None:
    """The tests below take the process away after each of them."""
    before, record = remediated(replica, canaries, "undisturbed")
    assert STEPS == replica.proxy.steps("undisturbed")
    # No Prometheus was named: the record says so in the write that ends it.
    assert "NotVerified" == record["status"]["verification"]["verdict"]
    replica.proxy.recount()
    given_back(replica, canaries, before, record)
    assert UNDO_STEPS == replica.proxy.steps("undisturbed")


@pytest.mark.parametrize("requests", after(STEPS, first=0))
def test_killed_after_so_many_requests(replica: Replica, canaries: Canaries, requests: int) -> None:
    namespace = f"killed-{requests}"
    before = deployed(replica, canaries, namespace)
    replica.die_after(requests)
    assert (requests < len(STEPS)) == died(lambda: replica.deliver(delivery(namespace)))
    assert STEPS[: requests + 1] == replica.proxy.steps(namespace)

    replica.restart()

    record = delivered_again(replica, canaries, before)
    given_back(replica, canaries, before, record)


@pytest.mark.parametrize("requests", [1, 3, 5, 7, 9, 11])
def test_killed_after_so_many_requests_about_three_canaries(
    replica: Replica, canaries: Canaries, requests: int
) -> None:
    """One notification; its canaries are seen to at the same time, and each is somewhere else when it ends."""
    namespaces = [f"three-{requests}-{each}" for each in range(3)]
    before = [deployed(replica, canaries, namespace) for namespace in namespaces]
    replica.die_after(requests)
    assert died(lambda: replica.deliver(delivery(*namespaces)))

    replica.restart()

    delivered_again(replica, canaries, *before)


def test_the_worker_alone_is_killed(replica: Replica, canaries: Canaries) -> None:
    """As when it takes too much memory: its parent starts another one."""
    before = deployed(replica, canaries, "worker")
    replica.die_after(2, kill=replica.service.kill_worker)
    assert died(lambda: replica.deliver(delivery("worker")))

    replica.proxy.recount()
    wait_until(replica.service.ready, "the next worker is ready", DEADLINE_S)

    record = delivered_again(replica, canaries, before)
    given_back(replica, canaries, before, record)


@pytest.mark.parametrize("number", after(STEPS))
def test_the_answer_to_a_request_is_lost(replica: Replica, canaries: Canaries, number: int) -> None:
    """Done by the server, and we never heard: the notification is asked for again, but for an Event's sake alone."""
    namespace = f"deaf-{number}"
    before = deployed(replica, canaries, namespace)
    replica.lose_answer(number)
    code, _ = replica.deliver(delivery(namespace))
    assert (200 if STEPS[number - 1] == "create events" else 503) == code

    replica.proxy.recount()

    record = delivered_again(replica, canaries, before)
    given_back(replica, canaries, before, record)


@pytest.mark.parametrize("number", after(STEPS))
def test_the_answer_to_a_request_is_lost_and_the_next_one_is_not_sent(
    replica: Replica, canaries: Canaries, number: int
) -> None:
    namespace = f"deaf-and-killed-{number}"
    before = deployed(replica, canaries, namespace)
    replica.lose_answer(number, die_after=number)
    died(lambda: replica.deliver(delivery(namespace)))

    replica.restart()

    record = delivered_again(replica, canaries, before)
    given_back(replica, canaries, before, record)


@pytest.mark.parametrize("requests", after(STEPS[:-1]))
def test_killed_again_while_it_takes_up_what_was_begun(replica: Replica, canaries: Canaries, requests: int) -> None:
    """At each request of the second life, until that one gets to the end."""
    for more in count():
        namespace = f"again-{requests}-{more}"
        before = deployed(replica, canaries, namespace)
        replica.die_after(requests)
        assert died(lambda: replica.deliver(delivery(namespace)))  # noqa: B023 - called at once
        replica.start()
        replica.die_after(more)
        dead = died(lambda: replica.deliver(delivery(namespace)))  # noqa: B023

        replica.restart()

        delivered_again(replica, canaries, before)
        if not dead:
            assert more > 1
            return


def test_killed_again_while_it_takes_up_an_intent_for_an_object_that_moved(
    replica: Replica, canaries: Canaries
) -> None:
    """The record is rewritten first: what it says was never done, and what will be done is another thing."""
    for more in count():
        namespace = f"moved-{more}"
        deployed(replica, canaries, namespace)
        replica.die_after(1)
        assert died(lambda: replica.deliver(delivery(namespace)))  # noqa: B023 - called at once
        before = canaries.edit(namespace, lambda body: body["spec"]["http"].reverse())
        replica.start()
        replica.die_after(more)
        dead = died(lambda: replica.deliver(delivery(namespace)))  # noqa: B023

        replica.restart()

        record = delivered_again(replica, canaries, before)
        given_back(replica, canaries, before, record)
        if not dead:
            assert more > 1
            return


@pytest.mark.parametrize("requests", after(UNDO_STEPS, first=0))
def test_killed_in_an_undo(replica: Replica, canaries: Canaries, requests: int) -> None:
    namespace = f"undo-killed-{requests}"
    before, record = remediated(replica, canaries, namespace)
    replica.die_after(requests)
    assert (requests < len(UNDO_STEPS)) == died(lambda: replica.undo(record))

    replica.restart()

    undone_for_good(replica, canaries, before, record)


@pytest.mark.parametrize("number", after(UNDO_STEPS))
def test_the_answer_to_a_request_of_an_undo_is_lost(replica: Replica, canaries: Canaries, number: int) -> None:
    namespace = f"undo-deaf-{number}"
    before, record = remediated(replica, canaries, namespace)
    replica.lose_answer(number)
    code, _ = replica.undo(record)
    assert (200 if UNDO_STEPS[number - 1] == "create events" else 503) == code

    replica.proxy.recount()

    undone_for_good(replica, canaries, before, record)


def undone_for_good(replica: Replica, canaries: Canaries, before: Json, record: Json) -> None:
    """Finish an undo that was begun, while its alert goes on: once traffic is given back, no delivery takes it away."""
    namespace = before["metadata"]["namespace"]
    begun = content(canaries.live(namespace))
    replica.deliver(delivery(namespace))
    assert begun == content(canaries.live(namespace)), "the alert is delivered again before the undo is"

    code, answer = replica.undo(record)
    assert (200, "Undone") == (code, answer["reason"])
    assert content(before) == content(canaries.live(namespace))
    undone = canaries.record(namespace)
    assert ("Undone", "mia") == (phase(undone), undone["status"]["undo"]["by"])

    code, (row,) = replica.deliver(delivery(namespace))
    assert (200, "Denied", "Undone") == (code, row["outcome"], row["reason"])
    assert content(before) == content(canaries.live(namespace))
    assert 2 == len(replica.proxy.made("patch virtualservices", namespace)), "there and back"
    assert sorted([PATCHED, UNDONE, REFUSED]) == sorted(canaries.story(namespace))


@pytest.mark.parametrize("requests", after(STEPS[:-1], first=2))
def test_the_suspect_is_brought_back_before_the_end_was_written(
    replica: Replica, canaries: Canaries, requests: int
) -> None:
    """The patch was made, the process died, and somebody gave traffic to the suspect again: that makes two patches,
    and a record for each."""
    namespace = f"brought-back-{requests}"
    deployed(replica, canaries, namespace)
    replica.die_after(requests)
    assert died(lambda: replica.deliver(delivery(namespace)))
    before = canaries.edit(namespace, lambda body: main_route(body).update(route=split(v1=50, v2=50)))

    replica.restart()
    code, (row,) = replica.deliver(delivery(namespace))

    first, second = sorted(canaries.records(namespace), key=lambda record: str(record["metadata"]["name"]))
    names = [record["metadata"]["name"] for record in (first, second)]
    assert (200, "Applied", names[1]) == (code, row["outcome"], row["remediation"])
    assert [names[0], f"{names[0]}-2"] == names
    assert ["Applied", "Applied"] == [phase(first), phase(second)]
    assert content(without_v2(before, names[1])) == content(canaries.live(namespace))
    sent = replica.proxy.made("patch virtualservices", namespace)
    assert [True, True] == [same_patch(*each) for each in zip((first, second), (p.body for p in sent), strict=True)]
    assert [PATCHED, PATCHED] == canaries.story(namespace)
    assert 200 == replica.undo(second)[0]
    assert content(before) == content(canaries.live(namespace))
