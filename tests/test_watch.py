"""The watch against a scripted API server: lists, events, and every way in which a connection can fail."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import Configuration

from remediator.cluster.discovery import Discovery
from remediator.cluster.inventory import Inventory
from remediator.cluster.kubernetes import Index, KubernetesCluster
from remediator.cluster.pace import Pace
from remediator.cluster.rest import Rest
from remediator.cluster.scope import Scope
from remediator.cluster.watch import Watch
from remediator.errors import ClusterError
from tests.processes import wait_until
from tests.scripted import Answer, Json, Request, events, failure, hang_up, reply, scripted, silent
from tests.strategies import RULE, json_values, spoil, virtual_services
from tests.watching import QUICK, Script, Shelf, event, expired, page, running, started, thing
from tests.web_fakes import FakeCluster, House


def test_lists_page_by_page_and_watches_from_there() -> None:
    lists = [page(thing("a", 1), version=7, token="next"), page(thing("b", 2), version=7)]
    with started(lists) as run:
        run.holds("a", "b")
        run.watched(1)
        first, second = run.asked(watch=False)
        assert {"limit": "500"} == first.query
        assert {"limit": "500", "continue": "next"} == second.query
        (watch,) = run.asked(watch=True)
        assert "7" == watch.query["resourceVersion"]
        assert "true" == watch.query["allowWatchBookmarks"]
        assert 240 <= int(watch.query["timeoutSeconds"]) <= 300
        wait_until(lambda: run.state.down_since is None, "open", timeout=5)
        assert (True, "") == (run.state.synced, run.state.error)


def test_half_a_list_is_no_sync() -> None:
    with started([page(thing("a", 1), version=7, token="next"), silent]) as run:
        wait_until(lambda: len(run.asked(watch=False)) == 2, "second page asked for", timeout=5)
        assert not run.state.synced


def test_events_change_the_index() -> None:
    watches = [
        events(
            event("ADDED", thing("b", 8)),
            event("MODIFIED", thing("a", 9)),
            event("DELETED", thing("b", 10)),
            event("BOOKMARK", {"kind": "VirtualService", "metadata": {"resourceVersion": "20"}}),
        ),
        events(then=silent),
    ]
    with started([page(thing("a", 1), version=7)], watches) as run:
        run.watched(2)
        assert {("shop", "a"): "9"} == run.shelf.held
        assert "20" == run.asked(watch=True)[1].query["resourceVersion"]
        assert 1 == len(run.asked(watch=False))


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(events(expired(), then=silent), id="410 as an event"),
        pytest.param(failure(410, "too old resource version"), id="410 as the answer"),
    ],
)
def test_forgotten_history_means_another_list(gone: Answer) -> None:
    """What was deleted meanwhile is in no event, so it vanishes with the list."""
    lists = [page(thing("a", 1), thing("b", 2), version=7), page(thing("b", 2), version=30)]
    with started(lists, [gone, events(then=silent)]) as run:
        run.watched(2)
        run.holds("b")
        assert "30" == run.asked(watch=True)[1].query["resourceVersion"]


def test_an_expired_continue_starts_the_list_over() -> None:
    lists = [
        page(thing("a", 1), version=7, token="next"),
        failure(410, "the continue token has expired"),
        page(thing("b", 2), version=9),
    ]
    with started(lists) as run:
        run.holds("b")
        assert [None, "next", None] == [request.query.get("continue") for request in run.asked(watch=False)]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(events(event("ADDED", thing("b", 8)), b'{"type": "AD', then=hang_up), id="cut within an event"),
        pytest.param(events(event("ADDED", thing("b", 8)), then=hang_up), id="cut between two events"),
        pytest.param(events(event("ADDED", thing("b", 8)), b"<html>\n"), id="a line that is no event"),
        pytest.param(
            events(event("ADDED", thing("b", 8)), b'{"type": "ERROR", "object": null}\n'),
            id="an error that says nothing",
        ),
        pytest.param(events(event("ADDED", thing("b", 8))), id="ended in order"),
    ],
)
def test_a_watch_that_breaks_goes_on_where_it_was(broken: Answer) -> None:
    with started([page(version=7)], [broken, events(then=silent)]) as run:
        run.watched(2)
        run.holds("b")
        assert ["7", "8"] == [request.query["resourceVersion"] for request in run.asked(watch=True)]
        assert 1 == len(run.asked(watch=False))


def test_a_half_open_connection_is_found_out_and_replaced() -> None:
    pace = Pace(stall=0.1, first_wait=0.01)
    watches = [events(then=silent), events(event("ADDED", thing("b", 8)), then=silent)]
    with started([page(version=7)], watches, pace=pace) as run:
        run.holds("b")
        assert 1 == len(run.asked(watch=False))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(
            failure(403, "no such role"),
            "no permission to list virtualservices.networking.istio.io: no such role",
            id="403",
        ),
        pytest.param(failure(401, "Unauthorized"), "Unauthorized", id="401"),
        pytest.param(failure(500, "etcd is away"), "HTTP 500: etcd is away", id="500"),
        pytest.param(reply(404, b"404 page not found"), "does not serve virtualservices.networking.istio.io", id="404"),
        pytest.param(hang_up, "no answer from", id="no answer"),
        pytest.param(reply(200, {"items": []}), "without metadata", id="a list without metadata"),
        pytest.param(
            reply(200, {"items": {"a": 1}, "metadata": {"resourceVersion": "7"}}),
            "no objects",
            id="items that are no list",
        ),
        pytest.param(
            reply(200, {"items": [None], "metadata": {"resourceVersion": "7"}}), "no objects", id="an item of null"
        ),
    ],
)
def test_a_list_that_fails_is_tried_again_and_says_why(answer: Answer, words: str) -> None:
    mended = threading.Event()
    good = Script([page(thing("a", 1), version=7)])
    bad = Script([answer])

    def now(request: Request) -> Answer:
        return good(request) if mended.is_set() else bad(request)

    with running(now, QUICK, Scope("VirtualService")) as run:
        wait_until(lambda: len(run.asked(watch=False)) >= 2, "two attempts", timeout=5)
        assert words in run.state.error
        assert not run.state.synced
        assert run.state.down_since is not None
        mended.set()
        run.holds("a")
        wait_until(lambda: run.state.down_since is None, "open again", timeout=5)
        assert "" == run.state.error


def test_after_some_failures_everything_is_listed_again() -> None:
    """An API server whose etcd was restored from a backup never answers for the version that we are at."""
    future = failure(504, "Too large resource version")
    lists = [page(thing("a", 1), version=7000), page(thing("b", 2), version=3)]
    with started(lists, [future, future, future, future, events(then=silent)]) as run:
        run.holds("b")
        run.watched(5)
        assert ["7000"] * 4 + ["3"] == [request.query["resourceVersion"] for request in run.asked(watch=True)]


def test_a_watch_that_ends_as_soon_as_it_opens_is_a_failure() -> None:
    """Or the next would follow at once, and the one after it."""
    with started([page(version=7)], [events()]) as run:
        run.watched(2)
        wait_until(lambda: "as soon as it had opened" in run.state.error, "error said", timeout=5)


def test_a_watch_that_always_fails_after_opening_counts_as_down() -> None:
    broken = events(event("ERROR", {"kind": "Status", "code": 500, "message": "storage"}))
    with started([page(version=7)], [broken]) as run:
        before = run.state.down_since
        run.watched(4)
        wait_until(lambda: run.state.down_since == before, "down since the start", timeout=5)


def test_a_namespace_of_its_own_is_listed_and_cleared_alone() -> None:
    lists = [page(thing("a", 1), thing("b", 2), version=7), page(thing("b", 2), version=30)]
    watches = [events(event("ADDED", thing("c", 8)), expired()), events(then=silent)]
    with started(lists, watches, scope=Scope("VirtualService", "shop")) as run:
        run.shelf.held[("elsewhere", "x")] = "1"
        run.watched(2)
        run.holds("b", "x")
        assert {"/apis/networking.istio.io/v1/namespaces/shop/virtualservices"} == {
            request.path for request in run.asked(watch=True)
        }


def test_a_glob_is_kept_by_looking_at_the_namespace() -> None:
    lists = [page(thing("a", 1), thing("b", 2, "bank"), version=7)]
    watches = [events(event("ADDED", thing("c", 8, "bank")), event("ADDED", thing("d", 9)), then=silent)]
    scope = Scope("VirtualService", keeps=lambda namespace: namespace.startswith("sh"))
    with started(lists, watches, scope=scope) as run:
        run.holds("a", "d")


SOMETIMES = Scope("VirtualService", optional=True)
SOON = replace(QUICK, absent=0.05)
NOT_SERVED = reply(404, b"404 page not found")


def test_a_kind_that_need_not_be_there_is_no_fault_and_may_come_later(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "remediator.cluster.watch")
    installed = threading.Event()
    script = Script([page(thing("a", 1), version=7)])
    with running(lambda request: script(request) if installed.is_set() else NOT_SERVED, SOON, SOMETIMES) as run:
        wait_until(lambda: len(run.server.requests) > 3, "asked again and again", timeout=5)
        state = run.state
        assert (True, True, None, "") == (state.synced, state.absent, state.down_since, state.error)
        assert state.last_event is not None
        installed.set()
        run.holds("a")
        wait_until(lambda: run.state.down_since is None and not run.state.absent, "watched", timeout=5)
    assert [logging.INFO] * 2 == [each.levelno for each in caplog.records], "once that it is not there, once that it is"


def test_a_kind_that_was_there_is_gone_only_where_that_is_said_repeatedly() -> None:
    """A server that has only just started does not know of a CRD either."""
    script = Script([page(thing("a", 1), version=7)], [events(), events(then=silent)])
    refusals = [NOT_SERVED] * 3

    def answer(request: Request) -> Answer:
        return refusals.pop() if refusals and script.watches[1:] == [] else script(request)

    with running(answer, SOON, SOMETIMES) as run:
        run.holds("a")
        wait_until(lambda: not refusals, "refused thrice", timeout=5)
        wait_until(lambda: run.state.down_since is None, "watched again", timeout=5)
        run.holds("a")
        assert not run.state.absent


def test_a_kind_that_goes_takes_its_objects_with_it() -> None:
    gone = threading.Event()
    script = Script([page(thing("a", 1), version=7)], [events()])
    with running(lambda request: NOT_SERVED if gone.is_set() else script(request), SOON, SOMETIMES) as run:
        run.holds("a")
        gone.set()
        run.holds()
        wait_until(lambda: run.state.absent, "not there", timeout=5)


def test_stop_does_not_wait_for_a_silent_server() -> None:
    with started([page(version=7)], pace=Pace(stall=60)) as run:
        run.watched(1)
        wait_until(lambda: run.state.down_since is None, "open", timeout=5)
        run.watch.stop(timeout=5)
        assert run.state.ended


def test_a_bug_ends_the_watch_and_the_state_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", seen.append)

    class Broken(Shelf):
        def put(self, body: Mapping[str, Any], *, listed: bool = False) -> None:
            raise ZeroDivisionError

    with scripted(Script([page(thing("a", 1), version=7)])) as server:
        rest = Rest(Configuration(host=server.url))
        watch = Watch(rest, Discovery(rest), Scope("VirtualService"), Broken(), QUICK)
        watch.start()
        wait_until(lambda: watch.state.ended, "ended", timeout=5)
        watch.stop()
        rest.close()
    assert 1 == len(seen)


def test_a_bug_makes_the_health_say_that_only_a_restart_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the process would stay as it is, alive and never ready, until somebody looks."""
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", seen.append)

    def bug() -> float:
        raise ZeroDivisionError

    with scripted(Script([page(version=7)])) as server:
        cluster = KubernetesCluster(Rest(Configuration(host=server.url)), pace=Pace(random=bug))
        assert not cluster.health().broken
        cluster.start()
        wait_until(lambda: cluster.health().broken, "broken", timeout=5)
        house = House(cluster=FakeCluster(condition=cluster.health()))
        assert 503 == house.client().get("/healthz").status_code
        cluster.stop()
    assert seen


def test_a_cluster_that_was_stopped_is_not_broken() -> None:
    with scripted(Script([page(version=7)])) as server:
        cluster = KubernetesCluster(Rest(Configuration(host=server.url)), pace=QUICK)
        cluster.start()
        cluster.stop()
        assert not cluster.health().broken


statuses = st.builds(
    lambda code: {"code": code, "message": "no", "details": {"name": "a", "causes": [{"field": "b", "message": "c"}]}},
    st.sampled_from([400, 401, 403, 404, 409, 410, 422, 429, 500]),
)
good_events = st.one_of(
    st.builds(event, st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]), virtual_services() | st.just(RULE)),
    st.builds(event, st.just("ERROR"), statuses),
)


@given(good_events, st.data())
def test_an_event_is_taken_or_is_a_failure_of_the_cluster_whatever_it_is(good: Json, data: st.DataObject) -> None:
    """Any other error would end the thread, and with it the service until it is restarted."""
    whole = {"spec": json.loads(json.dumps(good))}
    for _ in range(data.draw(st.integers(1, 3))):
        spoil(whole, data)
    rest = Rest(Configuration(host="http://localhost"))
    watch = Watch(rest, Discovery(rest), Scope("VirtualService"), Index(Inventory()), QUICK)
    with contextlib.suppress(ClusterError):
        watch._take(json.dumps(whole["spec"]).encode())


@given(st.binary(max_size=20) | json_values.map(lambda value: json.dumps(value).encode()) | st.just(b"[" * 100_000))
def test_a_line_that_is_no_event_is_a_failure_of_the_cluster(line: bytes) -> None:
    rest = Rest(Configuration(host="http://localhost"))
    watch = Watch(rest, Discovery(rest), Scope("VirtualService"), Shelf(), QUICK)
    with pytest.raises(ClusterError):
        watch._take(line)


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        pytest.param(1, 0.2, id="the first"),
        pytest.param(2, 0.4, id="doubled"),
        pytest.param(5, 3.2, id="doubled again and again"),
        pytest.param(6, 5.0, id="the longest"),
        pytest.param(5000, 5.0, id="a very long outage"),
    ],
)
def test_waits_grow_to_a_limit_and_are_spread(failures: int, expected: float) -> None:
    assert expected == pytest.approx(Pace(random=lambda: 0.0).wait(failures))
    assert expected / 2 == pytest.approx(Pace(random=lambda: 1.0).wait(failures))
