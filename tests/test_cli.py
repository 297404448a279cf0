"""The command line: what `plan` and `explain` say, exit codes, how errors are told, and the pages that show it.

The texts are held against tests/golden/cli, and the generated parts of docs/cli.md and docs/settings.md against the
code. To accept a change: `python -m tests.test_cli`, and review the difference.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import yaml
from click.testing import CliRunner, Result

from remediator import settings
from remediator.cli import news, situation
from remediator.cli.main import program
from tests import builders
from tests.contract import manifest
from tests.permissions_page import tables
from tests.processes import free_port
from tests.real_world import Start
from tests.servers import ApiServer

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GOLDEN = Path(__file__).parent / "golden"
ARTICLE = ROOT.parent / "shared" / "data" / "samples" / "article"
PUT_RIGHT = GOLDEN / "article-put-right.yaml"

USER_SERVICE = builders.labels(name="user-service", namespace="default")
REVIEWS = builders.virtual_service(
    builders.when(route=builders.split(v2=None)) | {"name": "beta"},
    {"name": "all", "route": builders.split(v1=90, v2=10), "mirror": builders.destination("v2")},
)
RULE = builders.destination_rule(v1="v1", v2="v2")

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with an alert, policies and manifests; what is said names them as they are given."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(settings.PREFIX)]:
        monkeypatch.delenv(name)
    furnish(tmp_path)


def furnish(folder: Path) -> None:
    policies = [
        builders.policy("mirror-errors", matchers=['alertname =~ "Mirror.*"', "severity = critical"]),
        builders.policy("canary-errors", description="Send a failing canary's traffic back to stable."),
        builders.policy("canary-late", matchers=["severity = critical"]),
    ]
    (folder / "policies.yaml").write_text(yaml.safe_dump_all(policies))
    (folder / "alert.json").write_text(json.dumps(builders.alert(builders.labels())))
    (folder / "user-service.json").write_text(json.dumps(builders.alert(USER_SERVICE)))
    (folder / "shop").mkdir()
    (folder / "shop" / "shop.yaml").write_text(yaml.safe_dump_all([REVIEWS, RULE]))
    if ARTICLE.is_dir():
        for path in ARTICLE.glob("*.yaml"):
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / PUT_RIGHT.name).write_bytes(PUT_RIGHT.read_bytes())


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(program, arguments, input=stdin, prog_name="remediator")


def look(command: str, *more: str, alert: str = "alert.json", stdin: str | None = None) -> Result:
    return run(command, "--alert", alert, "--policies", "policies.yaml", *more, stdin=stdin)


def plan(*more: str, **given: Any) -> Result:
    return look("plan", *more, **given)


def plan_json(*more: str, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plan(*more, "-o", "json", **given).stdout)
    return found


# -- golden texts


@dataclass(frozen=True)
class Shown:
    """One golden text: a command, and how it must end."""

    name: str
    files: tuple[str, ...]
    exit_code: int
    alert: str = "user-service.json"

    def text(self, command: str) -> Result:
        return look(command, *(part for file in self.files for part in ("-f", file)), alert=self.alert)

    def path(self, command: str) -> Path:
        return GOLDEN / "cli" / f"{self.name}-{command}.txt"


TEXTS = (
    Shown("article-canary", ("virtualservice-canary-10-percent.yaml",), 0),
    Shown("article-header", ("virtualservice-conditional-traffic-routing.yaml",), 2),
    Shown(
        "article-mirror",
        ("virtualservice-full-mirror-testing.yaml", "destinationrule-mirror-traffic-isolation.yaml"),
        0,
    ),
    Shown("article-put-right", (PUT_RIGHT.name,), 2),
    Shown("shop", ("shop",), 2, "alert.json"),
)


@pytest.mark.parametrize("command", ["plan", "explain"])
@pytest.mark.parametrize("shown", [pytest.param(shown, id=shown.name) for shown in TEXTS])
def test_the_text_is_as_it_was_reviewed(shown: Shown, command: str) -> None:
    for file in shown.files:
        if not Path(file).exists():
            pytest.skip(f"{file} is not there; it belongs in {ARTICLE}")
    found = shown.text(command)

    assert shown.path(command).read_text(encoding="utf-8") == found.stdout
    assert shown.exit_code == found.exit_code


# -- plan


class TestPlan:
    def test_json_holds_all_that_the_text_says(self) -> None:
        found = plan_json("-f", "shop")

        (alert,), (target,) = found["alerts"], found["targets"]
        assert ("canary-errors", "firing") == (alert["policy"], alert["status"])
        assert [("Applied", "Patched")] == [(row["outcome"], row["reason"]) for row in alert["outcomes"]]
        assert ("shop", "reviews", "Enforce") == (target["namespace"], target["name"], target["mode"])
        assert [
            "http[0] (beta): reviews.shop subset v2 → reviews.shop subset v1",
            "http[1] (all): reviews.shop subset v1 weight 90 → 100",
            "http[1] (all): reviews.shop subset v2 weight 10 → 0",
            "http[1] (all): mirror to reviews.shop subset v2 (100 %) removed",
        ] == target["changes"]
        assert {"op": "remove", "path": "/spec/http/1/mirror"} in target["patch"]
        assert {"op": "add", "path": "/spec/http/1/mirror", "value": {"host": "reviews", "subset": "v2"}} in (
            target["undo"]
        )
        assert "-      weight: 90\n+      weight: 100" in target["diff"]
        assert [] == found["warnings"]

    def test_yaml_says_the_same_as_json(self) -> None:
        assert plan_json("-f", "shop") == yaml.safe_load(plan("-f", "shop", "-o", "yaml").stdout)

    def test_the_files_are_not_written(self) -> None:
        before = {path: path.read_bytes() for path in Path("shop").iterdir()}
        plan("-f", "shop")

        assert before == {path: path.read_bytes() for path in Path("shop").iterdir()}

    def test_a_folder_that_stands_in_for_a_cluster(self) -> None:
        """It says the same; but files given with -f keep no records that the guards could ask."""
        files, folder = plan_json("-f", "shop"), plan_json("--manifests", "shop")

        assert (1, 0) == (len(files.pop("notAsked")), len(folder.pop("notAsked")))
        assert files == folder

    def test_manifests_from_standard_input_as_kubectl_lists_them(self) -> None:
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": [REVIEWS, RULE]})

        (expected,) = plan_json("-f", "shop")["targets"]
        (found,) = plan_json("-f", "-", stdin=listed)["targets"]
        assert expected["patch"] == found["patch"]

    @pytest.mark.parametrize(
        "payload",
        [
            pytest.param(json.dumps(builders.notification([builders.alert(builders.labels())])), id="a notification"),
            pytest.param(json.dumps([{"labels": builders.labels()}]), id="a list of alerts"),
            pytest.param(yaml.safe_dump({"labels": builders.labels()}), id="one alert as YAML"),
        ],
    )
    def test_alerts_in_each_form(self, payload: str) -> None:
        expected = plan_json("-f", "shop")["targets"]

        assert expected == plan_json("-f", "shop", alert="-", stdin=payload)["targets"]

    def test_several_alerts_are_counted(self) -> None:
        other = builders.alert(builders.labels(alertname="Other", severity="info"))
        payload = json.dumps([builders.alert(builders.labels()), other])
        text = plan("-f", "shop", alert="-", stdin=payload).stdout

        assert "Alert 1 of 2: CanaryErrorRatioAboveStable, firing" in text
        assert "would be Ignored (NoPolicy): no policy's matchers all hold for this alert's labels" in text

    @pytest.mark.parametrize(
        ("mode", "code", "outcome", "cap", "sentence"),
        [
            pytest.param("Enforce", 2, "Applied", "", "1 routing object would be changed.", id="enforce"),
            pytest.param(
                "Approve",
                0,
                "AwaitingApproval",
                ", capped to Approve by --mode",
                "1 routing object would wait for a person's approval, unchanged.",
                id="ask",
            ),
            pytest.param(
                "Observe",
                0,
                "Observed",
                ", capped to Observe by --mode",
                "1 routing object would be observed, unchanged.",
                id="observe",
            ),
        ],
    )
    def test_the_ceiling_counts(self, mode: str, code: int, outcome: str, cap: str, sentence: str) -> None:
        """Exit code 2 is for what would be changed, and a plan that is only looked at changes nothing."""
        found = plan("-f", "shop", "--mode", mode)

        assert code == found.exit_code
        assert f"  policy: canary-errors (policies.yaml, document 2), mode Enforce{cap}" in found.stdout.splitlines()
        assert f"would be {outcome} (" in found.stdout
        assert sentence == found.stdout.splitlines()[-1]

    def test_the_policy_s_own_mode_counts_as_the_ceiling_does(self) -> None:
        Path("policies.yaml").write_text(yaml.safe_dump(builders.policy("careful", mode="Observe")))
        found = plan("-f", "shop")

        assert 0 == found.exit_code
        assert "  policy: careful (policies.yaml, document 1), mode Observe" in found.stdout.splitlines()

    def test_the_variable_that_caps_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REMEDIATOR_MODE", "Observe")

        assert ", mode Enforce, capped to Observe by REMEDIATOR_MODE" in look("explain", "-f", "shop").stdout

    @pytest.mark.parametrize("command", ["plan", "explain"])
    def test_guards_that_are_not_enforced_are_said(self, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(news, "NOT_ENFORCED", {"hold": "spec.guards.hold"})
        policy = builders.policy(guards={"hold": "1h", "cooldown": "1h", "maxTargets": 1})
        Path("policies.yaml").write_text(yaml.safe_dump(policy))
        text = look(command, "-f", "shop").stdout
        (alert,) = json.loads(look(command, "-f", "shop", "-o", "json").stdout)["alerts"]

        assert "  not enforced by this version: spec.guards.hold" in text.splitlines()
        assert ["spec.guards.hold"] == alert["notEnforced"]

    @pytest.mark.parametrize("command", ["plan", "explain"])
    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            pytest.param({"state": "active", "silencedBy": [], "inhibitedBy": []}, None, id="active"),
            pytest.param({"state": "suppressed", "silencedBy": ["8e2c"]}, "silenced by 8e2c", id="silenced"),
            pytest.param(
                {"state": "suppressed", "silencedBy": ["8e2c"], "inhibitedBy": ["f00", "ba4"]},
                "silenced by 8e2c, inhibited by f00, ba4",
                id="silenced and inhibited",
            ),
            pytest.param({"state": "suppressed"}, "suppressed", id="by nobody that is named"),
        ],
    )
    def test_an_alert_that_would_not_be_delivered_is_called_so_and_planned(
        self, status: dict[str, Any], expected: str | None, command: str
    ) -> None:
        payload = json.dumps([{"labels": builders.labels(), "status": status}])
        text = look(command, "-f", "shop", alert="-", stdin=payload)
        (alert,) = json.loads(look(command, "-f", "shop", "-o", "json", alert="-", stdin=payload).stdout)["alerts"]

        assert expected == alert["muted"]
        assert (f"  {expected}: Alertmanager would not deliver it" in text.stdout.splitlines()) is bool(expected)
        assert ("would not deliver" in text.stdout) is bool(expected)
        assert 2 == text.exit_code

    def test_without_a_policy_it_says_who_knows_more(self) -> None:
        text = plan("-f", "shop", alert="-", stdin=json.dumps({"labels": {"alertname": "Other"}})).stdout

        assert "    `explain` with the same flags says which matchers do not hold" in text.splitlines()

    def test_standard_input_is_utf_8_whatever_the_terminal_speaks(self) -> None:
        payload = json.dumps({"labels": builders.labels(team="Zürich")}, ensure_ascii=False)
        done = process(
            "remediator",
            *("plan", "--alert", "-", "-f", "shop", "--policies", "policies.yaml", "-o", "json"),
            stdin=payload.encode(),
            PYTHONIOENCODING="latin-1",
        )
        assert "Zürich" == json.loads(done.stdout)["alerts"][0]["labels"]["team"]

    def test_namespaces_that_are_left_out_are_not_looked_at(self) -> None:
        found = plan("-f", "shop", "--namespaces", "pay-*,bank")

        expected = (
            "error: none of the VirtualServices given with -f is in pay-*, bank (--namespaces); they are in shop\n"
        )
        assert (1, expected) == (found.exit_code, found.stderr)

    def test_a_rule_counts_wherever_it_is(self) -> None:
        """It may say which version a subset is, though only the VirtualServices of `shop` may be touched."""
        rule = builders.destination_rule(v1="v1", v2="v2")
        rule["metadata"]["namespace"] = "istio-system"
        rule["spec"]["host"] = "reviews.shop.svc.cluster.local"
        rule["spec"]["subsets"] = [{"name": name, "labels": {"version": "v1"}} for name in ("v1", "v2")]
        both = yaml.safe_dump_all([REVIEWS, rule])

        expected = plan_json("-f", "-", stdin=both)["alerts"]
        assert expected == plan_json("-f", "-", "--namespaces", "shop", stdin=both)["alerts"]
        assert expected != plan_json("-f", "-", "--namespaces", "shop", stdin=yaml.safe_dump(REVIEWS))["alerts"]

    def test_a_configuration_file_is_obeyed(self) -> None:
        Path("r.yaml").write_text("mode: Observe\n")

        assert "would be Observed (DryRun)" in plan("-f", "shop", "--config", "r.yaml").stdout

    def test_an_object_that_istio_refuses_is_called_so(self) -> None:
        broken = builders.virtual_service({"route": builders.split(v1=0, v2=0)})
        found = plan("-f", "-", stdin=json.dumps(broken))

        assert "spec.http[0].route: the total weight is 0\n    Istio's validation refuses this; put it right." in (
            found.stdout
        )
        assert "would be Denied (UnsafePlan)" in found.stdout
        assert 0 == found.exit_code

    def test_what_an_alert_says_cannot_move_the_cursor(self) -> None:
        labels = builders.labels(alertname="Canary\x1b[2J\nAlert: Forged")
        text = plan("-f", "shop", alert="-", stdin=json.dumps({"labels": labels})).stdout

        assert "Alert: Canary\\x1b[2J\\nAlert: Forged, firing" in text.splitlines()
        assert "\x1b" not in text


# -- explain


class TestExplain:
    def test_json_says_why_not_the_others(self) -> None:
        (found,) = json.loads(look("explain", "-f", "shop", "-o", "json").stdout)["alerts"]

        considered = {each["policy"]: (each["matched"], each["unmet"]) for each in found["considered"]}
        value = "CanaryErrorRatioAboveStable"
        assert {
            "mirror-errors": (False, [{"matcher": 'alertname=~"Mirror.*"', "found": value}]),
            "canary-errors": (True, []),
            "canary-late": (True, []),
        } == considered
        assert {"host": "reviews.shop.svc.cluster.local", "version": "v2"}.items() <= found["suspect"].items()
        (routed,) = found["objects"]
        assert [["SUSPECT"], ["OTHER", "SUSPECT", "SUSPECT"]] == [
            [each["relation"] for each in route["destinations"]] for route in routed["routes"]
        ]

    def test_who_drives_the_object_is_said_with_what_tells(self) -> None:
        (Path("shop") / "canary.yaml").write_text(yaml.safe_dump(builders.flagger_canary()))
        lines = look("explain", "-f", "shop").stdout.splitlines()
        assert "  Driven by Flagger (Canary shop/reviews): its name is the apex name of the Canary" in lines
        assert any(
            line.startswith("    NO   lever              Canary shop/reviews would put a patch") for line in lines
        )
        (found,) = json.loads(look("explain", "-f", "shop", "-o", "json").stdout)["alerts"]
        (routed,) = found["objects"]
        evidence = "its name is the apex name of the Canary"
        assert {"driver": "Flagger", "name": "Canary shop/reviews", "evidence": evidence} == routed["owner"]

    def test_of_what_a_rollout_drives_the_abort_is_shown(self) -> None:
        hosts = builders.virtual_service({"route": builders.by_host(reviews_stable=90, reviews_canary=10)})
        driver = builders.rollout("reviews", status=builders.updating())
        Path("hosts.yaml").write_text(yaml.safe_dump_all([hosts, driver]))
        accusing = json.dumps({"labels": builders.labels(name="reviews-canary")})

        text = look("plan", "-f", "hosts.yaml", alert="-", stdin=accusing).stdout
        assert "would be Applied (Aborted): VirtualService shop/reviews" in text
        assert "JSON Patch, of the status of Rollout shop/reviews:" in text
        found = look("plan", "-f", "hosts.yaml", "-o", "json", alert="-", stdin=accusing).stdout
        (work,) = json.loads(found)["targets"]
        assert ("ArgoRollouts", []) == (work["lever"], work["undo"])
        assert {"op": "add", "path": "/status/abort", "value": True} == work["patch"][-1]

    def test_of_what_flagger_drives_the_rollback_is_shown(self) -> None:
        hosts = builders.virtual_service({"route": builders.by_host(reviews_primary=90, reviews_canary=10)})
        hook = {"name": "remediator", "type": "rollback", "url": "http://remediator/flagger/rollback"}
        driver = builders.flagger_canary(analysis={"webhooks": [hook]})
        driver |= {"status": {"phase": "Progressing", "lastAppliedSpec": "5454669676"}}
        Path("hosts.yaml").write_text(yaml.safe_dump_all([hosts, driver]))
        accusing = json.dumps({"labels": builders.labels(name="reviews-canary")})

        text = look("plan", "-f", "hosts.yaml", alert="-", stdin=accusing).stdout
        assert "would be Planned (RollbackOffered): VirtualService shop/reviews" in text
        assert "Nothing is sent: Flagger asks, and is told to roll Canary shop/reviews back (6657cd9495)." in text
        found = look("plan", "-f", "hosts.yaml", "-o", "json", alert="-", stdin=accusing).stdout
        (work,) = json.loads(found)["targets"]
        assert ("Flagger", [], []) == (work["lever"], work["patch"], work["undo"])
        said = look("explain", "-f", "hosts.yaml", alert="-", stdin=accusing).stdout
        assert "Canary shop/reviews drives the object, and Flagger asks here whether to roll it back" in said

    def test_the_host_wins_over_name_and_namespace(self) -> None:
        host = "reviews.shop.svc.cluster.local"
        labels = builders.labels(destination_service=host, name="other", namespace="other")
        text = look("explain", "-f", "shop", alert="-", stdin=json.dumps({"labels": labels})).stdout

        assert f'  read from destination_service="{host}", destination_version="v2"' in text.splitlines()

    def test_a_label_that_is_missing_is_the_verdict(self) -> None:
        labels = builders.labels(version=None)
        found = look("explain", "-f", "shop", alert="-", stdin=json.dumps({"labels": labels}))

        assert "  would be Denied (LabelMissing): label destination_version is missing" in found.stdout
        assert "Suspect" not in found.stdout
        assert 0 == found.exit_code

    def test_a_service_that_nobody_routes_to(self) -> None:
        labels = builders.labels(name="nobody")
        text = look("explain", "-f", "shop", alert="-", stdin=json.dumps({"labels": labels})).stdout

        assert "  No routing object sends or mirrors traffic to nobody.shop.svc.cluster.local." in text.splitlines()
        assert "would be Unchanged (NotExposed)" in text

    def test_a_mirror_of_any_version_needs_none(self) -> None:
        policy = builders.policy("all", actions=["RemoveMirrors"], target={"mirrors": "All"})
        Path("policies.yaml").write_text(yaml.safe_dump(policy))
        labels = json.dumps({"labels": builders.labels(version=None)})
        text = look("explain", "-f", "shop", alert="-", stdin=labels).stdout

        assert (
            "    mirror to reviews.shop subset v2, 100 %: the whole service, the suspect among it" in text.splitlines()
        )


# -- a live cluster


@pytest.mark.servers
class TestLive:
    def test_the_plan_is_as_of_the_files(self, api_server: ApiServer, start: Start) -> None:
        world = start()
        world.create(manifest(REVIEWS))
        world.create(manifest(RULE))
        # The guards look at the moment, and at v1's endpoints, of which there is none.
        Path("alert.json").write_text(json.dumps({"labels": builders.labels()}))
        Path("policies.yaml").write_text(yaml.safe_dump(builders.policy(guards={"stableReady": "0%"})))
        live = plan_json("--kubeconfig", str(api_server.kubeconfig()))

        (expected,) = plan_json("-f", "shop")["targets"]
        (found,) = live["targets"]
        # The two objects have other uids and resourceVersions, which are the first two operations.
        assert expected["patch"][2:] == found["patch"][2:]
        assert live["targets"] == plan_json("--kubeconfig", str(api_server.kubeconfig()))["targets"]
        assert "--- VirtualService shop/reviews (live)\n" in found["diff"]


def test_an_api_server_that_is_away_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(situation, "SYNC_DEADLINE_S", 0.5)
    cluster = {"server": f"http://127.0.0.1:{free_port()}"}
    kubeconfig = {
        "current-context": "away",
        "clusters": [{"name": "away", "cluster": cluster}],
        "contexts": [{"name": "away", "context": {"cluster": "away", "user": "me"}}],
        "users": [{"name": "me", "user": {}}],
    }
    Path("config").write_text(yaml.safe_dump(kubeconfig))
    found = plan("--kubeconfig", "config")

    first, *_, last = found.stderr.splitlines()
    assert (1, "") == (found.exit_code, found.stdout)
    assert first.startswith("error: the routing objects cannot be read: ")
    assert "error: check --kubeconfig and --context, or give files with -f" == last


# -- errors and exit codes


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "stdin", "expected"),
        [
            pytest.param(
                ("plan", "--alert", "none.json", "-f", "shop"),
                "",
                "error: --alert none.json: cannot be read: No such file or directory",
                id="no alert file",
            ),
            pytest.param(
                ("plan", "--alert", "-", "-f", "shop"),
                "{",
                "error: --alert -: the body is not JSON: ",
                id="half an alert",
            ),
            pytest.param(
                ("plan", "--alert", "-", "-f", "shop"),
                "a: b: c",
                "error: --alert -: neither JSON nor YAML:1: not YAML: ",
                id="an alert that is neither JSON nor YAML",
            ),
            pytest.param(
                ("plan", "--alert", "-", "-f", "shop"),
                "labels: {}\n---\nlabels: {}\n",
                "error: --alert -: expected one document, found 2; write several alerts as a list",
                id="two documents",
            ),
            pytest.param(
                ("plan", "--alert", "-", "-f", "shop"),
                "[]",
                "error: --alert -: holds no alert; `amtool alert query -o json` writes those that fire\n",
                id="no alert in a list",
            ),
            pytest.param(
                ("explain", "--alert", "-", "-f", "shop"),
                json.dumps(builders.notification([])),
                "error: --alert -: holds no alert; ",
                id="no alert in a notification",
            ),
            pytest.param(
                ("plan", "--alert", "-", "-f", "shop"),
                "labels: {alertname: CanaryHardDown, destination_version: 2}\n",
                'error: --alert -: labels["destination_version"]: expected a string, found a number; quote it\n',
                id="a version without quotes",
            ),
            pytest.param(
                ("plan", "--alert", "-", "-f", "shop"),
                "- labels: {alertname: CanaryHardDown}\n  annotations: {1: x}\n",
                'error: --alert -: [0].annotations["1"]: expected a string, found a number; quote it\n',
                id="a name without quotes",
            ),
            pytest.param(
                ("plan", "--alert", "alert.json", "-f", "linked"),
                "",
                "error: -f linked/dead.yaml: leads nowhere; mend the link, or name the files one by one\n",
                id="a link to nothing",
            ),
            pytest.param(
                ("plan", "--alert", "alert.json", "-f", "rule.yaml", "--namespaces", "shop"),
                "",
                "error: the files given with -f hold no VirtualService; give those of the service in question\n",
                id="no VirtualService at all",
            ),
            pytest.param(
                ("plan", "--alert", "alert.json", "-f", "nowhere"),
                "",
                "error: -f nowhere: no such file or folder",
                id="no manifests",
            ),
            pytest.param(
                ("plan", "--alert", "-", "-f", "-"),
                "",
                "error: standard input can be read for one of --alert and -f, not for both",
                id="standard input twice",
            ),
            pytest.param(
                ("plan", "--alert", "alert.json", "-f", "shop", "--manifests", "shop"),
                "",
                "error: -f and --manifests exclude each other: each says where the routing objects are",
                id="two places for the routing objects",
            ),
            pytest.param(
                ("plan", "--alert", "alert.json", "--manifests", "nowhere"),
                "",
                "error: --manifests: nowhere is no folder; create it first",
                id="no folder for a cluster",
            ),
            pytest.param(
                ("plan", "--alert", "alert.json", "--manifests", "torn"),
                "",
                "error: the routing objects cannot be read: torn/torn.yaml:1: not YAML: ",
                id="a folder with a torn file",
            ),
            pytest.param(
                ("plan", "--alert", "alert.json", "-f", "shop", "-f", "copy.yaml"),
                "",
                "error: VirtualService shop/reviews stands twice: shop/shop.yaml:",
                id="an object twice",
            ),
            pytest.param(
                ("plan", "--alert", "alert.json", "-f", "shop", "--policies", "nowhere"),
                "",
                "error: nowhere",
                id="no policies",
            ),
            pytest.param(
                ("serve", "--mode", "off", "--threads", "many"),
                "",
                "error: --mode: 'off' is not a mode; write Observe, Approve or Enforce\n"
                "error: --threads: 'many' is not a whole number from 1 to 1000\n"
                "error: --token-file FILE is missing; or, where nobody but Alertmanager reaches the port, "
                "--allow-anonymous\n",
                id="several faults, a line each",
            ),
            pytest.param(
                ("serve", "--token-file", "none", "--manifests", "shop", "--policies", "policies.yaml"),
                "",
                "error: --token-file none: cannot be read: No such file or directory",
                id="no token file",
            ),
            pytest.param(
                ("serve", "--allow-anonymous", "--policies", "policies.yaml", "--kubeconfig", "none"),
                "",
                "error: no credentials for a cluster: kubeconfig none: no such file. Name another",
                id="no kubeconfig",
            ),
            pytest.param(("demo", "--folder", "shop"), "", "error: --folder shop: must be a new or an", id="in use"),
            pytest.param(
                ("serve", "--config", "none"),
                "",
                "error: --config none: cannot be read: No such file or directory\n",
                id="no configuration file",
            ),
            pytest.param(
                ("plan", "-f", "shop"),
                "",
                "error: missing option '--alert'\n"
                "Usage: remediator plan [OPTIONS]\nTry 'remediator plan --help' for help.\n",
                id="a flag is missing",
            ),
            pytest.param(("plan", "--bogus"), "", "error: no such option", id="a flag that is none"),
            pytest.param(
                ("bogus",),
                "",
                "error: no such command 'bogus'\n"
                "Usage: remediator [OPTIONS] COMMAND [ARGS]...\nTry 'remediator --help' for help.\n",
                id="a command that is none",
            ),
            pytest.param((), "", "Usage: remediator [OPTIONS] COMMAND", id="no command: the help"),
        ],
    )
    def test_an_error_ends_with_code_1_and_no_traceback(
        self, arguments: tuple[str, ...], stdin: str, expected: str
    ) -> None:
        Path("copy.yaml").write_bytes(Path("shop/shop.yaml").read_bytes())
        Path("torn").mkdir()
        Path("torn/torn.yaml").write_text("kind: [")
        Path("linked").mkdir()
        Path("linked/dead.yaml").symlink_to("nowhere.yaml")
        Path("rule.yaml").write_text(yaml.safe_dump(RULE))
        found = run(*arguments, stdin=stdin)

        assert (1, "") == (found.exit_code, found.stdout)
        assert found.stderr.startswith(expected)
        assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        pytest.param("remediator", ("--version",), 0, id="the version"),
        pytest.param("remediator", ("schema",), 0, id="the schema"),
        pytest.param("remediator", ("plan", "--alert", "alert.json", "-f", "shop"), 2, id="changes"),
        pytest.param("remediator", ("plan", "--alert", "none.json", "-f", "shop"), 1, id="an error"),
        pytest.param("remediator", ("plan", "--bogus"), 1, id="a wrong command line"),
        pytest.param("remediator", (), 1, id="no command"),
    ],
)
def test_exit_codes_of_the_real_process(name: str, arguments: tuple[str, ...], code: int) -> None:
    given = ("--policies", "policies.yaml") if "-f" in arguments else ()
    done = process(name, *arguments, *given)

    assert code == done.returncode, done.stderr
    assert b"Traceback" not in done.stderr


def test_the_kubectl_plugin_calls_itself_as_it_is_called() -> None:
    done = process("kubectl-remediate", "plan", "--help")

    assert done.stdout.startswith(b"Usage: kubectl remediate plan ")


# -- standard output

SHOP = ("--alert", "alert.json", "--policies", "policies.yaml", "-f", "shop")


class TestStandardOutput:
    @pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
    @pytest.mark.parametrize("command", ["plan", "explain"])
    def test_what_the_encoding_cannot_say_is_escaped(self, command: str, encoding: str) -> None:
        done = process("remediator", command, *SHOP, PYTHONIOENCODING=encoding)

        assert (2, b"") == (done.returncode, done.stderr)
        assert rb"    http[1] (all): reviews.shop subset v2 weight 10 \u2192 0" in done.stdout.splitlines()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is not on this machine; it stands for a disk")
    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(("plan", *SHOP), id="text"),
            pytest.param(("plan", *SHOP, "-o", "json"), id="JSON"),
            pytest.param(("schema",), id="the schema"),
            pytest.param(("--help",), id="the help"),
        ],
    )
    def test_a_full_disk_is_an_error(self, arguments: tuple[str, ...]) -> None:
        with Path("/dev/full").open("wb") as full:
            done = process("remediator", *arguments, stdout=full)

        assert (1, b"error: standard output cannot be written: No space left on device\n") == (
            done.returncode,
            done.stderr,
        )

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            pytest.param(("plan", *SHOP), 2, id="text"),
            pytest.param(("plan", *SHOP, "-o", "yaml"), 2, id="YAML"),
            pytest.param(("plan", *SHOP, "--mode", "Observe"), 0, id="nothing would be changed"),
            pytest.param(("schema",), 0, id="the schema"),
        ],
    )
    def test_a_reader_that_has_left_is_no_error(self, arguments: tuple[str, ...], code: int) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "wb") as pipe:
            done = process("remediator", *arguments, stdout=pipe)

        assert (code, b"") == (done.returncode, done.stderr)


def process(
    name: str,
    *arguments: str,
    stdin: bytes = b"",
    stdout: BinaryIO | int = subprocess.PIPE,
    **environ: str,
) -> subprocess.CompletedProcess[bytes]:
    code = f"import sys; sys.argv[0] = '/bin/{name}'; from remediator.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
    )


def test_help_needs_none_of_the_heavy_libraries() -> None:
    """`--help` and completion are called often; kubernetes alone takes half a second to import."""
    code = (
        "import sys; import remediator.cli.main;"
        "heavy = {'kubernetes', 'flask', 'gunicorn', 'rich', 'pydantic', 'jsonpatch', 'apprise'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert "[]" == done.stdout.strip()


def test_schema_prints_json_schema() -> None:
    from remediator.policies.schema import json_schema

    found = run("schema")
    assert json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n" == found.stdout


# -- pages


def commands() -> Iterator[str]:
    """The part of docs/cli.md that is made from the code."""
    inner = (f"{name} {each}" for name, group in program.commands.items() for each in getattr(group, "commands", ()))
    for name in ("", *sorted((*program.commands, *inner))):
        title = f"remediator {name}".strip()
        text = CliRunner().invoke(program, [*name.split(), "--help"], prog_name="remediator", terminal_width=80).stdout
        yield f"## {title}\n\n```text\n{re.sub(' +$', '', text, flags=re.MULTILINE)}```\n"


def table() -> Iterator[str]:
    """The part of docs/settings.md that is made from the code."""
    yield "| flag | variable | default | |\n|---|---|---|---|"
    for setting in settings.TABLE:
        flag = f"{setting.flag} {setting.metavar}".strip()
        default = setting.default if " " in setting.default else f"`{setting.default or 'none'}`"
        yield f"| `{flag}` | `{setting.variable}` | {default} | {setting.help} |"


PAGES = {"cli.md": commands, "settings.md": table, "permissions.md": tables}
_GENERATED = re.compile(r"(?<=<!-- made from the code -->\n).*(?=<!-- to here -->)", re.DOTALL)


def rewritten(name: str) -> str:
    """A page with its generated part as it should be."""
    return _GENERATED.sub(
        lambda _: "\n" + "\n".join(PAGES[name]()).rstrip("\n") + "\n\n", (DOCS / name).read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_in_step_with_the_code(name: str) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")
    assert _GENERATED.search(page)
    assert rewritten(name) == page


def _accept() -> None:
    for name in PAGES:
        (DOCS / name).write_text(rewritten(name), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        furnish(Path(folder))
        os.chdir(folder)
        for shown in TEXTS:
            for command in ("plan", "explain"):
                shown.path(command).write_text(shown.text(command).stdout, encoding="utf-8")
    _accept_records()


def _accept_records() -> None:
    from tests import test_cli_guards, test_cli_records

    with tempfile.TemporaryDirectory() as folder:

        def fresh() -> Path:
            made = Path(tempfile.mkdtemp(dir=folder))
            os.chdir(made)
            return made

        for module in (test_cli_records, test_cli_guards):
            for path, text in module.texts(fresh):
                path.write_text(text, encoding="utf-8")
        os.chdir(ROOT)


if __name__ == "__main__":
    _accept()
