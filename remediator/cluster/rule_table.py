"""The DestinationRules of the index: by name, and by what may speak of a host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from remediator.traffic.hosts import Host
from remediator.traffic.sight import Sight
from remediator.traffic.subsets import DestinationRule, Rules

_Name = tuple[str, str]
"""(namespace, name)"""


@dataclass(slots=True)
class RuleTable:
    """DestinationRules: by name, by exact host, and by what a wildcard host ends with."""

    sight: Sight = field(default_factory=Sight)
    """Whose rules there are."""
    objects: dict[_Name, DestinationRule] = field(default_factory=dict)
    by_host: dict[str, set[_Name]] = field(default_factory=dict)
    by_suffix: dict[str, set[_Name]] = field(default_factory=dict)

    def put(self, name: _Name, rule: DestinationRule) -> None:
        """Add a rule, or put it in the place of the one of this name."""
        self.drop(name)
        self.objects[name] = rule
        index, key = self._place(rule)
        index.setdefault(key, set()).add(name)

    def drop(self, name: _Name) -> None:
        """Forget a rule; nothing happens if it is not there."""
        rule = self.objects.pop(name, None)
        if rule is not None:
            index, key = self._place(rule)
            discard(index, key, name)

    def covering(self, hosts: Iterable[Host]) -> Rules:
        """The rules that may speak of any of `hosts`, in the order of their names."""
        names: set[_Name] = set()
        for host in hosts:
            names |= self.by_host.get(host, set())
            if self.by_suffix:
                # As many look-ups as the host has characters, however many rules there are.
                for start in range(len(host) + 1):
                    names |= self.by_suffix.get(host[start:], set())
        return Rules(tuple(self.objects[name] for name in sorted(names)), self.sight)

    def _place(self, rule: DestinationRule) -> tuple[dict[str, set[_Name]], str]:
        return (self.by_suffix, rule.host[1:]) if rule.host.startswith("*") else (self.by_host, rule.host)


def discard(index: dict[Any, set[_Name]], key: object, name: _Name) -> None:
    """Take a name out of the set at `key`, and the set with its last one."""
    names = index[key]
    names.discard(name)
    if not names:
        del index[key]
