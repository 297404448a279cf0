"""`resume`: let the service act on alerts again."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import PLACE, output_option, settings_options


@click.command()
@click.option("--by", metavar="WHO", help="Who resumes, as the answer says it. Without it: your account here.")
@settings_options(PLACE)
@output_option
def resume(output: str, **values: Any) -> None:
    """End every pause: the service acts on alerts again.

    Deletes all pauses there are, those that others wrote with kubectl too, and says what they were. Every replica acts
    on it within seconds, and on an alert that still fires once Alertmanager delivers it again.

    \b
    Exit codes: 0 resumed, or nothing was paused; 1 an error.
    \b
    Example:
      remediator resume --context production
    """
    from datetime import UTC, datetime

    from remediator.cli.lookup import opened
    from remediator.cli.pause_view import resumed_json, say_resumed
    from remediator.cli.render import console, emit
    from remediator.cli.requester import requester

    by = requester(values.pop("by"), None).by
    with opened(values) as place:
        gone = place.cluster.brake.resume()
    if output == "text":
        say_resumed(console(), by, gone, datetime.now(UTC))
    else:
        emit(resumed_json(by, gone), output)
