"""`python -m benchmarks.detection [--rules FILE…] [--quick] [--json FILE]`; needs PROMETHEUS_BIN_DIR (prometheus)."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from itertools import product
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from benchmarks.command import told
from benchmarks.detection.campaign import Judged, judged, runs
from benchmarks.detection.order import Step, steps
from benchmarks.detection.report import Results, document, text
from benchmarks.detection.traffic import Load, Scenario, Spell
from benchmarks.detection.verdicts import CLUMPS, NOISY, OUTAGE, QUIET, false_accusations, times_to_detect, verdicts
from benchmarks.rulefiles import groups_of

LOADS: Final = tuple(Load(rps, weight) for rps, weight in product((10.0, 100.0, 1000.0), (0.01, 0.05, 0.10)))
_AGE_S: Final = 1800.0
"""Of the canary, when the fault begins."""
_USUAL: Final = 0.001
_DAY_S: Final = 86_400.0
FAULTS: Final = tuple(
    Scenario(f"{errors:.0%}", _AGE_S + 1920.0, _USUAL, Spell(_AGE_S, 7200.0, errors, _USUAL))
    for errors in (0.02, 0.05, 0.20, 1.0)
)
MIRRORED: Final = tuple(dataclasses.replace(each, name=f"mirror, {each.name}", mirrored=True) for each in FAULTS[1:])
INNOCENT: Final = (
    Scenario(QUIET, _DAY_S, 0.001),
    Scenario(NOISY, _DAY_S, 0.01),
    Scenario(OUTAGE, 7200.0, 0.001, Spell(3600.0, 900.0, 0.05, 0.05)),
    Scenario(CLUMPS, _DAY_S, 0.001, clump=5),
    Scenario("mirror, both at 0.1 %", _DAY_S, 0.001, mirrored=True),
)
_NAIVE: Final = Path(__file__).with_name("naive.yaml")
_DEFAULT_INTERVAL_S: Final = 15.0


def main() -> int:
    """Simulate, judge, print the tables; 1 if Prometheus or the rules are not there. A missed target is no error."""
    options = _options()
    return told(lambda: run(options), text, document, options.json)


def run(options: argparse.Namespace) -> Results:
    """Every campaign that was asked for. Raises Missing, OSError, ValueError, RuntimeError."""
    rules = steps(groups_of([*options.rules, _NAIVE]), _DEFAULT_INTERVAL_S)
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        found = times_to_detect(_campaign(progress, FAULTS + MIRRORED, options.faults, options, rules))
        false = [
            each
            for scenario in INNOCENT
            for each in false_accusations(
                _campaign(progress, (scenario,), _repeats(scenario, options.days), options, rules)
            )
        ]
    return Results(found, false, verdicts(found, false))


def _repeats(scenario: Scenario, days: int) -> int:
    """More runs of what takes less than a day."""
    return days if scenario.seconds >= _DAY_S else 10 * days


def _campaign(
    progress: Progress, scenarios: tuple[Scenario, ...], repeats: int, options: argparse.Namespace, rules: list[Step]
) -> list[Judged]:
    asked = [each for each in scenarios if not options.only or each.name in options.only]
    if not repeats or not asked:
        return []
    loads = [load for load in LOADS if not options.rps or load.rps in options.rps]
    task = progress.add_task(", ".join(each.name for each in asked), total=1.0)
    return judged(runs(asked, loads, repeats, options.seed), rules, lambda share: progress.update(task, advance=share))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection",
        description="How soon the rules find a bad canary, and how often a good one.",
    )
    add = parser.add_argument
    add("--rules", type=Path, nargs="+", metavar="FILE", default=[Path("rules/mesh-wide.yaml")])
    add("--faults", type=int, default=50, metavar="N", help="runs of each fault at each load (default %(default)s)")
    add(
        "--days",
        type=int,
        default=30,
        metavar="N",
        help="runs of each innocent scenario at each load (default %(default)s)",
    )
    add("--rps", type=float, nargs="+", metavar="N", help="only these loads")
    add("--only", nargs="+", metavar="NAME", help="only these scenarios, by the names in the tables")
    add("--seed", type=int, default=7, help="of the simulation (default %(default)s)")
    add("--quick", action="store_true", help="few runs: shows that it works")
    add("--json", type=Path, metavar="FILE", help="write every figure there, too")
    options = parser.parse_args()
    if options.quick:
        options.faults, options.days, options.rps = 3, 1, [100.0]
    return options


if __name__ == "__main__":
    sys.exit(main())
