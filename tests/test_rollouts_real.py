"""Argo Rollouts, nothing faked but its controller: alert → service → API server with the real CRD and Argo's manifests.

The controller is scripted: it writes what the real one would, under its name, and only when a test says so.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from remediator.cli.main import program
from remediator.traffic.subsets import POD_HASH
from tests import builders
from tests.builders import Json, alert, labels, notification
from tests.definitions import CRDS, DATA, crds
from tests.processes import Missing, wait_until
from tests.real_world import CORE, EVENTS, GROUP, RECORDS, SLICES
from tests.servers import ApiServer, running_api_server
from tests.service import PERMISSIONS, Service, running_service

pytestmark = pytest.mark.servers

SAMPLES = DATA / "samples" / "argo-rollouts"
SUBSETS, MIRROR = "istio-subset-split.yaml", "istio-mirror.yaml"
ROLLOUTS = "/apis/argoproj.io/v1alpha1"
CONTROLLER = "rollouts-controller"
DEADLINE_S = 20.0
BAD, MENDED = (f"sha256:{64 * letter}" for letter in "ab")
POLICY = builders.policy(guards={"stableReady": "0%", "cooldown": "0s"})


def sample(name: str) -> dict[str, Json]:
    """The objects of one of Argo's own examples, by kind."""
    path = SAMPLES / name
    if not path.exists():
        raise Missing(f"{path.name} is not there; it belongs in {path.parent}")
    return {body["kind"]: body for body in yaml.safe_load_all(path.read_text())}


@dataclass(frozen=True)
class Shop:
    """An API server that knows Rollouts, and the service in front of it."""

    server: ApiServer
    service: Service

    def deliver(self, name: str, version: str, namespace: str, starts_at: str) -> Json:
        """Have an alert delivered that accuses a version of a service; the outcome."""
        accused = alert(labels(version, name, namespace), fingerprint=f"{namespace}-{version}")
        code, answer = self.service.post(notification([accused | {"startsAt": starts_at}]))
        assert 200 == code, answer
        (outcome,) = answer["outcomes"]
        return dict(outcome)


@dataclass(frozen=True)
class Trial:
    """One of Argo's examples in a namespace of its own, whose stable pods are of version v1."""

    shop: Shop
    namespace: str
    bodies: dict[str, Json]

    @classmethod
    def begin(cls, shop: Shop, namespace: str, name: str) -> Trial:
        """As it stands after a first deployment."""
        made = cls(shop, namespace, sample(name))
        shop.server.namespace(namespace)
        made._write_account()
        for kind in ("VirtualService", "DestinationRule", "Rollout"):
            if kind in made.bodies:
                made._create(kind)
        made.template("v1")
        made.stands(current="old")
        made.point(canary="old")
        made.run("stable-1", "v1", "old", MENDED)
        return made

    def run(self, name: str, version: str, pod_hash: str, digest: str, *, service: str = "") -> None:
        """A pod behind its service, or another one, that runs this image."""
        app = self.bodies["Rollout"]["metadata"]["name"]
        made = builders.pod(name, self.namespace, **{"app": app, "version": version, POD_HASH: pod_hash})
        made["spec"]["containers"][0]["image"] = f"example.org/main@{digest}"
        pods = f"{CORE}/namespaces/{self.namespace}/pods"
        body = self.shop.server.request("POST", pods, made)
        status = {"name": "main", "imageID": f"example.org/main@{digest}", "image": "example.org/main", "ready": True}
        body["status"]["containerStatuses"] = [status | {"restartCount": 0}]
        self.shop.server.request("PUT", f"{pods}/{name}/status", body)
        behind = builders.endpoint("10.0.0.1", name, ready=True)
        behind["targetRef"]["namespace"] = self.namespace
        found = builders.endpoint_slice(behind, service=service or app, namespace=self.namespace, name=f"{app}-{name}")
        self.shop.server.request("POST", f"{SLICES}/namespaces/{self.namespace}/endpointslices", found)

    def _write_account(self) -> None:
        account = {"metadata": {"name": "default"}, "automountServiceAccountToken": False}
        self.shop.server.apply(f"{CORE}/namespaces/{self.namespace}/serviceaccounts", account)

    def _create(self, kind: str) -> None:
        body = copy.deepcopy(self.bodies[kind])
        body["metadata"]["namespace"] = self.namespace
        group = ROLLOUTS if kind == "Rollout" else GROUP
        body["apiVersion"] = group.removeprefix("/apis/")
        self.shop.server.request("POST", f"{self._collection(kind)}?fieldManager=kubectl", body)

    def _collection(self, kind: str) -> str:
        group = ROLLOUTS if kind == "Rollout" else GROUP
        return f"{group}/namespaces/{self.namespace}/{kind.lower()}s"

    def path(self, kind: str) -> str:
        return f"{self._collection(kind)}/{self.bodies[kind]['metadata']['name']}"

    def live(self, kind: str) -> Json:
        return self.shop.server.request("GET", self.path(kind))

    # -- what people and the controller write

    def template(self, version: str) -> None:
        """Somebody deploys this version."""
        body = self.live("Rollout")
        body["spec"]["template"]["metadata"]["labels"]["version"] = version
        self.shop.server.request("PUT", f"{self.path('Rollout')}?fieldManager=kubectl", body)

    def stands(self, current: str, **more: Any) -> None:
        """The controller has seen the newest template, and writes where it stands."""
        body = self.live("Rollout")
        observed = str(body["metadata"]["generation"])
        body["status"] = {"currentPodHash": current, "stableRS": "old", "observedGeneration": observed} | more
        self.shop.server.request("PUT", f"{self.path('Rollout')}/status?fieldManager={CONTROLLER}", body)

    def point(self, canary: str) -> None:
        """The controller writes into the subsets which pods they are."""
        if "DestinationRule" not in self.bodies:
            return
        body = self.live("DestinationRule")
        for subset in body["spec"]["subsets"]:
            subset["labels"][POD_HASH] = canary if subset["name"] == "canary" else "old"
        self.shop.server.request("PUT", f"{self.path('DestinationRule')}?fieldManager={CONTROLLER}", body)

    def route(self, change: Callable[[list[Json]], object]) -> None:
        """The controller writes the routes."""
        body = self.live("VirtualService")
        change(body["spec"]["http"])
        self.shop.server.request("PUT", f"{self.path('VirtualService')}?fieldManager={CONTROLLER}", body)

    def weigh(self, canary: int) -> None:
        def write(http: list[Json]) -> None:
            (primary,) = [each for each in http if each["name"] == "primary"]
            primary["route"][0]["weight"], primary["route"][1]["weight"] = 100 - canary, canary

        self.route(write)

    def update(self) -> str:
        """Deploy v2, which gets a tenth; since when its template stands there."""
        self.template("v2")
        self.stands("new")
        self.point(canary="new")
        self.weigh(10)
        return str(self.written)

    @property
    def written(self) -> str:
        """When somebody has last written the template, to the second."""
        entries = self.live("Rollout")["metadata"]["managedFields"]
        return max(each["time"] for each in entries if "f:template" in each["fieldsV1"].get("f:spec", {}))

    # -- what is to be seen

    @cached_property
    def host(self) -> str:
        """Of the canary."""
        return str(self.bodies["VirtualService"]["spec"]["http"][0]["route"][1]["destination"]["host"])

    def deliver(self, version: str, starts_at: str) -> Json:
        return self.shop.deliver(self.host, version, self.namespace, starts_at)

    @property
    def aborted(self) -> bool:
        return self.live("Rollout")["status"].get("abort") is True

    @property
    def record(self) -> Json:
        (found,) = self.shop.server.request("GET", f"{RECORDS}/namespaces/{self.namespace}/remediations")["items"]
        return dict(found)

    @property
    def verdict(self) -> str:
        return str(self.record["status"].get("verification", {}).get("verdict", ""))

    @property
    def story(self) -> list[tuple[str, str]]:
        """Reason and type of each Event, in order."""
        found = self.shop.server.request("GET", f"{EVENTS}/namespaces/{self.namespace}/events")["items"]
        ordered = sorted(found, key=lambda event: str(event["eventTime"]))
        return [(event["reason"], event["type"]) for event in ordered]

    def known(self, exposed: bool = True) -> None:
        """Wait until the service has heard of what its controller wrote last."""

        def heard() -> bool:
            found = self.shop.service.ask("GET", f"/api/v1/exposures?namespace={self.namespace}")[1]["items"]
            return exposed == any(each["namespace"] == self.namespace for each in found)

        wait_until(heard, f"the service knows {self.namespace}", DEADLINE_S)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_api_server())
            server.install(crds(CRDS / "argo-rollouts.yaml", "rollouts"))
        except Missing as missing:
            pytest.skip(str(missing))
        server.allow("guest", *PERMISSIONS)
        service = running_service(server.kubeconfig("guest"), [POLICY], "--verify-within", "30s", "--budget", "off")
        yield Shop(server, stack.enter_context(service))


@pytest.fixture(scope="module")
def forgotten(shop: Shop) -> Trial:
    """An abort that no controller takes notice of; first, so that the last test need not wait for long."""
    found = Trial.begin(shop, "forgotten", SUBSETS)
    begun = found.update()
    found.known()
    assert "Aborted" == found.deliver("v2", begun)["reason"]
    return found


def test_one_that_is_not_updating_is_left_alone(shop: Shop, forgotten: Trial) -> None:
    assert forgotten.aborted
    trial = Trial.begin(shop, "at-rest", SUBSETS)
    before = [trial.live(kind) for kind in ("VirtualService", "Rollout")]
    outcome = trial.deliver("v1", trial.written)

    assert ("Denied", "NothingToAbort") == (outcome["outcome"], outcome["reason"])
    assert before == [trial.live(kind) for kind in ("VirtualService", "Rollout")]
    assert ("Failed", "NothingToAbort") == (trial.record["status"]["phase"], trial.record["status"]["reason"])


def test_an_update_is_aborted_on_its_status_and_seen_to_be_withdrawn_though_the_service_dies(shop: Shop) -> None:
    trial = Trial.begin(shop, "split", SUBSETS)
    begun = trial.update()
    later = datetime.fromisoformat(begun).timestamp() + 1
    wait_until(lambda: datetime.now(UTC).timestamp() > later, "the next step is of a later second")
    trial.run("canary-1", "v2", "new", BAD)
    trial.weigh(25)  # a step after the alert began
    trial.known()
    before = trial.live("VirtualService")

    outcome = trial.deliver("v2", begun)
    assert ("Applied", "Aborted") == (outcome["outcome"], outcome["reason"]), outcome
    assert trial.aborted
    assert before == trial.live("VirtualService"), "its controller alone writes the routes"
    (ours,) = [each for each in trial.live("Rollout")["metadata"]["managedFields"] if each["manager"] == "remediator"]
    assert {"f:status": {"f:abort": {}}} == ours["fieldsV1"]
    record = trial.record
    assert ("ArgoRollouts", "Applied", "Aborted") == (
        record["spec"]["lever"],
        record["status"]["phase"],
        record["status"]["reason"],
    )
    assert ["RevertToStable"] == record["spec"]["actions"]
    outcome = trial.deliver("v2", begun)
    assert ("Unchanged", "Aborted", record["metadata"]["name"]) == (
        outcome["outcome"],
        outcome["reason"],
        outcome["remediation"],
    )

    wait_until(lambda: "images" in trial.record["status"], "its pods are looked at", DEADLINE_S)
    (image,) = trial.record["status"]["images"]["found"]
    assert ("v2", BAD, True) == (image["version"], image["digest"], trial.record["status"]["images"]["complete"])
    renamed = f"namespace=split&service={trial.host}&version=v3&image=example.org/split@"
    asked = [shop.service.ask("GET", f"/api/v1/gate?{renamed}{each}")[1]["held"] for each in (BAD, MENDED)]
    assert [True, False] == asked

    shop.service.kill_worker()
    trial.weigh(0)  # as Argo does within seconds
    wait_until(lambda: trial.verdict == "Unrouted", "another worker sees it", DEADLINE_S * 2)
    found = trial.record["status"]
    assert found["verification"]["unroutedAt"] == found["verification"]["concludedAt"]
    assert [("Aborted", "Normal"), ("Unrouted", "Normal")] == trial.story
    (condition,) = [each for each in found["conditions"] if each["type"] == "Unrouted"]
    assert "True" == condition["status"]


def test_a_mirror_of_a_split_by_host_goes_with_the_update(shop: Shop) -> None:
    trial = Trial.begin(shop, "mirror", MIRROR)
    wait_until(shop.service.ready, "the service is ready")
    begun = trial.update()
    trial.weigh(0)
    mirror: Json = {
        "name": "mirror-route",
        "match": [{"method": {"exact": "POST"}, "uri": {"prefix": "/color"}}],
        "route": [{"destination": {"host": "istio-host-split-stable"}, "weight": 100}],
        "mirror": {"host": trial.host},
        "mirrorPercentage": {"value": 50},
    }
    trial.route(lambda http: http.insert(0, mirror))
    trial.run("canary-1", "v2", "new", BAD, service=trial.host)
    trial.known()

    outcome = trial.deliver("v2", begun)
    assert ("Applied", "Aborted") == (outcome["outcome"], outcome["reason"]), outcome
    assert ["RemoveMirrors"] == trial.record["spec"]["actions"]
    wait_until(lambda: "images" in trial.record["status"], "the pods of the canary's own service", DEADLINE_S)
    assert [BAD] == [each["digest"] for each in trial.record["status"]["images"]["found"]]
    trial.route(lambda http: http.pop(0))
    wait_until(lambda: trial.verdict == "Unrouted", "it is seen by the routes", DEADLINE_S)


def test_by_hand_it_is_the_same_lever_and_the_same_record(shop: Shop) -> None:
    trial = Trial.begin(shop, "by-hand", SUBSETS)
    name = f"by-hand/{trial.bodies['VirtualService']['metadata']['name']}"
    kubeconfig = str(shop.server.kubeconfig())
    run = partial(CliRunner().invoke, program, prog_name="remediator")
    command = ["rollback", name, "--suspect", "v2", "--yes", "--by", "ada", "--kubeconfig", kubeconfig]
    refused = run([*command[:3], "v1", *command[4:]])
    assert (1, False) == (refused.exit_code, trial.aborted)
    assert "NothingToAbort" in refused.stderr

    trial.update()
    before = trial.live("VirtualService")
    done = run(command)

    assert 0 == done.exit_code, done.output
    assert (True, before) == (trial.aborted, trial.live("VirtualService"))
    assert ("ArgoRollouts", "manual", "ada") == (
        trial.record["spec"]["lever"],
        trial.record["spec"]["policy"]["name"],
        trial.record["spec"]["request"]["by"],
    )
    trial.weigh(0)
    wait_until(lambda: trial.verdict == "Unrouted", "the service that runs sees it", DEADLINE_S)


def test_a_controller_that_does_not_come_is_told_of(forgotten: Trial) -> None:
    wait_until(lambda: forgotten.verdict == "StillRouted", "it has not come", 30 + DEADLINE_S)
    assert [("Aborted", "Normal"), ("StillRouted", "Warning")] == forgotten.story
    metrics = forgotten.shop.service.metrics()
    assert 'remediator_verifications_total{verdict="StillRouted"} 1.0' in metrics
