"""The benchmarks of the alert rules: what they compute themselves, and that they judge as Prometheus does."""

from __future__ import annotations

import dataclasses
import struct
import subprocess
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.detection import campaign
from benchmarks.detection.alerting import Clock
from benchmarks.detection.campaign import CONTESTANTS, OURS, Accusation, Judged, judged, runs, scraped
from benchmarks.detection.flagger import Flagger
from benchmarks.detection.judging import BEGIN, FLAGS, Judge
from benchmarks.detection.order import Step, selectors, steps
from benchmarks.detection.report import Results, text
from benchmarks.detection.traffic import SCRAPE_S, Load, Run, Scenario, Spell, simulate
from benchmarks.detection.verdicts import QUIET, Verdict, false_accusations, times_to_detect, verdicts
from benchmarks.detection.wire import STALE, Series, request
from benchmarks.evaluation.mesh import Extent, Mesh
from benchmarks.evaluation.watching import Watch, missed
from benchmarks.prometheus import running_prometheus
from benchmarks.rulefiles import groups_of, unwrapped
from remediator.rules.model import RecordingRule, RuleGroup
from tests.processes import Missing, binary

SHIPPED = Path(__file__).parents[1] / "rules" / "mesh-wide.yaml"
NAIVE = Path(campaign.__file__).with_name("naive.yaml")
LOAD = Load(100.0, 0.10)
FAULT = Scenario("20%", 1800.0, 0.001, Spell(900.0, 7200.0, 0.2, 0.001))
CALM = Scenario(QUIET, 1800.0, 0.001)


# -- simulated traffic


def test_the_same_seed_gives_the_same_run() -> None:
    first, again, other = (simulate("run", FAULT, LOAD, (7, seed)) for seed in (1, 1, 2))
    assert (first.phase, first.onset) == (again.phase, again.onset)
    assert np.array_equal(first.requests, again.requests)
    assert not np.array_equal(first.requests, other.requests)


def test_the_canary_gets_its_weight_and_fails_only_in_its_spell() -> None:
    run = simulate("run", FAULT, LOAD, (7,))
    canary, stable = run.requests.sum(axis=1)
    assert canary / (canary + stable) == pytest.approx(0.10, abs=0.01)
    during = run.moments() > run.onset + SCRAPE_S
    before = run.moments() < run.onset
    ratios = [run.errors[0][which].sum() / run.requests[0][which].sum() for which in (before, during)]
    assert ratios == [pytest.approx(0.001, abs=0.002), pytest.approx(0.2, abs=0.02)]
    assert run.errors[1].sum() / stable == pytest.approx(0.001, abs=0.0005)


def test_the_scrape_in_which_a_fault_begins_has_its_part_of_the_errors() -> None:
    scenario = Scenario("fault", 60.0, 0.0, Spell(0.0, 7200.0, 1.0, 0.0))
    for seed in range(20):
        run = simulate("run", scenario, Load(10_000.0, 0.5), (7, seed))
        share = np.clip((run.moments() - run.onset) / SCRAPE_S, 0, 1)
        assert run.errors[0] / run.requests[0] == pytest.approx(share, abs=0.01)


def test_a_spell_ends() -> None:
    run = simulate("run", Scenario("outage", 1800.0, 0.0, Spell(600.0, 300.0, 0.5, 0.5)), LOAD, (7,))
    failing = run.moments()[run.errors[1] > 0]
    assert run.onset <= failing.min()
    assert failing.max() <= run.onset + 300.0 + SCRAPE_S


def test_errors_come_in_clumps() -> None:
    run = simulate("run", Scenario("clumps", 1800.0, 0.01, clump=5), LOAD, (7,))
    assert {0} == set((run.errors[1] % 5).tolist())
    assert run.errors[1].any()


# -- the order of rules


def group(name: str, *rules: tuple[str, str]) -> RuleGroup:
    return RuleGroup(name, tuple(RecordingRule(record, expr) for record, expr in rules), timedelta(seconds=15))


def test_a_rule_comes_after_those_that_it_reads() -> None:
    groups = [
        group("late", ("c", "b > 1"), ("d", "up")),
        group("early", ("a", "sum(increase(istio_requests_total[1m]))"), ("b", "a offset 1m")),
    ]
    found = [step.rule.record for step in steps(groups, 15.0) if isinstance(step.rule, RecordingRule)]
    assert ["a", "b", "c"] == found, "d reads nothing that is simulated"


@pytest.mark.parametrize(
    ("groups", "fault"),
    [
        pytest.param(
            [group("one", ("a", "istio_requests_total + b")), group("two", ("b", "a"))],
            "rules read each other",
            id="a circle over two groups",
        ),
        pytest.param(
            [group("one", ("a", "b"), ("b", "istio_requests_total"))],
            "a of one reads b, which its group makes later",
            id="a record that is made later in the same group",
        ),
    ],
)
def test_rules_without_an_order_are_refused(groups: list[RuleGroup], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        steps(groups, 15.0)


def test_a_selector_does_not_read_a_record_with_another_label() -> None:
    source = RecordingRule("a", "istio_requests_total", {"reporter": "source"})
    other = RecordingRule("b", 'a{reporter="destination"}')
    found = steps([RuleGroup("one", (source, other))], 15.0)
    assert [source] == [step.rule for step in found]


def test_every_selector_of_an_expression_is_seen() -> None:
    expr = 'sum by (x) (rate(a{l="v",m!="w"}[1m] offset 5m)) / on (x) -b > bool 1 unless max_over_time(c[5m:1m]) or (d)'
    assert [("a", {"l": "v"}), ("b", {}), ("c", {}), ("d", {})] == list(selectors(expr))


def test_the_shipped_rules_have_an_order() -> None:
    found = {getattr(step.rule, "alert", "") for step in steps(groups_of([SHIPPED]), 15.0)}
    assert {"CanaryErrorRatioAboveStable", "CanaryHardDown", "MirrorErrorRatioAboveStable"} <= found


# -- for and keep_firing_for


@pytest.mark.parametrize(
    ("wait", "keep", "holds", "fires"),
    [
        pytest.param(0, 0, "0110", "0110", id="at once, and no longer than it holds"),
        pytest.param(15, 0, "01110", "00110", id="after a wait of one evaluation"),
        pytest.param(15, 0, "010110", "000010", id="a gap starts the wait anew"),
        pytest.param(0, 30, "0100000", "0111000", id="for a while longer than it holds"),
        pytest.param(0, 30, "01001000", "01111110", id="which begins anew when it holds again"),
        pytest.param(30, 30, "01100", "00000", id="what never fired is not kept"),
    ],
)
def test_when_an_alert_fires(wait: float, keep: float, holds: str, fires: str) -> None:
    clock = Clock(wait, keep)
    told = [clock.tell(15.0 * turn, held == "1") for turn, held in enumerate(holds)]
    assert fires == "".join("01"[fired] for fired in told)
    assert clock.idle == (fires[-1] == "0")


# -- Flagger


def test_flagger_rolls_back_at_the_check_after_the_fifth_that_failed() -> None:
    flagger = Flagger(None, ["good", "bad", "silent"])  # type: ignore[arg-type]
    for turn, rate in enumerate([0.98, 1.0, 0.9, 0.989, 0.5, 0.0, 1.0, 1.0]):
        flagger.check(60.0 * turn, {"good": 0.99, "bad": rate})
    found = [(firing.labels["destination_service_name"], firing.begin) for firing in flagger.firings]
    assert [("silent", 300.0), ("bad", 360.0)] == found


# -- verdicts


def accused(scenario: Scenario, onset: float, *accusations: tuple[str, float]) -> Judged:
    told = tuple(Accusation(OURS, "Alert 1m", version, begin) for version, begin in accusations)
    return Judged(scenario, LOAD, onset, told)


def test_times_to_detect_count_from_the_fault() -> None:
    found = times_to_detect(
        [
            accused(FAULT, 900.0, ("v2", 920.0), ("v2", 1000.0)),
            accused(FAULT, 900.0, ("v1", 905.0), ("v2", 940.0)),
            accused(FAULT, 900.0, ("v2", 899.0), ("v2", 910.0)),
            accused(FAULT, 900.0),
        ]
    )
    (ours,) = [each for each in found if each.contestant == OURS]
    assert ((20.0, 40.0), 1, 1, 40.0) == (ours.seconds, ours.gone, ours.wrong, ours.median)
    assert ours.share == pytest.approx(2 / 3)
    assert float("inf") == times_to_detect([accused(FAULT, 900.0)])[0].median, "less than half were found"


def test_targets_are_met_or_missed_by_what_was_counted() -> None:
    day = dataclasses.replace(CALM, seconds=86_400.0)
    found = times_to_detect([accused(FAULT, 900.0, ("v2", 935.0))])
    quiet = false_accusations([accused(day, 0.0)] * 29 + [accused(day, 0.0, ("v2", 5.0), ("v2", 9.0))])
    assert [
        Verdict("20% errors found within 30 s (median), 100 rps, 5 to 10 % weight", "10%: 35 s", met=False),
        Verdict(f"{QUIET}: at most 0 false accusations in 30 days", "1 in 30.0 days, 30 runs", met=False),
    ] == verdicts(found, quiet)
    assert [True] == [each.met for each in verdicts([], false_accusations([accused(day, 0.0)] * 30))]
    assert [False] == [each.met for each in verdicts([], false_accusations([accused(day, 0.0)] * 29))], "too few days"


def test_every_contestant_has_a_column() -> None:
    results = Results(
        times_to_detect([accused(FAULT, 900.0, ("v2", 935.0))]), false_accusations([accused(CALM, 0.0)]), []
    )
    lines = text(results).splitlines()
    assert "| errors | rps | weight | " + " | ".join(CONTESTANTS) + " |" in lines
    assert "| 20% | 100 | 10% | 35 s | never (0%) | never (0%) | never (0%) |" in lines
    assert f"| {QUIET} | 100 | 10% | 0 of 1 | 0 of 1 | 0 of 1 | 0 of 1 |" in lines


# -- what goes over the wire


def test_a_request_is_one_literal_of_snappy_with_fixed_samples() -> None:
    bits = np.array([1.5]).view(np.uint64)
    body = request([Series({"__name__": "a"}, np.array([1_767_225_600_000]), bits)])
    label = b"\x0a\x0d\x0a\x08__name__\x12\x01a"
    sample = b"\x12\x10\x09" + struct.pack("<d", 1.5) + b"\x10\x80\xd0\xea\xb6\xb7\x33"
    message = b"\x0a" + bytes([len(label + sample)]) + label + sample
    assert bytes([len(message), 0xFC]) + (len(message) - 1).to_bytes(4, "little") + message == body


# -- the cost


def test_the_mesh_has_every_series_and_its_counters_grow() -> None:
    mesh = Mesh(Extent(services=3, clients=2, boundaries=("500", "+Inf")))
    lines = mesh.text(0).decode().splitlines()
    of = [line for line in lines if 'destination_service_name="service-0001"' in line and "503" not in line]
    assert 2 * (2 + 4) == len(of), "two versions: both reporters' requests, and the source's durations"
    assert len(lines) == len({line.rsplit(" ", 1)[0] for line in lines}), "no series twice"
    assert mesh.series == sum(len(mesh.text(client).splitlines()) for client in (0, 1))


def test_an_evaluation_that_is_seen_twice_counts_once() -> None:
    watch = Watch()
    for moment, seconds in (
        ("10:00:00", 1.0),
        ("10:00:00", 1.0),
        ("10:00:15", 2.0),
    ):
        rule = {"name": "a:b", "type": "recording", "evaluationTime": seconds / 2, "lastEvaluation": moment}
        told = {"name": "fast", "interval": 15, "evaluationTime": seconds, "lastEvaluation": moment, "rules": [rule]}
        watch.take(told)
    (cost,), (rule_cost,) = watch.costs_of_groups(), watch.costs_of_rules()
    assert (1.5, 2, 0.1) == (cost.seconds, cost.evaluations, cost.share)
    assert ("fast: a:b", 0.75) == (rule_cost.name, rule_cost.seconds)


def test_missed_evaluations_are_read_from_the_metrics() -> None:
    line = 'prometheus_rule_group_iterations_missed_total{rule_group="/x/rules.yml;fast"} 3'
    assert {"fast": 3} == missed(f"# HELP\n{line}\n")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param("a: 1\n", "neither a PrometheusRule nor a rule file", id="another kind of file"),
        pytest.param("- a\n", "expected a mapping, found a list", id="a list"),
        pytest.param("a: [", "not YAML", id="no YAML"),
    ],
)
def test_a_file_without_groups_is_refused(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "wrong.yaml").write_text(content)
    with pytest.raises(ValueError, match=fault):
        unwrapped(tmp_path / "wrong.yaml")


def test_what_is_unwrapped_is_what_the_object_holds() -> None:
    assert yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["spec"] == unwrapped(SHIPPED)


def test_the_naive_rules_are_judged_too() -> None:
    names = {getattr(step.rule, "alert", "") for step in steps(groups_of([NAIVE]), 15.0)}
    assert {"HighErrorRateInCanary", "HighCanaryErrorRate"} == names


# -- against Prometheus

RULES = """
groups:
- name: one
  interval: 15s
  rules:
  - record: version:errors:increase1m
    expr: |
      sum by (destination_service_name, destination_version) (increase(istio_requests_total{response_code="503"}[1m]))
  - record: suspect:errors:increase1m
    expr: version:errors:increase1m > 8
  - record: suspect:errors:mean2m
    expr: avg_over_time(suspect:errors:increase1m[2m]) and suspect:errors:increase1m
  - alert: Waits
    expr: suspect:errors:increase1m
    for: 30s
    labels: {window: 1m}
  - alert: Keeps
    expr: suspect:errors:mean2m > 10
    keep_firing_for: 1m
    labels: {window: '{{ $labels.destination_version }}'}
"""


def tool(name: str) -> str:
    try:
        return binary("PROMETHEUS_BIN_DIR", name)
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.servers
def test_alerts_begin_when_promtool_says_so(tmp_path: Path) -> None:
    """promtool evaluates rules one moment after another; the judge does one rule after another. They must agree."""
    promtool, _ = tool("promtool"), tool("prometheus")
    (tmp_path / "rules.yml").write_text(RULES)
    noisy = Scenario("noisy", 1500.0, 0.003, clump=2)
    run = dataclasses.replace(simulate("run", noisy, LOAD, (3,)), phase=0.0)
    placed = [dataclasses.replace(each, offset=0.0) for each in steps(groups_of([tmp_path / "rules.yml"]), 15.0)]
    begins = firing_begins(run, placed)
    assert {"Waits", "Keeps"} == {alert for _, alert, _, _ in begins}, "a test of something"
    (tmp_path / "test.yml").write_text(yaml.safe_dump(promtool_test(run, begins)))
    command = [promtool, "test", "rules", "test.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def firing_begins(run: Run, placed: list[Step]) -> list[tuple[float, str, str, str]]:
    """What the judge says, in two stretches: nothing must be lost between them."""
    with running_prometheus({"global": {"scrape_interval": "15s"}}, FLAGS) as prometheus:
        judge = Judge(prometheus, placed)
        for begin, end in ((0.0, 750.0), (750.0, 1500.0)):
            judge.take(scraped([run], begin, end))
            judge.judge(begin, end)
    return sorted(
        (each.begin, each.alert, each.labels["destination_version"], each.labels["window"]) for each in judge.firings
    )


def promtool_test(run: Run, begins: list[tuple[float, str, str, str]]) -> dict[str, object]:
    """At every moment: the alerts that fire now and did not fire 15 s ago."""
    inputs = []
    for number, version in enumerate(("v2", "v1")):
        counts = np.cumsum(run.errors[number]).tolist()
        labels = f'destination_service_name="run",destination_version="{version}",response_code="503"'
        inputs.append(
            {
                "series": f"istio_requests_total{{{labels}}}",
                "values": " ".join(str(count) if count else "_" for count in counts),
            }
        )
    firing = 'sum by (alertname, destination_version, window) (ALERTS{alertstate="firing"})'
    asked = [
        {
            "expr": f"{firing} unless {firing.replace('})', '} offset 15s)')}",
            "eval_time": f"{moment}s",
            "exp_samples": [
                {"labels": f'{{alertname="{alert}",destination_version="{version}",window="{window}"}}', "value": 1}
                for begin, alert, version, window in begins
                if begin == moment
            ],
        }
        for moment in range(0, 1500, 15)
    ]
    tests = [{"interval": "15s", "input_series": inputs, "promql_expr_test": asked}]
    return {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": tests}


@pytest.mark.parametrize(
    ("mirrored", "told"),
    [
        pytest.param(False, {("v2", "source"), ("v1", "source")}, id="live"),
        pytest.param(True, {("v2", "destination"), ("v1", "destination"), ("v1", "source")}, id="mirrored"),
    ],
)
def test_who_tells_of_a_version(mirrored: bool, told: set[tuple[str, str]]) -> None:
    run = simulate("run", dataclasses.replace(FAULT, mirrored=mirrored), LOAD, (7,))
    found = [each.labels for each in scraped([run], 0.0, 1800.0)]
    assert told == {(labels["destination_version"], labels["reporter"]) for labels in found}


@pytest.mark.servers
def test_the_shipped_rules_accuse_the_canary_that_fails_and_nobody_else() -> None:
    tool("prometheus")
    shares: list[float] = []
    found = judged(runs([FAULT, CALM], [LOAD], 2, 7), steps(groups_of([SHIPPED]), 15.0), shares.append)
    assert sum(shares) == pytest.approx(1.0)
    faulty, calm = found[:2], found[2:]
    assert [[], []] == [[each for each in run.accusations if each.contestant == OURS] for run in calm]
    for run in faulty:
        first = next(each for each in run.accusations if each.contestant == OURS)
        assert "v2" == first.version
        assert 0 < first.begin - run.onset < 120.0
    assert BEGIN % 3600 == 0
    assert np.isnan(np.array([STALE]).view(np.float64))[0]
