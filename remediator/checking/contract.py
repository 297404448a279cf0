"""Alerts and policies: whether each alert that asks for an action finds a policy that does it, and the other way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher, get_close_matches

from remediator.checking.conventions import may_act
from remediator.checking.findings import Code, Finding, Where
from remediator.checking.routing import Chance, chance
from remediator.checking.rulebook import Alert
from remediator.policies.matchers import Matcher, Op
from remediator.policies.model import Action, LabelNames, MirrorScope, Policy, PolicySet
from remediator.rules.labels import Labels

ALMOST = 0.9
"""How alike (0 to 1) two names are that one person meant to be the same. `CanaryHardDwn` is 0.96 like `CanaryHardDown`;
`MirrorSlowRatioAboveStable` is 0.77 like `CanarySlowRatioAboveStable`, and another alert."""

_WORD = re.compile(r"\w+")
_UNKNOWN_VERSION = "unknown"
"""What proxies say where they could not reach a pod; it counts as no version (docs/alertmanager.md)."""


@dataclass(frozen=True, slots=True)
class Contract:
    """Both sides of it."""

    alerts: tuple[Alert, ...]
    policies: PolicySet
    places: dict[str, Where]
    """By name of policy: where it stands."""


def could_take(policies: PolicySet, labels: Labels) -> tuple[Policy, ...]:
    """The policies that could be the one for an alert with these labels, in the order in which they are asked.

    A matcher on a label of which nothing is known could hold. The last is one that surely matches, if there is one:
    no later policy is asked then.
    """
    found: list[Policy] = []
    for policy in policies.policies:
        verdict = chance(policy.matchers, labels)
        # What is known is put to the policy itself, so that what counts here is what counts when the alert arrives.
        known = tuple(matcher for matcher in policy.matchers if labels.of(matcher.name).value is not None)
        if verdict is Chance.NEVER or not replace(policy, matchers=known).matches(_known(labels, known)):
            continue
        found.append(policy)
        if verdict is Chance.SURE:
            break
    return tuple(found)


def takes_unasked(policies: PolicySet, alert: Alert) -> bool:
    """Whether a policy surely takes an alert whose rule does not say what it asks for: by its name, mostly."""
    found = (chance(policy.matchers, alert.labels) for policy in policies.policies)
    return not alert.remediation and Chance.SURE in found


def _known(labels: Labels, matchers: Sequence[Matcher]) -> dict[str, str]:
    """Labels with known values; those that are known to be absent are left out."""
    values = {matcher.name: labels.of(matcher.name).value for matcher in matchers}
    return {name: value for name, value in values.items() if value}


def contract_findings(contract: Contract) -> Iterator[Finding]:
    """Everything that alerts and policies do not agree about."""
    for alert in contract.alerts:
        takers = could_take(contract.policies, alert.labels)
        if alert.asks is not None and not takers:
            yield _no_policy(contract, alert)
        elif alert.asks is not None:
            yield from _wrong_action(alert, alert.asks, takers)
        if alert.asks is not None or (takers and may_act(alert)) or takes_unasked(contract.policies, alert):
            yield from dropped_labels(alert, takers)
    for policy in contract.policies.policies:
        if not policy.alerts_elsewhere:
            yield from _policy(contract, policy)


def _no_policy(contract: Contract, alert: Alert) -> Finding:
    """Tells of the policy that comes closest what keeps it from taking the alert."""
    unmet = [
        (policy, [matcher for matcher in policy.matchers if chance((matcher,), alert.labels) is Chance.NEVER])
        for policy in contract.policies.policies
        if alert.asks in policy.actions
    ]
    hint = f"write a policy with the action {alert.asks}"
    if unmet:
        closest, (first, *_) = min(unmet, key=lambda each: len(each[1]))
        hint = f"closest is {closest.name}: {first} does not hold, {_state(alert, first.name)}"
    return Finding(Code.NO_POLICY, alert.where, f"asks for {alert.asks}, and no policy takes it", hint)


def _state(alert: Alert, name: str) -> str:
    label = alert.labels.of(name)
    if label.may_be_there:
        return f"{name} is {label}"
    dropped = "" if name in alert.rule.labels else ": neither the rule nor the expression's result has it"
    return f"{name} is absent{dropped}"


def _wrong_action(alert: Alert, asked: Action, takers: Sequence[Policy]) -> Iterator[Finding]:
    if not any(asked in policy.actions for policy in takers):
        first = takers[-1]
        done = ", ".join(first.actions)
        message = f"asks for {asked}, and the policy that takes it, {first.name}, does {done}"
        yield Finding(Code.WRONG_ACTION, alert.where, message, "change the label remediation, or the policy's actions")


def dropped_labels(alert: Alert, takers: Sequence[Policy]) -> Iterator[Finding]:
    """Labels that say what is accused, and that the alert cannot have; without a policy the usual ones are wanted."""
    needs = [(policy.target.labels, _needs_version(policy), f"policy {policy.name}") for policy in takers]
    for labels, with_version, who in needs or [(LabelNames(), True, "every policy")]:
        missing = _missing(alert.labels, labels, with_version=with_version)
        if missing:
            kept = ", ".join(alert.series.names) or "nothing"
            message = f"{who} needs the label {' and '.join(missing)}, which the alert does not have"
            hint = f"the expression's result has {kept}: keep it in by (…), group_left (…) or on (…)"
            yield Finding(Code.LABEL_DROPPED, alert.where, message, hint)
            return


def _needs_version(policy: Policy) -> bool:
    return policy.actions != (Action.REMOVE_MIRRORS,) or policy.target.mirrors is not MirrorScope.ALL


def _missing(labels: Labels, names: LabelNames, *, with_version: bool) -> list[str]:
    missing = []
    if not labels.of(names.service).may_be_there:
        missing += [name for name in (names.name, names.namespace) if not labels.of(name).may_be_there]
    version = labels.of(names.version)
    if with_version and (not version.may_be_there or version.value == _UNKNOWN_VERSION):
        missing.append(names.version)
    return missing


def _policy(contract: Contract, policy: Policy) -> Iterator[Finding]:
    """What no alert has: the label of a matcher, the alertname in it, or a set of labels for which all of them hold."""
    where, faults = contract.places[policy.name], 0
    names = sorted({alert.rule.alert for alert in contract.alerts})
    for matcher in policy.matchers:
        others = tuple(each for each in policy.matchers if each is not matcher)
        alerts = [alert for alert in contract.alerts if _speaks_of(others, alert)]
        labels = _unknown_label(alerts, matcher, where, alone=not others)
        for found in (*labels, *_unknown_alertname(names, matcher, where)):
            yield found
            faults += 1
    if not faults and not any(_speaks_of(policy.matchers, alert) for alert in contract.alerts):
        held = "; ".join(map(str, policy.matchers))
        yield Finding(Code.NO_ALERT, where, f"no alert is matched by: {held}", "correct the matchers, or add the rules")


def _speaks_of(matchers: Sequence[Matcher], alert: Alert) -> bool:
    """Whether matchers are about an alert. Of one that is no business of ours they must say so for sure."""
    found = chance(matchers, alert.labels)
    return found is Chance.SURE or (found is Chance.POSSIBLE and alert.is_ours)


def _unknown_label(alerts: Sequence[Alert], matcher: Matcher, where: Where, *, alone: bool) -> Iterator[Finding]:
    """A label that none of the alerts has of which all other matchers hold."""
    if not alerts or matcher.matches({}) or any(alert.labels.of(matcher.name).may_be_there for alert in alerts):
        return
    known = sorted({name for alert in alerts for name in alert.labels.names})
    close = get_close_matches(matcher.name, known, n=1)
    if alone and not close:
        return  # No matcher says which alerts are meant, so it is told of the policy that there are none.
    hint = f"did you mean {close[0]}?" if close else f"they have: {', '.join(known)}"
    yield Finding(Code.UNKNOWN_LABEL, where, f"{matcher}: its alerts have no label {matcher.name}", hint)


def _unknown_alertname(names: Sequence[str], matcher: Matcher, where: Where) -> Iterator[Finding]:
    """A name that no rule defines, where it is nearly one that does, or nothing else is named."""
    if matcher.name != "alertname" or matcher.op not in (Op.EQUAL, Op.MATCHES):
        return
    given = _alternatives(matcher)
    for name in given:
        close = get_close_matches(name, names, n=1)
        # What is no plain name is an expression, of which only the whole can be judged.
        if name in names or not close or not _WORD.fullmatch(name):
            continue
        if len(given) == 1 or SequenceMatcher(None, name, close[0]).ratio() >= ALMOST:
            message = f"{matcher}: no rule defines {name}"
            yield Finding(Code.UNKNOWN_ALERTNAME, where, message, f"did you mean {close[0]}?")


def _alternatives(matcher: Matcher) -> list[str]:
    """What a matcher names, parted at `|`; of one with groups in it the whole, for a group parts elsewhere."""
    if matcher.op is Op.EQUAL:
        return [matcher.value]
    inside = matcher.value.removeprefix("(").removesuffix(")")
    return [inside] if re.search(r"[()\[\]\\]", inside) else inside.split("|")
