"""Alerts and Alertmanager's routes: whether each alert that asks for something reaches us, in time, and people too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from remediator.alerts.model import HEARTBEAT
from remediator.checking.contract import could_take, takes_unasked
from remediator.checking.findings import Code, Finding, Where
from remediator.checking.routing import (
    EACH_ALERT,
    Chance,
    Configuration,
    Inhibition,
    Receiver,
    Route,
    Webhook,
    chance,
    every_route,
)
from remediator.checking.rulebook import Alert
from remediator.policies.model import PolicySet
from remediator.policies.quantities import format_duration

PATH = "/webhook"
"""Where we listen (docs/http.md)."""
LONGEST_GROUP_INTERVAL = timedelta(minutes=1)
"""After that a delivery that failed is tried again."""
LONGEST_REPEAT_INTERVAL = timedelta(minutes=10)
"""After that traffic that somebody put back is taken away again."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Alertmanager's configuration, and which of its receivers we are."""

    configuration: Configuration
    ours: frozenset[str]
    """Names of receivers."""

    def reaching(self, alert: Alert) -> tuple[Route, ...]:
        """The routes that could bring us an alert."""
        return self.configuration.reaching(alert.labels, self.ours)

    def delay(self, alert: Alert) -> timedelta:
        """What Alertmanager adds at worst before it sends an alert to us for the first time."""
        return min(map(_wait, self.reaching(alert)), default=timedelta())


def _wait(route: Route) -> timedelta:
    # An alert that joins a group which was sent already waits for the group's next turn.
    times = route.times
    return times.group_wait if times.group_by == EACH_ALERT else max(times.group_wait, times.group_interval)


def wiring_of(configuration: Configuration, named: str | None) -> Wiring | Finding:
    """Which receivers are ours: the one of that name, else those with a webhook whose path is ours."""
    if named is not None:
        receiver = configuration.receivers.get(named)
        if receiver is not None and receiver.webhooks:
            return Wiring(configuration, frozenset({named}))
        what = "has no webhook_configs" if receiver else "is not there"
        where = receiver.where if receiver else Where(configuration.file, 0, f"receiver {named}")
        known = ", ".join(name for name, each in configuration.receivers.items() if each.webhooks) or "none"
        return Finding(Code.NO_RECEIVER, where, f"the receiver {named} {what}", f"with webhook_configs: {known}")
    found = frozenset(name for name, each in configuration.receivers.items() if any(map(_is_ours, each.webhooks)))
    if found:
        # Others listen at such a path too. Where one says that it is ours, these are somebody else's.
        surely = frozenset(name for name in found if _says_that_it_is_ours(configuration.receivers[name]))
        return Wiring(configuration, surely or found)
    message = f"no receiver has a webhook whose url ends in {PATH}"
    return Finding(Code.NO_RECEIVER, Where(configuration.file), message, "add one, or name ours with --receiver")


def _is_ours(webhook: Webhook) -> bool:
    return urlsplit(webhook.url).path.rstrip("/").endswith(PATH)


def _says_that_it_is_ours(receiver: Receiver) -> bool:
    return any("remediator" in text for text in (receiver.name, *(webhook.url for webhook in receiver.webhooks)))


def route_findings(wiring: Wiring, alerts: Sequence[Alert], policies: PolicySet | None) -> Iterator[Finding]:
    """Everything that keeps alerts from us or from people, or makes them late."""
    meant = [alert for alert in alerts if _is_meant(alert, policies)]
    asking = [alert for alert in meant if alert.remediation != HEARTBEAT]
    yield from _not_routed(wiring, meant)
    for route in every_route(wiring.configuration.root):
        if route.receiver in wiring.ours and (not alerts or _takes(wiring, route, meant)):
            yield from _route(route)
            yield from _people(wiring, route, asking)
    for name in sorted(wiring.ours):
        yield from _receiver(wiring.configuration.receivers[name])
    for inhibition in wiring.configuration.inhibitions:
        yield from _inhibited(inhibition, asking, alerts)
    if policies is not None:
        yield from _acts_on_none(wiring, alerts, policies)


def _is_meant(alert: Alert, policies: PolicySet | None) -> bool:
    """Whether an alert is for us: it says so, or a policy takes it all the same."""
    says_so = alert.asks is not None or alert.remediation == HEARTBEAT
    return says_so or (policies is not None and takes_unasked(policies, alert))


def _not_routed(wiring: Wiring, meant: Iterable[Alert]) -> Iterator[Finding]:
    for alert in meant:
        if wiring.reaching(alert):
            continue
        others = ", ".join(dict.fromkeys(route.receiver for route in wiring.configuration.root.taking(alert.labels)))
        message = f"no route of {wiring.configuration.file} brings it to us; it goes to {others}"
        told = f'remediation="{alert.remediation}"' if alert.remediation else f'alertname="{alert.rule.alert}"'
        hint = f"add a route to {sorted(wiring.ours)[0]} with the matcher {told}{_perhaps_external(wiring, alert)}"
        yield Finding(Code.NOT_ROUTED, alert.where, message, hint)


def _perhaps_external(wiring: Wiring, alert: Alert) -> str:
    """A word about labels that our routes ask for, and that neither the rule nor its series have."""
    ours = (route for route in every_route(wiring.configuration.root) if route.receiver in wiring.ours)
    asked = {each.name for route in ours for each in route.matchers if not each.matches({})}
    missing = sorted(name for name in asked if name not in alert.labels.named)
    return f"; or say --external-label {missing[0]}, if Prometheus adds {missing[0]} to every alert" if missing else ""


def _takes(wiring: Wiring, route: Route, meant: Iterable[Alert]) -> bool:
    """Whether a route takes an alert that is meant for us."""
    return any(taken is route for alert in meant for taken in wiring.reaching(alert))


def _route(route: Route) -> Iterator[Finding]:
    times, where = route.times, route.where
    if times.group_by != EACH_ALERT:
        given = ", ".join(times.group_by) or "nothing"
        longest = format_duration(times.group_interval)
        message = f"alerts are grouped by {given}: a new one waits up to {longest} for its group"
        yield Finding(Code.GROUP_BY, where, message, "write group_by: ['...']")
    if times.group_wait > timedelta():
        message = f"every alert waits {format_duration(times.group_wait)} before it is sent"
        yield Finding(Code.GROUP_WAIT, where, message, "write group_wait: 0s; the rule has waited already")
    if times.group_interval > LONGEST_GROUP_INTERVAL:
        message = f"a delivery that failed is tried again after {format_duration(times.group_interval)} only"
        hint = f"write group_interval: 30s, or up to {format_duration(LONGEST_GROUP_INTERVAL)}"
        yield Finding(Code.GROUP_INTERVAL, where, message, hint)
    if times.repeat_interval > LONGEST_REPEAT_INTERVAL:
        message = (
            f"an alert that goes on firing is offered again after {format_duration(times.repeat_interval)} only, and "
            "traffic that somebody put back stays as long"
        )
        hint = f"write repeat_interval: 5m, or up to {format_duration(LONGEST_REPEAT_INTERVAL)}"
        yield Finding(Code.REPEAT_INTERVAL, where, message, hint)
    if route.muted:
        message = f"time intervals silence it: {', '.join(route.muted)}"
        yield Finding(Code.MUTED, where, message, "use a policy's freeze, which is recorded, instead")


def _people(wiring: Wiring, route: Route, asking: Iterable[Alert]) -> Iterator[Finding]:
    """Whether what this route takes reaches anybody else."""
    unheard = []
    for alert in asking:
        taking = wiring.configuration.root.taking(alert.labels)
        if any(taken is route for taken in taking) and all(taken.receiver in wiring.ours for taken in taking):
            unheard.append(alert.rule.alert)
    if unheard:
        names = ", ".join(sorted(set(unheard)))
        message = f"nobody but us hears of {names}"
        hint = "write continue: true, and a route to people behind it that takes them"
        yield Finding(Code.PEOPLE_NOT_TOLD, route.where, message, hint)


def _receiver(receiver: Receiver) -> Iterator[Finding]:
    for webhook in receiver.webhooks:
        if webhook.max_alerts > 0:
            message = f"max_alerts is {webhook.max_alerts}: what is cut off counts as sent, and never arrives"
            yield Finding(Code.MAX_ALERTS, webhook.where, message, "write max_alerts: 0")
        if not webhook.send_resolved:
            message = "send_resolved is false: no record says when the fault was over"
            yield Finding(Code.SEND_RESOLVED, webhook.where, message, "write send_resolved: true")
        if not webhook.authorized:
            message = "no authorization is sent: whoever reaches the service can move traffic"
            hint = "write http_config: {authorization: {credentials_file: …}}, and give the service its --token-file"
            yield Finding(Code.NO_AUTHORIZATION, webhook.where, message, hint)


def _inhibited(inhibition: Inhibition, asking: Iterable[Alert], alerts: Sequence[Alert]) -> Iterator[Finding]:
    names = sorted({alert.rule.alert for alert in asking if _could_inhibit(inhibition, alert, alerts)})
    if names:
        message = f"while another alert fires it may keep these from us: {', '.join(names)}"
        yield Finding(Code.INHIBITED, inhibition.where, message, 'add the target matcher remediation=~"None|"')


def _could_inhibit(inhibition: Inhibition, alert: Alert, alerts: Sequence[Alert]) -> bool:
    if chance(inhibition.target, alert.labels) is Chance.NEVER:
        return False
    if "alertname" not in inhibition.equal:
        return True
    # The source has the same name, and so stands in the same rules.
    same = (each for each in alerts if each.rule.alert == alert.rule.alert)
    # What matches both sides does not inhibit what does so too (prometheus/alertmanager inhibit/inhibit.go).
    both = chance(inhibition.source, alert.labels) is Chance.SURE
    return any(
        chance(inhibition.source, each.labels) is not Chance.NEVER
        and not (both and chance(inhibition.target, each.labels) is Chance.SURE)
        and all(each.labels.of(name).met(alert.labels.of(name)) for name in inhibition.equal)
        for each in same
    )


def _acts_on_none(wiring: Wiring, alerts: Iterable[Alert], policies: PolicySet) -> Iterator[Finding]:
    for alert in alerts:
        if alert.remediation != "None" or not wiring.reaching(alert):
            continue
        takers = could_take(policies, alert.labels)
        if takers:
            message = f"asks for nothing, yet it is routed to us and the policy {takers[0].name} takes it"
            hint = 'route only remediation=~"RevertToStable|RemoveMirrors|Heartbeat" to us'
            yield Finding(Code.ACTS_ON_NONE, alert.where, message, hint)
