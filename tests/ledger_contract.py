"""What every adapter of the ledger port must do, as tests. An adapter's own test module subclasses `LedgerContract`
and has a fixture `world`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings

from remediator.errors import AlreadyExists, ClusterError, Conflict, NotFound, NotSynced
from remediator.guards.cooldown import Made
from remediator.guards.verdict import Verdict
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.owners import Lever
from remediator.policies.model import Action, Mode
from remediator.records.events import Event
from remediator.records.hold import Enforcement, Hold
from remediator.records.images import Image, Images
from remediator.records.ledger import Head, Ledger, Tally, head
from remediator.records.model import (
    Accusation,
    Approval,
    Companion,
    Intent,
    Phase,
    PolicyRef,
    Release,
    Remediation,
    Request,
    Resolution,
    Status,
    Target,
    Undoing,
)
from remediator.records.rollback import Rollback
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect
from remediator.verification.model import Errors, Figure, Side, Verification, VerificationVerdict
from tests.strategies import remediations

NOON = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
LATE = NOON + timedelta(minutes=1)
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
    release=Release(Request("ann", "mended"), NOON + timedelta(hours=3)),
    verification=Verification(
        verdict=VerificationVerdict.NOT_RECOVERED,
        at=NOON + timedelta(minutes=3),
        message="reviews.shop v2: 612 live requests in the 1m before the patch, 0 in 1m since",
        window_s=60.0,
        figures=(Figure(REVIEWS, Side.LIVE, 612.5, 0.0, 6.125), Figure(SHADOW, Side.MIRRORED, 40.0, 1.5, 2.0)),
        errors=(Errors(REVIEWS.host, 0.051, None, 0.04),),
        unrouted_at=NOON + timedelta(seconds=2),
        withdrawn_at=NOON + timedelta(seconds=75),
        concluded_at=NOON + timedelta(minutes=3),
    ),
    images=Images(
        NOON + timedelta(seconds=1),
        (
            Image(REVIEWS, "reviews", "sha256:" + 64 * "a"),
            Image(Suspect(SHADOW.host, None), "reviews", "sha256:" + 64 * "b"),
        ),
        complete=False,
    ),
    hold=Hold(
        (Enforcement(NOON, "kubectl-edit", "41", LATE), Enforcement(LATE, "", "42")), NOON + timedelta(hours=2), "helm"
    ),
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
    named = found.namespace, found.name, found.uid, found.resource_version, found.created_at
    return (*named, found.intent, found.status, found.approval)


def until(world: LedgerWorld, look: Callable[[], Sequence[Head]]) -> Sequence[Head]:
    """What `look` finds, once it finds something."""
    world.eventually(look)
    return look()


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
        assert () == world.ledger.answering("f00d", NOON)
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
        assert () == world.ledger.answering("f00d", NOON)

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

        def answering(fingerprint: str, late: timedelta = timedelta()) -> list[tuple[str, str]]:
            return keys(world.ledger.answering(fingerprint, NOON + late))

        second, day = timedelta(seconds=1), timedelta(days=1)
        assert [("shop", "own")] == answering("f00d")
        assert [("web", "beside")] == answering("f00d", second) == answering("beef", second)
        assert [("shop", "later")] == answering("f00d", day)
        assert [("shop", "other"), ("web", "beside")] == answering("cafe")
        assert [] == answering("none") == answering("f00d", -day)

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

    def test_knows_what_is_held_up_and_until_when(self, world: LedgerWorld) -> None:
        """As long as it is applied, not over, not given back, not released and not lost."""
        late, release = NOON + timedelta(hours=1), Release(Request("ann"), NOON + timedelta(minutes=5))
        lost = Hold((Enforcement(NOON, "helm", "41", LATE),), NOON + timedelta(minutes=5), "helm")
        statuses = {
            "held": APPLIED,
            "released": replace(APPLIED, release=release),
            "lost": replace(APPLIED, hold=lost),
            "tested": replace(APPLIED, hold=replace(lost, lost_at=None)),
            "undone": TAKEN_BACK,
            "failed": replace(APPLIED, phase=Phase.FAILED),
        }
        for name, status in statuses.items():
            world.ledger.conclude(replace(world.ledger.create(record(name, hold_until=late)), status=status))
        world.ledger.conclude(replace(world.ledger.create(record("unheld")), status=APPLIED))

        world.eventually(lambda: 7 == len([each for each in world.ledger.heads() if each.phase is not Phase.PLANNED]))

        before = late - timedelta(microseconds=1)
        assert [("shop", "held"), ("shop", "tested")] == [each.key for each in world.ledger.holding(before)]
        assert () == world.ledger.holding(late)
        let_go = [("shop", "lost"), ("shop", "released"), ("shop", "undone")]
        assert let_go == [each.key for each in world.ledger.let_go("uid-1")]
        assert () == world.ledger.let_go("uid-2")

    def test_a_rewritten_record_answers_what_it_now_says(self, world: LedgerWorld) -> None:
        made = world.ledger.create(record(also=(companion("beef"),)))
        world.eventually(lambda: world.ledger.answering("beef", NOON + timedelta(seconds=1)))

        world.ledger.rewrite(replace(made, intent=intent(also=(companion("cafe"),))))

        world.eventually(lambda: world.ledger.answering("cafe", NOON + timedelta(seconds=1)))
        assert () == world.ledger.answering("beef", NOON + timedelta(seconds=1))
        assert [("shop", "canary-1")] == keys(world.ledger.answering("f00d", NOON))

    # -- what the guards ask

    def test_keeps_what_a_person_says_to_a_plan_and_what_the_guards_said(self, world: LedgerWorld) -> None:
        waiting = Status(
            phase=Phase.AWAITING_APPROVAL,
            verdicts=(Verdict("pause", None, "nobody"), Verdict("budget", Reason.BUDGET_SPENT, "10 of 10")),
            judged_at=NOON,
        )
        made = world.ledger.conclude(replace(world.ledger.create(record(mode=Mode.APPROVE)), status=waiting))
        assert [("shop", "canary-1")] == [each.key for each in until(world, world.ledger.awaiting)]

        said = Approval(approved=True, by="ann", reason="seen it too", at=NOON)
        approved = world.ledger.rewrite(replace(made, approval=said))

        assert (said, waiting, made.intent) == (approved.approval, approved.status, approved.intent)
        assert stored(approved) == stored(world.bare.read("shop", "canary-1"))
        world.ledger.conclude(replace(approved, status=APPLIED))
        world.eventually(lambda: () == world.ledger.awaiting())
        assert said == world.bare.read("shop", "canary-1").approval

    def test_knows_which_patches_are_not_verified_yet(self, world: LedgerWorld) -> None:
        """Those that were made lately; one whose traffic is gone is asked about on."""
        for late, name in ((0, "old"), (60, "new"), (70, "gone")):
            applied = replace(APPLIED, applied_at=NOON + timedelta(seconds=late))
            world.ledger.conclude(replace(world.ledger.create(record(name)), status=applied))
        world.ledger.conclude(replace(world.ledger.create(record("failed")), status=Status(phase=Phase.FAILED)))
        world.eventually(lambda: len(world.ledger.heads()) == 4 and len(world.ledger.unverified(NOON)) == 2)
        assert [("shop", "gone"), ("shop", "new")] == [each.key for each in world.ledger.unverified(NOON)]

        gone = Verification(VerificationVerdict.WITHDRAWN, LATE, withdrawn_at=LATE)
        for name, concluded_at in (("gone", None), ("new", LATE)):
            made = world.ledger.read("shop", name)
            known = replace(gone, concluded_at=concluded_at)
            world.ledger.conclude(replace(made, status=replace(made.status, verification=known)))
        world.eventually(lambda: len(world.ledger.unverified(NOON)) == 1)
        assert [("shop", "gone")] == [each.key for each in world.ledger.unverified(NOON)]
        assert gone == world.bare.read("shop", "gone").status.verification

    def test_knows_of_which_suspects_the_images_are_not_known(self, world: LedgerWorld) -> None:
        """Also of a patch that nobody verifies; and no more once a person says otherwise."""
        unasked = Verification(VerificationVerdict.NOT_VERIFIED, LATE, concluded_at=LATE)
        known, released = Images(LATE), Release(Request("ann"), LATE)
        for late, name, more in (
            (0, "old", {}), (60, "new", {"verification": unasked}), (70, "known", {"images": known}),
            (80, "released", {"release": released}),
        ):  # fmt: skip
            applied = replace(APPLIED, applied_at=NOON + timedelta(seconds=late), **more)
            world.ledger.conclude(replace(world.ledger.create(record(name)), status=applied))
        world.eventually(lambda: [("shop", "new")] == [each.key for each in world.ledger.unidentified(NOON)])

        made = world.ledger.read("shop", "new")
        world.ledger.conclude(replace(made, status=replace(made.status, images=known)))
        world.eventually(lambda: () == world.ledger.unidentified(NOON))

    def test_knows_the_last_change_of_a_routing_object(self, world: LedgerWorld) -> None:
        """Undone or not; what was refused, or only observed, is none."""
        assert None is world.ledger.latest("uid-1")
        for late, name in ((2, "second"), (1, "first")):
            applied = replace(APPLIED, applied_at=NOON + timedelta(minutes=late))
            world.ledger.conclude(replace(world.ledger.create(record(name)), status=applied))
        world.ledger.conclude(replace(world.ledger.create(record("no")), status=Status(phase=Phase.FAILED)))

        world.eventually(lambda: [each.phase for each in world.ledger.heads()].count(Phase.APPLIED) == 2)
        assert Made("second", NOON + timedelta(minutes=2)) == world.ledger.latest("uid-1")
        assert None is world.ledger.latest("uid-2")

    def test_knows_who_was_accused_lately(self, world: LedgerWorld) -> None:
        """As long as the alert is not over, and nobody said otherwise."""
        judged = Status(phase=Phase.FAILED, judged_at=NOON)
        over = replace(judged, resolved=(Resolution("f00d", NOON, None),))
        statuses = {"lately": judged, "over": over, "undone": TAKEN_BACK, "later": replace(judged, judged_at=LATE)}
        for name, status in statuses.items():
            world.ledger.conclude(replace(world.ledger.create(record(name)), status=status))
        by_hand = record("by-hand", request=Request("ann"))
        world.ledger.conclude(replace(world.ledger.create(by_hand), status=judged))

        world.eventually(lambda: [each.phase for each in world.ledger.heads()].count(Phase.FAILED) == 4)
        before = NOON - timedelta(seconds=1)
        assert ["later", "lately"] == [each.name for each in world.ledger.accusing(REVIEWS.host, before)]
        assert ["later"] == [each.name for each in world.ledger.accusing(REVIEWS.host, NOON)]
        assert () == world.ledger.accusing(Host("ratings.shop.svc.cluster.local"), before)

    def test_knows_what_holds_a_version_back(self, world: LedgerWorld) -> None:
        """As long as nobody has undone or released it."""
        for name in ("applied", "undone", "let-go"):
            world.ledger.conclude(replace(world.ledger.create(record(name)), status=APPLIED))
        world.ledger.create(record("planned", patch=()))
        world.eventually(lambda: len(world.ledger.barring(REVIEWS.host)) == 3)
        released = replace(APPLIED, release=TAKEN_BACK.release)
        for name, status in {"undone": TAKEN_BACK, "let-go": released}.items():
            world.ledger.conclude(replace(world.ledger.read("shop", name), status=status))

        world.eventually(lambda: len(world.ledger.barring(REVIEWS.host)) == 1)
        assert ["applied"] == [each.name for each in world.ledger.barring(REVIEWS.host)]
        assert () == world.ledger.barring(Host("ratings.shop.svc.cluster.local"))

    def test_knows_what_flagger_is_told_to_roll_back(self, world: LedgerWorld) -> None:
        """Every record of the Canary; and which of them it has not asked for yet."""
        rollback = Rollback("reviews", "6657cd9495", timedelta(seconds=180))
        more: dict[str, Any] = {"patch": (), "undo": (), "lever": Lever.FLAGGER, "rollback": rollback}
        for name in ("offered", "told"):
            world.ledger.create(record(name, **more))
        world.ledger.create(record("other", **more | {"rollback": replace(rollback, canary="ratings")}))
        world.ledger.create(record("patched"))
        world.eventually(lambda: ["offered", "other", "told"] == [each.name for each in world.ledger.offered()])
        world.ledger.conclude(replace(world.ledger.read("shop", "told"), status=APPLIED))

        world.eventually(lambda: ["offered", "other"] == [each.name for each in world.ledger.offered()])
        found = world.ledger.of_canary("shop", "reviews")
        assert [("offered", rollback), ("told", rollback)] == [(each.name, each.intent.rollback) for each in found]
        assert () == world.ledger.of_canary("web", "reviews")

    def test_counts_what_was_changed_and_what_is_about_to_be(self, world: LedgerWorld) -> None:
        early = NOON - timedelta(hours=1)
        assert Tally(0, 0, 0) == world.ledger.tally(early)
        for name, status in {
            "changed": APPLIED,
            "before": replace(APPLIED, applied_at=early),
            "undone": TAKEN_BACK,
            "refused": Status(phase=Phase.FAILED, reason=Reason.BUDGET_SPENT),
        }.items():
            world.ledger.conclude(replace(world.ledger.create(record(name)), status=status))
        observed = Status(phase=Phase.OBSERVED, finished_at=NOON)
        world.ledger.conclude(replace(world.ledger.create(record("observed", mode=Mode.OBSERVE)), status=observed))
        by_hand = world.ledger.create(record("by-hand", request=Request("ann")))
        world.ledger.conclude(replace(by_hand, status=APPLIED))
        world.ledger.create(record("begun"))
        world.ledger.create(record("asking", mode=Mode.APPROVE))
        world.ledger.create(record("without-a-patch", patch=()))

        world.eventually(lambda: 9 == len(world.ledger.heads()) and world.ledger.tally(early).made == 2)
        tally = world.ledger.tally(early)
        assert (2, 1, 1) == (tally.made, tally.begun, tally.observed)
        assert tally.latest in {("shop", "changed"), ("shop", "undone")}
        assert 0 == world.ledger.tally(NOON + timedelta(seconds=1)).made

    def test_of_those_that_are_begun_each_is_before_or_behind_every_other(self, world: LedgerWorld) -> None:
        """However many begin at once: that is what lets a budget be shared without a leader."""
        names = [f"canary-{number}" for number in range(8)]
        made = at_once(*(partial(world.ledger.create, record(name)) for name in names))

        in_order = sorted(made, key=lambda each: world.ledger.ahead(each, NOON))
        assert list(range(8)) == [world.ledger.ahead(each, NOON) for each in in_order]

        first, *_, last = in_order
        world.ledger.conclude(replace(first, status=replace(APPLIED, applied_at=LATE)))
        assert 7 == world.ledger.ahead(last, NOON), "what is made counts like what is begun"
        world.eventually(lambda: 6 == world.ledger.ahead(last, LATE))

    def test_one_that_is_tried_again_comes_behind_the_others(self, world: LedgerWorld) -> None:
        first, second = (world.ledger.create(record(name)) for name in ("first", "second"))
        refused = world.ledger.conclude(replace(first, status=Status(phase=Phase.FAILED)))
        assert 0 == world.ledger.ahead(second, NOON)
        again = world.ledger.conclude(replace(refused, status=Status()))
        assert 1 == world.ledger.ahead(again, NOON)
        assert 0 == world.ledger.ahead(second, NOON)

    def test_of_one_that_is_gone_nobody_knows_who_is_before_it(self, world: LedgerWorld) -> None:
        made = world.ledger.create(record())
        assert 0 == world.ledger.ahead(made, NOON)
        world.ledger.delete(made)
        world.eventually(lambda: () == tuple(world.ledger.heads()))
        with pytest.raises(NotSynced):
            world.ledger.ahead(made, NOON)

    # -- Events

    def test_an_event_may_be_told_twice(self, world: LedgerWorld) -> None:
        for ledger in (world.ledger, world.ledger, world.bare):
            ledger.announce(OBSERVED)
