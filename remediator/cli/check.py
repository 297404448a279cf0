"""`check`: are policies, alert rules and Alertmanager's routes right, and do they fit together?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

FORMS = ("text", "json", "github")


def _duration(_context: click.Context, _option: click.Parameter, value: str) -> timedelta:
    from remediator.policies.quantities import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _interval(context: click.Context, option: click.Parameter, value: str) -> timedelta:
    interval = _duration(context, option, value)
    if not interval:
        raise click.BadParameter("nothing happens every 0s; write it as 15s or 1m")
    return interval


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATHS]...")
@click.option("--policies", multiple=True, metavar="PATH", help="Policy files or folders of them; the same as PATHS.")
@click.option(
    "--by-folder",
    is_flag=True,
    help="Policies of each folder are a set of their own: a name may come back in another. Not with --rules.",
)
@click.option("--rules", multiple=True, metavar="PATH", help="Rule files or folders: PrometheusRule objects, or plain.")
@click.option("--alertmanager", metavar="FILE", help="Alertmanager's configuration.")
@click.option("--receiver", metavar="NAME", help="Our receiver there.  [default: whose url ends in /webhook]")
@click.option("--external-label", multiple=True, metavar="NAME", help="A label of Prometheus' external_labels.")
@click.option("--scrape-interval", callback=_interval, default="15s", metavar="DURATION", help="[default: 15s]")
@click.option(
    "--evaluation-interval",
    callback=_interval,
    default="1m",
    metavar="DURATION",
    help="[default: 1m]",
)
@click.option(
    "--max-delay",
    callback=_duration,
    default="10m",
    metavar="DURATION",
    help="The longest that an alert may take, from the fault to its remediation.  [default: 10m]",
)
@click.option("--ignore", multiple=True, metavar="CODE", help="Leave findings of this kind out.")
@click.option("-o", "output", type=click.Choice(FORMS), default="text", help="[default: text]")
@click.pass_context
def check(context: click.Context, /, output: str, **values: Any) -> None:
    """Look for faults in policies, alert rules and Alertmanager's routes, and between them.

    Of policy files every fault. With --rules too: does each alert that asks for a remediation find a policy that does
    it, has it the labels that the policy needs, how long does it take at worst? With --alertmanager: does it reach us,
    at once, and people as well? Needs no cluster and no Prometheus.

    \b
    Exit codes: 0 nothing found, 2 findings, 1 error (a file cannot be read).
    \b
    Example:
      remediator check --rules rules/ --policies policies/ --alertmanager alertmanager.yml
    """
    from remediator.checking.findings import Code
    from remediator.cli.check_files import examine
    from remediator.cli.check_view import show

    unknown = [code for code in values["ignore"] if code not in {*Code}]
    if unknown:
        raise click.UsageError(f"--ignore {unknown[0]}: no such kind of finding; known: {', '.join(Code)}")
    if not (values["paths"] or values["policies"] or values["rules"] or values["alertmanager"]):
        raise click.UsageError("nothing to check: give policy files, --rules or --alertmanager")
    if values["by_folder"] and values["rules"]:
        raise click.UsageError("--by-folder and --rules exclude each other: rules are held against one set of policies")
    result = examine(values)
    show(result, output)
    context.exit(2 if result.findings else 0)
