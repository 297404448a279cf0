"""The records over HTTP: the list, one of them, and an undo."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from remediator.cluster.local import LocalCluster
from remediator.errors import ClusterError, Forbidden, NotSynced, Unavailable
from remediator.guards.situation import Bounds
from remediator.metrics import Metrics
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.pipeline import Pipeline
from remediator.pipeline.undoing import Ending
from remediator.policies.load import PolicyStore
from remediator.records.ledger import Head
from remediator.records.model import Phase, PolicyRef, Remediation, Request, Target
from remediator.records.wire import parse, render
from remediator.settings import packaged_policies
from remediator.traffic.patch import ABSENT
from remediator.traffic.undo import Difference
from remediator.web.history import HISTORY, Wanted
from remediator.web.openapi import openapi
from remediator.web.paging import DEFAULT_LIMIT
from remediator.web.remediations import REMEDIATION_PARAMETERS
from tests.builders import alert, destination_rule, labels, notification, split, virtual_service
from tests.folders import dump
from tests.web_fakes import (
    NOON,
    FakeCluster,
    FakeLedger,
    FakePipeline,
    House,
    a_record,
    not_undone,
    token_file,
    undone,
)

DOCS = Path(__file__).parents[1] / "docs" / "http.md"
REVIEWS = virtual_service({"route": split(v1=90, v2=10)})

LIST = "/api/v1/remediations"
ONE = f"{LIST}/shop/canary-1"
UNDO = f"{ONE}/undo"

Json = dict[str, Any]
Undo = Callable[[Remediation, Request], Ending]


def house(*records: Remediation, fault: ClusterError | None = None, take_back: Undo = undone) -> House:
    """A service that knows these records."""
    ledger = FakeLedger(*records, fault=fault)
    return House(FakePipeline(take_back=take_back, ledger=ledger), cluster=FakeCluster(ledger=ledger))


def aged(name: str, minutes: float, namespace: str = "shop", policy: str = "canary") -> Remediation:
    """A record that is so old."""
    target = Target("networking.istio.io/v1", TargetRef("VirtualService", namespace, "reviews"), "uid")
    record = a_record(name, target=target, policy=PolicyRef(policy))
    return replace(record, created_at=NOON - timedelta(minutes=minutes))


def found(answer: TestResponse) -> Json:
    """The JSON of an answer."""
    value = answer.json
    assert isinstance(value, dict)
    return value


def names(answer: TestResponse) -> list[str]:
    """Whom a list names."""
    assert 200 == answer.status_code, answer.text
    return [item["metadata"]["name"] for item in found(answer)["items"]]


class TestList:
    def test_a_record_is_shown_in_the_shape_of_the_crd(self) -> None:
        record = a_record()
        answer = house(record).client().get(LIST)
        assert (200, {"items": [render(record)], "next": None}) == (answer.status_code, answer.json)
        assert record == parse(found(answer)["items"][0])

    def test_without_records_it_is_empty(self) -> None:
        assert {"items": [], "next": None} == house().client().get(LIST).json

    def test_the_newest_is_the_first_and_those_of_a_moment_are_sorted_by_name(self) -> None:
        records = [aged("c", 5), aged("b", 5), aged("z", 1), aged("a", 9), aged("b", 5, namespace="bank")]
        listed = found(house(*records).client().get(LIST))["items"]
        shown = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in listed]
        assert [("shop", "z"), ("bank", "b"), ("shop", "b"), ("shop", "c"), ("shop", "a")] == shown

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            pytest.param({"namespace": "bank"}, ["bank-10"], id="one namespace"),
            pytest.param({"namespace": "nowhere"}, [], id="a namespace that has none"),
            pytest.param({"policy": "mirror"}, ["mirror-60"], id="one policy"),
            pytest.param({"phase": "Undone"}, ["undone-30"], id="one phase"),
            pytest.param({"phase": "Failed"}, [], id="a phase that none is in"),
            pytest.param({"since": "20m"}, ["new-1", "bank-10"], id="a duration back from now"),
            pytest.param({"since": "1m"}, ["new-1"], id="the very moment counts"),
            pytest.param({"since": "0"}, [], id="since now"),
            pytest.param({"since": "1h30m"}, ["new-1", "bank-10", "undone-30", "mirror-60"], id="two units"),
            pytest.param({"since": "2026-08-01T11:45:00Z"}, ["new-1", "bank-10"], id="a time"),
            pytest.param({"since": "2026-08-01T13:45:00.5+02:00"}, ["new-1", "bank-10"], id="a time elsewhere"),
            pytest.param({"namespace": "shop", "since": "30m", "phase": "Applied"}, ["new-1"], id="all of these"),
        ],
    )
    def test_filters(self, query: dict[str, str], expected: list[str]) -> None:
        taken_back = undone(aged("undone-30", 30), Request("ann")).record
        records = [aged("new-1", 1), aged("bank-10", 10, "bank"), taken_back, aged("mirror-60", 60, policy="mirror")]
        assert expected == names(house(*records).client().get(LIST, query_string=query))

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            pytest.param(
                "phase=applied",
                'phase: "applied" is none; the phases are Planned, Applied, Observed, AwaitingApproval, Rejected,'
                " Expired, Failed, Undone",
                id="a phase that is none",
            ),
            pytest.param("phase=", 'phase: "" is none; the phases are Planned', id="an empty phase"),
            pytest.param("since=yesterday", "since: expected a duration back from now, such as 30m or 2h", id="a word"),
            pytest.param("since=2026-08-01", "since: expected a duration", id="a day"),
            pytest.param("since=2026-13-01T00:00:00Z", "since: expected a duration", id="a month that is none"),
            pytest.param("since=0001-01-01T00:00:00%2B14:00", "since: expected a duration", id="before all time"),
            pytest.param("since=-2h", "since: expected a duration", id="a duration forwards"),
            pytest.param("since=999y", "since: expected a duration", id="a duration that is too long"),
            pytest.param("since=", "since: expected a duration", id="an empty since"),
            pytest.param("limit=0", "limit: expected a whole number from 1 to 1000", id="a wrong limit"),
            pytest.param("continue=x", "continue: expected the value of `next`", id="a token of nobody"),
            pytest.param(
                "continue=WyJzaG9wIiwgInJldmlld3MiLCAiVmlydHVhbFNlcnZpY2UiLCAwXQ",
                "continue: expected the value of `next`",
                id="a token of the exposures",
            ),
            pytest.param("continue=W3RydWUsICJhIiwgImIiXQ", "continue: expected the value of", id="true for a number"),
            pytest.param(
                "state=Applied",
                "state: unknown; the parameters are namespace, policy, phase, since, limit, continue",
                id="a mistyped parameter, which would answer with everything",
            ),
            pytest.param("phase=Failed&phase=Applied", "phase: stands 2 times; give it once", id="a parameter twice"),
        ],
    )
    def test_a_wrong_query_is_400_and_says_what_is_right(self, query: str, said: str) -> None:
        answer = house().client().get(f"{LIST}?{query}")
        assert 400 == answer.status_code
        assert found(answer)["error"].startswith(said)

    def test_a_plus_that_became_a_space_is_explained(self) -> None:
        """In a query + is a space, and whoever pastes a time does not think of it."""
        answer = house().client().get(f"{LIST}?since=2026-08-01T12:00:00+02:00")
        assert 400 == answer.status_code
        assert found(answer)["error"].endswith('not "2026-08-01T12:00:00 02:00"; write a + as %2B')

    def test_the_parameters_are_those_that_are_described(self) -> None:
        described = openapi()["paths"][LIST]["get"]["parameters"]
        assert list(REMEDIATION_PARAMETERS) == [parameter["name"] for parameter in described]

    @pytest.mark.parametrize("fault", [NotSynced("remediations: not listed yet"), Unavailable("no connection")])
    def test_an_index_that_cannot_be_believed_is_503(self, fault: ClusterError) -> None:
        answer = house(a_record(), fault=fault).client().get(LIST)
        assert (503, {"error": str(fault)}) == (answer.status_code, answer.json)

    def test_one_that_was_deleted_meanwhile_is_left_out(self) -> None:
        class Forgetful(FakeLedger):
            def get(self, namespace: str, name: str) -> Remediation | None:
                return None if name == "gone" else super().get(namespace, name)

        client = House(cluster=FakeCluster(ledger=Forgetful(aged("a", 1), aged("gone", 2), aged("b", 3)))).client()
        assert ["a", "b"] == names(client.get(LIST))


def pages(client: FlaskClient, then: Callable[[int], None] = lambda page: None, **query: Any) -> list[list[str]]:
    """Whom each page names, from the first to the last; `then` happens behind each."""
    shown: list[list[str]] = []
    token: str | None = ""
    while token is not None:
        answer = client.get(LIST, query_string=query | ({"continue": token} if token else {}))
        shown.append(names(answer))
        then(len(shown))
        token = found(answer)["next"]
    return shown


class TestPages:
    def test_every_record_stands_on_one_page(self) -> None:
        records = [aged(f"r-{number}", number // 3, f"ns-{number % 2}") for number in range(11)]
        client = house(*records).client()
        everything = names(client.get(LIST))
        shown = pages(client, limit=4)
        assert [4, 4, 3] == [len(page) for page in shown]
        assert everything == [name for page in shown for name in page]
        assert 11 == len(set(everything))

    def test_the_last_page_is_the_last_though_it_is_full(self) -> None:
        assert [["a", "b"], ["c", "d"]] == pages(house(*(aged(name, 1) for name in "abcd")).client(), limit=2)

    def test_records_that_come_or_go_meanwhile_shift_nothing(self) -> None:
        ledger = FakeLedger(*(aged(f"old-{number}", 10 + number) for number in range(6)))

        def happens(page: int) -> None:
            new = aged(f"new-{page}", 0)
            ledger.records[new.namespace, new.name] = new
            ledger.records.pop(("shop", "old-1"), None)
            ledger.records.pop(("shop", "old-4"), None)

        client = House(cluster=FakeCluster(ledger=ledger)).client()
        assert [["old-0", "old-1"], ["old-2", "old-3"], ["old-5"]] == pages(client, happens, limit=2)

    def test_records_of_one_second_are_told_apart_by_less(self) -> None:
        """The folder's have microseconds, the API server's have not."""
        records = [
            replace(aged(name, 1), created_at=NOON + timedelta(microseconds=late))
            for late, name in enumerate(("c", "b", "a"))
        ]
        assert [["a"], ["b"], ["c"]] == pages(house(*records).client(), limit=1)

    def test_filters_hold_on_every_page(self) -> None:
        records = [aged(f"r-{number}", number, "bank" if number % 2 else "shop") for number in range(8)]
        client = house(*records).client()
        assert [["r-1", "r-3"], ["r-5"]] == pages(client, limit=2, namespace="bank", since="6m")

    def test_a_page_has_a_limit_without_being_asked_and_only_its_records_are_unpacked(self) -> None:
        class Counting(FakeLedger):
            unpacked = 0

            def get(self, namespace: str, name: str) -> Remediation | None:
                self.unpacked += 1
                return super().get(namespace, name)

        ledger = Counting(*(aged(f"r-{number:03}", number) for number in range(150)))
        answer = found(House(cluster=FakeCluster(ledger=ledger)).client().get(LIST))
        assert DEFAULT_LIMIT == len(answer["items"]) == ledger.unpacked
        assert answer["next"]

    def test_the_order_is_that_of_the_index(self) -> None:
        times = [
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(1969, 12, 31, tzinfo=UTC),
            NOON,
            datetime.max.replace(tzinfo=UTC),
        ]
        heads = FakeLedger(
            *(replace(a_record(f"{name}-{number}"), created_at=at) for number, at in enumerate(times) for name in "ba")
        ).heads()
        assert list(heads) == sorted(heads, key=HISTORY.key)
        assert 8 == len({HISTORY.key(head) for head in heads})

    def test_ten_thousand_records_are_filtered_in_time(self) -> None:
        target = TargetRef("VirtualService", "shop", "reviews")
        heads = tuple(
            Head("shop", f"r-{number}", NOON, None, "canary", Phase.APPLIED, target, "uid") for number in range(10_000)
        )
        wanted = Wanted(namespace="shop", policy="canary", phase=Phase.APPLIED, since=NOON)
        begun = datetime.now(UTC)
        assert heads == wanted.of(heads)
        assert datetime.now(UTC) - begun < timedelta(seconds=1)


class TestOne:
    def test_it_is_told_from_the_index(self) -> None:
        home = house(a_record())
        answer = home.client().get(ONE)
        assert (200, render(a_record())) == (answer.status_code, answer.json)
        assert [] == home.cluster.ledger.read_at_source

    @pytest.mark.parametrize(
        "fault", [pytest.param(None, id="new"), pytest.param(NotSynced("not listed yet"), id="no index")]
    )
    def test_what_the_index_does_not_know_is_read(self, fault: ClusterError | None) -> None:
        home = house(fault=fault)
        home.cluster.ledger.unindexed["shop", "canary-1"] = a_record()
        answer = home.client().get(ONE)
        assert (200, render(a_record())) == (answer.status_code, answer.json)
        assert ["shop/canary-1"] == home.cluster.ledger.read_at_source

    def test_one_that_is_not_there_is_404_and_says_where_to_look(self) -> None:
        answer = house().client().get(ONE)
        expected = (
            "there is no remediation shop/canary-1; GET /api/v1/remediations lists those there are,"
            " and finished ones are deleted in time"
        )
        assert (404, {"error": expected}) == (answer.status_code, answer.json)

    @pytest.mark.parametrize(
        "path",
        [
            pytest.param("../canary-1", id="a folder above"),
            pytest.param("shop/..", id="the folder itself"),
            pytest.param("shop/a%3Fb=c", id="a query"),
            pytest.param("shop/a%23b", id="a fragment"),
            pytest.param("shop/a%0Ab", id="a new line"),
            pytest.param("shop/canary-1%0A", id="a new line at the end"),
            pytest.param("shop/Canary", id="capitals"),
            pytest.param("sh%C3%B6p/canary", id="letters beyond ASCII"),
            pytest.param("shop/" + "a" * 254, id="too long"),
        ],
    )
    def test_what_cannot_name_a_record_is_404_and_nobody_is_asked(self, path: str) -> None:
        home = house(a_record())
        for answer in (home.client().get(f"{LIST}/{path}"), home.client().post(f"{LIST}/{path}/undo")):
            assert 404 == answer.status_code
            assert len(answer.data) < 1_000
        assert [] == home.cluster.ledger.read_at_source
        assert [] == home.pipeline.asked

    @pytest.mark.parametrize("fault", [Unavailable("no connection"), Forbidden("get", "remediations.remediator.io")])
    def test_a_source_that_does_not_answer_is_503(self, fault: ClusterError) -> None:
        class Away(FakeLedger):
            def read(self, namespace: str, name: str) -> Remediation:
                raise fault

        answer = House(cluster=FakeCluster(ledger=Away())).client().get(ONE)
        assert (503, {"error": str(fault)}) == (answer.status_code, answer.json)

    def test_it_has_no_parameters(self) -> None:
        answer = house(a_record()).client().get(f"{ONE}?output=yaml")
        assert (400, {"error": "output: unknown; there are no parameters here"}) == (answer.status_code, answer.json)


DIFFERENCES = (
    Difference("/spec/http/0/route/1/weight", 0, 5),
    Difference("/spec/http/0/mirror", ABSENT, {"host": "reviews"}),
    Difference("/spec/http/0/match", [{"uri": {"prefix": "/"}}], ABSENT),
)


def refused(record: Remediation, request: Request) -> Ending:
    return Ending(record, Outcome.DENIED, Reason.CHANGED_SINCE, "changed since", before={}, differences=DIFFERENCES)


def unchanged(record: Remediation, request: Request) -> Ending:
    return Ending(record, Outcome.UNCHANGED, Reason.NOT_APPLIED, "nothing to put back")


class TestUndo:
    def test_the_traffic_is_given_back(self) -> None:
        home = house(a_record())
        request = Request("ann", "a false alarm")
        answer = home.client().post(UNDO, json={"by": "ann", "reason": "a false alarm"})
        expected = {
            "remediation": render(undone(a_record(), request).record),
            "outcome": "Applied",
            "reason": "Undone",
            "message": "put back",
            "changes": [
                "http[0]: reviews.shop subset v1 weight 100 → 90",
                "http[0]: reviews.shop subset v2 weight 0 → 10",
            ],
            "differences": [],
        }
        assert (200, expected) == (answer.status_code, answer.json)
        assert [request] == home.pipeline.asked

    def test_refused_is_409_and_shows_every_difference(self) -> None:
        answer = house(a_record(), take_back=refused).client().post(UNDO)
        expected = {
            "remediation": render(a_record()),
            "outcome": "Denied",
            "reason": "ChangedSince",
            "message": "changed since",
            "changes": [],
            "differences": [
                {"path": "/spec/http/0/route/1/weight", "expected": 0, "found": 5},
                {"path": "/spec/http/0/mirror", "expected": None, "found": {"host": "reviews"}},
                {"path": "/spec/http/0/match", "expected": [{"uri": {"prefix": "/"}}], "found": None},
            ],
        }
        assert (409, expected) == (answer.status_code, answer.json)

    def test_nothing_to_put_back_is_200(self) -> None:
        answer = house(a_record(), take_back=unchanged).client().post(UNDO)
        assert (200, "Unchanged", "NotApplied") == (
            answer.status_code,
            found(answer)["outcome"],
            found(answer)["reason"],
        )

    def test_failed_is_503(self) -> None:
        answer = house(a_record(), take_back=not_undone).client().post(UNDO)
        assert (503, "Failed") == (answer.status_code, found(answer)["outcome"])
        assert render(a_record()) == found(answer)["remediation"]

    def test_a_record_that_is_not_there_is_404(self) -> None:
        answer = house().client().post(UNDO)
        assert 404 == answer.status_code
        assert found(answer)["error"].startswith("there is no remediation shop/canary-1; GET /api/v1/remediations")

    def test_a_record_that_cannot_be_read_is_503(self) -> None:
        def away(record: Remediation, request: Request) -> Ending:
            raise Unavailable("no connection")

        answer = house(a_record(), take_back=away).client().post(UNDO)
        assert (503, {"error": "no connection"}) == (answer.status_code, answer.json)

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            pytest.param(b"", Request("api"), id="no body"),
            pytest.param(b" \r\n", Request("api"), id="a body of spaces"),
            pytest.param(b"{}", Request("api"), id="an empty object"),
            pytest.param(b'{"reason": "why"}', Request("api", "why"), id="only a reason"),
            pytest.param(b'{"by": "ann", "reason": ""}', Request("ann"), id="an empty reason"),
            pytest.param('{"by": "Zoë 🙂"}'.encode(), Request("Zoë 🙂"), id="letters of all kinds"),
            pytest.param(b'{"by": "a\\ud800b"}', Request("a�b"), id="half a surrogate pair, which UTF-8 cannot say"),
            pytest.param(
                json.dumps({"by": "b" * 256, "reason": "🙂" * 1024}).encode(),
                Request("b" * 256, "🙂" * 1024),
                id="as long as may be",
            ),
        ],
    )
    def test_who_asks_and_why(self, body: bytes, expected: Request) -> None:
        home = house(a_record())
        answer = home.client().post(UNDO, data=body)
        assert 200 == answer.status_code
        assert [expected] == home.pipeline.asked

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            pytest.param('{"who": "ann"}', '"who": unknown; the members are by, reason', id="an unknown member"),
            pytest.param('{"by": 7}', "by: expected a string, found a number", id="a number"),
            pytest.param('{"by": null}', "by: expected a string, found null", id="null"),
            pytest.param('{"reason": ["x"]}', "reason: expected a string, found a list", id="a list"),
            pytest.param('{"by": ""}', "by: is empty; say who asks, or leave it out", id="nobody"),
            pytest.param('{"by": "  "}', "by: is empty", id="a name of spaces"),
            pytest.param(json.dumps({"by": "x" * 257}), "by: has 257 characters; at most 256", id="a long name"),
            pytest.param(json.dumps({"reason": "x" * 1025}), "reason: has 1025 characters", id="a long reason"),
            pytest.param('{"by": "ann\\nlevel=info"}', "by: expected one line", id="a second line"),
            pytest.param('{"reason": "\\u009b2J"}', "reason: expected one line", id="what a terminal obeys"),
            pytest.param('["ann"]', "expected an object, found a list", id="a list for the whole"),
            pytest.param('"ann"', "expected an object, found the string", id="a string for the whole"),
            pytest.param('{"by": "a", "by": "b"}', 'the key "by" stands twice', id="a member twice"),
            pytest.param('{"by": "ann"', "the body is not JSON", id="not JSON"),
            pytest.param("by=ann", "the body is not JSON", id="a form"),
            pytest.param('{"x' + "y" * 300 + '": 1}', '"x' + "y" * 79 + '…": unknown', id="a member with a long name"),
        ],
    )
    def test_a_wrong_body_is_400_and_says_what_is_right(self, body: str, said: str) -> None:
        home = house(a_record())
        answer = home.client().post(UNDO, data=body)
        assert 400 == answer.status_code
        assert found(answer)["error"].startswith(said)
        assert [] == home.pipeline.asked

    def test_a_body_that_is_too_large_is_413(self) -> None:
        home = house(a_record())
        answer = home.client().post(UNDO, data=b" " * (home.max_body + 1))
        expected = {"error": f"the body is larger than {home.max_body} bytes (--max-body)"}
        assert (413, expected) == (answer.status_code, answer.json)

    def test_a_body_that_breaks_off_undoes_nothing(self) -> None:
        """Its end could have said who asks."""
        home = house(a_record())
        answer = home.client().post(UNDO, data=b"{}", environ_overrides={"CONTENT_LENGTH": "50"})
        assert (503, {"error": "the body is incomplete: 2 of 50 bytes"}) == (answer.status_code, answer.json)
        assert [] == home.pipeline.asked

    @pytest.mark.parametrize("query", ["dryRun=All", "by=ann"])
    def test_a_parameter_is_refused_and_nothing_is_done(self, query: str) -> None:
        """Whoever asks for a dry run must not get the real one."""
        home = house(a_record())
        answer = home.client().post(f"{UNDO}?{query}")
        name = query.partition("=")[0]
        assert (400, {"error": f"{name}: unknown; there are no parameters here"}) == (answer.status_code, answer.json)
        assert [] == home.pipeline.asked

    def test_a_get_does_nothing(self) -> None:
        home = house(a_record())
        answer = home.client().get(UNDO)
        assert (405, "POST") == (answer.status_code, answer.headers["Allow"])
        assert [] == home.pipeline.asked


class TestForReal:
    """The real pipeline and the packaged policies, on a folder with a canary of 10 %."""

    @pytest.fixture
    def client(self, tmp_path: Path) -> Iterator[FlaskClient]:
        (tmp_path / "shop.yaml").write_text(dump(REVIEWS, destination_rule(v1="v1", v2="v2")))
        with ThreadPoolExecutor(1) as executor:
            cluster: Any = LocalCluster(tmp_path)
            bounds = Bounds(max_alert_age=None)  # the alert is of a day that is long over
            pipeline: Any = Pipeline(cluster, PolicyStore([packaged_policies()]), Metrics(), executor, bounds=bounds)
            yield House(pipeline, cluster=cluster).client()

    def test_what_was_taken_is_told_and_given_back(self, client: FlaskClient, tmp_path: Path) -> None:
        body = notification([alert(labels())])
        (row,) = found(client.post("/webhook", json=body))["outcomes"]
        path = f"{LIST}/shop/{row['remediation']}"

        (item,) = found(client.get(f"{LIST}?policy=canary-errors&phase=Applied"))["items"]
        assert row["remediation"] == item["metadata"]["name"]
        assert row["changes"] == item["spec"]["changes"]
        assert item == found(client.get(path))
        assert f'href="{path}"' in client.get("/").text

        given_back = client.post(f"{path}/undo", json={"by": "ann", "reason": "v2 is fine, its database was not"})
        assert 200 == given_back.status_code
        assert shown_answer() == without(found(given_back), "remediation", "message")
        restored = next(yaml.safe_load_all((tmp_path / "shop.yaml").read_text()))
        assert REVIEWS["spec"] == restored["spec"]
        assert "annotations" not in restored["metadata"]
        status = found(client.get(path))["status"]
        assert ("Undone", "ann") == (status["phase"], status["undo"]["by"])

        again = client.post(f"{path}/undo")
        assert (200, "Unchanged", "Undone") == (again.status_code, found(again)["outcome"], found(again)["reason"])
        (row,) = found(client.post("/webhook", json=body))["outcomes"]
        assert ("Denied", "Undone") == (row["outcome"], row["reason"])

    def test_what_somebody_changed_since_is_left_alone(self, client: FlaskClient, tmp_path: Path) -> None:
        (row,) = found(client.post("/webhook", json=notification([alert(labels())])))["outcomes"]
        file = tmp_path / "shop.yaml"
        file.write_text(file.read_text().replace("weight: 100", "weight: 95").replace("weight: 0", "weight: 5"))
        changed = file.read_text()

        answer = client.post(f"{LIST}/shop/{row['remediation']}/undo")
        assert (409, "ChangedSince") == (answer.status_code, found(answer)["reason"])
        values = {(each["path"], each["expected"], each["found"]) for each in found(answer)["differences"]}
        assert values == {("/spec/http/0/route/0/weight", 100, 95), ("/spec/http/0/route/1/weight", 0, 5)}
        assert changed == file.read_text()


def shown_answer() -> Json:
    """The answer to an undo that the documentation shows."""
    shown = re.search(r"/undo \| jq .*\n(\{\n(?:.*\n)*?\}\n)```$", DOCS.read_text(), flags=re.MULTILINE)
    assert shown is not None
    value = json.loads(shown[1])
    assert isinstance(value, dict)
    return value


def without(value: Json, *members: str) -> Json:
    """As `jq 'del(…)'` shows it."""
    return {name: inner for name, inner in value.items() if name not in members}


class TestWhoMayAsk:
    @pytest.fixture
    def guarded(self, tmp_path: Path) -> House:
        return replace(house(a_record()), authenticator=token_file(tmp_path, "s3cret"))

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            pytest.param("GET", LIST, id="the list"),
            pytest.param("GET", ONE, id="one"),
            pytest.param("GET", f"{LIST}/shop/none", id="one that is not there"),
            pytest.param("POST", UNDO, id="an undo"),
        ],
    )
    def test_strangers_are_refused_and_learn_nothing(self, guarded: House, method: str, path: str) -> None:
        answer = guarded.client().open(path, method=method)
        assert (401, "TokenMissing") == (answer.status_code, found(answer)["reason"])
        assert [] == guarded.pipeline.asked

    def test_with_a_token_it_is_done(self, guarded: House) -> None:
        assert 200 == guarded.client().post(UNDO, headers={"Authorization": "Bearer s3cret"}).status_code

    def test_a_page_of_another_site_cannot_undo(self, guarded: House) -> None:
        headers = {"Origin": "https://evil.example"}
        answer = guarded.client().post(UNDO, auth=("anyone", "s3cret"), headers=headers)
        assert 403 == answer.status_code
        assert [] == guarded.pipeline.asked
