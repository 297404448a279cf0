"""chart/README.md is in step with values.yaml. To accept a change: `python -m tests.chart.readme`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.chart.helm import CHART
from tests.chart.readme import README, TABLES, documented, rendered


def test_the_tables_are_those_of_the_values() -> None:
    assert rendered() == README.read_text(encoding="utf-8")


def test_both_tables_are_there() -> None:
    page = README.read_text(encoding="utf-8")
    assert [1, 1] == [len(re.findall(rf"<!-- {name}: made from the code -->\n\n[#|]", page)) for name in TABLES]


def test_every_key_is_documented() -> None:
    """By a comment of its own, or by one on the object that it is in."""
    known = {row.path for row in documented()}
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert [] == [
        path for path in keys(defaults) if not any(path == one or path.startswith(f"{one}.") for one in known)
    ]


def keys(values: Any, path: str = "") -> Iterator[str]:
    """The paths of all that is no object with keys."""
    for key, value in values.items():
        inner = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield from keys(value, inner)
        else:
            yield inner


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", README.read_text(encoding="utf-8"))
    assert [] == [link for link in links if not (CHART / link).exists()]
