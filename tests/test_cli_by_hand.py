"""`rollback` and `stop-mirror` on a folder of YAML: what they show, ask, change, record and refuse."""

from __future__ import annotations

import getpass
import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from remediator import settings
from remediator.cli import by_hand
from remediator.cli.main import program
from remediator.cli.situation import await_sync
from remediator.cluster.local import LocalCluster
from remediator.cluster.local_brake import LocalBrake
from remediator.errors import Forbidden, Unavailable
from remediator.outcome import Reason, TargetRef
from remediator.policies.model import Action
from remediator.records.model import Phase, Remediation, Request
from tests import builders
from tests.contract import manifest
from tests.processes import free_port
from tests.real_world import Start, may_read
from tests.servers import ApiServer

ROOT = Path(__file__).parents[1]
REVIEWS = TargetRef("VirtualService", "shop", "reviews")
_DEADLINE_S = 60.0
_NOTICED_S = 5.0
"""After which a second Ctrl-C is sent: one that comes while the process ends kills it."""

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder `shop` with a VirtualService that gives v2 a route, a weight and a mirror."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(settings.PREFIX)]:
        monkeypatch.delenv(name)
    Path("shop").mkdir()
    furnish(
        builders.virtual_service(
            builders.when(route=builders.split(v2=None)) | {"name": "beta"},
            {"name": "all", "route": builders.split(v1=90, v2=10), "mirror": builders.destination("v2")},
        ),
        builders.destination_rule(v1="v1", v2="v2"),
    )


def furnish(*bodies: Json) -> None:
    Path("shop/shop.yaml").write_text(yaml.safe_dump_all(bodies, sort_keys=False))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, [*arguments, "--manifests", "shop"], prog_name="remediator")


def document(*arguments: str) -> tuple[int, Json]:
    found = run(*arguments, "-o", "json")
    return found.exit_code, json.loads(found.stdout)


def live() -> Json:
    return LocalCluster(Path("shop")).read(REVIEWS).body


def spec() -> Json:
    found: Json = live()["spec"]
    return found


def records() -> list[Remediation]:
    return sorted(LocalCluster(Path("shop")).ledger.listed(), key=lambda record: record.intent.alert.starts_at)


# -- done


class TestDone:
    def test_a_rollback_is_shown_done_recorded_and_undone(self) -> None:
        before = spec()
        found = run("rollback", "shop/reviews", "--suspect", "v2", "--yes", "--by", "ada", "--reason", "INC-4711")
        (record,) = records()

        assert 0 == found.exit_code, found.stderr
        lines = found.stdout.splitlines()
        assert "VirtualService shop/reviews: RevertToStable, reviews.shop v2" == lines[0]
        assert ["-      weight: 90", "+      weight: 100"] == [
            line for line in lines if re.match(r"[-+] .*: (90|100)$", line)
        ]
        assert "The traffic goes to reviews.shop subset v1." in lines
        assert "Stays: http[1] (all): mirror to reviews.shop subset v2 (100 %); `stop-mirror` takes it" in lines
        assert f"Record: shop/{record.name}" in lines
        assert (Phase.APPLIED, Reason.PATCHED) == (record.status.phase, record.status.reason)
        assert (Request("ada", "INC-4711"), "manual") == (record.intent.request, record.intent.policy.name)
        assert (Action.REVERT_TO_STABLE,) == record.intent.actions
        assert [[None], [100, 0]] == [[each.get("weight") for each in route["route"]] for route in spec()["http"]]
        assert record.name == live()["metadata"]["annotations"]["remediator.io/remediation"]

        assert 0 == CliRunner().invoke(program, shlex.split(lines[-1])[1:]).exit_code
        assert before == spec()

    def test_nothing_else_than_the_diff_is_made(self) -> None:
        before = live()
        _, found = document("rollback", "shop/reviews", "--suspect", "v2", "--yes")
        shown = [line for line in found["diff"].splitlines()[2:] if not line.startswith("@@")]

        for side, body in (("-", before), ("+", live())):
            text = yaml.safe_dump(body | {"metadata": before["metadata"]}, sort_keys=False, width=2**30)
            spec_lines = [line[1:] for line in shown[shown.index(" spec:") :] if line[:1] in (" ", side)]
            assert set(spec_lines) <= set(text.splitlines())

    def test_the_account_asks_where_nobody_is_named(self) -> None:
        document("stop-mirror", "shop/reviews", "--yes")

        assert [Request(getpass.getuser())] == [record.intent.request for record in records()]

    def test_a_second_time_there_is_nothing_to_do(self) -> None:
        run("stop-mirror", "shop/reviews", "--yes")
        found = run("stop-mirror", "shop/reviews")

        expected = "Nothing to do: no mirror of VirtualService shop/reviews copies anything\n"
        assert (0, expected) == (found.exit_code, found.stdout)
        assert 1 == len(records())

    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param((), id="every mirror"),
            pytest.param(("--suspect", "v2"), id="those of a version"),
            pytest.param(("--suspect", "v2", "--service", "reviews.shop"), id="those of a version of a service"),
        ],
    )
    def test_a_mirror_is_stopped_and_no_weight_moves(self, arguments: tuple[str, ...]) -> None:
        found = run("stop-mirror", "shop/reviews", "--yes", *arguments)

        assert 0 == found.exit_code, found.stderr
        assert "No weight moves." in found.stdout.splitlines()
        assert [False, False] == ["mirror" in route for route in spec()["http"]]
        assert [None, 90] == [route["route"][0].get("weight") for route in spec()["http"]]

    def test_both_levers_one_after_the_other_and_the_last_undone_first(self) -> None:
        before = spec()
        run("rollback", "shop/reviews", "--suspect", "v2", "--yes")
        run("stop-mirror", "shop/reviews", "--suspect", "v2", "--yes")
        first, second = records()

        assert 0 == run("undo", str(second), "--by", "ada").exit_code
        assert [False, True] == ["mirror" in route for route in spec()["http"]]
        assert 0 == run("undo", str(first), "--by", "ada").exit_code
        assert before == spec()

    def test_a_document_for_programs(self) -> None:
        code, found = document("rollback", "shop/reviews", "--suspect", "v2", "--stable", "v1", "--yes")
        (record,) = records()

        assert (0, "Applied", "Patched") == (code, found["outcome"], found["reason"])
        assert [{"host": "reviews.shop.svc.cluster.local", "version": "v2"}] == found["suspects"]
        assert ("v1", ["reviews.shop subset v1"]) == (found["stable"], found["receivers"])
        assert list(record.intent.patch) == found["patch"]
        assert list(record.intent.undo) == found["undo"]
        assert record.name == found["remediation"]
        assert f"remediator undo shop/{record.name} --manifests shop" == found["undoCommand"]

    def test_yaml_says_the_same_as_json(self) -> None:
        arguments = ("rollback", "shop/reviews", "--suspect", "v2", "--dry-run")
        _, expected = document(*arguments)
        found = yaml.safe_load(run(*arguments, "-o", "yaml").stdout)

        assert expected["changes"] == found["changes"]
        assert expected.keys() == found.keys()


def test_the_namespace_as_kubectl_takes_it() -> None:
    found = run("stop-mirror", "-n", "shop", "reviews", "--yes")

    assert 0 == found.exit_code, found.stderr
    assert "mirror" not in spec()["http"][1]


class TestDryRun:
    def test_nothing_is_changed_and_nothing_recorded(self) -> None:
        before = {path: path.read_bytes() for path in Path("shop").rglob("*.yaml")}
        found = run("rollback", "shop/reviews", "--suspect", "v2", "--dry-run")

        assert (2, "Dry run: this would be accepted. Nothing was changed.") == (
            found.exit_code,
            found.stdout.splitlines()[-1],
        )
        assert before == {path: path.read_bytes() for path in Path("shop").rglob("*.yaml")}

    def test_a_document_for_programs(self) -> None:
        code, found = document("stop-mirror", "shop/reviews", "--dry-run")

        assert (2, "Observed", "DryRun") == (code, found["outcome"], found["reason"])
        assert (None, None) == (found["remediation"], found["undoCommand"])
        assert ["http[1] (all): mirror to reviews.shop subset v2 (100 %) removed"] == found["changes"]

    def test_no_record_is_named_for_there_will_be_none(self) -> None:
        arguments = ("rollback", "shop/reviews", "--suspect", "v2", "--dry-run")
        _, found = document(*arguments)

        assert "remediator.io/remediation" not in run(*arguments).stdout
        assert "remediator.io" not in json.dumps([found["diff"], found["patch"], found["undo"]])

    def test_nothing_to_do(self) -> None:
        furnish(builders.virtual_service({"route": builders.split(v1=100)}))

        assert 0 == run("stop-mirror", "shop/reviews", "--dry-run").exit_code


# -- not done


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            ("rollback", "reviews", "--suspect", "v2"),
            "error: 'reviews' is in which namespace? Give NAMESPACE/NAME, or -n NAMESPACE\n",
            id="no namespace",
        ),
        pytest.param(
            ("rollback", "shop/reviews", "-n", "bank", "--suspect", "v2"),
            "error: shop/reviews and -n bank contradict each other; give one of them\n",
            id="two namespaces",
        ),
        pytest.param(
            ("rollback", "shop/reviews", "--suspect", "v2", "--stable", "v9", "--yes"),
            "error: --stable v9: VirtualService shop/reviews has no host and no version of that name; "
            "it has reviews.shop (v1, v2)\n",
            id="a stable version that is none",
        ),
        pytest.param(
            ("rollback", "shop/reviews/x", "--suspect", "v2"),
            "error: 'shop/reviews/x' names no VirtualService; give NAMESPACE/NAME\n",
            id="one part too many",
        ),
        pytest.param(
            ("stop-mirror", "shop/..", "--yes"),
            "error: 'shop/..' names no VirtualService; give NAMESPACE/NAME\n",
            id="what nothing can be called",
        ),
        pytest.param(
            ("rollback", "shop/revews", "--suspect", "v2"),
            "error: there is no VirtualService shop/revews; did you mean shop/reviews?\n",
            id="a name that is nearly right",
        ),
        pytest.param(
            ("rollback", "store-eu/reviews", "--suspect", "v2"),
            "error: there is no VirtualService store-eu/reviews; did you mean shop/reviews?\n",
            id="the wrong namespace",
        ),
        pytest.param(
            ("rollback", "bank/payments", "--suspect", "v2"),
            "error: there is no VirtualService bank/payments; of the 1 that are there, none has a name like it\n",
            id="a name that is nowhere near",
        ),
        pytest.param(
            ("rollback", "shop/reviews", "--suspect", "v9", "--yes"),
            "error: --suspect v9: VirtualService shop/reviews has no host and no version of that name; "
            "it has reviews.shop (v1, v2)\n",
            id="a suspect that is none",
        ),
        pytest.param(
            ("rollback", "shop/reviews", "--suspect", "v2", "-o", "json"),
            "error: -o json asks nobody; give --yes or --dry-run with it\n",
            id="a document, and nobody said yes",
        ),
        pytest.param(
            ("rollback", "shop/reviews"),
            "error: missing option '--suspect'\n",
            id="no suspect",
        ),
        pytest.param(
            ("stop-mirror", "shop/reviews", "--service", "reviews"),
            "error: --service says whose version --suspect is; give --suspect too, or neither\n",
            id="a service without a suspect",
        ),
        pytest.param(
            ("rollback", "shop/reviews", "--suspect", "v2"),
            "error: standard input is no terminal, so nobody can be asked: give --yes. Nothing was changed\n",
            id="nobody to ask",
        ),
    ],
)
def test_an_error_says_what_to_do_and_changes_nothing(arguments: tuple[str, ...], words: str) -> None:
    before = live()
    found = run(*arguments)

    assert (1, True) == (found.exit_code, found.stderr.startswith(words)), found.stderr
    assert (before, []) == (live(), records())


def test_the_change_is_shown_even_where_nobody_can_be_asked() -> None:
    assert "+      weight: 100" in run("rollback", "shop/reviews", "--suspect", "v2").stdout.splitlines()


class TestRefused:
    def test_with_the_planner_s_own_words(self) -> None:
        furnish(builders.virtual_service({"route": builders.by_host(reviews=100)}))
        found = run("rollback", "shop/reviews", "--suspect", "v2", "--yes")

        assert 1 == found.exit_code
        assert found.stderr.startswith(
            "error: VirtualService shop/reviews: Denied (NotSeparable): http[0]: reviews.shop is the whole"
        )
        assert "" == found.stdout
        assert [] == records()

    def test_as_a_document(self) -> None:
        furnish(builders.virtual_service({"route": builders.split(v2=None)}), builders.destination_rule(v2="v2"))
        code, found = document("rollback", "shop/reviews", "--suspect", "v2", "--yes")

        assert (1, "Denied", "NoStableDestination") == (code, found["outcome"], found["reason"])
        assert ([], None) == (found["changes"], found["remediation"])

    def test_a_folder_that_may_not_be_written(self) -> None:
        """No record, no patch."""
        Path("shop/remediations").write_text("in the way of the folder")
        before = live()
        found = run("rollback", "shop/reviews", "--suspect", "v2", "--yes")

        assert 1 == found.exit_code
        assert before == live()
        assert re.search(r"^error: VirtualService shop/reviews: (Denied|Failed) \(\w+\): ", found.stderr)


# -- what the guards would say


HEAVY = "  NO suspectIsStable: "


def pause() -> None:
    metadata = {"name": "fleet", "creationTimestamp": "2026-08-01T11:30:00Z"}
    spec = {"by": "kim", "reason": "INC-4711"}
    body = {"apiVersion": "remediator.io/v1alpha1", "kind": "Pause", "metadata": metadata, "spec": spec}
    Path("shop/pause.yaml").write_text(yaml.safe_dump(body))


def heavy_canary() -> None:
    furnish(
        builders.virtual_service({"name": "all", "route": builders.split(v1=10, v2=90)}),
        builders.destination_rule(v1="v1", v2="v2"),
    )


class TestGuards:
    def test_a_no_is_shown_and_binds_nobody(self) -> None:
        pause()
        found = run("rollback", "shop/reviews", "--suspect", "v2", "--yes")

        lines = found.stdout.splitlines()
        begin = lines.index("Guards that would refuse an alert:")
        assert lines[begin + 1].startswith("  NO pause: the service is paused by kim")
        assert begin < next(number for number, line in enumerate(lines) if line.startswith("Applied"))
        assert (0, [Phase.APPLIED]) == (found.exit_code, [record.status.phase for record in records()])

    def test_it_stands_before_the_question(self) -> None:
        pause()
        with terminal(*ROLLBACK) as shown:
            said = shown.read_until(QUESTION)
            assert "pause: the service is paused by kim" in said
            shown.answer("n\n")

    @pytest.mark.parametrize("flag", ["--yes", "--dry-run"])
    def test_every_no_is_a_line(self, flag: str) -> None:
        heavy_canary()
        pause()
        lines = run("rollback", "shop/reviews", "--suspect", "v2", flag).stdout.splitlines()

        assert 2 == len([line for line in lines if line.startswith("  NO ")])
        assert [line for line in lines if line.startswith(HEAVY)]

    def test_as_a_document(self) -> None:
        pause()
        _, found = document("stop-mirror", "shop/reviews", "--dry-run")

        (verdict,) = found["guards"]
        assert ("pause", False, "Paused") == (verdict["guard"], verdict["allows"], verdict["reason"])

    def test_a_stable_side_that_is_not_ready(self) -> None:
        slices = builders.endpoint_slice(builders.endpoint("10.0.0.1", "v1-0", ready=False))
        Path("shop/endpoints.yaml").write_text(yaml.safe_dump_all([slices, builders.pod("v1-0", version="v1")]))
        found = run("rollback", "shop/reviews", "--suspect", "v2", "--dry-run")

        assert "  NO stableReady: reviews.shop subset v1: 0 of 1 endpoints ready" in found.stdout

    def test_a_second_lever_within_the_cooldown_is_told_which_was_the_first(self) -> None:
        run("rollback", "shop/reviews", "--suspect", "v2", "--yes")
        (first,) = records()
        found = run("stop-mirror", "shop/reviews", "--yes")

        (line,) = (line for line in found.stdout.splitlines() if line.startswith("  NO "))
        assert line.startswith("  NO cooldown: ")
        assert first.name in line

    def test_where_none_says_no_nothing_is_said_of_them(self) -> None:
        found = run("rollback", "shop/reviews", "--suspect", "v2", "--yes")
        assert "uard" not in found.stdout

    def test_what_only_binds_the_service_is_left_out(self) -> None:
        """Off means that the service may not act by itself; an alert's age says nothing of what a person asks for."""
        body, rule = yaml.safe_load_all(Path("shop/shop.yaml").read_text())
        body["metadata"]["annotations"] = {"remediator.io/mode": "Off"}
        furnish(body, rule)

        assert [] == document("rollback", "shop/reviews", "--suspect", "v2", "--dry-run")[1]["guards"]

    def test_where_nothing_is_to_be_done_nobody_is_asked(self) -> None:
        pause()
        furnish(builders.virtual_service({"route": builders.split(v1=100)}))
        assert [] == document("stop-mirror", "shop/reviews", "--dry-run")[1]["guards"]

    def test_what_flagger_steps_over_is_said(self) -> None:
        hook = {"name": "remediator", "type": "rollback", "url": "http://remediator/flagger/rollback"}
        canary = builders.flagger_canary(analysis={"webhooks": [hook]})
        canary |= {"status": {"phase": "Progressing", "lastAppliedSpec": "5454669676"}}
        split = builders.by_host(reviews_primary=90, reviews_canary=10)
        furnish(builders.virtual_service({"route": split}), canary)
        said = run("rollback", "shop/reviews", "--suspect", "reviews-canary", "--dry-run").stdout
        assert "  NO lever: Flagger (Canary shop/reviews) drives the object and steps over a patch at its next" in said

    def test_guards_that_cannot_be_asked_stand_in_nobody_s_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unanswered(*_: Any) -> Any:
            raise Unavailable("the API server does not answer")

        pause()
        monkeypatch.setattr(LocalCluster, "readiness", unanswered)
        found = run("rollback", "shop/reviews", "--suspect", "v2", "--yes")

        assert (0, [Phase.APPLIED]) == (found.exit_code, [record.status.phase for record in records()])
        assert "Guards" not in found.stdout

    def test_what_may_not_be_read_is_said_in_a_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def forbidden(*_: Any) -> Any:
            raise Forbidden("list", "pauses.remediator.io", "is forbidden")

        monkeypatch.setattr(LocalBrake, "pauses", forbidden)
        found = run("rollback", "shop/reviews", "--suspect", "v2", "--yes")

        assert 0 == found.exit_code, found.stderr
        (line,) = (line for line in found.stdout.splitlines() if line.startswith("Guards: "))
        assert line.startswith("Guards: the pauses cannot be read (no permission to list pauses.remediator.io")
        assert line.endswith("): whether somebody has paused the service was not asked.")


# -- asked on a terminal


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, terminal: int, process: subprocess.Popen[bytes]) -> None:
        self._terminal = terminal
        self._process = process
        self.said = ""

    def read_until(self, text: str) -> str:
        """All that was said so far, once `text` stands in it."""
        deadline = time.monotonic() + _DEADLINE_S
        while text not in self.said:
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))
            if not ready or not self._read():
                raise AssertionError(f"no {text!r} in {self.said!r}")
        return self.said

    def answer(self, text: str) -> int:
        """Type `text`; the exit code."""
        os.write(self._terminal, text.encode())
        while self._read():
            pass
        return self._process.wait(_DEADLINE_S)

    def interrupt(self) -> int:
        """Ctrl-C until it hears: a signal that comes right before a read begins is noticed with the next one."""
        deadline = time.monotonic() + _DEADLINE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_NOTICED_S)
        return self.answer("")

    def _read(self) -> bool:
        try:
            found = os.read(self._terminal, 65536)
        except OSError:  # Linux says so where the other end is closed
            return False
        self.said += found.decode().replace("\r\n", "\n")
        return bool(found)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "remediator", *arguments, "--manifests", "shop"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
        # Who runs the tests in the background may have it ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it takes no lock
    )
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


ROLLBACK = ("rollback", "shop/reviews", "--suspect", "v2")
QUESTION = "Change VirtualService shop/reviews? [y/N]: "


class TestAsked:
    def test_yes(self) -> None:
        with terminal(*ROLLBACK) as shown:
            said = shown.read_until(QUESTION)
            assert "\x1b[32m+      weight: 100" in said
            assert [] == records()
            assert 0 == shown.answer("y\n")
        (record,) = records()
        assert f"  remediator undo {record} --manifests shop\n" in shown.said
        assert Phase.APPLIED is record.status.phase

    @pytest.mark.parametrize("answer", ["n\n", "\n"], ids=["no", "nothing, which is no"])
    def test_no(self, answer: str) -> None:
        before = live()
        with terminal(*ROLLBACK) as shown:
            shown.read_until(QUESTION)
            assert 1 == shown.answer(answer)
        assert "Nothing was changed.\n" in shown.said
        assert (before, []) == (live(), records())

    def test_an_interruption_is_told_and_changes_nothing(self) -> None:
        before = live()
        with terminal(*ROLLBACK) as shown:
            shown.read_until(QUESTION)
            assert 130 == shown.interrupt()
        assert shown.said.endswith(f"{QUESTION}\nNothing was changed.\n")
        assert (before, []) == (live(), records())

    @pytest.mark.parametrize(
        ("edit", "verdict", "phases"),
        [
            pytest.param(
                lambda http: http[1]["route"][1].update(weight=20) or http[1]["route"][0].update(weight=80),
                "Denied (ChangedSince): ",
                [Phase.FAILED],
                id="another change than was shown is refused",
            ),
            pytest.param(
                lambda http: http.append({"route": builders.split(v1=None)}),
                "Applied (Patched), as shown.",
                [Phase.APPLIED],
                id="the same change is made",
            ),
            pytest.param(
                lambda http: http.__setitem__(slice(None), [{"route": builders.split(v1=100)}]),
                "Unchanged (NotExposed): ",
                [Phase.EXPIRED],
                id="somebody was quicker",
            ),
        ],
    )
    def test_an_object_that_moves_while_the_question_stands(
        self, edit: Callable[[list[Json]], Any], verdict: str, phases: list[Phase]
    ) -> None:
        with terminal(*ROLLBACK) as shown:
            shown.read_until(QUESTION)
            body, rule = yaml.safe_load_all(Path("shop/shop.yaml").read_text())
            edit(body["spec"]["http"])
            furnish(body, rule)
            code = shown.answer("y\n")

        assert verdict in re.sub(r"\x1b\[[0-9;]*m", "", shown.said)
        assert phases == [record.status.phase for record in records()]
        if phases == [Phase.FAILED]:
            assert 1 == code
            assert body["spec"] == spec()
            assert "+      weight: 100" in shown.said.partition("ChangedSince")[2]
            assert "Run it again to have this done." in shown.said
        else:
            assert 0 == code


def test_what_is_in_an_object_cannot_move_the_cursor() -> None:
    furnish(
        builders.virtual_service({"name": "a\x1b[2Jb", "route": builders.split(v1=90, v2=10)}),
        builders.destination_rule(v1="v1", v2="v2"),
    )
    assert "\x1b" not in run("rollback", "shop/reviews", "--suspect", "v2", "--dry-run").stdout


# -- a cluster that does not answer, or not well


def kubeconfig(port: int) -> Path:
    config = {
        "current-context": "stand-in",
        "clusters": [{"name": "stand-in", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "contexts": [{"name": "stand-in", "context": {"cluster": "stand-in", "user": "me"}}],
        "users": [{"name": "me", "user": {}}],
    }
    Path("config").write_text(yaml.safe_dump(config))
    return Path("config")


@contextmanager
def stand_in(answers: dict[str, Json]) -> Iterator[int]:
    """Answers these paths as an API server does, and any other with the 404 of a path that it does not serve."""

    class Stub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            text = json.dumps(found or {"kind": "Status", "message": "the server could not find it"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def test_an_api_server_that_is_away_is_one_cause_and_one_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_hand, "_ANSWER_DEADLINE_S", 0.0)
    found = CliRunner().invoke(program, [*ROLLBACK, "--yes", "--kubeconfig", str(kubeconfig(free_port()))])

    cause, advice = found.stderr.splitlines()
    assert 1 == found.exit_code
    assert cause.startswith("error: no answer from http://127.0.0.1:")
    assert "error: check --kubeconfig and --context" == advice


@pytest.mark.parametrize(
    ("served", "words"),
    [
        pytest.param(
            {"v1": ["virtualservices", "destinationrules"]},
            "error: the API server serves no remediations.remediator.io: "
            "install its CRD: remediator schema --crd | kubectl apply -f -\n",
            id="the CRD of the records",
        ),
        pytest.param(
            {},
            "error: Istio's CRDs are not installed: the API server knows no group networking.istio.io\n",
            id="those of Istio",
        ),
    ],
)
def test_a_crd_that_is_missing_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, served: dict[str, list[str]], words: str
) -> None:
    monkeypatch.setattr(by_hand, "_ANSWER_DEADLINE_S", _DEADLINE_S)
    monkeypatch.setattr(by_hand, "SYNC_DEADLINE_S", _DEADLINE_S)
    root = "/apis/networking.istio.io"
    answers: dict[str, Json] = {f"{root}/{v}": {"resources": [{"name": n} for n in served[v]]} for v in served}
    if served:
        answers[root] = {"versions": [{"version": version} for version in served]}
        body = live()
        answers[f"{root}/v1/namespaces/shop/virtualservices/reviews"] = body
    begin = time.monotonic()
    with stand_in(answers) as port:
        found = CliRunner().invoke(program, [*ROLLBACK, "--yes", "--kubeconfig", str(kubeconfig(port))])

    assert (1, words) == (found.exit_code, found.stderr)
    assert time.monotonic() - begin < _DEADLINE_S


def test_a_missing_permission_is_not_waited_for() -> None:
    """situation.await_sync knows it by its words, for the health of a cluster is text."""
    lacking = str(Forbidden("list", "virtualservices.networking.istio.io", "is forbidden"))
    fault = f"a.b in all namespaces not listed yet: {lacking}; c.d in shop not listed yet: {lacking}"
    with pytest.raises(Unavailable) as caught:
        await_sync(lambda: fault, deadline_s=_DEADLINE_S * 10, advice="check it")

    assert [
        f"the routing objects cannot be read: a.b in all namespaces not listed yet: {lacking}",
        f"c.d in shop not listed yet: {lacking}",
    ] == str(caught.value).splitlines()


@pytest.mark.servers
def test_a_dry_run_needs_no_records(api_server: ApiServer, start: Start) -> None:
    world = start()
    for body in yaml.safe_load_all(Path("shop/shop.yaml").read_text()):
        world.create(manifest(body))
    rule = may_read("VirtualService", "DestinationRule", "Namespace")
    api_server.allow("guest", rule | {"verbs": [*rule["verbs"], "get", "patch"]})
    flags = ("--kubeconfig", str(api_server.kubeconfig("guest")), "--yes")

    tried = CliRunner().invoke(program, [*ROLLBACK, "--dry-run", *flags])
    done = CliRunner().invoke(program, [*ROLLBACK, *flags])
    api_server.allow("guest")

    assert 2 == tried.exit_code, tried.stderr
    assert (1, "") == (done.exit_code, done.stdout)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no permission to list remediations.remediator.io: ")


@pytest.mark.servers
def test_on_a_live_cluster(api_server: ApiServer, start: Start) -> None:
    world = start()
    for body in yaml.safe_load_all(Path("shop/shop.yaml").read_text()):
        world.create(manifest(body))
    before = world.cluster.read(REVIEWS).body["spec"]
    flags = ("--kubeconfig", str(api_server.kubeconfig()), "--by", "ada")

    def remediator(*arguments: str) -> Result:
        return CliRunner().invoke(program, [*arguments, *flags], prog_name="remediator")

    tried = remediator("rollback", "shop/reviews", "--suspect", "v2", "--dry-run")
    assert (2, before) == (tried.exit_code, world.cluster.read(REVIEWS).body["spec"]), tried.stderr
    assert "Guards that would refuse an alert:\n  NO stableReady: " in tried.stdout, "there are no endpoints"
    done = remediator("rollback", "shop/reviews", "--suspect", "v2", "--yes", "-o", "json")
    found = json.loads(done.stdout)
    record = world.cluster.ledger.read("shop", found["remediation"])
    live = world.cluster.read(REVIEWS).body

    assert 0 == done.exit_code, done.stderr
    assert (Phase.APPLIED, Request("ada")) == (record.status.phase, record.intent.request)
    assert [100, 0] == [each["weight"] for each in live["spec"]["http"][1]["route"]]
    assert record.name == live["metadata"]["annotations"]["remediator.io/remediation"]

    undone = remediator("undo", str(record))
    assert (0, before) == (undone.exit_code, world.cluster.read(REVIEWS).body["spec"]), undone.stderr
