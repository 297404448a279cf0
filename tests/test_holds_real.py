"""A withdrawal is held up on a real API server, against a scripted GitOps controller and against a person, by two
replicas at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from statistics import median
from typing import Any

import pytest

from remediator.alerts import parse_notification
from remediator.cluster.kubernetes import KubernetesCluster
from remediator.cluster.news import News
from remediator.guards.situation import Bounds
from remediator.metrics import Metrics
from remediator.outcome import TargetRef
from remediator.pipeline import Pipeline
from remediator.pipeline.holds import Holds
from remediator.pipeline.shell import Clock
from remediator.policies.model import Guards, PolicySet
from remediator.records.model import Release, Request
from remediator.traffic.gitops import MARK, RECONCILE
from tests import builders
from tests.builders import split
from tests.canaries import Canaries, Json, delivery, main_route
from tests.processes import wait_until
from tests.real_world import QUICK, RECORDS, cleared, collection_of, rest_of
from tests.servers import ApiServer
from tests.service import ANY_EVIDENCE, PERMISSIONS, running_service
from tests.test_pipeline import Loaded, Policies, policy

pytestmark = pytest.mark.servers

GUARDS = Guards(stable_ready=0.0, cooldown=timedelta())
LONGEST_S = 1.0
LONGEST_UNDER_LOAD_S = 5.0
"""For one of them, where other tests keep all cores busy."""
DEADLINE_S = 20.0
INTERVAL_S = 2.0
"""Between two writes of a GitOps controller that knows no better."""

_numbers = count()


@dataclass
class Mesh:
    """Two replicas that hold what one of them has taken away, and somebody who watches both and the others."""

    canaries: Canaries
    replicas: tuple[Pipeline, ...]
    witness: KubernetesCluster
    news: News
    late: list[timedelta] = field(default_factory=lambda: [timedelta()])
    """How late it is for the replicas."""

    def create(self) -> str:
        """A namespace with a canary that an alert has taken the traffic from."""
        namespace = f"held-{next(_numbers)}"
        self.canaries.create(namespace)
        for replica in self.replicas:
            wait_until(partial(replica.cluster.find, ref(namespace)), f"the canary of {namespace} is known")
        (row,) = self.replicas[0].handle(parse_notification(delivery(namespace)))
        assert "Applied" == row.outcome
        return namespace

    def revert(self, namespace: str, by: Revert) -> float:
        """Have it put back; for how many seconds the canary then has traffic, as the witness sees it."""
        body = self.canaries.live(namespace)
        begun = time.monotonic()
        by(self.canaries.server, namespace, body)
        wait_until(lambda: self.withdrawn(namespace, body), "it is brought back", DEADLINE_S, pause=0.005)
        return time.monotonic() - begun

    def withdrawn(self, namespace: str, before: Json) -> bool:
        """Whether the witness has seen it brought back since it was at `before`."""
        found = self.witness.find(ref(namespace))
        assert found is not None
        newer = int(found.routing.resource_version) > int(before["metadata"]["resourceVersion"]) + 1
        return newer and split(v1=100, v2=0) == main_route(found.body)["route"]

    def hold(self, namespace: str) -> Json:
        """What the record says of its hold."""
        return dict(self.canaries.record(namespace)["status"].get("hold", {}))

    def done(self, namespace: str, times: int) -> bool:
        """Whether so many enforcements are written as done."""
        return times == sum("doneAt" in each for each in self.hold(namespace).get("enforcements", ()))

    def exposed(self, namespace: str) -> bool:
        return split(v1=90, v2=10) == main_route(self.canaries.live(namespace))["route"]


Revert = Callable[[ApiServer, str, Json], object]


def ref(namespace: str) -> TargetRef:
    return TargetRef("VirtualService", namespace, "reviews")


def original(body: Json) -> Json:
    """What stands in Git."""
    spec = dict(body["spec"])
    header, main = (dict(entry) for entry in spec["http"])
    header["route"] = split(v2=100)
    main |= {"route": split(v1=90, v2=10)}
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": {"name": "reviews", "namespace": body["metadata"]["namespace"]},
        "spec": spec | {"http": [header, main]},
    }


def applied(manager: str, server: ApiServer, namespace: str, body: Json) -> None:
    """Server-side apply, as the GitOps controllers do it: what is another's is taken."""
    path = f"{collection_of('VirtualService', namespace)}/reviews?fieldManager={manager}&force=true"
    server.request("PATCH", path, original(body), content_type="application/apply-patch+yaml")


def edited(server: ApiServer, namespace: str, body: Json) -> None:
    """As `kubectl edit` does it."""
    path = f"{collection_of('VirtualService', namespace)}/reviews?fieldManager=kubectl-edit"
    server.request("PUT", path, body | {"spec": original(body)["spec"]})


WRITERS: tuple[tuple[str, Revert], ...] = (
    ("kustomize-controller", partial(applied, "kustomize-controller")),
    ("argocd-controller", partial(applied, "argocd-controller")),
    ("kubectl-edit", edited),
)


@pytest.fixture(scope="module")
def mesh(api_server: ApiServer) -> Iterator[Mesh]:
    cleared(api_server)
    api_server.allow("guest", *PERMISSIONS)
    late = [timedelta()]
    with ExitStack() as stack:
        executor = stack.enter_context(ThreadPoolExecutor(8))

        def started(user: str) -> KubernetesCluster:
            cluster = KubernetesCluster(rest_of(api_server, user), pace=QUICK)
            stack.callback(cluster.stop)
            cluster.start()
            wait_until(lambda: cluster.health().synced, "the index is complete", DEADLINE_S)
            return cluster

        def replica() -> Pipeline:
            store: Any = Policies(Loaded(PolicySet((policy(guards=GUARDS),))))
            clock = Clock(now=lambda: datetime.now(UTC) + late[0])
            bounds = Bounds(max_alert_age=None)
            pipeline = Pipeline(started("guest"), store, Metrics(), executor, bounds=bounds, clock=clock)
            kept = Holds(pipeline, gitops_pause=True)
            kept.start()
            stack.callback(kept.stop)
            return pipeline

        witness = started("admin")
        yield Mesh(Canaries(api_server), (replica(), replica()), witness, witness.news(), late)


def test_the_service_does_so(api_server: ApiServer) -> None:
    """`remediator serve` with the permissions that are documented, and the pauses that it has. First, before others
    hold anything here."""
    cleared(api_server)
    canaries = Canaries(api_server)
    api_server.allow("guest", *PERMISSIONS)
    namespace = f"held-{next(_numbers)}"
    canaries.create(namespace)
    guards = builders.policy(guards={"stableReady": "0%"})
    with running_service(api_server.kubeconfig("guest"), [guards], *ANY_EVIDENCE) as service:
        code, answer = service.post(delivery(namespace))
        assert (200, "Applied") == (code, answer["outcomes"][0]["outcome"])
        edited(api_server, namespace, canaries.live(namespace))

        def brought_back() -> bool:
            return split(v1=100, v2=0) == main_route(canaries.live(namespace))["route"]

        wait_until(brought_back, "it is brought back", DEADLINE_S)
        name = canaries.record(namespace)["metadata"]["name"]
        path = f"/api/v1/remediations/{namespace}/{name}"
        wait_until(lambda: "doneAt" in str(service.ask("GET", path)[1]), "the API says so", DEADLINE_S)
        # The line comes after the status.
        wait_until(lambda: service.outcomes(reason="Held"), "the log says so", DEADLINE_S)
        (held,) = service.outcomes(reason="Held")
    assert ("Applied", name) == (held["outcome"], held["remediation"])


@dataclass
class Fight:
    """Somebody puts it back every two seconds, whatever happens, as a GitOps controller does."""

    mesh: Mesh
    writer: str
    by: Revert
    namespace: str = ""
    times: list[float] = field(default_factory=list)
    """For how many seconds the suspect had traffic, each time."""
    gone_when_lost: bool = False

    def run(self) -> Fight:
        self.namespace, tick, begun = self.mesh.create(), threading.Event(), time.monotonic()
        for number in range(1, 6):
            self.times.append(self.mesh.revert(self.namespace, self.by))
            wait_until(partial(self.mesh.done, self.namespace, number), "it is written as done", DEADLINE_S)
            self.gone_when_lost = "lostAt" in self.mesh.hold(self.namespace) and not self.mesh.exposed(self.namespace)
            tick.wait(max(0.0, begun + number * INTERVAL_S - time.monotonic()))
        self.by(self.mesh.canaries.server, self.namespace, self.mesh.canaries.live(self.namespace))
        return self


def test_whoever_puts_it_back_is_answered_within_a_second_and_has_won_after_the_fifth_time(mesh: Mesh) -> None:
    counted(mesh, "hold_enforcements"), counted(mesh, "holds_lost")
    with ThreadPoolExecutor(len(WRITERS)) as threads:
        running = [threads.submit(Fight(mesh, writer, by).run) for writer, by in WRITERS]
        fights = [each.result() for each in running]
    for fight in fights:
        told = ", ".join(f"{1000 * seconds:.0f} ms" for seconds in fight.times)
        print(f"\n{fight.writer}: exposed for {told}")
        assert LONGEST_S > median(fight.times), fight.times
        assert LONGEST_UNDER_LOAD_S > max(fight.times), fight.times
        assert fight.gone_when_lost, "it is told while somebody can stop the writer yet"
        assert_lost(mesh, fight)
    assert [15, 3] == [counted(mesh, "hold_enforcements"), counted(mesh, "holds_lost")]
    fence(mesh)
    assert [True] * 3 == [mesh.exposed(each.namespace) for each in fights], "the sixth time nobody answers"


def assert_lost(mesh: Mesh, fight: Fight) -> None:
    record, hold = mesh.canaries.record(fight.namespace), mesh.hold(fight.namespace)
    assert ([fight.writer] * 5, fight.writer) == ([each["writer"] for each in hold["enforcements"]], hold["lostTo"])
    assert hold["enforcements"][-1]["doneAt"] == hold["lostAt"]
    assert ("Applied", "True") == (
        record["status"]["phase"],
        next(each["status"] for each in record["status"]["conditions"] if each["type"] == "HoldLost"),
    )
    story = [("Patched", "RevertToStable,RemoveMirrors"), *[("Held", "Hold")] * 5, ("HoldLost", "Hold")]
    wait_until(lambda: len(story) == len(mesh.canaries.story(fight.namespace)), "all is told", DEADLINE_S)
    assert story == mesh.canaries.story(fight.namespace)


def counted(mesh: Mesh, name: str) -> float:
    """A metric of all writers, over both replicas, since it was last asked for here."""
    lines = [line for each in mesh.replicas for line in each.metrics.render()[0].decode().splitlines()]
    total = sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"remediator_{name}_total{{"))
    before, _seen[name] = _seen.get(name, 0.0), total
    return total - before


_seen: dict[str, float] = {}


def fenced(mesh: Mesh, namespace: str) -> None:
    """Put it back, and wait until it would have been answered."""
    applied("argocd-controller", mesh.canaries.server, namespace, mesh.canaries.live(namespace))
    fence(mesh)


def fence(mesh: Mesh) -> None:
    """Put one back that is held for certain: once that is brought back, what was put back before has been seen too."""
    other = mesh.create()
    for number in (1, 2):
        mesh.revert(other, edited)
        wait_until(partial(mesh.done, other, number), "it is written as done", DEADLINE_S)
    for each in mesh.replicas:
        counted(mesh, "hold_enforcements")
        assert each.holding() >= 1


def test_a_release_ends_it(mesh: Mesh) -> None:
    namespace = mesh.create()
    mesh.revert(namespace, edited)
    wait_until(partial(mesh.done, namespace, 1), "it is written as done", DEADLINE_S)
    journal, name = mesh.replicas[0].journal, mesh.canaries.record(namespace)["metadata"]["name"]
    release = Release(Request("mia", "mended"), datetime.now(UTC))
    journal.set_status(journal.ledger.read(namespace, name), lambda status: replace(status, release=release))

    fenced(mesh, namespace)

    assert mesh.exposed(namespace)
    assert 1 == len(mesh.hold(namespace)["enforcements"])


def test_flux_is_told_to_leave_it_alone_until_the_hold_is_over(mesh: Mesh) -> None:
    def label(body: Json) -> None:
        body["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "shop"

    def told() -> list[str]:
        annotations = mesh.canaries.live(namespace)["metadata"]["annotations"]
        return [annotations[name] for name in (RECONCILE, MARK) if name in annotations]

    namespace = mesh.create()
    name = mesh.canaries.record(namespace)["metadata"]["name"]
    mesh.canaries.edit(namespace, label)
    wait_until(lambda: ["disabled", name] == told(), "Flux is told to leave it alone", DEADLINE_S)
    mesh.revert(namespace, edited)
    assert ["disabled", name] == told()

    mesh.canaries.server.request("DELETE", f"{RECORDS}/namespaces/{namespace}/remediations/{name}")

    wait_until(lambda: [] == told(), "Flux takes care of it again", DEADLINE_S)
    (paused, resumed) = (("Held", "PauseGitOps"), ("Held", "ResumeGitOps"))
    wait_until(lambda: {paused, resumed} < set(mesh.canaries.story(namespace)), "both are told", DEADLINE_S)


def test_it_ends_on_time(mesh: Mesh) -> None:
    namespace = mesh.create()
    mesh.revert(namespace, edited)
    wait_until(partial(mesh.done, namespace, 1), "it is written as done", DEADLINE_S)
    mesh.late[0] += timedelta(minutes=30)

    fenced(mesh, namespace)

    assert mesh.exposed(namespace)
    assert 1 == len(mesh.hold(namespace)["enforcements"])
