"""The Kubernetes adapter when the API server, or the way to it, fails."""

from __future__ import annotations

import pytest

from remediator.cluster.pace import Pace
from remediator.errors import NotSynced, Unavailable
from tests.contract import REF, REVIEWS, canary, content, names, seen, withdrawal
from tests.processes import wait_until
from tests.real_world import Clock, RealWorld, Start
from tests.relay import Relay

pytestmark = pytest.mark.servers


def test_an_unreachable_server_makes_the_index_stale_and_then_not(start: Start, network: Relay) -> None:
    clock = Clock()
    world = start(port=network.port, clock=clock, pace=Pace(first_wait=0.01, longest_wait=0.05, clock=clock))
    before = seen(world, canary())
    network.cut()
    wait_until(lambda: "no answer" in _error(world), "loss noticed", timeout=10)
    clock.now += 14
    assert names(world) == {"reviews"}, "a short gap is no reason to doubt"
    clock.now += 2
    with pytest.raises(
        NotSynced,
        match=r"no watch of .* in all namespaces since 2027-01-15T08:00:00\+00:00: no answer",
    ):
        world.cluster.routing_to(REVIEWS)
    with pytest.raises(Unavailable):
        world.cluster.patch(REF, withdrawal(before))
    network.mend()
    world.eventually(lambda: names(world) == {"reviews"})


def _error(world: RealWorld) -> str:
    return " ".join(watch.state.error for watch in world.cluster._routing._watches)


def test_silence_makes_the_index_stale(start: Start, network: Relay) -> None:
    clock = Clock()
    world = start(port=network.port, clock=clock, stale_after=120.0, pace=Pace(stall=30, clock=clock))
    seen(world, canary())
    network.freeze()
    clock.now += 121
    with pytest.raises(NotSynced, match="nothing heard of"):
        world.cluster.routing_to(REVIEWS)


def test_the_next_look_up_after_a_patch_sees_it(start: Start, network: Relay) -> None:
    """Even if no event comes: the connections of the watches are lost."""
    world = start(port=network.port, pace=Pace(stall=60))
    before = seen(world, canary())
    network.freeze()
    with pytest.raises(Unavailable, match="timed out"):
        world.cluster.read(REF)
    answer = world.cluster.patch(REF, withdrawal(before))
    (indexed,) = world.cluster.routing_to(REVIEWS)
    assert before.routing.resource_version != answer.routing.resource_version
    assert answer.routing.resource_version == indexed.routing.resource_version


def test_what_was_deleted_while_away_vanishes_though_history_is_gone(
    start: Start, network: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world = start(port=network.port, pace=Pace(stall=60, first_wait=0.01))
    seen(world, canary())
    network.freeze()
    world.delete(REF)
    other = canary()
    other["metadata"]["name"] = "other"
    world.create(other)
    world.server.compact()
    world.server.restart()  # or its watch cache would still know
    assert names(world) == {"reviews"}
    network.cut()
    network.mend()
    world.eventually(lambda: names(world) == {"other"})
    assert "too old resource version" in caplog.text


def test_a_half_open_connection_is_found_out(start: Start, network: Relay) -> None:
    world = start(port=network.port, pace=Pace(stall=0.5, first_wait=0.01))
    seen(world, canary())
    network.freeze()
    world.delete(REF)
    world.eventually(lambda: names(world) == set())


def test_a_crashed_server_is_waited_for(start: Start) -> None:
    world = start()
    before = seen(world, canary())
    world.server.kill()
    try:
        with pytest.raises(Unavailable):
            world.cluster.patch(REF, withdrawal(before))
        with pytest.raises(Unavailable):
            world.cluster.read(REF)
    finally:
        world.server.start()
    world.edit(REF, lambda body: body["metadata"]["labels"].update(edited="yes"))
    world.eventually(lambda: world.cluster.routing_to(REVIEWS)[0].body["metadata"]["labels"].get("edited"))
    assert content(before.body)["spec"] == content(world.cluster.read(REF).body)["spec"]
