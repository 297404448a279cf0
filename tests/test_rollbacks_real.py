"""Flagger's hook of two real replicas, as the service's own user, on a real API server with Flagger's definition.

Flagger's own binary is run by `python -m benchmarks.flagger`: to build it takes longer than all of these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from click.testing import CliRunner

from remediator.cli.main import program
from remediator.owners.checksum import checksum
from remediator.web.auth import hook_token
from tests.builders import Json, alert, by_host, flagger_canary, labels, notification, virtual_service
from tests.definitions import CRDS, crds
from tests.processes import Missing, wait_until
from tests.real_world import GROUP, RECORDS
from tests.servers import ApiServer, running_api_server
from tests.service import PERMISSIONS, UNGUARDED, Service, prepared

pytestmark = pytest.mark.servers

CANARIES = "/apis/flagger.app/v1beta1/namespaces/shop/canaries"
HOOK = {"name": "remediator", "type": "rollback", "url": "http://remediator:8080/flagger/rollback/t0ken"}
FLAGGER_WAITS_S = 10.0
BAD, GOOD = "bad", "good"
BEGAN = datetime.now(UTC) - timedelta(seconds=5)


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """Of its own: it is killed."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(running_api_server())
            made.install(crds(CRDS / "flagger.yaml", "canaries"))
        except Missing as missing:
            pytest.skip(str(missing))
        made.namespace("shop")
        made.allow("guest", *PERMISSIONS)
        service = virtual_service({"route": by_host(reviews_primary=90, reviews_canary=10)})
        service |= {"apiVersion": GROUP.removeprefix("/apis/"), "metadata": {"namespace": "shop", "name": "reviews"}}
        made.request("POST", f"{GROUP}/namespaces/shop/virtualservices", service)
        analysis = {"interval": "10m", "threshold": 5, "maxWeight": 50, "stepWeight": 10, "webhooks": [HOOK]}
        made.request("POST", CANARIES, flagger_canary(analysis=analysis))
        yield made


@pytest.fixture(scope="module")
def replicas(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service]]:
    on_trial(server, BAD)
    with ExitStack() as stack:
        made = []
        for name in ("one", "two"):
            folder: Path = tmp_path_factory.mktemp(name)
            service = prepared(server.kubeconfig("guest"), [UNGUARDED], folder)
            stack.callback(service.kill)
            service.process.start()
            made.append(service)
        for service in made:
            wait_until(service.ready, f"{service.url} is ready")
        yield made[0], made[1]


def on_trial(server: ApiServer, applied: str) -> None:
    """What Flagger writes of a revision that it tries."""
    now = server.request("GET", f"{CANARIES}/reviews")
    since = (BEGAN - timedelta(minutes=1)).isoformat(timespec="seconds").replace("+00:00", "Z")
    condition = {"type": "Promoted", "status": "Unknown", "reason": "Progressing", "message": "on trial"}
    condition |= {"lastTransitionTime": since, "lastUpdateTime": since}
    numbers = {"canaryWeight": 10, "failedChecks": 0, "iterations": 0}
    status = {"phase": "Progressing", "lastAppliedSpec": applied, "conditions": [condition]} | numbers
    server.request("PUT", f"{CANARIES}/reviews/status", now | {"status": status})


def ask(service: Service, applied: str) -> int:
    """As Flagger does, in the time that it gives."""
    payload = {"name": "reviews", "namespace": "shop", "phase": "Progressing", "checksum": checksum(applied, None)}
    token = hook_token(service.token_file.read_bytes().strip())
    begin = monotonic()
    with closing(service.client()) as client:
        client.request("POST", f"/flagger/rollback/{token}", json.dumps(payload).encode())
        answer = client.getresponse()
        assert b"" == answer.read()
    assert monotonic() - begin < FLAGGER_WAITS_S
    return answer.status


def deliver(service: Service, fingerprint: str = "e" * 16, began: datetime = BEGAN) -> tuple[str, str]:
    found = alert(labels(name="reviews-canary"), fingerprint=fingerprint) | {"startsAt": began.isoformat()}
    _, answer = service.post(notification([found]))
    (row,) = answer["outcomes"]
    return row["outcome"], row["reason"]


def phases(server: ApiServer) -> list[tuple[str, str]]:
    items: list[Json] = server.request("GET", f"{RECORDS}/namespaces/shop/remediations")["items"]
    return sorted((each["status"]["phase"], each["spec"].get("lever", "")) for each in items)


def test_one_alert_and_every_replica(server: ApiServer, replicas: tuple[Service, Service]) -> None:
    one, two = replicas
    assert [404, 404] == [ask(one, BAD), ask(two, BAD)]
    assert ("Planned", "RollbackOffered") == deliver(one)
    assert [("Planned", "Flagger")] == phases(server)
    wait_until(lambda: ask(two, BAD) == 200, "the other replica says yes")
    assert [200, 200] == [ask(one, BAD), ask(two, BAD)]
    assert [("Applied", "Flagger")] == phases(server)
    told = [*one.outcomes(reason="RolledBack"), *two.outcomes(reason="RolledBack")]
    assert ["Applied"] == [each["outcome"] for each in told]

    # It says so after a crash, too.
    one.kill()
    one.process.start()
    wait_until(one.ready, "it is back")
    assert 200 == ask(one, BAD)

    # The next revision is on trial, and the same alert fires on.
    on_trial(server, GOOD)
    assert [404, 404] == [ask(one, GOOD), ask(two, GOOD)]
    wait_until(lambda: ("Denied", "StaleEvidence") == deliver(one), "the trial of the next revision is known")
    assert [404, 404] == [ask(one, GOOD), ask(two, GOOD)]
    # Nothing but the weights that Flagger wrote stands on its object.
    live = server.request("GET", f"{GROUP}/namespaces/shop/virtualservices/reviews")
    assert {} == live["metadata"].get("annotations", {})
    assert [90, 10] == [each["weight"] for each in live["spec"]["http"][0]["route"]]


def test_while_the_api_server_is_away(server: ApiServer, replicas: tuple[Service, Service]) -> None:
    """What was told stays told, and nothing new is said that could not be written."""
    one, _ = replicas
    offered_anew(server, one, "told", "1" * 16)
    assert 200 == ask(one, "told")
    offered_anew(server, one, "new", "2" * 16)
    server.kill()
    try:
        assert [200, 503] == [ask(one, "told"), ask(one, "new")]
    finally:
        server.start()
    wait_until(lambda: ask(one, "new") == 200, "it is written, and said", pause=0.2)


def offered_anew(server: ApiServer, service: Service, applied: str, fingerprint: str) -> None:
    """Another revision is on trial, and an alert that began since accuses it."""
    on_trial(server, applied)

    def is_offered() -> bool:
        # Records are made in whole seconds; this one began after all of them.
        began = datetime.now(UTC) + timedelta(seconds=1)
        return deliver(service, fingerprint, began) == ("Planned", "RollbackOffered")

    wait_until(is_offered, f"{applied} is offered", pause=0.2)


def test_what_a_person_asks_for_is_told_and_seen_to(server: ApiServer, replicas: tuple[Service, Service]) -> None:
    """From a terminal of their own; the service hears of it by the record."""
    one, two = replicas
    on_trial(server, "by-hand")
    command = ["rollback", "shop/reviews", "--suspect", "reviews-canary", "--yes", "--by", "ann", "-o", "json"]
    done = CliRunner().invoke(program, [*command, "--kubeconfig", str(server.kubeconfig())])
    assert 0 == done.exit_code, done.stderr
    found = json.loads(done.stdout)
    assert ("Planned", checksum("by-hand", None)) == (found["outcome"], found["rollback"]["checksum"])

    wait_until(lambda: ask(one, "by-hand") == 200, "it has heard of it", pause=0.2)
    path = f"{RECORDS}/namespaces/shop/remediations/{found['remediation']}"
    assert ("Applied", "ann") == (
        server.request("GET", path)["status"]["phase"], server.request("GET", path)["spec"]["request"]["by"],
    )  # fmt: skip
    wait_until(lambda: ask(two, "by-hand") == 200, "so has the other replica", pause=0.2)

    # Flagger does as it was told.
    service = f"{GROUP}/namespaces/shop/virtualservices/reviews"
    live = server.request("GET", service)
    live["spec"]["http"][0]["route"] = by_host(reviews_primary=100, reviews_canary=0)
    server.request("PUT", service, live)

    def verdict() -> Json:
        seen: Json = server.request("GET", path)["status"].get("verification", {})
        return seen

    wait_until(lambda: "verdict" in verdict(), "somebody has looked")
    assert ("Unrouted", True) == (verdict()["verdict"], "concludedAt" in verdict())
