"""The Canaries and Rollouts that drive routing objects, found by the name of what they drive."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from remediator.outcome import TargetRef
from remediator.owners import CANARY, ROLLOUT, Canary, Driving, Name, Owner, Rollout, driving, read_canary, read_rollout
from remediator.traffic.hosts import Host
from remediator.traffic.subsets import Rules

DRIVERS: Final = (CANARY, ROLLOUT)
"""Kinds of which only what names a routing object is kept."""

_Drives = dict[Name, dict[Name, None]]
"""What is driven, or written: by whom."""


@dataclass(slots=True)
class DriverTable:
    """Canaries and Rollouts. Whoever has it locks it."""

    canaries: dict[Name, Canary] = field(default_factory=dict)
    rollouts: dict[Name, Rollout] = field(default_factory=dict)
    by_apex: _Drives = field(default_factory=dict)
    by_service: _Drives = field(default_factory=dict)
    by_rule: _Drives = field(default_factory=dict)

    def put(self, driver: Canary | Rollout) -> None:
        """Add it, or put it in the place of the one of its name."""
        name = (driver.namespace, driver.name)
        if isinstance(driver, Canary):
            self.drop(CANARY, name)
            self.canaries[name] = driver
            _add(self.by_apex, [driver.drives], name)
        else:
            self.drop(ROLLOUT, name)
            self.rollouts[name] = driver
            _add(self.by_service, driver.drives, name)
            _add(self.by_rule, [driver.rule], name)

    def drop(self, kind: str, name: Name) -> None:
        """Forget it; nothing happens if it is not there."""
        if kind == CANARY and (canary := self.canaries.pop(name, None)):
            _remove(self.by_apex, [canary.drives], name)
        elif kind == ROLLOUT and (rollout := self.rollouts.pop(name, None)):
            _remove(self.by_service, rollout.drives, name)
            _remove(self.by_rule, [rollout.rule], name)

    def driving(self, ref: TargetRef, claimed: tuple[Owner, ...], hosts: Collection[Host], rules: Rules) -> Driving:
        """Who drives a routing object.

        Args:
            claimed: whom it names itself.
            hosts: where it sends or mirrors traffic.
            rules: the DestinationRules of these.
        """
        own = (ref.namespace, ref.name)
        canary = next((self.canaries[name] for name in sorted(self.by_apex.get(own, ()))), None)
        written = (name for rule in rules.rules for name in self.by_rule.get((rule.namespace, rule.name), ()))
        names = sorted({*self.by_service.get(own, ()), *written})
        return driving(ref, claimed, hosts, canary, tuple(self.rollouts[name] for name in names))

    def counts(self) -> dict[str, int]:
        """How many of each kind; a kind of which there is none is left out, as its CRD may not be there either."""
        found = {CANARY: len(self.canaries), ROLLOUT: len(self.rollouts)}
        return {kind: count for kind, count in found.items() if count}


def read(body: Mapping[str, Any]) -> Canary | Rollout:
    """Read what is kept of a Canary or a Rollout."""
    return read_canary(body) if body.get("kind") == CANARY else read_rollout(body)


def _add(index: _Drives, driven: Iterable[Name | None], name: Name) -> None:
    for each in driven:
        if each is not None:
            index.setdefault(each, {})[name] = None


def _remove(index: _Drives, driven: Iterable[Name | None], name: Name) -> None:
    for each in driven:
        if each is not None:
            del index[each][name]
            if not index[each]:
                del index[each]
