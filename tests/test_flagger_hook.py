"""POST /flagger/rollback as HTTP: which status is said when, and that none of them is a yes to Flagger by accident.

Reference: fluxcd/flagger v1.44 pkg/controller/webhook.go. A status up to 202 is a yes; anything else, a time-out after
10 s and no answer are a no; 5xx is asked again.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from flask.testing import FlaskClient

from remediator.errors import NotSynced, Unavailable
from remediator.logs import JsonLines
from remediator.metrics import Metrics
from remediator.owners import Canary, read_canary
from remediator.owners.checksum import checksum
from remediator.owners.rollback import HOOK_PATH
from remediator.web.auth import hook_token
from tests.builders import Json, flagger_canary
from tests.web_fakes import FakeCluster, FakeLedger, FakeRollbacks, House, token_file

HOOK = "/flagger/rollback"
PAGE = Path(__file__).parents[1] / "docs" / "flagger.md"
TRIAL = ("shop", "reviews", "6657cd9495")
ASKED = {"name": "reviews", "namespace": "shop", "phase": "Progressing", "checksum": "6657cd9495"}


def page_canary() -> Json:
    """The manifest of docs/flagger.md."""
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found: Json = yaml.safe_load(block)
    return found


def client(*condemned: Any, **more: Any) -> FlaskClient:
    return House(rollbacks=FakeRollbacks(*condemned), **more).client()


def without(member: str) -> Json:
    return {key: value for key, value in ASKED.items() if key != member}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param(ASKED, 200, id="the revision that is condemned"),
        pytest.param(ASKED | {"metadata": {"cmd": "x"}, "more": 1}, 200, id="with what else there may be"),
        pytest.param(ASKED | {"checksum": "57b5dd6774"}, 404, id="another revision"),
        pytest.param(ASKED | {"name": "ratings"}, 404, id="another Canary"),
        pytest.param(ASKED | {"namespace": "web"}, 404, id="of another namespace"),
        pytest.param(ASKED | {"phase": "Promoting"}, 404, id="in a phase that cannot be rolled back"),
        pytest.param(ASKED | {"phase": "Succeeded"}, 404, id="as an event hook tells it"),
        pytest.param(ASKED | {"phase": ""}, 404, id="in no phase"),
        pytest.param(without("checksum"), 400, id="a Flagger before 1.34, which has no checksum"),
        pytest.param(ASKED | {"checksum": ""}, 400, id="an empty checksum"),
        pytest.param(ASKED | {"checksum": 6657}, 400, id="a number"),
        pytest.param(ASKED | {"checksum": "a b"}, 400, id="a checksum with a space"),
        pytest.param(without("name"), 400, id="no name"),
        pytest.param(ASKED | {"name": "../reviews"}, 400, id="no name of a Canary"),
        pytest.param(without("namespace"), 400, id="no namespace"),
        pytest.param(without("phase"), 400, id="no phase"),
        pytest.param([ASKED], 400, id="a list"),
        pytest.param(None, 400, id="null"),
    ],
)
def test_what_is_asked(payload: Any, code: int) -> None:
    asking = client(TRIAL)
    for path in (HOOK, f"{HOOK}/anything"):
        answer = asking.post(path, json=payload)
        assert (code, b"") == (answer.status_code, answer.data)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", 400, id="no body"),
        pytest.param(b"{", 400, id="no JSON"),
        pytest.param(b"\xff\xfe", 400, id="no text"),
        pytest.param(b"[" * 5000, 400, id="a nest of lists"),
        pytest.param(b" " * 70_000, 413, id="more than --max-body"),
    ],
)
def test_what_is_no_question(body: bytes, code: int) -> None:
    answer = client(TRIAL).post(HOOK, data=body)
    assert (code, b"") == (answer.status_code, answer.data)


@pytest.mark.parametrize("fault", [NotSynced("old"), Unavailable("away")], ids=str)
def test_where_nobody_knows_it_is_503(fault: Any, caplog: pytest.LogCaptureFixture) -> None:
    answer = House(rollbacks=FakeRollbacks(TRIAL, fault=fault)).client().post(HOOK, json=ASKED)
    assert (503, b"") == (answer.status_code, answer.data)
    assert str(fault) in caplog.text


def test_a_bug_is_500(caplog: pytest.LogCaptureFixture) -> None:
    app = House(rollbacks=FakeRollbacks(TRIAL, fault=RuntimeError("a bug"))).app()  # type: ignore[arg-type]
    answer = app.test_client().post(HOOK, json=ASKED)
    assert (500, b"") == (answer.status_code, answer.data)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        pytest.param("GET", HOOK, 405, id="a browser"),
        pytest.param("PUT", HOOK, 405, id="another method"),
        pytest.param("POST", f"{HOOK}/a/b", 404, id="a longer path"),
        pytest.param("POST", f"/{HOOK}", 404, id="two slashes, which are not redirected"),
        pytest.param("POST", f"{HOOK}?x=1", 400, id="a parameter that nobody knows"),
    ],
)
def test_other_requests(method: str, path: str, code: int) -> None:
    assert code == client(TRIAL).open(path, method=method, json=ASKED).status_code


class TestTokens:
    @pytest.fixture
    def guarded(self, tmp_path: Path) -> FlaskClient:
        return client(TRIAL, authenticator=token_file(tmp_path, "s3cret", "another"))

    @pytest.mark.parametrize(
        ("path", "headers", "code"),
        [
            pytest.param(f"/{hook_token(b's3cret')}", {}, 200, id="made of the first"),
            pytest.param(f"/{hook_token(b'another')}", {}, 200, id="made of the second, while rotating"),
            pytest.param("", {"Authorization": "Bearer s3cret"}, 200, id="the header, for whoever can send one"),
            pytest.param("", {}, 401, id="none"),
            pytest.param("/s3cret", {}, 401, id="the token itself, which must not stand in an object"),
            pytest.param("/guess", {"Authorization": "Bearer s3cret"}, 401, id="the header does not mend the path"),
            pytest.param("", {"Authorization": f"Bearer {hook_token(b's3cret')}"}, 401, id="nor the path's the header"),
        ],
    )
    def test_opens_it(self, guarded: FlaskClient, path: str, headers: Any, code: int) -> None:
        answer = guarded.post(HOOK + path, json=ASKED, headers=headers)
        assert (code, b"") == (answer.status_code, answer.data)

    def test_is_never_logged(self, guarded: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            guarded.post(f"{HOOK}/guess", json=ASKED)
        assert "guess" not in "".join(str(vars(line)) for line in caplog.records)

    @pytest.mark.parametrize("path", [HOOK, "/api/v1/gate"])
    def test_nor_is_it_with_a_bug(self, tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture) -> None:
        """Flask names the whole path of the request in its log, where the token is the last part."""
        bug: Any = RuntimeError("a bug")
        cluster = FakeCluster(ledger=FakeLedger(fault=bug))
        guarded = House(
            cluster=cluster, rollbacks=FakeRollbacks(fault=bug), authenticator=token_file(tmp_path, "s3cret")
        )
        token = hook_token(b"s3cret")
        answer = guarded.client().post(f"{path}/{token}", json=ASKED)
        lines = "".join(JsonLines().format(line) for line in caplog.records)

        assert 500 == answer.status_code
        assert "RuntimeError: a bug" in lines
        assert f"internal error at POST {path}/<token>" in lines
        assert token not in lines + caplog.text


def test_its_answers_are_counted() -> None:
    metrics = Metrics()
    asking = client(TRIAL, metrics=metrics)
    for payload in (ASKED, ASKED, ASKED | {"checksum": "other"}, {}):
        asking.post(HOOK, json=payload)
    text = metrics.render()[0].decode()
    for line in ('{code="200"} 2.0', '{code="404"} 1.0', '{code="400"} 1.0', '{code="503"} 0.0'):
        assert f"remediator_flagger_polls_total{line}" in text


# -- which revision


@pytest.mark.parametrize(
    ("applied", "configs", "expected"),
    [
        pytest.param("5454669676", None, "6657cd9495", id="no configs"),
        pytest.param("5454669676", {}, "57b5dd6774", id="none of them tracked"),
        pytest.param(
            "abc", {"secret/b": "x1", "configmap/a": "é", "configmap/A": ""}, "57c589c89b", id="in Go's order"
        ),
        pytest.param("", None, "758df7c9fc", id="nothing"),
    ],
)
def test_the_checksum_is_flaggers(applied: str, configs: dict[str, str] | None, expected: str) -> None:
    """Expected: printed by Go, from canaryChecksum, ComputeHash and spew of the versions in Flagger 1.44's go.mod."""
    assert expected == checksum(applied, configs)


def canary(status: Any = None, **spec: Any) -> Canary:
    return read_canary(flagger_canary(**spec) | {"status": status})


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        pytest.param("15s", 15, id="seconds"),
        pytest.param("1m30s", 90, id="minutes and seconds"),
        pytest.param("1.5h", 5400, id="a fraction"),
        pytest.param("5s", 10, id="ten seconds at least"),
        pytest.param("", 60, id="empty"),
        pytest.param(None, 60, id="none"),
        pytest.param("soon", 60, id="nothing that Go reads"),
        pytest.param("9" * 400 + "h", 60, id="no duration at all"),
    ],
)
def test_the_interval_is_read_as_flagger_reads_it(interval: Any, seconds: float) -> None:
    assert seconds == canary(analysis={"interval": interval}).interval.total_seconds()


def test_what_is_kept_of_a_canary() -> None:
    hooks: list[Any] = [
        {"name": "a", "type": "rollback", "url": "http://a/flagger/rollback"},
        {"name": "b", "type": "rollout", "url": "http://b"},
        {"name": "c", "url": "http://c"},
        "junk",
    ]
    conditions: list[Any] = [
        {"type": "Promoted", "status": "Unknown", "lastTransitionTime": "2026-08-01T12:00:00Z"}, "junk",
    ]  # fmt: skip
    status = {"phase": "Progressing", "lastAppliedSpec": "5454669676", "conditions": conditions}
    found = canary(status, analysis={"webhooks": hooks}, suspend=True)
    assert ("Progressing", "6657cd9495", "2026-08-01T12:00:00+00:00") == (
        found.phase, found.checksum, found.began and found.began.isoformat(),
    )  # fmt: skip
    assert (("http://a/flagger/rollback",), True, False) == (
        found.rollback_urls, found.suspended, found.skips_analysis,
    )  # fmt: skip


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(None, id="none"),
        pytest.param([], id="a list"),
        pytest.param({"phase": 3, "conditions": "x", "trackedConfigs": 1}, id="of other types"),
        pytest.param(
            {"conditions": [{"type": "Promoted", "status": "Unknown", "lastTransitionTime": "soon"}]}, id="no time"
        ),
        pytest.param({"conditions": [{"type": "Promoted", "status": "False"}]}, id="it is over"),
    ],
)
def test_a_status_that_tells_nothing(status: Any) -> None:
    found = canary(status)
    assert ("", None) == (found.checksum, found.began)


def test_the_old_name_of_the_analysis_is_read_too() -> None:
    body = flagger_canary(canaryAnalysis={"interval": "20s"})
    del body["spec"]["analysis"]
    assert (20, False) == (read_canary(body).interval.total_seconds(), read_canary(body).skips_analysis)
    del body["spec"]["canaryAnalysis"]
    assert read_canary(body).skips_analysis


def test_the_canary_of_the_page_asks_here() -> None:
    found = read_canary(page_canary())
    (url,) = found.rollback_urls
    assert (HOOK_PATH + "/HOOK-TOKEN", 15) == (urlsplit(url).path, found.interval.total_seconds())
