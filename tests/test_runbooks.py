"""docs/runbooks: one page an alert that is shipped, and nothing on a page that does not work at 3 a.m."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import click
import promql_parser
import pytest
import yaml

from remediator.cli.main import program
from remediator.policies.load import load
from remediator.policies.match import find
from remediator.policies.model import Mode
from tests.processes import Missing, binary
from tests.servers import Alertmanager, running_alertmanager
from tests.test_docs import DOCS, ROOT, blocks, prose, registered
from tests.test_rules_page import RULES, recorded, shipped

Json = dict[str, Any]

PAGES = sorted((DOCS / "runbooks").glob("*.md"))
SECTIONS = ["What it says", "What the remediator does", "Look at", "When it is false", "To undo, or to silence"]
each_page = pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in PAGES])


@cache
def alerts() -> dict[str, list[Json]]:
    """The shipped alerting rules, by the page of their alert."""
    found: dict[str, list[Json]] = {}
    for rule in (rule for file in RULES for rule in shipped(file)):
        found.setdefault(rule["alert"].lower(), []).append(rule)
    return found


def test_every_alert_has_a_page_and_none_is_left_over() -> None:
    assert sorted(alerts()) == [page.stem for page in PAGES]


def test_every_alert_names_its_page() -> None:
    named = {rule["annotations"]["runbook_url"].rsplit("/", 1)[1] for rules in alerts().values() for rule in rules}
    assert {page.stem for page in PAGES} == named


def header(page: Path) -> dict[str, set[str]]:
    """What the line below the title says the alert's labels are."""
    line = page.read_text(encoding="utf-8").split("\n")[2]
    facts = (re.findall(r"`(?:(\w+): )?([^`]+)`", part) for part in line.split(" · "))
    return {values[0][0]: {value for _, value in values} for values in facts}


@each_page
def test_a_page_says_the_alerts_labels(page: Path) -> None:
    names = ("remediation", "severity", "window")
    assert {name: {rule["labels"][name] for rule in alerts()[page.stem]} for name in names} == header(page)


@each_page
def test_a_page_has_its_sections(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").split("\n")
    assert [alerts()[page.stem][0]["alert"]] == [line[2:] for line in lines if line.startswith("# ")][:1]
    assert SECTIONS == [line[3:] for line in lines if line.startswith("## ")]


def part(page: Path, title: str) -> str:
    """What stands below a heading of a page."""
    return page.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


@each_page
def test_a_page_names_the_policy_that_acts_and_how_far_it_goes(page: Path) -> None:
    policies = load((ROOT / "policies" / "production",))
    asking = [
        rule for rule in alerts()[page.stem] if rule["labels"]["remediation"] in {"RevertToStable", "RemoveMirrors"}
    ]
    acting = {find(policies, {"alertname": rule["alert"], **rule["labels"]}) for rule in asking}
    expected = {(policy.name, str(policy.mode)) for policy in acting if policy}
    said = part(page, "What the remediator does")
    named = {policy.name for policy in policies.policies if asking and f"policy `{policy.name}`" in said}
    assert expected == {(name, mode) for name in named for mode in Mode if f"({mode})" in said}


@each_page
def test_a_page_has_three_things_to_look_at_with_a_command_or_a_query(page: Path) -> None:
    assert ["1", "2", "3"] == re.findall(r"^(\d)\. ", part(page, "Look at"), re.MULTILINE)
    assert blocks(page, "sh") or blocks(page, "promql")


def sentences(page: Path) -> Iterator[str]:
    """What a page says, sentence by sentence; short ones say the same on many pages, rightly."""
    body = re.sub(r"\s+", " ", re.sub(r"^#.*$", "", prose(page), flags=re.MULTILINE))
    yield from (sentence for sentence in re.split(r"(?<=[.:])\s", body) if len(sentence) > 40)


def test_no_sentence_stands_on_two_pages() -> None:
    """What fits everywhere says nothing."""
    counted = Counter(sentence for page in PAGES for sentence in set(sentences(page)))
    assert [] == [sentence for sentence, pages in counted.items() if pages > 1]


# -- queries


def selectors(expression: Any) -> Iterator[Any]:
    """Every vector selector of a parsed expression."""
    found: list[Any] = []

    def enter(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(expression, enter)
    return iter(found)


OTHERS = {"ALERTS", "up", "prometheus_rule_evaluation_failures_total", "prometheus_rule_group_iterations_missed_total"}
OTHERS |= {"alertmanager_notifications_failed_total", "container_cpu_cfs_throttled_periods_total"}
OTHERS |= {"istio_requests_total", "istio_request_duration_milliseconds"}


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in (*PAGES, DOCS / "telemetry.md")])
def test_every_query_parses_and_asks_for_what_is_there(page: Path) -> None:
    """Of Istio, Kubernetes and Prometheus what is listed here; ours and what the rules record from the code."""
    known = OTHERS | registered() | recorded()
    for query in blocks(page, "promql"):
        for selector in selectors(promql_parser.parse(query)):
            name = re.sub(r"_(bucket|sum|count)$", "", selector.name or "")
            pattern = [each.value for each in selector.matchers.matchers if each.name == "__name__"]
            assert name in known if name else [each for each in known if re.fullmatch(pattern[0], each)], query


@pytest.mark.servers
def test_prometheus_takes_every_query(tmp_path: Path) -> None:
    try:
        program = binary("PROMETHEUS_BIN_DIR", "promtool")
    except Missing as missing:
        pytest.skip(str(missing))
    queries = [query for page in (*PAGES, DOCS / "telemetry.md") for query in blocks(page, "promql")]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    command = [program, "check", "rules", str(tmp_path / "rules.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert f"SUCCESS: {len(queries)} rules found" in done.stdout, done.stdout + done.stderr


# -- commands


def commands(page: Path) -> Iterator[list[str]]:
    """Every command line of a page, as words, without what stands behind a pipe."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    lines += re.findall(r"^ {4}(\w.*)$", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL), re.M)
    for line in filter(None, map(str.strip, lines)):
        words = shlex.split(line, comments=True)
        yield words[: words.index("|")] if "|" in words else words


@each_page
def test_every_command_of_ours_is_one_that_we_take(page: Path) -> None:
    """It is parsed by the program itself, and not run."""
    assert isinstance(program, click.Group)
    for words in commands(page):
        if words[0] == "remediator":
            command = program.commands[words[1]]
            # A command keeps the flags of its help from the first context that it is made in: this has to be ours.
            whole = program.make_context("remediator", words[1:])
            assert command.make_context(words[1], words[2:], parent=whole) is not None, words


@each_page
def test_a_page_says_how_to_silence_or_why_not(page: Path) -> None:
    """By its own name: another page's silence would hold back the wrong alert."""
    silences = [words for words in commands(page) if words[:3] == ["amtool", "silence", "add"]]
    heartbeat = header(page)["remediation"] == {"Heartbeat"}
    expected = [] if heartbeat else [f"alertname={alerts()[page.stem][0]['alert']}"]
    assert expected == [word for words in silences for word in words if word.startswith("alertname=")]
    assert heartbeat == ("Do not silence it" in page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def alertmanager() -> Iterator[Alertmanager]:
    """A real Alertmanager that tells nobody."""
    with ExitStack() as stack:
        try:
            configuration = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
            yield stack.enter_context(running_alertmanager(configuration))
        except Missing as missing:
            pytest.skip(str(missing))


@pytest.mark.servers
@each_page
def test_every_silence_is_one_that_alertmanager_takes(page: Path, alertmanager: Alertmanager) -> None:
    try:
        program = binary("PROMETHEUS_BIN_DIR", "amtool")
    except Missing as missing:
        pytest.skip(str(missing))
    for words in commands(page):
        if words[:3] == ["amtool", "silence", "add"]:
            command = [program, f"--alertmanager.url={alertmanager.url}", *words[1:]]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
            assert 0 == done.returncode, done.stdout + done.stderr
