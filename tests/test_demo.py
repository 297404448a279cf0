"""The demo: the real service on the sample, from its start to its end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from remediator.alerts import decode, parse_notification
from remediator.cli.demo_run import Stage
from remediator.cli.demo_service import Service
from tests.processes import free_port, wait_until

ROOT = Path(__file__).parents[1]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "remediator", "demo", *arguments]


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """Temporary folders are made in `folder`, so that it can be seen what stays."""
    return os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder), "TERM": "dumb"} | more


def once(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("--once", *arguments),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=surroundings(folder, **more),
    )


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The demo, once it has shown everything; and what it has said."""
    said = folder / "said.txt"
    with said.open("w") as out:
        process = subprocess.Popen(command(*arguments), stdout=out, stderr=out, text=True, env=surroundings(folder))
    try:
        wait_until(lambda: "Ctrl-C ends it" in said.read_text() or process.poll() is not None, "the demo has shown all")
        assert process.poll() is None, said.read_text()
        yield process, said
    finally:
        # Not killed: the service is a process of its own, and would stay behind.
        process.terminate()
        process.wait(60)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("demo")
    done = once(folder)
    assert (0, "") == (done.returncode, done.stderr)
    assert [] == list(folder.iterdir())
    return done.stdout


class TestOnce:
    def test_shows_the_alert(self, shown: str) -> None:
        assert "CanaryErrorRatioAboveStable: 18 % of the requests to reviews v2 fail" in shown
        assert re.search(r"^  destination_version +v2$", shown, re.MULTILINE)

    def test_shows_the_policy(self, shown: str) -> None:
        assert re.search(r"^canary-errors: ", shown, re.MULTILINE)
        assert re.search(r"^  actions +RevertToStable, RemoveMirrors$", shown, re.MULTILINE)

    def test_shows_header_route_weights_and_mirror_in_one_diff(self, shown: str) -> None:
        changed = [line for line in shown.splitlines() if re.match(r"[-+][ ]", line)]
        (record,) = re.findall(r"^  record +remediations/shop/(\S+)\.yaml$", shown, re.MULTILINE)
        assert [
            "+  annotations:",
            f"+    remediator.io/remediation: {record}",
            "-        subset: v2",
            "+        subset: v1",
            "-      weight: 90",
            "+      weight: 100",
            "-      weight: 10",
            "-    mirror:",
            "-      host: reviews",
            "-      subset: v2",
            "-    mirrorPercentage:",
            "-      value: 25",
            "+      weight: 0",
        ] == changed

    def test_shows_the_answer_in_a_table(self, shown: str) -> None:
        assert re.search(r"^4\. The answer: HTTP 200 after \d+ ms", shown, re.MULTILINE)
        assert "│ target  │ VirtualService shop/reviews " in shown
        assert "│ outcome │ Applied, Patched " in shown

    def test_shows_that_a_second_delivery_changes_nothing(self, shown: str) -> None:
        assert "Unchanged, NotExposed: sends no traffic to reviews.shop v2" in shown.splitlines()

    def test_shows_the_record(self, shown: str) -> None:
        assert re.search(r"^  phase +Applied$", shown, re.MULTILINE)
        assert re.search(r"^  suspect +reviews.shop v2$", shown, re.MULTILINE)

    def test_does_not_stay(self, shown: str) -> None:
        assert "What to try next" not in shown

    def test_says_all_within_100_columns_and_without_colour(self, shown: str) -> None:
        assert [] == [line for line in shown.splitlines() if len(line) > 100]
        assert "\x1b" not in shown

    def test_settings_of_the_surroundings_do_not_change_it(self, tmp_path: Path) -> None:
        done = once(tmp_path, REMEDIATOR_MODE="Observe", REMEDIATOR_NO_SUCH="x", http_proxy="http://127.0.0.1:9")

        assert (0, "") == (done.returncode, done.stderr)

    def test_a_folder_that_is_named_is_kept(self, tmp_path: Path) -> None:
        folder = tmp_path / "shop"
        assert 0 == once(tmp_path, "--folder", str(folder)).returncode

        before, after = (
            list(yaml.safe_load_all((folder / name / "shop.yaml").read_text())) for name in ("original", "manifests")
        )
        assert [100, 0] == [item["weight"] for item in after[0]["spec"]["http"][1]["route"]]
        assert [90, 10] == [item["weight"] for item in before[0]["spec"]["http"][1]["route"]]
        assert before[1] == after[1]
        assert 0o600 == (folder / "token").stat().st_mode & 0o777
        outcomes = [json.loads(line).get("outcome") for line in (folder / "serve.log").read_text().splitlines()]
        assert ["Applied", "Unchanged"] == [outcome for outcome in outcomes if outcome]

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            pytest.param(
                ("--listen", "1:2:3"),
                "error: --listen: '1:2:3' is not HOST:PORT, such as 0.0.0.0:8080 or [::]:8080, with a port up to 65535",
                id="no address",
            ),
            pytest.param(
                ("--listen", "192.0.2.1:0"),
                "error: cannot listen at 192.0.2.1:0: Cannot assign requested address; "
                "name another HOST:PORT with --listen",
                id="another machine's address",
            ),
            pytest.param(
                ("--folder", "/dev/null/shop"),
                "error: --folder /dev/null/shop: cannot be created: Not a directory; name another",
                id="no place for a folder",
            ),
        ],
    )
    def test_what_it_cannot_use_is_one_error_and_nothing_stays(
        self, tmp_path: Path, arguments: tuple[str, ...], expected: str
    ) -> None:
        done = once(tmp_path, *arguments)

        assert (1, f"{expected}\n", "") == (done.returncode, done.stderr, done.stdout)
        assert [] == list(tmp_path.iterdir())

    def test_a_port_that_is_taken_is_one_error(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = once(tmp_path, "--listen", address, "--folder", str(tmp_path / "shop"))

        assert 1 == done.returncode
        assert (
            f"error: cannot listen at {address}: Address already in use; name another HOST:PORT with --listen\n"
        ) == done.stderr
        assert [] == list(tmp_path.iterdir())


class TestStaying:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
    def test_serves_until_it_is_ended_and_leaves_nothing(self, tmp_path: Path, number: signal.Signals) -> None:
        port = free_port()
        with running(tmp_path, "--listen", f"127.0.0.1:{port}") as (process, said):
            assert answers(f"http://127.0.0.1:{port}/readyz")
            process.send_signal(number)
            assert 0 == process.wait(60), said.read_text()
        assert not answers(f"http://127.0.0.1:{port}/healthz")
        assert "Ended." == said.read_text().splitlines()[-1]
        assert [said] == list(tmp_path.iterdir())

    @pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine; its lines are tried with it")
    def test_what_it_says_to_try_works(self, tmp_path: Path) -> None:
        with running(tmp_path, "--folder", str(tmp_path / "shop")) as (_, said):
            lines = said.read_text().split("What to try next", 1)[1]
            commands = [line.strip() for line in lines.splitlines() if line.startswith("  ")]
            listing, undo, exposures, post, explain = commands[:5]
            assert "Applied" in shell(here(listing))
            assert 0 == len(json.loads(shell(exposures))["items"])
            assert ": Undone: " in shell(here(undo))
            assert 4 == len(json.loads(shell(exposures))["items"])
            (row,) = json.loads(shell(post))["outcomes"]
            assert ("Denied", "Undone") == (row["outcome"], row["reason"])
            done = subprocess.run(
                ["/bin/sh", "-c", here(explain)],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                env=surroundings(tmp_path),
            )
            assert (2, "") == (done.returncode, done.stderr)
            assert "Suspect: reviews.shop v2" in done.stdout


def here(line: str) -> str:
    """The program under test, and not one that the shell finds."""
    return re.sub(r"^remediator ", f"{sys.executable} -m remediator ", line)


def shell(line: str) -> str:
    return subprocess.run(["/bin/sh", "-c", line], check=True, capture_output=True, text=True, timeout=30).stdout


def test_an_error_in_the_log_is_not_called_so_twice(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    log.write_text("error: no credentials for a cluster\n")
    service = Service("127.0.0.1:1", tmp_path, tmp_path, log)

    assert "the end of the service's log:\nno credentials for a cluster" == service.log_tail()


def test_the_notification_is_as_alertmanager_posts_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.set_up()
    found = parse_notification(decode(stage.notification.read_bytes()))

    (alert,) = found.alerts
    assert ("firing", "remediator", 16) == (alert.status, found.receiver, len(alert.fingerprint))
    assert alert.ends_at is None


def test_make_demo_is_this_demo() -> None:
    assert re.search(r"^demo:.*\n\t\S*remediator demo \$\(ARGS\)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
