"""`remediator check`: nothing in what is right, each planted fault by its word and place, three outputs, exit codes.

The files in tests/check are right. A case edits one place, and must find what it names and nothing else.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from remediator.checking.findings import Code, Finding, Level, Where
from remediator.cli.check_view import annotation
from remediator.cli.main import program
from tests.processes import Missing, binary

ROOT = Path(__file__).parents[1]
GOOD = Path(__file__).parent / "check"
FILES = ("policies.yaml", "rules.yaml", "alertmanager.yml")
REFERENCE = ROOT.parent / "shared" / "reference" / "rules"

TRIO = ("--policies", "policies.yaml", "--rules", "rules.yaml", "--alertmanager", "alertmanager.yml")
POLICIES_AND_RULES = TRIO[:4]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own with the three files that are right."""
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).write_text((GOOD / name).read_text(encoding="utf-8"), encoding="utf-8")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["check", *arguments], prog_name="remediator")


def report(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "-o", "json").stdout)
    return found


def edit(file: str, old: str, new: str) -> None:
    """Replace the one place where `old` stands."""
    text = Path(file).read_text(encoding="utf-8")
    assert 1 == text.count(old), f"{old!r} stands {text.count(old)} times in {file}"
    Path(file).write_text(text.replace(old, new), encoding="utf-8")


def told(*arguments: str) -> list[str]:
    """Each finding as its code, its file, and the text of the line to which it points."""
    return [f"{each['code']} {each['file']} {line_of(each)}".rstrip() for each in report(*arguments)["findings"]]


def line_of(finding: dict[str, Any]) -> str:
    if finding["line"] is None:
        return ""
    return Path(finding["file"]).read_text(encoding="utf-8").splitlines()[finding["line"] - 1].strip()


HARD_DOWN = "rules.yaml - alert: CanaryHardDown"
SLOW = "rules.yaml - alert: CanarySlow"
MIRROR = "rules.yaml - alert: MirrorHardDown"
MATCHERS = "policies.yaml matchers:"
ROUTE = "alertmanager.yml - receiver: remediator"
WEBHOOK = "alertmanager.yml - url: http://remediator.remediator:8080/webhook"

CANARY_EXPR = 'version:errors:increase1m{kind="errors"} / ignoring (kind) version:requests:increase1m > 0.5'
MIRROR_BY = """sum by (destination_service_name, destination_service_namespace, destination_version) (
              increase(istio_requests_total{reporter="destination\""""
SLOW_BY = "sum by (destination_service_name, destination_service_namespace, destination_version, le) ("

OF_TIER_B = 'label_replace(version:errors:increase1m{kind="errors"} > 9, "tier", "b", "", "")'
DISK_FULL = "rules.yaml - alert: disk_full"
SLOW_TOO = """
        - alert: CanaryHardDown
          expr: |
            version:errors:increase1m{kind="errors"} / ignoring (kind) version:requests:increase1m > 0.9
          labels:
            namespace: '{{ $labels.destination_service_namespace }}'
            severity: warning
            remediation: RemoveMirrors
            window: 1m
          annotations: *texts
"""


@dataclass(frozen=True)
class Planted:
    """One edit of the files that are right, and what must be found of it."""

    name: str
    file: str
    old: str
    new: str
    expected: tuple[str, ...]


PLANTED = (
    # -- alerts and policies
    Planted(
        "an alert without a policy",
        "policies.yaml",
        'alertname =~ "CanarySlow|CanaryLatencyShift"',
        'alertname =~ "CanaryLatencyShift|MirrorHardDown"',
        (f"no-policy {SLOW}",),
    ),
    Planted(
        "a typo in the alertname of a matcher",
        "policies.yaml",
        'alertname = "CanaryHardDown"',
        'alertname = "CanaryHardDwn"',
        (f"unknown-alertname {MATCHERS}", f"no-policy {HARD_DOWN}"),
    ),
    Planted(
        "a typo in one of several alertnames",
        "policies.yaml",
        '"CanarySlow|CanaryLatencyShift"',
        '"CanarySlow|MirrorHardDwn"',
        (f"unknown-alertname {MATCHERS}",),
    ),
    Planted(
        "a typo in the label of a matcher",
        "policies.yaml",
        'severity = "critical"',
        'severty = "critical"',
        (f"unknown-label {MATCHERS}", f"no-policy {HARD_DOWN}"),
    ),
    Planted(
        "a policy that no alert can match",
        "policies.yaml",
        'remediation = "RemoveMirrors"',
        'remediation = "Rollback"',
        (f"no-alert {MATCHERS}", f"no-policy {MIRROR}"),
    ),
    Planted(
        "a value of remediation that nobody knows",
        "rules.yaml",
        "remediation: RemoveMirrors",
        "remediation: remove-mirrors",
        (f"no-alert {MATCHERS}", f"remediation {MIRROR}"),
    ),
    Planted(
        "a policy that does something else than the alert asks for",
        "policies.yaml",
        "actions: [RevertToStable]",
        "actions: [RemoveMirrors]",
        (f"wrong-action {SLOW}",),
    ),
    Planted(
        "a policy that needs a label which the aggregation drops",
        "policies.yaml",
        "  actions: [RevertToStable]\n",
        "  target: {labels: {version: destination_workload}}\n  actions: [RevertToStable]\n",
        (f"label-dropped {SLOW}",),
    ),
    Planted(
        "the version aggregated away",
        "rules.yaml",
        SLOW_BY,
        "sum by (destination_service_name, destination_service_namespace, le) (",
        (f"template-label {SLOW}", f"label-dropped {SLOW}"),
    ),
    Planted(
        "the version aggregated away in a recorded series",
        "rules.yaml",
        'destination_version) (\n              increase(istio_requests_total{reporter="source"}[1m])',
        'destination_workload) (\n              increase(istio_requests_total{reporter="source"}[1m])',
        (f"template-label {HARD_DOWN}", f"label-dropped {HARD_DOWN}"),
    ),
    Planted(
        "the version dropped by on (…)",
        "rules.yaml",
        "/ ignoring (kind) version",
        "/ on (destination_service_name, destination_service_namespace) version",
        (f"template-label {HARD_DOWN}", f"label-dropped {HARD_DOWN}"),
    ),
    Planted(
        "the version that is always unknown",
        "rules.yaml",
        "            remediation: RemoveMirrors\n",
        "            remediation: RemoveMirrors\n            destination_version: unknown\n",
        (f"label-dropped {MIRROR}",),
    ),
    # -- expressions
    Planted(
        "a parenthesis that is missing",
        "rules.yaml",
        CANARY_EXPR,
        "sum(" + CANARY_EXPR,
        (f"promql {HARD_DOWN}",),
    ),
    Planted(
        "a function that is given the wrong kind of vector",
        "rules.yaml",
        CANARY_EXPR,
        "rate(version:errors:increase1m) > 0.5",
        (f"promql {HARD_DOWN}",),
    ),
    Planted(
        "a metric that does not exist",
        "rules.yaml",
        'increase(istio_requests_total{reporter="destination"',
        'increase(istio_mirror_requests_total{reporter="destination"',
        (f"unknown-metric {MIRROR}",),
    ),
    Planted(
        "a selector without reporter",
        "rules.yaml",
        'istio_requests_total{reporter="destination", ',
        "istio_requests_total{",
        (f"reporter {MIRROR}",),
    ),
    Planted(
        "a selector without reporter in one arm of an or",
        "rules.yaml",
        'reporter="source", grpc_response_status="14"',
        'grpc_response_status="14"',
        ("reporter rules.yaml - record: version:errors:increase1m",),
    ),
    Planted(
        "a reporter that is both",
        "rules.yaml",
        'bucket{reporter="source"}',
        'bucket{reporter=~"source|destination"}',
        (f"reporter {SLOW}",),
    ),
    Planted(
        "two sides that fix one label to different values",
        "rules.yaml",
        CANARY_EXPR,
        'version:errors:increase1m{destination_version="v2"} > ignoring (kind) '
        'version:requests:increase1m{destination_version="v1"} * 2',
        (f"never-matches {HARD_DOWN}",),
    ),
    Planted(
        "two sides of which one has a label more",
        "rules.yaml",
        "/ ignoring (kind) version",
        "/ version",
        (f"never-matches {HARD_DOWN}",),
    ),
    Planted(
        "a recorded series that is never recorded with this label",
        "rules.yaml",
        'increase1m{kind="errors"}',
        'increase1m{kind="faults"}',
        (f"never-matches {HARD_DOWN}",),
    ),
    Planted(
        "buckets that lose le",
        "rules.yaml",
        SLOW_BY,
        "sum by (destination_service_name, destination_service_namespace, destination_version) (",
        (f"le-lost {SLOW}",),
    ),
    Planted(
        "a window of three scrapes",
        "rules.yaml",
        'response_code=~"5.."}[2m]',
        'response_code=~"5.."}[45s]',
        (f"window-too-short {MIRROR}",),
    ),
    Planted(
        "an alert for each pod and code",
        "rules.yaml",
        MIRROR_BY,
        MIRROR_BY.replace("destination_version)", "destination_version, pod, response_code)"),
        (f"per-series {MIRROR}",),
    ),
    # -- labels, annotations, names
    Planted(
        "for: 10m",
        "rules.yaml",
        "for: 15s\n",
        "for: 10m\n",
        (f"too-slow {HARD_DOWN}",),
    ),
    Planted(
        "a window of an hour",
        "rules.yaml",
        'response_code=~"5.."}[2m]',
        'response_code=~"5.."}[1h]',
        (f"too-slow {MIRROR}",),
    ),
    Planted(
        "the value in a label",
        "rules.yaml",
        "window: 2m",
        "window: '{{ $value | humanize }}'",
        (f"value-in-label {MIRROR}",),
    ),
    Planted(
        "no window and no namespace",
        "rules.yaml",
        """            namespace: '{{ $labels.destination_service_namespace }}'
            severity: critical
            remediation: RemoveMirrors
            window: 2m
""",
        "            severity: critical\n            remediation: RemoveMirrors\n",
        (f"contract-label {MIRROR}",),
    ),
    Planted(
        "a severity that nobody knows",
        "rules.yaml",
        "severity: warning",
        "severity: page",
        (f"severity {SLOW}",),
    ),
    Planted(
        "no severity",
        "rules.yaml",
        "            severity: none\n",
        "",
        ("severity rules.yaml - alert: RemediationWatchdog",),
    ),
    Planted(
        "no word on what is to be done",
        "rules.yaml",
        "            remediation: None\n",
        "",
        ("remediation-missing rules.yaml - alert: ServiceDown",),
    ),
    Planted(
        "no description and no runbook",
        "rules.yaml",
        """            description: Shows that alerts arrive.
            runbook_url: https://runbooks.example/watchdog
""",
        "",
        ("annotations rules.yaml - alert: RemediationWatchdog",),
    ),
    Planted(
        "a name that is not CamelCase",
        "rules.yaml",
        "alert: MirrorHardDown",
        "alert: mirror_hard_down",
        ("alert-name rules.yaml - alert: mirror_hard_down",),
    ),
    Planted(
        "one alert twice",
        "rules.yaml",
        "    - name: people\n      rules:\n",
        """    - name: people
      rules:
        - alert: RemediationWatchdog
          expr: vector(2)
          labels: {severity: none, remediation: Heartbeat}
          annotations: {summary: again, description: again, runbook_url: https://runbooks.example/again}
""",
        ("duplicate rules.yaml - alert: RemediationWatchdog",),
    ),
    # -- routes
    Planted(
        "an alert that no route brings to us",
        "alertmanager.yml",
        '"RevertToStable|RemoveMirrors"',
        '"RevertToStable"',
        (f"not-routed {MIRROR}",),
    ),
    Planted(
        "a heartbeat that no route brings to us",
        "alertmanager.yml",
        'remediation = "Heartbeat"',
        'remediation = "heartbeat"',
        ("not-routed rules.yaml - alert: RemediationWatchdog",),
    ),
    Planted(
        "an earlier route that takes it all",
        "alertmanager.yml",
        "  routes:\n",
        "  routes:\n    - {receiver: people, match_re: {severity: critical|warning}}\n",
        (f"not-routed {HARD_DOWN}", f"not-routed {SLOW}", f"not-routed {MIRROR}"),
    ),
    Planted(
        "a route that waits 5m",
        "alertmanager.yml",
        "      group_wait: 0s\n      group_interval: 30s\n",
        "      group_wait: 5m\n      group_interval: 30s\n",
        (f"too-slow {SLOW}", f"group-wait {ROUTE}"),
    ),
    Planted(
        "a route that groups",
        "alertmanager.yml",
        "      group_by: ['...']\n      group_wait: 0s\n      group_interval: 30s\n",
        "      group_wait: 0s\n      group_interval: 30s\n",
        (f"group-by {ROUTE}",),
    ),
    Planted(
        "a route that tries again after 5m",
        "alertmanager.yml",
        "      group_interval: 30s\n",
        "",
        (f"group-interval {ROUTE}",),
    ),
    Planted(
        "a route that repeats after 4h",
        "alertmanager.yml",
        "repeat_interval: 5m",
        "repeat_interval: 4h",
        (f"repeat-interval {ROUTE}",),
    ),
    Planted(
        "a route that tells nobody else",
        "alertmanager.yml",
        "      continue: true\n",
        "",
        (f"people-not-told {ROUTE}",),
    ),
    Planted(
        "continue: true, and no route behind it",
        "alertmanager.yml",
        "    - receiver: people\n",
        "",
        (f"people-not-told {ROUTE}",),
    ),
    Planted(
        "a route that is silent at times",
        "alertmanager.yml",
        "      continue: true\n",
        "      continue: true\n      mute_time_intervals: [nights]\n",
        (f"muted {ROUTE}",),
    ),
    Planted(
        "an inhibition that covers our alerts",
        "alertmanager.yml",
        "    equal: [namespace, alertname]\n",
        "    equal: [namespace]\n",
        ("inhibited alertmanager.yml - source_matchers: [severity = critical]",),
    ),
    Planted(
        "alerts that are cut off",
        "alertmanager.yml",
        "max_alerts: 0",
        "max_alerts: 10",
        (f"max-alerts {WEBHOOK}",),
    ),
    Planted(
        "no word when the fault is over",
        "alertmanager.yml",
        "send_resolved: true",
        "send_resolved: false",
        (f"send-resolved {WEBHOOK}",),
    ),
    Planted(
        "no token",
        "alertmanager.yml",
        "authorization: {credentials_file: /etc/alertmanager/secrets/remediator-token/token}",
        "follow_redirects: false",
        (f"no-authorization {WEBHOOK}",),
    ),
    Planted(
        "no receiver of ours",
        "alertmanager.yml",
        ":8080/webhook",
        ":8080/alerts",
        ("no-receiver alertmanager.yml",),
    ),
    Planted(
        "an alert for people that a policy takes up",
        "rules.yaml",
        "remediation: RevertToStable\n            window: 5m",
        "remediation: None\n            window: 5m",
        # Unless a route brings it to us, the policy has nothing to take up: see the next test.
        (),
    ),
    # -- files
    Planted(
        "an unknown key in a policy",
        "policies.yaml",
        "mode: Approve",
        "mdoe: Approve",
        ("policy policies.yaml mdoe: Approve",),
    ),
    Planted(
        "an unknown key in a rule",
        "rules.yaml",
        "keep_firing_for: 1m",
        "keep_firing: 1m",
        ("rules rules.yaml keep_firing: 1m",),
    ),
    Planted(
        "a receiver that is not there",
        "alertmanager.yml",
        "- name: people",
        "- name: peeple",
        ("alertmanager alertmanager.yml route:", "alertmanager alertmanager.yml - receiver: people"),
    ),
)


class TestPlantedFaults:
    def test_nothing_is_found_in_what_is_right(self) -> None:
        assert [] == told(*TRIO)

    @pytest.mark.parametrize("planted", [pytest.param(each, id=each.name) for each in PLANTED])
    def test_a_fault_is_found_and_nothing_else(self, planted: Planted) -> None:
        edit(planted.file, planted.old, planted.new)

        assert sorted(planted.expected) == sorted(told(*TRIO))

    def test_every_kind_of_finding_is_planted(self) -> None:
        found = {expected.split()[0] for planted in PLANTED for expected in planted.expected}
        assert {*Code} - {Code.ACTS_ON_NONE} == found

    def test_an_alert_that_asks_for_nothing_and_is_routed_to_a_policy(self) -> None:
        edit("rules.yaml", "remediation: RevertToStable\n            window: 5m", "remediation: None")
        edit("alertmanager.yml", 'remediation =~ "RevertToStable|RemoveMirrors"', 'alertname =~ ".*"')

        assert [f"acts-on-none {SLOW}"] == told(*TRIO)


class TestHints:
    """What to do is said in the words of the files."""

    @pytest.mark.parametrize(
        ("file", "old", "new", "hint"),
        [
            pytest.param(
                "policies.yaml", '"CanaryHardDown"', '"CanaryHardDwn"', "did you mean CanaryHardDown?", id="a name"
            ),
            pytest.param("policies.yaml", "severity =", "severty =", "did you mean severity?", id="a label"),
            pytest.param(
                "rules.yaml",
                "remediation: RemoveMirrors",
                "remediation: remove-mirrors",
                "did you mean RemoveMirrors?",
                id="another spelling",
            ),
            pytest.param(
                "policies.yaml", '"CanarySlow|CanaryLatencyShift"', '"CanaryLatencyShift|MirrorHardDown"',
                'closest is canary-slow: alertname=~"CanaryLatencyShift|MirrorHardDown" does not hold, '
                'alertname is "CanarySlow"',
                id="the policy that comes closest",
            ),
            pytest.param(
                "rules.yaml", SLOW_BY, "sum by (destination_service_name, destination_service_namespace, le) (",
                "the expression's result has destination_service_name, destination_service_namespace: keep it in "
                "by (…), group_left (…) or on (…)",
                id="what is left",
            ),
        ],
    )  # fmt: skip
    def test_the_next_step(self, file: str, old: str, new: str, hint: str) -> None:
        edit(file, old, new)

        assert hint in {finding["hint"] for finding in report(*TRIO)["findings"]}


ALERT = "        - alert: CanaryHardDown\n"
NEXT_GROUP = "    - name: mirror\n"


class TestTimes:
    def parts(self, alert: str, *more: str) -> dict[str, float]:
        (delay,) = (each for each in report(*TRIO, *more)["delays"] if each["alert"] == alert)
        return dict(delay["parts"]) | {"total": delay["seconds"]}

    def test_scrapes_window_evaluation_and_for_add_up(self) -> None:
        expected = {"scrapes": 30, "windows": 60, "evaluation": 15, "for": 15, "alertmanager": 0, "total": 120}
        assert expected == self.parts("CanaryHardDown")

    def test_what_is_recorded_in_another_group_is_older(self) -> None:
        edit(
            "rules.yaml",
            "        - alert: CanaryHardDown\n",
            "    - name: later\n      rules:\n        - alert: CanaryHardDown\n",
        )

        assert 60 + 15 == self.parts("CanaryHardDown")["windows"]

    def test_what_is_recorded_after_it_is_read_is_older_too(self) -> None:
        edit(
            "rules.yaml", 'version:errors:increase1m{kind="errors"} / ignoring (kind)', "later:errors / ignoring (kind)"
        )
        edit(
            "rules.yaml",
            "    - name: mirror\n",
            """        - record: later:errors
          expr: sum_over_time(version:errors:increase1m[2m])
    - name: mirror
""",
        )  # fmt: skip

        assert 60 + 120 + 15 == self.parts("CanaryHardDown")["windows"]

    def test_for_is_rounded_up_to_evaluations(self) -> None:
        edit("rules.yaml", "for: 15s\n", "for: 20s\n")

        assert 30 == self.parts("CanaryHardDown")["for"]

    def test_conditions_and_labels_of_zeroes_are_no_way_for_a_fault(self) -> None:
        conditions = (
            " and version:requests:increase1m offset 1h > 0"
            " unless sum_over_time(version:requests:increase1m[6h]) < 9"
            " or 0 * max_over_time(version:errors:increase1m[1h])"
        )
        edit("rules.yaml", CANARY_EXPR, CANARY_EXPR + conditions)

        assert 60 == self.parts("CanaryHardDown")["windows"]

    def test_what_is_compared_with_earlier_counts_from_now(self) -> None:
        edit("rules.yaml", CANARY_EXPR, "version:errors:increase1m - version:errors:increase1m offset 1h > 5")

        assert 60 == self.parts("CanaryHardDown")["windows"]

    def test_an_offset_alone_counts(self) -> None:
        edit("rules.yaml", CANARY_EXPR, "version:errors:increase1m offset 2m > 5")

        assert 60 + 120 == self.parts("CanaryHardDown")["windows"]

    def test_a_series_that_refers_to_itself_ends(self) -> None:
        edit("rules.yaml", CANARY_EXPR, "loop:errors > 5")
        edit(
            "rules.yaml",
            "    - name: mirror\n",
            "        - record: loop:errors\n          expr: loop:errors + 1\n    - name: mirror\n",
        )

        assert 15 == self.parts("CanaryHardDown")["windows"]

    def test_a_group_of_alertmanager_adds_its_interval(self) -> None:
        edit(
            "alertmanager.yml",
            "      group_by: ['...']\n      group_wait: 0s\n      group_interval: 30s\n",
            "      group_by: [namespace]\n",
        )

        assert 300 == self.parts("CanaryHardDown")["alertmanager"]

    def test_the_intervals_are_options(self) -> None:
        found = self.parts("MirrorHardDown", "--scrape-interval", "30s", "--evaluation-interval", "5m")
        assert (60, 30) == (found["scrapes"], found["evaluation"])

    def test_rules_of_one_name_are_judged_by_the_fastest(self) -> None:
        text = Path("rules.yaml").read_text(encoding="utf-8")
        slow = text[text.index("        - alert: CanarySlow\n") : text.index(NEXT_GROUP)]
        edit("rules.yaml", NEXT_GROUP, slow.replace("[5m]", "[1h]").replace("window: 5m", "window: 1h") + NEXT_GROUP)

        assert [] == told(*TRIO)
        assert [405, 3705] == [each["seconds"] for each in report(*TRIO)["delays"] if each["alert"] == "CanarySlow"]


class TestUnknownValues:
    """What nobody can know from files alone is not held against them."""

    def test_a_label_of_the_series_could_match(self) -> None:
        edit("policies.yaml", 'severity = "critical"', 'destination_service_name = "reviews"')

        assert [] == told(*TRIO)

    def test_a_label_that_the_aggregation_drops_cannot(self) -> None:
        edit("policies.yaml", 'severity = "critical"', 'destination_workload = "reviews"')

        assert sorted((f"unknown-label {MATCHERS}", f"no-policy {HARD_DOWN}")) == sorted(told(*TRIO))

    def test_a_label_that_prometheus_adds_could_match(self) -> None:
        edit("policies.yaml", 'severity = "critical"', 'cluster = "eu"')

        assert [] == told(*TRIO, "--external-label", "cluster")

    def test_a_template_could_match(self) -> None:
        edit("policies.yaml", "namespace !~", "namespace =~")

        assert [] == told(*TRIO)

    def test_a_label_of_several_values_keeps_a_policy_from_an_alert(self) -> None:
        """Each of its values does; were it absent, the matcher would hold."""
        edit("rules.yaml", CANARY_EXPR, f'label_replace({CANARY_EXPR}, "tier", "a", "", "") or {OF_TIER_B}')
        edit("policies.yaml", 'severity = "critical"', 'tier !~ "a|b"')
        finding, _no_alert = report(*TRIO)["findings"]

        assert ("no-policy", 'closest is canary-errors: tier!~"a|b" does not hold, tier is "a" or "b"') == (
            finding["code"],
            finding["hint"],
        )

    def test_a_label_that_no_alert_has_and_that_is_all_that_a_policy_says(self) -> None:
        edit("rules.yaml", "node_filesystem_avail_bytes < 1e9", "sum(node_filesystem_avail_bytes) < 1e9")
        edit("policies.yaml", 'remediation = "RemoveMirrors"', 'team = "shop"')
        assert [f"no-alert {MATCHERS}", f"no-policy {MIRROR}"] == sorted(told(*TRIO))

        edit("policies.yaml", 'team = "shop"', 'remedation = "RemoveMirrors"')
        assert [f"no-policy {MIRROR}", f"unknown-label {MATCHERS}"] == sorted(told(*TRIO))

    def test_groups_in_an_expression_are_not_taken_for_names(self) -> None:
        """`CanaryHardDown` is a part of the one name here, and nearly the other name that is there."""
        edit("rules.yaml", "- alert: CanarySlow", "- alert: MyCanarySlow")
        edit("policies.yaml", '"CanarySlow|CanaryLatencyShift"', '"My(Canary|CanarySlow|MyCanarySlo)"')

        assert [] == told(*TRIO)

    def test_an_inhibition_by_an_alert_that_it_could_also_be_for(self) -> None:
        """What matches both sides still keeps back what matches only the one of those that are kept back."""
        edit(
            "rules.yaml",
            "        - alert: disk_full\n          expr: node_filesystem_avail_bytes < 1e9\n",
            SLOW_TOO,
        )
        edit(
            "alertmanager.yml",
            "target_matchers: [severity = warning]",
            "target_matchers: [severity =~ critical|warning]",
        )

        assert ["inhibited alertmanager.yml - source_matchers: [severity = critical]"] == told(*TRIO)

    def test_an_alert_that_says_nothing_and_that_a_policy_takes_is_ours_too(self) -> None:
        """Of metrics that are not Istio's: whoever names it in a policy wants it to have the labels, and to come."""
        edit("policies.yaml", '"CanarySlow|CanaryLatencyShift"', '"CanarySlow|disk_full"')
        edit("policies.yaml", '    - namespace !~ "kube-.*"\n', "")
        edit("rules.yaml", "node_filesystem_avail_bytes < 1e9", "sum by (destination_version) (node_x) < 1e9")

        assert [f"label-dropped {DISK_FULL}", f"not-routed {DISK_FULL}"] == told(*TRIO)

    @pytest.mark.parametrize(
        "rule",
        [
            pytest.param("{alert: disk_full, expr: 'node_x < 2'}", id="a name twice"),
            pytest.param("{alert: disk, expr: 'node_x < 2', labels: {left: '{{ $value }}'}}", id="a value in a label"),
            pytest.param(
                "{alert: disk, expr: 'sum (node_x) < 2', annotations: {s: '{{ $labels.a }}'}}", id="a template"
            ),
            pytest.param("{alert: disk, expr: 'rate(node_x[30s]) > 2'}", id="a short window"),
            pytest.param("{alert: disk, expr: 'sum(node_bucket) > 2'}", id="buckets without le"),
            pytest.param(
                "{alert: disk, expr: 'sum by (tag) (istio_build) > 1', for: 1h}", id="about Istio's own processes"
            ),
            pytest.param('{record: a:b, expr: \'x{a="1"} / x{a="2"}\'}', id="sides that never match"),
        ],
    )
    def test_of_rules_that_are_no_business_of_ours_nothing_is_asked(self, rule: str) -> None:
        text = Path("rules.yaml").read_text(encoding="utf-8")
        Path("rules.yaml").write_text(f"{text}        - {rule}\n", encoding="utf-8")

        assert [] == told(*TRIO)

    def test_what_is_recorded_for_an_alert_of_ours_is_our_business(self) -> None:
        edit("rules.yaml", "vector(1)", "a:b > 1")
        text = Path("rules.yaml").read_text(encoding="utf-8")
        Path("rules.yaml").write_text(f"{text}        - {{record: 'a:b', expr: 'rate(x[30s])'}}\n", encoding="utf-8")

        assert ["window-too-short rules.yaml - {record: 'a:b', expr: 'rate(x[30s])'}"] == told(*TRIO)

    def test_alerts_that_are_no_business_of_ours_only_have_to_be_promql(self) -> None:
        """`disk_full` has no label, no annotation and a name of its own kind."""
        edit("rules.yaml", "node_filesystem_avail_bytes < 1e9", "node_filesystem_avail_bytes < ")

        assert ["promql rules.yaml - alert: disk_full"] == told(*TRIO)

    def test_routes_that_may_match_do_not_end_the_search(self) -> None:
        edit("alertmanager.yml", "  routes:\n", "  routes:\n    - {receiver: people, match: {namespace: shop}}\n")

        assert [] == told(*TRIO)

    def test_routes_nest_and_inherit(self) -> None:
        routes = Path("alertmanager.yml").read_text(encoding="utf-8")
        nested = routes.replace(
            "      group_wait: 0s\n      group_interval: 30s\n      repeat_interval: 5m\n",
            "      group_wait: 0s\n      group_interval: 30s\n      repeat_interval: 5m\n"
            "      routes: [{match: {severity: critical}}]\n",
        )
        Path("alertmanager.yml").write_text(nested, encoding="utf-8")

        assert [] == told(*TRIO)

    def test_our_receiver_may_have_another_path_if_it_is_named(self) -> None:
        edit("alertmanager.yml", ":8080/webhook", ":8080/v1/alerts")

        assert [] == told(*TRIO, "--receiver", "remediator")
        assert ["no-receiver alertmanager.yml"] == told(*TRIO, "--receiver", "remedy")
        assert ["no-receiver alertmanager.yml - name: people"] == told(*TRIO, "--receiver", "people")

    def test_another_receiver_may_listen_at_the_same_path(self) -> None:
        people = "  - name: people\n"
        edit("alertmanager.yml", people, people + "    webhook_configs: [{url: http://chat/webhook}]\n")

        assert [] == told(*TRIO)
        assert "group-by alertmanager.yml - receiver: people" in told(*TRIO, "--receiver", "people")

    def test_a_label_that_only_prometheus_could_have_added(self) -> None:
        edit("alertmanager.yml", '"RevertToStable|RemoveMirrors"', '"RevertToStable|RemoveMirrors", cluster = eu')
        hints = {each["hint"] for each in report(*TRIO)["findings"]}

        assert {
            'add a route to remediator with the matcher remediation="RevertToStable"; '
            "or say --external-label cluster, if Prometheus adds cluster to every alert",
            'add a route to remediator with the matcher remediation="RemoveMirrors"; '
            "or say --external-label cluster, if Prometheus adds cluster to every alert",
        } == hints
        assert [] == told(*TRIO, "--external-label", "cluster")


class TestCommand:
    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            pytest.param(TRIO, 0, id="nothing found"),
            pytest.param(("policies.yaml",), 0, id="policies alone, as an argument"),
            pytest.param((".", "--ignore", "policy"), 0, id="a folder, of which a kind of finding is left out"),
            pytest.param(("--rules", "rules.yaml"), 0, id="rules alone"),
            pytest.param(("--alertmanager", "alertmanager.yml"), 0, id="routes alone"),
            pytest.param(("--rules", "rules.yaml", "--max-delay", "1m"), 2, id="findings"),
            pytest.param((), 1, id="nothing to check"),
            pytest.param(("missing.yaml",), 1, id="a file that is not there"),
            pytest.param(("--rules", "policies"), 1, id="a folder that is not there"),
            pytest.param(("policies.yaml", "--max-delay", "soon"), 1, id="no duration"),
            pytest.param((*TRIO, "--evaluation-interval", "0s"), 1, id="an interval of no time"),
            pytest.param((*TRIO, "--by-folder"), 1, id="several sets of policies beside rules"),
            pytest.param(("policies.yaml", "--ignore", "everything"), 1, id="no kind of finding"),
        ],
    )
    def test_exit_codes(self, arguments: tuple[str, ...], code: int) -> None:
        assert code == run(*arguments).exit_code

    def test_all_that_cannot_be_read_is_told_at_once(self) -> None:
        Path("empty").mkdir()
        Path("latin.yaml").write_bytes(b"\xe4: 1\n")
        found = run("empty", "missing.yaml", "--rules", "latin.yaml")

        assert [
            "error: empty: no *.yaml or *.yml in it",
            "error: missing.yaml: cannot be read: No such file or directory",
            "error: latin.yaml: cannot be read: not UTF-8",
        ] == found.stderr.splitlines()
        assert (1, "") == (found.exit_code, found.stdout)

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            pytest.param(
                ("--rules", "rules.yaml", "rules.yaml", "--policies", "policies.yaml"),
                "rules.yaml: holds rules, and is taken for policies; say --rules before each, or name the folder",
                id="more rule files than the option takes",
            ),
            pytest.param(
                ("--alertmanager", "."),
                "--alertmanager .: a folder; give the file that Alertmanager is started with",
                id="a folder of Alertmanager's",
            ),
        ],
    )
    def test_what_was_given_in_the_wrong_place(self, arguments: tuple[str, ...], told: str) -> None:
        assert (1, f"error: {told}\n") == (run(*arguments).exit_code, run(*arguments).stderr)

    def test_series_that_are_recorded_from_each_other_without_end(self) -> None:
        rules = [{"record": f"r{number}", "expr": f"sum(r{number + 1})"} for number in range(2_000)]
        Path("rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "deep", "rules": rules}]}), encoding="utf-8")
        found = run("--rules", "rules.yaml")

        told = "error: --rules: series are recorded from each other in too many steps to be followed"
        assert (1, told) == (found.exit_code, found.stderr.strip())

    def test_folders_are_not_searched_deeper(self) -> None:
        for kind, name in (("policies", "policies.yaml"), ("rules", "rules.yaml")):
            (Path(kind) / "tests").mkdir(parents=True)
            Path(name).rename(Path(kind) / name)
            (Path(kind) / "tests" / "canary.yaml").write_text("alert: {}\n", encoding="utf-8")

        assert [] == told("policies", "--rules", "rules", "--alertmanager", "alertmanager.yml")

    def test_policies_of_another_folder_may_have_the_same_names(self) -> None:
        """A commit that changes both sets gives the hook their files together."""
        for folder in ("production", "development"):
            Path(folder).mkdir()
            shutil.copy("policies.yaml", Path(folder) / "canary.yaml")
        files = ("production/canary.yaml", "development/canary.yaml")

        assert 3 == len(told(*files))
        assert [] == told(*files, "--by-folder")
        assert 3 == len(told("production", "production/canary.yaml", "--by-folder"))

    def test_every_fault_of_all_policy_files(self) -> None:
        files = sorted((ROOT / "tests" / "bad_policies").glob("*.yaml"))
        findings = report(*map(str, files))["findings"]

        assert set(map(str, files)) == {each["file"] for each in findings}
        assert {"policy"} == {each["code"] for each in findings}
        assert [] == [each for each in findings if re.match(r"line \d+: ", each["message"])]

    def test_faults_of_files_keep_them_from_being_compared_and_that_is_said(self) -> None:
        edit("rules.yaml", "keep_firing_for: 1m", "keep_firing: 1m")
        found = run(*TRIO)

        assert "Alerts and policies were not compared" in found.stdout
        assert 2 == found.exit_code

    def test_the_text_is_one_line_a_finding_then_the_times_and_a_sum(self) -> None:
        edit("rules.yaml", "for: 15s\n", "for: 10m\n")
        edit("rules.yaml", "alert: MirrorHardDown", "alert: mirror_hard_down")

        assert [
            "rules.yaml:25: error: alert CanaryHardDown: takes up to 11m45s from fault to remediation: 30s scrapes + "
            "1m windows + 15s evaluation + 10m for (make for and the window shorter, or allow more than 10m with "
            "--max-delay) [too-slow]",
            "rules.yaml:56: warning: alert mirror_hard_down: the name is not CamelCase (write it as CanaryHardDown) "
            "[alert-name]",
            "",
            "Worst time from a fault to its remediation:",
            "  CanaryHardDown (1m)      11m45s  = 30s scrapes + 1m windows + 15s evaluation + 10m for",
            "  CanarySlow (5m)           6m45s  = 30s scrapes + 5m windows + 15s evaluation + 1m for",
            "  mirror_hard_down (2m)        3m  = 30s scrapes + 2m windows + 30s evaluation",
            "",
            "1 error and 1 warning in 2 files.",
        ] == run(*POLICIES_AND_RULES).stdout.splitlines()

    def test_json_says_the_same(self) -> None:
        edit("rules.yaml", "alert: MirrorHardDown", "alert: mirror_hard_down")

        assert {
            "code": "alert-name",
            "level": "warning",
            "file": "rules.yaml",
            "line": 56,
            "subject": "alert mirror_hard_down",
            "message": "the name is not CamelCase",
            "hint": "write it as CanaryHardDown",
        } == report(*POLICIES_AND_RULES)["findings"][0]

    def test_annotations_of_github(self) -> None:
        edit("rules.yaml", "alert: MirrorHardDown", "alert: mirror_hard_down")

        assert [
            "::warning file=rules.yaml,line=56,title=alert-name%3A alert mirror_hard_down::"
            "the name is not CamelCase (write it as CanaryHardDown)",
            "1 warning in 2 files.",
        ] == run(*POLICIES_AND_RULES, "-o", "github").stdout.splitlines()

    def test_an_annotation_cannot_be_broken_out_of(self) -> None:
        """What GitHub's runner reads as the end of a property, of the command, or as another command."""
        where = Where("a,b:c.yaml", 0, "alert 100%,\n::set-output name=x::y")
        found = annotation(Finding(Code.PROMQL, where, "50 % of\r\n::error::\x1b[2J"))

        assert (
            "::error file=a%2Cb%3Ac.yaml,title=promql%3A alert 100%25%2C%0A%3A%3Aset-output name=x%3A%3Ay::"
            "50 %25 of%0D%0A::error::\\x1b[2J"
        ) == found


POLICY_SETS = sorted(path for path in (ROOT / "policies").iterdir() if path.is_dir())


class TestShipped:
    @pytest.mark.parametrize("policies", [pytest.param(path, id=path.name) for path in POLICY_SETS])
    def test_nothing_is_found_in_what_we_ship_and_show(self, policies: Path) -> None:
        page = (ROOT / "docs" / "alertmanager.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        (route,) = (block for block in blocks if block.startswith("route:") and "webhook_configs" in block)
        Path("alertmanager.yml").write_text(route, encoding="utf-8")
        shipped = ("--policies", str(policies), "--rules", str(ROOT / "rules"))

        assert [] == report(*shipped, "--alertmanager", "alertmanager.yml")["findings"]

    @pytest.mark.parametrize(
        "options",
        [
            pytest.param((), id="as they are committed"),
            pytest.param(("--plain", "--native-histograms"), id="plain, with native histograms"),
            pytest.param(("--live-reporter", "waypoint", "--namespaces", "shop-.*"), id="of an ambient mesh"),
            pytest.param(("--alert-label", "team=shop", "--without", "CanaryHardDown"), id="of one team"),
        ],
    )
    def test_nothing_is_found_in_what_is_rendered(self, options: tuple[str, ...]) -> None:
        rendered = CliRunner().invoke(program, ["rules", "render", "mesh-wide", *options])
        Path("rules.yaml").write_text(rendered.stdout, encoding="utf-8")

        assert [] == told("--policies", str(ROOT / "policies" / "production"), "--rules", "rules.yaml")

    def test_names_of_other_rules_may_stand_beside_ours(self) -> None:
        """Who has both sets of rules writes one policy for both; who has one of them has no fault in it."""
        edit("policies.yaml", '"CanarySlow|CanaryLatencyShift"', '"CanarySlow|PerformanceDegradationInCanary"')

        assert [] == told(*TRIO)


class TestReference:
    """Files beside the repository."""

    @pytest.fixture(autouse=True)
    def reference(self) -> None:
        if not REFERENCE.is_dir():
            pytest.skip(f"{REFERENCE.name} is not there; it belongs in {REFERENCE.parent}")

    def test_each_of_the_naive_rules_is_told_what_is_wrong_with_it(self) -> None:
        """Which is the negative of this list: what nobody found wrong would be missing from it."""
        findings = report("--rules", str(REFERENCE / "naive-rules.yaml"))["findings"]
        found = {
            subject.removeprefix("alert "): {each["code"] for each in group}
            for subject, group in itertools.groupby(findings, lambda each: each["subject"])
        }
        common = {"remediation-missing", "per-series", "annotations", "too-slow"}

        assert {
            "HighErrorRateInCanary": common | {"reporter"},
            "PerformanceDegradationInCanary": common | {"reporter", "never-matches"},
            "HighMirrorErrorRate": common | {"unknown-metric"},
            "HighCanaryErrorRate": common | {"reporter", "never-matches"},
        } == found

    def test_a_route_by_severity_forgets_the_warnings(self) -> None:
        """The reference route brings people the critical alerts only, and `continue` never leads back to the top."""
        text = (REFERENCE / "alertmanager.yml").read_text(encoding="utf-8")
        Path("alertmanager.yml").write_text(
            text.replace("revert-to-stable|remove-mirror", "RevertToStable|RemoveMirrors").replace(
                '"heartbeat"', '"Heartbeat"'
            ),
            encoding="utf-8",
        )
        (finding,) = report(*TRIO, "--receiver", "remediator")["findings"]

        assert ("people-not-told", "nobody but us hears of CanarySlow") == (finding["code"], finding["message"])


# -- the page


def test_every_kind_of_finding_is_explained_and_no_other() -> None:
    page = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|warning) \| \S.* \|$", page, re.MULTILINE)

    assert [(str(code), str(code.level)) for code in Code] == rows


# -- where it is called from


def hooks() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("hook", [pytest.param(each, id=each["id"]) for each in hooks()])
def test_a_hook_calls_a_command_that_takes_its_arguments(hook: dict[str, Any]) -> None:
    name, *words = shlex.split(hook["entry"])
    given = list(hook.get("args", ())) + (["policies.yaml"] if hook.get("pass_filenames", True) else [])
    for kind, file in (("policies", "policies.yaml"), ("rules", "rules.yaml")):
        Path(kind).mkdir()
        (Path(kind) / file).write_text(Path(file).read_text(encoding="utf-8"), encoding="utf-8")

    assert ("remediator", "python") == (name, hook["language"])
    assert 0 == CliRunner().invoke(program, [*words, *given]).exit_code


@pytest.mark.parametrize(
    ("path", "policies", "agreement"),
    [
        pytest.param("policies/canary.yaml", True, True, id="a policy"),
        pytest.param("policies/production/canary.yml", True, True, id="a policy in a folder"),
        pytest.param("policies/production/tests/canary.yaml", False, False, id="a test of policies"),
        pytest.param("rules/mesh.yaml", False, True, id="a rule file"),
        pytest.param("README.md", False, False, id="something else"),
    ],
)
def test_which_files_call_which_hook(path: str, policies: bool, agreement: bool) -> None:
    def called(hook: dict[str, Any]) -> bool:
        return bool(re.search(hook["files"], path)) and not re.search(hook["exclude"], path)

    assert [policies, agreement] == list(map(called, hooks()))


ACTION = ROOT / "action.yml"


def steps() -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]


def test_the_action_gives_inputs_by_the_environment_alone() -> None:
    """An expression within a script is replaced before the shell reads it, and whoever writes the input writes code."""
    assert "composite" == yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["using"]
    assert [] == [step["name"] for step in steps() if "${{" in step.get("run", "")]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        pytest.param({"paths": "policies\nmore/*.yaml"}, ["policies", "more/*.yaml"], id="paths"),
        pytest.param(
            {"rules": "rules", "policies": "a\nb", "alertmanager": "alertmanager.yml", "arguments": "--max-delay\n5m"},
            [
                "--policies",
                "a",
                "--policies",
                "b",
                "--rules",
                "rules",
                "--alertmanager",
                "alertmanager.yml",
                "--max-delay",
                "5m",
            ],
            id="all of them",
        ),
        pytest.param({"paths": "a b\n$(exit 7)\n\n"}, ["a b", "$(exit 7)"], id="what a shell obeys"),
    ],
)
def test_the_action_calls_check_with_its_inputs(inputs: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    """Its own script, run by bash with a `remediator` that writes down what it is called with."""
    (step,) = (step for step in steps() if "remediator check" in step.get("run", ""))
    names = {name: re.sub(r"\$\{\{ *inputs\.([\w-]+) *\}\}", r"\1", text) for name, text in step["env"].items()}
    stand_in = tmp_path / "bin" / "remediator"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\nprintf "%s\\0" "$@" > called\n', encoding="utf-8")
    stand_in.chmod(0o755)
    subprocess.run(
        [step["shell"], "-c", step["run"]],
        env={"PATH": f"{stand_in.parent}:/usr/bin:/bin"} | {name: inputs.get(key, "") for name, key in names.items()},
        cwd=tmp_path,
        check=True,
        timeout=30,
    )

    called = (tmp_path / "called").read_text(encoding="utf-8").rstrip("\0").split("\0")
    assert ["check", "-o", "github", *expected] == called


# -- the files that are right are right for others too


@pytest.mark.servers
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        pytest.param("amtool", ("check-config", "alertmanager.yml"), id="amtool takes the routes"),
        pytest.param("promtool", ("check", "rules", "--lint=all", "plain.yaml"), id="promtool takes the rules"),
    ],
)
def test_what_is_right_here_is_right_for_prometheus(tool: str, arguments: tuple[str, ...]) -> None:
    rules = yaml.safe_load(Path("rules.yaml").read_text(encoding="utf-8"))
    Path("plain.yaml").write_text(yaml.safe_dump(rules["spec"]), encoding="utf-8")
    try:
        path = binary("PROMETHEUS_BIN_DIR", tool)
    except Missing as missing:
        pytest.skip(str(missing))
    done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_levels_are_those_of_github() -> None:
    assert {"error", "warning"} == {*Level}
