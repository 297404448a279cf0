"""The documentation is in step with the code: every word that the code knows is explained, and no other."""

from __future__ import annotations

import ast
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import remediator
from remediator.guards.judging import GUARDS
from remediator.metrics import Metrics
from remediator.outcome import Outcome, Reason
from remediator.web.openapi import openapi

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = (README, *sorted(DOCS.rglob("*.md")))
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
        key for key in policy_keys() if not re.search(rf"`(?:\w+\.)*{key}(?:: \w+)?`|^[ -]*{key}:", page, re.MULTILINE)
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
