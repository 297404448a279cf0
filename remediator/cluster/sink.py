"""Records as the API server stores them: read, and taken from a watch into the archive."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from remediator.cluster import answers
from remediator.cluster.archive import Archive
from remediator.records.model import KIND, Remediation
from remediator.records.wire import RecordError, parse

_log = logging.getLogger(__name__)


class RecordSink:
    """Takes what a watch brings into the archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._refused: set[tuple[str, str]] = set()

    def put(self, body: Mapping[str, Any], *, listed: bool = False) -> None:
        """Add a record. One that cannot be understood is said once, and left out."""
        name = answers.name(body)
        if self._archive.told(*name, str(body["metadata"].get("resourceVersion")), listed=listed):
            return  # our own write, which is known
        try:
            record = parsed(body)
        except RecordError as error:
            self._archive.drop(*name)
            if name not in self._refused:
                _log.warning("left out of the index of records: %s", error)
            self._refused.add(name)
            return
        self._refused.discard(name)
        self._archive.put(record, listed=listed)

    def drop(self, kind: str, namespace: str, name: str) -> None:
        """Forget a record that the watch calls deleted."""
        if kind == KIND:
            self._refused.discard((namespace, name))
            self._archive.drop(namespace, name)


def parsed(body: Mapping[str, Any]) -> Remediation:
    """A record as the API server stores it. Raises RecordError."""
    record = parse(body)
    if record.created_at is None or not record.resource_version:
        raise RecordError(f"Remediation {record} has no creationTimestamp or no resourceVersion")
    return record
