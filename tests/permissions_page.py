"""The generated part of docs/permissions.md: what stands in the list of permissions, as tables."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.cluster.permissions import Needs, Permission, Rule, permissions

_NEEDS = {
    None: "",
    Needs.FLAGGER: " Only where Flagger is installed.",
    Needs.ARGO_ROLLOUTS: " Only where Argo Rollouts is installed.",
}


def tables() -> list[str]:
    """The service's permissions, and the roles for people."""
    found = permissions()
    return [
        "| resource | verbs | where | why |",
        "|---|---|---|---|",
        *map(_row, found.service),
        "",
        "And the roles for people:",
        "",
        "| role | may | for |",
        "|---|---|---|",
        *(f"| `{person.name}` | {_rules(person.rules)} | {person.why} |" for person in found.people),
    ]


def _row(permission: Permission) -> str:
    rule, why = permission.rule, f"{permission.why[0].upper()}{permission.why[1:]}."
    return f"| `{rule.name}` | {_verbs(rule)} | `{permission.where}` | {why}{_NEEDS[permission.needs]} |"


def _rules(rules: Iterable[Rule]) -> str:
    return "; ".join(f"{_verbs(rule)} on `{rule.name}`" for rule in rules)


def _verbs(rule: Rule) -> str:
    return ", ".join(f"`{verb}`" for verb in rule.verbs)
