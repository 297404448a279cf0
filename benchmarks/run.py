"""One run: the stage grows from size to size, and is measured at each; what came of it, in the order of the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from benchmarks import measures
from benchmarks.figures import TIMES, Figure, Samples, Target, ratio
from benchmarks.measures import Memory, Pair
from benchmarks.progress import Progress
from benchmarks.stage import CONNECTIONS, Stage, staged


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    sizes: tuple[int, ...]
    """Services, growing; each has a VirtualService and a DestinationRule."""
    samples: int
    """Of one alert, at each size."""
    storm: int
    """Alerts in one notification; no more than the last size."""
    storms: int
    starts: int
    kubectl: int


FULL: Final = Extent(sizes=(10, 1_000, 10_000), samples=500, storm=1_000, storms=3, starts=3, kubectl=30)
QUICK: Final = Extent(sizes=(10, 40), samples=10, storm=20, storms=1, starts=1, kubectl=2)


@dataclass(slots=True)
class Results:
    """What was measured."""

    figures: list[Figure] = field(default_factory=list)
    samples: dict[str, Samples] = field(default_factory=dict)
    set_up: float = 0.0
    """Seconds spent on creating the fleet."""

    def add(self, figure: Figure, **samples: Samples) -> None:
        """Keep a figure and what it was computed from."""
        self.figures.append(figure)
        self.samples |= {f"{figure.name}: {name}": times for name, times in samples.items()}


def run(extent: Extent, progress: Progress) -> Results:
    """Measure everything. Raises Missing without the real servers."""
    results = Results()
    with staged(progress) as stage:
        pairs = [_one_alert(stage, extent, size, results) for size in extent.sizes]
        _growth(extent.sizes, pairs, results)
        with stage.service() as service:
            fresh = measures.memory(service)
            _storm(extent, measures.storm(stage, service, extent.storm, extent.storms), results)
            _kubectl(pairs[-1].ours, measures.kubectl(stage, service, extent.kubectl), results)
            _memory(stage.size, fresh, measures.memory(service), results)
        results.set_up = stage.set_up
    _planning(measures.planning(extent.samples), results)
    return results


def _one_alert(stage: Stage, extent: Extent, size: int, results: Results) -> Pair:
    stage.grow(size)
    if size == extent.sizes[-1]:
        _start(size, measures.start(stage, extent.starts), results)
    with stage.service() as service:
        pair = measures.latency(stage, service, extent.samples)
    name = f"request → patched over a bare PATCH, {size:,} VirtualServices"
    results.add(ratio(name, pair.ours, pair.other, at_most=2.0), service=pair.ours, bare=pair.other)
    return pair


def _growth(sizes: tuple[int, ...], pairs: list[Pair], results: Results) -> None:
    first, last = (pair.ours.p50 / pair.other.p50 for pair in (pairs[0], pairs[-1]))
    name = f"that ratio at {sizes[-1]:,} over that at {sizes[0]:,}"
    results.add(Figure(name, last / first, TIMES, f"{last:.2f} over {first:.2f}", Target(1.2)))


def _storm(extent: Extent, pair: Pair, results: Results) -> None:
    rate, bare = (extent.storm / times.p50 for times in (pair.ours, pair.other))
    raw = (
        f"{extent.storm:,} alerts for as many services in one notification, all applied: {pair.ours}; "
        f"bare PATCHes over {CONNECTIONS} connections: {bare:.0f}/s"
    )
    figure = Figure("storm", rate, "alerts/s", raw, Target(100.0, at_most=False))
    results.add(figure, service=pair.ours, bare=pair.other)


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


def _memory(size: int, fresh: Memory, after: Memory, results: Results) -> None:
    raw = f"{fresh.worker:.0f} MiB when ready, {after.worker:.0f} MiB after storms"
    name = f"resident memory of the worker, {size:,} VirtualServices"
    results.add(Figure(name, max(fresh.worker, after.worker), "MiB", raw, Target(160.0)))
    results.add(
        Figure("resident memory of gunicorn's parent", after.parent, "MiB", "most of it shared with the worker")
    )
    results.add(Figure("both together", after.both, "MiB", "what they share counted once (Pss)"))


def _start(size: int, pair: Pair, results: Results) -> None:
    name = f"from process start to ready, {size:,} VirtualServices"
    raw = f"median of {len(pair.ours.seconds)}; bare lists of the same objects take {pair.other.p50:.1f} s"
    results.add(Figure(name, pair.ours.p50, "s", raw, Target(10.0)), service=pair.ours, bare=pair.other)


def _planning(times: Samples, results: Results) -> None:
    raw = f"decode, parse, match, look up, plan, render, prove: {times}"
    results.add(Figure("planning one alert, no network", times.p50 * 1000, "ms", raw), planning=times)
