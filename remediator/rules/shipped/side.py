"""Whose report a comparison rests on, and how often it is counted: the live side, and the inbound side with mirrors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.text import SERVICE, duration, matching

MIRRORED: Final = "mesh_inbound_version:mirrored"
"""The versions that receive requests which no client reports; the value means nothing."""

# Where no endpoint was picked (UH, NC, UO) Istio knows no version. Clients' proxies then say "latest", as of pods
# without one (istio/proxy, Reporter::ClientSidecar in istio_stats.cc); only the workload tells the two apart.
_NAMED: Final = 'destination_workload!="unknown",destination_canonical_revision!~"|unknown"'


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two comparisons. Times are in seconds."""

    name: str
    """`live` or `inbound`: in the names of the series."""
    accuses: str
    """What its alerts' names begin with."""
    remediation: str
    """What its alerts ask for."""
    reporter: str
    base: int
    """The window that is recorded; longer ones are summed from it."""
    every: int
    """The interval at which it is recorded."""
    scrape: int

    @property
    def mirrors(self) -> bool:
        """Whether the accused are versions that receive mirrored requests."""
        return self.name == "inbound"

    @property
    def inflation(self) -> float:
        """By how much one recorded count is too high: `increase` over k scrapes sees k - 1 steps, and extrapolates."""
        return self.base / (self.base - self.scrape)

    @property
    def enough(self) -> str:
        """The versions whose siblings serve, and served enough: nobody else is to be reverted."""
        return f"mesh_{self.name}_siblings:requests:enough"

    def series(self, level: str, what: str) -> str:
        """The name of a recorded count: `mesh_live_version:errors:increase1m`."""
        return f"mesh_{self.name}_{level}:{what}:increase{duration(self.base)}"

    def suspect(self, what: str, window: int) -> str:
        """The name of what is recorded of suspects alone: `mesh_live_suspect:errors:score2m`."""
        return f"mesh_{self.name}_suspect:{what}{duration(window)}"

    def dispersion(self, what: str = "errors") -> str:
        """The name of the siblings' dispersion: variance over mean of what they counted in the last hour."""
        return f"mesh_{self.name}_siblings:{what}:dispersion1h"

    def over(self, series: str, window: int) -> str:
        """The sum of a recorded count over a window.

        The recorded windows overlap: each request is in base/every of them. Inflation cancels out: k - 1 of k of these
        see the step in which the request was counted.
        """
        if window == self.base:
            return series
        return f"sum_over_time({series}[{duration(window)}]) * {self.every / self.base:g}"

    def beside(self, series: str) -> str:
        """The sum of `series` over each version's siblings; of a mirrored version those that are not mirrored."""
        if self.mirrors:
            return (
                f"0 * {MIRRORED} + on ({SERVICE}) group_left ()\n"
                f"  sum by ({SERVICE}) ({series} and on ({SERVICE}) {MIRRORED} unless {MIRRORED})"
            )
        return f"sum by ({SERVICE}) ({series})\n- on ({SERVICE}) group_right ()\n{series}"

    def selector(self, parameters: Parameters, *more: str) -> str:
        """The matchers of Istio's series that this side reports, of versions that have a name."""
        allowed = matching(parameters.namespaces)
        places = (f'destination_service_namespace=~"{allowed}"',) if allowed else ()
        return ",".join((f'reporter="{self.reporter}"', _NAMED, *places, *more))

    def at(self, base: int, every: int) -> Side:
        """The same side, counted over another window and at another interval."""
        return replace(self, base=base, every=every)


def live(parameters: Parameters) -> Side:
    """Clients' view: it excludes mirrored requests, and includes connections that failed."""
    base, scrape = parameters.windows.base, parameters.scrape_interval
    return Side("live", "Canary", "RevertToStable", parameters.live_reporter, base, scrape, scrape)


def inbound(parameters: Parameters) -> Side:
    """The versions' own view, the only one in which mirrored requests are seen.

    Counted over windows twice as long, and a quarter as often: nobody waits for a mirror's answer.
    """
    base, scrape = parameters.windows.short, parameters.scrape_interval
    return Side("inbound", "Mirror", "RemoveMirrors", parameters.mirror_reporter, base, 4 * scrape, scrape)
