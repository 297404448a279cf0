"""`serve`: what it logs at its start, and what it says of the policy files while it runs."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator import settings
from remediator.cli import news as told
from remediator.cli.address import tried
from remediator.cli.news import PolicyNews, not_enforced
from remediator.errors import InputError
from remediator.policies.load import PolicyStore, load
from tests import builders
from tests.processes import Process, free_port, wait_until

ROOT = Path(__file__).parents[1]
LOG = logging.getLogger("tests.news")


def write(path: Path, *policies: dict[str, Any]) -> None:
    """Replace a policy file, as a mount does: in one step."""
    new = path.with_suffix(".new")
    new.write_text(yaml.safe_dump_all(policies))
    new.replace(path)


class TestNews:
    @pytest.fixture(autouse=True)
    def listen(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, LOG.name)

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        found = tmp_path / "policies.yaml"
        write(found, builders.policy("first"))
        return found

    def test_tells_once_what_is_in_force(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        news = PolicyNews(PolicyStore([path]), LOG)
        news.look()
        news.look()

        (record,) = caplog.records
        assert ("INFO", "policies in force") == (record.levelname, record.message)
        assert [f"first ({path}, document 1), mode Enforce"] == vars(record)["policies"]

    def test_tells_what_changed(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        news = PolicyNews(PolicyStore([path]), LOG)
        news.look()
        write(path, builders.policy("first"), builders.policy("second"))
        news.look()

        assert [1, 2] == [len(vars(record)["policies"]) for record in caplog.records]
        assert [1, 2] == [vars(record)["generation"] for record in caplog.records]

    def test_tells_a_fault_once_and_that_it_is_gone(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        news = PolicyNews(PolicyStore([path]), LOG)
        news.look()
        caplog.clear()
        write(path, builders.policy("first", actoins=[]))
        news.look()
        news.look()
        write(path, builders.policy("first"))
        news.look()

        fault, mended = caplog.records
        assert "ERROR" == fault.levelname
        assert fault.message.startswith("policy files have faults; the last good policies stay in force: ")
        assert "spec.actoins" in fault.message
        assert ("INFO", "policies in force") == (mended.levelname, mended.message)

    def test_warns_of_guards_that_are_not_enforced(
        self, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(told, "NOT_ENFORCED", {"hold": "spec.guards.hold"})
        write(path, builders.policy("first", guards={"hold": "1h", "maxTargets": 1}), builders.policy("second"))
        PolicyNews(PolicyStore([path]), LOG).look()

        warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert ["policy first: not enforced by this version: spec.guards.hold"] == warnings

    def test_the_thread_ends_when_it_is_told_to(self, path: Path) -> None:
        news = PolicyNews(PolicyStore([path]), LOG)
        news.start()
        news.stop()

    def test_what_was_never_begun_can_be_stopped(self, path: Path) -> None:
        PolicyNews(PolicyStore([path]), LOG).stop()


@pytest.mark.parametrize(
    ("guards", "expected"),
    [
        pytest.param({}, (), id="the defaults"),
        pytest.param({"maxTargets": 1}, (), id="a guard that is obeyed"),
        pytest.param({"cooldown": "1h", "stableReady": "50%"}, (), id="more of them"),
        pytest.param({"hold": "1h"}, (), id="hold"),
    ],
)
def test_guards_that_are_not_enforced(tmp_path: Path, guards: dict[str, Any], expected: tuple[str, ...]) -> None:
    write(tmp_path / "policies.yaml", builders.policy(guards=guards))
    (policy,) = load([tmp_path / "policies.yaml"]).policies

    assert expected == not_enforced(policy)


def test_the_packaged_policies_ask_for_nothing_that_is_not_enforced() -> None:
    policies = load([settings.packaged_policies()]).policies

    assert {} == {policy.name: keys for policy in policies if (keys := not_enforced(policy))}


# -- the real process


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Everything that a service logged, from its start to its end."""
    folder = tmp_path_factory.mktemp("serve")
    (folder / "shop").mkdir()
    (folder / "shop" / "reviews.yaml").write_text(
        yaml.safe_dump(builders.virtual_service({"route": builders.split(v1=1)}))
    )
    (folder / "token").write_text("this-is-the-token\n")
    (folder / "r.yaml").write_text("mode: Observe\n")
    url = f"http://127.0.0.1:{free_port()}"
    arguments = ("--listen", url.removeprefix("http://"), "--manifests", str(folder / "shop"), "--threads", "2")
    more = ("--config", str(folder / "r.yaml"), "--token-file", str(folder / "token"))
    process = Process((sys.executable, "-m", "remediator", "serve", *arguments, *more), folder / "log", ROOT)
    process.start()
    try:
        wait_until(lambda: is_ready(process, url), "the service is ready")
    finally:
        process.terminate()
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def is_ready(process: Process, url: str) -> bool:
    process.running()
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_every_setting_is_logged_with_where_it_was_found(log: list[dict[str, Any]]) -> None:
    (line,) = (line for line in log if "settings" in line)

    assert {setting.name for setting in settings.TABLE} == set(line["settings"])
    assert {"value": 2, "from": "--threads"} == line["settings"]["threads"]
    assert line["settings"]["mode"]["from"].endswith("r.yaml, key mode")
    assert {"value": "4194304", "from": "default"} == {k: str(v) for k, v in line["settings"]["max-body"].items()}


def test_no_secret_is_logged(log: list[dict[str, Any]]) -> None:
    assert "this-is-the-token" not in json.dumps(log)


def test_the_policies_in_force_are_logged(log: list[dict[str, Any]]) -> None:
    (line,) = (line for line in log if line["message"] == "policies in force")

    shipped = load([Path(__file__).parents[1] / "policies" / "production"]).policies
    assert [policy.name for policy in shipped] == [str(each).split()[0] for each in line["policies"]]


def test_with_a_token_nothing_is_said_of_anonymous(log: list[dict[str, Any]]) -> None:
    assert [] == [line for line in log if line["level"] in ("warning", "error")]


def test_serving_without_a_token_is_said_loudly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from remediator.cli.wiring import tell_settings

    tell_settings(settings.read({"allow-anonymous": "true", "listen": "0.0.0.0:80"}, {}, serving=True))

    (record,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert record.message.startswith(
        "ANONYMOUS: no token is asked for; whoever reaches 0.0.0.0:80 can have traffic taken away. "
    )
    assert record.message.endswith("instead of --allow-anonymous")


def test_an_address_that_is_taken_is_one_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            (
                *(sys.executable, "-m", "remediator", "serve", "--allow-anonymous"),
                *("--manifests", str(tmp_path), "--listen", address),
            ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=ROOT,
        )
    expected = f"error: cannot listen at {address}: Address already in use; name another HOST:PORT with --listen\n"
    assert (1, expected) == (done.returncode, done.stderr)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_any_free_port_is_found_by_0(host: str) -> None:
    try:
        found = tried(f"{host}:0")
    except InputError as error:
        pytest.skip(f"this machine has no {host}: {error}")
    assert found.startswith(f"{host}:")
    assert not found.endswith(":0")
    assert found == tried(found)


def test_a_folder_is_looked_at_and_not_a_cluster(tmp_path: Path) -> None:
    from remediator.cli.outside import open_cluster
    from remediator.cluster.local import LocalCluster

    assert isinstance(open_cluster(settings.read({"manifests": str(tmp_path)}, {})), LocalCluster)
