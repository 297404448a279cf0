"""The benchmarks run, and say what they measured. Nothing here asserts how long anything takes."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonpatch
import pytest

from benchmarks import fleet, history, plans
from benchmarks.deliveries import Firings
from benchmarks.figures import Figure, Samples, Target, ratio
from benchmarks.run import QUICK, Extent, Place
from remediator.records.model import Phase
from remediator.records.wire import parse
from tests.processes import Missing, binary

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 180.0
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


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
        "request → answer over a bare PATCH, 10 VirtualServices",
        "request → patched over a bare PATCH, 10 VirtualServices, stableReady on",
        "request → patched over a bare PATCH, 10 VirtualServices, 20 records",
        "request → answer over a bare PATCH, 10 VirtualServices, 20 records",
        "from process start to ready, 40 VirtualServices",
        "request → patched over a bare PATCH, 40 VirtualServices",
        "request → answer over a bare PATCH, 40 VirtualServices",
        "storm, 40 VirtualServices",
        "resident memory of the worker, 40 VirtualServices",
        "with gunicorn's parent, 40 VirtualServices",
        "faster than kubectl",
        "from process start to ready, 40 VirtualServices, 20 records",
        "request → patched over a bare PATCH, 40 VirtualServices, 20 records",
        "request → answer over a bare PATCH, 40 VirtualServices, 20 records",
        "storm, 40 VirtualServices, 20 records",
        "resident memory of the worker, 40 VirtualServices, 20 records",
        "with gunicorn's parent, 40 VirtualServices, 20 records",
        "growth of request → patched with VirtualServices, 40 for 10",
        "growth of request → patched with records, 20 for 0, 10 VirtualServices",
        "growth of request → patched with records, 20 for 0, 40 VirtualServices",
        "planning one alert, no network",
        "drafting its record, no network",
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


def test_few_and_many_services_are_measured_without_records_and_with_them() -> None:
    extent = Extent((10, 100, 1_000), records=50, samples=1, storm=1, storms=1, starts=1, kubectl=1)
    assert [
        "10 VirtualServices",
        "10 VirtualServices, 50 records",
        "100 VirtualServices",
        "1,000 VirtualServices",
        "1,000 VirtualServices, 50 records",
    ] == [str(place) for place in extent.places]
    assert Place(1_000, 50) in extent.places


def test_no_firing_is_like_another() -> None:
    """The service would take it for the same one, and find it done."""
    firings = Firings(NOW)
    assert [NOW, NOW + timedelta(milliseconds=1)] == [firings.next(), firings.next()]


def test_a_record_of_the_past_is_one_of_ours() -> None:
    found = history.record(7, "uid-of-7", NOW)
    key, text = history.kept(found, [])
    assert f"/registry/remediator.io/remediations/shop-000/{found.name}" == key
    assert found == parse(json.loads(text))
    assert (Phase.APPLIED, "uid-of-7") == (found.status.phase, found.intent.target.uid)
    fingerprint = fleet.alert(7, NOW)["fingerprint"]
    assert {(fingerprint, NOW)} == found.intent.firings
    assert [fingerprint] == [each.fingerprint for each in found.status.resolved]


def test_the_records_of_the_past_are_finished_and_within_retention() -> None:
    moments = history.moments(100, NOW)
    assert 100 == len(set(moments))
    assert NOW - timedelta(days=30) < min(moments)
    assert max(moments) < NOW - timedelta(days=1)


def test_giving_the_traffic_back_leaves_the_object_as_it_was() -> None:
    """After the service's patch, which names the record, and after a bare one."""
    before = fleet.virtual_service(7)
    bare = jsonpatch.apply_patch(before, fleet.WITHDRAW)
    named = copy.deepcopy(bare)
    named["metadata"]["annotations"]["remediator.io/remediation"] = "canary-1"
    assert [before, before] == [jsonpatch.apply_patch(each, fleet.restore(7)) for each in (bare, named)]


def test_more_or_less_than_one_patch_is_no_plan() -> None:
    with pytest.raises(RuntimeError, match="one patch was to be planned"):
        plans.planned(plans.request(fleet.alert(8, NOW)), plans.cluster(7))
