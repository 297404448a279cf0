"""Durations, percentages and time intervals as people write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.policies import intervals
from remediator.policies.intervals import Span, TimeRange
from remediator.policies.quantities import (
    format_duration,
    format_percentage,
    parse_duration,
    parse_percentage,
)


class TestQuantities:
    @pytest.mark.parametrize(
        ("expected", "text"),
        [
            pytest.param(timedelta(), "0", id="zero needs no unit"),
            pytest.param(timedelta(), "0s", id="zero seconds"),
            pytest.param(timedelta(minutes=10), "10m", id="minutes"),
            pytest.param(timedelta(hours=1, minutes=30), "1h30m", id="two units"),
            pytest.param(timedelta(milliseconds=500), "500ms", id="milliseconds are not minutes"),
            pytest.param(timedelta(days=365 + 7 + 1), "1y1w1d", id="years, weeks and days"),
        ],
    )
    def test_durations(self, expected: timedelta, text: str) -> None:
        assert expected == parse_duration(text)

    @pytest.mark.parametrize(
        "text", ["", "10", "m", "10 m", "-1m", "1.5h", "30m1h", "1h1h", "10m\n", "\u0661m", "999y"]
    )
    def test_what_is_no_duration(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"is not a duration; write it as|at most 292 years"):
            parse_duration(text)

    @given(st.timedeltas(timedelta(), timedelta(days=9999)))
    def test_a_duration_reads_back(self, duration: timedelta) -> None:
        whole = duration - duration % timedelta(milliseconds=1)
        assert whole == parse_duration(format_duration(duration))

    @pytest.mark.parametrize(
        ("expected", "text"),
        [
            pytest.param(0.0, "0%", id="none"),
            pytest.param(0.8, "80%", id="a part"),
            pytest.param(0.995, "99.5%", id="a fraction of a percent"),
            pytest.param(1.0, "100%", id="all"),
        ],
    )
    def test_percentages(self, expected: float, text: str) -> None:
        assert expected == parse_percentage(text)
        assert text == format_percentage(expected)

    @pytest.mark.parametrize("text", ["", "80", "0.8", "%", "-1%", "101%", "100.1%", "80 %", "80%\n", "1e1%"])
    def test_what_is_no_percentage(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a percentage"):
            parse_percentage(text)


class TestIntervals:
    @pytest.mark.parametrize(
        ("expected", "actual"),
        [
            pytest.param(TimeRange(1020, 1440), lambda: intervals.time_range(1020, 1440), id="a part of a day"),
            pytest.param(1440, lambda: intervals.parse_time("24:00"), id="the end of a day"),
            pytest.param(Span(1, 5), lambda: intervals.parse_weekdays("Monday:friday"), id="weekdays"),
            pytest.param(Span(0, 0), lambda: intervals.parse_weekdays("sunday"), id="one weekday"),
            pytest.param(Span(-3, -1), lambda: intervals.parse_days_of_month("-3:-1"), id="the last three days"),
            pytest.param(Span(28, -1), lambda: intervals.parse_days_of_month("28:-1"), id="from the 28th to the end"),
            pytest.param(Span(6, 8), lambda: intervals.parse_months("june:8"), id="months by name and number"),
            pytest.param(Span(2030, 2032), lambda: intervals.parse_years("2030:2032"), id="years"),
        ],
    )
    def test_reads(self, expected: object, actual: Any) -> None:
        assert expected == actual()

    @pytest.mark.parametrize(
        ("expected", "parse", "text"),
        [
            pytest.param("HH:MM", intervals.parse_time, "9:00", id="one digit for the hour"),
            pytest.param("HH:MM", intervals.parse_time, "24:01", id="beyond the day"),
            pytest.param("a weekday is one of", intervals.parse_weekdays, "1", id="a weekday as a number"),
            pytest.param("end is before", intervals.parse_weekdays, "friday:monday", id="weekdays over the turn"),
            pytest.param("1 to 31", intervals.parse_days_of_month, "32", id="the 32nd"),
            pytest.param("must end there too", intervals.parse_days_of_month, "-5:3", id="from the end to the start"),
            pytest.param("end is before", intervals.parse_days_of_month, "-1:-3", id="the last days backwards"),
            pytest.param("end is before", intervals.parse_days_of_month, "5:-30", id="empty in every month"),
            pytest.param("1 to 12", intervals.parse_months, "13", id="a thirteenth month"),
            pytest.param("a month is a whole number", intervals.parse_months, "juni", id="a month of another language"),
            pytest.param("a year is a whole number", intervals.parse_years, "2030-2031", id="a dash for the colon"),
        ],
    )
    def test_refuses(self, expected: str, parse: Any, text: str) -> None:
        with pytest.raises(ValueError, match=expected):
            parse(text)
