"""Logs: one line of JSON each, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
import math
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator import logs
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef

HOSTILE = 'v2\n{"level":"info","message":"forged"}\r\x1b[2J\x1b]0;owned\x07\u2028\x85'
"""Ends the line, forges another, clears the screen and renames the terminal."""


def record(message: str, **extra: object) -> logging.LogRecord:
    """A record as a logger makes it."""
    return logging.getLogger("test").makeRecord("test", logging.INFO, "", 0, message, (), None, extra=extra)


def formatted(message: str, **extra: object) -> dict[str, Any]:
    line = logs.JsonLines().format(record(message, **extra))
    assert line.isascii()
    assert line.isprintable()
    return json.loads(line)  # type: ignore[no-any-return]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Everything that is logged, as configured for a process; taken back afterwards."""
    root = logging.getLogger()
    level, before = root.level, list(root.handlers)
    written = io.StringIO()
    logs.configure(written)
    yield written
    root.setLevel(level)
    logging.captureWarnings(False)
    for added in [each for each in root.handlers if each not in before]:
        root.removeHandler(added)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_logger_message_and_the_fields_given() -> None:
    made = record("listening", port=8080)
    made.created = 1_785_585_600.0789
    expected = {
        "time": "2026-08-01T12:00:00.078Z",
        "level": "info",
        "logger": "test",
        "message": "listening",
        "port": 8080,
    }
    assert expected == json.loads(logs.JsonLines().format(made))


def test_hostile_text_cannot_end_a_line_or_move_the_cursor() -> None:
    found = formatted(HOSTILE, label=HOSTILE, many=[HOSTILE], by_key={HOSTILE: 1})
    assert found["message"] == HOSTILE
    assert found["label"] == HOSTILE


@given(st.text(), st.recursive(st.none() | st.text() | st.floats() | st.integers() | st.binary(), st.lists))
def test_any_text_and_any_value_make_one_printable_line(message: str, value: object) -> None:
    formatted(message.replace("%", "%%"), value=value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("x" * 2_001, "x" * 2_000 + "… (1 more characters)", id="a long text is cut"),
        pytest.param(list(range(52)), [*range(50), "… 2 more"], id="a long list is cut"),
        pytest.param(math.nan, "nan", id="not a number is no JSON"),
        pytest.param(object, "<class 'object'>", id="a strange value is written as text"),
        pytest.param("\ud800", "\ud800", id="half of a surrogate pair"),
    ],
)
def test_values_are_bounded_and_always_json(value: object, shown: object) -> None:
    assert shown == formatted("", value=value)["value"]


def test_a_message_is_cut_too() -> None:
    assert len(formatted("y" * 10_000)["message"]) < 2_100


def test_a_field_cannot_take_the_place_of_the_level() -> None:
    assert formatted("", level="debug")["level"] == "info"


def test_an_exception_is_one_field_of_the_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("no\nsuch thing")
    except ValueError:
        logging.getLogger("test").exception("failed")
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert "Traceback" in line["exception"]
    assert line["exception"].endswith("ValueError: no\nsuch thing")


def test_configuring_again_does_not_write_twice(stream: io.StringIO) -> None:
    other = io.StringIO()
    logs.configure(other)
    logging.getLogger("test").info("once")
    assert [] == lines(stream)
    assert ["once"] == [line["message"] for line in lines(other)]


def test_warnings_of_libraries_are_lines_too(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old and\ndeprecated", DeprecationWarning, stacklevel=1)
    assert ["py.warnings"] == [line["logger"] for line in lines(stream)]


@pytest.mark.parametrize(
    ("ended", "reason", "level"),
    [
        pytest.param(Outcome.APPLIED, Reason.PATCHED, "info", id="applied is information"),
        pytest.param(Outcome.DENIED, Reason.NOT_SEPARABLE, "warning", id="denied is a warning: a person has to look"),
        pytest.param(Outcome.FAILED, Reason.UNAVAILABLE, "error", id="failed is an error"),
    ],
)
def test_an_outcome_is_one_line_with_all_that_is_asked_at_night(
    stream: io.StringIO, ended: Outcome, reason: Reason, level: str
) -> None:
    row = AlertOutcome(
        "f00d",
        "CanaryErrorRatioAboveStable",
        "canary",
        TargetRef("VirtualService", "shop", "reviews"),
        ended,
        reason,
        "reviews v2 gets no traffic now",
        ("http[0] reviews v2: weight 10 → 0",),
        "canary-f00d",
    )
    logs.outcome(logging.getLogger("remediator.outcome"), row, group_key='{}:{a="b"}', duration_s=0.0421)
    (line,) = lines(stream)
    del line["time"]
    expected = {
        "level": level,
        "logger": "remediator.outcome",
        "message": "reviews v2 gets no traffic now",
        "group_key": '{}:{a="b"}',
        "fingerprint": "f00d",
        "alertname": "CanaryErrorRatioAboveStable",
        "policy": "canary",
        "target": "VirtualService shop/reviews",
        "outcome": ended.value,
        "reason": reason.value,
        "changes": ["http[0] reviews v2: weight 10 → 0"],
        "remediation": "canary-f00d",
        "duration_ms": 42,
    }
    assert expected == line
