"""Many simulated services at once, each a run of a scenario, judged by one Prometheus in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.detection.flagger import NAME as FLAGGER
from benchmarks.detection.flagger import Flagger
from benchmarks.detection.judging import BEGIN, FLAGS, Firing, Judge
from benchmarks.detection.order import Step
from benchmarks.detection.traffic import Counts, Load, Run, Scenario, simulate
from benchmarks.detection.wire import Series
from benchmarks.prometheus import running_prometheus

OURS: Final = "these rules"
CONTESTANTS: Final = (OURS, "naive rules", "naive 2x repaired", FLAGGER)
REMEDIATED: Final = ("RevertToStable", "RemoveMirrors")
"""The values of `remediation` that take traffic away from somebody."""
_STRETCH_S: Final = 3600.0
"""How much simulated time is judged at once."""
_REPORTS: Final = ((0, "v2", "source"), (1, "v1", "source"))
_REPORTS_OF_MIRRORS: Final = ((0, "v2", "destination"), (1, "v1", "destination"), (1, "v1", "source"))
"""Whose counts, its name, and who tells of them."""
_CONFIG: Final = {"global": {"scrape_interval": "15s", "evaluation_interval": "15s"}}


@dataclass(frozen=True, slots=True)
class Accusation:
    """An alert on which traffic would be taken away."""

    contestant: str
    alert: str
    """Its name and window."""
    version: str
    begin: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A run, and who was accused in it, by time."""

    scenario: Scenario
    load: Load
    onset: float
    accusations: tuple[Accusation, ...]


def runs(scenarios: Iterable[Scenario], loads: Iterable[Load], repeats: int, seed: int) -> list[Run]:
    """Every scenario at every load, `repeats` times."""
    found = []
    for number, (scenario, load, _) in enumerate(product(scenarios, loads, range(repeats))):
        found.append(simulate(f"run-{number:05}", scenario, load, (seed, number)))
    return found


def judged(found: Sequence[Run], steps: Sequence[Step], advanced: Callable[[float], None]) -> list[Judged]:
    """What the steps and Flagger say of the runs.

    Args:
        found: the runs.
        steps: of the shipped and of the naive rules.
        advanced: told of each stretch, as a share of the whole.
    """
    end = max(run.scenario.seconds for run in found)
    with running_prometheus(_CONFIG, FLAGS) as prometheus:
        judge, flagger = Judge(prometheus, steps), Flagger(prometheus, _analysed(found))
        for begin in np.arange(0.0, end, _STRETCH_S).tolist():
            until = min(end, begin + _STRETCH_S)
            judge.take(scraped(found, begin, until))
            judge.judge(begin, until)
            flagger.judge(begin, until)
            advanced((until - begin) / end)
    return list(_by_run(found, [*judge.firings, *flagger.firings]))


def _analysed(found: Iterable[Run]) -> list[str]:
    """Flagger's query would not see a canary that only gets copies."""
    return [run.service for run in found if not run.scenario.mirrored]


def scraped(found: Iterable[Run], begin: float, end: float) -> Iterator[Series]:
    """The counters as they are scraped: of what succeeded, and of what failed, born with the first failure."""
    for run in found:
        moments = run.moments()
        due = (moments >= begin) & (moments < end)
        milliseconds = np.rint((moments + BEGIN) * 1000).astype(np.int64)
        for number, version, reporter in _REPORTS_OF_MIRRORS if run.scenario.mirrored else _REPORTS:
            failed = np.cumsum(run.errors[number])
            succeeded = np.cumsum(run.requests[number]) - failed
            yield Series(_labels(run, version, reporter, "200"), milliseconds[due], _bits(succeeded[due]))
            born = due & (failed > 0)
            if born.any():
                yield Series(_labels(run, version, reporter, "503"), milliseconds[born], _bits(failed[born]))


def _bits(counts: Counts) -> npt.NDArray[np.uint64]:
    return counts.astype(np.float64).view(np.uint64)


def _labels(run: Run, version: str, reporter: str, code: str) -> dict[str, str]:
    return {
        "__name__": "istio_requests_total",
        "reporter": reporter,
        "source_workload": "client",
        "destination_service_name": run.service,
        "destination_service_namespace": "simulated",
        "destination_workload": f"{run.service}-{version}",
        "destination_workload_namespace": "simulated",
        "destination_version": version,
        "destination_canonical_revision": version,
        "response_code": code,
    }


def _by_run(found: Iterable[Run], firings: Iterable[Firing]) -> Iterator[Judged]:
    by_service: dict[str, list[Accusation]] = {}
    for firing in firings:
        contestant = firing.labels.get("contestant") or (OURS if firing.labels.get("remediation") in REMEDIATED else "")
        if contestant:
            name = " ".join(filter(None, (firing.alert, firing.labels.get("window"))))
            accusation = Accusation(contestant, name, firing.labels.get("destination_version", ""), firing.begin)
            by_service.setdefault(firing.labels["destination_service_name"], []).append(accusation)
    for run in found:
        accusations = sorted(by_service.get(run.service, ()), key=lambda each: each.begin)
        yield Judged(run.scenario, run.load, run.onset, tuple(accusations))
