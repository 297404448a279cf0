"""Which cases of a work a record speaks for: those that it answers, and those that a person's undo of it overrules."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.pipeline.drafting import granted
from remediator.pipeline.preparation import Case, Work
from remediator.pipeline.settling import settle
from remediator.records.journal import Firing, Journal, overrules
from remediator.records.model import Remediation


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
