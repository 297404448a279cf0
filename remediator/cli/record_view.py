"""One record, as `show` shows it: all that a person needs to judge it, and to take it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Console

from remediator.cli.guards_view import say_verdicts
from remediator.cli.lever_view import by_lever, no_way_back
from remediator.cli.record_table import PHASE_STYLES, ago
from remediator.cli.render import say, say_diff
from remediator.cli.standing import Standing
from remediator.cli.verification_view import say_aftermath
from remediator.owners import Lever
from remediator.policies.model import Action
from remediator.policies.quantities import format_duration
from remediator.records.model import Accusation, Approval, Companion, Phase, Remediation, Request, Status
from remediator.traffic.hosts import short
from remediator.traffic.undo import Difference

_LEFT_OPEN: Final = (
    Phase.PLANNED,
    Phase.OBSERVED,
    Phase.AWAITING_APPROVAL,
    Phase.REJECTED,
    Phase.EXPIRED,
    Phase.FAILED,
)
"""Where nothing was taken from the suspect."""


def say_record(out: Console, standing: Standing, command: Callable[..., str], now: datetime) -> None:
    """Print all of it.

    Args:
        command: makes of words what to type, on the same cluster.
    """
    record = standing.record
    _say_head(out, record)
    if not record.intent.request:
        _say_alerts(out, record)
    _say_times(out, record, now)
    say(out, "Changes:")
    for change in record.intent.changes or ("none",):
        say(out, f"  {change}")
    say(out)
    _say_guards(out, record.status)
    say_aftermath(out, record.status)
    if record.intent.lever is Lever.PATCH and (standing.made or record.status.phase is Phase.PLANNED):
        _say_standing(out, standing)
    _say_way_back(out, standing, command)
    if record.status.phase is Phase.AWAITING_APPROVAL:
        _say_waiting(out, record, command)
    if not standing.made and record.status.phase in _LEFT_OPEN and not record.status.resolved:
        _say_exposed(out, standing, command)


def _say_head(out: Console, record: Remediation) -> None:
    intent, status = record.intent, record.status
    reason = f" ({status.reason.value})" if status.reason and status.reason.value != status.phase.value else ""
    verdict = (f"{status.phase.value}{reason}", PHASE_STYLES[status.phase])
    say(out, "Remediation ", (str(record), "bold"), ": ", verdict)
    if status.message and status.message != "; ".join(intent.changes):
        say(out, f"  {status.message}")
    say(out, f"  target   {intent.target.ref}")
    if intent.owner:
        say(out, f"  driver   {intent.owner}: {intent.owner.evidence}")
    say(out, f"  suspect  {intent.suspect}")
    say(out, f"  stable   {intent.stable or 'the other destinations of each route'}")
    say(out, f"  policy   {intent.policy.name}, mode {intent.mode.value}")
    say(out, f"  actions  {', '.join(intent.actions)}" + by_lever(intent))
    if intent.request:
        say(out, f"  by hand  {asked(intent.request)}")
    if record.approval:
        say(out, f"  answer   {answered(record.approval)}")
    say(out)


def _say_alerts(out: Console, record: Remediation) -> None:
    alert = record.intent.alert
    say(out, "Alert: ", (alert.alertname or "without a name", "bold"), f", fingerprint {alert.fingerprint}")
    for name, value in sorted(alert.labels.items()):
        say(out, f'  {name}="{value}"')
    for name, value in sorted(alert.annotations.items()):
        say(out, f"  {name}: {value}")
    if alert.generator_url:
        say(out, f"  {alert.generator_url}")
    for other in record.intent.also:
        say(out, f"Answered by the same patch: {_which(other)}, policy {other.policy}, suspect {other.suspect}")
    say(out)


def _say_times(out: Console, record: Remediation, now: datetime) -> None:
    say(out, "Times:")
    for title, moment, words in _times(record):
        after = f", {words}" if words else ""
        say(out, f"  {title:<11}  {_written(moment)}{after}", (f"  {ago(now - moment)}", "dim"))
    say(out)


def _times(record: Remediation) -> Iterator[tuple[str, datetime, str]]:
    """What happened when, in words for a person."""
    intent, status = record.intent, record.status
    start, applied = intent.alert.starts_at, status.applied_at
    since = "it was asked for" if intent.request else "the alert began"
    yield "asked for" if intent.request else "alert began", start, ""
    if not intent.request:
        yield from (("alert began", other.starts_at, f"the other, {_which(other)}") for other in intent.also)
    # It is kept in whole seconds: within the same one it would only seem to be something else.
    if record.created_at and not (applied and applied.replace(microsecond=0) == record.created_at):
        yield "planned", record.created_at, f"{_between(start, record.created_at)} after {since}"
    yield from _answering(record)
    if applied:
        yield "applied", applied, f"{_between(start, applied)} after {since}"
    elif status.finished_at:
        yield "ended", status.finished_at, f"as {status.phase.value}"
    for each in status.resolved:
        after = "nothing was patched" if each.after_s is None else f"{_rounded(each.after_s)} after the patch"
        yield "resolved", each.at, (f"{each.fingerprint}, " if intent.also else "") + after
    if status.release:
        yield "released", status.release.at, f"by {asked(status.release.request)}"
    yield from _holding(status)
    yield from _undoing(status)


def _holding(status: Status) -> Iterator[tuple[str, datetime, str]]:
    """How often the withdrawal was brought back, and whether that was given up."""
    hold = status.hold
    for each in hold.enforcements if hold else ():
        took = f"brought back in {_between(each.at, each.done_at)}" if each.done_at else "not known to be brought back"
        yield "held", each.at, f"{took}, against {each.writer or 'somebody unknown'}"
    if hold and hold.lost_at:
        yield "hold lost", hold.lost_at, f"to {hold.lost_to or 'somebody unknown'}"


def _answering(record: Remediation) -> Iterator[tuple[str, datetime, str]]:
    """Since when a person is waited for, and what one said."""
    since, approval = waits_since(record), record.approval
    if since:
        yield "waits since", since, "for a person's yes or no"
    if approval and approval.at:
        yield "approved" if approval.approved else "rejected", approval.at, f"by {approval.by}" if approval.by else ""


def _undoing(status: Status) -> Iterator[tuple[str, datetime, str]]:
    undo = status.undo
    if undo and undo.done_at:
        yield "undone", undo.done_at, f"by {asked(undo.request)}"
    elif undo:
        yield "undo asked", undo.requested_at, f"by {asked(undo.request)}; not known to be done"


def _which(alert: Accusation | Companion) -> str:
    return f"{alert.alertname or 'without a name'}, fingerprint {alert.fingerprint}"


def _say_guards(out: Console, status: Status) -> None:
    """Print what each guard said when they were asked last; nothing of what a person asked for by hand."""
    if status.verdicts:
        when = f", asked {_written(status.judged_at)}" if status.judged_at else ""
        say_verdicts(out, status.verdicts, f"Guards{when}")
        say(out)


def _say_standing(out: Console, standing: Standing) -> None:
    """Print how the object stands to a remediation that was made, or may have been."""
    ref = (str(standing.record.intent.target.ref), "bold")
    if standing.fault:
        say(out, ref, f" cannot be looked at: {standing.fault}")
    elif standing.lost:
        say(out, ref, f" {standing.lost}")
    elif not standing.made:
        say(out, ref, " does not name this remediation: the patch was not made, or not yet")
    elif standing.undone:
        say(out, ref, " has all back that was taken away; somebody did that by hand")
    elif standing.differences:
        say(out, ref, " was changed since, in the same places:")
        say_differences(out, standing.differences)
    else:
        say(out, ref, " stands as this remediation left it:")
        say_diff(out, standing.diff())
    if standing.made and not standing.undone:
        say_later(out, standing.later)
    say(out)


def _say_way_back(out: Console, standing: Standing, command: Callable[..., str]) -> None:
    record, phase = standing.record, standing.record.status.phase
    undo = record.status.undo
    if phase is Phase.UNDONE:
        say(out, f"Undone{f' by {asked(undo.request)}' if undo else ''}.")
        say_peace(out, record)
    elif not standing.made and phase is not Phase.PLANNED:
        say(out, "Nothing was changed, so there is nothing to undo.")
    elif told := no_way_back(record):
        say(out, told)
    elif standing.lost:
        say(out, "There is nothing to put back.")
    elif standing.made and standing.differences:
        say(out, f"An undo is refused while that is so: {by_hand(record)}.")
    elif standing.made:
        say(out, ("Undo it with:" if not standing.undone else "Note that with:", "bold"))
        say(out, f"  {command('undo', str(record))}")
    elif not standing.fault:
        say(out, "The next delivery of the alert goes on from here.")


def _say_waiting(out: Console, record: Remediation, command: Callable[..., str]) -> None:
    """Print how to answer a plan that waits for a person, and how long that can be done."""
    if record.approval:
        say(out, f"It is {answered(record.approval)} already: a service that runs acts on it within seconds.")
        return
    since = waits_since(record)
    when = f" since {_written(since)}" if since else ""
    say(out, f"It waits for a person{when}; the service lets it expire after --approve-within, 1h unless set.")
    say(out, ("Answer it with one of:", "bold"))
    for word in ("approve", "reject"):
        say(out, f"  {command(word, str(record))}")


def _say_exposed(out: Console, standing: Standing, command: Callable[..., str]) -> None:
    """Print that the suspect still has what nobody took, and how to take that by hand."""
    intent = standing.record.intent
    if not standing.exposed:
        return
    say(out, (f"{intent.suspect} still gets its traffic. Take it away now, by hand, with:", "bold"))
    target = f"{intent.target.ref.namespace}/{intent.target.ref.name}"
    version = intent.suspect.version
    if Action.REVERT_TO_STABLE in standing.exposed:
        say(out, f"  {command('rollback', target, '--suspect', version or short(intent.suspect.host))}")
    if Action.REMOVE_MIRRORS in standing.exposed:
        say(out, f"  {command('stop-mirror', target, *(('--suspect', version) if version else ()))}")


def say_later(out: Console, name: str, then: str = "undo that first") -> None:
    """Print that another remediation changed the object after this one; empty: none did."""
    if name:
        say(out, "A later remediation, ", (name, "bold"), f", changed this object; {then}.")


def say_peace(out: Console, record: Remediation) -> None:
    """Print which alerts an undo holds off: those that began before it was asked for."""
    undo = record.status.undo
    if undo:
        suspects = ", ".join(sorted(map(str, record.intent.suspects)))
        began = f"Alerts that began before {_written(undo.requested_at)}"
        say(out, f"{began} will not touch {suspects} here; a new firing will.")


def by_hand(record: Remediation) -> str:
    """What to do where an undo is refused."""
    advice = "put the traffic by hand where you want it"
    if record.intent.request or record.status.resolved:
        return advice
    return f"{advice}, and silence the alert first, or its next delivery takes it away again"


def say_differences(out: Console, differences: Iterable[Difference]) -> None:
    """Print what is no longer as a remediation left it, a line each."""
    for difference in differences:
        say(out, "  ", (str(difference), "yellow"))


def asked(request: Request) -> str:
    """Who asked for something, and why."""
    return request.by + (f": {request.reason}" if request.reason else "")


def answered(approval: Approval) -> str:
    """What a person said to a plan, and why: `approved by ann: seen in the traces`."""
    by = f" by {approval.by}" if approval.by else " by somebody who is not named"
    reason = f": {approval.reason}" if approval.reason else ""
    return f"{'approved' if approval.approved else 'rejected'}{by}{reason}"


def waits_since(record: Remediation) -> datetime | None:
    """Since when a plan waits for a person; None: it does not, or nobody knows."""
    status = record.status
    return (status.asked_at or status.judged_at) if status.phase is Phase.AWAITING_APPROVAL else None


def _between(start: datetime, end: datetime) -> str:
    return _rounded((end - start).total_seconds())


def _rounded(seconds: float) -> str:
    """Whole seconds, and shorter times exactly: `46s`, `180ms`."""
    return format_duration(timedelta(seconds=round(seconds) if seconds >= 1 else max(0.0, seconds)))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
