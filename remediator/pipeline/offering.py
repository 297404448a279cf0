"""What Flagger drives is not patched: Flagger asks whether to roll back, and until then the record is an offer."""

from __future__ import annotations

from dataclasses import replace

from remediator.outcome import Outcome, Reason
from remediator.pipeline.drafting import granted
from remediator.pipeline.endings import Ending
from remediator.pipeline.overruling import firing_of
from remediator.pipeline.preparation import Case, Work
from remediator.pipeline.tools import Tools
from remediator.pipeline.trials import rollback_of
from remediator.policies.model import Mode
from remediator.policies.quantities import format_duration
from remediator.records.model import Remediation
from remediator.records.offers import condemns, offered_until, trial_of
from remediator.traffic.suspect import Refusal


def offering(ending: Ending, work: Work) -> Ending:
    """The ending, of a work that Flagger carries out once it asks."""
    canary, rollback = work.canary, rollback_of(work)
    if canary is None or rollback is None:
        return ending
    told = f"Flagger is told to roll {canary} back"
    if ending.outcome is Outcome.APPLIED:
        said = f"{told} as soon as it asks, within {format_duration(rollback.within)}"
        return replace(ending, outcome=Outcome.PLANNED, reason=Reason.ROLLBACK_OFFERED, said=said)
    if ending.outcome is Outcome.OBSERVED:
        return replace(ending, said=f"mode Observe, and so not said: {told}")
    return ending


def is_at_its_driver(work: Work) -> bool:
    """Whether it has to be looked at what the driver is at before anything is done: only a Rollout itself tells, and a
    Canary may be at another revision since a person was shown this one, of which no patch would give notice."""
    return work.rollout is not None or (work.canary is not None and any(case.request for case in work.cases))


def rolled_back(work: Work, tools: Tools) -> Refusal | None:
    """Why nothing more is to be done: Flagger has been told to roll this very revision back, and is told so again."""
    bounds, now = tools.guarding.bounds, tools.journal.now()
    record = next((each for each in _of_this_trial(work, tools) if condemns(each, now, bounds.known_bad)), None)
    if record is None:
        return None
    message = f"Flagger was told by {record.name} to roll {work.canary} back, and is told so whenever it asks"
    return Refusal(Reason.ROLLED_BACK, message)


def standing(work: Work, tools: Tools) -> list[tuple[Remediation, list[Case]]]:
    """The offer that stands for the same revision, with the cases that its alerts have not brought: they need none of
    their own."""
    if work.mode is Mode.ENFORCE:
        for record in _of_this_trial(work, tools):
            until = offered_until(record)
            others = [case for case in granted(work) if _is_met(case, record)]
            if others and until is not None and tools.journal.now() < until:
                return [(record, others)]
    return []


def _is_met(case: Case, record: Remediation) -> bool:
    """Whether the offer of another's record does for a case: not an alert's for a person, for guards may keep Flagger
    from being told by that."""
    is_another = firing_of(case) not in record.intent.firings
    return is_another and (case.request is None or record.intent.request is not None)


def offered_by(record: Remediation) -> Refusal:
    """That this offer stands, in words."""
    message = f"{record.name} asks for the same: Flagger is told to roll back as soon as it asks"
    return Refusal(Reason.ROLLBACK_OFFERED, message)


def lasting(wanted: Remediation, was: Remediation) -> Remediation:
    """`wanted`, but for the revision that Flagger is to roll back: it stays the one that was written first."""
    kept = was.intent.rollback if wanted.intent.rollback else None
    return replace(wanted, intent=replace(wanted.intent, rollback=kept or wanted.intent.rollback))


def _of_this_trial(work: Work, tools: Tools) -> tuple[Remediation, ...]:
    canary, rollback = work.canary, rollback_of(work)
    if canary is None or rollback is None:
        return ()
    found = tools.journal.ledger.of_canary(canary.namespace, canary.name)
    return tuple(each for each in found if trial_of(each) == rollback.of(canary.namespace))
