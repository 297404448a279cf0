"""Tests of policies, found, run and written down; on a terminal, with a bar that moves."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from remediator.errors import InputError
from remediator.testing.find import find
from remediator.testing.golden import update as update_goldens
from remediator.testing.junit import junit
from remediator.testing.model import PolicyTest
from remediator.testing.promtool import find_promtool
from remediator.testing.results import Ran, Status
from remediator.testing.run import Runner

DIFFERENCES = 2
"""Exit code: something came otherwise than expected."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for."""

    policies: tuple[Path, ...] = ()
    junit: str | None = None
    update: bool = False
    promtool: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How all of it ended."""

    results: tuple[Ran, ...]
    untested: tuple[str, ...]
    """Policies that took no alert of any test."""
    refused: str = ""
    """Why nothing was rewritten that should have been; empty: it was, or nobody asked."""

    def count(self, status: Status) -> int:
        """How many ended so."""
        return sum(each.status is status for each in self.results)

    @property
    def exit_code(self) -> int:
        """1 where a test could not be run, 2 where one failed, else 0."""
        if self.count(Status.ERROR) or self.refused:
            return 1
        return DIFFERENCES if self.count(Status.FAILED) else 0


def run(paths: Sequence[Path], wish: Wish) -> Report:
    """Run the tests at `paths`.

    Raises:
        InputError: the tests, the policies or promtool cannot be used; nothing was run. Or what was asked for besides
            cannot be written.
    """
    tests = [test for suite in find(paths, wish.policies) for test in suite.tests]
    # What goes wrong is told by the tests; the service's log lines have nobody to read them here.
    logging.getLogger("remediator").addHandler(logging.NullHandler())
    promtool = find_promtool(wish.promtool) if wish.promtool or any(test.series for test in tests) else None
    with ThreadPoolExecutor(max_workers=4) as executor:
        runner = Runner(executor, promtool)
        runner.load(tests)
        results = tuple(_run(runner, tests))
    results, refused = _updated(results) if wish.update else (results, "")
    if wish.junit:
        _write(Path(wish.junit), junit(results))
    # Who names files wants those; what lies beside them is not asked about.
    whole = not any(path.is_file() for path in paths)
    return Report(results, runner.untested(results) if whole else (), refused)


def _updated(results: tuple[Ran, ...]) -> tuple[tuple[Ran, ...], str]:
    """The results once files are rewritten; or as they were, and why that was not done."""
    try:
        return update_goldens(results), ""
    except InputError as error:
        return results, str(error)


def _run(runner: Runner, tests: Sequence[PolicyTest]) -> Iterator[Ran]:
    with _progress(len(tests)) as step:
        for test in tests:
            step.say(test.origin.name)
            yield runner.run(test)
            step.advance()


@dataclass(frozen=True, slots=True)
class _Bar:
    progress: Progress

    def say(self, name: str) -> None:
        self.progress.update(self.progress.task_ids[0], description=name)

    def advance(self) -> None:
        self.progress.advance(self.progress.task_ids[0])


@contextmanager
def _progress(count: int) -> Iterator[_Bar]:
    # On standard error, so that the output can be piped; and gone once it is done.
    out = Console(stderr=True, markup=False)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
        progress.add_task("", total=count)
        yield _Bar(progress)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--junit {file}: cannot be written: {error.strerror}") from error
