"""Guard `lever`: a patch that another program puts back within seconds takes nothing away."""

from __future__ import annotations

from typing import Final

from remediator.guards.verdict import Verdict, no, yes
from remediator.outcome import Reason
from remediator.owners import Driver, Driving

GUARD: Final = "lever"

_KEEPS: Final = {
    Driver.NOBODY: "nobody is known to drive the object, so a patch stays",
    Driver.HELM: "a patch stays until the next upgrade",
    Driver.ARGO_CD: "a patch stays until the next sync, or is put back at once where selfHeal is on",
    Driver.FLUX: "a patch stays until the next reconciliation",
    Driver.ARGO_ROLLOUTS: "the weights are not what it writes, so a patch stays",
}


def evaluate(driving: Driving) -> Verdict:
    """No, where Flagger or Argo Rollouts write the routes themselves."""
    owner = driving.owner
    if driving.overwritten:
        message = f"{owner} drives the object and would put a patch back within seconds ({owner.evidence})"
        return no(GUARD, Reason.NO_LEVER, message)
    who = f"driven by {owner}: " if owner.name else ""
    return yes(GUARD, who + _KEEPS[owner.driver])
