"""Rules over simulated time: Prometheus evaluates each expression over a stretch, and gets back what was recorded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.detection.alerting import Clock
from benchmarks.detection.order import Step
from benchmarks.detection.wire import STALE, Series, request
from benchmarks.prometheus import Prometheus
from remediator.rules.model import AlertingRule, RecordingRule

BEGIN: Final = 1_767_225_600
"""The Unix time (s) at which simulated time begins: 2026-01-01T00:00:00Z."""
FLAGS: Final = (
    "--web.enable-remote-write-receiver",
    # All simulated time stays in the head block, which takes samples that are half of this older than the newest.
    "--storage.tsdb.min-block-duration=90d",
    "--storage.tsdb.max-block-duration=90d",
    "--storage.tsdb.retention.time=10y",
    "--query.max-samples=500000000",
    "--query.timeout=10m",
)
"""What Prometheus needs to be told."""
_BATCH: Final = 400
"""Series in one request."""
_LABEL: Final = re.compile(r"\{\{\s*\$labels\.(\w+)\s*\}\}")

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that began to fire."""

    alert: str
    labels: Mapping[str, str]
    begin: float
    """Seconds after the beginning of simulated time."""


@dataclass(slots=True)
class _Seen:
    """What a rule left behind at its last evaluation."""

    present: set[Key] = field(default_factory=set)
    clocks: dict[Key, Clock] = field(default_factory=dict)


class Judge:
    """Takes samples, and tells which alerts they make fire.

    Args:
        prometheus: with an empty storage and FLAGS.
        steps: in an order in which each comes after those that it reads.
    """

    def __init__(self, prometheus: Prometheus, steps: Sequence[Step]) -> None:
        self._prometheus = prometheus
        self._steps = [(step, _Seen()) for step in steps]
        self.firings: list[Firing] = []

    def take(self, samples: Iterable[Series]) -> None:
        """Store samples of a stretch of time that has not been judged yet."""
        remaining = iter(samples)
        while batch := list(islice(remaining, _BATCH)):
            self._prometheus.write(request(batch))

    def judge(self, begin: float, end: float) -> None:
        """Evaluate every rule from `begin` up to, but without, `end` (s); stretches must follow one another."""
        for step, seen in self._steps:
            moments = _moments(step, begin, end)
            if not moments.size:
                continue
            found = self._prometheus.range(step.rule.expr, moments[0] + BEGIN, moments[-1] + BEGIN, step.interval)
            if isinstance(step.rule, RecordingRule):
                self.take(_recorded(step.rule, found, moments, seen))
            else:
                self.firings += _fired(step.rule, found, moments, seen)


def _moments(step: Step, begin: float, end: float) -> npt.NDArray[np.float64]:
    first = np.ceil((begin - step.offset) / step.interval)
    last = np.ceil((end - step.offset) / step.interval)
    return np.round(np.arange(first, last) * step.interval + step.offset, 3)


def _values(
    series: Mapping[str, Any], moments: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Where in `moments` it has a sample, and which."""
    pairs = series["values"]
    times = np.array([pair[0] for pair in pairs]) - BEGIN
    step = moments[1] - moments[0] if moments.size > 1 else 1.0
    places = np.rint((times - moments[0]) / step).astype(np.int64)
    return places, np.array([float(pair[1]) for pair in pairs])


def _recorded(
    rule: RecordingRule, found: Sequence[Mapping[str, Any]], moments: npt.NDArray[np.float64], seen: _Seen
) -> Iterator[Series]:
    """The samples, and a stale marker where there is none any more: as Prometheus' own rule manager writes them."""
    milliseconds = np.rint((moments + BEGIN) * 1000).astype(np.int64)
    present: set[Key] = set()
    for series in found:
        labels = _named(series["metric"], rule)
        key = tuple(sorted(labels.items()))
        places, values = _values(series, moments)
        bits = np.zeros(moments.size, np.uint64)
        there = np.zeros(moments.size, bool)
        there[places], bits[places] = True, values.view(np.uint64)
        before = np.concatenate([[key in seen.present], there[:-1]])
        ends = before & ~there
        bits[ends] = STALE
        if there[-1]:
            present.add(key)
        seen.present.discard(key)
        yield Series(labels, milliseconds[there | ends], bits[there | ends])
    for key in seen.present:
        yield Series(dict(key), milliseconds[:1], np.array([STALE]))
    seen.present = present


def _named(labels: Mapping[str, str], rule: RecordingRule) -> dict[str, str]:
    every = {**labels, **rule.labels, "__name__": rule.record}
    return {name: value for name, value in every.items() if value}


def _fired(
    rule: AlertingRule, found: Sequence[Mapping[str, Any]], moments: npt.NDArray[np.float64], seen: _Seen
) -> Iterator[Firing]:
    held = {_key(series["metric"]): _values(series, moments)[0] for series in found}
    for key in held.keys() | seen.clocks.keys():
        clock = seen.clocks.setdefault(key, Clock(rule.wait.total_seconds(), rule.keep_firing.total_seconds()))
        there = np.zeros(moments.size, bool)
        there[held.get(key, [])] = True
        for moment, holds in zip(moments.tolist(), there.tolist(), strict=True):
            before = clock.firing
            if clock.tell(moment, holds) and not before:
                yield Firing(rule.alert, _labels(rule, dict(key)), moment)
        if clock.idle:
            del seen.clocks[key]


def _key(labels: Mapping[str, str]) -> Key:
    return tuple(sorted((name, value) for name, value in labels.items() if name != "__name__"))


def _labels(rule: AlertingRule, labels: Mapping[str, str]) -> dict[str, str]:
    own = {name: _LABEL.sub(lambda found: labels.get(found[1], ""), value) for name, value in rule.labels.items()}
    return {**labels, **own}
