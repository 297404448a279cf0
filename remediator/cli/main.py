"""The program: its commands, how errors are told, and exit codes.

0   fine
1   an error: ours, or a wrong command line
2   findings or changes, and nothing else
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

import remediator
from remediator.cli.approve import approve
from remediator.cli.check import check
from remediator.cli.demo import demo
from remediator.cli.explain import explain
from remediator.cli.gate import gate
from remediator.cli.listing import listing
from remediator.cli.notify import notify
from remediator.cli.outlet import open_outlet
from remediator.cli.pause import pause
from remediator.cli.plan import plan
from remediator.cli.plugin import COMPLETER, PLUGIN, PROGRAM, called_as_plugin, candidates
from remediator.cli.reject import reject
from remediator.cli.release import release
from remediator.cli.resume import resume
from remediator.cli.rollback import rollback
from remediator.cli.rules import rules
from remediator.cli.schema import schema
from remediator.cli.serve import serve
from remediator.cli.show import show
from remediator.cli.stop_mirror import stop_mirror
from remediator.cli.test import test
from remediator.cli.undo import undo
from remediator.errors import RemediatorError

INTERRUPTED = 130
"""128 + SIGINT, as a shell says it."""


class Program(click.Group):
    """A group whose errors all end with exit code 1, so that 2 only ever means changes."""

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *_args: Any, **extra: Any
    ) -> NoReturn:
        """Run a command and end the process."""
        extra["standalone_mode"] = False
        try:
            code = super().main(args, prog_name, **extra)
        except click.UsageError as error:
            _tell_usage(error)
            code = 1
        except click.ClickException as error:
            _tell(error.format_message())
            code = 1
        except (click.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except RemediatorError as error:
            _tell(str(error))
            code = 1
        sys.exit(code)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show the help to who gives no command; an error all the same, for nothing was done."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(1)
        return super().parse_args(ctx, args)


def _tell_usage(error: click.UsageError) -> None:
    """Click's words in our form, and how the command is called."""
    message = error.format_message().rstrip(".")
    _tell(message[:1].lower() + message[1:])
    if error.ctx:
        click.echo(error.ctx.get_usage(), err=True)
        click.echo(f"Try '{error.ctx.command_path} --help' for help.", err=True)


def _tell(message: str) -> None:
    """One line an error; what is a list of faults is told as one."""
    for line in message.splitlines() or ["unknown"]:
        click.echo(f"error: {line}", err=True)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(remediator.__version__, prog_name="remediator")
def program() -> None:
    """Takes traffic away from a failing Istio canary or mirror when Prometheus says so."""


for _command in (
    serve,
    demo,
    check,
    plan,
    explain,
    listing,
    show,
    approve,
    reject,
    undo,
    release,
    gate,
    rollback,
    stop_mirror,
    pause,
    resume,
    test,
    rules,
    notify,
    schema,
):
    program.add_command(_command)


def main() -> NoReturn:
    """The entry point of `remediator`, of the kubectl plugin, and of what completes its command line."""
    open_outlet()
    name = os.path.basename(sys.argv[0])
    if name.startswith(COMPLETER):
        click.echo("\n".join(candidates(program, sys.argv[1:])))
        sys.exit(0)
    if not name.startswith(PROGRAM):
        program.main(prog_name="remediator")
    called_as_plugin(program)
    program.main(prog_name=PLUGIN)
