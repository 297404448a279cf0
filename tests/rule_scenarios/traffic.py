"""Requests to the versions of a service, and the counters that Istio's proxies keep of them.

What each reporter writes is that of Istio's `istio_stats` filter:
- the source names version and workload, unless the connection fails (`UF`: the version is "unknown", the canonical
  revision right) or there is no host to choose (`UH`, `NC`: the revision is "latest", as of pods without a version; the
  namespace is that of the cluster, if there is one, and "unknown" in older releases);
- the destination sees what arrives, and mirrored requests are seen by it alone;
- a gRPC failure is HTTP 200 with a `grpc_response_status`.
Counts are Poisson, drawn with a generator that the service's name seeds: every run has the same.
"""

from __future__ import annotations

import math
from collections import Counter as Counts
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random

from tests.rule_scenarios.notation import SCRAPE, Counter, Labels

REQUESTS = "istio_requests_total"
BUCKET = "istio_request_duration_milliseconds_bucket"
COUNT = "istio_request_duration_milliseconds_count"
BOUNDARIES = (10, 25, 50, 100, 250, 500, 1000)
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

    @property
    def lost(self) -> bool:
        """Whether there was no cluster either, which would know the namespace."""
        return self.flags == "NC"


OK = Answer()
ERROR = Answer("500")
GRPC_OK = Answer(grpc="0")
GRPC_NOT_FOUND = Answer(grpc="5")
GRPC_UNAVAILABLE = Answer(grpc="14")
UNREACHED = Answer("503", flags="UF,URX")
NO_HOST = Answer("503", flags="UH")
GRPC_NO_HOST = Answer(grpc="14", flags="UH")
NO_CLUSTER = Answer("503", flags="NC")


@dataclass(frozen=True, slots=True)
class Latency:
    """A log-normal distribution, with a share of requests that take `tail_ms` instead."""

    median_ms: float = 60
    sigma: float = 0.8
    tail: float = 0
    tail_ms: float = 2000

    @cache  # noqa: B019 - a few distributions, as long as the tests run
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

    def between(self, earlier: int, later: int) -> tuple[Behaviour | None, float]:
        """How it answers between two scrapes, and for which part of the time: traffic begins between scrapes too."""
        for scrape, part in ((earlier, 1), (later, 2 / 3)):
            begun = [each for each in self.behaviours if each.since * 60 <= scrape * SCRAPE]
            if begun:
                return begun[-1], part
        return None, 1


@dataclass(frozen=True, slots=True)
class Service:
    """A service and all requests to it."""

    name: str
    flows: tuple[Flow, ...]
    namespace: str = "shop"
    boundary: str = "{}"
    """How a histogram's boundary is written: Prometheus 2 keeps "500", Prometheus 3 "500.0"."""

    @property
    def mirrors(self) -> bool:
        """Whether any requests are copies. Where none are, the destination's latencies tell nothing: left out."""
        return any(each.mirrored for each in self.flows)

    def counters(self, minutes: float) -> list[Counter]:
        """Every counter of every proxy that takes part, over so many minutes."""
        tally = Tally(self, int(minutes * 60 / SCRAPE) + 1)
        for flow in self.flows:
            for client in flow.clients:
                tally.take(flow, client)
        return tally.counters()


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
        self._counters: dict[tuple[str, Labels], Counter] = {}

    def take(self, flow: Flow, client: str) -> None:
        """Count the requests of one client to one version."""
        answered = self._answered(flow, client)
        totals = [each.total() for each in answered]
        gains = durations(flow, totals)
        born = next((scrape for scrape, count in enumerate(totals) if count), self._scrapes)
        answers = {answer for each in answered for answer in each}
        for reporter in ("destination",) if flow.mirrored else ("source", "destination"):
            proxy = Proxy(reporter, flow, client)
            for answer in sorted(answers, key=str):
                if reporter == "source" or answer.arrived:
                    known = labels(self._service, proxy, answer)
                    self._requests(proxy, (REQUESTS, known), [each[answer] for each in answered])
            if reporter == "destination" and not self._service.mirrors:
                continue
            known = labels(self._service, proxy, OK)
            for boundary, gained in gains.items():
                le = "+Inf" if math.isinf(boundary) else self._service.boundary.format(boundary)
                self._histogram(proxy, (BUCKET, (*known, ("le", le))), gained, born)
            self._histogram(proxy, (COUNT, known), gains[math.inf], born)

    def counters(self) -> list[Counter]:
        """One for each series that came to be."""
        return list(self._counters.values())

    def _answered(self, flow: Flow, client: str) -> list[Counts[Answer]]:
        """Its answers, scrape by scrape."""
        draws = Random(f"{self._service.name} {flow.version} {client} {flow.mirrored}")
        bursts = {int(each.minute * 60 / SCRAPE): each for each in flow.bursts}
        answered = []
        for scrape in range(self._scrapes):
            behaviour, part = flow.between(scrape - 1, scrape)
            clients = len(flow.clients) / part
            counts: Counts[Answer] = Counts(dict(drawn(draws, behaviour, clients)) if behaviour else {})
            if scrape in bursts:
                counts[bursts[scrape].answer] += bursts[scrape].count
            answered.append(counts)
        return answered

    def _requests(self, proxy: Proxy, series: tuple[str, Labels], gains: Sequence[int]) -> None:
        """Where no host was chosen, all versions' requests are in one series."""
        before = self._counters.get(series)
        if before is not None:
            gains = [one + other for one, other in zip(before.gains, gains, strict=True)]
        if any(gains):
            resets = proxy.resets(self._scrapes)
            self._counters[series] = Counter(*series, proxy.phase, gains, resets=resets, gone=proxy.gone)

    def _histogram(self, proxy: Proxy, series: tuple[str, Labels], gains: Sequence[int], born: int) -> None:
        resets = proxy.resets(self._scrapes)
        self._counters[series] = Counter(*series, proxy.phase, gains, resets=resets, gone=proxy.gone, born=born)


def durations(flow: Flow, answered: Sequence[int]) -> dict[float, list[int]]:
    """What each bucket gains; what does not make a whole request is carried over to the next scrape."""
    gains: dict[float, list[int]] = {boundary: [] for boundary in BOUNDARIES}
    for boundary, gained in gains.items():
        carried = 0.5
        for scrape, count in enumerate(answered):
            behaviour, _ = flow.between(scrape - 1, scrape)
            carried += count * (behaviour.latency.below(boundary) if behaviour else 0)
            gained.append(math.floor(carried))
            carried -= gained[-1]
    return {**gains, math.inf: list(answered)}


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
        ("destination_canonical_revision", version if known else "latest"),
        ("destination_service", f"{service.name}.{service.namespace}.svc.cluster.local"),
        ("destination_service_name", service.name),
        (
            "destination_service_namespace",
            "unknown" if proxy.reporter == "source" and answer.lost else service.namespace,
        ),
        ("response_code", answer.code),
        ("response_flags", answer.flags),
        ("grpc_response_status", answer.grpc),
        ("namespace", "clients" if proxy.reporter == "source" else service.namespace),
        ("pod", proxy.pod),
    )


def drawn(draws: Random, behaviour: Behaviour, clients: float) -> Iterator[tuple[Answer, int]]:
    """How many answers of each kind one of the clients gets from one scrape to the next."""
    for place, (answer, share) in enumerate(behaviour.answers.items()):
        mean = behaviour.rate / clients * SCRAPE * share
        clump = 1 if place == 0 else behaviour.clump
        yield answer, clump * poisson(draws, mean / clump)


def poisson(draws: Random, mean: float) -> int:
    """A Poisson number: counts the arrivals of a unit of time; above 50 the normal distribution comes close enough."""
    if mean > 50:
        return max(0, round(draws.gauss(mean, math.sqrt(mean))))
    left, count = math.exp(-mean), -1
    while left <= 1:
        left /= 1 - draws.random()
        count += 1
    return count
