"""A test as it is written: the keys of the YAML document, with their meaning and defaults.

Keys are camelCase as in Kubernetes, but for those of `series`, which are promtool's.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from remediator.alerts import Status
from remediator.policies.fields import Name
from remediator.policies.mistake import Mistake
from remediator.testing.fields import (
    AnswerWord,
    DeliveryWord,
    GivenItem,
    GuardName,
    Moment,
    Object,
    OutcomeWord,
    Places,
    ReasonWord,
    Since,
    Span,
    StatusWord,
    Target,
)

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class _CamelCase(BaseModel):
    model_config = ConfigDict(**_STRICT, alias_generator=to_camel)


class AlertDocument(_CamelCase):
    """An alert as Alertmanager would deliver it."""

    labels: dict[str, str]
    """All of its labels, as text."""
    starts_at: Moment | None = None
    """When it began; without it, at the moment of its step."""
    status: StatusWord = Status.FIRING
    """`firing` or `resolved`."""


class InputSeriesDocument(BaseModel):
    """One series, as in a file of `promtool test rules`."""

    model_config = _STRICT

    series: str
    """Name and labels: istio_requests_total{reporter="source"}."""
    values: str
    """Its samples: `0+10x40` starts at 0, and adds 10 forty times."""


class SeriesDocument(BaseModel):
    """Series and the rules that make alerts of them, in the words of `promtool test rules`."""

    model_config = _STRICT

    rule_files: tuple[str, ...] = Field(min_length=1)
    """PrometheusRule objects or plain rule files, by their path from this file."""
    input_series: tuple[InputSeriesDocument, ...] = Field(min_length=1)
    """What Prometheus has scraped."""
    eval_time: Span
    """When the alerts are looked at, counted from the first sample."""
    interval: Span = Field(default="15s", validate_default=True)
    """Between two samples, and between two evaluations of the rules."""
    firing: tuple[dict[str, str], ...] | None = None
    """All alerts that must fire then, each by some of its labels; without it they are not compared."""


class ExpectedDocument(_CamelCase):
    """One outcome that must come. What is left out is not compared."""

    outcome: OutcomeWord
    """How it must end: Applied, Denied, …"""
    reason: ReasonWord | None = None
    """Why."""
    alert: str | None = None
    """The alertname of the alert that it is about."""
    policy: str | None = None
    """The policy that takes it."""
    target: Target | None = None
    """The routing object, as NAMESPACE/NAME."""
    guards: tuple[GuardName, ...] | None = None
    """The guards that must say no, and no others."""
    changes: tuple[str, ...] | None = None
    """What is changed, in the words of the answer."""
    fields: Places = ()
    """What must stand in the routing object afterwards, by its place; null: nothing."""
    object: Object | None = None
    """The whole routing object afterwards."""
    object_file: str | None = None
    """A file that has it, by its path from this file; `--update` rewrites it."""

    @model_validator(mode="after")
    def _one_object(self) -> ExpectedDocument:
        if self.object is not None and self.object_file is not None:
            raise Mistake("object and objectFile exclude each other", "keep one of the two")
        return self


class _CauseDocument(_CamelCase):
    """What happens, and what must come of it."""

    alert: AlertDocument | None = None
    """The alert that is delivered."""
    alerts: tuple[AlertDocument, ...] = ()
    """Several alerts of one notification."""
    expect: tuple[ExpectedDocument, ...] = ()
    """Every outcome that must come, and no others. None: only where series are to make no alert fire."""

    def said(self) -> list[str]:
        """The keys that say what happens."""
        return [name for name in self._causes() if getattr(self, name)]

    @staticmethod
    def _causes() -> tuple[str, ...]:
        return ("alert", "alerts")

    @model_validator(mode="after")
    def _one_cause(self) -> Any:
        if len(self.said()) != 1:
            known = ", ".join(self._causes())
            raise Mistake(f"what happens is to be said once, and is {len(self.said())} times", f"write one of {known}")
        if not self.expect and not self._expects_silence():
            raise Mistake("nothing is expected", "write each outcome that must come under `expect`")
        return self

    def _expects_silence(self) -> bool:
        """Whether no outcome at all is what is wanted."""
        return False


class StepDocument(_CauseDocument):
    """What happens later."""

    after: Since
    """How much later than what stands before it."""
    deliver: DeliveryWord | None = None
    """`Again`: the first alerts once more, as Alertmanager repeats them; `Resolved`: as resolved."""
    answer: AnswerWord | None = None
    """What a person says to the plans of the step before that wait for one: `Approve` or `Reject`."""

    @staticmethod
    def _causes() -> tuple[str, ...]:
        return ("alert", "alerts", "deliver", "answer")


class SettingsDocument(_CamelCase):
    """Settings of the service, as docs/settings.md has them."""

    mode: str | None = None
    """The most that any policy may do."""
    opt_in: bool = False
    """Act only where the annotation remediator.io/mode says so."""
    budget: str | None = None
    """Most remediations in a span of time: 10/10m, or off."""
    max_alert_age: str | None = None
    """An older alert is not acted upon."""
    approve_within: str | None = None
    """How long a plan waits for a person."""


class SpecDocument(_CauseDocument):
    """What is given, what happens, and what must come of it."""

    description: str = ""
    """One sentence for whoever sees it fail."""
    policies: tuple[str, ...] = ()
    """Files and folders of policies, by their path from this file. Without it: the folder above `tests`."""
    settings: SettingsDocument = Field(default_factory=SettingsDocument)
    """Settings of the service; without it their defaults."""
    given: tuple[GivenItem, ...] = ()
    """The manifests that there are: paths of files and folders from this file, or objects."""
    at: Moment | None = None
    """When it happens. Without it: when the last of the alerts began, else 2026-01-05T12:00:00Z."""
    series: SeriesDocument | None = None
    """Series and rules that make the alerts."""
    then: tuple[StepDocument, ...] = ()
    """What happens later, one after the other."""

    @staticmethod
    def _causes() -> tuple[str, ...]:
        return ("alert", "alerts", "series")

    def _expects_silence(self) -> bool:
        return self.series is not None and self.series.firing is not None


class MetadataDocument(_CamelCase):
    """What the test is called."""

    name: Name
    """A DNS-1123 label, unique in its file; it names the test in what is told of it."""


class PolicyTestDocument(_CamelCase):
    """A test of policies."""

    api_version: Literal["remediator.io/v1alpha1"]
    """Version of this format: `remediator.io/v1alpha1`."""
    kind: Literal["PolicyTest"]
    """Kind of the document: `PolicyTest`."""
    metadata: MetadataDocument
    """What the test is called."""
    spec: SpecDocument
    """What it says."""
