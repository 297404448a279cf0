"""The forms in which values of settings are written: each is read, or refused with what is allowed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from remediator.outcome import NoticeKind

MODES = ("Observe", "Approve", "Enforce")

_SIZE = re.compile(r"([0-9]{1,12})(KiB|MiB|GiB|)")
_SIZE_UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DURATION = re.compile(
    r"0|(?=.)(?:([0-9]{1,6})w)?(?:([0-9]{1,6})d)?"
    r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?(?:([0-9]{1,6})ms)?"
)
_HOUR_S = 3600.0
_DURATION_S = (168 * _HOUR_S, 24 * _HOUR_S, _HOUR_S, 60.0, 1.0, 0.001)
_DAY_S = 24 * _HOUR_S
_LISTEN = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many in any span of time of this length."""

    most: int
    window_s: float

    def __str__(self) -> str:
        """As it is written, in seconds: `10/600s`."""
        return f"{self.most}/{self.window_s:g}s"


def text(text: str) -> str:
    """Any text."""
    return text


def listen(text: str) -> str:
    """HOST:PORT. Raises ValueError."""
    match = _LISTEN.fullmatch(text)
    if not match or int(match[1]) > 65535:
        raise ValueError("is not HOST:PORT, such as 0.0.0.0:8080 or [::]:8080, with a port up to 65535")
    return text


def mode(text: str) -> str:
    """A mode of policies. Raises ValueError."""
    if text not in MODES:
        raise ValueError(f"is not a mode; write {', '.join(MODES[:-1])} or {MODES[-1]}")
    return text


def glob(text: str) -> str:
    """The name of a namespace, or a glob over names. Raises ValueError."""
    if not re.fullmatch(r"[a-z0-9*?\[\]!-]+", text):
        raise ValueError("is not the name of a namespace or a glob over names, such as shop-*")
    return text


def namespace(text: str) -> str:
    """The name of a namespace. Raises ValueError."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError("is not the name of a namespace, such as istio-system")
    return text


def threads(text: str) -> int:
    """How many threads. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= 1000:
        raise ValueError("is not a whole number from 1 to 1000")
    return int(text)


def size(text: str) -> int:
    """In bytes. Raises ValueError."""
    match = _SIZE.fullmatch(text)
    size = int(match[1]) * _SIZE_UNITS[match[2]] if match else 0
    if not 2**10 <= size <= 2**30:
        raise ValueError("is not a size from 1KiB to 1GiB, such as 4MiB, 512KiB or 1000000 (bytes)")
    return size


def grace(text: str) -> float:
    """In seconds, an hour at most. Raises ValueError."""
    seconds = _seconds(text)
    if seconds is None or seconds > _HOUR_S:
        raise ValueError("is not a duration up to 1h, such as 20s or 1m30s")
    return seconds


def retention(text: str) -> float:
    """In seconds; 0 keeps all. Raises ValueError."""
    seconds = _seconds(text)
    if seconds is None or 0 < seconds < _HOUR_S:
        raise ValueError("is neither a duration from 1h up, such as 30d, 2w or 1d12h, nor 0")
    return seconds


def _seconds(text: str) -> float | None:
    """A duration as Prometheus writes it, without years; None if it is none."""
    match = _DURATION.fullmatch(text)
    if not match:
        return None
    return sum(int(part or 0) * unit for part, unit in zip(match.groups(), _DURATION_S, strict=True))


def budget(text: str) -> Rate | None:
    """None: no limit. Raises ValueError."""
    if text == "off":
        return None
    count, slash, span = text.partition("/")
    seconds = _seconds(span) if slash else None
    if not re.fullmatch(r"[0-9]{1,6}", count) or not int(count) or seconds is None or not 0 < seconds <= _DAY_S:
        raise ValueError("is not N/DURATION, such as 10/10m, with N from 1 and a duration up to 1d; nor off")
    return Rate(int(count), seconds)


def age(text: str) -> float:
    """In seconds; 0 is any age. Raises ValueError."""
    seconds = _seconds(text)
    if seconds is None or 0 < seconds < 1:
        raise ValueError("is neither a duration from 1s up, such as 1h, nor 0, which is any age")
    return seconds


def wait(text: str) -> float:
    """In seconds, a minute to a week. Raises ValueError."""
    seconds = _seconds(text)
    if seconds is None or not 60 <= seconds <= 7 * _DAY_S:
        raise ValueError("is not a duration from 1m to 7d, such as 1h")
    return seconds


def known_bad(text: str) -> float:
    """In seconds; 0 as long as there is a record. Raises ValueError."""
    seconds = _seconds(text)
    if seconds is None or 0 < seconds < 60:
        raise ValueError("is neither a duration from 1m up, such as 7d, nor 0")
    return seconds


def url(text: str) -> str:
    """The base URL of a server, without credentials. Raises ValueError."""
    try:
        found = urlsplit(text)
        is_whole = found.scheme in ("http", "https") and bool(found.hostname) and found.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or found.query or found.fragment or not text.isprintable() or " " in text:
        raise ValueError("is not the URL of a server, such as http://prometheus.monitoring:9090")
    if found.username is not None:
        raise ValueError("holds a user's name: settings are logged, and are no place for credentials")
    return text


def verify_within(text: str) -> float:
    """In seconds, 30 to 1800. Raises ValueError."""
    seconds = _seconds(text)
    if seconds is None or not 30 <= seconds <= _HOUR_S / 2:
        raise ValueError("is not a duration from 30s to 30m, such as 2m")
    return seconds


def notice(text: str) -> NoticeKind:
    """A kind of notice. Raises ValueError."""
    if text not in tuple(NoticeKind):
        raise ValueError(f"is no kind of notice; the kinds are {', '.join(NoticeKind)}")
    return NoticeKind(text)


def switch(text: str) -> bool:
    """Raises ValueError."""
    if text not in ("true", "false"):
        raise ValueError("is neither true nor false")
    return text == "true"
