"""The benchmarks run, and say what they measured. Nothing here asserts how long anything takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import Figure, Samples, Target, ratio
from benchmarks.run import QUICK
from tests.processes import Missing, binary

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 180.0


def benchmarks(*flags: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run them in a process of their own, with `more` in its environment."""
    command = [sys.executable, "-m", "benchmarks", *flags]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | more
    return subprocess.run(
        command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
    )


@pytest.mark.servers
def test_a_quick_run_tells_every_figure(tmp_path: Path) -> None:
    try:
        binary("KUBEBUILDER_ASSETS", "kubectl")
    except Missing as missing:
        pytest.skip(str(missing))
    file = tmp_path / "figures.json"
    done = benchmarks("--quick", "--json", str(file))
    assert (0, "") == (done.returncode, done.stderr), "no progress where nobody looks"

    told = json.loads(file.read_text())
    names = [figure["name"] for figure in told["figures"]]
    assert [
        "request → patched over a bare PATCH, 10 VirtualServices",
        "from process start to ready, 40 VirtualServices",
        "request → patched over a bare PATCH, 40 VirtualServices",
        "that ratio at 40 over that at 10",
        "storm",
        "faster than kubectl",
        "resident memory of the worker, 40 VirtualServices",
        "resident memory of gunicorn's parent",
        "both together",
        "planning one alert, no network",
    ] == names
    assert [] == [figure for figure in told["figures"] if bool(figure["target"]) != bool(figure["verdict"])]
    assert all(figure["value"] > 0 for figure in told["figures"])
    assert {QUICK.samples} == {len(times) for name, times in told["samples"].items() if name.startswith("request")}

    lines = done.stdout.splitlines()
    assert "| what" == lines[0].split("  ")[0]
    for name in names:
        assert any(line.startswith(f"| {name} ") for line in lines), "a row in the table"
        assert any(line.startswith(f"- {name}: ") for line in lines), "its raw figures"


def test_without_the_servers_it_says_what_is_missing() -> None:
    done = benchmarks("--quick", KUBEBUILDER_ASSETS="")
    assert (1, "") == (done.returncode, done.stdout)
    assert "error: KUBEBUILDER_ASSETS is not set; it names the folder that has etcd\n" == done.stderr


@pytest.mark.parametrize(
    ("target", "value", "verdict"),
    [
        pytest.param(Target(2.0), 2.0, "met", id="at most, just so"),
        pytest.param(Target(2.0), 2.1, "MISSED", id="at most, and more"),
        pytest.param(Target(100.0, at_most=False), 100.0, "met", id="at least, just so"),
        pytest.param(Target(100.0, at_most=False), 99.9, "MISSED", id="at least, and less"),
        pytest.param(None, 1.0, "", id="nothing was promised"),
    ],
)
def test_a_target_is_met_or_missed(target: Target | None, value: float, verdict: str) -> None:
    assert verdict == Figure("storm", value, "s", "", target).verdict


def test_a_ratio_is_that_of_the_medians() -> None:
    """One slow sample of ours does not change it."""
    found = ratio("name", Samples((0.002, 9.0, 0.002)), Samples((0.001, 0.001, 0.001)), at_most=2.0)
    assert (2.0, "met") == (found.value, found.verdict)
    assert "p50 2.0 ms, max 9000.0 ms, n = 3 over p50 1.0 ms, max 1.0 ms, n = 3" == found.raw


def test_the_99th_percentile_is_a_sample() -> None:
    samples = Samples(tuple(number / 1000 for number in range(200, 0, -1)))
    assert 0.198 == samples.p99
    assert "p50 100.5 ms, p99 198.0 ms, n = 200" == str(samples)
