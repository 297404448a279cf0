"""`python -m benchmarks.evaluation [--rules FILE…] [--quick] [--json FILE]`; needs PROMETHEUS_BIN_DIR (prometheus)."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from time import monotonic

import yaml

from benchmarks.command import told
from benchmarks.evaluation.mesh import BOUNDARIES, Extent, Mesh, exposed
from benchmarks.evaluation.report import Result, text
from benchmarks.evaluation.watching import Watch, failed, missed
from benchmarks.progress import Progress
from benchmarks.prometheus import Prometheus, running_prometheus
from benchmarks.rulefiles import unwrapped

_LOOK_EVERY_S = 4.0


def main() -> int:
    """Measure, and print the tables; 1 if Prometheus or the rules are not there. A missed target is no error."""
    options = _options()
    return told(lambda: run(options), text, asdict, options.json)


def run(options: argparse.Namespace) -> Result:
    """Scrape and evaluate for the time that was asked for. Raises Missing, OSError, ValueError, RuntimeError."""
    extent = Extent(options.services, 2, options.clients, tuple(options.boundaries.split(",")), tuple(options.timed))
    mesh = Mesh(extent)
    with tempfile.TemporaryDirectory() as folder, exposed(mesh) as port:
        rules = Path(folder) / "rules.yml"
        groups = [group for file in options.rules for group in unwrapped(file)["groups"]]
        rules.write_text("groups: []")
        with running_prometheus(_config(port, extent.clients, rules)) as prometheus:
            without = _without_rules(prometheus, options.control)
            rules.write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
            prometheus.reload()
            return _watched(prometheus, mesh, without, options)


def _without_rules(prometheus: Prometheus, seconds: float) -> float:
    """The cores that scraping takes; the first half of the time, in which every series is created, does not count."""
    pause = threading.Event()
    pause.wait(seconds / 2)
    cpu, begun = prometheus.cpu_seconds(), monotonic()
    pause.wait(seconds / 2)
    return (prometheus.cpu_seconds() - cpu) / (monotonic() - begun)


def _watched(prometheus: Prometheus, mesh: Mesh, without: float, options: argparse.Namespace) -> Result:
    watch, progress = Watch(), Progress()
    _look(prometheus, watch, progress, "warm-up", options.warm_up)
    watch.forget()
    cpu, begun = prometheus.cpu_seconds(), monotonic()
    missed_before = sum(missed(prometheus.exposed()).values())
    _look(prometheus, watch, progress, "measuring", options.seconds)
    told = prometheus.exposed()
    return Result(
        raw=mesh.series,
        recorded=int(prometheus.number('count({__name__=~".+:.+"})')),
        alerts=int(prometheus.number("count(ALERTS)")),
        names=len(prometheus.get("query", query='count by (__name__) ({__name__=~".+:.+"})')["result"]),
        seconds=monotonic() - begun,
        cpu=(prometheus.cpu_seconds() - cpu) / (monotonic() - begun),
        cpu_without=without,
        nice=os.nice(0),
        load=sum(watch.loads) / len(watch.loads),
        missed=sum(missed(told).values()) - missed_before,
        failed=sum(failed(told).values()),
        failing_scrapes=int(prometheus.number("count(up == 0)")),
        groups=watch.costs_of_groups(),
        rules=watch.costs_of_rules(),
    )


def _look(prometheus: Prometheus, watch: Watch, progress: Progress, what: str, seconds: float) -> None:
    pause = threading.Event()
    rounds = max(1, round(seconds / _LOOK_EVERY_S))
    begun = monotonic()
    for turn in progress.track(what, range(rounds), rounds):
        watch.look(prometheus)
        pause.wait(max(0.0, begun + (turn + 1) * _LOOK_EVERY_S - monotonic()))


def _config(port: int, targets: int, rules: Path) -> dict[str, object]:
    scrapes = [
        {
            "job_name": f"client-{number:02}",
            "metrics_path": f"/metrics/{number}",
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
        }
        for number in range(targets)
    ]
    every = {"scrape_interval": "15s", "evaluation_interval": "15s", "scrape_timeout": "14s"}
    return {"global": every, "rule_files": [str(rules)], "scrape_configs": scrapes}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluation", description="What the rules cost.")
    add = parser.add_argument
    add("--rules", type=Path, nargs="+", metavar="FILE", default=[Path("rules/mesh-wide.yaml")])
    add("--services", type=int, default=1000, metavar="N", help="each with two versions (default %(default)s)")
    add("--clients", type=int, default=10, metavar="N", help="of each service (default %(default)s)")
    add("--boundaries", default=",".join(BOUNDARIES), metavar="LE,…", help="of the durations (default: Istio's)")
    add("--timed", nargs="+", default=["source"], metavar="REPORTER", help="who reports durations (default: source)")
    add("--warm-up", type=float, default=420.0, metavar="S", help="not measured (default %(default)g s)")
    add(
        "--control",
        type=float,
        default=240.0,
        metavar="S",
        help="without rules first, to compare (default %(default)g s)",
    )
    add("--seconds", type=float, default=900.0, metavar="S", help="measured (default %(default)g s)")
    add("--quick", action="store_true", help="20 services for two minutes: shows that it works")
    add("--json", type=Path, metavar="FILE", help="write every figure there, too")
    options = parser.parse_args()
    if options.quick:
        options.services, options.control, options.warm_up, options.seconds = 20, 30.0, 20.0, 60.0
    return options


if __name__ == "__main__":
    sys.exit(main())
