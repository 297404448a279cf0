"""Alertmanager's notification, parsed into frozen values. Pure: bytes and values in, values out.

The payload is that of webhook version "4" (prometheus/alertmanager notify/webhook/webhook.go and
template/template.go; 0.25 to 0.34). Fields that are not known are ignored, so that newer versions are understood;
known ones of the wrong type are refused, for a guess about an alert could move traffic.

    model      an alert and a notification as values
    decoding   JSON, strictly
    parsing    from decoded JSON to alerts
    values     one value each: what it must be, or where it stands and what it is instead
"""

from remediator.alerts.decoding import MAX_DEPTH, decode
from remediator.alerts.model import Alert, Notification, Status, fingerprint_of
from remediator.alerts.parsing import parse_alerts, parse_notification

__all__ = [
    "MAX_DEPTH",
    "Alert",
    "Notification",
    "Status",
    "decode",
    "fingerprint_of",
    "parse_alerts",
    "parse_notification",
]
