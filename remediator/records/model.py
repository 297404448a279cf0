"""A remediation as a value: what was intended, why, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from remediator.guards.verdict import Verdict
from remediator.outcome import Reason, TargetRef
from remediator.owners import Lever, Owner
from remediator.policies.model import Action, MirrorScope, Mode
from remediator.records.hold import Hold
from remediator.records.images import Images
from remediator.records.rollback import Rollback
from remediator.traffic.patch import Operation
from remediator.traffic.suspect import Suspect
from remediator.verification.model import Verification

KIND: Final = "Remediation"
GROUP: Final = "remediator.io"
VERSION: Final = "v1alpha1"
PLURAL: Final = "remediations"


class Phase(StrEnum):
    """Where a remediation stands.

    Planned ─▶ Applied ─▶ Undone
       ├─────▶ Observed
       ├─────▶ AwaitingApproval ─▶ Applied | Rejected | Expired
       ├─────▶ Failed ─▶ Applied, when a later delivery succeeds
       └─────▶ Expired: by the time it was taken up again there was nothing left to do
    """

    PLANNED = "Planned"
    """Written before anything is changed; whether it was changed, the live object tells."""
    APPLIED = "Applied"
    OBSERVED = "Observed"
    AWAITING_APPROVAL = "AwaitingApproval"
    REJECTED = "Rejected"
    EXPIRED = "Expired"
    FAILED = "Failed"
    UNDONE = "Undone"

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be done about it."""
        return self not in (Phase.PLANNED, Phase.AWAITING_APPROVAL)


@dataclass(frozen=True, slots=True)
class Accusation:
    """One alert that a remediation answers."""

    fingerprint: str
    alertname: str
    starts_at: datetime
    """UTC. With the fingerprint it tells one firing of an alert from the next."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    generator_url: str = ""


@dataclass(frozen=True, slots=True)
class Companion:
    """Another alert that the same patch answers."""

    fingerprint: str
    alertname: str
    starts_at: datetime
    policy: str
    suspect: Suspect


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """The policy as it was."""

    name: str
    content_hash: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """The routing object that is changed."""

    api_version: str
    ref: TargetRef
    uid: str


@dataclass(frozen=True, slots=True)
class Request:
    """Who asked for something by hand, and why."""

    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """What shall be done, and all that led to it: the record's `spec`. Written before anything is changed."""

    alert: Accusation
    policy: PolicyRef
    target: Target
    suspect: Suspect
    actions: tuple[Action, ...]
    mode: Mode
    changes: tuple[str, ...]
    """What a person reads: `http[0]: reviews subset v2 weight 10 → 0`."""
    patch: tuple[Operation, ...]
    """The JSON Patch that is sent, preconditions first."""
    undo: tuple[Operation, ...]
    """The JSON Patch that takes it back, preconditions first."""
    stable: str | None = None
    """Who gets the traffic, as the policy names it; None: the route's other destinations."""
    also: tuple[Companion, ...] = ()
    mirrors: MirrorScope = MirrorScope.SUSPECT
    """Which mirrors `RemoveMirrors` takes."""
    hold_until: datetime | None = None
    request: Request | None = None
    """None: an alert asked."""
    owner: Owner | None = None
    lever: Lever = Lever.PATCH
    rollback: Rollback | None = None

    @property
    def firings(self) -> frozenset[tuple[str, datetime]]:
        """Fingerprint and start of each alert that this answers."""
        also = ((each.fingerprint, each.starts_at) for each in self.also)
        return frozenset({(self.alert.fingerprint, self.alert.starts_at), *also})

    @property
    def suspects(self) -> frozenset[Suspect]:
        """Whom this takes traffic from."""
        return frozenset({self.suspect, *(each.suspect for each in self.also)})


@dataclass(frozen=True, slots=True)
class Resolution:
    """One alert of a remediation was resolved."""

    fingerprint: str
    at: datetime
    after_s: float | None
    """Seconds since the patch; None: there was none."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """Somebody asked to give the traffic back."""

    request: Request
    requested_at: datetime
    done_at: datetime | None = None
    """None: asked for, and not known to be done."""


@dataclass(frozen=True, slots=True)
class Release:
    """A person let the suspect have traffic again: nobody holds it back any more, and it is no longer known as bad."""

    request: Request
    at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's answer to a plan that waits: the record's `spec.approval`, for all who may patch remediations."""

    approved: bool
    by: str = ""
    """As they say; the API server's audit log knows."""
    reason: str = ""
    at: datetime | None = None
    """As they say; None: they did not."""

    @property
    def signature(self) -> str:
        """By whom and why, as the end of a sentence; empty: they did not say."""
        by = f" by {self.by}" if self.by else ""
        return by + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How an intent ended, or what it waits for."""

    phase: Phase
    reason: Reason
    message: str
    verdicts: tuple[Verdict, ...] = ()
    """Of the guards; empty: they were not asked."""


@dataclass(frozen=True, slots=True)
class Status:
    """What became of an intent: the record's `status`."""

    phase: Phase = Phase.PLANNED
    reason: Reason | None = None
    message: str = ""
    applied_at: datetime | None = None
    """When the patch was answered; of one that was found made, when it was found."""
    finished_at: datetime | None = None
    """When it came to a phase in which nothing more is to be done."""
    resolved: tuple[Resolution, ...] = ()
    undo: Undoing | None = None
    release: Release | None = None
    hold: Hold | None = None
    verdicts: tuple[Verdict, ...] = ()
    """What each guard said, when they were asked last."""
    judged_at: datetime | None = None
    """When that was."""
    asked_at: datetime | None = None
    """Since when it waits for a person, or waited last."""
    heard_at: datetime | None = None
    """When its alert was delivered last, to the minute; None: as `judged_at` says."""
    verification: Verification | None = None
    """Whether it worked; None: not known yet, or not asked."""
    images: Images | None = None
    """What the suspects' pods ran; None: not known, or not yet."""


@dataclass(frozen=True, slots=True)
class Remediation:
    """A record: intent and status under a name, beside its target."""

    namespace: str
    name: str
    intent: Intent
    status: Status = Status()
    uid: str = ""
    resource_version: str = ""
    created_at: datetime | None = None
    """None: not stored yet."""
    approval: Approval | None = None
    """None: nobody has said anything."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def ref(self) -> TargetRef:
        """What names the record itself."""
        return TargetRef(KIND, self.namespace, self.name)

    @property
    def unproven(self) -> bool:
        """Whether it is not known to be carried out; it was, all the same, if the object names it."""
        return self.status.phase in (Phase.PLANNED, Phase.FAILED, Phase.EXPIRED)

    @property
    def waits(self) -> bool:
        """Whether a person is to decide, and has not been obeyed yet."""
        return self.status.phase is Phase.AWAITING_APPROVAL

    @property
    def approved(self) -> bool:
        """Whether a person said yes to it."""
        return bool(self.approval and self.approval.approved)

    @property
    def refused(self) -> bool:
        """Whether a person said no to it."""
        return self.approval is not None and not self.approval.approved

    @property
    def taken_back(self) -> bool:
        """Whether a person gave the traffic back, or is about to: this firing is not acted on again."""
        return self.status.phase is Phase.UNDONE or self.status.undo is not None

    @property
    def accused(self) -> frozenset[Suspect]:
        """Whom those of its alerts accuse that are not over; nobody where a person asked for it, or took it back."""
        if self.intent.request is not None or self.taken_back:
            return frozenset()
        intent, over = self.intent, {each.fingerprint for each in self.status.resolved}
        also = {each.suspect for each in intent.also if each.fingerprint not in over}
        return frozenset(also | (set() if intent.alert.fingerprint in over else {intent.suspect}))

    def ended(self, end: Conclusion, now: datetime) -> Remediation:
        """This record as `end` says, since `now`."""
        was = self.status
        status = replace(
            was,
            phase=end.phase,
            reason=end.reason,
            message=end.message,
            applied_at=now if end.phase is Phase.APPLIED else was.applied_at,
            finished_at=now if end.phase.finished else None,
            verdicts=end.verdicts or was.verdicts,
            judged_at=now if end.verdicts else was.judged_at,
            asked_at=now if end.phase is Phase.AWAITING_APPROVAL else was.asked_at,
        )
        return replace(self, status=status)
