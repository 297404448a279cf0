"""One value of a notification each: what it must be, or a refusal that says where it stands and what it is instead.

A value that is not what it must be raises NotificationError. `path` is where the value stands: `alerts[3].labels`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Never

from remediator.alerts.model import Status
from remediator.errors import NotificationError

ZERO_TIME = "0001-01-01T00:00:00Z"
"""Go's zero time, as it writes it."""
MAX_COUNT = 2**64 - 1
"""Alertmanager counts what it left out in 64 bits (prometheus/alertmanager notify/webhook/webhook.go, Message)."""

# Go writes RFC 3339 with up to nine digits of a second; Python keeps six.
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


def moment(value: object, path: str) -> datetime:
    """A time, in UTC."""
    match = _RFC3339.fullmatch(text(value, path))
    try:
        if match is None:
            raise ValueError
        seconds, fraction, offset = match.groups()
        micros = (fraction or "").ljust(6, "0")[:6]
        zone = "+00:00" if offset == "Z" else offset
        return datetime.fromisoformat(f"{seconds}.{micros}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        refuse(path, "a time such as 2030-01-02T03:04:05.678Z", value)


def end(value: object, path: str) -> datetime | None:
    """A time, in UTC, or None for the zero time: Alertmanager sends it while an alert fires."""
    time = moment(value, path)
    return None if time == datetime(1, 1, 1, tzinfo=UTC) else time


def status(value: object, path: str) -> Status:
    """One of the two words."""
    if not isinstance(value, str) or value not in tuple(Status):
        refuse(path, '"firing" or "resolved"', value)
    return Status(value)


def count(value: object, path: str) -> int:
    """How many: 0 to MAX_COUNT."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        refuse(path, "a whole number, 0 or more", value)
    if value > MAX_COUNT:
        refuse(path, f"at most {MAX_COUNT}", value)
    return value


def text(value: object, path: str) -> str:
    """A string; half of a surrogate pair, which JSON can say and UTF-8 cannot, becomes U+FFFD, as in Go."""
    if not isinstance(value, str):
        refuse(path, "a string", value)
    return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def texts(value: object, path: str) -> Mapping[str, str]:
    """An object of strings, which cannot be changed."""
    items = mapping(value, path)
    if all(type(item) is str and item.isascii() and name.isascii() for name, item in items.items()):
        return MappingProxyType(dict(items))  # what nearly all are
    return MappingProxyType({text(name, path): text(item, below(path, name)) for name, item in items.items()})


def mapping(value: object, path: str) -> Mapping[str, Any]:
    """An object."""
    if not isinstance(value, Mapping):
        refuse(path, "an object", value)
    return value


def required(value: Mapping[str, Any], key: str, path: str) -> Any:
    """What stands under `key`."""
    if key not in value:
        raise NotificationError(f"{below(path, key)}: missing")
    return value[key]


def below(path: str, key: str) -> str:
    """Where a key stands, safe to print whatever it holds."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]{0,79}", key):
        return f"{path}.{key}" if path else key
    return f"{path}[{shown(key)}]"


def refuse(path: str, expected: str, found: object) -> Never:
    """Raise the refusal of a value."""
    raise NotificationError((f"{path}: " if path else "") + f"expected {expected}, found {_found(found)}")


def _found(value: object) -> str:
    if isinstance(value, str):
        return f"the string {shown(value)}"
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}")


def shown(text: str) -> str:
    """A text in quotes, control characters escaped, cut if long."""
    return json.dumps(text if len(text) <= 80 else text[:80] + "…")
