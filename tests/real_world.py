"""A real API server as a world for the contract: the adapter, and an administrator who changes things."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

from remediator.cluster.credentials import credentials
from remediator.cluster.kubernetes import KubernetesCluster
from remediator.cluster.pace import Pace
from remediator.cluster.rest import Rest
from remediator.errors import NotSynced
from remediator.outcome import TargetRef
from remediator.records.ledger import Ledger
from tests.processes import wait_until
from tests.servers import ApiServer

GROUP = "/apis/networking.istio.io/v1beta1"
PLURALS = {"VirtualService": "virtualservices", "DestinationRule": "destinationrules"}
CORE = "/api/v1"
SLICES = "/apis/discovery.k8s.io/v1beta1"
"""As Kubernetes 1.20 has them, and 1.25 no more."""
RECORDS = "/apis/remediator.io/v1alpha1"
EVENTS = "/apis/events.k8s.io/v1"
MODE = "remediator.io/mode"
QUICK = Pace(first_wait=0.01, longest_wait=0.2)

Json = dict[str, Any]


def may_read(*kinds: str) -> Json:
    """An RBAC rule: list and watch these kinds."""
    plurals = PLURALS | {"Remediation": "remediations", "Pause": "pauses", "Namespace": "namespaces"}
    groups = ["networking.istio.io", "remediator.io", ""]
    return {"apiGroups": groups, "resources": [plurals[kind] for kind in kinds], "verbs": ["list", "watch"]}


class Clock:
    """Unix time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class RealWorld:
    """A cluster with the test's own objects, and an administrator who changes them."""

    def __init__(self, server: ApiServer, cluster: KubernetesCluster) -> None:
        self.server = server
        self.cluster = cluster

    @property
    def ledger(self) -> Ledger:
        return self.cluster.ledger

    @cached_property
    def bare(self) -> Ledger:
        return KubernetesCluster(rest_of(self.server)).ledger

    def create(self, body: Json) -> None:
        if body["kind"] == "Namespace":  # other tests have made it before
            self.server.apply(f"{CORE}/namespaces", body)
            return
        self.server.namespace(body["metadata"]["namespace"])
        self.server.request("POST", collection_of(body["kind"], body["metadata"]["namespace"]), body)

    def edit(self, ref: TargetRef, change: Callable[[Json], Any]) -> None:
        body = self.server.request("GET", path_of(ref))
        change(body)
        self.server.request("PUT", path_of(ref), body)

    def delete(self, ref: TargetRef) -> None:
        self.server.request("DELETE", path_of(ref))

    def eventually(self, condition: Callable[[], object]) -> object:
        found: list[object] = []

        def held() -> bool:
            # Not believed for a moment is one of the things that pass.
            with suppress(NotSynced):
                found[:] = [condition()]
            return bool(found and found[0])

        wait_until(held, "what the test waits for", timeout=20)
        return found[0]


def collection_of(kind: str, namespace: str) -> str:
    if kind == "Namespace":
        return f"{CORE}/namespaces"
    others = {"EndpointSlice": (SLICES, "endpointslices"), "Pod": (CORE, "pods")}
    group, plural = others[kind] if kind in others else (GROUP, PLURALS[kind])
    return f"{group}/namespaces/{namespace}/{plural}"


def path_of(ref: TargetRef) -> str:
    return f"{collection_of(ref.kind, ref.namespace)}/{ref.name}"


def cleared(server: ApiServer) -> None:
    """Delete every routing object, rule, record, Event, pause, Pod and EndpointSlice, and what namespaces say of the
    mode."""
    collections = [f"{GROUP}/{plural}" for plural in PLURALS.values()]
    collections += [f"{RECORDS}/remediations", f"{EVENTS}/events", f"{CORE}/pods", f"{SLICES}/endpointslices"]
    for path in collections:
        group, _, plural = path.rpartition("/")
        for namespace in {body["metadata"]["namespace"] for body in server.request("GET", path)["items"]}:
            server.request("DELETE", f"{group}/namespaces/{namespace}/{plural}")
    for body in server.request("GET", f"{CORE}/namespaces")["items"]:
        if MODE in body["metadata"].get("annotations", {}):
            server.apply(f"{CORE}/namespaces", {"metadata": {"name": body["metadata"]["name"]}})
    server.request("DELETE", f"{RECORDS}/pauses")


def rest_of(server: ApiServer, user: str = "admin", *, port: int | None = None, read_timeout: float = 10.0) -> Rest:
    return Rest(credentials(str(server.kubeconfig(user, port=port)), None), read_timeout=read_timeout)


Start = Callable[..., RealWorld]
"""Starts an adapter on the empty server: `start(user, port=..., **options of KubernetesCluster)`."""
