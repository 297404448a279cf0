"""A thread that keeps withdrawals up: woken by the index when something changes, it looks at what is held there.

Every replica does so. What is held, and how often it was brought back, stands in the records; this thread remembers no
more than what it has looked at. It makes no request unless a suspect gets traffic again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Final

from remediator import logs
from remediator.errors import ClusterError, NotSynced
from remediator.outcome import AlertOutcome, Reason, TargetRef
from remediator.pipeline.enforcing import PAUSES, Enforcing, Look
from remediator.pipeline.gitops import GitOps
from remediator.pipeline.rounds import Rounds
from remediator.pipeline.shell import Pipeline
from remediator.pipeline.tools import Limits, Tools
from remediator.records.ledger import Head
from remediator.traffic.virtualservice import KIND

EVERY_S: Final = 0.5
"""About so often the index is asked what is held, where nothing wakes the thread: a folder of YAML tells nobody that it
has changed, and what is held since a moment ago may have changed before. No request is made for it."""
LONGEST_WAIT: Final = timedelta(minutes=1)
"""Between two looks at what could not be brought back, or must not be for now."""
RETRY: Final = timedelta(seconds=5)
"""Between two tries to tell GitOps anything, or to take it back."""

_Key = tuple[str, str]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is remembered of a record that is held."""

    again_at: datetime | None = None
    """When it is to be looked at again; None: when something changes."""
    fruitless: int = 0
    """How often in a row it was found that it ought to be brought back, and was not."""
    why: str = ""
    """Why not, as it was said in the log."""


class Holds:
    """Looks after the withdrawals that are held up."""

    def __init__(
        self, pipeline: Pipeline, *, gitops_pause: bool = False, pauses: tuple[timedelta, ...] = PAUSES
    ) -> None:
        """
        Args:
            gitops_pause: Flux is told to leave alone what is held.
            pauses: before each enforcement of one record, and so the most that there are.
        """
        self._pipeline = pipeline
        self._gitops = GitOps(
            pipeline.cluster, pipeline.journal, gitops_pause, pipeline.ceiling, pipeline.bounds.opt_in
        )
        self._resuming: dict[TargetRef, datetime] = {}
        """When it is tried again to let GitOps take care of an object."""
        self._pauses = pauses
        self._said: dict[str, str] = {}
        """What went wrong with that, as it was said in the log."""
        self._news = pipeline.cluster.news()
        self._seen: dict[_Key, _Seen] = {}
        # It waits for a change, and not between two looks.
        self._rounds = Rounds("holds", lambda: self.look(EVERY_S), lambda: 0.0)

    def start(self) -> None:
        """Begin."""
        self._rounds.start()

    def stop(self) -> None:
        """End the thread."""
        self._rounds.stop()

    def look(self, patience_s: float = 0.0) -> None:
        """One round over all that is to be looked at. Never raises.

        Args:
            patience_s: how long to wait for a change before that; it ends early where something falls due.
        """
        changed = self._news.take(min(patience_s, self._due_in()))
        now, everything = self._pipeline.clock.now(), any(ref.kind != KIND for ref in changed)
        try:
            heads = self._pipeline.cluster.ledger.holding(now)
        except ClusterError:
            # As at every start; /readyz says so. What has changed meanwhile is not to be lost.
            self._seen.clear()
            return
        keys = {head.key for head in heads}
        self._seen = {key: seen for key, seen in self._seen.items() if key in keys}
        due = [group for group in _by_target(heads) if everything or self._is_due(group, changed, now)]
        list(self._pipeline.executor.map(self._see_to, due))
        self._resume(heads, now)

    def _due_in(self) -> float:
        """Seconds until something that is known falls due."""
        moments = [seen.again_at for seen in list(self._seen.values()) if seen.again_at]
        left = (min(moments) - self._pipeline.clock.now()).total_seconds() if moments else EVERY_S
        return max(left, 0.0)

    def _is_due(self, group: tuple[Head, ...], changed: Collection[TargetRef], now: datetime) -> bool:
        if group[0].target in changed:
            return True
        seen = [self._seen.get(head.key) for head in group]
        return any(each is None or (each.again_at is not None and each.again_at <= now) for each in seen)

    def _see_to(self, group: tuple[Head, ...]) -> None:
        """The newest first: where it has brought the object back, the others find nothing to do."""
        for head in group:
            self._seen[head.key] = self._after(head, self._looked_at(head, group))

        first = group[0]
        if not self._gently(lambda: self._gitops.pause(first), f"Flux is not paused for {first.target}"):
            again = self._pipeline.clock.now() + RETRY
            known = self._seen[first.key]
            self._seen[first.key] = replace(known, again_at=min(known.again_at or again, again))

    def _resume(self, heads: Collection[Head], now: datetime) -> None:
        """Let GitOps take care again of what is not held any more."""
        found: list[TargetRef] = []
        self._gently(lambda: found.extend(self._gitops.due(heads)), "what GitOps is to take care of again is not known")
        self._resuming = {ref: at for ref, at in self._resuming.items() if ref in found}
        for ref in found:
            if self._resuming.get(ref, now) <= now:
                self._resuming[ref] = now + RETRY
                self._gently(partial(self._gitops.resume, ref), f"Flux is not resumed for {ref}; tried again")

    def _gently(self, act: Callable[[], object], otherwise: str) -> bool:
        """Do what a hold does not depend on; whether it was done."""
        try:
            act()
        except ClusterError as error:
            if self._said.get(otherwise) != str(error):
                logger.log(
                    logging.INFO if isinstance(error, NotSynced) else logging.WARNING, "%s: %s", otherwise, error
                )
            self._said[otherwise] = str(error)
            return False
        except Exception:  # the outer edge, as below
            logger.exception("internal error: %s", otherwise)
            return False
        self._said.pop(otherwise, None)
        return True

    def _looked_at(self, head: Head, group: tuple[Head, ...]) -> Look | Exception:
        try:
            record = self._pipeline.cluster.ledger.get(*head.key)
            return self._enforcing(group).look_at(record) if record else Look()
        except ClusterError as error:
            return error
        except Exception as error:  # the outer edge: a bug at one of them must not let the others go
            logger.exception("internal error at the hold of %s/%s; it is tried again", *head.key)
            return error

    def _after(self, head: Head, found: Look | Exception) -> _Seen:
        """What to remember; said in the log, where it is news."""
        before = self._seen.get(head.key, _Seen())
        if isinstance(found, Look) and found.why is None:
            return _Seen(found.again_at)
        why = found.why.message if isinstance(found, Look) and found.why else str(found)
        if why != before.why:
            logger.warning("the hold of %s/%s does not bring its target back; tried again: %s", *head.key, why)
        wait = min(timedelta(seconds=2 ** min(before.fruitless, 10)), LONGEST_WAIT)
        return _Seen(self._pipeline.clock.now() + wait, before.fruitless + 1, why)

    def _enforcing(self, group: tuple[Head, ...]) -> Enforcing:
        pipeline = self._pipeline
        tools = Tools(
            cluster=pipeline.cluster,
            journal=pipeline.journal,
            limits=Limits(()),
            guarding=pipeline.guarding,
            attempted=pipeline.metrics.attempt,
        )
        policies = pipeline.policies.current().policies
        return Enforcing(tools, policies, pipeline.ceiling, self._tell, group, self._pauses)

    def _tell(self, row: AlertOutcome, writer: str) -> None:
        logs.outcome(self._pipeline.log, row)
        metrics = self._pipeline.metrics
        metrics.outcome(row)
        if row.reason is Reason.HOLD_LOST:
            metrics.hold_lost(writer)
        else:
            metrics.held(writer)


def _by_target(heads: Iterable[Head]) -> list[tuple[Head, ...]]:
    """What is held on the same object together, the newest first."""
    ordered = sorted(heads, key=lambda head: (head.target, head.target_uid, -head.created_at.timestamp(), head.name))
    return [tuple(group) for _, group in groupby(ordered, key=lambda head: head.target_uid)]
