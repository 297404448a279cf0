"""The gate: may a version have more traffic? What holds it back, and how that is told over HTTP and by the command."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.archive import Archive
from remediator.cluster.kubernetes import KubernetesCluster
from remediator.cluster.local import LocalCluster
from remediator.errors import ClusterError, NotSynced, SettingsError, Unavailable
from remediator.guards.situation import Bounds
from remediator.metrics import Metrics
from remediator.outcome import Reason
from remediator.owners import Lever
from remediator.pipeline import Pipeline
from remediator.pipeline.gating import ask
from remediator.policies.load import PolicyStore
from remediator.policies.model import Mode
from remediator.records.gate import Candidate, bars, judge
from remediator.records.model import Approval, Companion, Phase, Release, Remediation, Request, Undoing
from remediator.records.offers import is_offered, trial_of
from remediator.records.rollback import Rollback
from remediator.settings import packaged_policies, read
from remediator.traffic.hosts import Host, meanings, resolve
from remediator.traffic.suspect import Suspect
from remediator.web.auth import hook_token
from tests.builders import alert, destination_rule, labels, notification, split, virtual_service
from tests.folders import dump
from tests.real_world import cleared, rest_of
from tests.servers import ApiServer
from tests.strategies import remediations
from tests.test_cli import here, run
from tests.test_cli_records import NAME, furnish_records, record, records
from tests.web_fakes import NOON, FakeCluster, FakeLedger, FakePipeline, House, a_record, token_file

__all__ = ["here"]

HOST = Host("reviews.shop.svc.cluster.local")
V2 = Candidate((HOST,), "v2")
WEEK = timedelta(days=7)
BY = Request("ann")
GATE = "/api/v1/gate"
ASKED = {"namespace": "shop", "service": "reviews", "version": "v2"}

Json = dict[str, Any]


def changed(found: Remediation, **status: Any) -> Remediation:
    return replace(found, status=replace(found.status, **status))


def meant(found: Remediation, **intent: Any) -> Remediation:
    return replace(found, intent=replace(found.intent, **intent))


def about(host: str, version: str | None) -> Remediation:
    return a_record(suspect=Suspect(Host(host), version))


def answering(*more: Suspect) -> Remediation:
    also = tuple(Companion(f"f{number}", "Late", NOON, "late", each) for number, each in enumerate(more))
    return a_record(also=also)


PLANNED = changed(a_record(), phase=Phase.PLANNED, applied_at=None)
WAITING = changed(a_record(), phase=Phase.AWAITING_APPROVAL, applied_at=None)


# -- which records hold a version back


@pytest.mark.parametrize(
    ("found", "held"),
    [
        pytest.param(a_record(), True, id="its traffic was taken away"),
        pytest.param(PLANNED, True, id="its traffic is about to be taken away, or was"),
        pytest.param(WAITING, True, id="a person is asked"),
        pytest.param(changed(a_record(), phase=Phase.OBSERVED), False, id="it was only tried"),
        pytest.param(changed(a_record(), phase=Phase.FAILED), False, id="a guard refused"),
        pytest.param(changed(a_record(), phase=Phase.REJECTED), False, id="a person said no"),
        pytest.param(changed(a_record(), phase=Phase.EXPIRED), False, id="nobody answered"),
        pytest.param(changed(a_record(), phase=Phase.UNDONE, undo=Undoing(BY, NOON, NOON)), False, id="undone"),
        pytest.param(changed(a_record(), undo=Undoing(BY, NOON)), False, id="an undo is asked for"),
        pytest.param(changed(a_record(), release=Release(BY, NOON)), False, id="released"),
        pytest.param(replace(WAITING, approval=Approval(approved=False)), False, id="a no that is not acted on yet"),
        pytest.param(replace(WAITING, approval=Approval(approved=True)), True, id="a yes that is not acted on yet"),
        pytest.param(meant(PLANNED, patch=()), False, id="a refusal that is being written"),
        pytest.param(meant(PLANNED, mode=Mode.OBSERVE), False, id="a trial that is being written"),
        pytest.param(meant(a_record(), request=BY), True, id="a person took it away by hand"),
        pytest.param(about(HOST, "v3"), False, id="another version"),
        pytest.param(about("ratings.shop.svc.cluster.local", "v2"), False, id="another service"),
        pytest.param(about(HOST, None), True, id="the whole service is accused"),
        pytest.param(answering(Suspect(HOST, "v3")), True, id="one of several suspects"),
    ],
)
def test_what_holds_a_version_back(found: Remediation, held: bool) -> None:
    assert held is bool(judge(V2, [found], NOON, WEEK))


def test_another_suspect_of_the_same_record_is_held_back_too() -> None:
    (bar,) = judge(replace(V2, version="v3"), [answering(Suspect(HOST, "v3"))], NOON, WEEK)
    assert Suspect(HOST, "v3") == bar.suspect


@pytest.mark.parametrize(
    ("found", "known_bad", "late", "held"),
    [
        pytest.param(a_record(), WEEK, WEEK - timedelta(minutes=2, seconds=1), True, id="until the last moment"),
        pytest.param(a_record(), WEEK, WEEK - timedelta(minutes=2), False, id="and no longer"),
        pytest.param(a_record(), None, timedelta(days=400), True, id="as long as there is the record"),
        pytest.param(PLANNED, WEEK, timedelta(days=8), True, id="what nobody knows does not expire"),
        pytest.param(WAITING, WEEK, timedelta(days=8), True, id="a question does not expire here"),
        pytest.param(
            changed(a_record(), applied_at=None), WEEK, timedelta(0), True, id="without its time, since begun"
        ),
        pytest.param(
            changed(replace(a_record(), created_at=None), applied_at=None),
            WEEK,
            timedelta(days=400),
            True,
            id="no time",
        ),
    ],
)
def test_how_long_it_is_known(found: Remediation, known_bad: timedelta | None, late: timedelta, held: bool) -> None:
    """It was applied two minutes before noon."""
    assert held is bool(judge(V2, [found], NOON + late, known_bad))


def test_whoever_names_no_version_is_held_back_for_each_of_them() -> None:
    found = [replace(about(HOST, version), name=f"r-{version}") for version in ("v2", "v3")]
    assert ["r-v2", "r-v3"] == [bar.record.name for bar in judge(Candidate((HOST,)), found, NOON, WEEK)]


def test_the_latest_is_told_first() -> None:
    found = [replace(changed(a_record(), applied_at=NOON - timedelta(hours=age)), name=f"r-{age}") for age in (3, 1, 2)]
    assert ["r-1", "r-2", "r-3"] == [bar.record.name for bar in judge(V2, found, NOON, WEEK)]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(
            a_record(),
            "held: reviews.shop v2: its traffic was taken away (shop/canary-1 since 2026-08-01T11:58:00Z); "
            "until 2026-08-08T11:58:00Z, or remediator release shop/canary-1",
            id="applied",
        ),
        pytest.param(
            WAITING,
            "held: reviews.shop v2: a person is asked whether its traffic is to be taken away (shop/canary-1 since "
            "2026-08-01T11:58:00Z); remediator reject shop/canary-1",
            id="waits for a person",
        ),
        pytest.param(
            PLANNED,
            "held: reviews.shop v2: its traffic is about to be taken away, or was, and nobody knows yet (shop/canary-1 "
            "since 2026-08-01T11:58:00Z); wait: the next delivery of its alert settles shop/canary-1, or the service "
            "does within the hour",
            id="planned",
        ),
        pytest.param(
            changed(a_record(), release=Release(BY, NOON)), "go: nothing holds reviews.shop v2 back", id="released"
        ),
    ],
)
def test_it_is_said_why_by_which_record_until_when_and_what_ends_it(found: Remediation, said: str) -> None:
    assert said == ask(FakeLedger(found), V2, NOON, WEEK).message  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        pytest.param("reviews", (HOST,), id="a name"),
        pytest.param("reviews.shop", (Host("reviews.shop"), HOST), id="name and namespace, as people write it"),
        pytest.param("reviews.shop.svc", (Host("reviews.shop.svc"), HOST), id="as DNS takes it"),
        pytest.param("reviews.shop.svc.corp.example", (HOST,), id="a whole name"),
        pytest.param("api.example.com", (Host("api.example.com"),), id="a host outside the cluster"),
        pytest.param("10.0.0.1", (Host("10.0.0.1"),), id="an address"),
        pytest.param("a.", (Host("a."),), id="half a name"),
    ],
)
def test_a_service_is_whatever_a_person_may_mean(service: str, expected: tuple[Host, ...]) -> None:
    assert expected == meanings(service, "shop")


@given(name=st.text(alphabet="ab.-:1*", max_size=12))
def test_what_istio_means_is_always_among_it(name: str) -> None:
    assert resolve(name, "shop") in meanings(name, "shop")


def archived(whole: list[Remediation], gone: set[int]) -> tuple[Archive, dict[tuple[str, str], Remediation]]:
    """An index of these records without those that are gone, and what is left, by name."""
    archive, kept = Archive(), dict[tuple[str, str], Remediation]()
    for each in (replace(found, created_at=NOON, resource_version="1") for found in whole):
        archive.put(each)
        kept[each.namespace, each.name] = each
    for number in gone:
        if number < len(whole):
            archive.drop(whole[number].namespace, whole[number].name)
            kept.pop((whole[number].namespace, whole[number].name), None)
    return archive, kept


@given(whole=st.lists(remediations(), max_size=6), gone=st.sets(st.integers(0, 5)))
def test_the_index_finds_what_a_look_at_every_record_finds(whole: list[Remediation], gone: set[int]) -> None:
    archive, kept = archived(whole, gone)
    for host in {suspect.host for each in whole for suspect in each.intent.suspects}:
        expected = [kept[key] for key in sorted(kept) if bars(kept[key]) and host in _hosts(kept[key])]
        assert expected == list(archive.barring(host))


@given(whole=st.lists(remediations(), max_size=6), gone=st.sets(st.integers(0, 5)))
def test_the_index_finds_what_was_condemned_and_what_is_offered(whole: list[Remediation], gone: set[int]) -> None:
    archive, kept = archived(whole, gone)
    in_order = [kept[key] for key in sorted(kept)]
    for namespace, name in {(trial[0], trial[1]) for each in in_order if (trial := trial_of(each))}:
        expected = [each for each in in_order if (trial := trial_of(each)) and trial[:2] == (namespace, name)]
        assert expected == list(archive.of_canary(namespace, name))
    assert () == archive.of_canary("nowhere", "reviews")
    assert [(each.namespace, each.name) for each in in_order if is_offered(each)] == [
        head.key for head in archive.offered()
    ]


def _hosts(found: Remediation) -> set[Host]:
    return {suspect.host for suspect in found.intent.suspects}


# -- HTTP


def client(*found: Remediation, fault: ClusterError | None = None, **more: Any) -> FlaskClient:
    ledger = FakeLedger(*found, fault=fault)
    return House(FakePipeline(ledger=ledger), cluster=FakeCluster(ledger=ledger), **more).client()


class TestHttp:
    def test_held(self) -> None:
        answer = client(a_record()).get(GATE, query_string=ASKED)
        expected = {
            "go": False,
            "held": True,
            "message": ask(FakeLedger(a_record()), V2, NOON, WEEK).message,  # type: ignore[arg-type]
            "heldBy": [
                {
                    "namespace": "shop",
                    "name": "canary-1",
                    "phase": "Applied",
                    "suspect": {"host": HOST, "version": "v2"},
                    "since": "2026-08-01T11:58:00.000000Z",
                    "until": "2026-08-08T11:58:00.000000Z",
                    "remedy": "remediator release shop/canary-1",
                }
            ],
        }
        assert (200, expected) == (answer.status_code, answer.json)

    def test_go(self) -> None:
        answer = client(a_record()).get(GATE, query_string=ASKED | {"version": "v3"})
        expected = {"go": True, "held": False, "message": "go: nothing holds reviews.shop v3 back", "heldBy": []}
        assert (200, expected) == (answer.status_code, answer.json)

    @pytest.mark.parametrize("fault", [NotSynced("not listed yet"), Unavailable("the folder is gone")])
    def test_what_nobody_knows_is_no_yes(self, fault: ClusterError) -> None:
        asking = client(fault=fault)
        body = {"name": "reviews", "namespace": "shop"}
        answers = (
            asking.get(GATE, query_string=ASKED),
            asking.post(GATE, json=body),
            asking.post(f"{GATE}/x", json=body),
        )
        assert [(503, {"error": str(fault)})] * 3 == [(answer.status_code, answer.json) for answer in answers]

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            pytest.param({}, "namespace: missing", id="nothing"),
            pytest.param({"namespace": "shop"}, "service: missing", id="no service"),
            pytest.param(ASKED | {"tag": "v2"}, "tag: unknown; the parameters are namespace", id="unknown"),
            pytest.param(ASKED | {"version": ""}, "version: is no version", id="an empty version"),
            pytest.param(ASKED | {"version": "v 2"}, "version: is no version", id="a version with a space"),
            pytest.param(ASKED | {"service": "*"}, "service: is no name of a service", id="everything"),
            pytest.param(ASKED | {"namespace": "../x"}, "namespace: is no name of a namespace", id="a path"),
        ],
    )
    def test_a_wrong_question_is_400(self, query: Json, said: str) -> None:
        answer = client().get(GATE, query_string=query)
        assert (400, True) == (answer.status_code, str(answer.json["error"]).startswith(said))  # type: ignore[index]

    def test_flaggers_next_revision_is_not_held_for_the_last_one(self) -> None:
        rolled_back = meant(
            about("reviews-canary.shop.svc.cluster.local", None),
            lever=Lever.FLAGGER,
            rollback=Rollback("reviews", "6f7c", timedelta(minutes=3)),
        )
        payload = {"name": "reviews", "namespace": "shop", "phase": "Progressing"}
        asking = client(rolled_back)
        codes = [asking.post(GATE, json=payload | {"checksum": each}).status_code for each in ("6f7c", "next")]
        assert [403, 200] == codes
        # Of a Canary of another name nothing is known but its services, as of everybody else's.
        other = payload | {"name": "other", "checksum": "next", "metadata": {"service": "reviews-canary"}}
        assert 403 == asking.post(GATE, json=other).status_code

    @pytest.mark.parametrize(
        ("suspect", "body", "code"),
        [
            pytest.param(("reviews", "v2"), {"metadata": {"version": "v2"}}, 403, id="the version that is held back"),
            pytest.param(("reviews", "v2"), {"metadata": {"version": "v3"}}, 200, id="another version"),
            pytest.param(("reviews", "v2"), {}, 403, id="no version: any"),
            pytest.param(("reviews-canary", "v2"), {}, 403, id="the alert names the canary's own service"),
            pytest.param(("reviews-primary", "v2"), {}, 200, id="the primary is not what is raised"),
            pytest.param(("ratings", "v2"), {"metadata": {"service": "ratings"}}, 403, id="a service that is named"),
            pytest.param(("reviews", "v2"), {"metadata": {"cmd": "x"}, "more": 1}, 403, id="what else there may be"),
        ],
    )
    def test_flaggers_payload(self, suspect: tuple[str, str], body: Json, code: int) -> None:
        """As Flagger sends it, of a Canary named reviews in shop."""
        payload = {"name": "reviews", "namespace": "shop", "phase": "Progressing", "checksum": "6f7c"} | body
        asking = client(about(f"{suspect[0]}.shop.svc.cluster.local", suspect[1]))
        answers = (asking.post(GATE, json=payload), asking.post(f"{GATE}/anything", json=payload))
        assert [code, code] == [answer.status_code for answer in answers]

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            pytest.param(b"", "the body is empty", id="no body"),
            pytest.param(b"[]", "expected an object, found a list", id="a list"),
            pytest.param(b'{"namespace": "shop"}', "name: missing", id="no name"),
            pytest.param(b'{"name": "reviews"}', "namespace: missing", id="no namespace"),
            pytest.param(b'{"name": "a", "namespace": "b", "phase": 1}', "phase: expected a string", id="a number"),
            pytest.param(
                b'{"name": "a", "namespace": "b", "metadata": null}', "metadata: expected an object", id="null"
            ),
            pytest.param(
                b'{"name": "a", "namespace": "b", "metadata": {"service": ""}}', "service: is no name", id="empty"
            ),
            pytest.param(b'{"name": "a b", "namespace": "shop"}', "name: is no name of a Canary", id="a wrong name"),
            pytest.param(
                b'{"name": "a", "namespace": "b", "metadata": 1}', "metadata: expected an object", id="number"
            ),
        ],
    )
    def test_a_wrong_body_is_400_which_is_no_yes_either(self, body: bytes, said: str) -> None:
        answer = client().post(GATE, data=body)
        assert (400, True) == (answer.status_code, said in answer.json["error"])  # type: ignore[index]

    def test_every_answer_is_counted(self) -> None:
        ledger = FakeLedger(a_record())
        house = House(FakePipeline(ledger=ledger), cluster=FakeCluster(ledger=ledger))
        asking = house.client()

        def counted() -> list[str]:
            lines = house.metrics.render()[0].decode().splitlines()
            return [line.rpartition(" ")[2] for line in lines if line.startswith("remediator_gate_answers_total{")]

        assert ["0.0", "0.0", "0.0"] == counted()  # go, held, unknown
        asking.get(GATE, query_string=ASKED)
        asking.post(GATE, json={"name": "reviews", "namespace": "shop"})
        asking.get(GATE, query_string=ASKED | {"version": "v3"})
        asking.get(GATE, query_string={})  # no question
        assert ["1.0", "2.0", "0.0"] == counted()
        ledger.fault = NotSynced("not listed yet")
        asking.get(GATE, query_string=ASKED)
        assert ["1.0", "2.0", "1.0"] == counted()

    def test_it_asks_the_source_nothing(self) -> None:
        ledger = FakeLedger(a_record())
        House(FakePipeline(ledger=ledger), cluster=FakeCluster(ledger=ledger)).client().get(GATE, query_string=ASKED)
        assert [] == ledger.read_at_source


class TestTokens:
    @pytest.fixture
    def guarded(self, tmp_path: Path) -> FlaskClient:
        return client(authenticator=token_file(tmp_path, "s3cret", "another"))

    BODY: ClassVar[Json] = {"name": "reviews", "namespace": "shop"}

    @pytest.mark.parametrize(
        ("token", "code"),
        [
            pytest.param(hook_token(b"s3cret"), 200, id="made of the first"),
            pytest.param(hook_token(b"another"), 200, id="made of the second, while rotating"),
            pytest.param("s3cret", 401, id="the token itself, which must not stand in an object"),
            pytest.param(hook_token(b"guess"), 401, id="made of another"),
            pytest.param(hook_token(b"s3cret").upper(), 401, id="in capitals"),
            pytest.param("%F0%9F%99%82", 401, id="what is not ASCII"),
        ],
    )
    def test_the_path_holds_a_token_that_is_made_of_the_file(self, guarded: FlaskClient, token: str, code: int) -> None:
        assert code == guarded.post(f"{GATE}/{token}", json=self.BODY).status_code

    def test_it_opens_nothing_else(self, guarded: FlaskClient) -> None:
        header = {"Authorization": f"Bearer {hook_token(b's3cret')}"}
        assert [401, 401] == [
            guarded.get(GATE, query_string=ASKED, headers=header).status_code,
            guarded.post(GATE, json=self.BODY, headers=header).status_code,
        ]

    def test_the_header_does_not_open_a_hook(self, guarded: FlaskClient) -> None:
        header = {"Authorization": "Bearer s3cret"}
        assert 401 == guarded.post(f"{GATE}/wrong", json=self.BODY, headers=header).status_code
        assert 200 == guarded.post(GATE, json=self.BODY, headers=header).status_code

    def test_what_stood_in_the_path_is_never_logged(
        self, guarded: FlaskClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            guarded.post(f"{GATE}/guess", json=self.BODY)
        (line,) = caplog.records
        assert ("/api/v1/gate/<token>", "TokenNotAccepted") == (line.path, line.reason)  # type: ignore[attr-defined]
        assert "guess" not in str(vars(line))

    def test_a_shell_makes_it_in_one_line(self) -> None:
        """printf 'hook:%s' TOKEN | sha256sum"""
        assert hashlib.sha256(b"hook:s3cret").hexdigest() == hook_token(b"s3cret")

    def test_a_file_that_changed_changes_the_hooks(self, tmp_path: Path) -> None:
        tokens = token_file(tmp_path, "old")
        (tmp_path / "token").write_text("another-one")
        assert ["TokenNotAccepted", "Accepted"] == [
            tokens.check_hook(hook_token(each)) for each in (b"old", b"another-one")
        ]


# -- the whole of it, and the command


class TestForReal:
    """The real pipeline and the packaged policies, on a folder with a canary of 10 %."""

    @pytest.fixture
    def mesh(self, tmp_path: Path) -> Iterator[tuple[FlaskClient, LocalCluster]]:
        canary = virtual_service({"route": split(v1=90, v2=10)})
        (tmp_path / "shop.yaml").write_text(dump(canary, destination_rule(v1="v1", v2="v2")))
        with ThreadPoolExecutor(1) as executor:
            cluster: Any = LocalCluster(tmp_path)
            bounds = Bounds(max_alert_age=None)  # the alert is of a day that is long over
            pipeline: Any = Pipeline(cluster, PolicyStore([packaged_policies()]), Metrics(), executor, bounds=bounds)
            yield House(pipeline, cluster=cluster).client(), cluster

    def test_from_the_alert_to_the_release(self, mesh: tuple[FlaskClient, LocalCluster]) -> None:
        asking, _ = mesh

        def go() -> bool:
            return bool(asking.get(GATE, query_string=ASKED).json["go"])  # type: ignore[index]

        assert go()
        answer: Any = asking.post("/webhook", json=notification([alert(labels())])).json
        assert not go()
        name = answer["outcomes"][0]["remediation"]
        assert 200 == asking.post(f"/api/v1/remediations/shop/{name}/release", json={"by": "ann"}).status_code
        assert go()

    def test_an_undo_opens_it_too(self, mesh: tuple[FlaskClient, LocalCluster]) -> None:
        asking, _ = mesh
        answer: Any = asking.post("/webhook", json=notification([alert(labels())])).json
        asking.post(f"/api/v1/remediations/shop/{answer['outcomes'][0]['remediation']}/undo")
        assert 200 == asking.post(GATE, json={"name": "reviews", "namespace": "shop"}).status_code

    def test_an_alert_that_was_refused_holds_nothing_back(self, mesh: tuple[FlaskClient, LocalCluster]) -> None:
        """v1 has most of the traffic, so nobody believes that it is the canary."""
        asking, cluster = mesh
        answer: Any = asking.post("/webhook", json=notification([alert(labels("v1"))])).json
        assert ["Denied"] == [each["outcome"] for each in answer["outcomes"]]
        assert [Phase.FAILED] == [head.phase for head in cluster.ledger.heads()]
        assert 200 == asking.post(GATE, json={"name": "reviews", "namespace": "shop"}).status_code


@pytest.mark.usefixtures("here", "cluster")
class TestTheCommand:
    @pytest.fixture
    def cluster(self, tmp_path: Path) -> LocalCluster:
        return furnish_records(tmp_path)

    def ask(self, *more: str, version: str = "v2") -> Any:
        return records("gate", "--namespace", "shop", "--service", "reviews", "--version", version, *more)

    def test_go_is_0(self) -> None:
        found = self.ask(version="v3")
        assert (0, "GO: nothing holds reviews.shop v3 back\n", "") == (found.exit_code, found.stdout, found.stderr)

    def test_held_is_2_and_says_why(self) -> None:
        found = self.ask("--known-bad", "0")
        expected = (
            f"HELD: reviews.shop v2: its traffic was taken away (shop/{NAME} since 2026-08-01T12:00:45Z); "
            f"remediator release shop/{NAME}\n"
        )
        assert (2, "") == (found.exit_code, found.stderr)
        assert expected == found.stdout

    def test_what_is_known_expires(self, cluster: LocalCluster) -> None:
        found = cluster.ledger.read("shop", NAME)
        last_week = datetime.now(UTC) - timedelta(days=8)
        cluster.ledger.conclude(replace(found, status=replace(found.status, applied_at=last_week)))
        assert [0, 2] == [self.ask(*more).exit_code for more in ((), ("--known-bad", "9d"))]

    def test_a_release_of_each_opens_it(self, cluster: LocalCluster) -> None:
        record(cluster, "canary-late-00000000beef", Phase.APPLIED, Reason.PATCHED)
        assert 2 == self.ask("--known-bad", "0").exit_code
        for name in (NAME, "canary-late-00000000beef"):
            records("release", name)
        assert 0 == self.ask("--known-bad", "0").exit_code

    def test_json_is_as_the_api_answers(self) -> None:
        found = self.ask("--known-bad", "0", "-o", "json")
        answer = json.loads(found.stdout)
        assert (2, ["go", "held", "message", "heldBy"], False) == (found.exit_code, list(answer), answer["go"])
        assert answer == yaml.safe_load(self.ask("--known-bad", "0", "-o", "yaml").stdout)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            pytest.param(("--namespace", "shop"), "missing option '--service'", id="no service"),
            pytest.param(
                ("--namespace", "shop", "--service", "*"),
                "--service: is no name of a service; give NAME, NAME.NAMESPACE or a whole host",
                id="a wrong service",
            ),
            pytest.param(
                ("--namespace", "shop", "--service", "a", "--known-bad", "soon"),
                "--known-bad: 'soon' is",
                id="a setting",
            ),
        ],
    )
    def test_a_wrong_question_is_an_error(self, arguments: tuple[str, ...], said: str) -> None:
        found = records("gate", *arguments)
        assert (1, "", True) == (found.exit_code, found.stdout, found.stderr.startswith(f"error: {said}"))

    def test_a_record_that_nobody_can_read_is_no_yes(self) -> None:
        path = Path(f"mesh/remediations/shop/{NAME}.yaml")
        path.write_text(path.read_text().replace("suspect:", "suspects:"))
        found = self.ask(version="v3")
        assert (1, "") == (found.exit_code, found.stdout)


# -- the setting


def test_nothing_is_known_for_longer_than_its_record_is_kept() -> None:
    flags = {"allow-anonymous": "true", "known-bad": "60d"}
    with pytest.raises(SettingsError, match=r"--known-bad is longer than --retention, by default, keeps the records"):
        read(flags, {}, serving=True)
    assert 60 * 86400.0 == read(flags | {"retention": "0"}, {}, serving=True).known_bad
    assert 60 * 86400.0 == read(flags, {}).known_bad


@pytest.mark.servers
@pytest.mark.usefixtures("here")
def test_on_a_cluster_it_takes_the_permission_to_list_records_and_no_other(api_server: ApiServer) -> None:
    cleared(api_server)
    api_server.namespace("shop")
    ledger = KubernetesCluster(rest_of(api_server)).ledger
    stored = ledger.create(replace(a_record(), uid="", resource_version="", created_at=None))
    ledger.conclude(replace(stored, status=replace(stored.status, phase=Phase.APPLIED, applied_at=datetime.now(UTC))))
    place = ("--kubeconfig", str(api_server.kubeconfig("guest")))
    asked = ("gate", "--namespace", "shop", "--service", "reviews.shop", "--version")

    api_server.allow("guest")
    refused = run(*asked, "v2", *place)
    assert (1, "") == (refused.exit_code, refused.stdout)
    assert "a pipeline that may not list them asks the service: GET /api/v1/gate" in refused.stderr
    api_server.allow("guest", {"apiGroups": ["remediator.io"], "resources": ["remediations"], "verbs": ["list"]})
    assert [2, 0] == [run(*asked, version, *place).exit_code for version in ("v2", "v3")]
