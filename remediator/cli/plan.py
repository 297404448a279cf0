"""`plan`: what would happen, as a unified diff and the JSON Patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from remediator.cli.options import situation_options

if TYPE_CHECKING:
    from rich.console import Console

    from remediator.cli.forecast import AlertForecast, Forecast
    from remediator.pipeline.preparation import Work

CHANGES = 2
"""Exit code where something would be changed."""


@click.command()
@situation_options
@click.pass_context
def plan(context: click.Context, output: str, **values: Any) -> None:
    """Show what an alert would change. Changes nothing.

    For each alert the policy that takes it and how it would end; for each routing object the unified diff and the
    JSON Patch, and what in it does not mean what it looks like.

    \b
    Exit codes: 0 nothing would be changed, 2 something would, 1 error.
    \b
    Examples:
      remediator plan --alert alert.json -f manifests/
      kubectl get virtualservices,destinationrules -A -o yaml | remediator plan --alert alert.json -f -
    """
    from remediator.cli.forecast import foresee
    from remediator.cli.render import console, emit
    from remediator.cli.situation import opened

    with opened(values) as situation:
        forecast = foresee(situation)
    if output == "text":
        _say(console(), forecast)
    else:
        emit(plan_json(forecast), output)
    context.exit(exit_code(forecast))


def exit_code(forecast: Forecast) -> int:
    """1 where something could not be found out, 2 where something would be changed, else 0."""
    return 1 if forecast.failed else CHANGES if forecast.works else 0


def _say(out: Console, forecast: Forecast) -> None:
    from remediator.cli.render import say

    if not forecast.alerts:
        say(out, "There is no alert in the file.")
    for number, alert in enumerate(forecast.alerts, start=1):
        say_alert(out, alert, f"{number} of {len(forecast.alerts)}" if len(forecast.alerts) > 1 else "")
    for work in forecast.works:
        _say_work(out, work)
    say_warnings(out, forecast)
    say(out, (summary(forecast), "bold"))


def say_alert(out: Console, forecast: AlertForecast, count: str = "") -> None:
    """Print an alert, its policy, and how it would end."""
    from remediator.cli.render import STYLES, say

    alert, policy = forecast.alert, forecast.policy
    say(out, f"Alert {count}: " if count else "Alert: ", (alert.name or "(no alertname)", "bold"), f", {alert.status.value}")
    say(out, f"  policy: {policy.name} ({policy.source}), mode {policy.mode.value}" if policy else "  policy: none")
    for row in forecast.rows:
        where = f"{row.target}: " if row.target else ""
        say(out, "  ", (f"{row.outcome.value}, {row.reason.value}", STYLES[row.outcome]), f": {where}{row.message}")
    say(out)


def _say_work(out: Console, work: Work) -> None:
    from remediator.cli.render import diff, json_patch, say, say_diff

    patch = work.proposal.patch
    say(out, (str(work.ref), "bold"), f", mode {work.mode.value}")
    say_diff(out, diff(work.snapshot.body, work.proposal.after, work.ref))
    say(out)
    say(out, "JSON Patch:")
    for line in json_patch(patch.operations if patch else ()):
        say(out, line)
    say(out)


def say_warnings(out: Console, forecast: Forecast) -> None:
    """Print what is to be said of the routing objects themselves."""
    from remediator.cli.render import say

    for warnings in forecast.warnings:
        say(out, ("Warning", "yellow"), f": {warnings.ref} does not mean what it looks like:")
        for fault in warnings.faults:
            say(out, "  ", (fault, "bold"))
            say(out, "    Istio refuses such an object.")
        for advice in warnings.advice:
            say(out, "  ", (advice.path, "bold"))
            say(out, f"    {advice.meaning}")
            say(out, f"    {advice.fix}")
        say(out)


def summary(forecast: Forecast) -> str:
    """One sentence on what would be done."""
    if forecast.failed:
        return "Not everything could be found out."
    by_mode: dict[str, int] = {}
    for work in forecast.works:
        by_mode[work.mode.value] = by_mode.get(work.mode.value, 0) + 1
    if not by_mode:
        return "Nothing would be changed."
    return " ".join(_SENTENCES[mode].format(_objects(count)) for mode, count in sorted(by_mode.items()))


_SENTENCES = {
    "Enforce": "{} would be changed.",
    "Approve": "{} would wait for approval, unchanged.",
    "Observe": "{} would be observed, unchanged.",
}


def _objects(count: int) -> str:
    return "1 routing object" if count == 1 else f"{count} routing objects"


def plan_json(forecast: Forecast) -> dict[str, Any]:
    """The forecast as plain values."""
    return {
        "alerts": [alert_json(alert) for alert in forecast.alerts],
        "targets": [_work_json(work) for work in forecast.works],
        "warnings": [
            {"target": warnings.ref.__str__(), "path": advice.path, "meaning": advice.meaning, "fix": advice.fix}
            for warnings in forecast.warnings
            for advice in warnings.advice
        ],
    }
