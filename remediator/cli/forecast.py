"""What would happen to each alert and each routing object, as a value. Looks only; sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from remediator.alerts import Alert
from remediator.cli.screening import Judged, Screening
from remediator.cli.situation import Ceiling, Moment, Situation
from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import ClusterError
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.owners import Lever
from remediator.pipeline.preparation import Work, prepare
from remediator.pipeline.rows import settle
from remediator.pipeline.said import Verdicts
from remediator.pipeline.tools import Limits
from remediator.policies import match
from remediator.policies.model import Mode, Policy
from remediator.traffic import virtualservice
from remediator.traffic.proposal import advise
from remediator.traffic.view import Advice

CHANGES = 2
"""Exit code: something would be changed."""

_ENDS = {
    Mode.ENFORCE: (Outcome.APPLIED, Reason.PATCHED),
    Mode.OBSERVE: (Outcome.OBSERVED, Reason.DRY_RUN),
    Mode.APPROVE: (Outcome.AWAITING_APPROVAL, Reason.APPROVAL_REQUIRED),
}


@dataclass(frozen=True, slots=True)
class AlertForecast:
    """How one alert would end."""

    alert: Alert
    policy: Policy | None
    rows: tuple[AlertOutcome, ...]
    """As the service would answer; the changes are those that it would make."""
    muted: str
    """As of GivenAlert."""
    ceiling: Ceiling
    verdicts: Mapping[TargetRef, Verdicts]
    """What the guards said of it at each routing object that they were asked about."""

    @property
    def mode(self) -> Mode | None:
        """How far the policy goes under the ceiling; None without a policy."""
        return self.policy.mode.capped(self.ceiling.mode) if self.policy else None


@dataclass(frozen=True, slots=True)
class Warnings:
    """What is to be said of one routing object, whatever the alerts are."""

    ref: TargetRef
    advice: tuple[Advice, ...]
    faults: tuple[str, ...]
    """Why Istio would refuse it."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would happen."""

    alerts: tuple[AlertForecast, ...]
    works: tuple[Work, ...]
    """Those that change something, by target."""
    warnings: tuple[Warnings, ...]
    source: str
    """As of Situation."""
    moment: Moment
    unasked: tuple[str, ...]
    """What the guards could not ask about, and why; a sentence each."""

    @property
    def failed(self) -> bool:
        """Whether something could not be found out."""
        return any(row.retriable for alert in self.alerts for row in alert.rows)

    @property
    def exit_code(self) -> int:
        """1 where something could not be found out, 2 where something would be changed, else 0."""
        # In the other modes there is a plan, and nothing is changed.
        changes = any(work.mode is Mode.ENFORCE for work in self.works)
        return 1 if self.failed else CHANGES if changes else 0


def foresee(situation: Situation) -> Forecast:
    """Prepare the alerts as the service does, ask people's decisions and the guards, and stop there."""
    given = [each.alert for each in situation.alerts]
    prepared = prepare(given, situation.policies, situation.cluster, situation.ceiling.mode)
    works = tuple(_looked_at(work, situation.cluster) for work in prepared.works)
    limits = Limits(works)
    screening = Screening(situation.knowledge, situation.bounds, situation.moment.at, limits)
    judged = [screening.judged(work) for work in works]
    rows = [*prepared.rows, *(row for each in judged for row in (*each.rows, *_rows(each.work)))]
    alerts = tuple(
        _forecast(situation, number, settle(row for row in rows if row[0] == number), judged)
        for number in range(len(given))
    )
    concerned = situation.cluster.routing() if situation.offline else [work.snapshot for work in works]
    return Forecast(
        alerts=alerts,
        works=tuple(sorted((each.work for each in judged if each.work.proposal.patch), key=lambda work: work.ref)),
        warnings=tuple(_warnings(concerned)),
        source=situation.source,
        moment=situation.moment,
        unasked=tuple(map(str, situation.knowledge.gaps)) if any(each.verdicts for each in judged) else (),
    )


def _looked_at(work: Work, cluster: Cluster) -> Work:
    """The work on the object as it is, where a Rollout drives it: what that is at, only it itself tells.

    Where whoever asks may not read it, the work on what the index has.
    """
    if not work.snapshot.driving.rollouts:
        return work
    try:
        return work.on(cluster.read(work.ref))
    except ClusterError:
        return work


def _forecast(
    situation: Situation, number: int, rows: tuple[AlertOutcome, ...], judged: Iterable[Judged]
) -> AlertForecast:
    given = situation.alerts[number]
    policy = match.find(situation.policies, given.alert.labels)
    verdicts = {each.work.ref: each.verdicts[number] for each in judged if number in each.verdicts}
    return AlertForecast(given.alert, policy, rows, given.muted, situation.ceiling, verdicts)


def _ends(work: Work) -> tuple[Outcome, Reason]:
    """How what takes part in a work would end."""
    if work.mode is Mode.ENFORCE and work.lever is Lever.FLAGGER:
        return Outcome.PLANNED, Reason.ROLLBACK_OFFERED
    if work.mode is Mode.ENFORCE and work.lever is Lever.ARGO_ROLLOUTS:
        return Outcome.APPLIED, Reason.ABORTED
    return _ENDS[work.mode]


def _rows(work: Work) -> Iterator[tuple[int, AlertOutcome]]:
    """How each case of a work would end, if nobody else changes the object meanwhile."""
    outcome, reason = _ends(work)
    for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True):
        if verdict is True:
            changes = work.proposal.plan.changes
            yield case.number, replace(case.row(work.ref, outcome, reason, "; ".join(changes)), changes=changes)
        else:
            yield case.number, work.refused(case, verdict)


def _warnings(snapshots: Iterable[Snapshot]) -> Iterator[Warnings]:
    """One for each object of which there is something to say."""
    by_ref = {snapshot.routing.ref: snapshot for snapshot in snapshots}
    for ref, snapshot in sorted(by_ref.items()):
        advice = advise(snapshot.body, snapshot.routing, snapshot.rules)
        faults = virtualservice.faults(snapshot.body)
        if advice or faults:
            yield Warnings(ref, advice, faults)
