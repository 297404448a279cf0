"""The Canary whose rollback takes away what a plan takes away, and why none can.

Flagger asks the Canary's `rollback` webhooks once an interval, in the phases in which traffic is on trial, and only
while it analyses (fluxcd/flagger v1.44 pkg/controller/scheduler.go, advanceCanary). What it then does: all weight goes
back to the primary, mirrors are removed, the canary is scaled to zero, and it stays so until the target's spec changes.
"""

from __future__ import annotations

from typing import Final

from remediator.outcome import Reason
from remediator.owners.abort import losers
from remediator.owners.model import Canary, Driver, Driving
from remediator.traffic.plan import Plan
from remediator.traffic.suspect import Refusal

ON_TRIAL: Final = ("Progressing", "WaitingPromotion")
"""The phases in which Flagger asks. In `Waiting` it asks `confirm-rollout` alone, before there is any traffic."""
PROMOTED: Final = ("Promoting", "Finalising", "Succeeded")
"""The phases in which the revision that was on trial becomes the primary, or is it."""
HOOK_PATH: Final = "/flagger/rollback"

_OTHER_PHASES: Final = {
    "Promoting": "it promotes the accused version already, and asks nobody any more",
    "Finalising": "it has promoted the accused version already, and asks nobody any more",
}


def to_roll_back(driving: Driving, plan: Plan) -> Canary | Refusal | None:
    """The Canary to roll back; why there is none, though Flagger drives the object; None: Flagger does not."""
    if driving.owner.driver is not Driver.FLAGGER:
        return None
    canary, owner = driving.canary, driving.owner
    if canary is None:
        message = (
            f"{owner} drives the object and would put a patch back within seconds ({owner.evidence}), and there is no "
            "such Canary to roll back"
        )
        return Refusal(Reason.NO_LEVER, message)
    primary, trial = canary.hosts
    hosts = {destination.host for destination in losers(plan)}
    if hosts != {trial}:
        if hosts == {primary}:
            message = f"the accused version is the primary of {canary}: a rollback would give it all of the traffic"
            return Refusal(Reason.NOTHING_TO_ABORT, message)
        message = f"{canary} would put a patch back within seconds, and nothing says that its canary side is accused"
        return Refusal(Reason.NO_LEVER, message)
    return _unasked(canary) or canary


def over(canary: Canary) -> str | None:
    """Why a Canary has nothing on trial now; None: it has."""
    if canary.phase in ON_TRIAL and canary.checksum:
        return None
    why = _OTHER_PHASES.get(canary.phase, "it has no version on trial, so there is nothing to roll back")
    return f"{canary} is {canary.phase or 'not initialized'}: {why}"


def asks_here(canary: Canary) -> bool:
    """Whether a Canary asks at an address that may be ours."""
    return any(HOOK_PATH in url for url in canary.rollback_urls)


def advice(canary: Canary) -> str:
    """What to add to a Canary that does not ask here, or what else may keep it from asking."""
    if not asks_here(canary):
        asks = "has no webhook of type rollback" if not canary.rollback_urls else "asks elsewhere"
        return (
            f"{canary} {asks}: add one to its spec.analysis.webhooks (type: rollback, "
            f"url: http://remediator.NAMESPACE:8080{HOOK_PATH}/HOOK-TOKEN)"
        )
    return (
        f"{canary} has a webhook that names {HOOK_PATH}: see that its address is this service's and its token the "
        f"right one, and that primary and canary are ready, for Flagger does not ask before (kubectl describe canary "
        f"{canary.name} -n {canary.namespace})"
    )


def _unasked(canary: Canary) -> Refusal | None:
    """Why Flagger will ask nobody about this Canary; None: it may."""
    why = over(canary)
    if why is not None:
        return Refusal(Reason.NOTHING_TO_ABORT, why)
    if canary.suspended:
        message = f"{canary} is suspended: Flagger leaves the traffic where it is, and asks nobody until it goes on"
        return Refusal(Reason.NO_LEVER, message)
    if canary.skips_analysis:
        return Refusal(Reason.NO_LEVER, f"{canary} skips its analysis: Flagger promotes at once, and asks nobody")
    if not canary.rollback_urls:
        return Refusal(Reason.LEVER_NOT_PULLED, f"Flagger will not ask: {advice(canary)}")
    return None
