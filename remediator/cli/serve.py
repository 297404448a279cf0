"""`serve`: the service."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import chosen, settings_options


@click.command()
@settings_options()
def serve(**values: Any) -> None:
    """Serve Alertmanager's webhook until SIGTERM.

    Each setting is a flag, an environment variable (REMEDIATOR_ and the flag in capitals) and a key of --config; the
    first of these that says something counts.
    """
    settings = chosen(values, serving=True)

    from remediator.cli.wiring import serve_with

    serve_with(settings)
