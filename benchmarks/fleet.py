"""The services of the benchmark: each has a canary at 10 %, mirrored in full, in a VirtualService of about 3.4 KB."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from remediator.outcome import TargetRef
from remediator.records.times import micro_time
from remediator.traffic.stamp import ANNOTATION

Json = dict[str, Any]

GROUP: Final = "/apis/networking.istio.io/v1"
PER_NAMESPACE: Final = 100
FENCE: Final = 99_999
"""A service besides those that are measured; see Stage.settle."""

WITHDRAW: Final[list[Json]] = [
    {"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 100},
    {"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 0},
    {"op": "remove", "path": "/spec/http/0/mirror"},
    {"op": "remove", "path": "/spec/http/0/mirrorPercentage"},
]
"""What the service is to do to a VirtualService, as a bare JSON Patch without any precondition, and without naming
its record."""

_STAMP: Final = f"/metadata/annotations/{ANNOTATION.replace('/', '~1')}"


def target(number: int) -> TargetRef:
    """The VirtualService of the service with this number."""
    return TargetRef("VirtualService", f"shop-{number // PER_NAMESPACE:03}", f"service-{number:05}")


def path(number: int, plural: str = "virtualservices") -> str:
    """Where the API server has it."""
    return f"{collection(number, plural)}/{target(number).name}"


def collection(number: int, plural: str) -> str:
    """Where it is created."""
    return f"{GROUP}/namespaces/{target(number).namespace}/{plural}"


def everywhere(plural: str) -> str:
    """Where the API server has all of a kind."""
    return f"{GROUP}/{plural}"


def restore(number: int) -> list[Json]:
    """The JSON Patch that makes the VirtualService what it was at first, without any precondition.

    No undo: after that the service would leave the canary alone.
    """
    return [
        {"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 90},
        {"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 10},
        {"op": "add", "path": "/spec/http/0/mirror", "value": {"host": target(number).name, "subset": "v2"}},
        {"op": "add", "path": "/spec/http/0/mirrorPercentage", "value": {"value": 100}},
        # Nothing can be removed that is not there, and a bare PATCH leaves none.
        {"op": "add", "path": _STAMP, "value": ""},
        {"op": "remove", "path": _STAMP},
    ]


def virtual_service(number: int) -> Json:
    """A split with much around it, and further routes to the stable version."""
    ref = target(number)
    shares = [_share(ref.name, "v1", 90), _share(ref.name, "v2", 10)]
    mirror = {"mirror": {"host": ref.name, "subset": "v2"}, "mirrorPercentage": {"value": 100}}
    others = [_entry(position, {"route": [_share(ref.name, "v1", 100)]}) for position in range(1, 5)]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": _metadata(ref),
        "spec": {
            "hosts": [ref.name, f"{ref.name}.example.org"],
            "gateways": ["mesh", "istio-system/public"],
            "http": [_entry(0, {"route": shares} | mirror), *others],
        },
    }


def destination_rule(number: int) -> Json:
    """Its two versions."""
    ref = target(number)
    subsets = [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": _metadata(ref),
        "spec": {"host": ref.name, "subsets": subsets},
    }


def alert(number: int, starts_at: datetime) -> Json:
    """The alert that accuses its canary. The next firing of the same alert starts at another time."""
    ref = target(number)
    labels = {
        "alertname": "CanaryErrorRatioAboveStable",
        "severity": "critical",
        "destination_service_name": ref.name,
        "destination_service_namespace": ref.namespace,
        "destination_version": "v2",
    }
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": f"{ref.name} v2 fails more often than v1", "runbook_url": "https://example.org/r"},
        "startsAt": micro_time(starts_at),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.org/graph?g0.expr=x",
        "fingerprint": f"{number:016x}",
    }


def policy(*, endpoints: bool = False) -> Json:
    """The policy that takes these alerts, one right after the other.

    Args:
        endpoints: whether those of the stable version are counted, which takes two requests more.
    """
    # Between two rounds the traffic is put back, and nobody is to answer that.
    guards = {"cooldown": "0s", "hold": "0s", "stableReady": "80%" if endpoints else "0%"}
    actions = ["RevertToStable", "RemoveMirrors"]
    return {
        "apiVersion": "remediator.io/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": "canary"},
        "spec": {"matchers": ['alertname =~ "Canary.*"'], "actions": actions, "guards": guards},
    }


FLAGS: Final = ("--budget", "999999/1d", "--max-alert-age", "0")
"""There is a budget, and each alert is held against it; but its end is never met. What was put back for the next round
was changed after the alerts began."""


def endpoint_slice(number: int) -> Json:
    """Three endpoints of each version, all of them ready."""
    ref = target(number)
    pods = [_pod_name(ref, version, replica) for version in ("v1", "v2") for replica in range(3)]
    endpoints = [
        {
            "addresses": [f"10.{number % 200}.0.{position}"],
            "conditions": {"ready": True},
            "targetRef": {"kind": "Pod", "name": name, "namespace": ref.namespace},
        }
        for position, name in enumerate(pods, start=1)
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1beta1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {"kubernetes.io/service-name": ref.name},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
    }


def pods(number: int) -> list[Json]:
    """The pods behind them, as nobody runs them."""
    ref = target(number)
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": _pod_name(ref, version, replica),
                "namespace": ref.namespace,
                "labels": {"app": ref.name, "version": version},
            },
            "spec": {"containers": [{"name": "main", "image": "example.org/none"}]},
        }
        for version in ("v1", "v2")
        for replica in range(3)
    ]


def _pod_name(ref: TargetRef, version: str, replica: int) -> str:
    return f"{ref.name}-{version}-{replica}"


def _metadata(ref: TargetRef) -> Json:
    labels = {
        "app.kubernetes.io/name": ref.name,
        "app.kubernetes.io/part-of": "shop",
        "app.kubernetes.io/managed-by": "argocd",
    }
    annotations = {"example.org/owner": f"team of {ref.name}", "example.org/runbook": f"https://example.org/{ref.name}"}
    return {"name": ref.name, "namespace": ref.namespace, "labels": labels, "annotations": annotations}


def _share(host: str, subset: str, weight: int) -> Json:
    return {"destination": {"host": host, "subset": subset, "port": {"number": 8080}}, "weight": weight}


def _entry(position: int, routing: Json) -> Json:
    return {
        "name": f"route-{position}",
        "match": [{"uri": {"prefix": f"/api/v{position}/"}, "headers": {"x-tenant": {"regex": "^[a-z0-9-]{1,63}$"}}}],
        "timeout": "5s",
        "retries": {"attempts": 3, "perTryTimeout": "1500ms", "retryOn": "connect-failure,refused-stream,5xx"},
        "headers": {"response": {"set": {"x-route": f"route-{position}"}, "remove": ["x-powered-by"]}},
        "corsPolicy": {
            "allowOrigins": [{"exact": "https://example.org"}],
            "allowMethods": ["GET", "POST"],
            "maxAge": "24h",
        },
    } | routing
