"""`notify`: send a test message to those whom the service would tell."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def notify(file: Path) -> None:
    """Send a test message to every recipient of FILE, which is what `serve --notify-file` reads.

    One try each, from where you are: the service may be let out to others. Of a recipient, its line and the scheme of
    its URL are shown, and nothing else.

    \b
    Exit codes: 0 all of them took it; 1 some did not, or the file has a fault.
    \b
    Example:
      remediator notify /etc/remediator/recipients
    """
    from remediator.cli.render import console, say
    from remediator.errors import RemediatorError
    from remediator.notifying import RecipientsFile
    from remediator.notifying.message import Message, Tone
    from remediator.outcome import NoticeKind

    recipients = RecipientsFile(file, frozenset(NoticeKind)).current()
    message = Message("remediator: a test", "Nothing has happened. Whoever reads this is told what does.", Tone.INFO)
    out, missed = console(), 0
    for recipient in recipients:
        why = recipient.send(message)
        say(out, f"{recipient.where}: ", ("taken", "green") if why is None else (why, "bold red"))
        missed += why is not None
    if missed:
        raise RemediatorError(f"{missed} of {len(recipients)} recipients did not take it")
