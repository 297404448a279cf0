"""What a DestinationRule says a subset is: labels, and so a version."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from remediator.traffic.hosts import Host, resolve, service_namespace
from remediator.traffic.sight import Sight

VERSION_LABELS = ("version", "app.kubernetes.io/version", "service.istio.io/canonical-revision")
"""The labels that tell a version, the first that is there counting (design: policies, semantics)."""

POD_HASH = "rollouts-pod-template-hash"
"""What Argo Rollouts writes into the subsets of its two sides, and on their pods: which ReplicaSet's they are
(argoproj/argo-rollouts pkg/apis/rollouts/v1alpha1/types.go)."""


@dataclass(frozen=True, slots=True)
class Subset:
    """A named part of a service's endpoints."""

    name: str
    version: str | None
    """None: its labels tell no version."""
    labels: tuple[tuple[str, str], ...] = ()
    """What an endpoint must have to belong to it, by key; empty: the whole service."""
    pod_hash: str | None = None
    """Of the one ReplicaSet whose pods it selects; None: its labels name none."""


@dataclass(frozen=True, slots=True)
class DestinationRule:
    """The part of a DestinationRule that tells versions apart."""

    namespace: str
    name: str
    host: Host
    """May be a wildcard, `*.shop.svc.cluster.local`."""
    created: str
    """creationTimestamp as written (RFC 3339 sorts as text); empty if unknown."""
    subsets: tuple[Subset, ...]
    exported: bool = True
    """False: only clients of its own namespace ask it."""

    def covers(self, host: Host) -> bool:
        """Whether this rule speaks of `host`."""
        if self.host.startswith("*"):
            return host.endswith(self.host[1:])
        return self.host == host


def read(body: Mapping[str, object]) -> DestinationRule:
    """Read a DestinationRule's JSON. Malformed parts tell nothing, and are left out."""
    metadata = _mapping(body.get("metadata"))
    spec = _mapping(body.get("spec"))
    namespace = str(metadata.get("namespace") or "default")
    host = spec.get("host")
    subsets = spec.get("subsets")
    return DestinationRule(
        namespace=namespace,
        name=str(metadata.get("name") or ""),
        host=resolve(host, namespace) if isinstance(host, str) else Host(""),
        created=str(metadata.get("creationTimestamp") or ""),
        subsets=tuple(_subset(item) for item in subsets if isinstance(item, Mapping) and item.get("name"))
        if isinstance(subsets, list)
        else (),
        exported=spec.get("exportTo") != ["."],
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """The DestinationRules that may speak of the hosts of one routing object."""

    rules: tuple[DestinationRule, ...] = ()
    sight: Sight = field(default_factory=Sight)
    """Whose rules are among them."""

    def versions(
        self, host: Host, subset: str, namespace: str, called: str | None = None
    ) -> frozenset[str | None] | None:
        """The versions that `subset` of `host` may be, for an object of `namespace`.

        Args:
            called: how somebody else calls a version. Where that is a hash of pods, all are told by their hashes.

        None: no rule speaks of the host at all. Empty: rules do, and none defines the subset, so nothing is
        reached through it. A None within: labels that tell no version, or rules that are not read. More than one: it
        depends on the client, for each namespace may have a rule of its own (istio/istio
        pilot/pkg/model/push_context.go:1259-1325).
        """
        tables = [_table(group) for group in self._groups(host, namespace)]
        if self.sight.unseen(host):
            return frozenset({None, *(table[subset].version for table in tables if subset in table)})
        if not tables:
            return None
        if called and any(each.pod_hash == called for table in tables for each in table.values()):
            return frozenset(table[subset].pod_hash for table in tables if subset in table)
        return frozenset(table[subset].version for table in tables if subset in table)

    def labels(self, host: Host, subset: str, namespace: str) -> tuple[Mapping[str, str], ...]:
        """The labels that `subset` of `host` may select endpoints by, for an object of `namespace`.

        More than one: it depends on the client, as with `versions`. Empty: no rule speaks of the host, or none that
        does defines the subset.
        """
        tables = [_table(group) for group in self._groups(host, namespace)]
        found = dict.fromkeys(table[subset].labels for table in tables if subset in table)
        return tuple(MappingProxyType(dict(labels)) for labels in found)

    def known_versions(self, host: Host, namespace: str) -> frozenset[str]:
        """Every version that the rules for `host` name."""
        tables = [_table(group) for group in self._groups(host, namespace)]
        return frozenset(subset.version for table in tables for subset in table.values() if subset.version)

    def pod_hashes(self, host: Host, namespace: str) -> frozenset[str]:
        """Every hash of pods that the rules for `host` name: a version may be called by it too."""
        tables = [_table(group) for group in self._groups(host, namespace)]
        return frozenset(subset.pod_hash for table in tables for subset in table.values() if subset.pod_hash)

    def names(self, host: Host, version: str, namespace: str) -> tuple[str, ...]:
        """The subsets of `host` that are `version` for every client, in the order they are defined.

        A client asks one namespace's rules only, so a subset that not all of them define is a dead end for some.
        """
        if self.sight.unseen(host):
            return ()
        tables = [_table(group) for group in self._groups(host, namespace)]
        found = {name: None for table in tables for name in table}
        return tuple(name for name in found if all(_version(table, name) == version for table in tables))

    def speaks_of(self, host: Host, namespace: str) -> bool:
        """Whether any rule covers `host`, or may, for not all are read."""
        return bool(self.sight.unseen(host) or self._groups(host, namespace))

    def _groups(self, host: Host, namespace: str) -> list[list[DestinationRule]]:
        """The rules that count, one list a namespace: its most specific ones, the oldest first."""
        home, root = service_namespace(host), self.sight.root
        by_namespace: dict[str, list[DestinationRule]] = {}
        for rule in self.rules:
            # A ServiceEntry's host tells no namespace, so all may count there.
            if rule.covers(host) and (home is None or rule.namespace in {namespace, home, root}):
                by_namespace.setdefault(rule.namespace, []).append(rule)
        if home != root != namespace and any(rule.exported for rule in by_namespace.get(home or "", ())):
            # The mesh's own rules are asked only where the service's namespace has none.
            by_namespace.pop(root, None)
        return [_most_specific(group) for group in by_namespace.values()]


def _most_specific(group: list[DestinationRule]) -> list[DestinationRule]:
    exact = [rule for rule in group if not rule.host.startswith("*")]
    if not exact:
        longest = max(len(rule.host) for rule in group)
        exact = [rule for rule in group if len(rule.host) == longest]
    return sorted(exact, key=lambda rule: (rule.created, rule.name))


def _table(group: Iterable[DestinationRule]) -> dict[str, Subset]:
    """Subsets of one namespace's rules; of two with one name the older counts."""
    table: dict[str, Subset] = {}
    for rule in group:
        for subset in rule.subsets:
            table.setdefault(subset.name, subset)
    return table


def _version(table: Mapping[str, Subset], name: str) -> str | None:
    return table[name].version if name in table else None


def _subset(item: Mapping[str, object]) -> Subset:
    labels = _mapping(item.get("labels"))
    version = version_in(labels)
    return Subset(
        name=_shared(item["name"]),
        version=_shared(version) if version is not None else None,
        labels=tuple(sorted((_shared(key), _shared(value)) for key, value in labels.items())),
        pod_hash=str(labels[POD_HASH]) if labels.get(POD_HASH) else None,
    )


def version_in(labels: Mapping[str, object]) -> str | None:
    """The version that these labels tell; None: none."""
    found = next((labels[key] for key in VERSION_LABELS if labels.get(key)), None)
    return None if found is None else str(found)


def _shared(value: object) -> str:
    """`value` as text, kept once: thousands of rules say `version` and `v1`."""
    return sys.intern(str(value))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
