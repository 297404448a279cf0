"""What a suspect gets that a work does not take, as a person reads it: there is another lever for it."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.pipeline.meaning import Names
from remediator.pipeline.preparation import Work
from remediator.policies.model import Action, MirrorScope
from remediator.traffic.exposure import Relation, is_live


def remaining(work: Work) -> Iterator[str]:
    """A line for each share or mirror that the other action would take."""
    facts = Names(work.snapshot).facts
    for case in work.cases:
        suspect, actions = case.demand.suspect, case.demand.actions
        for route in work.proposal.plan.after.routes:
            for mirror in route.mirrors if Action.REMOVE_MIRRORS not in actions else ():
                if is_live(route, mirror) and facts.of_mirror(mirror, suspect) is Relation.SUSPECT:
                    yield f"{route}: mirror to {mirror.destination} ({mirror.percentage:g} %)"
            if Action.REVERT_TO_STABLE in actions or case.demand.mirrors is MirrorScope.ALL or not route.reachable:
                continue
            for position, share in enumerate(route.shares):
                if share.weight and facts.of_share(route, position, suspect) is Relation.SUSPECT:
                    yield f"{route}: {share.destination} weight {share.weight} of {route.total}"
