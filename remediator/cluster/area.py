"""Which part of a cluster is looked at: what is watched of each kind, and so what is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from remediator.cluster.inventory import DESTINATION_RULE, NAMESPACE, VIRTUAL_SERVICE
from remediator.cluster.scope import Scope
from remediator.owners import CANARY, ROLLOUT
from remediator.records.model import KIND as REMEDIATION
from remediator.records.pauses import KIND as PAUSE
from remediator.traffic.sight import ROOT_NAMESPACE, Sight


@dataclass(frozen=True, slots=True)
class Area:
    """The namespaces that are looked at.

    With names alone nothing is asked for elsewhere, but Istio's root namespace for its DestinationRules; so a Role in
    each is enough. Kubernetes cannot watch a glob: with one among them the whole cluster is watched, and what does not
    match is left out, but for what may stand elsewhere and counts all the same (DestinationRules, Rollouts).
    """

    namespaces: tuple[str, ...] = ()
    """Names or globs; empty is all."""
    root: str = ROOT_NAMESPACE
    """Istio's `rootNamespace`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The namespaces, if each is named; empty: the whole cluster is watched."""
        is_glob = any(set(each) & set("*?[") for each in self.namespaces)
        return () if is_glob else tuple(dict.fromkeys(self.namespaces))

    @property
    def sight(self) -> Sight:
        """Whose DestinationRules are known."""
        return Sight.of(self.names, self.root) if self.names else Sight(None, self.root)

    def routing(self) -> tuple[Scope, ...]:
        """What to watch to plan on.

        What a subset is, a rule of the service's own namespace or of the root namespace may say, whichever namespaces
        match a glob. Namespaces: each may say how far anything may go in it. Canaries stand beside what they drive,
        Rollouts need not; neither need be installed.
        """
        return (
            *self._within(VIRTUAL_SERVICE),
            *self._rules(),
            *self._own_objects(),
            *self._within(CANARY, optional=True),
            *self._rollouts(),
        )

    def records(self) -> tuple[Scope, ...]:
        """What to watch of the records: they stand beside what they are of."""
        return tuple(self._within(REMEDIATION))

    def pauses(self) -> tuple[Scope, ...]:
        """What to watch of the pauses, which are in no namespace."""
        return (Scope(PAUSE),)

    @property
    def watches(self) -> int:
        """How many there are in all."""
        return len(self.routing()) + len(self.records()) + len(self.pauses())

    def _within(self, kind: str, *, optional: bool = False) -> Iterator[Scope]:
        if self.names:
            yield from (Scope(kind, name, optional=optional) for name in self.names)
        else:
            yield Scope(kind, None, self._keeps, optional)

    def _rules(self) -> tuple[Scope, ...]:
        names = dict.fromkeys((*self.names, self.root)) if self.names else ()
        return tuple(Scope(DESTINATION_RULE, name) for name in names) or (Scope(DESTINATION_RULE),)

    def _own_objects(self) -> tuple[Scope, ...]:
        return tuple(Scope(NAMESPACE, name=name) for name in self.names) or (Scope(NAMESPACE),)

    def _rollouts(self) -> tuple[Scope, ...]:
        each = tuple(Scope(ROLLOUT, name, optional=True) for name in self.names)
        return each or (Scope(ROLLOUT, optional=True),)

    def _keeps(self, namespace: str) -> bool:
        return not self.namespaces or any(fnmatchcase(namespace, glob) for glob in self.namespaces)
