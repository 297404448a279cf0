"""A test of policies as a value: what is given, what happens, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from remediator.alerts import Status
from remediator.guards.situation import Bounds
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.policies.model import Mode
from remediator.testing.paths import Place

NOON: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""When a test takes place that does not say: noon of a Monday."""

Json = dict[str, Any]


class Delivery(StrEnum):
    """The alerts of the first step, once more."""

    AGAIN = "Again"
    """As Alertmanager repeats them while they fire."""
    RESOLVED = "Resolved"
    """As resolved."""


class Answer(StrEnum):
    """What a person says to the plans of the step before that wait for one."""

    APPROVE = "Approve"
    REJECT = "Reject"


@dataclass(frozen=True, slots=True)
class GivenAlert:
    """An alert as a test writes it."""

    labels: Mapping[str, str]
    starts_at: datetime | None = None
    """None: at the moment of its step."""
    status: Status = Status.FIRING


@dataclass(frozen=True, slots=True)
class InputSeries:
    """One series, in promtool's words."""

    series: str
    """`istio_requests_total{reporter="source"}`."""
    values: str
    """`0+10x40`: promtool's notation."""


@dataclass(frozen=True, slots=True)
class Series:
    """Where alerts come from that Prometheus' own rules find."""

    rule_files: tuple[Path, ...]
    input_series: tuple[InputSeries, ...]
    eval_time: timedelta
    """When the alerts are looked at, counted from the first sample."""
    interval: timedelta = timedelta(seconds=15)
    """Between two samples, and between two evaluations of the rules."""
    firing: tuple[Mapping[str, str], ...] | None = None
    """All alerts that must fire then, each with some of its labels; None: not compared."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One outcome that must come, and the state of its routing object afterwards. None: not compared."""

    outcome: Outcome
    reason: Reason | None = None
    alert: str | None = None
    """The label alertname."""
    policy: str | None = None
    target: TargetRef | None = None
    guards: tuple[str, ...] | None = None
    """Those that said no, in any order."""
    changes: tuple[str, ...] | None = None
    fields: tuple[tuple[Place, Any], ...] = ()
    """What must stand there; None: nothing."""
    object: Json | None = None
    """The whole object."""
    object_file: Path | None = None
    """The file that has it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens, and what must come of it."""

    cause: tuple[GivenAlert, ...] | Series | Delivery | Answer
    expect: tuple[Expected, ...]
    after: timedelta = timedelta()
    """Since the step before."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the service was told at its start, as far as it bears on what is done."""

    mode: Mode
    """The ceiling."""
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a test stands."""

    file: Path
    document: int
    """Counted from 1."""
    name: str

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One test."""

    origin: Origin
    steps: tuple[Step, ...]
    service: Service
    description: str = ""
    at: datetime | None = None
    """When the first step takes place; None: when the last of its alerts began, else NOON."""
    policies: tuple[Path, ...] = ()
    """Files and folders of policies; empty: the test does not say."""
    given: tuple[Path | Json, ...] = ()
    """The manifests: files, folders, or objects."""
    series: Series | None = field(init=False)

    def __post_init__(self) -> None:
        cause = self.steps[0].cause
        object.__setattr__(self, "series", cause if isinstance(cause, Series) else None)
