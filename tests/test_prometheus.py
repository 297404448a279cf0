"""How Prometheus is asked: an answer that can be believed, or why there is none."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.prometheus import running_prometheus
from remediator.errors import Unanswered
from remediator.prometheus import Prometheus, Sample
from tests.processes import Missing, free_port
from tests.scripted import Answer, events, half, hang_up, reply, scripted, silent

Json = dict[str, Any]

NOON = datetime(2026, 8, 1, 12, 0, 0, 500_000, tzinfo=UTC)


def vector(*rows: Json, **more: Any) -> Json:
    return {"status": "success", "data": {"resultType": "vector", "result": rows}} | more


def row(value: str, **labels: str) -> Json:
    return {"metric": labels, "value": [1785585600.5, value]}


def asked(answer: Answer, **options: Any) -> tuple[Sample, ...]:
    """What is made of an answer."""
    with scripted(lambda _: answer) as server:
        return Prometheus(server.url, **{"answer_s": 5.0} | options).instant("up", NOON)


def test_the_rows_of_an_answer() -> None:
    found = asked(reply(200, vector(row("12.5", code="200"), row("0", code="503"))))

    assert (Sample({"code": "200"}, 12.5), Sample({"code": "503"}, 0.0)) == found


def test_what_is_asked() -> None:
    """A path before the API's, and a slash at the end, are as people write them."""
    with scripted(lambda _: reply(200, vector())) as server:
        assert () == Prometheus(f"{server.url}/prometheus/", answer_s=7).instant('sum(up{a="b"})', NOON)
        (request,) = server.requests

    assert ("GET", "/prometheus/api/v1/query") == (request.method, request.path)
    assert {"query": 'sum(up{a="b"})', "time": "1785585600.500", "timeout": "7s"} == request.query


def test_a_connection_is_used_again() -> None:
    with scripted(lambda _: reply(200, vector())) as server:
        prometheus = Prometheus(server.url)
        for _ in range(3):
            prometheus.instant("up", NOON)

        assert (3, 1) == (len(server.requests), server.connections)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            reply(400, {"status": "error", "errorType": "bad_data", "error": "parse error: unexpected"}),
            "HTTP 400: parse error: unexpected",
            id="an error",
        ),
        pytest.param(reply(502, b"<html>no such host</html>"), "HTTP 502, and no JSON", id="a proxy's page"),
        pytest.param(reply(503, vector()), "HTTP 503: success", id="a status that denies its body"),
        pytest.param(reply(200, b"[" * 1900), "no JSON", id="too deep to be read"),
        pytest.param(reply(200, b"[]"), "no JSON of Prometheus", id="JSON of another kind"),
        pytest.param(
            lambda connection: connection.head(302, Location="http://elsewhere", Content_Length="0"),
            "HTTP 302",
            id="another address",
        ),
        pytest.param(
            reply(200, vector(warnings=["store gone"])), "may not be complete", id="a warning that much is missing"
        ),
        pytest.param(
            reply(200, {"status": "success", "data": {"resultType": "scalar", "result": [0, "1"]}}),
            "a scalar",
            id="no vector",
        ),
        pytest.param(reply(200, {"status": "success"}), "not of Prometheus' form", id="no data"),
        pytest.param(reply(200, vector({"metric": {}})), "not of Prometheus' form", id="a row without a value"),
        pytest.param(reply(200, vector(row("many"))), "not of Prometheus' form", id="a value that is no number"),
        pytest.param(reply(200, vector(row("NaN"))), "nan, which is no number of requests", id="not a number"),
        pytest.param(reply(200, vector(row("+Inf"))), "inf, which is no number of requests", id="more than there is"),
        pytest.param(
            reply(200, vector(*[row("1", pod="x" * 100)] * 50)), "longer than 2000 bytes", id="longer than it may be"
        ),
        pytest.param(half(vector(row("1"))), "half an answer", id="half an answer"),
        pytest.param(hang_up, "no answer", id="the connection ends"),
    ],
)
def test_what_cannot_be_believed_says_why(answer: Answer, expected: str) -> None:
    with pytest.raises(Unanswered, match=re.escape(expected)):
        asked(answer, most_bytes=2000)


def test_nobody_answers() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unanswered) as raised:
        Prometheus(url).instant("up", NOON)

    assert f"no answer from {url}/api/v1/query" in str(raised.value)
    assert "refused" in str(raised.value)
    assert "HTTPConnection" not in str(raised.value)


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    with pytest.raises(Unanswered, match=r"no answer .*timed out"):
        asked(silent, answer_s=0.2)


def test_a_server_that_says_a_little_all_the_time_is_cut_off() -> None:
    """A socket's time-out begins anew with each byte."""
    seconds = iter(range(0, 1000, 6))
    drops = events(*(bytes([byte]) for byte in json.dumps(vector(row("1"))).encode()))

    with pytest.raises(Unanswered, match="not whole within 5 s"):
        asked(drops, clock=lambda: float(next(seconds)))


@pytest.mark.servers
def test_a_real_one() -> None:
    try:
        with running_prometheus({"scrape_configs": []}) as real:
            prometheus = Prometheus(real.url)
            found = prometheus.instant('label_replace(vector(2), "a", "b", "", "")', NOON)
            with pytest.raises(Unanswered, match=r"HTTP 400: .*parse error"):
                prometheus.instant("sum(", NOON)
    except Missing as missing:
        pytest.skip(str(missing))

    assert (Sample({"a": "b"}, 2.0),) == found
