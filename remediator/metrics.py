"""Every metric there is, and the only home of prometheus_client. docs/metrics.md says what each one means.

Label values are bounded: names of policies, words of outcome.py, HTTP codes and kinds; never text from an alert.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import nan
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

import remediator
from remediator.outcome import AlertOutcome
from remediator.verification.model import VerificationVerdict

NO_POLICY = "none"
"""The label `policy` of an outcome for which no policy was found."""

_ANSWERS = ("200", "400", "401", "413", "503")
_GATE = ("go", "held", "unknown")
_POLL_ANSWERS = ("200", "400", "401", "404", "413", "503")
_REMEDIATION_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_AGE_S = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WRITERS = (
    *("argocd-controller", "argocd-application-controller", "kustomize-controller", "helm-controller", "helm"),
    *("flagger", "rollouts-controller", "istioctl"),
)
"""Field managers that have a label of their own; all of kubectl's commands (`kubectl-edit`) are one more."""


def writer_label(manager: str) -> str:
    """A field manager as a label: of the bounded set of those that are known, else `other`; `unknown` for none.

    >>> writer_label("kubectl-edit"), writer_label("our-deploy-script"), writer_label("")
    ('kubectl', 'other', 'unknown')
    """
    if manager == "kubectl" or manager.startswith("kubectl-"):
        return "kubectl"
    return manager if manager in _WRITERS else "other" if manager else "unknown"


class Attempt(StrEnum):
    """How the sending of one patch ended: the label `result`."""

    PATCHED = "Patched"
    CONFLICT = "Conflict"
    NOT_FOUND = "NotFound"
    FORBIDDEN = "Forbidden"
    REJECTED = "Rejected"
    UNAVAILABLE = "Unavailable"


class IndexHealth(Protocol):
    """What is measured of `cluster.port.Health`; rooms beside each other do not import each other."""

    @property
    def synced(self) -> bool: ...
    @property
    def objects(self) -> Mapping[str, int]: ...
    @property
    def last_event(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Brakes:
    """What holds the whole service back."""

    budget_remaining: float
    """Remediations that the budget still allows now; infinite without one, NaN where the records are not known."""
    paused: float
    """1 while a pause holds, 0 while none does; NaN where that is not known."""


class Metrics:
    """The metrics of one process, in a registry of their own. Safe to use from many threads."""

    def __init__(self, registry: CollectorRegistry | None = None, clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            clock: Unix time (s).
        """
        self._clock = clock
        self._heartbeat = nan
        self._registry = registry if registry is not None else CollectorRegistry()
        self._failures_lock = threading.Lock()
        self._failures_seen = 0
        # A `_created` series beside each counter and histogram: the library writes them as gauges, nobody asks.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        ProcessCollector(registry=self._registry)
        self._create_for_alerts()
        self._create_for_cluster()
        self._create_for_policies()
        self._budget_remaining = self._gauge("budget_remaining", "Remediations that --budget still allows now.")
        self._paused = self._gauge("paused", "1 while a pause holds: nothing is changed.")
        self._awaiting = self._gauge("awaiting_approval", "Plans that wait for a person's yes or no.")
        self._create_for_levers()
        self._create_for_people()
        watchdog = self._gauge("watchdog_age_seconds", "Since Alertmanager last delivered the watchdog; NaN if never.")
        watchdog.set_function(lambda: self._clock() - self._heartbeat)

    def _create_for_levers(self) -> None:
        self._verifications = self._counter("verifications", "Patches whose verification came to its end.", "verdict")
        for verdict in VerificationVerdict:
            self._verifications.labels(verdict.value)
        self._holds = self._gauge("holds_active", "Remediations whose withdrawal is held up now.")
        self._enforcements = self._counter(
            "hold_enforcements", "Withdrawals that were brought back, by who had undone them.", "writer"
        )
        self._polls = self._counter("flagger_polls", "Questions of Flagger whether to roll back, by the code.", "code")
        for code in _POLL_ANSWERS:
            self._polls.labels(code)
        self._lost = self._counter("holds_lost", "Holds that were given up, by who went on.", "writer")
        for writer in (*_WRITERS, "kubectl", "other", "unknown"):
            self._enforcements.labels(writer)
            self._lost.labels(writer)

    def _create_for_people(self) -> None:
        self._gate_answers = self._counter("gate_answers", "Answers of the gate to a question it understood.", "answer")
        for answer in _GATE:
            self._gate_answers.labels(answer)
        self._notices = self._counter(
            "notices", "What people were to be told, by who takes it and what became of it.", "service", "result"
        )

    def _create_for_alerts(self) -> None:
        self._notifications = self._counter("notifications", "Requests to /webhook, by the code of the answer.", "code")
        for code in _ANSWERS:
            self._notifications.labels(code)
        self._alerts = self._counter("alerts", "Alerts received, by their own status.", "status")
        for status in ("firing", "resolved"):
            self._alerts.labels(status)
        self._truncated = self._counter(
            "truncated_alerts", "Alerts that Alertmanager left out of notifications (max_alerts)."
        )
        self._outcomes = self._counter(
            "outcomes", "How alerts ended, one for each alert and target.", "policy", "outcome", "reason"
        )
        self._duration = self._histogram(
            "remediation_duration_seconds", "From the request's arrival to the patch being made.", _REMEDIATION_S
        )
        self._age = self._histogram("alert_age_seconds", "From the alert's startsAt to the patch being made.", _AGE_S)

    def _create_for_cluster(self) -> None:
        self._attempts = self._counter("patch_attempts", "Patches sent, by how that ended.", "result")
        for result in Attempt:
            self._attempts.labels(result.value)
        self._requests = self._histogram(
            "kubernetes_request_duration_seconds",
            "Requests to the Kubernetes API, by the code of the answer.",
            _REQUEST_S,
            "verb",
            "resource",
            "code",
        )
        self._objects = self._gauge("index_objects", "Objects in the index.", "kind")
        self._synced = self._gauge("index_synced", "1 if the index is complete and can be believed.")
        self._last_event = self._gauge(
            "index_last_event_timestamp_seconds", "Unix time at which the index last heard of its source; 0 if never."
        )

    def _create_for_policies(self) -> None:
        self._policies = self._gauge("policies_loaded", "Policies in force.")
        self._policy_failures = self._counter(
            "policy_load_failures", "Loads of the policy files that failed; the last good set stayed in force."
        )
        build = self._gauge("build_info", "Always 1; the labels say what runs.", "version")
        build.labels(remediator.__version__).set(1)

    def notification(self, code: int) -> None:
        """Count one answer of /webhook by its HTTP status code."""
        self._notifications.labels(str(code)).inc()

    def alert(self, status: str) -> None:
        """Count one alert received; `status` is `firing` or `resolved`."""
        self._alerts.labels(status).inc()

    def truncated(self, alerts: int) -> None:
        """Count the alerts that one notification says were left out of it."""
        self._truncated.inc(alerts)

    def outcome(self, row: AlertOutcome) -> None:
        """Count how one alert ended for one target."""
        self._outcomes.labels(row.policy or NO_POLICY, row.outcome.value, row.reason.value).inc()

    def patched(self, duration_s: float, age_s: float) -> None:
        """Record one effective patch: seconds since the request arrived, and since the alert's startsAt."""
        self._duration.observe(duration_s)
        self._age.observe(age_s)

    def attempt(self, result: Attempt) -> None:
        """Count one patch that was sent."""
        self._attempts.labels(result.value).inc()

    def kubernetes_request(self, verb: str, resource: str, code: int | str, seconds: float) -> None:
        """Record one request to the API server.

        Args:
            verb: as RBAC says it: `get`, `list`, `watch`, `patch`.
            resource: the plural, such as `virtualservices`.
            code: the HTTP status code, or one fixed word where there was no answer.
            seconds: how long it took.
        """
        self._requests.labels(verb, resource, str(code)).observe(seconds)

    def observe_health(self, health: IndexHealth) -> None:
        """Set the gauges of the index."""
        self._synced.set(1 if health.synced else 0)
        self._last_event.set(health.last_event or 0)
        for kind, count in health.objects.items():
            self._objects.labels(kind).set(count)

    def observe_brakes(self, brakes: Brakes) -> None:
        """Set the gauges of what holds the whole service back."""
        self._budget_remaining.set(brakes.budget_remaining)
        self._paused.set(brakes.paused)

    def observe_awaiting(self, count: float) -> None:
        """Set the gauge of plans that wait for a person; NaN where the records are not known."""
        self._awaiting.set(count)

    def verification(self, verdict: VerificationVerdict) -> None:
        """Count one verification that came to its end."""
        self._verifications.labels(verdict.value).inc()

    def gate(self, go: bool | None) -> None:
        """Count one answer of the gate; None: it could not tell."""
        self._gate_answers.labels("unknown" if go is None else "go" if go else "held").inc()

    def notices(self, service: str, result: str, count: int) -> None:
        """Count what people were to be told.

        Args:
            service: apprise's name of what takes it; of those that the file of recipients names.
            result: a word of notifying.courier.Result.
            count: 0: only that there is a series, so that its first increase is seen.
        """
        self._notices.labels(service, result).inc(count)

    def observe_holds(self, count: float) -> None:
        """Set the gauge of holds; NaN where the records are not known."""
        self._holds.set(count)

    def held(self, writer: str) -> None:
        """Count one withdrawal that was brought back; `writer` is the field manager that had undone it."""
        self._enforcements.labels(writer_label(writer)).inc()

    def hold_lost(self, writer: str) -> None:
        """Count one hold that was given up."""
        self._lost.labels(writer_label(writer)).inc()

    def polled(self, code: int) -> None:
        """Count one answer to Flagger's question whether to roll back, by its HTTP status code."""
        self._polls.labels(str(code)).inc()

    def heartbeat(self) -> None:
        """Note that the watchdog has come: the way from Prometheus over Alertmanager to here is open."""
        self._heartbeat = self._clock()

    def observe_policies(self, count: int, failures: int) -> None:
        """Set the gauge of policies, and bring the counter of failed loads up to `failures` since the start."""
        self._policies.set(count)
        with self._failures_lock:
            self._policy_failures.inc(max(0, failures - self._failures_seen))
            self._failures_seen = max(self._failures_seen, failures)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Write all metrics for Prometheus.

        Args:
            accept: the request's Accept header; OpenMetrics is written where it asks for it.

        Returns:
            The body, and its content type.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, labels, namespace="remediator", registry=self._registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(name, documentation, labels, namespace="remediator", registry=self._registry)

    def _histogram(self, name: str, documentation: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, documentation, labels, namespace="remediator", registry=self._registry, buckets=buckets)
