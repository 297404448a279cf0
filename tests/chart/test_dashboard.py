"""The dashboard asks only for what is there: every metric and every label of its expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from remediator.metrics import Metrics
from tests.chart.helm import CHART
from tests.test_docs import DOCS, registered

DASHBOARD = json.loads((CHART / "files" / "dashboard.json").read_text(encoding="utf-8"))
SCRAPED = {"job", "pod", "namespace", "instance"}
"""Labels that Prometheus adds when it scrapes."""
PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}


def expressions(node: Any = DASHBOARD) -> Iterator[str]:
    """Every expression, with Grafana's variables filled in."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"].replace("$__rate_interval", "1m").replace("$policy", ".*")
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from expressions(inner)


EXPRESSIONS = sorted(set(expressions()))
each = pytest.mark.parametrize("expression", EXPRESSIONS)


def selectors(node: Any) -> Iterator[Any]:
    """The vector selectors of a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "args", "param"):
        inner = getattr(node, name, None)
        for one in inner if isinstance(inner, list) else (inner,):
            if one is not None:
                yield from selectors(one)


def labels_of(metric: str) -> set[str]:
    """As docs/metrics.md says, which a test holds against the code; and what a histogram adds."""
    row = re.search(
        rf"^\| `{metric}(?:\{{([^}}]*)\}})?`", (DOCS / "metrics.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    return set((row[1] or "").split(",")) - {""} if row else set()


@each
def test_every_metric_exists_with_the_labels_that_are_asked_for(expression: str) -> None:
    found = list(selectors(promql_parser.parse(expression)))
    assert found
    for selector in found:
        metric = re.sub(r"_(bucket|sum|count)$", "", selector.name)
        assert metric in registered() | PROCESS | {"up"}
        matched = {matcher.name for matcher in selector.matchers.matchers}
        assert "job" in matched
        assert set() == matched - SCRAPED - labels_of(metric)


@each
def test_every_label_that_is_grouped_by_exists(expression: str) -> None:
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")}
    metrics = {re.sub(r"_(bucket|sum|count)$", "", found.name) for found in selectors(promql_parser.parse(expression))}
    known = {"le"} | SCRAPED | {label for metric in metrics for label in labels_of(metric)}
    assert set() == grouped - known


def test_every_legend_names_labels_that_are_kept() -> None:
    lost = []
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            group = re.search(r"\bby \(([^)]*)\)", target["expr"])
            kept = {label.strip() for label in group[1].split(",")} if group else SCRAPED
            lost += [f"{panel['title']}: {label}" for label in named - kept]
    assert [] == lost


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len(panels) == len({panel["id"] for panel in panels})
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_metric_of_the_service_is_shown() -> None:
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"remediator_\w+", " ".join(EXPRESSIONS))}
    assert set() == registered() - shown


def test_the_process_has_the_metrics_that_are_asked_for() -> None:
    text = Metrics().render()[0].decode()
    assert set() == PROCESS - set(re.findall(r"^# TYPE (\w+) \w+$", text, re.MULTILINE))
