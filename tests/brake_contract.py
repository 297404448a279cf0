"""What every adapter of the brake port must do, as tests. An adapter's own test module subclasses `BrakeContract` and
has a fixture `world`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from remediator.guards.pause import Pause
from remediator.records.brake import Brake
from remediator.records.pauses import render
from tests.builders import Json
from tests.ledger_contract import at_once

NOON = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
KIM = Pause(by="kim", reason="the network is being moved", until=NOON + timedelta(hours=2))
LEE = Pause(by="lee", reason="INC-4711: ä 'quoted' → \"twice\"")


class BrakeWorld(Protocol):
    """A store without a Pause, and somebody who writes objects by hand."""

    @property
    def brake(self) -> Brake:
        """Of a cluster that is started and synced: its index is kept."""

    @property
    def bare(self) -> Brake:
        """Of another cluster on the same store, which nobody has started: what a command has."""

    def write(self, body: Json) -> None:
        """Create the object as it is."""

    def eventually(self, condition: Callable[[], object]) -> object:
        """Wait until `condition` gives something true, and return it. Fails when a deadline is over."""


def by_hand(name: str, **spec: Any) -> Json:
    """A Pause as somebody writes it with kubectl."""
    return render(replace(KIM, name=name)) | {"spec": spec}


def said(found: tuple[Pause, ...]) -> list[Pause]:
    """Pauses without the time at which they were made."""
    return [replace(pause, since=None) for pause in found]


class BrakeContract:
    """The tests. Fixture `world`: a `BrakeWorld`, new for each test."""

    def test_at_first_nothing_is_paused(self, world: BrakeWorld) -> None:
        assert () == world.brake.pauses() == world.brake.read() == world.bare.read() == world.bare.resume()

    def test_a_pause_is_read_as_it_was_given(self, world: BrakeWorld) -> None:
        world.brake.pause(KIM)

        (found,) = world.bare.read()
        assert [KIM] == said((found,))
        assert found.since is not None
        assert timedelta(0) == found.since.utcoffset()

    def test_a_replica_that_watches_sees_what_another_paused_and_resumed(self, world: BrakeWorld) -> None:
        world.bare.pause(KIM)
        world.eventually(lambda: [KIM] == said(world.brake.pauses()))

        world.bare.resume()
        world.eventually(lambda: () == world.brake.pauses())

    def test_one_without_an_end_has_none(self, world: BrakeWorld) -> None:
        world.bare.pause(LEE)

        world.eventually(lambda: [LEE] == said(world.brake.pauses()))
        assert [LEE] == said(world.bare.read())

    def test_a_moment_keeps_its_microseconds(self, world: BrakeWorld) -> None:
        exact = replace(KIM, until=NOON + timedelta(microseconds=1))

        world.brake.pause(exact)

        assert [exact] == said(world.bare.read())

    def test_the_last_word_counts(self, world: BrakeWorld) -> None:
        world.brake.pause(KIM)
        (first,) = world.brake.read()

        world.bare.pause(LEE)

        (found,) = world.brake.read()
        assert (replace(LEE, since=first.since), "fleet") == (found, found.name)
        world.eventually(lambda: (found,) == world.brake.pauses())

    def test_whoever_pauses_writes_the_one_of_the_fleet(self, world: BrakeWorld) -> None:
        world.brake.pause(replace(KIM, name="other", since=NOON, fault="none"))

        assert [KIM] == said(world.brake.read())

    def test_of_many_that_pause_at_once_one_stays(self, world: BrakeWorld) -> None:
        wishes = [replace(KIM, by=f"kim-{number}") for number in range(4)]

        results = at_once(*[lambda wish=wish: world.bare.pause(wish) for wish in wishes])

        assert [None] * 4 == results
        (found,) = said(world.brake.read())
        assert found in wishes

    def test_resume_tells_what_was_there(self, world: BrakeWorld) -> None:
        world.brake.pause(KIM)
        before = world.brake.read()

        assert before == world.bare.resume()

        assert () == world.brake.read() == world.bare.resume()

    def test_one_can_pause_again(self, world: BrakeWorld) -> None:
        for pause in (KIM, LEE):
            world.bare.pause(pause)
            world.eventually(lambda pause=pause: [pause] == said(world.brake.pauses()))
            world.bare.resume()
            world.eventually(lambda: () == world.brake.pauses())

    def test_any_pause_counts_whatever_it_is_called_and_resume_ends_them_all(self, world: BrakeWorld) -> None:
        world.brake.pause(KIM)
        world.write(by_hand("release-freeze", by="ann", reason="Friday"))
        ann = Pause(by="ann", reason="Friday", name="release-freeze")

        world.eventually(lambda: [KIM, ann] == said(world.brake.pauses()))
        assert [KIM, ann] == said(world.bare.resume())
        world.eventually(lambda: () == world.brake.pauses())
        assert () == world.bare.read()

    def test_a_second_of_another_name_is_not_replaced(self, world: BrakeWorld) -> None:
        world.write(by_hand("release-freeze", by="ann", reason="Friday"))

        world.brake.pause(KIM)

        assert ["fleet", "release-freeze"] == [pause.name for pause in world.bare.read()]

    def test_one_that_is_over_is_there_until_somebody_resumes(self, world: BrakeWorld) -> None:
        world.brake.pause(KIM)

        (found,) = world.brake.read()
        assert (True, False) == (found.holds(NOON + timedelta(hours=1)), found.holds(NOON + timedelta(hours=2)))
