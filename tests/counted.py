"""Traffic of services around a patch, as Istio's proxies count it and Prometheus scrapes it: written to a real one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from benchmarks.detection.wire import STALE, Series, request

SCRAPE = timedelta(seconds=15)
AROUND = timedelta(minutes=6)
"""So long before and after the patch there is something to be scraped."""


@dataclass(frozen=True)
class Flow:
    """One series of `istio_requests_total`: so many requests a second, and how that goes on after the patch."""

    version: str
    before: float
    after: float
    code: str = "200"
    reporter: str = "source"
    late: timedelta = timedelta()
    """So long after the patch it changes."""
    ends: timedelta | None = None
    """So long after the patch it is scraped for the last time."""
    named: Mapping[str, str] | None = None
    """Labels in the place of those that tell the version."""

    def labels(self, service: str) -> dict[str, str]:
        """In namespace `shop`, of a cluster with a domain of its own."""
        version = {"destination_version": self.version, "destination_canonical_revision": self.version}
        return {
            "__name__": "istio_requests_total",
            "reporter": self.reporter,
            "destination_service": f"{service}.shop.svc.example.org",
            "response_code": self.code,
            "pod": f"{self.reporter}-{self.version}-{self.code}",
        } | dict(version if self.named is None else self.named)


def written(services: Mapping[str, Iterable[Flow]], patched_at: datetime) -> bytes:
    """The remote-write request that holds all of it."""
    return request(
        _series(flow, flow.labels(service), patched_at) for service, flows in services.items() for flow in flows
    )


def _series(flow: Flow, labels: dict[str, str], patched_at: datetime) -> Series:
    samples = list(_samples(flow, patched_at))
    times = np.array([round(at.timestamp() * 1000) for at, _ in samples], np.int64)
    values = np.array([count for _, count in samples], np.float64).view(np.uint64)
    if flow.ends is not None:
        times = np.append(times, times[-1] + round(SCRAPE.total_seconds() * 1000))
        values = np.append(values, STALE)
    return Series(labels, times, values)


def _samples(flow: Flow, patched_at: datetime) -> Iterator[tuple[datetime, float]]:
    at, begin, change = patched_at - AROUND, patched_at - AROUND, patched_at + flow.late
    last = patched_at + (AROUND if flow.ends is None else flow.ends)
    while at <= last:
        before = (min(at, change) - begin).total_seconds()
        after = max((at - change).total_seconds(), 0.0)
        yield at, float(int(1000 + flow.before * before + flow.after * after))
        at += SCRAPE
