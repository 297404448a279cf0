"""What an alert says: its labels, which route it and name its target, and its annotations, which a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from remediator.rules.model import AlertingRule
from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.text import block, duration

ACCUSED: Final = "version {{ $labels.destination_version }}"
"""The accused version in a summary."""
KEEP: Final = 60
"""Seconds that it fires on: one quiet evaluation is no recovery, and a flapping alert would be a new one each time."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert about a version of a service: an expression whose series carry the three labels of its target.

    Times are in seconds.
    """

    name: str
    expression: str
    window: int
    severity: str
    remediation: str
    """What it asks for: RevertToStable, RemoveMirrors or None."""
    summary: str
    """Without the service, which it begins with."""
    description: str
    """The effect in points or numbers, and what it was measured on."""
    wait: int = 0
    keep: int = KEEP
    version: str = ""
    """Where the series name none."""

    def rules(self, parameters: Parameters) -> Iterator[AlertingRule]:
        """The rule, or nothing where the alert was left out."""
        if self.name in parameters.without:
            return
        # What names no version asks for nothing, whatever was asked for.
        asks = self.remediation if self.version else parameters.remediations.get(self.name, self.remediation)
        labels = {
            "namespace": "{{ $labels.destination_service_namespace }}",
            "remediation": asks,
            "severity": parameters.severities.get(self.name, self.severity),
            "window": duration(self.window),
        } | ({"destination_version": self.version} if self.version else {})
        service = "{{ $labels.destination_service_name }}.{{ $labels.destination_service_namespace }}"
        yield AlertingRule(
            alert=self.name,
            expr=block(self.expression),
            wait=timedelta(seconds=self.wait),
            keep_firing=timedelta(seconds=self.keep),
            labels={**parameters.alert_labels, **labels},
            annotations=annotated(self.name, f"{service}: {self.summary}", self.description, parameters),
        )


def annotated(name: str, summary: str, description: str, parameters: Parameters) -> dict[str, str]:
    """What every alert of ours is annotated with."""
    return {"summary": summary, "description": description, "runbook_url": parameters.runbooks + name.lower()}
