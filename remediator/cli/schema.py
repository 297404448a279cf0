"""`schema`: what policy files and records look like, for editors, CI and API servers."""

from __future__ import annotations

import click

_FIRST = "remediations.yaml"


@click.command()
@click.option("--crd", is_flag=True, help="The CustomResourceDefinitions of records and pauses instead.")
def schema(crd: bool) -> None:
    """Print the JSON Schema of policy files.

    Editors that know it complete and check policies as they are written.

    \b
    Example: install what records and pauses need in a cluster
      remediator schema --crd | kubectl apply -f -
    """
    import json

    if crd:
        click.echo(_crds(), nl=False)
        return

    from remediator.policies.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _crds() -> str:
    """The texts that come with the package, a document each; in an editable checkout, those of the chart beside it."""
    from pathlib import Path

    import remediator
    from remediator.errors import RemediatorError

    package = Path(remediator.__file__).parent
    places = [package / "_shipped" / "crds", package.parent / "chart" / "crds"]
    for place in places:
        if (place / _FIRST).is_file():
            files = sorted(place.glob("*.yaml"), key=lambda file: (file.name != _FIRST, file.name))
            return "---\n".join(file.read_text(encoding="utf-8") for file in files)
    raise RemediatorError(f"{places[0]} does not hold {_FIRST}; install remediator again")
