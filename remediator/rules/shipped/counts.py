"""Requests and errors: of each version, of its siblings, and of both in the moments in which both served."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.rules.model import RecordingRule
from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.side import Side
from remediator.rules.shipped.text import RAW, VERSION, block, duration, matching, within


def record(name: str, expression: str) -> RecordingRule:
    """A recording rule, its expression brought into form."""
    return RecordingRule(name, block(expression))


def by_version(aggregated: str) -> str:
    """What was aggregated by the canonical revision, by `destination_version`."""
    return f"""
sum without (destination_canonical_revision) (
  label_replace(
    {within(aggregated, 4)},
    "destination_version", "$1", "destination_canonical_revision", "(.+)"))"""


def counts(side: Side, parameters: Parameters) -> Iterator[RecordingRule]:
    """Requests and errors of each version; a version without errors has none, and not nothing.

    The two kinds of errors are disjoint: a gRPC answer that fails comes with HTTP 200, and only without is it counted.
    """
    window = duration(side.base)
    requests = f"increase(istio_requests_total{{{side.selector(parameters)}}}[{window}])"
    yield record(side.series("version", "requests"), by_version(f"sum by ({RAW}) ({requests})"))
    codes, grpc = matching(parameters.failing_codes), matching(parameters.failing_grpc)
    http = side.selector(parameters, f'response_code=~"{codes}"')
    rest = side.selector(parameters, f'response_code!~"{codes}"', f'grpc_response_status=~"{grpc}"')
    yield record(
        side.series("version", "errors"),
        f"""
sum by ({VERSION}) (
  label_replace(
    sum by ({RAW}) (
      increase(istio_requests_total{{{http}}}[{window}])
      or
      increase(istio_requests_total{{{rest}}}[{window}])
    ),
    "destination_version", "$1", "destination_canonical_revision", "(.+)")
  or
  0 * {side.series("version", "requests")}
)""",
    )


def comparison(side: Side) -> Iterator[RecordingRule]:
    """What windows are summed from: moments in which siblings served too (Mantel and Haenszel's way to add up tables).

    So no version is blamed for an outage that its siblings, which served nothing then, did not live through.
    """
    requests, errors = side.series("siblings", "requests"), side.series("siblings", "errors")
    yield record(requests, f"(\n  {within(side.beside(side.series('version', 'requests')))}\n) > 0")
    yield record(errors, f"(\n  {within(side.beside(side.series('version', 'errors')))}\n)\nand {requests}")
    own, failed = side.series("compared", "requests"), side.series("compared", "errors")
    yield record(own, f"{side.series('version', 'requests')} and {requests}")
    yield record(failed, f"{side.series('version', 'errors')} and {requests}")
    # n N / (n + N): what the moment weighs in the effect.
    weight = side.series("compared", "weight")
    yield record(weight, f"{own} / (1 + {own} / {requests})")
    # e - n (e + E) / (n + N): errors beyond those to expect if all versions were equal.
    yield record(side.series("compared", "excess_errors"), f"{failed} - {weight} * ({failed} + {errors}) / {requests}")
