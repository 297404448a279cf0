"""A person's answer to a plan that waits for one, as `approve` and `reject` give it: written on the record; then it is
waited for the service to act on it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from remediator.cli.lookup import in_namespace, named, opened
from remediator.cli.render import STYLES, console, emit, say
from remediator.cli.requester import requester
from remediator.cluster.port import Cluster
from remediator.errors import InputError, RemediatorError
from remediator.outcome import Outcome
from remediator.pipeline.approving import Answered, write_answer
from remediator.policies.mistake import Mistake
from remediator.policies.quantities import format_duration, parse_duration
from remediator.records.journal import Journal
from remediator.records.model import Approval, Phase, Remediation
from remediator.records.offers import is_offered
from remediator.records.wire import render

_POLL_S = 0.25

_WAITING = (Phase.AWAITING_APPROVAL, Phase.PLANNED)
_STANDS = "The yes stands until the plan would have expired: the next delivery of the alert tries again."
_GOOD = (Phase.APPLIED, Phase.OBSERVED, Phase.REJECTED)


class NotCarriedOut(RemediatorError):
    """The answer stands, and what it asked for has not come."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What is shown at the end."""

    record: Remediation
    headline: str
    outcome: Outcome
    message: str
    fault: str = ""
    """Why the command ends with 1; empty: it does not."""


def answer(values: dict[str, Any], *, approved: bool) -> None:
    """Carry out the command.

    Args:
        values: what click gives it.

    Raises:
        RemediatorError: it could not be written, or came to nothing.
    """
    output, patience = values.pop("output"), _patience(values.pop("wait"))
    request = requester(values.pop("by"), values.pop("reason"))
    name, namespace = values.pop("name"), in_namespace(values.pop("namespace"))
    approval = Approval(approved, request.by, request.reason, datetime.now(UTC))
    with opened(values) as place:
        record = named(place.cluster, name, namespace)
        written = write_answer(Journal(place.cluster.ledger, lambda: datetime.now(UTC)), record, approval)
        said = _not_needed(written, approved) if isinstance(written, Answered) else None
        if said is None and isinstance(written, Remediation):
            said = _outcome(_awaited(place.cluster, written, patience), approved, patience)
    assert said is not None  # noqa: S101 - write_answer gives one or the other
    _show(said, output)
    if said.fault:
        raise NotCarriedOut(said.fault)


def _not_needed(answered: Answered, approved: bool) -> _Said:
    """The record waits for nobody: an error, unless it has ended as it was asked for."""
    record = answered.record
    wanted = (Phase.APPLIED, Phase.OBSERVED) if approved else (Phase.REJECTED,)
    fault = "" if record.status.phase in wanted else f"{record}: {answered.message}"
    return _Said(record, answered.message, answered.outcome, record.status.message, fault)


def _patience(text: str) -> timedelta:
    """Raises InputError."""
    try:
        return parse_duration(text)
    except Mistake as mistake:
        raise InputError(f"--wait: {mistake}") from mistake


def _awaited(cluster: Cluster, record: Remediation, patience: timedelta) -> Remediation:
    """The record as soon as a service has acted on the answer, or when that takes too long."""
    deadline, pause = time.monotonic() + patience.total_seconds(), threading.Event()
    while record.status.phase in _WAITING and not is_offered(record) and time.monotonic() < deadline:
        pause.wait(_POLL_S)
        record = cluster.ledger.read(record.namespace, record.name)
    return record


def _outcome(record: Remediation, approved: bool, patience: timedelta) -> _Said:
    phase, word = record.status.phase, "approved" if approved else "rejected"
    if is_offered(record):
        told = f"{record} is {word}: Flagger is told to roll back as soon as it asks"
        return _Said(record, told, Outcome.PLANNED, record.status.message)
    if phase in _WAITING:
        later = f"{record} is {word}; a service that runs acts on it within seconds"
        if not patience:
            return _Said(record, later, Outcome.AWAITING_APPROVAL, "")
        span = format_duration(patience)
        fault = f"{record} is {word}, and no service has acted on it within {span}; it does once it runs"
        return _Said(record, later, Outcome.AWAITING_APPROVAL, "", fault)
    if phase in _GOOD:
        outcome = {Phase.APPLIED: Outcome.APPLIED, Phase.OBSERVED: Outcome.OBSERVED}.get(phase, Outcome.UNCHANGED)
        return _Said(record, f"{record} is {word}: {phase}", outcome, record.status.message)
    reason = f" ({record.status.reason})" if record.status.reason else ""
    fault = f"{record} was {word}, and ended as {phase}{reason}: {record.status.message}"
    if approved and phase is Phase.FAILED:
        fault = f"{fault.rstrip('.')}. {_STANDS}"
    return _Said(record, f"{record} was {word}: {phase}{reason}", Outcome.DENIED, record.status.message, fault)


def _show(said: _Said, output: str) -> None:
    if output != "text":
        emit({"remediation": render(said.record)}, output)
        return
    if said.fault:
        return  # the error says it
    say(console(), (said.headline, STYLES[said.outcome]))
    if said.message:
        say(console(), f"  {said.message}")
