"""The API server with a fleet and its records, both growing, the service in front of it, and clients of both."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any, Final

from benchmarks import fleet, history
from benchmarks.deliveries import Deliveries, Firings, reads
from benchmarks.direct import Direct, Etcd, encoded
from benchmarks.progress import Progress
from benchmarks.witness import Witness, witness
from remediator.cluster.ledger import FIELD_MANAGER
from remediator.records.wire import render, render_status
from tests.processes import wait_until
from tests.servers import ApiServer, running_api_server
from tests.service import Service, running_service

Json = dict[str, Any]

PERMISSIONS: Final = (
    {
        "apiGroups": ["networking.istio.io"],
        "resources": ["virtualservices", "destinationrules"],
        "verbs": ["get", "list", "watch", "patch"],
    },
    {
        "apiGroups": ["remediator.io"],
        "resources": ["remediations", "remediations/status"],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    },
    {"apiGroups": ["remediator.io"], "resources": ["pauses"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["namespaces", "pods"], "verbs": ["list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
)
"""What the service may do, and whoever it is compared with: the same user, so the same checks by the API server."""

CONNECTIONS: Final = 16
"""As many as the service has threads."""

_EARLIER: Final = timedelta(hours=1)
"""Before now: when the first of the alerts began that are delivered."""


class Stage:
    """Everything that a measure needs. The fleet grows, and never shrinks.

    Args:
        server: fresh.
        pool: CONNECTIONS threads.
        progress: told of what takes long.
    """

    def __init__(self, server: ApiServer, pool: Executor, progress: Progress) -> None:
        server.allow("guest", *PERMISSIONS)
        self.server = server
        self.admin, self.guest = Direct.to_api(server, "admin"), Direct.to_api(server, "guest")
        self.progress = progress
        self.size = 0
        """How many services there are."""
        self.set_up = 0.0
        """Seconds spent on creating them, and records."""
        self._etcd = Etcd(server.etcd_url)
        self._pool = pool
        self._uids: dict[int, str] = {}
        self._begun = datetime.now(UTC)
        self._firings = Firings(self._begun - _EARLIER)
        server.namespace(fleet.target(fleet.FENCE).namespace)
        self._create(fleet.FENCE)

    def close(self) -> None:
        """Close the connections."""
        for client in (self.admin, self.guest, self._etcd):
            client.close()

    def grow(self, size: int) -> None:
        """Create services until there are so many."""
        begin = perf_counter()
        new = range(self.size, size)
        self.server.namespace(*dict.fromkeys(fleet.target(number).namespace for number in new))
        self.all(f"creating {len(new)} services", self._create, new)
        self.size = size
        self.set_up += perf_counter() - begin

    # -- records

    def remember(self, records: int) -> None:
        """Put so many records of the past into etcd, evenly over the services; there must be none."""
        if not records:
            return
        begin = perf_counter()
        moments = history.moments(records, self._begun)
        managed_fields = self._managed_fields(moments[0])

        def put(turn: int) -> None:
            number = turn % self.size
            found = history.record(number, self._uids[number], moments[turn])
            self._etcd.put(*history.kept(found, managed_fields))

        self.all(f"writing {records} records", put, range(records))
        self._expect(records)
        self.set_up += perf_counter() - begin

    def forget_all(self) -> None:
        """Delete every record, while nobody watches."""
        self._etcd.delete_below(history.PREFIX)
        self._expect(0)

    def forget(self, records: Iterable[tuple[int, str]]) -> None:
        """Delete the records that an answer names, so that there are as many as before."""
        paths = {history.path(fleet.target(number).namespace, name) for number, name in records}
        for _ in self._pool.map(self.admin.delete, paths):
            pass

    def _managed_fields(self, moment: datetime) -> list[Json]:
        """What the API server notes of a record that the service writes."""
        found = history.record(0, self._uids[0], moment)
        self.admin.create(history.path(found.namespace), render(replace(found, uid="", created_at=None)))
        path = history.path(found.namespace, found.name)
        status = {"op": "add", "path": "/status", "value": render_status(found.status)}
        self.admin.patch(f"{path}/status?fieldManager={FIELD_MANAGER}", encoded([status]))
        managed: list[Json] = self.admin.get(path)["metadata"]["managedFields"]
        self.admin.delete(path)
        return managed

    def _expect(self, records: int) -> None:
        page = self.admin.get(f"{history.EVERYWHERE}?limit=1")
        found = len(page["items"]) + page["metadata"].get("remainingItemCount", 0)
        if found != records:
            raise RuntimeError(f"{records} records were expected; the API server has {found}")
        with contextlib.suppress(TimeoutError):  # it may be that of another kind which was stored last
            wait_until(self._told_all, "the API server's watches have told of all records", timeout=30)

    def _told_all(self) -> bool:
        """Whether what the API server tells its watches from is what etcd has. After thousands of changes behind its
        back it takes a while, and the service waits for what its watch tells."""
        none = f"{history.EVERYWHERE}?fieldSelector=metadata.name%3Dnone"
        stored = self.admin.get(none)["metadata"]["resourceVersion"]
        return int(self.admin.get(f"{none}&resourceVersion=0")["metadata"]["resourceVersion"]) >= int(stored)

    # -- VirtualServices

    def put_back(self, number: int) -> str:
        """Give one canary its traffic back; the VirtualService's resourceVersion then."""
        answer = self.admin.patch(fleet.path(number), encoded(fleet.restore(number)))
        version: str = json.loads(answer)["metadata"]["resourceVersion"]
        return version

    def settle(self, service: Service) -> None:
        """Wait until the service has heard of all that was put back: the API server tells events in their order, so
        when it knows of the last one it knows of all."""
        with closing(self.deliveries(service)) as deliveries:
            wait_until(lambda: self._settled(service, deliveries), "the service has heard of what was put back")

    def _settled(self, service: Service, deliveries: Deliveries) -> bool:
        """Whether the service knows one change that was made last. If it does not, it looks at the object itself."""
        self.put_back(fleet.FENCE)
        before = reads(service)
        self.forget(deliveries.send([fleet.FENCE])().records)
        return reads(service) == before

    # -- clients

    def service(self, *, endpoints: bool = False) -> AbstractContextManager[Service]:
        """The service, ready.

        Args:
            endpoints: whether it counts the stable version's.
        """
        policy = fleet.policy(endpoints=endpoints)
        return running_service(self.server.kubeconfig("guest"), [policy], *fleet.FLAGS)

    def furnish(self) -> None:
        """Create the endpoints of the services that there are."""
        for number in (*range(self.size), fleet.FENCE):
            namespace = fleet.target(number).namespace
            slices = f"/apis/discovery.k8s.io/v1beta1/namespaces/{namespace}/endpointslices"
            self.admin.create(slices, fleet.endpoint_slice(number))
            for pod in fleet.pods(number):
                self.admin.create(f"/api/v1/namespaces/{namespace}/pods", pod)

    def deliveries(self, service: Service) -> Deliveries:
        """A connection to the service; each alert sent over it is a firing that never was before."""
        return Deliveries(service, self._firings)

    def witness(self) -> AbstractContextManager[Witness]:
        """A watch from outside the service."""
        return witness(self.server, "guest")

    def all(self, what: str, work: Callable[[int], None], numbers: Iterable[int]) -> float:
        """Do `work` for all numbers, over CONNECTIONS connections; how long it took (s)."""
        numbers = tuple(numbers)
        begin = perf_counter()
        for _ in self.progress.track(what, self._pool.map(work, numbers), len(numbers)):
            pass
        return perf_counter() - begin

    def _create(self, number: int) -> None:
        self.admin.create(fleet.collection(number, "destinationrules"), fleet.destination_rule(number))
        made = self.admin.create(fleet.collection(number, "virtualservices"), fleet.virtual_service(number))
        self._uids[number] = made["metadata"]["uid"]


@contextlib.contextmanager
def staged(progress: Progress) -> Iterator[Stage]:
    """An empty stage; everything on it ends with the block. Raises Missing."""
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        with running_api_server() as server, contextlib.closing(Stage(server, pool, progress)) as stage:
            yield stage
    finally:
        # After Ctrl-C there may be thousands of objects still to be created.
        pool.shutdown(cancel_futures=True)
