"""The JSON of a Pause, as the CRD has it (chart/crds/pauses.yaml): parse and render."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from remediator.guards.pause import Pause
from remediator.records.model import GROUP, VERSION
from remediator.records.times import micro_time, parse_time, second

KIND: Final = "Pause"
PLURAL: Final = "pauses"
RESOURCE: Final = f"{PLURAL}.{GROUP}"
"""As an RBAC rule names it."""
FLEET: Final = "fleet"
"""The name of the one that `remediator pause` writes. Those of other names count as much."""

_API_VERSION: Final = f"{GROUP}/{VERSION}"
_LONGEST_SHOWN: Final = 60
"""Characters of a value that is told as a fault."""

Json = dict[str, Any]


def render(pause: Pause) -> Json:
    """The whole object. What the server fills in is there if it is known."""
    metadata: Json = {"name": pause.name}
    if pause.since:
        metadata["creationTimestamp"] = second(pause.since)
    spec: Json = {"by": pause.by, "reason": pause.reason}
    if pause.until:
        spec["until"] = (micro_time if pause.until.microsecond else second)(pause.until)
    return {"apiVersion": _API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def parse(body: Mapping[str, Any]) -> Pause:
    """Read a Pause, whatever is in it. What cannot be read becomes its fault, with which it holds: somebody wanted the
    service to stop, and nobody knows until when."""
    metadata, spec, version = _mapping(body.get("metadata")), _mapping(body.get("spec")), body.get("apiVersion")
    until, fault = _until(spec.get("until"))
    faults = [
        "" if version == _API_VERSION else f"it is of {_shown(version)}, and this program reads {_API_VERSION}",
        "" if isinstance(body.get("spec"), Mapping) else "it has no spec",
        fault,
    ]
    return Pause(
        by=_text(spec.get("by")),
        reason=_text(spec.get("reason")),
        # Nothing depends on it, so one that cannot be read is no fault.
        since=_moment(metadata.get("creationTimestamp")),
        until=until,
        name=_text(metadata.get("name")),
        fault="; ".join(filter(None, faults)),
    )


def _until(found: Any) -> tuple[datetime | None, str]:
    """Until when, and what is wrong with that."""
    if found is None:
        return None, ""
    until = _moment(found)
    return until, "" if until else f"spec.until is {_shown(found)}, and no time with its zone"


def _moment(found: Any) -> datetime | None:
    """None: not there, or no time."""
    try:
        return parse_time(found)
    except (ValueError, OverflowError):
        return None


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _text(found: Any) -> str:
    return "" if found is None else str(found)


def _shown(found: Any) -> str:
    text = repr(found)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
