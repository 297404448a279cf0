"""Records as `list` shows them: a line each. What is searched or copied is never cut where it is piped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console

from remediator.cli.render import Line, say, visible
from remediator.records.model import Phase, Remediation

PHASE_STYLES: Final[Mapping[Phase, str]] = {
    Phase.PLANNED: "yellow",
    Phase.APPLIED: "green",
    Phase.OBSERVED: "cyan",
    Phase.AWAITING_APPROVAL: "bold yellow",
    Phase.REJECTED: "dim",
    Phase.EXPIRED: "dim",
    Phase.FAILED: "red",
    Phase.UNDONE: "blue",
}

_GAP = 2
_LEAST = 8
"""Cells that a column keeps, if it is cut at all."""

_TOLD = (Phase.FAILED, Phase.EXPIRED, Phase.REJECTED)
"""Phases that say too little without the reason."""

_Row = dict[str, str]

_FULL = ("NAMESPACE", "NAME", "PHASE", "POLICY", "TARGET", "SUSPECT", "AGE")
_NARROW = ("NAMESPACE", "NAME", "PHASE", "TARGET", "SUSPECT", "AGE")
"""A name begins with that of the policy."""
_CUT = ("SUSPECT", "TARGET", "PHASE")
"""What may be cut on a terminal, the first first; names are needed whole, to be typed."""


def age(passed: timedelta) -> str:
    """How long ago, in its largest unit of which there are two: `95s`, `3d`."""
    seconds = max(0, int(passed.total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def ago(passed: timedelta) -> str:
    """When that was: `95s ago`; `in 5s` of what a clock that is ahead has written."""
    return f"{age(passed)} ago" if passed > -timedelta(seconds=1) else f"in {age(-passed)}"


def say_table(out: Console, records: Sequence[Remediation], of: int, now: datetime) -> None:
    """Print a line for each record; on a terminal, as many columns as fit.

    Args:
        of: how many there are without the filters.
    """
    if not records:
        there = "is 1" if of == 1 else f"are {of}"
        none = f"No remediation matches --policy, --phase and --since; without them there {there}."
        say(out, none if of else "No remediations.")
        return
    rows = [_row(record, now) for record in records]
    widths = _widths(_FULL, rows)
    if out.is_terminal and _total(widths) > out.width:
        rows = [row | {"TARGET": row["TARGET"].partition("/")[2]} for row in rows]
        widths = _widths(_NARROW, rows)
        _shrink(widths, out.width)
    say(out, *_cells({title: title for title in widths}, widths, dict.fromkeys(widths, "bold")))
    for record, row in zip(records, rows, strict=True):
        say(out, *_cells(row, widths, {"PHASE": PHASE_STYLES[record.status.phase]}))


def _row(record: Remediation, now: datetime) -> _Row:
    intent = record.intent
    row = {
        "NAMESPACE": record.namespace,
        "NAME": record.name,
        "PHASE": _phase(record),
        "POLICY": intent.policy.name,
        "TARGET": f"{intent.target.ref.kind}/{intent.target.ref.name}",
        "SUSPECT": str(intent.suspect),
        "AGE": age(now - record.created_at) if record.created_at else "",
    }
    return {title: visible(text) for title, text in row.items()}


def _phase(record: Remediation) -> str:
    phase, reason, known = record.status.phase, record.status.reason, record.status.verification
    if phase is Phase.APPLIED and known and known.concluded_at and known.verdict.needs_a_person:
        return f"{phase.value} ({known.verdict.value})"
    return f"{phase.value} ({reason.value})" if reason and phase in _TOLD else phase.value


def _widths(columns: Sequence[str], rows: Sequence[_Row]) -> dict[str, int]:
    return {title: max(len(title), *(cell_len(row[title]) for row in rows)) for title in columns}


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _shrink(widths: dict[str, int], available: int) -> None:
    for title in _CUT:
        excess = _total(widths) - available
        if excess > 0:
            widths[title] = max(min(widths[title], _LEAST), widths[title] - excess)


def _cells(row: _Row, widths: Mapping[str, int], styles: Mapping[str, str]) -> Iterator[Line]:
    """The cells of a line, padded to their widths; nothing stands behind the last."""
    *columns, last = widths
    for title in columns:
        yield _fitted(row[title], widths[title]) + " " * _GAP, styles.get(title, "")
    yield row[last], styles.get(last, "")


def _fitted(text: str, width: int) -> str:
    """`text` in so many cells; if it has to be cut, in its middle, as a version stands at the end."""
    tail = text
    if cell_len(text) > width:
        while cell_len(tail) >= width - width // 2:
            tail = tail[1:]
        text = f"{set_cell_size(text, width // 2)}…{tail}"
    return set_cell_size(text, width)
