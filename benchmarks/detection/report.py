"""How detection is told: tables for people, JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from benchmarks.detection.campaign import CONTESTANTS, OURS
from benchmarks.detection.verdicts import Calm, Found, Verdict

T = TypeVar("T", Found, Calm)


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured."""

    found: list[Found]
    false: list[Calm]
    verdicts: list[Verdict]


def text(results: Results) -> str:
    """Markdown."""
    head = "| target | measured | verdict |\n|---|---|---|\n"
    targets = head + "\n".join(
        f"| {each.target} | {each.measured} | {'met' if each.met else 'MISSED'} |" for each in results.verdicts
    )
    parts = [
        ("Targets", targets),
        ("Time to detect: median after the fault (share found within 30 min)", _found(results.found)),
    ]
    parts.append(("False accusations: runs with one, of all", _false(results.false)))
    parts.append(("Which alert was first, and which were false", _by(results)))
    return "\n\n".join(f"## {title}\n\n{body}" for title, body in parts)


def document(results: Results) -> dict[str, Any]:
    """Every figure, times in seconds."""
    return asdict(results)


def _found(found: Sequence[Found]) -> str:
    return _table("errors", found, lambda each: each.fault, _time)


def _false(false: Sequence[Calm]) -> str:
    return _table("what", false, lambda each: each.scenario, lambda each: f"{each.accused} of {each.runs}")


def _table(what: str, cells: Sequence[T], row: Callable[[T], str], cell: Callable[[T], str]) -> str:
    rows: dict[str, dict[str, str]] = {}
    for each in cells:
        place = f"{row(each)} | {each.load.rps:g} | {each.load.weight:.0%}"
        rows.setdefault(place, {})[each.contestant] = cell(each)
    lines = [f"| {what} | rps | weight | " + " | ".join(CONTESTANTS) + " |", "|---" * (3 + len(CONTESTANTS)) + "|"]
    lines += [
        f"| {at} | " + " | ".join(told.get(name, "n/a") for name in CONTESTANTS) + " |" for at, told in rows.items()
    ]
    return "\n".join(lines)


def _time(found: Found) -> str:
    if found.gone == found.runs:
        return "all gone"
    gone = f", {found.gone / found.runs:.0%} gone" if found.gone else ""
    wrong = f", {found.wrong} WRONG" if found.wrong else ""
    share = f" ({found.share:.0%})" if found.share < 1 else ""
    return f"{_seconds(found.median)}{share}{gone}{wrong}"


def _seconds(seconds: float) -> str:
    if math.isinf(seconds):
        return "never"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _by(results: Results) -> str:
    lines = [f"- {each.fault}, {each.load}: {_counts(each.by)}" for each in results.found if each.contestant == OURS]
    lines += [
        f"- {each.scenario}, {each.load}: false: {_counts(each.by)}"
        for each in results.false
        if each.contestant == OURS and each.by
    ]
    return "\n".join(lines)


def _counts(by: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(by.items(), key=lambda pair: -pair[1])) or "none"
