"""`show`: one remediation, whole."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import records_options


@click.command()
@click.argument("name", metavar="NAME|NAMESPACE/NAME")
@records_options
@click.pass_context
def show(context: click.Context, /, name: str, output: str, **values: Any) -> None:
    """Show one remediation: alert, times, changes, and the way back.

    What each guard said when they were asked last. Where the routing object stands as it was left, as a unified diff;
    where somebody changed it since, what is different; where the suspect still gets traffic, how to take it away by
    hand. Of a plan that waits for a person, how to answer it; of one that was answered, by whom and why. With -o json
    and -o yaml the record itself, as the API server keeps it.

    \b
    Examples:
      remediator show canary-errors-1b8a1b9b1d55
      remediator show shop/canary-errors-1b8a1b9b1d55 -o yaml
    """
    from datetime import UTC, datetime
    from functools import partial

    from remediator.cli.lookup import in_namespace, named, opened
    from remediator.cli.record_view import say_record
    from remediator.cli.render import console, emit
    from remediator.cli.standing import standing
    from remediator.records.wire import render

    namespace = in_namespace(values.pop("namespace"))
    with opened(values) as place:
        record = named(place.cluster, name, namespace)
        if output != "text":
            emit(render(record), output)
            return
        found = standing(place.cluster, record)
    say_record(console(), found, partial(place.command, context), datetime.now(UTC))
