"""The web application: every answer, and every bad input."""

from __future__ import annotations

import io
import json
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize, NoMoreData

from remediator.alerts import Alert
from remediator.cli.news import not_enforced
from remediator.cluster.local import LocalCluster
from remediator.cluster.port import Health
from remediator.errors import NotSynced, Unavailable
from remediator.guards.situation import Bounds
from remediator.logs import JsonLines
from remediator.metrics import Metrics
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline import Pipeline
from remediator.policies.intervals import TimeInterval
from remediator.policies.load import PolicyStore
from remediator.policies.matchers import parse_matcher
from remediator.policies.model import NOT_ENFORCED, Guards, Mode
from remediator.records.hold import Enforcement, Hold
from remediator.records.model import Conclusion, Phase, PolicyRef, Remediation
from remediator.settings import packaged_policies
from remediator.traffic.view import Protocol
from remediator.verification.model import Verification, VerificationVerdict
from remediator.web import pages
from remediator.web.api import EXPOSURE_PARAMETERS
from remediator.web.body import MOST_DISCARDED
from remediator.web.openapi import openapi
from remediator.web.pages import LATEST
from remediator.web.paging import DEFAULT_LIMIT
from tests.builders import (
    alert,
    destination,
    destination_rule,
    flagger_canary,
    labels,
    notification,
    rollout,
    split,
    virtual_service,
    when,
)
from tests.folders import dump
from tests.web_fakes import (
    HEALTHY,
    NOON,
    FakeCluster,
    FakeLedger,
    FakePipeline,
    FakePolicies,
    House,
    a_policy,
    a_record,
    token_file,
    unavailable,
)

DOCS = Path(__file__).parents[1] / "docs" / "http.md"
# As gunicorn says that a body is chunked; the test client would say how long it is.
CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
EXPECTED = 'an Alertmanager webhook notification, version "4", as JSON'
ALERT = alert(labels(), fingerprint="f00d")
BODY = notification([ALERT])


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def client(house: House) -> FlaskClient:
    return house.client()


class Endless(io.BytesIO):
    """A body that does not end."""

    given = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0
        self.given += size
        return b" " * size


class Broken(io.BytesIO):
    """A body that breaks off after its first bytes, in one of gunicorn's ways."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(b"{")
        self.fault = fault

    def read(self, size: int | None = -1, /) -> bytes:
        if first := super().read(size):
            return first
        raise self.fault


class TestWebhook:
    def test_all_done_is_200_with_a_row_for_each_alert(self, client: FlaskClient) -> None:
        answer = client.post("/webhook", json=BODY)
        row = {
            "fingerprint": "f00d",
            "alertname": "CanaryErrorRatioAboveStable",
            "policy": "canary",
            "target": {"kind": "VirtualService", "namespace": "shop", "name": "reviews"},
            "outcome": "Applied",
            "reason": "Patched",
            "message": "reviews v2 gets no traffic now",
            "changes": ["http[0] reviews v2: weight 10 → 0"],
            "remediation": None,
        }
        assert 200 == answer.status_code
        assert {"outcomes": [row]} == answer.json

    def test_an_alert_without_a_target_says_null(self) -> None:
        def ignored(found: Alert) -> AlertOutcome:
            return AlertOutcome(found.fingerprint, found.name, None, None, Outcome.IGNORED, Reason.NO_POLICY, "none")

        answer = House(pipeline=FakePipeline(ignored)).client().post("/webhook", json=BODY)
        assert answer.json is not None
        (row,) = answer.json["outcomes"]
        assert (None, None, "NoPolicy") == (row["policy"], row["target"], row["reason"])

    def test_something_that_a_retry_can_mend_is_503_with_all_rows(self) -> None:
        """Alertmanager retries 5xx and nothing else."""
        healthy = alert(labels("v3"), fingerprint="beef")

        def decide(found: Alert) -> AlertOutcome:
            row = unavailable(found)
            return row if found.fingerprint == "f00d" else replace(row, outcome=Outcome.APPLIED, reason=Reason.PATCHED)

        client = House(pipeline=FakePipeline(decide)).client()
        answer = client.post("/webhook", json=notification([ALERT, healthy]))
        assert 503 == answer.status_code
        assert answer.json is not None
        assert ["Unavailable", "Patched"] == [row["reason"] for row in answer.json["outcomes"]]
        assert "deliver the notification again" in answer.json["retry"]

    def test_a_person_without_a_content_type_is_understood(self, client: FlaskClient, house: House) -> None:
        answer = client.post(
            "/webhook", data=json.dumps(BODY), content_type="application/x-www-form-urlencoded; charset=utf-8"
        )
        assert 200 == answer.status_code
        assert 1 == len(house.pipeline.handled)

    def test_no_alerts_are_no_outcomes(self, client: FlaskClient) -> None:
        answer = client.post("/webhook", json=notification([]))
        assert (200, {"outcomes": []}) == (answer.status_code, answer.json)

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            pytest.param(b"", "", id="an empty body"),
            pytest.param(b"{", "", id="not JSON"),
            pytest.param(b"\xff\xfe{}", "UTF-8", id="not UTF-8"),
            pytest.param(b"[]", "", id="not an object"),
            pytest.param(b"null", "", id="null"),
            pytest.param(b'{"version":"3"}', "version", id="another version"),
            pytest.param(b'{"version":4}', "version", id="the version as a number"),
            pytest.param(b"{}", "version", id="no version"),
            pytest.param(json.dumps(BODY).encode()[:-20], "", id="cut off in the middle"),
            pytest.param(b'{"version":"4","version":"4"}', "", id="a key twice"),
            pytest.param(json.dumps(notification([], truncatedAlerts=float("nan"))).encode(), "NaN", id="NaN"),
            pytest.param(b"[" * 30_000, "", id="deeply nested lists"),
            pytest.param(b'{"a":' * 10_000, "", id="deeply nested objects"),
            pytest.param(json.dumps(notification([{"labels": []}])).encode(), "alerts[0]", id="labels that are a list"),
            pytest.param(json.dumps(notification([]) | {"alerts": None}).encode(), "alerts", id="alerts that are null"),
        ],
    )
    def test_what_is_no_notification_is_400_and_says_what_was_expected(
        self, client: FlaskClient, house: House, body: bytes, said: str
    ) -> None:
        answer = client.post("/webhook", data=body)
        assert 400 == answer.status_code
        assert answer.json is not None
        assert {"error", "expected"} == set(answer.json)
        assert answer.json["expected"] == EXPECTED
        assert said in answer.json["error"]
        assert len(answer.data) < 1_000
        assert [] == house.pipeline.handled

    def test_too_large_is_413_and_names_the_setting(self, client: FlaskClient, house: House) -> None:
        answer = client.post("/webhook", data=b" " * (house.max_body + 1))
        assert 413 == answer.status_code
        assert {"error": f"the body is larger than {house.max_body} bytes (--max-body)"} == answer.json

    def test_a_chunked_body_without_a_length_is_capped_too(self, client: FlaskClient, house: House) -> None:
        """Cut at the limit it would be another notification, or none that can be understood."""
        body = json.dumps(BODY).encode().ljust(house.max_body + 1)
        answer = client.post("/webhook", input_stream=io.BytesIO(body), environ_overrides=CHUNKED)
        assert 413 == answer.status_code
        assert {"error": f"the body is larger than {house.max_body} bytes (--max-body)"} == answer.json
        assert [] == house.pipeline.handled

    @pytest.mark.parametrize("environ", [pytest.param({}, id="with a length"), pytest.param(CHUNKED, id="in chunks")])
    def test_a_body_of_just_the_limit_is_read(self, client: FlaskClient, house: House, environ: dict[str, Any]) -> None:
        body = json.dumps(BODY).encode().ljust(house.max_body)
        answer = client.post("/webhook", input_stream=io.BytesIO(body), environ_overrides=environ)
        assert 200 == answer.status_code
        assert 1 == len(house.pipeline.handled)

    @pytest.mark.parametrize("environ", [pytest.param({}, id="with a length"), pytest.param(CHUNKED, id="in chunks")])
    def test_too_large_is_logged_with_size_and_sender(
        self, client: FlaskClient, house: House, caplog: pytest.LogCaptureFixture, environ: dict[str, Any]
    ) -> None:
        """Alertmanager does not deliver it again now, so somebody has to hear of it."""
        body = io.BytesIO(b" " * (house.max_body + 500_000))
        client.post("/webhook", input_stream=body, environ_overrides=environ)
        (record,) = caplog.records
        line = json.loads(JsonLines().format(record))
        assert ("warning", house.max_body + 500_000, "127.0.0.1") == (line["level"], line["bytes"], line["remote"])
        assert f"notification refused: the body is larger than {house.max_body} bytes (--max-body)" == line["message"]

    def test_what_is_too_large_is_not_read_for_ever(self, client: FlaskClient, house: House) -> None:
        endless = Endless()
        answer = client.post("/webhook", input_stream=endless, environ_overrides=CHUNKED)
        assert 413 == answer.status_code
        assert house.max_body + MOST_DISCARDED == endless.given

    def test_a_chunked_notification_is_read(self, client: FlaskClient, house: House) -> None:
        stream = io.BytesIO(json.dumps(BODY).encode())
        answer = client.post("/webhook", input_stream=stream, environ_overrides=CHUNKED)
        assert 200 == answer.status_code
        assert 1 == len(house.pipeline.handled)

    def test_a_length_that_promises_more_than_comes_is_503(
        self, client: FlaskClient, house: House, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A network that stalls is no fault of the notification: Alertmanager is to deliver it again."""
        stream = io.BytesIO(json.dumps(BODY).encode()[:50])
        answer = client.post("/webhook", input_stream=stream, environ_overrides={"CONTENT_LENGTH": "5000"})
        assert (503, {"error": "the body is incomplete: 50 of 5000 bytes"}) == (answer.status_code, answer.json)
        assert ["notification did not arrive: the body is incomplete: 50 of 5000 bytes"] == caplog.messages
        assert [] == house.pipeline.handled

    @pytest.mark.parametrize(
        ("fault", "code", "said"),
        [
            pytest.param(ConnectionResetError(), 503, "the body is incomplete: its last chunk", id="a reset"),
            pytest.param(NoMoreData(), 503, "the body is incomplete: its last chunk", id="an end within a chunk"),
            pytest.param(
                ChunkMissingTerminator(b""), 503, "the body is incomplete: its last chunk", id="an end behind a chunk"
            ),
            pytest.param(ChunkMissingTerminator(b"xx"), 400, "the body is not chunked", id="a chunk without its end"),
            pytest.param(InvalidChunkSize(b"z"), 400, "the body is not chunked", id="a size that is none"),
        ],
    )
    def test_chunks_that_break_off_are_asked_for_again_and_wrong_ones_are_not(
        self, client: FlaskClient, house: House, fault: Exception, code: int, said: str
    ) -> None:
        answer = client.post("/webhook", input_stream=Broken(fault), environ_overrides=CHUNKED)
        assert code == answer.status_code
        assert answer.json is not None
        assert answer.json["error"].startswith(said)
        assert [] == house.pipeline.handled

    def test_a_million_labels_are_answered_in_time(self) -> None:
        house = House(max_body=64 * 1024 * 1024)
        many = {f"label_{number}": "x" for number in range(1_000_000)}
        body = json.dumps(notification([alert(many, fingerprint="f00d")])).encode()
        begun = time.monotonic()
        answer = house.client().post("/webhook", data=body)
        assert answer.status_code in {200, 400}
        assert time.monotonic() - begun < 30

    def test_a_hostile_label_never_gets_raw_into_a_log(
        self, client: FlaskClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        hostile = 'x\n{"level":"info"}\x1b[2J'
        body = notification([alert(labels(), status=hostile)], groupKey=hostile)
        with caplog.at_level(logging.DEBUG):
            answer = client.post("/webhook", json=body)
        assert 400 == answer.status_code
        assert caplog.records
        for record in caplog.records:
            assert JsonLines().format(record).isprintable()

    def test_each_answer_is_counted(self, client: FlaskClient, house: House) -> None:
        client.post("/webhook", json=BODY)
        client.post("/webhook", data=b"{")
        client.post("/webhook", data=b" " * (house.max_body + 1))
        text = client.get("/metrics").text
        for code in (200, 400, 413):
            assert f'remediator_notifications_total{{code="{code}"}} 1.0' in text


def test_the_answer_that_the_documentation_shows_is_the_real_one(tmp_path: Path) -> None:
    """The packaged policies on a folder with a canary of 10 %."""
    (tmp_path / "shop.yaml").write_text(
        dump(virtual_service({"route": split(v1=90, v2=10)}), destination_rule(v1="v1", v2="v2"))
    )
    store = PolicyStore([packaged_policies()])
    with ThreadPoolExecutor(1) as executor:
        bounds = Bounds(max_alert_age=None)  # the alert is of a day that is long over
        pipeline: Any = Pipeline(LocalCluster(tmp_path), store, Metrics(), executor, bounds=bounds)
        answer = House(pipeline).client().post("/webhook", json=notification([alert(labels())]))
    shown = re.search(r"^\$ curl .*\n((?:.*\n)*?)```$", DOCS.read_text(), flags=re.MULTILINE)
    assert shown is not None
    assert answer.text == shown[1].replace("\n", "") + "\n"


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "path", "code", "said"),
        [
            pytest.param("GET", "/webhook", 405, "GET is not answered here", id="a wrong method"),
            pytest.param("PUT", "/webhook", 405, "PUT is not answered here", id="another wrong method"),
            pytest.param("OPTIONS", "/webhook", 405, "OPTIONS is not answered here", id="OPTIONS"),
            pytest.param("POST", "/", 405, "POST is not answered here", id="a post to the page"),
            pytest.param("GET", "/nothing", 404, "no such path", id="an unknown path"),
            pytest.param("POST", "/webhook/", 404, "no such path", id="a slash too many"),
            pytest.param(
                "POST", "//webhook", 404, "no such path", id="a double slash: no redirect, which loses the body"
            ),
        ],
    )
    def test_errors_are_json(self, client: FlaskClient, method: str, path: str, code: int, said: str) -> None:
        answer = client.open(path, method=method)
        assert code == answer.status_code
        assert answer.json is not None
        assert {"error"} == set(answer.json)
        assert said in answer.json["error"]

    def test_405_says_what_is_allowed(self, client: FlaskClient) -> None:
        assert "POST" == client.get("/webhook").headers["Allow"]

    def test_a_bug_is_500_without_a_trace_of_it(self, caplog: pytest.LogCaptureFixture) -> None:
        def broken(found: Alert) -> AlertOutcome:
            raise ZeroDivisionError("s3cret")

        answer = House(pipeline=FakePipeline(broken)).client().post("/webhook", json=BODY)
        assert 500 == answer.status_code
        assert {"error": "an error of ours; the log says more"} == answer.json
        assert "ZeroDivisionError" in caplog.text

    @pytest.mark.parametrize("path", ["/", "/webhook", "/healthz", "/metrics", "/api/v1/policies", "/nothing"])
    def test_every_answer_has_the_security_headers(self, client: FlaskClient, path: str) -> None:
        headers = client.get(path).headers
        assert "nosniff" == headers["X-Content-Type-Options"]
        assert "DENY" == headers["X-Frame-Options"]
        assert "no-store" == headers["Cache-Control"]
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")


class TestTokens:
    @pytest.fixture
    def guarded(self, tmp_path: Path) -> House:
        return House(authenticator=token_file(tmp_path, "s3cret"))

    @pytest.mark.parametrize(
        ("headers", "reason", "said"),
        [
            pytest.param({}, "TokenMissing", "send `Authorization: Bearer TOKEN`", id="no token"),
            pytest.param({"Authorization": "Bearer guess"}, "TokenNotAccepted", "not accepted", id="a wrong token"),
        ],
    )
    def test_401_says_which_and_repeats_nothing(
        self, guarded: House, headers: dict[str, str], reason: str, said: str
    ) -> None:
        client = guarded.client()
        answer = client.post("/webhook", json=BODY, headers=headers)
        assert 401 == answer.status_code
        assert answer.json is not None
        assert reason == answer.json["reason"]
        assert said in answer.json["error"]
        assert "guess" not in answer.text
        assert 'Bearer realm="remediator"' == answer.headers["WWW-Authenticate"]
        assert [] == guarded.pipeline.handled
        assert 'remediator_notifications_total{code="401"} 1.0' in client.get("/metrics").text

    def test_strangers_are_refused_before_their_body_is_read(self, guarded: House) -> None:
        class Unread(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                raise AssertionError("read")

            readline = readinto = read  # type: ignore[assignment]

        answer = guarded.client().post("/webhook", input_stream=Unread(json.dumps(BODY).encode()))
        assert 401 == answer.status_code

    def test_the_token_is_never_logged(self, guarded: House, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            guarded.client().post("/webhook", json=BODY, headers={"Authorization": "Bearer guess"})
        (record,) = caplog.records
        line = json.loads(JsonLines().format(record))
        assert ("/webhook", "TokenNotAccepted") == (line["path"], line["reason"])
        assert "guess" not in json.dumps(line)

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
    def test_probes_need_no_token(self, guarded: House, path: str) -> None:
        assert 200 == guarded.client().get(path).status_code

    @pytest.mark.parametrize(
        "path", ["/", "/api/v1/policies", "/api/v1/exposures", "/api/v1/remediations", "/openapi.json"]
    )
    def test_all_else_needs_one(self, guarded: House, path: str) -> None:
        client = guarded.client()
        assert 401 == client.get(path).status_code
        assert 200 == client.get(path, headers={"Authorization": "Bearer s3cret"}).status_code

    def test_a_browser_is_asked_for_a_password(self, guarded: House) -> None:
        client = guarded.client()
        challenges = client.get("/").headers.getlist("WWW-Authenticate")
        assert 'Basic realm="remediator", charset="UTF-8"' in challenges
        assert 200 == client.get("/", auth=("anyone", "s3cret")).status_code

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({"Origin": "https://evil.example"}, id="another origin"),
            pytest.param({"Origin": "null"}, id="an origin that is hidden"),
            pytest.param({"Sec-Fetch-Site": "cross-site"}, id="the browser says so"),
        ],
    )
    def test_a_page_of_another_site_cannot_use_the_browsers_password(
        self, guarded: House, headers: dict[str, str]
    ) -> None:
        answer = guarded.client().post("/webhook", json=BODY, auth=("anyone", "s3cret"), headers=headers)
        assert 403 == answer.status_code
        assert {"error": "requests from the pages of other sites are refused"} == answer.json
        assert [] == guarded.pipeline.handled


class TestProbes:
    def test_liveness_asks_nobody(self) -> None:
        lost = FakeCluster(condition=Health(False, "no connection", {}, None))
        answer = House(cluster=lost).client().get("/healthz")
        assert (200, {"status": "ok"}) == (answer.status_code, answer.json)

    def test_what_only_a_restart_mends_is_told_to_the_kubelet(self) -> None:
        stuck = FakeCluster(condition=Health(False, "the thread of a watch has ended", {}, None, broken=True))
        answer = House(cluster=stuck).client().get("/healthz")
        assert (503, {"status": "broken"}) == (answer.status_code, answer.json)

    def test_ready(self, client: FlaskClient) -> None:
        answer = client.get("/readyz")
        expected = {
            "ready": True,
            "draining": False,
            "ceiling": "Enforce",
            "index": {
                "synced": True,
                "detail": HEALTHY.detail,
                "objects": {"VirtualService": 1, "DestinationRule": 0},
                "last_event": "2026-08-01T11:59:59.000Z",
            },
            "policies": {"loaded": 1, "fault": None},
        }
        assert (200, expected) == (answer.status_code, answer.json)

    def test_readiness_tells_the_ceiling(self) -> None:
        answer = House(ceiling=Mode.OBSERVE).client().get("/readyz")
        assert answer.json is not None
        assert "Observe" == answer.json["ceiling"]

    def test_a_fault_in_the_files_leaves_it_ready_and_is_told(self) -> None:
        answer = House(policies=FakePolicies(fault="canary.yaml, document 1: broken")).client().get("/readyz")
        assert answer.json is not None
        assert (200, True) == (answer.status_code, answer.json["ready"])
        assert "canary.yaml, document 1: broken" == answer.json["policies"]["fault"]

    @pytest.mark.parametrize(
        ("house", "where", "said"),
        [
            pytest.param(
                House(cluster=FakeCluster(condition=Health(False, "listing virtualservices", {}, None))),
                "index",
                "listing virtualservices",
                id="the index has not synced",
            ),
            pytest.param(House(policies=FakePolicies(policies=())), "policies", "'loaded': 0", id="there is no policy"),
        ],
    )
    def test_not_ready_says_why(self, house: House, where: str, said: str) -> None:
        answer = house.client().get("/readyz")
        assert answer.json is not None
        assert (503, False) == (answer.status_code, answer.json["ready"])
        assert said in str(answer.json[where])

    def test_while_draining_it_is_not_ready(self, house: House, client: FlaskClient) -> None:
        house.draining.set()
        answer = client.get("/readyz")
        assert answer.json is not None
        assert (503, True) == (answer.status_code, answer.json["draining"])

    def test_metrics_are_fresh(self) -> None:
        house = House(policies=FakePolicies(policies=(a_policy(), a_policy("mirror")), failures=2))
        answer = house.client().get("/metrics")
        assert answer.content_type.startswith("text/plain")
        assert "remediator_policies_loaded 2.0" in answer.text
        assert "remediator_policy_load_failures_total 2.0" in answer.text
        assert 'remediator_index_objects{kind="VirtualService"} 1.0' in answer.text

    def test_metrics_as_openmetrics(self, client: FlaskClient) -> None:
        answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
        assert answer.content_type.startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")


class TestPolicies:
    def test_policies_are_shown_as_they_are_written(self, client: FlaskClient) -> None:
        names = {
            "service": "destination_service",
            "name": "destination_service_name",
            "namespace": "destination_service_namespace",
            "version": "destination_version",
        }
        expected = {
            "name": "canary",
            "description": "Send a failing canary's traffic back.",
            "matchers": ['alertname="CanaryErrorRatioAboveStable"'],
            "actions": ["RevertToStable", "RemoveMirrors"],
            "mode": "Enforce",
            "effectiveMode": "Enforce",
            "target": {"labels": names, "namespaces": ["shop-*"], "stable": None, "mirrors": "Suspect"},
            "guards": {"cooldown": "10m", "hold": "30m", "maxTargets": 3, "stableReady": "80%", "freeze": 0},
            "source": "canary.yaml, document 1",
            "notEnforced": [],
            "contentHash": "0f" * 32,
        }
        assert {"items": [expected], "next": None} == client.get("/api/v1/policies").json

    def test_the_ceiling_caps_the_mode_that_is_in_force(self) -> None:
        policies = FakePolicies((a_policy(), a_policy("careful", mode=Mode.OBSERVE)))
        answer = House(policies=policies, ceiling=Mode.APPROVE).client().get("/api/v1/policies").json
        assert answer is not None
        modes = [(item["mode"], item["effectiveMode"]) for item in answer["items"]]
        assert [("Enforce", "Approve"), ("Observe", "Observe")] == modes

    def test_the_keys_that_are_not_enforced_are_those_that_the_log_warns_of(self) -> None:
        """Said in two places: a policy that sets all guards has all that are not obeyed in its warning."""
        guards = Guards(timedelta(0), timedelta(0), 1, 0.0, (TimeInterval(),))
        assert tuple(NOT_ENFORCED.values()) == not_enforced(a_policy(guards=guards))

    @pytest.mark.parametrize("query", ["limit=5", "foo=1", "namespace=shop"])
    def test_it_has_no_parameters(self, client: FlaskClient, query: str) -> None:
        answer = client.get(f"/api/v1/policies?{query}")
        expected = {"error": f"{query.split('=', maxsplit=1)[0]}: unknown; there are no parameters here"}
        assert (400, expected) == (answer.status_code, answer.json)


def listed(*bodies: dict[str, Any], query: str = "", rules: tuple[dict[str, Any], ...] = ()) -> list[Any]:
    """What /api/v1/exposures says of these objects."""
    answer = House(cluster=FakeCluster(bodies, rules)).client().get(f"/api/v1/exposures{query}")
    assert 200 == answer.status_code
    assert answer.json is not None
    return list(answer.json["items"])


def brief(items: list[Any]) -> list[tuple[str, str, str | None, float]]:
    return [(item["route"], item["via"], item["destination"]["subset"], item["share"]) for item in items]


class TestExposures:
    def test_a_canary_is_shown_with_all_that_is_asked(self) -> None:
        body = virtual_service({"route": split(v1=90, v2=10)})
        rule = destination_rule(v1="1.0", v2="1.1")
        canary = listed(body, rules=(rule,))[1]
        expected = {
            "kind": "VirtualService",
            "namespace": "shop",
            "name": "reviews",
            "route": "http[0]",
            "via": "Split",
            "destination": {"host": "reviews.shop.svc.cluster.local", "subset": "v2", "port": None},
            "versions": ["1.1"],
            "weight": 10,
            "total": 100,
            "share": 0.1,
            "owner": {
                "driver": "Nobody",
                "evidence": "no label, annotation, Canary or Rollout tells of anybody",
            },
        }
        assert expected == canary

    def test_it_says_who_drives_the_object(self) -> None:
        body = virtual_service({"route": split(v1=90, v2=10)})
        owners = [each["owner"] for each in listed(body, rules=(rollout("reviews"),))]
        evidence = "the Rollout names VirtualService shop/reviews"
        expected = {"driver": "ArgoRollouts", "name": "Rollout shop/reviews", "evidence": evidence}
        assert [expected, expected] == owners

    @pytest.mark.parametrize(
        ("http", "expected"),
        [
            pytest.param([{"route": split(v1=None)}], [], id="one destination is no canary"),
            pytest.param([{"route": split(v1=100, v2=0)}], [], id="a canary without traffic is none"),
            pytest.param(
                [{"route": split(v1=75, v2=25)}],
                [("http[0]", "Split", "v1", 0.75), ("http[0]", "Split", "v2", 0.25)],
                id="a split by weight",
            ),
            pytest.param(
                [when(route=split(v2=None)), {"route": split(v1=None)}],
                [("http[0]", "Match", "v2", 1.0), ("http[1]", "Match", "v1", 1.0)],
                id="a canary that is chosen by a header",
            ),
            pytest.param(
                [{"route": split(v1=None)}, {"route": split(v1=50, v2=50)}],
                [],
                id="a route that is never reached",
            ),
            pytest.param(
                [
                    when(route=[{"destination": destination("v1", host="ratings")}]),
                    {"route": [{"destination": destination("v1", host="reviews")}]},
                ],
                [],
                id="routes to different services are no canary",
            ),
            pytest.param(
                [{"route": split(v1=None), "mirror": destination("v2"), "mirrorPercentage": {"value": 12.5}}],
                [("http[0]", "Mirror", "v2", 0.125)],
                id="a mirror",
            ),
            pytest.param(
                [{"route": split(v1=None), "mirror": destination("v2"), "mirrorPercentage": {"value": 0}}],
                [],
                id="a mirror that is off",
            ),
        ],
    )
    def test_exposures(self, http: list[Any], expected: list[Any]) -> None:
        assert expected == brief(listed(virtual_service(*http)))

    def test_a_mirror_has_no_weight(self) -> None:
        (item,) = listed(virtual_service({"route": split(v1=None), "mirror": destination("v2")}))
        assert (None, None, ["v2"]) == (item["weight"], item["total"], item["versions"])

    def test_only_one_namespace(self) -> None:
        bodies = [virtual_service({"route": split(v1=1, v2=1)}, namespace=name) for name in ("shop", "bank", "shop-eu")]
        assert ["shop", "shop"] == [item["namespace"] for item in listed(*bodies, query="?namespace=shop")]
        assert [] == listed(*bodies, query="?namespace=nowhere")

    def test_pages_show_everything_once_and_in_order(self) -> None:
        bodies = [
            virtual_service({"route": split(v1=1, v2=1, v3=1)}, name=f"vs-{number}", namespace=namespace)
            for namespace in ("shop", "bank")
            for number in range(4)
        ]
        client = House(cluster=FakeCluster(bodies)).client()
        everything = client.get("/api/v1/exposures").json
        assert everything is not None
        assert everything["next"] is None
        pages: list[Any] = []
        token: str | None = ""
        while token is not None:
            page = client.get("/api/v1/exposures", query_string={"limit": 5} | ({"continue": token} if token else {}))
            assert page.json is not None
            assert len(page.json["items"]) <= 5
            pages += page.json["items"]
            token = page.json["next"]
        assert everything["items"] == pages
        assert sorted(pages, key=lambda item: (item["namespace"], item["name"])) == pages

    def test_a_page_has_a_limit_without_being_asked(self) -> None:
        bodies = [virtual_service({"route": split(v1=1, v2=1)}, name=f"vs-{number:03}") for number in range(60)]
        answer = House(cluster=FakeCluster(bodies)).client().get("/api/v1/exposures").json
        assert answer is not None
        assert DEFAULT_LIMIT == len(answer["items"])
        assert answer["next"]

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            pytest.param("limit=0", "limit: expected a whole number from 1 to 1000", id="a limit of nothing"),
            pytest.param("limit=1001", "limit: expected a whole number", id="a limit that is too large"),
            pytest.param("limit=-1", "limit: expected a whole number", id="a negative limit"),
            pytest.param("limit=x", "limit: expected a whole number", id="a limit that is no number"),
            pytest.param("limit=%D9%A3", "limit: expected a whole number", id="a digit that is not ASCII"),
            pytest.param("limit=", "limit: expected a whole number", id="an empty limit"),
            pytest.param("continue=x", "continue: expected the value of `next`", id="a token of nobody"),
            pytest.param("continue=%00%FF", "continue: expected the value of `next`", id="bytes as a token"),
            pytest.param("continue=W10", "continue: expected the value of `next`", id="another list as a token"),
            pytest.param(
                "namespaces=shop",
                "namespaces: unknown; the parameters are namespace, limit, continue",
                id="a mistyped parameter, which would answer with all namespaces",
            ),
            pytest.param("namespace=a&namespace=b", "namespace: stands 2 times; give it once", id="a parameter twice"),
            pytest.param("x" * 300 + "=", "x" * 80 + "… (220 more characters): unknown", id="a name that is long"),
        ],
    )
    def test_a_wrong_query_is_400_and_says_what_is_right(self, client: FlaskClient, query: str, said: str) -> None:
        answer = client.get(f"/api/v1/exposures?{query}")
        assert 400 == answer.status_code
        assert answer.json is not None
        assert answer.json["error"].startswith(said)

    def test_the_parameters_are_those_that_are_described(self) -> None:
        described = openapi()["paths"]["/api/v1/exposures"]["get"]["parameters"]
        assert list(EXPOSURE_PARAMETERS) == [parameter["name"] for parameter in described]

    @pytest.mark.parametrize("fault", [NotSynced("virtualservices: not listed yet"), Unavailable("no connection")])
    def test_what_cannot_be_told_now_is_503(self, fault: NotSynced | Unavailable) -> None:
        answer = House(cluster=FakeCluster(fault=fault)).client().get("/api/v1/exposures")
        assert (503, {"error": str(fault)}) == (answer.status_code, answer.json)

    def test_tcp_routes_count_too(self) -> None:
        body = virtual_service(tcp=[{"route": split(v1=80, v2=20)}])
        assert [f"{Protocol.TCP}[0]"] * 2 == [item["route"] for item in listed(body)]


class TestPage:
    def test_it_shows_what_is_loaded_and_what_is_exposed(self) -> None:
        cluster = FakeCluster([virtual_service({"route": split(v1=90, v2=10)})])
        answer = House(cluster=cluster).client().get("/")
        assert 200 == answer.status_code
        assert "text/html; charset=utf-8" == answer.content_type
        for text in ("Ready", "canary.yaml, document 1", "shop/reviews", "reviews.shop subset v2", "10 %"):
            assert text in answer.text

    def test_it_shows_who_drives_an_object(self) -> None:
        cluster = FakeCluster([virtual_service({"route": split(v1=90, v2=10)})], [flagger_canary()])
        text = House(cluster=cluster).client().get("/").text
        told = '<span title="its name is the apex name of the Canary">Flagger</span>'
        assert f'{told}<br><span class="soft">Canary shop/reviews</span>' in text

    def test_it_shows_the_latest_remediations(self) -> None:
        failed = a_record("mirror-1").ended(Conclusion(Phase.FAILED, Reason.REJECTED, "refused"), NOON)
        text = House(cluster=FakeCluster(ledger=FakeLedger(a_record(), failed))).client().get("/").text
        assert "Remediations (2)" in text
        assert 'href="/api/v1/remediations"' in text
        assert '<a href="/api/v1/remediations/shop/canary-1"><code>shop/canary-1</code></a>' in text
        assert '<span class="bad">Failed</span><br><span class="soft">Rejected</span>' in text
        assert text.count("2026-08-01<br>11:58:00Z") == 2
        assert "http[0]: reviews subset v2 weight 10\u00a0→\u00a00" in text

    def test_it_shows_whether_they_worked(self) -> None:
        def stored(name: str, **status: Any) -> Remediation:
            record = a_record(name)
            return replace(record, status=replace(record.status, **status))

        def found(verdict: VerificationVerdict, concluded: bool = True) -> Verification:
            return Verification(verdict, NOON, "as the figures say", concluded_at=NOON if concluded else None)

        told = Enforcement(NOON, "kubectl-edit", "7", NOON)
        records = (
            stored("r-1", verification=found(VerificationVerdict.STILL_RECEIVING)),
            stored("r-2", verification=found(VerificationVerdict.RECOVERED), hold=Hold((told, told))),
            stored("r-3", verification=found(VerificationVerdict.WITHDRAWN, concluded=False)),
            stored("r-4", hold=Hold((told,) * 5, NOON, "kubectl-edit")),
        )
        text = House(cluster=FakeCluster(ledger=FakeLedger(*records))).client().get("/").text
        assert '<span title="as the figures say" class="bad">StillReceiving</span>' in text
        assert '<span title="as the figures say" class="good">Recovered</span>' in text
        assert '<span class="soft">held 2 times</span>' in text
        assert 'class="good">Withdrawn</span><br><span class="soft">asked on</span>' in text
        assert '<span class="bad">HoldLost</span><br><span class="soft">to kubectl-edit</span>' in text

    def test_of_many_remediations_it_shows_the_newest(self) -> None:
        records = [
            replace(a_record(f"r-{age:02}"), created_at=NOON - timedelta(minutes=age)) for age in range(LATEST + 5)
        ]
        text = House(cluster=FakeCluster(ledger=FakeLedger(*records))).client().get("/").text
        assert f"Remediations ({LATEST + 5})" in text
        assert [f"r-{age:02}" for age in range(LATEST)] == re.findall(r"<code>shop/(r-\d\d)</code>", text)

    def test_without_remediations_it_says_so(self, client: FlaskClient) -> None:
        assert "None yet." in client.get("/").text

    def test_it_shows_the_mode_in_force_and_what_caps_it(self) -> None:
        """A person at 3 a.m. reads here whether anything will be changed."""
        text = House(ceiling=Mode.OBSERVE).client().get("/").text
        assert '<span class="bad">Observe</span>: no policy goes further' in text
        assert 'Observe<br><span class="soft">Enforce, capped by <code class="flag">--mode</code>' in text

    def test_without_a_ceiling_none_is_mentioned(self, client: FlaskClient) -> None:
        assert "--mode" not in client.get("/").text

    def test_it_says_which_guards_are_not_enforced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "not enforced" not in House().client().get("/").text
        monkeypatch.setattr(pages, "NOT_ENFORCED", {"hold": "spec.guards.hold"})
        assert "not enforced by this version: spec.guards.hold." in House().client().get("/").text

    def test_a_path_is_shown_by_its_file_name_and_kept_as_the_title(self) -> None:
        source = "/opt/venv/policies/canary.yaml, document 1"
        text = House(policies=FakePolicies((a_policy(source=source),))).client().get("/").text
        assert f'<span title="{source}">canary.yaml, document 1</span>' in text

    def test_matchers_may_break_between_alternatives(self) -> None:
        matcher = parse_matcher('alertname =~ "Canary<b>|Mirror"')
        text = House(policies=FakePolicies((a_policy(matchers=(matcher,)),))).client().get("/").text
        assert "<code>alertname=~&#34;Canary&lt;b&gt;|<wbr>Mirror&#34;</code>" in text

    def test_everything_is_escaped(self) -> None:
        hostile = "<script>alert(1)</script>"
        policies = FakePolicies((a_policy(description=hostile),), fault=hostile)
        ledger = FakeLedger(a_record(changes=(hostile,), policy=PolicyRef(hostile)))
        cluster = FakeCluster(condition=Health(False, hostile, {}, None), fault=NotSynced(hostile), ledger=ledger)
        text = House(policies=policies, cluster=cluster).client().get("/").text
        assert "<script" not in text
        assert text.count("&lt;script&gt;alert(1)") == 6

    def test_it_allows_its_own_style_and_nothing_else(self, client: FlaskClient) -> None:
        answers = [client.get("/") for _ in range(2)]
        policies = [answer.headers["Content-Security-Policy"] for answer in answers]
        assert policies[0] != policies[1]
        for answer, policy in zip(answers, policies, strict=True):
            nonce = policy.split("'nonce-")[1].split("'")[0]
            assert f'<style nonce="{nonce}">' in answer.text
            assert "script-src" not in policy

    def test_an_index_that_is_lost_leaves_the_rest_of_the_page(self) -> None:
        fault = Unavailable("no connection")
        cluster = FakeCluster(
            condition=Health(False, "no connection", {}, None), fault=fault, ledger=FakeLedger(a_record(), fault=fault)
        )
        answer = House(cluster=cluster).client().get("/")
        assert 200 == answer.status_code
        assert "Not ready" in answer.text
        assert answer.text.count("Cannot be told now.") == 2
