"""Scenarios one by one: what must be found, what must be let alone, and what must be over when it is over."""

from __future__ import annotations

from tests.rule_scenarios.firing import Firing
from tests.rule_scenarios.scenario import NOTHING, Fires, Scenario, fires
from tests.rule_scenarios.traffic import (
    ERROR,
    GRPC_NO_HOST,
    GRPC_NOT_FOUND,
    GRPC_OK,
    GRPC_UNAVAILABLE,
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
UNAVAILABLE: Answers = {GRPC_OK: 0.7, GRPC_UNAVAILABLE: 0.3}
TWO_CLIENTS = ("web", "worker")


ONSET = 6
"""The minute in which things change."""
ERRORS = "CanaryErrorRatioAboveStable 1m 2m 10m 1h"
MIRROR_ERRORS = "MirrorErrorRatioAboveStable 2m 10m 1h"
BOTH_FAILING = fires("CanaryAndStableBothFailing 2m", version="v1") | fires("CanaryAndStableBothFailing 2m")
SLOW = fires("CanarySlowRatioAboveStable 5m")
NO_BASELINE = fires("CanaryErrorRatioHighNoBaseline 2m")
MIRROR_DOWN = fires(MIRROR_ERRORS, "MirrorHardDown 2m")
MIRROR_BOTH = fires("MirrorAndStableBothFailing 2m") | fires("CanaryErrorRatioHighNoBaseline 2m", version="v1")
SPELL = Latency(tail=0.3)
SLOWED_BY_MIRROR = frozenset({Firing("StableDegradedWhileMirroring", "5m")})
SOMEBODY = frozenset({Firing("CanaryUnreachable", "1m", "unknown", remediation="None")})


def always(*minutes: float) -> dict[float, Fires]:
    """Nothing, ever."""
    return dict.fromkeys(minutes or (1, 3, 6.25, 7, 8, 11, 16), NOTHING)


def failing(share: float) -> Answers:
    return {OK: 1 - share, ERROR: share}


def live(version: str, rate: float, *later: Behaviour, answers: Answers | None = None) -> Flow:
    """Live traffic from two clients, from the beginning."""
    return Flow(version, (Behaviour(rate, answers=answers or FINE), *later), clients=TWO_CLIENTS)


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
        (Flow("v1", (Behaviour(90, clump=5),), TWO_CLIENTS), Flow("v2", (Behaviour(10, clump=5),), TWO_CLIENTS)),
        always(),
    ),
    Scenario("two versions share the traffic", (live("v1", 20), live("v2", 20)), always()),
    Scenario(
        "a healthy canary begins",
        (live("v1", 90), Flow("v2", (from_minute(ONSET, 10),))),
        always(6.25, 6.5, 7, 8, 11, 16),
    ),
    Scenario(
        "healthy pods restart every three minutes",
        (
            Flow("v1", (Behaviour(45),), TWO_CLIENTS, restarts=3),
            Flow("v2", (Behaviour(5),), TWO_CLIENTS, restarts=3),
        ),
        always(),
    ),
    Scenario(
        "one error on a service with four requests a minute",
        (
            Flow("v1", (Behaviour(0.05, answers=PERFECT),)),
            Flow("v2", (Behaviour(0.02, answers=PERFECT),), bursts=(Burst(ONSET, 1),)),
        ),
        always(6.5, 7, 8, 11, 16),
    ),
    Scenario(
        "four errors come at once and never again",
        (live("v1", 9, answers=PERFECT), Flow("v2", (Behaviour(1, answers=PERFECT),), bursts=(Burst(ONSET, 4),))),
        always(6.5, 7, 8, 11, 16),
    ),
    Scenario(
        "half of the gRPC calls find nothing",
        (
            live("v1", 9, answers={GRPC_OK: 1}),
            live("v2", 1, from_minute(ONSET, 1, {GRPC_OK: 0.5, GRPC_NOT_FOUND: 0.5}), answers={GRPC_OK: 1}),
        ),
        always(),
    ),
    Scenario(
        "nobody calls the service any more",
        (live("v1", 9, from_minute(3, 0)), live("v2", 1, from_minute(3, 0))),
        always(4, 6, 9, 14, 25),
    ),
    Scenario(
        "nobody calls the service with a mirror any more",
        (live("v1", 20, from_minute(4, 0)), mirrored("v2", Behaviour(20), from_minute(4, 0))),
        always(6, 9, 14, 28),
    ),
    Scenario(
        "Prometheus 3 writes boundaries with a point", (live("v1", 90), live("v2", 10)), always(), boundary="{}.0"
    ),
    Scenario("a healthy version gets mirrored requests", (live("v1", 20), mirrored("v2", Behaviour(20))), always()),
    Scenario(
        "a healthy version gets live and mirrored requests",
        (live("v1", 18), live("v2", 2), mirrored("v2", Behaviour(18))),
        always(),
    ),
    Scenario("a healthy mirror begins", (live("v1", 20), mirrored("v2", from_minute(ONSET, 20))), always()),
    Scenario(
        "a version that was retired long ago still has its counters",
        (live("v1", 9), live("v2", 1), Flow("v0", (Behaviour(0),), bursts=(Burst(0, 50, OK),))),
        always(6, 16, 26),
    ),
    Scenario(
        "a live version with few requests gets more while another is mirrored to",
        (live("v1", 0.4), live("v3", 0.12, from_minute(20, 0.4)), mirrored("v2", from_minute(18, 0.5))),
        always(19, 25, 28),
    ),
    Scenario(
        "both versions are slow while the canary begins",
        (
            live("v1", 90, from_minute(ONSET, 90, latency=SPELL), from_minute(7.5, 90)),
            Flow("v2", (from_minute(ONSET, 10, latency=SPELL), from_minute(7.5, 10))),
        ),
        always(8, 9, 10, 11, 13),
    ),
    Scenario(
        "live requests get worse without a mirror", (live("v1", 50, from_minute(ONSET, 50, failing(0.04))),), always()
    ),
)

ACCUSED = (
    Scenario(
        "the stable version never fails and the canary fails three requests of ten",
        (live("v1", 90, answers=PERFECT), live("v2", 10, from_minute(ONSET, 10, failing(0.3)), answers=PERFECT)),
        {6: NOTHING, 8: fires(ERRORS), 11: fires(ERRORS)},
    ),
    Scenario(
        "a new canary fails from its first request",
        (live("v1", 90), Flow("v2", (from_minute(ONSET, 10, DOWN),))),
        {6: NOTHING, 8: fires(ERRORS, "CanaryHardDown 1m"), 11: fires(ERRORS, "CanaryHardDown 1m")},
    ),
    Scenario(
        "a new canary fails one request of ten",
        (live("v1", 90), Flow("v2", (from_minute(ONSET, 10, failing(0.1)),))),
        {6: NOTHING, 8: fires(ERRORS), 11: fires(ERRORS)},
    ),
    Scenario(
        "the stable version fails and the canary does not",
        (live("v1", 90, from_minute(ONSET, 90, failing(0.3))), live("v2", 10)),
        {6: NOTHING, 8: fires(ERRORS, version="v1"), 11: fires(ERRORS, version="v1")},
    ),
    Scenario(
        "one version of three fails",
        (live("v1", 80), live("v2", 10, from_minute(ONSET, 10, failing(0.3))), live("v3", 10)),
        {6: NOTHING, 8: fires(ERRORS), 11: fires(ERRORS)},
    ),
    Scenario(
        "a service has the same name in another namespace and is fine",
        (live("v1", 90), live("v2", 10, from_minute(ONSET, 10, failing(0.3)))),
        {6: NOTHING, 8: fires(ERRORS), 11: fires(ERRORS)},
        namesake=(live("v1", 9), live("v2", 1)),
    ),
    Scenario(
        "a canary with twelve requests a minute fails one of three",
        (live("v1", 0.6), live("v2", 0.2, from_minute(ONSET, 0.2, failing(1 / 3)))),
        {6: NOTHING, 7: NOTHING, 18: fires("CanaryErrorRatioAboveStable 2m 10m 1h")},
    ),
    Scenario(
        "a version with as much live as mirrored traffic fails",
        (
            live("v1", 10),
            live("v2", 10, from_minute(ONSET, 10, failing(0.3))),
            mirrored("v2", Behaviour(10), from_minute(ONSET, 10, failing(0.3))),
        ),
        {6: NOTHING, 8: fires(ERRORS), 11: fires(ERRORS)},
    ),
    Scenario(
        "no endpoint is left for a canary's gRPC calls",
        (
            live("v1", 90, answers={GRPC_OK: 1}),
            live("v2", 10, from_minute(ONSET, 10, {GRPC_NO_HOST: 1}), answers={GRPC_OK: 1}),
        ),
        {6: NOTHING, 9: fires("CanaryUnreachable 1m"), 11: fires("CanaryUnreachable 1m")},
    ),
    Scenario(
        "a canary gets slow under Prometheus 3",
        (live("v1", 90), live("v2", 10, from_minute(ONSET, 10, latency=LONG_TAIL))),
        {6: NOTHING, 11: SLOW, 16: SLOW},
        boundary="{}.0",
    ),
    Scenario(
        "a canary's latencies shift under Prometheus 3",
        (live("v1", 90), live("v2", 10, from_minute(ONSET, 10, latency=SHIFTED))),
        {6: NOTHING, 11: fires("CanaryLatencyShift 5m"), 16: fires("CanaryLatencyShift 5m")},
        boundary="{}.0",
    ),
    Scenario(
        "a canary with a request a second gets slow in a service of forty minutes",
        (live("v1", 99), live("v2", 1, from_minute(40, 1, latency=LONG_TAIL))),
        {40: NOTHING, 46: SLOW},
    ),
)

PEOPLE_ONLY = (
    Scenario(
        "both versions fail three requests of ten",
        (live("v1", 90, from_minute(ONSET, 90, failing(0.3))), live("v2", 10, from_minute(ONSET, 10, failing(0.3)))),
        {6: NOTHING, 7: NOTHING, 9: BOTH_FAILING, 11: BOTH_FAILING, 16: BOTH_FAILING},
    ),
    Scenario(
        "a dependency of both versions is away for five minutes",
        (
            live("v1", 90, from_minute(ONSET, 90, DOWN), from_minute(11, 90)),
            live("v2", 10, from_minute(ONSET, 10, DOWN), from_minute(11, 10)),
        ),
        {6: NOTHING, 7: NOTHING, 9: BOTH_FAILING, 11: BOTH_FAILING, 15: NOTHING, 18: NOTHING},
    ),
    Scenario(
        "the only version fails three requests of ten",
        (live("v2", 10, from_minute(ONSET, 10, failing(0.3))),),
        {6: NOTHING, 9: NO_BASELINE, 11: NO_BASELINE},
    ),
    Scenario(
        "no version has an endpoint",
        (live("v1", 90, from_minute(ONSET, 90, {NO_HOST: 1})), live("v2", 10, from_minute(ONSET, 10, {NO_HOST: 1}))),
        {6: NOTHING, 9: SOMEBODY, 11: SOMEBODY},
    ),
    Scenario(
        "the stable version's pods have no version and half of the canary's requests find no endpoint",
        (live("latest", 50), live("v2", 50, from_minute(ONSET, 50, {OK: 0.5, NO_HOST: 0.5}))),
        {6: NOTHING, 7: NOTHING, 9: SOMEBODY, 11: SOMEBODY},
    ),
    Scenario(
        "the clients do not know the new canary's subset",
        (live("v1", 90), Flow("v2", (from_minute(ONSET, 10, {NO_CLUSTER: 1}),))),
        {6: NOTHING, 9: SOMEBODY, 11: SOMEBODY},
    ),
    Scenario(
        "a canary is taken away with its pods",
        (live("v1", 90), Flow("v2", (Behaviour(10), from_minute(4, 0)), gone=4)),
        {6: NOTHING, 16: NOTHING, 26: fires("CanaryWithoutTraffic 10m")},
    ),
)

MIRRORS = (
    Scenario(
        "a version fails three of ten mirrored requests",
        (live("v1", 20), mirrored("v2", Behaviour(20), from_minute(ONSET, 20, failing(0.3)))),
        {6: NOTHING, 8: fires(MIRROR_ERRORS), 11: fires(MIRROR_ERRORS), 16: fires(MIRROR_ERRORS)},
    ),
    Scenario(
        "a version fails every mirrored request",
        (live("v1", 20), mirrored("v2", Behaviour(20), from_minute(ONSET, 20, DOWN))),
        {6: NOTHING, 8: MIRROR_DOWN, 11: MIRROR_DOWN, 16: MIRROR_DOWN},
    ),
    Scenario(
        "a version fails three of ten mirrored gRPC calls",
        (
            live("v1", 20, answers={GRPC_OK: 1}),
            mirrored("v2", Behaviour(20, answers={GRPC_OK: 1}), from_minute(ONSET, 20, UNAVAILABLE)),
        ),
        {6: NOTHING, 11: fires(MIRROR_ERRORS)},
    ),
    Scenario(
        "a version answers its few live requests and fails many mirrored ones",
        (
            live("v1", 18),
            live("v2", 2),
            mirrored("v2", Behaviour(18), from_minute(ONSET, 18, failing(0.3))),
        ),
        {6: NOTHING, 8: fires("MirrorErrorRatioAboveStable 2m"), 11: fires(MIRROR_ERRORS)},
    ),
    Scenario(
        "the clients are outside of the mesh, so that all requests look mirrored",
        (mirrored("v1", Behaviour(20)), mirrored("v2", Behaviour(20), from_minute(ONSET, 20, failing(0.3)))),
        {6: NOTHING, 9: fires("MirrorErrorRatioHighNoBaseline 2m"), 11: fires("MirrorErrorRatioHighNoBaseline 2m")},
    ),
    Scenario(
        "live and mirrored requests fail alike",
        (
            live("v1", 20, from_minute(ONSET, 20, failing(0.3))),
            mirrored("v2", Behaviour(20), from_minute(ONSET, 20, failing(0.3))),
        ),
        {6: NOTHING, 9: MIRROR_BOTH, 11: MIRROR_BOTH},
    ),
    Scenario(
        "mirrored requests take two seconds",
        (
            live("v1", 20),
            mirrored("v2", Behaviour(20), from_minute(ONSET, 20, latency=Latency(tail=0.3))),
        ),
        {6: NOTHING, 12: fires("MirrorSlowRatioAboveStable 10m", "MirrorLatencyShift 10m")},
    ),
    Scenario(
        "mirrored requests find nobody",
        (live("v1", 20), mirrored("v2", Behaviour(20), from_minute(4, 0))),
        {6: NOTHING, 16: NOTHING, 28: fires("MirrorWithoutTraffic 10m")},
    ),
    Scenario(
        "live requests fail since requests are mirrored",
        (live("v1", 50, from_minute(20, 50, failing(0.04))), mirrored("v2", from_minute(18, 50))),
        {19: NOTHING, 23: fires("StableDegradedWhileMirroring 2m"), 28: fires("StableDegradedWhileMirroring 2m")},
    ),
    Scenario(
        "live requests are slow since requests are mirrored",
        (live("v1", 50, from_minute(20, 50, latency=Latency(median_ms=120))), mirrored("v2", from_minute(18, 50))),
        {19: NOTHING, 25: SLOWED_BY_MIRROR, 28: SLOWED_BY_MIRROR},
    ),
)

OVER = (
    Scenario(
        "a failing canary is taken out of traffic",
        (live("v1", 90), live("v2", 10, from_minute(ONSET, 10, DOWN), from_minute(9, 0))),
        {9: fires(ERRORS, "CanaryHardDown 1m"), 13.5: NOTHING, 18: NOTHING},
    ),
    Scenario(
        "a canary comes back mended under the same name",
        (
            live("v1", 90),
            live("v2", 10, from_minute(ONSET, 10, failing(0.3)), from_minute(9, 0), from_minute(21, 10)),
        ),
        {9: fires(ERRORS), 14: NOTHING, 25: NOTHING, 28: NOTHING},
    ),
    Scenario(
        "a slow canary is taken out of traffic",
        (live("v1", 90), live("v2", 10, from_minute(ONSET, 10, latency=Latency(median_ms=300)), from_minute(11, 0))),
        {11: SLOW | fires("CanaryLatencyShift 5m"), 20.5: NOTHING},
    ),
    Scenario(
        "a failing mirror is taken away",
        (live("v1", 20), mirrored("v2", Behaviour(20), from_minute(ONSET, 20, DOWN), from_minute(11, 0))),
        {11: MIRROR_DOWN, 15.5: NOTHING, 18: NOTHING},
    ),
    Scenario(
        "a canary without endpoints is taken out of traffic",
        (live("v1", 90), live("v2", 10, from_minute(ONSET, 10, {NO_HOST: 1}), from_minute(9, 0))),
        {9: fires("CanaryUnreachable 1m"), 13.5: NOTHING, 18: NOTHING},
    ),
)

STORIES = (*LET_ALONE, *ACCUSED, *PEOPLE_ONLY, *MIRRORS, *OVER)
