"""docs/rules.md is in step with the rules that are shipped, and with what can be told to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from remediator.cli.rules import render
from tests.test_docs import DOCS, ROOT

Json = dict[str, Any]

PAGE = DOCS / "rules.md"
NOTHING = "\N{EN DASH}"
RULES = sorted((ROOT / "rules").glob("*.yaml"))


def shipped(file: Path) -> Iterator[Json]:
    """The alerting rules of one of our files."""
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]["groups"]:
        yield from (rule for rule in group["rules"] if "alert" in rule)


def recorded() -> set[str]:
    """The names of all series that the shipped rules record."""
    texts = (file.read_text(encoding="utf-8") for file in RULES)
    groups = [group for text in texts for group in yaml.safe_load(text)["spec"]["groups"]]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


def table(below: str) -> list[tuple[str, ...]]:
    """The rows of the first table below a heading or a comment, without its head; a `|` within a cell is escaped."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n{below}\n", 1)[1]
    first = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert first, f"no table below {below}"
    rows = (re.split(r"(?<!\\)\|", line)[1:-1] for line in first[0].splitlines()[2:])
    return [tuple(cell.strip().replace("\\|", "|") for cell in row) for row in rows]


@pytest.mark.parametrize(
    ("file", "heading"),
    [
        pytest.param("mesh-wide.yaml", "### About versions", id="alerts about versions"),
        pytest.param("remediator.yaml", "### About ourselves", id="alerts about ourselves"),
    ],
)
def test_the_catalogue_is_what_is_shipped(file: str, heading: str) -> None:
    """Every alert with its window, waits, severity and remediation; an alert with several rules has as many rows."""
    expected = sorted(
        (
            f"[{rule['alert']}](runbooks/{rule['alert'].lower()}.md)",
            rule["labels"]["window"],
            rule.get("for", NOTHING),
            rule.get("keep_firing_for", NOTHING),
            rule["labels"]["severity"],
            rule["labels"]["remediation"],
        )
        for rule in shipped(ROOT / "rules" / file)
    )
    assert expected == sorted((row[0], row[1], *row[3:]) for row in table(heading))


def options() -> list[tuple[str, ...]]:
    """Option, default and meaning of each parameter, as `remediator rules render --help` has them."""
    found = []
    for option in render.params:
        if isinstance(option, click.Option) and option.name not in {"plain", "folder", "help"}:
            text, _, default = str(option.help).partition("  [default: ")
            flag = f"`{option.opts[0]} {option.metavar}`" if option.metavar else f"`{option.opts[0]}`"
            found.append((flag, f"`{default.removesuffix(']')}`" if default else NOTHING, text))
    return found


def test_every_parameter_is_in_the_table() -> None:
    assert options() == table("<!-- parameters -->")


def test_every_name_of_a_series_that_the_page_shows_is_recorded() -> None:
    suffixes = {f"{part}" for part in re.findall(r"`(?:…|mesh_\w+?)(_\w+:[\w:]+)`", PAGE.read_text(encoding="utf-8"))}
    assert suffixes, "the page shows no name"
    assert set() == {suffix for suffix in suffixes if not any(name.endswith(suffix) for name in recorded())}


def test_the_windows_that_the_page_gives_for_a_slower_scrape_are_the_rendered_ones() -> None:
    from remediator.rules.shipped.parameters import Parameters
    from remediator.rules.shipped.text import duration

    windows = Parameters(scrape_interval=30).windows
    shown = [duration(window) for window in (windows.base, windows.short, windows.long, windows.hour)]
    assert f"At 30 s they are {', '.join(shown[:3])} and {shown[3]}" in PAGE.read_text(encoding="utf-8")
