"""The threads of the pipeline: they look again and again, and end when they are told to."""

from __future__ import annotations

import threading

from remediator.pipeline.rounds import Rounds
from tests.processes import wait_until


def test_it_waits_before_each_round_as_long_as_it_is_told() -> None:
    looks: list[int] = []
    waits = iter((5.0, 1.0, 1.0))
    asked: list[float] = []

    def pause(_: threading.Event, seconds: float) -> bool:
        asked.append(seconds)
        return len(looks) == 2

    rounds = Rounds("test", lambda: looks.append(1), lambda: next(waits), pause)
    rounds.start()
    wait_until(lambda: not rounds.running, "it has ended")
    assert ([5.0, 1.0, 1.0], 2) == (asked, len(looks))


def test_it_ends_in_the_middle_of_a_wait() -> None:
    rounds = Rounds("test", lambda: None, lambda: 3600.0)
    rounds.start()
    rounds.stop()
    assert (False, True) == (rounds.running, rounds.stopping)


def test_what_was_never_begun_can_be_stopped() -> None:
    looks: list[int] = []
    rounds = Rounds("test", lambda: looks.append(1), lambda: 0.0)
    rounds.stop()
    assert ([], False) == (looks, rounds.running)


def test_a_round_that_takes_long_hears_of_the_end() -> None:
    begun = threading.Event()

    def look() -> None:
        begun.set()
        wait_until(lambda: rounds.stopping, "the end is asked for")

    rounds = Rounds("test", look, lambda: 0.0)
    rounds.start()
    assert begun.wait(5)
    rounds.stop()
    wait_until(lambda: not rounds.running, "it has ended")
