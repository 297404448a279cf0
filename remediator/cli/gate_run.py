"""The gate's answer for a command: from the records at their source, for there is no index to wait for."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from remediator.cli.lookup import opened
from remediator.cli.options import chosen
from remediator.cli.wiring import known_bad
from remediator.cluster.port import Cluster
from remediator.errors import Forbidden, InputError
from remediator.pipeline.gating import Answer
from remediator.records.gate import judge
from remediator.records.model import Remediation
from remediator.web.gate import candidate


def asked(values: dict[str, Any]) -> Answer:
    """Ask for the version that the command names.

    Args:
        values: what click gives.

    Raises:
        InputError: a name is none, the records may not be listed, or one of them is unreadable.
        SettingsError, Retriable.
    """
    namespace, service, version, image = (values.pop(name) for name in ("namespace", "service", "version", "image"))
    try:
        wanted = candidate(namespace, (service,), version, image)
    except ValueError as error:
        raise InputError(f"--{error}") from error
    patience = known_bad(chosen(dict(values)))
    values.pop("known_bad")
    with opened(values) as place:
        return Answer(wanted, judge(wanted, _records(place.cluster), datetime.now(UTC), patience))


def _records(cluster: Cluster) -> list[Remediation]:
    """Every record. One that cannot be understood may be the one that holds the version back."""
    unread = _Unread()
    log = logging.getLogger("remediator")
    log.addHandler(unread)
    try:
        records = list(cluster.ledger.listed())
    except Forbidden as error:
        advice = "a pipeline that may not list them asks the service: GET /api/v1/gate"
        raise InputError(f"{error}; records of all namespaces are asked for, and {advice}") from error
    finally:
        log.removeHandler(unread)
    if unread.messages:
        raise InputError(f"nobody knows: {'; '.join(unread.messages)}; mend or delete it")
    return records


class _Unread(logging.Handler):
    """Keeps what is warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep its message."""
        self.messages.append(record.getMessage())
