"""The times of a watch: how long it lasts, when silence is death, and how long to wait after a failure."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """The times of a watch, in seconds, and what tells the time and rolls the dice."""

    stall: float = 90.0
    """Silence after which a connection is taken for dead. The server sends a bookmark about every minute."""
    shortest: float = 240.0
    longest: float = 300.0
    """How long the server is asked to keep one watch open: at random between these, so that watches spread."""
    first_wait: float = 0.2
    longest_wait: float = 5.0
    """After a failure; doubled each time, and shortened by up to a half at random. Not longer: the index is not
    believed until a watch is open again, and users wait for us after an outage. A few replicas are no storm."""
    absent: float = 20.0
    """How long to wait before it is asked again whether a kind is there that need not be."""
    clock: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    """From 0 to 1."""

    def lifetime(self) -> int:
        """How long the next watch may last."""
        return int(self.shortest + (self.longest - self.shortest) * self.random())

    def wait(self, failures: int) -> float:
        """How long to wait after this many failures in a row, the first being 1."""
        # Capped before the power is taken, which in a long outage would be too large for a float.
        longest = min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 1, 30))
        return longest * (1 - self.random() / 2)
