"""A withdrawal is held up: whoever gives the suspect traffic again is answered, a few times, and then it is told."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from remediator.alerts import parse_notification
from remediator.cluster.local import LocalCluster
from remediator.errors import Forbidden, NotSynced, Rejected, Unavailable
from remediator.guards.budget import Budget
from remediator.guards.pause import Pause
from remediator.guards.situation import Bounds
from remediator.guards.stable_ready import Readiness
from remediator.metrics import Metrics
from remediator.outcome import Reason
from remediator.pipeline import Pipeline
from remediator.pipeline.by_hand import Agreed, Wish, plan_by_hand
from remediator.pipeline.execution import execute
from remediator.pipeline.gitops import GitOps
from remediator.pipeline.holds import Holds
from remediator.pipeline.tools import Limits, Tools
from remediator.policies.model import Action, Guards, Mode, PolicySet
from remediator.records.hold import Hold
from remediator.records.ledger import Ledger
from remediator.records.model import Approval, Phase, Release, Remediation, Request
from remediator.traffic.gitops import MARK, RECONCILE
from remediator.traffic.hosts import Host
from remediator.traffic.stamp import stamp_of
from remediator.traffic.view import Destination
from tests.builders import alert, labels, notification, split
from tests.fakes import NOW, FakeCluster
from tests.test_pipeline import Loaded, Policies, policy
from tests.test_pipeline_records import CANARY, MANY, REVIEWS, RULE, Crash, Json, Mesh, at, die, steps_of, words

SECOND = 1 / 60
"""In minutes, as a Mesh counts."""
MeshOf = Callable[..., Mesh]
BY = Request("mia", "it was the database")


@pytest.fixture
def mesh_of() -> Iterator[MeshOf]:
    """A canary whose traffic an alert has taken away, and which is held so for half an hour."""
    with ThreadPoolExecutor(4) as executor:

        def made(*bodies: Json, deliver: bool = True, **more: Any) -> Mesh:
            mesh = Mesh(FakeCluster(*(bodies or (CANARY, RULE))), executor, **more)
            if deliver:
                mesh.deliver()
            return mesh

        yield made


@pytest.fixture
def mesh(mesh_of: MeshOf) -> Mesh:
    return mesh_of()


def reverted(mesh: Mesh, writer: str = "kustomize-controller", **weights: int) -> None:
    """Somebody puts back what stood there, or other weights."""

    def change(body: Json) -> None:
        body["spec"]["http"] = copy.deepcopy(CANARY["spec"]["http"])
        if weights:
            body["spec"]["http"][0]["route"] = split(**weights)
        moment = (NOW + timedelta(minutes=mesh.minutes)).isoformat(timespec="seconds")
        owned = {"f:spec": {"f:http": {}}}
        body["metadata"]["managedFields"] = [{"manager": writer, "time": moment, "fieldsV1": owned}]

    mesh.cluster.edit(REVIEWS, change, indexed=True)


def another(mesh: Mesh) -> None:
    """Another alert on the same version, whatever its age: applied under a record of its own."""
    mesh.deliver(alert(labels(), fingerprint="b" * 16), bounds=Bounds(max_alert_age=None))


def holds(mesh: Mesh, **more: Any) -> Holds:
    """Of a fresh replica."""
    return Holds(mesh.replica(**more))


def look(mesh: Mesh, **more: Any) -> None:
    """One round of a fresh replica."""
    holds(mesh, **more).look()


def later(mesh: Mesh, seconds: float) -> None:
    mesh.minutes += seconds * SECOND


def hold_of(record: Remediation) -> Hold:
    return record.status.hold or Hold()


def writers(mesh: Mesh) -> list[str]:
    return [each.writer for each in hold_of(mesh.record).enforcements]


def told(mesh: Mesh) -> list[str]:
    """The reasons of all Events but that of the patch."""
    events = mesh.cluster.ledger.events.values()
    return [event.reason for event in events if event.reason != Reason.PATCHED]


def counted(mesh: Mesh, name: str, **chosen: str) -> float:
    """A metric of the mesh, as Prometheus would read it."""
    wanted = name + (
        "{" + ",".join(f'{key}="{value}"' for key, value in sorted(chosen.items())) + "}" if chosen else ""
    )
    lines = mesh.metrics.render()[0].decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(wanted + " ")), 0.0)


class TestBroughtBack:
    def test_what_somebody_put_back_is_taken_away_again(self, mesh: Mesh) -> None:
        reverted(mesh)
        look(mesh)
        assert [100, 0] == mesh.weights()
        assert "mirror" not in mesh.live["spec"]["http"][0]
        assert mesh.record.name == stamp_of(mesh.live)

    def test_the_record_says_when_and_against_whom(self, mesh: Mesh) -> None:
        later(mesh, 60)
        reverted(mesh)
        look(mesh)
        (enforcement,) = hold_of(mesh.record).enforcements
        moment = NOW + timedelta(minutes=1)
        assert ("kustomize-controller", moment, moment) == (enforcement.writer, enforcement.at, enforcement.done_at)
        assert (Phase.APPLIED, Reason.PATCHED, NOW) == (
            mesh.record.status.phase,
            mesh.record.status.reason,
            mesh.record.status.applied_at,
        )

    def test_an_event_and_metrics_tell_of_it(self, mesh: Mesh) -> None:
        reverted(mesh)
        look(mesh)
        (event,) = (each for each in mesh.cluster.ledger.events.values() if each.reason == Reason.HELD)
        assert ("Hold", "Normal", mesh.record.name) == (event.action, event.tone.value, event.record)
        assert event.note.startswith("kustomize-controller gave reviews.shop v2 traffic again, and it was taken away")
        assert "1 of 5 times: http[0]: reviews.shop subset v1 weight 90 → 100; " in event.note
        assert 1 == counted(mesh, "remediator_hold_enforcements_total", writer="kustomize-controller")
        assert 1 == counted(mesh, "remediator_outcomes_total", policy="canary", outcome="Applied", reason="Held")

    @pytest.mark.parametrize(
        ("writer", "label"),
        [
            ("argocd-controller", "argocd-controller"),
            ("kubectl-edit", "kubectl"),
            ("deploy-3f2a", "other"),
        ],
    )
    def test_the_label_of_the_metric_is_bounded(self, mesh: Mesh, writer: str, label: str) -> None:
        reverted(mesh, writer)
        look(mesh)
        assert [writer] == writers(mesh)
        assert 1 == counted(mesh, "remediator_hold_enforcements_total", writer=label)

    def test_it_is_planned_anew_on_what_stands_there(self, mesh: Mesh) -> None:
        """Other weights than ever, and a field that nobody has to lose."""
        mesh.cluster.edit(
            REVIEWS, lambda body: body["spec"]["http"][0].update(route=split(v1=30, v2=70), timeout="3s"), indexed=True
        )
        look(mesh)
        assert ([100, 0], "3s") == (mesh.weights(), mesh.live["spec"]["http"][0]["timeout"])

    def test_nobody_is_named_where_nobody_is_known(self, mesh: Mesh) -> None:
        mesh.cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0].update(route=split(v1=90, v2=10)), indexed=True)
        look(mesh)
        assert [""] == writers(mesh)
        assert 1 == counted(mesh, "remediator_hold_enforcements_total", writer="unknown")

    def test_it_takes_no_budget_and_does_not_wait_for_the_cooldown(self, mesh: Mesh) -> None:
        reverted(mesh)
        look(mesh, bounds=Bounds(budget=Budget(1, timedelta(minutes=10)), max_alert_age=timedelta(seconds=1)))
        assert [100, 0] == mesh.weights()

    def test_without_a_change_no_request_is_made(self, mesh: Mesh) -> None:
        kept = holds(mesh)
        assert [] == steps_of(mesh, kept.look)
        mesh.cluster.edit(REVIEWS, lambda body: body["metadata"].update(labels={"a": "b"}), indexed=True)
        assert [] == steps_of(mesh, kept.look)
        assert 2 == len(mesh.cluster.ledger.stored) + 1

    def test_a_change_wakes_it(self, mesh: Mesh) -> None:
        kept = holds(mesh)
        kept.look()
        reverted(mesh)
        kept.look(patience_s=30)
        assert [100, 0] == mesh.weights()

    def test_an_undo_gives_back_what_stood_there_first(self, mesh: Mesh) -> None:
        reverted(mesh, v1=50, v2=50)
        look(mesh)
        mesh.undo()
        assert [90, 10] == mesh.weights()

    def test_the_alert_that_fires_on_finds_nothing_to_do(self, mesh: Mesh) -> None:
        reverted(mesh)
        look(mesh)
        assert [("Unchanged", "NotExposed")] == words(mesh.deliver())
        assert 1 == len(mesh.records)

    def test_of_two_records_of_one_object_each_is_held(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(MANY, RULE, policies=(policy(guards=Guards(cooldown=timedelta())),), deliver=False)
        for version in ("v2", "v3"):
            mesh.deliver(alert(labels(version), fingerprint=version * 8))
        mesh.cluster.edit(
            REVIEWS, lambda body: body["spec"]["http"][0].update(route=split(v1=80, v2=10, v3=10)), indexed=True
        )
        look(mesh)
        assert [100, 0, 0] == mesh.weights()
        assert [1, 1] == [len(hold_of(record).enforcements) for record in mesh.records]


class TestLost:
    def fight(self, mesh: Mesh, times: int = 5, kept: Holds | None = None) -> list[list[int]]:
        """Somebody puts it back every two seconds; the weights after each answer."""
        found = []
        for _ in range(times):
            later(mesh, 2)
            reverted(mesh)
            (kept or holds(mesh)).look()
            found.append(mesh.weights())
        return found

    def test_five_times_it_is_brought_back_at_once_and_with_the_fifth_the_hold_is_lost(self, mesh: Mesh) -> None:
        assert [[100, 0]] * 4 == self.fight(mesh, 4)
        assert hold_of(mesh.record).lost_at is None
        assert [[100, 0]] == self.fight(mesh, 1)
        hold = hold_of(mesh.record)
        assert (5, NOW + timedelta(seconds=10), "kustomize-controller") == (
            len(hold.enforcements),
            hold.lost_at,
            hold.lost_to,
        )
        assert hold.enforcements[-1].done_at == hold.lost_at
        assert [[90, 10]] * 3 == self.fight(mesh, 3)
        assert hold == hold_of(mesh.record)
        assert Phase.APPLIED is mesh.record.status.phase
        assert 6 == len(mesh.cluster.patches)

    def test_a_warning_a_condition_and_metrics_tell_of_it(self, mesh: Mesh) -> None:
        self.fight(mesh, 5)
        (event,) = (each for each in mesh.cluster.ledger.events.values() if each.reason == Reason.HOLD_LOST)
        assert ("Warning", "Hold") == (event.tone.value, event.action)
        assert "by kustomize-controller last, and it was taken away 5 times within 8s" in event.note
        assert "it will not be taken away again" in event.note
        assert 1 == counted(mesh, "remediator_holds_lost_total", writer="kustomize-controller")
        assert 1 == counted(mesh, "remediator_outcomes_total", policy="canary", outcome="Denied", reason="HoldLost")
        assert 5 == counted(mesh, "remediator_hold_enforcements_total", writer="kustomize-controller")

    def test_the_firing_that_goes_on_does_not_begin_it_anew(self, mesh: Mesh) -> None:
        self.fight(mesh, 5)
        assert [("Unchanged", "NotExposed")] == words(mesh.deliver())
        self.fight(mesh, 1)
        assert [("Denied", "StaleEvidence")] == words(mesh.deliver())
        look(mesh)
        assert [90, 10] == mesh.weights()

    def test_an_older_record_does_not_go_on_where_a_newer_one_has_lost(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(policies=(policy(guards=Guards(cooldown=timedelta())),))
        reverted(mesh)
        another(mesh)  # before the hold has come to it
        self.fight(mesh, 8)
        enforced = [len(hold_of(record).enforcements) for record in mesh.records]
        assert ([0, 5], [90, 10]) == (sorted(enforced), mesh.weights())

    def test_whoever_answers_at_once_is_paused_for_longer_each_time_and_never_for_a_second(self, mesh: Mesh) -> None:
        kept, moments = holds(mesh), []
        for tenth in range(20):
            before = len(mesh.cluster.patches)
            reverted(mesh)
            kept.look()
            if len(mesh.cluster.patches) > before:
                moments.append(tenth / 10)
            later(mesh, 0.1)
        assert [0, 0.1, 0.3, 0.7, 1.3] == moments
        assert hold_of(mesh.record).lost_at is not None

    @pytest.mark.parametrize("moment", ["conclude", "conclude done", "patch", "patch done", "announce done"])
    def test_a_crash_in_the_fifth_enforcement_forgets_neither_it_nor_the_loss(self, mesh: Mesh, moment: str) -> None:
        """Another replica goes on, and tells once what has come to its end."""
        self.fight(mesh, 4)
        later(mesh, 2)
        reverted(mesh)
        mesh.cluster.step = lambda name: die(name) if name == moment else None
        with suppress(Crash):
            look(mesh)
        mesh.cluster.step = lambda _name: None
        for _ in range(2):
            later(mesh, 2)
            look(mesh)
        hold = hold_of(mesh.record)
        assert ([100, 0], 5) == (mesh.weights(), len(hold.enforcements))
        assert hold.lost_at is not None
        assert hold.enforcements[-1].done_at is not None
        assert (5, 1) == (told(mesh).count(Reason.HELD), told(mesh).count(Reason.HOLD_LOST))

    def test_a_hold_of_which_nobody_could_say_that_it_was_the_last_is_lost_at_the_next_look(self, mesh: Mesh) -> None:
        """The process died after the fifth patch, and the writer was quicker than any other."""
        self.fight(mesh, 4)
        later(mesh, 2)
        reverted(mesh)
        mesh.cluster.step = lambda name: die(name) if name == "patch done" else None
        with suppress(Crash):
            look(mesh)
        mesh.cluster.step = lambda _name: None
        later(mesh, 2)
        reverted(mesh)
        look(mesh)
        assert ([90, 10], "kustomize-controller") == (mesh.weights(), hold_of(mesh.record).lost_to)


class TestTheEnd:
    def test_after_its_time_nothing_is_brought_back(self, mesh: Mesh) -> None:
        mesh.minutes = 29.99
        reverted(mesh)
        look(mesh)
        assert [100, 0] == mesh.weights()
        mesh.minutes = 30
        reverted(mesh)
        look(mesh)
        assert ([90, 10], 1) == (mesh.weights(), len(writers(mesh)))

    def test_the_number_of_holds_is_measured(self, mesh: Mesh) -> None:
        assert 1 == mesh.replica().holding()
        mesh.minutes = 30
        assert 0 == mesh.replica().holding()
        mesh.cluster.ledger.fails["index"] = NotSynced("no")
        assert str(float("nan")) == str(mesh.replica().holding())

    def test_a_person_has_undone_it(self, mesh: Mesh) -> None:
        mesh.undo()
        look(mesh)
        assert ([90, 10], []) == (mesh.weights(), writers(mesh))

    def test_a_person_has_released_it(self, mesh: Mesh) -> None:
        released(mesh.cluster.ledger, mesh.record, NOW)
        reverted(mesh)
        look(mesh)
        assert ([90, 10], []) == (mesh.weights(), writers(mesh))

    @pytest.mark.parametrize("how", ["release", "undo"])
    @pytest.mark.parametrize("which", [0, 1])
    def test_what_a_person_says_of_one_record_counts_for_all_of_that_version(
        self, mesh_of: MeshOf, how: str, which: int
    ) -> None:
        mesh = mesh_of(policies=(policy(guards=Guards(cooldown=timedelta())),))
        reverted(mesh)
        later(mesh, 1)
        another(mesh)
        later(mesh, 1)
        record = sorted(mesh.records, key=lambda each: each.created_at or NOW)[which]
        if how == "release":
            released(mesh.cluster.ledger, record, NOW + timedelta(minutes=mesh.minutes))
            reverted(mesh)
        else:
            mesh.undo(record.name)
        look(mesh)
        assert [90, 10] == mesh.weights()
        assert [0, 0] == [len(hold_of(each).enforcements) for each in mesh.records]

    def test_a_new_firing_after_a_release_is_held_anew(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(policies=(policy(guards=Guards(cooldown=timedelta())),))
        released(mesh.cluster.ledger, mesh.record, NOW)
        reverted(mesh)
        later(mesh, 1)
        another(mesh)
        reverted(mesh)
        look(mesh)
        assert [100, 0] == mesh.weights()

    def test_the_record_is_deleted(self, mesh: Mesh) -> None:
        mesh.cluster.ledger.delete(mesh.record)
        reverted(mesh)
        look(mesh)
        assert [90, 10] == mesh.weights()

    @pytest.mark.parametrize("made_again", [False, True], ids=["it is gone", "it is another one"])
    def test_the_object_is_deleted(self, mesh: Mesh, made_again: bool) -> None:
        mesh.cluster.lose(REVIEWS)
        if made_again:
            other = copy.deepcopy(CANARY)
            other["metadata"]["uid"] = "another"
            mesh.cluster.put(other)
        look(mesh)
        assert ([], []) == (writers(mesh), told(mesh))
        assert 1 == len(mesh.cluster.patches)


def released(ledger: Ledger, record: Remediation, at: datetime) -> None:
    ledger.conclude(replace(record, status=replace(record.status, release=Release(BY, at))))


class TestGuards:
    """What could make it worse, or what people forbid, suspends a hold; it goes on when that is over."""

    def withheld(self, mesh: Mesh, reason: str, **more: Any) -> None:
        reverted(mesh)
        look(mesh, **more)
        assert ([90, 10], []) == (mesh.weights(), writers(mesh))
        assert [reason] == told(mesh)
        (event,) = (each for each in mesh.cluster.ledger.events.values() if each.reason == reason)
        assert event.tone.value == "Warning"
        assert "kustomize-controller gave reviews.shop v2 traffic again, and it keeps it" in event.note

    def test_a_pause_suspends_it(self, mesh: Mesh) -> None:
        mesh.cluster.brake.pause(Pause(by="kim"))
        self.withheld(mesh, "Paused")
        mesh.cluster.brake.resume()
        look(mesh)
        assert [100, 0] == mesh.weights()

    def test_an_annotation_suspends_it(self, mesh: Mesh) -> None:
        def annotate(text: str) -> None:
            mesh.cluster.edit(
                REVIEWS, lambda body: body["metadata"]["annotations"].update({"remediator.io/mode": text})
            )

        annotate("Off")
        self.withheld(mesh, "SwitchedOff")
        annotate("Observe")
        look(mesh)
        assert [90, 10] == mesh.weights()
        annotate("Enforce")
        mesh.cluster.put(mesh.live)
        look(mesh)
        assert [100, 0] == mesh.weights()

    def test_a_service_that_only_observes_suspends_it(self, mesh: Mesh) -> None:
        self.withheld(mesh, "SwitchedOff", ceiling=Mode.OBSERVE)

    def test_a_policy_that_only_observes_by_now_suspends_it(self, mesh: Mesh) -> None:
        mesh.policies = (policy(mode=Mode.OBSERVE),)
        self.withheld(mesh, "SwitchedOff")

    def test_a_policy_that_is_gone_does_not(self, mesh: Mesh) -> None:
        mesh.policies = ()
        reverted(mesh)
        look(mesh)
        assert [100, 0] == mesh.weights()

    def test_a_stable_side_that_is_not_ready_suspends_it(self, mesh: Mesh) -> None:
        host = Destination(Host("reviews.shop.svc.cluster.local"), "v1")
        mesh.cluster.endpoints[host] = Readiness(host, ready=0, total=2)
        self.withheld(mesh, "StableNotReady")

    def test_a_stable_side_that_is_accused_as_well_suspends_it(self, mesh: Mesh) -> None:
        reverted(mesh)
        mesh.deliver(alert(labels("v1"), fingerprint="b" * 16))
        look(mesh)
        assert [90, 10] == mesh.weights()
        assert "StableAlsoFailing" in told(mesh)

    def test_a_heavier_suspect_is_no_new_question(self, mesh: Mesh) -> None:
        reverted(mesh, v1=10, v2=90)
        look(mesh)
        assert [100, 0] == mesh.weights()

    def test_what_a_person_approved_is_held_in_mode_approve(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(policies=(policy(mode=Mode.APPROVE),))
        mesh.replica().answer("shop", mesh.record.name, Approval(approved=True, by="ann"))
        reverted(mesh)
        look(mesh)
        assert [100, 0] == mesh.weights()

    def test_a_server_that_refuses_it_is_asked_less_and_less_often(self, mesh: Mesh) -> None:
        def refuse(_ref: object) -> None:
            asked.append(round(mesh.minutes * 60))
            raise Rejected("no change on Fridays")

        asked: list[int] = []
        mesh.cluster.before_patch = refuse
        reverted(mesh)
        kept = holds(mesh)
        for _ in range(20):
            kept.look()
            later(mesh, 1)
        assert [0, 1, 3, 7, 15] == asked
        assert ([], ["Rejected"]) == (writers(mesh), told(mesh))


class TestReplicas:
    def test_two_that_see_it_at_once_count_it_once(self, mesh: Mesh) -> None:
        """At any moment of the one, the other does all that it can."""
        reverted(mesh)
        for moment in range(len(steps_of(mesh, lambda: look(mesh)))):
            later(mesh, 10)
            mesh.cluster.ledger.stored = {
                key: replace(each, status=replace(each.status, hold=None))
                for key, each in mesh.cluster.ledger.stored.items()
            }
            patches = len(mesh.cluster.patches)
            reverted(mesh)
            mesh.cluster.step = at(moment, lambda _: look(mesh))
            kept = holds(mesh)
            kept.look()
            later(mesh, 1)
            kept.look()
            assert ([100, 0], 1, patches + 1) == (mesh.weights(), len(writers(mesh)), len(mesh.cluster.patches))
            assert None is not hold_of(mesh.record).enforcements[0].done_at

    def test_a_crash_at_any_moment_leaves_what_the_next_one_ends(self, mesh: Mesh) -> None:
        reverted(mesh)
        for moment in range(len(steps_of(mesh, lambda: look(mesh)))):
            later(mesh, 10)
            mesh.cluster.ledger.events.clear()
            mesh.cluster.ledger.stored = {
                key: replace(each, status=replace(each.status, hold=None))
                for key, each in mesh.cluster.ledger.stored.items()
            }
            patches = len(mesh.cluster.patches)
            reverted(mesh)
            mesh.cluster.step = at(moment, die)
            with pytest.raises(Crash):
                look(mesh)
            later(mesh, 1)
            look(mesh)
            assert ([100, 0], 1, patches + 1) == (mesh.weights(), len(writers(mesh)), len(mesh.cluster.patches))
            assert None is not hold_of(mesh.record).enforcements[0].done_at
            assert ["Held"] == told(mesh)

    def test_an_index_that_lags_behind_the_first_patch_counts_nothing(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of()
        patched = mesh.live
        mesh.cluster.put(CANARY)  # what the index has heard
        mesh.cluster.put(patched, indexed=False)
        look(mesh)
        assert ([], 1) == (writers(mesh), len(mesh.cluster.patches))

    def test_an_alert_was_quicker(self, mesh_of: MeshOf) -> None:
        """The patch of another record brought it back after ours was counted: it is not ours."""
        mesh = mesh_of(policies=(policy(guards=Guards(cooldown=timedelta())),))
        first = mesh.record
        reverted(mesh)
        done: list[object] = []

        def quicker(_ref: object) -> None:
            if not done:
                done.append(mesh)
                another(mesh)

        mesh.cluster.before_patch = quicker
        kept = holds(mesh)
        kept.look()
        later(mesh, 2)
        kept.look()
        now = next(each for each in mesh.records if each.name == first.name)
        assert ([100, 0], 0, 2) == (mesh.weights(), len(hold_of(now).enforcements), len(mesh.cluster.patches))

    def test_an_api_server_that_is_away_is_asked_again(self, mesh: Mesh) -> None:
        def away(_ref: object) -> None:
            raise Unavailable("away")

        mesh.cluster.before_patch = away
        reverted(mesh)
        kept = holds(mesh)
        kept.look()
        mesh.cluster.before_patch = lambda _ref: None
        kept.look()
        assert [90, 10] == mesh.weights()
        later(mesh, 1)
        kept.look()
        assert ([100, 0], ["kustomize-controller"]) == (mesh.weights(), writers(mesh))

    def test_a_missing_permission_is_told(self, mesh: Mesh) -> None:
        def forbid(_ref: object) -> None:
            raise Forbidden("patch", "virtualservices")

        mesh.cluster.before_patch = forbid
        reverted(mesh)
        look(mesh)
        assert ["Forbidden"] == told(mesh)

    def test_an_index_that_is_not_believed_is_waited_for(self, mesh: Mesh) -> None:
        kept = holds(mesh)
        kept.look()
        reverted(mesh)
        mesh.cluster.ledger.fails["index"] = NotSynced("listing")
        kept.look()
        assert [90, 10] == mesh.weights()
        del mesh.cluster.ledger.fails["index"]
        kept.look()
        assert [100, 0] == mesh.weights()


class TestByHand:
    """What a person took away is held as well."""

    def taken(self, mesh: Mesh, wish: Wish) -> None:
        work = plan_by_hand(mesh.cluster.read(REVIEWS), wish, NOW)
        assert isinstance(work, Agreed)
        service = mesh.replica()
        execute(work, Tools(mesh.cluster, service.journal, Limits((work,)), service.guarding))

    @pytest.mark.parametrize(
        ("wish", "weights", "mirror"),
        [
            pytest.param(Wish(Action.REVERT_TO_STABLE, BY, "v2"), [100, 0], True, id="the weight"),
            pytest.param(Wish(Action.REMOVE_MIRRORS, BY), [90, 10], False, id="every mirror"),
        ],
    )
    def test_it_is_brought_back_and_nothing_else(
        self, mesh_of: MeshOf, wish: Wish, weights: list[int], mirror: bool
    ) -> None:
        mesh = mesh_of(deliver=False)
        self.taken(mesh, wish)
        reverted(mesh, "kubectl-edit")
        look(mesh)
        assert (weights, mirror) == (mesh.weights(), "mirror" in mesh.live["spec"]["http"][0])
        assert ["kubectl-edit"] == writers(mesh)

    @pytest.mark.parametrize(("annotation", "weights"), [("Off", [90, 10]), ("Approve", [100, 0])])
    def test_the_service_asks_whether_it_may_act_at_all_and_no_more(
        self, mesh_of: MeshOf, annotation: str, weights: list[int]
    ) -> None:
        mesh = mesh_of(deliver=False)
        self.taken(mesh, Wish(Action.REVERT_TO_STABLE, BY, "v2"))
        host = Destination(Host("reviews.shop.svc.cluster.local"), "v1")
        mesh.cluster.endpoints[host] = Readiness(host, ready=0, total=2)
        mesh.cluster.edit(
            REVIEWS, lambda body: body["metadata"]["annotations"].update({"remediator.io/mode": annotation})
        )
        reverted(mesh)
        look(mesh)
        assert weights == mesh.weights()


FLUX = {"kustomize.toolkit.fluxcd.io/name": "shop"}


class TestFlux:
    """With --gitops-pause it leaves alone what is held; and in any case it takes care of it again afterwards."""

    @pytest.fixture
    def mesh(self, mesh_of: MeshOf) -> Mesh:
        labelled = copy.deepcopy(CANARY)
        labelled["metadata"]["labels"] = FLUX
        return mesh_of(labelled, RULE)

    def paused(self, mesh: Mesh) -> list[str]:
        """What the object says to Flux, and whose word that is."""
        annotations = mesh.live["metadata"]["annotations"]
        return [annotations[name] for name in (RECONCILE, MARK) if name in annotations]

    def pause(self, mesh: Mesh, **more: Any) -> None:
        Holds(mesh.replica(**more), gitops_pause=True).look()

    def test_it_is_told_so_once(self, mesh: Mesh) -> None:
        for _ in range(2):
            self.pause(mesh)
        assert ["disabled", mesh.record.name] == self.paused(mesh)
        assert (2, [100, 0]) == (len(mesh.cluster.patches), mesh.weights())
        assert [("Held", "PauseGitOps")] == [
            (each.reason, each.action) for each in mesh.cluster.ledger.events.values() if each.reason != Reason.PATCHED
        ]

    def test_nothing_is_told_unless_somebody_wants_it(self, mesh: Mesh) -> None:
        look(mesh)
        assert [] == self.paused(mesh)

    def test_nothing_is_told_where_flux_applies_nothing(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of()
        self.pause(mesh)
        assert [] == self.paused(mesh)

    def test_what_somebody_else_has_written_there_stays(self, mesh: Mesh) -> None:
        mesh.cluster.edit(REVIEWS, lambda body: body["metadata"]["annotations"].update({RECONCILE: "disabled"}))
        mesh.cluster.put(mesh.live)
        self.pause(mesh)
        mesh.undo()
        self.pause(mesh)
        assert ["disabled"] == self.paused(mesh)

    @pytest.mark.parametrize(
        "forbid",
        [
            pytest.param(lambda mesh: mesh.cluster.brake.pause(Pause(by="kim")), id="paused"),
            pytest.param(
                lambda mesh: mesh.cluster.edit(
                    REVIEWS,
                    lambda body: body["metadata"]["annotations"].update({"remediator.io/mode": "Off"}),
                    indexed=True,
                ),
                id="switched off",
            ),
        ],
    )
    def test_nothing_is_told_while_nothing_may_be_changed(self, mesh: Mesh, forbid: Callable[[Mesh], None]) -> None:
        forbid(mesh)
        self.pause(mesh)
        assert [] == self.paused(mesh)

    @pytest.mark.parametrize(
        "end",
        [
            pytest.param(lambda mesh: later(mesh, 1800), id="it is over"),
            pytest.param(lambda mesh: mesh.undo(), id="a person has undone it"),
            pytest.param(lambda mesh: released(mesh.cluster.ledger, mesh.record, NOW), id="a person has released it"),
            pytest.param(lambda mesh: mesh.cluster.ledger.delete(mesh.record), id="its record was deleted"),
        ],
    )
    def test_the_end_of_the_hold_takes_it_back_also_where_nobody_wants_it_any_more(
        self, mesh: Mesh, end: Callable[[Mesh], None]
    ) -> None:
        self.pause(mesh)
        end(mesh)
        mesh.cluster.brake.pause(Pause(by="kim"))
        look(mesh)
        assert [] == self.paused(mesh)
        assert "ResumeGitOps" in {each.action for each in mesh.cluster.ledger.events.values()}

    def test_a_lost_hold_takes_it_back(self, mesh: Mesh) -> None:
        kept = Holds(mesh.replica(), gitops_pause=True, pauses=(timedelta(),))
        kept.look()
        assert ["disabled", mesh.record.name] == self.paused(mesh)
        for _ in range(3):
            reverted(mesh)
            kept.look()
        assert ([], Reason.HOLD_LOST in told(mesh)) == (self.paused(mesh), True)

    def test_what_flux_was_told_by_somebody_since_stays(self, mesh: Mesh) -> None:
        self.pause(mesh)
        mesh.cluster.edit(
            REVIEWS, lambda body: body["metadata"]["annotations"].update({RECONCILE: "enabled"}), indexed=True
        )
        mesh.undo()
        look(mesh)
        assert ["enabled"] == self.paused(mesh)

    def test_an_api_server_that_is_away_is_asked_again(self, mesh: Mesh) -> None:
        def away(_ref: object) -> None:
            raise Unavailable("away")

        mesh.cluster.before_patch = away
        kept = Holds(mesh.replica(), gitops_pause=True)
        kept.look()
        mesh.cluster.before_patch = lambda _ref: None
        later(mesh, 5)
        kept.look()
        assert ["disabled", mesh.record.name] == self.paused(mesh)
        mesh.undo()
        mesh.cluster.before_patch = away
        kept.look()
        mesh.cluster.before_patch = lambda _ref: None
        later(mesh, 5)
        kept.look()
        assert [] == self.paused(mesh)

    def test_a_record_that_the_index_has_not_heard_of_is_asked_for(self, mesh: Mesh) -> None:
        """Another replica may know more."""
        self.pause(mesh)
        gitops = GitOps(mesh.cluster, mesh.replica().journal, pauses=True)
        assert (REVIEWS,) == gitops.due(())
        gitops.resume(REVIEWS)
        assert ["disabled", mesh.record.name] == self.paused(mesh)


def test_in_a_folder_of_yaml_it_is_brought_back_as_well(tmp_path: Path) -> None:
    """Nobody tells that a file has changed: the second look at the latest finds it."""
    path = tmp_path / "shop.yaml"
    text = yaml.safe_dump_all([CANARY, RULE])
    path.write_text(text)
    cluster, store = LocalCluster(tmp_path), Policies(Loaded(PolicySet((policy(),))))
    with ThreadPoolExecutor(2) as executor:
        service = Pipeline(cluster, cast(Any, store), Metrics(), executor, bounds=Bounds(max_alert_age=None))
        service.handle(parse_notification(notification([alert(labels())])))
        kept = Holds(service)
        kept.look()
        path.write_text(text)
        for _ in range(2):
            kept.look()
    (record,) = cluster.ledger.listed()
    (body, _) = yaml.safe_load_all(path.read_text())
    assert [100, 0] == [share["weight"] for share in body["spec"]["http"][0]["route"]]
    assert [""] == [each.writer for each in hold_of(record).enforcements]
