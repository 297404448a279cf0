"""The alerts about the remediator itself: nobody else notices that an answer did not come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from remediator.alerts.model import HEARTBEAT
from remediator.rules.model import NO_TIME, AlertingRule, RuleGroup
from remediator.rules.shipped.alerts import KEEP, annotated
from remediator.rules.shipped.parameters import Parameters
from remediator.rules.shipped.side import Side, inbound, live
from remediator.rules.shipped.text import VERSION, block, duration

EVERY: Final = timedelta(seconds=30)

_FAILED = 'remediator_outcomes_total{outcome="Failed"}'


@dataclass(frozen=True, slots=True)
class OwnAlert:
    """An alert about the remediator; it asks for nothing, and names a version only where it is about one."""

    name: str
    expression: str
    severity: str
    summary: str
    description: str
    wait: timedelta = NO_TIME
    window: str = "5m"
    """The span that it looks back over, or waits for."""
    remediation: str = "None"

    def rules(self, parameters: Parameters) -> Iterator[AlertingRule]:
        """The rule, or nothing where the alert was left out."""
        if self.name in parameters.without:
            return
        severity = parameters.severities.get(self.name, self.severity)
        labels = {"remediation": self.remediation, "severity": severity, "window": self.window}
        yield AlertingRule(
            alert=self.name,
            expr=block(self.expression),
            wait=self.wait,
            labels={**parameters.alert_labels, **labels},
            annotations=annotated(self.name, self.summary, self.description, parameters),
        )


def our_group(parameters: Parameters) -> RuleGroup:
    """One group for them all."""
    alerts = (
        _not_effective(parameters),
        _FAILURE,
        _BUDGET_SPENT,
        _AWAITING_APPROVAL,
        _HOLD_LOST,
        _DID_NOT_HELP,
        _OUTCOME_UNKNOWN,
        _NOTICES_FAILING,
        _telemetry_missing(parameters),
        _down(parameters),
        _WATCHDOG,
    )
    return RuleGroup("remediator", tuple(rule for alert in alerts for rule in alert.rules(parameters)), EVERY)


# A counter is born with its first failure, of which `increase` sees nothing.
_FAILURE = OwnAlert(
    name="RemediationFailed",
    expression=f"""
sum by (policy, reason) (
  increase({_FAILED}[5m]) > 0
  or
  ({_FAILED} unless {_FAILED} offset 5m) > 0
)""",
    severity="critical",
    summary="remediations by policy {{ $labels.policy }} fail: {{ $labels.reason }}",
    description="{{ $value | humanize }} attempt(s) failed in five minutes. Alertmanager delivers again.",
)

_BUDGET_SPENT = OwnAlert(
    name="RemediationBudgetSpent",
    expression="min(remediator_budget_remaining) < 1",
    severity="critical",
    summary="the budget of remediations is spent: further alerts are denied until it recovers",
    description="{{ $value | humanize }} remediations are left of --budget. Either much is failing at once, or alerts "
    "accuse wrongly.",
)

_AWAITING_APPROVAL = OwnAlert(
    name="RemediationAwaitingApproval",
    expression="max(remediator_awaiting_approval) > 0",
    severity="warning",
    summary="a remediation waits for a person's yes",
    description="{{ $value | humanize }} of them: `remediator list --phase AwaitingApproval`, then `remediator "
    "approve` or `reject`. Without either they expire.",
)

# The series of what follows are there from the start, so that `increase` sees the first.
_HOLD_LOST = OwnAlert(
    name="RemediationHoldLost",
    expression="sum by (writer) (increase(remediator_holds_lost_total[15m])) > 0",
    severity="critical",
    summary="a suspect gets its traffic back with the next turn of {{ $labels.writer }}: the hold was given up",
    description="It was taken away a fifth time, and will not be again. Stop the writer; then see whether the suspect "
    "has traffic.",
    window="15m",
)

_DID_NOT_HELP = OwnAlert(
    name="RemediationDidNotHelp",
    expression="""
sum by (verdict) (
  increase(remediator_verifications_total{verdict=~"StillReceiving|StillRouted|NotRecovered"}[15m])
) > 0""",
    severity="critical",
    summary="a remediation was made, and it did not help: {{ $labels.verdict }}",
    description="StillReceiving: the suspect gets traffic by another way. StillRouted: its driver was asked to take "
    "it away, and has not. NotRecovered: it gets none, and the service fails all the same.",
    window="15m",
)

_OUTCOME_UNKNOWN = OwnAlert(
    name="RemediationOutcomeUnknown",
    expression='sum(increase(remediator_verifications_total{verdict="NoData"}[15m])) > 0',
    severity="warning",
    summary="a remediation was made, and nobody can tell whether it helped",
    description="Prometheus did not answer, or has no data of the service.",
    window="15m",
)

_NOTICES_FAILING = OwnAlert(
    name="RemediatorNoticesFailing",
    expression='sum by (service, result) (increase(remediator_notices_total{result!="Sent"}[15m])) > 0',
    severity="warning",
    summary="people could not be told by {{ $labels.service }} what the remediator did",
    description="The log names what they were not told. Failed: it was not taken, however often it was tried. Dropped: "
    "too much waited.",
    window="15m",
)


def _not_effective(parameters: Parameters) -> OwnAlert:
    """Slow answers wait for a person by default, and are warnings; RemediationAwaitingApproval tells of those."""
    windows = parameters.windows
    # What fires goes on after the last failure: a count over `base` is summed over `short`, and kept for a minute.
    # Two more are for the way to us, the patch, and proxies to hear of it.
    wait = timedelta(seconds=windows.base + windows.short + KEEP, minutes=2)
    return OwnAlert(
        name="RemediationNotEffective",
        expression=f"""
count by ({VERSION}, namespace) (
  ALERTS{{alertstate="firing", remediation=~"RevertToStable|RemoveMirrors", severity!~"warning|info|none"}}
)""",
        severity="critical",
        summary="{{ $labels.destination_service_name }}.{{ $labels.destination_service_namespace }}: version "
        "{{ $labels.destination_version }} still fails long after its traffic was to be taken away",
        description="{{ $value | humanize }} alert(s) that ask for a remediation have fired for over "
        f"{wait.seconds // 60} minutes. The notification, the patch or the diagnosis failed.",
        wait=wait,
        window=duration(wait.seconds),
    )


def _telemetry_missing(parameters: Parameters) -> OwnAlert:
    """Asked of what is recorded, not of Istio's series: it costs nothing, and notices rules that are not evaluated."""
    sides = [live(parameters), *([inbound(parameters)] if parameters.mirror_reporter else [])]
    return OwnAlert(
        name="RemediationTelemetryMissing",
        expression="\nor\n".join(map(_absent, sides)),
        severity="warning",
        summary="Istio's request metrics of reporter {{ $labels.reporter }} are missing",
        description="No canary and no mirror can be judged while they are, or while the recording rules fail.",
        wait=timedelta(minutes=3),
        window="3m",
    )


def _absent(side: Side) -> str:
    series = side.series("version", "requests")
    return f'label_replace(absent({series}), "reporter", "{side.reporter}", "", "")'


def _down(parameters: Parameters) -> OwnAlert:
    return OwnAlert(
        name="RemediatorDown",
        expression=f'absent(up{{job="{parameters.job}"}} == 1)',
        severity="critical",
        summary="no replica of the remediator answers Prometheus",
        description="Alerts fire, and nothing acts on them.",
        wait=timedelta(minutes=2),
        window="2m",
    )


_WATCHDOG = OwnAlert(
    name="RemediationWatchdog",
    expression="vector(1)",
    severity="none",
    summary="always fires: shows that the way from Prometheus over Alertmanager to the remediator is open",
    description="The remediator tells how long ago it came: remediator_watchdog_age_seconds.",
    window=duration(int(EVERY.total_seconds())),
    remediation=HEARTBEAT,
)
