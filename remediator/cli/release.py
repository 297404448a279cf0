"""`release`: let the suspect of a remediation have traffic again."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import records_options, request_options


@click.command()
@click.argument("name", metavar="NAME|NAMESPACE/NAME")
@request_options
@records_options
def release(name: str, output: str, **values: Any) -> None:
    """Let the suspect of a remediation have traffic again, whoever gives it.

    No route is changed: `undo` does that. It ends the hold, and the version is no longer known as bad, so that `gate`
    lets it go on. The record says who asked, when and why. An alert that fires acts again.

    \b
    Exit codes: 0 released, now or before; 1 refused or failed.
    \b
    Examples:
      remediator release shop/canary-errors-1b8a1b9b1d55 --reason "it was the database, not v2"
      remediator release canary-errors-1b8a1b9b1d55
    """
    from datetime import UTC, datetime

    from remediator.cli.lookup import in_namespace, named, opened
    from remediator.cli.release_view import require_released, say_released
    from remediator.cli.render import console, emit
    from remediator.cli.requester import requester
    from remediator.pipeline import releasing
    from remediator.records.journal import Journal
    from remediator.web.remediations import released_json

    request = requester(values.pop("by"), values.pop("reason"))
    namespace = in_namespace(values.pop("namespace"))
    with opened(values) as place:
        record = named(place.cluster, name, namespace)
        journal = Journal(place.cluster.ledger, lambda: datetime.now(UTC))
        released = releasing.release(journal, record, request)
        releasing.tell(place.cluster.ledger, released, datetime.now(UTC))
    if output == "text":
        say_released(console(), released)
    else:
        emit(released_json(released), output)
    require_released(released)
