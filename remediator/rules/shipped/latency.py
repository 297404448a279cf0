"""The groups that judge latency: the share of slow answers, and a shift of the whole distribution."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from remediator.rules.model import AlertingRule, RecordingRule, RuleGroup
from remediator.rules.shipped.alerts import ACCUSED, Alert
from remediator.rules.shipped.counts import by_version, record
from remediator.rules.shipped.errors import proven
from remediator.rules.shipped.evidence import Limits, Sample, dispersion, evidence
from remediator.rules.shipped.mirror import BEFORE
from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.side import MIRRORED, Side, inbound, live
from remediator.rules.shipped.text import RAW, SERVICE, VERSION, duration, within

Rules = Iterator[RecordingRule | AlertingRule]

EVERY: Final = 120
"""Seconds between looks at slow answers: buckets are the most series that a mesh has."""
RARELY: Final = 300
"""Seconds between looks at what reads a series for each bucket."""
SELDOM: Final = 600
"""Seconds between looks at mirrors' latency, for which nobody waits, and which accuses nobody; and their window."""

_DURATION = "istio_request_duration_milliseconds"


def latency_groups(parameters: Parameters) -> tuple[RuleGroup, ...]:
    """Alerts on a version that answers slower than its siblings; of mirrors too, whose answers nobody awaits."""
    clients = live(parameters).at(parameters.windows.latency, EVERY)
    groups = [
        RuleGroup("mesh-latency", tuple(_slow(clients, parameters)), timedelta(seconds=EVERY)),
        RuleGroup("mesh-latency-shift", tuple(_shift(clients, parameters)), timedelta(seconds=RARELY)),
    ]
    if parameters.mirror_reporter:
        mirrors = inbound(parameters).at(max(SELDOM, parameters.windows.latency), SELDOM)
        rules = (*_slow(mirrors, parameters), *_shift(mirrors, parameters))
        groups.append(RuleGroup("mesh-mirror-latency", rules, timedelta(seconds=SELDOM)))
        groups[1] = RuleGroup(
            groups[1].name, (*groups[1].rules, *_harm(clients, parameters)), timedelta(seconds=RARELY)
        )
    return tuple(groups)


# -- from Istio's histograms, classic or native


def _timed(side: Side, parameters: Parameters) -> str:
    window, selector = duration(side.base), side.selector(parameters)
    if parameters.native_histograms:
        return f"histogram_count(sum by ({RAW}) (increase({_DURATION}{{{selector}}}[{window}])))"
    return f"sum by ({RAW}) (increase({_DURATION}_count{{{selector}}}[{window}]))"


def _below(side: Side, bound_ms: int, parameters: Parameters) -> str:
    """Requests that took no longer than a bound."""
    window = duration(side.base)
    if parameters.native_histograms:
        histogram = f"sum by ({RAW}) (increase({_DURATION}{{{side.selector(parameters)}}}[{window}]))"
        # Of no requests the fraction is NaN, and one idle version would make one of all sums over its siblings.
        return f"(histogram_count({histogram}) > 0) * histogram_fraction(0, {bound_ms}, {histogram})"
    # Prometheus 2 stores le="500", Prometheus 3 le="500.0".
    selector = side.selector(parameters, f'le=~"{bound_ms}(\\\\.0)?"')
    return f"sum by ({RAW}) (increase({_DURATION}_bucket{{{selector}}}[{window}]))"


def _below_each(side: Side, parameters: Parameters) -> str:
    """The same for all bounds, told apart by `le`."""
    bounds = parameters.shift_buckets_ms
    if parameters.native_histograms:
        return "\nor\n".join(
            f'label_replace({_below(side, bound, parameters)}, "le", "{bound}", "", "")' for bound in bounds
        )
    selector = side.selector(parameters, f'le=~"({"|".join(map(str, bounds))})(\\\\.0)?"')
    return f"sum by ({RAW}, le) (increase({_DURATION}_bucket{{{selector}}}[{duration(side.base)}]))"


def _asked_for(side: Side, counted: str) -> str:
    """What is recorded: of the versions' own reports only where there is a mirror, as seldom there is."""
    return f"(\n  {within(counted)}\n)\nand on ({SERVICE}) {MIRRORED}" if side.mirrors else counted


# -- the share of slow answers


def _slow(side: Side, parameters: Parameters) -> Rules:
    timed, slow = side.series("version", "timed"), side.series("version", "slow")
    others, others_slow = side.series("siblings", "timed"), side.series("siblings", "slow")
    yield record(timed, _asked_for(side, by_version(_timed(side, parameters))))
    below = by_version(_below(side, parameters.slow_ms, parameters)).strip()
    yield record(slow, f"clamp_min(\n  {timed}\n  -\n  {within(below)},\n  0)")
    yield record(others, f"(\n  {within(side.beside(timed))}\n) > 0")
    yield record(others_slow, f"(\n  {within(side.beside(slow))}\n)\nand {others}")
    # Counts of one window, compared at once: not inflated, for the window holds many scrapes.
    yield from dispersion(side, parameters, "slow", "timed", inflation=1)
    own = (f"({timed} and {MIRRORED})", f"({slow} and {MIRRORED})") if side.mirrors else (timed, slow)
    weight = f"{own[0]} / (1 + {own[0]} / {others})"
    sample = Sample(
        what="slow",
        requests=own[0],
        bad=own[1],
        excess=f"{own[1]} - {weight} * ({own[1]} + {others_slow}) / {others}",
        weight=weight,
        sibling_requests=others,
        sibling_bad=others_slow,
    )
    limits = Limits(parameters.min_errors, parameters.slow_effect)
    yield from evidence(side, side.base, sample, limits, parameters)
    yield from _slow_alert(side, parameters)


def _slow_alert(side: Side, parameters: Parameters) -> Iterator[AlertingRule]:
    window = duration(side.base)
    # Not in a version's first minutes: its siblings' window is whole, and a slow spell that both had weighs less in it.
    whole = f"{side.series('version', 'timed')} offset {window} > 0"
    yield from Alert(
        name=f"{side.accuses}SlowRatioAboveStable",
        expression=f"{proven(side, side.base, parameters, 'slow')}\nand {_serving(side, parameters)}\nand {whole}",
        window=side.base,
        severity="info" if side.mirrors else "warning",
        remediation="None" if side.mirrors else side.remediation,
        summary=f"{ACCUSED} answers more requests slower than {parameters.slow_ms} ms than the other versions",
        description=f"Share of requests over {parameters.slow_ms} ms is {{{{ $value | humanizePercentage }}}} above "
        f"that of the other versions over {window}.",
        wait=0 if side.mirrors else side.every,
        keep=side.every,
    ).rules(parameters)


def _serving(side: Side, parameters: Parameters) -> str:
    """The version and its siblings serve now: else a window of minutes would outlive the remediation."""
    counted = inbound(parameters) if side.mirrors else live(parameters)
    # Twice the interval: a group may look just before another has recorded, and would see nothing in one.
    span = duration(max(live(parameters).base, 2 * counted.every))
    return f"{side.enough}\nand max_over_time({counted.series('version', 'requests')}[{span}]) > 0"


# -- a shift of the distribution


def _total(side: Side) -> str:
    """What the counts below each bound are shares of, recorded by the same group.

    If it were of another moment, shares would be wrong by what the traffic grew or fell since. Live `timed` is such a
    one: slow answers are looked at more often.
    """
    return "timed" if side.mirrors else "answered"


def _shift(side: Side, parameters: Parameters) -> Rules:
    window = duration(side.base)
    below, timed = side.series("version", "below"), side.series("version", _total(side))
    others = side.series("siblings", _total(side))
    yield record(below, _asked_for(side, by_version(_below_each(side, parameters))))
    if not side.mirrors:
        yield record(timed, by_version(_timed(side, parameters)))
        yield record(others, f"(\n  {within(side.beside(timed))}\n) > 0")
    shift = f"mesh_{side.name}_version:latency_shift:ratio{window}"
    own = f"({timed} and {MIRRORED})" if side.mirrors else timed
    yield record(
        shift,
        f"""
max without (le) (
    (
      {within(_beside_each(side, below), 6)}
    ) / on ({VERSION}) group_left () {others}
  -
    {below} / on ({VERSION}) group_left () ({own} >= {parameters.shift_requests})
) > {parameters.shift_effect:g}""",
    )
    # Not in a version's first minutes: `increase` extrapolates newborn counts and buckets by different amounts.
    yield from Alert(
        name=f"{side.accuses}LatencyShift",
        expression=f"""
{shift}
and {shift} / sqrt(1 / {timed} + 1 / {others}) > {parameters.shift_score:g}
and {timed} offset {window}
and {_serving(side, parameters)}""",
        window=side.base,
        severity="info" if side.mirrors else "warning",
        remediation="None",
        summary=f"{ACCUSED} has a slower latency distribution than the other versions",
        description="{{ $value | humanizePercentage }} of requests moved past a histogram boundary that the other "
        f"versions stay under ({window}).",
        keep=(SELDOM if side.mirrors else RARELY) + 60,
    ).rules(parameters)


def _beside_each(side: Side, below: str) -> str:
    """What the siblings answered below each bound."""
    by = f"{SERVICE}, le"
    if side.mirrors:
        mirrored = f"{below} and on ({VERSION}) {MIRRORED}"
        serving = f"sum by ({by}) ({below} and on ({SERVICE}) {MIRRORED} unless on ({VERSION}) {MIRRORED})"
        return f"0 * ({mirrored})\n+ on ({by}) group_left ()\n{serving}"
    return f"sum by ({by}) ({below})\n- on ({by}) group_right ()\n{below}"


def _harm(side: Side, parameters: Parameters) -> Iterator[AlertingRule]:
    """Live traffic got slower since there is a mirror."""
    below, timed = side.series("version", "below"), side.series("version", _total(side))

    def distribution(then: str) -> str:
        return (
            f"sum by ({SERVICE}, le) ({below}{then}) / on ({SERVICE}) group_left () "
            f"(sum by ({SERVICE}) ({timed}{then}) >= {parameters.shift_requests})"
        )

    # As severe as its sibling about errors: in kube-prometheus-stack a critical alert inhibits warnings of its name in
    # the whole namespace, whichever service they are about.
    yield from Alert(
        name="StableDegradedWhileMirroring",
        expression=f"""
(
  0 * {MIRRORED} + on ({SERVICE}) group_left ()
  (
    max without (le) (
      {distribution(f" offset {BEFORE}")}
      -
      {distribution("")}
    ) > {parameters.harm_shift:g}
  )
)
unless {MIRRORED} offset {BEFORE}""",
        window=side.base,
        severity="critical",
        remediation="RemoveMirrors",
        summary=f"live traffic got slower since {ACCUSED} receives mirrored requests",
        description="{{ $value | humanizePercentage }} of live requests moved past a latency boundary since "
        f"{BEFORE} ago, when there was no mirror yet.",
        keep=RARELY + 60,
    ).rules(parameters)
