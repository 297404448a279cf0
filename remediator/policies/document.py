"""A policy as it is written: the keys of the YAML document, with their meaning and defaults.

The JSON Schema is made from these classes, so what editors accept and what `load` accepts are one thing. Keys are
camelCase as in Kubernetes, but for those of `freeze`, which are Alertmanager's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from remediator.policies.fields import (
    ActionWord,
    DaysOfMonth,
    Duration,
    Glob,
    Label,
    MatcherLine,
    MirrorWord,
    ModeWord,
    Months,
    Name,
    Percentage,
    Time,
    Version,
    Weekdays,
    Years,
    Zone,
    distinct,
    selective,
)
from remediator.policies.intervals import TimeInterval, TimeRange, time_range
from remediator.policies.mistake import Mistake
from remediator.policies.model import Guards, LabelNames, MirrorScope, Mode, Policy, TargetSpec
from remediator.policies.quantities import format_duration, format_percentage

_LABELS = LabelNames()
_GUARDS = Guards()
_STRICT = ConfigDict(
    frozen=True,
    extra="forbid",
    strict=True,
    use_attribute_docstrings=True,
    field_title_generator=lambda name, field: field.alias or name,
)


class TimeRangeDocument(BaseModel):
    """A part of a day; one over midnight is written as two."""

    model_config = _STRICT

    start_time: Time
    """First minute, HH:MM."""
    end_time: Time
    """First minute that no longer belongs to it, HH:MM, up to 24:00."""

    @model_validator(mode="after")
    def _forward(self) -> TimeRangeDocument:
        self.value()
        return self

    def value(self) -> TimeRange:
        """As a value. Raises ValueError if the end is not after the start."""
        return time_range(self.start_time, self.end_time)


class TimeIntervalDocument(BaseModel):
    """Alertmanager's time interval: a moment is in it if it is in one range of every key that is given."""

    model_config = _STRICT

    times: tuple[TimeRangeDocument, ...] = ()
    """Parts of the day."""
    weekdays: tuple[Weekdays, ...] = ()
    """`saturday`, or `monday:friday`; the week starts on sunday."""
    days_of_month: tuple[DaysOfMonth, ...] = ()
    """`1:5`; -1 is the last day of the month."""
    months: tuple[Months, ...] = ()
    """`december`, 12, or `june:august`."""
    years: tuple[Years, ...] = ()
    """2030, or `2030:2032`."""
    location: Zone = "UTC"
    """Name of a time zone of the IANA database: `Europe/Berlin`."""

    @model_validator(mode="after")
    def _says_something(self) -> TimeIntervalDocument:
        if not (self.times or self.weekdays or self.days_of_month or self.months or self.years):
            raise Mistake("an interval without a range is always", "set `mode: Observe` to change nothing")
        return self

    def value(self) -> TimeInterval:
        """As a value."""
        return TimeInterval(
            times=tuple(time.value() for time in self.times),
            weekdays=self.weekdays,
            days_of_month=self.days_of_month,
            months=self.months,
            years=self.years,
            location=self.location,
        )


class _CamelCase(BaseModel):
    model_config = ConfigDict(**_STRICT, alias_generator=to_camel)


class LabelsDocument(_CamelCase):
    """Which label of the alert tells what."""

    service: Label = _LABELS.service
    """Label with the whole host of the accused service; wins over name and namespace."""
    name: Label = _LABELS.name
    """Label with the service's name."""
    namespace: Label = _LABELS.namespace
    """Label with the service's namespace."""
    version: Label = _LABELS.version
    """Label with the accused version."""


class TargetDocument(_CamelCase):
    """Where the policy may act, and what it falls back on."""

    labels: LabelsDocument = Field(default_factory=LabelsDocument)
    """Which label of the alert tells what."""
    namespaces: tuple[Glob, ...] = ()
    """Globs over the namespace of the routing object; objects elsewhere are never touched. None: everywhere."""
    stable: Version | None = None
    """The version to fall back on; without it, the other destinations of the route."""
    mirrors: MirrorWord = Field(default=str(MirrorScope.SUSPECT), validate_default=True)
    """Which mirrors RemoveMirrors takes: those of the suspect, or all of a route that reaches the service."""

    def value(self) -> TargetSpec:
        """As a value."""
        labels = LabelNames(**self.labels.model_dump())
        return TargetSpec(labels, self.namespaces, self.stable, self.mirrors)


class GuardsDocument(_CamelCase):
    """What must hold before anything is changed."""

    cooldown: Duration = Field(default=format_duration(_GUARDS.cooldown), validate_default=True)
    """Least time between two remediations of the same target. Not yet enforced."""
    hold: Duration = Field(default=format_duration(_GUARDS.hold), validate_default=True)
    """How long the withdrawal is kept up against whoever puts the traffic back. Not yet enforced."""
    max_targets: int = Field(default=_GUARDS.max_targets, ge=1)
    """Most routing objects that one alert may change."""
    stable_ready: Percentage = Field(default=format_percentage(_GUARDS.stable_ready), validate_default=True)
    """Least share of the stable side's endpoints that must be ready; 0% switches it off. Not yet enforced."""
    freeze: tuple[TimeIntervalDocument, ...] = ()
    """When nothing is changed, in the syntax of Alertmanager's time_intervals. Not yet enforced."""

    def value(self) -> Guards:
        """As a value."""
        return Guards(
            cooldown=self.cooldown,
            hold=self.hold,
            max_targets=self.max_targets,
            stable_ready=self.stable_ready,
            freeze=tuple(interval.value() for interval in self.freeze),
        )


class AnnotationsDocument(BaseModel):
    """What those who check policies want to know of one."""

    model_config = _STRICT

    alerts: Literal["Elsewhere"] | None = Field(default=None, alias="remediator.io/alerts")
    """`Elsewhere`: its alerts are defined in rules that are not checked with it, so that `check` does not miss them."""


class MetadataDocument(_CamelCase):
    """What the policy is called."""

    name: Name
    """A DNS-1123 label, unique among all policies; it names the policy in logs, metrics and answers."""
    annotations: AnnotationsDocument = AnnotationsDocument()
    """What those who check policies want to know of it."""


class SpecDocument(_CamelCase):
    """For which alerts, what is done, where, and how far."""

    description: Annotated[str, Field(strict=True)] = ""
    """One sentence for whoever reads it at night."""
    matchers: Annotated[tuple[MatcherLine, ...], Field(json_schema_extra={"minItems": 1}), AfterValidator(selective)]
    """Which alerts it is for, in Alertmanager's syntax. All must hold; a regular expression matches the whole value."""
    target: TargetDocument = Field(default_factory=TargetDocument)
    """Where it may act, and what it falls back on."""
    actions: Annotated[
        tuple[ActionWord, ...],
        Field(json_schema_extra={"minItems": 1, "uniqueItems": True}),
        AfterValidator(distinct),
    ]
    """RevertToStable moves the suspect's weight to the stable side; RemoveMirrors ends its copies of traffic."""
    mode: ModeWord = Field(default=str(Mode.ENFORCE), validate_default=True)
    """Observe plans and tries; Approve waits for a person; Enforce acts, and is the default: write out what you mean.
    The service's `--mode` may lower it."""
    guards: GuardsDocument = Field(default_factory=GuardsDocument)
    """What must hold before anything is changed."""


class PolicyDocument(_CamelCase):
    """Which alerts take traffic away from a canary or a mirror, how, and under which conditions."""

    api_version: Literal["remediator.io/v1alpha1"]
    """Version of this format: `remediator.io/v1alpha1`."""
    kind: Literal["RemediationPolicy"]
    """Kind of the document: `RemediationPolicy`."""
    metadata: MetadataDocument
    """What the policy is called: its `name`."""
    spec: SpecDocument
    """What it says: `matchers` and `actions`, at least."""

    def value(self, source: str, content_hash: str) -> Policy:
        """As a value, read from `source`."""
        spec = self.spec
        return Policy(
            name=self.metadata.name,
            description=spec.description,
            matchers=tuple(matcher for line in spec.matchers for matcher in line),
            target=spec.target.value(),
            actions=spec.actions,
            mode=spec.mode,
            guards=spec.guards.value(),
            source=source,
            content_hash=content_hash,
            alerts_elsewhere=self.metadata.annotations.alerts is not None,
        )
