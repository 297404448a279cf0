"""Guard `lever`: traffic that another program gives back within seconds has to be taken away by that program."""

from __future__ import annotations

from typing import Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason
from remediator.owners import Driver, Driving
from remediator.owners.abort import idle, to_abort
from remediator.owners.rollback import to_roll_back
from remediator.traffic.exposure import Facts
from remediator.traffic.hosts import Host
from remediator.traffic.plan import Plan
from remediator.traffic.suspect import Refusal

GUARD: Final = "lever"

_KEEPS: Final = {
    Driver.NOBODY: "nobody is known to drive the object, so a patch stays",
    Driver.HELM: "a patch stays until the next upgrade",
    Driver.ARGO_CD: "a patch stays until the next sync, or is put back at once where selfHeal is on",
    Driver.FLUX: "a patch stays until the next reconciliation",
    Driver.ARGO_ROLLOUTS: "the weights are not what it writes, so a patch stays",
}

_ONE_VERSION: Final = (Reason.NOT_SEPARABLE, Reason.NO_STABLE_DESTINATION)
"""What the planner says where there is but one version."""


def by_hand(driving: Driving) -> tuple[Verdict, ...]:
    """What a person should know who is about to patch what Flagger writes; empty: it does not."""
    if driving.owner.driver is not Driver.FLAGGER:
        return ()
    message = (
        f"{driving.owner} drives the object and steps over a patch at its next interval; to end its trial, restore the "
        "good version in the Canary's target"
    )
    return (no(GUARD, Reason.NO_LEVER, message),)


def evaluate(driving: Driving, plan: Plan, facts: Facts) -> Verdict:
    """No, where Flagger or Argo Rollouts write the routes, and there is no trial to end."""
    owner = driving.owner
    canary = to_roll_back(driving, plan)
    if isinstance(canary, Refusal):
        return no(GUARD, *canary.words)
    if canary is not None:
        return yes(GUARD, f"{canary} drives the object, and Flagger asks here whether to roll it back")
    if driving.rollouts:
        found = to_abort(driving, plan, facts)
        if isinstance(found, Refusal):
            return no(GUARD, *found.words)
        return yes(GUARD, f"{found} drives the object, and its update can be aborted")
    who = f"driven by {owner}: " if owner.name else ""
    return yes(GUARD, who + _KEEPS[owner.driver])


def of_refused(driving: Driving, planned: Refusal, host: Host, facts: Facts) -> Verdict:
    """No, where the planner refused because Argo Rollouts has no two versions of this service to tell apart."""
    found = idle(driving, host, facts)
    if found is None or planned.reason not in _ONE_VERSION:
        return yes(GUARD, "not asked: there is no plan")
    return no(GUARD, found.reason, f"{found.message} ({planned.message})")
