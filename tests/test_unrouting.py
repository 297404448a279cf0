"""That an abort took the traffic away is seen by the routes: with Prometheus or without, late or never, by whomever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.errors import Unavailable
from remediator.outcome import Reason, TargetRef
from remediator.owners import Driving, read_rollout
from remediator.policies.model import Action
from remediator.records.conditions import conditions
from remediator.records.events import Event, Tone
from remediator.traffic import virtualservice
from remediator.traffic.exposure import Facts
from remediator.traffic.hosts import Host
from remediator.traffic.subsets import POD_HASH, Rules
from remediator.traffic.suspect import Suspect
from remediator.verification.model import Side, Verification, VerificationVerdict
from remediator.verification.routes import Withdrawal, still_sent
from tests.builders import (
    Json,
    alert,
    by_host,
    destination,
    destination_rule,
    labels,
    rollout,
    split,
    updating,
    virtual_service,
)
from tests.fakes import NOW, FakeCluster
from tests.test_pipeline_records import Crash, Mesh, die
from tests.test_rollbacks import CANARY, QUICK, SERVICE, World
from tests.test_verifying import Clock, Replica, Scripted, known

Verdict = VerificationVerdict
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
REVIEWS = TargetRef("VirtualService", "shop", "reviews")
ROLLOUT = TargetRef("Rollout", "shop", "reviews")
HOSTS = virtual_service({"name": "primary", "route": by_host(reviews_stable=90, reviews_canary=10)})
ACCUSED = alert(labels(name="reviews-canary"), fingerprint="e" * 16)


@dataclass
class Aborted:
    """A Rollout that an alert has aborted a moment ago, at NOW; what its controller does, a test says."""

    cluster: FakeCluster
    prometheus: Scripted | None = None
    metrics: list[Replica] = field(default_factory=list)

    def replica(self, after: timedelta = timedelta()) -> Replica:
        """One life of one replica, so long after the abort."""
        made = Replica(self.cluster, self.prometheus, Clock(NOW + after))
        self.metrics.append(made)
        return made

    def look(self, begin: timedelta, end: timedelta) -> None:
        self.replica(begin).look(NOW + end, SECOND)

    def routes(self, canary: int, *, indexed: bool = True) -> None:
        """Its controller writes the weights."""

        def write(body: Json) -> None:
            body["spec"]["http"][0]["route"] = by_host(reviews_stable=100 - canary, reviews_canary=canary)

        self.cluster.edit(REVIEWS, write, indexed=indexed)

    @property
    def found(self) -> Verification | None:
        (record,) = self.cluster.ledger.records()
        return record.status.verification

    @property
    def counted(self) -> dict[str, float]:
        """Over all replicas."""
        found: dict[str, float] = {}
        for each in self.metrics:
            for verdict, count in each.counted.items():
                found[verdict] = found.get(verdict, 0.0) + count
        return found

    @property
    def told(self) -> list[tuple[str, Tone]]:
        events: list[Event] = sorted(self.cluster.ledger.events.values(), key=lambda event: event.at)
        return [(event.reason, event.tone) for event in events if event.action == "Verify"]


@pytest.fixture
def aborted_on() -> Iterator[Callable[..., Aborted]]:
    with ThreadPoolExecutor(2) as executor:

        def made(*bodies: Json, accusing: Json = ACCUSED, prometheus: bool = False) -> Aborted:
            mesh = Mesh(FakeCluster(*(bodies or (HOSTS, rollout("reviews", status=updating())))), executor)
            (row,) = mesh.deliver(accusing)
            assert Reason.ABORTED is row.reason, row.message
            return Aborted(mesh.cluster, Scripted(NOW) if prometheus else None)

        yield made


AbortedOn = Callable[..., Aborted]


@pytest.fixture
def aborted(aborted_on: AbortedOn) -> Aborted:
    return aborted_on()


class TestWithoutPrometheus:
    def test_it_is_over_once_the_routes_send_nothing(self, aborted: Aborted) -> None:
        aborted.look(timedelta(), 3 * SECOND)
        assert aborted.found is None
        aborted.routes(canary=0)
        aborted.look(4 * SECOND, 4 * SECOND)
        found = known(aborted.cluster)

        assert Verdict.UNROUTED is found.verdict
        assert (NOW + 4 * SECOND,) * 3 == (found.at, found.unrouted_at, found.concluded_at)
        assert "reviews-canary.shop v2 nothing, as was seen 4s after" in found.message
        assert ({"Unrouted": 1.0}, [("Unrouted", Tone.NORMAL)]) == (aborted.counted, aborted.told)

    def test_it_is_not_looked_at_again_then(self, aborted: Aborted) -> None:
        aborted.routes(canary=0)
        aborted.look(SECOND, SECOND)
        aborted.routes(canary=30)
        aborted.look(2 * SECOND, 5 * MINUTE)

        assert (Verdict.UNROUTED, {"Unrouted": 1.0}) == (known(aborted.cluster).verdict, aborted.counted)

    def test_a_driver_that_does_nothing_is_told_of_once(self, aborted: Aborted) -> None:
        aborted.look(timedelta(), 119 * SECOND)
        assert aborted.found is None
        aborted.look(2 * MINUTE, 10 * MINUTE)
        found = known(aborted.cluster)

        assert (Verdict.STILL_ROUTED, NOW + 2 * MINUTE, None) == (found.verdict, found.at, found.concluded_at)
        assert "http[0] (primary): reviews-canary.shop weight 10 of 100" in found.message
        assert ({"StillRouted": 1.0}, [("StillRouted", Tone.WARNING)]) == (aborted.counted, aborted.told)

    def test_one_that_is_slow_is_seen_to_have_done_it_after_all(self, aborted: Aborted) -> None:
        """As with dynamicStableScale: the weight goes as the stable side is scaled up."""
        aborted.routes(canary=5)
        aborted.look(timedelta(), 3 * MINUTE)
        assert Verdict.STILL_ROUTED is known(aborted.cluster).verdict
        aborted.routes(canary=0)
        aborted.look(4 * MINUTE, 4 * MINUTE)

        assert (Verdict.UNROUTED, NOW + 4 * MINUTE) == (
            known(aborted.cluster).verdict,
            known(aborted.cluster).unrouted_at,
        )
        assert [("StillRouted", Tone.WARNING), ("Unrouted", Tone.NORMAL)] == aborted.told

    def test_kubectl_wait_can_wait_for_it(self, aborted: Aborted) -> None:
        def stands() -> list[tuple[str, str]]:
            (record,) = aborted.cluster.ledger.records()
            return [(each["type"], each["status"]) for each in conditions(record.status) if each["type"] == "Unrouted"]

        aborted.look(2 * MINUTE, 2 * MINUTE)
        assert [("Unrouted", "False")] == stands()
        aborted.routes(canary=0)
        aborted.look(3 * MINUTE, 3 * MINUTE)
        assert [("Unrouted", "True")] == stands()


class TestWithPrometheus:
    def test_the_traffic_is_asked_about_from_then_on(self, aborted_on: AbortedOn) -> None:
        aborted = aborted_on(prometheus=True)
        aborted.routes(canary=0)
        aborted.look(20 * SECOND, 20 * SECOND)
        unrouted = known(aborted.cluster)
        assert (Verdict.UNROUTED, None) == (unrouted.verdict, unrouted.concluded_at)
        aborted.look(21 * SECOND, 94 * SECOND)
        assert unrouted == known(aborted.cluster), "no window has gone by since"
        aborted.look(95 * SECOND, 2 * MINUTE)
        found = known(aborted.cluster)

        assert (Verdict.RECOVERED, unrouted.unrouted_at) == (found.verdict, found.unrouted_at)
        assert ({"Recovered": 1.0}, [("Recovered", Tone.NORMAL)]) == (aborted.counted, aborted.told)

    def test_the_time_that_the_traffic_has_counts_from_then(self, aborted_on: AbortedOn) -> None:
        aborted = aborted_on(prometheus=True)
        assert aborted.prometheus is not None
        aborted.prometheus.since = 50
        aborted.routes(canary=0)
        aborted.look(90 * SECOND, 209 * SECOND)
        assert Verdict.UNROUTED is known(aborted.cluster).verdict
        aborted.look(210 * SECOND, 220 * SECOND)

        assert (Verdict.STILL_RECEIVING, NOW + 210 * SECOND) == (
            known(aborted.cluster).verdict,
            known(aborted.cluster).concluded_at,
        )

    def test_nobody_is_asked_while_the_routes_send_anything(self, aborted_on: AbortedOn) -> None:
        aborted = aborted_on(prometheus=True)
        aborted.look(timedelta(), 10 * MINUTE)

        assert aborted.prometheus is not None
        assert (Verdict.STILL_ROUTED, []) == (known(aborted.cluster).verdict, aborted.prometheus.asked)

    def test_a_prometheus_that_does_not_answer_leaves_what_the_routes_said(self, aborted_on: AbortedOn) -> None:
        aborted = aborted_on(prometheus=True)
        assert aborted.prometheus is not None
        aborted.prometheus.fails = "it is away"
        aborted.routes(canary=0)
        aborted.look(SECOND, 5 * MINUTE)
        found = known(aborted.cluster)

        assert (Verdict.NO_DATA, NOW + SECOND) == (found.verdict, found.unrouted_at)

    def test_a_restart_without_it_ends_with_what_the_routes_said(self, aborted_on: AbortedOn) -> None:
        aborted = aborted_on(prometheus=True)
        aborted.routes(canary=0)
        aborted.look(SECOND, SECOND)
        aborted.prometheus = None
        aborted.look(5 * SECOND, 5 * SECOND)
        found = known(aborted.cluster)

        assert (Verdict.UNROUTED, NOW + 5 * SECOND) == (found.verdict, found.concluded_at)


def other_update(aborted: Aborted) -> None:
    aborted.cluster.edit(ROLLOUT, lambda body: body["status"].update(currentPodHash="newer"), indexed=True)


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        pytest.param(other_update, Verdict.UNROUTED, id="another update has taken its place"),
        pytest.param(lambda aborted: aborted.cluster.lose(REVIEWS), Verdict.UNROUTED, id="the object is gone"),
        pytest.param(
            lambda aborted: aborted.cluster.lose(ROLLOUT),
            Verdict.STILL_ROUTED,
            id="the Rollout is gone, and its routes are not",
        ),
        pytest.param(
            lambda aborted: (aborted.routes(canary=0), aborted.routes(canary=10, indexed=False)),
            Verdict.STILL_ROUTED,
            id="the index is behind its source",
        ),
    ],
)
def test_what_else_may_happen(aborted: Aborted, then: Callable[[Aborted], object], expected: Verdict) -> None:
    then(aborted)
    aborted.look(2 * MINUTE, 2 * MINUTE)

    assert expected is known(aborted.cluster).verdict


def test_an_object_that_cannot_be_read_is_looked_at_again(aborted: Aborted) -> None:
    aborted.routes(canary=0)

    def away(name: str) -> None:
        if name == "get":
            raise Unavailable("away")

    aborted.cluster.step = away
    aborted.look(SECOND, 3 * SECOND)
    assert aborted.found is None
    aborted.cluster.step = lambda _name: None
    aborted.look(4 * SECOND, 4 * SECOND)

    assert Verdict.UNROUTED is known(aborted.cluster).verdict


@pytest.mark.parametrize("moment", ["announce", "announce done", "conclude", "conclude done"])
def test_whatever_the_moment_of_a_crash_it_is_told_once_and_written(aborted: Aborted, moment: str) -> None:
    aborted.routes(canary=0)
    aborted.cluster.step = lambda name: die(name) if name == moment else None
    with suppress(Crash):
        aborted.look(SECOND, SECOND)
    aborted.cluster.step = lambda _name: None
    aborted.look(2 * SECOND, 5 * SECOND)

    assert (Verdict.UNROUTED, [("Unrouted", Tone.NORMAL)]) == (known(aborted.cluster).verdict, aborted.told)


def test_of_two_replicas_one_writes_and_counts(aborted: Aborted) -> None:
    one, other = aborted.replica(SECOND), aborted.replica(SECOND)
    aborted.routes(canary=0)
    for _ in range(3):
        one.verifying.look()
        other.verifying.look()

    assert {"Unrouted": 1.0} == aborted.counted


def test_subsets_that_name_no_version_are_told_by_the_rollout(aborted_on: AbortedOn) -> None:
    driver = rollout("reviews", rule="reviews", status=updating())
    rule = destination_rule(stable={POD_HASH: "old"}, canary={POD_HASH: "new"})
    body = virtual_service({"name": "primary", "route": split(stable=90, canary=10)})
    aborted = aborted_on(body, rule, driver, accusing=alert(labels("new"), fingerprint="e" * 16))
    aborted.look(SECOND, SECOND)
    assert aborted.found is None

    def back(body: Json) -> None:
        body["spec"]["http"][0]["route"] = split(stable=100, canary=0)

    aborted.cluster.edit(REVIEWS, back, indexed=True)
    aborted.look(2 * SECOND, 2 * SECOND)
    assert Verdict.UNROUTED is known(aborted.cluster).verdict


def test_only_what_was_there_is_waited_for(aborted_on: AbortedOn) -> None:
    """The policy would take weights too, but the update had come no further than a mirror."""
    route = {"name": "mirror", "route": by_host(reviews_stable=100), "mirror": destination(host="reviews-canary")}
    aborted = aborted_on(virtual_service(route), rollout("reviews", status=updating()))
    (record,) = aborted.cluster.ledger.records()
    assert (Action.REMOVE_MIRRORS,) == record.intent.actions
    aborted.look(2 * MINUTE, 2 * MINUTE)
    assert "http[0] (mirror): mirror to reviews-canary.shop (100 %)" in known(aborted.cluster).message

    aborted.cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0].pop("mirror"), indexed=True)
    aborted.look(3 * MINUTE, 3 * MINUTE)
    assert Verdict.UNROUTED is known(aborted.cluster).verdict


# -- the pure part


WEIGHTS = st.integers(0, 100)


@given(canary=st.lists(WEIGHTS, min_size=1, max_size=4), driven=st.booleans())
def test_nothing_is_sent_exactly_where_no_route_has_weight_for_the_canary(canary: list[int], driven: bool) -> None:
    routes = ({"route": by_host(reviews_stable=100 - each, reviews_canary=each)} for each in canary)
    matched = [{"match": [{"uri": {"exact": f"/{number}"}}]} | each for number, each in enumerate(routes)]
    driver = read_rollout(rollout("reviews", status=updating()))
    suspect = Suspect(Host("reviews-canary.shop.svc.cluster.local"), "v2")
    asked = Withdrawal(frozenset({suspect}), tuple(Side), driver.abort)
    routing = virtualservice.read(virtual_service(*matched))
    left = still_sent(asked, routing, Facts("shop", Rules()), Driving(rollouts=(driver,) if driven else ()))

    assert sum(each > 0 for each in canary) == len(left)


# -- of what Flagger drives


@pytest.fixture
def flagger_of() -> Iterator[Callable[..., World]]:
    with ThreadPoolExecutor(2) as executor:
        yield lambda *bodies: World(Mesh(FakeCluster(*(bodies or (SERVICE, CANARY))), executor, policies=(QUICK,)))


FlaggerOf = Callable[..., World]


def told(world: World) -> Aborted:
    """An alert accuses what is on trial, and Flagger's hook has had its yes; what it does with that, a test says."""
    assert [("Planned", "RollbackOffered")] == world.fire()
    assert 200 == world.ask()
    return Aborted(world.mesh.cluster)


def look_at(world: World, aborted: Aborted, seconds: float) -> None:
    """One look, so long after Flagger was told."""
    begun = timedelta(minutes=world.mesh.minutes)
    aborted.look(begun + timedelta(seconds=seconds), begun + timedelta(seconds=seconds))


class TestFlagger:
    def test_an_offer_is_not_looked_at_before_it_is_taken(self, flagger_of: FlaggerOf) -> None:
        world = flagger_of()
        world.fire()
        look_at(world, Aborted(world.mesh.cluster), 300)
        assert world.mesh.record.status.verification is None

    def test_it_is_over_once_the_routes_send_nothing(self, flagger_of: FlaggerOf) -> None:
        world = flagger_of()
        aborted = told(world)
        look_at(world, aborted, 1)
        assert aborted.found is None
        world.flagger.tick()
        look_at(world, aborted, 2)
        found = known(aborted.cluster)

        assert (Verdict.UNROUTED, True) == (found.verdict, found.concluded_at is not None)
        assert ({"Unrouted": 1.0}, [("Unrouted", Tone.NORMAL)]) == (aborted.counted, aborted.told)

    def test_one_that_answered_and_did_nothing_is_told_of_once(self, flagger_of: FlaggerOf) -> None:
        world = flagger_of()
        aborted = told(world)
        for seconds in (1, 119):
            look_at(world, aborted, seconds)
        assert aborted.found is None
        for seconds in (120, 300):
            look_at(world, aborted, seconds)

        assert Verdict.STILL_ROUTED is known(aborted.cluster).verdict
        assert "http[0]: reviews-canary.shop weight 10 of 100" in known(aborted.cluster).message
        assert ({"StillRouted": 1.0}, [("StillRouted", Tone.WARNING)]) == (aborted.counted, aborted.told)

    def test_the_next_revision_may_have_traffic(self, flagger_of: FlaggerOf) -> None:
        """It may come before anybody has looked."""
        world = flagger_of()
        aborted = told(world)
        world.flagger.tick()
        world.flagger.deploy("good")
        assert 10 == world.flagger.weight
        look_at(world, aborted, 120)

        assert Verdict.UNROUTED is known(aborted.cluster).verdict

    @pytest.mark.parametrize("phase", ["Promoting", "Finalising", "Succeeded"])
    def test_a_revision_that_was_promoted_after_all_has_its_traffic(self, flagger_of: FlaggerOf, phase: str) -> None:
        """The yes was lost on its way, and it was the last time that Flagger asked."""
        world = flagger_of()
        aborted = told(world)
        world.edit(lambda body: body["status"].update(phase=phase))
        aborted.cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0].update(SERVICE["spec"]["http"][0]))
        look_at(world, aborted, 120)

        assert Verdict.STILL_ROUTED is known(aborted.cluster).verdict
        assert f"Canary shop/reviews is {phase}: the accused version takes" in known(aborted.cluster).message

    def test_prometheus_is_asked_from_then_on_about_what_was_there(self, flagger_of: FlaggerOf) -> None:
        """The policy takes mirrors too; there were none, so nobody waits to see them end."""
        world = flagger_of()
        world.mesh.policies = (replace(QUICK, actions=(Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS)),)
        aborted, begun = told(world), timedelta(minutes=world.mesh.minutes)
        aborted.prometheus = Scripted(NOW + begun)
        world.flagger.tick()
        aborted.look(begun + SECOND, begun + 2 * MINUTE)
        found = known(aborted.cluster)

        assert (Verdict.RECOVERED, {Side.LIVE}) == (found.verdict, {each.side for each in found.figures})

    def test_a_suspect_is_told_by_the_canary_s_host(self, flagger_of: FlaggerOf) -> None:
        """Though a DestinationRule makes one think that the host has several versions."""
        world = flagger_of()
        aborted = told(world)
        rule = destination_rule("reviews-canary", a={"version": "v2"}, b={"version": "v3"})
        world.mesh.cluster.put(rule)
        look_at(world, aborted, 120)

        assert Verdict.STILL_ROUTED is known(aborted.cluster).verdict

    def test_without_its_canary_the_alert_s_words_count(self, flagger_of: FlaggerOf) -> None:
        world = flagger_of()
        aborted = told(world)
        world.mesh.cluster.lose(world.flagger.canary)
        look_at(world, aborted, 120)

        assert Verdict.STILL_ROUTED is known(aborted.cluster).verdict

    @pytest.mark.parametrize("verifies", [True, False])
    def test_nothing_is_counted_as_not_verified(self, flagger_of: FlaggerOf, verifies: bool) -> None:
        world = flagger_of()
        world.more = {"verifies": verifies}
        told(world)

        assert world.mesh.record.status.verification is None
        body, _ = world.mesh.metrics.render()
        assert b'{verdict="NotVerified"} 1.0' not in body
