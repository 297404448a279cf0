"""`schema`: what policy files and records look like, and what the service may do, for editors, CI and API servers."""

from __future__ import annotations

import click

_FIRST = "remediations.yaml"
_ACCOUNT = "remediator/remediator"


@click.command()
@click.option("--crd", is_flag=True, help="The CustomResourceDefinitions of records and pauses instead.")
@click.option("--rbac", is_flag=True, help="The roles that the service needs, and their bindings, instead.")
@click.option(
    "--namespaces",
    metavar="NAME,...",
    help="With --rbac: a Role in each of these, for a service that has the same flag.",
)
@click.option(
    "--root-namespace",
    metavar="NAME",
    default="istio-system",
    show_default=True,
    help="With --rbac: Istio's rootNamespace.",
)
@click.option(
    "--service-account",
    metavar="NAMESPACE/NAME",
    default=_ACCOUNT,
    show_default=True,
    help="With --rbac: whom to bind the roles to.",
)
def schema(*, crd: bool, rbac: bool, namespaces: str | None, root_namespace: str, service_account: str) -> None:
    """Print the JSON Schema of policy files.

    Editors that know it complete and check policies as they are written.

    \b
    Examples: install what records and pauses need, and permit the service what it does
      remediator schema --crd | kubectl apply -f -
      remediator schema --rbac | kubectl apply -f -
      remediator schema --rbac --namespaces shop,bank | kubectl apply -f -
    """
    import json

    from remediator.errors import InputError

    if crd and rbac:
        raise InputError("--crd and --rbac exclude each other; print one after the other")
    if namespaces is not None and not rbac:
        raise InputError("--namespaces says where --rbac permits something; give both")
    if crd:
        click.echo(_crds(), nl=False)
        return
    if rbac:
        click.echo(_rbac(service_account, namespaces, root_namespace), nl=False)
        return

    from remediator.policies.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _rbac(account: str, namespaces: str | None, root: str) -> str:
    """Roles and bindings as YAML, a document each."""
    import yaml

    from remediator.cluster.roles import Account, roles

    home, slash, name = account.partition("/")
    if not slash:
        raise _no_name("--service-account", account, "write NAMESPACE/NAME, such as " + _ACCOUNT)
    named = [each.strip() for each in namespaces.split(",")] if namespaces is not None else []
    for flag, word in [("--service-account", home), ("--service-account", name), ("--root-namespace", root)]:
        _require_name(flag, word)
    for each in named:
        _require_name("--namespaces", each)
    return yaml.safe_dump_all(roles(Account(home, name), named, root), sort_keys=False)


def _require_name(flag: str, word: str) -> None:
    """Raises InputError: Kubernetes calls nothing so."""
    import re

    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", word):
        advice = "a Role is in one namespace; for a glob the service needs a ClusterRole: leave --namespaces out"
        raise _no_name(flag, word, advice if set(word) & set("*?[") else "write names as Kubernetes has them")


def _no_name(flag: str, word: str, advice: str) -> Exception:
    from remediator.errors import InputError

    return InputError(f"{flag}: {word!r} is no name; {advice}")


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
