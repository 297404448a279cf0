"""Each file of `rules/` is one that Prometheus takes, and each alert in it has what the documents promise."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.processes import Missing, binary
from tests.rule_scenarios.firing import CATALOGUE
from tests.rule_scenarios.promtool import Json, spec_of

FILES = sorted((Path(__file__).parents[1] / "rules").glob("*.yaml"))
LABELS = {"namespace", "remediation", "severity", "window"}
"""Of an alert about a version; those of the service and the version come from the expression."""
OWN_LABELS = {"remediation", "severity", "window"}


@pytest.fixture(scope="module")
def promtool() -> str:
    try:
        return binary("PROMETHEUS_BIN_DIR", "promtool")
    except Missing as missing:
        pytest.skip(str(missing))


def checked(promtool: str, rules: Json, folder: Path) -> subprocess.CompletedProcess[str]:
    """What `promtool check rules` says."""
    (folder / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    command = (promtool, "check", "rules", "--lint=all", "--lint-fatal", "rules.json")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def alerts() -> list[Json]:
    return [rule for path in FILES for group in spec_of(path)["groups"] for rule in group["rules"] if "alert" in rule]


def about_versions() -> list[Json]:
    return [rule for rule in alerts() if rule["alert"] in CATALOGUE]


@pytest.mark.servers
@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in FILES])
def test_promtool_finds_nothing_to_complain_of(path: Path, promtool: str, tmp_path: Path) -> None:
    done = checked(promtool, spec_of(path), tmp_path)

    assert (0, "") == (done.returncode, done.stderr)
    assert "SUCCESS" in done.stdout


@pytest.mark.servers
@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"record": "twice", "expr": "vector(1)"}, id="a rule stands there twice"),
        pytest.param({"record": "unfinished", "expr": "sum(rate(x[1m])"}, id="an expression is not PromQL"),
        pytest.param({"alert": "Template", "expr": "x", "labels": {"a": "{{ $labels.b "}}, id="a template is not closed"),
    ],
)
def test_promtool_complains(rule: Json, promtool: str, tmp_path: Path) -> None:
    rules = {"groups": [{"name": "flawed", "rules": [rule, rule]}]}

    assert checked(promtool, rules, tmp_path).returncode != 0


def test_the_catalogue_has_every_alert_about_a_version() -> None:
    ours = {rule["alert"] for rule in alerts() if rule["alert"].startswith(("Canary", "Mirror", "Stable"))}

    assert ours == set(CATALOGUE)


def test_an_alert_about_a_version_has_the_promised_labels_and_no_value_in_them() -> None:
    for rule in about_versions():
        named = {"destination_version"} if rule["labels"].get("destination_version") == "unknown" else set()
        assert LABELS | named == set(rule["labels"]), rule["alert"]
        assert "{{ $labels.destination_service_namespace }}" == rule["labels"]["namespace"], rule["alert"]
        assert "$value" not in json.dumps(rule["labels"]), rule["alert"]


def test_an_alert_about_ourselves_has_the_promised_labels() -> None:
    for rule in alerts():
        if rule["alert"] not in CATALOGUE:
            assert OWN_LABELS == set(rule["labels"]), rule["alert"]


def test_every_alert_tells_what_is_where_to_look_and_speaks_of_labels_that_it_has() -> None:
    known = {"destination_service_name", "destination_service_namespace", "destination_version"}
    for rule in alerts():
        annotations = rule["annotations"]
        assert {"summary", "description", "runbook_url"} == set(annotations), rule["alert"]
        assert annotations["runbook_url"].endswith("/" + rule["alert"].lower())
        if rule["alert"] in CATALOGUE:
            assert known >= set(re.findall(r"\$labels\.(\w+)", json.dumps(annotations))), rule["alert"]
