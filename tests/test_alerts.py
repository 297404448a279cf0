"""Alertmanager's notification: what is taken, what is refused, and with which words."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.alerts import (
    Alert,
    Notification,
    Status,
    decode,
    fingerprint_of,
    parse_alerts,
    parse_notification,
)
from remediator.errors import NotificationError
from tests import builders

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
LABELS = {"alertname": "CanaryHardDown", "severity": "critical"}
Json = dict[str, Any]


def alert(**more: Any) -> Json:
    return builders.alert(LABELS, fingerprint="0123456789abcdef") | more


def notification(*alerts: Any, **more: Any) -> Json:
    return builders.notification(alerts) | more


def without(payload: Json, key: str) -> Json:
    return {name: value for name, value in payload.items() if name != key}


def refusal(payload: object) -> str:
    with pytest.raises(NotificationError) as error:
        parse_notification(payload)
    return str(error.value)


def test_reads_every_field() -> None:
    payload = notification(
        alert(startsAt="2030-01-02T04:04:05.123456789+01:00", annotations={"summary": "ill"}),
        alert(status="resolved", endsAt="2030-01-02T03:05:05Z"),
        groupKey='{}/{team="a"}:{}',
        receiver=r"shop/canaries/team\.x \(eu\)",
        truncatedAlerts=3,
        notification_reason="new alerts added",
        routeLabels={"severity": "critical"},
        later={"versions": ["may add", 1]},
    )
    firing, resolved = parse_notification(payload).alerts
    assert Notification(
        group_key='{}/{team="a"}:{}',
        receiver="shop/canaries/team.x (eu)",
        status=Status.FIRING,
        alerts=(firing, resolved),
        truncated_alerts=3,
        reason="new alerts added",
    ) == parse_notification(payload)
    assert (
        Alert(
            status=Status.FIRING,
            labels=LABELS,
            annotations={"summary": "ill"},
            starts_at=datetime(2030, 1, 2, 3, 4, 5, 123456, tzinfo=UTC),
            ends_at=None,
            generator_url="http://prometheus/graph",
            fingerprint="0123456789abcdef",
        )
        == firing
    )
    assert (Status.RESOLVED, NOW + timedelta(minutes=1)) == (resolved.status, resolved.ends_at)
    assert ("CanaryHardDown", UTC) == (firing.name, firing.starts_at.tzinfo)


def test_labels_cannot_be_changed() -> None:
    (parsed,) = parse_notification(notification(alert())).alerts
    with pytest.raises(TypeError):
        parsed.labels["severity"] = "none"  # type: ignore[index]


def test_an_alert_without_a_name_has_an_empty_one() -> None:
    (parsed,) = parse_notification(notification(alert(labels={}))).alerts
    assert "" == parsed.name


def test_the_largest_count_is_alertmanagers() -> None:
    assert 2**64 - 1 == parse_notification(notification(truncatedAlerts=2**64 - 1)).truncated_alerts


def test_a_notification_without_alerts_is_one() -> None:
    assert () == parse_notification(notification()).alerts


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    payload = decode(json.dumps(notification(alert(labels={"a\ud800": "\udfff!"}))).encode())
    (parsed,) = parse_notification(payload).alerts
    assert {"a\ufffd": "\ufffd!"} == parsed.labels
    assert parsed.fingerprint.encode()


@pytest.mark.parametrize(
    ("expected", "labels"),
    [
        pytest.param(
            "ece1c98cdc6bd2e6",
            LABELS | {"destination_service": "reviews.shop.svc.cluster.local", "destination_version": "v2"},
            id="as Alertmanager 0.25 answered for a canary alert",
        ),
        pytest.param(
            "34071db4ca07770f",
            {"alertname": "Ünïcode", "a": "b\nc", "Z": "1"},
            id="as Alertmanager 0.25 answered for labels beyond ASCII",
        ),
        pytest.param("cbf29ce484222325", {}, id="no labels: the offset basis of FNV-1a"),
    ],
)
def test_a_missing_fingerprint_is_alertmanagers(expected: str, labels: dict[str, str]) -> None:
    for payload in (alert(labels=labels, fingerprint=""), without(alert(labels=labels), "fingerprint")):
        (parsed,) = parse_notification(notification(payload)).alerts
        assert expected == parsed.fingerprint


@pytest.mark.parametrize(
    ("expected", "payload"),
    [
        pytest.param("expected an object, found a list", [], id="a list"),
        pytest.param("expected an object, found null", None, id="null"),
        pytest.param("version: missing", {}, id="an empty object"),
        pytest.param('version: expected "4", found the string "3"', notification(version="3"), id="another version"),
        pytest.param('version: expected "4", found a number', notification(version=4), id="a number as version"),
        pytest.param("alerts: missing", without(notification(), "alerts"), id="no alerts"),
        pytest.param("alerts: expected a list, found null", notification(alerts=None), id="null for alerts"),
        pytest.param(
            'status: expected "firing" or "resolved", found the string "ok"', notification(status="ok"), id="status"
        ),
        pytest.param("groupKey: expected a string, found a number", notification(groupKey=1), id="group key"),
        pytest.param("receiver: expected a string, found null", notification(receiver=None), id="receiver"),
        pytest.param(
            "truncatedAlerts: expected a whole number, 0 or more, found a number",
            notification(truncatedAlerts=-1),
            id="a negative count",
        ),
        pytest.param(
            "truncatedAlerts: expected a whole number, 0 or more, found a boolean",
            notification(truncatedAlerts=True),
            id="a boolean count",
        ),
        pytest.param(
            "truncatedAlerts: expected at most 18446744073709551615, found a number",
            notification(truncatedAlerts=10**400),
            id="a count beyond 64 bits",
        ),
        pytest.param(
            "notification_reason: expected a string, found a list", notification(notification_reason=[]), id="reason"
        ),
        pytest.param("alerts[1]: expected an object, found a number", notification(alert(), 5), id="a number as alert"),
        pytest.param(
            "alerts[0].labels.severity: expected a string, found a number",
            notification(alert(labels={"severity": 1})),
            id="a number as a label's value",
        ),
        pytest.param(
            'alerts[0].labels["\\u001b[31m"]: expected a string, found null',
            notification(alert(labels={"\x1b[31m": None})),
            id="a label whose name would colour a terminal",
        ),
        pytest.param("alerts[0].labels: missing", notification(without(alert(), "labels")), id="no labels"),
        pytest.param("alerts[0].status: missing", notification(without(alert(), "status")), id="no status"),
        pytest.param("alerts[0].startsAt: missing", notification(without(alert(), "startsAt")), id="no start"),
        pytest.param(
            "alerts[0].annotations: expected an object, found a list",
            notification(alert(annotations=[])),
            id="annotations",
        ),
        pytest.param(
            "alerts[0].fingerprint: expected a string, found a boolean",
            notification(alert(fingerprint=False)),
            id="fingerprint",
        ),
        pytest.param(
            'alerts[0].startsAt: expected a time such as 2030-01-02T03:04:05.678Z, found the string "yesterday"',
            notification(alert(startsAt="yesterday")),
            id="a word as time",
        ),
        pytest.param(
            "alerts[0].endsAt: expected a string, found a number", notification(alert(endsAt=1)), id="a number as time"
        ),
    ],
)
def test_says_what_is_wrong_and_where(expected: str, payload: object) -> None:
    assert expected == refusal(payload)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2030-01-02", id="a date alone"),
        pytest.param("2030-01-02T03:04:05", id="no zone"),
        pytest.param("2030-13-02T03:04:05Z", id="a thirteenth month"),
        pytest.param("2030-01-02 03:04:05Z", id="a space for the T"),
        pytest.param("2030-01-02T03:04:05.1234567890Z", id="ten digits of a second"),
        pytest.param("0001-01-01T00:00:00+01:00", id="before the first year"),
        pytest.param("٢٠٣٠-01-02T03:04:05Z", id="digits of another script"),
        pytest.param("2030-01-02T03:04:05Z\n", id="a line feed at the end"),
    ],
)
def test_refuses_times_that_are_not_rfc3339(text: str) -> None:
    assert "alerts[0].startsAt: expected a time" in refusal(notification(alert(startsAt=text)))


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(notification(alert(status="x" * 1_000_000)), id="a long value"),
        pytest.param(notification(alert(labels={"x" * 1_000_000: 1})), id="a long name"),
        pytest.param(notification(alert(labels={"\n\x00\u202e": 1})), id="control characters in a name"),
        pytest.param(notification(version="\n\x1b]0;title\x07"), id="control characters in a value"),
    ],
)
def test_the_text_of_a_refusal_is_short_and_printable(payload: object) -> None:
    text = refusal(payload)
    assert len(text) < 250
    assert text.isprintable()
    assert text.isascii()


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        pytest.param("the body is empty, expected JSON", b" \n", id="white space"),
        pytest.param("the body is not UTF-8 at byte 1", b'"\xff"', id="bytes that are not UTF-8"),
        pytest.param("the body is not UTF-8 at byte 0", '{"a": 1}'.encode("utf-16"), id="UTF-16"),
        pytest.param("the body is not JSON: Expecting value, line 1, column 1", b"alerts", id="a word"),
        pytest.param("the body is not JSON: Extra data, line 1, column 3", b"{}{}", id="two values"),
        pytest.param('the key "a" stands twice in one object', b'{"b": {"a": 1, "a": 1}}', id="a key twice"),
        pytest.param("NaN is not JSON", b'{"a": NaN}', id="NaN"),
        pytest.param("-Infinity is not JSON", b"[-Infinity]", id="minus infinity"),
        pytest.param('the number "1e999" is too large', b"1e999", id="a number beyond a float"),
        pytest.param("a number in the body is too large", b"1" * 5000, id="thousands of digits"),
        pytest.param(
            "the body nests deeper than 100 objects and lists", b"[" * 102 + b"]" * 102, id="a little too deep"
        ),
        pytest.param("the body nests deeper than 100 objects and lists", b'{"a":' * 100_000, id="far too deep"),
    ],
)
def test_decodes_strictly(expected: str, body: bytes) -> None:
    with pytest.raises(NotificationError) as error:
        decode(body)
    assert str(error.value).startswith(expected)
    assert len(str(error.value)) < 250


def test_decodes_json() -> None:
    assert {"a": [1, 2.5, "ü", None, True]} == decode('{"a": [1, 2.5, "ü", null, true]}'.encode())
    assert decode(b"[" * 100 + b"]" * 100)


def test_many_labels_are_read_once_each() -> None:
    labels = {f"label_{number}": str(number) for number in range(200_000)}
    (parsed,) = parse_notification(notification(alert(labels=labels))).alerts
    assert labels == parsed.labels


class TestParseAlerts:
    """What a person has at hand on the command line."""

    def test_a_notification(self) -> None:
        payload = notification(alert(), alert(status="resolved"))
        assert parse_notification(payload).alerts == parse_alerts(payload, now=NOW)

    def test_one_alert_with_nothing_but_labels(self) -> None:
        (parsed,) = parse_alerts({"labels": LABELS}, now=NOW)
        assert (Status.FIRING, NOW, None) == (parsed.status, parsed.starts_at, parsed.ends_at)
        assert fingerprint_of(LABELS) == parsed.fingerprint

    @pytest.mark.parametrize("state", ["active", "suppressed", "unprocessed"])
    def test_a_list_of_the_api_v2(self, state: str) -> None:
        status = {"inhibitedBy": [], "silencedBy": [], "state": state}
        item = alert(status=status, updatedAt="2030-01-02T03:04:05Z", receivers=[{"name": "remediator"}])
        (parsed,) = parse_alerts([item], now=NOW)
        assert Status.FIRING is parsed.status

    @pytest.mark.parametrize(
        ("expected", "payload"),
        [
            pytest.param("expected a notification, a list of alerts, or an alert with labels", "x", id="a string"),
            pytest.param("expected a notification, a list of alerts, or an alert with labels", {}, id="no labels"),
            pytest.param("[1].labels.a: expected a string", [{"labels": {}}, {"labels": {"a": 1}}], id="in a list"),
            pytest.param("labels.a: expected a string", {"labels": {"a": 1}}, id="in one alert"),
            pytest.param("[0].status.state: missing", [{"labels": {}, "status": {}}], id="a status without a state"),
            pytest.param(
                '[0].status: expected "firing" or "resolved"',
                [{"labels": {}, "status": {"state": "odd"}}],
                id="an unknown state",
            ),
        ],
    )
    def test_refuses(self, expected: str, payload: object) -> None:
        with pytest.raises(NotificationError) as error:
            parse_alerts(payload, now=NOW)
        assert str(error.value).startswith(expected)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
nearly = st.builds(
    lambda top, item, alerts: notification(*alerts, alert(**item), **top),
    st.dictionaries(
        st.sampled_from(sorted([*notification(), "notification_reason", "routeLabels"])), anything, max_size=2
    ),
    st.dictionaries(st.sampled_from(sorted(alert())), anything, max_size=2),
    st.lists(anything, max_size=1),
)


@given(anything | nearly)
def test_any_json_is_a_notification_or_refused(payload: object) -> None:
    try:
        parsed: object = parse_notification(payload)
    except NotificationError as error:
        parsed = str(error)
        assert 0 < len(parsed) < 300
    else:
        assert isinstance(parsed, Notification)


@given(anything | nearly | st.lists(nearly | anything, max_size=2))
def test_any_json_is_alerts_or_refused(payload: object) -> None:
    try:
        alerts = parse_alerts(payload, now=NOW)
    except NotificationError:
        return
    assert all(len(item.fingerprint) > 0 for item in alerts)


@given(st.binary(max_size=40) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        value = decode(body)
    except NotificationError:
        return
    assert value == json.loads(body)
