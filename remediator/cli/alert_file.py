"""The alerts that --alert names: as Alertmanager posts or lists them, or as a person writes one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from remediator.alerts import Alert, decode, parse_alerts
from remediator.cluster.manifests import documents
from remediator.errors import InputError, NotificationError, Unavailable

STDIN = "-"

_MUTED_BY = {"silencedBy": "silenced by", "inhibitedBy": "inhibited by", "mutedBy": "muted by"}
"""Who suppresses an alert, by keys of its status in Alertmanager's API v2 (prometheus/alertmanager
api/v2/openapi.yaml, alertStatus); the last is of newer versions."""


@dataclass(frozen=True, slots=True)
class GivenAlert:
    """One alert, and what its file says beside it."""

    alert: Alert
    muted: str
    """Why Alertmanager would not deliver it: `silenced by 8e2c…`. Empty: nothing says that it would not."""


def read_alerts(name: str, stdin: str) -> tuple[GivenAlert, ...]:
    """Read one alert or more.

    Args:
        name: a file; `-` is standard input.
        stdin: what stands there.

    Raises:
        InputError: it cannot be read, is none of the forms, or holds no alert.
    """
    text = stdin if name == STDIN else _text(name)
    try:
        payload = _payload(text)
        entries = tuple(_entries(payload))
        _refuse_unquoted(entries)
        alerts = parse_alerts(payload, now=datetime.now(UTC))
    except NotificationError as error:
        raise NotificationError(f"--alert {name}: {error}") from error
    if not alerts:
        raise InputError(f"--alert {name}: holds no alert; `amtool alert query -o json` writes those that fire")
    return tuple(GivenAlert(alert, _muted(entry)) for alert, (_, entry) in zip(alerts, entries, strict=True))


def _text(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"--alert {name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--alert {name}: not UTF-8") from error


def _payload(text: str) -> object:
    if text.lstrip().startswith(("{", "[")):
        return decode(text.encode("utf-8"))
    try:
        found = [document.data for document in documents(text, "YAML") if document.data is not None]
    except Unavailable as error:
        raise NotificationError(f"neither JSON nor {error}") from error
    if len(found) != 1:
        raise NotificationError(f"expected one document, found {len(found)}; write several alerts as a list")
    return found[0]


def _entries(payload: object) -> Iterator[tuple[str, object]]:
    """Where each alert stands, and what stands there: in the order of parse_alerts, which checks it."""
    if isinstance(payload, Mapping) and isinstance(payload.get("alerts"), list):
        yield from ((f"alerts[{number}].", entry) for number, entry in enumerate(payload["alerts"]))
    elif isinstance(payload, list):
        yield from ((f"[{number}].", entry) for number, entry in enumerate(payload))
    else:
        yield "", payload


def _refuse_unquoted(entries: tuple[tuple[str, object], ...]) -> None:
    """Who writes `destination_version: 2` in YAML means text, and may not know that it is a number there."""
    for where, entry in entries:
        for field in ("labels", "annotations"):
            texts = entry.get(field) if isinstance(entry, Mapping) else None
            for key, value in texts.items() if isinstance(texts, Mapping) else ():
                for part in (key, value):
                    if isinstance(part, bool | int | float):
                        kind = "a boolean" if isinstance(part, bool) else "a number"
                        place = f"{where}{field}[{json.dumps(str(key))}]"
                        raise NotificationError(f"{place}: expected a string, found {kind}; quote it")


def _muted(entry: object) -> str:
    status = entry.get("status") if isinstance(entry, Mapping) else None
    if not isinstance(status, Mapping) or status.get("state") != "suppressed":
        return ""
    by = ((words, status.get(key)) for key, words in _MUTED_BY.items())
    return ", ".join(f"{words} {', '.join(map(str, who))}" for words, who in by if isinstance(who, list) and who) or (
        "suppressed"
    )
