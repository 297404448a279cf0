"""`python -m benchmarks.flagger [--flagger FILE]`: Flagger's own binary asks the service whether to roll back.

Everything is real but the pods: etcd, kube-apiserver with RBAC, Istio's and Flagger's CustomResourceDefinitions,
`remediator serve` with the permissions of its chart, and Flagger, whose Deployments are called ready by this program.
It needs KUBEBUILDER_ASSETS, and Flagger: `go install github.com/fluxcd/flagger/cmd/flagger@v1.44.0`.

1. a revision is on trial, and an alert accuses it: Flagger rolls it back, and is measured;
2. the next revision comes while the alert fires on: Flagger promotes it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, Final
from urllib.error import HTTPError

from remediator.web.auth import hook_token
from tests.builders import alert, flagger_canary, labels, notification
from tests.definitions import CRDS, crds
from tests.processes import Missing, Process, free_port, wait_until
from tests.servers import ApiServer, running_api_server
from tests.service import PERMISSIONS, UNGUARDED, Service, running_service

Json = dict[str, Any]

INTERVAL_S: Final = 10
"""Flagger's least."""
_PATIENCE_S: Final = 180.0
_POLLS: Final = 200
_MERGE: Final = "application/merge-patch+json"
_DEPLOYMENTS: Final = "/apis/apps/v1/namespaces/shop/deployments"
_CANARY: Final = "/apis/flagger.app/v1beta1/namespaces/shop/canaries/reviews"
_SERVICE: Final = "/apis/networking.istio.io/v1beta1/namespaces/shop/virtualservices/reviews"
_FINGERPRINT: Final = "e" * 16


@dataclass(frozen=True)
class Result:
    """Seconds from sending the alert."""

    offered: float
    """Until Alertmanager has its answer."""
    answered: float
    """Until the service says in its log that Flagger was told."""
    withdrawn: float
    """Until the canary's weight is 0."""
    polls: tuple[float, ...]
    """Of the hook alone, over connections of their own: seconds each."""


def main() -> int:
    """Show it, and print the figures; 1 if something is not there, or is not as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flagger", description=__doc__.splitlines()[0])
    parser.add_argument("--flagger", type=Path, metavar="FILE", help="the binary; otherwise that of PATH or GOBIN")
    try:
        with _world(_binary(parser.parse_args().flagger)) as world:
            result = world.show()
    except (Missing, AssertionError, OSError, RuntimeError) as fault:
        print(f"error: {type(fault).__name__}: {fault}", file=sys.stderr)
        return 1
    print(f"alert sent → answered to Alertmanager     {result.offered:8.3f} s")
    print(f"alert sent → Flagger told to roll back    {result.answered:8.3f} s  (its interval is {INTERVAL_S} s)")
    print(f"alert sent → the canary's weight is 0     {result.withdrawn:8.3f} s")
    polls = result.polls
    print(f"the hook alone, {len(polls)} times: median {median(polls):.4f} s, at most {max(polls):.4f} s")
    return 0


def _binary(given: Path | None) -> str:
    """Raises Missing."""
    found = given or shutil.which("flagger", path=os.pathsep.join([os.environ.get("GOBIN", ""), os.environ["PATH"]]))
    if not found or not Path(found).exists():
        raise Missing("flagger is not on PATH: go install github.com/fluxcd/flagger/cmd/flagger@v1.44.0")
    return str(found)


class World:
    """A Canary that Flagger drives, and the service in front of the same API server."""

    def __init__(self, server: ApiServer, service: Service) -> None:
        self._server, self._service = server, service

    def show(self) -> Result:
        """The two revisions, one after the other. Raises AssertionError where it is not as it has to be."""
        self._deploy("first")
        self._create_canary()
        self._until("Initialized", lambda: self._phase() == "Initialized")
        self._deploy("bad")
        self._until("the bad revision has traffic", lambda: self._weight() > 0)
        began = datetime.now(UTC)
        result = self._rolled_back(began)
        self._deploy("good")
        self._until("the good revision has traffic", lambda: self._weight() > 0)
        # Its window still has what the bad one did.
        outcome = self._deliver(began)
        assert (outcome["outcome"], outcome["reason"]) == ("Denied", "StaleEvidence"), outcome
        self._until("Succeeded", lambda: self._phase() in ("Succeeded", "Failed"))
        assert self._phase() == "Succeeded", self._server.request("GET", _CANARY)["status"]
        print("the accused revision was rolled back, the next one was promoted while the same alert fired")
        return result

    def _rolled_back(self, began: datetime) -> Result:
        before = self._server.request("GET", _SERVICE)["metadata"]
        begin = monotonic()
        outcome = self._deliver(began)
        offered = monotonic() - begin
        assert (outcome["outcome"], outcome["reason"]) == ("Planned", "RollbackOffered"), outcome
        self._until("told", lambda: self._service.outcomes(reason="RolledBack"), pause=0.005)
        answered = monotonic() - begin
        self._until("no weight", lambda: self._weight() == 0, pause=0.005)
        withdrawn = monotonic() - begin
        self._until("Failed", lambda: self._phase() == "Failed")
        after = self._server.request("GET", _SERVICE)["metadata"]
        assert before.get("annotations") == after.get("annotations"), "somebody has annotated Flagger's object"
        _, record = self._service.ask("GET", f"/api/v1/remediations/shop/{outcome['remediation']}")
        assert (record["status"]["phase"], record["spec"]["lever"]) == ("Applied", "Flagger"), record
        return Result(offered, answered, withdrawn, self._polls(record["spec"]["rollback"]["checksum"]))

    def _polls(self, checksum: str) -> tuple[float, ...]:
        """Ask as Flagger does, for this revision and for another, in turn."""
        asked = {"name": "reviews", "namespace": "shop", "phase": "Progressing"}
        found = []
        for number in range(_POLLS):
            body = json.dumps(asked | {"checksum": (checksum, "another")[number % 2]}).encode()
            begin = monotonic()
            with contextlib.closing(self._service.client()) as client:
                client.request("POST", "/flagger/rollback", body, self._service.headers)
                answer = client.getresponse()
                assert answer.status == (200, 404)[number % 2]
                assert answer.read() == b""
            found.append(monotonic() - begin)
        return tuple(found)

    def _deliver(self, began: datetime) -> Json:
        found = alert(labels(name="reviews-canary"), fingerprint=_FINGERPRINT) | {"startsAt": began.isoformat()}
        code, answer = self._service.post(notification([found]))
        assert code == 200, answer
        (outcome,) = answer["outcomes"]
        return dict(outcome)

    def _deploy(self, image: str) -> None:
        """Create the target, or give it another image."""
        containers = [{"name": "main", "image": f"example.org/{image}"}]
        template = {"metadata": {"labels": {"app": "reviews"}}, "spec": {"containers": containers}}
        spec = {"replicas": 1, "selector": {"matchLabels": {"app": "reviews"}}, "template": template}
        try:
            self._server.request(
                "PATCH", f"{_DEPLOYMENTS}/reviews", {"spec": {"template": template}}, content_type=_MERGE
            )
        except HTTPError:
            self._server.request("POST", _DEPLOYMENTS, {"metadata": {"name": "reviews"}, "spec": spec})

    def _create_canary(self) -> None:
        token = hook_token(self._service.token_file.read_bytes().strip())
        hook = {"name": "remediator", "type": "rollback", "url": f"{self._service.url}/flagger/rollback/{token}"}
        analysis = {"interval": f"{INTERVAL_S}s", "threshold": 5, "maxWeight": 30, "stepWeight": 10, "webhooks": [hook]}
        self._server.request("POST", _CANARY.rpartition("/")[0], flagger_canary(analysis=analysis))

    def _phase(self) -> str:
        return str(self._server.request("GET", _CANARY).get("status", {}).get("phase", ""))

    def _weight(self) -> int:
        """Of the canary."""
        route = self._server.request("GET", _SERVICE)["spec"]["http"][0]["route"]
        return sum(each.get("weight", 0) for each in route if each["destination"]["host"].endswith("-canary"))

    def _until(self, what: str, condition: Callable[[], object], pause: float = 0.2) -> None:
        wait_until(condition, what, timeout=_PATIENCE_S, pause=pause)
        print(f"  {datetime.now(UTC):%H:%M:%S} {what}", flush=True)


@contextlib.contextmanager
def _world(flagger: str) -> Iterator[World]:
    """Raises Missing."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_api_server())
        server.install(crds(CRDS / "flagger.yaml", "canaries", "metrictemplates", "alertproviders"))
        server.namespace("shop")
        server.allow("guest", *PERMISSIONS)
        service = stack.enter_context(running_service(server.kubeconfig("guest"), [UNGUARDED]))
        stack.enter_context(_deployments_are_ready(server))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flagger-")))
        flags = (
            "-mesh-provider=istio",
            "-control-loop-interval=1s",
            "-log-level=info",
            "-metrics-server=http://127.0.0.1:9",
        )
        command = (flagger, f"-kubeconfig={server.kubeconfig()}", f"-port={free_port()}", *flags)
        process = Process(command, folder / "flagger.log", folder)
        process.start()
        stack.callback(process.terminate)
        yield World(server, service)


@contextlib.contextmanager
def _deployments_are_ready(server: ApiServer) -> Iterator[None]:
    """No controllers and no pods are there: whatever a Deployment asks for is called ready."""
    over = threading.Event()

    def call_ready() -> None:
        while not over.wait(0.2):
            for each in server.request("GET", _DEPLOYMENTS)["items"]:
                with contextlib.suppress(HTTPError):  # Flagger was quicker
                    _call_ready(server, each)

    thread = threading.Thread(target=call_ready, name="deployments", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _call_ready(server: ApiServer, deployment: Json) -> None:
    generation, replicas = deployment["metadata"]["generation"], deployment["spec"]["replicas"]
    if deployment.get("status", {}).get("observedGeneration") == generation:
        return
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
    conditions = [
        {"type": "Available", "status": "True"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ]
    status = {"observedGeneration": generation, "conditions": conditions} | counts
    path = f"{_DEPLOYMENTS}/{deployment['metadata']['name']}/status"
    server.request("PUT", path, deployment | {"status": status})


if __name__ == "__main__":
    sys.exit(main())
