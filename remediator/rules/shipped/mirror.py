"""The groups that judge versions which receive mirrored requests, and what these do to live traffic."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from remediator.rules.model import AlertingRule, RecordingRule, RuleGroup
from remediator.rules.shipped.alerts import ACCUSED, Alert
from remediator.rules.shipped.counts import comparison, counts, record
from remediator.rules.shipped.errors import failing, hard_down, ratio_above_stable, still_worse, without_traffic
from remediator.rules.shipped.evidence import dispersion, enough
from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.side import MIRRORED, inbound, live
from remediator.rules.shipped.text import SERVICE, duration

Rules = Iterator[RecordingRule | AlertingRule]

BEFORE = "15m"
"""How long a mirror is new, and what was before it: a harm that shows later has other causes too."""


def mirror_groups(parameters: Parameters) -> tuple[RuleGroup, ...]:
    """Alerts on a mirror that does worse than the versions that serve; none without a reporter that sees mirrors."""
    if not parameters.mirror_reporter:
        return ()
    return (
        RuleGroup("mesh-mirror", tuple(_minutes(parameters)), timedelta(seconds=inbound(parameters).every)),
        RuleGroup("mesh-mirror-hour", tuple(_hour(parameters)), timedelta(minutes=1)),
    )


def _minutes(parameters: Parameters) -> Rules:
    side, windows = inbound(parameters), parameters.windows
    yield from counts(side, parameters)
    yield _mirrored(parameters)
    yield from comparison(side)
    yield enough(side, parameters)
    yield from ratio_above_stable(side, side.base, parameters, wait=0)
    yield from hard_down(side, parameters)
    fails = f"{side.series('version', 'errors')} > 0"
    yield from ratio_above_stable(side, windows.long, parameters, wait=60, still=fails)
    yield from failing(side, parameters)


def _mirrored(parameters: Parameters) -> RecordingRule:
    """Versions of which clients report far less than they receive, now and a while ago.

    Four scrapes, a minute at least, must have passed since the first request and since any jump: the two sides are
    recorded by groups that do not see the same moment, and one of them is a sum that needs several to be whole.
    """
    side, clients = inbound(parameters), live(parameters)
    received = side.series("version", "requests")
    before = f"{received} offset {duration(max(60, 4 * side.scrape))}"
    reported = clients.over(clients.series("version", "requests"), parameters.windows.short)
    share = f"{parameters.live_share:g}"
    return record(
        MIRRORED,
        f"""
({received} > 0 and {before} > 0)
unless {reported} >= {share} * {received}
unless {reported} >= {share} * ({before})""",
    )


def _hour(parameters: Parameters) -> Rules:
    side, windows = inbound(parameters), parameters.windows
    yield from dispersion(side, parameters)
    still = f"{still_worse(side, parameters)}\nand {side.series('version', 'requests')} > 0"
    yield from ratio_above_stable(side, windows.hour, parameters, wait=60, still=still)
    yield from without_traffic(side, parameters)
    yield from _harm(parameters)


def _harm(parameters: Parameters) -> Rules:
    """Live traffic fails more since there is a mirror: correlation, and the cheapest thing to take away."""
    side, windows = live(parameters), parameters.windows
    errors, requests = side.series("version", "errors"), side.series("version", "requests")
    now_errors, now_requests = side.over(errors, windows.short), side.over(requests, windows.short)

    def before(series: str) -> str:
        return f"sum by ({SERVICE}) (sum_over_time({series}[{duration(windows.long)}] offset {BEFORE}))"

    yield from Alert(
        name="StableDegradedWhileMirroring",
        expression=f"""
(
  0 * {MIRRORED} + on ({SERVICE}) group_left ()
  (
    sum by ({SERVICE}) ({now_errors}) / (sum by ({SERVICE}) ({now_requests}) > 0)
    > {parameters.harm_effect:g} + {parameters.harm_factor:g} *
    {before(errors)} / ({before(requests)} > 0)
  )
  and on ({SERVICE}) sum by ({SERVICE}) ({now_errors}) >= {parameters.harm_errors}
)
unless {MIRRORED} offset {BEFORE}""",
        window=windows.short,
        severity="critical",
        remediation="RemoveMirrors",
        summary=f"live traffic got worse since {ACCUSED} receives mirrored requests",
        description="Error ratio of live traffic is {{ $value | humanizePercentage }}; the mirror began less than "
        f"{BEFORE} ago and is the cheapest thing to take away.",
        wait=60,
    ).rules(parameters)
