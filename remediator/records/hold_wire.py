"""The JSON of a record's `status.hold`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.records.conditions import without_empty
from remediator.records.hold import Enforcement, Hold
from remediator.records.times import micro_time, parse_time

Json = dict[str, Any]


def hold_json(hold: Hold) -> Json:
    """What has become of a hold."""
    return without_empty(
        {
            "enforcements": [_enforcement_json(each) for each in hold.enforcements],
            "lostAt": hold.lost_at and micro_time(hold.lost_at),
            "lostTo": hold.lost_to,
        }
    )


def parse_hold(found: Mapping[str, Any]) -> Hold:
    """Read what has become of a hold. Raises KeyError, TypeError and ValueError."""
    return Hold(
        enforcements=tuple(_enforcement(each) for each in found.get("enforcements") or ()),
        lost_at=parse_time(found["lostAt"]) if found.get("lostAt") else None,
        lost_to=str(found.get("lostTo") or ""),
    )


def _enforcement_json(enforcement: Enforcement) -> Json:
    return without_empty(
        {
            "at": micro_time(enforcement.at),
            "writer": enforcement.writer,
            "resourceVersion": enforcement.resource_version,
            "doneAt": enforcement.done_at and micro_time(enforcement.done_at),
        }
    )


def _enforcement(found: Mapping[str, Any]) -> Enforcement:
    return Enforcement(
        at=parse_time(found["at"]),
        writer=str(found.get("writer") or ""),
        resource_version=str(found.get("resourceVersion") or ""),
        done_at=parse_time(found["doneAt"]) if found.get("doneAt") else None,
    )
