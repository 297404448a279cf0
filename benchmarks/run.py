"""One run: the stage grows from place to place, and is measured at each; what came of it, in the order of the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from benchmarks import measures
from benchmarks.figures import TIMES, Figure, Samples, Target, ratio
from benchmarks.measures import Latency, Memory, Pair, Storm
from benchmarks.progress import Progress
from benchmarks.stage import CONNECTIONS, Stage, staged


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    sizes: tuple[int, ...]
    """Services, growing; each has a VirtualService and a DestinationRule."""
    records: int
    """Of the past: at the first size and at the last, measured without them and with them."""
    samples: int
    """Of one alert, at each place."""
    storm: int
    """Alerts in one notification; no more than the last size."""
    storms: int
    starts: int
    kubectl: int

    @property
    def places(self) -> tuple[Place, ...]:
        """Where one alert is measured, in order."""
        first, *between, last = self.sizes
        with_and_without = (0, self.records)
        return (
            *(Place(first, records) for records in with_and_without),
            *(Place(size, 0) for size in between),
            *(Place(last, records) for records in with_and_without),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """How much there is."""

    size: int
    records: int

    def __str__(self) -> str:
        records = f", {self.records:,} records" if self.records else ""
        return f"{self.size:,} VirtualServices{records}"


FULL: Final = Extent(
    sizes=(10, 1_000, 10_000), records=10_000, samples=500, storm=1_000, storms=3, starts=3, kubectl=30
)
QUICK: Final = Extent(sizes=(10, 40), records=20, samples=10, storm=20, storms=1, starts=1, kubectl=2)


@dataclass(slots=True)
class Results:
    """What was measured."""

    figures: list[Figure] = field(default_factory=list)
    samples: dict[str, Samples] = field(default_factory=dict)
    set_up: float = 0.0
    """Seconds spent on creating the fleet and its records."""

    def add(self, figure: Figure, **samples: Samples) -> None:
        """Keep a figure and what it was computed from."""
        self.figures.append(figure)
        self.samples |= {f"{figure.name}: {name}": times for name, times in samples.items()}


def run(extent: Extent, progress: Progress) -> Results:
    """Measure everything. Raises Missing without the real servers."""
    results = Results()
    with staged(progress) as stage:
        found = {place: _visit(stage, extent, place, results) for place in extent.places}
        _growth(found, results)
        results.set_up = stage.set_up
    _planning(measures.planning(extent.samples), measures.drafting(extent.samples), results)
    return results


def _visit(stage: Stage, extent: Extent, place: Place, results: Results) -> Latency:
    """Measure everything that is measured at this place, and leave it without records."""
    is_last = place.size == extent.sizes[-1]
    stage.grow(place.size)
    stage.remember(place.records)
    if is_last:
        _start(place, measures.start(stage, extent.starts), results)
    with stage.service() as service:
        fresh = measures.memory(service)
        found = measures.latency(stage, service, extent.samples)
        _one_alert(place, found, results)
        if is_last:
            rounds = 1 if place.records else extent.storms
            _storm(place, extent.storm, measures.storm(stage, service, extent.storm, rounds), results)
            _memory(place, fresh, measures.memory(service), results)
        if place == Place(extent.sizes[-1], 0):
            _kubectl(found.patched, measures.kubectl(stage, service, extent.kubectl), results)
    stage.forget_all()
    if place == Place(extent.sizes[0], 0):
        _with_endpoints(stage, extent, results)
    return found


def _with_endpoints(stage: Stage, extent: Extent, results: Results) -> None:
    """One alert, where the stable version's endpoints are counted first: told for its own sake."""
    stage.furnish()
    with stage.service(endpoints=True) as service:
        found = measures.latency(stage, service, extent.samples)
    name = f"request → patched over a bare PATCH, {stage.size:,} VirtualServices, stableReady on"
    results.add(ratio(name, found.patched, found.bare_heard), service=found.patched, bare=found.bare_heard)
    stage.forget_all()


def _one_alert(place: Place, found: Latency, results: Results) -> None:
    bare = found.bare_heard
    patched = ratio(f"request → patched over a bare PATCH, {place}", found.patched, bare, at_most=3.0)
    results.add(patched, service=found.patched, bare=bare)
    answered = ratio(f"request → answer over a bare PATCH, {place}", found.answered, found.bare)
    results.add(answered, service=found.answered, bare=found.bare)


def _growth(found: dict[Place, Latency], results: Results) -> None:
    """How much the ratio grows with the number of VirtualServices, and with that of records."""
    first, last = min(found, key=_order), max(found, key=_order)
    growths = {
        f"VirtualServices, {last.size:,} for {first.size:,}": (first, Place(last.size, 0)),
        f"records, {last.records:,} for 0, {first.size:,} VirtualServices": (first, Place(first.size, last.records)),
        f"records, {last.records:,} for 0, {last.size:,} VirtualServices": (Place(last.size, 0), last),
    }
    for what, places in growths.items():
        small, large = (found[place].patched.p50 / found[place].bare_heard.p50 for place in places)
        name = f"growth of request → patched with {what}"
        results.add(Figure(name, large / small, TIMES, f"{large:.2f} over {small:.2f}", Target(1.2)))


def _order(place: Place) -> tuple[int, int]:
    return place.size, place.records


def _storm(place: Place, alerts: int, found: Storm, results: Results) -> None:
    raw = (
        f"{alerts:,} alerts for as many services in one notification, all applied: {found.answered}; "
        f"half of the VirtualServices patched after {found.half.p50:.1f} s, the last after {found.last.p50:.1f} s; "
        f"bare PATCHes over {CONNECTIONS} connections: {alerts / found.bare.p50:.0f}/s"
    )
    # What was promised, was promised of alerts; how many records there are is told for its own sake.
    target = None if place.records else Target(100.0, at_most=False)
    figure = Figure(f"storm, {place}", alerts / found.answered.p50, "alerts/s", raw, target)
    results.add(figure, service=found.answered, last=found.last, bare=found.bare)


def _kubectl(ours: Samples, alternating: Pair, results: Results) -> None:
    """Against one alert as measured at this size, and told also against those that alternated with it: they found
    a service that had been idle, and caches full of kubectl."""
    kubectl = alternating.other
    raw = (
        f"kubectl patch --type=json {kubectl} over {ours}; over alerts that alternated with it, "
        f"{alternating.ours}: {kubectl.p50 / alternating.ours.p50:.1f} {TIMES}"
    )
    figure = Figure("faster than kubectl", kubectl.p50 / ours.p50, TIMES, raw, Target(10.0, at_most=False))
    results.add(figure, service=ours, alternating=alternating.ours, kubectl=kubectl)


def _memory(place: Place, fresh: Memory, after: Memory, results: Results) -> None:
    raw = f"{fresh.worker:.0f} MiB when ready, {after.worker:.0f} MiB after storms"
    target = None if place.records else Target(160.0)
    worker = max(fresh.worker, after.worker)
    results.add(Figure(f"resident memory of the worker, {place}", worker, "MiB", raw, target))
    raw = f"gunicorn's parent {after.parent:.0f} MiB; what they share counted once (Pss)"
    results.add(Figure(f"with gunicorn's parent, {place}", after.both, "MiB", raw))


def _start(place: Place, pair: Pair, results: Results) -> None:
    name = f"from process start to ready, {place}"
    raw = f"median of {len(pair.ours.seconds)}; bare lists of the same objects take {pair.other.p50:.1f} s"
    target = None if place.records else Target(10.0)
    results.add(Figure(name, pair.ours.p50, "s", raw, target), service=pair.ours, bare=pair.other)


def _planning(planned: Samples, drafted: Samples, results: Results) -> None:
    raw = f"decode, parse, match, look up, plan, render, prove: {planned}"
    results.add(Figure("planning one alert, no network", planned.p50 * 1000, "ms", raw), planning=planned)
    raw = f"the way back, the intent, its JSON: {drafted}"
    results.add(Figure("drafting its record, no network", drafted.p50 * 1000, "ms", raw), drafting=drafted)
