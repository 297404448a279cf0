"""What `check` can find: a word for each kind, which stays the same from release to release."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """A fault will not be remedied, or not as it was meant."""
    WARNING = "warning"
    """It works, and somebody will be surprised."""


class Code(StrEnum):
    """One word a kind of finding."""

    # files
    POLICY = "policy"
    RULES = "rules"
    ALERTMANAGER = "alertmanager"
    # expressions
    PROMQL = "promql"
    UNKNOWN_METRIC = "unknown-metric"
    REPORTER = "reporter"
    NEVER_MATCHES = "never-matches"
    LE_LOST = "le-lost"
    WINDOW_TOO_SHORT = "window-too-short"
    PER_SERIES = "per-series"
    # alerts
    ALERT_NAME = "alert-name"
    DUPLICATE = "duplicate"
    SEVERITY = "severity"
    REMEDIATION = "remediation"
    REMEDIATION_MISSING = "remediation-missing"
    CONTRACT_LABEL = "contract-label"
    VALUE_IN_LABEL = "value-in-label"
    TEMPLATE_LABEL = "template-label"
    ANNOTATIONS = "annotations"
    TOO_SLOW = "too-slow"
    # alerts and policies
    NO_POLICY = "no-policy"
    WRONG_ACTION = "wrong-action"
    LABEL_DROPPED = "label-dropped"
    NO_ALERT = "no-alert"
    UNKNOWN_LABEL = "unknown-label"
    UNKNOWN_ALERTNAME = "unknown-alertname"
    ACTS_ON_NONE = "acts-on-none"
    # routes
    NO_RECEIVER = "no-receiver"
    NOT_ROUTED = "not-routed"
    PEOPLE_NOT_TOLD = "people-not-told"
    MUTED = "muted"
    INHIBITED = "inhibited"
    GROUP_BY = "group-by"
    GROUP_WAIT = "group-wait"
    GROUP_INTERVAL = "group-interval"
    REPEAT_INTERVAL = "repeat-interval"
    MAX_ALERTS = "max-alerts"
    SEND_RESOLVED = "send-resolved"
    NO_AUTHORIZATION = "no-authorization"

    @property
    def level(self) -> Level:
        """How bad findings of this kind are."""
        return Level.WARNING if self in _WARNINGS else Level.ERROR


_WARNINGS = frozenset(
    {
        Code.ALERT_NAME,
        Code.REMEDIATION_MISSING,
        Code.CONTRACT_LABEL,
        Code.ANNOTATIONS,
        Code.ACTS_ON_NONE,
        Code.PEOPLE_NOT_TOLD,
        Code.MUTED,
        Code.INHIBITED,
        Code.GROUP_INTERVAL,
        Code.REPEAT_INTERVAL,
        Code.SEND_RESOLVED,
        Code.NO_AUTHORIZATION,
    }
)


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file, and what stands there."""

    file: str
    line: int = 0
    """Counted from 1; 0: the file as a whole."""
    subject: str = ""
    """`alert CanaryHardDown`, `policy canary-errors`, `route[0]`; empty: the file itself."""

    def __str__(self) -> str:
        return self.file + (f":{self.line}" if self.line else "") + (f", {self.subject}" if self.subject else "")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, what, and what to do."""

    code: Code
    where: Where
    message: str
    hint: str = ""

    @property
    def level(self) -> Level:
        """How bad it is."""
        return self.code.level
