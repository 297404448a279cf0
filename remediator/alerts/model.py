"""An alert and a notification as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

HEARTBEAT = "Heartbeat"
"""The label `remediation` of the alert that always fires: it asks for nothing, and shows that the way to us is open."""


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

    @property
    def heartbeat(self) -> bool:
        """Whether it is the watchdog, firing."""
        return self.status is Status.FIRING and self.labels.get("remediation") == HEARTBEAT


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
