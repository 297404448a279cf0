"""Scenarios one by one: what must be found, what must be let alone, and what must be over when it is over."""

from __future__ import annotations

from tests.rule_scenarios.firing import Firing
from tests.rule_scenarios.scenario import NOTHING, Fires, Scenario, fires
from tests.rule_scenarios.traffic import (
    ERROR,
    GRPC_NOT_FOUND,
    GRPC_OK,
    LONG_TAIL,
    NO_CLUSTER,
    NO_HOST,
    OK,
    SHIFTED,
    Answer,
    Behaviour,
    Burst,
    Flow,
    Latency,
)

Answers = dict[Answer, float]
FINE: Answers = {OK: 0.999, ERROR: 0.001}
PERFECT: Answers = {OK: 1}
NOISY: Answers = {OK: 0.99, ERROR: 0.01}
DOWN: Answers = {ERROR: 1}
THREE_CLIENTS = ("web", "worker", "gateway")


def always(*minutes: float) -> dict[float, Fires]:
    """Nothing, ever."""
    return dict.fromkeys(minutes or (1, 5, 11, 12, 15, 20, 25), NOTHING)


def failing(share: float) -> Answers:
    return {OK: 1 - share, ERROR: share}


def live(version: str, rate: float, *later: Behaviour, answers: Answers | None = None) -> Flow:
    """Live traffic from three clients, from the beginning."""
    return Flow(version, (Behaviour(rate, answers=answers or FINE), *later), clients=THREE_CLIENTS)


def from_minute(since: float, rate: float, answers: Answers | None = None, latency: Latency | None = None) -> Behaviour:
    return Behaviour(rate, since, answers or FINE, latency or Latency())


def mirrored(version: str, *behaviours: Behaviour) -> Flow:
    """Copies of live requests."""
    return Flow(version, behaviours, mirrored=True)


LET_ALONE = (
    Scenario("both versions fail one request of a thousand", (live("v1", 90), live("v2", 10)), always()),
    Scenario(
        "both versions fail one request of a hundred",
        (live("v1", 90, answers=NOISY), live("v2", 10, answers=NOISY)),
        always(),
    ),
    Scenario(
        "errors come in clumps of five on both sides",
        (
            Flow("v1", (Behaviour(90, clump=5),), THREE_CLIENTS),
            Flow("v2", (Behaviour(10, clump=5),), THREE_CLIENTS),
        ),
        always(),
    ),
    Scenario("the versions are equal", (live("v1", 20), live("v2", 20)), always()),
    Scenario("a healthy canary begins", (live("v1", 90), Flow("v2", (from_minute(10, 10),))), always(10.25, 10.5, 11, 12, 15, 20, 25)),
    Scenario(
        "healthy pods restart every three minutes",
        (
            Flow("v1", (Behaviour(45),), THREE_CLIENTS, restarts=3),
            Flow("v2", (Behaviour(5),), THREE_CLIENTS, restarts=3),
        ),
        always(),
    ),
    Scenario(
        "one error on a service with four requests a minute",
        (
            Flow("v1", (Behaviour(0.05, answers=PERFECT),)),
            Flow("v2", (Behaviour(0.02, answers=PERFECT),), bursts=(Burst(10, 1),)),
        ),
        always(10.5, 11, 12, 15, 25),
    ),
    Scenario(
        "four errors come at once and never again",
        (live("v1", 9, answers=PERFECT), Flow("v2", (Behaviour(1, answers=PERFECT),), bursts=(Burst(10, 4),))),
        always(10.5, 11, 12, 15, 25),
    ),
    Scenario(
        "half of the gRPC calls find nothing",
        (
            live("v1", 9, answers={GRPC_OK: 1}),
            live("v2", 1, from_minute(10, 1, {GRPC_OK: 0.5, GRPC_NOT_FOUND: 0.5}), answers={GRPC_OK: 1}),
        ),
        always(),
    ),
    Scenario("a service that nobody calls any more", (live("v1", 9, from_minute(3, 0)), live("v2", 1, from_minute(3, 0))), always(4, 6, 9, 14, 25)),
    Scenario("Prometheus 3 writes boundaries with a point", (live("v1", 90), live("v2", 10)), always(), boundary="{}.0"),
    Scenario("a healthy version gets mirrored requests", (live("v1", 20), mirrored("v2", Behaviour(20))), always()),
    Scenario(
        "a healthy version gets live and mirrored requests",
        (live("v1", 18), live("v2", 2), mirrored("v2", Behaviour(18))),
        always(),
    ),
    Scenario("a healthy mirror begins", (live("v1", 20), mirrored("v2", from_minute(10, 20))), always()),
    Scenario("a lone version fails one request of twenty-five and mirrors nothing", (live("v1", 50, from_minute(12, 50, failing(0.04))),), always(13, 15, 18, 25)),
)

ACCUSED = (
    Scenario(
        "a canary of a perfect stable version fails three requests of ten",
        (live("v1", 90, answers=PERFECT), live("v2", 10, from_minute(10, 10, failing(0.3)), answers=PERFECT)),
        {10: NOTHING, 12: NOTHING, 15: NOTHING},
    ),
    Scenario(
        "a new canary fails from its first request",
        (live("v1", 90), Flow("v2", (from_minute(10, 10, DOWN),))),
        {10: NOTHING, 11: NOTHING, 12: NOTHING},
    ),
    Scenario(
        "a new canary fails one request of ten",
        (live("v1", 90), Flow("v2", (from_minute(10, 10, failing(0.1)),))),
        {10: NOTHING, 11: NOTHING, 12: NOTHING, 15: NOTHING},
    ),
    Scenario(
        "the stable version fails and the canary does not",
        (live("v1", 90, from_minute(10, 90, failing(0.3))), live("v2", 10)),
        {10: NOTHING, 12: NOTHING, 15: NOTHING},
    ),
    Scenario(
        "one version of three fails",
        (live("v1", 80), live("v2", 10, from_minute(10, 10, failing(0.3))), live("v3", 10)),
        {10: NOTHING, 12: NOTHING, 15: NOTHING},
    ),
    Scenario(
        "a canary with twelve requests a minute fails one of three",
        (live("v1", 0.6), live("v2", 0.2, from_minute(10, 0.2, failing(1 / 3)))),
        {11: NOTHING, 15: NOTHING, 25: NOTHING},
    ),
    Scenario(
        "a version with as much live as mirrored traffic fails",
        (live("v1", 10), live("v2", 10, from_minute(10, 10, failing(0.3))), mirrored("v2", Behaviour(10), from_minute(10, 10, failing(0.3)))),
        {10: NOTHING, 12: NOTHING, 15: NOTHING},
    ),
    Scenario(
        "a slow canary under Prometheus 3",
        (live("v1", 90), live("v2", 10, from_minute(10, 10, latency=LONG_TAIL))),
        {10: NOTHING, 15: NOTHING, 20: NOTHING},
        boundary="{}.0",
    ),
    Scenario(
        "a canary shifts under Prometheus 3",
        (live("v1", 90), live("v2", 10, from_minute(10, 10, latency=SHIFTED))),
        {10: NOTHING, 15: NOTHING, 20: NOTHING},
        boundary="{}.0",
    ),
)

PEOPLE_ONLY = (
    Scenario(
        "both versions fail three requests of ten",
        (live("v1", 90, from_minute(10, 90, failing(0.3))), live("v2", 10, from_minute(10, 10, failing(0.3)))),
        {10: NOTHING, 11: NOTHING, 13: NOTHING, 15: NOTHING, 25: NOTHING},
    ),
    Scenario(
        "a dependency of both versions is away for five minutes",
        (
            live("v1", 90, from_minute(10, 90, DOWN), from_minute(15, 90)),
            live("v2", 10, from_minute(10, 10, DOWN), from_minute(15, 10)),
        ),
        {10: NOTHING, 11: NOTHING, 13: NOTHING, 15: NOTHING, 20: NOTHING, 25: NOTHING},
    ),
    Scenario(
        "the only version fails three requests of ten",
        (live("v2", 10, from_minute(10, 10, failing(0.3))),),
        {10: NOTHING, 13: NOTHING, 15: NOTHING},
    ),
    Scenario(
        "no version has an endpoint",
        (live("v1", 90, from_minute(10, 90, {NO_HOST: 1})), live("v2", 10, from_minute(10, 10, {NO_HOST: 1}))),
        {10: NOTHING, 13: NOTHING, 15: NOTHING},
    ),
    Scenario(
        "a canary's subset is not known to the clients",
        (live("v1", 90), Flow("v2", (from_minute(10, 10, {NO_CLUSTER: 1}),))),
        {10: NOTHING, 13: NOTHING, 15: NOTHING},
    ),
    Scenario(
        "a canary is taken away",
        (live("v1", 90), Flow("v2", (Behaviour(10), from_minute(8, 0)), gone=8)),
        {12: NOTHING, 20: NOTHING, 30: NOTHING},
    ),
)

MIRRORS = (
    Scenario(
        "a version fails three of ten mirrored requests",
        (live("v1", 20), mirrored("v2", Behaviour(20), from_minute(10, 20, failing(0.3)))),
        {10: NOTHING, 12: NOTHING, 15: NOTHING, 20: NOTHING},
    ),
    Scenario(
        "a version fails every mirrored request",
        (live("v1", 20), mirrored("v2", Behaviour(20), from_minute(10, 20, DOWN))),
        {10: NOTHING, 12: NOTHING, 15: NOTHING, 20: NOTHING},
    ),
    Scenario(
        "live and mirrored requests fail alike",
        (live("v1", 20, from_minute(10, 20, failing(0.3))), mirrored("v2", Behaviour(20), from_minute(10, 20, failing(0.3)))),
        {10: NOTHING, 13: NOTHING, 15: NOTHING},
    ),
    Scenario(
        "live requests fail since requests are mirrored",
        (live("v1", 50, from_minute(20, 50, failing(0.04))), mirrored("v2", from_minute(18, 50))),
        {19: NOTHING, 23: NOTHING, 28: NOTHING},
    ),
    Scenario(
        "live requests are slow since requests are mirrored",
        (live("v1", 50, from_minute(20, 50, latency=Latency(median_ms=120))), mirrored("v2", from_minute(18, 50))),
        {19: NOTHING, 25: NOTHING, 30: NOTHING},
    ),
)

OVER = (
    Scenario(
        "a failing canary is taken out of traffic",
        (live("v1", 90), live("v2", 10, from_minute(10, 10, DOWN), from_minute(13, 0))),
        {13: NOTHING, 16.5: NOTHING, 20: NOTHING},
    ),
    Scenario(
        "a slow canary is taken out of traffic",
        (live("v1", 90), live("v2", 10, from_minute(10, 10, latency=Latency(median_ms=300)), from_minute(16, 0))),
        {16: NOTHING, 19.5: NOTHING, 25: NOTHING},
    ),
    Scenario(
        "a failing mirror is taken away",
        (live("v1", 20), mirrored("v2", Behaviour(20), from_minute(10, 20, DOWN), from_minute(15, 0))),
        {15: NOTHING, 18.5: NOTHING, 25: NOTHING},
    ),
    Scenario(
        "a canary without endpoints is taken out of traffic",
        (live("v1", 90), live("v2", 10, from_minute(10, 10, {NO_HOST: 1}), from_minute(13, 0))),
        {13: NOTHING, 16.5: NOTHING, 20: NOTHING},
    ),
)

STORIES = (*LET_ALONE, *ACCUSED, *PEOPLE_ONLY, *MIRRORS, *OVER)
