"""The groups that judge live traffic: every scrape, every second one, every minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from remediator.rules.model import AlertingRule, RecordingRule, RuleGroup
from remediator.rules.shipped.counts import comparison, counts
from remediator.rules.shipped.errors import failing, hard_down, ratio_above_stable, still_worse, without_traffic
from remediator.rules.shipped.evidence import dispersion, enough
from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.side import live
from remediator.rules.shipped.text import duration
from remediator.rules.shipped.unreachable import unreachable

Rules = Iterator[RecordingRule | AlertingRule]


def canary_groups(parameters: Parameters) -> tuple[RuleGroup, ...]:
    """Alerts on a version that does worse than its siblings, as its clients see it."""
    scrape = parameters.scrape_interval
    return (
        RuleGroup("mesh-canary-fast", tuple(_fast(parameters)), timedelta(seconds=scrape)),
        RuleGroup("mesh-canary-minutes", tuple(_minutes(parameters)), timedelta(seconds=2 * scrape)),
        RuleGroup("mesh-canary-hour", tuple(_hour(parameters)), timedelta(minutes=1)),
    )


def _fast(parameters: Parameters) -> Rules:
    side = live(parameters)
    yield from counts(side, parameters)
    yield from comparison(side)
    yield from ratio_above_stable(side, side.base, parameters, wait=0)
    yield from hard_down(side, parameters)


def _minutes(parameters: Parameters) -> Rules:
    side, windows = live(parameters), parameters.windows
    yield enough(side, parameters)
    yield from ratio_above_stable(side, windows.short, parameters, wait=side.scrape)
    fails = f"max_over_time({side.series('version', 'errors')}[{duration(side.base)}]) > 0"
    yield from ratio_above_stable(side, windows.long, parameters, wait=60, still=fails)
    yield from failing(side, parameters)
    yield from unreachable(side, parameters)


def _hour(parameters: Parameters) -> Rules:
    side, windows = live(parameters), parameters.windows
    yield from dispersion(side, parameters)
    served = f"max_over_time({side.series('version', 'requests')}[{duration(side.base)}]) > 0"
    still = f"{still_worse(side, parameters)}\nand {served}"
    yield from ratio_above_stable(side, windows.hour, parameters, wait=60, still=still)
    yield from without_traffic(side, parameters)
