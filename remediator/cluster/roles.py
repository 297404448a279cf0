"""RBAC objects of the list of permissions: the same that the chart makes (chart/templates/rbac.yaml).

over all namespaces              ClusterRole + binding
over some, of which each name    Role + binding in each of them, and in Istio's root namespace for its rules;
                                 ClusterRole + binding for what is of no namespace
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from remediator.cluster.permissions import Permission, Where, permissions
from remediator.traffic.sight import ROOT_NAMESPACE

_API: Final = "rbac.authorization.k8s.io"
_IN_NAMESPACES: Final = (Where.NAMESPACE, Where.RULES)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """The ServiceAccount that the service runs as."""

    namespace: str
    name: str

    @property
    def role(self) -> str:
        """What its roles are called: others of this name may have theirs in the same namespaces."""
        return self.name if self.name == self.namespace else f"{self.name}:{self.namespace}"

    @property
    def subject(self) -> Json:
        """As a binding names it."""
        return {"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}


def roles(account: Account, namespaces: Sequence[str] = (), root: str = ROOT_NAMESPACE) -> tuple[Json, ...]:
    """Roles and their bindings for a service that watches these namespaces; all, if none is named.

    Args:
        root: Istio's root namespace.
    """
    service = permissions().service
    if not namespaces:
        rules = [each.rule.render() for each in service]
        return tuple(_pair("ClusterRole", account, rules))
    within = [each.rule.render() for each in service if each.where in _IN_NAMESPACES]
    made = [each for name in dict.fromkeys(namespaces) for each in _pair("Role", account, within, name)]
    if root not in namespaces:
        rules = [each.rule.render() for each in service if each.where is Where.RULES]
        made += _pair("Role", account, rules, root)
    outside = [_outside(each, namespaces) for each in service if each.where not in _IN_NAMESPACES]
    return (*made, *_pair("ClusterRole", account, outside))


def _outside(permission: Permission, namespaces: Sequence[str]) -> Json:
    """A rule on what is of no namespace."""
    names = {"resourceNames": list(dict.fromkeys(namespaces))} if permission.where is Where.NAMED else {}
    return permission.rule.render() | names


def _pair(kind: str, account: Account, rules: Sequence[Json], namespace: str | None = None) -> Iterator[Json]:
    metadata = {"name": account.role} | ({"namespace": namespace} if namespace else {})
    role = {"apiGroup": _API, "kind": kind, "name": account.role}
    yield {"apiVersion": f"{_API}/v1", "kind": kind, "metadata": metadata, "rules": list(rules)}
    yield {
        "apiVersion": f"{_API}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": role,
        "subjects": [account.subject],
    }
