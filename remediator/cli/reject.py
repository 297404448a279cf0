"""`reject`: say no to a plan that waits for a person."""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import answer_options


@click.command()
@click.argument("name", metavar="NAME|NAMESPACE/NAME")
@answer_options
def reject(**values: Any) -> None:
    """Say no to a plan that waits for a person (mode Approve).

    Nothing is changed, and the same firing of its alert is not asked about again. It is written on the record
    (spec.approval), which takes the permission to patch remediations.remediator.io and no other.

    \b
    Exit codes: 0 rejected; 1 it could not be, or no service has acted on it yet.
    \b
    Example:
      remediator reject shop/canary-latency-75d156b1db80 --reason "a slow database, not v2"
    """
    from remediator.cli.answering import answer

    answer(values, approved=False)
