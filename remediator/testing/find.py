"""Which files hold tests, and the policies that each is about. Reads the files, and collects all faults of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from remediator.errors import Fault, InputError, PolicyTestError
from remediator.testing.model import PolicyTest
from remediator.testing.parse import parse_tests

FOLDER = "tests"
"""A folder of this name holds the tests of the policies in the folder around it."""
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Suite:
    """One file of tests."""

    file: Path
    tests: tuple[PolicyTest, ...]


def find(paths: Iterable[Path], policies: tuple[Path, ...] = ()) -> tuple[Suite, ...]:
    """Read tests.

    Args:
        paths: files; folders called `tests`; and folders, of which every folder `tests` within is meant.
        policies: those that all tests are about; empty: those that each names, else those in the folder above `tests`.

    Raises:
        InputError: a path leads nowhere, or to no test. PolicyTestError: every fault of every file.
    """
    faults: list[Fault] = []
    suites = [_suite(file, policies, faults) for file in _distinct(file for path in paths for file in _files(path))]
    if faults:
        raise PolicyTestError(tuple(faults))
    return tuple(suites)


def _distinct(files: Iterable[Path]) -> list[Path]:
    """Each file once, as it is named first."""
    return list({file.resolve(): file for file in reversed(list(files))}.values())[::-1]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    found = sorted(file for folder in _folders(path) for file in folder.iterdir() if _holds_tests(file))
    if not found:
        raise InputError(
            f"{path}: no tests in it; they are the files *.yaml of a folder {FOLDER} beside the policies, "
            f"such as {path / FOLDER / 'canary.yaml'} (docs/policy-tests.md)"
        )
    return found


def _folders(path: Path) -> list[Path]:
    if path.resolve().name == FOLDER:
        return [path]
    within = (each for each in path.rglob(FOLDER) if each.is_dir())
    return [each for each in within if not any(part.startswith(".") for part in each.relative_to(path).parts)]


def _holds_tests(file: Path) -> bool:
    return file.suffix in _SUFFIXES and not file.name.startswith(".") and file.is_file()


def _suite(file: Path, policies: tuple[Path, ...], faults: list[Fault]) -> Suite:
    tests = []
    for item in _read(file):
        if isinstance(item, Fault):
            faults.append(item)
            continue
        about = policies or item.policies or _beside(file)
        missing = [path for path in (*about, *_named(item)) if not path.exists()]
        if not about:
            faults.append(
                _fault(item, "spec.policies", "this file is in no folder tests, so nobody knows which policies")
            )
        faults += [_fault(item, "spec", f"{path}: no such file or folder") for path in missing]
        tests.append(replace(item, policies=about))
    return Suite(file, tuple(tests))


def _read(file: Path) -> Iterator[PolicyTest | Fault]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        yield Fault(str(file), 1, "", f"cannot be read: {why}", "check that it is a text that may be read")
        return
    items = list(parse_tests(text, file))
    yield from items or [Fault(str(file), 1, "", "no test in it", "a test is a document of kind PolicyTest")]


def _beside(file: Path) -> tuple[Path, ...]:
    folder = file.resolve().parent
    return (file.parent.parent if file.parent.name == FOLDER else folder.parent,) if folder.name == FOLDER else ()


def _named(test: PolicyTest) -> Iterator[Path]:
    """The files and folders that must be there before it can be run."""
    yield from (each for each in test.given if isinstance(each, Path))
    yield from test.series.rule_files if test.series else ()


def _fault(test: PolicyTest, key: str, message: str) -> Fault:
    hint = "paths count from the file that names them" if key == "spec" else "name them, or give --policies"
    return Fault(str(test.origin.file), test.origin.document, key, message, hint)
