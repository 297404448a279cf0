"""All that the guards judge by: one alert, one routing object, what is planned, and what is known around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from remediator.guards.budget import Budget, Spent
from remediator.guards.cooldown import Made
from remediator.guards.pause import Pause
from remediator.guards.stable_also_failing import Accused
from remediator.guards.stable_ready import Readiness
from remediator.guards.switch import Switch
from remediator.owners import Driving
from remediator.policies.model import Policy
from remediator.traffic.exposure import Facts
from remediator.traffic.plan import Plan
from remediator.traffic.suspect import Demand
from remediator.traffic.view import RouteChange


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the service was told at its start."""

    opt_in: bool = False
    """Act only where the annotation `remediator.io/mode` says so."""
    budget: Budget | None = None
    approve_within: timedelta = timedelta(hours=1)
    """How long a plan waits for a person; and how long their yes counts."""
    max_alert_age: timedelta | None = timedelta(hours=1)
    """None: evidence of any age will do, also if the routes have changed since."""
    known_bad: timedelta | None = timedelta(days=7)
    """How long a revision of which Flagger was told is known as bad; None: for as long as there is the record."""


@dataclass(frozen=True, slots=True)
class History:
    """What the records tell."""

    last: Made | None = None
    """The last remediation that changed this object."""
    kept_up: str = ""
    """The record by which this very firing has taken the traffic away, and whose hold lasts."""
    accusations: tuple[Accused, ...] = ()
    """Versions of the receivers' services that alerts of the last minutes accuse."""
    spent: Spent = field(default_factory=Spent)
    other_trial: str = ""
    """The record of another revision of the Canary that Flagger has on trial, if that was written since the alert
    began: the alert accuses that one."""


@dataclass(frozen=True, slots=True)
class Object:
    """The routing object, beside its routes."""

    switch: Switch = field(default_factory=Switch)
    stable: str | None = None
    """The version that its annotation `remediator.io/stable` names."""
    changed: RouteChange | None = None
    driving: Driving = field(default_factory=Driving)


@dataclass(frozen=True, slots=True)
class Situation:
    """What is asked: may this be done?"""

    now: datetime
    policy: Policy
    demand: Demand
    starts_at: datetime
    """When the alert began."""
    plan: Plan
    facts: Facts
    target: Object
    bounds: Bounds = field(default_factory=Bounds)
    history: History = field(default_factory=History)
    pauses: tuple[Pause, ...] = ()
    readiness: tuple[Readiness, ...] | None = ()
    """Of each receiver; None: a folder of YAML without EndpointSlices."""
    targets: int = 1
    """How many routing objects would be changed for this alert."""
    wrong: str | None = None
    """What is wrong with the patched object, by the proof that every proposal goes through (traffic/proof.py): where
    there is something, there is no patch either."""
    approved: bool = False
    """A person has approved it: they looked at its age."""
