"""Which versions the subsets are that a Rollout writes: their labels name ReplicaSets by a hash, and mostly no version.

Facts are from argoproj/argo-rollouts rollout/trafficrouting/istio/istio.go: before each weight the controller writes
the hash of the new pods into the labels of `canarySubsetName`, and that of the stable ones into `stableSubsetName`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from remediator.owners.model import Rollout
from remediator.traffic.subsets import POD_HASH, DestinationRule, Rules, Subset, version_in


def stable_pods(rollout: Rollout) -> Mapping[str, str] | None:
    """The labels of the stable side's pods, if theirs have to tell its version; None: it need not be known, or nothing
    would follow from it."""
    is_asked = rollout.rule is not None and rollout.update.in_progress and rollout.versions.version is not None
    return {POD_HASH: rollout.update.stable} if is_asked else None


def with_stable(rollout: Rollout, labels: Iterable[Mapping[str, object]]) -> Rollout:
    """The Rollout, with the version that the labels of all its stable pods tell."""
    found = {version_in(each) for each in labels}
    version = found.pop() if len(found) == 1 else None
    return replace(rollout, versions=replace(rollout.versions, stable_version=version))


def told(rules: Rules, rollouts: tuple[Rollout, ...]) -> Rules:
    """`rules`, in which subsets have the version that the Rollout tells whose hash is in their labels.

    What their own labels say stays. What nobody knows stays unknown: no other subset can be told apart from it then.
    """
    if not any(each.rule for each in rollouts):
        return rules
    return replace(rules, rules=tuple(_ruled(rule, rollouts) for rule in rules.rules))


def _ruled(rule: DestinationRule, rollouts: tuple[Rollout, ...]) -> DestinationRule:
    own = [each for each in rollouts if each.rule == (rule.namespace, rule.name)]
    return replace(rule, subsets=tuple(_subset(each, own) for each in rule.subsets)) if own else rule


def _subset(subset: Subset, rollouts: list[Rollout]) -> Subset:
    if subset.version is not None or subset.pod_hash is None:
        return subset
    found = (each.version_of(subset.pod_hash) for each in rollouts)
    return replace(subset, version=next((version for version in found if version), None))
