"""`list`: what was done, newest first."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import records_options

PHASES = ("Planned", "Applied", "Observed", "AwaitingApproval", "Rejected", "Expired", "Failed", "Undone")
"""As of records.model.Phase, which is too heavy to import for a help text."""


class _PhaseChoice(click.Choice[str]):
    """Takes a phase in small letters too, and names them as the records write them."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:  # noqa: ARG002
        return f"{str(value)!r} is not one of {', '.join(self.choices)}."


@click.command("list")
@click.option("--policy", metavar="NAME", help="Only what this policy asked for; `manual` is what people did by hand.")
@click.option(
    "--phase",
    type=_PhaseChoice(PHASES, case_sensitive=False),
    metavar="PHASE",
    help=f"Only what has come so far: {', '.join(PHASES[:-1])} or {PHASES[-1]}.",
)
@click.option("--since", metavar="WHEN", help="Only what is newer: 2h, 7d, or a time such as 2026-08-01T12:00:00Z.")
@click.option(
    "--would-have",
    is_flag=True,
    help="Instead of the list: what policies of mode Observe would have changed and refused, by policy and target.",
)
@click.option("-A", "--all-namespaces", is_flag=True, help="In all namespaces, whatever -n says; as kubectl has it.")
@records_options
def listing(output: str, would_have: bool, all_namespaces: bool, **values: Any) -> None:
    """List remediations, newest first.

    Asks the API server by your own kubeconfig, which must permit to list remediations.remediator.io; a service that
    runs is not needed.

    \b
    Examples:
      remediator list --since 2h
      remediator list -n shop --phase Applied -o json
      remediator list --would-have --since 7d
    """
    from datetime import UTC, datetime

    from remediator.cli.lookup import everything, in_namespace, opened
    from remediator.cli.record_filter import RecordFilter
    from remediator.cli.record_table import say_table
    from remediator.cli.render import console, emit
    from remediator.cli.would_have import say_would_have, would_have_json
    from remediator.cli.would_have import would_have as summed_up
    from remediator.records.wire import render

    now = datetime.now(UTC)
    given = in_namespace(values.pop("namespace"))
    namespace = None if all_namespaces else given
    wanted = RecordFilter.of(values.pop("policy"), values.pop("phase"), values.pop("since"), now)
    with opened(values) as place:
        records = everything(place.cluster.ledger, namespace)
    found = wanted.applied(records)
    if would_have and output == "text":
        say_would_have(console(), summed_up(found))
    elif would_have:
        emit(would_have_json(summed_up(found)), output)
    elif output == "text":
        say_table(console(), found, len(records), now)
    else:
        emit({"items": [render(record) for record in found]}, output)
