"""The shipped rules: the files are what is rendered, each parameter counts, and labels are what policies need."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from remediator.cli.main import program
from remediator.errors import InputError
from remediator.policies.quantities import parse_duration
from remediator.rules.model import AlertingRule, RecordingRule, RuleFile
from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.render import FILES, alert_names, render
from remediator.rules.writing import plain_yaml, to_object, to_yaml
from tests.definitions import CRDS, crds
from tests.processes import Missing, binary
from tests.servers import ApiServer

RULES = Path(__file__).parents[1] / "rules"
TARGET = {"destination_service_name", "destination_service_namespace", "destination_version"}

MESH, OURS = render(Parameters())

Json = dict[str, Any]


def alerts(file: RuleFile) -> Iterator[AlertingRule]:
    return (alert for group in file.groups for alert in group.alerts)


def recorded(file: RuleFile, name: str) -> str:
    """The expression that a series is recorded by."""
    rules = [rule for group in file.groups for rule in group.rules]
    [expression] = [rule.expr for rule in rules if isinstance(rule, RecordingRule) and rule.record == name]
    return expression


def expressions(file: RuleFile) -> Iterator[str]:
    return (rule.expr for group in file.groups for rule in group.rules)


each_alert = pytest.mark.parametrize(
    "alert", [pytest.param(alert, id=f"{alert.alert} {alert.labels['window']}") for alert in alerts(MESH)]
)


# -- the files


def test_the_files_are_what_is_rendered() -> None:
    rendered = {f"{file.name}.yaml": to_yaml(file) for file in render(Parameters())}
    assert rendered == {path.name: path.read_text(encoding="utf-8") for path in RULES.glob("*.yaml")}


def test_the_files_say_how_they_came_about() -> None:
    for name in FILES:
        assert "# Rendered by `remediator rules render`." in (RULES / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.servers
def test_a_real_api_server_takes_the_files_as_they_are(api_server: ApiServer) -> None:
    api_server.install(crds(CRDS / "prometheus-operator-prometheusrules.yaml", "prometheusrules"))
    api_server.namespace("monitoring")
    path = "/apis/monitoring.coreos.com/v1/namespaces/monitoring/prometheusrules"
    for name in FILES:
        body = yaml.safe_load((RULES / f"{name}.yaml").read_text(encoding="utf-8"))
        answer = api_server.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", body)
        assert body["spec"] == answer["spec"]


@pytest.mark.servers
@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(Parameters(), id="as shipped"),
        pytest.param(Parameters(native_histograms=True), id="native histograms"),
        pytest.param(Parameters(scrape_interval=60), id="a scrape a minute"),
        pytest.param(Parameters(mirror_reporter="", namespaces="shop-.*|web", live_reporter="waypoint"), id="ambient"),
        pytest.param(
            Parameters(failing_codes=r"5\d\d", namespaces=r"shop-\d+"), id="regular expressions with a backslash"
        ),
    ],
)
def test_promtool_takes_what_is_rendered(parameters: Parameters, tmp_path: Path) -> None:
    try:
        promtool = binary("PROMETHEUS_BIN_DIR", "promtool")
    except Missing as missing:
        pytest.skip(str(missing))
    files = []
    for file in render(parameters):
        files.append(tmp_path / f"{file.name}.yaml")
        files[-1].write_text(plain_yaml(file), encoding="utf-8")
    done = subprocess.run(
        [promtool, "check", "rules", "--lint=all", "--lint-fatal", *files], capture_output=True, check=False
    )
    assert (0, b"") == (done.returncode, done.stderr)


# -- labels and annotations


@each_alert
def test_an_alert_adds_what_its_series_do_not_have(alert: AlertingRule) -> None:
    named = {"destination_version"} & set(alert.labels)
    assert {"namespace", "remediation", "severity", "window"} | named == set(alert.labels)
    assert "{{ $labels.destination_service_namespace }}" == alert.labels["namespace"]


@each_alert
def test_an_alert_that_names_no_version_asks_for_nothing(alert: AlertingRule) -> None:
    if "destination_version" in alert.labels:
        assert ("unknown", "None") == (alert.labels["destination_version"], alert.labels["remediation"])


@pytest.mark.parametrize("alert", [*alerts(MESH), *alerts(OURS)], ids=lambda alert: alert.alert)
def test_an_alert_is_annotated_for_a_person(alert: AlertingRule) -> None:
    assert {"summary", "description", "runbook_url"} == set(alert.annotations)
    assert alert.annotations["runbook_url"].endswith(f"/{alert.alert.lower()}")
    assert "$value" not in "".join(alert.labels.values())


def test_what_asks_for_what() -> None:
    asked = {(alert.alert, alert.labels["remediation"]) for alert in (*alerts(MESH), *alerts(OURS))}
    assert {
        "RevertToStable": {
            "CanaryHardDown",
            "CanaryErrorRatioAboveStable",
            "CanaryUnreachable",
            "CanarySlowRatioAboveStable",
        },
        "RemoveMirrors": {"MirrorHardDown", "MirrorErrorRatioAboveStable", "StableDegradedWhileMirroring"},
        "Heartbeat": {"RemediationWatchdog"},
    } == {
        wanted: {name for name, remediation in asked if remediation == wanted}
        for wanted in ("RevertToStable", "RemoveMirrors", "Heartbeat")
    }


def test_every_window_accuses() -> None:
    windows = {
        name: [alert.labels["window"] for alert in alerts(MESH) if alert.alert == name]
        for name in ("CanaryErrorRatioAboveStable", "MirrorErrorRatioAboveStable")
    }
    # A mirror's first window is twice as long as a canary's: nobody waits for its answers.
    assert {
        "CanaryErrorRatioAboveStable": ["1m", "2m", "10m", "1h"],
        "MirrorErrorRatioAboveStable": ["2m", "10m", "1h"],
    } == windows


# -- parameters


CHANGES: Json = {
    "live_reporter": "waypoint",
    "mirror_reporter": "",
    "namespaces": "shop",
    "scrape_interval": 30,
    "native_histograms": True,
    "failing_codes": "5..|429",
    "failing_grpc": "14",
    "score": 5.5,
    "min_errors": 7,
    "min_sibling_requests": 77,
    "max_dispersion": 5.5,
    "effect_short": 0.07,
    "effect_long": 0.07,
    "effect_relative": 0.7,
    "hard_down_effect": 0.77,
    "hard_down_requests": 77,
    "failing_ratio": 0.07,
    "live_share": 0.77,
    "harm_factor": 7.0,
    "harm_effect": 0.07,
    "harm_errors": 77,
    "harm_shift": 0.77,
    "slow_ms": 1000,
    "slow_effect": 0.07,
    "shift_buckets_ms": (100, 2500),
    "shift_effect": 0.77,
    "shift_score": 7.0,
    "shift_requests": 77,
    "job": "other",
    "severities": {"CanaryHardDown": "warning"},
    "remediations": {"CanaryLatencyShift": "RevertToStable"},
    "without": frozenset({"CanaryWithoutTraffic"}),
    "alert_labels": {"team": "mesh"},
    "labels": {"release": "kube-prometheus-stack"},
    "runbooks": "https://wiki.test/",
}


def test_every_parameter_is_tried() -> None:
    assert [each.name for each in fields(Parameters)] == list(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_a_parameter_changes_what_it_is_about_and_nothing_breaks(name: str) -> None:
    changed = render(Parameters(**{name: CHANGES[name]}))
    assert (MESH, OURS) != changed
    if isinstance(CHANGES[name], float):
        assert any(f"{CHANGES[name]:g}" in text for file in changed for text in expressions(file))


@pytest.mark.parametrize("scrape", [5, 10, 15, 20, 30, 60])
def test_a_window_holds_at_least_four_scrapes(scrape: int) -> None:
    for file in render(Parameters(scrape_interval=scrape)):
        for expression in expressions(file):
            for span in re.findall(r"\[(\w+)\]", expression):
                assert parse_duration(span).total_seconds() >= 4 * scrape


@pytest.mark.parametrize(("scrape", "minutes", "before"), [(5, 6, "1m"), (15, 6, "1m"), (30, 9, "2m"), (60, 15, "4m")])
def test_what_waits_for_windows_waits_as_long_as_they_are(scrape: int, minutes: int, before: str) -> None:
    """Else at slow scrapes remediations that worked count as not effective, and young live versions as mirrors."""
    mesh, ours = render(Parameters(scrape_interval=scrape))
    [waits] = [alert for alert in alerts(ours) if alert.alert == "RemediationNotEffective"]
    mirrored = recorded(mesh, "mesh_inbound_version:mirrored")
    assert (timedelta(minutes=minutes), f"{minutes}m") == (waits.wait, waits.labels["window"])
    assert {before} == set(re.findall(r"offset (\w+)", mirrored))


@pytest.mark.parametrize("scrape", [5, 10, 15, 20, 30, 60])
def test_a_group_finds_what_another_records(scrape: int) -> None:
    """A range of one interval may end just before a sample is written; Prometheus looks back five minutes, no more."""
    mesh, _ = render(Parameters(scrape_interval=scrape))
    every = {rule.record: group for group in mesh.groups for rule in group.rules if isinstance(rule, RecordingRule)}
    for reader in mesh.groups:
        for text in (rule.expr for rule in reader.rules):
            for name, span in re.findall(r"\b(mesh_\w+:[\w:]+)(?:\[(\w+)\])?", text):
                interval = every[name].interval
                assert interval is not None
                if every[name] is not reader:
                    assert timedelta(minutes=5) > interval
                    assert parse_duration(span or "10m") >= 2 * interval


def test_the_parts_of_a_share_are_counted_at_the_same_moment() -> None:
    """Groups look at different moments: between them traffic grows, and promtool, which knows one, would not see it."""
    [group] = [group for group in MESH.groups if group.name == "mesh-latency-shift"]
    counted = {rule.record for rule in group.rules if isinstance(rule, RecordingRule)}
    read = {name for rule in group.rules for name in re.findall(r"\bmesh_live_\w+:\w+:increase5m", rule.expr)}
    assert "mesh_live_version:below:increase5m" in read
    assert read <= counted


def test_an_idle_version_has_no_share_of_native_histograms() -> None:
    """`histogram_fraction` is NaN for no observations, and sums over versions would be NaN with it."""
    mesh, _ = render(Parameters(native_histograms=True))
    slow = recorded(mesh, "mesh_live_version:slow:increase5m")
    assert re.search(r"\(histogram_count\(.+\) > 0\) \* histogram_fraction\(0, 500, ", slow)


def test_an_alert_that_names_no_version_asks_for_nothing_whatever_is_set() -> None:
    mesh, _ = render(Parameters(remediations={"CanaryUnreachable": "RemoveMirrors"}))
    asked = [alert.labels["remediation"] for alert in alerts(mesh) if alert.alert == "CanaryUnreachable"]
    assert ["RemoveMirrors", "None"] == asked


@pytest.mark.parametrize("name", alert_names())
def test_an_alert_can_be_left_out(name: str) -> None:
    rendered = render(Parameters(without=frozenset({name})))
    left = {alert.alert for file in rendered for alert in alerts(file)}
    assert set(alert_names()) - {name} == left


def test_without_mirrors_nothing_is_asked_of_the_other_reporter() -> None:
    mesh, ours = render(Parameters(mirror_reporter=""))
    assert not [
        text for text in (*expressions(mesh), *expressions(ours)) if "inbound" in text or 'destination"' in text
    ]


def test_every_recorded_series_that_is_used_is_recorded() -> None:
    recorded = {rule.record for group in MESH.groups for rule in group.rules if isinstance(rule, RecordingRule)}
    used = {name for text in (*expressions(MESH), *expressions(OURS)) for name in re.findall(r"\bmesh_[\w:]+", text)}
    assert used <= recorded
    assert recorded - used == set()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param(
            {"scrape_interval": 45}, "--scrape-interval is 5, 6, 10", id="no whole number of them in a minute"
        ),
        pytest.param({"scrape_interval": 0}, "--scrape-interval is 5, 6, 10", id="no interval"),
        pytest.param({"score": -1.0}, "--score is a number above 0, not -1", id="a score below zero"),
        pytest.param({"score": float("nan")}, "--score is a number above 0, not nan", id="no number"),
        pytest.param(
            {"effect_short": 2.0}, "--effect-short is a share between 0 and 1, not 2", id="points for a share"
        ),
        pytest.param({"failing_codes": ""}, "--failing-codes may not be empty", id="nothing is a failure"),
        pytest.param({"failing_codes": "5.("}, "--failing-codes is no regular expression", id="a broken regex"),
        pytest.param(
            {"namespaces": "(?!kube-).+"}, "--namespaces is a regular expression that Prom", id="a look ahead"
        ),
        pytest.param(
            {"failing_codes": r"(5)0\1"}, "--failing-codes is a regular expression that Prom", id="a look back"
        ),
        pytest.param({"namespaces": 'a"b'}, "--namespaces may not hold a quotation mark", id="a quotation mark"),
        pytest.param({"live_reporter": "a b"}, "--live-reporter is a word", id="no word"),
        pytest.param({"severities": {"CanaryHardDown": "page"}}, "--severity is one of critical", id="a severity"),
        pytest.param({"remediations": {"CanaryHardDown": "Heal"}}, "--remediation is one of Revert", id="an action"),
        pytest.param({"alert_labels": {"a-b": "c"}}, "--alert-label names a label", id="no name of a label"),
        pytest.param({"alert_labels": {"namespace": "c"}}, "--alert-label may not be namespace", id="a label of ours"),
        pytest.param({"shift_buckets_ms": ()}, "--shift-buckets-ms is at least one number", id="no bounds"),
        pytest.param(
            {"remediations": {"RemediatorDown": "RevertToStable"}},
            "--remediation: RemediatorDown accuses no version",
            id="an action of an alert about ourselves",
        ),
        pytest.param({"without": frozenset({"Nobody"})}, "--without: there is no alert Nobody", id="no such alert"),
    ],
)
def test_a_wrong_value_is_told(wrong: Json, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        render(Parameters(**wrong))


# -- the command


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["rules", "render", *arguments])


def test_without_a_name_both_are_printed() -> None:
    printed = list(yaml.safe_load_all(run().stdout))
    assert [to_object(file) for file in render(Parameters())] == printed


def test_one_is_printed_by_its_name() -> None:
    assert to_yaml(OURS) == run("remediator").stdout


def test_flags_are_parameters() -> None:
    flags = (
        "--label",
        "release=stack",
        "--severity",
        "CanaryHardDown=info",
        "--shift-buckets-ms",
        "50,100",
        "--score",
        "6",
    )
    expected = Parameters(
        labels={"release": "stack"}, severities={"CanaryHardDown": "info"}, shift_buckets_ms=(50, 100), score=6
    )
    assert to_yaml(render(expected)[0]) == run("mesh-wide", *flags).stdout


def test_files_are_written_to_a_folder_that_is_made(tmp_path: Path) -> None:
    result = run("--plain", "--to", str(tmp_path / "new"))
    assert 0 == result.exit_code
    written = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "new").iterdir()}
    assert {file.name: plain_yaml(file) for file in render(Parameters())} == written


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["mesh"], "there are no rules 'mesh'; there are mesh-wide and remediator", id="an unknown name"),
        pytest.param(["--plain"], "a plain rule file is one document", id="two plain files in one stream"),
        pytest.param(["--label", "release"], "'release' is not NAME=VALUE", id="half a pair"),
        pytest.param(["--shift-buckets-ms", "a,b"], "is no list of whole numbers", id="no numbers"),
        pytest.param(["--to", "/dev/null/x"], "cannot write to /dev/null/x", id="no folder"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_told(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert 1 == result.exit_code
    assert said in result.stderr
