"""Pure: who drives a routing object, and how to take traffic away from it so that it stays away.

model      owners, Canaries and Rollouts as values; the levers
reading    what is kept of a Canary and of a Rollout
evidence   what tells who drives an object, and which of several counts
abort      the Rollout whose abort takes away what a plan takes away
versions   which versions the subsets are that a Rollout writes
steps      whether the routes were last changed by a step of the driver's, which tries the same version as before
checksum   which revision a Canary has on trial, as Flagger tells it
rollback   the Canary whose rollback takes away what a plan takes away
"""

from remediator.owners.evidence import claims, driving
from remediator.owners.model import (
    CANARY,
    FLAGGER_GROUP,
    NOBODY,
    ROLLOUT,
    ROLLOUTS_GROUP,
    Canary,
    Driver,
    Driving,
    Lever,
    Name,
    Owner,
    Rollout,
    Side,
    Update,
    Versions,
)
from remediator.owners.reading import read_canary, read_rollout
from remediator.owners.steps import Tried, tried
from remediator.owners.versions import stable_pods, told, with_stable

__all__ = [
    "CANARY",
    "FLAGGER_GROUP",
    "NOBODY",
    "ROLLOUT",
    "ROLLOUTS_GROUP",
    "Canary",
    "Driver",
    "Driving",
    "Lever",
    "Name",
    "Owner",
    "Rollout",
    "Side",
    "Tried",
    "Update",
    "Versions",
    "claims",
    "driving",
    "read_canary",
    "read_rollout",
    "stable_pods",
    "told",
    "tried",
    "with_stable",
]
