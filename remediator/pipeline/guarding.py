"""Asks the guards: gathers what they judge by, and leaves out of a work whoever one of them speaks against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf, nan
from typing import Protocol

from remediator.errors import ClusterError
from remediator.guards import lever, suspect_is_stable
from remediator.guards.budget import Spent
from remediator.guards.cooldown import Made
from remediator.guards.judging import BRAKES, GUARDS, ONCE, judge
from remediator.guards.pause import Pause
from remediator.guards.situation import Bounds, History, Object, Situation
from remediator.guards.stable_also_failing import LATELY, Accused
from remediator.guards.stable_ready import Readiness
from remediator.guards.switch import named_stable
from remediator.guards.verdict import Verdict, against
from remediator.metrics import Brakes
from remediator.pipeline.preparation import Case, Work, switch_of
from remediator.pipeline.said import Denied, Screened, Verdicts
from remediator.pipeline.trials import KnowsTrials, changed, other_trial
from remediator.policies.model import Mode
from remediator.records.ledger import Head, Tally
from remediator.records.model import Remediation
from remediator.records.moments import is_held, moments
from remediator.traffic.hosts import Host
from remediator.traffic.view import Destination


@dataclass(frozen=True, slots=True)
class Exempt:
    """The cases, by number, that are judged otherwise."""

    waiting: frozenset[int] = frozenset()
    """Not at all: a person has been asked, and has not answered yet."""
    approved: frozenset[int] = frozenset()
    """A person has said yes."""
    people: bool = True
    """Whether what people ask for by hand is not judged."""

    def frees(self, case: Case) -> bool:
        """Whether no guard binds a case but the lever's: without one nothing would come of it."""
        return self.people and case.request is not None


_BY_HAND = Exempt(people=False)


class Pauses(Protocol):
    """What is asked of the brake: a part of records.brake.Brake."""

    def pauses(self) -> tuple[Pause, ...]:
        """As of Brake."""


class Surroundings(Protocol):
    """What is asked of the cluster: a part of cluster.port.Cluster."""

    @property
    def brake(self) -> Pauses:
        """As of Cluster."""

    def readiness(self, destination: Destination, labels: Mapping[str, str]) -> Readiness | None:
        """As of Cluster."""


class Remembers(KnowsTrials, Protocol):
    """What is asked of the records: a part of records.ledger.Ledger, by the index."""

    def get(self, namespace: str, name: str) -> Remediation | None:
        """As of Ledger."""

    def answering(self, fingerprint: str, starts_at: datetime) -> tuple[Head, ...]:
        """As of Ledger."""

    def latest(self, target_uid: str) -> Made | None:
        """As of Ledger."""

    def accusing(self, host: Host, since: datetime) -> tuple[Remediation, ...]:
        """As of Ledger."""

    def tally(self, since: datetime) -> Tally:
        """As of Ledger."""


@dataclass(frozen=True, slots=True)
class Guarding:
    """What the guards ask about, and by which bounds. Its methods raise ClusterError: what is not known is no yes."""

    cluster: Surroundings
    records: Remembers
    now: Callable[[], datetime]
    bounds: Bounds = field(default_factory=Bounds)

    def screen(self, work: Work, targets: Callable[[Case], int], exempt: Exempt | None = None) -> Screened:
        """Leave out the cases that a guard speaks against, until it has nothing against those that are left.

        Args:
            targets: how many routing objects would be changed for a case.
        """
        exempt, denied = exempt or Exempt(), []
        # Without one of them the others are planned anew, and what is planned then is another question.
        for _ in range(len(work.cases) + 1):
            verdicts = dict(self._asked(work, targets, exempt))
            refused = [
                Denied(case, work, verdicts[case.number])
                for case in work.cases
                if against(verdicts.get(case.number, ()))
            ]
            if not refused:
                break
            denied += refused
            work = work.without({each.case.number for each in refused})
        return Screened(work, verdicts, tuple(denied))

    def opinions(self, work: Work) -> Verdicts:
        """What the guards would say of the first case of a work that a person asks for, whom they do not bind."""
        case = work.cases[0]
        return dict(self._asked(work.without({each.number for each in work.cases[1:]}), lambda _: 1, _BY_HAND)).get(
            case.number, ()
        )

    def still(self, work: Work) -> Verdicts:
        """The guards' noes to doing once more what a record holds up; empty: it may be done."""
        verdicts = dict(self._asked(work, lambda _: 1, _BY_HAND))
        found = [each for case in work.cases for each in against(verdicts.get(case.number, ())) if _binds(each, case)]
        return tuple(dict.fromkeys(found))

    def brakes(self, ceiling: Mode) -> Brakes:
        """What holds the whole service back now; what is not known is NaN."""
        now, budget = self.now(), self.bounds.budget
        try:
            left = max(budget.most - self._spent(ceiling, (), now).total, 0) if budget else inf
        except ClusterError:
            left = nan
        try:
            paused = float(any(pause.holds(now) for pause in self.cluster.brake.pauses()))
        except ClusterError:
            paused = nan
        return Brakes(left, paused)

    def _asked(self, work: Work, targets: Callable[[Case], int], exempt: Exempt) -> Iterator[tuple[int, Verdicts]]:
        around = None
        for case, planned in work.paired:
            if planned is False or case.number in exempt.waiting:
                continue
            if exempt.frees(case):
                if planned is True and not work.leverage.allows:
                    yield case.number, (work.leverage,)
                continue
            asked = self._situation(work, case, targets(case))
            if planned is True:
                around = around or self._around(work)
                asked = replace(
                    asked,
                    pauses=around.pauses,
                    readiness=around.readiness if case.policy.guards.stable_ready else (),
                    history=self._history(work, case, around.accusations),
                    approved=case.number in exempt.approved,
                )
                yield case.number, judge(asked)
            else:
                # The planner refused it: that the suspect is the stable version, or the only one, explains more.
                host, driving = case.demand.suspect.host, asked.target.driving
                idle = lever.of_refused(driving, planned, host, asked.facts)
                if nos := against((GUARDS[suspect_is_stable.GUARD](asked), idle)):
                    yield case.number, nos

    def _situation(self, work: Work, case: Case, targets: int) -> Situation:
        """What needs no more than the work itself."""
        return Situation(
            now=self.now(),
            policy=case.policy,
            demand=case.demand,
            starts_at=case.alert.starts_at,
            plan=work.proposal.plan,
            facts=work.facts,
            target=Object(
                switch=switch_of(work.snapshot),
                stable=named_stable(work.snapshot.body),
                changed=changed(work),
                driving=work.snapshot.driving,
            ),
            bounds=self.bounds,
            targets=targets,
        )

    def _around(self, work: Work) -> _Around:
        wanted = any(case.policy.guards.stable_ready for case, planned in work.paired if planned is True)
        readiness = self._readiness(work) if wanted else ()
        accusations = tuple(self._accusations(work, self.now()))
        return _Around(self.cluster.brake.pauses(), readiness, accusations)

    def _readiness(self, work: Work) -> tuple[Readiness, ...] | None:
        found = []
        for receiver in work.proposal.plan.receivers:
            subset = receiver.subset
            labels = work.snapshot.rules.labels(receiver.host, subset, work.ref.namespace) if subset else ()
            # Without a rule nobody knows what the subset selects: the whole service is looked at.
            for each in labels or ({},):
                readiness = self.cluster.readiness(receiver, each)
                if readiness is None:
                    return None
                found.append(readiness)
        return tuple(found)

    def _history(self, work: Work, case: Case, accusations: tuple[Accused, ...]) -> History:
        now, uid = self.now(), work.snapshot.routing.uid
        own = [each for each in self._answering(case) if each.intent.target.uid == uid]
        return History(
            last=self.records.latest(uid),
            kept_up=next((each.name for each in own if is_held(each, now)), ""),
            accusations=accusations,
            spent=self._spent(work.mode, own, now),
            other_trial=other_trial(self.records, work, case),
        )

    def _answering(self, case: Case) -> Iterator[Remediation]:
        """The records of this firing."""
        for head in self.records.answering(case.alert.fingerprint, case.alert.starts_at):
            record = self.records.get(*head.key)
            if record is not None:
                yield record

    def _accusations(self, work: Work, now: datetime) -> Iterator[Accused]:
        for host in dict.fromkeys(receiver.host for receiver in work.proposal.plan.receivers):
            for record in self.records.accusing(host, now - LATELY):
                heard = moments(record).heard_at or now
                for suspect in sorted(record.accused, key=str):
                    yield Accused(suspect, record.intent.alert.alertname, heard, record.name)

    def _spent(self, mode: Mode, own: Collection[Remediation], now: datetime) -> Spent:
        """What is spent of the budget, besides what these records of the same alert have used themselves.

        Nothing where one of them has begun: who was before it, its ledger tells (carrying.py), and who came later must
        not take its place.
        """
        if self.bounds.budget is None:
            return Spent()
        since = now - self.bounds.budget.window
        tally, used = self.records.tally(since), [moments(each) for each in own]
        if any(each.begun for each in used):
            return Spent()
        if mode is not Mode.OBSERVE:
            return Spent(tally.made, tally.begun)
        observed = sum(bool(each.observed_at and each.observed_at > since) for each in used)
        return Spent(tally.made, tally.begun, tally.observed - observed)


@dataclass(frozen=True, slots=True)
class _Around:
    """What is the same for every case of a work."""

    pauses: tuple[Pause, ...]
    readiness: tuple[Readiness, ...] | None
    accusations: tuple[Accused, ...]


def _binds(verdict: Verdict, case: Case) -> bool:
    """Whether a guard's word counts for what is held up."""
    return verdict.guard in BRAKES if case.request else verdict.guard not in ONCE
