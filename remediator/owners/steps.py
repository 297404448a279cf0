"""Whether the routes were last changed by a step of their driver's, which tries the same version as before.

Each step of a Rollout writes new weights. Who only looks at when the routes were changed takes an alert from before
that step for stale, though it accuses the very pods that get more traffic now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remediator.owners.abort import canary_of
from remediator.owners.model import Driving
from remediator.traffic.exposure import Facts
from remediator.traffic.plan import Plan
from remediator.traffic.view import RouteChange

_ROLLOUTS_MANAGER: Final = "rollouts-controller"
"""What managedFields call the controller of Argo Rollouts: the name of its program, which client-go takes for it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A version that a driver tries, step by step."""

    driver: str
    """The driver's own object."""
    since: datetime
    """The pods behind it are the same since then, at the least."""


def tried(driving: Driving, plan: Plan, facts: Facts, changed: RouteChange) -> Tried | None:
    """What the driver tries that wrote the routes last; None: it was somebody else, or not all that loses traffic by
    `plan` is the version on trial, or nobody knows since when it is.

    Of Flagger nobody knows: its Canary does not say when a revision came that took the place of another on trial.
    """
    rollout = canary_of(driving, plan, facts)
    if rollout is None or rollout.versions.since is None or changed.by != _ROLLOUTS_MANAGER:
        return None
    return Tried(str(rollout), rollout.versions.since)
