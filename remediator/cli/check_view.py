"""What `check` found, as text, as JSON, and as annotations of GitHub Actions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import click
from rich.console import Console

from remediator.checking.findings import Finding, Level
from remediator.checking.timing import Delay
from remediator.cli.check_files import Result
from remediator.cli.render import console, emit, say, visible
from remediator.policies.quantities import format_duration

_STYLES = {Level.ERROR: "red", Level.WARNING: "yellow"}


def show(result: Result, form: str) -> None:
    """Print it as `text`, `json` or `github`."""
    if form == "json":
        emit(check_json(result), "json")
    elif form == "github":
        for finding in result.findings:
            click.echo(annotation(finding))
        click.echo(_summary(result))
    else:
        _say(console(), result)


def _say(out: Console, result: Result) -> None:
    for finding in result.findings:
        place = finding.where.file + (f":{finding.where.line}" if finding.where.line else "")
        subject = f" {finding.where.subject}:" if finding.where.subject else ""
        hint = f" ({finding.hint})" if finding.hint else ""
        level = (str(finding.level), _STYLES[finding.level])
        say(out, f"{place}: ", level, f":{subject} {finding.message}{hint}", (f" [{finding.code}]", "dim"))
    if result.findings:
        say(out)
    _say_delays(out, result.delays)
    for note in result.notes:
        say(out, note)
    say(out, _summary(result))


def _say_delays(out: Console, delays: tuple[Delay, ...]) -> None:
    if not delays:
        return
    say(out, "Worst time from a fault to its remediation:")
    names = list(map(_name, delays))
    width = max(map(len, names))
    for name, delay in zip(names, delays, strict=True):
        say(out, f"  {name:<{width}}  {format_duration(delay.total):>8}  = {delay}")
    say(out)


def _name(delay: Delay) -> str:
    """The alert's, and the window that it says, which tells rules of one name apart."""
    window = delay.alert.labels.of("window").value
    return delay.alert.rule.alert + (f" ({window})" if window else "")


def _summary(result: Result) -> str:
    files = f"{result.files} file{'s' * (result.files != 1)}"
    counts = {level: sum(1 for each in result.findings if each.level is level) for level in Level}
    told = [f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items() if count]
    return f"{' and '.join(told) or 'Nothing found'} in {files}."


def annotation(finding: Finding) -> str:
    """A workflow command, which GitHub shows beside the line (docs.github.com, workflow commands: error, warning)."""
    where = finding.where
    title = f"{finding.code}: {where.subject}" if where.subject else str(finding.code)
    properties = {"file": where.file, "line": str(where.line) if where.line else "", "title": title}
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    hint = f" ({finding.hint})" if finding.hint else ""
    return f"::{finding.level} {told}::{_data(finding.message + hint)}"


def _data(text: str) -> str:
    """Escaped as the runner reads it (actions/toolkit, packages/core/src/command.ts)."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return visible(escaped)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def check_json(result: Result) -> dict[str, Any]:
    """All of it as plain values; times in seconds."""
    return {
        "findings": list(map(_finding_json, result.findings)),
        "delays": list(map(_delay_json, result.delays)),
        "files": result.files,
        "notes": list(result.notes),
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "code": str(finding.code),
        "level": str(finding.level),
        "file": finding.where.file,
        "line": finding.where.line or None,
        "subject": finding.where.subject or None,
        "message": finding.message,
        "hint": finding.hint or None,
    }


def _delay_json(delay: Delay) -> dict[str, Any]:
    return {
        "alert": delay.alert.rule.alert,
        "file": delay.alert.where.file,
        "line": delay.alert.where.line,
        "seconds": delay.total.total_seconds(),
        "parts": dict(_parts(delay)),
    }


def _parts(delay: Delay) -> Iterator[tuple[str, float]]:
    parts: tuple[tuple[str, timedelta], ...] = (
        ("scrapes", delay.scrapes),
        ("windows", delay.windows),
        ("evaluation", delay.evaluation),
        ("for", delay.wait),
        ("alertmanager", delay.route),
    )
    return ((name, time.total_seconds()) for name, time in parts)
