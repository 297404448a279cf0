"""The index that both adapters answer from: which routing objects send traffic to a host, and which
DestinationRules speak of it."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from remediator.cluster.drivers import DRIVERS, DriverTable
from remediator.cluster.drivers import read as read_driver
from remediator.cluster.news import News
from remediator.cluster.port import Snapshot
from remediator.cluster.rule_table import RuleTable, discard
from remediator.guards import switch
from remediator.outcome import TargetRef
from remediator.owners import Driving, Owner, Rollout, claims, told
from remediator.traffic import gitops, subsets, virtualservice
from remediator.traffic.hosts import Host
from remediator.traffic.sight import Sight
from remediator.traffic.subsets import Rules
from remediator.traffic.view import RouteChange

VIRTUAL_SERVICE: Final = virtualservice.KIND
DESTINATION_RULE: Final = "DestinationRule"
KINDS: Final = (VIRTUAL_SERVICE, DESTINATION_RULE)
"""Istio's kinds that are indexed."""
NAMESPACE: Final = "Namespace"
"""Of these one annotation is kept; of drivers.DRIVERS what they drive. Objects of any other kind are ignored."""

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""Where `kubectl apply` keeps a copy of the whole object, as text."""

_COMPRESSION: Final = 1
"""The quickest of zlib's levels: of an object's 200 µs it takes 15, and higher ones save next to nothing more."""

_Name = tuple[str, str]
"""(namespace, name)"""


def reference(body: Mapping[str, Any]) -> TargetRef:
    """What names this object; an object without a namespace is in `default`."""
    metadata = body.get("metadata") or {}
    return TargetRef(
        kind=str(body.get("kind") or ""),
        namespace=str(metadata.get("namespace") or "default"),
        name=str(metadata.get("name") or ""),
    )


def lean(body: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `body` without what can double its size and no plan reads: managedFields, and the object's own
    text in the annotation of `kubectl apply`.

    `annotations` itself stays even where that leaves it empty: a patch that found no annotations would add the
    whole member, and so wipe out on the server the one that is hidden here.
    """
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if key != "managedFields"}
    annotations = metadata.get("annotations")
    if isinstance(annotations, Mapping) and LAST_APPLIED in annotations:
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    return {**body, "metadata": metadata}


@dataclass(frozen=True, slots=True)
class _Packed:
    """A routing object as it is kept: its parsed JSON takes over ten times the memory, and is quickly had again."""

    text: bytes
    """JSON, compressed."""
    hosts: frozenset[Host]
    delegates: frozenset[_Name]
    changed: RouteChange | None
    """What managedFields told, which are not kept."""
    claimed: tuple[Owner, ...]
    marked: bool
    """As of traffic/gitops.py."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> _Packed:
        slim = lean(body)
        text = json.dumps(slim, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
        return cls(
            text=zlib.compress(text, _COMPRESSION),
            hosts=virtualservice.hosts(slim),
            delegates=virtualservice.delegates(slim),
            changed=virtualservice.last_change(body),
            claimed=claims(body),
            marked=gitops.marked(slim) is not None,
        )

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(zlib.decompress(self.text).decode("utf-8", "surrogatepass"))
        return body


@dataclass(slots=True)
class _RoutingTable:
    """VirtualServices: by name, by the hosts that they send to, and by the delegates that they name."""

    objects: dict[_Name, _Packed] = field(default_factory=dict)
    by_host: dict[Host, set[_Name]] = field(default_factory=dict)
    by_delegate: dict[_Name, set[_Name]] = field(default_factory=dict)
    marked: set[_Name] = field(default_factory=set)

    def put(self, name: _Name, packed: _Packed) -> None:
        self.drop(name)
        self.objects[name] = packed
        if packed.marked:
            self.marked.add(name)
        for host in packed.hosts:
            self.by_host.setdefault(host, set()).add(name)
        for delegate in packed.delegates:
            self.by_delegate.setdefault(delegate, set()).add(name)

    def drop(self, name: _Name) -> None:
        packed = self.objects.pop(name, None)
        if packed is None:
            return
        self.marked.discard(name)
        for host in packed.hosts:
            discard(self.by_host, host, name)
        for delegate in packed.delegates:
            discard(self.by_delegate, delegate, name)

    def roots(self, delegate: _Name) -> tuple[_Packed, ...]:
        return tuple(self.objects[name] for name in sorted(self.by_delegate.get(delegate, ())))


class Inventory:
    """Every VirtualService and DestinationRule, found by host, what mode each namespace asks for, and who drives what.
    Safe to use from many threads.

    The lock is held for dictionary look-ups only: JSON is packed before it is taken, and unpacked after it is
    given back. What one look-up costs depends on how many objects it finds, not on how many there are.
    """

    def __init__(self, sight: Sight | None = None, *, all_routing: bool = True) -> None:
        """
        Args:
            sight: whose DestinationRules are put here; all, if not given.
            all_routing: whether all routing objects are; else a delegate's root may be one that is not.
        """
        self._all_routing = all_routing
        self._lock = threading.Lock()
        self._routing = _RoutingTable()
        self._drivers = DriverTable()
        self._rules = RuleTable(sight or Sight())
        self._modes: dict[str, str] = {}
        """By namespace; those that say nothing are left out."""
        self._readers: tuple[News, ...] = ()

    def news(self) -> News:
        """What changes from now on."""
        made = News()
        with self._lock:
            self._readers = (*self._readers, made)
        return made

    def put(self, body: Mapping[str, Any]) -> None:
        """Add the object, or put it in the place of the one of its kind, namespace and name."""
        ref = reference(body)
        name = (ref.namespace, ref.name)
        if ref.kind == VIRTUAL_SERVICE:
            packed = _Packed.of(body)
            with self._lock:
                self._routing.put(name, packed)
        elif ref.kind == DESTINATION_RULE:
            rule = subsets.read(body)
            with self._lock:
                self._rules.put(name, rule)
        elif ref.kind in DRIVERS:
            driver = read_driver(body)
            with self._lock:
                self._drivers.put(driver)
        elif ref.kind == NAMESPACE:
            self._set_mode(ref.name, switch.annotated(body, switch.ANNOTATION))
        self._tell(ref)

    def drop(self, kind: str, namespace: str, name: str) -> None:
        """Forget the object; nothing happens if it is not there."""
        with self._lock:
            if kind == VIRTUAL_SERVICE:
                self._routing.drop((namespace, name))
            elif kind == DESTINATION_RULE:
                self._rules.drop((namespace, name))
            elif kind in DRIVERS:
                self._drivers.drop(kind, (namespace, name))
            elif kind == NAMESPACE:
                self._modes.pop(name, None)
        self._tell(TargetRef(kind, namespace, name))

    def routing_to(self, host: Host) -> tuple[Snapshot, ...]:
        """Every routing object with a destination or a mirror of `host`, in the order of namespace and name.

        A delegate is found by the hosts that it names itself. What it inherits (a root's mirror) is found with
        the root, which is where it can be removed.
        """
        with self._lock:
            found = [self._gather(name) for name in sorted(self._routing.by_host.get(host, ()))]
        return tuple(map(self._unpacked, found))

    def routing(self) -> Iterator[Snapshot]:
        """Every routing object, in the order of namespace and name; one deleted meanwhile is left out."""
        with self._lock:
            names = sorted(self._routing.objects)
        for name in names:
            snapshot = self._find(name)
            if snapshot is not None:
                yield snapshot

    def marked(self) -> tuple[TargetRef, ...]:
        """The routing objects that a GitOps controller was told to leave alone by us, by namespace and name."""
        with self._lock:
            return tuple(TargetRef(VIRTUAL_SERVICE, *name) for name in sorted(self._routing.marked))

    def get(self, ref: TargetRef) -> Snapshot | None:
        """The routing object that is so named; None if there is none."""
        return self._find((ref.namespace, ref.name)) if ref.kind == VIRTUAL_SERVICE else None

    def snapshot(self, body: Mapping[str, Any], rollouts: tuple[Rollout, ...] = ()) -> Snapshot:
        """A snapshot of a routing object that was read elsewhere; its roots and rules come from the index.

        Args:
            rollouts: those that drive it, if they were read elsewhere too.
        """
        slim = lean(body)
        hosts = virtualservice.hosts(slim)
        with self._lock:
            roots = self._routing.roots(_name(slim))
            rules = self._covering(hosts, roots)
            mode = self._modes.get(_name(slim)[0])
            driving = self._drivers.driving(reference(slim), claims(body), hosts, rules)
        driving = replace(driving, rollouts=rollouts) if rollouts else driving
        return self._snapshot(slim, _Found(roots, rules, virtualservice.last_change(body), mode, driving))

    def counts(self) -> dict[str, int]:
        """How many objects of each of Istio's kinds, and of the drivers' kinds where there are any."""
        with self._lock:
            found = {VIRTUAL_SERVICE: len(self._routing.objects), DESTINATION_RULE: len(self._rules.objects)}
            return found | self._drivers.counts()

    def _tell(self, ref: TargetRef) -> None:
        for reader in self._readers:
            reader.tell(ref)

    def _set_mode(self, namespace: str, mode: str | None) -> None:
        with self._lock:
            if mode is None:
                self._modes.pop(namespace, None)
            else:
                self._modes[namespace] = mode

    def _find(self, name: _Name) -> Snapshot | None:
        with self._lock:
            found = self._gather(name) if name in self._routing.objects else None
        return self._unpacked(found) if found else None

    def _gather(self, name: _Name) -> tuple[_Packed, _Found]:
        """All that a snapshot needs. Called with the lock held."""
        packed = self._routing.objects[name]
        roots = self._routing.roots(name)
        rules = self._covering(packed.hosts, roots)
        driving = self._drivers.driving(TargetRef(VIRTUAL_SERVICE, *name), packed.claimed, packed.hosts, rules)
        return packed, _Found(roots, rules, packed.changed, self._modes.get(name[0]), driving)

    def _covering(self, hosts: frozenset[Host], roots: tuple[_Packed, ...]) -> Rules:
        # A delegate's route may use its root's mirror, so the rules for the root's hosts count as well.
        return self._rules.covering(hosts.union(*(root.hosts for root in roots)))

    def _unpacked(self, gathered: tuple[_Packed, _Found]) -> Snapshot:
        packed, found = gathered
        return self._snapshot(packed.body(), found)

    def _snapshot(self, body: dict[str, Any], found: _Found) -> Snapshot:
        roots = tuple(root.body() for root in found.roots)
        routing = virtualservice.read(body, roots, all_roots=self._all_routing)
        rules = told(found.rules, found.driving.rollouts)
        return Snapshot(body, routing, rules, found.changed, found.mode, found.driving)


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of a routing object besides itself."""

    roots: tuple[_Packed, ...]
    rules: Rules
    changed: RouteChange | None
    mode: str | None
    driving: Driving


def _name(body: Mapping[str, Any]) -> _Name:
    ref = reference(body)
    return ref.namespace, ref.name
