"""Reads what is kept of a Canary and of a Rollout. What is malformed tells nothing.

Facts are from fluxcd/flagger pkg/apis/flagger/v1beta1/canary.go and argoproj/argo-rollouts utils/istio/istio.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from remediator.alerts.values import moment
from remediator.errors import NotificationError
from remediator.owners.model import Canary, Name, Rollout, Side, Trial, Update
from remediator.traffic.hosts import resolve
from remediator.traffic.subsets import version_in

Json = Mapping[str, Any]


def read_canary(body: Json) -> Canary:
    """Read a Canary's JSON."""
    namespace, name = name_of(body)
    spec = mapping(body.get("spec"))
    apex = mapping(spec.get("service")).get("name") or mapping(spec.get("targetRef")).get("name")
    return Canary(namespace, name, str(apex or ""), str(spec.get("provider") or ""))


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
        trial=_trial(body),
    )


def _side(service: object, subset: object, namespace: str) -> Side:
    return Side(resolve(str(service), namespace) if service else None, str(subset or ""))


def _update(status: Json) -> Update:
    return Update(
        str(status.get("currentPodHash") or ""), str(status.get("stableRS") or ""), status.get("abort") is True
    )


def _trial(body: Json) -> Trial:
    template = mapping(mapping(body.get("spec")).get("template"))
    # Until its controller has seen the newest spec, the hashes of the status are of another template.
    observed, newest = mapping(body.get("status")).get("observedGeneration"), metadata(body).get("generation")
    is_current = observed is not None and str(observed) == str(newest)
    version = version_in(mapping(metadata(template).get("labels"))) if is_current else None
    return Trial(version, since=_written_at(body))


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
