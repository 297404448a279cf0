"""`gate`: may this version have more traffic?"""

from __future__ import annotations

from typing import Any

import click

from remediator.cli.options import PLACE, output_option, settings_options


@click.command()
@click.option("--namespace", required=True, metavar="NAMESPACE", help="Where the service is.")
@click.option("--service", required=True, metavar="NAME", help="NAME, NAME.NAMESPACE or a whole host.")
@click.option("--version", metavar="V", help="As the pods' label says it. Without it: whatever version is held back.")
@click.option(
    "--image",
    metavar="IMAGE",
    help="REF@sha256:… or sha256:…: the same image is held back under any name, and another one under none.",
)
@settings_options((*PLACE, "known-bad"))
@output_option
@click.pass_context
def gate(context: click.Context, /, output: str, **values: Any) -> None:
    """Say whether a version may have more traffic: for a step of a pipeline.

    It is held back while a remediation that took its traffic is neither undone nor released nor older than --known-bad,
    and while one is about to take it, or waits for a person. It is said which, until when, and what ends that. An alert
    that was refused holds nothing back.

    Asks the API server by your own kubeconfig, which must permit to list remediations.remediator.io in all namespaces;
    no service has to run. Where nobody knows, that is an error, and no yes.

    \b
    Exit codes: 0 go; 2 held; 1 an error.
    \b
    Examples:
      remediator gate --namespace shop --service reviews --version v2
      remediator gate --namespace shop --service reviews --version v2 --known-bad 30d -o json
    """
    from remediator.cli.gate_run import asked
    from remediator.cli.render import console, emit, say
    from remediator.pipeline.gating import said
    from remediator.web.gate import gate_json

    answer = asked(values)
    if output != "text":
        emit(gate_json(answer), output)
    elif answer.go:
        say(console(), ("GO", "green"), f": {answer.reason}")
    for bar in answer.bars if output == "text" else ():
        say(console(), ("HELD", "bold red"), f": {said(bar)}")
    context.exit(0 if answer.go else 2)
