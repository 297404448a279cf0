"""What stays of a remediation: one record for each patch, whatever the moment of a crash, a rival or an edit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from remediator.alerts import parse_notification
from remediator.errors import ClusterError, Forbidden, NotFound, NotSynced, Rejected, Unavailable
from remediator.metrics import Metrics
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.pipeline import Pipeline
from remediator.pipeline.shell import Clock
from remediator.pipeline.undoing import Ending
from remediator.policies.model import Action, Guards, Mode, Policy, PolicySet
from remediator.records.model import Phase, Remediation, Request
from remediator.traffic.stamp import ANNOTATION, stamp_of
from tests.builders import alert, destination, destination_rule, labels, notification, split, virtual_service, when
from tests.fakes import NOW, FakeCluster
from tests.test_pipeline import Loaded, Policies, policy

Json = dict[str, Any]
REVIEWS = TargetRef("VirtualService", "shop", "reviews")
CANARY = virtual_service({"route": split(v1=90, v2=10), "mirror": destination("v2")})
RULE = destination_rule(v1="v1", v2="v2", v3="v3")
MANY = virtual_service({"route": split(v1=80, v2=10, v3=10)})
BY = Request("kim", "the alert was wrong")
AT_ONCE = Guards(cooldown=timedelta())
"""For what comes a moment after a remediation, and is not about that."""
Step = Callable[[str], None]


class Crash(BaseException):
    """The process is no more: nothing of ours may catch this."""


@dataclass
class Mesh:
    """A cluster, and replicas of the service that act on it."""

    cluster: FakeCluster
    executor: ThreadPoolExecutor
    policies: tuple[Policy, ...] = (policy(),)
    minutes: float = 0
    """Since NOW."""
    metrics: Metrics = field(default_factory=Metrics)

    def replica(self, **more: Any) -> Pipeline:
        """The service, fresh from the start."""
        store: Any = Policies(Loaded(PolicySet(self.policies)))
        clock = Clock(now=lambda: NOW + timedelta(minutes=self.minutes))
        return Pipeline(self.cluster, store, self.metrics, self.executor, clock=clock, **more)

    def deliver(self, *alerts: Json, **more: Any) -> tuple[AlertOutcome, ...]:
        """One notification to a fresh replica."""
        given = alerts or (alert(labels()),)
        return self.replica(**more).handle(parse_notification(notification(given)))

    def undo(self, name: str | None = None) -> Ending:
        return self.replica().undo("shop", name or self.record.name, BY)

    @property
    def records(self) -> list[Remediation]:
        return self.cluster.ledger.records()

    @property
    def record(self) -> Remediation:
        (record,) = self.records
        return record

    @property
    def live(self) -> Json:
        return self.cluster.stored[REVIEWS]

    def phases(self) -> list[str]:
        return [record.status.phase.value for record in self.records]

    def weights(self) -> list[int]:
        return [share["weight"] for share in self.live["spec"]["http"][-1]["route"]]


@pytest.fixture
def mesh_of() -> Iterator[Callable[..., Mesh]]:
    with ThreadPoolExecutor(4) as executor:
        yield lambda *bodies, **more: Mesh(FakeCluster(*(bodies or (CANARY, RULE))), executor, **more)


@pytest.fixture
def mesh(mesh_of: Callable[..., Mesh]) -> Mesh:
    return mesh_of()  # type: ignore[no-any-return]


MeshOf = Callable[..., Mesh]


def words(rows: tuple[AlertOutcome, ...]) -> list[tuple[str, str]]:
    return [(row.outcome.value, row.reason.value) for row in rows]


def content(body: Json) -> Json:
    """What a person wrote, without what the cluster counts; Kubernetes keeps no empty annotations."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "resourceVersion"}
    if not metadata.get("annotations"):
        metadata.pop("annotations", None)
    return {**body, "metadata": metadata}


def steps_of(mesh: Mesh, act: Callable[[], object]) -> list[str]:
    """Every moment at which a process may die while it does `act`."""
    seen: list[str] = []
    mesh.cluster.step = seen.append
    act()
    mesh.cluster.step = lambda _name: None
    return seen


def at(count: int, act: Callable[[str], None]) -> Step:
    """`act` at the step of that number, counted from 0; once."""
    left = [count]

    def step(name: str) -> None:
        left[0] -= 1
        if left[0] == -1:
            act(name)

    return step


def die(name: str) -> None:
    raise Crash(name)


class TestTheRecord:
    def test_says_what_was_done_and_why(self, mesh: Mesh) -> None:
        (row,) = mesh.deliver()
        record = mesh.record
        intent = record.intent
        assert (row.outcome, row.remediation) == (Outcome.APPLIED, record.name)
        assert ("shop", "canary", "CanaryErrorRatioAboveStable") == (
            record.namespace,
            intent.policy.name,
            intent.alert.alertname,
        )
        assert ("uid-shop-reviews", "networking.istio.io/v1") == (intent.target.uid, intent.target.api_version)
        assert "reviews.shop v2" == str(intent.suspect)
        assert row.changes == intent.changes
        assert intent.hold_until == NOW + timedelta(minutes=30)
        assert (Phase.APPLIED, Reason.PATCHED, NOW) == (
            record.status.phase,
            record.status.reason,
            record.status.applied_at,
        )

    def test_is_named_on_the_object(self, mesh: Mesh) -> None:
        mesh.deliver()
        assert mesh.record.name == stamp_of(mesh.live)

    def test_is_written_before_the_patch_is_sent(self, mesh: Mesh) -> None:
        seen: list[tuple[str, int, str | None]] = []
        mesh.cluster.before_patch = lambda _ref: seen.append(
            (*mesh.phases(), len(mesh.cluster.patches), stamp_of(mesh.live))  # type: ignore[arg-type]
        )
        mesh.deliver()
        assert [("Planned", 0, None)] == seen

    def test_one_patch_for_two_alerts_is_one_record(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(MANY, RULE)
        rows = mesh.deliver(alert(labels("v2"), fingerprint="b" * 16), alert(labels("v3"), fingerprint="a" * 16))
        record = mesh.record
        assert {record.name} == {row.remediation for row in rows}
        assert ("a" * 16, ["b" * 16]) == (
            record.intent.alert.fingerprint,
            [each.fingerprint for each in record.intent.also],
        )
        assert {"reviews.shop v2", "reviews.shop v3"} == {str(suspect) for suspect in record.intent.suspects}
        assert 1 == len(mesh.cluster.ledger.events)

    def test_the_second_delivery_finds_it(self, mesh: Mesh) -> None:
        mesh.deliver()
        (row,) = mesh.deliver()
        assert (Outcome.UNCHANGED, mesh.record.name) == (row.outcome, row.remediation)
        assert (1, 1) == (len(mesh.cluster.patches), len(mesh.cluster.ledger.events))

    def test_the_same_alert_after_somebody_brought_the_canary_back_has_a_next_one(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0].update(route=split(v1=50, v2=50)), indexed=True)
        (row,) = mesh.deliver()
        first, second = mesh.records
        assert (f"{first.name}-2", "Applied") == (second.name, row.outcome.value)
        assert (second.name, [100, 0]) == (stamp_of(mesh.live), mesh.weights())
        mesh.undo(second.name)
        assert [50, 50] == mesh.weights()

    def test_a_refusal_has_none_but_an_event(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(virtual_service({"route": split(v2=100)}), RULE)
        assert [("Denied", "NoStableDestination")] == words(mesh.deliver()) == words(mesh.deliver())
        assert [] == mesh.records
        (event,) = mesh.cluster.ledger.events.values()
        assert (Outcome.DENIED, "NoStableDestination", "uid-shop-reviews") == (
            event.outcome,
            event.reason,
            event.target.uid,
        )

    @pytest.mark.parametrize(
        ("mode", "phase"),
        [
            pytest.param(Mode.OBSERVE, "Observed", id="Observe: tried and recorded"),
            pytest.param(Mode.APPROVE, "AwaitingApproval", id="Approve: waits for a person"),
        ],
    )
    def test_a_careful_mode_writes_one_and_changes_nothing(self, mesh: Mesh, mode: Mode, phase: str) -> None:
        first = mesh.deliver(ceiling=mode)
        second = mesh.deliver(ceiling=mode)
        assert [phase] == mesh.phases()
        assert first[0].outcome.value == second[0].outcome.value == phase
        assert first[0].changes == second[0].changes == mesh.record.intent.changes
        assert [90, 10] == mesh.weights()
        assert 1 == len(mesh.cluster.ledger.events)

    @pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.APPROVE])
    def test_an_alert_that_joins_later_has_a_record_of_its_own(self, mesh_of: MeshOf, mode: Mode) -> None:
        mesh = mesh_of(MANY, RULE)
        mesh.deliver(alert(labels("v2")), ceiling=mode)
        rows = mesh.deliver(alert(labels("v2")), alert(labels("v3")), ceiling=mode)
        assert 2 == len({row.remediation for row in rows})
        assert ["reviews.shop v2", "reviews.shop v3"] == sorted(str(each.intent.suspect) for each in mesh.records)

    def test_what_was_only_observed_is_done_once_the_mode_allows_it(self, mesh: Mesh) -> None:
        mesh.deliver(ceiling=Mode.OBSERVE)
        mesh.deliver()
        assert ["Observed", "Applied"] == mesh.phases()
        assert [100, 0] == mesh.weights()


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "ending"),
        [
            pytest.param(Unavailable("no CRD"), ("Failed", "Unavailable"), id="the CRD is missing, or the server away"),
            pytest.param(Forbidden("create", "remediations"), ("Denied", "Forbidden"), id="no permission"),
            pytest.param(Rejected("too large"), ("Denied", "Rejected"), id="the server refuses it"),
            pytest.param(NotFound("namespace"), ("Unchanged", "NotExposed"), id="the namespace is gone"),
        ],
    )
    def test_without_a_record_nothing_is_changed(
        self, mesh: Mesh, error: ClusterError, ending: tuple[str, str]
    ) -> None:
        mesh.cluster.ledger.fails["create"] = error
        assert [ending] == words(mesh.deliver())
        assert [] == mesh.cluster.patches

    def test_an_index_of_records_that_is_not_believed_stops_it(self, mesh: Mesh) -> None:
        """Nobody can tell whether a person has undone it."""
        mesh.cluster.ledger.fails["index"] = NotSynced("not listed yet")
        assert [("Failed", "NotSynced")] == words(mesh.deliver())
        assert [] == mesh.cluster.patches

    @pytest.mark.parametrize(
        ("error", "phase", "ending"),
        [
            pytest.param(Rejected("webhook"), "Failed", ("Denied", "Rejected"), id="admission refuses the patch"),
            pytest.param(Forbidden("patch", "virtualservices"), "Failed", ("Denied", "Forbidden"), id="no permission"),
            pytest.param(NotFound("gone"), "Expired", ("Unchanged", "NotExposed"), id="the object is deleted"),
            pytest.param(Unavailable("away"), "Planned", ("Failed", "Unavailable"), id="the server is away"),
        ],
    )
    def test_the_record_says_how_the_patch_failed(
        self, mesh: Mesh, error: ClusterError, phase: str, ending: tuple[str, str]
    ) -> None:
        def fail(_ref: TargetRef) -> None:
            raise error

        mesh.cluster.before_patch = fail
        assert [ending] == words(mesh.deliver())
        assert [phase] == mesh.phases()

    def test_one_that_failed_is_taken_up_again_and_succeeds(self, mesh: Mesh) -> None:
        def fail(_ref: TargetRef) -> None:
            raise Forbidden("patch", "virtualservices")

        mesh.cluster.before_patch = fail
        mesh.deliver()
        mesh.cluster.before_patch = lambda _ref: None
        assert [("Applied", "Patched")] == words(mesh.deliver())
        assert ["Applied"] == mesh.phases()

    def test_one_that_fails_again_says_why_now(self, mesh: Mesh) -> None:
        errors = iter([Forbidden("patch", "virtualservices"), Rejected("webhook")])

        def fail(_ref: TargetRef) -> None:
            raise next(errors)

        mesh.cluster.before_patch = fail
        mesh.deliver()
        mesh.deliver()
        assert Reason.REJECTED is mesh.record.status.reason

    def test_the_record_that_the_object_names_may_be_gone(self, mesh: Mesh) -> None:
        named = {ANNOTATION: "deleted"}
        mesh.cluster.edit(REVIEWS, lambda body: body["metadata"].update(annotations=named), indexed=True)
        assert [("Applied", "Patched")] == words(mesh.deliver())

    @pytest.mark.parametrize("text", ["../../secrets/x", "a/b", "", "A", "x" * 300])
    def test_a_name_that_is_none_is_not_looked_up(self, mesh: Mesh, text: str) -> None:
        mesh.cluster.edit(REVIEWS, lambda body: body["metadata"].update(annotations={ANNOTATION: text}), indexed=True)
        seen = steps_of(mesh, mesh.deliver)
        assert "read" not in seen
        assert ["Applied"] == mesh.phases()

    def test_a_status_that_cannot_be_written_asks_for_another_delivery(self, mesh: Mesh) -> None:
        mesh.cluster.ledger.fails["conclude"] = Unavailable("away")
        (row,) = mesh.deliver()
        assert ("Failed", "Unavailable", mesh.record.name) == (row.outcome.value, row.reason.value, row.remediation)
        assert [100, 0] == mesh.weights()
        del mesh.cluster.ledger.fails["conclude"]
        assert [("Unchanged", "NotExposed")] == words(mesh.deliver())
        assert ["Applied"] == mesh.phases()

    def test_an_event_that_cannot_be_written_changes_nothing(self, mesh: Mesh) -> None:
        mesh.cluster.ledger.fails["announce"] = Forbidden("create", "events")
        assert [("Applied", "Patched")] == words(mesh.deliver())
        assert ["Applied"] == mesh.phases()


class TestCrashes:
    """Dies at every moment, before a request and after it; then starts again, and Alertmanager delivers again."""

    def test_every_moment_ends_in_the_same_state(self, mesh_of: MeshOf) -> None:
        moments = steps_of(whole := mesh_of(), whole.deliver)
        assert ["readiness", "create", "create done", "patch", "patch done"] == moments[:5]
        assert "conclude done" == moments[-1]
        for count, moment in enumerate(moments):
            mesh = mesh_of()
            mesh.cluster.step = at(count, die)
            with pytest.raises(Crash):
                mesh.deliver()
            mesh.cluster.step = lambda _name: None
            (row,) = mesh.deliver()
            assert not row.retriable
            assert_done_once(mesh, moment)

    def test_another_remediation_of_the_object_does_not_wipe_out_that_a_patch_was_made(self, mesh_of: MeshOf) -> None:
        """The object's annotation is the only evidence of it, and the next patch writes its own name there."""
        mesh = mesh_of(MANY, RULE)
        mesh.cluster.step = lambda name: die(name) if name == "patch done" else None
        with pytest.raises(Crash):
            mesh.deliver(alert(labels("v2")))
        mesh.cluster.step = lambda _name: None
        mesh.deliver(alert(labels("v3")))
        mesh.deliver(alert(labels("v2")))
        assert ["Applied", "Applied"] == mesh.phases()
        assert {"reviews.shop v2", "reviews.shop v3"} == {str(each.intent.suspect) for each in mesh.records}

    def test_what_was_begun_in_another_mode_says_what_was_done(self, mesh: Mesh) -> None:
        mesh.cluster.step = lambda name: die(name) if name == "patch" else None
        with pytest.raises(Crash):
            mesh.deliver(ceiling=Mode.OBSERVE)
        mesh.cluster.step = lambda _name: None
        mesh.deliver()
        assert (Mode.ENFORCE, Phase.APPLIED) == (mesh.record.intent.mode, mesh.record.status.phase)

    def test_one_that_had_failed_and_dies_after_its_patch_is_found_applied(self, mesh: Mesh) -> None:
        def fail(_ref: TargetRef) -> None:
            raise Forbidden("patch", "virtualservices")

        mesh.cluster.before_patch = fail
        mesh.deliver()
        mesh.cluster.before_patch = lambda _ref: None
        mesh.cluster.step = lambda name: die(name) if name == "patch done" else None
        with pytest.raises(Crash):
            mesh.deliver()
        mesh.cluster.step = lambda _name: None
        mesh.deliver()
        assert ["Applied"] == mesh.phases()
        assert Outcome.APPLIED is mesh.undo().outcome
        assert [90, 10] == mesh.weights()

    def test_a_patch_that_was_made_and_reverted_by_another_is_one_record_and_the_next_patch_another(
        self, mesh: Mesh
    ) -> None:
        """A GitOps controller puts the weights back and leaves the annotation; then the alert is delivered again."""
        mesh.cluster.step = lambda name: die(name) if name == "patch done" else None
        with pytest.raises(Crash):
            mesh.deliver()
        mesh.cluster.step = lambda _name: None
        mesh.cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0].update(route=split(v1=50, v2=50)), indexed=True)
        mesh.deliver()
        first, second = mesh.records
        assert (["Applied", "Applied"], f"{first.name}-2") == (mesh.phases(), second.name)
        assert any("90 → 100" in change for change in first.intent.changes)
        assert any("50 → 100" in change for change in second.intent.changes)

    def test_every_lost_answer_ends_in_the_same_state(self, mesh_of: MeshOf) -> None:
        """It was done, but we never heard."""

        def lose(_name: str) -> None:
            raise Unavailable("the connection broke")

        moments = steps_of(whole := mesh_of(), whole.deliver)
        for count, moment in enumerate(moments):
            mesh = mesh_of()
            mesh.cluster.step = at(count, lose)
            mesh.deliver()
            mesh.deliver()
            assert_done_once(mesh, moment)

    def test_an_undo_that_dies_at_any_moment_is_done_by_the_next_one(self, mesh_of: MeshOf) -> None:
        whole = mesh_of()
        whole.deliver()
        moments = steps_of(whole, whole.undo)
        for count, moment in enumerate(moments):
            mesh = mesh_of()
            mesh.deliver()
            mesh.cluster.step = at(count, die)
            with pytest.raises(Crash):
                mesh.undo()
            mesh.cluster.step = lambda _name: None
            mesh.undo()
            assert (moment, content(CANARY)) == (moment, content(mesh.live))
            assert (moment, ["Undone"]) == (moment, mesh.phases())
            told = [event.reason for event in mesh.cluster.ledger.events.values() if event.action == "Undo"]
            assert (moment, ["Undone"]) == (moment, told)
            assert (moment, [("Denied", "Undone")]) == (moment, words(mesh.deliver()))

    def test_an_undo_that_was_begun_is_not_fought(self, mesh: Mesh) -> None:
        """The patch went out, and the process died before it could write that."""
        mesh.deliver()
        mesh.cluster.step = lambda name: die(name) if name == "patch done" else None
        with pytest.raises(Crash):
            mesh.undo()
        mesh.cluster.step = lambda _name: None
        assert [("Denied", "Undone")] == words(mesh.deliver())
        assert [90, 10] == mesh.weights()


def assert_done_once(mesh: Mesh, moment: str) -> None:
    assert (moment, ["Applied"]) == (moment, mesh.phases())
    assert (moment, [100, 0]) == (moment, mesh.weights())
    assert (moment, 1) == (moment, len(mesh.cluster.patches))
    assert (moment, 1) == (moment, len(mesh.cluster.ledger.events))
    ending = mesh.undo()
    assert (moment, Outcome.APPLIED) == (moment, ending.outcome)
    assert (moment, content(CANARY)) == (moment, content(mesh.live))


class TestRivals:
    @pytest.mark.parametrize("careful", [Mode.OBSERVE, Mode.APPROVE])
    def test_a_more_careful_replica_does_not_rewrite_what_the_other_has_applied(
        self, mesh_of: MeshOf, careful: Mode
    ) -> None:
        """A rolling change of --mode."""
        moments = steps_of(whole := mesh_of(), lambda: whole.deliver(ceiling=careful))
        for count, moment in enumerate(moments):
            mesh = mesh_of()

            def meanwhile(_name: str, mesh: Mesh = mesh) -> None:
                mesh.deliver()

            mesh.cluster.step = at(count, meanwhile)
            mesh.deliver(ceiling=careful)
            applied = [each for each in mesh.records if each.status.phase is Phase.APPLIED]
            assert (moment, [Mode.ENFORCE]) == (moment, [each.intent.mode for each in applied])
            assert (moment, Outcome.APPLIED) == (moment, mesh.undo(applied[0].name).outcome)
            assert (moment, content(CANARY)) == (moment, content(mesh.live))

    def test_another_replica_that_does_it_all_at_any_moment_makes_no_second_patch(self, mesh_of: MeshOf) -> None:
        moments = steps_of(whole := mesh_of(), whole.deliver)
        for count, moment in enumerate(moments):
            mesh = mesh_of()

            def meanwhile(_name: str, mesh: Mesh = mesh) -> None:
                mesh.deliver()

            mesh.cluster.step = at(count, meanwhile)
            (row,) = mesh.deliver()
            assert (moment, False) == (moment, row.retriable)
            assert_done_once(mesh, moment)

    def test_another_alert_of_the_same_version_leaves_one_record_that_was_carried_out(self, mesh_of: MeshOf) -> None:
        """Two replicas, two alerts, one object: the slower intent has nothing left to do, and says so."""
        mesh = mesh_of()
        other = alert(labels(severity="warning"))
        mesh.cluster.step = at(2, lambda _name: mesh.deliver(other) and None)
        assert [("Unchanged", "NotExposed")] == words(mesh.deliver())
        assert ["Applied", "Expired"] == sorted(mesh.phases())
        assert 1 == len(mesh.cluster.patches)

    def test_edits_at_any_moment_are_planned_on_and_undone_to(self, mesh_of: MeshOf) -> None:
        """Weights and the order of routes change under our hands."""
        edited = virtual_service(when(route=split(v1=100)), {"route": split(v1=60, v2=40)})["spec"]
        moments = steps_of(whole := mesh_of(), whole.deliver)
        for count in range(moments.index("patch done")):
            mesh = mesh_of()

            def edit(_name: str, mesh: Mesh = mesh) -> None:
                mesh.cluster.edit(REVIEWS, lambda body: body.update(spec=copy.deepcopy(edited)))

            mesh.cluster.step = at(count, edit)
            assert [("Applied", "Patched")] == words(mesh.deliver())
            assert [100, 0] == mesh.weights()
            assert ("http[1]: reviews.shop subset v1 weight 60 → 100",) == mesh.record.intent.changes[:1]
            mesh.undo()
            assert edited == mesh.live["spec"]

    def test_an_object_that_is_always_changed_is_left_for_the_next_delivery(self, mesh: Mesh) -> None:
        versions = iter(range(100))
        mesh.cluster.before_patch = lambda ref: mesh.cluster.edit(
            ref, lambda body: body["metadata"].update(labels={"n": str(next(versions))})
        )
        assert [("Failed", "Conflict")] == words(mesh.deliver())
        assert (["Planned"], [90, 10]) == (mesh.phases(), mesh.weights())

    def test_an_intent_that_somebody_made_needless_expires(self, mesh: Mesh) -> None:
        mesh.cluster.step = lambda name: die(name) if name == "patch" else None
        with pytest.raises(Crash):
            mesh.deliver()
        mesh.cluster.step = lambda _name: None
        mesh.cluster.edit(REVIEWS, lambda body: body.update(spec=virtual_service({"route": split(v1=100)})["spec"]))
        assert [("Unchanged", "NotExposed")] == words(mesh.deliver())
        assert (["Expired"], 0) == (mesh.phases(), len(mesh.cluster.patches))

    @pytest.mark.parametrize("call", ["read", "rewrite"])
    def test_a_record_that_is_deleted_while_it_is_taken_up_is_begun_anew(self, mesh: Mesh, call: str) -> None:
        mesh.cluster.step = lambda name: die(name) if name == "patch" else None
        with pytest.raises(Crash):
            mesh.deliver()
        mesh.cluster.edit(REVIEWS, lambda body: body["metadata"].update(labels={"moved": "on"}), indexed=True)

        def delete(name: str) -> None:
            if name == call:
                mesh.cluster.step = lambda _name: None
                mesh.cluster.ledger.stored.clear()

        mesh.cluster.step = delete
        assert [("Applied", "Patched")] == words(mesh.deliver())
        assert (["Applied"], [100, 0]) == (mesh.phases(), mesh.weights())

    def test_an_intent_that_became_unsafe_fails_with_the_reason(self, mesh: Mesh) -> None:
        mesh.cluster.step = lambda name: die(name) if name == "patch" else None
        with pytest.raises(Crash):
            mesh.deliver()
        mesh.cluster.step = lambda _name: None
        alone = virtual_service({"route": split(v2=100)})["spec"]
        mesh.cluster.edit(REVIEWS, lambda body: body.update(spec=alone), indexed=True)
        assert [("Denied", "NoStableDestination")] == words(mesh.deliver())
        assert (Phase.FAILED, Reason.NO_STABLE_DESTINATION) == (mesh.record.status.phase, mesh.record.status.reason)


class TestResolved:
    def test_comes_after_what_is_urgent(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(MANY, RULE, policies=(policy(guards=AT_ONCE),))
        mesh.deliver(alert(labels("v2")))
        resolved = alert(labels("v2"), status="resolved") | {"endsAt": "2026-08-01T12:04:30Z"}
        steps = steps_of(mesh, lambda: mesh.deliver(resolved, alert(labels("v3"))))
        assert ["create", "create done", "patch", "patch done"] == [
            step for step in steps if "create" in step or "patch" in step
        ]
        assert ["conclude", "conclude done"] == steps[-2:]

    def test_is_noted_with_the_time_since_the_patch(self, mesh: Mesh) -> None:
        mesh.deliver()
        resolved = alert(labels(), status="resolved") | {"endsAt": "2026-08-01T12:04:30Z"}
        (row,) = mesh.deliver(resolved)
        assert ("Ignored", "Resolved", mesh.record.name) == (row.outcome.value, row.reason.value, row.remediation)
        (noted,) = mesh.record.status.resolved
        assert (NOW + timedelta(minutes=4), 240.0) == (noted.at, noted.after_s)
        assert (["Applied"], [100, 0]) == (mesh.phases(), mesh.weights())

    def test_is_noted_once(self, mesh: Mesh) -> None:
        mesh.deliver()
        resolved = alert(labels(), status="resolved") | {"endsAt": "2026-08-01T12:04:30Z"}
        mesh.deliver(resolved)
        before = mesh.record
        mesh.deliver(resolved)
        assert before == mesh.record

    def test_another_firing_of_the_alert_is_another_record(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.deliver(alert(labels(), status="resolved") | {"startsAt": "2026-08-01T13:00:00Z"})
        assert () == mesh.record.status.resolved

    def test_settles_an_intent_that_nobody_will_deliver_again(self, mesh: Mesh) -> None:
        mesh.cluster.step = lambda name: die(name) if name == "patch done" else None
        with pytest.raises(Crash):
            mesh.deliver()
        mesh.cluster.step = lambda _name: None
        mesh.deliver(alert(labels(), status="resolved") | {"endsAt": "2026-08-01T12:04:30Z"})
        assert (Phase.APPLIED, 1) == (mesh.record.status.phase, len(mesh.record.status.resolved))

    def test_one_that_cannot_be_noted_is_delivered_again(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.cluster.ledger.fails["conclude"] = Unavailable("away")
        assert [("Failed", "Unavailable")] == words(mesh.deliver(alert(labels(), status="resolved")))


class TestUndo:
    def test_restores_what_was(self, mesh: Mesh) -> None:
        mesh.deliver()
        ending = mesh.undo()
        assert (Outcome.APPLIED, Reason.UNDONE) == (ending.outcome, ending.reason)
        assert (
            "http[0]: reviews.shop subset v1 weight 100 → 90",
            "http[0]: reviews.shop subset v2 weight 0 → 10",
            "http[0]: mirror to reviews.shop subset v2 (100 %) restored",
        ) == ending.changes
        assert content(CANARY) == content(mesh.live)
        undo = mesh.record.status.undo
        assert undo is not None
        assert (Phase.UNDONE, BY, NOW) == (mesh.record.status.phase, undo.request, undo.done_at)

    def test_twice_changes_nothing(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.undo()
        before = copy.deepcopy(mesh.live)
        ending = mesh.undo()
        assert (Outcome.UNCHANGED, Reason.UNDONE) == (ending.outcome, ending.reason)
        assert before == mesh.live

    def test_is_refused_where_somebody_changed_it_since(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0]["route"][1].update(weight=7))
        ending = mesh.undo()
        assert (Outcome.DENIED, Reason.CHANGED_SINCE) == (ending.outcome, ending.reason)
        assert ["/spec/http/0/route/1/weight"] == [each.path for each in ending.differences]
        assert ("Applied", None) == (mesh.record.status.phase.value, mesh.record.status.undo)

    def test_changes_nothing_that_no_remediation_changes(self, mesh: Mesh) -> None:
        """Whoever may write records must not be able to have us change anything else."""
        mesh.deliver()
        record = mesh.record
        forged = ({"op": "replace", "path": "/spec/hosts", "value": ["elsewhere"]},)
        mesh.cluster.ledger.rewrite(replace(record, intent=replace(record.intent, undo=forged)))
        ending = mesh.undo()
        assert (Outcome.DENIED, Reason.REJECTED) == (ending.outcome, ending.reason)
        assert ["reviews"] == mesh.live["spec"]["hosts"]

    def test_is_tried_again_where_the_object_moved_meanwhile(self, mesh: Mesh) -> None:
        mesh.deliver()

        def edit(ref: TargetRef) -> None:
            mesh.cluster.before_patch = lambda _ref: None
            mesh.cluster.edit(ref, lambda body: body["metadata"].update(labels={"team": "shop"}))

        mesh.cluster.before_patch = edit
        assert Outcome.APPLIED is mesh.undo().outcome
        assert [90, 10] == mesh.weights()
        assert {"team": "shop"} == mesh.live["metadata"]["labels"]

    def test_of_what_was_never_applied_changes_nothing(self, mesh: Mesh) -> None:
        mesh.deliver(ceiling=Mode.OBSERVE)
        ending = mesh.undo()
        assert (Outcome.UNCHANGED, Reason.NOT_APPLIED) == (ending.outcome, ending.reason)

    def test_of_another_object_of_that_name_changes_nothing(self, mesh: Mesh) -> None:
        mesh.deliver()
        body = copy.deepcopy(mesh.live)
        body["metadata"]["uid"] = "another"
        mesh.cluster.put(body)
        assert Outcome.UNCHANGED is mesh.undo().outcome
        assert [100, 0] == mesh.weights()

    def test_stands_for_every_alert_on_that_version_that_fired_before(self, mesh: Mesh) -> None:
        """Otherwise the next alert would do again at once what a person has just undone."""
        mesh.deliver()
        mesh.undo()
        other = alert(labels(severity="warning"))
        (row,) = mesh.deliver(other)
        assert ("Denied", "Undone", mesh.record.name) == (row.outcome.value, row.reason.value, row.remediation)
        assert "kim" in row.message
        assert [90, 10] == mesh.weights()

    @pytest.mark.parametrize("indexed", [True, False], ids=["the index knows of the undo", "it does not yet"])
    def test_overrules_no_other_version_of_the_same_notification(self, mesh_of: MeshOf, indexed: bool) -> None:
        mesh = mesh_of(MANY, RULE, policies=(policy(guards=AT_ONCE),))
        first = alert(labels("v2"), fingerprint="0" * 16)
        mesh.deliver(first)
        mesh.undo()
        if not indexed:
            mesh.cluster.ledger.taken_back = lambda _uid: ()  # type: ignore[method-assign]
        rows = mesh.deliver(first, alert(labels("v3"), fingerprint="f" * 16))
        assert {("Denied", "Undone"), ("Applied", "Patched")} == set(words(rows))
        assert [90, 10, 0] == mesh.weights()

    def test_of_its_own_alerts_asks_no_clock(self, mesh_of: MeshOf) -> None:
        """The undo came from a laptop whose clock is behind."""
        mesh = mesh_of(MANY, RULE)
        both = (alert(labels("v2")), alert(labels("v2", severity="warning")))
        mesh.deliver(*both)
        mesh.minutes = -60
        mesh.undo()
        assert [("Denied", "Undone")] * 2 == words(mesh.deliver(*both))

    def test_that_was_begun_is_finished_by_the_next_one(self, mesh: Mesh) -> None:
        """The patch of a remediation was made, its end not written, nor that of its undo."""
        mesh.cluster.step = lambda name: die(name) if name == "patch done" else None
        with pytest.raises(Crash):
            mesh.deliver()
        with pytest.raises(Crash):
            mesh.undo()
        mesh.cluster.step = lambda _name: None
        mesh.undo()
        assert (["Undone"], content(CANARY)) == (mesh.phases(), content(mesh.live))

    def test_whose_end_nobody_wrote_is_found_done(self, mesh: Mesh) -> None:
        """The end of the remediation was not written, nor that of its undo; then the alert is resolved."""
        mesh.cluster.step = lambda name: die(name) if name == "patch done" else None
        with pytest.raises(Crash):
            mesh.deliver()
        with pytest.raises(Crash):
            mesh.undo()
        mesh.cluster.step = lambda _name: None
        mesh.deliver(alert(labels(), status="resolved"))
        assert ["Undone"] == mesh.phases()

    def test_that_was_begun_stands_though_it_is_refused_when_asked_again(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.cluster.step = lambda name: die(name) if name == "patch done" else None
        with pytest.raises(Crash):
            mesh.undo()
        mesh.cluster.step = lambda _name: None
        mesh.cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0]["route"][1].update(weight=7), indexed=True)
        assert Reason.CHANGED_SINCE is mesh.undo().reason
        assert [("Denied", "Undone")] == words(mesh.deliver())

    def test_gives_no_traffic_to_a_version_that_is_gone(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.cluster.put(destination_rule(v1="v1", v3="v3"))
        ending = mesh.undo()
        assert (Outcome.DENIED, Reason.UNSAFE_PLAN) == (ending.outcome, ending.reason)
        assert [100, 0] == mesh.weights()

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"startsAt": "2026-08-01T12:30:00Z"}, id="one that fires anew"),
            pytest.param({"labels": labels("v3")}, id="one that accuses another version"),
        ],
    )
    def test_does_not_stand_for_another_alert(self, mesh_of: MeshOf, change: Json) -> None:
        mesh = mesh_of(MANY, RULE, policies=(policy(guards=AT_ONCE),))
        mesh.deliver()
        mesh.undo()
        assert [("Applied", "Patched")] == words(mesh.deliver(alert(labels()) | change))

    def test_a_record_that_is_not_there_is_not_found(self, mesh: Mesh) -> None:
        with pytest.raises(NotFound):
            mesh.undo("none")

    def test_a_failure_can_be_tried_again(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.cluster.ledger.fails["conclude"] = Unavailable("away")
        assert (Outcome.FAILED, Reason.UNAVAILABLE) == (mesh.undo().outcome, mesh.undo().reason)
        del mesh.cluster.ledger.fails["conclude"]
        assert Outcome.APPLIED is mesh.undo().outcome

    def test_of_a_joint_patch_puts_everything_back(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(MANY, RULE)
        mesh.deliver(alert(labels("v2")), alert(labels("v3")))
        assert [100, 0, 0] == mesh.weights()
        mesh.undo()
        assert [80, 10, 10] == mesh.weights()

    def test_tells_it_on_the_target(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.undo()
        told = [(event.outcome.value, event.reason, event.action) for event in mesh.cluster.ledger.events.values()]
        assert [("Applied", "Patched", "RevertToStable,RemoveMirrors"), ("Applied", "Undone", "Undo")] == told


def test_policies_that_only_differ_in_name_have_records_of_their_own(mesh_of: MeshOf) -> None:
    by_weight = policy("weights", 'alertname = "CanaryA"', actions=(Action.REVERT_TO_STABLE,), guards=AT_ONCE)
    by_mirror = policy("mirrors", 'alertname = "CanaryB"', actions=(Action.REMOVE_MIRRORS,), guards=AT_ONCE)
    mesh = mesh_of(policies=(by_weight, by_mirror))
    mesh.deliver(alert(labels(alertname="CanaryA")))
    mesh.deliver(alert(labels(alertname="CanaryB")))
    assert ["mirrors", "weights"] == [record.intent.policy.name for record in mesh.records]
    first, second = sorted(mesh.records, key=lambda each: each.intent.policy.name, reverse=True)
    # In either order: one is about weights, the other about the mirror.
    assert Outcome.APPLIED is mesh.undo(first.name).outcome
    assert Outcome.APPLIED is mesh.undo(second.name).outcome
    assert content(CANARY)["spec"] == content(mesh.live)["spec"]
