"""Requests to the versions of a service, and the counters that Istio's proxies keep of them.

What each reporter writes is that of Istio's `istio_stats` filter:
- the source names version and workload, unless the connection fails (`UF`: the version is "unknown", the canonical revision
  right) or there is no host to choose (`UH`, `NC`: nothing is known but the name in `destination_service`);
- the destination sees what arrives, and mirrored requests are seen by it alone;
- a gRPC failure is HTTP 200 with a `grpc_response_status`.
Counts are Poisson, drawn with a generator that the service's name seeds: every run has the same.
"""

from __future__ import annotations

import math
from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from tests.rule_scenarios.notation import SCRAPE, Counter, Labels

REQUESTS = "istio_requests_total"
BUCKET = "istio_request_duration_milliseconds_bucket"
COUNT = "istio_request_duration_milliseconds_count"
BOUNDARIES = (10, 25, 50, 100, 250, 500, 1000, 5000)
"""Milliseconds; those of Envoy's buckets that tell anything about the latencies below."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One kind of answer to a request."""

    code: str = "200"
    grpc: str = ""
    """gRPC's status; empty in HTTP traffic."""
    flags: str = "-"
    """Envoy's response flags."""

    @property
    def arrived(self) -> bool:
        """Whether a pod of the version saw the request."""
        return self.flags == "-"

    @property
    def homeless(self) -> bool:
        """Whether no host was chosen, so that the source does not know a version."""
        return self.flags in {"UH", "NC"}


OK = Answer()
ERROR = Answer("500")
GRPC_OK = Answer(grpc="0")
GRPC_NOT_FOUND = Answer(grpc="5")
GRPC_UNAVAILABLE = Answer(grpc="14")
UNREACHED = Answer("503", flags="UF,URX")
NO_HOST = Answer("503", flags="UH")
NO_CLUSTER = Answer("503", flags="NC")


@dataclass(frozen=True, slots=True)
class Latency:
    """A log-normal distribution, with a share of requests that take `tail_ms` instead."""

    median_ms: float = 60
    sigma: float = 0.8
    tail: float = 0
    tail_ms: float = 2000

    def below(self, boundary: float) -> float:
        """The share of requests up to `boundary` milliseconds."""
        body = 0.5 * (1 + math.erf(math.log(boundary / self.median_ms) / (self.sigma * math.sqrt(2))))
        return (1 - self.tail) * body + self.tail * (self.tail_ms <= boundary)


USUAL = Latency()
LONG_TAIL = Latency(tail=0.08)
SHIFTED = Latency(median_ms=90)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a version answers, from a minute on."""

    rate: float
    """Requests per second."""
    since: float = 0
    """Minutes."""
    answers: Mapping[Answer, float] = field(default_factory=lambda: {OK: 0.999, ERROR: 0.001})
    """The share of each."""
    latency: Latency = USUAL
    clump: int = 1
    """Answers other than the first come in clumps of so many."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Answers that come at once, beside those of the behaviour."""

    minute: float
    count: int
    answer: Answer = ERROR


@dataclass(frozen=True, slots=True)
class Flow:
    """The requests to one version, from one or more clients alike."""

    version: str
    behaviours: tuple[Behaviour, ...]
    clients: tuple[str, ...] = ("web",)
    bursts: tuple[Burst, ...] = ()
    """What each client gets besides."""
    mirrored: bool = False
    """Copies: no client reports them."""
    restarts: float | None = None
    """Minutes between two restarts of the pods at both ends."""
    gone: float | None = None
    """The minute in which the version's pods are deleted."""

    def at(self, minute: float) -> Behaviour | None:
        """How it answers then; None before the first."""
        begun = [each for each in self.behaviours if each.since <= minute]
        return begun[-1] if begun else None


@dataclass(frozen=True, slots=True)
class Service:
    """A service and all requests to it."""

    name: str
    flows: tuple[Flow, ...]
    namespace: str = "shop"
    boundary: str = "{}"
    """How a histogram's boundary is written: Prometheus 2 keeps "500", Prometheus 3 "500.0"."""

    def counters(self, minutes: float) -> list[Counter]:
        """Every counter of every proxy that takes part, over so many minutes."""
        tally = Tally(self, int(minutes * 60 / SCRAPE) + 1)
        for flow in self.flows:
            for client in flow.clients:
                tally.take(flow, client)
        return list(tally.counters())


@dataclass(frozen=True, slots=True)
class Proxy:
    """Whose counters: a reporter in a pod, with the life of that pod."""

    reporter: str
    flow: Flow
    client: str

    @property
    def pod(self) -> str:
        return self.client if self.reporter == "source" else f"{self.flow.version}-0"

    @property
    def phase(self) -> int:
        return 1 + len(self.pod) % 2

    def resets(self, scrapes: int) -> frozenset[int]:
        if self.flow.restarts is None:
            return frozenset()
        return frozenset(range(self.phase, scrapes, int(self.flow.restarts * 60 / SCRAPE)))

    @property
    def gone(self) -> int | None:
        """Clients keep their counters of a version that is gone."""
        if self.reporter == "source" or self.flow.gone is None:
            return None
        return int(self.flow.gone * 60 / SCRAPE)


class Tally:
    """Counts the requests of one service."""

    def __init__(self, service: Service, scrapes: int) -> None:
        self._service = service
        self._scrapes = scrapes
        self._gains: dict[tuple[str, Labels], list[int]] = defaultdict(lambda: [0] * scrapes)
        self._proxies: dict[tuple[str, Labels], Proxy] = {}

    def take(self, flow: Flow, client: str) -> None:
        """Count the requests of one client to one version."""
        draws = Random(f"{self._service.name} {flow.version} {client} {flow.mirrored}")
        carried = [0.5] * len(BOUNDARIES)
        reporters = ("destination",) if flow.mirrored else ("source", "destination")
        for scrape in range(self._scrapes):
            behaviour = flow.at((scrape - 1) * SCRAPE / 60)
            if behaviour is None:
                continue
            answered = Counts(dict(drawn(draws, behaviour, len(flow.clients))))
            answered.update({each.answer: each.count for each in flow.bursts if int(each.minute * 60 / SCRAPE) == scrape})
            for reporter in reporters:
                self._requests(Proxy(reporter, flow, client), scrape, answered)
            timed = (answered.total(), behaviour.latency)
            self._durations(Proxy(reporters[0], flow, client), scrape, timed, carried)

    def counters(self) -> Iterator[Counter]:
        """One for each series that came to be."""
        for (metric, labels), gains in self._gains.items():
            proxy = self._proxies[metric, labels]
            yield Counter(metric, labels, proxy.phase, gains, proxy.resets(self._scrapes), proxy.gone)

    def _requests(self, proxy: Proxy, scrape: int, answered: Mapping[Answer, int]) -> None:
        for answer, count in answered.items():
            if proxy.reporter == "source" or answer.arrived:
                self._add(proxy, (REQUESTS, labels(self._service, proxy, answer)), scrape, count)

    def _durations(self, proxy: Proxy, scrape: int, timed: tuple[int, Latency], carried: list[float]) -> None:
        """All answers in one histogram; what does not make a whole request is carried over to the next scrape."""
        count, latency = timed
        known = labels(self._service, proxy, OK)
        for index, boundary in enumerate(BOUNDARIES):
            carried[index] += count * latency.below(boundary)
            whole = math.floor(carried[index])
            carried[index] -= whole
            le = self._service.boundary.format(boundary)
            self._add(proxy, (BUCKET, (*known, ("le", le))), scrape, whole)
        self._add(proxy, (BUCKET, (*known, ("le", "+Inf"))), scrape, count)
        self._add(proxy, (COUNT, known), scrape, count)

    def _add(self, proxy: Proxy, series: tuple[str, Labels], scrape: int, count: int) -> None:
        if count:
            self._proxies.setdefault(series, proxy)
            self._gains[series][scrape] += count


def labels(service: Service, proxy: Proxy, answer: Answer) -> Labels:
    """Those that the proxy writes for such an answer."""
    version = proxy.flow.version
    known = not (proxy.reporter == "source" and answer.homeless)
    connected = proxy.reporter == "destination" or answer.flags == "-"
    return (
        ("reporter", proxy.reporter),
        ("source_workload", proxy.client),
        ("destination_workload", f"{service.name}-{version}" if known else "unknown"),
        ("destination_workload_namespace", service.namespace if known else "unknown"),
        ("destination_version", version if connected else "unknown"),
        ("destination_canonical_revision", version if known else "unknown"),
        ("destination_service", f"{service.name}.{service.namespace}.svc.cluster.local"),
        ("destination_service_name", service.name),
        ("destination_service_namespace", service.namespace if known else "unknown"),
        ("response_code", answer.code),
        ("response_flags", answer.flags),
        ("grpc_response_status", answer.grpc),
        ("namespace", "clients" if proxy.reporter == "source" else service.namespace),
        ("pod", proxy.pod),
    )


def drawn(draws: Random, behaviour: Behaviour, clients: int) -> Iterator[tuple[Answer, int]]:
    """How many answers of each kind one of the clients gets from one scrape to the next."""
    for place, (answer, share) in enumerate(behaviour.answers.items()):
        mean = behaviour.rate / clients * SCRAPE * share
        clump = 1 if place == 0 else behaviour.clump
        yield answer, clump * poisson(draws, mean / clump)


def poisson(draws: Random, mean: float) -> int:
    """A Poisson number, by counting the arrivals of unit time; above 50 by the normal distribution that it comes close to."""
    if mean > 50:
        return max(0, round(draws.gauss(mean, math.sqrt(mean))))
    left, count = math.exp(-mean), -1
    while left <= 1:
        left /= 1 - draws.random()
        count += 1
    return count
