"""A release: a person lets the suspect have traffic again. In the pipeline, over HTTP and on the command line."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remediator.cluster.local import LocalCluster
from remediator.errors import NotFound, Unavailable
from remediator.outcome import Outcome, Reason
from remediator.pipeline import releasing
from remediator.policies.model import Mode
from remediator.records.journal import Journal
from remediator.records.model import Phase, Release, Request, Status
from remediator.records.wire import render
from tests.fakes import NOW, FakeCluster
from tests.test_cli import here
from tests.test_cli_records import MANUALLY, NAME, TWIN, furnish_records, kept, live, record, records, shown
from tests.test_pipeline_records import CANARY, RULE, Mesh
from tests.web_fakes import FakeCluster as WebCluster
from tests.web_fakes import FakeLedger, FakePipeline, House, a_record

__all__ = ["here"]

BY = Request("kim", "it was the database")
KIM = Release(BY, NOW)
ANN = Release(Request("ann"), NOW)

Json = dict[str, Any]


@pytest.fixture
def mesh() -> Iterator[Mesh]:
    with ThreadPoolExecutor(1) as executor:
        yield Mesh(FakeCluster(CANARY, RULE), executor)


def released(mesh: Mesh, request: Request = BY) -> releasing.Released:
    return mesh.replica().release("shop", mesh.record.name, request)


class TestThePipeline:
    def test_it_is_written_on_the_record_and_no_route_is_changed(self, mesh: Mesh) -> None:
        mesh.deliver()
        before, patches = copy.deepcopy(mesh.live), list(mesh.cluster.patches)
        ending = released(mesh)
        assert (Outcome.APPLIED, Reason.RELEASED) == (ending.outcome, ending.reason)
        name = mesh.record.name
        assert f"{name} is released: reviews.shop v2 may have traffic again; no route was changed" == ending.message
        assert (Phase.APPLIED, KIM) == (mesh.record.status.phase, mesh.record.status.release)
        assert mesh.record == ending.record
        assert (before, patches) == (mesh.live, mesh.cluster.patches)

    def test_the_first_one_stays(self, mesh: Mesh) -> None:
        mesh.deliver()
        released(mesh)
        mesh.minutes = 5
        ending = released(mesh, Request("ann"))
        assert (Outcome.UNCHANGED, Reason.RELEASED) == (ending.outcome, ending.reason)
        assert ending.message.endswith("was released before by kim at 2026-08-01T12:00:30+00:00")
        assert KIM == mesh.record.status.release

    def test_of_what_is_undone_there_is_nothing_to_release(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.undo()
        ending = released(mesh)
        assert (Outcome.UNCHANGED, Reason.UNDONE) == (ending.outcome, ending.reason)
        assert mesh.record.status.release is None

    def test_what_is_released_can_be_undone(self, mesh: Mesh) -> None:
        mesh.deliver()
        released(mesh)
        assert Outcome.APPLIED is mesh.undo().outcome
        assert ([90, 10], KIM) == (mesh.weights(), mesh.record.status.release)

    @pytest.mark.parametrize(
        ("phase", "said"),
        [
            pytest.param(Phase.PLANNED, "its patch is about to be made, or nobody knows", id="not known to be made"),
            pytest.param(Phase.AWAITING_APPROVAL, "reject it, and it never will", id="waits for a person"),
            pytest.param(Phase.OBSERVED, "it took no traffic from anybody", id="observed"),
            pytest.param(Phase.REJECTED, "it took no traffic from anybody", id="rejected"),
            pytest.param(Phase.EXPIRED, "it took no traffic from anybody", id="expired"),
            pytest.param(Phase.FAILED, "it took no traffic from anybody", id="refused by a guard"),
        ],
    )
    def test_what_took_no_traffic_cannot_be_released(self, mesh: Mesh, phase: Phase, said: str) -> None:
        mesh.deliver(ceiling=Mode.OBSERVE)
        mesh.cluster.ledger.conclude(replace(mesh.record, status=Status(phase)))
        ending = released(mesh)
        assert (Outcome.DENIED, Reason.NOT_APPLIED) == (ending.outcome, ending.reason)
        assert ending.message.startswith(f"{mesh.record.name} is {phase}: ")
        assert said in ending.message
        assert Status(phase) == mesh.record.status

    def test_who_comes_second_of_two_at_once_leaves_the_first_and_is_told(self, mesh: Mesh) -> None:
        mesh.deliver()
        stale = mesh.record
        released(mesh)
        ending = releasing.release(mesh.replica().journal, stale, Request("ann"))
        assert (Outcome.UNCHANGED, KIM) == (ending.outcome, ending.record.status.release)

    def test_what_others_wrote_meanwhile_stays(self, mesh: Mesh) -> None:
        mesh.deliver()
        stale, journal = mesh.record, Journal(mesh.cluster.ledger, lambda: NOW)
        journal.resolve(stale, stale.intent.alert.fingerprint, NOW)
        ending = releasing.release(journal, stale, BY)
        assert (Outcome.APPLIED, KIM, 1) == (
            ending.outcome,
            mesh.record.status.release,
            len(mesh.record.status.resolved),
        )

    def test_an_undo_that_came_first_wins(self, mesh: Mesh) -> None:
        mesh.deliver()
        stale = mesh.record
        mesh.undo()
        ending = releasing.release(mesh.replica().journal, stale, BY)
        assert (Outcome.UNCHANGED, Reason.UNDONE) == (ending.outcome, ending.reason)

    def test_a_lost_answer_to_the_write_is_told_as_done(self, mesh: Mesh) -> None:
        """The server has written it, and the second try meets its own version of the record."""
        mesh.deliver()
        stale = mesh.record
        mesh.cluster.ledger.conclude(replace(stale, status=replace(stale.status, release=KIM)))
        assert Outcome.APPLIED is releasing.release(mesh.replica().journal, stale, BY).outcome

    def test_the_target_tells_of_it_once(self, mesh: Mesh) -> None:
        mesh.deliver()
        released(mesh)
        released(mesh, Request("ann"))
        told = [each for each in mesh.cluster.ledger.events.values() if each.action == "Release"]
        expected = ("Released", "reviews.shop v2 may have traffic again; no route was changed (asked for by kim: ")
        assert [(expected[0], f"{expected[1]}it was the database)", mesh.record.name)] == [
            (each.reason, each.note, each.record) for each in told
        ]

    def test_what_was_refused_is_no_event(self, mesh: Mesh) -> None:
        mesh.deliver(ceiling=Mode.OBSERVE)
        before = dict(mesh.cluster.ledger.events)
        released(mesh)
        assert before == mesh.cluster.ledger.events

    def test_the_log_and_the_metric_tell_of_it(self, mesh: Mesh, caplog: pytest.LogCaptureFixture) -> None:
        mesh.deliver()
        with caplog.at_level(logging.INFO, logger="remediator.outcome"):
            released(mesh)
        line: Any = caplog.records[-1]
        assert ("Applied", "Released", "kim") == (line.outcome, line.reason, line.asked_by)
        text = mesh.metrics.render()[0].decode()
        counted = [line for line in text.splitlines() if 'reason="Released"' in line]
        assert ['remediator_outcomes_total{outcome="Applied",policy="canary",reason="Released"} 1.0'] == counted

    def test_an_alert_that_fires_acts_again_once_there_is_traffic(self, mesh: Mesh) -> None:
        mesh.deliver()
        released(mesh)
        mesh.cluster.edit(
            mesh.record.intent.target.ref,
            lambda body: body["spec"]["http"][0].update(copy.deepcopy(CANARY["spec"]["http"][0])),
            indexed=True,
        )
        mesh.minutes = 20
        mesh.deliver()
        assert [100, 0] == mesh.weights()
        assert [KIM, None] == [each.status.release for each in mesh.records]

    def test_a_record_that_is_not_there_is_not_found(self, mesh: Mesh) -> None:
        with pytest.raises(NotFound):
            mesh.replica().release("shop", "none", BY)

    def test_a_write_that_fails_is_told_and_can_be_tried_again(self, mesh: Mesh) -> None:
        mesh.deliver()
        mesh.cluster.ledger.fails["conclude"] = Unavailable("away")
        with pytest.raises(Unavailable):
            released(mesh)
        del mesh.cluster.ledger.fails["conclude"]
        assert Outcome.APPLIED is released(mesh).outcome

    def test_the_record_has_a_condition_to_wait_for(self, mesh: Mesh) -> None:
        mesh.deliver()
        released(mesh)
        (found,) = [each for each in render(mesh.record)["status"]["conditions"] if each["type"] == "Released"]
        assert ("True", "Released", "by kim") == (found["status"], found["reason"], found["message"])


RELEASE = "/api/v1/remediations/shop/canary-1/release"


class TestHttp:
    def house(self, **status: Any) -> House:
        found = a_record()
        ledger = FakeLedger(replace(found, status=replace(found.status, **status)))
        return House(FakePipeline(ledger=ledger), cluster=WebCluster(ledger=ledger))

    def test_it_is_answered_with_the_record(self) -> None:
        home = self.house()
        answer = home.client().post(RELEASE, json={"by": "kim", "reason": "it was the database"})
        body: Any = answer.json
        assert (200, "Applied", "Released", "released") == (
            answer.status_code,
            body["outcome"],
            body["reason"],
            body["message"],
        )
        assert "kim" == body["remediation"]["status"]["release"]["by"]
        assert [BY] == home.pipeline.asked

    def test_what_took_no_traffic_is_409(self) -> None:
        answer = self.house(phase=Phase.OBSERVED).client().post(RELEASE)
        body: Any = answer.json
        assert (409, "Denied", "NotApplied") == (answer.status_code, body["outcome"], body["reason"])

    @pytest.mark.parametrize(
        ("path", "body", "code"),
        [
            pytest.param(f"{RELEASE}?dryRun=All", None, 400, id="a parameter"),
            pytest.param(RELEASE, {"who": "kim"}, 400, id="an unknown member"),
            pytest.param("/api/v1/remediations/shop/nothing/release", None, 404, id="no such record"),
            pytest.param("/api/v1/remediations/shop/../release", None, 404, id="what cannot name a record"),
        ],
    )
    def test_what_is_wrong_is_told_and_nothing_is_done(self, path: str, body: Json | None, code: int) -> None:
        home = self.house()
        answer = home.client().post(path, json=body)
        assert (code, True) == (answer.status_code, bool(answer.json and answer.json["error"]))
        assert home.pipeline.asked in ([], [Request("api")])

    def test_a_get_does_nothing(self) -> None:
        answer = self.house().client().get(RELEASE)
        assert (405, "POST") == (answer.status_code, answer.headers["Allow"])


@pytest.mark.usefixtures("here", "cluster")
class TestTheCommand:
    @pytest.fixture
    def cluster(self, tmp_path: Path) -> LocalCluster:
        return furnish_records(tmp_path)

    def test_it_says_whom_it_lets_have_traffic(self) -> None:
        before = live()
        found = records("release", NAME, "--by", "kim", "--reason", "it was the database")
        expected = (
            f"shop/{NAME}: Released: {NAME} is released: reviews.shop v2 may have traffic again; no route was changed\n"
            "  An alert that still fires takes the traffic away again once there is some.\n"
        )
        assert (0, expected, before) == (found.exit_code, found.stdout, live())
        status = kept()["status"]
        assert ("Applied", "kim", "it was the database") == (
            status["phase"],
            status["release"]["by"],
            status["release"]["reason"],
        )

    def test_show_tells_of_it(self) -> None:
        records("release", NAME, "--by", "kim", "--reason", "it was the database")
        (line,) = (line for line in shown(NAME) if line.startswith("  released "))
        assert ", by kim: it was the database  " in line

    @pytest.mark.parametrize("name", [NAME, f"shop/{MANUALLY}"], ids=["released before", "undone"])
    def test_twice_is_fine(self, name: str) -> None:
        records("release", name, "--by", "kim")
        assert (0, "") == ((found := records("release", name, "--by", "ann")).exit_code, found.stderr)

    def test_what_took_no_traffic_is_an_error(self) -> None:
        found = records("release", f"shop/{TWIN}")
        expected = (
            f"error: shop/{TWIN}: Denied (NotApplied): {TWIN} is Observed: "
            "it took no traffic from anybody, so there is nothing to release\n"
        )
        assert (1, "", expected) == (found.exit_code, found.stdout, found.stderr)

    def test_json_is_as_the_api_answers(self, cluster: LocalCluster) -> None:
        record(cluster, "canary-late-00000000beef", Phase.APPLIED, Reason.PATCHED)
        answer = json.loads(records("release", "canary-late-00000000beef", "-o", "json").stdout)
        assert ["remediation", "outcome", "reason", "message"] == list(answer)
        assert ("Applied", "Released") == (answer["outcome"], answer["reason"])
