"""Runs tests: the steps of each one after the other, in a folder of its own, through the real pipeline."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from remediator.alerts import Status
from remediator.errors import InputError, RemediatorError
from remediator.outcome import Outcome
from remediator.policies.load import PolicyStore
from remediator.testing import compare
from remediator.testing.model import NOON, Answer, Delivery, GivenAlert, PolicyTest, Series, Step
from remediator.testing.promtool import Promtool
from remediator.testing.results import Difference, Ran
from remediator.testing.world import Came, World, moment_of


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs tests, each on its own."""

    executor: Executor
    """Where the targets of one notification are patched."""
    promtool: Promtool | None = None
    """None: no test has series."""
    _stores: dict[tuple[Path, ...], PolicyStore] = field(default_factory=dict, init=False)

    def load(self, tests: Iterable[PolicyTest]) -> None:
        """Load the policies that tests are about, each set once.

        Raises:
            PolicyError: they have faults.
        """
        for test in tests:
            if test.policies not in self._stores:
                self._stores[test.policies] = PolicyStore(test.policies)

    def untested(self, results: Sequence[Ran]) -> tuple[str, ...]:
        """The policies that took no alert of any test, and where they stand."""
        missing: list[str] = []
        for paths, store in self._stores.items():
            hit = {name for each in results if each.test.policies == paths for name in each.policies}
            policies = store.current().policies.policies
            missing += [f"{policy.name} ({policy.source})" for policy in policies if policy.name not in hit]
        return tuple(missing)

    def run(self, test: PolicyTest) -> Ran:
        """Run one test. Never raises: what is wrong with it is in the result."""
        begun = time.perf_counter()
        try:
            with tempfile.TemporaryDirectory(prefix="remediator-test-") as folder:
                self.load((test,))
                world = World(Path(folder), self._stores[test.policies], test.service, self.executor)
                course = _Course(test, world, self.promtool)
                differences = tuple(course.differences())
        except RemediatorError as error:
            return Ran(test, time.perf_counter() - begun, error=str(error))
        except OverflowError:
            return Ran(test, time.perf_counter() - begun, error="its times lead out of the calendar, years 1 to 9999")
        return Ran(test, time.perf_counter() - begun, differences, course.error, frozenset(course.policies))


@dataclass(slots=True)
class _Course:
    """One test as it takes its course. One use only."""

    test: PolicyTest
    world: World
    promtool: Promtool | None
    error: str = ""
    policies: set[str] = field(default_factory=set)
    _first: tuple[GivenAlert, ...] = ()
    _last: tuple[Came, ...] = ()

    def differences(self) -> Iterator[Difference]:
        """Take all steps. Raises RemediatorError: one cannot be taken."""
        self.world.furnish(self.test.given)
        first, series = self.test.steps[0], self.test.series
        at = self.test.at or (NOON if series else moment_of(_alerts(first), NOON))
        for number, step in enumerate(self.test.steps):
            at += step.after
            self.world.at = at
            found = list(self._differences(step, at))
            yield from (replace(each, about=_at_step(each.about, number)) for each in found)

    def _differences(self, step: Step, at: datetime) -> Iterator[Difference]:
        alerts = self._delivered(step, at)
        series = step.cause if isinstance(step.cause, Series) else None
        if series and series.firing is not None:
            yield from compare.firing(series.firing, alerts)
        cause = step.cause
        came = self.world.answer(self._last, cause) if isinstance(cause, Answer) else self.world.deliver(alerts)
        if isinstance(cause, Answer) and not came:
            yield Difference("", "plans that wait for an answer", "one or more", "none")
        self._last = came
        self.policies |= {each.row.policy for each in came if each.row.policy}
        self._note_failures(step, came)
        yield from compare.outcomes(step.expect, came, lenient=self.test.series is not None)

    def _delivered(self, step: Step, at: datetime) -> tuple[GivenAlert, ...]:
        cause = step.cause
        if isinstance(cause, Answer):
            return ()
        if isinstance(cause, Delivery):
            status = Status.RESOLVED if cause is Delivery.RESOLVED else Status.FIRING
            return tuple(replace(each, status=status) for each in self._first)
        alerts = self._firing(cause, at) if isinstance(cause, Series) else cause
        alerts = tuple(each if each.starts_at else replace(each, starts_at=at) for each in alerts)
        self._first = self._first or alerts
        return alerts

    def _firing(self, series: Series, at: datetime) -> tuple[GivenAlert, ...]:
        if self.promtool is None:
            raise InputError("a test with series needs promtool, and was given none")
        return self.promtool.firing(series, at)

    def _note_failures(self, step: Step, came: Sequence[Came]) -> None:
        """An outcome Failed that nobody expects is no answer: the test could not find out."""
        failed = [each.row for each in came if each.row.outcome is Outcome.FAILED]
        if failed and not any(each.outcome is Outcome.FAILED for each in step.expect):
            self.error = f"{failed[0].alertname} could not be finished ({failed[0].reason}): {failed[0].message}"


def _alerts(step: Step) -> tuple[GivenAlert, ...]:
    return step.cause if isinstance(step.cause, tuple) else ()


def _at_step(about: str, number: int) -> str:
    if not number:
        return about
    return f"then[{number - 1}]: {about}" if about else f"then[{number - 1}]"
