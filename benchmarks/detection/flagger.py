"""Flagger's analysis with its defaults: each minute the success rate of the last one; five failed, and it rolls back.

It does so at the check after the fifth. Failed checks add up and never go back; no value is a failed check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from benchmarks.detection.judging import BEGIN, Firing
from benchmarks.prometheus import Prometheus

NAME: Final = "Flagger 60s/5/99 %"
_INTERVAL: Final = 60.0
_OFFSET: Final = 7.0
"""Seconds after the full minute: when it looks."""
_THRESHOLD: Final = 5
_LEAST: Final = 0.99
_REQUESTS: Final = 'istio_requests_total{reporter="source",destination_version="v2"%s}'
_QUERY: Final = " / ".join(
    f"sum by (destination_service_name) (rate({_REQUESTS % more}[1m]))" for more in (',response_code!~"5.*"', "")
)


class Flagger:
    """The checks of all canaries so far."""

    def __init__(self, prometheus: Prometheus, services: Iterable[str]) -> None:
        self._prometheus = prometheus
        self._failed = Counter(dict.fromkeys(services, 0))
        self._due: set[str] = set()
        """What is rolled back at the next check."""
        self.firings: list[Firing] = []

    def judge(self, begin: float, end: float) -> None:
        """Make the checks from `begin` up to, but without, `end` (s)."""
        first = begin // _INTERVAL * _INTERVAL + _OFFSET
        first = first + _INTERVAL if begin == 0 or first < begin else first
        last = (end - _OFFSET - 1e-6) // _INTERVAL * _INTERVAL + _OFFSET
        answer = self._prometheus.range(_QUERY, first + BEGIN, last + BEGIN, _INTERVAL)
        rates = {
            series["metric"]["destination_service_name"]: {pair[0] - BEGIN: float(pair[1]) for pair in series["values"]}
            for series in answer
        }
        moment = first
        while moment <= last:
            self.check(moment, {service: found[moment] for service, found in rates.items() if moment in found})
            moment += _INTERVAL

    def check(self, moment: float, rates: dict[str, float]) -> None:
        """One check of all: the success rates that have a value."""
        for service in sorted(self._due):
            labels = {"destination_service_name": service, "destination_version": "v2", "contestant": NAME}
            self.firings.append(Firing("rollback", labels, moment))
        self._due.clear()
        for service in self._failed:
            if not rates.get(service, 0.0) >= _LEAST:
                self._failed[service] += 1
                if self._failed[service] == _THRESHOLD:
                    self._due.add(service)
