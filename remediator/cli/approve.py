"""`approve`: say yes to a plan that waits for a person."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import answer_options


@click.command()
@click.argument("name", metavar="NAME|NAMESPACE/NAME")
@answer_options
def approve(**values: Any) -> None:
    """Say yes to a plan that waits for a person (mode Approve).

    It is written on the record (spec.approval), which takes the permission to patch remediations.remediator.io and no
    other. The service plans it anew on the object as it is, asks the guards, and makes the change with its own
    permissions; it is waited for that.

    \b
    Exit codes: 0 carried out; 1 refused, failed, or no service has acted on it yet.
    \b
    Examples:
      remediator approve shop/canary-latency-75d156b1db80 --reason "seen in the traces too"
      kubectl -n shop patch rem canary-latency-75d156b1db80 --type=merge -p '{"spec":{"approval":{"approved":true}}}'
    """
    from remediator.cli.answering import answer

    answer(values, approved=True)
