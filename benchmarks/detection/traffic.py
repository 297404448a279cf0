"""Simulated traffic: Poisson requests to two versions of a service, and the counters that a scrape finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SCRAPE_S: Final = 15.0
_LATEST_S: Final = 60.0
"""Of the random part of a spell's beginning: the longest interval of a group, so that each phase of each is met."""
Counts = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Load:
    """What a service gets."""

    rps: float
    """Requests per second, of both versions together."""
    weight: float
    """The canary's share."""

    def __str__(self) -> str:
        return f"{self.rps:g} rps, {self.weight:.0%}"


@dataclass(frozen=True, slots=True)
class Spell:
    """A time with another share of errors."""

    begin: float
    """Seconds after the first scrape; each run adds a random part of a minute."""
    seconds: float
    canary: float
    """Share of its requests that fail."""
    stable: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to a service."""

    name: str
    seconds: float
    errors: float
    """Share of the requests to either version that fail outside of the spell."""
    spell: Spell | None = None
    clump: int = 1
    """So many errors come together."""
    mirrored: bool = False
    """The canary gets copies of requests: only its own proxy tells of them."""


@dataclass(frozen=True, slots=True)
class Run:
    """One simulated service; times are seconds after the beginning."""

    service: str
    scenario: Scenario
    load: Load
    phase: float
    """When in a scrape interval its proxies are scraped (s)."""
    onset: float
    """When the spell begins; meaningless without one."""
    requests: Counts
    """By version (canary, stable) and scrape: counted since the one before."""
    errors: Counts

    def moments(self) -> Numbers:
        """When it is scraped (s)."""
        return np.arange(self.requests.shape[1]) * SCRAPE_S + self.phase


def simulate(service: str, scenario: Scenario, load: Load, seed: tuple[int, ...]) -> Run:
    """One run. The same seed gives the same run."""
    random = np.random.default_rng(seed)
    ticks = int(scenario.seconds / SCRAPE_S)
    phase, late = random.uniform(0, SCRAPE_S), random.uniform(0, _LATEST_S)
    onset = (scenario.spell.begin if scenario.spell else 0.0) + late
    shares = np.array([load.weight, 1 - load.weight])[:, None]
    requests = random.poisson(load.rps * SCRAPE_S * shares, (2, ticks))
    moments = np.arange(ticks) * SCRAPE_S + phase
    errors = _errors(random, requests, _ratios(scenario, onset, moments), scenario.clump)
    return Run(service, scenario, load, float(phase), float(onset), requests, errors)


def _ratios(scenario: Scenario, onset: float, moments: Numbers) -> Numbers:
    """The share of errors by version and scrape; a scrape interval in which it changes has both in proportion."""
    spell, usual = scenario.spell, np.full((2, moments.size), scenario.errors)
    if spell is None:
        return usual
    begun = np.clip((moments - onset) / SCRAPE_S, 0, 1)
    over = np.clip((moments - onset - spell.seconds) / SCRAPE_S, 0, 1)
    during = np.array([spell.canary, spell.stable])[:, None]
    found: Numbers = usual + (during - usual) * (begun - over)
    return found


def _errors(random: np.random.Generator, requests: Counts, ratios: Numbers, clump: int) -> Counts:
    if clump == 1:
        return random.binomial(requests, ratios)
    return np.minimum(requests, clump * random.poisson(requests * ratios / clump))
