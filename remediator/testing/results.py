"""How tests ended, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from remediator.testing.model import PolicyTest


class Status(StrEnum):
    """How one test ended."""

    PASSED = "passed"
    FAILED = "failed"
    """Something else came than was expected."""
    ERROR = "error"
    """It could not be run, so nobody knows."""


@dataclass(frozen=True, slots=True)
class Golden:
    """A file of an expected object that says something else than what came."""

    path: Path
    text: str
    """What it would have to say."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that came otherwise than expected."""

    about: str
    """Which outcome: `CanaryHardDown by canary-errors on VirtualService shop/reviews`; empty: none of them."""
    what: str
    """What of it: `reason`, `spec.http[0].route[0].weight`."""
    expected: str
    actual: str
    detail: tuple[str, ...] = ()
    """More about it, line by line: why it came so, or a unified diff."""
    golden: Golden | None = None

    def __str__(self) -> str:
        what = f"{self.about}: {self.what}" if self.about else self.what
        return f"{what}: expected {self.expected}, and it is {self.actual}"


@dataclass(frozen=True, slots=True)
class Ran:
    """One test that was run."""

    test: PolicyTest
    seconds: float
    differences: tuple[Difference, ...] = ()
    error: str = ""
    """Why it could not be run."""
    policies: frozenset[str] = frozenset()
    """Those that took an alert of it."""
    rewritten: tuple[Path, ...] = ()
    """Files of expected objects that say now what came."""

    @property
    def status(self) -> Status:
        """How it ended."""
        return Status.ERROR if self.error else Status.FAILED if self.differences else Status.PASSED

    def having(self, rewritten: Iterable[Path]) -> Ran:
        """The same, once these files say what came."""
        paths = tuple(rewritten)
        left = tuple(each for each in self.differences if each.golden is None or each.golden.path not in paths)
        return replace(self, differences=left, rewritten=paths)
