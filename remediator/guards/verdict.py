"""What a guard says: yes, or no with a reason; in words either way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from remediator.outcome import Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """One guard's word on one alert and one routing object."""

    guard: str
    """The guard's name, as docs/guards.md has it: `cooldown`."""
    reason: Reason | None
    """Why not; None: this guard has nothing against it."""
    message: str
    """What it found, for a person."""
    off: bool = False
    """Whether it is switched off, and so has asked about nothing."""

    @property
    def allows(self) -> bool:
        """Whether this guard has nothing against it."""
        return self.reason is None


def yes(guard: str, message: str) -> Verdict:
    """Nothing against it."""
    return Verdict(guard, None, message)


def off(guard: str, message: str) -> Verdict:
    """Nothing against it, for nobody wants it asked."""
    return Verdict(guard, None, f"switched off: {message}", off=True)


def no(guard: str, reason: Reason, message: str) -> Verdict:
    """Not to be done."""
    return Verdict(guard, reason, message)


def against(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Those that say no, in their order. Empty: it may be done. One no is enough."""
    return tuple(verdict for verdict in verdicts if not verdict.allows)
