"""Guard `namespaces`: a policy acts where it is allowed to, and nowhere else."""

from __future__ import annotations

from typing import Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason
from remediator.policies.model import TargetSpec

GUARD: Final = "namespaces"


def evaluate(namespace: str, target: TargetSpec) -> Verdict:
    """No, if the routing object's namespace is none that the policy names."""
    if not target.namespaces:
        return yes(GUARD, "the policy allows every namespace")
    told = f"the policy allows the namespaces {', '.join(target.namespaces)} (spec.target.namespaces)"
    if target.allows(namespace):
        return yes(GUARD, told)
    return no(GUARD, Reason.NAMESPACE_NOT_ALLOWED, f"the object stands in {namespace}, and {told}")
