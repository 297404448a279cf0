"""Small real stand-ins for what the web application is made of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from remediator.alerts import Alert, Notification
from remediator.cluster.inventory import Inventory
from remediator.cluster.news import News
from remediator.cluster.port import Health, Snapshot
from remediator.errors import ClusterError, NotFound
from remediator.metrics import Brakes, Metrics
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.owners import Rollout
from remediator.pipeline.approving import Answered
from remediator.pipeline.releasing import Released
from remediator.pipeline.undoing import Ending
from remediator.policies.load import Loaded
from remediator.policies.matchers import parse_matcher
from remediator.policies.model import Action, Mode, Policy, PolicySet, TargetSpec
from remediator.records.events import Event
from remediator.records.gate import barred
from remediator.records.ledger import Head, head, unheard
from remediator.records.model import (
    Accusation,
    Approval,
    Conclusion,
    Intent,
    Phase,
    PolicyRef,
    Release,
    Remediation,
    Request,
    Target,
    Undoing,
)
from remediator.records.rollback import Trial
from remediator.traffic.hosts import Host
from remediator.traffic.patch import Patch
from remediator.traffic.suspect import Suspect
from remediator.web.app import create_app
from remediator.web.auth import Anonymous, Authenticator, TokenFile
from remediator.web.parts import Parts
from tests.builders import split, virtual_service

TARGET = TargetRef("VirtualService", "shop", "reviews")
NOW = 1_785_585_600.0
NOON = datetime.fromtimestamp(NOW, UTC)
HEALTHY = Health(True, "1 VirtualService, 0 DestinationRules", {"VirtualService": 1, "DestinationRule": 0}, NOW - 1)


def patched(alert: Alert) -> AlertOutcome:
    """An outcome that needs nothing more."""
    return AlertOutcome(
        fingerprint=alert.fingerprint,
        alertname=alert.name,
        policy="canary",
        target=TARGET,
        outcome=Outcome.APPLIED,
        reason=Reason.PATCHED,
        message="reviews v2 gets no traffic now",
        changes=("http[0] reviews v2: weight 10 → 0",),
    )


def unavailable(alert: Alert) -> AlertOutcome:
    """An outcome that another delivery can mend."""
    return replace(patched(alert), outcome=Outcome.FAILED, reason=Reason.UNAVAILABLE, message="no answer", changes=())


def a_record(name: str = "canary-1", **intent: Any) -> Remediation:
    """A record that is stored, and was applied two minutes ago; `intent` are other fields than these."""
    at = NOON - timedelta(minutes=2)
    fields: dict[str, Any] = {
        "alert": Accusation("f00d", "CanaryErrorRatioAboveStable", at, {"severity": "critical"}),
        "policy": PolicyRef("canary", "0f" * 32),
        "target": Target("networking.istio.io/v1", TARGET, "uid-shop-reviews"),
        "suspect": Suspect(Host("reviews.shop.svc.cluster.local"), "v2"),
        "actions": (Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS),
        "mode": Mode.ENFORCE,
        "changes": ("http[0]: reviews subset v2 weight 10 → 0",),
        "patch": ({"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 0},),
        "undo": ({"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 10},),
    }
    made = Intent(**fields | intent)
    record = Remediation(made.target.ref.namespace, name, made, uid=f"uid-{name}", resource_version="7", created_at=at)
    return record.ended(
        Conclusion(Phase.APPLIED, Reason.PATCHED, "changed: http[0]: reviews subset v2 weight 10 → 0"), at
    )


def undone(record: Remediation, request: Request) -> Ending:
    """An undo that ends well."""
    status = replace(record.status, phase=Phase.UNDONE, reason=Reason.UNDONE, undo=Undoing(request, NOON, NOON))
    taken, given = virtual_service({"route": split(v1=100, v2=0)}), virtual_service({"route": split(v1=90, v2=10)})
    return Ending(replace(record, status=status), Outcome.APPLIED, Reason.UNDONE, "put back", before=taken, after=given)


def not_undone(record: Remediation, request: Request) -> Ending:
    """An undo that another try can mend."""
    return Ending(record, Outcome.FAILED, Reason.UNAVAILABLE, "no answer")


class FakeLedger:
    """Records that are there from the start."""

    def __init__(self, *records: Remediation, fault: ClusterError | None = None) -> None:
        self.records = {(record.namespace, record.name): record for record in records}
        self.unindexed: dict[tuple[str, str], Remediation] = {}
        """Known at the source alone."""
        self.fault = fault
        """What is wrong with the index."""
        self.read_at_source: list[str] = []
        self.listener: Callable[[Event], None] = unheard

    def heads(self) -> Sequence[Head]:
        if self.fault:
            raise self.fault
        heads = sorted(map(head, self.records.values()), key=lambda each: each.key)
        return sorted(heads, key=lambda each: each.created_at, reverse=True)

    def get(self, namespace: str, name: str) -> Remediation | None:
        if self.fault:
            raise self.fault
        return self.records.get((namespace, name))

    def read(self, namespace: str, name: str) -> Remediation:
        self.read_at_source.append(f"{namespace}/{name}")
        try:
            return (self.records | self.unindexed)[namespace, name]
        except KeyError:
            raise NotFound(f'remediations.remediator.io "{name}" not found') from None

    def answering(self, fingerprint: str, starts_at: datetime) -> tuple[Head, ...]:
        raise NotImplementedError

    def taken_back(self, target_uid: str) -> tuple[Head, ...]:
        raise NotImplementedError

    def barring(self, host: Host) -> tuple[Remediation, ...]:
        if self.fault:
            raise self.fault
        return tuple(self.records[key] for key in sorted(self.records) if host in barred(self.records[key]))

    def of_canary(self, namespace: str, name: str) -> tuple[Remediation, ...]:
        raise NotImplementedError

    def create(self, record: Remediation) -> Remediation:
        raise NotImplementedError

    rewrite = conclude = create

    def delete(self, record: Remediation) -> None:
        raise NotImplementedError

    def listed(self, namespace: str | None = None) -> Iterator[Remediation]:
        raise NotImplementedError

    def announce(self, event: Event) -> bool:
        raise NotImplementedError


class FakePipeline:
    """Ends every alert in the same way, and every undo of a record that it has; remembers what it was given."""

    def __init__(
        self,
        decide: Callable[[Alert], AlertOutcome] = patched,
        take_back: Callable[[Remediation, Request], Ending] = undone,
        ledger: FakeLedger | None = None,
    ) -> None:
        self.decide = decide
        self.take_back = take_back
        self.ledger = ledger or FakeLedger()
        self.handled: list[Notification] = []
        self.asked: list[Request] = []
        self.answers: list[Approval] = []

    def undo(self, namespace: str, name: str, request: Request) -> Ending:
        self.asked.append(request)
        return self.take_back(self.ledger.read(namespace, name), request)

    def release(self, namespace: str, name: str, request: Request) -> Released:
        self.asked.append(request)
        record = self.ledger.read(namespace, name)
        if record.status.phase is not Phase.APPLIED:
            return Released(record, Outcome.DENIED, Reason.NOT_APPLIED, "it took no traffic")
        status = replace(record.status, release=Release(request, NOON))
        return Released(replace(record, status=status), Outcome.APPLIED, Reason.RELEASED, "released")

    def brakes(self) -> Brakes:
        return Brakes(7, 0)

    def awaiting(self) -> float:
        return 2

    def holding(self) -> float:
        return 3

    def answer(self, namespace: str, name: str, approval: Approval) -> Answered:
        self.answers.append(approval)
        record = replace(self.ledger.read(namespace, name), approval=approval)
        if record.status.phase is not Phase.AWAITING_APPROVAL:
            return Answered(record, Outcome.UNCHANGED, Reason.NOT_AWAITING, f"it is {record.status.phase}")
        if approval.approved:
            ended = record.ended(Conclusion(Phase.APPLIED, Reason.PATCHED, "changed"), NOON)
            return Answered(ended, Outcome.APPLIED, Reason.PATCHED, "changed", record.intent.changes)
        ended = record.ended(Conclusion(Phase.REJECTED, Reason.APPROVAL_REJECTED, "rejected"), NOON)
        return Answered(ended, Outcome.DENIED, Reason.APPROVAL_REJECTED, "rejected")

    def handle(self, notification: Notification) -> tuple[AlertOutcome, ...]:
        self.handled.append(notification)
        return tuple(self.decide(alert) for alert in notification.alerts)


def a_policy(name: str = "canary", **more: Any) -> Policy:
    """A policy as loaded."""
    values: dict[str, Any] = {
        "name": name,
        "description": "Send a failing canary's traffic back.",
        "matchers": (parse_matcher('alertname = "CanaryErrorRatioAboveStable"'),),
        "target": TargetSpec(namespaces=("shop-*",)),
        "actions": (Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS),
        "mode": Mode.ENFORCE,
        "source": "canary.yaml, document 1",
        "content_hash": "0f" * 32,
    }
    return Policy(**(values | more))


@dataclass
class FakePolicies:
    """Policies in force, and perhaps a fault in the files since."""

    policies: tuple[Policy, ...] = field(default_factory=lambda: (a_policy(),))
    fault: str | None = None
    failures: int = 0

    def current(self) -> Loaded:
        return Loaded(PolicySet(self.policies), self.fault, 1, self.failures)


@dataclass
class FakeCluster:
    """A cluster that is read only."""

    bodies: Sequence[dict[str, Any]] = ()
    rules: Sequence[dict[str, Any]] = ()
    """DestinationRules, Canaries and Rollouts."""
    condition: Health = HEALTHY
    fault: ClusterError | None = None
    ledger: FakeLedger = field(default_factory=FakeLedger)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def health(self) -> Health:
        return self.condition

    def routing(self) -> tuple[Snapshot, ...]:
        if self.fault:
            raise self.fault
        index = Inventory()
        for body in (*self.bodies, *self.rules):
            index.put(body)
        return tuple(index.routing())

    def routing_to(self, host: Host) -> tuple[Snapshot, ...]:
        raise NotImplementedError

    def find(self, ref: TargetRef) -> Snapshot | None:
        raise NotImplementedError

    def marked(self) -> tuple[TargetRef, ...]:
        raise NotImplementedError

    def news(self) -> News:
        raise NotImplementedError

    def read(self, ref: TargetRef) -> Snapshot:
        raise NotImplementedError

    def patch(self, ref: TargetRef, patch: Patch, *, dry_run: bool = False) -> Snapshot:
        raise NotImplementedError

    def abort(self, rollout: Rollout, *, dry_run: bool = False) -> None:
        raise NotImplementedError


class FakeRollbacks:
    """Has the revisions that are to be rolled back; remembers what it was asked."""

    def __init__(self, *condemned: Trial, fault: ClusterError | None = None) -> None:
        self.condemned = condemned
        self.fault = fault
        self.asked_about: list[Trial] = []

    def asked(self, trial: Trial) -> bool:
        self.asked_about.append(trial)
        if self.fault:
            raise self.fault
        return trial in self.condemned


@dataclass
class House:
    """An application and all that it is made of."""

    pipeline: FakePipeline = field(default_factory=FakePipeline)
    policies: FakePolicies = field(default_factory=FakePolicies)
    cluster: FakeCluster = field(default_factory=FakeCluster)
    metrics: Metrics = field(default_factory=Metrics)
    authenticator: Authenticator = field(default_factory=Anonymous)
    max_body: int = 64 * 1024
    draining: threading.Event = field(default_factory=threading.Event)
    ceiling: Mode = Mode.ENFORCE
    rollbacks: FakeRollbacks = field(default_factory=FakeRollbacks)

    def app(self) -> Flask:
        parts = Parts(
            pipeline=self.pipeline,
            policies=self.policies,
            cluster=self.cluster,
            metrics=self.metrics,
            authenticator=self.authenticator,
            max_body=self.max_body,
            clock=lambda: NOW,
            rollbacks=self.rollbacks,
            draining=self.draining,
            ceiling=self.ceiling,
        )
        return create_app(parts)

    def client(self) -> FlaskClient:
        return self.app().test_client()


def token_file(folder: Path, *tokens: str) -> TokenFile:
    """An authenticator of these tokens."""
    path = folder / "token"
    path.write_text("\n".join(tokens) + "\n")
    return TokenFile(path)
