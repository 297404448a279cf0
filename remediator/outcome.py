"""How an alert ended, and why. One word per reason: the same in the log, the metric, the HTTP answer and
docs/reasons.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """How one alert ended for one target."""

    APPLIED = "Applied"
    """The routing object was patched, or its driver took the traffic away."""
    PLANNED = "Planned"
    """The record stands, and the driver of the object carries it out as soon as it asks. Nothing was changed yet."""
    OBSERVED = "Observed"
    """Mode Observe: planned, and tried with the server's dry run; nothing was changed."""
    AWAITING_APPROVAL = "AwaitingApproval"
    """Mode Approve: planned; a person has to say yes. Nothing was changed."""
    UNCHANGED = "Unchanged"
    """Nothing to do."""
    IGNORED = "Ignored"
    """Not for us: no policy, or the alert is resolved."""
    DENIED = "Denied"
    """A person has to look: acting would not be safe, or is not allowed."""
    FAILED = "Failed"
    """Not finished. The answer is 503, and Alertmanager delivers the alert again."""


class Reason(StrEnum):
    """Why an alert ended as it did. docs/reasons.md has a section for each."""

    PATCHED = "Patched"
    ABORTED = "Aborted"
    ROLLBACK_OFFERED = "RollbackOffered"
    ROLLED_BACK = "RolledBack"
    DRY_RUN = "DryRun"
    APPROVAL_REQUIRED = "ApprovalRequired"
    NOT_EXPOSED = "NotExposed"
    NO_POLICY = "NoPolicy"
    RESOLVED = "Resolved"
    HEARTBEAT = "Heartbeat"
    LABEL_MISSING = "LabelMissing"
    NO_STABLE_DESTINATION = "NoStableDestination"
    NOT_SEPARABLE = "NotSeparable"
    RULES_UNKNOWN = "RulesUnknown"
    SUSPECT_IS_STABLE = "SuspectIsStable"
    UNSAFE_PLAN = "UnsafePlan"
    NAMESPACE_NOT_ALLOWED = "NamespaceNotAllowed"
    NO_LEVER = "NoLever"
    NOTHING_TO_ABORT = "NothingToAbort"
    LEVER_NOT_PULLED = "LeverNotPulled"
    TOO_MANY_TARGETS = "TooManyTargets"
    PAUSED = "Paused"
    SWITCHED_OFF = "SwitchedOff"
    NOT_OPTED_IN = "NotOptedIn"
    FROZEN = "Frozen"
    STABLE_ALSO_FAILING = "StableAlsoFailing"
    STABLE_NOT_READY = "StableNotReady"
    STALE_EVIDENCE = "StaleEvidence"
    COOLING_DOWN = "CoolingDown"
    BUDGET_SPENT = "BudgetSpent"
    APPROVAL_REJECTED = "ApprovalRejected"
    APPROVAL_EXPIRED = "ApprovalExpired"
    NOT_AWAITING = "NotAwaiting"
    UNDONE = "Undone"
    RELEASED = "Released"
    CHANGED_SINCE = "ChangedSince"
    NOT_APPLIED = "NotApplied"
    HELD = "Held"
    HOLD_LOST = "HoldLost"
    INTERRUPTED = "Interrupted"
    FORBIDDEN = "Forbidden"
    REJECTED = "Rejected"
    CONFLICT = "Conflict"
    NOT_SYNCED = "NotSynced"
    UNAVAILABLE = "Unavailable"
    INTERNAL_ERROR = "InternalError"


class NoticeKind(StrEnum):
    """What people may be told (docs/notifications.md), the most urgent first: in the words of outcomes, reasons and
    verdicts."""

    HOLD_LOST = "HoldLost"
    STILL_RECEIVING = "StillReceiving"
    STILL_ROUTED = "StillRouted"
    LEVER_NOT_PULLED = "LeverNotPulled"
    NOT_RECOVERED = "NotRecovered"
    FAILED = "Failed"
    AWAITING_APPROVAL = "AwaitingApproval"
    DENIED = "Denied"
    NO_DATA = "NoData"
    APPROVAL_EXPIRED = "ApprovalExpired"
    APPLIED = "Applied"
    UNDONE = "Undone"
    RELEASED = "Released"
    PLANNED = "Planned"
    HELD = "Held"
    OBSERVED = "Observed"
    UNROUTED = "Unrouted"
    WITHDRAWN = "Withdrawn"
    RECOVERED = "Recovered"

    @property
    def usual(self) -> bool:
        """Whether people are told unless they say otherwise."""
        return self not in _UNUSUAL

    @property
    def urgent(self) -> bool:
        """Whether a suspect hurts users now, and nothing more is done about it."""
        return self in _PRESSING


_PRESSING: Final = (
    NoticeKind.HOLD_LOST,
    NoticeKind.STILL_RECEIVING,
    NoticeKind.STILL_ROUTED,
    NoticeKind.LEVER_NOT_PULLED,
    NoticeKind.NOT_RECOVERED,
)
_UNUSUAL: Final = (
    NoticeKind.PLANNED,
    NoticeKind.HELD,
    NoticeKind.OBSERVED,
    NoticeKind.UNROUTED,
    NoticeKind.WITHDRAWN,
    NoticeKind.RECOVERED,
)


@dataclass(frozen=True, slots=True, order=True)
class TargetRef:
    """Names a routing object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class AlertOutcome:
    """What became of one alert on one target; a row of the webhook's answer and one line of the log."""

    fingerprint: str
    alertname: str
    policy: str | None
    target: TargetRef | None
    outcome: Outcome
    reason: Reason
    message: str
    changes: tuple[str, ...] = ()
    """What was changed, or would be, as a person reads it: `http[0] reviews v2: weight 10 → 0`."""
    remediation: str | None = None
    """Name of the record, once there is one."""

    @property
    def retriable(self) -> bool:
        """True if another delivery can mend it: the answer must be 503."""
        return self.outcome is Outcome.FAILED
