"""Which cases of a work a record speaks for: those that it answers, and those that a person has overruled."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from remediator.pipeline.drafting import granted, key_of
from remediator.pipeline.guarding import Exempt
from remediator.pipeline.preparation import Case, Work
from remediator.pipeline.settling import settle
from remediator.policies.model import Mode
from remediator.records.journal import Journal, overrules
from remediator.records.ledger import Firing
from remediator.records.model import Phase, Remediation


def firing_of(case: Case) -> Firing:
    """What tells this firing of the case's alert from others."""
    return case.alert.fingerprint, case.alert.starts_at


def answered(work: Work, record: Remediation) -> tuple[Case, ...]:
    """The cases that take part, and that `record` speaks for: its own alerts, and after its undo all that it
    overrules."""
    return tuple(
        case
        for case in granted(work)
        if firing_of(case) in record.intent.firings
        or (case.request is None and overrules(record, case.demand.suspect, firing_of(case)))
    )


def overruled(work: Work, journal: Journal) -> list[tuple[Remediation, list[Case]]]:
    """The cases that a person has overruled by an undo, by the index; what another person asks for stays."""
    found: dict[str, tuple[Remediation, list[Case]]] = {}
    for case in granted(work):
        uid = work.snapshot.routing.uid
        undone = None if case.request else journal.taken_back(uid, case.demand.suspect, firing_of(case))
        if undone is not None:
            found.setdefault(undone.name, (undone, []))[1].append(case)
    return list(found.values())


def latest(work: Work, journal: Journal, case: Case) -> Remediation | None:
    """The latest record that is named for this case, by the index."""
    key = key_of(work, case)
    turn = journal.latest_turn(key)
    return journal.ledger.get(work.ref.namespace, key.name(turn)) if turn else None


def agreed(record: Remediation, now: datetime, patience: timedelta) -> bool:
    """Whether a person's yes to this record counts: it does until it is carried out, and as long as the plan would have
    waited for it."""
    since, phase = record.status.asked_at or record.created_at, record.status.phase
    is_open = phase in (Phase.AWAITING_APPROVAL, Phase.PLANNED, Phase.FAILED)
    return is_open and record.approved and since is not None and now < since + patience


def exempt(work: Work, journal: Journal, patience: timedelta) -> Exempt:
    """The cases of which a person has been asked: those that wait for the answer, and those that have got a yes."""
    waiting, approved = set(), set()
    for case in granted(work) if work.mode is not Mode.OBSERVE else ():
        records = _speaking(work, journal, case)
        if any(agreed(record, journal.now(), patience) for record in records):
            approved.add(case.number)
        elif work.mode is Mode.APPROVE and any(record.waits for record in records):
            waiting.add(case.number)
    return Exempt(frozenset(waiting), frozenset(approved))


def rejected(work: Work, journal: Journal) -> list[tuple[Remediation, list[Case]]]:
    """The cases to which a person has said no."""
    found: list[tuple[Remediation, list[Case]]] = []
    for case in granted(work):
        records = () if case.request else _speaking(work, journal, case)
        no = next((record for record in records if record.status.phase is Phase.REJECTED or record.refused), None)
        if no is not None:
            found.append((no, [case]))
    return found


def _speaking(work: Work, journal: Journal, case: Case) -> tuple[Remediation, ...]:
    """The records of this firing on this object, as their first alert or beside it, by the index."""
    uid = work.snapshot.routing.uid
    return tuple(each for each in journal.answering(*firing_of(case)) if each.intent.target.uid == uid)


def rejection(record: Remediation) -> str:
    """That a person's no stands, in words."""
    signature = record.approval.signature if record.approval else ""
    return f"{record.name} was rejected{signature}. An alert that fires anew is asked about again"


def settle_others(work: Work, journal: Journal, cases: Iterable[Case], record: Remediation) -> None:
    """End what was begun for overruled cases under other names than `record`'s, which nobody will take up any more.

    Raises:
        ClusterError: one could not be found or settled.
    """
    for case in cases:
        for other in journal.answering(*firing_of(case)):
            if other.unproven and other.name != record.name and other.intent.target.uid == work.snapshot.routing.uid:
                settle(journal, other, work.snapshot)


def overruling(record: Remediation) -> str:
    """That a person's undo stands, in words."""
    undo = record.status.undo
    by = f" by {undo.request.by} at {undo.requested_at.isoformat(timespec='seconds')}" if undo else ""
    return (
        f"{record.name} was undone{by}, after this alert began to fire; the person's decision stands. "
        "An alert that fires anew is acted on again"
    )
