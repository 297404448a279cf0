"""Guards and modes on a real API server: a storm that meets the budget, approvals by kubectl under RBAC, and mode
Observe before an admission webhook that denies."""

from __future__ import annotations

import http.server
import json
import re
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.builders import alert, labels, notification, policy, split, virtual_service
from tests.canaries import Canaries, Json, content, phase
from tests.contract import manifest
from tests.processes import Missing, binary, wait_until
from tests.real_world import cleared, collection_of
from tests.replica import DEADLINE_S
from tests.servers import ApiServer
from tests.service import PERMISSIONS, Service, running_service

pytestmark = pytest.mark.servers

SERVICES = 500
NAMESPACES = 10
BUDGET = 10
SENDERS = 16
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"

NO_PODS = {"stableReady": "0%"}
"""No kubelet runs here, and no controller makes EndpointSlices."""

_numbers = count()


@pytest.fixture(scope="module")
def canaries(api_server: ApiServer) -> Canaries:
    cleared(api_server)
    api_server.allow("guest", *PERMISSIONS)
    return Canaries(api_server)


@pytest.fixture
def namespace(canaries: Canaries) -> str:
    name = f"guarded-{next(_numbers)}"
    canaries.create(name)
    return name


def delivery(*names: str, namespace: str | None = None) -> Json:
    """Alerts that began a moment from now, whatever was changed before."""
    since = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    alerts = [labels(name=name, namespace=namespace) if namespace else labels(namespace=name) for name in names]
    return notification([alert(each) | {"startsAt": since} for each in alerts])


@contextmanager
def serving(canaries: Canaries, *more: str, **spec: Any) -> Iterator[Service]:
    """A replica with one policy of this `spec`."""
    given = policy(**{"guards": NO_PODS} | spec)
    with running_service(canaries.server.kubeconfig("guest"), [given], *more) as service:
        yield service


def metric(service: Service, name: str) -> float:
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
        (found,) = re.findall(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
    return float(found)


def exposed(service: Service) -> int:
    """How many objects it knows to send traffic to more than one version."""
    found: set[tuple[str, str]] = set()
    token: str | None = ""
    while token is not None:
        _, page = service.ask("GET", "/api/v1/exposures?limit=500" + (f"&continue={token}" if token else ""))
        found |= {(each["namespace"], each["name"]) for each in page["items"]}
        token = page["next"]
    return len(found)


# -- the storm breaker


@pytest.fixture
def nothing(canaries: Canaries) -> Iterator[None]:
    """No canary and no record, before and after."""
    cleared(canaries.server)
    yield
    cleared(canaries.server)


def test_five_hundred_fail_at_once_and_ten_are_changed(canaries: Canaries, nothing: None) -> None:
    """Two replicas share the alerts; neither knows what the other is about to do, but by the records."""
    places = [(f"storm-{number % NAMESPACES}", f"service-{number}") for number in range(SERVICES)]
    canaries.server.namespace(*{namespace for namespace, _ in places})

    def create(place: tuple[str, str]) -> None:
        namespace, name = place
        body = manifest(virtual_service({"route": split(name, v1=90, v2=10)}, name=name, namespace=namespace))
        canaries.server.request("POST", collection_of("VirtualService", namespace), body)

    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(create, places))
    with serving(canaries) as one, serving(canaries) as other:
        for service in (one, other):
            wait_until(lambda service=service: exposed(service) == SERVICES, "all are known", DEADLINE_S)
        rows = stormed((one, other), places)

        changed = [body for body in canaries.all_live() if body["metadata"]["generation"] > 1]
        assert BUDGET == len(changed)
        refused = SERVICES - BUDGET
        assert Counter({("Applied", "Patched"): BUDGET, ("Denied", "BudgetSpent"): refused}) == rows
        records = canaries.records()
        assert Counter({"Failed": refused, "Applied": BUDGET}) == Counter(map(phase, records))
        reasons = Counter(record["status"]["reason"] for record in records)
        assert Counter({"BudgetSpent": refused, "Patched": BUDGET}) == reasons
        counted = 'remediator_outcomes_total{outcome="Denied",policy="canary",reason="BudgetSpent"}'
        assert refused == metric(one, counted) + metric(other, counted)
        for service in (one, other):
            wait_until(partial(spent, service), "the metric says that nothing is left", DEADLINE_S)
        told = [event for event in canaries.events() if event["action"] == "SpendBudget"]
        assert {"Warning"} == {event["type"] for event in told}
        assert len(told) <= 2, "one for the remediation that took the last of it, as each replica knows it"


def spent(service: Service) -> bool:
    return metric(service, "remediator_budget_remaining") == 0


def stormed(services: tuple[Service, Service], places: list[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Deliver each alert to one of both, as many at a time as Alertmanager would; how they ended."""
    notifications = [delivery(name, namespace=namespace) for namespace, name in places]

    def deliver(number: int) -> tuple[str, str]:
        code, answer = services[number % 2].post(notifications[number])
        assert 200 == code, answer
        (row,) = answer["outcomes"]
        return row["outcome"], row["reason"]

    with ThreadPoolExecutor(SENDERS) as pool:
        return Counter(pool.map(deliver, range(len(places))))


# -- approvals


@pytest.fixture
def asking(canaries: Canaries) -> Iterator[Service]:
    with serving(canaries, mode="Approve") as service:
        yield service


def waiting(service: Service, canaries: Canaries, namespace: str) -> Json:
    """A plan of this service that waits for a person; its record."""
    wait_until(lambda: exposed_in(service, namespace), "the canary is known", DEADLINE_S)
    code, answer = service.post(delivery(namespace))
    assert (200, "AwaitingApproval") == (code, answer["outcomes"][0]["outcome"])
    return canaries.record(namespace)


def exposed_in(service: Service, namespace: str) -> bool:
    _, page = service.ask("GET", "/api/v1/exposures?limit=500")
    return namespace in {each["namespace"] for each in page["items"]}


def kubectl(server: ApiServer, user: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = (binary("KUBEBUILDER_ASSETS", "kubectl"), "--kubeconfig", str(server.kubeconfig(user)), *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def approved_by_kubectl(server: ApiServer, user: str, record: Json) -> subprocess.CompletedProcess[str]:
    metadata = record["metadata"]
    answer = {"spec": {"approval": {"approved": True, "by": user, "reason": "seen in the traces"}}}
    where = ("-n", metadata["namespace"], "patch", "rem", metadata["name"], "--type=merge", "-p", json.dumps(answer))
    return kubectl(server, user, *where)


def test_an_approval_by_kubectl_is_carried_out(asking: Service, canaries: Canaries, namespace: str) -> None:
    record = waiting(asking, canaries, namespace)
    before = canaries.live(namespace)
    done = approved_by_kubectl(canaries.server, "admin", record)
    assert 0 == done.returncode, done.stderr
    wait_until(lambda: phase(canaries.record(namespace)) == "Applied", "it is carried out", DEADLINE_S)
    assert before["metadata"]["generation"] + 1 == canaries.live(namespace)["metadata"]["generation"]
    assert "admin" == canaries.record(namespace)["spec"]["approval"]["by"]


def test_without_the_permission_the_api_server_refuses_it(asking: Service, canaries: Canaries, namespace: str) -> None:
    """The permission is Kubernetes' own: to patch remediations."""
    record = waiting(asking, canaries, namespace)
    before = canaries.live(namespace)
    # The service's own user is `guest`; what it may do to remediations is taken from it for a moment.
    reader = [rule for rule in PERMISSIONS if "remediations" not in rule["resources"]]
    reader += [{"apiGroups": ["remediator.io"], "resources": ["remediations"], "verbs": ["get", "list", "watch"]}]
    canaries.server.allow("guest", *reader)
    try:
        wait_until(
            lambda: approved_by_kubectl(canaries.server, "guest", record).returncode != 0,
            "RBAC is in force",
            DEADLINE_S,
        )
        refused = approved_by_kubectl(canaries.server, "guest", record)
    finally:
        canaries.server.allow("guest", *PERMISSIONS)
    assert 'cannot patch resource "remediations"' in refused.stderr
    assert "AwaitingApproval" == phase(canaries.record(namespace))
    assert content(before) == content(canaries.live(namespace))


def test_an_approval_of_the_wrong_form_is_refused_by_the_schema(
    asking: Service, canaries: Canaries, namespace: str
) -> None:
    metadata = waiting(asking, canaries, namespace)["metadata"]
    wrong = ("patch", "rem", metadata["name"], "--type=merge", "-p", '{"spec":{"approval":{"approved":"yes"}}}')
    refused = kubectl(canaries.server, "admin", "-n", namespace, *wrong)
    assert "spec.approval.approved" in refused.stderr
    assert "AwaitingApproval" == phase(canaries.record(namespace))


def test_the_command_line_and_the_api_answer_too(asking: Service, canaries: Canaries, namespace: str) -> None:
    metadata = waiting(asking, canaries, namespace)["metadata"]
    path = f"/api/v1/remediations/{namespace}/{metadata['name']}/reject"
    code, answer = asking.ask("POST", path, {"by": "mia", "reason": "the database"})
    assert (200, "ApprovalRejected") == (code, answer["reason"])
    assert "Rejected" == phase(canaries.record(namespace))


# -- Observe


def key_and_certificate(folder: Path) -> tuple[Path, Path]:
    """For an HTTPS server on 127.0.0.1."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    with suppress(FileNotFoundError):
        made = subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=127.0.0.1"),
                *("-addext", "subjectAltName=IP:127.0.0.1"),
            ],
            capture_output=True,
            timeout=60,
            check=False,
        )
        if made.returncode == 0:
            return key, certificate
    raise Missing("openssl is not there, which makes the certificate of an admission webhook")


class Denies(http.server.BaseHTTPRequestHandler):
    """An admission webhook that says no, as Istio's does."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        response = {
            "uid": review["request"]["uid"],
            "allowed": False,
            "status": {"message": "configuration is invalid: change freeze of the mesh team"},
        }
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Says nothing."""


@pytest.fixture
def denying(canaries: Canaries, namespace: str, tmp_path: Path) -> Iterator[None]:
    """While it is there, no VirtualService of this namespace may be updated."""
    try:
        key, certificate = key_and_certificate(tmp_path)
    except Missing as missing:
        pytest.skip(str(missing))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ExitStack() as stack:
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Denies))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        canaries.server.request("POST", WEBHOOKS, webhook(server.server_port, certificate, namespace))
        stack.callback(canaries.server.request, "DELETE", f"{WEBHOOKS}/denies")
        wait_until(lambda: is_denied(canaries, namespace), "the webhook is asked", DEADLINE_S)
        yield


def webhook(port: int, certificate: Path, namespace: str) -> Json:
    rule = {
        "apiGroups": ["networking.istio.io"],
        "apiVersions": ["*"],
        "operations": ["UPDATE"],
        "resources": ["virtualservices"],
    }
    url, authority = f"https://127.0.0.1:{port}/", b64encode(certificate.read_bytes()).decode()
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "denies"},
        "webhooks": [
            {
                "name": "validation.istio.io",
                "rules": [rule],
                "clientConfig": {"url": url, "caBundle": authority},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "failurePolicy": "Fail",
            }
        ],
    }


def is_denied(canaries: Canaries, namespace: str) -> bool:
    try:
        canaries.edit(namespace, lambda body: body["metadata"].setdefault("labels", {}).update(probe="x"))
    except urllib.error.HTTPError as error:
        return error.code == 400
    return False


@pytest.fixture
def observing(canaries: Canaries) -> Iterator[Service]:
    with serving(canaries, "--mode", "Observe") as service:
        yield service


def test_observe_leaves_the_resource_version_as_it_was(observing: Service, canaries: Canaries, namespace: str) -> None:
    wait_until(lambda: exposed_in(observing, namespace), "the canary is known", DEADLINE_S)
    before = canaries.live(namespace)
    code, answer = observing.post(delivery(namespace))
    (row,) = answer["outcomes"]
    assert (200, "Observed", "DryRun") == (code, row["outcome"], row["reason"])
    assert before["metadata"]["resourceVersion"] == canaries.live(namespace)["metadata"]["resourceVersion"]
    record = canaries.record(namespace)
    assert ("Observed", "Observe") == (phase(record), record["spec"]["mode"])
    assert record["spec"]["changes"]


def test_observe_reports_what_a_webhook_that_denies_would_answer(
    observing: Service, canaries: Canaries, namespace: str, denying: None
) -> None:
    wait_until(lambda: exposed_in(observing, namespace), "the canary is known", DEADLINE_S)
    before = canaries.live(namespace)
    (row,) = observing.post(delivery(namespace))[1]["outcomes"]
    assert ("Denied", "Rejected") == (row["outcome"], row["reason"])
    assert "change freeze of the mesh team" in row["message"]
    assert before["metadata"]["resourceVersion"] == canaries.live(namespace)["metadata"]["resourceVersion"]
    assert "change freeze of the mesh team" in canaries.record(namespace)["status"]["message"]
