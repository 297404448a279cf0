"""`schema`: the JSON Schema of policy files, for editors and CI."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of policy files.

    Editors that know it complete and check policies as they are written.
    """
    import json

    from remediator.policies.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
