"""What the service does for those who run it, from the alert to the record's end: each flow on a VirtualService of its
own, by the service's HTTP interface and an administrator's hands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.builders import (
    alert,
    destination_rule,
    endpoint,
    endpoint_slice,
    flagger_canary,
    labels,
    notification,
    pod,
    policy,
    rollout,
    split,
    updating,
    virtual_service,
)
from tests.contract import manifest
from tests.processes import wait_until
from tests.real_world import CORE, GROUP, RECORDS, SLICES
from tests.servers import ApiServer
from tests.service import Service

Json = dict[str, Any]

ROLLOUTS = "/apis/argoproj.io/v1alpha1"
CANARIES = "/apis/flagger.app/v1beta1"
FLUX = "kustomize.toolkit.fluxcd.io"
DEADLINE_S = 30.0

POLICIES = (
    policy("act", matchers=['alertname = "CanaryErrorRatioAboveStable"'], guards={"cooldown": "0s"}),
    policy("ask", matchers=['alertname = "AskFirst"'], mode="Approve", guards={"cooldown": "0s"}),
    policy("look", matchers=['alertname = "JustLook"'], mode="Observe", guards={"cooldown": "0s"}),
)
FLAGS = ("--max-alert-age", "0", "--budget", "off", "--gitops-pause")


@dataclass(frozen=True)
class Stage:
    """A namespace, the service that looks after it, and an administrator."""

    server: ApiServer
    service: Service
    namespace: str

    # -- what is there

    def deploy(self, name: str, *, ready: bool = True, rules: str = "", **metadata: Any) -> None:
        """A service of two versions, 10 % on v2, and wait until all of it is known; `rules`: where its rule is."""
        body = manifest(
            virtual_service({"route": split(name, stable=90, canary=10)}, name=name, namespace=self.namespace)
        )
        body["metadata"] |= metadata
        backend = endpoint("10.0.0.1", f"{name}-v1", ready=ready)
        self.create(f"{CORE}/namespaces/{{}}/pods", pod(f"{name}-v1", self.namespace, app=name, version="v1"))
        self.create(
            f"{SLICES}/namespaces/{{}}/endpointslices", endpoint_slice(backend, service=name, namespace=self.namespace)
        )
        host, home = f"{name}.{self.namespace}.svc.cluster.local", rules or self.namespace
        rule = manifest(destination_rule(host, home, f"{name}-{self.namespace}", stable="v1", canary="v2"))
        self.server.request("POST", f"{GROUP}/namespaces/{home}/destinationrules", rule)
        self.create(f"{GROUP}/namespaces/{{}}/virtualservices", body)
        wait_until(lambda: self.known(name), f"{self.namespace}/{name} is known", DEADLINE_S)

    def create(self, collection: str, body: Json) -> None:
        self.server.request("POST", collection.format(self.namespace), body)

    def known(self, name: str) -> bool:
        """Whether the service knows its canary, and which version that is."""
        _, answer = self.service.ask("GET", f"/api/v1/exposures?limit=500&namespace={self.namespace}")
        return any(each["name"] == name and each["versions"] == ["v2"] for each in answer["items"])

    def path(self, name: str) -> str:
        return f"{GROUP}/namespaces/{self.namespace}/virtualservices/{name}"

    def live(self, name: str) -> Json:
        return self.server.request("GET", self.path(name))

    def weights(self, name: str) -> list[int]:
        return [share.get("weight", 0) for share in self.live(name)["spec"]["http"][0]["route"]]

    def put_back(self, name: str) -> None:
        """As a GitOps controller does."""
        body = self.live(name)
        body["spec"]["http"][0]["route"] = split(name, stable=90, canary=10)
        self.server.request("PUT", self.path(name), body)

    def record(self, name: str) -> Json:
        """The last record of what was done to it."""
        found = self.server.request("GET", f"{RECORDS}/namespaces/{self.namespace}/remediations")["items"]
        own = [each for each in found if each["spec"]["target"]["name"] == name]
        return max(own, key=lambda each: int(each["metadata"]["resourceVersion"]))

    # -- what is done

    def fire(self, name: str, alertname: str = "CanaryErrorRatioAboveStable", number: int = 0) -> tuple[str, str]:
        """Deliver an alert on v2, always the same for the same `number`; outcome and reason."""
        accused = labels(name=name, namespace=self.namespace, alertname=alertname)
        told = alert(accused, fingerprint=f"{alertname}-{name}-{number}")
        _, answer = self.service.post(notification([told]))
        (row,) = answer["outcomes"]
        return row["outcome"], row["reason"]

    def answer(self, name: str, verb: str) -> tuple[str, str]:
        """Ask the service for something about the record; outcome and reason."""
        record = self.record(name)["metadata"]["name"]
        body = {"by": "ann", "reason": "as a test"}
        _, answer = self.service.ask("POST", f"/api/v1/remediations/{self.namespace}/{record}/{verb}", body)
        return answer["outcome"], answer["reason"]


Flow = Callable[[Stage], None]


def withdrawn_and_recorded(stage: Stage) -> None:
    """An alert takes the traffic away; the record and an Event say so; the next delivery changes nothing."""
    stage.deploy("acted")
    assert ("Applied", "Patched") == stage.fire("acted")
    assert [100, 0] == stage.weights("acted")
    assert "Applied" == stage.record("acted")["status"]["phase"]
    events = stage.server.request("GET", f"/apis/events.k8s.io/v1/namespaces/{stage.namespace}/events")["items"]
    assert "Patched" in {each["reason"] for each in events if each["regarding"]["name"] == "acted"}
    assert ("Unchanged", "NotExposed") == stage.fire("acted")


def told_by_the_root_namespace(stage: Stage) -> None:
    """What a subset is, a rule for the whole mesh may say."""
    stage.deploy("meshed", rules="istio-system")
    assert ("Applied", "Patched") == stage.fire("meshed")
    assert [100, 0] == stage.weights("meshed")


def refused_where_stable_is_not_ready(stage: Stage) -> None:
    """Endpoints and their pods are counted."""
    stage.deploy("unready", ready=False)
    assert ("Denied", "StableNotReady") == stage.fire("unready")
    assert [90, 10] == stage.weights("unready")


def held_and_released(stage: Stage) -> None:
    """Whoever puts it back is answered, Flux is told to leave it alone, and a release ends both."""
    stage.deploy("held", labels={f"{FLUX}/name": "shop"}, annotations={"team": "shop"})
    assert ("Applied", "Patched") == stage.fire("held")

    def paused() -> bool:
        return f"{FLUX}/reconcile" in stage.live("held")["metadata"]["annotations"]

    wait_until(paused, "Flux is told to leave it alone", DEADLINE_S)
    stage.put_back("held")
    wait_until(lambda: [100, 0] == stage.weights("held"), "it is brought back", DEADLINE_S)
    assert ("Applied", "Released") == stage.answer("held", "release")
    wait_until(lambda: not paused(), "Flux is let have it again", DEADLINE_S)


def approved(stage: Stage) -> None:
    """A plan waits for a person, and is carried out."""
    stage.deploy("asked")
    assert ("AwaitingApproval", "ApprovalRequired") == stage.fire("asked", "AskFirst")
    assert [90, 10] == stage.weights("asked")
    assert ("Applied", "Patched") == stage.answer("asked", "approve")
    assert [100, 0] == stage.weights("asked")


def approved_by_kubectl(stage: Stage) -> None:
    """The record alone says yes; whichever replica sees it carries it out."""
    stage.deploy("patched")
    assert ("AwaitingApproval", "ApprovalRequired") == stage.fire("patched", "AskFirst")
    record = stage.record("patched")["metadata"]
    stage.server.request(
        "PATCH",
        f"{RECORDS}/namespaces/{stage.namespace}/remediations/{record['name']}",
        {"spec": {"approval": {"approved": True}}},
        content_type="application/merge-patch+json",
    )
    wait_until(lambda: [100, 0] == stage.weights("patched"), "it is carried out", DEADLINE_S)


def undone(stage: Stage) -> None:
    """What was taken away is given back, and stays."""
    stage.deploy("undone")
    assert ("Applied", "Patched") == stage.fire("undone")
    assert ("Applied", "Undone") == stage.answer("undone", "undo")
    assert [90, 10] == stage.weights("undone")
    assert ("Denied", "Undone") == stage.fire("undone")


def aborted(stage: Stage) -> None:
    """What a Rollout drives is taken away by its abort."""
    driver = rollout("rolled", name="rolled", namespace=stage.namespace, rule=f"rolled-{stage.namespace}")
    driver["metadata"] = {"name": "rolled", "namespace": stage.namespace}
    path = f"{ROLLOUTS}/namespaces/{stage.namespace}/rollouts"
    made = stage.server.request("POST", path, driver)
    stage.server.request("PUT", f"{path}/rolled/status", made | {"status": updating()})
    stage.deploy("rolled")
    wait_until(lambda: stage.fire("rolled") == ("Applied", "Aborted"), "the Rollout is known", DEADLINE_S)
    assert updating(abort=True) == stage.server.request("GET", f"{path}/rolled")["status"]
    assert [90, 10] == stage.weights("rolled")


def left_to_flagger(stage: Stage) -> None:
    """What Flagger drives is not patched."""
    stage.create(f"{CANARIES}/namespaces/{{}}/canaries", flagger_canary("flagged", stage.namespace))
    stage.deploy("flagged")
    stage.fire("flagged")
    assert [90, 10] == stage.weights("flagged")


def stopped_by_people(stage: Stage) -> None:
    """A pause and the annotation of a namespace are heard of."""
    stage.deploy("stopped")
    namespace = f"{CORE}/namespaces/{stage.namespace}"
    merge = "application/merge-patch+json"
    off = {"metadata": {"annotations": {"remediator.io/mode": "Off"}}}
    stage.server.request("PATCH", namespace, off, content_type=merge)
    looks = count(1)
    wait_until(
        lambda: ("Denied", "SwitchedOff") == stage.fire("stopped", "JustLook", next(looks)), "it is off", DEADLINE_S
    )
    assert ("Denied", "SwitchedOff") == stage.fire("stopped")
    pause = {"apiVersion": "remediator.io/v1alpha1", "kind": "Pause", "metadata": {"name": "fleet"}}
    stage.server.request("POST", f"{RECORDS}/pauses", pause | {"spec": {"by": "ann", "reason": "as a test"}})
    try:
        wait_until(lambda: "\nremediator_paused 1" in stage.service.metrics(), "it is paused", DEADLINE_S)
        assert "Denied" == stage.fire("stopped")[0]
    finally:
        stage.server.request("DELETE", f"{RECORDS}/pauses/fleet")
        on = {"metadata": {"annotations": {"remediator.io/mode": None}}}
        stage.server.request("PATCH", namespace, on, content_type=merge)
    wait_until(lambda: stage.fire("stopped") == ("Applied", "Patched"), "it acts again", DEADLINE_S)


FLOWS: tuple[Flow, ...] = (
    withdrawn_and_recorded,
    told_by_the_root_namespace,
    refused_where_stable_is_not_ready,
    held_and_released,
    approved,
    approved_by_kubectl,
    undone,
    aborted,
    left_to_flagger,
    stopped_by_people,
)
"""In any order, each once in a namespace."""
