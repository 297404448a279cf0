"""Each fault of a canary, at each weight and each rate of requests, and what fires 1, 2, 5 and 12 minutes later.

Nothing can be found in a handful of requests: a canary with 1 % of one request a second gets seven in twelve minutes.
The services are as young as the test: what the rules know of their unrest is minutes old.
"""

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

ONSET = 6
"""The minute in which the canary, which was as good as the stable version, goes wrong."""
LOOKS = (ONSET + 1, ONSET + 2, ONSET + 5, ONSET + 12)
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
    """A line for each rate and weight: both, and what fires at each of `LOOKS`, in words of `ABBREVIATED`."""
    before: tuple[tuple[Answer, float], ...] = tuple(HEALTHY.items())
    """The stable version's, and the canary's until then."""
    latency: Latency = USUAL

    def scenario(self, rate: int, weight: int) -> Scenario:
        """With so many requests per second, of which the canary gets so many percent."""
        healthy = dict(self.before)
        canary = rate * weight / 100
        flows = (
            Flow(
                "v1",
                (Behaviour(rate - canary, answers=healthy),),
            ),
            Flow(
                "v2",
                (
                    Behaviour(canary, answers=healthy),
                    Behaviour(canary, ONSET, answers=self.answers, latency=self.latency),
                ),
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


# requests a second, percent to the canary; after 1, 2, 5 and 12 minutes
ALL_FAIL = """
  1   1  -           -                  -                  -
  1   5  -           -                  2m,10m,1h          2m,10m,1h
  1  10  1m          1m,2m              2m,10m,1h          2m,10m,1h
 10   1  1m          1m,2m              1m,2m,10m,1h       1m,2m,10m,1h
 10   5  down,1m,2m  down,1m,2m,10m,1h  down,1m,2m,10m,1h  down,1m,2m,10m,1h
 10  10  down,1m,2m  down,1m,2m,10m,1h  down,1m,2m,10m,1h  down,1m,2m,10m,1h
100   1  down,1m,2m  down,1m,2m,10m,1h  down,1m,2m,10m,1h  down,1m,2m,10m,1h
100   5  down,1m,2m  down,1m,2m,10m,1h  down,1m,2m,10m,1h  down,1m,2m,10m,1h
100  10  down,1m,2m  down,1m,2m,10m,1h  down,1m,2m,10m,1h  down,1m,2m,10m,1h
"""
QUARTER_FAILS = """
  1   1  -      -             -             -
  1   5  -      -             -             10m,1h
  1  10  -      -             2m,10m,1h     10m,1h
 10   1  -      -             -             10m,1h
 10   5  1m     1m,2m         1m,2m,10m,1h  1m,2m,10m,1h
 10  10  -      1m,2m         1m,2m,10m,1h  1m,2m,10m,1h
100   1  1m     1m,2m         1m,2m,10m,1h  1m,2m,10m,1h
100   5  1m     1m,2m,10m,1h  1m,2m,10m,1h  1m,2m,10m,1h
100  10  1m,2m  1m,2m,10m,1h  1m,2m,10m,1h  1m,2m,10m,1h
"""
GRPC_FAILS = """
  1   1  -      -             -             -
  1   5  -      -             -             10m,1h
  1  10  -      -             -             2m,10m,1h
 10   1  -      -             -             10m,1h
 10   5  1m     1m,2m         1m,2m,10m,1h  down,1m,2m,10m,1h
 10  10  1m     1m,2m         1m,2m,10m,1h  1m,2m,10m,1h
100   1  1m     1m,2m         1m,2m,10m,1h  1m,2m,10m,1h
100   5  1m,2m  1m,2m,10m,1h  1m,2m,10m,1h  1m,2m,10m,1h
100  10  1m,2m  1m,2m,10m,1h  1m,2m,10m,1h  1m,2m,10m,1h
"""
TAIL = """
  1   1  -  -  -     -
  1   5  -  -  -     -
  1  10  -  -  -     -
 10   1  -  -  -     -
 10   5  -  -  -     slow
 10  10  -  -  slow  slow
100   1  -  -  slow  slow
100   5  -  -  slow  slow
100  10  -  -  slow  slow
"""
SHIFT = """
  1   1  -  -  -      -
  1   5  -  -  -      -
  1  10  -  -  -      -
 10   1  -  -  -      -
 10   5  -  -  shift  -
 10  10  -  -  shift  shift
100   1  -  -  shift  shift
100   5  -  -  shift  shift
100  10  -  -  shift  shift
"""
UNREACHABLE = """
  1   1  -           -                  -                  -
  1   5  -           1m                 2m,10m,1h          2m,10m,1h
  1  10  -           1m,2m              2m,10m,1h          1m,2m,10m,1h
 10   1  -           1m,2m              1m,2m,10m,1h       1m,2m,10m,1h
 10   5  down,1m     down,1m,2m,10m,1h  down,1m,2m,10m,1h  down,1m,2m,10m,1h
 10  10  down,1m,2m  down,1m,2m,10m,1h  down,1m,2m,10m,1h  down,1m,2m,10m,1h
100   1  down,1m,2m  down,1m,2m,10m,1h  down,1m,2m,10m,1h  down,1m,2m,10m,1h
100   5  down,1m,2m  down,1m,2m,10m,1h  down,1m,2m,10m,1h  down,1m,2m,10m,1h
100  10  down,1m,2m  down,1m,2m,10m,1h  down,1m,2m,10m,1h  down,1m,2m,10m,1h
"""
NO_ENDPOINT = """
  1   1  -  -            -            -
  1   5  -  -            -            -
  1  10  -  unreachable  unreachable  somebody
 10   1  -  unreachable  unreachable  -
 10   5  -  unreachable  unreachable  somebody
 10  10  -  unreachable  unreachable  somebody
100   1  -  unreachable  unreachable  somebody
100   5  -  unreachable  unreachable  somebody
100  10  -  unreachable  unreachable  somebody
"""

FAULTS = (
    Fault("every request fails", {ERROR: 1}, ALL_FAIL),
    Fault("one request of four fails", {OK: 0.75, ERROR: 0.25}, QUARTER_FAILS),
    Fault(
        "three gRPC calls of ten are unavailable",
        {GRPC_OK: 0.7, GRPC_UNAVAILABLE: 0.3},
        GRPC_FAILS,
        tuple(HEALTHY_GRPC.items()),
    ),
    Fault("one request of twelve takes two seconds", HEALTHY, TAIL, latency=LONG_TAIL),
    Fault("every request takes half as long again", HEALTHY, SHIFT, latency=SHIFTED),
    Fault("no connection succeeds", {UNREACHED: 1}, UNREACHABLE),
    Fault("no endpoint is left", {NO_HOST: 1}, NO_ENDPOINT),
)
