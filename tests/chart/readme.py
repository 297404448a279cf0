"""Makes the tables of chart/README.md from values.yaml and the schema: `python -m tests.chart.readme`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from remediator.settings import TABLE
from tests.chart.helm import CHART, Json
from tests.chart.test_values import OWN

README = CHART / "README.md"
NOTHING = "\N{EN DASH}"
_LONGEST = 60
_KEY = re.compile(r"^( *)([A-Za-z][\w.-]*):")


@dataclass(frozen=True)
class Row:
    """One documented key of values.yaml."""

    chapter: str
    path: str
    default: Any
    text: str


def documented() -> Iterator[Row]:
    """The keys with a comment of their own, in the order of the file."""
    source = (CHART / "values.yaml").read_text(encoding="utf-8")
    defaults = yaml.safe_load(source)
    chapter, comment, above = "", [], [(-1, "")]
    for line in source.splitlines():
        said = line.strip()
        if said.startswith("# == "):
            chapter = said[5:]
        elif said.startswith("# -- "):
            comment = [said[5:]]
        elif said.startswith("# ") and comment:
            comment.append(said[2:])
        elif key := _KEY.match(line):
            above = [*(each for each in above if each[0] < len(key[1])), (len(key[1]), key[2])]
            path = [name for _, name in above[1:]]
            if comment:
                yield Row(chapter, ".".join(path), found(defaults, path), " ".join(comment))
            comment = []
        else:
            comment = []


def found(values: Json, path: list[str]) -> Any:
    """The value at a path."""
    for key in path:
        values = values[key]
    return values


def values_table() -> str:
    """Every key, its default and what it means, chapter by chapter."""
    parts: list[str] = []
    chapter = None
    for row in documented():
        if row.chapter != chapter:
            chapter = row.chapter
            parts.append(f"\n### {chapter}\n\n| key | default | |\n|---|---|---|")
        parts.append(f"| `{row.path}` | {shown(row.default)} | {escaped(row.text)} |")
    return "\n".join(parts).strip() + "\n"


def settings_table() -> str:
    """Every setting of the service, and where the chart has it."""
    lines = ["| setting | the service's default | |", "|---|---|---|"]
    for setting in TABLE:
        key = (
            f"`settings.{setting.name}`"
            if setting.name not in OWN
            else f"by `{'`, `'.join(OWN[setting.name].split(' and '))}`"
        )
        lines.append(f"| {key} | {f'`{setting.default}`' if setting.default else NOTHING} | {escaped(setting.help)} |")
    return "\n".join(lines) + "\n"


def shown(default: object) -> str:
    """A default as it would be written; what is long is looked up."""
    text = json.dumps(default, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _LONGEST else "see values.yaml"


def escaped(text: str) -> str:
    """Text for a cell."""
    return text.replace("|", "\\|")


TABLES = {"values": values_table, "settings": settings_table}


def rendered() -> str:
    """The page with its tables made anew."""
    page = README.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        page = re.sub(
            rf"(<!-- {name}: made from the code -->\n)(?:.*?)(<!-- /{name} -->)",
            lambda found, table=table: f"{found[1]}\n{table()}\n{found[2]}",  # type: ignore[misc]
            page,
            flags=re.DOTALL,
        )
    return page


if __name__ == "__main__":
    README.write_text(rendered(), encoding="utf-8")
