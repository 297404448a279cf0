"""What is done by hand, as it is shown before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console

from remediator.cli.guards_view import verdict_json
from remediator.cli.render import STYLES, diff, say, say_diff, visible
from remediator.guards.verdict import Verdict
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.owners import Lever
from remediator.owners.rollback import advice, asks_here
from remediator.pipeline.by_hand import Agreed, Settled, Wish
from remediator.policies.model import Action, MirrorScope
from remediator.policies.quantities import format_duration
from remediator.records.model import Remediation
from remediator.records.rollback import rollback_json
from remediator.traffic import undo
from remediator.traffic.patch import Operation, Patch
from remediator.traffic.suspect import Suspect


@dataclass(frozen=True, slots=True)
class Preview:
    """A change before it is made."""

    work: Agreed
    record: Remediation
    """As it will be begun."""
    patch: Patch
    """Of the object: as it is sent, with the annotation; without, in a dry run, and where another makes the change."""
    source: str
    """Where the object is from, in one word: `live` or `file`."""
    warnings: tuple[Verdict, ...] = ()
    """Of the guards that would refuse it to an alert."""
    unasked: tuple[str, ...] = ()
    """What the guards could not ask about, a sentence each."""

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """Whom it is taken from."""
        return tuple(case.demand.suspect for case in self.work.cases)

    @property
    def everything(self) -> bool:
        """Whether every mirror is meant."""
        return any(case.demand.mirrors is MirrorScope.ALL for case in self.work.cases)

    @property
    def sent(self) -> tuple[Operation, ...]:
        """The operations that are sent: of the object, or of whatever else the lever is."""
        intent = self.record.intent
        return tuple(self.patch.operations) if intent.lever is Lever.PATCH else intent.patch

    @property
    def undo(self) -> tuple[Operation, ...]:
        """Those that would take it back; none where that is another's to do."""
        is_patch = self.record.intent.lever is Lever.PATCH
        return undo.make(self.work.snapshot.body, self.patch) if is_patch else ()

    @property
    def diff(self) -> tuple[str, ...]:
        """The unified diff of the object."""
        ref, before = self.work.ref, self.work.snapshot.body
        return diff(before, self.patch.applied(before), (f"{ref} ({self.source})", f"{ref} (planned)"))

    def row(self, outcome: Outcome, reason: Reason, message: str) -> AlertOutcome:
        """A row that speaks of it."""
        return self.work.cases[0].row(self.work.ref, outcome, reason, message)


def say_preview(out: Console, preview: Preview) -> None:
    """Print what will be changed, who gets the traffic, and what stays."""
    intent = preview.record.intent
    whom = "every mirror" if preview.everything else ", ".join(map(str, preview.suspects))
    say(out, (str(preview.work.ref), "bold"), f": {', '.join(intent.actions)}, ", (whom, "bold"))
    say_diff(out, preview.diff)
    say(out)
    for change in intent.changes:
        say(out, f"  {change}")
    _say_lever(out, preview)
    gains = ", ".join(map(str, preview.work.proposal.plan.receivers))
    say(out, "The traffic goes to ", (gains, "bold"), ".") if gains else say(out, "No weight moves.")
    _say_remaining(out, preview.work.remaining, intent.actions[0])
    _say_warnings(out, preview)
    say(out)


def question(work: Agreed) -> str:
    """What a person says yes or no to."""
    if work.canary is not None:
        return f"Have Flagger roll back {work.canary}?"
    return f"Abort {work.rollout}?" if work.rollout else f"Change {work.ref}?"


def _say_lever(out: Console, preview: Preview) -> None:
    """Print whose lever is pulled, where a patch of the object would not stay, and what else that ends."""
    rollout, canary, rollback = preview.work.rollout, preview.work.canary, preview.record.intent.rollback
    if canary is not None and rollback is not None:
        says = (
            f" (checksum {rollback.checksum}): it asks once an interval ({format_duration(canary.interval)}), and then"
        )
        say(out, "By Flagger's rollback of ", (str(canary), "bold"), f"{says} makes this of the object.")
        say(out, "The service that it asks has to run: nothing is sent from here.")
        if not asks_here(canary):
            say(out, ("It may never ask", "bold yellow"), f": {advice(canary)}.")
    if rollout is not None:
        says = ": its whole update ends, and its controller makes this of the object."
        say(out, "By the abort of ", (str(rollout), "bold"), says)


def _say_warnings(out: Console, preview: Preview) -> None:
    """Print which guards would say no to an alert: they bind no person, who should know all the same."""
    if preview.warnings:
        say(out, ("Guards that would refuse an alert:", "bold yellow"))
    for verdict in preview.warnings:
        say(out, "  ", ("NO", "bold red"), f" {verdict.guard}: {verdict.message}")
    for each in preview.unasked:
        say(out, (f"Guards: {each}.", "dim"))


def _say_remaining(out: Console, remaining: tuple[str, ...], action: Action) -> None:
    """Print what the suspect gets all the same, and which lever takes that."""
    lever = "stop-mirror" if action is Action.REVERT_TO_STABLE else "rollback"
    for each in remaining:
        say(out, ("Stays", "yellow"), f": {each}; `{lever}` takes it")


def say_settled(out: Console, wish: Wish, settled: Settled) -> None:
    """Print that nothing is to be done, and what stays; that it is refused, tell_refusal says."""
    if settled.outcome is Outcome.UNCHANGED:
        say(out, ("Nothing to do", "bold"), f": {settled.why.message}")
    _say_remaining(out, settled.remaining, wish.action)


def tell_refusal(ref: TargetRef, outcome: Outcome, reason: Reason, message: str) -> None:
    """Tell on standard error why it was not done."""
    click.echo(f"error: {ref}: {outcome.value} ({reason.value}): {visible(message)}", err=True)


def say_row(out: Console, row: AlertOutcome, following: tuple[str, str] | None, otherwise: str = "") -> None:
    """Print how it ended, if well, and its record.

    Args:
        following: what to type next: why, and the command.
        otherwise: how it is taken back where no command does.
    """
    verdict = (f"{row.outcome.value} ({row.reason.value})", STYLES[row.outcome])
    if row.outcome is Outcome.APPLIED:
        say(out, verdict, ", as shown.")
    elif row.outcome in (Outcome.UNCHANGED, Outcome.PLANNED):
        say(out, verdict, f": {row.message}")
    if row.remediation:
        say(out, "Record: ", (f"{row.target.namespace}/{row.remediation}" if row.target else row.remediation, "bold"))
    if following:
        why, command = following
        say(out, why)
        say(out, f"  {command}")
    elif otherwise:
        say(out, otherwise)
    if row.outcome is Outcome.FAILED:
        say(out, "Run it again: what was done by then is found, and not done twice.")


def settled_json(ref: TargetRef, wish: Wish, settled: Settled) -> dict[str, Any]:
    """Why nothing is done, in the shape of result_json."""
    return _json(ref, wish.action, (settled.outcome, settled.why.reason, settled.why.message)) | {
        "stable": wish.stable,
        "remaining": list(settled.remaining),
    }


def result_json(preview: Preview, row: AlertOutcome, command: str | None) -> dict[str, Any]:
    """All of it as plain values."""
    intent = preview.record.intent
    return _json(preview.work.ref, intent.actions[0], (row.outcome, row.reason, row.message)) | {
        "suspects": [{"host": str(each.host), "version": each.version} for each in preview.suspects],
        "stable": intent.stable,
        "changes": list(intent.changes),
        "receivers": [str(each) for each in preview.work.proposal.plan.receivers],
        "remaining": list(preview.work.remaining),
        "guards": [verdict_json(each) for each in preview.warnings],
        "diff": "\n".join(preview.diff),
        "lever": intent.lever.value,
        "patch": list(preview.sent),
        "undo": list(preview.undo),
        "rollback": rollback_json(intent.rollback) if intent.rollback else None,
        "remediation": row.remediation,
        "undoCommand": command,
    }


def _json(ref: TargetRef, action: Action, ended: tuple[Outcome, Reason, str]) -> dict[str, Any]:
    outcome, reason, message = ended
    return {
        "target": {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name},
        "action": action.value,
        "outcome": outcome.value,
        "reason": reason.value,
        "message": message,
        "suspects": [],
        "stable": None,
        "changes": [],
        "receivers": [],
        "remaining": [],
        "guards": [],
        "diff": "",
        "lever": None,
        "patch": [],
        "undo": [],
        "rollback": None,
        "remediation": None,
        "undoCommand": None,
    }
