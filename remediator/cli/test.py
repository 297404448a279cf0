"""`test`: run the tests that lie beside policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH...")
@click.option(
    "--policies",
    multiple=True,
    metavar="PATH",
    help="The policies that all tests are about; may be repeated. Without it: those that a test names, else those in "
    "the folder above `tests`.",
)
@click.option("--junit", metavar="FILE", help="Write JUnit's XML there as well, for CI.")
@click.option("--update", is_flag=True, help="Rewrite each objectFile that says something else than what came.")
@click.option("--promtool", metavar="PATH", help="For tests with series. Without it: the promtool on the PATH.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="For a person, or for a program.",
)
@click.pass_context
def test(context: click.Context, /, **values: Any) -> None:
    """Run tests of policies.

    A PATH is a file of tests, a folder `tests` of them, or any folder around such folders. Each test delivers alerts
    to the real pipeline on a folder of manifests, and compares what came of it: outcome, reason, guards, and the
    routing object. Alerts may come from series and rules, by promtool. Nothing outside is asked or changed.

    \b
    Exit codes: 0 all passed, 2 some failed, 1 error.
    \b
    Examples:
      remediator test policies/production
      remediator test policies --junit policies.xml
      remediator test policies/production/tests/canary.yaml --update
    """
    from remediator.cli.render import console, emit
    from remediator.cli.test_run import Wish, run
    from remediator.cli.test_view import say_report, test_json
    from remediator.errors import InputError

    output = values.pop("output")
    paths, policies = (tuple(map(Path, values.pop(name))) for name in ("paths", "policies"))
    report = run(paths, Wish(policies=policies, **values))
    if output == "text":
        say_report(console(), report)
    else:
        emit(test_json(report), output)
    if report.refused:
        raise InputError(report.refused)
    context.exit(report.exit_code)
