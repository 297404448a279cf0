"""What a person asks of one routing object, made into the same work that an alert makes. Changes nothing.

word → suspect (meaning.py) → demand → plan, patch and proof as ever → a work that makes the change that was shown,
and no other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from remediator.alerts import Alert, Status, fingerprint_of
from remediator.cluster.port import Snapshot
from remediator.errors import InputError
from remediator.guards import lever
from remediator.guards.verdict import Verdict
from remediator.outcome import Outcome, Reason
from remediator.owners import Lever
from remediator.pipeline.idling import taking_away
from remediator.pipeline.meaning import Names
from remediator.pipeline.preparation import Case, Work, plan_work
from remediator.pipeline.remaining import remaining
from remediator.policies.model import MANUAL, Action, Guards, MirrorScope, Mode, Policy, TargetSpec
from remediator.records.model import Request
from remediator.traffic.exposure import Relation, is_live
from remediator.traffic.hosts import short
from remediator.traffic.patch import Path
from remediator.traffic.plan import Plan
from remediator.traffic.suspect import Demand, Refusal, Suspect
from remediator.traffic.view import Destination


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for."""

    action: Action
    request: Request
    suspect: str | None = None
    """A version, or a host of the object; None: every mirror, whomever it copies to (RemoveMirrors only)."""
    service: str | None = None
    """Whose version `suspect` is; None: that of the one service that has it."""
    stable: str | None = None
    """The version, or the host of the object, to fall back on; None: the route's other destinations."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is sent, and why: `Unchanged` or `Denied`."""

    outcome: Outcome
    why: Refusal
    remaining: tuple[str, ...] = ()
    """What the suspect gets that is not taken by this."""


@dataclass(frozen=True, slots=True)
class Agreed(Work):
    """A work that makes the change a person has seen, and no other, wherever the object moves meanwhile."""

    @classmethod
    def to(cls, work: Work) -> Agreed:
        """The change that `work` makes now."""
        return cls(work.snapshot, work.mode, work.cases, work.accused, work.proposal)

    def on(self, snapshot: Snapshot) -> Agreed:
        """The same change on a newer state of the object; refused where it would be another one."""
        return self._kept(Work.on(self, snapshot))

    def without(self, numbers: Collection[int]) -> Agreed:
        """As of Work; refused where that would be another change."""
        return self._kept(Work.without(self, numbers))

    def _kept(self, planned: Work) -> Agreed:
        proposal = planned.proposal
        # Without a lever nothing is done either, and the guard of that name says why.
        if proposal.patch is None or _sent(planned) == _sent(self) or not planned.leverage.allows:
            return Agreed.to(planned)
        why = Refusal(Reason.CHANGED_SINCE, _MOVED.format("; ".join(proposal.plan.changes)))
        verdicts = tuple(why if verdict is True else verdict for verdict in proposal.verdicts)
        before = proposal.plan.before
        none = replace(
            proposal, plan=Plan(before, before, verdicts), patch=None, after=planned.snapshot.body, verdicts=verdicts
        )
        return Agreed.to(replace(planned, proposal=none))

    @property
    def remaining(self) -> tuple[str, ...]:
        """What the suspects get that is not taken by this, as a person reads it. What is left by the abort of a Rollout
        or by Flagger, their controllers decide."""
        return tuple(remaining(self)) if self.lever is Lever.PATCH else ()


_MOVED = "the object has changed since this was shown, and what would be changed with it. Now it would be: {}"


def plan_by_hand(snapshot: Snapshot, wish: Wish, now: datetime) -> Agreed | Settled:
    """Plan on one routing object what a person asks for.

    Args:
        now: when it is asked for.

    Raises:
        InputError: a word names nothing on this object, or more than one thing.
    """
    asking = _Asking(snapshot, wish, now)
    if wish.suspect is None:
        return asking.all_mirrors()
    if wish.service is not None:
        return asking.one_of(wish.suspect, wish.service)
    return asking.meant(wish.suspect)


@dataclass(frozen=True, slots=True)
class _Asking:
    snapshot: Snapshot
    wish: Wish
    now: datetime

    @property
    def names(self) -> Names:
        return Names(self.snapshot)

    # -- whom it is about

    def all_mirrors(self) -> Agreed | Settled:
        """Every mirror that copies anything."""
        routes = self.snapshot.routing.routes
        copied_to = {mirror.destination.host for route in routes for mirror in route.mirrors if is_live(route, mirror)}
        return self._ended(tuple(Suspect(host, None) for host in sorted(copied_to)))

    def one_of(self, version: str, service: str) -> Agreed | Settled:
        """A version of a service that is named with it."""
        host = self.names.service(service)
        known = self.names.versions(host)
        if known and version not in known and self._verdict(Suspect(host, version)) is False:
            raise InputError(f"--suspect {version}: {short(host)} has no such version; it has {', '.join(known)}")
        return self._ended((Suspect(host, version),))

    def meant(self, text: str) -> Agreed | Settled:
        """The one thing that `text` names."""
        names = self.names
        named = names.suspects(text)
        exposed = tuple(suspect for suspect in named if self._verdict(suspect) is not False)
        if len(exposed) > 1:
            raise names.several(text, exposed)
        if named:
            return self._ended(exposed or named)
        others = {Suspect(host, text): self._verdict(Suspect(host, text)) for host in names.hosts}
        possible = [suspect for suspect, verdict in others.items() if verdict is True]
        if possible:
            raise names.unproved(text, possible)
        refused = next((suspect for suspect, verdict in others.items() if isinstance(verdict, Refusal)), None)
        if refused is None:
            raise names.unknown(text)
        return self._ended((refused,))

    def _verdict(self, suspect: Suspect) -> Refusal | bool:
        return self._work((suspect,)).proposal.verdicts[0]

    # -- what becomes of it

    def _ended(self, suspects: tuple[Suspect, ...]) -> Agreed | Settled:
        if self.wish.stable is not None:
            self.names.require_stable(self.wish.stable)
        if self.wish.stable is not None and any(suspect.version == self.wish.stable for suspect in suspects):
            message = f"{suspects[0]} is both accused and called stable; there is nothing better to send its traffic to"
            return Settled(Outcome.DENIED, Refusal(Reason.SUSPECT_IS_STABLE, message))
        work = Agreed.to(self._work(suspects))
        refusal = self._refusal(work)
        if refusal is not None:
            return Settled(Outcome.DENIED, _by_hand(refusal), work.remaining)
        done = taking_away(work)
        if done is not None:
            return Settled(Outcome.UNCHANGED, done)
        if work.proposal.patch is None:
            return Settled(Outcome.UNCHANGED, Refusal(Reason.NOT_EXPOSED, self._idle(suspects)), work.remaining)
        if not work.leverage.allows:
            return Settled(Outcome.DENIED, _of(work.leverage))
        return work

    def _refusal(self, work: Work) -> Refusal | None:
        """What the planner has against it, and what a person would see in it that it does not."""
        for case, refusal in work.paired:
            if isinstance(refusal, Refusal):
                explained = lever.of_refused(work.snapshot.driving, refusal, case.demand.suspect.host, work.facts)
                return refusal if explained.allows else _of(explained)
        return self._astray(work)

    def _work(self, suspects: tuple[Suspect, ...]) -> Work:
        reverts = self.wish.action is Action.REVERT_TO_STABLE
        # A host that is accused as a whole has no version that would tell the planner so.
        accused = {suspect.host: frozenset({suspect}) for suspect in suspects} if reverts else {}
        cases = tuple(self._case(number, suspect) for number, suspect in enumerate(suspects))
        return plan_work(self.snapshot, Mode.ENFORCE, cases, accused)

    def _case(self, number: int, suspect: Suspect) -> Case:
        wish = self.wish
        mirrors = MirrorScope.ALL if wish.suspect is None else MirrorScope.SUSPECT
        policy = Policy(
            name=MANUAL,
            description="What a person asked for by hand.",
            matchers=(),
            target=TargetSpec(stable=wish.stable, mirrors=mirrors),
            actions=(wish.action,),
            mode=Mode.ENFORCE,
            guards=Guards(max_targets=1),
        )
        demand = Demand(suspect, frozenset({wish.action}), mirrors, wish.stable)
        return Case(number, self._alert(suspect), policy, demand, wish.request)

    def _alert(self, suspect: Suspect) -> Alert:
        """Stands for the person's word where an alert's would."""
        by, reason = self.wish.request.by, self.wish.request.reason
        identity = {"by": by, "target": str(self.snapshot.routing.ref), "suspect": str(suspect)}
        return Alert(
            status=Status.FIRING,
            labels={"alertname": MANUAL, "by": by} | ({"reason": reason} if reason else {}),
            annotations={},
            starts_at=self.now,
            ends_at=None,
            generator_url="",
            fingerprint=fingerprint_of(
                identity | {"action": self.wish.action.value, "time": self.now.isoformat(timespec="microseconds")}
            ),
        )

    def _idle(self, suspects: tuple[Suspect, ...]) -> str:
        ref, told = self.snapshot.routing.ref, " or ".join(map(str, suspects))
        if not suspects or self.wish.suspect is None:
            return f"no mirror of {ref} copies anything"
        return (
            f"{ref} {'gives no weight' if self.wish.action is Action.REVERT_TO_STABLE else 'mirrors nothing'} to {told}"
        )

    def _astray(self, work: Work) -> Refusal | None:
        """Why the traffic would not surely go to what the person calls stable."""
        stable, names = self.wish.stable, self.names
        gains = work.proposal.plan.receivers
        if stable is None or all(self._is_stable(each, stable) for each in gains):
            return None
        unknown = all(each.subset is None and not names.versions(each.host) for each in gains)
        if unknown and len(gains) == 1 and names.host(stable) is None:
            # A split by two hosts: there is but one to fall back on, and nothing says that it is not this version.
            return None
        listed = ", ".join(map(str, gains))
        message = f"its traffic would go to {listed}, and nothing says that this is {stable}"
        return Refusal(Reason.NO_STABLE_DESTINATION, message)

    def _is_stable(self, destination: Destination, stable: str) -> bool:
        names = self.names
        if destination.host == names.host(stable):
            return True
        if destination.subset is None:
            return names.versions(destination.host) == (stable,)
        return names.facts.relation(destination, Suspect(destination.host, stable)) is Relation.SUSPECT


def _by_hand(refusal: Refusal) -> Refusal:
    """What a policy says in its file, a person says with a flag."""
    if refusal.reason is not Reason.NO_STABLE_DESTINATION:
        return refusal
    return replace(refusal, message=f"{refusal.message} (by hand: --stable)")


def _of(verdict: Verdict) -> Refusal:
    """A guard's no."""
    assert verdict.reason is not None, "only of a no"  # noqa: S101
    return Refusal(verdict.reason, verdict.message)


def _sent(work: Work) -> tuple[Any, ...]:
    """What a person agrees to: the update that is aborted, or the revision that Flagger rolls back, at whatever step it
    is; else each edit."""
    if work.canary is not None:
        return work.canary.name, work.canary.checksum
    return work.rollout.abort if work.rollout else tuple(_touched(work))


def _touched(work: Work) -> Iterator[tuple[Any, ...]]:
    """Each edit, with the route that it is made in as that is before."""
    patch = work.proposal.patch
    for edit in patch.edits if patch else ():
        yield edit.path, edit.before, edit.after, _entry(work.snapshot.body, edit.path)


def _entry(body: dict[str, Any], path: Path) -> Any:
    """What encloses a place: the element of the outermost list on the way there."""
    found: Any = body
    for part in path[:-1]:
        found = found[part]
        if isinstance(part, int):
            break
    return found
