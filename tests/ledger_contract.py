"""What every adapter of the ledger port must do, as tests. An adapter's own test module subclasses `LedgerContract`
and has a fixture `world`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings

from remediator.errors import AlreadyExists, ClusterError, Conflict, NotFound
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.policies.model import Action, Mode
from remediator.records.events import Event
from remediator.records.ledger import Ledger, head
from remediator.records.model import (
    Accusation,
    Companion,
    Intent,
    Phase,
    PolicyRef,
    Remediation,
    Request,
    Resolution,
    Status,
    Target,
    Undoing,
)
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect
from tests.strategies import remediations

NOON = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
REVIEWS = Suspect(Host("reviews.shop.svc.cluster.local"), "v2")
SHADOW = Suspect(Host("reviews.shop.svc.cluster.local"), "v3")


class LedgerWorld(Protocol):
    """An empty store in which the namespaces `shop` and `web` are."""

    @property
    def ledger(self) -> Ledger:
        """Of a cluster that is started and synced: its index is kept."""

    @property
    def bare(self) -> Ledger:
        """Of another cluster on the same store, which nobody has started: what a command has, or another replica."""

    def eventually(self, condition: Callable[[], object]) -> object:
        """Wait until `condition` gives something true, and return it. Fails when a deadline is over."""


def intent(**changes: Any) -> Intent:
    """Take v2 of reviews out of the route; `changes` are other fields than these."""
    fields: dict[str, Any] = {
        "alert": Accusation("f00d", "CanaryErrorRatio", NOON, {"severity": "critical"}, {"summary": "5 %"}, "http://p"),
        "policy": PolicyRef("canary", "c0ffee"),
        "target": Target("networking.istio.io/v1", TargetRef("VirtualService", "shop", "reviews"), "uid-1"),
        "suspect": REVIEWS,
        "actions": (Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS),
        "mode": Mode.ENFORCE,
        "changes": ("http[0]: reviews subset v2 weight 10 → 0",),
        "patch": (
            {"op": "test", "path": "/metadata/uid", "value": "uid-1"},
            {"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 0},
            {"op": "remove", "path": "/spec/http/0/mirror"},
        ),
        "undo": (
            {"op": "test", "path": "/spec/http/0/mirror", "value": None},
            {"op": "add", "path": "/spec/http/0/mirror", "value": {"host": "reviews", "subset": "v2"}},
            {"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 10},
        ),
    }
    return Intent(**fields | changes)


def record(name: str = "canary-1", namespace: str = "shop", **changes: Any) -> Remediation:
    """A record that is not stored yet; `changes` are those of its intent."""
    made = intent(**changes)
    target = replace(made.target, ref=replace(made.target.ref, namespace=namespace))
    return Remediation(namespace, name, replace(made, target=target))


def accused(fingerprint: str) -> Accusation:
    return Accusation(fingerprint, "CanaryErrorRatio", NOON)


def companion(fingerprint: str) -> Companion:
    return Companion(fingerprint, "CanaryLatency", NOON + timedelta(seconds=1), "latency", SHADOW)


APPLIED = Status(
    phase=Phase.APPLIED,
    reason=Reason.PATCHED,
    message="patched",
    applied_at=NOON + timedelta(microseconds=1),
    finished_at=NOON + timedelta(seconds=1),
)
TAKEN_BACK = replace(
    APPLIED,
    phase=Phase.UNDONE,
    reason=Reason.UNDONE,
    resolved=(Resolution("f00d", NOON + timedelta(minutes=2), 118.5), Resolution("beef", NOON, None)),
    undo=Undoing(Request("ann", "not it"), NOON + timedelta(hours=1), NOON + timedelta(hours=1, seconds=2)),
)

OBSERVED = Event(
    target=record().intent.target,
    subject=("f00d", "canary", "canary-1"),
    outcome=Outcome.OBSERVED,
    reason=Reason.DRY_RUN.value,
    action=Action.REVERT_TO_STABLE.value,
    note="http[0]: reviews subset v2 weight 10 → 0",
    at=NOON,
    record="canary-1",
)


def stored(found: Remediation) -> tuple[object, ...]:
    """A record as the store has it: two are the same one at the same moment if this is equal."""
    return found.namespace, found.name, found.uid, found.resource_version, found.created_at, found.intent, found.status


def keys(records: Sequence[Remediation]) -> list[tuple[str, str]]:
    return sorted((found.namespace, found.name) for found in records)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each call gives or raises, all of them begun together."""
    results: list[Any] = []
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> None:
        barrier.wait(timeout=30)
        try:
            results.append(call())
        except ClusterError as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


class LedgerContract:
    """The tests. Fixture `world`: a `LedgerWorld`, new for each test."""

    # -- create and read

    def test_a_new_record_is_planned(self, world: LedgerWorld) -> None:
        made = world.ledger.create(record())

        assert ("shop", "canary-1") == (made.namespace, made.name)
        assert record().intent == made.intent
        assert Status() == made.status
        assert made.uid
        assert made.resource_version
        assert made.created_at is not None
        assert timedelta(0) == made.created_at.utcoffset()

    def test_a_new_record_is_planned_whatever_it_says_of_itself(self, world: LedgerWorld) -> None:
        made = world.ledger.create(replace(record(), status=APPLIED, uid="u", resource_version="7", created_at=NOON))

        assert Status() == made.status == world.ledger.read("shop", "canary-1").status
        assert "u" != made.uid

    def test_reads_what_was_created(self, world: LedgerWorld) -> None:
        made = world.ledger.create(record())

        for ledger in (world.ledger, world.bare):
            assert stored(made) == stored(ledger.read("shop", "canary-1"))

    def test_a_second_of_the_same_name_is_refused(self, world: LedgerWorld) -> None:
        first = world.ledger.create(record())

        with pytest.raises(AlreadyExists, match="canary-1"):
            world.ledger.create(record(mode=Mode.OBSERVE))
        with pytest.raises(AlreadyExists, match="canary-1"):
            world.bare.create(record(mode=Mode.OBSERVE))

        assert stored(first) == stored(world.ledger.read("shop", "canary-1"))

    def test_the_same_name_in_another_namespace_is_another_record(self, world: LedgerWorld) -> None:
        world.ledger.create(record())
        world.ledger.create(record(namespace="web"))

        assert "web" == world.ledger.read("web", "canary-1").intent.target.ref.namespace
        assert "shop" == world.ledger.read("shop", "canary-1").intent.target.ref.namespace

    def test_of_many_that_create_the_same_one_wins(self, world: LedgerWorld) -> None:
        calls = [lambda ledger=ledger: ledger.create(record()) for ledger in (world.ledger, world.bare) * 4]

        results = at_once(*calls)

        assert sorted([Remediation] + [AlreadyExists] * 7, key=str) == sorted(map(type, results), key=str)
        (winner,) = (found for found in results if isinstance(found, Remediation))
        assert stored(winner) == stored(world.ledger.read("shop", "canary-1"))

    @settings(
        max_examples=20,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(whole=remediations())
    def test_every_field_comes_back_as_it_was(self, world: LedgerWorld, whole: Remediation) -> None:
        made = world.ledger.create(whole)
        try:
            concluded = world.ledger.conclude(replace(made, status=whole.status))
            read = world.ledger.read(whole.namespace, whole.name)

            assert whole.intent == made.intent == read.intent
            assert whole.status == concluded.status == read.status
            assert [stored(read)] == [stored(found) for found in world.bare.listed()]
        finally:
            world.ledger.delete(world.ledger.read(whole.namespace, whole.name))

    def test_says_that_there_is_no_such_record(self, world: LedgerWorld) -> None:
        gone = replace(record(), uid="7e5b9f0e-0000-4000-8000-000000000000", resource_version="1", created_at=NOON)

        for call in (world.ledger.rewrite, world.ledger.conclude, world.ledger.delete):
            with pytest.raises(NotFound, match="canary-1"):
                call(gone)
        with pytest.raises(NotFound, match="canary-1"):
            world.ledger.read("shop", "canary-1")

    # -- rewrite, conclude, delete

    def test_a_status_is_stored_and_nothing_else(self, world: LedgerWorld) -> None:
        made = world.ledger.create(record())

        answer = world.ledger.conclude(replace(made, intent=intent(mode=Mode.OBSERVE), status=APPLIED))

        assert (made.intent, APPLIED) == (answer.intent, answer.status)
        assert (made.uid, made.created_at) == (answer.uid, answer.created_at)
        assert made.resource_version != answer.resource_version
        assert stored(answer) == stored(world.ledger.read("shop", "canary-1"))

    def test_a_status_takes_the_place_of_the_whole_one_before(self, world: LedgerWorld) -> None:
        taken_back = world.ledger.conclude(replace(world.ledger.create(record()), status=TAKEN_BACK))
        assert TAKEN_BACK == taken_back.status

        answer = world.ledger.conclude(replace(taken_back, status=Status(phase=Phase.FAILED)))

        assert Status(phase=Phase.FAILED) == answer.status == world.ledger.read("shop", "canary-1").status

    def test_an_intent_is_rewritten_and_the_status_stays(self, world: LedgerWorld) -> None:
        failed = world.ledger.conclude(replace(world.ledger.create(record()), status=Status(phase=Phase.FAILED)))
        other = intent(changes=("http[1]: …",), patch=(), also=(companion("beef"),))

        answer = world.ledger.rewrite(replace(failed, intent=other, status=APPLIED))

        assert (other, failed.status) == (answer.intent, answer.status)
        assert (failed.uid, failed.created_at) == (answer.uid, answer.created_at)
        assert failed.resource_version != answer.resource_version
        assert stored(answer) == stored(world.ledger.read("shop", "canary-1"))

    @pytest.mark.parametrize("verb", ["rewrite", "conclude", "delete"])
    def test_what_was_planned_on_an_old_record_is_a_conflict(self, world: LedgerWorld, verb: str) -> None:
        old = world.ledger.create(record())
        now = world.bare.conclude(replace(old, status=APPLIED))

        with pytest.raises(Conflict, match="canary-1"):
            getattr(world.ledger, verb)(replace(old, intent=intent(mode=Mode.OBSERVE), status=TAKEN_BACK))

        assert stored(now) == stored(world.ledger.read("shop", "canary-1"))

    @pytest.mark.parametrize("verb", ["rewrite", "conclude", "delete"])
    def test_another_record_of_the_same_name_is_left_alone(self, world: LedgerWorld, verb: str) -> None:
        old = world.ledger.create(record())
        world.ledger.delete(old)
        now = world.ledger.create(record(mode=Mode.OBSERVE))

        with pytest.raises(Conflict, match="canary-1"):
            getattr(world.ledger, verb)(replace(old, status=APPLIED))

        assert old.uid != now.uid
        assert stored(now) == stored(world.ledger.read("shop", "canary-1"))

    @pytest.mark.parametrize("verb", ["rewrite", "conclude"])
    def test_of_many_that_change_a_record_one_wins(self, world: LedgerWorld, verb: str) -> None:
        old = world.ledger.create(record())

        def change(ledger: Ledger, number: int) -> Remediation:
            moved = replace(old, intent=intent(stable=f"v{number}"), status=replace(APPLIED, message=str(number)))
            answer: Remediation = getattr(ledger, verb)(moved)
            return answer

        ledgers = (world.ledger, world.bare) * 3
        results = at_once(*(lambda pair=pair: change(pair[1], pair[0]) for pair in enumerate(ledgers)))

        assert sorted([Remediation] + [Conflict] * 5, key=str) == sorted(map(type, results), key=str)
        (winner,) = (found for found in results if isinstance(found, Remediation))
        assert stored(winner) == stored(world.ledger.read("shop", "canary-1"))

    def test_deletes(self, world: LedgerWorld) -> None:
        made = world.ledger.create(record())
        world.ledger.create(record("canary-2"))

        world.ledger.delete(made)

        with pytest.raises(NotFound, match="canary-1"):
            world.ledger.read("shop", "canary-1")
        assert [("shop", "canary-2")] == keys(list(world.bare.listed()))

    # -- listed

    def test_lists_all_or_those_of_a_namespace(self, world: LedgerWorld) -> None:
        for made in (record(), record("canary-2"), record(namespace="web")):
            world.ledger.create(made)

        for ledger in (world.ledger, world.bare):
            assert [("shop", "canary-1"), ("shop", "canary-2"), ("web", "canary-1")] == keys(list(ledger.listed()))
            assert [("shop", "canary-1"), ("shop", "canary-2")] == keys(list(ledger.listed("shop")))
            assert [] == list(ledger.listed("nowhere"))

    def test_lists_records_as_they_are_stored(self, world: LedgerWorld) -> None:
        made = world.ledger.conclude(replace(world.ledger.create(record()), status=APPLIED))

        assert [stored(made)] == [stored(found) for found in world.bare.listed()]

    # -- the index

    def test_an_empty_index_has_nothing(self, world: LedgerWorld) -> None:
        assert () == tuple(world.ledger.heads())
        assert world.ledger.get("shop", "canary-1") is None
        assert () == world.ledger.answering("f00d")
        assert () == world.ledger.taken_back("uid-1")

    def test_the_index_has_the_newest_first(self, world: LedgerWorld) -> None:
        names = [("shop", "c"), ("web", "a"), ("shop", "a"), ("shop", "b")]
        for namespace, name in names:
            world.ledger.create(record(name, namespace))

        world.eventually(lambda: len(world.ledger.heads()) == len(names))

        expected = [head(found) for found in world.bare.listed()]
        expected.sort(key=lambda each: (-each.created_at.timestamp(), each.namespace, each.name))
        assert expected == list(world.ledger.heads())

    def test_the_index_gives_what_is_stored(self, world: LedgerWorld) -> None:
        made = world.ledger.create(record(also=(companion("beef"),), hold_until=NOON, request=Request("ann", "why")))
        concluded = world.ledger.conclude(replace(made, status=TAKEN_BACK))

        world.eventually(lambda: [Phase.UNDONE] == [each.phase for each in world.ledger.heads()])

        found = world.ledger.get("shop", "canary-1")
        assert found is not None
        assert stored(concluded) == stored(found)
        assert [head(concluded)] == list(world.ledger.heads())
        assert world.ledger.get("web", "canary-1") is None

    def test_the_index_sees_what_another_does(self, world: LedgerWorld) -> None:
        made = world.bare.create(record())
        world.eventually(lambda: [("shop", "canary-1")] == [each.key for each in world.ledger.heads()])

        concluded = world.bare.conclude(replace(made, status=APPLIED))
        world.eventually(lambda: [Phase.APPLIED] == [each.phase for each in world.ledger.heads()])

        world.bare.delete(concluded)
        world.eventually(lambda: not world.ledger.heads())
        assert world.ledger.get("shop", "canary-1") is None
        assert () == world.ledger.answering("f00d")

    def test_what_was_deleted_is_not_in_the_index(self, world: LedgerWorld) -> None:
        made = world.ledger.create(record())
        world.eventually(lambda: world.ledger.get("shop", "canary-1"))

        world.ledger.delete(made)

        world.eventually(lambda: world.ledger.get("shop", "canary-1") is None)
        assert () == tuple(world.ledger.heads())

    def test_finds_the_records_that_answer_an_alert(self, world: LedgerWorld) -> None:
        """Its own, of this firing or another, and those whose patch answers it too."""
        own = record("own", alert=accused("f00d"))
        later = record("later", alert=replace(accused("f00d"), starts_at=NOON + timedelta(days=1)))
        beside = record("beside", namespace="web", alert=accused("cafe"), also=(companion("beef"), companion("f00d")))
        other = record("other", alert=accused("cafe"))
        for made in (own, later, beside, other):
            world.ledger.create(made)

        world.eventually(lambda: len(world.ledger.heads()) == 4)

        def answering(fingerprint: str) -> list[tuple[str, str]]:
            return keys(world.ledger.answering(fingerprint))

        assert [("shop", "later"), ("shop", "own"), ("web", "beside")] == answering("f00d")
        assert [("web", "beside")] == answering("beef")
        assert [("shop", "other"), ("web", "beside")] == answering("cafe")
        assert [] == answering("none")

    def test_finds_what_a_person_has_taken_back_on_a_routing_object(self, world: LedgerWorld) -> None:
        """By its uid: another object of the same name is another one."""
        for name, namespace, uid in (("b", "shop", "uid-1"), ("a", "shop", "uid-2"), ("a", "web", "uid-1")):
            made = record(name, namespace)
            target = replace(made.intent.target, uid=uid)
            made = world.ledger.create(replace(made, intent=replace(made.intent, target=target)))
            world.ledger.conclude(replace(made, status=TAKEN_BACK))
        world.ledger.create(record("stands"))

        world.eventually(lambda: 3 == [each.taken_back for each in world.ledger.heads()].count(True))

        assert [("shop", "b"), ("web", "a")] == keys(world.ledger.taken_back("uid-1"))
        assert [("shop", "a")] == keys(world.ledger.taken_back("uid-2"))
        assert () == world.ledger.taken_back("uid-3")

    def test_a_rewritten_record_answers_what_it_now_says(self, world: LedgerWorld) -> None:
        made = world.ledger.create(record(also=(companion("beef"),)))
        world.eventually(lambda: world.ledger.answering("beef"))

        world.ledger.rewrite(replace(made, intent=intent(also=(companion("cafe"),))))

        world.eventually(lambda: world.ledger.answering("cafe"))
        assert () == world.ledger.answering("beef")
        assert [("shop", "canary-1")] == keys(world.ledger.answering("f00d"))

    # -- Events

    def test_an_event_may_be_told_twice(self, world: LedgerWorld) -> None:
        for ledger in (world.ledger, world.ledger, world.bare):
            ledger.announce(OBSERVED)
