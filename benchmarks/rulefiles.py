"""Rule files for the benchmarks: read as `check` reads them, unwrapped for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from remediator.rules.model import RuleFile, RuleGroup
from remediator.rules.reading import read_rules
from remediator.rules.writing import to_object


def groups_of(files: Iterable[Path]) -> tuple[RuleGroup, ...]:
    """The groups of all files, in their order. Raises ValueError, OSError."""
    return tuple(group for file in files for each in _read(file) for group in each.groups)


def unwrapped(file: Path) -> dict[str, Any]:
    """The groups of every document in a file, as Prometheus reads them. Raises ValueError, OSError."""
    groups: list[Any] = [group for each in _read(file) for group in to_object(each)["spec"]["groups"]]
    for rule in (rule for group in groups for rule in group["rules"]):
        rule["expr"] = str.__str__(rule["expr"])  # not a block, which only the writer of YAML knows
    return {"groups": groups}


def _read(file: Path) -> tuple[RuleFile, ...]:
    reading = read_rules(file.read_text(encoding="utf-8"), str(file))
    if reading.faults:
        raise ValueError("\n".join(map(str, reading.faults)))
    if not any(each.groups for each in reading.files):
        raise ValueError(f"{file}: no rule groups; give a PrometheusRule or a file with `groups`")
    return reading.files
