"""`explain`: why it would happen: policies, suspect, what reaches it, and the guards."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import situation_options


@click.command()
@situation_options
@click.pass_context
def explain(context: click.Context, /, output: str, **values: Any) -> None:
    """Show why alerts would end as they would. Changes nothing.

    For each alert which policy takes it and why not the others, which version of which service is accused, which
    routes reach it, what each guard says, and the verdict.

    \b
    Exit codes: 0 nothing would be changed, 2 something would, 1 error.
    \b
    Example:
      remediator explain --alert alert.json -f manifests/
    """
    from remediator.cli.explain_view import explain_json, say_explanations
    from remediator.cli.explanation import explanations
    from remediator.cli.forecast import foresee
    from remediator.cli.render import console, emit
    from remediator.cli.situation import opened

    with opened(values) as situation:
        forecast = foresee(situation)
        found = explanations(situation, forecast)
    if output == "text":
        say_explanations(console(), found, forecast)
    else:
        emit(explain_json(found, forecast), output)
    context.exit(forecast.exit_code)
