"""`schema`: what policy files and records look like, for editors, CI and API servers."""

from __future__ import annotations

import click


@click.command()
@click.option("--crd", is_flag=True, help="The CustomResourceDefinition of the records instead.")
def schema(crd: bool) -> None:
    """Print the JSON Schema of policy files.

    Editors that know it complete and check policies as they are written.

    \b
    Example: install what the records need in a cluster
      remediator schema --crd | kubectl apply -f -
    """
    import json

    if crd:
        click.echo(_crd(), nl=False)
        return

    from remediator.policies.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _crd() -> str:
    """The text that comes with the package; in an editable checkout, that of the chart beside it."""
    from pathlib import Path

    import remediator
    from remediator.errors import RemediatorError

    package = Path(remediator.__file__).parent
    places = [package / "_shipped" / "crds", package.parent / "chart" / "crds"]
    for place in places:
        if (place / "remediations.yaml").is_file():
            return (place / "remediations.yaml").read_text(encoding="utf-8")
    raise RemediatorError(f"{places[0]} does not hold remediations.yaml; install remediator again")
