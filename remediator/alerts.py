"""Alertmanager's notification, parsed into frozen values. Pure: bytes and values in, values out.

The payload is that of webhook version "4" (prometheus/alertmanager notify/webhook/webhook.go and
template/template.go; 0.25 to 0.34). Fields that are not known are ignored, so that newer versions are understood;
known ones of the wrong type are refused, for a guess about an alert could move traffic.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Never

from remediator.errors import NotificationError

MAX_DEPTH = 100
"""Objects and lists within each other; a notification needs three."""
_TOO_DEEP = f"the body nests deeper than {MAX_DEPTH} objects and lists"


class Status(StrEnum):
    """Whether an alert fires."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a notification."""

    status: Status
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    """UTC."""
    ends_at: datetime | None
    """UTC; None while nobody knows."""
    generator_url: str
    fingerprint: str
    """Hash of the labels, 16 hexadecimal digits: the alert's identity."""

    @property
    def name(self) -> str:
        """The label `alertname`; empty if there is none."""
        return self.labels.get("alertname", "")


@dataclass(frozen=True, slots=True)
class Notification:
    """What one webhook request says about one group of alerts."""

    group_key: str
    receiver: str
    status: Status
    """Firing if any alert of the group fires: look at each alert's own status."""
    alerts: tuple[Alert, ...]
    truncated_alerts: int
    """How many alerts Alertmanager left out for its `max_alerts`; they are not sent again."""
    reason: str | None
    """Why Alertmanager notifies; from 0.32 on."""


def decode(body: bytes) -> object:
    """Decode JSON, strictly.

    Raises:
        NotificationError: not UTF-8, not JSON, a key that stands twice, NaN or Infinity, or nested too deeply.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotificationError(f"the body is not UTF-8 at byte {error.start}") from None
    if not text.strip():
        raise NotificationError("the body is empty, expected JSON")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotificationError(f"the body is not JSON: {error.msg}, {where}") from None
    except RecursionError:
        raise NotificationError(_TOO_DEEP) from None
    except ValueError:
        # Python refuses to convert thousands of digits; no number of a notification has more than a few.
        raise NotificationError("a number in the body is too large") from None
    _check_depth(value)
    return value


def parse_notification(payload: object) -> Notification:
    """Parse the decoded JSON of a webhook request.

    Raises:
        NotificationError: what was expected, what was found, and where: `alerts[3].labels.severity: …`.
    """
    top = _object(payload, "")
    if (version := _required(top, "version", "")) != "4":
        _refuse("version", '"4"', version)
    if not isinstance(alerts := _required(top, "alerts", ""), list | tuple):
        _refuse("alerts", "a list", alerts)
    return Notification(
        group_key=_text(top.get("groupKey", ""), "groupKey"),
        receiver=_QUOTED.sub(r"\1", _text(top.get("receiver", ""), "receiver")),
        status=_status(_required(top, "status", ""), "status"),
        alerts=tuple(_alert(item, f"alerts[{index}]") for index, item in enumerate(alerts)),
        truncated_alerts=_count(top.get("truncatedAlerts", 0), "truncatedAlerts"),
        reason=_text(top["notification_reason"], "notification_reason") if "notification_reason" in top else None,
    )


def parse_alerts(payload: object, *, now: datetime) -> tuple[Alert, ...]:
    """Parse what a person has at hand: a notification, a list of alerts (of Alertmanager's API v2, say), or one alert.

    An alert needs nothing but labels here: it is taken as firing since `now` (aware) where it does not say.

    Raises:
        NotificationError: as `parse_notification`.
    """
    if isinstance(payload, list | tuple):
        items = [(f"[{index}]", item) for index, item in enumerate(payload)]
    elif isinstance(payload, Mapping) and "alerts" in payload:
        return parse_notification(payload).alerts
    elif isinstance(payload, Mapping) and "labels" in payload:
        items = [("", payload)]
    else:
        _refuse("", "a notification, a list of alerts, or an alert with labels", payload)
    return tuple(_alert(_completed(item, path, now), path) for path, item in items)


def _completed(payload: object, path: str, now: datetime) -> dict[str, object]:
    """An alert with what the webhook always says, from the forms that leave it out or say it differently."""
    alert = {"status": "firing", "startsAt": now.isoformat(), **_object(payload, path)}
    status = alert["status"]
    if isinstance(status, Mapping):
        # API v2: a suppressed alert is silenced or inhibited, and fires all the same.
        state = _text(_required(status, "state", _join(path, "status")), _join(path, "status.state"))
        alert["status"] = "firing" if state in ("active", "suppressed", "unprocessed") else state
    return alert


def _alert(payload: object, path: str) -> Alert:
    alert = _object(payload, path)
    labels = _strings(_required(alert, "labels", path), _join(path, "labels"))
    fingerprint = _text(alert.get("fingerprint", ""), _join(path, "fingerprint"))
    return Alert(
        status=_status(_required(alert, "status", path), _join(path, "status")),
        labels=labels,
        annotations=_strings(alert.get("annotations", {}), _join(path, "annotations")),
        starts_at=_time(_required(alert, "startsAt", path), _join(path, "startsAt")),
        ends_at=_end(alert.get("endsAt", _ZERO_TIME), _join(path, "endsAt")),
        generator_url=_text(alert.get("generatorURL", ""), _join(path, "generatorURL")),
        fingerprint=fingerprint or fingerprint_of(labels),
    )


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """The fingerprint that Prometheus and Alertmanager give to these labels.

    FNV-1a of 64 bits over names and values in the order of the names, a byte 0xff behind each
    (prometheus/common model/signature.go, labelSetToFingerprint).

    >>> fingerprint_of({})
    'cbf29ce484222325'
    """
    value = 0xCBF29CE484222325
    for part in (part for name in sorted(labels) for part in (name, labels[name])):
        for byte in (*part.encode(), 0xFF):
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


# Go writes RFC 3339 with up to nine digits of a second; Python keeps six.
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_ZERO_TIME = "0001-01-01T00:00:00Z"


def _time(value: object, path: str) -> datetime:
    text = _text(value, path)
    match = _RFC3339.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        seconds, fraction, offset = match.groups()
        micros = (fraction or "").ljust(6, "0")[:6]
        zone = "+00:00" if offset == "Z" else offset
        return datetime.fromisoformat(f"{seconds}.{micros}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        _refuse(path, "a time such as 2030-01-02T03:04:05.678Z", value)


def _end(value: object, path: str) -> datetime | None:
    """Alertmanager sends the zero time while an alert fires."""
    time = _time(value, path)
    return None if time == datetime(1, 1, 1, tzinfo=UTC) else time


def _status(value: object, path: str) -> Status:
    if not isinstance(value, str) or value not in tuple(Status):
        _refuse(path, '"firing" or "resolved"', value)
    return Status(value)


def _count(value: object, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        _refuse(path, "a whole number, 0 or more", value)
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        _refuse(path, "a string", value)
    # Half of a surrogate pair, which JSON can say and UTF-8 cannot, becomes U+FFFD, as in Go.
    return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _strings(value: object, path: str) -> Mapping[str, str]:
    items = _object(value, path)
    if all(type(item) is str and item.isascii() and name.isascii() for name, item in items.items()):
        return MappingProxyType(dict(items))  # what nearly all are
    return MappingProxyType({_text(name, path): _text(item, _join(path, name)) for name, item in items.items()})


def _object(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        _refuse(path, "an object", value)
    return value


def _required(value: Mapping[str, Any], key: str, path: str) -> Any:
    if key not in value:
        raise NotificationError(f"{_join(path, key)}: missing")
    return value[key]


# What Go's regexp.QuoteMeta escapes; Alertmanager quotes the receiver's name with it (template/template.go, Data).
_QUOTED = re.compile(r"\\([\\.+*?()|\[\]{}^$])")


def _join(path: str, key: str) -> str:
    """Where a key stands, safe to print whatever it holds."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]{0,79}", key):
        return f"{path}.{key}" if path else key
    return f"{path}[{_shown(key)}]"


def _refuse(path: str, expected: str, found: object) -> Never:
    raise NotificationError((f"{path}: " if path else "") + f"expected {expected}, found {_found(found)}")


def _found(value: object) -> str:
    if isinstance(value, str):
        return f"the string {_shown(value)}"
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}")


def _shown(text: str) -> str:
    """A text in quotes, control characters escaped, cut if long."""
    return json.dumps(text if len(text) <= 80 else text[:80] + "…")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = max(counts, key=counts.__getitem__)
        raise NotificationError(f"the key {_shown(twice)} stands twice in one object")
    return result


def _no_constant(word: str) -> Never:
    raise NotificationError(f"{word} is not JSON")


def _finite(text: str) -> float:
    if math.isinf(float(text)):
        raise NotificationError(f"the number {_shown(text)} is too large")
    return float(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        nested = (node.values() if isinstance(node, dict) else node for node in level if isinstance(node, dict | list))
        level = [child for children in nested for child in children if isinstance(child, dict | list)]
        if not level:
            return
    raise NotificationError(_TOO_DEEP)
