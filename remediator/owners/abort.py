"""Which Rollout has to be aborted to take away what a plan takes away, and why none may be.

What an abort does: all weight goes back to the stable side, and mirrors that the update brought are removed
(argoproj/argo-rollouts rollout/trafficrouting.go). So it helps where all that loses traffic is the canary side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from remediator.outcome import Reason
from remediator.owners.model import Driving, Rollout, Side
from remediator.traffic.exposure import Facts
from remediator.traffic.patch import Operation
from remediator.traffic.plan import Plan
from remediator.traffic.suspect import Refusal
from remediator.traffic.view import Destination


def canary_of(driving: Driving, plan: Plan, facts: Facts) -> Rollout | None:
    """The Rollout of which all that loses traffic by `plan` is the canary side, whether it is updating or not."""
    return next((each for each in driving.rollouts if _loses(each, each.canary, plan, facts)), None)


def to_abort(driving: Driving, plan: Plan, facts: Facts) -> Rollout | Refusal:
    """The Rollout to abort; or why there is none, though one drives the object."""
    rollout = canary_of(driving, plan, facts)
    if rollout is None:
        stable = next((each for each in driving.rollouts if _loses(each, each.stable, plan, facts)), None)
        if stable is not None:
            message = f"the accused version is the stable side of {stable}: an abort would give it all of the traffic"
            return Refusal(Reason.NOTHING_TO_ABORT, message)
        listed = ", ".join(map(str, driving.rollouts))
        message = f"{listed} would put a patch back within seconds, and nothing says that its canary side is accused"
        return Refusal(Reason.NO_LEVER, message)
    return _at_rest(rollout) or rollout


def idle(driving: Driving) -> Refusal | None:
    """Why no Rollout that drives the object can be aborted, whichever version is accused; None: one can, or there is
    none."""
    found = [_at_rest(each) for each in driving.rollouts]
    return found[0] if found and all(found) else None


def _at_rest(rollout: Rollout) -> Refusal | None:
    if rollout.update.aborted:
        return Refusal(Reason.NOTHING_TO_ABORT, f"{rollout} is aborted already")
    if not rollout.update.in_progress:
        return Refusal(Reason.NOTHING_TO_ABORT, f"{rollout} is not updating, so there is nothing to abort")
    return None


def its_rollout(operations: Sequence[Operation], rollouts: Iterable[Rollout]) -> Rollout | None:
    """The Rollout that an abort was made for, at whatever update it is by now; None: it is none of these."""
    return next((each for each in rollouts if list(operations[:1]) == list(each.abort[:1])), None)


def _loses(rollout: Rollout, side: Side, plan: Plan, facts: Facts) -> bool:
    found = tuple(losers(plan))
    return bool(found) and all(is_side(each, side, rollout, facts) for each in found)


def is_side(destination: Destination, side: Side, rollout: Rollout, facts: Facts) -> bool:
    """Whether a destination is this side of the Rollout."""
    if side.host and destination.host == side.host and destination.subset is None:
        return True
    rules = (each for each in facts.rules.rules if (each.namespace, each.name) == rollout.rule)
    return (
        bool(side.subset) and destination.subset == side.subset and any(each.covers(destination.host) for each in rules)
    )


def losers(plan: Plan) -> Iterator[Destination]:
    """Where less traffic goes than before."""
    for old, new in zip(plan.before.routes, plan.after.routes, strict=True):
        for was, now in zip(old.shares, new.shares, strict=True):
            if now.weight < was.weight or now.destination != was.destination:
                yield was.destination
        left = [(mirror.destination, mirror.percentage) for mirror in new.mirrors]
        yield from (mirror.destination for mirror in old.mirrors if (mirror.destination, mirror.percentage) not in left)
