"""The explanations, as `explain` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from remediator.cli.explanation import Accused, Explanation, ObjectReach, Reach, RouteReach
from remediator.cli.forecast import AlertForecast, Forecast
from remediator.cli.guards_view import say_verdicts, verdict_json
from remediator.cli.plan_view import (
    alert_json,
    moment_json,
    policy_words,
    say_end,
    say_not_enforced,
    say_rows,
    say_title,
    warnings_json,
)
from remediator.cli.render import say
from remediator.policies.match import Considered
from remediator.policies.matchers import Matcher
from remediator.records.wire import owner_json
from remediator.traffic.exposure import Relation

_STYLES = {
    Relation.SUSPECT: "red",
    Relation.OTHER: "green",
    Relation.WHOLE: "yellow",
    Relation.UNCLEAR: "yellow",
    Relation.DEAD: "yellow",
}


def say_explanations(out: Console, explanations: Sequence[Explanation], forecast: Forecast) -> None:
    """Print all of it."""
    for number, explanation in enumerate(explanations, start=1):
        say_title(out, explanation.forecast, number, len(explanations))
        _say_labels(out, explanation.forecast)
        say(out, f"Judged at: {forecast.moment}")
        say(out)
        _say_policies(out, explanation)
        _say_suspect(out, explanation)
        for reach in explanation.objects:
            _say_object(out, reach, explanation.forecast)
        say(out, "Verdict:")
        say_rows(out, explanation.forecast)
        say(out)
    say_end(out, forecast)


def _say_labels(out: Console, forecast: AlertForecast) -> None:
    say(out, "Labels:")
    for name, value in sorted(forecast.alert.labels.items()):
        say(out, f'  {name}="{value}"')
    say(out)


def _say_policies(out: Console, explanation: Explanation) -> None:
    chosen = explanation.forecast.policy
    say(out, f"Policy: {policy_words(explanation.forecast)}")
    if chosen:
        say(out, "  All of its matchers hold, and it is the first of which that is true.")
        say_not_enforced(out, explanation.forecast)
    for considered in explanation.considered:
        if considered.policy is not chosen:
            say(out, f"Not {considered.policy.name} ({considered.policy.source}):")
            for why in _why_not(considered, explanation.forecast):
                say(out, f"  {why}")
    say(out)


def _why_not(considered: Considered, forecast: AlertForecast) -> list[str]:
    if considered.matched:
        first = forecast.policy.name if forecast.policy else ""
        return [f"its matchers hold too, but {first} stands before it"]
    return [f"{matcher} does not hold: {_found(matcher, forecast)}" for matcher in considered.unmet]


def _found(matcher: Matcher, forecast: AlertForecast) -> str:
    value = forecast.alert.labels.get(matcher.name)
    return f"{matcher.name} is absent" if value is None else f'{matcher.name} is "{value}"'


def _say_suspect(out: Console, explanation: Explanation) -> None:
    accused, labels = explanation.accused, explanation.forecast.alert.labels
    if accused is None:
        return
    say(out, "Suspect: ", (str(accused.suspect), "bold"))
    names = (*accused.service_labels, *((accused.version_label,) if accused.suspect.version else ()))
    say(out, "  read from " + ", ".join(f'{name}="{labels[name]}"' for name in names))
    if not explanation.objects:
        say(out, f"  No routing object sends or mirrors traffic to {accused.suspect.host}.")
    say(out)


def _say_object(out: Console, reach: ObjectReach, forecast: AlertForecast) -> None:
    say(out, (str(reach.ref), "bold"))
    say(out, f"  Driven by {reach.owner}: {reach.owner.evidence}")
    for route in reach.routes:
        unreachable = "" if route.reachable else ": gets no traffic, an earlier route takes everything"
        say(out, f"  {route.route}{unreachable}")
        for each in route.reaches:
            _say_reach(out, route, each)
    verdicts = forecast.verdicts.get(reach.ref, ())
    if verdicts:
        say_verdicts(out, verdicts, indent="  ")
    else:
        say(out, "  Guards: not asked, see the verdict")
    say(out)


def _say_reach(out: Console, route: RouteReach, reach: Reach) -> None:
    name = f"mirror to {reach.destination}" if reach.is_mirror else str(reach.destination)
    live = route.reachable and reach.part > 0
    words = (reach.relation.value, _STYLES[reach.relation] if live else "dim")
    say(out, f"    {name}, {reach.weights}" + ("" if live else " (no traffic)") + ": ", words)


def explain_json(explanations: Sequence[Explanation], forecast: Forecast) -> dict[str, Any]:
    """All of it as plain values."""
    alerts = [_one_json(each) for each in explanations]
    return {"alerts": alerts, "warnings": warnings_json(forecast)} | moment_json(forecast)


def _one_json(explanation: Explanation) -> dict[str, Any]:
    return alert_json(explanation.forecast) | {
        "considered": [_considered_json(each, explanation.forecast) for each in explanation.considered],
        "suspect": _accused_json(explanation.accused),
        "objects": [_object_json(each, explanation.forecast) for each in explanation.objects],
    }


def _considered_json(considered: Considered, forecast: AlertForecast) -> dict[str, Any]:
    return {
        "policy": considered.policy.name,
        "source": considered.policy.source,
        "matched": considered.matched,
        "unmet": [
            {"matcher": str(matcher), "found": forecast.alert.labels.get(matcher.name)} for matcher in considered.unmet
        ],
    }


def _accused_json(accused: Accused | None) -> dict[str, Any] | None:
    if accused is None:
        return None
    return {
        "host": str(accused.suspect.host),
        "version": accused.suspect.version,
        "serviceLabels": list(accused.service_labels),
        "versionLabel": accused.version_label,
    }


def _object_json(reach: ObjectReach, forecast: AlertForecast) -> dict[str, Any]:
    return {
        "kind": reach.ref.kind,
        "namespace": reach.ref.namespace,
        "name": reach.ref.name,
        "owner": owner_json(reach.owner),
        "routes": [
            {
                "route": route.route,
                "reachable": route.reachable,
                "destinations": [_reach_json(each) for each in route.reaches],
            }
            for route in reach.routes
        ],
        "guards": [verdict_json(each) for each in forecast.verdicts.get(reach.ref, ())],
    }


def _reach_json(reach: Reach) -> dict[str, Any]:
    return {
        "host": str(reach.destination.host),
        "subset": reach.destination.subset,
        "mirror": reach.is_mirror,
        "percent": round(reach.part, 3),
        "relation": reach.relation.name,
        "meaning": reach.relation.value,
    }
