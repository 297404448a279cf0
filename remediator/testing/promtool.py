"""From series and rules to the alerts that fire, by the real promtool."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from remediator.errors import InputError
from remediator.policies.quantities import format_duration
from remediator.rules.reading import read_rules
from remediator.rules.writing import to_object
from remediator.testing.model import GivenAlert, Series
from remediator.testing.samples import Sample, parse_samples, printed

PROGRAM: Final = "promtool"
_MOST_S: Final = 120.0
"""Seconds for one test; thousands of series over an hour take a few."""
_NEVER: Final = (
    'nothing_is_called_like_this{because="promtool tells what it got only where that is not what was expected"}'
)
_OWN: Final = ("alertstate", "__name__")
"""What Prometheus adds to the labels of an alert in the series ALERTS."""


@dataclass(frozen=True, slots=True)
class Promtool:
    """Prometheus' own tool for testing rules."""

    program: str
    """Its path."""

    def firing(self, series: Series, at: datetime) -> tuple[GivenAlert, ...]:
        """The alerts that fire, since when they do, at the end of `series`.

        Args:
            at: when that end is.

        Raises:
            InputError: the rules or the series are faulty, as promtool says; or it prints what cannot be read.
        """
        expression = _expression(series)
        with tempfile.TemporaryDirectory(prefix="remediator-test-") as folder:
            output = self._run(Path(folder), _unit_test(Path(folder), series, expression))
        text = printed(expression, output)
        if text is None:
            raise InputError(f"{PROGRAM} has not evaluated the rules: {_said(output)}")
        try:
            found = parse_samples(text)
        except ValueError as error:
            raise InputError(
                f"the vector that {self.program} prints cannot be read, at {error}; "
                "is it a promtool of another kind? 2.42 and later are known to do"
            ) from error
        start = at - series.eval_time
        return tuple(_alert(sample, start) for sample in found)

    def _run(self, folder: Path, test: dict[str, Any]) -> str:
        file = folder / "test.yaml"
        file.write_text(json.dumps(test), encoding="utf-8")
        command = (self.program, "test", "rules", str(file))
        try:
            done = subprocess.run(  # noqa: S603 - the program that the caller named
                command, capture_output=True, text=True, encoding="utf-8", timeout=_MOST_S, check=False
            )
        except OSError as error:
            raise InputError(
                f"{self.program} cannot be started: {error.strerror}; name another with --promtool"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise InputError(
                f"{PROGRAM} has not finished within {_MOST_S:g} s; test fewer series or less time"
            ) from error
        return done.stdout + "\n" + done.stderr


def find_promtool(given: str | None) -> Promtool:
    """The promtool of this name or path, or the first on the PATH.

    Raises:
        InputError: there is none.
    """
    found = shutil.which(given or PROGRAM)
    if found is None:
        where = f"{given} is no program that can be run" if given else f"no {PROGRAM} on the PATH"
        raise InputError(
            f"tests with `series` need {PROGRAM}, and {where}; it comes with Prometheus (the package `prometheus` of "
            "Debian and Ubuntu; https://prometheus.io/download): install it, or name it with --promtool PATH"
        )
    return Promtool(os.path.abspath(found))


def _expression(series: Series) -> str:
    """Every alert that fires, and as its value the second since which it does.

    Prometheus tells Alertmanager as `startsAt` when an alert began to fire, not when its expression began to hold
    (prometheus rules/manager.go, SendAlerts: FiredAt).
    """
    firing, step = 'ALERTS{alertstate="firing"}', format_duration(series.interval)
    span = format_duration(series.eval_time + series.interval)
    began = f"timestamp({firing}) unless {firing} offset {step}"
    return f"max_over_time(({began})[{span}:{step}]) and ignoring() {firing}"


def _unit_test(folder: Path, series: Series, expression: str) -> dict[str, Any]:
    files, names = [], []
    for number, groups in enumerate(_groups(series.rule_files)):
        file = folder / f"rules-{number}.yaml"
        file.write_text(json.dumps({"groups": groups}), encoding="utf-8")
        files.append(file.name)
        names += [group["name"] for group in groups]
    return {
        "rule_files": files,
        "evaluation_interval": format_duration(series.interval),
        # Without it promtool takes the groups in any order, and what a rule of a later one reads is there or not.
        "group_eval_order": list(dict.fromkeys(names)),
        "tests": [
            {
                "interval": format_duration(series.interval),
                "input_series": [{"series": each.series, "values": each.values} for each in series.input_series],
                "promql_expr_test": [
                    {
                        "expr": expression,
                        "eval_time": format_duration(series.eval_time),
                        "exp_samples": [{"labels": _NEVER, "value": 1}],
                    }
                ],
            }
        ],
    }


def _groups(files: Iterable[Path]) -> Iterator[list[dict[str, Any]]]:
    """The groups of each rule file: of a plain one, and of each PrometheusRule object in it."""
    for file in files:
        try:
            reading = read_rules(file.read_text(encoding="utf-8-sig"), str(file))
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{file}: cannot be read: not UTF-8") from error
        if reading.faults:
            raise InputError("\n".join(map(str, reading.faults)))
        yield from (to_object(each)["spec"]["groups"] for each in reading.files)


def _alert(sample: Sample, start: datetime) -> GivenAlert:
    labels = {name: value for name, value in sample.labels.items() if name not in _OWN}
    return GivenAlert(labels, start + timedelta(seconds=sample.value))


def _said(output: str) -> str:
    """What is of use of what promtool printed."""
    lines = (line.strip() for line in output.splitlines())
    dull = ("", "FAILED:", "SUCCESS")
    return "; ".join(line for line in lines if line not in dull and not line.startswith("Unit Testing:")) or "nothing"
