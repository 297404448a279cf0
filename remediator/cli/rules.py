"""`rules`: the alert definitions that are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remediator.cli.rule_options import parameter_options, parameters_of


@click.group()
def rules() -> None:
    """The alert rules that are shipped.

    docs/rules.md says what they find, and what each parameter means.
    """


@rules.command()
@click.argument("files", nargs=-1, metavar="[mesh-wide|remediator]...")
@click.option("--plain", is_flag=True, help="Rule files for Prometheus itself, instead of PrometheusRule objects.")
@click.option("--to", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Write a file each there.")
@parameter_options
def render(files: tuple[str, ...], plain: bool, folder: Path | None, **values: Any) -> None:
    """Print the rules as PrometheusRule objects.

    `mesh-wide` judges every version of every service; `remediator` tells when the service does not work. Without a
    name, both.

    \b
    Example: for kube-prometheus-stack, which loads what carries its release's name
      remediator rules render --label release=kube-prometheus-stack | kubectl apply -n monitoring -f -
    """
    from remediator.errors import InputError, RemediatorError
    from remediator.rules.shipped.render import FILES, render
    from remediator.rules.writing import plain_yaml, to_yaml

    unknown = [name for name in files if name not in FILES]
    if unknown:
        raise InputError(f"there are no rules {unknown[0]!r}; there are {' and '.join(FILES)}")
    wanted = [file for file in render(parameters_of(values)) if not files or file.name in files]
    written = {f"{file.name}.yaml": (plain_yaml if plain else to_yaml)(file) for file in wanted}
    if folder is None:
        _print(written, plain)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            (folder / name).write_text(text, encoding="utf-8")
            click.echo(f"wrote {folder / name}", err=True)
    except OSError as error:
        raise RemediatorError(f"cannot write to {folder}: {error.strerror}") from error


def _print(written: dict[str, str], plain: bool) -> None:
    """Documents of one stream; of plain files Prometheus reads one document only."""
    from remediator.errors import InputError

    if plain and len(written) > 1:
        raise InputError(
            "a plain rule file is one document: name mesh-wide or remediator, or write files with --to DIR"
        )
    click.echo("---\n".join(written.values()), nl=False)
