"""`plan`: what would happen, as a unified diff and the JSON Patch."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import situation_options


@click.command()
@situation_options
@click.pass_context
def plan(context: click.Context, /, output: str, **values: Any) -> None:
    """Show what alerts would change. Changes nothing.

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
    from remediator.cli.plan_view import plan_json, say_plan
    from remediator.cli.render import console, emit
    from remediator.cli.situation import opened

    with opened(values) as situation:
        forecast = foresee(situation)
    if output == "text":
        say_plan(console(), forecast)
    else:
        emit(plan_json(forecast), output)
    context.exit(forecast.exit_code)
