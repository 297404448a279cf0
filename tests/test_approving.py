"""Mode Approve: a plan waits for a person, whose answer is carried out on the object as it is by then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remediator.errors import Unavailable
from remediator.guards.pause import Pause
from remediator.guards.situation import Bounds
from remediator.outcome import Outcome, Reason
from remediator.pipeline import approving
from remediator.pipeline.approvals import Approvals
from remediator.pipeline.approving import Answered
from remediator.policies.model import Guards, Mode
from remediator.records.model import Approval, Phase, Remediation
from remediator.traffic.stamp import stamp_of
from tests.builders import alert, labels, split, virtual_service
from tests.fakes import FakeCluster
from tests.test_pipeline import policy
from tests.test_pipeline_records import (
    AT_ONCE,
    CANARY,
    REVIEWS,
    RULE,
    Crash,
    Json,
    Mesh,
    at,
    content,
    die,
    steps_of,
    words,
)

YES = Approval(approved=True, by="ann", reason="seen in the traces")
NO = Approval(approved=False, by="bob", reason="the database")
HOUR = timedelta(hours=1)
ASKING = policy(mode=Mode.APPROVE)
MeshOf = Callable[..., Mesh]


@pytest.fixture
def mesh_of() -> Iterator[MeshOf]:
    with ThreadPoolExecutor(4) as executor:
        yield lambda *bodies, **more: Mesh(
            FakeCluster(*(bodies or (CANARY, RULE))), executor, **{"policies": (ASKING,)} | more
        )


@pytest.fixture
def mesh(mesh_of: MeshOf) -> Mesh:
    """A canary whose alert waits for a person."""
    made = mesh_of()
    made.deliver()
    return made


def never(_event: threading.Event, _seconds: float) -> bool:
    raise AssertionError("nobody waits here")


def look(mesh: Mesh, **more: Any) -> None:
    """One round of a fresh replica."""
    Approvals(mesh.replica(**more), pause=never).look()


def said(mesh: Mesh, approval: Approval) -> None:
    """Somebody writes on the record, as `kubectl patch` does."""
    mesh.cluster.ledger.rewrite(replace(mesh.record, approval=approval))


def answered(mesh: Mesh, approval: Approval = YES) -> Answered:
    """By the API."""
    return mesh.replica().answer("shop", mesh.record.name, approval)


def ending(record: Remediation) -> tuple[str, str]:
    return record.status.phase.value, str(record.status.reason)


def test_a_plan_waits_and_changes_nothing(mesh: Mesh) -> None:
    assert ("AwaitingApproval", "ApprovalRequired") == ending(mesh.record)
    assert ([90, 10], []) == (mesh.weights(), mesh.cluster.patches)
    look(mesh)
    assert (["AwaitingApproval"], [90, 10]) == (mesh.phases(), mesh.weights())


def test_a_redelivery_waits_on(mesh: Mesh) -> None:
    assert [("AwaitingApproval", "ApprovalRequired")] == words(mesh.deliver())
    assert 1 == len(mesh.records)


class TestApproved:
    def test_by_the_api_it_is_carried_out_at_once(self, mesh: Mesh) -> None:
        answer = answered(mesh)
        assert (Outcome.APPLIED, Reason.PATCHED) == (answer.outcome, answer.reason)
        assert "http[0]: reviews.shop subset v2 weight 10 → 0" in answer.changes
        assert (["Applied"], [100, 0]) == (mesh.phases(), mesh.weights())
        assert mesh.record.name == stamp_of(mesh.live)
        assert (Mode.APPROVE, YES) == (mesh.record.intent.mode, mesh.record.approval)

    def test_by_kubectl_any_replica_carries_it_out(self, mesh: Mesh) -> None:
        said(mesh, YES)
        look(mesh)
        assert (["Applied"], [100, 0]) == (mesh.phases(), mesh.weights())
        assert ["Applied", "AwaitingApproval"] == sorted(event.outcome for event in mesh.cluster.ledger.events.values())

    def test_by_kubectl_the_next_delivery_carries_it_out_too(self, mesh: Mesh) -> None:
        said(mesh, YES)
        assert [("Applied", "Patched")] == words(mesh.deliver())
        assert ["Applied"] == mesh.phases()

    def test_it_is_planned_anew_on_the_object_as_it_is(self, mesh: Mesh) -> None:
        mesh.cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0].update(timeout="3s"))
        mesh.cluster.edit(
            REVIEWS,
            lambda body: [share.update(weight=50) for share in body["spec"]["http"][0]["route"]],
        )
        answered(mesh)
        assert ("3s", [100, 0]) == (mesh.live["spec"]["http"][0]["timeout"], mesh.weights())
        assert "weight 50 → 0" in " ".join(mesh.record.intent.changes)
        mesh.undo()
        assert [50, 50] == mesh.weights()

    def test_a_second_yes_finds_it_done(self, mesh: Mesh) -> None:
        answered(mesh)
        again = answered(mesh, replace(YES, by="eve"))
        assert (Outcome.UNCHANGED, Reason.NOT_AWAITING) == (again.outcome, again.reason)
        assert "approved by ann" in again.message
        assert 1 == len(mesh.cluster.patches)

    def test_a_no_after_a_yes_comes_too_late(self, mesh: Mesh) -> None:
        answered(mesh)
        assert Reason.NOT_AWAITING is answered(mesh, NO).reason
        assert ["Applied"] == mesh.phases()

    def test_the_service_wide_ceiling_still_holds(self, mesh: Mesh) -> None:
        said(mesh, YES)
        look(mesh, ceiling=Mode.OBSERVE)
        assert (["Observed"], [90, 10]) == (mesh.phases(), mesh.weights())

    def test_nothing_is_left_to_do(self, mesh: Mesh) -> None:
        mesh.cluster.edit(
            REVIEWS, lambda body: body["spec"]["http"].__setitem__(0, {"route": CANARY["spec"]["http"][0]["route"][:1]})
        )
        assert (Outcome.UNCHANGED, Reason.NOT_EXPOSED) == ((answer := answered(mesh)).outcome, answer.reason)
        assert ["Expired"] == mesh.phases()

    def test_the_object_is_gone(self, mesh: Mesh) -> None:
        del mesh.cluster.stored[REVIEWS]
        assert Reason.NOT_EXPOSED is answered(mesh).reason
        assert ["Expired"] == mesh.phases()

    def test_an_api_server_that_is_away_is_asked_again(self, mesh: Mesh) -> None:
        said(mesh, YES)

        def away(_ref: object) -> None:
            raise Unavailable("away")

        mesh.cluster.before_patch = away
        look(mesh)
        assert [90, 10] == mesh.weights()
        mesh.cluster.before_patch = lambda _ref: None
        mesh.deliver()
        look(mesh)
        assert (["Applied"], [100, 0]) == (mesh.phases(), mesh.weights())

    def test_an_api_server_that_stays_away_is_asked_less_and_less_often(self, mesh: Mesh) -> None:
        said(mesh, YES)
        mesh.cluster.step = lambda name: away() if name == "get" else None
        asked: list[float] = []

        def away() -> None:
            asked.append(mesh.minutes * 60)
            raise Unavailable("away")

        approvals = Approvals(mesh.replica(), pause=never)
        for second in range(10):
            mesh.minutes = second / 60
            approvals.look()
        assert [0, 1, 3, 7] == [round(second) for second in asked]

    def test_a_policy_that_is_gone_leaves_what_was_approved(self, mesh: Mesh) -> None:
        mesh.policies = ()
        answered(mesh)
        assert [100, 0] == mesh.weights()


class TestGuards:
    def test_speak_against_it_and_it_ends(self, mesh: Mesh) -> None:
        mesh.cluster.brake.pause(Pause(by="kim"))
        answer = answered(mesh)
        assert (Outcome.DENIED, Reason.PAUSED) == (answer.outcome, answer.reason)
        assert ("Failed", "Paused") == ending(mesh.record)
        assert [90, 10] == mesh.weights()

    def test_speak_no_more_at_the_next_delivery_which_carries_it_out(self, mesh: Mesh) -> None:
        mesh.cluster.brake.pause(Pause(by="kim"))
        answered(mesh)
        mesh.cluster.brake.resume()
        assert [("Applied", "Patched")] == words(mesh.deliver())
        assert ["Applied"] == mesh.phases()

    def test_do_not_mind_the_age_of_an_alert_that_somebody_has_looked_at(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of()
        bounds = Bounds(max_alert_age=timedelta(minutes=30))
        mesh.deliver(bounds=bounds)
        mesh.minutes = 45
        assert Outcome.APPLIED is mesh.replica(bounds=bounds).answer("shop", mesh.record.name, YES).outcome

    def test_are_asked_before_anybody_else_is(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(policies=(policy(mode=Mode.APPROVE, guards=Guards(stable_ready=1.0)),))
        mesh.cluster.brake.pause(Pause(by="kim"))
        assert [("Denied", "Paused")] == words(mesh.deliver())


class TestRejected:
    def test_ends_it(self, mesh: Mesh) -> None:
        answer = answered(mesh, NO)
        assert (Outcome.DENIED, Reason.APPROVAL_REJECTED) == (answer.outcome, answer.reason)
        assert ("Rejected", "ApprovalRejected") == ending(mesh.record)
        assert "rejected by bob: the database" in mesh.record.status.message

    def test_by_kubectl_too(self, mesh: Mesh) -> None:
        said(mesh, NO)
        look(mesh)
        assert (["Rejected"], [90, 10]) == (mesh.phases(), mesh.weights())

    def test_stands_for_the_firing_also_where_the_policy_goes_further_now(self, mesh: Mesh) -> None:
        answered(mesh, NO)
        mesh.policies = (policy(),)
        (row,) = mesh.deliver()
        assert ("Denied", "ApprovalRejected", mesh.record.name) == (*words((row,))[0], row.remediation)
        assert [90, 10] == mesh.weights()

    def test_does_not_stand_for_a_new_firing(self, mesh: Mesh) -> None:
        answered(mesh, NO)
        anew = alert(labels()) | {"startsAt": "2026-08-01T12:00:20Z"}
        assert [("AwaitingApproval", "ApprovalRequired")] == words(mesh.deliver(anew))


class TestExpired:
    def test_after_an_hour(self, mesh: Mesh) -> None:
        mesh.minutes = 59.9
        look(mesh)
        assert ["AwaitingApproval"] == mesh.phases()
        mesh.minutes = 60.1
        look(mesh)
        assert ("Expired", "ApprovalExpired") == ending(mesh.record)
        assert [90, 10] == mesh.weights()

    def test_a_yes_comes_too_late(self, mesh: Mesh) -> None:
        mesh.minutes = 61
        look(mesh)
        assert (Outcome.UNCHANGED, Reason.NOT_AWAITING) == ((answer := answered(mesh)).outcome, answer.reason)
        assert [90, 10] == mesh.weights()


class TestCrashes:
    def test_every_moment_of_an_approval_ends_in_the_same_state(self, mesh_of: MeshOf) -> None:
        def waiting() -> Mesh:
            made = mesh_of()
            made.deliver()
            return made

        moments = steps_of(whole := waiting(), lambda: answered(whole))
        for count, moment in enumerate(moments):
            mesh = waiting()
            mesh.cluster.step = at(count, die)
            with pytest.raises(Crash):
                answered(mesh)
            mesh.cluster.step = lambda _name: None
            look(mesh)
            mesh.deliver()
            done = mesh.record.approval is not None
            assert (["Applied"] if done else ["AwaitingApproval"]) == mesh.phases(), moment
            assert ([100, 0] if done else [90, 10]) == mesh.weights(), moment
            assert len(mesh.cluster.patches) == int(done), moment

    def test_what_it_undoes_is_what_was(self, mesh: Mesh) -> None:
        answered(mesh)
        mesh.undo()
        assert content(CANARY) == content(mesh.live)
        assert Phase.UNDONE is mesh.record.status.phase


def test_two_replicas_carry_it_out_once(mesh: Mesh) -> None:
    said(mesh, YES)
    rivals = [Approvals(mesh.replica(), pause=never) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: each.look(), rivals))
    assert (["Applied"], [100, 0], 1) == (mesh.phases(), mesh.weights(), len(mesh.cluster.patches))


# -- several plans on one object

MANY = virtual_service({"route": split(v1=80, v2=10, v3=10)})


@pytest.fixture
def many(mesh_of: MeshOf) -> Mesh:
    return mesh_of(MANY, RULE, policies=(policy(mode=Mode.APPROVE, guards=AT_ONCE),))


def v2() -> Json:
    return alert(labels("v2"), fingerprint="b" * 16)


def v3(fingerprint: str) -> Json:
    return alert(labels("v3"), fingerprint=fingerprint * 16)


def of(mesh: Mesh, version: str) -> Remediation:
    (found,) = [record for record in mesh.records if record.intent.suspect.version == version]
    return found


each_order = pytest.mark.parametrize(
    "fingerprint",
    [pytest.param("a", id="which comes before it"), pytest.param("c", id="which comes after it")],
)


@each_order
@pytest.mark.parametrize("first", [False, True], ids=["asked for anew", "asked for already"])
def test_a_yes_to_one_plan_is_none_to_that_of_another_alert(many: Mesh, fingerprint: str, first: bool) -> None:
    """The approval stands on the record, and before any replica has looked a delivery brings both alerts."""
    many.deliver(v2())
    if first:
        many.deliver(v3(fingerprint))
    many.cluster.ledger.rewrite(replace(of(many, "v2"), approval=YES))
    rows = many.deliver(v2(), v3(fingerprint))
    assert [("Applied", "Patched"), ("AwaitingApproval", "ApprovalRequired")] == words(rows)
    assert [90, 0, 10] == many.weights()
    assert [("AwaitingApproval", None), ("Applied", YES)] == sorted(
        ((record.status.phase.value, record.approval) for record in many.records), key=lambda each: each[1] is not None
    )
    assert {"v2"} == {suspect.version for suspect in of(many, "v2").intent.suspects}


def test_a_joint_plan_is_approved_as_a_whole(many: Mesh) -> None:
    many.deliver(v2(), v3("c"))
    many.cluster.ledger.rewrite(replace(many.record, approval=YES))
    assert [("Applied", "Patched")] * 2 == words(many.deliver(v2(), v3("c")))
    assert [100, 0, 0] == many.weights()


def test_an_accusation_lasts_as_long_as_its_alert_is_delivered(many: Mesh) -> None:
    """The plan about v2 waits; traffic of v3 must not go to v2 meanwhile, nor once ten minutes are over."""
    many.deliver(v2())
    for minutes in (3, 6, 9, 12):
        many.minutes = minutes
        many.deliver(v2())
    assert [("Denied", "StableAlsoFailing")] == words(many.deliver(v3("c")))


class TestOver:
    def resolved(self, mesh: Mesh) -> None:
        mesh.deliver(alert(labels(), status="resolved") | {"endsAt": "2026-08-01T12:03:00Z"})

    def test_when_its_alert_is_resolved_nobody_has_to_decide_any_more(self, mesh: Mesh) -> None:
        self.resolved(mesh)
        assert ("Expired", "Resolved") == ending(mesh.record)
        assert (Outcome.UNCHANGED, Reason.NOT_AWAITING) == ((answer := answered(mesh)).outcome, answer.reason)
        assert [90, 10] == mesh.weights()

    def test_a_joint_plan_waits_for_all_of_its_alerts(self, many: Mesh) -> None:
        many.deliver(v2(), v3("c"))
        many.deliver(v2() | {"status": "resolved", "endsAt": "2026-08-01T12:03:00Z"})
        assert ["AwaitingApproval"] == many.phases()
        many.deliver(v3("c") | {"status": "resolved", "endsAt": "2026-08-01T12:04:00Z"})
        assert ["Expired"] == many.phases()

    def test_that_it_expired_stays_on_its_record(self, mesh: Mesh) -> None:
        mesh.minutes = 61
        look(mesh)
        assert [("Denied", "StaleEvidence")] == words(mesh.deliver())
        assert ("Expired", "ApprovalExpired") == ending(mesh.record)

    def test_it_is_asked_for_anew_where_alerts_may_be_older_than_that(self, mesh: Mesh) -> None:
        mesh.minutes = 61
        look(mesh)
        rows = mesh.deliver(bounds=Bounds(max_alert_age=None))
        assert [("AwaitingApproval", "ApprovalRequired")] == words(rows)
        assert ["Expired", "AwaitingApproval"] == mesh.phases()

    def test_a_yes_that_was_refused_by_a_guard_does_not_count_for_ever(self, mesh: Mesh) -> None:
        mesh.cluster.brake.pause(Pause(by="kim"))
        answered(mesh)
        mesh.cluster.brake.resume()
        mesh.minutes = 24 * 60
        rows = mesh.deliver(bounds=Bounds(max_alert_age=None))
        assert [("AwaitingApproval", "ApprovalRequired")] == words(rows)
        assert [90, 10] == mesh.weights()

    def test_a_yes_that_nobody_could_carry_out_in_time_expires(self, mesh: Mesh) -> None:
        said(mesh, YES)
        mesh.minutes = 61
        look(mesh)
        assert ("Expired", "ApprovalExpired") == ending(mesh.record)
        assert "could not be carried out within 1h" in mesh.record.status.message

    def test_the_end_of_the_wait_leaves_alone_what_another_replica_carries_out(self, mesh: Mesh) -> None:
        waiting = mesh.record

        def expired_elsewhere(_ref: object) -> None:
            ended.append(approving.expire(mesh.replica().journal, waiting, HOUR).status.phase)

        ended: list[Phase] = []
        mesh.cluster.before_patch = expired_elsewhere
        assert Outcome.APPLIED is answered(mesh).outcome
        assert ([Phase.PLANNED], ["Applied"]) == (ended, mesh.phases())
        assert "ApprovalExpired" not in {event.reason for event in mesh.cluster.ledger.events.values()}


def test_rejected_and_expired_are_counted_and_logged(mesh: Mesh, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "remediator.outcome"):
        said(mesh, NO)
        look(mesh)
    assert 'outcome="Denied",policy="canary",reason="ApprovalRejected"} 1.0' in mesh.metrics.render()[0].decode()
    assert [("ApprovalRejected", "bob")] == [(line.reason, line.asked_by) for line in caplog.records]  # type: ignore[attr-defined]
