"""A policy as a value: what a reviewed document says, parsed once and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final

from remediator.policies.intervals import TimeInterval
from remediator.policies.matchers import Matcher

MANUAL: Final = "manual"
"""The policy of what a person does by hand; no file may have a policy of this name."""


class Action(StrEnum):
    """What is taken away from the suspect."""

    REVERT_TO_STABLE = "RevertToStable"
    """Its weight goes to the stable side."""
    REMOVE_MIRRORS = "RemoveMirrors"
    """Its mirrored copies of traffic end."""


class Mode(StrEnum):
    """How far a policy may go, from the most careful on."""

    OBSERVE = "Observe"
    """Plan, try with the server's dry run, and record. Nothing is changed."""
    APPROVE = "Approve"
    """Plan, and wait for a person to say yes."""
    ENFORCE = "Enforce"
    """Change the routing object."""

    def capped(self, ceiling: Mode) -> Mode:
        """The more careful of the two.

        >>> Mode.ENFORCE.capped(Mode.OBSERVE)
        <Mode.OBSERVE: 'Observe'>
        """
        return min(self, ceiling, key=tuple(Mode).index)


class MirrorScope(StrEnum):
    """Which mirrors RemoveMirrors takes from a route."""

    SUSPECT = "Suspect"
    """Those that copy to the suspect."""
    ALL = "All"
    """Every mirror of a route that reaches the accused service."""


@dataclass(frozen=True, slots=True)
class LabelNames:
    """Which label of an alert tells what. The defaults are those of Istio's standard metrics."""

    service: str = "destination_service"
    """A whole host; wins over name and namespace."""
    name: str = "destination_service_name"
    namespace: str = "destination_service_namespace"
    version: str = "destination_version"


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """Where a policy may act, and what it falls back on."""

    labels: LabelNames = LabelNames()
    namespaces: tuple[str, ...] = ()
    """Globs over the namespace of the routing object; none means everywhere."""
    stable: str | None = None
    """The version to fall back on; None: the route's other destinations."""
    mirrors: MirrorScope = MirrorScope.SUSPECT

    def allows(self, namespace: str) -> bool:
        """Whether routing objects of `namespace` may be touched.

        >>> TargetSpec(namespaces=("shop-*",)).allows("shop-eu")
        True
        """
        return not self.namespaces or any(fnmatchcase(namespace, glob) for glob in self.namespaces)


@dataclass(frozen=True, slots=True)
class Guards:
    """What must hold before anything is changed."""

    cooldown: timedelta = timedelta(minutes=10)
    """Least time between two remediations of one target."""
    hold: timedelta = timedelta(minutes=30)
    """How long the withdrawal is kept up against whoever puts the traffic back."""
    max_targets: int = 3
    """Most routing objects that one alert may change."""
    stable_ready: float = 0.8
    """Least share (0 to 1) of the stable side's endpoints that must be ready; 0 switches the guard off."""
    freeze: tuple[TimeInterval, ...] = ()
    """When nothing is changed."""


NOT_ENFORCED: Final[Mapping[str, str]] = MappingProxyType({})
"""Guards that are read and checked, and that nothing obeys yet: field → key."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One reviewed document: for which alerts, what is done, where and how far."""

    name: str
    description: str
    matchers: tuple[Matcher, ...]
    target: TargetSpec
    actions: tuple[Action, ...]
    mode: Mode
    guards: Guards = Guards()
    source: str = ""
    """Where it was read: `policies/canary.yaml, document 1`."""
    content_hash: str = ""
    """SHA-256 (hex) of what the document says; comments, key order and spacing do not count."""
    alerts_elsewhere: bool = False
    """Its alerts are defined in rules that are not checked with it."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether every matcher holds for an alert with these labels."""
        return all(matcher.matches(labels) for matcher in self.matchers)


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Policies in the order in which they are asked."""

    policies: tuple[Policy, ...]
