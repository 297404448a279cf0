"""The forecast, as `plan` shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from remediator.cli.forecast import AlertForecast, Forecast, Warnings
from remediator.cli.news import not_enforced
from remediator.cli.render import STYLES, diff, json_patch, say, say_diff
from remediator.outcome import AlertOutcome, Reason
from remediator.owners import Lever
from remediator.pipeline.preparation import Work
from remediator.policies.model import Mode
from remediator.traffic.patch import Operation

_SENTENCES = {
    Mode.ENFORCE: "{} would be changed.",
    Mode.APPROVE: "{} would wait for a person's approval, unchanged.",
    Mode.OBSERVE: "{} would be observed, unchanged.",
}


def say_plan(out: Console, forecast: Forecast) -> None:
    """Print all of it."""
    for number, alert in enumerate(forecast.alerts, start=1):
        say_title(out, alert, number, len(forecast.alerts))
        say(out, f"  policy: {policy_words(alert)}")
        say_not_enforced(out, alert)
        say_rows(out, alert)
        if any(row.reason is Reason.NO_POLICY for row in alert.rows):
            say(out, "    `explain` with the same flags says which matchers do not hold")
        say(out)
    for work in forecast.works:
        _say_work(out, work, forecast.source)
    say_end(out, forecast)


def say_title(out: Console, forecast: AlertForecast, number: int, count: int) -> None:
    """Print which alert this is about, and whether Alertmanager would keep it to itself."""
    which = f"Alert {number} of {count}: " if count > 1 else "Alert: "
    say(out, which, (forecast.alert.name or "without a name", "bold"), f", {forecast.alert.status.value}")
    if forecast.muted:
        say(out, "  ", (forecast.muted, "yellow"), ": Alertmanager would not deliver it")


def policy_words(forecast: AlertForecast) -> str:
    """Which policy, where it stands and how far it goes."""
    policy, mode = forecast.policy, forecast.mode
    if policy is None or mode is None:
        return "none"
    cap = "" if mode is policy.mode else f", capped to {mode.value} by {forecast.ceiling.origin}"
    return f"{policy.name} ({policy.source}), mode {policy.mode.value}{cap}"


def say_not_enforced(out: Console, forecast: AlertForecast) -> None:
    """Print which guards of the policy nothing obeys yet; whoever wrote them relies on them."""
    keys = not_enforced(forecast.policy) if forecast.policy else ()
    if keys:
        say(out, "  ", ("not enforced by this version", "yellow"), f": {', '.join(keys)}")


def say_rows(out: Console, forecast: AlertForecast) -> None:
    """Print how an alert would end for each target."""
    for row in forecast.rows:
        told = [str(row.target)] if row.target else []
        told += [] if row.changes else [row.message]
        verdict = (f"{row.outcome.value} ({row.reason.value})", STYLES[row.outcome])
        say(out, "  would be ", verdict, f": {': '.join(told)}")
        for change in row.changes:
            say(out, f"    {change}")


def say_end(out: Console, forecast: Forecast) -> None:
    """Print what is to be said of the objects themselves, and the sum of it all."""
    for warnings in forecast.warnings:
        _say_warnings(out, warnings)
    for sentence in forecast.unasked:
        say(out, ("Note", "yellow"), f": {sentence}.")
    say(out, (_summary(forecast), "bold"))


def _say_work(out: Console, work: Work, source: str) -> None:
    say(out, (str(work.ref), "bold"), f", mode {work.mode.value}")
    say_diff(out, _diff(work, source))
    say(out)
    # What Flagger or a Rollout drives is not patched: the diff is what its controller makes of it.
    if work.canary is not None:
        say(out, f"Nothing is sent: Flagger asks, and is told to roll {work.canary} back ({work.canary.checksum}).")
        say(out)
        return
    say(out, f"JSON Patch, of the status of {work.rollout}:" if work.rollout else "JSON Patch:")
    for line in json_patch(_sent(work)):
        say(out, line)
    say(out)


def _sent(work: Work) -> Sequence[Operation]:
    """The operations that are sent."""
    if work.rollout is not None:
        return work.rollout.abort
    if work.canary is not None:
        return ()
    return work.proposal.patch.operations if work.proposal.patch else ()


def _diff(work: Work, source: str) -> tuple[str, ...]:
    return diff(work.snapshot.body, work.proposal.after, (f"{work.ref} ({source})", f"{work.ref} (planned)"))


def _say_warnings(out: Console, warnings: Warnings) -> None:
    say(out, ("Warning", "yellow"), f": {warnings.ref} does not mean what it looks like")
    for fault in warnings.faults:
        say(out, "  ", (fault, "bold"))
        say(out, "    Istio's validation refuses this; put it right.")
    for advice in warnings.advice:
        say(out, "  ", (advice.path, "bold"))
        say(out, f"    {advice.meaning}")
        say(out, f"    {advice.fix}")
    say(out)


def _summary(forecast: Forecast) -> str:
    if forecast.failed:
        return "Not everything could be found out; see the alerts that Failed."
    counts = Counter(work.mode for work in forecast.works)
    return " ".join(_SENTENCES[mode].format(_objects(counts[mode])) for mode in Mode if mode in counts) or (
        "Nothing would be changed."
    )


def _objects(count: int) -> str:
    return "1 routing object" if count == 1 else f"{count} routing objects"


def plan_json(forecast: Forecast) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "alerts": [alert_json(alert) for alert in forecast.alerts],
        "targets": [_work_json(work, forecast.source) for work in forecast.works],
        "warnings": warnings_json(forecast),
    } | moment_json(forecast)


def moment_json(forecast: Forecast) -> dict[str, Any]:
    """When the alerts were judged, and what could not be asked about then."""
    return {"judgedAt": forecast.moment.written, "notAsked": list(forecast.unasked)}


def alert_json(forecast: AlertForecast) -> dict[str, Any]:
    """One alert, and how it would end."""
    alert = forecast.alert
    return {
        "fingerprint": alert.fingerprint,
        "status": alert.status.value,
        "muted": forecast.muted or None,
        "labels": dict(alert.labels),
        "policy": forecast.policy.name if forecast.policy else None,
        "mode": forecast.mode.value if forecast.mode else None,
        "notEnforced": list(not_enforced(forecast.policy)) if forecast.policy else [],
        "outcomes": [_row_json(row) for row in forecast.rows],
    }


def _row_json(row: AlertOutcome) -> dict[str, Any]:
    target = row.target and {"kind": row.target.kind, "namespace": row.target.namespace, "name": row.target.name}
    return {"target": target, "outcome": row.outcome.value, "reason": row.reason.value, "message": row.message}


def _work_json(work: Work, source: str) -> dict[str, Any]:
    patch = work.proposal.patch
    return {
        "kind": work.ref.kind,
        "namespace": work.ref.namespace,
        "name": work.ref.name,
        "mode": work.mode.value,
        "changes": list(work.proposal.plan.changes),
        "diff": "\n".join(_diff(work, source)),
        "lever": work.lever.value,
        "patch": list(_sent(work)),
        "undo": [edit.operation for edit in patch.undo] if patch and work.lever is Lever.PATCH else [],
    }


def warnings_json(forecast: Forecast) -> list[dict[str, str]]:
    """What is to be said of the objects themselves."""
    return [
        {"target": str(warnings.ref), "path": path, "meaning": meaning, "fix": fix}
        for warnings in forecast.warnings
        for path, meaning, fix in (
            *(
                (fault.partition(": ")[0], f"Istio refuses this: {fault.partition(': ')[2]}.", "")
                for fault in warnings.faults
            ),
            *((advice.path, advice.meaning, advice.fix) for advice in warnings.advice),
        )
    ]
