"""The API server is away during a storm, or the process is told to stop: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import http.client
import json
import queue
import re
import signal
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders import labels
from tests.canaries import Canaries, Json, content, delivery, phase, without_v2
from tests.counting import Passage
from tests.processes import Missing, binary, wait_until
from tests.real_world import cleared
from tests.replica import Replica, running_replica
from tests.servers import Alertmanager, ApiServer, running_alertmanager
from tests.service import ANY_EVIDENCE, PERMISSIONS, UNGUARDED, Service, running_service

pytestmark = pytest.mark.servers

OUTAGE_S = 20.0
DEADLINE_S = 60.0
"""Alertmanager waits longer from try to try, and begins anew with the group's next flush."""
CANARIES = 60
SENDERS = 8

PATCH = "patch virtualservices"
PATCHED = ("Patched", "RevertToStable,RemoveMirrors")


@pytest.fixture(scope="module")
def canaries(api_server: ApiServer) -> Canaries:
    cleared(api_server)
    api_server.allow("guest", *PERMISSIONS)
    return Canaries(api_server)


def deployed(canaries: Canaries, prefix: str, number: int) -> dict[str, Json]:
    """By namespace: so many canaries as they were made."""
    names = [f"{prefix}-{each}" for each in range(number)]
    with ThreadPoolExecutor(SENDERS) as pool:
        return dict(zip(names, pool.map(canaries.create, names), strict=True))


def judge(canaries: Canaries, before: dict[str, Json]) -> None:
    """One record, one change and one Event for each of them."""
    for namespace, was in before.items():
        record, now = canaries.record(namespace), canaries.live(namespace)
        assert "Applied" == phase(record)
        assert content(without_v2(was, record["metadata"]["name"])) == content(now)
        assert was["metadata"]["generation"] + 1 == now["metadata"]["generation"]
        assert [PATCHED] == canaries.story(namespace)


# -- the API server is away


@pytest.fixture
def service(canaries: Canaries) -> Iterator[Service]:
    with running_service(canaries.server.kubeconfig("guest"), [UNGUARDED], *ANY_EVIDENCE) as running:
        yield running


@pytest.fixture
def alertmanager(service: Service, tmp_path: Path) -> Iterator[Alertmanager]:
    """It notifies of each alert by itself, and again every second as long as it fires: a storm."""
    token_file = tmp_path / "token"
    token_file.write_bytes(service.token_file.read_bytes())
    receiver = {
        "url": f"{service.url}/webhook",
        "max_alerts": 0,
        "http_config": {"authorization": {"type": "Bearer", "credentials_file": str(token_file)}},
    }
    often = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1s"}
    config = {
        "route": {"receiver": "remediator", "group_by": ["..."], **often},
        "receivers": [{"name": "remediator", "webhook_configs": [receiver]}],
    }
    with ExitStack() as stack:
        try:
            binary("PROMETHEUS_BIN_DIR", "alertmanager", "prometheus-alertmanager")
        except Missing as missing:
            pytest.skip(str(missing))
        yield stack.enter_context(running_alertmanager(config))


def fire(alertmanager: Alertmanager, namespaces: list[str]) -> None:
    """Tell of an alert on each of these canaries, as Prometheus does."""
    now = datetime.now(UTC)
    times = {"startsAt": (now - timedelta(minutes=1)).isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
    alertmanager.post([{"labels": labels(namespace=each)} | times for each in namespaces])


def answers(service: Service) -> Counter[str]:
    """How many notifications it has answered with each HTTP code, by its metrics."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.findall(r'^remediator_notifications_total\{code="(\d+)"\} (\S+)$', text, re.MULTILINE)
    return Counter({code: int(float(number)) for code, number in found})


def test_the_api_server_is_away_during_a_storm(
    canaries: Canaries, service: Service, alertmanager: Alertmanager
) -> None:
    before = deployed(canaries, "away", CANARIES)
    wait_until(lambda: CANARIES <= known(service, "away-"), "the service knows all", DEADLINE_S)
    names = list(before)

    fire(alertmanager, names[::2])
    wait_until(lambda: any(map(is_done, canaries.all_live())), "the storm has begun", DEADLINE_S, pause=0)
    canaries.server.kill()
    try:
        back = time.monotonic() + OUTAGE_S
        fire(alertmanager, names[1::2])
        # By then what was answered well just before has been counted.
        wait_until(lambda: answers(service)["503"] >= SENDERS, "notifications are refused", DEADLINE_S)
        begun = answers(service)
        wait_until(lambda: time.monotonic() >= back, "it has been away for so long", OUTAGE_S + 1)
        ended = answers(service)
        assert not service.ready(), "nobody is told that all is well"
    finally:
        canaries.server.start()

    assert {"503"} == set(ended - begun), "asked for again, and nothing else"
    wait_until(lambda: all_applied(canaries, "away-"), "all is done", DEADLINE_S)
    wait_until(service.ready, "the service is ready", DEADLINE_S)
    # Alertmanager goes on, and finds it done.
    done = answers(service)["200"]
    wait_until(lambda: answers(service)["200"] >= done + CANARIES, "all are delivered again", DEADLINE_S)
    judge(canaries, before)
    assert {"200", "503"} == set(+answers(service))


def known(service: Service, prefix: str) -> int:
    """How many canaries in namespaces of this prefix the service has heard of."""
    _, answer = service.ask("GET", "/api/v1/exposures?limit=500")
    return len({each["namespace"] for each in answer["items"] if each["namespace"].startswith(prefix)})


def is_done(body: Json) -> bool:
    return "remediator.io/remediation" in body["metadata"]["annotations"]


def all_applied(canaries: Canaries, prefix: str) -> bool:
    """Whether there are as many records of the storm as canaries, all carried out."""
    records = [record for record in canaries.records() if record["metadata"]["namespace"].startswith(prefix)]
    return {"Applied": CANARIES} == Counter(map(phase, records))


# -- the process is told to stop


class Senders:
    """Deliver notifications over connections that are kept alive, each one once, as Alertmanager does."""

    def __init__(self, service: Service, namespaces: list[str]) -> None:
        self._service = service
        self._left: queue.SimpleQueue[str] = queue.SimpleQueue()
        for namespace in namespaces:
            self._left.put(namespace)
        self.answered: dict[str, tuple[int, list[Json]]] = {}
        """By namespace; whoever is not here was not answered at all."""

    def run(self) -> None:
        """Until nothing is left; in as many threads as one likes."""
        client = self._service.client()
        while True:
            try:
                namespace = self._left.get_nowait()
            except queue.Empty:
                client.close()
                return
            try:
                client.request("POST", "/webhook", json.dumps(delivery(namespace)).encode(), self._service.headers)
                answer = client.getresponse()
            except (OSError, http.client.BadStatusLine):  # refused, or ended before a first byte of an answer
                client.close()
                continue
            # An answer that breaks off raises here, and fails the test.
            self.answered[namespace] = answer.status, json.loads(answer.read())["outcomes"]


class Dam:
    """Lets so many patches through, and holds those that come later."""

    def __init__(self, passing: int) -> None:
        self._left = passing
        self._lock = threading.Lock()
        self.waiting = 0
        self.opened = threading.Event()

    def __call__(self, passage: Passage) -> None:
        """A hook of a proxy."""
        if passage.step == PATCH and not self.opened.is_set():
            with self._lock:
                self._left -= 1
                held = self._left < 0
                self.waiting += held
            if held:
                assert self.opened.wait(DEADLINE_S)


def test_told_to_stop_in_a_storm(canaries: Canaries) -> None:
    before = deployed(canaries, "stop", CANARIES)
    dam = Dam(passing=CANARIES // 3)
    with ExitStack() as stack:
        first = stack.enter_context(running_replica(canaries.server))
        first.knows(*before)
        first.proxy.before = dam
        senders = Senders(first.service, list(before))
        pool = stack.enter_context(ThreadPoolExecutor(SENDERS))
        storm = [pool.submit(senders.run) for _ in range(SENDERS)]
        wait_until(lambda: dam.waiting == SENDERS, "every sender waits for an answer", DEADLINE_S)

        first.service.process.send(signal.SIGTERM)
        wait_until(lambda: stopping(first), "the service is told to stop", DEADLINE_S)
        dam.opened.set()
        for each in storm:
            each.result(DEADLINE_S)
        assert 0 == first.service.process.wait()

        assert CANARIES // 3 + SENDERS <= len(senders.answered) < CANARIES, "those in flight, and not all"
        assert_finished(senders.answered)
        second = stack.enter_context(running_replica(canaries.server))
        # Alertmanager delivers what was not answered, and much else besides.
        again = Senders(second.service, list(before))
        again.run()

    assert_finished(again.answered)
    assert set(before) == set(again.answered)
    judge(canaries, before)
    patches = [*first.proxy.made(PATCH, ""), *second.proxy.made(PATCH, "")]
    assert dict.fromkeys(before, 1) == Counter(patch.answer["metadata"]["namespace"] for patch in patches)


def stopping(replica: Replica) -> bool:
    return any(line["message"].startswith("stopping") for line in replica.service.logged())


def assert_finished(answered: dict[str, tuple[int, list[Json]]]) -> None:
    """Every answer says that all is done."""
    assert {200} == {code for code, _ in answered.values()}
    assert {"Applied", "Unchanged"} >= {row["outcome"] for _, rows in answered.values() for row in rows}
