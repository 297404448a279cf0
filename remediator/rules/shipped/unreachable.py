"""The alerts on requests that reached no endpoint at all, of which Istio knows neither version nor namespace."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.rules.model import AlertingRule, RecordingRule
from remediator.rules.shipped.alerts import ACCUSED, Alert
from remediator.rules.shipped.counts import record
from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.side import Side
from remediator.rules.shipped.text import SERVICE, duration, matching, within

_NAME = "CanaryUnreachable"


def unreachable(side: Side, parameters: Parameters) -> Iterator[RecordingRule | AlertingRule]:
    """Requests without an endpoint (UH) or a cluster (NC) carry no version; the one that fell silent is meant."""
    base, long = duration(side.base), parameters.windows.long
    requests = side.series("version", "requests")
    service, silenced = f"mesh_live_service:unreachable:increase{base}", "mesh_live_version:silenced"
    yield record(service, _without_endpoint(side, parameters))
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
    yield from _certain(side, certain, parameters)
    yield from _uncertain(side, f"{service}\nunless on ({SERVICE}) (\n  {within(certain)}\n)", parameters)


def _certain(side: Side, expression: str, parameters: Parameters) -> Iterator[AlertingRule]:
    yield from Alert(
        name=_NAME,
        expression=expression,
        window=side.base,
        severity="critical",
        remediation=side.remediation,
        summary=f"{ACCUSED} has no reachable endpoint",
        description=f"{{{{ $value | humanize }}}} requests in {duration(side.base)} found no healthy upstream since "
        "this version, and only this one, stopped answering.",
        wait=side.every,
    ).rules(parameters)


def _uncertain(side: Side, expression: str, parameters: Parameters) -> Iterator[AlertingRule]:
    yield from Alert(
        name=_NAME,
        expression=expression,
        window=side.base,
        severity="critical",
        remediation="None",
        summary="requests find no reachable endpoint; the telemetry does not say of which version",
        description=f"{{{{ $value | humanize }}}} requests in {duration(side.base)} found no healthy upstream (UH) or "
        "no cluster (NC).",
        wait=60,
        version="unknown",
    ).rules(parameters)


def _without_endpoint(side: Side, parameters: Parameters) -> str:
    """By service. The host is all that Istio knows of such a request; name and namespace are read from it."""
    host = "([^.]+)[.]([^.]+)[.]svc([.].+)?"
    # Hosts outside of the cluster have no versions, and an alert about them would have neither name nor namespace.
    allowed = matching(parameters.namespaces)
    ours = host.replace("[.]([^.]+)[.]", f"[.]({allowed})[.]") if allowed else host
    # The flag alone says that it failed: a gRPC call without an endpoint ends with HTTP 200.
    matchers = [
        f'reporter="{side.reporter}"',
        'response_flags=~"(.+,)?(UH|NC)(,.+)?"',
        f'destination_service=~"{ours}"',
    ]
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
