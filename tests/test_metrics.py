"""Metrics: names, bounded labels, and the two formats."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from remediator import __version__
from remediator.cluster.port import Health
from remediator.metrics import Attempt, Metrics
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.verification.model import VerificationVerdict

DOCS = Path(__file__).parents[1] / "docs" / "metrics.md"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def ignored(policy: str | None) -> AlertOutcome:
    return AlertOutcome("f00", "Up", policy, None, Outcome.IGNORED, Reason.NO_POLICY, "no policy matches")


@pytest.mark.parametrize("code", ["200", "400", "401", "413", "503"])
def test_each_answer_of_the_webhook_is_there_before_it_was_given(registry: CollectorRegistry, code: str) -> None:
    """A rate over a series that appears only with the first failure misses that failure."""
    Metrics(registry)
    assert registry.get_sample_value("remediator_notifications_total", {"code": code}) == 0


@pytest.mark.parametrize("result", Attempt)
def test_each_result_of_a_patch_is_there_before_it_happened(registry: CollectorRegistry, result: Attempt) -> None:
    Metrics(registry)
    assert registry.get_sample_value("remediator_patch_attempts_total", {"result": result.value}) == 0


def test_what_is_counted_of_people_and_holds_is_there_before_it_happened(registry: CollectorRegistry) -> None:
    """The shipped alerts see an increase, and not that a series is born."""
    metrics = Metrics(registry)
    for writer in ("argocd-controller", "kustomize-controller", "kubectl", "other", "unknown"):
        assert 0 == registry.get_sample_value("remediator_holds_lost_total", {"writer": writer})
        assert 0 == registry.get_sample_value("remediator_hold_enforcements_total", {"writer": writer})
    for verdict in VerificationVerdict:
        assert 0 == registry.get_sample_value("remediator_verifications_total", {"verdict": verdict.value})
    metrics.notices("slack", "Failed", 0)
    assert 0 == registry.get_sample_value("remediator_notices_total", {"service": "slack", "result": "Failed"})


def test_counts_notifications_alerts_and_attempts(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.notification(503)
    metrics.alert("firing")
    metrics.truncated(3)
    metrics.attempt(Attempt.CONFLICT)
    assert registry.get_sample_value("remediator_notifications_total", {"code": "503"}) == 1
    assert registry.get_sample_value("remediator_alerts_total", {"status": "firing"}) == 1
    assert registry.get_sample_value("remediator_truncated_alerts_total") == 3
    assert registry.get_sample_value("remediator_patch_attempts_total", {"result": "Conflict"}) == 1


@pytest.mark.parametrize(
    ("policy", "label"),
    [
        pytest.param("canary", "canary", id="a policy by its name"),
        pytest.param(None, "none", id="no policy as none"),
    ],
)
def test_outcome_counts_by_policy(
    metrics: Metrics, registry: CollectorRegistry, policy: str | None, label: str
) -> None:
    metrics.outcome(ignored(policy))
    labels = {"policy": label, "outcome": "Ignored", "reason": "NoPolicy"}
    assert registry.get_sample_value("remediator_outcomes_total", labels) == 1


def test_patched_records_both_times(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.patched(0.2, 45.0)
    assert registry.get_sample_value("remediator_remediation_duration_seconds_sum") == 0.2
    assert registry.get_sample_value("remediator_alert_age_seconds_bucket", {"le": "60.0"}) == 1
    assert registry.get_sample_value("remediator_alert_age_seconds_bucket", {"le": "30.0"}) == 0


def test_kubernetes_request_has_verb_resource_and_code(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.kubernetes_request("patch", "virtualservices", 409, 0.03)
    labels = {"verb": "patch", "resource": "virtualservices", "code": "409"}
    assert registry.get_sample_value("remediator_kubernetes_request_duration_seconds_count", labels) == 1


def test_health_sets_the_gauges_of_the_index(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.observe_health(Health(True, "", {"VirtualService": 7}, 1234.5))
    assert registry.get_sample_value("remediator_index_synced") == 1
    assert registry.get_sample_value("remediator_index_objects", {"kind": "VirtualService"}) == 7
    assert registry.get_sample_value("remediator_index_last_event_timestamp_seconds") == 1234.5


def test_an_index_that_never_heard_anything_is_as_old_as_can_be(metrics: Metrics, registry: CollectorRegistry) -> None:
    metrics.observe_health(Health(False, "listing", {}, None))
    assert registry.get_sample_value("remediator_index_synced") == 0
    assert registry.get_sample_value("remediator_index_last_event_timestamp_seconds") == 0


def test_failed_loads_are_a_counter_however_often_they_are_observed(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    for failures in (0, 2, 2, 3):
        metrics.observe_policies(4, failures)
    assert registry.get_sample_value("remediator_policies_loaded") == 4
    assert registry.get_sample_value("remediator_policy_load_failures_total") == 3


def test_the_watchdog_ages_and_is_no_number_before_it_first_came(registry: CollectorRegistry) -> None:
    moments = iter((100.0, 130.5, 190.5))
    metrics = Metrics(registry, clock=lambda: next(moments))
    assert "nan" == str(registry.get_sample_value("remediator_watchdog_age_seconds"))
    metrics.heartbeat()
    assert 60.0 == registry.get_sample_value("remediator_watchdog_age_seconds")


def test_build_info_says_the_version(metrics: Metrics, registry: CollectorRegistry) -> None:
    assert registry.get_sample_value("remediator_build_info", {"version": __version__}) == 1


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("", "text/plain", id="plain text for curl"),
        pytest.param(
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
            "application/openmetrics-text",
            id="OpenMetrics for Prometheus",
        ),
    ],
)
def test_render_negotiates_the_format(metrics: Metrics, accept: str, content_type: str) -> None:
    body, found = metrics.render(accept)
    assert content_type == found.partition(";")[0]
    assert b"remediator_build_info" in body


def test_two_processes_in_one_share_nothing() -> None:
    """As two tests, or two applications, would."""
    first, second = Metrics(), Metrics()
    first.notification(200)
    assert b'remediator_notifications_total{code="200"} 0.0' in second.render()[0]


def test_every_metric_is_documented_and_every_documented_one_is_there(metrics: Metrics) -> None:
    metrics.outcome(ignored(None))
    metrics.kubernetes_request("get", "virtualservices", 200, 0.1)
    metrics.observe_health(Health(True, "", {"VirtualService": 1}, None))
    families = text_string_to_metric_families(metrics.render()[0].decode())
    exported = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in families
        if family.name.startswith("remediator_")
    }
    documented = set(re.findall(r"^\| `(remediator_[a-z_]+)", DOCS.read_text(), flags=re.MULTILINE))
    assert exported == documented
