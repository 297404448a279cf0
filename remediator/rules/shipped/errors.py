"""The alerts about errors that both sides have: a canary's, and a mirror's counterparts."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.rules.model import AlertingRule, RecordingRule
from remediator.rules.shipped.alerts import ACCUSED, Alert
from remediator.rules.shipped.counts import record
from remediator.rules.shipped.evidence import error_evidence
from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.side import MIRRORED, Side
from remediator.rules.shipped.text import SERVICE, duration

_BY = "Error ratio is {{ $value | humanizePercentage }} above that of the other versions over"


def proven(side: Side, window: int, parameters: Parameters, what: str = "errors") -> str:
    """The suspects of a window whose score is no chance; the value is the effect."""
    effect, score = side.suspect(f"{what}:effect", window), side.suspect(f"{what}:score", window)
    return f"{effect}\nand {score} > {parameters.score:g}"


def hard_down(side: Side, parameters: Parameters) -> Iterator[AlertingRule]:
    """Most requests fail: no waiting, for the effect leaves no doubt."""
    window = side.base
    effect, score = side.suspect("errors:effect", window), side.suspect("errors:score", window)
    yield from Alert(
        name=f"{side.accuses}HardDown",
        expression=f"""
{effect} > {parameters.hard_down_effect:g}
and {score} > {parameters.score:g}
and {side.suspect("requests:increase", window)} >= {parameters.hard_down_requests}
and {side.enough}""",
        window=window,
        severity="critical",
        remediation=side.remediation,
        summary=f"{ACCUSED} is failing most requests",
        description=f"{_BY} {duration(window)}.",
    ).rules(parameters)


def ratio_above_stable(
    side: Side, window: int, parameters: Parameters, wait: int, still: str = ""
) -> Iterator[RecordingRule | AlertingRule]:
    """The evidence of one window, and its alert.

    Args:
        wait: `for`, in seconds.
        still: what must hold besides, so that a long window does not outlive the remediation.
    """
    least = parameters.effect_short if window <= parameters.windows.short else parameters.effect_long
    yield from error_evidence(side, window, least, parameters)
    yield from Alert(
        name=f"{side.accuses}ErrorRatioAboveStable",
        expression=f"{proven(side, window, parameters)}\nand {side.enough}" + (f"\nand {still}" if still else ""),
        window=window,
        severity="critical",
        remediation=side.remediation,
        summary=f"{ACCUSED} fails more requests than the other versions",
        description=f"{_BY} {duration(window)}.",
        wait=wait,
    ).rules(parameters)


def still_worse(side: Side, parameters: Parameters) -> str:
    """The versions whose ratio is above that of their siblings in the last ten minutes too.

    Within an hour a version may have been mended under the same name, or its traffic given back by a person: what was
    before accuses it no more.
    """
    excess, weight = (side.series("compared", what) for what in ("excess_errors", "weight"))
    long = parameters.windows.long
    return f"{side.over(excess, long)} > {parameters.effect_long:g} * {side.over(weight, long)}"


def failing(side: Side, parameters: Parameters) -> Iterator[RecordingRule | AlertingRule]:
    """Versions that fail whatever the others do: nobody to compare with, or all fail alike. People decide."""
    window = parameters.windows.short
    ratio = f"mesh_{side.name}_version:failing:ratio{duration(window)}"
    errors = side.over(side.series("version", "errors"), window)
    requests = side.over(side.series("version", "requests"), window)
    mirrored = f"\nand {MIRRORED}" if side.mirrors else ""
    yield record(
        ratio, f"({errors} >= {parameters.min_errors})\n/ ({requests})\n> {parameters.failing_ratio:g}{mirrored}"
    )
    yield from Alert(
        name=f"{side.accuses}ErrorRatioHighNoBaseline",
        expression=f"{ratio}\nunless {side.enough}",
        window=window,
        severity="critical",
        remediation="None",
        summary=f"{ACCUSED} fails and no other version serves enough to compare with",
        description=f"Error ratio is {{{{ $value | humanizePercentage }}}} over {duration(window)}; "
        "whether another version would do better is unknown.",
        wait=60,
    ).rules(parameters)
    yield from _both_failing(side, ratio, parameters)


def _both_failing(side: Side, ratio: str, parameters: Parameters) -> Iterator[AlertingRule]:
    window = parameters.windows.short
    errors = side.over(side.series("siblings", "errors"), window)
    requests = side.over(side.series("siblings", "requests"), window)
    accused = "\n    or\n    ".join(
        proven(side, each, parameters).replace("\n", " ") for each in dict.fromkeys((side.base, window))
    )
    yield from Alert(
        name=f"{side.accuses}AndStableBothFailing",
        expression=f"""
(
  {ratio}
  and ({errors}) / ({requests}) > {parameters.failing_ratio:g}
  and {side.enough}
)
unless
  (
    {accused}
  )""",
        window=window,
        severity="warning",
        remediation="None",
        summary=f"{ACCUSED} and the other versions fail alike; moving traffic would not help",
        description=f"Error ratio of the version is {{{{ $value | humanizePercentage }}}} over {duration(window)}; "
        "look for a shared dependency.",
        wait=60,
        keep=0,
    ).rules(parameters)


def without_traffic(side: Side, parameters: Parameters) -> Iterator[AlertingRule]:
    """A version that served and does not any more: news for people, no fault of it."""
    hour, long = parameters.windows.hour, parameters.windows.long
    own, others = side.series("version", "requests"), side.series("siblings", "requests")
    # Clients keep their counters of a version that is gone: that it is there says nothing of when it served.
    served = f"{side.over(others, hour)} > {parameters.min_sibling_requests}\nand {side.over(own, hour)} > 0"
    if side.mirrors:
        served = f"max_over_time({MIRRORED}[{duration(hour)}])"
    # Where nobody calls the service at all, no version of it is missing.
    called = f"on ({SERVICE}) sum by ({SERVICE}) ({side.over(own, long)}) > {parameters.min_sibling_requests}"
    yield from Alert(
        name=f"{side.accuses}WithoutTraffic",
        expression=f"{served}\nand {called}\nunless max_over_time({own}[{duration(long)}]) > 0",
        window=long,
        severity="info",
        remediation="None",
        summary=f"{ACCUSED} {'received mirrored requests' if side.mirrors else 'served'} in the last hour "
        "and does not any more",
        description="It may have been taken away on purpose. An unreachable mirror shows in nothing else."
        if side.mirrors
        else "The other versions served {{ $value | humanize }} requests in that hour.",
        wait=600,
        keep=0,
    ).rules(parameters)
