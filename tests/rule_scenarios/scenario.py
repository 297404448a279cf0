"""A scenario: a service, and which alerts fire about it at which minutes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.rule_scenarios.firing import Firing
from tests.rule_scenarios.notation import Counter
from tests.rule_scenarios.traffic import Flow, Service

Fires = frozenset[Firing]
NOTHING: Fires = frozenset()


def fires(*wanted: str, version: str = "v2") -> Fires:
    """Alerts, each as its name and its windows: `fires("CanaryHardDown 1m", "CanaryErrorRatioAboveStable 1m 2m")`."""
    named = [(alert, windows) for alert, *windows in map(str.split, wanted)]
    return frozenset(Firing(alert, window, version) for alert, windows in named for window in windows)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One service of the mesh, by itself."""

    title: str
    """A sentence; the service's name is made of it."""
    flows: tuple[Flow, ...]
    expected: Mapping[float, Fires]
    """By minute: every alert about the service that fires then."""
    boundary: str = "{}"
    """How histograms' boundaries are written."""
    namesake: tuple[Flow, ...] = ()
    """Requests to a service of the same name in another namespace, about which nothing fires."""
    fault: str = ""
    """What is wrong with the rules, if they do not do what is expected here."""

    @property
    def service(self) -> Service:
        """Named after the title, so that whatever promtool says names the scenario."""
        return Service(re.sub("[^a-z0-9]+", "-", self.title.lower()).strip("-"), self.flows, boundary=self.boundary)

    def counters(self, minutes: float) -> list[Counter]:
        """Of every proxy that takes part."""
        namesake = Service(self.service.name, self.namesake, "another", self.boundary)
        return self.service.counters(minutes) + namesake.counters(minutes)

    @property
    def minutes(self) -> float:
        """How long it has to run."""
        return max(self.expected)
