"""Rules under promtool: many services in one run, and what it finds wrong, told service by service.

promtool evaluates every group at each step of `evaluation_interval`, whatever the group's own interval is (seen in
2.42). A group that is meant for every 30 s then records twice as many samples, and a sum over its records is twice as
large. `retimed` divides such sums by what is too much; nothing else in the rules is changed.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.rule_scenarios.firing import IDENTITY
from tests.rule_scenarios.notation import SCRAPE, STEP, selector
from tests.rule_scenarios.scenario import Fires, Scenario

Json = dict[str, Any]
FIRING = 'ALERTS{alertstate="firing",destination_service_name%s}'
ELSEWHERE = ""
"""Stands for every service that a batch does not have."""

_UNIT = {"s": 1, "m": 60, "h": 3600}


def spec_of(path: Path) -> Json:
    """The groups of a PrometheusRule, as Prometheus itself reads them."""
    document: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"groups": document["spec"]["groups"]}


def retimed(rules: Json) -> Json:
    """The rules, with sums over the records of slower groups put right for an evaluation at each scrape."""
    slow = [
        (rule["record"], rule.get("labels", {}), seconds(group["interval"]))
        for group in rules["groups"]
        for rule in group["rules"]
        if "record" in rule and seconds(group["interval"]) != SCRAPE
    ]
    text = json.dumps(rules)
    for record, labels, interval in slow:
        inside = json.dumps(selector("", labels))[1:-1] if labels else ""
        summed = re.compile(rf"sum_over_time\({re.escape(record + inside)}\[\w+\](?: offset \w+)?\)")
        text = summed.sub(rf"({SCRAPE / interval:g} * \g<0>)", text)
    changed: Json = json.loads(text)
    return changed


def seconds(duration: str) -> int:
    """A duration in Prometheus' notation."""
    return sum(int(number) * _UNIT[unit] for number, unit in re.findall(r"(\d+)([smh])", duration))


@dataclass(frozen=True, slots=True)
class Wrong:
    """An expression whose result is not the expected one."""

    service: str
    text: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Scenarios that one run of promtool takes together: as in a mesh, their services do not know of each other."""

    scenarios: tuple[Scenario, ...]

    def test(self) -> Json:
        """The group of tests that promtool takes."""
        times = sorted({time for each in self.scenarios for time in each.expected})
        asked = [question(each, time, wanted) for each in self.scenarios for time, wanted in each.expected.items()]
        others = [question for time in times for question in self._others(time)]
        series = [counter.as_input() for each in self.scenarios for counter in each.counters(max(times))]
        return {"interval": f"{STEP}s", "input_series": series, "promql_expr_test": asked + others}

    def _others(self, minute: float) -> Iterator[Json]:
        """Nothing fires but about these services, and no alert has a label beyond those of its identity."""
        names = "|".join(each.service.name for each in self.scenarios)
        known = ", ".join(("alertstate", *IDENTITY))
        every = FIRING % f'=~"{names}"'
        for expression in (FIRING % f'!~"{names}"', f"group without ({known}) ({every}) unless group by () ({every})"):
            yield {"expr": expression, "eval_time": at(minute), "exp_samples": []}


def question(scenario: Scenario, minute: float, wanted: Fires) -> Json:
    """All that fires about the scenario's service, and what should."""
    service = scenario.service
    about = FIRING % f'="{service.name}"'
    found = [each.labels(service.name, service.namespace) for each in wanted]
    samples = [{"labels": selector("", labels), "value": 1} for labels in found]
    return {
        "expr": f"count by ({', '.join(IDENTITY)}) ({about})",
        "eval_time": at(minute),
        "exp_samples": samples,
    }


def at(minute: float) -> str:
    """A time of the test."""
    return f"{round(minute * 60)}s"


def run(promtool: str, rules: Json, test: Json, folder: Path) -> tuple[Wrong, ...]:
    """Run a group of tests in a folder. RuntimeError if promtool tells of anything else than wrong expressions."""
    test_file = {
        "rule_files": ["rules.json"],
        "evaluation_interval": f"{SCRAPE}s",
        # Without it the groups come in any order, and one that reads another's records may see them a step late.
        "group_eval_order": [group["name"] for group in rules["groups"]],
        "tests": [test],
    }
    (folder / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    (folder / "tests.json").write_text(json.dumps(test_file), encoding="utf-8")
    command = (promtool, "test", "rules", "tests.json")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    wrong = tuple(failures(done.stdout + done.stderr))
    if (done.returncode == 0) != (not wrong):
        raise RuntimeError(f"promtool ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return wrong


def failures(output: str) -> Iterator[Wrong]:
    """The failed expressions in promtool's report."""
    for part in re.split(r"\n(?=    (?:expr|alertname|rule): )", output)[1:]:
        named = re.search(r'destination_service_name=\\"([^"\\|]+)\\"', part)
        yield Wrong(named[1] if named else ELSEWHERE, part.rstrip())


def batches(scenarios: Sequence[Scenario], most: int) -> list[Batch]:
    """The scenarios, at most so many together; the long ones apart from the short ones."""
    ordered = sorted(scenarios, key=lambda each: each.minutes)
    return [Batch(tuple(ordered[first : first + most])) for first in range(0, len(ordered), most)]
