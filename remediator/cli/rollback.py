"""`rollback`: take a version's weight away by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from remediator.cli.options import by_hand_options

if TYPE_CHECKING:
    from remediator.pipeline.by_hand import Wish
    from remediator.records.model import Request


@click.command()
@click.argument("target", metavar="NAME|NAMESPACE/NAME")
@click.option(
    "--suspect",
    required=True,
    metavar="VERSION|HOST",
    help="Whose weight is taken: a version, or a host of the object that is suspect as a whole.",
)
@click.option(
    "--stable",
    metavar="VERSION|HOST",
    help="Who gets it. Without it: each route's other destinations, in their proportions.",
)
@by_hand_options
@click.pass_context
def rollback(
    context: click.Context, /, target: str, suspect: str, stable: str | None, service: str | None, **values: Any
) -> None:
    """Take a version's weight away in a VirtualService.

    Shows the change, and which guards would refuse it to an alert, and asks first. It is planned, proved and recorded
    as an alert's would be, under the policy `manual`, and `undo` takes it back. Mirrors stay;
    `stop-mirror` takes those.

    What a Rollout of Argo's drives is not patched but aborted, which ends its whole update; only while it is updating.
    What Flagger drives it rolls back itself, once it asks the service, which has to run; `show` says whether it did.

    \b
    Exit codes: 0 done, or nothing to do; 1 refused, failed or not confirmed; 2 --dry-run would change something;
    130 interrupted while it asked.
    \b
    Examples:
      remediator rollback shop/reviews --suspect v2 --reason "INC-4711: errors"
      remediator rollback shop/reviews --suspect reviews-canary --stable reviews-stable --dry-run
    """
    from remediator.cli.by_hand import act
    from remediator.pipeline.by_hand import Wish
    from remediator.policies.model import Action

    def wish(request: Request) -> Wish:
        return Wish(Action.REVERT_TO_STABLE, request, suspect, service, stable)

    context.exit(act(context, target, wish, values))
