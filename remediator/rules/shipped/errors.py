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


def failing(side: Side, parameters: Parameters) -> Iterator[RecordingRule | AlertingRule]:
    """Versions that fail whatever the others do: nobody to compare with, or all fail alike. People decide."""
    window = parameters.windows.short
    text = duration(window)

    def over(level: str, what: str) -> str:
        return side.over(side.series(level, what), window)

    ratio = f"mesh_{side.name}_version:failing:ratio{text}"
    mirrored = f"\nand {MIRRORED}" if side.mirrors else ""
    errors, requests = over("version", "errors"), over("version", "requests")
    yield record(
        ratio,
        f"({errors} >= {parameters.min_errors})\n/ ({requests})\n> {parameters.failing_ratio:g}{mirrored}",
    )
    yield from Alert(
        name=f"{side.accuses}ErrorRatioHighNoBaseline",
        expression=f"{ratio}\nunless {side.enough}",
        window=window,
        severity="critical",
        remediation="None",
        summary=f"{ACCUSED} fails and no other version serves enough to compare with",
        description=f"Error ratio is {{{{ $value | humanizePercentage }}}} over {text}; "
        "whether another version would do better is unknown.",
        wait=60,
    ).rules(parameters)
    accused = "\n    or\n    ".join(
        proven(side, each, parameters).replace("\n", " ") for each in dict.fromkeys((side.base, window))
    )
    yield from Alert(
        name=f"{side.accuses}AndStableBothFailing",
        expression=f"""
(
  {ratio}
  and ({over("siblings", "errors")}) / ({over("siblings", "requests")}) > {parameters.failing_ratio:g}
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
        description=f"Error ratio of the version is {{{{ $value | humanizePercentage }}}} over {text}; "
        "look for a shared dependency.",
        wait=60,
        keep=0,
    ).rules(parameters)


def unreachable(side: Side, parameters: Parameters) -> Iterator[RecordingRule | AlertingRule]:
    """Requests that found no endpoint (UH) or no cluster (NC) carry no version; the one that fell silent is meant.

    The host is all that Istio knows of such a request; service and namespace are read from it.
    """
    service, silenced = (
        f"mesh_{side.name}_service:unreachable:increase{duration(side.base)}",
        (f"mesh_{side.name}_version:silenced"),
    )
    requests = side.series("version", "requests")
    long = parameters.windows.long
    yield record(service, _unreachable_requests(side, parameters))
    yield record(
        silenced,
        f"""
(
  max_over_time({requests}[{duration(long)}]) >= {parameters.min_errors}
  unless {requests} > 0
)
and on ({SERVICE}) {service}""",
    )
    # A version that served a third of these requests before it fell silent, alone, while the others serve on.
    certain = f"""(
  0 * {silenced} + on ({SERVICE}) group_left () {service}
  > 0.3 * {silenced}
)
and on ({SERVICE}) count by ({SERVICE}) ({silenced}) == 1
and on ({SERVICE}) sum by ({SERVICE}) ({requests}) * {long // side.base} > {parameters.min_sibling_requests}"""
    yield from Alert(
        name=f"{side.accuses}Unreachable",
        expression=certain,
        window=side.base,
        severity="critical",
        remediation=side.remediation,
        summary=f"{ACCUSED} has no reachable endpoint",
        description=f"{{{{ $value | humanize }}}} requests in {duration(side.base)} found no healthy upstream since "
        "this version, and only this one, stopped answering.",
        wait=side.every,
    ).rules(parameters)
    indented = certain.replace("\n", "\n  ")
    yield from Alert(
        name=f"{side.accuses}Unreachable",
        expression=f"{service}\nunless on ({SERVICE}) (\n  {indented}\n)",
        window=side.base,
        severity="critical",
        remediation="None",
        summary="requests find no reachable endpoint; the telemetry does not say of which version",
        description=f"{{{{ $value | humanize }}}} requests in {duration(side.base)} found no healthy upstream (UH) or "
        "no cluster (NC).",
        wait=60,
        version="unknown",
    ).rules(parameters)


def _unreachable_requests(side: Side, parameters: Parameters) -> str:
    host = "([^.]+)[.]([^.]+)[.]svc([.].+)?"
    matchers = [
        f'reporter="{side.reporter}"',
        f'response_code=~"{parameters.failing_codes}"',
        'response_flags=~"(.+,)?(UH|NC)(,.+)?"',
    ]
    if parameters.namespaces:
        matchers.append(f'destination_service=~"[^.]+[.]({parameters.namespaces})[.].+"')
    return f"""
sum by ({SERVICE}) (
  label_replace(
    label_replace(
      sum by (destination_service) (
        increase(istio_requests_total{{{",".join(matchers)}}}[{duration(side.base)}])
      ),
      "destination_service_name", "$1", "destination_service", "{host}"),
    "destination_service_namespace", "$2", "destination_service", "{host}")
) >= {parameters.min_errors}"""


def without_traffic(side: Side, parameters: Parameters) -> Iterator[AlertingRule]:
    """A version that served and does not any more: news for people, no fault of it."""
    hour, long = parameters.windows.hour, parameters.windows.long
    own, others = side.series("version", "requests"), side.series("siblings", "requests")
    served = f"{side.over(others, hour)} > {parameters.min_sibling_requests}"
    if side.mirrors:
        served = f"max_over_time({MIRRORED}[{duration(hour)}])"
    yield from Alert(
        name=f"{side.accuses}WithoutTraffic",
        expression=f"{served}\nunless max_over_time({own}[{duration(long)}]) > 0",
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
