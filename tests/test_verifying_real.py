"""The whole way: an alert, the patch, a mesh that follows it or not, a real Prometheus that scrapes it, the verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from benchmarks.prometheus import Prometheus, running_prometheus
from tests.builders import alert, destination_rule, labels, notification, split, virtual_service
from tests.processes import Missing, binary, wait_until
from tests.real_world import EVENTS, GROUP, RECORDS, cleared
from tests.scripted import Answer, Request, ScriptedServer, scripted
from tests.servers import ApiServer
from tests.service import ANY_EVIDENCE, PERMISSIONS, UNGUARDED, Service, running_service

Json = dict[str, Any]

FOLLOWS, LEAKS = "shop-follows", "shop-leaks"
RPS = 100.0
SCRAPES = 4
"""So many at least before the patch."""

pytestmark = pytest.mark.servers


def weights(server: ApiServer, namespace: str) -> dict[str, float]:
    """By version, of 100."""
    body = server.request("GET", f"{GROUP}/namespaces/{namespace}/virtualservices/reviews")
    route = body["spec"]["http"][0]["route"]
    return {share["destination"]["subset"]: share.get("weight", 0) for share in route}


@dataclass
class Mesh:
    """Two services whose callers' proxies count requests as the routes say; those of one hear of no change."""

    server: ApiServer
    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = field(default_factory=time.monotonic)
    counts: dict[tuple[str, str], float] = field(
        default_factory=lambda: {(name, version): 0.0 for name in (FOLLOWS, LEAKS) for version in ("v1", "v2")}
    )

    def page(self, _: Request) -> Answer:
        """What a scrape finds."""
        with self.lock:
            now = time.monotonic()
            passed, self.at = now - self.at, now
            for namespace in (FOLLOWS, LEAKS):
                shares = weights(self.server, FOLLOWS) if namespace == FOLLOWS else {"v1": 90, "v2": 10}
                for version, share in shares.items():
                    self.counts[namespace, version] += RPS * share / 100 * passed
            text = "".join(map(self._line, self.counts)).encode()

        def answer(connection: Any) -> None:
            connection.head(200, Content_Type="text/plain; version=0.0.4", Content_Length=str(len(text)))
            connection.wfile.write(text)

        return answer

    def _line(self, key: tuple[str, str]) -> str:
        namespace, version = key
        names = {
            "reporter": "source",
            "destination_service": f"reviews.{namespace}.svc.cluster.local",
            "destination_version": version,
            "destination_canonical_revision": version,
            "response_code": "200" if version == "v1" else "503",
        }
        written = ",".join(f'{name}="{value}"' for name, value in names.items())
        return f"istio_requests_total{{{written}}} {self.counts[key]:.0f}\n"


@pytest.fixture
def mesh(request: pytest.FixtureRequest) -> Iterator[Mesh]:
    try:
        binary("PROMETHEUS_BIN_DIR", "prometheus")
    except Missing as missing:
        pytest.skip(str(missing))
    server = request.getfixturevalue("api_server")
    cleared(server)
    server.allow("guest", *PERMISSIONS)
    for name in (FOLLOWS, LEAKS):
        server.namespace(name)
        for plural, body in (
            ("destinationrules", destination_rule(namespace=name, v1="v1", v2="v2")),
            ("virtualservices", virtual_service({"route": split(v1=90, v2=10)}, namespace=name)),
        ):
            metadata = {"name": "reviews", "namespace": name}
            sent = body | {"apiVersion": "networking.istio.io/v1beta1", "metadata": metadata}
            server.request("POST", f"{GROUP}/namespaces/{name}/{plural}", sent)
    return Mesh(server)


def scraping(exporter: ScriptedServer) -> Json:
    """Prometheus' configuration."""
    target = exporter.url.removeprefix("http://")
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "mesh", "static_configs": [{"targets": [target]}]}],
    }


def withdraw(service: Service, mesh: Mesh) -> None:
    """Have the canary of both namespaces accused, and taken out."""
    alerts = [alert(labels(namespace=name), fingerprint=name.encode().hex()[:16]) for name in (FOLLOWS, LEAKS)]

    def done() -> bool:
        code, _ = service.post(notification(alerts))
        return code == 200 and all(weights(mesh.server, name)["v2"] == 0 for name in (FOLLOWS, LEAKS))

    wait_until(done, "both canaries are withdrawn", pause=0.2)


def status(server: ApiServer, namespace: str) -> Json:
    """Of the one record there."""
    (found,) = server.request("GET", f"{RECORDS}/namespaces/{namespace}/remediations")["items"]
    told: Json = found["status"]
    return told


def counted(service: Service) -> set[str]:
    """The verdicts that a service has counted."""
    return {
        verdict
        for verdict in ("Recovered", "StillReceiving", "NoData", "NotRecovered", "Withdrawn", "NotVerified")
        if f'remediator_verifications_total{{verdict="{verdict}"}} 1.0' in service.metrics()
    }


def concluded(server: ApiServer) -> bool:
    """Whether both verdicts are final."""
    return all("concludedAt" in status(server, name).get("verification", {}) for name in (FOLLOWS, LEAKS))


def told(server: ApiServer, namespace: str) -> set[tuple[str, str]]:
    """Type and reason of each Event about a verification."""
    items = server.request("GET", f"{EVENTS}/namespaces/{namespace}/events")["items"]
    return {(item["type"], item["reason"]) for item in items if item["action"] == "Verify"}


def seconds(found: Json) -> float:
    """From the patch to the verdict."""
    passed = datetime.fromisoformat(found["verification"]["at"]) - datetime.fromisoformat(found["appliedAt"])
    return passed / timedelta(seconds=1)


def scraped(prometheus: Prometheus) -> bool:
    query = f'min(count_over_time(istio_requests_total{{destination_version="v2"}}[1m])) >= {SCRAPES}'
    return prometheus.number(query) > 0


def test_a_service_that_is_killed_after_the_patch_tells_whether_it_helped(mesh: Mesh) -> None:
    """Both canaries are taken out, the service is killed, and the next one verifies what it finds in the records: one
    has no traffic any more, and the proxies before the other have not heard of it."""
    server = mesh.server
    with ExitStack() as stack:
        exporter = stack.enter_context(scripted(mesh.page))
        prometheus = stack.enter_context(running_prometheus(scraping(exporter)))
        more = (*ANY_EVIDENCE, "--prometheus-url", prometheus.url, "--verify-within", "30s")
        with running_service(server.kubeconfig("guest"), [UNGUARDED], *more) as service:
            wait_until(lambda: scraped(prometheus), "Prometheus has scraped both services")
            withdraw(service, mesh)
            service.kill()
        assert not concluded(server)
        with running_service(server.kubeconfig("guest"), [UNGUARDED], *more) as service:
            wait_until(lambda: concluded(server), "both verdicts are final", timeout=120, pause=0.2)
            expected = {"Recovered", "StillReceiving"}
            wait_until(lambda: counted(service) == expected, "both verdicts are counted", pause=0.2)

    follows, leaks = status(server, FOLLOWS), status(server, LEAKS)
    assert ("Recovered", "StillReceiving") == (follows["verification"]["verdict"], leaks["verification"]["verdict"])
    assert 18.75 <= seconds(follows) <= 30
    assert 30 == pytest.approx(seconds(leaks), abs=0.001)
    assert {("Normal", "Recovered")} == told(server, FOLLOWS)
    assert {("Warning", "StillReceiving")} == told(server, LEAKS)
