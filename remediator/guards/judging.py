"""All guards, in the order in which a no is told first: where and when, which side is ill, how old, how much, how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from remediator.guards import (
    alert_age,
    budget,
    cooldown,
    evidence,
    freeze,
    lever,
    max_targets,
    namespaces,
    pause,
    stable_also_failing,
    stable_ready,
    suspect_is_stable,
    switch,
    unsafe_plan,
)
from remediator.guards.situation import Situation
from remediator.guards.verdict import Verdict, off
from remediator.owners import tried

Guard = Callable[[Situation], Verdict]


def _alert_age(asked: Situation) -> Verdict:
    verdict = alert_age.evaluate(asked.starts_at, asked.now, asked.bounds.max_alert_age)
    if asked.approved and not verdict.allows:
        return replace(verdict, reason=None, message=f"{verdict.message}; but a person has approved it since")
    return verdict


def _evidence(asked: Situation) -> Verdict:
    if asked.history.other_trial:
        return evidence.of_another(asked.history.other_trial)
    if asked.bounds.max_alert_age is None:
        return off(evidence.GUARD, "--max-alert-age 0 takes evidence of any age")
    changed, history = asked.target.changed, asked.history
    on_trial = tried(asked.target.driving, asked.plan, asked.facts, changed) if changed else None
    return evidence.evaluate(asked.starts_at, changed, history.kept_up, on_trial, history.last)


def _suspect_is_stable(asked: Situation) -> Verdict:
    names = (
        (f"policy {asked.policy.name}", asked.policy.target.stable),
        ("the object's annotation remediator.io/stable", asked.target.stable),
    )
    return suspect_is_stable.evaluate(asked.demand, names, asked.plan, asked.facts, asked.history.kept_up)


def _stable_also_failing(asked: Situation) -> Verdict:
    return stable_also_failing.evaluate(asked.plan.receivers, asked.history.accusations, asked.facts)


def _cooldown(asked: Situation) -> Verdict:
    return cooldown.evaluate(asked.history.last, asked.now, asked.policy.guards.cooldown, asked.history.kept_up)


GUARDS: Final[Mapping[str, Guard]] = MappingProxyType(
    {
        pause.GUARD: lambda asked: pause.evaluate(asked.pauses, asked.now),
        switch.GUARD: lambda asked: switch.evaluate(asked.target.switch, opt_in=asked.bounds.opt_in),
        namespaces.GUARD: lambda asked: namespaces.evaluate(asked.facts.namespace, asked.policy.target),
        lever.GUARD: lambda asked: lever.evaluate(asked.target.driving, asked.plan, asked.facts),
        freeze.GUARD: lambda asked: freeze.evaluate(asked.policy.guards.freeze, asked.now),
        suspect_is_stable.GUARD: _suspect_is_stable,
        stable_also_failing.GUARD: _stable_also_failing,
        stable_ready.GUARD: lambda asked: stable_ready.evaluate(asked.readiness, asked.policy.guards.stable_ready),
        alert_age.GUARD: _alert_age,
        evidence.GUARD: _evidence,
        max_targets.GUARD: lambda asked: max_targets.evaluate(asked.targets, asked.policy.guards.max_targets),
        cooldown.GUARD: _cooldown,
        budget.GUARD: lambda asked: budget.evaluate(asked.history.spent, asked.bounds.budget),
        unsafe_plan.GUARD: lambda asked: unsafe_plan.evaluate(asked.wrong),
    }
)
"""Every guard by its name."""

ONCE: Final = frozenset({alert_age.GUARD, evidence.GUARD, max_targets.GUARD, cooldown.GUARD, budget.GUARD})
"""The guards that ask whether a remediation may begin: they have said yes to one that is held up, and are not asked
again. All others may find that to go on would make things worse."""
BRAKES: Final = frozenset({pause.GUARD, switch.GUARD})
"""The guards that ask whether the service may act by itself at all: what a person asked for by hand is held up by the
service too."""


def judge(asked: Situation, guards: Mapping[str, Guard] = GUARDS) -> tuple[Verdict, ...]:
    """Ask every guard; none is left out because another has said no."""
    return tuple(guard(asked) for guard in guards.values())
