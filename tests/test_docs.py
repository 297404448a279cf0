"""The documentation is in step with the code: every word that the code knows is explained, and no other."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import remediator
from remediator.guards.judging import GUARDS
from remediator.metrics import Metrics
from remediator.outcome import Outcome, Reason
from remediator.web.openapi import openapi
from tests.definitions import CRDS
from tests.processes import Missing, binary
from tests.service import PERMISSIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = (README, *sorted(DOCS.glob("*.md")))
each_page = pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])

Json = dict[str, Any]


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def found(pattern: str, source: str) -> list[str]:
    return re.findall(pattern, source, flags=re.MULTILINE)


def section(name: str, title: str) -> str:
    """What stands below the heading `title` in a page, up to the next of its rank."""
    return text(name).split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def blocks(page: Path, language: str = "yaml") -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(
        rf"^ *```{language}\n(.*?)^ *```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def prose(page: Path) -> str:
    """A page without its blocks of code, fenced or indented."""
    unfenced = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^ {4}.*$", "", unfenced, flags=re.MULTILINE)


# -- permissions


def test_the_permissions_to_install_are_those_that_the_tests_run_with() -> None:
    (role,) = [role for role in map(yaml.safe_load, blocks(DOCS / "records.md")) if role["kind"] == "ClusterRole"]
    assert sorted(PERMISSIONS, key=str) == sorted(role["rules"], key=str)


def test_every_permission_is_in_the_table() -> None:
    rows = dict(found(r"^\| `([a-z./0-9]+)` \| (`.*?`) \|", text("safety.md")))
    expected = {}
    for rule in PERMISSIONS:
        plural, _, part = rule["resources"][0].partition("/")
        group = f".{rule['apiGroups'][0]}" if rule["apiGroups"][0] else ""
        expected[f"{plural}{group}{'/' if part else ''}{part}"] = ", ".join(f"`{verb}`" for verb in rule["verbs"])
    assert expected == rows


# -- outcomes and reasons


def test_every_reason_has_a_section_and_none_is_left_over() -> None:
    headings = found(r"^## ([A-Z]\w+)$", text("reasons.md"))
    assert ["Outcomes", *Reason] == headings


@pytest.mark.parametrize("reason", [pytest.param(reason, id=reason) for reason in Reason])
def test_a_reason_says_its_outcome_what_it_means_and_what_to_do(reason: Reason) -> None:
    items = re.findall(r"^- \*\*(.+?):\*\* (\S+)", section("reasons.md", reason), flags=re.MULTILINE)
    assert ["Outcome", "Means", "At 3 a.m.", "To change it"] == [title for title, _ in items]
    assert items[0][1].strip("`.") in set(Outcome)


def test_every_outcome_has_a_row_and_an_answer() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", section("reasons.md", "Outcomes"), flags=re.MULTILINE))
    assert {outcome: "503" if outcome is Outcome.FAILED else "200" for outcome in Outcome} == rows


# -- guards


def test_every_guard_has_a_section_in_the_order_in_which_they_are_asked() -> None:
    assert [*GUARDS] == found(r"^## ([a-z]\w+)$", text("guards.md"))


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_says_what_it_means_and_how_to_see_and_change_it(guard: str) -> None:
    items = re.findall(r"^- \*\*(.+?):\*\* \S+", section("guards.md", guard), flags=re.MULTILINE)
    assert ["Means", "To see it", "To change it"] == items
    # Whether these are sections, the test of links says.
    assert found(r"\[`\w+`\]\(reasons\.md#\w+\)", section("guards.md", guard))


# -- metrics, paths, settings, policies, commands


def registered() -> set[str]:
    """The names of all metrics, as Prometheus shows them."""
    types = re.findall(r"^# TYPE (remediator_\w+) \w+$", Metrics().render()[0].decode(), flags=re.MULTILINE)
    return set(types)


def test_every_metric_is_documented_and_none_is_left_over() -> None:
    assert registered() == set(found(r"^\| `(remediator_[a-z_]+)", text("metrics.md")))


@each_page
def test_every_metric_that_a_page_names_is_there(page: Path) -> None:
    named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in found(r"\bremediator_[a-z_]*[a-z]", prose(page))}
    assert set() == named - registered()


def test_every_path_is_documented_and_none_is_left_over() -> None:
    described = {f"{method.upper()} {path}" for path, methods in openapi()["paths"].items() for method in methods}
    assert described == set(found(r"^## `(\w+ \S+)`$", text("http.md")))


def test_every_setting_is_documented_and_none_is_left_over() -> None:
    from remediator.settings import CONFIG, PREFIX, TABLE

    page = text("settings.md")
    flags = {setting.flag for setting in TABLE}
    assert flags == set(found(r"^\| `(--[a-z-]+)", page)) - {f"--{CONFIG}"}
    variables = {setting.variable for setting in TABLE} | {PREFIX + CONFIG.upper()}
    assert set() == set(found(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", page)) - variables


def policy_keys() -> set[str]:
    """Every key that a policy document may have."""
    from remediator.policies.schema import json_schema

    def walk(schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            yield from schema.get("properties", {})
        for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            yield from walk(inner)

    return set(walk(json_schema()))


def test_every_key_of_a_policy_is_documented() -> None:
    page = text("policies.md")
    assert set() == {
        key for key in policy_keys() if not re.search(rf"`(?:\w+\.)*{key}`|^[ -]*{key}:", page, re.MULTILINE)
    }


def commands() -> set[str]:
    from remediator.cli.main import program

    assert isinstance(program, click.Group)
    return set(program.commands)


def test_every_command_is_documented() -> None:
    page = text("cli.md")
    assert set() == {name for name in commands() if f"remediator {name}" not in page}


@each_page
def test_every_command_that_a_page_shows_is_there(page: Path) -> None:
    shown = found(r"(?:^ *(?:\$ )?|`)(?:kubectl )?remediat(?:or|e) ([a-z][a-z-]*)", page.read_text(encoding="utf-8"))
    assert set() == set(shown) - commands()


# -- policies, links, the map


def policy_blocks() -> list[tuple[Path, str]]:
    return [(page, block) for page in PAGES for block in blocks(page) if "kind: RemediationPolicy" in block]


def test_every_policy_in_the_documentation_loads(tmp_path: Path) -> None:
    from remediator.policies.load import load

    shown = policy_blocks()
    assert shown, "neither the README nor docs/policies.md shows a policy"
    for number, (page, block) in enumerate(shown):
        path = tmp_path / f"{page.stem}-{number}.yaml"
        path.write_text(block, encoding="utf-8")
        load((path,))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_link_points_to_something(page: Path) -> None:
    dead = []
    for link in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not re.match(r"\w+:", link) and not (target.exists() and (not anchor or anchor in anchors(target))):
            dead.append(link)
    assert [] == dead


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def rooms() -> set[str]:
    entries = (ROOT / "remediator").iterdir()
    return {entry.stem for entry in entries if not entry.name.startswith(("_", ".")) and entry.suffix in {"", ".py"}}


def test_the_map_of_the_house_names_every_room() -> None:
    rows = re.findall(r"^    (\w+(?:, \w+)*)  +\S", str(remediator.__doc__), flags=re.MULTILINE)
    assert rooms() == {name for row in rows for name in row.split(", ")}


def test_architecture_names_every_room_and_every_contract() -> None:
    rows = found(r"^\| ((?:`\w+`(?:, )?)+) \|", section("architecture.md", "The rooms"))
    assert rooms() == {name for row in rows for name in re.findall(r"\w+", row)}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    page = text("architecture.md")
    assert [] == [contract["name"] for contract in contracts if f'"{contract["name"]}"' not in page]


@each_page
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(r"`(tests/\w+\.py)(?:::(\w+))?::(test_\w+)`", page.read_text(encoding="utf-8"))
    assert [] == ["::".join(names) for names in named if not is_test(*names)]


def is_test(file: str, group: str, name: str) -> bool:
    path = ROOT / file
    body = ast.parse(path.read_text(encoding="utf-8")).body if path.exists() else []
    if group:
        body = [inner for node in body if isinstance(node, ast.ClassDef) and node.name == group for inner in node.body]
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in body)


def written() -> Iterator[Path]:
    """Every file that a person wrote, and that others get."""
    yield from (path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith("."))
    for folder in ("docs", "remediator", "tests", "policies", "benchmarks"):
        yield from (path for path in (ROOT / folder).rglob("*.*") if path.is_file() and "__pycache__" not in path.parts)


def test_no_file_names_a_folder_of_one_machine() -> None:
    """The machine is this one: what it calls the checkout, the folder around it, the home and the environment."""
    ours = {ROOT, ROOT.parent, Path.home()} | ({Path(sys.prefix)} if sys.prefix != sys.base_prefix else set())
    names = [re.escape(str(path)) for path in ours - {Path("/"), Path(tempfile.gettempdir())}]
    pattern = re.compile(rf"(?<![\w.])(?:{'|'.join(names)})/")
    assert [] == [str(path.relative_to(ROOT)) for path in written() if pattern.search(path.read_text(errors="replace"))]


# -- alertmanager.md


def alertmanager_block(page: Path, kind: str) -> str:
    """The one block of a page with a line that begins so."""
    (block,) = (each for each in blocks(page) if re.search(rf"^{kind}", each, re.MULTILINE))
    return block


ALERTMANAGER = DOCS / "alertmanager.md"
each_configuration = pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.name) for page in (README, ALERTMANAGER)]
)


def amtool(*arguments: str) -> str:
    try:
        program = binary("PROMETHEUS_BIN_DIR", "amtool")
    except Missing as missing:
        pytest.skip(str(missing))
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def configuration(page: Path, folder: Path) -> Path:
    """The page's plain configuration, as a file."""
    path = folder / "alertmanager.yml"
    path.write_text(alertmanager_block(page, "route:"), encoding="utf-8")
    return path


@pytest.mark.servers
@each_configuration
def test_alertmanager_accepts_the_configuration(page: Path, tmp_path: Path) -> None:
    assert "SUCCESS" in amtool("check-config", str(configuration(page, tmp_path)))


@pytest.mark.servers
@each_configuration
def test_alerts_for_the_shipped_policies_reach_us_and_people(page: Path, tmp_path: Path) -> None:
    """`continue` goes on to the next route, and never back to the receiver at the top."""
    from remediator.policies.load import load

    # other-rules.yaml is for alerts of rules that do not come with us; it says itself what their route is.
    files = tuple(ROOT / "policies" / "production" / name for name in ("canary.yaml", "mirror.yaml"))
    matchers = [matcher for policy in load(files).policies for matcher in policy.matchers]
    names = sorted({name for matcher in matchers if matcher.name == "alertname" for name in matcher.value.split("|")})
    expected = dict.fromkeys(names, "remediator,people") | {"DiskFull": "people"}
    test = ("config", "routes", "test", f"--config.file={configuration(page, tmp_path)}")
    assert expected == {name: amtool(*test, f"alertname={name}").strip() for name in expected}


class CrdLoader(yaml.SafeLoader):
    """Takes a bare `=`, which YAML 1.1 gives a tag of its own, for the text that it is in this CRD."""


CrdLoader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: node.value)


def schema_faults(value: Any, schema: Json, path: str = "") -> Iterator[str]:
    """What an API server would drop or refuse: unknown keys, missing ones, wrong types, words and forms."""
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    if not isinstance(value, types.get(schema.get("type", ""), object)):
        yield f"{path}: no {schema['type']}"
    elif isinstance(value, dict) and "properties" in schema:
        yield from (f"{path}.{key}: unknown" for key in value if key not in schema["properties"])
        yield from (f"{path}.{key}: missing" for key in schema.get("required", ()) if key not in value)
        for key, inner in schema["properties"].items():
            if key in value:
                yield from schema_faults(value[key], inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from schema_faults(item, schema["items"], f"{path}[{index}]")
    elif value not in schema.get("enum", [value]) or not re.search(schema.get("pattern", ""), str(value)):
        yield f"{path}: {value!r} is none of those allowed"


@pytest.fixture(scope="module")
def alertmanagerconfig_schema() -> Json:
    path = CRDS / "prometheus-operator-alertmanagerconfigs.yaml"
    if not path.exists():
        pytest.skip(f"{path.name} is not there; it belongs in {path.parent}")
    versions = yaml.load(path.read_text(encoding="utf-8"), CrdLoader)["spec"]["versions"]
    (schema,) = (each["schema"]["openAPIV3Schema"] for each in versions if each["name"] == "v1alpha1")
    assert isinstance(schema, dict)
    # The API server's own, which a CRD leaves out.
    schema["properties"]["metadata"]["properties"] = {"name": {"type": "string"}, "namespace": {"type": "string"}}
    return schema


def test_the_operator_accepts_the_alertmanagerconfig(alertmanagerconfig_schema: Json) -> None:
    assert [] == list(
        schema_faults(
            yaml.safe_load(alertmanager_block(ALERTMANAGER, "kind: AlertmanagerConfig")), alertmanagerconfig_schema
        )
    )


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        pytest.param(
            "maxAlerts", "max_alerts", ".spec.receivers[0].webhookConfigs[0].max_alerts: unknown", id="a typo"
        ),
        pytest.param("key: token", "optional: true", "credentials.key: missing", id="a missing key"),
        pytest.param('"=~"', '"~="', "matchType: '~=' is none of those allowed", id="a wrong word"),
        pytest.param("30s", "30 s", "groupInterval: '30 s' is none of those allowed", id="a wrong form"),
        pytest.param("maxAlerts: 0", 'maxAlerts: "0"', "maxAlerts: no integer", id="a wrong type"),
    ],
)
def test_a_wrong_alertmanagerconfig_would_be_noticed(
    alertmanagerconfig_schema: Json, good: str, bad: str, fault: str
) -> None:
    block = alertmanager_block(ALERTMANAGER, "kind: AlertmanagerConfig")
    assert good in block
    (told,) = schema_faults(yaml.safe_load(block.replace(good, bad)), alertmanagerconfig_schema)
    assert told.endswith(fault)


def test_both_forms_of_the_configuration_say_the_same() -> None:
    plain = yaml.safe_load(alertmanager_block(ALERTMANAGER, "route:"))
    spec = yaml.safe_load(alertmanager_block(ALERTMANAGER, "kind: AlertmanagerConfig"))["spec"]
    (ours,) = (route for route in plain["route"]["routes"] if route["receiver"] == "remediator")
    (matcher,) = spec["route"].pop("matchers")
    assert ours.pop("matchers") == [f'{matcher["name"]} {matcher["matchType"]} "{matcher["value"]}"']
    assert ours == {snake(key): value for key, value in spec["route"].items()}
    (webhook,) = (each for receiver in plain["receivers"] for each in receiver.get("webhook_configs", ()))
    (other,) = spec["receivers"][0]["webhookConfigs"]
    webhook.pop("http_config"), other.pop("httpConfig")
    assert webhook == {snake(key): value for key, value in other.items()}


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda letter: "_" + letter[1].lower(), name)
