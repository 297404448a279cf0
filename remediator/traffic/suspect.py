"""What one alert accuses, and what its policy demands for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from remediator.outcome import Reason
from remediator.policies.model import Action, MirrorScope, Policy
from remediator.traffic.hosts import Host, resolve, short

UNKNOWN = "unknown"
"""What Istio's metrics say where they know no value; as good as no label (istio/proxy istio_stats)."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A version of a service that an alert accuses."""

    host: Host
    version: str | None
    """None where the policy needs none: it only removes mirrors, and all of them."""

    def __str__(self) -> str:
        return short(self.host) + (f" {self.version}" if self.version else "")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no plan is made: a verdict with words for a person."""

    reason: Reason
    message: str

    @property
    def words(self) -> tuple[Reason, str]:
        """Reason and message."""
        return self.reason, self.message


@dataclass(frozen=True, slots=True)
class Demand:
    """What a policy asks for against one suspect."""

    suspect: Suspect
    actions: frozenset[Action]
    mirrors: MirrorScope
    stable: str | None
    """The version to fall back on; None: the route's other destinations."""

    @property
    def unmet(self) -> Refusal:
        """Why nothing is done on an object that gives the suspect nothing which these actions take."""
        if len(self.actions) == len(Action):
            return Refusal(Reason.NOT_EXPOSED, f"sends no traffic to {self.suspect}")
        what = "no weight" if Action.REVERT_TO_STABLE in self.actions else "no mirrored traffic"
        return Refusal(Reason.NOT_EXPOSED, f"gives {what} to {self.suspect}, and the policy takes nothing else")


def suspects(demands: Iterable[Demand]) -> frozenset[Suspect]:
    """The versions that `demands` accuse; a demand against all mirrors accuses none."""
    return frozenset(demand.suspect for demand in demands if demand.suspect.version is not None)


def accused(labels: Mapping[str, str], policy: Policy) -> Suspect | None:
    """The version that an alert with these labels accuses, whether or not the policy can do anything about it."""
    host, version = _host(labels, policy), _known(labels, policy.target.labels.version)
    return None if isinstance(host, Refusal) or version is None else Suspect(host, version)


def demand(labels: Mapping[str, str], policy: Policy) -> Demand | Refusal:
    """What `policy` demands for an alert with these labels, or why that cannot be told."""
    host = _host(labels, policy)
    if isinstance(host, Refusal):
        return host
    version = _known(labels, policy.target.labels.version)
    actions = frozenset(policy.actions)
    all_mirrors = actions == {Action.REMOVE_MIRRORS} and policy.target.mirrors is MirrorScope.ALL
    if version is None and not all_mirrors:
        return _missing(policy.target.labels.version, labels, "which version is accused")
    return Demand(Suspect(host, version), actions, policy.target.mirrors, policy.target.stable)


def _host(labels: Mapping[str, str], policy: Policy) -> Host | Refusal:
    """The accused service; the whole host wins over name and namespace."""
    names = policy.target.labels
    namespace = _known(labels, names.namespace)
    name = _known(labels, names.service) or _known(labels, names.name)
    if name is None:
        return _missing(f"{names.service} (or {names.name})", labels, "which service is accused")
    if "." in name:
        return resolve(name, "")
    if namespace is None:
        return _missing(names.namespace, labels, f"which namespace the service {name!r} is in")
    return resolve(name, namespace)


def _known(labels: Mapping[str, str], name: str) -> str | None:
    value = labels.get(name, "").strip()
    return None if value in ("", UNKNOWN) else value


def _missing(name: str, labels: Mapping[str, str], what: str) -> Refusal:
    found = f" is {UNKNOWN!r}" if labels.get(name, "").strip() == UNKNOWN else " is missing"
    return Refusal(
        Reason.LABEL_MISSING,
        f"label {name}{found}, so nobody can tell {what}; keep it in the alert rule's aggregation, "
        "or name another label in the policy's spec.target.labels",
    )
