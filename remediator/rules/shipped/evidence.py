"""Is a version worse than its siblings? The effect (by how much), and the score (how far beyond chance)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from remediator.rules.model import RecordingRule
from remediator.rules.shipped.counts import record
from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.side import MIRRORED, Side
from remediator.rules.shipped.text import SERVICE, duration, within


@dataclass(frozen=True, slots=True)
class Sample:
    """What was counted in one window, an expression each with one value a version."""

    what: str
    """What is bad: `errors` or `slow`."""
    requests: str
    bad: str
    excess: str
    """Bad ones beyond those to expect if all versions were equal."""
    weight: str
    sibling_requests: str
    sibling_bad: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a suspect has at least."""

    bad: float
    effect: float
    inflation: float = 1.0
    """By how much the counts are too high."""


def errors_sample(side: Side, window: int) -> Sample:
    """The errors of `window` seconds, from what is recorded moment by moment."""

    def over(level: str, what: str) -> str:
        return side.over(side.series(level, what), window)

    return Sample(
        what="errors",
        requests=over("compared", "requests"),
        bad=over("compared", "errors"),
        excess=over("compared", "excess_errors"),
        weight=over("compared", "weight"),
        sibling_requests=over("siblings", "requests"),
        sibling_bad=over("siblings", "errors"),
    )


def error_evidence(side: Side, window: int, effect: float, parameters: Parameters) -> Iterator[RecordingRule]:
    """The suspects of one window, their effect and their score."""
    inflation = side.inflation if window == side.base else 1.0
    limits = Limits(parameters.min_errors * inflation, effect, inflation)
    yield from evidence(side, window, errors_sample(side, window), limits, parameters)


def evidence(
    side: Side, window: int, sample: Sample, limits: Limits, parameters: Parameters
) -> Iterator[RecordingRule]:
    """What is recorded of suspects: everything that an accusation rests on, for Prometheus and for people."""

    def name(what: str) -> str:
        return side.suspect(f"{what}:increase", window)

    bad, excess = name(sample.what), name(f"excess_{sample.what}")
    # A score of 4.5 takes an excess of four; asked for first, it keeps the background out of all that follows.
    least = limits.bad - 0.01 * (limits.inflation > 1)
    yield record(bad, f"({sample.bad} >= {least:g})\nand {sample.excess} >= {parameters.min_errors - 1}")
    yield record(excess, f"{sample.excess} and {bad}")
    requests, siblings, sibling_bad = name("requests"), name("sibling_requests"), name(f"sibling_{sample.what}")
    if sample.what != "errors":  # they have another base
        requests, siblings = name(f"{sample.what}_requests"), name(f"{sample.what}_sibling_requests")
    yield record(requests, f"{sample.requests} and {bad}")
    yield record(siblings, f"{sample.sibling_requests} and {bad}")
    yield record(sibling_bad, f"{sample.sibling_bad} and {bad}")
    yield record(
        side.suspect(f"{sample.what}:effect", window),
        f"""
({excess} / ({sample.weight}) > {limits.effect:g})
> {parameters.effect_relative:g} * {sibling_bad} / {siblings}""",
    )
    yield record(
        side.suspect(f"{sample.what}:score", window),
        _score(requests, bad, siblings, sibling_bad, excess)
        + f"\n/\nsqrt({_allowance(side.dispersion(sample.what), bad, limits.inflation)})",
    )


def _score(n: str, e: str, siblings: str, sibling_bad: str, excess: str) -> str:
    """The signed root of the likelihood ratio (always positive: only an excess gets here).

    Of observed o and expected x, each of four cells gives o ln(o/x); 1e-9 makes 0 ln 0 a 0. Pooled z would be wildly
    optimistic where few errors are expected.
    """
    cells = (
        (e, f"({e} - {excess})"),
        (f"({n} - {e})", f"({n} - {e} + {excess})"),
        (sibling_bad, f"({sibling_bad} + {excess})"),
        (f"({siblings} - {sibling_bad})", f"({siblings} - {sibling_bad} - {excess})"),
    )
    terms = "\n  + ".join(f"{seen} * ln(clamp_min({seen} / {expected}, 1e-9))" for seen, expected in cells)
    return f"sqrt(2 * clamp_min(\n    {terms},\n  0))"


def _allowance(dispersion: str, suspects: str, inflation: float) -> str:
    """What the score is divided by, squared: errors that come in clumps, and counts that are too high."""
    clumps = f"({dispersion} or 0 * {suspects} + 1)"
    return f"{inflation:.4g} * {clumps}" if inflation > 1 else clumps


def enough(side: Side, parameters: Parameters) -> RecordingRule:
    """Which versions have siblings that carry traffic now, and have carried enough to take theirs."""
    requests = side.series("siblings", "requests")
    long = parameters.windows.long
    return record(side.enough, f"{requests}\nand {side.over(requests, long)} >= {parameters.min_sibling_requests}")


def dispersion(
    side: Side, parameters: Parameters, what: str = "errors", of: str = "requests", inflation: float = 0
) -> Iterator[RecordingRule]:
    """Variance over mean of the siblings' counts in an hour: 1 for independent errors, 5 for clumps of five.

    The variance is that of windows which follow each other (von Neumann's mean square successive difference): traffic
    that grows or swings over the hour is no unrest. Versions that serve nothing now do not count: their hour is
    another one's.
    """
    counted, alive = side.series("version", what), side.series("version", of)
    variance = f"mesh_{side.name}_version:{what}:variance{duration(side.base)}"
    before, long_before = duration(side.base), duration(2 * side.base)
    # A version's first window is not whole: what it grows by is no unrest either.
    yield record(variance, f"({counted} - {counted} offset {before}) ^ 2 / 2\nand {counted} offset {long_before}")
    if side.mirrors:
        alive = f"({alive} unless {MIRRORED})"

    def siblings(series: str) -> str:
        own = f"({_mean(series, parameters)} and {alive} > 0)"
        if side.mirrors:
            return f"0 * {MIRRORED} + on ({SERVICE}) group_left () sum by ({SERVICE}) {own}"
        return f"sum by ({SERVICE}) {own}\n- on ({SERVICE}) group_right ()\n{own}"

    yield record(
        side.dispersion(what),
        f"""
clamp(
  {1 / (inflation or side.inflation):.4g}
  *
  (
    {within(siblings(variance), 4)}
  )
  /
  ((
    {within(siblings(counted), 4)}
  ) > 1e-9),
  1, {parameters.max_dispersion:g})""",
    )


def _mean(series: str, parameters: Parameters) -> str:
    return f"avg_over_time({series}[{duration(parameters.windows.hour)}])"
