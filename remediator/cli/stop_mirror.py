"""`stop-mirror`: end copies of traffic by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from remediator.cli.options import by_hand_options

if TYPE_CHECKING:
    from remediator.pipeline.by_hand import Wish
    from remediator.records.model import Request


@click.command("stop-mirror")
@click.argument("target", metavar="NAME|NAMESPACE/NAME")
@click.option(
    "--suspect",
    metavar="VERSION|HOST",
    help="Whose copies end: a version, or a host that is suspect as a whole. Without it: every mirror's.",
)
@by_hand_options
@click.pass_context
def stop_mirror(
    context: click.Context, /, target: str, suspect: str | None, service: str | None, **values: Any
) -> None:
    """Remove mirrors from a VirtualService.

    Shows the change, and which guards would refuse it to an alert, and asks first. It is planned, proved and recorded
    as an alert's would be, under the policy `manual`, and `undo` takes it back. Weights stay; `rollback` takes those.

    What a Rollout of Argo's drives is not patched but aborted, which ends its whole update; only while it is updating.
    What Flagger drives it rolls back itself, once it asks the service, which has to run; `show` says whether it did.

    \b
    Exit codes: 0 done, or nothing to do; 1 refused, failed or not confirmed; 2 --dry-run would change something;
    130 interrupted while it asked.
    \b
    Examples:
      remediator stop-mirror shop/reviews --reason "INC-4711: the shadow writes"
      remediator stop-mirror shop/reviews --suspect v2 --yes
    """
    from remediator.cli.by_hand import act
    from remediator.pipeline.by_hand import Wish
    from remediator.policies.model import Action

    if service is not None and suspect is None:
        raise click.UsageError("--service says whose version --suspect is; give --suspect too, or neither")

    def wish(request: Request) -> Wish:
        return Wish(Action.REMOVE_MIRRORS, request, suspect, service)

    context.exit(act(context, target, wish, values))
