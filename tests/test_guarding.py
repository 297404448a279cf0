"""The pipeline and its guards: what a no leaves behind, what ends it, and that no failure is taken for a yes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from remediator.alerts import parse_notification
from remediator.errors import ClusterError, NotSynced, Unavailable
from remediator.guards.budget import Budget
from remediator.guards.judging import GUARDS
from remediator.guards.pause import Pause
from remediator.guards.situation import Bounds
from remediator.guards.stable_ready import Readiness
from remediator.guards.verdict import against
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.pipeline.storm import ACTION, Storm
from remediator.policies.intervals import TimeInterval, TimeRange
from remediator.policies.model import Action, Guards, Mode, TargetSpec
from remediator.records.events import Event
from remediator.records.journal import Journal
from remediator.records.model import Approval, Phase, Remediation
from remediator.records.pauses import FLEET
from remediator.traffic.hosts import resolve
from remediator.traffic.view import Destination
from tests.builders import (
    alert,
    destination_rule,
    flagger_canary,
    labels,
    managed,
    namespace,
    notification,
    split,
    virtual_service,
    when,
)
from tests.fakes import NOW, FakeCluster
from tests.test_pipeline import policy
from tests.test_pipeline_records import AT_ONCE, REVIEWS, RULE, Crash, Json, Mesh, at, die, steps_of, words

CANARY = virtual_service({"route": split(v1=90, v2=10)})
V1 = Destination(resolve("reviews", "shop"), "v1")
RATINGS = (
    virtual_service({"route": split("ratings", v1=90, v2=10)}, name="ratings"),
    destination_rule("ratings", v1="v1", v2="v2"),
)
FOUR = destination_rule(v1="v1", v2="v2", v3="v3", v4="v4")
FINGERPRINT = "e" * 16
ALERT = alert(labels(), fingerprint=FINGERPRINT)
OTHER = alert(labels(alertname="CanaryLatency"), fingerprint="a" * 16)
STABLE_TOO = alert(labels("v1"), fingerprint="c" * 16)
TEN_MINUTES = timedelta(minutes=10)
NOTHING: Callable[[Mesh], object] = lambda _mesh: None  # noqa: E731 - short for what a cause does not need


@pytest.fixture
def mesh_of() -> Iterator[Callable[..., Mesh]]:
    with ThreadPoolExecutor(4) as executor:
        yield lambda *bodies, **more: Mesh(FakeCluster(*(bodies or (CANARY, RULE))), executor, **more)


@pytest.fixture
def mesh(mesh_of: Callable[..., Mesh]) -> Mesh:
    return mesh_of()


MeshOf = Callable[..., Mesh]


# -- what people do


def edited(change: Callable[[Json], Any], *, indexed: bool = True) -> Callable[[Mesh], object]:
    return lambda mesh: mesh.cluster.edit(REVIEWS, change, indexed=indexed)


def annotated(*, indexed: bool = True, **said: str | None) -> Callable[[Mesh], object]:
    """`annotated(mode="Off")`; None takes it away."""

    def change(body: Json) -> None:
        annotations = body["metadata"].setdefault("annotations", {})
        for name, text in said.items():
            annotations.pop(f"remediator.io/{name}", None)
            if text is not None:
                annotations[f"remediator.io/{name}"] = text

    return edited(change, indexed=indexed)


def weighed(**weights: int) -> Callable[[Mesh], object]:
    return edited(lambda body: body["spec"]["http"][-1].update(route=split("reviews", **weights)))


def in_namespace(mode: str | None) -> Callable[[Mesh], object]:
    return lambda mesh: mesh.cluster.put(namespace("shop", mode))


def written_by(manager: str, moment: str) -> Callable[[Json], None]:
    return lambda body: body["metadata"].update(managedFields=[managed(manager, moment, "http")])


def paused(**more: Any) -> Callable[[Mesh], object]:
    return lambda mesh: mesh.cluster.brake.stored.update({FLEET: Pause("kim", "etcd is being moved", **more)})


def later(minutes: float) -> Callable[[Mesh], object]:
    return lambda mesh: setattr(mesh, "minutes", minutes)


def half_ready(mesh: Mesh) -> None:
    mesh.cluster.endpoints[V1] = Readiness(V1, ready=1, total=2)


def changed_a_moment_ago(mesh: Mesh) -> None:
    mesh.deliver(OTHER)
    weighed(v1=90, v2=10)(mesh)


def spent_elsewhere(mesh: Mesh) -> None:
    for body in RATINGS:
        mesh.cluster.put(body)
    mesh.deliver(alert(labels(name="ratings"), fingerprint="a" * 16))


def stable_accused(mesh: Mesh) -> None:
    mesh.deliver(STABLE_TOO)


def frozen() -> Guards:
    """A freeze from 12:00 to 12:30 UTC; it is 12:00:30."""
    return Guards(freeze=(TimeInterval(times=(TimeRange(720, 750),)),))


# -- why a guard says no


@dataclass(frozen=True)
class Cause:
    """Why a guard speaks against the alert, and how that ends."""

    guard: str
    reason: Reason
    telling: str
    begin: Callable[[Mesh], object] = NOTHING
    end: Callable[[Mesh], object] | None = None
    """None: it does not end by itself."""
    guards: Guards = field(default_factory=Guards)
    bounds: Bounds = field(default_factory=Bounds)
    target: TargetSpec = field(default_factory=TargetSpec)
    heard: int = len(GUARDS)
    """How many guards are asked; the planner refuses some before the others are."""

    def befall(self, mesh: Mesh) -> Mesh:
        mesh.policies = (policy(guards=self.guards, target=self.target),)
        self.begin(mesh)
        return mesh

    def deliver(self, mesh: Mesh) -> tuple[AlertOutcome, ...]:
        return mesh.deliver(ALERT, bounds=self.bounds)


CAUSES = {
    "a pause": Cause(
        "pause", Reason.PAUSED, "by kim until somebody resumes: etcd", paused(),
        end=lambda mesh: mesh.cluster.brake.stored.clear(),
    ),
    "a pause with an end": Cause(
        "pause", Reason.PAUSED, "until 2026-08-01T12:10:30", paused(until=NOW + TEN_MINUTES), end=later(10)
    ),
    "Off on the object": Cause(
        "mode", Reason.SWITCHED_OFF, "of the object says Off", annotated(mode="Off"), end=annotated(mode=None)
    ),
    "Off on the namespace": Cause(
        "mode", Reason.SWITCHED_OFF, "of its namespace says Off", in_namespace("Off"), end=in_namespace(None)
    ),
    "an unknown word on the object": Cause(
        "mode", Reason.SWITCHED_OFF, "says 'off', which is none of", annotated(mode="off"),
        end=annotated(mode="Enforce"),
    ),
    "an unknown word on the namespace": Cause(
        "mode", Reason.SWITCHED_OFF, "says 'Of'", in_namespace("Of"), end=in_namespace("Enforce")
    ),
    "no opt-in": Cause(
        "mode", Reason.NOT_OPTED_IN, "(--opt-in)", bounds=Bounds(opt_in=True), end=annotated(mode="Enforce")
    ),
    "Flagger drives the object": Cause(
        "lever", Reason.NO_LEVER, "nothing says that its canary side is accused",
        lambda mesh: mesh.cluster.put(flagger_canary()),
        end=lambda mesh: mesh.cluster.put(flagger_canary(provider="linkerd")),
    ),
    "a freeze": Cause(
        "freeze", Reason.FROZEN, "until 2026-08-01T12:30Z", guards=frozen(), end=later(29.5)
    ),
    "the suspect is the heaviest": Cause(
        "suspectIsStable", Reason.SUSPECT_IS_STABLE, "the heaviest", weighed(v1=10, v2=90), end=weighed(v1=90, v2=10)
    ),
    "the object calls the suspect stable": Cause(
        "suspectIsStable", Reason.SUSPECT_IS_STABLE, "annotation remediator.io/stable calls v2 stable",
        annotated(stable="v2"), end=annotated(stable="v1"), heard=1,
    ),
    "the policy calls the suspect stable": Cause(
        "suspectIsStable", Reason.SUSPECT_IS_STABLE, "policy canary calls v2 stable", target=TargetSpec(stable="v2"),
        heard=1,
    ),
    "the stable version is accused as well": Cause(
        "stableAlsoFailing", Reason.STABLE_ALSO_FAILING, "accuses reviews.shop v1 as well", stable_accused,
        end=later(10),
    ),
    "the stable version is not ready": Cause(
        "stableReady", Reason.STABLE_NOT_READY, "1 of 2 endpoints ready (50 %)", half_ready,
        end=lambda mesh: mesh.cluster.endpoints.clear(),
    ),
    "the alert is too old": Cause(
        "alertAge", Reason.STALE_EVIDENCE, "began 30s ago; at most 29s",
        bounds=Bounds(max_alert_age=timedelta(seconds=29)),
    ),
    "the routes were changed since": Cause(
        "evidence", Reason.STALE_EVIDENCE, "at 2026-08-01T12:00:10Z by argocd",
        edited(written_by("argocd", "2026-08-01T12:00:10Z")), end=edited(written_by("argocd", "2026-08-01T12:00:00Z")),
    ),
    "the object was changed a moment ago": Cause(
        "cooldown", Reason.COOLING_DOWN, "changed it 0s ago; the policy wants 10m", changed_a_moment_ago, end=later(10)
    ),
    "the budget is spent": Cause(
        "budget", Reason.BUDGET_SPENT, "--budget 1/10m allows 1", spent_elsewhere, end=later(10),
        bounds=Bounds(budget=Budget(1, TEN_MINUTES)),
    ),
}  # fmt: skip


def causes(*, ending: bool = False) -> pytest.MarkDecorator:
    found = {name: cause for name, cause in CAUSES.items() if cause.end or not ending}
    return pytest.mark.parametrize("cause", list(found.values()), ids=list(found))


def own(mesh: Mesh) -> list[Remediation]:
    """The records of the alert that is asked about."""
    return [record for record in mesh.records if record.intent.alert.fingerprint == FINGERPRINT]


def told(mesh: Mesh) -> list[Event]:
    """What was told of its records, and of the alert itself."""
    names = {record.name for record in own(mesh)}
    return [event for event in mesh.cluster.ledger.events.values() if event.record in names]


def spendings(mesh: Mesh) -> list[str | None]:
    """The records on whose targets it was told that the budget is spent."""
    return [event.record for event in mesh.cluster.ledger.events.values() if event.action == ACTION]


def weights(mesh: Mesh) -> list[int]:
    return mesh.weights()


class TestANo:
    @causes()
    def test_is_a_row_and_a_record_with_every_verdict(self, mesh: Mesh, cause: Cause) -> None:
        cause.befall(mesh)
        before, patches = weights(mesh), len(mesh.cluster.patches)
        (row,) = cause.deliver(mesh)
        (record,) = own(mesh)
        assert (Outcome.DENIED, cause.reason, record.name) == (row.outcome, row.reason, row.remediation)
        assert f"{cause.guard}: " in row.message
        assert cause.telling in row.message
        assert (Phase.FAILED, cause.reason, row.message) == (
            record.status.phase,
            record.status.reason,
            record.status.message,
        )
        assert cause.heard == len(record.status.verdicts)
        assert [cause.guard] == [verdict.guard for verdict in against(record.status.verdicts)]
        assert (before, patches) == (weights(mesh), len(mesh.cluster.patches))

    @causes()
    def test_leaves_nothing_that_could_be_sent(self, mesh: Mesh, cause: Cause) -> None:
        """But what would have been changed is told, where the planner knew."""
        cause.deliver(cause.befall(mesh))
        (record,) = own(mesh)
        assert ((), ()) == (record.intent.patch, record.intent.undo)
        assert (cause.heard > 1) is bool(record.intent.changes)
        assert None is record.status.applied_at

    @causes()
    def test_is_told_once_however_often_it_is_delivered(self, mesh: Mesh, cause: Cause) -> None:
        cause.befall(mesh)
        first = cause.deliver(mesh)
        assert words(first) == words(cause.deliver(mesh)) == words(cause.deliver(mesh))
        (record,), (event,) = own(mesh), told(mesh)
        assert (Outcome.DENIED, cause.reason.value, record.name) == (event.outcome, event.reason, event.record)

    @causes()
    def test_is_not_written_again_at_once(self, mesh: Mesh, cause: Cause) -> None:
        cause.befall(mesh)
        cause.deliver(mesh)
        before = own(mesh)
        cause.deliver(mesh)
        assert before == own(mesh)

    @causes(ending=True)
    def test_is_a_yes_on_the_same_record_once_its_cause_is_over(self, mesh: Mesh, cause: Cause) -> None:
        cause.befall(mesh)
        cause.deliver(mesh)
        (denied,) = own(mesh)
        assert cause.end is not None
        cause.end(mesh)
        (row,) = cause.deliver(mesh)
        (record,) = own(mesh)
        assert ("Applied", "Patched", denied.name) == (row.outcome.value, row.reason.value, row.remediation)
        assert (denied.uid, Phase.APPLIED) == (record.uid, record.status.phase)
        assert (tuple(GUARDS), ()) == (
            tuple(verdict.guard for verdict in record.status.verdicts),
            against(record.status.verdicts),
        )
        assert [100, 0] == weights(mesh)
        assert record.intent.patch
        assert ["Denied", "Applied"] == [event.outcome.value for event in told(mesh)]

    @causes()
    def test_leaves_one_record_whatever_the_moment_of_a_crash(self, mesh_of: MeshOf, cause: Cause) -> None:
        moments = steps_of(whole := cause.befall(mesh_of()), lambda: cause.deliver(whole))
        assert {"create done", "conclude done"} <= set(moments)
        for count, moment in enumerate(moments):
            mesh = cause.befall(mesh_of())
            before = weights(mesh)
            mesh.cluster.step = at(count, die)
            with pytest.raises(Crash):
                cause.deliver(mesh)
            mesh.cluster.step = lambda _name: None
            assert [("Denied", cause.reason.value)] == words(cause.deliver(mesh)), moment
            (record,), (event,) = own(mesh), told(mesh)
            assert (Phase.FAILED, cause.reason, cause.reason.value) == (
                record.status.phase,
                record.status.reason,
                event.reason,
            ), moment
            assert before == weights(mesh), moment

    @causes(ending=True)
    def test_leaves_one_record_where_the_cause_is_over_after_a_crash(self, mesh_of: MeshOf, cause: Cause) -> None:
        moments = steps_of(whole := cause.befall(mesh_of()), lambda: cause.deliver(whole))
        for count, moment in enumerate(moments):
            mesh = cause.befall(mesh_of())
            mesh.cluster.step = at(count, die)
            with pytest.raises(Crash):
                cause.deliver(mesh)
            mesh.cluster.step = lambda _name: None
            assert cause.end is not None
            cause.end(mesh)
            assert [("Applied", "Patched")] == words(cause.deliver(mesh)), moment
            assert [Phase.APPLIED] == [record.status.phase for record in own(mesh)], moment

    def test_that_becomes_another_no_says_so_on_the_same_record(self, mesh: Mesh) -> None:
        paused()(mesh)
        mesh.deliver(ALERT)
        mesh.cluster.brake.stored.clear()
        annotated(mode="Off")(mesh)
        mesh.deliver(ALERT)
        (record,) = own(mesh)
        assert Reason.SWITCHED_OFF is record.status.reason
        assert ["Paused", "SwitchedOff"] == [event.reason for event in told(mesh)]

    def test_of_many_guards_tells_the_first_reason_and_every_no(self, mesh: Mesh) -> None:
        mesh.policies = (policy(guards=frozen()),)
        paused()(mesh)
        half_ready(mesh)
        (row,) = mesh.deliver(ALERT)
        assert Reason.PAUSED is row.reason
        assert ["pause", "freeze", "stableReady"] == [verdict.guard for verdict in against(mesh.record.status.verdicts)]
        assert all(f"{guard}: " in row.message for guard in ("pause", "freeze", "stableReady"))

    def test_that_cannot_be_recorded_asks_for_another_delivery(self, mesh: Mesh) -> None:
        paused()(mesh)
        mesh.cluster.ledger.fails["create"] = Unavailable("away")
        assert [("Failed", "Unavailable")] == words(mesh.deliver(ALERT))
        del mesh.cluster.ledger.fails["create"]
        assert [("Denied", "Paused")] == words(mesh.deliver(ALERT))
        assert ["Failed"] == mesh.phases()

    def test_that_goes_on_is_heard_again_once_a_minute(self, mesh: Mesh) -> None:
        paused()(mesh)
        heard = []
        for minutes in (0, 0.5, 1, 1.5, 5):
            mesh.minutes = minutes
            mesh.deliver(ALERT)
            heard.append(mesh.record.status.judged_at)
        assert [NOW + timedelta(minutes=minutes) for minutes in (0, 0, 1, 1, 5)] == heard

    def test_holds_up_no_other_alert_of_the_notification(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(virtual_service({"route": split(v1=80, v2=10, v3=10)}), RULE)
        mesh.policies = (
            policy("frozen", 'destination_version = "v2"', guards=frozen()),
            policy("free", 'destination_version = "v3"'),
        )
        rows = mesh.deliver(ALERT, alert(labels("v3"), fingerprint="f" * 16))
        assert [("Denied", "Frozen"), ("Applied", "Patched")] == words(rows)
        assert [90, 10, 0] == mesh.weights()
        assert {("frozen", "Failed"), ("free", "Applied")} == {
            (record.intent.policy.name, record.status.phase.value) for record in mesh.records
        }

    def test_is_the_same_in_mode_observe(self, mesh: Mesh) -> None:
        paused()(mesh)
        assert [("Denied", "Paused")] == words(mesh.deliver(ALERT, ceiling=Mode.OBSERVE))
        assert [] == mesh.cluster.patches


class TestBeforeAnyObjectIsPlanned:
    """What is said of the alert as a whole has no record: there is no one object that it is about."""

    def test_too_many_targets(self, mesh_of: MeshOf) -> None:
        bodies = [virtual_service({"route": split(v1=90, v2=10)}, name=f"reviews-{number}") for number in range(3)]
        mesh = mesh_of(*bodies, RULE, policies=(policy(guards=Guards(max_targets=2)),))
        (row,) = mesh.deliver(ALERT)
        assert ("Denied", "TooManyTargets") == (row.outcome.value, row.reason.value)
        assert "3 routing objects would be changed for this alert, and the policy allows 2" in row.message
        assert ([], []) == (mesh.records, mesh.cluster.patches)

    def test_a_namespace_that_the_policy_leaves_out(self, mesh: Mesh) -> None:
        mesh.policies = (policy(target=TargetSpec(namespaces=("elsewhere",))),)
        (row,) = mesh.deliver(ALERT)
        assert ("Denied", "NamespaceNotAllowed") == (row.outcome.value, row.reason.value)
        assert ([], []) == (mesh.records, mesh.cluster.patches)


class TestTheHold:
    """What this very firing has taken away stays away: neither cooldown nor evidence stands in the way."""

    def brought_back(self, mesh: Mesh, moment: str = "2026-08-01T12:00:50Z") -> None:
        weighed(v1=50, v2=50)(mesh)
        edited(written_by("argocd", moment))(mesh)

    def test_is_kept_up_against_whoever_brings_it_back(self, mesh: Mesh) -> None:
        mesh.deliver(ALERT)
        self.brought_back(mesh)
        mesh.minutes = 1
        assert [("Applied", "Patched")] == words(mesh.deliver(ALERT))
        assert [100, 0] == mesh.weights()
        found = {verdict.guard: verdict.message for verdict in own(mesh)[-1].status.verdicts}
        assert all("holds the withdrawal up" in found[guard] for guard in ("cooldown", "evidence"))

    def test_ends(self, mesh: Mesh) -> None:
        mesh.policies = (policy(guards=Guards(cooldown=timedelta(hours=2), hold=timedelta(minutes=30))),)
        mesh.deliver(ALERT)
        self.brought_back(mesh)
        mesh.minutes = 30
        (row,) = mesh.deliver(ALERT)
        assert ("Denied", "StaleEvidence") == (row.outcome.value, row.reason.value)
        assert "cooldown: " in row.message

    def test_lasts_until_its_last_moment(self, mesh: Mesh) -> None:
        mesh.deliver(ALERT)
        self.brought_back(mesh)
        mesh.minutes = 30 - 1 / 60
        assert [("Applied", "Patched")] == words(mesh.deliver(ALERT))

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"startsAt": "2026-08-01T12:00:10Z"}, id="the same alert, firing anew"),
            pytest.param({"fingerprint": "d" * 16}, id="another alert"),
        ],
    )
    def test_is_of_its_own_firing_only(self, mesh: Mesh, change: Json) -> None:
        mesh.deliver(ALERT)
        self.brought_back(mesh)
        (row,) = mesh.deliver(ALERT | change)
        assert ("Denied", "StaleEvidence") == (row.outcome.value, row.reason.value)
        assert "cooldown: " in row.message

    def test_ends_with_an_undo(self, mesh: Mesh) -> None:
        mesh.deliver(ALERT)
        mesh.undo()
        assert [("Denied", "Undone")] == words(mesh.deliver(ALERT))
        assert [90, 10] == mesh.weights()

    def test_stands_for_no_other_guard(self, mesh: Mesh) -> None:
        mesh.deliver(ALERT)
        self.brought_back(mesh)
        paused()(mesh)
        assert [("Denied", "Paused")] == words(mesh.deliver(ALERT))
        assert ["Applied", "Failed"] == [record.status.phase.value for record in own(mesh)]
        mesh.cluster.brake.stored.clear()
        assert [("Applied", "Patched")] == words(mesh.deliver(ALERT))
        assert ["Applied", "Applied"] == [record.status.phase.value for record in own(mesh)]


class TestApproval:
    """What waits for a person is judged when they have answered; a yes stands for the age of the alert alone."""

    def awaiting(self, mesh: Mesh) -> Remediation:
        assert [("AwaitingApproval", "ApprovalRequired")] == words(mesh.deliver(ALERT, ceiling=Mode.APPROVE))
        return mesh.record

    def approved(self, mesh: Mesh) -> tuple[str, str]:
        answered = mesh.replica(ceiling=Mode.APPROVE).answer("shop", mesh.record.name, Approval(True, "kim"))
        return answered.outcome.value, answered.reason.value

    def test_that_is_waited_for_is_not_denied_meanwhile(self, mesh: Mesh) -> None:
        before = self.awaiting(mesh)
        paused()(mesh)
        assert before == self.awaiting(mesh)

    def test_is_not_asked_for_what_is_denied(self, mesh: Mesh) -> None:
        paused()(mesh)
        assert [("Denied", "Paused")] == words(mesh.deliver(ALERT, ceiling=Mode.APPROVE))
        mesh.cluster.brake.stored.clear()
        self.awaiting(mesh)

    def test_comes_too_late_for_a_plan_that_has_waited_for_an_hour(self, mesh: Mesh) -> None:
        self.awaiting(mesh)
        mesh.minutes = 90
        assert ("Denied", "ApprovalExpired") == self.approved(mesh)
        assert [90, 10] == mesh.weights()

    @pytest.mark.parametrize(
        ("befall", "reason"),
        [
            pytest.param(paused(), "Paused", id="the service is paused"),
            pytest.param(annotated(mode="Off"), "SwitchedOff", id="the object has opted out"),
            pytest.param(half_ready, "StableNotReady", id="the stable version is not ready"),
        ],
    )
    def test_stands_for_no_other_guard(self, mesh: Mesh, befall: Callable[[Mesh], object], reason: str) -> None:
        self.awaiting(mesh)
        befall(mesh)
        assert ("Denied", reason) == self.approved(mesh)
        assert ([90, 10], []) == (mesh.weights(), mesh.cluster.patches)


class TestReadiness:
    def test_without_a_rule_is_that_of_the_whole_service(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(CANARY)
        half_ready(mesh)
        assert [("Denied", "StableNotReady")] == words(mesh.deliver(ALERT))

    def test_counts_for_those_who_ask_for_it(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(virtual_service({"route": split(v1=80, v2=10, v3=10)}), RULE)
        half_ready(mesh)
        mesh.policies = (
            policy("bold", 'destination_version = "v2"', guards=Guards(stable_ready=0.0)),
            policy("careful", 'destination_version = "v3"'),
        )
        rows = mesh.deliver(ALERT, alert(labels("v3"), fingerprint="f" * 16))
        assert [("Applied", "Patched"), ("Denied", "StableNotReady")] == words(rows)
        assert [90, 0, 10] == mesh.weights()


class TestAnnotations:
    @pytest.mark.parametrize(
        "say",
        [
            pytest.param(lambda mode: annotated(mode=mode), id="on the object"),
            pytest.param(in_namespace, id="on its namespace"),
        ],
    )
    @pytest.mark.parametrize(
        ("mode", "ending", "after"),
        [
            pytest.param("Observe", ("Observed", "DryRun"), [90, 10], id="Observe"),
            pytest.param("Approve", ("AwaitingApproval", "ApprovalRequired"), [90, 10], id="Approve"),
            pytest.param("Enforce", ("Applied", "Patched"), [100, 0], id="Enforce"),
        ],
    )
    def test_cap_the_mode(
        self, mesh: Mesh, say: Callable[[str], Callable[[Mesh], object]], mode: str, ending: tuple[str, str],
        after: list[int],
    ) -> None:  # fmt: skip
        say(mode)(mesh)
        assert [ending] == words(mesh.deliver(ALERT))
        assert after == mesh.weights()
        assert mode == mesh.record.intent.mode

    def test_make_no_mode_bolder(self, mesh: Mesh) -> None:
        annotated(mode="Enforce")(mesh)
        assert [("Observed", "DryRun")] == words(mesh.deliver(ALERT, ceiling=Mode.OBSERVE))

    @pytest.mark.parametrize(
        ("mode", "ending"),
        [
            pytest.param("Off", ("Denied", "SwitchedOff"), id="Off"),
            pytest.param("Observe", ("Observed", "DryRun"), id="Observe"),
        ],
    )
    def test_are_obeyed_though_the_index_has_not_heard_of_them(
        self, mesh: Mesh, mode: str, ending: tuple[str, str]
    ) -> None:
        annotated(mode=mode, indexed=False)(mesh)
        assert [ending] == words(mesh.deliver(ALERT))
        assert [90, 10] == mesh.weights()

    @pytest.mark.parametrize(
        ("on_object", "on_namespace", "ending"),
        [
            pytest.param(None, None, ("Denied", "NotOptedIn"), id="nobody opts in"),
            pytest.param("Enforce", None, ("Applied", "Patched"), id="the object opts in"),
            pytest.param(None, "Enforce", ("Applied", "Patched"), id="its namespace opts in"),
            pytest.param(None, "Observe", ("Observed", "DryRun"), id="its namespace opts in, carefully"),
            pytest.param("Off", "Enforce", ("Denied", "SwitchedOff"), id="the object is out of its namespace's opt-in"),
        ],
    )
    def test_opt_in(self, mesh: Mesh, on_object: str | None, on_namespace: str | None, ending: tuple[str, str]) -> None:
        annotated(mode=on_object)(mesh)
        in_namespace(on_namespace)(mesh)
        assert [ending] == words(mesh.deliver(ALERT, bounds=Bounds(opt_in=True)))

    @pytest.mark.parametrize(
        ("named", "target", "after"),
        [
            pytest.param(None, TargetSpec(), [60, 40, 0], id="nobody names it: all others, in proportion"),
            pytest.param("v3", TargetSpec(), [55, 45, 0], id="the object's annotation does"),
            pytest.param("v3", TargetSpec(stable="v1"), [63, 37, 0], id="the policy's word goes first"),
            pytest.param("", TargetSpec(), [60, 40, 0], id="an empty annotation names none"),
        ],
    )
    def test_name_the_stable_version_where_the_policy_does_not(
        self, mesh_of: MeshOf, named: str | None, target: TargetSpec, after: list[int]
    ) -> None:
        mesh = mesh_of(virtual_service({"route": split(v1=55, v3=37, v2=8)}), RULE, policies=(policy(target=target),))
        annotated(stable=named)(mesh)
        assert [("Applied", "Patched")] == words(mesh.deliver(ALERT))
        assert after == mesh.weights()
        assert (target.stable or named or None) == mesh.record.intent.stable

    def test_an_empty_one_leaves_the_heaviest_to_be_taken_for_stable(self, mesh: Mesh) -> None:
        weighed(v1=10, v2=90)(mesh)
        annotated(stable="")(mesh)
        assert [("Denied", "SuspectIsStable")] == words(mesh.deliver(ALERT))


class TestTheStableSideIsAccused:
    """By the record of an alert that came some minutes ago."""

    def ending(self, mesh: Mesh, minutes: float) -> tuple[str, str]:
        mesh.minutes = minutes
        (found,) = words(mesh.deliver(ALERT))
        return found

    def test_for_ten_minutes(self, mesh: Mesh) -> None:
        stable_accused(mesh)
        assert ("Denied", "StableAlsoFailing") == self.ending(mesh, 10 - 1 / 60)
        (record,) = own(mesh)
        accuser = next(each for each in mesh.records if each is not record)
        assert f"(heard 2026-08-01T12:00:30Z, record {accuser.name})" in record.status.message
        assert ("Applied", "Patched") == self.ending(mesh, 10)

    def test_for_ten_minutes_since_it_was_heard_again(self, mesh: Mesh) -> None:
        stable_accused(mesh)
        mesh.minutes = 8
        stable_accused(mesh)
        assert ("Denied", "StableAlsoFailing") == self.ending(mesh, 17.9)
        assert ("Applied", "Patched") == self.ending(mesh, 18)

    def test_until_that_is_resolved(self, mesh: Mesh) -> None:
        stable_accused(mesh)
        assert ("Denied", "StableAlsoFailing") == self.ending(mesh, 1)
        mesh.deliver(STABLE_TOO | {"status": "resolved", "endsAt": "2026-08-01T12:02:00Z"})
        assert ("Applied", "Patched") == self.ending(mesh, 2)

    def test_until_that_is_undone(self, mesh_of: MeshOf) -> None:
        """A person gave v1 its traffic back: it is good enough for them. Somebody who only edits has no such say."""
        many = virtual_service({"route": split(v1=30, v3=60, v2=10)})
        for give_back, ending in (
            (lambda mesh: mesh.undo(), ("Applied", "Patched")),
            (weighed(v1=30, v3=60, v2=10), ("Denied", "StableAlsoFailing")),
        ):
            mesh = mesh_of(many, RULE, policies=(policy(guards=AT_ONCE),))
            assert [("Applied", "Patched")] == words(mesh.deliver(STABLE_TOO))
            give_back(mesh)
            assert ending == self.ending(mesh, 1)

    @pytest.mark.parametrize(
        ("resolved", "ending"),
        [
            pytest.param(0, ("Applied", "Patched"), id="the alert on the version that would receive is over"),
            pytest.param(1, ("Denied", "StableAlsoFailing"), id="the alert on another version is over"),
        ],
    )
    @pytest.mark.parametrize("names", ["ab", "ba"], ids=["its record is named for it", "its record names it beside"])
    def test_by_each_alert_of_a_joint_record_until_that_is_resolved(
        self, mesh_of: MeshOf, resolved: int, ending: tuple[str, str], names: str
    ) -> None:
        """One patch took the traffic from v1 and v3; somebody gives it back, and then v2 is accused as well."""
        mesh = mesh_of(virtual_service({"route": split(v1=10, v2=10, v3=10, v4=70)}), FOUR)
        both = [
            alert(labels(version), fingerprint=name * 16) for version, name in zip(("v1", "v3"), names, strict=True)
        ]
        mesh.policies = (policy(guards=AT_ONCE),)
        mesh.deliver(*both)
        weighed(v1=10, v2=10, v3=10, v4=70)(mesh)
        mesh.deliver(both[resolved] | {"status": "resolved", "endsAt": "2026-08-01T12:00:40Z"})
        mesh.policies = (policy(guards=AT_ONCE, target=TargetSpec(stable="v1")),)
        assert ending == self.ending(mesh, 1)

    def test_by_an_alert_that_was_only_observed(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(virtual_service({"route": split(v1=30, v3=60, v2=10)}), RULE)
        mesh.deliver(STABLE_TOO, ceiling=Mode.OBSERVE)
        assert ("Denied", "StableAlsoFailing") == self.ending(mesh, 1)

    def test_and_mirrors_are_taken_all_the_same(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(
            virtual_service({"route": split(v1=100), "mirror": {"host": "reviews", "subset": "v2"}}),
            RULE,
            policies=(policy(actions=(Action.REMOVE_MIRRORS,)),),
        )
        mesh.policies = (policy("stable", 'destination_version = "v1"'), *mesh.policies)
        stable_accused(mesh)
        assert ("Applied", "Patched") == self.ending(mesh, 1)


class Meeting:
    """Everybody waits at these steps for all others."""

    def __init__(self, parties: int, *steps: str) -> None:
        self._barriers = {step: threading.Barrier(parties, timeout=20) for step in steps}

    def __call__(self, step: str) -> None:
        if step in self._barriers:
            self._barriers[step].wait()


SERVICES = tuple(f"service-{number}" for number in range(6))


def storm() -> FakeCluster:
    """Six services, each with a canary."""
    routes = [virtual_service({"route": split(name, v1=90, v2=10)}, name=name) for name in SERVICES]
    return FakeCluster(*routes, *(destination_rule(name, v1="v1", v2="v2") for name in SERVICES))


def alerts_on(names: tuple[str, ...]) -> list[Json]:
    return [alert(labels(name=name), fingerprint=name.ljust(16, "0")) for name in names]


class TestTheBudget:
    """Of all replicas together."""

    @pytest.mark.parametrize("most", [1, 2, 5])
    @pytest.mark.parametrize(
        "meet",
        [
            pytest.param((), id="as it comes"),
            pytest.param(("create",), id="nobody has begun when the guards are asked"),
            pytest.param(("create", "create done"), id="all have begun before anybody sends"),
        ],
    )
    def test_is_kept_by_two_replicas_that_act_at_once(self, most: int, meet: tuple[str, ...]) -> None:
        cluster, bounds = storm(), Bounds(budget=Budget(most, TEN_MINUTES))
        with ThreadPoolExecutor(3) as one, ThreadPoolExecutor(3) as two, ThreadPoolExecutor(2) as both:
            meshes = (Mesh(cluster, one), Mesh(cluster, two))
            cluster.step = Meeting(len(SERVICES), *meet)
            halves = [
                both.submit(mesh.deliver, *alerts_on(names), bounds=bounds)
                for mesh, names in zip(meshes, (SERVICES[:3], SERVICES[3:]), strict=True)
            ]
            rows = [row for half in halves for row in half.result()]
        assert [("Applied", "Patched")] * most == [word for word in words(tuple(rows)) if word[0] == "Applied"]
        assert [("Denied", "BudgetSpent")] * (6 - most) == [word for word in words(tuple(rows)) if word[0] != "Applied"]
        assert most == len(cluster.patches)
        phases = sorted(record.status.phase.value for record in cluster.ledger.records())
        assert ["Applied"] * most + ["Failed"] * (6 - most) == phases

    def test_is_there_again_after_its_window_and_each_record_goes_on(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of()
        mesh.cluster = storm()
        bounds = Bounds(budget=Budget(2, TEN_MINUTES))
        for minutes, applied in ((0, 2), (10 - 1 / 60, 2), (10, 4), (19, 4), (20, 6)):
            mesh.minutes = minutes
            mesh.deliver(*alerts_on(SERVICES), bounds=bounds)
            assert (applied, len(SERVICES)) == (mesh.phases().count("Applied"), len(mesh.records))

    @pytest.mark.parametrize(
        ("mode", "ending"),
        [
            pytest.param(Mode.OBSERVE, ("Denied", "BudgetSpent"), id="Observe tells what Enforce would do"),
            pytest.param(Mode.ENFORCE, ("Applied", "Patched"), id="nothing of it is spent for what is changed"),
        ],
    )
    def test_of_mode_observe(self, mesh_of: MeshOf, mode: Mode, ending: tuple[str, str]) -> None:
        mesh = mesh_of(CANARY, RULE, *RATINGS)
        bounds = Bounds(budget=Budget(1, TEN_MINUTES))
        ratings = alert(labels(name="ratings"), fingerprint="a" * 16)
        assert [("Observed", "DryRun")] == words(mesh.deliver(ratings, ceiling=Mode.OBSERVE, bounds=bounds))
        assert [ending] == words(mesh.deliver(ALERT, ceiling=mode, bounds=bounds))

    def test_is_not_spent_by_what_was_refused(self, mesh: Mesh) -> None:
        paused()(mesh)
        bounds = Bounds(budget=Budget(1, TEN_MINUTES))
        mesh.deliver(OTHER, bounds=bounds)
        mesh.cluster.brake.stored.clear()
        assert [("Applied", "Patched")] == words(mesh.deliver(ALERT, bounds=bounds))

    def test_is_spent_by_a_patch_that_may_have_been_made(self, mesh_of: MeshOf) -> None:
        """Its process died: nobody can tell yet."""
        mesh = mesh_of(CANARY, RULE, *RATINGS)
        bounds = Bounds(budget=Budget(1, TEN_MINUTES))
        mesh.cluster.step = lambda name: die(name) if name == "patch" else None
        with pytest.raises(Crash):
            mesh.deliver(OTHER, bounds=bounds)
        mesh.cluster.step = lambda _name: None
        ratings = alert(labels(name="ratings"), fingerprint=FINGERPRINT)
        assert [("Denied", "BudgetSpent")] == words(mesh.deliver(ratings, bounds=bounds))
        assert [("Applied", "Patched")] == words(mesh.deliver(OTHER, bounds=bounds))

    def test_spent_by_what_is_only_begun_is_told_once_it_is_made(self, mesh_of: MeshOf) -> None:
        """Found by test_guards_real.py: where the first refusal came before the first patch, it was never told."""
        mesh = mesh_of(CANARY, RULE, *RATINGS)
        budget, storm = Budget(1, TEN_MINUTES), Storm()
        journal = Journal(mesh.cluster.ledger, lambda: NOW)
        mesh.cluster.step = lambda name: die(name) if name == "patch" else None
        with pytest.raises(Crash):
            mesh.deliver(OTHER, bounds=Bounds(budget=budget))
        storm.tell(journal, budget)
        assert [] == spendings(mesh)
        mesh.cluster.step = lambda _name: None
        mesh.deliver(OTHER, bounds=Bounds(budget=budget))
        for _ in range(2):
            storm.tell(journal, budget)
        (record,) = mesh.records
        assert [record.name] == spendings(mesh)

    def test_is_spent_by_a_patch_that_was_undone_before_anybody_said_that_it_was_made(self, mesh_of: MeshOf) -> None:
        """Found by test_guards_stateful.py: the record was Undone, and had never been Applied."""
        mesh = mesh_of(CANARY, RULE, *RATINGS)
        bounds = Bounds(budget=Budget(1, TEN_MINUTES))
        mesh.cluster.step = lambda name: die(name) if name == "patch done" else None
        with pytest.raises(Crash):
            mesh.deliver(OTHER, bounds=bounds)
        mesh.cluster.step = lambda _name: None
        mesh.undo()
        ratings = alert(labels(name="ratings"), fingerprint=FINGERPRINT)
        assert [("Denied", "BudgetSpent")] == words(mesh.deliver(ratings, bounds=bounds))
        anew = OTHER | {"startsAt": "2026-08-01T12:00:40Z"}
        assert [("Denied", "CoolingDown")] == words(mesh.deliver(anew))

    def test_spent_between_the_guards_and_the_patch_is_said_by_the_record(self, mesh_of: MeshOf) -> None:
        mesh = mesh_of(CANARY, RULE, *RATINGS)
        bounds = Bounds(budget=Budget(1, TEN_MINUTES))

        def act(name: str) -> None:
            mesh.cluster.step = lambda _name: None
            mesh.deliver(alert(labels(name="ratings"), fingerprint="a" * 16), bounds=bounds)

        mesh.cluster.step = lambda name: act(name) if name == "create" else None
        assert [("Denied", "BudgetSpent")] == words(mesh.deliver(ALERT, bounds=bounds))
        (record,), (event,) = own(mesh), told(mesh)
        assert ("Failed", "BudgetSpent", "BudgetSpent") == (record.status.phase, record.status.reason, event.reason)
        assert ["budget"] == [verdict.guard for verdict in against(record.status.verdicts)]
        assert [90, 10] == mesh.weights()
        mesh.minutes = 10
        assert [("Applied", "Patched")] == words(mesh.deliver(ALERT, bounds=bounds))
        assert [Phase.APPLIED] == [each.status.phase for each in own(mesh)]


class TestWhatIsNotKnown:
    """Unknown is no: an error while the guards ask ends in Failed, so that it is asked again, and in no change."""

    @pytest.mark.parametrize(
        "error", [Unavailable("away"), NotSynced("not listed yet")], ids=["the server is away", "the index is old"]
    )
    @pytest.mark.parametrize(
        "fail",
        [
            pytest.param(lambda cluster, error: cluster.brake.fails.update(pauses=error), id="of the pauses"),
            pytest.param(lambda cluster, error: cluster.ledger.fails.update(index=error), id="of the records"),
            pytest.param(
                lambda cluster, error: setattr(cluster, "step", raising("readiness", error)), id="of the endpoints"
            ),
        ],
    )
    @pytest.mark.parametrize("mode", Mode)
    def test_changes_nothing(
        self, mesh: Mesh, fail: Callable[[FakeCluster, ClusterError], object], error: ClusterError, mode: Mode
    ) -> None:
        fail(mesh.cluster, error)
        (row,) = mesh.deliver(ALERT, ceiling=mode)
        assert ("Failed", type(error).__name__) == (row.outcome.value, row.reason.value)
        assert row.retriable
        assert ([], [], [90, 10]) == (mesh.cluster.patches, mesh.records, mesh.weights())

    def test_of_the_budget_changes_nothing(self, mesh: Mesh) -> None:
        """The index does not know of the intent that was just written."""

        def ahead(*_: object) -> int:
            raise NotSynced("the index has not heard of it")

        mesh.cluster.ledger.ahead = ahead  # type: ignore[method-assign,assignment]
        bounds = Bounds(budget=Budget(5, TEN_MINUTES))
        assert [("Failed", "NotSynced")] == words(mesh.deliver(ALERT, bounds=bounds))
        assert (["Planned"], []) == (mesh.phases(), mesh.cluster.patches)

    def test_of_the_endpoints_is_not_asked_where_nobody_wants_to_know(self, mesh: Mesh) -> None:
        mesh.policies = (policy(guards=replace(AT_ONCE, stable_ready=0.0)),)
        mesh.cluster.step = raising("readiness", Unavailable("away"))
        assert [("Applied", "Patched")] == words(mesh.deliver(ALERT))

    @causes()
    def test_at_any_moment_of_a_no_makes_no_yes_of_it(self, mesh_of: MeshOf, cause: Cause) -> None:
        moments = steps_of(whole := cause.befall(mesh_of()), lambda: cause.deliver(whole))
        for count, moment in enumerate(moments):
            mesh = cause.befall(mesh_of())
            before = weights(mesh)
            mesh.cluster.step = at(count, raise_unavailable)
            assert words(cause.deliver(mesh))[0][0] in ("Denied", "Failed"), moment
            assert before == weights(mesh), moment
            mesh.cluster.step = lambda _name: None
            assert [("Denied", cause.reason.value)] == words(cause.deliver(mesh)), moment
            assert [(Phase.FAILED, cause.reason)] == [
                (record.status.phase, record.status.reason) for record in own(mesh)
            ], moment


def raising(step: str, error: ClusterError) -> Callable[[str], None]:
    def act(name: str) -> None:
        if name == step:
            raise error

    return act


def raise_unavailable(name: str) -> None:
    raise Unavailable(f"the connection broke at {name}")


def test_a_header_matched_canary_route_is_no_heaviest_destination(mesh_of: MeshOf) -> None:
    mesh = mesh_of(virtual_service(when(route=split(v2=100)), {"route": split(v1=90, v2=10)}), RULE)
    assert [("Applied", "Patched")] == words(mesh.deliver(ALERT))
    (beta, main) = mesh.live["spec"]["http"]
    assert ("v1", [100, 0]) == (beta["route"][0]["destination"]["subset"], [each["weight"] for each in main["route"]])


def test_the_notification_is_parsed_as_ever() -> None:
    """The alerts of this module are what Alertmanager sends."""
    assert FINGERPRINT == parse_notification(notification([ALERT])).alerts[0].fingerprint
    assert TargetRef("VirtualService", "shop", "reviews") == REVIEWS


class TestWhatHoldsItBack:
    """The gauges of /metrics."""

    def brakes(self, mesh: Mesh, budget: Budget | None) -> tuple[float, float]:
        found = mesh.replica(bounds=Bounds(budget=budget)).brakes()
        return found.budget_remaining, found.paused

    def test_what_is_left_of_the_budget(self, mesh: Mesh) -> None:
        mesh.cluster = storm()
        budget = Budget(5, TEN_MINUTES)
        assert (5, 0) == self.brakes(mesh, budget)
        mesh.deliver(*alerts_on(SERVICES[:3]), bounds=Bounds(budget=budget))
        assert (2, 0) == self.brakes(mesh, budget)
        mesh.deliver(*alerts_on(SERVICES), bounds=Bounds(budget=budget))
        assert (0, 0) == self.brakes(mesh, budget)
        mesh.minutes = 11
        assert (5, 0) == self.brakes(mesh, budget)

    def test_without_a_budget_there_is_no_end(self, mesh: Mesh) -> None:
        assert (float("inf"), 0) == self.brakes(mesh, None)

    def test_a_pause_that_holds(self, mesh: Mesh) -> None:
        paused(until=NOW + timedelta(minutes=5))(mesh)
        assert 1 == self.brakes(mesh, None)[1]
        mesh.minutes = 6
        assert 0 == self.brakes(mesh, None)[1]

    def test_what_waits_for_a_person(self, mesh: Mesh) -> None:
        mesh.cluster = storm()
        mesh.deliver(*alerts_on(SERVICES[:2]), ceiling=Mode.APPROVE)
        assert 2 == mesh.replica().awaiting()

    def test_what_is_not_known_is_no_number(self, mesh: Mesh) -> None:
        mesh.cluster.ledger.fails["index"] = NotSynced("not listed yet")
        mesh.cluster.brake.fails["pauses"] = NotSynced("not listed yet")
        assert ["nan", "nan"] == [str(found) for found in self.brakes(mesh, Budget(5, TEN_MINUTES))]
        assert "nan" == str(mesh.replica().awaiting())


def test_in_observe_a_firing_is_not_refused_for_what_it_has_used_itself(mesh_of: MeshOf) -> None:
    mesh = mesh_of()
    mesh.cluster = storm()
    observing: Json = {"bounds": Bounds(budget=Budget(1, TEN_MINUTES)), "ceiling": Mode.OBSERVE}
    first, second = alerts_on(SERVICES[:2])
    assert [("Observed", "DryRun")] == words(mesh.deliver(first, **observing))
    assert [("Denied", "BudgetSpent")] == words(mesh.deliver(second, **observing))
    assert [("Observed", "DryRun")] == words(mesh.deliver(first, **observing))


def test_the_same_alert_at_another_replica_does_not_free_what_the_first_is_spending() -> None:
    """Alertmanager's pair delivers it to both. One is about to send its patch; another alert was begun after that, and
    must not find the budget free because the second replica says no to what the first one does."""
    cluster, bounds = storm(), Bounds(budget=Budget(1, TEN_MINUTES))
    first, second = alerts_on(SERVICES[:2])
    said: Json = {}
    with ThreadPoolExecutor(2) as executor:
        mesh = Mesh(cluster, executor)
        count, ahead = cluster.ledger.tally, cluster.ledger.ahead

        def lagging(since: Any) -> Any:
            """The second alert's replica has not heard of the first one's record when it asks the guards."""
            return replace(count(since), begun=0) if "second" in said and "other" not in said else count(since)

        def behind(record: Remediation, since: Any) -> int:
            if record.intent.target.ref.name == SERVICES[1] and "other" not in said:
                said["other"] = words(mesh.deliver(first, bounds=bounds))
            return ahead(record, since)

        def sending(ref: TargetRef) -> None:
            if ref.name == SERVICES[0] and "second" not in said:
                said["second"] = ()
                said["second"] = words(mesh.deliver(second, bounds=bounds))

        cluster.before_patch, cluster.ledger.tally, cluster.ledger.ahead = sending, lagging, behind  # type: ignore[method-assign]
        said["first"] = words(mesh.deliver(first, bounds=bounds))
    assert [("Denied", "BudgetSpent")] == said["second"]
    assert [SERVICES[0]] == [ref.name for ref, _ in cluster.patches]


def test_a_guard_does_not_end_what_another_replica_may_be_sending(mesh: Mesh) -> None:
    """Asked for again: by then the object tells."""
    mesh.cluster.step = lambda name: die(name) if name == "patch" else None
    with pytest.raises(Crash):
        mesh.deliver()
    mesh.cluster.step = lambda _name: None
    paused()(mesh)
    assert [("Failed", "Unavailable")] == words(mesh.deliver())
    mesh.minutes = 1
    assert [("Denied", "Paused")] == words(mesh.deliver())
    assert [Phase.FAILED] == [record.status.phase for record in mesh.records]


def test_the_gauge_counts_as_the_guard_does_under_a_ceiling_of_observe(mesh: Mesh) -> None:
    mesh.cluster = storm()
    observing: Json = {"bounds": Bounds(budget=Budget(2, TEN_MINUTES)), "ceiling": Mode.OBSERVE}
    mesh.deliver(*alerts_on(SERVICES[:1]), **observing)
    assert 1 == mesh.replica(**observing).brakes().budget_remaining
