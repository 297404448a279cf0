"""The command line for pauses: `pause` and `resume`, on a folder that stands in for a cluster, and on a live one."""

from __future__ import annotations

import getpass
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from remediator.cli.pausing import wished
from remediator.cluster.local import LocalCluster
from remediator.errors import InputError
from remediator.guards.pause import Pause
from remediator.records.model import Phase
from tests.brake_contract import KIM, NOON, by_hand, said
from tests.contract import REF, manifest
from tests.folders import dump
from tests.real_world import Start
from tests.servers import ApiServer
from tests.service import PERMISSIONS
from tests.test_cli import REVIEWS, RULE, here, process, run

__all__ = ["here"]

pytestmark = pytest.mark.usefixtures("here", "mesh")

MEANS = (
    "Every replica acts on it within seconds. Alerts end as Denied, Paused, and nothing is changed for them; what "
    "people do with rollback, stop-mirror and undo goes on."
)
FOLLOWS = (
    "Every replica acts on it within seconds, and on an alert that still fires once Alertmanager delivers it again "
    "(repeat_interval)."
)


@pytest.fixture
def mesh(here: None, tmp_path: Path) -> None:
    (tmp_path / "mesh").mkdir()


def pause(*more: str, reason: str = "INC-4711", by: str = "kim") -> Result:
    return run("pause", "--manifests", "mesh", "--reason", reason, "--by", by, *more)


def resume(*more: str) -> Result:
    return run("resume", "--manifests", "mesh", "--by", "lee", *more)


def stored() -> list[Pause]:
    return list(LocalCluster(Path("mesh")).brake.read())


def put(**spec: Any) -> None:
    """Somebody writes a Pause by hand, which is over unless they say otherwise."""
    body = by_hand("old", **({"by": "ann", "reason": "Friday", "until": "2026-08-01T14:00:00Z"} | spec))
    Path("mesh/old.yaml").write_text(dump(body))


def settled(text: str) -> str:
    """A text without since when something is."""
    return re.sub(r"(?<= since )\S+", "WHEN", text)


# -- pause


class TestPause:
    def test_it_says_who_why_until_when_and_what_that_means(self) -> None:
        found = pause("--until", "2099-08-01T12:00:00Z")

        assert (0, "") == (found.exit_code, found.stderr)
        assert [
            "Paused by kim until 2099-08-01T12:00:00Z: INC-4711",
            MEANS,
            "To end it:",
            "  remediator resume --manifests mesh",
        ] == found.stdout.splitlines()

    def test_it_is_stored(self) -> None:
        pause("--until", "2099-08-01T12:00:00+02:00", reason="the rules are wrong")

        expected = Pause("kim", "the rules are wrong", until=datetime(2099, 8, 1, 10, tzinfo=UTC))
        assert [expected] == said(tuple(stored()))

    def test_without_an_end_it_lasts_until_somebody_resumes(self) -> None:
        found = pause()

        assert "Paused by kim until somebody resumes: INC-4711" == found.stdout.splitlines()[0]
        assert [None] == [each.until for each in stored()]

    def test_a_duration_counts_from_now(self) -> None:
        before = datetime.now(UTC)
        pause("--for", "2h")
        after = datetime.now(UTC)

        (until,) = (each.until for each in stored())
        assert until is not None
        assert before + timedelta(hours=2) <= until <= after + timedelta(hours=2, seconds=1)

    def test_the_account_asks_where_nobody_is_named(self) -> None:
        run("pause", "--manifests", "mesh", "--reason", "why")

        assert [getpass.getuser()] == [each.by for each in stored()]

    def test_one_that_holds_is_replaced_and_told(self) -> None:
        pause(reason="first")
        found = pause("--until", "2099-08-01T12:00:00Z", by="lee", reason="second")

        first, second, *_ = settled(found.stdout).splitlines()
        assert "Paused by lee until 2099-08-01T12:00:00Z: second" == first
        assert "  It replaces the pause by kim since WHEN until somebody resumes: first" == second
        assert [("lee", "second")] == [(each.by, each.reason) for each in stored()]

    def test_others_that_hold_besides_are_told(self) -> None:
        put(until="2099-08-01T12:00:00Z")
        found = pause()

        assert "  The pause old holds besides: by ann until 2099-08-01T12:00:00Z: Friday" in found.stdout.splitlines()

    def test_of_one_that_is_over_nothing_is_told(self) -> None:
        put()
        found = pause()

        assert 4 == len(found.stdout.splitlines())

    def test_a_document_for_programs(self) -> None:
        put(until="bad")
        pause(reason="first")
        found = json.loads(pause("--until", "2099-08-01T12:00:00Z", "-o", "json").stdout)

        assert {"by": "kim", "reason": "INC-4711", "until": "2099-08-01T12:00:00Z"} == found["pause"]["spec"]
        assert ("Pause", "first") == (found["replaced"]["kind"], found["replaced"]["spec"]["reason"])
        assert [("old", "spec.until is 'bad', and no time with its zone")] == [
            (each["metadata"]["name"], each["fault"]) for each in found["others"]
        ]

    def test_a_document_says_that_nothing_was_replaced(self) -> None:
        found = yaml.safe_load(pause("-o", "yaml").stdout)

        assert (None, []) == (found["replaced"], found["others"])

    def test_what_was_given_cannot_move_the_cursor(self) -> None:
        put(until="2099-08-01T12:00:00Z", reason="a\x1b[2Jb")

        assert "\x1b" not in pause().stdout


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        pytest.param(
            ("--for", "2h", "--until", "2099-08-01T12:00:00Z"),
            "error: --for and --until exclude each other: each says when it ends",
            id="two ends",
        ),
        pytest.param(
            ("--for", "soon"),
            'error: --for: "soon" is not a duration; write it as 30s, 10m or 1h30m, largest unit first',
            id="no duration",
        ),
        pytest.param(
            ("--for", "0s"),
            'error: --for: "0s" is over at once; `remediator resume` ends a pause',
            id="a duration of nothing",
        ),
        pytest.param(
            ("--until", "2026-08-01T12:00:00"),
            'error: --until: "2026-08-01T12:00:00" is no time with its zone, such as 2026-08-01T12:00:00Z',
            id="a time without a zone",
        ),
        pytest.param(
            ("--until", "2020-08-01T12:00:00Z"),
            "error: --until: 2020-08-01T12:00:00Z is over already; `remediator resume` ends a pause",
            id="a time that is over",
        ),
        pytest.param(
            ("--reason", " "), "error: --reason: is empty; say why, for all who will wonder", id="an empty reason"
        ),
        pytest.param(
            ("--reason", "x" * 1025), "error: --reason: has 1025 characters; a record holds 1024", id="a long reason"
        ),
        pytest.param(("--by", ""), "error: --by: is empty; say who you are, or leave it out", id="by nobody"),
        pytest.param(
            ("--manifests", "nowhere"), "error: --manifests: nowhere is no folder; create it first", id="no folder"
        ),
    ],
)
def test_a_wrong_command_line_pauses_nothing(flags: tuple[str, ...], words: str) -> None:
    found = pause(*flags)

    assert (1, "", words + "\n") == (found.exit_code, found.stdout, found.stderr)
    assert [] == stored()


def test_a_reason_is_wanted() -> None:
    found = run("pause", "--manifests", "mesh")

    assert (1, "error: missing option '--reason'") == (found.exit_code, found.stderr.splitlines()[0])


@pytest.mark.parametrize(
    ("micros", "expected"),
    [
        pytest.param(0, 0, id="of a whole second it is exact"),
        pytest.param(1, 1, id="else the next whole second"),
        pytest.param(999_999, 1, id="and no later one"),
    ],
)
def test_a_duration_ends_at_a_whole_second_and_not_too_early(micros: int, expected: int) -> None:
    found = wished("kim", "why", "10m", None, NOON + timedelta(microseconds=micros))
    assert NOON + timedelta(minutes=10, seconds=expected) == found.until


def test_an_end_that_was_just_now_is_over() -> None:
    with pytest.raises(InputError, match="is over already"):
        wished("kim", "why", None, "2026-08-01T12:00:00Z", NOON)


# -- resume


class TestResume:
    def test_it_says_what_has_ended(self) -> None:
        pause(reason="first")
        put(until="2099-08-01T12:00:00Z")
        found = resume()

        assert (0, "") == (found.exit_code, found.stderr)
        assert [
            "Resumed by lee. What has ended:",
            "  the pause by kim since WHEN until somebody resumes: first",
            "  the pause by ann until 2099-08-01T12:00:00Z: Friday",
            FOLLOWS,
        ] == settled(found.stdout).splitlines()
        assert [] == stored()

    def test_where_nothing_is_paused_it_says_so(self) -> None:
        found = resume()

        assert (0, "Nothing was paused.\n") == (found.exit_code, found.stdout)

    def test_one_that_was_over_is_taken_away(self) -> None:
        put()
        found = resume()

        assert 0 == found.exit_code
        assert [
            "Nothing was paused.",
            "  Taken away, though it was over: the pause by ann until 2026-08-01T14:00:00Z: Friday",
        ] == found.stdout.splitlines()
        assert [] == stored()

    def test_a_document_for_programs(self) -> None:
        pause()
        found, again = (json.loads(resume("-o", "json").stdout) for _ in range(2))

        assert ("lee", ["INC-4711"]) == (found["by"], [each["spec"]["reason"] for each in found["ended"]])
        assert {"by": "lee", "ended": []} == again


# -- a folder that is faulty, a process, a live cluster


def test_a_folder_that_cannot_be_read_is_an_error() -> None:
    Path("mesh/half.yaml").write_text("spec: {")

    for found in (pause(), resume()):
        assert (1, "") == (found.exit_code, found.stdout)
        assert found.stderr.startswith("error: mesh/half.yaml:1: not YAML")


def test_the_real_process() -> None:
    for command, more in (("pause", ("--reason", "why")), ("resume", ())):
        done = process("kubectl-remediate", command, *more, "--manifests", "mesh")
        assert (0, b"") == (done.returncode, done.stderr)
        assert not more or b"  kubectl remediate resume --manifests mesh\n" in done.stdout


@pytest.mark.servers
def test_on_a_live_cluster(start: Start, api_server: ApiServer) -> None:
    world = start()
    world.eventually(lambda: world.cluster.health().synced)
    flags = ("--kubeconfig", str(api_server.kubeconfig()), "--by", "kim")

    done = run("pause", *flags, "--reason", KIM.reason, "--until", "2099-08-01T14:00:00Z")
    expected = replace(KIM, until=datetime(2099, 8, 1, 14, tzinfo=UTC))
    assert (0, "") == (done.exit_code, done.stderr)
    assert f"  remediator resume --kubeconfig {api_server.kubeconfig()}" == done.stdout.splitlines()[-1]
    world.eventually(lambda: [expected] == said(world.cluster.brake.pauses()))

    done = run("resume", *flags)
    assert (0, "") == (done.exit_code, done.stderr)
    world.eventually(lambda: () == world.cluster.brake.pauses())


@pytest.mark.servers
def test_what_people_do_by_hand_goes_on_and_needs_no_permission_on_pauses(start: Start, api_server: ApiServer) -> None:
    world = start()
    for body in (REVIEWS, RULE):
        world.create(manifest(body))
    world.cluster.brake.pause(KIM)
    api_server.allow("guest", *[rule for rule in PERMISSIONS if "pauses" not in rule["resources"]])
    flags = ("--kubeconfig", str(api_server.kubeconfig("guest")))

    done = run("rollback", "shop/reviews", "--suspect", "v2", "--yes", "-o", "json", *flags)
    assert 0 == done.exit_code, done.stderr
    record = json.loads(done.stdout)["remediation"]
    assert Phase.APPLIED is world.cluster.ledger.read("shop", record).status.phase

    undone = run("undo", f"shop/{record}", *flags)
    assert 0 == undone.exit_code, undone.stderr
    assert REVIEWS["spec"] == world.cluster.read(REF).body["spec"]


@pytest.mark.servers
def test_a_permission_that_is_missing_is_named(api_server: ApiServer, start: Start) -> None:
    start()
    api_server.allow("guest")
    flags = ("--kubeconfig", str(api_server.kubeconfig("guest")))

    for found in (run("pause", *flags, "--reason", "why"), run("resume", *flags)):
        assert (1, "") == (found.exit_code, found.stdout)
        assert found.stderr.startswith("error: no permission to list pauses.remediator.io")
