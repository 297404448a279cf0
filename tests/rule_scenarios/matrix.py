"""Each fault of a canary, at each weight and each rate of requests, and what fires one, two, five and fifteen minutes later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from tests.rule_scenarios.firing import Firing
from tests.rule_scenarios.scenario import Fires, Scenario
from tests.rule_scenarios.traffic import (
    ERROR,
    GRPC_OK,
    GRPC_UNAVAILABLE,
    LONG_TAIL,
    NO_HOST,
    OK,
    SHIFTED,
    UNREACHED,
    USUAL,
    Answer,
    Behaviour,
    Flow,
    Latency,
)

ONSET = 10
"""The minute in which the canary, which was as good as the stable version, goes wrong."""
LOOKS = (ONSET + 1, ONSET + 2, ONSET + 5, ONSET + 15)
RATES = (1, 10, 100)
"""Requests per second to the whole service."""
WEIGHTS = (1, 5, 10)
"""Percent of them that the canary gets."""

ABBREVIATED = {
    "down": Firing("CanaryHardDown", "1m"),
    "1m": Firing("CanaryErrorRatioAboveStable", "1m"),
    "2m": Firing("CanaryErrorRatioAboveStable", "2m"),
    "10m": Firing("CanaryErrorRatioAboveStable", "10m"),
    "1h": Firing("CanaryErrorRatioAboveStable", "1h"),
    "unreachable": Firing("CanaryUnreachable", "1m"),
    "somebody": Firing("CanaryUnreachable", "1m", version="unknown", remediation="None"),
    "idle": Firing("CanaryWithoutTraffic", "10m"),
    "slow": Firing("CanarySlowRatioAboveStable", "5m"),
    "shift": Firing("CanaryLatencyShift", "5m"),
}

HEALTHY = {OK: 0.999, ERROR: 0.001}
HEALTHY_GRPC = {GRPC_OK: 0.999, GRPC_UNAVAILABLE: 0.001}


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of the canary's answers."""

    title: str
    answers: dict[Answer, float]
    expected: str
    """A line for each rate and weight: both, and what fires at each of `LOOKS`; the words are those of `ABBREVIATED`."""
    before: tuple[tuple[Answer, float], ...] = tuple(HEALTHY.items())
    """The stable version's, and the canary's until then."""
    latency: Latency = USUAL

    def scenario(self, rate: int, weight: int) -> Scenario:
        """With so many requests per second, of which the canary gets so many percent."""
        healthy = dict(self.before)
        canary = rate * weight / 100
        flows = (
            Flow("v1", (Behaviour(rate - canary, answers=healthy),), clients=("web", "worker")),
            Flow(
                "v2",
                (
                    Behaviour(canary, answers=healthy),
                    Behaviour(canary, ONSET, answers=self.answers, latency=self.latency),
                ),
                clients=("web", "worker"),
            ),
        )
        looks = self.table()[rate, weight]
        return Scenario(f"{self.title} at {weight} % of {rate} a second", flows, dict(zip(LOOKS, looks, strict=True)))

    def table(self) -> dict[tuple[int, int], tuple[Fires, ...]]:
        """The expectations by rate and weight."""
        lines = (line.split() for line in self.expected.strip().splitlines())
        return {(int(rate), int(weight)): tuple(map(expanded, looks)) for rate, weight, *looks in lines}


def expanded(look: str) -> Fires:
    """What "down,1m" stands for; "-" is nothing."""
    return frozenset(ABBREVIATED[word] for word in look.split(",") if word != "-")


def matrix() -> Iterator[Scenario]:
    """Every fault at every rate and weight."""
    for fault, rate, weight in product(FAULTS, RATES, WEIGHTS):
        yield fault.scenario(rate, weight)


NONE_YET = "\n".join(f"{rate} {weight} - - - -" for rate, weight in product(RATES, WEIGHTS))
FAULTS = (
    Fault("every request fails", {ERROR: 1}, NONE_YET),
    Fault("one request of four fails", {OK: 0.75, ERROR: 0.25}, NONE_YET),
    Fault("three gRPC calls of ten are unavailable", {GRPC_OK: 0.7, GRPC_UNAVAILABLE: 0.3}, NONE_YET, tuple(HEALTHY_GRPC.items())),
    Fault("one request of twelve takes two seconds", HEALTHY, NONE_YET, latency=LONG_TAIL),
    Fault("every request takes half as long again", HEALTHY, NONE_YET, latency=SHIFTED),
    Fault("no connection succeeds", {UNREACHED: 1}, NONE_YET),
    Fault("no endpoint is left", {NO_HOST: 1}, NONE_YET),
)
