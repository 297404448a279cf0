"""The JSON of a verification, in a Remediation's `status`."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from remediator.records.conditions import without_empty
from remediator.records.times import micro_time, parse_time
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect
from remediator.verification.model import Errors, Figure, Side, Verification, VerificationVerdict

Json = dict[str, Any]


def verification_json(found: Verification) -> Json:
    """The `verification`."""
    return without_empty(
        {
            "verdict": found.verdict.value,
            "at": micro_time(found.at),
            "message": found.message,
            "windowSeconds": found.window_s,
            "figures": [_figure_json(each) for each in found.figures],
            "errors": [_errors_json(each) for each in found.errors],
            "unroutedAt": found.unrouted_at and micro_time(found.unrouted_at),
            "withdrawnAt": found.withdrawn_at and micro_time(found.withdrawn_at),
            "concludedAt": found.concluded_at and micro_time(found.concluded_at),
        }
    )


def parse_verification(found: Mapping[str, Any] | None) -> Verification | None:
    """Read a `verification`; None: there is none. Raises KeyError, TypeError and ValueError where it is broken."""
    # A word of a later version's is none: the record is not to be lost for it.
    if not found or found["verdict"] not in tuple(VerificationVerdict):
        return None
    return Verification(
        verdict=VerificationVerdict(found["verdict"]),
        at=parse_time(found["at"]),
        message=str(found.get("message") or ""),
        window_s=_number(found.get("windowSeconds")),
        figures=tuple(_figure(each) for each in found.get("figures") or ()),
        errors=tuple(_errors(each) for each in found.get("errors") or ()),
        unrouted_at=parse_time(found["unroutedAt"]) if found.get("unroutedAt") else None,
        withdrawn_at=parse_time(found["withdrawnAt"]) if found.get("withdrawnAt") else None,
        concluded_at=parse_time(found["concludedAt"]) if found.get("concludedAt") else None,
    )


def _figure_json(figure: Figure) -> Json:
    return without_empty(
        {
            "host": figure.suspect.host,
            "version": figure.suspect.version,
            "side": figure.side.value,
            "before": figure.before,
            "after": figure.after,
            "floor": figure.floor,
        }
    )


def _figure(found: Mapping[str, Any]) -> Figure:
    version = found.get("version")
    return Figure(
        suspect=Suspect(Host(str(found["host"])), str(version) if version else None),
        side=Side(found["side"]),
        before=_count(found["before"]),
        after=_count(found["after"]),
        floor=_count(found["floor"]),
    )


def _errors_json(errors: Errors) -> Json:
    return without_empty({"host": errors.host, "before": errors.before, "others": errors.others, "after": errors.after})


def _errors(found: Mapping[str, Any]) -> Errors:
    before, others, after = (_number(found.get(each)) for each in ("before", "others", "after"))
    return Errors(Host(str(found["host"])), before, others, after)


def _count(found: Any) -> float:
    number = _number(found)
    if number is None:
        raise ValueError("a figure of a verification is missing")
    return number


def _number(found: Any) -> float | None:
    if found is None:
        return None
    number = float(found)
    if not isfinite(number) or number < 0:
        raise ValueError(f"{number} is no figure of a verification")
    return number
