"""Alertmanager's side: notifications over one kept-alive connection to the service."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from benchmarks import fleet
from tests.builders import notification
from tests.service import Service

Json = dict[str, Any]


class Firings:
    """When alerts begin to fire: each at another time than all before, so that each is a firing of its own.

    Args:
        first: UTC.
    """

    def __init__(self, first: datetime) -> None:
        self._turns = itertools.count()
        self._first = first

    def next(self) -> datetime:
        """The next one; a millisecond later, which is what Alertmanager tells apart."""
        return self._first + timedelta(milliseconds=next(self._turns))


@dataclass(frozen=True, slots=True)
class Answer:
    """One notification that was answered. Times are those of perf_counter (s)."""

    sent_at: float
    answered_at: float
    """When the answer had been read."""
    records: tuple[tuple[int, str], ...]
    """Of each alert: the number of its service, and its record's name."""

    @property
    def seconds(self) -> float:
        """From sending the request to having read the answer (s)."""
        return self.answered_at - self.sent_at


class Deliveries:
    """One connection."""

    def __init__(self, service: Service, firings: Firings) -> None:
        self._client = service.client()
        self._headers = service.headers
        self._firings = firings

    def send(self, numbers: Iterable[int]) -> Callable[[], Answer]:
        """One notification with an alert for each of these services, ready to go.

        What is returned delivers it. It raises RuntimeError unless every alert has changed its VirtualService.
        """
        numbers = tuple(numbers)
        alerts = [fleet.alert(number, self._firings.next()) for number in numbers]
        body = json.dumps(notification(alerts)).encode()

        def deliver() -> Answer:
            sent_at = perf_counter()
            text = self._post(body)
            answered_at = perf_counter()
            rows: list[Json] = json.loads(text)["outcomes"]
            if {row["outcome"] for row in rows} != {"Applied"} or len(rows) != len(numbers):
                raise RuntimeError(f"not every alert was applied: {text[:1000]!r}")
            names = (row["remediation"] for row in rows)
            return Answer(sent_at, answered_at, tuple(zip(numbers, names, strict=True)))

        return deliver

    def _post(self, body: bytes) -> bytes:
        self._client.request("POST", "/webhook", body, self._headers)
        answer = self._client.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"POST /webhook: {answer.status} {text[:1000]!r}")
        return text

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def reads(service: Service) -> int:
    """How often the service has read a VirtualService because its index could not be relied on (its own count)."""
    client = service.client()
    client.request("GET", "/metrics")
    lines = client.getresponse().read().decode().splitlines()
    client.close()
    name = "remediator_kubernetes_request_duration_seconds_count{"
    wanted = ('resource="virtualservices.networking.istio.io"', 'verb="get"')
    found = (line for line in lines if line.startswith(name) and all(label in line for label in wanted))
    return sum(int(float(line.rpartition(" ")[2])) for line in found)
