"""Flagger as its source has it (fluxcd/flagger v1.44 pkg/controller), for one Canary of a cluster in memory.

What it keeps, it keeps in the Canary's status, and it acts at each tick: scheduler.go, advanceCanary and what that
calls, in the same order. Deployments are two flags here, and metrics always well.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from remediator.outcome import TargetRef
from remediator.owners.checksum import checksum
from tests.builders import by_host
from tests.fakes import FakeCluster

Json = dict[str, Any]
Post = Callable[[str, Json], int]
"""Sends a payload to a URL: the code of the answer. Raises OSError where there is none."""

_CANARY: Final = TargetRef("Canary", "shop", "reviews")
_ASKED_IN: Final = ("Progressing", "Waiting", "WaitingPromotion")
_UNDER_WAY: Final = ("Progressing", "WaitingPromotion", "Promoting", "Finalising")
_CONDITIONS: Final = {"Initialized": "True", "Succeeded": "True", "Failed": "False"}


@dataclass
class Flagger:
    """Drives the VirtualService of one Canary."""

    cluster: FakeCluster
    post: Post
    now: Callable[[], datetime]
    canary: TargetRef = _CANARY
    target: str = "first"
    """The hash of the target's spec."""
    primary_ready: bool = True
    canary_ready: bool = True
    answers: list[int] = field(default_factory=list)
    """The codes of the rollback hook."""

    # -- what a person does

    def deploy(self, target: str) -> None:
        """Another spec of the target; ticks until it is on trial with 10 %."""
        self.target = target
        for _ in range(4):
            if self.status.get("canaryWeight") == 10 and self.status["lastAppliedSpec"] == target:
                return
            self.tick()
        raise AssertionError(f"{target} is not on trial: {self.status}")

    # -- what it is at

    @property
    def body(self) -> Json:
        return copy.deepcopy(self.cluster.stored[self.canary])

    @property
    def status(self) -> Json:
        found: Json = self.body.get("status", {})
        return found

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    @property
    def weight(self) -> int:
        """Of the canary."""
        route = self.cluster.stored[TargetRef("VirtualService", *self._name)]["spec"]["http"][0]["route"]
        return int(route[1]["weight"])

    @property
    def checksum(self) -> str:
        """As its payload has it."""
        return checksum(self.status["lastAppliedSpec"], self.status.get("trackedConfigs"))

    @property
    def _name(self) -> tuple[str, str]:
        return self.canary.namespace, self.canary.name

    # -- scheduler.go

    def tick(self) -> None:  # noqa: PLR0911 - as the original
        """One interval: advanceCanary."""
        canary = self.body
        spec, status = canary["spec"], canary.get("status", {})
        if spec.get("suspend"):
            return
        if status.get("phase", "") in ("", "Initializing"):
            self._sync("Initialized")
            return
        if not self._should_advance(status) or not self.primary_ready:
            return
        if status["phase"] not in _UNDER_WAY:
            if self._confirmed("confirm-rollout", status["phase"]):
                self._sync("Progressing")
            return
        if status["phase"] in ("Progressing", "WaitingPromotion") and self._changed(status):
            self._route(0)
            self._sync("Progressing")
            return
        if not self.canary_ready:
            return
        if spec.get("skipAnalysis"):
            self._route(0)
            self._set_phase("Succeeded")
            return
        if status["phase"] in _ASKED_IN and self._rollback_asked(status["phase"]):
            self._route(0)
            self._sync("Failed")
            return
        self._advance(status)

    def _advance(self, status: Json) -> None:
        if status["phase"] == "Promoting":
            self._route(0)
            self._set_phase("Finalising")
        elif status["phase"] == "Finalising":
            self._set_phase("Succeeded")
        elif self.weight < self.body["spec"]["analysis"]["maxWeight"]:
            if self._confirmed("confirm-traffic-increase", "Progressing"):
                self._route(self.weight + 10)
                self._write(canaryWeight=self.weight)
        elif self._confirmed("confirm-promotion", "Progressing"):
            self._set_phase("Promoting")
        else:
            self._set_phase("WaitingPromotion")

    def _should_advance(self, status: Json) -> bool:
        if status["phase"] in (*_UNDER_WAY, "Waiting"):
            return True
        if status["phase"] == "Failed":
            self._write(lastAppliedSpec=self.target)
        return self._changed(status)

    def _changed(self, status: Json) -> bool:
        """hasSpecChanged."""
        return self.target not in (status.get("lastPromotedSpec"), status["lastAppliedSpec"])

    # -- webhook.go and scheduler_hooks.go

    def _rollback_asked(self, phase: str) -> bool:
        return any(self._call(each, phase, self.answers) for each in self._hooks("rollback"))

    def _confirmed(self, kind: str, phase: str) -> bool:
        return all(self._call(each, phase, []) for each in self._hooks(kind))

    def _hooks(self, kind: str) -> list[Json]:
        return [each for each in self.body["spec"]["analysis"].get("webhooks", []) if each["type"] == kind]

    def _call(self, hook: Json, phase: str, answers: list[int]) -> bool:
        """CallWebhook: an error is a no, and 5xx is asked again (hashicorp/go-retryablehttp, ErrorPropagatedRetryPolicy
        but 501)."""
        namespace, name = self._name
        payload = {"name": name, "namespace": namespace, "phase": phase, "checksum": self.checksum}
        payload |= {"metadata": hook["metadata"]} if "metadata" in hook else {}
        for _ in range(1 + hook.get("retries", 0)):
            try:
                code = self.post(hook["url"], payload)
            except OSError:
                continue
            answers.append(code)
            if code < 500 or code == 501:
                return code <= 202
        return False

    # -- status.go and istio.go

    def _route(self, weight: int) -> None:
        def route(body: Json) -> None:
            body["spec"]["http"][0]["route"] = by_host(reviews_primary=100 - weight, reviews_canary=weight)

        self.cluster.edit(TargetRef("VirtualService", *self._name), route, indexed=True)

    def _sync(self, phase: str) -> None:
        """syncCanaryStatus."""
        promoted = {"lastPromotedSpec": self.target} if phase == "Initialized" else {}
        self._write(phase=phase, canaryWeight=0, lastAppliedSpec=self.target, **promoted)

    def _set_phase(self, phase: str) -> None:
        """setStatusPhase."""
        promoted = {"lastPromotedSpec": self.status["lastAppliedSpec"]} if phase == "Succeeded" else {}
        self._write(phase=phase, **promoted)

    def _write(self, **changes: Any) -> None:
        def write(body: Json) -> None:
            status = body.setdefault("status", {})
            status |= changes
            status["conditions"] = [self._condition(status)]

        self.cluster.edit(self.canary, write, indexed=True)

    def _condition(self, status: Json) -> Json:
        """MakeStatusConditions: its time changes with its status, and not with the phase."""
        was = (status.get("conditions") or [{}])[0]
        told = _CONDITIONS.get(status["phase"], "Unknown")
        since = was.get("lastTransitionTime") if was.get("status") == told else self.now().isoformat(timespec="seconds")
        return {"type": "Promoted", "status": told, "reason": status["phase"], "lastTransitionTime": since}
