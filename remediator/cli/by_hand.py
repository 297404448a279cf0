"""`rollback` and `stop-mirror`: plan, show, ask, and do what was shown."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

import click

from remediator.cli.by_hand_view import Preview, result_json, say_preview, say_row, say_settled, settled_json
from remediator.cli.forecast import CHANGES
from remediator.cli.lookup import Place, opened
from remediator.cli.render import console, emit, say
from remediator.cli.requester import requester
from remediator.cli.situation import SYNC_DEADLINE_S, await_sync
from remediator.cluster.local import LocalCluster
from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import Conflict, InputError, NotFound
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.pipeline.by_hand import Agreed, Settled, Wish, plan_by_hand
from remediator.pipeline.drafting import draft, granted, key_of, stamped
from remediator.pipeline.execution import execute
from remediator.pipeline.tools import Limits, Tools
from remediator.records.journal import Journal
from remediator.records.model import Request
from remediator.traffic.virtualservice import KIND

_ADVICE = "; check --kubeconfig and --context"
_MOST_NAMED = 5
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
"""What can name a namespace or an object; nothing else is put into a path."""


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
    ref = _ref(target)
    with opened(values) as place:
        place.cluster.start()
        _await_sync(place.cluster)
        return _Act(context, place, ref, asked, how).run()


def _await_sync(cluster: Cluster) -> None:
    """Wait for the routing objects and for the records: what is done is recorded."""

    def fault() -> str:
        health = cluster.health()
        return "" if health.synced else health.detail

    is_live = not isinstance(cluster, LocalCluster)
    await_sync(fault, deadline_s=SYNC_DEADLINE_S if is_live else 0.0, advice=_ADVICE if is_live else "")


def _ref(target: str) -> TargetRef:
    namespace, _, name = target.partition("/")
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        raise InputError(f"{target!r} names no VirtualService; give NAMESPACE/NAME")
    return TargetRef(KIND, namespace, name)


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
        if self.how.dry_run:
            self._try(planned, preview.record.name)
        if self.how.for_a_person:
            say_preview(console(), preview)
        if self.how.dry_run:
            return self._tried(preview)
        if not self.how.yes and not _confirmed(self.ref):
            say(console(), "Nothing was changed.")
            return 1
        return self._done(planned, preview)

    def _try(self, work: Agreed, name: str) -> None:
        try:
            self.place.cluster.patch(self.ref, stamped(work, name), dry_run=True)
        except Conflict as error:
            raise Conflict(f"{error}; run it again") from error

    def _planned(self) -> Agreed | Settled:
        return plan_by_hand(_read(self.place.cluster, self.ref), self.wish, _now())

    def _preview(self, work: Agreed) -> Preview:
        first = granted(work)[0]
        record = draft(work, first, key_of(work, first).name(), first.alert.starts_at)
        after = stamped(work, record.name).applied(work.snapshot.body)
        return Preview(work, record, after, "file" if isinstance(self.place.cluster, LocalCluster) else "live")

    def _settled(self, settled: Settled) -> int:
        if self.how.for_a_person:
            say_settled(console(), self.wish, self.ref, settled)
        else:
            emit(settled_json(self.ref, self.wish, settled), self.how.output)
        return 0 if settled.outcome is Outcome.UNCHANGED else 1

    def _tried(self, preview: Preview) -> int:
        if self.how.for_a_person:
            say(console(), ("Dry run: this would be accepted. Nothing was changed.", "bold"))
        else:
            row = preview.row(Outcome.OBSERVED, Reason.DRY_RUN, "dry run, nothing was changed; it would be accepted")
            emit(result_json(preview, row, None), self.how.output)
        return CHANGES

    def _done(self, work: Agreed, preview: Preview) -> int:
        cluster = self.place.cluster
        rows = execute(work, Tools(cluster, Journal(cluster.ledger, _now), Limits((work,))))
        row = _worst(rows)
        undo = row.outcome is Outcome.APPLIED and row.remediation
        command = self.place.command(self.context, "undo", f"{self.ref.namespace}/{row.remediation}") if undo else None
        if self.how.for_a_person:
            say_row(console(), row, command)
        else:
            emit(result_json(preview, row, command), self.how.output)
        if row.reason is Reason.CHANGED_SINCE and self.how.for_a_person:
            self._show_again()
        return 0 if row.outcome in (Outcome.APPLIED, Outcome.UNCHANGED) else 1

    def _show_again(self) -> None:
        """What it would be by now; only a person's second yes makes it so."""
        say(console())
        planned = self._planned()
        if isinstance(planned, Settled):
            say_settled(console(), self.wish, self.ref, planned)
        else:
            say_preview(console(), self._preview(planned))
            say(console(), ("Run it again to have this done.", "bold"))


def _worst(rows: tuple[tuple[int, AlertOutcome], ...]) -> AlertOutcome:
    """All mirrors are one patch, so the rows differ only where something went wrong."""
    told = [row for _, row in rows]
    return next((row for row in told if row.outcome is not Outcome.APPLIED), told[0])


def _confirmed(ref: TargetRef) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        raise InputError("standard input is no terminal, so nobody can be asked: give --yes. Nothing was changed")
    return click.confirm(f"Change {ref}?", default=False, err=True)


def _read(cluster: Cluster, ref: TargetRef) -> Snapshot:
    try:
        return cluster.read(ref)
    except NotFound as error:
        names = [f"{each.routing.ref.namespace}/{each.routing.ref.name}" for each in cluster.routing()]
        wanted = f"{ref.namespace}/{ref.name}"
        near = get_close_matches(wanted, names, n=_MOST_NAMED) or [
            name for name in names if name.endswith(f"/{ref.name}") or name.startswith(f"{ref.namespace}/")
        ]
        listed = ", ".join(near[:_MOST_NAMED]) + (", …" if len(near) > _MOST_NAMED else "")
        hint = f"did you mean {listed}?" if near else f"of the {len(names)} that are there, none has a name like it"
        raise InputError(f"there is no {ref}; {hint}") from error


def _now() -> datetime:
    return datetime.now(UTC)
