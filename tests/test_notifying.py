"""The real service tells people what it does: on a folder of manifests, to a real HTTP server."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.builders import Json, alert, destination_rule, labels, notification, policy, split, virtual_service
from tests.mailbox import Mailbox, mailbox
from tests.processes import Process, free_port, wait_until
from tests.real_world import GROUP, cleared
from tests.servers import ApiServer
from tests.service import ANY_EVIDENCE, PERMISSIONS, ROOT, Service, running_service

SECRET = "hunter2-is-the-password"
CREDENTIALS = f"bot:{SECRET}"
GENTLE = {"cooldown": "0s", "hold": "10m", "stableReady": "0%"}


@dataclass
class Shop:
    """A service on a folder, and people whom it tells: all in the chat, lost holds on the pager, and nobody by mail."""

    folder: Path
    service: Service
    chat: Mailbox
    pager: Mailbox
    writes: int = 0

    def deliver(self) -> list[Json]:
        code, answer = self.service.post(notification([alert(labels())]))
        assert 200 == code
        return list(answer["outcomes"])

    def weights(self) -> list[int]:
        return [each["weight"] for each in self._body()["spec"]["http"][0]["route"]]

    def revert(self) -> None:
        """Somebody puts the weights back."""
        body = self._body()
        self.writes += 1
        body["spec"]["http"][0]["route"] = split(v1=90, v2=10)
        body["metadata"]["labels"] = {"write": str(self.writes)}
        write(self.folder / "manifests" / "reviews.yaml", body)

    def hold(self) -> Json:
        (path,) = (self.folder / "manifests" / "remediations" / "shop").glob("*.yaml")
        return dict(yaml.safe_load(path.read_text())["status"].get("hold", {}))

    def notices(self, result: str) -> float:
        """How many ended so, whoever was to be told."""
        found = (line.split() for line in self.service.metrics().splitlines() if "remediator_notices_total{" in line)
        return sum(float(count) for name, count in found if f'result="{result}"' in name)

    def _body(self) -> Json:
        return dict(yaml.safe_load((self.folder / "manifests" / "reviews.yaml").read_text()))


def write(path: Path, body: Json) -> None:
    new = path.with_suffix(".new")
    new.write_text(yaml.safe_dump(body))
    new.replace(path)


def prepared(folder: Path, *recipients: str, mode: str = "Enforce") -> Service:
    """A service that is not started yet."""
    port, log = free_port(), folder / "log"
    (folder / "manifests").mkdir()
    write(folder / "manifests" / "reviews.yaml", virtual_service({"route": split(v1=90, v2=10)}))
    write(folder / "manifests" / "rule.yaml", destination_rule(v1="v1", v2="v2"))
    write(folder / "policies.yaml", policy(guards=GENTLE, mode=mode))
    (folder / "token").write_text(secrets.token_hex(16))
    (folder / "recipients").write_text("\n".join(("# of the shop", *recipients)))
    log.touch()
    command = (
        *(sys.executable, "-m", "remediator", "serve", "--listen", f"127.0.0.1:{port}"),
        *("--manifests", str(folder / "manifests"), "--policies", str(folder / "policies.yaml")),
        *("--token-file", str(folder / "token"), "--notify-file", str(folder / "recipients"), *ANY_EVIDENCE),
    )
    return Service(port, folder / "token", log, Process(command, log, ROOT))


@pytest.fixture
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
    with mailbox() as gone:
        nobody = gone.url(SECRET, CREDENTIALS)
    with mailbox() as chat, mailbox() as pager:
        lines = (chat.url(SECRET, CREDENTIALS), f"HoldLost={pager.url()}", f"Applied = {nobody}")
        service = prepared(tmp_path, *lines, mode=getattr(request, "param", "Enforce"))
        try:
            service.process.start()
            wait_until(service.ready, "the service is ready")
            yield Shop(tmp_path, service, chat, pager)
        finally:
            service.process.terminate(30)


def test_a_patch_is_told_and_a_hold_that_is_lost_wakes_somebody(shop: Shop) -> None:
    (row,) = shop.deliver()
    (told,) = shop.chat.await_messages(1)
    assert ("remediator: Applied: VirtualService shop/reviews", "info") == (told["title"], told["type"])
    assert f"to undo: remediator undo shop/{row['remediation']}\n" in told["message"]
    assert "Unchanged" == shop.deliver()[0]["outcome"]

    for count in range(1, 6):
        shop.revert()
        wait_until(lambda count=count: len(shop.hold().get("enforcements", ())) == count, "it is brought back")
        wait_until(lambda: shop.weights() == [100, 0], "the canary has no traffic")
    shop.revert()
    (page,) = shop.pager.await_messages(1)
    assert ("remediator: HoldLost: VirtualService shop/reviews", "failure") == (page["title"], page["type"])
    assert "remediator rollback shop/reviews --suspect VERSION" in page["message"]

    shop.chat.await_messages(2)
    assert ["Applied", "HoldLost"] == [message["title"].split(": ")[1] for message in shop.chat.taken]


def test_whoever_cannot_be_reached_is_counted_and_no_secret_is_logged(shop: Shop) -> None:
    shop.deliver()
    shop.chat.await_messages(1)
    wait_until(lambda: shop.notices("Sent") == 1, "it is counted")
    assert 0 == shop.notices("Failed"), "it is tried again"
    shop.service.process.terminate(30)

    log = shop.service.log.read_text()
    (said,) = (line for line in map(json.loads, log.splitlines()) if "could not be brought" in line["message"])
    assert "1 notice(s) could not be brought to line 4, json://: no connection" == said["message"]
    assert "Applied: shop/" in said["notices"][0]
    assert SECRET not in log


@pytest.mark.parametrize("shop", ["Approve"], indirect=True)
def test_what_was_told_last_is_sent_before_the_service_ends(shop: Shop) -> None:
    """A plan waits for a person, who must hear of it though the service is restarted at that moment."""
    shop.deliver()
    shop.service.process.terminate(30)
    (told,) = shop.chat.taken
    assert "remediator: AwaitingApproval: VirtualService shop/reviews" == told["title"]
    assert "  remediator reject shop/" in told["message"]


@pytest.mark.servers
def test_of_two_replicas_one_tells(api_server: ApiServer, tmp_path: Path) -> None:
    """Whichever of them hears an alert, a yes, or an undo, and however often."""
    cleared(api_server)
    api_server.allow("guest", *PERMISSIONS)
    api_server.namespace("shop")
    for plural, body in (
        ("virtualservices", virtual_service({"route": split(v1=90, v2=10)})),
        ("destinationrules", destination_rule(v1="v1", v2="v2")),
    ):
        sent = body | {"apiVersion": "networking.istio.io/v1beta1", "metadata": {"name": "reviews"}}
        api_server.request("POST", f"{GROUP}/namespaces/shop/{plural}", sent)
    with mailbox() as chat, ExitStack() as stack:
        (tmp_path / "recipients").write_text(chat.url())
        flags = ("--notify-file", str(tmp_path / "recipients"), *ANY_EVIDENCE)
        kubeconfig, policies = api_server.kubeconfig("guest"), [policy(guards=GENTLE, mode="Approve")]
        replicas = [stack.enter_context(running_service(kubeconfig, policies, *flags)) for _ in range(2)]
        with ThreadPoolExecutor(4) as pool:
            firing = notification([alert(labels())])
            answers = list(pool.map(lambda replica: replica.post(firing), replicas * 2))
        (name,) = {row["remediation"] for _, answer in answers for row in answer["outcomes"]}
        path = f"/api/v1/remediations/shop/{name}"
        for replica in replicas:
            replica.ask("POST", f"{path}/approve", {"by": "kim", "reason": "seen in the traces"})
        for replica in replicas:
            replica.ask("POST", f"{path}/undo", {"by": "mia", "reason": "it was the database"})
        for replica in replicas:
            replica.process.terminate(30)

    told = "\n".join(f"{message['title']}\n{message['message']}" for message in chat.taken)
    said = ("mode Approve, nothing was changed", "changed:", f"put back what {name} changed")
    assert [1, 1, 1] == [told.count(words) for words in said], told


def test_a_test_message_tells_who_can_be_reached(tmp_path: Path) -> None:
    with mailbox() as gone:
        nobody = gone.url(SECRET, CREDENTIALS)
    with mailbox() as chat, mailbox() as refusing:
        refusing.code = 401
        lines = ("# ours", chat.url(SECRET, CREDENTIALS), f"HoldLost={refusing.url(SECRET, CREDENTIALS)}", nobody)
        (tmp_path / "recipients").write_text("\n".join(lines))
        done = subprocess.run(
            (sys.executable, "-m", "remediator", "notify", str(tmp_path / "recipients")),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=ROOT,
        )
        assert ["remediator: a test"] == [message["title"] for message in chat.taken]
    told = "line 2, json://: taken\nline 3, json://: it answered 401\nline 4, json://: no connection\n"
    assert (told, "error: 2 of 3 recipients did not take it\n", 1) == (done.stdout, done.stderr, done.returncode)


def test_a_file_that_cannot_be_used_is_one_error(tmp_path: Path) -> None:
    service = prepared(tmp_path, f"nosuch://{SECRET}")
    service.process.start()
    assert 1 == service.process.wait()
    log = service.log.read_text()
    assert log.startswith(f"error: --notify-file {tmp_path / 'recipients'}, line 2: apprise knows no service nosuch://")
    assert SECRET not in log
