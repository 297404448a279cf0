"""The service with the flags and files that the chart gives it, and the Pod of `helm test`, as processes here."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests import builders
from tests.chart.helm import CHART, NAMESPACE, ROOT, Json, flags, helm, of_kind, only, render
from tests.processes import Missing, Process, binary, free_port, wait_until
from tests.servers import running_alertmanager
from tests.test_tls import Pair, made

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Mount:
    """A folder that a kubelet has mounted: the files are links into `..data`, which is a link itself."""

    folder: Path

    def write(self, files: dict[str, str]) -> None:
        """Replace all files in one step."""
        generation = self.folder / f"..{len(list(self.folder.glob('..2*'))) + 2000}"
        generation.mkdir()
        for name, text in files.items():
            (generation / name).write_text(text, encoding="utf-8")
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        new = self.folder / "..data_tmp"
        new.symlink_to(generation.name)
        new.replace(self.folder / "..data")
        for link in self.folder.iterdir():
            if link.is_symlink() and not link.exists():
                link.unlink()


@dataclass(frozen=True)
class Pod:
    """The service's process, and what is mounted."""

    port: int
    token: str
    policies: Mount

    def get(self, path: str) -> tuple[int, Json]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as client:
            client.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            answer = client.getresponse()
            return answer.status, json.loads(answer.read())

    def ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def policy_names(self) -> list[str]:
        return [item["name"] for item in self.get("/api/v1/policies")[1]["items"]]


def policies_of(objects: list[Json]) -> dict[str, str]:
    """What the ConfigMap holds."""
    (found,) = [
        each["data"] for each in of_kind(objects, "ConfigMap") if each["metadata"]["name"].endswith("-policies")
    ]
    return dict(found)


@pytest.fixture(scope="module")
def objects() -> list[Json]:
    return render()


@pytest.fixture(scope="module")
def pod(objects: list[Json], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """Only the port is another one, the folders are where this machine has them, and a folder is the cluster."""
    root = tmp_path_factory.mktemp("pod")
    (root / "mesh").mkdir()
    (root / "mesh" / "shop.yaml").write_text(yaml.safe_dump(builders.virtual_service({"route": builders.split(v1=1)})))
    token = base64.b64decode(only(objects, "Secret")["data"]["token"]).decode()
    for name in ("policies", "token"):
        (root / name).mkdir()
    Mount(root / "token").write({"token": token})
    found = Pod(free_port(), token, Mount(root / "policies"))
    found.policies.write(policies_of(objects))
    given = [
        flag.replace("/etc/remediator", str(root)).replace("0.0.0.0:8080", f"127.0.0.1:{found.port}")
        for flag in flags(objects)
    ]
    command = (sys.executable, "-m", "remediator", "serve", *given, "--manifests", str(root / "mesh"))
    process = Process(command, root / "log", ROOT)
    process.start()
    try:
        wait_until(lambda: process.running() and found.ready(), "the service is ready")
        yield found
    finally:
        process.terminate()


def test_policies_of_the_config_map_are_in_force_and_so_is_a_change_of_it(pod: Pod, objects: list[Json]) -> None:
    names = pod.policy_names()
    assert {"canary-errors", "mirror-errors"} <= set(names)

    pod.policies.write({"shop.yaml": yaml.safe_dump(builders.policy("shop"))})
    assert ["shop"] == pod.policy_names()
    pod.policies.write(policies_of(objects))
    assert names == pod.policy_names()


def notes(values: Json) -> Json:
    """The routes and the receiver that Helm prints for Alertmanager's own file."""
    said = helm("install", "remediator", str(CHART), "-n", NAMESPACE, "--dry-run=client", values=values).stdout
    found: Json = yaml.safe_load(said.split("and the receiver:\n\n", 1)[1].split("\n\n", 1)[0])
    return found


def test_alertmanager_delivers_over_https_with_what_the_notes_say(tmp_path: Path) -> None:
    """The certificate is checked, and the token is asked for. Only addresses and folders are those of this machine."""
    try:
        binary("PROMETHEUS_BIN_DIR", "alertmanager", "prometheus-alertmanager")
    except Missing as missing:
        pytest.skip(str(missing))
    values = {"alertmanagerConfig": {"enabled": False}, "tls": {"enabled": True, "existingSecret": "served"}}
    pair = made(tmp_path, "tls")
    (tmp_path / "token").write_text("the-token\n")
    (tmp_path / "mesh").mkdir()
    port = free_port()
    command = (
        *(sys.executable, "-m", "remediator", "serve", "--listen", f"127.0.0.1:{port}"),
        *("--manifests", str(tmp_path / "mesh"), "--token-file", str(tmp_path / "token")),
        *("--tls-cert-file", str(pair.cert), "--tls-key-file", str(pair.key)),
    )
    here = {
        "https://remediator.remediator.svc:8080": f"https://127.0.0.1:{port}",
        "/etc/alertmanager/secrets/served/ca.crt": str(pair.cert),
        "/etc/alertmanager/secrets/remediator-token/token": str(tmp_path / "token"),
    }
    text = json.dumps(notes(values))
    for there, instead in here.items():
        assert there in text
        text = text.replace(there, instead)
    told = json.loads(text)
    config = {
        "route": {"receiver": "people", "routes": told["routes"]},
        "receivers": [{"name": "people"}, *told["receivers"]],
    }
    process = Process(command, tmp_path / "log", ROOT)
    process.start()
    try:
        with running_alertmanager(config) as alertmanager:
            alertmanager.post([{"labels": {"alertname": "RemediationWatchdog", "remediation": "Heartbeat"}}])
            wait_until(lambda: process.running() and delivered(port, pair) == {"200"}, "the heartbeat is delivered")
    finally:
        process.terminate()


def delivered(port: int, pair: Pair) -> set[str]:
    """The codes with which notifications were answered."""
    try:
        with closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=pair.trusted())) as client:
            client.request("GET", "/metrics")
            text = client.getresponse().read().decode()
    except OSError:
        return set()
    return set(re.findall(r'^remediator_notifications_total\{code="(\d+)"\} [1-9]', text, re.MULTILINE))


def helm_test(objects: list[Json], **environment: str) -> subprocess.CompletedProcess[str]:
    """What the Pod of `helm test` runs."""
    (container,) = only(objects, "Pod")["spec"]["containers"]
    assert ["python", "-c"] == container["command"]
    given = {each["name"]: each["value"] for each in container["env"]}
    assert {"URL", "TOKEN_FILE"} == given.keys()
    return subprocess.run(
        (sys.executable, "-c", *container["args"]),
        env=os.environ | given | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_helm_test_is_content_with_a_service_that_answers(pod: Pod, objects: list[Json], tmp_path: Path) -> None:
    (tmp_path / "token").write_text(pod.token)
    done = helm_test(objects, URL=f"http://127.0.0.1:{pod.port}", TOKEN_FILE=str(tmp_path / "token"))
    assert (0, "") == (done.returncode, done.stderr)
    answer = json.loads(done.stdout.split(" 200 ")[1])
    assert [("Ignored", "NoPolicy")] == [(each["outcome"], each["reason"]) for each in answer["outcomes"]]


def test_helm_test_fails_where_the_token_is_another_one(pod: Pod, objects: list[Json], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("another")
    done = helm_test(objects, URL=f"http://127.0.0.1:{pod.port}", TOKEN_FILE=str(tmp_path / "token"))
    assert 1 == done.returncode
    assert "/webhook answered 401: " in done.stderr


def test_helm_test_fails_where_nobody_answers(objects: list[Json], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("any")
    done = helm_test(objects, URL=f"http://127.0.0.1:{free_port()}", TOKEN_FILE=str(tmp_path / "token"))
    assert 1 == done.returncode
    assert "/webhook cannot be asked: " in done.stderr
