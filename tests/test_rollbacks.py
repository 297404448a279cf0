"""What Flagger drives is rolled back by Flagger: it asks, and is told so for the accused revision and for no other.

The world is the real pipeline, the real HTTP application, and Flagger as its source has it (tests/flagger.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from remediator.errors import Conflict, NotSynced, Unavailable
from remediator.guards.budget import Budget
from remediator.guards.pause import Pause
from remediator.guards.situation import Bounds
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.owners import Canary, Lever
from remediator.pipeline.housekeeping import Housekeeping
from remediator.pipeline.offering import lasting
from remediator.pipeline.rollbacks import Rollbacks, unasked
from remediator.policies.model import Action, Mode
from remediator.records.gate import Candidate, judge
from remediator.records.ledger import head
from remediator.records.model import Approval, Phase, Remediation, Request
from remediator.traffic.hosts import Host
from tests.builders import Json, alert, by_host, flagger_canary, labels, managed, virtual_service
from tests.fakes import NOW, FakeCluster
from tests.flagger import Flagger
from tests.test_pipeline import policy
from tests.test_pipeline_records import Crash, Mesh, at, die, steps_of, words
from tests.web_fakes import House

BY = Request("ann", "seen in the traces")
HOOK = {"name": "remediator", "type": "rollback", "url": "http://remediator:8080/flagger/rollback/t0ken"}
ANALYSIS = {"interval": "10s", "threshold": 5, "maxWeight": 50, "stepWeight": 10}
SERVICE = virtual_service({"route": by_host(reviews_primary=100, reviews_canary=0)})
CANARY = flagger_canary(analysis=ANALYSIS | {"webhooks": [HOOK]})
CANARY["metadata"]["resourceVersion"] = "1"
QUICK = policy(guards=replace(policy().guards, cooldown=timedelta(0)))
SECOND = 1 / 60
"""In minutes."""


@dataclass
class World:
    """A mesh that Flagger drives."""

    mesh: Mesh
    more: dict[str, Any] = field(default_factory=dict)
    """What every replica is told."""
    reachable: bool = True
    flagger: Flagger = field(init=False)

    def __post_init__(self) -> None:
        now = self.mesh.cluster.ledger.now = lambda: NOW + timedelta(minutes=self.mesh.minutes)
        self.flagger = Flagger(self.mesh.cluster, self.post, now)
        self.flagger.tick()
        self.after(60)
        self.flagger.deploy("bad")
        self.flagger.answers.clear()
        self.after(1)

    def after(self, seconds: float) -> None:
        self.mesh.minutes += seconds * SECOND

    def replica(self) -> Rollbacks:
        return Rollbacks(self.mesh.replica(**self.more), pause=never)

    def post(self, url: str, payload: Json) -> int:
        """As Flagger asks, of a fresh replica; nothing but a status comes back."""
        if not self.reachable:
            raise OSError("connection refused")
        app = House(rollbacks=self.replica()).app()  # type: ignore[arg-type] # the real one
        answer = app.test_client().post(urlsplit(url).path, json=payload)
        assert b"" == answer.data or url != HOOK["url"]
        return answer.status_code

    def fire(self, *, began: float = 0, fingerprint: str = "e" * 16, **more: str) -> list[tuple[str, str]]:
        """Deliver an alert that began `began` seconds ago; how it ends."""
        return words(self.deliver(began=began, fingerprint=fingerprint, **more))

    def deliver(self, *, began: float = 0, fingerprint: str = "e" * 16, **more: str) -> tuple[Any, ...]:
        start = NOW + timedelta(minutes=self.mesh.minutes) - timedelta(seconds=began)
        given = alert(labels(name="reviews-canary", **more), fingerprint=fingerprint)
        return self.mesh.deliver(given | {"startsAt": start.isoformat()}, **self.more)

    def ask(self, checksum: str | None = None, **more: str) -> int:
        """What the hook says of the revision on trial."""
        payload = {"name": "reviews", "namespace": "shop", "phase": "Progressing"}
        return self.post(HOOK["url"], payload | {"checksum": checksum or self.flagger.checksum} | more)

    def edit(self, change: Callable[[Json], Any]) -> None:
        """Somebody changes the Canary."""
        self.mesh.cluster.edit(self.flagger.canary, change, indexed=True)

    def step_after(self, seconds: float) -> None:
        """Flagger writes the routes, so many seconds from now."""

        def stamp(body: Json) -> None:
            at = NOW + timedelta(minutes=self.mesh.minutes)
            body["metadata"]["managedFields"] = [managed("flagger", at.isoformat(timespec="seconds"), "http")]

        self.after(seconds)
        self.mesh.cluster.edit(TargetRef("VirtualService", "shop", "reviews"), stamp, indexed=True)

    def look(self) -> None:
        """One round over the offers, by a fresh replica."""
        self.replica().look()

    @property
    def ends(self) -> list[tuple[str, str]]:
        return [(each.status.phase.value, str(each.status.reason)) for each in self.mesh.records]


def never(_event: threading.Event, _seconds: float) -> bool:
    raise AssertionError("nobody waits here")


WorldOf = Callable[..., World]


@pytest.fixture
def world_of() -> Iterator[WorldOf]:
    with ThreadPoolExecutor(4) as executor:

        def made(*bodies: Json, policies: tuple[Any, ...] = (QUICK,), **more: Any) -> World:
            found = Mesh(FakeCluster(*(bodies or (SERVICE, CANARY))), executor, policies=policies)
            return World(found, more)

        yield made


@pytest.fixture
def world(world_of: WorldOf) -> World:
    return world_of()


OFFERED, TOLD = ("Planned", "RollbackOffered"), ("Applied", "RolledBack")


class TestOneAlert:
    def test_rolls_a_canary_in_progress_back_and_the_next_revision_is_not(self, world: World) -> None:
        assert [OFFERED] == world.fire()
        world.flagger.tick()
        assert ("Failed", 0, [200]) == (world.flagger.phase, world.flagger.weight, world.flagger.answers)
        assert [TOLD] == world.ends
        world.after(30)
        world.flagger.deploy("good")
        for _ in range(9):
            world.flagger.tick()
        assert "Succeeded" == world.flagger.phase
        assert {404} == set(world.flagger.answers[1:])

    def test_without_it_nothing_is_rolled_back(self, world: World) -> None:
        for _ in range(3):
            world.flagger.tick()
        assert ([404, 404, 404], "Progressing", 40) == (
            world.flagger.answers, world.flagger.phase, world.flagger.weight,
        )  # fmt: skip

    def test_nothing_is_written_on_what_flagger_drives(self, world: World) -> None:
        before = dict(world.mesh.live["metadata"])
        world.fire()
        world.ask()
        assert ([], []) == (world.mesh.cluster.patches, world.mesh.cluster.aborts)
        assert before == world.mesh.live["metadata"]

    def test_the_record_says_which_revision(self, world: World) -> None:
        world.fire()
        intent = world.mesh.record.intent
        assert intent.rollback is not None
        assert ("reviews", world.flagger.checksum, timedelta(seconds=30)) == (
            intent.rollback.canary, intent.rollback.checksum, intent.rollback.within,
        )  # fmt: skip
        assert (Lever.FLAGGER, (), ()) == (intent.lever, intent.patch, intent.undo)
        assert "http[0]: reviews-canary.shop weight 10 → 0" in "; ".join(intent.changes)

    def test_what_alertmanager_is_told(self, world: World) -> None:
        (row,) = world.deliver()
        assert (Outcome.PLANNED, Reason.ROLLBACK_OFFERED, False) == (row.outcome, row.reason, row.retriable)
        told = "Flagger is told to roll Canary shop/reviews back as soon as it asks, within 30s: "
        assert row.message.startswith(told)
        assert world.mesh.record.name == row.remediation

    def test_it_is_told_on_the_target(self, world: World) -> None:
        world.fire()
        world.fire()
        world.ask()
        world.ask()
        found = [(each.outcome, each.reason) for each in world.mesh.cluster.ledger.events.values()]
        assert [("Planned", "RollbackOffered"), ("Applied", "RolledBack")] == found

    def test_deliveries_before_flagger_asks_change_nothing_but_what_is_to_be_taken(self, world: World) -> None:
        world.fire()
        first = world.mesh.record
        world.reachable = False
        world.flagger.tick()
        world.reachable = True
        world.after(10)
        assert [OFFERED] == world.fire(began=10)
        assert first.intent.rollback == world.mesh.record.intent.rollback
        assert "weight 20 → 0" in "; ".join(world.mesh.record.intent.changes)

    def test_deliveries_while_the_canary_has_no_traffic_leave_the_offer(self, world: World) -> None:
        """Flagger gives it some at its next step."""
        world.fire()

        def silent(body: Json) -> None:
            body["spec"]["http"][0]["route"] = by_host(reviews_primary=100, reviews_canary=0)

        world.mesh.cluster.edit(TargetRef("VirtualService", "shop", "reviews"), silent, indexed=True)
        assert [("Unchanged", "NotExposed")] == world.fire()
        assert [("Planned", "None")] == world.ends
        assert 404 == world.ask()
        world.mesh.cluster.edit(
            TargetRef("VirtualService", "shop", "reviews"),
            lambda body: body["spec"]["http"][0].update(route=by_host(reviews_primary=90, reviews_canary=10)),
            indexed=True,
        )
        assert 200 == world.ask()

    def test_that_its_alert_goes_on_is_noted_once_a_minute(self, world_of: WorldOf) -> None:
        world = world_of(SERVICE, flagger_with(HOOK, every="40m"))
        world.fire()
        start = world.mesh.minutes
        for age in (59, 61, 90):
            world.mesh.minutes = start + age * SECOND
            assert [OFFERED] == world.fire(began=age)
        assert NOW + timedelta(minutes=start, seconds=61) == world.mesh.record.status.heard_at

    def test_deliveries_afterwards_find_it_done(self, world: World) -> None:
        world.fire()
        world.ask()
        # Told, and not done yet; or Flagger never had the answer.
        (row,) = world.deliver(began=0)
        assert ((Outcome.UNCHANGED, Reason.ROLLED_BACK), [TOLD]) == ((row.outcome, row.reason), world.ends)
        world.flagger.tick()
        (row,) = world.deliver(began=0)
        assert (Outcome.UNCHANGED, Reason.NOT_EXPOSED, world.mesh.record.name) == (
            row.outcome, row.reason, row.remediation,
        )  # fmt: skip

    def test_one_that_is_resolved_before_flagger_asks_still_counts(self, world: World) -> None:
        """As a patch that is made stays made: what was decided while it fired was right."""
        world.fire()
        start = NOW + timedelta(minutes=world.mesh.minutes)
        given = alert(labels(name="reviews-canary"), fingerprint="e" * 16, status="resolved")
        world.mesh.deliver(given | {"startsAt": start.isoformat(), "endsAt": start.isoformat()})
        assert 1 == len(world.mesh.record.status.resolved)
        assert 200 == world.ask()

    def test_mirrors_of_a_canary_are_ended_by_the_rollback_too(self, world: World) -> None:
        def mirrored(body: Json) -> None:
            body["spec"]["http"][0] |= {"route": by_host(reviews_primary=100, reviews_canary=0)}
            body["spec"]["http"][0] |= {"mirror": {"host": "reviews-canary"}, "mirrorPercentage": {"value": 100}}

        world.mesh.cluster.edit(TargetRef("VirtualService", "shop", "reviews"), mirrored, indexed=True)
        assert [OFFERED] == world.fire()
        assert 200 == world.ask()


class TestWhichRevision:
    def test_is_told_again_whenever_flagger_asks(self, world: World) -> None:
        world.fire()
        assert [200] * 3 == [world.ask() for _ in range(3)]
        assert 1 == len(world.mesh.records)

    @pytest.mark.parametrize(
        ("payload", "code"),
        [
            pytest.param({}, 200, id="this one"),
            pytest.param({"phase": "WaitingPromotion"}, 200, id="while its promotion waits"),
            pytest.param({"phase": "Waiting"}, 200, id="as the documentation has it"),
            pytest.param({"phase": "Promoting"}, 404, id="too late"),
            pytest.param({"phase": "Finalising"}, 404, id="far too late"),
            pytest.param({"phase": "Failed"}, 404, id="rolled back already"),
            pytest.param({"checksum": "another"}, 404, id="another revision"),
            pytest.param({"name": "ratings"}, 404, id="another Canary of its namespace"),
            pytest.param({"namespace": "web"}, 404, id="a Canary of that name elsewhere"),
        ],
    )
    def test_is_asked_about(self, world: World, payload: dict[str, str], code: int) -> None:
        world.fire()
        assert code == world.ask(**payload)

    def test_one_that_comes_before_flagger_asked_is_not_condemned(self, world: World) -> None:
        world.fire()
        bad = world.flagger.checksum
        world.reachable = False
        world.flagger.deploy("good")
        world.reachable = True
        assert 404 == world.ask()
        # The same alert still fires, and its window still has what the bad one did.
        world.after(15)
        assert [("Denied", "StaleEvidence")] == world.fire(began=15)
        assert [("Failed", "StaleEvidence")] == world.ends
        assert [404, 404] == [world.ask(), world.ask(bad)]

    def test_one_that_comes_after_a_rollback_is_not_condemned_by_an_alert_that_still_fires(self, world: World) -> None:
        world.fire()
        world.flagger.tick()
        world.after(20)
        world.flagger.deploy("good")
        world.after(1)
        for fingerprint in ("e" * 16, "f" * 16):  # the same one, and another that began then
            assert [("Denied", "StaleEvidence")] == world.fire(began=21, fingerprint=fingerprint)
        assert 404 == world.ask()

    def test_one_that_comes_while_another_is_on_trial_neither(self, world: World) -> None:
        """Flagger's condition does not tell of it; the record does."""
        world.fire()
        world.reachable = False
        world.flagger.deploy("good")
        world.reachable = True
        world.after(5)
        assert [("Denied", "StaleEvidence")] == world.fire(began=5, fingerprint="f" * 16)
        # An alert that began since is about the good one.
        assert [OFFERED] == world.fire(began=1, fingerprint="0" * 16)
        assert 200 == world.ask()

    def test_a_firing_condemns_one_revision_whatever_the_clocks_say(self, world: World) -> None:
        """Prometheus' goes five seconds ahead here."""
        world.fire(began=-5)
        world.reachable = False
        world.flagger.deploy("good")
        world.reachable = True
        world.after(10)
        assert [("Denied", "StaleEvidence")] == world.fire(began=5)

    def test_an_alert_that_began_before_the_trial_accuses_what_was_there_before(self, world: World) -> None:
        """Of which there is no record."""
        assert [("Denied", "StaleEvidence")] == world.fire(began=30)
        assert "Flagger, which then began what it has on trial" in world.mesh.record.status.message
        assert [OFFERED] == world.fire(began=0, fingerprint="f" * 16)

    def test_it_is_written_once_whatever_an_index_that_lags_behind_says(self, world: World) -> None:
        world.fire()
        was = world.mesh.record
        assert was.intent.rollback
        newer = replace(was.intent.rollback, checksum="newer")
        assert was.intent == lasting(replace(was, intent=replace(was.intent, rollback=newer)), was).intent
        # A patch needs none, and one that was refused had none.
        patch = replace(was, intent=replace(was.intent, lever=Lever.PATCH, rollback=None))
        assert [patch, was] == [lasting(patch, was), lasting(was, patch)]

    def test_the_same_one_again_is_rolled_back_at_once_until_it_is_no_longer_known_as_bad(self, world: World) -> None:
        world.fire()
        world.flagger.tick()
        world.flagger.deploy("good")
        world.flagger.target = "bad"
        for _ in range(2):
            world.flagger.tick()
        assert ("Failed", 0) == (world.flagger.phase, world.flagger.weight)
        world.after(7 * 24 * 3600)
        assert 404 == world.ask()

    def test_known_bad_may_be_for_ever(self, world_of: WorldOf) -> None:
        world = world_of(bounds=Bounds(known_bad=None))
        world.fire()
        world.ask()
        world.after(400 * 24 * 3600)
        assert 200 == world.ask()

    def test_a_step_of_flagger_makes_no_alert_stale(self, world: World) -> None:
        """It writes the weights at each interval, and the alert is about the same revision."""
        world.step_after(10)
        world.after(5)
        assert [OFFERED] == world.fire(began=10)

    def test_where_nobody_knows_since_when_it_is_on_trial_an_alert_from_before_the_last_step_is_stale(
        self, world: World
    ) -> None:
        """It was taken for one of which nobody but us has changed the routes: an alert of whatever age counted."""
        world.step_after(10)
        world.edit(lambda body: body["status"].pop("conditions"))
        assert [("Denied", "StaleEvidence")] == world.fire(began=8)
        world.after(5)
        assert [OFFERED] == world.fire(began=1, fingerprint="f" * 16)

    def test_two_canaries_of_a_namespace_are_told_apart(self, world_of: WorldOf) -> None:
        other = flagger_canary("ratings", analysis=ANALYSIS | {"webhooks": [HOOK]})
        service = virtual_service({"route": by_host(ratings_primary=90, ratings_canary=10)}, name="ratings")
        world = world_of(SERVICE, CANARY, service, other)
        world.edit(lambda body: None)
        world.fire()
        assert [200, 404] == [world.ask(), world.ask(name="ratings")]


class TestOneCanaryWithSeveralAlerts:
    def test_another_alert_needs_no_record_of_its_own(self, world: World) -> None:
        world.fire()
        (row,) = world.deliver(fingerprint="f" * 16)
        assert (Outcome.PLANNED, world.mesh.record.name) == (row.outcome, row.remediation)
        assert 200 == world.ask()
        (row,) = world.deliver(fingerprint="f" * 16)
        assert (Outcome.UNCHANGED, Reason.ROLLED_BACK) == (row.outcome, row.reason)
        assert 1 == len(world.mesh.records)

    def test_two_records_of_one_revision_are_both_told(self, world: World) -> None:
        """As two replicas write them that hear of two alerts at once."""
        world.fire()
        one = world.mesh.record
        alert_ = replace(one.intent.alert, fingerprint="f" * 16)
        world.mesh.cluster.ledger.create(replace(one, name="other", intent=replace(one.intent, alert=alert_)))
        assert 200 == world.ask()
        assert [TOLD, TOLD] == world.ends

    def test_one_that_was_released_leaves_the_other(self, world: World) -> None:
        self.test_two_records_of_one_revision_are_both_told(world)
        world.mesh.replica().release("shop", "other", BY)
        assert 200 == world.ask()
        name = next(each.name for each in world.mesh.records if each.name != "other")
        world.mesh.replica().release("shop", name, BY)
        assert 404 == world.ask()


class TestFlaggerDoesNotAsk:
    def test_within_three_intervals(self, world: World) -> None:
        world.fire()
        world.after(29)
        world.look()
        assert [("Planned", "None")] == world.ends
        world.after(1)
        assert 404 == world.ask()
        world.look()
        assert [("Failed", "LeverNotPulled")] == world.ends
        assert "within 30s, three intervals. Canary shop/reviews has a webhook" in world.mesh.record.status.message
        (event,) = (e for e in world.mesh.cluster.ledger.events.values() if e.reason == "LeverNotPulled")
        assert ("Warning", world.mesh.record.name) == (event.tone.value, event.record)

    def test_the_next_delivery_offers_it_again(self, world: World) -> None:
        world.fire()
        world.after(30)
        world.look()
        assert [OFFERED] == world.fire(began=30)
        world.after(29)
        world.look()
        assert 200 == world.ask()
        assert [TOLD] == world.ends

    def test_a_webhook_that_asks_elsewhere_is_told(self, world_of: WorldOf) -> None:
        elsewhere = HOOK | {"url": "http://flagger-loadtester.test/rollback/check"}
        world = world_of(SERVICE, flagger_with(elsewhere))
        assert [OFFERED] == world.fire()
        world.after(30)
        world.look()
        message = world.mesh.record.status.message
        assert "Canary shop/reviews asks elsewhere: add one to its spec.analysis.webhooks (type: rollback" in message

    def test_without_such_a_webhook_that_is_said_at_once(self, world_of: WorldOf) -> None:
        world = world_of(SERVICE, flagger_with())
        (row,) = world.deliver()
        assert (Outcome.DENIED, Reason.LEVER_NOT_PULLED) == (row.outcome, row.reason)
        assert "Canary shop/reviews has no webhook of type rollback: add one" in row.message
        assert [("Failed", "LeverNotPulled")] == world.ends
        world.edit(lambda body: body["spec"]["analysis"].update(webhooks=[HOOK]))
        assert [OFFERED] == world.fire()
        assert 200 == world.ask()

    @pytest.mark.parametrize(
        ("change", "end"),
        [
            pytest.param(
                lambda world: world.edit(lambda body: body["status"].update(phase="Promoting")),
                ("Failed", "NothingToAbort"), id="it promotes by now",
            ),
            pytest.param(
                lambda world: world.edit(lambda body: body["status"].update(phase="Failed")),
                ("Expired", "NotExposed"), id="it has rolled back by itself",
            ),
            pytest.param(
                lambda world: world.edit(lambda body: body["status"].update(lastAppliedSpec="good")),
                ("Expired", "NotExposed"), id="another revision is on trial",
            ),
            pytest.param(
                lambda world: world.mesh.cluster.lose(world.flagger.canary), ("Expired", "NotExposed"),
                id="the Canary is gone",
            ),
            pytest.param(
                lambda world: world.mesh.cluster.lose(TargetRef("VirtualService", "shop", "reviews")),
                ("Expired", "NotExposed"), id="its VirtualService is gone",
            ),
        ],
    )  # fmt: skip
    def test_since(self, world: World, change: Callable[[World], None], end: tuple[str, str]) -> None:
        world.fire()
        change(world)
        world.after(30)
        world.look()
        assert [end] == world.ends

    def test_whoever_looks_after_old_records_leaves_an_offer_alone(self, world_of: WorldOf) -> None:
        world = world_of(SERVICE, flagger_with(HOOK, every="40m"))
        world.fire()
        world.after(3600)
        Housekeeping(world.mesh.cluster, None, lambda: NOW + timedelta(minutes=world.mesh.minutes)).tidy()
        assert [("Planned", "None")] == world.ends
        assert 200 == world.ask()

    def test_an_index_that_has_not_heard_of_the_answer_makes_nobody_say_that_flagger_did_not_ask(
        self, world: World
    ) -> None:
        """Flagger asked another replica at the last moment; an Event, and a message to people, said the contrary."""
        world.fire()
        (old,) = world.mesh.records
        assert 200 == world.ask()
        ledger = world.mesh.cluster.ledger
        ledger.offered = lambda: (head(old),)  # type: ignore[method-assign]
        ledger.get = lambda namespace, name: old  # type: ignore[method-assign]
        world.after(60)
        world.look()

        assert [("Applied", "RolledBack")] == world.ends
        assert "LeverNotPulled" not in [each.reason for each in ledger.events.values()]

    def test_two_replicas_end_it_once(self, world: World) -> None:
        world.fire()
        world.after(30)
        world.look()
        end = world.mesh.record.status
        world.after(1)
        world.look()
        assert end == world.mesh.record.status


def flagger_with(*hooks: Json, every: str = "10s") -> Json:
    made = flagger_canary(analysis=ANALYSIS | {"webhooks": list(hooks), "interval": every})
    made["metadata"]["resourceVersion"] = "1"
    return made


class TestNothingToRollBack:
    @pytest.mark.parametrize(
        ("change", "reason", "told"),
        [
            pytest.param({"phase": "Promoting"}, "NothingToAbort", "it promotes the accused", id="promoting"),
            pytest.param({"phase": "Finalising"}, "NothingToAbort", "it has promoted the accused", id="finalising"),
            pytest.param({"phase": "Waiting"}, "NothingToAbort", "no version on trial", id="before the trial"),
            pytest.param({"phase": "Succeeded"}, "NothingToAbort", "no version on trial", id="after it"),
            pytest.param({"phase": None}, "NothingToAbort", "is not initialized", id="not even begun"),
            pytest.param({"lastAppliedSpec": ""}, "NothingToAbort", "no version on trial", id="no revision"),
        ],
    )  # fmt: skip
    def test_by_its_status(self, world: World, change: Json, reason: str, told: str) -> None:
        world.edit(lambda body: body["status"].update(change))
        (row,) = world.deliver()
        assert ("Denied", reason, True) == (row.outcome.value, row.reason.value, told in row.message)
        assert 404 == world.ask("any")

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            pytest.param({"suspend": True}, "is suspended", id="suspended"),
            pytest.param({"skipAnalysis": True}, "skips its analysis", id="no analysis"),
        ],
    )
    def test_by_its_spec(self, world: World, spec: Json, told: str) -> None:
        world.edit(lambda body: body["spec"].update(spec))
        (row,) = world.deliver()
        assert ("Denied", "NoLever", True) == (row.outcome.value, row.reason.value, told in row.message)

    def test_where_the_primary_is_accused(self, world: World) -> None:
        given = alert(labels(name="reviews-primary"), fingerprint="e" * 16)
        start = (NOW + timedelta(minutes=world.mesh.minutes)).isoformat()
        (row,) = world.mesh.deliver(given | {"startsAt": start})
        assert ("Denied", "NothingToAbort") == (row.outcome.value, row.reason.value)
        assert "is the primary of Canary shop/reviews" in row.message


class TestModesAndGuards:
    def test_observe_tells_flagger_nothing(self, world_of: WorldOf) -> None:
        world = world_of(ceiling=Mode.OBSERVE)
        (row,) = world.deliver()
        assert ("Observed", "DryRun", True) == (
            row.outcome.value, row.reason.value, "not said: Flagger is told" in row.message,
        )  # fmt: skip
        assert 404 == world.ask()

    def test_approve_tells_it_once_a_person_has_said_yes(self, world_of: WorldOf) -> None:
        world = world_of(policies=(replace(QUICK, mode=Mode.APPROVE),))
        assert [("AwaitingApproval", "ApprovalRequired")] == world.fire()
        assert 404 == world.ask()
        answer = world.mesh.replica().answer("shop", world.mesh.record.name, Approval(approved=True, by="ann"))
        assert OFFERED == (answer.outcome.value, answer.reason.value)
        assert 200 == world.ask()
        assert [TOLD] == world.ends

    def test_and_never_after_a_no(self, world_of: WorldOf) -> None:
        world = world_of(policies=(replace(QUICK, mode=Mode.APPROVE),))
        world.fire()
        world.mesh.replica().answer("shop", world.mesh.record.name, Approval(approved=False, by="ann"))
        assert 404 == world.ask()

    def test_a_guard_that_is_against_it(self, world: World) -> None:
        world.mesh.cluster.brake.stored["fleet"] = Pause(by="ann")
        assert [("Denied", "Paused")] == world.fire()
        assert 404 == world.ask()

    def test_a_guard_that_is_against_it_by_the_time_flagger_asks(self, world: World) -> None:
        world.fire()
        world.mesh.cluster.brake.stored["fleet"] = Pause(by="ann")
        assert 404 == world.ask()
        assert [("Planned", "None")] == world.ends
        world.mesh.cluster.brake.stored.clear()
        assert 200 == world.ask()
        # What was said once is not taken back by a pause: nothing new is begun.
        world.mesh.cluster.brake.stored["fleet"] = Pause(by="ann")
        assert 200 == world.ask()

    def test_a_ceiling_that_has_come_down_since(self, world: World) -> None:
        world.fire()
        world.more = {"ceiling": Mode.OBSERVE}
        assert 404 == world.ask()

    def test_an_offer_is_spent_of_the_budget(self, world_of: WorldOf) -> None:
        other = flagger_canary("ratings", analysis=ANALYSIS | {"webhooks": [HOOK]})
        other |= {"status": {"phase": "Progressing", "lastAppliedSpec": "bad"}}
        service = virtual_service({"route": by_host(ratings_primary=90, ratings_canary=10)}, name="ratings")
        world = world_of(SERVICE, CANARY, service, other, bounds=Bounds(budget=Budget(1, timedelta(minutes=10))))
        assert [OFFERED] == world.fire()
        found = alert(labels(name="ratings-canary"), fingerprint="f" * 16)
        start = NOW + timedelta(minutes=world.mesh.minutes)
        assert [("Denied", "BudgetSpent")] == words(
            world.mesh.deliver(found | {"startsAt": start.isoformat()}, **world.more)
        )

    def test_a_guard_is_asked_about_what_the_canary_gets_by_then(self, world: World) -> None:
        """The record is of its mirror, and it has weight by now, which the same policy takes."""
        ref = TargetRef("VirtualService", "shop", "reviews")
        world.mesh.policies = (replace(QUICK, actions=(Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS)),)

        def mirrored(body: Json) -> None:
            body["spec"]["http"][0] |= {"route": by_host(reviews_primary=100, reviews_canary=0)}
            body["spec"]["http"][0] |= {"mirror": {"host": "reviews-canary"}, "mirrorPercentage": {"value": 100}}

        def weighted(body: Json) -> None:
            body["spec"]["http"][0] = {"route": by_host(reviews_primary=90, reviews_canary=10)}

        world.mesh.cluster.edit(ref, mirrored, indexed=True)
        world.fire()
        assert (Action.REMOVE_MIRRORS,) == world.mesh.record.intent.actions
        world.mesh.cluster.edit(ref, weighted, indexed=True)
        world.mesh.cluster.brake.stored["fleet"] = Pause(by="ann")
        assert 404 == world.ask()
        world.mesh.cluster.brake.stored.clear()
        assert 200 == world.ask()

    def test_what_the_canary_does_not_get_now_is_asked_about_later(self, world: World) -> None:
        world.fire()
        ref = TargetRef("VirtualService", "shop", "reviews")

        def weight(canary: int) -> None:
            route = by_host(reviews_primary=100 - canary, reviews_canary=canary)
            world.mesh.cluster.edit(ref, lambda body: body["spec"]["http"][0].update(route=route), indexed=True)

        weight(0)
        assert 404 == world.ask()
        weight(10)
        assert 200 == world.ask()

    def test_its_object_may_switch_it_off(self, world: World) -> None:
        world.fire()
        off = TargetRef("VirtualService", "shop", "reviews")
        world.mesh.cluster.edit(
            off, lambda body: body["metadata"].update(annotations={"remediator.io/mode": "Off"}), indexed=True
        )
        assert 404 == world.ask()


class TestPeople:
    def test_a_release_ends_it(self, world: World) -> None:
        world.fire()
        world.ask()
        world.mesh.replica().release("shop", world.mesh.record.name, BY)
        assert 404 == world.ask()

    def test_an_undo_is_refused_with_what_to_do(self, world: World) -> None:
        world.fire()
        world.ask()
        ending = world.mesh.undo()
        assert (Outcome.DENIED, Reason.NO_LEVER) == (ending.outcome, ending.reason)
        assert "remediator release shop/" in ending.message
        assert 200 == world.ask()

    def test_an_undo_of_an_offer_changes_nothing(self, world: World) -> None:
        world.fire()
        assert (Outcome.UNCHANGED, Reason.NOT_APPLIED) == (world.mesh.undo().outcome, world.mesh.undo().reason)

    def test_a_record_that_is_deleted_tells_nothing(self, world: World) -> None:
        world.fire()
        world.ask()
        now = NOW + timedelta(minutes=world.mesh.minutes, days=31)
        Housekeeping(world.mesh.cluster, timedelta(days=30), lambda: now).tidy()
        assert ([], 404) == (world.mesh.records, world.ask())

    def test_the_gate_holds_this_revision_and_no_other(self, world: World) -> None:
        host = Host("reviews-canary.shop.svc.cluster.local")

        def held(checksum: str) -> bool:
            asked = Candidate((host,), None, ("shop", "reviews", checksum))
            return bool(judge(asked, world.mesh.records, NOW, timedelta(days=7)))

        world.fire()
        assert (True, False) == (held(world.flagger.checksum), held("another"))
        (bar,) = judge(Candidate((host,)), world.mesh.records, NOW, timedelta(days=7))
        assert bar.remedy.startswith("wait until Flagger asks; to take that back before, kubectl delete rem")
        world.ask()
        assert (True, False) == (held(world.flagger.checksum), held("another"))
        assert judge(Candidate((host,)), world.mesh.records, NOW, timedelta(days=7))


class TestCrashesAndReplicas:
    def test_every_moment_of_a_crash_ends_in_one_offer(self, world_of: WorldOf) -> None:
        whole = world_of()
        count = len(steps_of(whole.mesh, whole.fire))
        for moment in range(count):
            world = world_of()
            world.mesh.cluster.step = at(moment, die)
            with suppress(Crash):
                world.fire()
            world.mesh.cluster.step = lambda _name: None
            assert [OFFERED] == world.fire(), moment
            assert 200 == world.ask(), moment
            assert [TOLD] == world.ends, moment

    def test_every_moment_of_a_crash_while_it_is_told(self, world_of: WorldOf) -> None:
        """It is written before it is said: at its next interval Flagger is told."""
        whole = world_of()
        whole.fire()
        count = len(steps_of(whole.mesh, whole.ask))
        for moment in range(count):
            world = world_of()
            world.fire()
            world.mesh.cluster.step = at(moment, die)
            with suppress(Crash):
                world.ask()
            world.mesh.cluster.step = lambda _name: None
            assert 200 == world.ask(), moment
            assert [TOLD] == world.ends, moment

    def test_two_replicas_that_are_asked_at_once_both_say_yes(self, world: World) -> None:
        """Each has found the offer, and one of them writes first."""
        world.fire()
        second = world.replica()
        answers: list[bool] = []
        trial = ("shop", "reviews", world.flagger.checksum)

        def meanwhile(name: str) -> None:
            world.mesh.cluster.step = lambda _name: None
            answers.append(second.asked(trial))

        world.mesh.cluster.step = lambda name: meanwhile(name) if name == "conclude" else None
        answers.append(world.replica().asked(trial))
        assert [True, True] == answers
        assert [TOLD] == world.ends

    def test_a_guard_that_ended_it_meanwhile_is_obeyed(self, world: World) -> None:
        world.fire()

        def meanwhile(name: str) -> None:
            world.mesh.cluster.step = lambda _name: None
            record = world.mesh.record
            ended = replace(record.status, phase=Phase.FAILED, reason=Reason.PAUSED)
            world.mesh.cluster.ledger.conclude(replace(record, status=ended))

        world.mesh.cluster.step = lambda name: meanwhile(name) if name == "conclude" else None
        assert 404 == world.ask()
        assert [("Failed", "Paused")] == world.ends


class TestNobodyKnows:
    def test_an_index_that_cannot_be_believed(self, world: World) -> None:
        world.mesh.cluster.ledger.fails["index"] = NotSynced("the index of records is 70 s old")
        assert 503 == world.ask()

    def test_what_was_told_once_is_told_by_an_old_index_too(self, world: World) -> None:
        world.fire()
        world.ask()
        world.mesh.cluster.ledger.fails["index"] = NotSynced("the index of records is 70 s old")
        assert 200 == world.ask()

    @pytest.mark.parametrize("fault", [Unavailable("connection refused"), Conflict("it moved")], ids=["away", "busy"])
    def test_what_cannot_be_written_is_not_said(self, world: World, fault: Exception) -> None:
        world.fire()
        world.mesh.cluster.ledger.fails["conclude"] = fault  # type: ignore[assignment]
        assert 503 == world.ask()
        del world.mesh.cluster.ledger.fails["conclude"]
        assert [("Planned", "None")] == world.ends
        assert 200 == world.ask()

    def test_an_answer_that_takes_too_long_is_none(self, world: World) -> None:
        world.fire()
        held = threading.Event()
        world.mesh.cluster.step = lambda name: held.wait(60) and None if name == "conclude" else None
        asked = Rollbacks(world.mesh.replica(), pause=never, written_within_s=0.01)
        try:
            with pytest.raises(Unavailable, match=r"not written within 0.01 s"):
                asked.asked(("shop", "reviews", world.flagger.checksum))
        finally:
            held.set()

    def test_none_of_these_is_a_yes_to_flagger(self, world: World) -> None:
        world.mesh.cluster.ledger.fails["index"] = NotSynced("it is being listed")
        world.flagger.tick()
        world.reachable = False
        world.flagger.tick()
        assert ("Progressing", 30) == (world.flagger.phase, world.flagger.weight)


def test_flagger_asks_again_after_a_5xx_if_it_is_told_to(world_of: WorldOf) -> None:
    world = world_of(SERVICE, flagger_with(HOOK | {"retries": 2}))
    world.fire()
    world.flagger.answers.clear()
    faults = [Unavailable("away"), Unavailable("away")]
    ledger = world.mesh.cluster.ledger

    def post(url: str, payload: Json) -> int:
        ledger.fails = {"conclude": faults.pop()} if faults else {}
        return world.post(url, payload)

    world.flagger.post = post
    world.flagger.tick()
    assert ([503, 503, 200], "Failed") == (world.flagger.answers, world.flagger.phase)


def test_how_an_offer_ends_is_said_of_the_canary_as_it_is(world: World) -> None:
    world.fire()
    record: Remediation = world.mesh.record
    canary = Canary("shop", "reviews", "reviews", phase="Progressing", checksum="other")
    assert (Outcome.UNCHANGED, Phase.EXPIRED) == (unasked(record, canary)[0], unasked(record, canary)[1].phase)
