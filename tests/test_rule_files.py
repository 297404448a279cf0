"""Each file of `rules/`, unwrapped, is one that Prometheus takes, and the scenarios know each alert in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.processes import Missing, binary
from tests.rule_scenarios.firing import CATALOGUE
from tests.rule_scenarios.promtool import Json, spec_of

FILES = sorted((Path(__file__).parents[1] / "rules").glob("*.yaml"))


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
        pytest.param(
            {"alert": "Template", "expr": "x", "labels": {"a": "{{ $labels.b "}}, id="a template is not closed"
        ),
    ],
)
def test_promtool_complains(rule: Json, promtool: str, tmp_path: Path) -> None:
    rules = {"groups": [{"name": "flawed", "rules": [rule, rule]}]}

    assert checked(promtool, rules, tmp_path).returncode != 0


def test_the_catalogue_has_every_alert_about_a_version() -> None:
    rules = [rule for path in FILES for group in spec_of(path)["groups"] for rule in group["rules"]]
    ours = {rule["alert"] for rule in rules if "alert" in rule and not rule["alert"].startswith("Remediat")}

    assert ours == set(CATALOGUE)
