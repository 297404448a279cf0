"""The whole way with nothing faked: Alertmanager → the service under gunicorn → kube-apiserver and etcd."""

from __future__ import annotations

import copy
import json
import signal
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import alert, destination, labels, notification, split, virtual_service
from tests.definitions import ISTIO_WITHOUT_V1
from tests.processes import Missing, binary, wait_until
from tests.real_world import cleared
from tests.scripted import ScriptedServer, reply, scripted
from tests.servers import Alertmanager, ApiServer, running_alertmanager, running_api_server
from tests.service import ANY_EVIDENCE, PERMISSIONS, UNGUARDED, Service, running_service

Json = dict[str, Any]

GROUP = "networking.istio.io"
DEADLINE_S = 30.0

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Mesh:
    """An API server with Istio's definitions, and the service in front of it."""

    server: ApiServer
    version: str
    """Of the group networking.istio.io, for the test's own requests."""
    service: Service

    def create(self, namespace: str) -> Json:
        """Create a canary at 10 % that also gets a mirror of all traffic; what the API server made of it."""
        self.server.namespace(namespace)
        self.server.request("POST", self.path("destinationrules", namespace), self._rule(namespace))
        return self.server.request("POST", self.path("virtualservices", namespace), self._routing(namespace))

    def deploy(self, namespace: str) -> Json:
        """The same, and wait until the service has heard of it."""
        body = self.create(namespace)
        wait_until(lambda: self._exposed(namespace), f"the service knows the canary in {namespace}", DEADLINE_S)
        return body

    def path(self, plural: str, namespace: str, name: str = "") -> str:
        return f"/apis/{GROUP}/{self.version}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")

    def routing(self, namespace: str, name: str = "reviews") -> Json:
        """The VirtualService as it is now."""
        return self.server.request("GET", self.path("virtualservices", namespace, name))

    def rule(self, namespace: str) -> Json:
        """The DestinationRule as it is now."""
        return self.server.request("GET", self.path("destinationrules", namespace, "reviews"))

    def record(self, namespace: str) -> str:
        """The name of the one Remediation there."""
        found = self.server.request("GET", f"/apis/remediator.io/v1alpha1/namespaces/{namespace}/remediations")
        (name,) = [item["metadata"]["name"] for item in found["items"]]
        return str(name)

    def is_withdrawn(self, namespace: str) -> bool:
        """Whether the canary has no weight left."""
        return [100, 0] == weights(self.routing(namespace))

    def _exposed(self, namespace: str) -> bool:
        request = urllib.request.Request(f"{self.service.url}/api/v1/exposures", headers=self.service.headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return any(item["namespace"] == namespace for item in json.load(answer)["items"])

    def _routing(self, namespace: str) -> Json:
        """A VirtualService with much around the canary that is none of our business."""
        canary = {
            "name": "reviews",
            "match": [{"uri": {"prefix": "/reviews"}, "headers": {"x-note": {"regex": "<a>&\u2028ü.*"}}}],
            "timeout": "2.5s",
            "retries": {"attempts": 3, "perTryTimeout": "500ms", "retryOn": "5xx,reset"},
            "headers": {"response": {"set": {"x-served-by": "reviews"}, "remove": ["x-powered-by"]}},
            "fault": {"delay": {"percentage": {"value": 0.5}, "fixedDelay": "1s"}},
            "route": split(v1=90, v2=10),
            "mirror": destination("v2"),
            "mirrorPercentage": {"value": 100},
        }
        ratings = {
            "match": [{"uri": {"prefix": "/ratings"}}],
            "route": [{"destination": destination("v2", "ratings", 9080), "weight": 100}],
            "mirror": destination("v2", "ratings"),
            "mirrorPercentage": {"value": 12.5},
        }
        body = virtual_service(canary, ratings, namespace=namespace, hosts=["reviews"], gateways=["mesh", "edge"])
        body["apiVersion"] = f"{GROUP}/{self.version}"
        body["metadata"] = {
            "name": "reviews",
            "namespace": namespace,
            "labels": {"app": "reviews", "example.org/team": "a_b"},
            "annotations": {
                "example.org/owner": "shop & söhne <shop@example.org>",
                "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": body["spec"]}) + "\n",
            },
        }
        return body

    def _rule(self, namespace: str) -> Json:
        subsets = [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")]
        return {
            "apiVersion": f"{GROUP}/{self.version}",
            "kind": "DestinationRule",
            "metadata": {"name": "reviews", "namespace": namespace},
            "spec": {"host": "reviews", "subsets": subsets},
        }


@dataclass(frozen=True)
class Alerting:
    """Alertmanager in front of the service, and what it sent."""

    alertmanager: Alertmanager
    token_file: Path
    """Alertmanager's copy of the token; it reads the file for each notification."""
    copies: ScriptedServer
    """Gets every notification too, and never fails."""

    def fire(self, namespace: str, *, ends: timedelta = timedelta(hours=1)) -> None:
        """Tell of an alert on the canary in `namespace`, as Prometheus does."""
        now = datetime.now(UTC)
        times = {"startsAt": (now - timedelta(seconds=90)).isoformat(), "endsAt": (now + ends).isoformat()}
        self.alertmanager.post([{"labels": labels(namespace=namespace), "annotations": {"summary": "ü"}} | times])

    def sent(self) -> tuple[bytes, ...]:
        """The notifications as they were sent."""
        return tuple(request.body for request in self.copies.requests)

    def fingerprint(self) -> str:
        """Of the first alert that was sent, once it has been."""
        wait_until(self.sent, "Alertmanager has sent a notification", DEADLINE_S)
        return str(json.loads(self.sent()[0])["alerts"][0]["fingerprint"])

    def failures(self) -> float:
        """How many notifications Alertmanager says have failed."""
        with urllib.request.urlopen(f"{self.alertmanager.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        name = 'alertmanager_notifications_failed_total{integration="webhook"'
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.fixture(
    scope="module",
    params=[pytest.param("v1", id="Istio's v1"), pytest.param("v1beta1", id="Istio before v1")],
)
def mesh(request: pytest.FixtureRequest) -> Iterator[Mesh]:
    with ExitStack() as stack:
        try:
            # Before any server is started in vain.
            binary("PROMETHEUS_BIN_DIR", "alertmanager", "prometheus-alertmanager")
            if request.param == "v1":
                server = request.getfixturevalue("api_server")
                cleared(server)  # other modules use it too, and clear it before, not after
            else:
                server = stack.enter_context(running_api_server(ISTIO_WITHOUT_V1))
        except Missing as missing:
            pytest.skip(str(missing))
        server.allow("guest", *PERMISSIONS)
        service = stack.enter_context(running_service(server.kubeconfig("guest"), [UNGUARDED], *ANY_EVIDENCE))
        yield Mesh(server, request.param, service)


only_v1 = pytest.mark.parametrize("mesh", [pytest.param("v1", id="Istio's v1")], indirect=True)


@pytest.fixture
def alerting(mesh: Mesh, tmp_path: Path) -> Iterator[Alerting]:
    token_file = tmp_path / "token"
    token_file.write_bytes(mesh.service.token_file.read_bytes())
    with ExitStack() as stack:
        copies = stack.enter_context(scripted(lambda _: reply(200, {})))
        config = alertmanager_config(mesh.service.url, token_file, copies.url)
        yield Alerting(stack.enter_context(running_alertmanager(config)), token_file, copies)


def alertmanager_config(service_url: str, token_file: Path, copies_url: str) -> Json:
    """As docs/alertmanager.md says, with a shorter group_interval, and with repeats at once."""
    common = {"send_resolved": True, "max_alerts": 0}
    authorization = {"type": "Bearer", "credentials_file": str(token_file)}
    return {
        "route": {
            "receiver": "people",
            "routes": [
                {
                    "receiver": "remediator",
                    "matchers": ['alertname =~ "Canary.*"'],
                    "group_by": ["..."],
                    "group_wait": "0s",
                    "group_interval": "1s",
                    "repeat_interval": "1s",
                    "continue": True,
                },
            ],
        },
        "receivers": [
            {"name": "people"},
            {
                "name": "remediator",
                "webhook_configs": [
                    common | {"url": f"{service_url}/webhook", "http_config": {"authorization": authorization}},
                    common | {"url": f"{copies_url}/copy"},
                ],
            },
        ],
    }


def weights(body: Json) -> list[int]:
    return [share.get("weight", 0) for share in body["spec"]["http"][0]["route"]]


def content(body: Json) -> str:
    """The object's JSON text, without what every write changes."""
    moving = ("resourceVersion", "generation", "managedFields")
    metadata = {key: value for key, value in body["metadata"].items() if key not in moving}
    return json.dumps(body | {"metadata": metadata}, ensure_ascii=False)


def without_canary(body: Json, record: str) -> Json:
    """What `body` shall be: 100 to v1, nothing to v2, no mirror, and the name of the record that tells why. Written
    out, not computed by what is tested."""
    after = copy.deepcopy(body)
    after["metadata"]["annotations"]["remediator.io/remediation"] = record
    route = after["spec"]["http"][0]
    route["route"][0]["weight"], route["route"][1]["weight"] = 100, 0
    del route["mirror"], route["mirrorPercentage"]
    return after


def test_an_alert_takes_the_canary_and_its_mirror_away_and_nothing_else(mesh: Mesh, alerting: Alerting) -> None:
    before = mesh.deploy("shop-once")
    rule = mesh.rule("shop-once")
    alerting.fire("shop-once")
    wait_until(lambda: mesh.is_withdrawn("shop-once"), "the canary has no weight", DEADLINE_S)

    after = mesh.routing("shop-once")
    assert content(without_canary(before, mesh.record("shop-once"))) == content(after)
    assert rule == mesh.rule("shop-once")
    assert before["metadata"]["generation"] + 1 == after["metadata"]["generation"], "one patch"
    assert "remediator" in [entry["manager"] for entry in after["metadata"]["managedFields"]]


def test_a_second_delivery_changes_nothing(mesh: Mesh, alerting: Alerting) -> None:
    mesh.deploy("shop-twice")
    alerting.fire("shop-twice")
    wait_until(lambda: mesh.is_withdrawn("shop-twice"), "the canary has no weight", DEADLINE_S)
    after = mesh.routing("shop-twice")

    fingerprint = alerting.fingerprint()
    code, answer = mesh.service.post(alerting.sent()[0])
    assert 200 == code
    assert [(fingerprint, "Unchanged", "NotExposed")] == [
        (row["fingerprint"], row["outcome"], row["reason"]) for row in answer["outcomes"]
    ]
    # Ours, and one at least that Alertmanager repeats by itself.
    unchanged = {"fingerprint": fingerprint, "outcome": "Unchanged", "reason": "NotExposed"}
    wait_until(lambda: len(mesh.service.outcomes(**unchanged)) > 1, "Alertmanager repeats the alert", DEADLINE_S)
    assert 1 == len(mesh.service.outcomes(fingerprint=fingerprint, outcome="Applied"))
    assert after == mesh.routing("shop-twice")


@only_v1
def test_a_resolved_alert_gives_nothing_back(mesh: Mesh, alerting: Alerting) -> None:
    mesh.deploy("shop-resolved")
    alerting.fire("shop-resolved")
    wait_until(lambda: mesh.is_withdrawn("shop-resolved"), "the canary has no weight", DEADLINE_S)
    after = mesh.routing("shop-resolved")
    alerting.fire("shop-resolved", ends=timedelta(seconds=-1))
    resolved = {"fingerprint": alerting.fingerprint(), "outcome": "Ignored", "reason": "Resolved"}
    wait_until(lambda: mesh.service.outcomes(**resolved), "Alertmanager says that it is resolved", DEADLINE_S)
    assert after == mesh.routing("shop-resolved")


@only_v1
def test_a_wrong_token_is_counted_by_alertmanager_and_mended_by_the_right_one(mesh: Mesh, alerting: Alerting) -> None:
    before = mesh.deploy("shop-token")
    right = alerting.token_file.read_text()
    alerting.token_file.write_text("wrong\n")
    assert 0 == alerting.failures()
    alerting.fire("shop-token")
    wait_until(alerting.failures, "Alertmanager counts a failed notification", DEADLINE_S)

    refused = [line for line in mesh.service.logged() if line["message"] == "request refused"]
    assert {"TokenNotAccepted"} == {line["reason"] for line in refused}
    assert () == mesh.service.outcomes(fingerprint=alerting.fingerprint())
    assert before == mesh.routing("shop-token")

    # Alertmanager does not retry a 401, but it sends the group again when its interval is over.
    alerting.token_file.write_text(right)
    wait_until(lambda: mesh.is_withdrawn("shop-token"), "the canary has no weight", DEADLINE_S)


@only_v1
def test_an_alert_is_not_lost_while_the_api_server_is_away(mesh: Mesh, alerting: Alerting) -> None:
    before = mesh.deploy("shop-away")
    mesh.server.kill()
    try:
        code, answer = mesh.service.post(notification([alert(labels(namespace="shop-away"), fingerprint="f00d")]))
        assert 503 == code
        assert [("Failed", "Unavailable")] == [(row["outcome"], row["reason"]) for row in answer["outcomes"]]
        alerting.fire("shop-away")
        fingerprint = alerting.fingerprint()
        failed = {"fingerprint": fingerprint, "outcome": "Failed"}
        wait_until(lambda: len(mesh.service.outcomes(**failed)) > 1, "Alertmanager tries again", DEADLINE_S)
    finally:
        mesh.server.start()
    wait_until(lambda: mesh.is_withdrawn("shop-away"), "the canary has no weight", DEADLINE_S)
    assert content(without_canary(before, mesh.record("shop-away"))) == content(mesh.routing("shop-away"))
    wait_until(
        lambda: mesh.service.outcomes(fingerprint=fingerprint, outcome="Unchanged"), "it is repeated", DEADLINE_S
    )
    assert 1 == len(mesh.service.outcomes(fingerprint=fingerprint, outcome="Applied"))


@only_v1
def test_sigterm_in_the_middle_of_a_notification_lets_it_finish(mesh: Mesh) -> None:
    """The API server stands still once the first patch is made, so that the notification is surely not finished."""
    namespaces = [f"shop-{number}" for number in range(60)]
    for namespace in namespaces:
        mesh.create(namespace)
    alerts = [alert(labels(namespace=namespace), fingerprint=namespace) for namespace in namespaces]
    with (
        running_service(mesh.server.kubeconfig("guest"), [UNGUARDED], *ANY_EVIDENCE) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        delivery = pool.submit(service.post, notification(alerts))
        wait_until(lambda: mesh.is_withdrawn(namespaces[0]), "the first canary has no weight", DEADLINE_S, pause=0)
        mesh.server.process.send(signal.SIGSTOP)
        try:
            service.process.send(signal.SIGTERM)
            wait_until(lambda: logs(service, "stopping"), "the service is told to stop", DEADLINE_S)
            assert () == service.outcomes(), "nothing was finished before it was told to stop"
        finally:
            mesh.server.process.send(signal.SIGCONT)
        code, answer = delivery.result(timeout=DEADLINE_S)
        assert 200 == code
        assert {"Applied"} == {row["outcome"] for row in answer["outcomes"]}
        assert 0 == service.process.wait()
    assert all(map(mesh.is_withdrawn, namespaces))


def logs(service: Service, beginning: str) -> bool:
    return any(line["message"].startswith(beginning) for line in service.logged())
