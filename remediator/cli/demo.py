"""`demo`: the service on a sample, shown to a newcomer."""

from __future__ import annotations

import click


@click.command()
@click.option("--once", is_flag=True, help="End when all has been shown; exit code 1 if anything went wrong.")
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:0", show_default=True, help="Where to serve; 0 is a free port."
)
@click.option("--folder", metavar="DIR", help="Where to put the sample; kept. Without it: a folder that is removed.")
def demo(once: bool, listen: str, folder: str | None) -> None:
    """Show the service at work on a sample shop, without a cluster.

    Starts the real service on a folder of YAML, posts a real Alertmanager notification to it, and shows the alert, the
    policy that takes it, what was changed and the answer. Then leaves the service running, to try things out.
    """
    from remediator.cli.demo_run import show

    show(listen, folder, once=once)
