"""From decoded JSON to alerts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from remediator.alerts.model import Alert, Notification, fingerprint_of
from remediator.alerts.values import (
    ZERO_TIME,
    below,
    count,
    end,
    mapping,
    moment,
    refuse,
    required,
    status,
    text,
    texts,
)

# What Go's regexp.QuoteMeta escapes; Alertmanager quotes the receiver's name with it (template/template.go, Data).
_ESCAPED = re.compile(r"\\([\\.+*?()|\[\]{}^$])")


def parse_notification(payload: object) -> Notification:
    """Parse the decoded JSON of a webhook request.

    Raises:
        NotificationError: what was expected, what was found, and where: `alerts[3].labels.severity: …`.
    """
    top = mapping(payload, "")
    if (version := required(top, "version", "")) != "4":
        refuse("version", '"4"', version)
    if not isinstance(alerts := required(top, "alerts", ""), list | tuple):
        refuse("alerts", "a list", alerts)
    return Notification(
        group_key=text(top.get("groupKey", ""), "groupKey"),
        receiver=_ESCAPED.sub(r"\1", text(top.get("receiver", ""), "receiver")),
        status=status(required(top, "status", ""), "status"),
        alerts=tuple(_alert(item, f"alerts[{index}]") for index, item in enumerate(alerts)),
        truncated_alerts=count(top.get("truncatedAlerts", 0), "truncatedAlerts"),
        reason=text(top["notification_reason"], "notification_reason") if "notification_reason" in top else None,
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
        refuse("", "a notification, a list of alerts, or an alert with labels", payload)
    return tuple(_alert(_completed(item, path, now), path) for path, item in items)


def _completed(payload: object, path: str, now: datetime) -> dict[str, object]:
    """An alert with what the webhook always says, from the forms that leave it out or say it differently."""
    alert = {"status": "firing", "startsAt": now.isoformat(), **mapping(payload, path)}
    if isinstance(said := alert["status"], Mapping):
        # API v2: a suppressed alert is silenced or inhibited, and fires all the same.
        state = text(required(said, "state", below(path, "status")), below(path, "status.state"))
        alert["status"] = "firing" if state in ("active", "suppressed", "unprocessed") else state
    return alert


def _alert(payload: object, path: str) -> Alert:
    alert = mapping(payload, path)
    labels = texts(required(alert, "labels", path), below(path, "labels"))
    fingerprint = text(alert.get("fingerprint", ""), below(path, "fingerprint"))
    return Alert(
        status=status(required(alert, "status", path), below(path, "status")),
        labels=labels,
        annotations=texts(alert.get("annotations", {}), below(path, "annotations")),
        starts_at=moment(required(alert, "startsAt", path), below(path, "startsAt")),
        ends_at=end(alert.get("endsAt", ZERO_TIME), below(path, "endsAt")),
        generator_url=text(alert.get("generatorURL", ""), below(path, "generatorURL")),
        fingerprint=fingerprint or fingerprint_of(labels),
    )
