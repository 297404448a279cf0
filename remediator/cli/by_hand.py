"""`rollback` and `stop-mirror`: plan, show, ask, and do what was shown."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from remediator.cli.by_hand_target import meant, read_meant
from remediator.cli.by_hand_view import (
    Preview,
    question,
    result_json,
    say_preview,
    say_row,
    say_settled,
    settled_json,
    tell_refusal,
)
from remediator.cli.forecast import CHANGES
from remediator.cli.knowledge import Knowledge
from remediator.cli.lookup import Place, opened
from remediator.cli.render import console, emit, say
from remediator.cli.requester import requester
from remediator.cli.situation import SYNC_DEADLINE_S, await_sync
from remediator.cluster.failures import Unserved
from remediator.cluster.local import LocalCluster
from remediator.cluster.port import Cluster
from remediator.errors import ClusterError, Conflict, InputError, NotFound, Retriable, Unavailable
from remediator.guards import alert_age, evidence, lever, switch
from remediator.guards.verdict import Verdict, against
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.owners import Lever
from remediator.pipeline.by_hand import Agreed, Settled, Wish, plan_by_hand
from remediator.pipeline.carrying import send
from remediator.pipeline.drafting import draft, granted, key_of, stamped
from remediator.pipeline.execution import execute
from remediator.pipeline.guarding import Guarding
from remediator.pipeline.tools import Limits, Tools
from remediator.pipeline.undoing import retry_words
from remediator.records.journal import Journal
from remediator.records.model import Request

_ADVICE = "check --kubeconfig and --context"
_ANSWER_DEADLINE_S = 3.0
_PAUSE_S = 0.2
_ALERTS_ONLY = (alert_age.GUARD, evidence.GUARD, switch.GUARD)
"""Guards that ask about an alert, or whether the service may act by itself: they say nothing to a person."""


@dataclass(frozen=True, slots=True)
class How:
    """The way it is done."""

    yes: bool
    dry_run: bool
    output: str

    @property
    def for_a_person(self) -> bool:
        """Whether text is wanted, and not a document."""
        return self.output == "text"


def act(context: click.Context, target: str, wish: Callable[[Request], Wish], values: dict[str, Any]) -> int:
    """Do what a person asks for, if they say yes to it.

    Args:
        target: as it was typed.
        wish: what is asked for, by whom.
        values: what click gives for options.by_hand_options, without --service.

    Returns:
        The exit code.

    Raises:
        RemediatorError: what was given is wrong, or the cluster did not answer; nothing was changed.
    """
    asked = wish(requester(values.pop("by"), values.pop("reason")))
    how = How(values.pop("yes"), values.pop("dry_run"), values.pop("output"))
    if not (how.for_a_person or how.yes or how.dry_run):
        raise InputError(f"-o {how.output} asks nobody; give --yes or --dry-run with it")
    ref = meant(target, values.pop("namespace"))
    with opened(values) as place:
        _await(place.cluster, ref, recorded=not how.dry_run)
        return _Act(context, place, ref, asked, how).run()


def _await(cluster: Cluster, ref: TargetRef, *, recorded: bool) -> None:
    """Wait for the routing objects, and for the records if what is done is recorded."""

    def fault() -> str:
        health = cluster.health()
        faults = (health.routing_fault, health.records_fault if recorded else "")
        return "; ".join(filter(None, faults))

    what = "the routing objects and records" if recorded else "the routing objects"
    if isinstance(cluster, LocalCluster):
        await_sync(fault, deadline_s=0.0, advice="", what=what)
        return
    _require_answers(cluster, ref, recorded=recorded)
    cluster.start()
    await_sync(fault, deadline_s=SYNC_DEADLINE_S, advice=_ADVICE, what=what)


def _require_answers(cluster: Cluster, ref: TargetRef, *, recorded: bool) -> None:
    """Ask for what is needed most, once and directly: an index that fills says too late what is wrong, and in words.

    Raises:
        Forbidden, Unserved: at once; waiting mends neither.
        Unavailable: no good answer within some seconds.
    """
    deadline = time.monotonic() + _ANSWER_DEADLINE_S
    pause = threading.Event()
    while True:
        try:
            _probe(cluster, ref, recorded=recorded)
            return
        except Unserved:
            raise
        except Retriable as error:
            if time.monotonic() >= deadline:
                raise Unavailable(f"{error}\n{_ADVICE}") from error
        pause.wait(_PAUSE_S)


def _probe(cluster: Cluster, ref: TargetRef, *, recorded: bool) -> None:
    with suppress(NotFound):  # the index knows what else there is: _read says it
        cluster.read(ref)
    if recorded:
        next(iter(cluster.ledger.listed(ref.namespace)), None)


@dataclass(frozen=True, slots=True)
class _Act:
    context: click.Context
    place: Place
    ref: TargetRef
    wish: Wish
    how: How

    def run(self) -> int:
        """Plan, show, ask, do; the exit code."""
        planned = self._planned()
        if isinstance(planned, Settled):
            return self._settled(planned)
        preview = self._preview(planned)
        if self.how.dry_run and not planned.canary:  # Flagger asks: nothing is sent
            self._try(planned, preview.record.name)
        if self.how.for_a_person:
            say_preview(console(), preview)
        if self.how.dry_run:
            return self._tried(preview)
        if not self.how.yes and not _confirmed(question(planned)):
            say(console(), "Nothing was changed.")
            return 1
        return self._done(planned, preview)

    def _try(self, work: Agreed, name: str) -> None:
        try:
            send(work, name, self._tools(work), dry_run=True)
        except Conflict as error:
            raise Conflict(f"{error}; run it again") from error

    def _planned(self) -> Agreed | Settled:
        return plan_by_hand(read_meant(self.place.cluster, self.ref), self.wish, _now())

    def _preview(self, work: Agreed) -> Preview:
        first = granted(work)[0]
        record = draft(work, first, key_of(work, first).name(), first.alert.starts_at)
        # A dry run makes no record, so there is no name to be shown; and where another writes, nobody writes it there.
        bare = work.proposal.patch if self.how.dry_run or work.lever is not Lever.PATCH else None
        patch = bare or stamped(work, record.name)
        source = "file" if isinstance(self.place.cluster, LocalCluster) else "live"
        return Preview(work, record, patch, source, *self._opinions(work))

    def _opinions(self, work: Agreed) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
        """Which guards would refuse this to an alert, and what they could not ask about. Waits for no index."""
        try:
            known = Knowledge(self.place.cluster, 0.0)
            verdicts = Guarding(known, known.records, _now).opinions(work)
        except ClusterError:  # they are a warning, and must not stand in the way
            return (), ()
        mine = lever.by_hand(work.snapshot.driving)
        nos = (each for each in against(verdicts) if each.guard not in _ALERTS_ONLY)
        return (*mine, *(each for each in nos if not mine or each.guard != lever.GUARD)), tuple(map(str, known.gaps))

    def _settled(self, settled: Settled) -> int:
        if self.how.for_a_person:
            say_settled(console(), self.wish, settled)
        else:
            emit(settled_json(self.ref, self.wish, settled), self.how.output)
        if settled.outcome is Outcome.UNCHANGED:
            return 0
        tell_refusal(self.ref, settled.outcome, settled.why.reason, settled.why.message)
        return 1

    def _tried(self, preview: Preview) -> int:
        tried = "Flagger would be told" if preview.work.canary else "this would be accepted"
        if self.how.for_a_person:
            say(console(), (f"Dry run: {tried}. Nothing was changed.", "bold"))
        else:
            row = preview.row(Outcome.OBSERVED, Reason.DRY_RUN, f"dry run, nothing was changed; {tried}")
            emit(result_json(preview, row, None), self.how.output)
        return CHANGES

    def _done(self, work: Agreed, preview: Preview) -> int:
        row = _worst(execute(work, self._tools(work)))
        undo = row.outcome is Outcome.APPLIED and row.reason is Reason.PATCHED
        command = self._command("undo", row) if undo and row.remediation else None
        is_good = row.outcome in (Outcome.APPLIED, Outcome.PLANNED, Outcome.UNCHANGED)
        if not is_good:
            tell_refusal(self.ref, row.outcome, row.reason, row.message)
        if self.how.for_a_person:
            otherwise = retry_words(preview.record) if row.outcome is Outcome.APPLIED else ""
            say_row(console(), row, self._following(row, command), otherwise)
        else:
            emit(result_json(preview, row, command), self.how.output)
        if row.reason is Reason.CHANGED_SINCE and self.how.for_a_person:
            self._show_again()
        return 0 if is_good else 1

    def _command(self, verb: str, row: AlertOutcome) -> str:
        return self.place.command(self.context, verb, f"{self.ref.namespace}/{row.remediation}")

    def _following(self, row: AlertOutcome, command: str | None) -> tuple[str, str] | None:
        """What to type next, and why."""
        if row.outcome is Outcome.PLANNED:
            return "Whether Flagger did it:", self._command("show", row)
        return ("Undo it with:", command) if command else None

    def _tools(self, work: Agreed) -> Tools:
        cluster = self.place.cluster
        # The guards bind alerts, and not a person, who has seen what they say.
        guarding = Guarding(cluster, cluster.ledger, _now)
        return Tools(cluster, Journal(cluster.ledger, _now), Limits((work,)), guarding)

    def _show_again(self) -> None:
        """What it would be by now; only a person's second yes makes it so."""
        say(console())
        planned = self._planned()
        if isinstance(planned, Settled):
            say_settled(console(), self.wish, planned)
            if planned.outcome is not Outcome.UNCHANGED:
                tell_refusal(self.ref, planned.outcome, planned.why.reason, planned.why.message)
        else:
            say_preview(console(), self._preview(planned))
            say(console(), ("Run it again to have this done.", "bold"))


def _worst(rows: tuple[tuple[int, AlertOutcome], ...]) -> AlertOutcome:
    """All mirrors are one patch, so the rows differ only where something went wrong."""
    told = [row for _, row in rows]
    return next((row for row in told if row.outcome is not Outcome.APPLIED), told[0])


def _confirmed(question: str) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        raise InputError("standard input is no terminal, so nobody can be asked: give --yes. Nothing was changed")
    try:
        return click.confirm(question, default=False, err=True)
    except click.Abort:
        click.echo(err=True)  # behind the question, which has no end of line yet
        say(console(), "Nothing was changed.")
        raise


def _now() -> datetime:
    return datetime.now(UTC)
