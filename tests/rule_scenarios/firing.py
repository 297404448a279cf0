"""What may fire: an alert with exactly the labels that the catalogue promises for it."""

from __future__ import annotations

from dataclasses import dataclass

IDENTITY = (
    "alertname",
    "destination_service_name",
    "destination_service_namespace",
    "destination_version",
    "namespace",
    "severity",
    "remediation",
    "window",
)
"""The labels of every alert about a version."""

CATALOGUE = {
    "CanaryHardDown": ("critical", "RevertToStable"),
    "CanaryErrorRatioAboveStable": ("critical", "RevertToStable"),
    "CanaryUnreachable": ("critical", "RevertToStable"),
    "CanarySlowRatioAboveStable": ("warning", "RevertToStable"),
    "CanaryLatencyShift": ("warning", "None"),
    "CanaryErrorRatioHighNoBaseline": ("critical", "None"),
    "CanaryAndStableBothFailing": ("warning", "None"),
    "CanaryWithoutTraffic": ("info", "None"),
    "MirrorHardDown": ("critical", "RemoveMirrors"),
    "MirrorErrorRatioAboveStable": ("critical", "RemoveMirrors"),
    "MirrorErrorRatioHighNoBaseline": ("critical", "None"),
    "MirrorAndStableBothFailing": ("warning", "None"),
    "MirrorWithoutTraffic": ("info", "None"),
    "MirrorSlowRatioAboveStable": ("info", "None"),
    "MirrorLatencyShift": ("info", "None"),
    "StableDegradedWhileMirroring": ("critical", "RemoveMirrors"),
}
"""Severity and remediation, unless a `Firing` says otherwise."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert that fires."""

    alert: str
    window: str
    version: str = "v2"
    """The accused."""
    severity: str = ""
    """If not the usual one."""
    remediation: str = ""
    """If not the usual one."""

    def labels(self, service: str, namespace: str) -> dict[str, str]:
        """All labels, in the order of `IDENTITY`."""
        severity, remediation = CATALOGUE[self.alert]
        values = (
            self.alert,
            service,
            namespace,
            self.version,
            namespace,
            self.severity or severity,
            self.remediation or remediation,
            self.window,
        )
        return dict(zip(IDENTITY, values, strict=True))
