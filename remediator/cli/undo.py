"""`undo`: give the traffic back that a remediation took away."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import records_options, request_options


@click.command()
@click.argument("name", metavar="NAME|NAMESPACE/NAME")
@request_options
@click.option("-y", "--yes", is_flag=True, help="Accepted, and without effect: undo never asks.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be changed.")
@records_options
@click.pass_context
def undo(context: click.Context, /, name: str, output: str, yes: bool, **values: Any) -> None:
    """Put back what a remediation changed, and nothing else.

    Refused, with what is different, where somebody changed the same places since. The record says who asked, when
    and why; and the same firing of its alert is not acted on again.

    \b
    Exit codes: 0 undone, now or before; 1 refused or failed; 2 --dry-run, and something would be changed.
    \b
    Examples:
      remediator undo shop/canary-errors-1b8a1b9b1d55 --reason "false alarm"
      remediator undo canary-errors-1b8a1b9b1d55 --dry-run
    """
    from datetime import UTC, datetime

    from remediator.cli.lookup import in_namespace, named, opened
    from remediator.cli.render import console, emit
    from remediator.cli.requester import requester
    from remediator.cli.standing import later
    from remediator.cli.undo_view import exit_code, require_done, say_undo, undo_json
    from remediator.pipeline import undoing

    del yes  # for those whose fingers know it from rollback and stop-mirror
    request = requester(values.pop("by"), values.pop("reason"))
    namespace, dry_run = in_namespace(values.pop("namespace")), values.pop("dry_run")
    with opened(values) as place:
        record = named(place.cluster, name, namespace)
        ending = undoing.undo(place.cluster, record, request, lambda: datetime.now(UTC), dry_run=dry_run)
        if not dry_run:
            undoing.tell(place.cluster.ledger, ending, request, datetime.now(UTC))
        newer = later(place.cluster, ending.record, ending.before)
    if output == "text":
        say_undo(console(), ending, newer, dry_run=dry_run)
    else:
        emit(undo_json(ending), output)
    require_done(ending)
    context.exit(exit_code(ending, dry_run=dry_run))
