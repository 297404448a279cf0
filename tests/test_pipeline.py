"""One notification through all stages, on a cluster in memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from remediator.alerts import parse_notification
from remediator.cluster.port import Snapshot
from remediator.errors import ClusterError, Conflict, Forbidden, NotFound, NotSynced, Rejected, Throttled, Unavailable
from remediator.metrics import Metrics
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.pipeline import Pipeline
from remediator.pipeline.shell import Clock
from remediator.policies.matchers import Matcher, parse_matcher
from remediator.policies.model import Action, Guards, Mode, Policy, PolicySet, TargetSpec
from remediator.traffic.hosts import Host
from tests.builders import alert, destination_rule, labels, notification, split, virtual_service, when
from tests.fakes import FakeCluster

Json = dict[str, Any]
REVIEWS = TargetRef("VirtualService", "shop", "reviews")
CANARY = virtual_service({"route": split(v1=90, v2=10)})
RULE = destination_rule(v1="v1", v2="v2", v3="v3")
NOW = datetime(2026, 8, 1, 12, 0, 30, tzinfo=UTC)


def policy(name: str = "canary", matcher: str = 'alertname =~ "Canary.*"', **fields: Any) -> Policy:
    defaults: dict[str, Any] = {"target": TargetSpec(), "actions": tuple(Action), "mode": Mode.ENFORCE}
    matchers: tuple[Matcher, ...] = (parse_matcher(matcher),)
    return Policy(name, "", matchers, **(defaults | fields))


@dataclass(frozen=True)
class Loaded:
    policies: PolicySet


@dataclass(frozen=True)
class Policies:
    """A store that never changes."""

    loaded: Loaded

    def current(self) -> Loaded:
        return self.loaded


Handle = Callable[..., tuple[AlertOutcome, ...]]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def handle(metrics: Metrics) -> Iterator[Handle]:
    """Run alerts through a pipeline: `handle(cluster, labels…, policies=…, ceiling=…)`."""
    with ThreadPoolExecutor(4) as executor:

        def run(cluster: FakeCluster, *alerts: Json, policies: tuple[Policy, ...] = (policy(),), **more: Any) -> Any:
            store: Any = Policies(Loaded(PolicySet(policies)))
            clock = Clock(now=lambda: NOW)
            pipeline = Pipeline(cluster, store, metrics, executor, clock=clock, **more)
            given = [each if "labels" in each else alert(each) for each in alerts or (labels(),)]
            return pipeline.handle(parse_notification(notification(given)))

        yield run


def endings(rows: tuple[AlertOutcome, ...]) -> list[tuple[str, str, str | None]]:
    return [(row.outcome.value, row.reason.value, row.target.name if row.target else None) for row in rows]


def weights(cluster: FakeCluster, ref: TargetRef = REVIEWS) -> list[int]:
    return [item["weight"] for item in cluster.stored[ref]["spec"]["http"][-1]["route"]]


def sample(metrics: Metrics, line: str) -> bool:
    return line in metrics.render()[0].decode()


def test_a_firing_alert_changes_the_object(handle: Handle, metrics: Metrics) -> None:
    cluster = FakeCluster(CANARY, RULE)
    (row,) = handle(cluster)
    assert (Outcome.APPLIED, Reason.PATCHED, REVIEWS, "canary") == (row.outcome, row.reason, row.target, row.policy)
    assert "http[0]: reviews.shop subset v2 weight 10 → 0" in row.changes
    assert [100, 0] == weights(cluster)
    assert sample(metrics, 'remediator_outcomes_total{outcome="Applied",policy="canary",reason="Patched"} 1.0')
    assert sample(metrics, "remediator_alert_age_seconds_sum 30.0")
    assert sample(metrics, 'remediator_patch_attempts_total{result="Patched"} 1.0')


def test_the_second_delivery_changes_nothing(handle: Handle) -> None:
    cluster = FakeCluster(CANARY, RULE)
    handle(cluster)
    assert [("Unchanged", "NotExposed", "reviews")] == endings(handle(cluster))
    assert 1 == len(cluster.patches)


def test_a_second_delivery_that_meets_an_old_index_changes_nothing(handle: Handle) -> None:
    """Our own patch may not have come back through the watch when Alertmanager's other replica delivers."""
    cluster = FakeCluster(CANARY, RULE)
    done = virtual_service({"route": split(v1=100, v2=0)})
    cluster.put(done | {"metadata": done["metadata"] | {"resourceVersion": "2"}}, indexed=False)
    assert [("Unchanged", "NotExposed", "reviews")] == endings(handle(cluster))
    assert [] == cluster.patches


def test_nothing_to_do_is_said_of_the_object_and_not_of_an_old_index(handle: Handle) -> None:
    """The canary got its traffic a second ago, and the index has not heard of it."""
    cluster = FakeCluster(virtual_service({"route": split(v1=100, v2=0)}), RULE)
    cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0].update(route=split(v1=50, v2=50)))
    assert [("Applied", "Patched", "reviews")] == endings(handle(cluster))
    assert [100, 0] == weights(cluster)


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        pytest.param(Unavailable("away"), ("Failed", "Unavailable"), id="the API server is away"),
        pytest.param(Forbidden("get", "virtualservices"), ("Denied", "Forbidden"), id="no permission to read"),
        pytest.param(NotFound("gone"), ("Unchanged", "NotExposed"), id="the object is gone"),
    ],
)
def test_nothing_is_said_of_an_object_that_cannot_be_read(
    handle: Handle, error: ClusterError, ending: tuple[str, str]
) -> None:
    class Unreadable(FakeCluster):
        def read(self, ref: TargetRef) -> Snapshot:
            raise error

    cluster = Unreadable(virtual_service({"route": split(v1=100, v2=0)}), RULE)
    assert [(*ending, "reviews")] == endings(handle(cluster))


def test_a_refusal_is_said_of_the_object_and_not_of_an_old_index(handle: Handle) -> None:
    cluster = FakeCluster(virtual_service({"route": split(v2=None)}), RULE)
    cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0].update(route=split(v1=90, v2=10)))
    assert [("Applied", "Patched", "reviews")] == endings(handle(cluster))


def test_what_the_index_did_not_know_counts_for_the_most_targets_too(handle: Handle) -> None:
    """One object is known to expose the suspect; a second does so since a moment ago."""
    late = virtual_service({"route": split(v1=100, v2=0)}, name="late")
    cluster = FakeCluster(CANARY, late, RULE)
    exposed = {"route": split(v1=90, v2=10)}
    cluster.edit(TargetRef("VirtualService", "shop", "late"), lambda body: body["spec"]["http"][0].update(exposed))
    one = policy(guards=Guards(max_targets=1))
    assert [("Failed", "Conflict", "late"), ("Applied", "Patched", "reviews")] == endings(
        handle(cluster, policies=(one,))
    )


def test_an_unknown_version_is_told_the_known_ones(handle: Handle) -> None:
    (row,) = handle(FakeCluster(CANARY, RULE), labels("V2"))
    assert (
        "sends no traffic to reviews.shop V2: no subset of reviews.shop is version V2 (known: v1, v2, v3)"
        == row.message
    )


def test_a_host_that_no_service_has_is_told_apart(handle: Handle) -> None:
    (row,) = handle(FakeCluster(CANARY, RULE), labels(destination_service="reviews.shop"))
    assert "host reviews.shop; a dotted name is taken as it is" in row.message


def test_the_watchdog_is_noted_while_it_fires(handle: Handle, metrics: Metrics) -> None:
    beat = labels(remediation="Heartbeat")
    handle(FakeCluster(), alert(beat, status="resolved"))
    assert sample(metrics, "remediator_watchdog_age_seconds NaN")
    handle(FakeCluster(), beat)
    assert not sample(metrics, "remediator_watchdog_age_seconds NaN")


@pytest.mark.parametrize(
    ("given", "policies", "ending"),
    [
        pytest.param(
            alert(labels(), status="resolved"),
            (policy(),),
            ("Ignored", "Resolved", None),
            id="resolved is never acted on",
        ),
        pytest.param(labels(alertname="Other"), (policy(),), ("Ignored", "NoPolicy", None), id="no policy"),
        pytest.param(
            labels(remediation="Heartbeat"),
            (policy(),),
            ("Ignored", "Heartbeat", None),
            id="the watchdog",
        ),
        pytest.param(labels(version=None), (policy(),), ("Denied", "LabelMissing", None), id="a label is missing"),
        pytest.param(labels(name="nobody"), (policy(),), ("Unchanged", "NotExposed", None), id="an unknown service"),
        pytest.param(labels("v9"), (policy(),), ("Unchanged", "NotExposed", "reviews"), id="an unknown version"),
        pytest.param(labels("v3"), (policy(),), ("Unchanged", "NotExposed", "reviews"), id="a version without traffic"),
        pytest.param(
            labels(),
            (policy(target=TargetSpec(namespaces=("team-*",))),),
            ("Denied", "NamespaceNotAllowed", "reviews"),
            id="a namespace that the policy leaves out",
        ),
        pytest.param(
            labels(), (policy(mode=Mode.APPROVE),), ("AwaitingApproval", "ApprovalRequired", "reviews"), id="Approve"
        ),
        pytest.param(
            labels("v1"), (policy(target=TargetSpec(stable="v1")),), ("Denied", "SuspectIsStable", "reviews"), id="v1"
        ),
        pytest.param(
            labels(),
            (policy("first", mode=Mode.APPROVE), policy("second")),
            ("AwaitingApproval", "ApprovalRequired", "reviews"),
            id="the first policy that matches is the one",
        ),
    ],
)
def test_what_changes_nothing(
    handle: Handle, given: Json, policies: tuple[Policy, ...], ending: tuple[str, str, str | None]
) -> None:
    cluster = FakeCluster(CANARY, RULE)
    assert [ending] == endings(handle(cluster, given, policies=policies))
    assert ([90, 10], []) == (weights(cluster), cluster.patches)


def test_what_was_taken_out_never_receives(handle: Handle) -> None:
    """v2 was withdrawn a minute ago; now v1 is accused, in a notification of its own."""
    cluster = FakeCluster(CANARY, RULE)
    handle(cluster, labels("v2"))
    assert [("Denied", "NoStableDestination", "reviews")] == endings(handle(cluster, labels("v1")))
    assert [100, 0] == weights(cluster)


def test_a_policy_that_takes_only_mirrors_says_so(handle: Handle) -> None:
    cluster = FakeCluster(CANARY, RULE)
    (row,) = handle(cluster, policies=(policy(actions=(Action.REMOVE_MIRRORS,)),))
    assert (Reason.NOT_EXPOSED, "gives no mirrored traffic to reviews.shop v2, and the policy takes nothing else") == (
        row.reason,
        row.message,
    )


def test_observe_asks_the_server_and_changes_nothing(handle: Handle) -> None:
    cluster = FakeCluster(CANARY, RULE)
    assert [("Observed", "DryRun", "reviews")] == endings(handle(cluster, policies=(policy(mode=Mode.OBSERVE),)))
    assert ([90, 10], [(REVIEWS, True)]) == (weights(cluster), cluster.patches)


def test_the_ceiling_caps_every_policy(handle: Handle) -> None:
    cluster = FakeCluster(CANARY, RULE)
    assert [("Observed", "DryRun", "reviews")] == endings(handle(cluster, ceiling=Mode.OBSERVE))
    assert [90, 10] == weights(cluster)


class TestSeveral:
    """Several alerts, several targets."""

    def test_alerts_for_one_target_become_one_patch(self, handle: Handle) -> None:
        cluster = FakeCluster(CANARY, RULE)
        rows = handle(cluster, labels(severity="a"), labels(severity="b"), labels(alertname="CanaryUnreachable"))
        assert [("Applied", "Patched", "reviews")] * 3 == endings(rows)
        assert 1 == len(cluster.patches)

    def test_two_suspects_of_one_target_never_get_each_others_traffic(self, handle: Handle) -> None:
        cluster = FakeCluster(virtual_service({"route": split(v1=80, v2=10, v3=10)}), RULE)
        assert [("Applied", "Patched", "reviews")] * 2 == endings(handle(cluster, labels("v2"), labels("v3")))
        assert ([100, 0, 0], 1) == (weights(cluster), len(cluster.patches))

    def test_both_versions_accused_at_once_is_refused(self, handle: Handle) -> None:
        cluster = FakeCluster(CANARY, RULE)
        rows = handle(cluster, labels("v1"), labels("v2"))
        assert [("Denied", "SuspectIsStable", "reviews"), ("Denied", "StableAlsoFailing", "reviews")] == endings(rows)

    def test_an_accused_version_receives_nothing_under_another_policys_mode_either(self, handle: Handle) -> None:
        cluster = FakeCluster(virtual_service({"route": split(v1=80, v2=10, v3=10)}), RULE)
        careful = policy("careful", 'alertname = "CanarySlow"', mode=Mode.OBSERVE, guards=Guards(cooldown=timedelta()))
        rows = handle(cluster, labels("v2"), labels("v3", alertname="CanarySlow"), policies=(careful, policy()))
        assert [("Applied", "Patched", "reviews"), ("Observed", "DryRun", "reviews")] == endings(rows)
        assert [90, 0, 10] == weights(cluster)

    def test_one_alert_changes_every_object_that_exposes_the_suspect(self, handle: Handle) -> None:
        other = virtual_service(when(route=split(v2=1)), {"route": split(v1=50, v2=50)}, name="edge")
        idle = virtual_service({"route": split(v1=100, v2=0)}, name="idle")
        cluster = FakeCluster(CANARY, other, idle, RULE)
        assert [("Applied", "Patched", "edge"), ("Applied", "Patched", "reviews")] == endings(handle(cluster))

    def test_more_objects_than_the_policy_allows_are_left_alone(self, handle: Handle) -> None:
        bodies = [virtual_service({"route": split(v1=90, v2=10)}, name=f"vs-{number}") for number in range(4)]
        cluster = FakeCluster(*bodies, RULE)
        assert [("Denied", "TooManyTargets", None)] == endings(handle(cluster))
        assert [] == cluster.patches
        four = policy(guards=Guards(max_targets=4))
        assert [("Applied", "Patched", f"vs-{number}") for number in range(4)] == endings(
            handle(cluster, policies=(four,))
        )

    def test_what_is_refused_for_its_number_of_objects_stays_accused(self, handle: Handle) -> None:
        """v3 is out of bounds in five objects; v2's traffic in the first must not go to it."""
        main = virtual_service({"route": split(v2=50, v3=50)}, name="main")
        others = [virtual_service({"route": split(v1=50, v3=50)}, name=f"vs-{number}") for number in range(4)]
        cluster = FakeCluster(main, *others, RULE)
        rows = handle(cluster, labels("v2"), labels("v3"))
        assert [("Denied", "StableAlsoFailing", "main"), ("Denied", "TooManyTargets", None)] == endings(rows)
        assert [] == cluster.patches

    def test_a_stable_version_that_is_accused_too_receives_nothing(self, handle: Handle) -> None:
        cluster = FakeCluster(CANARY, RULE)
        stable = policy(target=TargetSpec(stable="v1"))
        rows = handle(cluster, labels("v1"), labels("v2"), policies=(stable,))
        assert [("Denied", "SuspectIsStable", "reviews"), ("Denied", "StableAlsoFailing", "reviews")] == endings(rows)

    def test_one_failure_leaves_the_others_finished(self, handle: Handle) -> None:
        ratings = virtual_service({"route": split("ratings", v1=90, v2=10)}, name="ratings")
        cluster = FakeCluster(CANARY, ratings, RULE, destination_rule("ratings", v1="v1", v2="v2"))

        def away(ref: TargetRef) -> None:
            if ref == REVIEWS:
                raise Unavailable("the API server is away")

        cluster.before_patch = away
        rows = handle(cluster, labels(), labels(name="ratings"))
        assert [("Failed", "Unavailable", "reviews"), ("Applied", "Patched", "ratings")] == endings(rows)
        assert [True, False] == [row.retriable for row in rows]

    def test_targets_are_patched_at_the_same_time(self, handle: Handle) -> None:
        """Three patches wait for each other; one after the other they would never meet."""
        names = ("a", "b", "c")
        bodies = [virtual_service({"route": split(name, v1=90, v2=10)}, name=name) for name in names]
        rules = [destination_rule(name, v1="v1", v2="v2") for name in names]
        cluster, barrier = FakeCluster(*bodies, *rules), threading.Barrier(3, timeout=10)
        cluster.before_patch = lambda _ref: barrier.wait() and None
        assert [("Applied", "Patched", name) for name in names] == endings(
            handle(cluster, *(labels(name=name) for name in names))
        )


class TestFailures:
    """Nothing is lost: an alert is finished, or answered so that it is delivered again."""

    @pytest.mark.parametrize(
        ("error", "ending"),
        [
            pytest.param(Unavailable("away"), ("Failed", "Unavailable"), id="the API server is away"),
            pytest.param(Throttled("slow down"), ("Failed", "Unavailable"), id="the API server asks to slow down"),
            pytest.param(Forbidden("patch", "virtualservices"), ("Denied", "Forbidden"), id="no permission"),
            pytest.param(Rejected("weight"), ("Denied", "Rejected"), id="the server refuses this change"),
            pytest.param(NotFound("gone"), ("Unchanged", "NotExposed"), id="the object is gone"),
            pytest.param(RuntimeError("bug"), ("Failed", "InternalError"), id="a bug of ours"),
        ],
    )
    def test_each_failure_of_a_patch(self, handle: Handle, error: Exception, ending: tuple[str, str]) -> None:
        cluster = FakeCluster(CANARY, RULE)

        def fail(_ref: TargetRef) -> None:
            raise error

        cluster.before_patch = fail
        assert [(*ending, "reviews")] == [(row.outcome.value, row.reason.value, "reviews") for row in handle(cluster)]

    def test_forbidden_names_verb_and_resource(self, handle: Handle) -> None:
        cluster = FakeCluster(CANARY, RULE)

        def fail(_ref: TargetRef) -> None:
            raise Forbidden("patch", "virtualservices.networking.istio.io")

        cluster.before_patch = fail
        assert "no permission to patch virtualservices.networking.istio.io" == handle(cluster)[0].message

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            pytest.param(NotSynced("listing"), "NotSynced", id="the index is not complete"),
            pytest.param(Unavailable("torn file"), "Unavailable", id="the folder cannot be read"),
        ],
    )
    def test_an_index_that_cannot_be_believed_fails_all(self, handle: Handle, error: ClusterError, reason: str) -> None:
        cluster = FakeCluster(CANARY, RULE)
        cluster.fails = error
        assert [("Failed", reason, None)] == endings(handle(cluster))

    def test_a_bug_in_the_index_fails_the_whole_notification(self, handle: Handle, caplog: Any) -> None:
        class Broken(FakeCluster):
            def routing_to(self, host: Host) -> tuple[Snapshot, ...]:
                raise RuntimeError("bug")

        assert [("Failed", "InternalError", None)] == endings(handle(Broken()))
        assert "Traceback" in caplog.text


class TestConcurrentEdits:
    """Somebody edits the object between read and patch."""

    @pytest.mark.parametrize("times", [1, 4])
    def test_it_is_planned_again_on_the_new_object(self, handle: Handle, times: int) -> None:
        cluster = FakeCluster(CANARY, RULE)
        left = [times]

        def edit(ref: TargetRef) -> None:
            if left[0]:
                left[0] -= 1
                cluster.edit(ref, lambda body: body["spec"]["http"][0]["route"].reverse())

        cluster.before_patch = edit
        assert [("Applied", "Patched", "reviews")] == endings(handle(cluster))
        by_subset = {
            item["destination"]["subset"]: item["weight"]
            for item in cluster.stored[REVIEWS]["spec"]["http"][0]["route"]
        }
        assert {"v1": 100, "v2": 0} == by_subset

    def test_five_times_is_enough_for_one_delivery(self, handle: Handle, metrics: Metrics) -> None:
        cluster = FakeCluster(CANARY, RULE)
        cluster.before_patch = lambda ref: cluster.edit(ref, lambda _body: None)
        assert [("Failed", "Conflict", "reviews")] == endings(handle(cluster))
        assert sample(metrics, 'remediator_patch_attempts_total{result="Conflict"} 5.0')

    def test_nothing_is_left_to_do_where_somebody_was_faster(self, handle: Handle) -> None:
        cluster = FakeCluster(CANARY, RULE)

        def someone(ref: TargetRef) -> None:
            cluster.edit(ref, lambda body: body["spec"]["http"][0].update(route=split(v1=100, v2=0)))

        cluster.before_patch = someone
        assert [("Unchanged", "NotExposed", "reviews")] == endings(handle(cluster))

    def test_a_new_state_that_is_unsafe_is_refused(self, handle: Handle) -> None:
        cluster = FakeCluster(CANARY, RULE)

        def someone(ref: TargetRef) -> None:
            cluster.edit(ref, lambda body: body["spec"]["http"][0].update(route=split(v2=None)))

        cluster.before_patch = someone
        assert [("Denied", "NoStableDestination", "reviews")] == endings(handle(cluster))

    def test_an_object_deleted_meanwhile_is_not_exposed(self, handle: Handle) -> None:
        cluster = FakeCluster(CANARY, RULE)

        def someone(ref: TargetRef) -> None:
            del cluster.stored[ref]
            raise Conflict("uid")

        cluster.before_patch = someone
        assert [("Unchanged", "NotExposed", "reviews")] == endings(handle(cluster))


def test_one_log_line_an_outcome_tells_all(handle: Handle, caplog: Any) -> None:
    with caplog.at_level(logging.INFO, logger="remediator.outcome"):
        handle(FakeCluster(CANARY, RULE), alert(labels(), fingerprint="0123456789abcdef"))
    (record,) = caplog.records
    assert ("0123456789abcdef", "canary", "VirtualService shop/reviews", "Applied", "Patched") == (
        record.fingerprint,
        record.policy,
        record.target,
        record.outcome,
        record.reason,
    )
    assert '{}:{alertname="CanaryErrorRatioAboveStable"}' == record.group_key


def test_a_truncated_notification_is_counted_and_warned_about(metrics: Metrics, caplog: Any) -> None:
    with ThreadPoolExecutor(1) as executor:
        store: Any = Policies(Loaded(PolicySet(())))
        pipeline = Pipeline(FakeCluster(), store, metrics, executor)
        pipeline.handle(parse_notification(notification([], truncatedAlerts=7)))
    assert sample(metrics, "remediator_truncated_alerts_total 7.0")
    assert "set max_alerts: 0" in caplog.text
