"""How tests of policies ended, as `test` shows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console

from remediator.cli.render import say, say_diff
from remediator.cli.test_run import Report
from remediator.testing.results import Difference, Ran, Status

_SIGNS = {Status.PASSED: ("✓", "green"), Status.FAILED: ("✗", "red"), Status.ERROR: ("✗", "bold red")}


def say_report(out: Console, report: Report) -> None:
    """Print a line for each test, below it what was different, and the sum."""
    for ran in report.results:
        _say_test(out, ran)
    for policy in report.untested:
        say(out, ("Note", "yellow"), f": no test is about policy {policy}.")
    say(out, (_summary(report), "bold"))


def _say_test(out: Console, ran: Ran) -> None:
    say(out, _SIGNS[ran.status], f" {ran.test.origin}")
    if ran.status is not Status.PASSED and ran.test.description:
        say(out, f"    {ran.test.description}")
    for line in ran.error.splitlines():
        say(out, "    ", ("error", "bold red"), f": {line}")
    _say_differences(out, ran.differences)
    for path in ran.rewritten:
        say(out, "    ", ("rewritten", "yellow"), f": {path}")


def _say_differences(out: Console, differences: Iterable[Difference]) -> None:
    about = ""
    for each in differences:
        if each.about != about:
            about = each.about
            say(out, "    ", (about, "bold"))
        indent = "      " if about else "    "
        if each.detail and each.detail[0].startswith("---"):
            say(out, f"{indent}{each.what}: not as expected")
            say_diff(out, [f"{line}" for line in each.detail])
            continue
        say(out, f"{indent}{each.what}: expected ", (each.expected, "green"), ", and it is ", (each.actual, "red"))
        for line in each.detail:
            say(out, f"{indent}  {line}")


def _summary(report: Report) -> str:
    files = len({ran.test.origin.file for ran in report.results})
    parts = [f"{report.count(status)} {word}" for status, word in _WORDS.items() if report.count(status)]
    return f"{_many(len(report.results), 'test')} in {_many(files, 'file')}: {', '.join(parts)}."


_WORDS = {Status.PASSED: "passed", Status.FAILED: "failed", Status.ERROR: "could not be run"}


def _many(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def test_json(report: Report) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "tests": [_test(ran) for ran in report.results],
        "untested": list(report.untested),
        "summary": {status.value: report.count(status) for status in Status},
    }


def _test(ran: Ran) -> dict[str, Any]:
    return {
        "file": str(ran.test.origin.file),
        "document": ran.test.origin.document,
        "name": ran.test.origin.name,
        "status": ran.status.value,
        "seconds": round(ran.seconds, 3),
        "policies": sorted(ran.policies),
        "error": ran.error or None,
        "differences": [
            {
                "about": each.about or None,
                "what": each.what,
                "expected": each.expected,
                "actual": each.actual,
                "detail": list(each.detail),
            }
            for each in ran.differences
        ],
        "rewritten": list(map(str, ran.rewritten)),
    }
