"""The one list of what the service asks of the API server (chart/files/permissions.yaml), read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

import remediator
from remediator.errors import RemediatorError

_FILE: Final = "permissions.yaml"


class Where(StrEnum):
    """Where a permission is needed."""

    NAMESPACE = "Namespace"
    """In each namespace that is watched."""
    RULES = "Rules"
    """The same, and in Istio's root namespace."""
    NAMED = "Named"
    """On objects of no namespace: those that are called as the watched namespaces are."""
    CLUSTER = "Cluster"
    """On objects of no namespace."""


class Needs(StrEnum):
    """What has to be installed for a permission to be used."""

    FLAGGER = "Flagger"
    ARGO_ROLLOUTS = "ArgoRollouts"


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be done to one resource."""

    group: str
    """Empty: the core group."""
    resource: str
    """Plural, perhaps with a subresource: `remediations/status`."""
    verbs: tuple[str, ...]

    @property
    def name(self) -> str:
        """As kubectl names it: `pods`, `remediations.remediator.io/status`."""
        plural, slash, part = self.resource.partition("/")
        return plural + (f".{self.group}" if self.group else "") + slash + part

    def render(self) -> dict[str, Any]:
        """As a role has it."""
        return {"apiGroups": [self.group], "resources": [self.resource], "verbs": list(self.verbs)}


@dataclass(frozen=True, slots=True)
class Permission:
    """A rule of the service's own, where it is needed, and why."""

    rule: Rule
    where: Where
    why: str
    needs: Needs | None = None
    """None: it is always used."""


@dataclass(frozen=True, slots=True)
class Person:
    """A role for people."""

    name: str
    why: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Permissions:
    """All that stands in the list."""

    service: tuple[Permission, ...]
    people: tuple[Person, ...]


@cache
def permissions() -> Permissions:
    """The list as it comes with the package; in an editable checkout, that of the chart beside it.

    Raises:
        RemediatorError: it is not there.
    """
    package = Path(remediator.__file__).parent
    places = [package / "_shipped" / _FILE, package.parent / "chart" / "files" / _FILE]
    for place in places:
        if place.is_file():
            body = yaml.safe_load(place.read_text(encoding="utf-8"))
            return Permissions(tuple(map(_permission, body["permissions"])), tuple(map(_person, body["people"])))
    raise RemediatorError(f"{places[0]} is not there; install remediator again")


def _permission(body: Mapping[str, Any]) -> Permission:
    needs = body.get("needs")
    return Permission(_rule(body), Where(body["where"]), str(body["why"]), Needs(needs) if needs else None)


def _person(body: Mapping[str, Any]) -> Person:
    return Person(str(body["name"]), str(body["why"]), tuple(map(_rule, body["rules"])))


def _rule(body: Mapping[str, Any]) -> Rule:
    return Rule(str(body["group"]), str(body["resource"]), tuple(map(str, body["verbs"])))
