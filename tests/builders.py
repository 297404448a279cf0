"""Short ways to write the objects that tests speak of; all are plain JSON, as the API server gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

STARTS_AT = "2026-08-01T12:00:00Z"


def destination(subset: str | None = None, host: str = "reviews", port: int | None = None) -> Json:
    """A destination; without a subset it is the whole service."""
    found: Json = {"host": host}
    if subset:
        found["subset"] = subset
    if port:
        found["port"] = {"number": port}
    return found


def split(host: str = "reviews", **weights: int | None) -> list[Json]:
    """A route over subsets: `split(v1=90, v2=10)`; a weight of None is left out."""
    return [
        {"destination": destination(subset, host)} | ({} if weight is None else {"weight": weight})
        for subset, weight in weights.items()
    ]


def by_host(**weights: int) -> list[Json]:
    """A route over hosts: `by_host(reviews_stable=90, reviews_canary=10)`."""
    return [
        {"destination": destination(host=host.replace("_", "-")), "weight": weight} for host, weight in weights.items()
    ]


def when(value: str = "beta", **entry: Any) -> Json:
    """An http entry that is matched by a header."""
    return {"match": [{"headers": {"x-user-type": {"exact": value}}}], **entry}


def virtual_service(*http: Json, name: str = "reviews", namespace: str = "shop", **spec: Any) -> Json:
    """A VirtualService of these http entries."""
    body: Json = {"hosts": [name]} | ({"http": list(http)} if http else {}) | spec
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "resourceVersion": "1"},
        "spec": body,
    }


def destination_rule(
    host: str = "reviews", namespace: str = "shop", name: str | None = None, **subsets: str | Mapping[str, str]
) -> Json:
    """A DestinationRule: subset name → version, or its labels."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": name or host.partition(".")[0].replace("*", "all"), "namespace": namespace},
        "spec": {
            "host": host,
            "subsets": [
                {"name": subset, "labels": {"version": labels} if isinstance(labels, str) else dict(labels)}
                for subset, labels in subsets.items()
            ],
        },
    }


def endpoint_slice(
    *endpoints: Json, service: str = "reviews", namespace: str = "shop", name: str | None = None, **more: str
) -> Json:
    """An EndpointSlice of a service; `more` are labels besides the one that names it."""
    return {
        "apiVersion": "discovery.k8s.io/v1beta1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name or f"{service}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service} | more,
        },
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": "http", "port": 9080}],
    }


def endpoint(address: str, pod: str | None = None, **conditions: bool | None) -> Json:
    """An endpoint: of a pod, or an address alone. Without `ready=...` it says nothing of that."""
    target = {"targetRef": {"kind": "Pod", "namespace": "shop", "name": pod}} if pod else {}
    return {"addresses": [address], "conditions": conditions} | target


def pod(name: str, namespace: str = "shop", **labels: str) -> Json:
    """A Pod with these labels."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "example.org/main"}]},
    }


def namespace(name: str, mode: str | None = None) -> Json:
    """A Namespace, with what it says of the mode."""
    annotations = {"annotations": {"remediator.io/mode": mode}} if mode is not None else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name} | annotations}


def flagger_canary(name: str = "reviews", namespace: str = "shop", **spec: Any) -> Json:
    """A Canary of Flagger's, whose apex name is its target's."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    analysis = {"interval": "15s", "threshold": 5, "maxWeight": 50, "stepWeight": 5}
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"targetRef": target, "service": {"port": 9080}, "analysis": analysis} | spec,
    }


def rollout(
    *services: str, name: str = "reviews", namespace: str = "shop", rule: str | None = None, **more: Any
) -> Json:
    """A Rollout of Argo's that drives these VirtualServices: a split by the hosts NAME-stable and NAME-canary, or by
    the subsets stable and canary of the DestinationRule `rule`. `more` are other members."""
    named: list[Json] = [{"name": service, "routes": ["primary"]} for service in services]
    istio: Json = {"virtualServices": named} if len(named) > 1 else {}
    if len(named) == 1:
        istio["virtualService"] = named[0]
    canary: Json = {"trafficRouting": {"istio": istio}, "steps": [{"setWeight": 10}, {"pause": {}}]}
    if rule:
        istio["destinationRule"] = {"name": rule, "canarySubsetName": "canary", "stableSubsetName": "stable"}
    else:
        canary |= {"canaryService": f"{name}-canary", "stableService": f"{name}-stable"}
    selector = {"app": name}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-rollout-{name}", "resourceVersion": "1"},
        "spec": {
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": selector},
                "spec": {"containers": [{"name": "main", "image": "example.org/main", "resources": {}}]},
            },
            "strategy": {"canary": canary},
        },
    } | more


def updating(current: str = "new", stable: str = "old", **more: Any) -> Json:
    """The status of a Rollout that is at an update."""
    return {"currentPodHash": current, "stableRS": stable} | more


def managed(manager: str, at: str, *fields: str, **more: Any) -> Json:
    """An entry of managedFields: who owns these fields of the spec, and when it last changed anything."""
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "networking.istio.io/v1",
        "time": at,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {".": {}} | {f"f:{field}": {} for field in fields}},
    } | more


def labels(version: str | None = "v2", name: str = "reviews", namespace: str = "shop", **more: str) -> dict[str, str]:
    """The labels of an alert that accuses a version of a service."""
    found = {
        "alertname": "CanaryErrorRatioAboveStable",
        "severity": "critical",
        "destination_service_name": name,
        "destination_service_namespace": namespace,
    }
    return found | ({"destination_version": version} if version else {}) | more


def alert(labels: Mapping[str, str], *, fingerprint: str = "", status: str = "firing") -> Json:
    """One alert of a notification."""
    return {
        "status": status,
        "labels": dict(labels),
        "annotations": {},
        "startsAt": STARTS_AT,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": fingerprint,
    }


def notification(alerts: Sequence[Json], **more: Any) -> Json:
    """A notification as Alertmanager posts it."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="CanaryErrorRatioAboveStable"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "remediator",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
    } | more


def policy(name: str = "canary", **spec: Any) -> Json:
    """A policy document; keys of `spec` override the defaults given here."""
    return {
        "apiVersion": "remediator.io/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchers": ['alertname =~ "Canary.*"'],
            "actions": ["RevertToStable", "RemoveMirrors"],
        }
        | spec,
    }
