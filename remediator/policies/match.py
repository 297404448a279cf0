"""Which policy speaks of an alert: the first whose matchers all hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remediator.policies.matchers import Matcher
from remediator.policies.model import Policy, PolicySet


@dataclass(frozen=True, slots=True)
class Considered:
    """One policy and what it made of an alert's labels."""

    policy: Policy
    matched: bool
    """Whether every matcher holds; of several matched policies only the first counts."""
    unmet: tuple[Matcher, ...]
    """The matchers that do not hold."""


def find(policies: PolicySet, labels: Mapping[str, str]) -> Policy | None:
    """The policy for an alert with these labels, in order of file name and position; None if there is none."""
    return next((policy for policy in policies.policies if policy.matches(labels)), None)


def explain(policies: PolicySet, labels: Mapping[str, str]) -> tuple[Considered, ...]:
    """What every policy made of these labels, in the order in which `find` asks them."""
    return tuple(_considered(policy, labels) for policy in policies.policies)


def _considered(policy: Policy, labels: Mapping[str, str]) -> Considered:
    unmet = tuple(matcher for matcher in policy.matchers if not matcher.matches(labels))
    return Considered(policy, not unmet, unmet)
