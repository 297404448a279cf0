"""What the demo says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from remediator.cli.demo_service import Answer
from remediator.cli.ourselves import ourselves
from remediator.cli.render import PAGE_WIDTH, STYLES, say, say_diff, unified, visible
from remediator.outcome import Outcome


def say_welcome(out: Console, url: str, manifests: Path) -> None:
    """Say what runs."""
    say(out, ("remediator", "bold"), ": the real service, on a folder of YAML instead of a cluster.")
    say(out, f"  serving   {url}")
    say(out, f"  folder    {manifests}")


def say_alert(out: Console, alert: dict[str, Any]) -> None:
    """Show the alert."""
    _head(out, "1. Alertmanager posts an alert")
    say(out, (alert["labels"]["alertname"], "bold red"), f": {alert['annotations']['summary']}")
    for name, value in alert["labels"].items():
        say(out, (f"  {name:<31}", "dim"), value)


def say_policy(out: Console, policy: dict[str, Any]) -> None:
    """Show the policy that took it."""
    _head(out, "2. The first policy whose matchers all hold takes it")
    say(out, (policy["name"], "bold"), f": {policy['description']}")
    for matcher in policy["matchers"]:
        say(out, ("  matcher   ", "dim"), matcher)
    say(out, ("  actions   ", "dim"), ", ".join(policy["actions"]))
    say(out, ("  mode      ", "dim"), policy["mode"])


def say_diff_of(out: Console, before: str, after: str, name: str) -> None:
    """Show what was really changed."""
    _head(out, "3. One JSON Patch takes the traffic away: header route, weights and mirror")
    say_diff(out, unified(before, after, (f"{name} (before)", f"{name} (now)")))


def say_answer(out: Console, answer: Answer) -> None:
    """Show the HTTP answer."""
    _head(out, f"4. The answer: HTTP {answer.code} after {answer.seconds * 1000:.0f} ms")
    for row in answer.rows:
        out.print(_row_table(row), soft_wrap=False)


def _row_table(row: dict[str, Any]) -> Table:
    table = Table(box=box.ROUNDED, show_header=False, border_style="dim")
    table.add_column(style="dim")
    table.add_column()
    target = "{kind} {namespace}/{name}".format(**row["target"]) if row["target"] else "none"
    table.add_row("target", visible(target))
    table.add_row("outcome", Text(f"{row['outcome']}, {row['reason']}", STYLES[Outcome(row["outcome"])]))
    for number, change in enumerate(row["changes"]):
        table.add_row("" if number else "changes", visible(change))
    return table


def say_second(out: Console, answer: Answer) -> None:
    """Show that a second delivery changes nothing."""
    row = answer.rows[0]
    _head(out, "5. Delivered once more, as Alertmanager does when in doubt")
    say(out, (f"{row['outcome']}, {row['reason']}", STYLES[Outcome(row["outcome"])]), f": {row['message']}")


def say_record(out: Console, record: dict[str, Any]) -> None:
    """Show the record, and how it is taken back."""
    namespace, name = record["metadata"]["namespace"], record["metadata"]["name"]
    _head(out, "6. It was recorded before it was made; one command takes it back")
    say(out, ("  record    ", "dim"), f"remediations/{namespace}/{name}.yaml")
    say(out, ("  phase     ", "dim"), record["status"]["phase"])
    say(out, ("  suspect   ", "dim"), record["spec"]["summary"]["suspect"])
    say(out, ("  to undo   ", "dim"), f"remediator undo {namespace}/{name} --manifests DIR")


def say_next(out: Console, folder: Path, url: str, record: str) -> None:
    """Say what to try."""
    _head(out, "What to try next")
    bearer = f'-H "Authorization: Bearer $(cat {folder}/token)"'
    suggestions = (
        ("See what was done:", f"{_command()} list --manifests {folder}/manifests"),
        ("Put the traffic back:", f"{_command()} undo {record} --manifests {folder}/manifests"),
        ("See every canary and mirror:", f"curl -s {bearer} {url}/api/v1/exposures"),
        (
            "Post the alert again, as Alertmanager will; what a person has undone stays undone:",
            f"curl -s {bearer} --data-binary @{folder}/notification.json {url}/webhook",
        ),
        ("Ask why that happens:", f"{_command()} explain --alert {folder}/notification.json -f {folder}/original"),
        ("Open the page; any name will do, and the token is the password:", f"{url}/  (cat {folder}/token)"),
        ("Read the metrics and the log:", f"curl -s {url}/metrics; cat {folder}/serve.log"),
    )
    for title, command in suggestions:
        if title:
            say(out, (title, "dim"))
        say(out, f"  {command}")
    say(out)
    say(out, ("The service is running. Ctrl-C ends it.", "bold"))


def say_goodbye(out: Console, kept: Path | None) -> None:
    """Say that it is over, and what stays."""
    say(out)
    say(out, "Ended." if kept is None else f"Ended. The files stay in {kept}.")


def _head(out: Console, title: str) -> None:
    say(out)
    out.print(Rule(title, align="left", style="dim"), soft_wrap=False, width=min(out.width, PAGE_WIDTH))


def _command() -> str:
    """How to call us again: by name where the shell finds it."""
    return "remediator" if shutil.which("remediator") else " ".join(ourselves())
