"""The JSON of a Pause: what is written is read again, and what cannot be read holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.guards.pause import Pause
from remediator.records.pauses import parse, render
from tests.brake_contract import KIM, NOON
from tests.builders import Json
from tests.strategies import json_values

MUCH_LATER = datetime(9999, 12, 31, tzinfo=UTC)

moments = st.datetimes(timezones=st.just(UTC))
pauses = st.builds(
    Pause,
    by=st.text(),
    reason=st.text(),
    since=st.none() | moments.map(lambda at: at.replace(microsecond=0)),
    until=st.none() | moments,
    name=st.text(min_size=1),
)


def changed(**fields: Any) -> Json:
    """A good Pause with other fields."""
    return render(replace(KIM, since=NOON)) | fields


def spec(**fields: Any) -> Json:
    return changed(spec=render(KIM)["spec"] | fields)


@given(pauses)
def test_what_is_written_is_read_again(pause: Pause) -> None:
    assert pause == parse(render(pause))


def test_what_is_written() -> None:
    expected = {
        "apiVersion": "remediator.io/v1alpha1",
        "kind": "Pause",
        "metadata": {"name": "fleet", "creationTimestamp": "2026-08-01T12:00:00Z"},
        "spec": {"by": "kim", "reason": "the network is being moved", "until": "2026-08-01T14:00:00Z"},
    }
    assert expected == render(replace(KIM, since=NOON))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param(
            spec(until="tomorrow"), "spec.until is 'tomorrow', and no time with its zone", id="an end that is no time"
        ),
        pytest.param(
            spec(until="2026-08-01T12:00:00"),
            "spec.until is '2026-08-01T12:00:00', and no time with its zone",
            id="an end without a zone",
        ),
        pytest.param(spec(until=20260801), "spec.until is 20260801, and no time with its zone", id="a number"),
        pytest.param(spec(until=""), "spec.until is '', and no time with its zone", id="an empty end"),
        pytest.param(
            spec(until="9999-12-31T23:59:59-12:00"),
            "spec.until is '9999-12-31T23:59:59-12:00', and no time with its zone",
            id="an end beyond all calendars",
        ),
        pytest.param(
            spec(until="x" * 100), f"spec.until is '{'x' * 58}…, and no time with its zone", id="a long text is cut"
        ),
        pytest.param(changed(spec=None), "it has no spec", id="no spec"),
        pytest.param(changed(spec="now"), "it has no spec", id="a spec that is text"),
        pytest.param(
            changed(apiVersion="remediator.io/v9"),
            "it is of 'remediator.io/v9', and this program reads remediator.io/v1alpha1",
            id="of a later version",
        ),
    ],
)
def test_what_cannot_be_read_is_told_and_holds_for_ever(body: Json, fault: str) -> None:
    found = parse(body)

    assert fault == found.fault
    assert found.holds(MUCH_LATER)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            spec(until=None), replace(KIM, since=NOON, until=None), id="an end of null is none: until somebody resumes"
        ),
        pytest.param(
            spec(until="2026-08-01T16:00:00+02:00"), replace(KIM, since=NOON), id="an end in another zone is the same"
        ),
        pytest.param(changed(spec={}), Pause(by="", since=NOON), id="nobody says who and why"),
        pytest.param(spec(by=7), replace(KIM, since=NOON, by="7"), id="a number is a name"),
        pytest.param(
            changed(metadata={"name": "fleet", "creationTimestamp": "at noon"}),
            KIM,
            id="a creation that cannot be read keeps no pause alive",
        ),
    ],
)
def test_what_is_strange_and_no_fault(body: Json, expected: Pause) -> None:
    assert expected == parse(body)


@given(st.dictionaries(st.sampled_from(["apiVersion", "kind", "metadata", "spec"]), json_values))
def test_whatever_it_is_it_is_read_and_holds(body: Json) -> None:
    assert parse(body).holds(MUCH_LATER)


@given(json_values)
def test_whatever_an_end_is_it_ends_then_or_never(value: Any) -> None:
    found = parse(spec(until=value))
    assert found.holds(MUCH_LATER) == (bool(found.fault) or found.until is None or MUCH_LATER < found.until)
