"""`pause`: keep the whole service from changing anything for a while."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import PLACE, output_option, settings_options


@click.command()
@click.option("--for", "duration", metavar="DURATION", help="For how long, such as 30m or 2h.")
@click.option(
    "--until",
    metavar="TIME",
    help="Until when, such as 2026-08-01T12:00:00Z. With neither of the two: until somebody resumes.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why, for all who wonder.")
@click.option("--by", metavar="WHO", help="Who asks. Without it: your account here.")
@settings_options(PLACE)
@output_option
@click.pass_context
def pause(context: click.Context, /, output: str, **values: Any) -> None:
    """Keep the service from changing anything, in all namespaces.

    It is kept in the cluster, and every replica acts on it within seconds: alerts end as Denied, Paused, until it is
    over. What people do with rollback, stop-mirror and undo goes on. One that is there is replaced.

    \b
    Exit codes: 0 paused; 1 an error.
    \b
    Examples:
      remediator pause --for 2h --reason "INC-4711: the network is being moved"
      remediator pause --reason "the rules are wrong, Ada looks into it"
    """
    from datetime import UTC, datetime

    from remediator.cli.lookup import opened
    from remediator.cli.pause_view import Paused, paused_json, say_paused
    from remediator.cli.pausing import wished
    from remediator.cli.render import console, emit

    now = datetime.now(UTC)
    by, reason = values.pop("by"), values.pop("reason")
    wish = wished(by, reason, values.pop("duration"), values.pop("until"), now)
    with opened(values) as place:
        before = place.cluster.brake.read()
        place.cluster.brake.pause(wish)
        done = Paused(wish, tuple(each for each in before if each.holds(now)), place.command(context, "resume"))
    if output == "text":
        say_paused(console(), done)
    else:
        emit(paused_json(done), output)
