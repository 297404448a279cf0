"""How Prometheus is asked: an answer that can be believed, or why there is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmarks.prometheus import running_prometheus
from remediator.errors import Unanswered
from remediator.prometheus import Prometheus, Sample
from tests.processes import Missing, free_port

NOON = datetime(2026, 8, 1, 12, 0, 0, 500_000, tzinfo=UTC)


def vector(*rows: Any, **more: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}} | more).encode()


def row(value: str, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [1785585600.5, value]}


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that answers every GET by `answer`; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.server_port}"
        finally:
            made.shutdown()
            thread.join()


def saying(body: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def test_the_rows_of_an_answer() -> None:
    with server(saying(vector(row("12.5", code="200"), row("0", code="503")))) as url:
        found = Prometheus(url).instant("up", NOON)

    assert (Sample({"code": "200"}, 12.5), Sample({"code": "503"}, 0.0)) == found


def test_what_is_asked() -> None:
    """A path before the API's, and a slash at the end, are as people write them."""
    asked: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        saying(vector())(request)

    with server(answer) as url:
        assert () == Prometheus(f"{url}/prometheus/", answer_s=7).instant('sum(up{a="b"})', NOON)
    (parts,) = map(urlsplit, asked)

    assert "/prometheus/api/v1/query" == parts.path
    assert {"query": ['sum(up{a="b"})'], "time": ["1785585600.500"], "timeout": ["7s"]} == parse_qs(parts.query)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            saying(b'{"status":"error","errorType":"bad_data","error":"parse error: unexpected"}', 400),
            "HTTP 400: parse error: unexpected",
            id="an error",
        ),
        pytest.param(saying(b"<html>no such host</html>", 502), "HTTP 502, and no JSON", id="a proxy's page"),
        pytest.param(saying(vector(), 503), "HTTP 503: success", id="a status that denies its body"),
        pytest.param(saying(b"[" * 1900), "no JSON", id="too deep to be read"),
        pytest.param(saying(b"[]"), "no JSON of Prometheus", id="JSON of another kind"),
        pytest.param(saying(b"", 302, Location="http://elsewhere"), "HTTP 302", id="another address"),
        pytest.param(
            saying(vector(warnings=["store gone"])), "may not be complete", id="a warning that much is missing"
        ),
        pytest.param(
            saying(b'{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}'), "a scalar", id="no vector"
        ),
        pytest.param(saying(b'{"status":"success"}'), "not of Prometheus' form", id="no data"),
        pytest.param(saying(vector({"metric": {}})), "not of Prometheus' form", id="a row without a value"),
        pytest.param(saying(vector(row("many"))), "not of Prometheus' form", id="a value that is no number"),
        pytest.param(saying(vector(row("NaN"))), "nan, which is no number of requests", id="not a number"),
        pytest.param(saying(vector(row("+Inf"))), "inf, which is no number of requests", id="more than there is"),
        pytest.param(saying(vector(*[row("1", pod="x" * 100)] * 50)), "longer than 2000 bytes", id="too long"),
        pytest.param(saying(vector(), **{"Content-Length": "9999"}), "half an answer", id="half an answer"),
    ],
)
def test_what_cannot_be_believed_says_why(answer: Callable[[BaseHTTPRequestHandler], None], expected: str) -> None:
    with server(answer) as url, pytest.raises(Unanswered, match=expected.replace("(", r"\(")):
        Prometheus(url, answer_s=5, most_bytes=2000).instant("up", NOON)


def test_nobody_answers() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unanswered) as raised:
        Prometheus(url).instant("up", NOON)

    assert f"no answer from {url}/api/v1/query" in str(raised.value)
    assert "refused" in str(raised.value)
    assert "HTTPConnection" not in str(raised.value)


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    done = threading.Event()
    with server(lambda _: done.wait(30) and None) as url:
        with pytest.raises(Unanswered, match=r"no answer .*timed out"):
            Prometheus(url, answer_s=0.2).instant("up", NOON)
        done.set()


def test_a_server_that_says_a_little_all_the_time_is_cut_off() -> None:
    """A socket's time-out begins anew with each byte."""
    seconds = iter(range(1000))
    body = vector(row("1"))

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        for byte in body:
            request.wfile.write(bytes([byte]))
            request.wfile.flush()

    with server(drip) as url, pytest.raises(Unanswered, match="not whole within 5 s"):
        Prometheus(url, answer_s=5, clock=lambda: next(seconds) * 6.0).instant("up", NOON)


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
