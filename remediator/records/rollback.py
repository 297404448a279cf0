"""What Flagger is told to roll back: the record's `spec.rollback`, as a value and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

Trial = tuple[str, str, str]
"""Namespace and name of a Canary, and the checksum of what it has on trial."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """One revision of one Canary, in the namespace of the record. Written once: the next revision is another one."""

    canary: str
    checksum: str
    """As Flagger makes it (owners/checksum.py)."""
    within: timedelta
    """How long Flagger has to ask for it."""

    def of(self, namespace: str) -> Trial:
        """What tells it from every other revision."""
        return namespace, self.canary, self.checksum


def rollback_json(rollback: Rollback) -> dict[str, Any]:
    """As the CRD has it."""
    within = round(rollback.within.total_seconds())
    return {"canary": rollback.canary, "checksum": rollback.checksum, "withinSeconds": within}


def parse_rollback(found: Mapping[str, Any]) -> Rollback:
    """Raises KeyError, TypeError, ValueError, OverflowError."""
    canary, checksum = found["canary"], found["checksum"]
    if not isinstance(canary, str) or not isinstance(checksum, str):
        raise TypeError("rollback: canary and checksum are texts")
    return Rollback(canary, checksum, timedelta(seconds=int(found["withinSeconds"])))
