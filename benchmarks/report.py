"""How a run is told: a table for people, JSON for programs."""

from __future__ import annotations

from typing import Any

from benchmarks.figures import Figure, Target
from benchmarks.run import Results

_HEAD = ("what", "measured", "target", "verdict")


def text(results: Results) -> str:
    """The figures as a Markdown table, and below it what they were computed from."""
    raw = "\n".join(f"- {figure.name}: {figure.raw}" for figure in results.figures)
    set_up = f"Set-up: {results.set_up:.0f} s to create services and records, counted nowhere."
    return f"{_table(results)}\n\nRaw figures:\n\n{raw}\n\n{set_up}"


def document(results: Results) -> dict[str, Any]:
    """Everything that was measured, in seconds where nothing else is said."""
    return {
        "figures": [_figure(figure) for figure in results.figures],
        "samples": {name: list(times.seconds) for name, times in results.samples.items()},
        "setUpSeconds": results.set_up,
    }


def _table(results: Results) -> str:
    rows = [_HEAD, *map(_row, results.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _row(figure: Figure) -> tuple[str, ...]:
    target = "" if figure.target is None else _limit(figure.target, figure.unit)
    return figure.name, _amount(figure.value, figure.unit), target, figure.verdict


def _limit(target: Target, unit: str) -> str:
    return f"{'≤' if target.at_most else '≥'} {target.limit:g} {unit}"


def _amount(value: float, unit: str) -> str:
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"


def _figure(figure: Figure) -> dict[str, Any]:
    target = figure.target and {"limit": figure.target.limit, "atMost": figure.target.at_most}
    return {
        "name": figure.name,
        "value": figure.value,
        "unit": figure.unit,
        "target": target,
        "verdict": figure.verdict,
        "raw": figure.raw,
    }
