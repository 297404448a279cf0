"""Logs as JSON lines: one object a line, ASCII only, so that no value can forge a line or move a terminal's cursor.

Tokens are never given to a logger; nothing here looks for them.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from remediator.outcome import AlertOutcome, Outcome

MOST_CHARACTERS = 2_000
"""A longer text is cut, and says by how much."""
_MOST_ELEMENTS = 50
_DEEPEST = 4

_RESERVED = frozenset(
    (*vars(logging.LogRecord("", 0, "", 0, "", None, None)), "message", "asctime", "taskName", "color_message")
)
"""What `logging` itself keeps in a record; all else was given as `extra`."""

_LEVELS = {Outcome.FAILED: logging.ERROR, Outcome.DENIED: logging.WARNING}


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, message, and the extra fields given."""

    def format(self, record: logging.LogRecord) -> str:
        """Never raises for any value given as an extra field."""
        line: dict[str, Any] = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": cut(record.getMessage()),
        }
        for key, value in vars(record).items():
            if key not in _RESERVED:
                line.setdefault(key, _plain(value))
        if record.exc_info:
            line["exception"] = _cut_middle(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True, allow_nan=False)


def configure(stream: TextIO, level: int = logging.INFO) -> None:
    """Send everything that is logged in this process to `stream` as JSON lines; Python's warnings too."""
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each.formatter, JsonLines)]:
        root.removeHandler(old)
    output = logging.StreamHandler(stream)
    output.setFormatter(JsonLines())
    root.addHandler(output)
    root.setLevel(level)
    logging.captureWarnings(True)


def outcome(
    logger: logging.Logger, row: AlertOutcome, *, group_key: str = "", duration_s: float = 0.0, asked_by: str = ""
) -> None:
    """Write the one line that says how an alert, or what a person asked for, ended for one target.

    Args:
        logger: where to write it.
        row: the outcome. Denied is a warning, Failed an error.
        group_key: Alertmanager's, to find its own log lines by.
        duration_s: seconds since the request arrived.
        asked_by: the person who asked for an undo.
    """
    fields = {
        "group_key": group_key,
        "fingerprint": row.fingerprint,
        "alertname": row.alertname,
        "policy": row.policy,
        "target": str(row.target) if row.target else None,
        "outcome": row.outcome.value,
        "reason": row.reason.value,
        "changes": row.changes,
        "remediation": row.remediation,
        "duration_ms": round(duration_s * 1000),
    } | ({"asked_by": asked_by} if asked_by else {})
    logger.log(_LEVELS.get(row.outcome, logging.INFO), "%s", row.message, extra=fields)


def cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """Shorten a long text, saying by how much.

    >>> cut("abcdef", 4)
    'abcd… (2 more characters)'
    """
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} more characters)"


def _cut_middle(text: str) -> str:
    """A traceback's end says what happened, and its start how it was reached."""
    dropped = len(text) - MOST_CHARACTERS
    half = MOST_CHARACTERS // 2
    return text if dropped <= 0 else f"{text[:half]}\n… ({dropped} more characters) …\n{text[-half:]}"


def _plain(value: object, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping) and depth < _DEEPEST:
        shown = [(cut(str(key)), _plain(each, depth + 1)) for key, each in list(value.items())[:_MOST_ELEMENTS]]
        return dict(shown) | _left_out(len(value))
    if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
        elements = [_plain(each, depth + 1) for each in list(value)[:_MOST_ELEMENTS]]
        return elements + [f"{key} {count} more" for key, count in _left_out(len(value)).items()]
    return cut(str(value))


def _left_out(length: int) -> dict[str, int]:
    return {"…": length - _MOST_ELEMENTS} if length > _MOST_ELEMENTS else {}


def rfc3339(unix_s: float) -> str:
    """Write a Unix time (s) with milliseconds, in UTC.

    >>> rfc3339(0.25)
    '1970-01-01T00:00:00.250Z'
    """
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
