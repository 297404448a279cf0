"""Reads what is kept of a Canary and of a Rollout. What is malformed tells nothing.

Facts are from fluxcd/flagger pkg/apis/flagger/v1beta1/canary.go and argoproj/argo-rollouts utils/istio/istio.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from remediator.alerts.values import moment
from remediator.errors import NotificationError
from remediator.owners.checksum import checksum
from remediator.owners.model import Canary, Name, Rollout, Side, Update, Versions
from remediator.traffic.hosts import resolve
from remediator.traffic.subsets import version_in

Json = Mapping[str, Any]

_INTERVAL: Final = timedelta(seconds=60)
_LEAST_INTERVAL: Final = timedelta(seconds=10)
_GO_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_GO_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_GO_DURATION: Final = re.compile(rf"(?:{_GO_PART.pattern})+")


def read_canary(body: Json) -> Canary:
    """Read a Canary's JSON."""
    namespace, name = name_of(body)
    spec = mapping(body.get("spec"))
    apex = mapping(spec.get("service")).get("name") or mapping(spec.get("targetRef")).get("name")
    analysis = spec.get("analysis", spec.get("canaryAnalysis"))
    status = mapping(body.get("status"))
    applied, configs = str(status.get("lastAppliedSpec") or ""), status.get("trackedConfigs")
    tracked = {str(key): str(value) for key, value in configs.items()} if isinstance(configs, Mapping) else None
    return Canary(
        namespace,
        name,
        str(apex or ""),
        str(spec.get("provider") or ""),
        phase=str(status.get("phase") or ""),
        checksum=checksum(applied, tracked) if applied else "",
        began=_began(status),
        interval=_interval(mapping(analysis).get("interval")),
        rollback_urls=tuple(_rollback_urls(mapping(analysis))),
        suspended=spec.get("suspend") is True,
        skips_analysis=analysis is None or spec.get("skipAnalysis") is True,
    )


def _began(status: Json) -> datetime | None:
    """Since when the Canary's condition says of what is on trial that nobody knows yet how it ends.

    A revision that comes while another is on trial does not change that time (pkg/canary/status.go,
    MakeStatusConditions).
    """
    found = status.get("conditions")
    for each in map(mapping, found if isinstance(found, list) else ()):
        if each.get("type") == "Promoted" and each.get("status") == "Unknown":
            try:
                return datetime.fromisoformat(str(each.get("lastTransitionTime"))).astimezone(UTC)
            except ValueError:
                return None
    return None


def _interval(text: object) -> timedelta:
    """Of an analysis: 60 s where there is none that can be read, and 10 s at least (GetAnalysisInterval)."""
    try:
        found = timedelta(seconds=_go_seconds(str(text or "")))
    except (ValueError, OverflowError):
        return _INTERVAL
    return max(found, _LEAST_INTERVAL)


def _go_seconds(text: str) -> float:
    """A duration as Go writes it: `1m30s`. Raises ValueError."""
    if not _GO_DURATION.fullmatch(text):
        raise ValueError(text)
    return sum(float(count) * _GO_UNITS[unit] for count, unit in _GO_PART.findall(text))


def _rollback_urls(analysis: Json) -> Iterator[str]:
    hooks = analysis.get("webhooks")
    for each in map(mapping, hooks if isinstance(hooks, list) else ()):
        if each.get("type") == "rollback" and each.get("url"):
            yield str(each["url"])


def read_rollout(body: Json) -> Rollout:
    """Read a Rollout's JSON."""
    namespace, name = name_of(body)
    canary = mapping(mapping(mapping(body.get("spec")).get("strategy")).get("canary"))
    istio = mapping(mapping(canary.get("trafficRouting")).get("istio"))
    several = istio.get("virtualServices")
    named = [istio.get("virtualService"), *(several if isinstance(several, list) else ())]
    texts = (str(mapping(each).get("name") or "") for each in named)
    split = mapping(istio.get("destinationRule"))
    rule = split.get("name")
    return Rollout(
        namespace,
        name,
        uid=str(metadata(body).get("uid") or ""),
        drives=frozenset(_qualified(text, namespace) for text in texts if text),
        rule=(namespace, str(rule)) if rule else None,
        canary=_side(canary.get("canaryService"), split.get("canarySubsetName"), namespace),
        stable=_side(canary.get("stableService"), split.get("stableSubsetName"), namespace),
        update=_update(mapping(body.get("status"))),
        versions=_versions(body),
    )


def _side(service: object, subset: object, namespace: str) -> Side:
    return Side(resolve(str(service), namespace) if service else None, str(subset or ""))


def _update(status: Json) -> Update:
    return Update(
        str(status.get("currentPodHash") or ""), str(status.get("stableRS") or ""), status.get("abort") is True
    )


def _versions(body: Json) -> Versions:
    template = mapping(mapping(body.get("spec")).get("template"))
    # Until its controller has seen the newest spec, the hashes of the status are of another template.
    observed, newest = mapping(body.get("status")).get("observedGeneration"), metadata(body).get("generation")
    is_current = observed is not None and str(observed) == str(newest)
    version = version_in(mapping(metadata(template).get("labels"))) if is_current else None
    return Versions(version, since=_written_at(body))


def _written_at(body: Json) -> datetime | None:
    """When a writer of the pod template last wrote anything; the template may be older."""
    entries = metadata(body).get("managedFields")
    found = []
    for entry in map(mapping, entries if isinstance(entries, list) else ()):
        if "f:template" in mapping(mapping(entry.get("fieldsV1")).get("f:spec")):
            found.append(_time(entry.get("time")))
    known = [each for each in found if each is not None]
    return max(known) if known and len(known) == len(found) else None


def _time(value: object) -> datetime | None:
    try:
        return moment(value, "time")
    except NotificationError:
        return None


def _qualified(text: str, namespace: str) -> Name:
    """A Rollout names a VirtualService as NAME, or NAME.NAMESPACE."""
    name, dot, elsewhere = text.partition(".")
    return (elsewhere, name) if dot and name and elsewhere else (namespace, text.rstrip("."))


def name_of(body: Json) -> Name:
    """Namespace and name of an object."""
    found = metadata(body)
    return str(found.get("namespace") or "default"), str(found.get("name") or "")


def metadata(body: Json) -> Json:
    """The `metadata` of an object."""
    return mapping(body.get("metadata"))


def mapping(value: object) -> Json:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}
