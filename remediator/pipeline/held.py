"""What a record holds up, planned on its target as it is; and whether that may still be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from remediator.cluster.port import Snapshot
from remediator.outcome import Reason
from remediator.pipeline.approving import cases_of
from remediator.pipeline.drafting import granted
from remediator.pipeline.guarding import Guarding
from remediator.pipeline.preparation import Work, by_host, plan_work, switch_of
from remediator.pipeline.said import refusal
from remediator.policies.model import Mode, PolicySet
from remediator.records.journal import Journal
from remediator.records.model import Remediation
from remediator.records.moments import let_go_at
from remediator.traffic.suspect import Refusal


@dataclass(frozen=True, slots=True)
class Held:
    """A record that is held, and the work that brings its target back."""

    record: Remediation
    work: Work

    @classmethod
    def on(
        cls, live: Snapshot, record: Remediation, beside: Sequence[Remediation], policies: PolicySet, ceiling: Mode
    ) -> Held | None:
        """Plan it; None: `live` is another object than the record's target.

        Args:
            beside: the other records that are held on this object; none of their suspects receives anything.
            ceiling: the most that any policy may do.
        """
        if live.routing.uid != record.intent.target.uid:
            return None
        # A person's own request is known by it, and judged as one (guarding.py).
        cases = tuple(replace(case, request=record.intent.request) for case in cases_of(record, policies))
        named = {case.demand.suspect for case in cases}.union(*(each.intent.suspects for each in beside))
        accused = by_host(suspect for suspect in named if suspect.version is not None)
        known = {policy.name: policy.mode for policy in policies.policies}
        mode = switch_of(live).cap(known.get(record.intent.policy.name, Mode.ENFORCE).capped(ceiling))
        return cls(record, plan_work(live, mode, cases, accused))

    @property
    def exposes(self) -> bool:
        """Whether the suspect gets anything that is to be taken away, or may get it."""
        return any(verdict is not False for verdict in self.work.proposal.verdicts)

    @property
    def version(self) -> str:
        """The resourceVersion of the target."""
        return self.work.snapshot.routing.resource_version

    @property
    def writer(self) -> str:
        """Who has changed its routes last, besides ourselves; empty: nobody knows."""
        changed = self.work.snapshot.changed
        return changed.by if changed else ""

    def forbidden(self, guarding: Guarding) -> Refusal | None:
        """Why it must not be brought back now: the planner has no patch, or a guard is against it; None: it may be.

        Raises:
            ClusterError: a guard could not be asked.
        """
        if not granted(self.work):
            return next((each for each in self.work.proposal.verdicts if isinstance(each, Refusal)), None)
        verdicts = guarding.still(self.work)
        if verdicts:
            return refusal(verdicts)
        mode, asked = self.work.mode, self.record.approved or self.record.intent.request is not None
        if mode is Mode.ENFORCE or (mode is Mode.APPROVE and asked):
            return None
        return Refusal(Reason.SWITCHED_OFF, f"mode: it is {mode} by now, and nothing is changed without being asked")


def let_go(record: Remediation, beside: Sequence[Remediation], journal: Journal) -> bool:
    """Whether its suspect may have traffic by what became of another record: a person's undo or release of one, or the
    loss of one's hold, stands for all of them that were applied before.

    Those `beside` it are read from their source: that one was undone comes to the index as late as the traffic does.

    Raises:
        ClusterError: one could not be read.
    """
    ledger, applied = journal.ledger, record.status.applied_at
    others = [ledger.get(*head.key) for head in ledger.let_go(record.intent.target.uid)]
    others += [journal.read_again(each) for each in beside]
    for other in others:
        at = let_go_at(other) if other is not None and other.name != record.name else None
        if other is not None and at is not None and (applied is None or at >= applied) and _overlap(record, other):
            return True
    return False


def _overlap(one: Remediation, other: Remediation) -> bool:
    """Whether both take something of the same kind from the same suspect."""
    return bool(one.intent.suspects & other.intent.suspects and set(one.intent.actions) & set(other.intent.actions))
