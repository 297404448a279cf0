"""Asks Prometheus, for verification. It reads, and nothing more: an answer, or why there is none.

The HTTP API: https://prometheus.io/docs/prometheus/latest/querying/api/. What speaks the same (Thanos, Mimir,
VictoriaMetrics) will do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Final, NamedTuple

import urllib3
from urllib3.exceptions import HTTPError

from remediator.errors import Unanswered

_CONNECT_S: Final = 3.0
_ANSWER_S: Final = 10.0
_MOST_BYTES: Final = 2 * 2**20
"""Of an answer: some thousand rows. One service has a few for each version and code."""
_PIECE: Final = 64 * 2**10
_LONGEST_DETAIL: Final = 300


class Sample(NamedTuple):
    """One row of an answer."""

    labels: Mapping[str, str]
    value: float


class Prometheus:
    """One server. Safe to use from many threads; connections are opened when they are needed."""

    def __init__(
        self,
        url: str,
        *,
        answer_s: float = _ANSWER_S,
        most_bytes: int = _MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            url: `http://prometheus.monitoring:9090`, with a path where one stands before `/api/v1`.
            answer_s: how long a whole answer may take.
            most_bytes: how long it may be.
            clock: for durations (s).
        """
        self._url = f"{url.rstrip('/')}/api/v1/query"
        self._answer_s = answer_s
        self._most_bytes = most_bytes
        self._clock = clock
        self._pool = urllib3.PoolManager(retries=False, maxsize=4)

    def instant(self, query: str, at: datetime) -> tuple[Sample, ...]:
        """The rows of an instant query at a moment.

        Raises:
            Unanswered: no answer, half of one, too late, too long, an error, or a warning that it is not complete.
        """
        # GET, as proxies that allow reading alone let it pass.
        fields = {"query": query, "time": f"{at.timestamp():.3f}", "timeout": f"{self._answer_s:g}s"}
        status, body = self._exchanged(fields)
        return _samples(_document(status, body))

    def _exchanged(self, fields: Mapping[str, str]) -> tuple[int, bytes]:
        deadline = self._clock() + self._answer_s
        try:
            answer = self._pool.request(
                "GET",
                self._url,
                fields=dict(fields),
                headers={"Accept": "application/json"},
                timeout=urllib3.Timeout(connect=min(_CONNECT_S, self._answer_s), read=self._answer_s),
                redirect=False,
                preload_content=False,
            )
        except HTTPError as error:
            raise Unanswered(f"no answer from {self._url}: {_said(error)}") from error
        try:
            return answer.status, self._whole(answer, deadline)
        except HTTPError as error:
            raise Unanswered(f"half an answer from {self._url}: {_said(error)}") from error
        finally:
            # What is not read to its end is of no use for another request.
            answer.close()
            answer.release_conn()

    def _whole(self, answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        found = bytearray()
        # Piece by piece: the time-out of a socket begins anew with every byte that comes.
        while piece := answer.read1(_PIECE):
            found += piece
            if len(found) > self._most_bytes:
                raise Unanswered(f"the answer of {self._url} is longer than {self._most_bytes} bytes")
            if self._clock() > deadline:
                raise Unanswered(f"the answer of {self._url} was not whole within {self._answer_s:g} s")
        return bytes(found)


def _document(status: int, body: bytes) -> Mapping[str, Any]:
    """What a complete and successful answer says. Raises Unanswered."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping):
        raise Unanswered(f"HTTP {status}, and no JSON of Prometheus: {_cut(body.decode(errors='replace'))}")
    if status != 200 or found.get("status") != "success":
        raise Unanswered(f"HTTP {status}: {_cut(str(found.get('error') or found.get('status') or 'no word why'))}")
    if found.get("warnings"):
        # Thanos says so where a store did not answer: what is missing would look like traffic that ended.
        raise Unanswered(f"the answer may not be complete: {_cut(str(found['warnings']))}")
    return found


def _samples(document: Mapping[str, Any]) -> tuple[Sample, ...]:
    """Raises Unanswered where it is no instant vector of numbers."""
    try:
        data = document["data"]
        if data["resultType"] != "vector":
            raise Unanswered(f"the answer is a {_cut(str(data['resultType']))}, and no vector")
        return tuple(_sample(row) for row in data["result"])
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise Unanswered(f"the answer is not of Prometheus' form: {_cut(repr(error))}") from error


def _sample(row: Any) -> Sample:
    value = float(row["value"][1])
    if not isfinite(value):
        raise Unanswered(f"the answer holds {value}, which is no number of requests")
    return Sample({str(name): str(text) for name, text in row["metric"].items()}, value)


def _said(error: HTTPError) -> str:
    """Without the connection object that urllib3 puts before it."""
    reason = getattr(error, "reason", None) or error
    return _cut(str(reason).rpartition(": ")[2] or type(error).__name__)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"
