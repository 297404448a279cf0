"""The service's ServiceAccount on a real API server: the chart's roles for it, its token, and what it did."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chart.helm import NAMESPACE, flags, only, render
from tests.servers import ApiServer

Json = dict[str, Any]

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}
_ALLOWED = re.compile(r'RBAC: allowed by (ClusterRoleBinding|RoleBinding) "([^"]+)" of ')


@dataclass(frozen=True)
class Installed:
    """What the chart makes of some values, as far as it concerns the service's permissions."""

    roles: tuple[Json, ...]
    """Roles and bindings."""
    account: Json
    """The ServiceAccount that the pods run as."""
    namespaces: tuple[str, ...]
    """The flag of the service, with its value; nothing: it has none."""


def installed(values: Json | None = None, namespace: str = NAMESPACE) -> Installed:
    """By `helm template`. Raises Missing."""
    objects = render(values, namespace=namespace)
    account = only(objects, "ServiceAccount")
    assert only(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]
    watched = tuple(flag for flag in flags(objects) if flag.startswith("--namespaces"))
    return Installed(tuple(body for body in objects if body["kind"] in PLURALS), account, watched)


@dataclass(frozen=True)
class Grant:
    """One verb on one resource, by one binding."""

    namespace: str
    """Of the binding; empty: of the whole cluster."""
    resource: str
    """As kubectl names it: `pods`, `remediations.remediator.io/status`."""
    verb: str


def granted(objects: Iterable[Json]) -> set[Grant]:
    """All that is permitted by those roles that are bound."""
    bodies = list(objects)
    bound = {_key(body["roleRef"] | body) for body in bodies if "roleRef" in body}
    return {
        Grant(body["metadata"].get("namespace", ""), named(group, resource), verb)
        for body in bodies
        if "rules" in body and _key(body | body["metadata"]) in bound
        for rule in body["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def _key(body: Json) -> tuple[str, str, str]:
    """What tells a role from others: of the role itself, or of what refers to it."""
    return body["kind"].removesuffix("Binding"), body["name"], body["metadata"].get("namespace", "")


def named(group: str, resource: str) -> str:
    """A resource as kubectl names it."""
    plural, slash, part = resource.partition("/")
    return plural + (f".{group}" if group else "") + slash + part


@dataclass(frozen=True)
class Account:
    """A ServiceAccount on a server."""

    server: ApiServer
    namespace: str
    name: str

    @property
    def user(self) -> str:
        """As the API server calls it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    def create(self, made: Installed) -> None:
        """Make it, with the roles of this installation and no other, and have a token for it."""
        self.server.namespace(self.namespace)
        accounts = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        self.server.apply(accounts, made.account)
        for body in made.roles:
            metadata = body["metadata"]
            within = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
            self.server.apply(f"{RBAC}{within}/{PLURALS[body['kind']]}", body)
        answer = self.server.request("POST", f"{accounts}/{self.name}/token", {"spec": {"expirationSeconds": 3600}})
        self.server.tokens[self.user] = answer["status"]["token"]

    def kubeconfig(self) -> Path:
        """A kubeconfig for it."""
        return self.server.kubeconfig(self.user)

    def requests(self) -> Iterator[Json]:
        """The API server's audit events of what it asked for, once each."""
        lines = self.server.audit_log.read_text(encoding="utf-8").splitlines()
        for event in map(json.loads, lines):
            if event["user"]["username"] == self.user and "objectRef" in event:
                yield event

    def used(self) -> set[Grant]:
        """What it did, and by which binding it was allowed to."""
        return {
            Grant(found[2].partition("/")[2], resource_of(event), event["verb"])
            for event in self.requests()
            if (found := _ALLOWED.match(event["annotations"].get("authorization.k8s.io/reason", "")))
        }

    def refused(self) -> set[tuple[str, str]]:
        """Verb and resource of what it asked for in vain."""
        return {
            (event["verb"], resource_of(event))
            for event in self.requests()
            if event["annotations"].get("authorization.k8s.io/decision") == "forbid"
        }


def resource_of(event: Json) -> str:
    """What an audit event is about, as kubectl names it."""
    found = event["objectRef"]
    part = f"/{found['subresource']}" if "subresource" in found else ""
    return named(found.get("apiGroup", ""), found["resource"] + part)
