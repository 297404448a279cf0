"""Rule files for the benchmarks: PrometheusRule objects or plain files, read into values, unwrapped for Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from remediator.rules.model import AlertingRule, RecordingRule, RuleGroup

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_PARTS: Final = re.compile(r"(\d+)(ms|[smhdwy])")


def duration(text: str) -> timedelta:
    """A duration as Prometheus writes it; ValueError if it is none.

    >>> duration("1h30m").total_seconds()
    5400.0
    """
    parts = _PARTS.findall(text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        raise ValueError(f"{text!r} is no duration; write 15s, 1m or 1h30m")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))


def unwrapped(file: Path) -> dict[str, Any]:
    """The groups of every document in a file, as Prometheus reads them. ValueError if there are none."""
    try:
        documents = [each for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if isinstance(each, dict)]
    except yaml.YAMLError as fault:
        raise ValueError(f"{file} is no YAML: {fault}") from fault
    groups = [group for each in documents for group in each.get("spec", each).get("groups", ())]
    if not groups:
        raise ValueError(f"{file} has no rule groups; give a PrometheusRule or a file with `groups`")
    return {"groups": groups}


def groups_of(files: Iterator[Path] | list[Path]) -> tuple[RuleGroup, ...]:
    """The groups of all files, in their order."""
    return tuple(_group(each) for file in files for each in unwrapped(file)["groups"])


def _group(found: Mapping[str, Any]) -> RuleGroup:
    interval = duration(found["interval"]) if "interval" in found else None
    return RuleGroup(found["name"], tuple(map(_rule, found["rules"])), interval)


def _rule(found: Mapping[str, Any]) -> RecordingRule | AlertingRule:
    labels = found.get("labels", {})
    if "record" in found:
        return RecordingRule(found["record"], str(found["expr"]), labels)
    wait, keep = duration(found.get("for", "0s")), duration(found.get("keep_firing_for", "0s"))
    return AlertingRule(found["alert"], str(found["expr"]), wait, keep, labels)
