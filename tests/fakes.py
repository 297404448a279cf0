"""A cluster in memory: real index, real JSON Patch, resourceVersions, and failures on demand."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonpatch

from remediator.cluster.images import images_in
from remediator.cluster.inventory import Inventory, reference
from remediator.cluster.news import News
from remediator.cluster.port import Health, Snapshot
from remediator.errors import AlreadyExists, ClusterError, Conflict, NotFound, Rejected
from remediator.guards.cooldown import Made
from remediator.guards.pause import Pause
from remediator.guards.stable_ready import Readiness
from remediator.outcome import TargetRef
from remediator.owners import Rollout, read_rollout, stable_pods, with_stable
from remediator.records.events import Event
from remediator.records.images import Ran
from remediator.records.ledger import Head, Tally, head, unheard
from remediator.records.model import Remediation, Status
from remediator.records.moments import is_held, moments
from remediator.records.pauses import FLEET
from remediator.traffic.hosts import Host
from remediator.traffic.patch import Patch
from remediator.traffic.view import Destination

Json = dict[str, Any]
NOW = datetime(2026, 8, 1, 12, 0, 30, tzinfo=UTC)


class FakeCluster:
    """Implements `port.Cluster`. What the index holds may be older than what is stored, as with a real watch."""

    def __init__(self, *bodies: Json) -> None:
        self._lock = threading.Lock()
        self._index = Inventory()
        self.stored: dict[TargetRef, Json] = {}
        self.patches: list[tuple[TargetRef, bool]] = []
        """Every patch that was accepted: (object, dry run)."""
        self.aborts: list[tuple[TargetRef, bool]] = []
        """The same of aborts."""
        self.fails: ClusterError | None = None
        """Raised by `routing_to`."""
        self.before_patch: Callable[[TargetRef], None] = lambda _ref: None
        """Called before each patch: to change the object, or to raise."""
        self.step: Callable[[str], None] = lambda _name: None
        """Called before each request to the source and after each that changed something: to crash there."""
        self.ledger = FakeLedger(lambda name: self.step(name))  # noqa: PLW0108 - `step` is set later
        self.brake = FakeBrake()
        self.endpoints: dict[Destination, Readiness] = {}
        """By destination, its port left out: what `readiness` answers. 2 of 2 are ready where nothing is said."""
        for body in bodies:
            self.put(body)

    def put(self, body: Json, *, indexed: bool = True) -> None:
        """Store an object, as somebody else would; with `indexed=False` the index has not heard of it yet."""
        body = copy.deepcopy(body)
        self.stored[reference(body)] = body
        if indexed:
            self._index.put(body)

    def edit(self, ref: TargetRef, change: Callable[[Json], Any], *, indexed: bool = False) -> None:
        """Change an object in place and give it a new resourceVersion."""
        body = copy.deepcopy(self.stored[ref])
        change(body)
        self._bump(body)
        self.put(body, indexed=indexed)

    def lose(self, ref: TargetRef) -> None:
        """Delete an object, as somebody else would."""
        del self.stored[ref]
        self._index.drop(ref.kind, ref.namespace, ref.name)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def health(self) -> Health:
        return Health(self.fails is None, str(self.fails or "in memory"), self._index.counts(), None)

    def routing_to(self, host: Host) -> tuple[Snapshot, ...]:
        if self.fails is not None:
            raise self.fails
        return self._index.routing_to(host)

    def routing(self) -> tuple[Snapshot, ...]:
        return tuple(self._index.routing())

    def find(self, ref: TargetRef) -> Snapshot | None:
        return self._index.get(ref)

    def marked(self) -> tuple[TargetRef, ...]:
        return self._index.marked()

    def news(self) -> News:
        return self._index.news()

    def read(self, ref: TargetRef) -> Snapshot:
        self.step("get")
        if ref not in self.stored:
            raise NotFound(f"{ref} not found")
        body = copy.deepcopy(self.stored[ref])
        rollouts = tuple(self._rollout(each.ref) for each in self._index.snapshot(body).driving.rollouts)
        return self._index.snapshot(body, rollouts)

    def _rollout(self, ref: TargetRef) -> Rollout:
        found = read_rollout(self.stored[ref])
        wanted = stable_pods(found)
        if wanted is None:
            return found
        pods = (body["metadata"]["labels"] for each, body in self.stored.items() if each.kind == "Pod")
        return with_stable(found, (labels for labels in pods if wanted.items() <= labels.items()))

    def abort(self, rollout: Rollout, *, dry_run: bool = False) -> None:
        self.step("abort")
        self.before_patch(rollout.ref)
        with self._lock:
            try:
                after: Json = jsonpatch.apply_patch(self.stored[rollout.ref], rollout.abort)
            except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
                raise Conflict(f"{rollout} is at another update") from error
            self.aborts.append((rollout.ref, dry_run))
            if not dry_run:
                self._bump(after)
                self.put(after)
        self.step("abort done")

    def readiness(self, destination: Destination, labels: Mapping[str, str]) -> Readiness | None:
        self.step("readiness")
        said = self.endpoints.get(replace(destination, port=None))
        return replace(said, destination=destination) if said else Readiness(destination, ready=2, total=2)

    def images(self, destination: Destination, labels: Mapping[str, str]) -> tuple[Ran, ...]:
        self.step("images")
        bodies = list(self.stored.values())
        slices, pods = ([each for each in bodies if each["kind"] == kind] for kind in ("EndpointSlice", "Pod"))
        return images_in(slices, pods, destination, labels)

    def patch(self, ref: TargetRef, patch: Patch, *, dry_run: bool = False) -> Snapshot:
        self.step("patch")
        self.before_patch(ref)
        with self._lock:
            after = self._patched(ref, patch)
            self.patches.append((ref, dry_run))
            if not dry_run:
                self._bump(after)
                self.put(after)
        self.step("patch done")
        return self._index.snapshot(after)

    def _patched(self, ref: TargetRef, patch: Patch) -> Json:
        if ref not in self.stored:
            raise NotFound(f"{ref} not found")
        body = self.stored[ref]
        if body["metadata"]["resourceVersion"] != patch.resource_version:
            raise Conflict(f"{ref} was modified")
        try:
            after: Json = jsonpatch.apply_patch(body, patch.operations)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise Rejected(str(error)) from error
        return after

    @staticmethod
    def _bump(body: Json) -> None:
        body["metadata"]["resourceVersion"] = str(int(body["metadata"]["resourceVersion"]) + 1)


class FakeBrake:
    """Implements `records.brake.Brake` in memory. Its index always knows what is stored."""

    def __init__(self) -> None:
        self.stored: dict[str, Pause] = {}
        """By name: for a test to put anything there."""
        self.fails: dict[str, ClusterError] = {}
        """Raised by the method of that name."""

    def pauses(self) -> tuple[Pause, ...]:
        self._call("pauses")
        return self._all()

    def read(self) -> tuple[Pause, ...]:
        self._call("read")
        return self._all()

    def pause(self, pause: Pause) -> None:
        self._call("pause")
        since = self.stored[FLEET].since if FLEET in self.stored else NOW
        self.stored[FLEET] = replace(pause, name=FLEET, since=since)

    def resume(self) -> tuple[Pause, ...]:
        self._call("resume")
        found = self._all()
        self.stored.clear()
        return found

    def _all(self) -> tuple[Pause, ...]:
        return tuple(self.stored[name] for name in sorted(self.stored))

    def _call(self, name: str) -> None:
        if name in self.fails:
            raise self.fails[name]


class FakeLedger:
    """Implements `records.ledger.Ledger` in memory. Its index always knows what is stored."""

    def __init__(self, step: Callable[[str], None]) -> None:
        self.now: Callable[[], datetime] = lambda: NOW
        """By which records are created, one a second."""
        self._lock = threading.Lock()
        self._step = step
        self.stored: dict[tuple[str, str], Remediation] = {}
        self.events: dict[str, Event] = {}
        self.listener: Callable[[Event], None] = unheard
        self._begun: list[tuple[str, str]] = []
        self.fails: dict[str, ClusterError] = {}
        """Raised by the method of that name."""
        self.before: Callable[[str, Remediation], None] = lambda _call, _record: None
        """Called before each change of a record: `create`, `rewrite`, `conclude` or `delete`."""

    def records(self) -> list[Remediation]:
        """Every record, by name."""
        stored = dict(self.stored)  # others may delete meanwhile
        return [stored[key] for key in sorted(stored)]

    def create(self, record: Remediation) -> Remediation:
        with self._call("create", record):
            key = record.namespace, record.name
            if key in self.stored:
                raise AlreadyExists(f"{record} is there")
            count = str(len(self.stored) + 1)
            created = self.now() + timedelta(seconds=len(self.stored))
            stored = replace(record, status=Status(), uid=f"rem-{count}", resource_version="1", created_at=created)
            self.stored[key] = stored
            self._order(stored)
        self._step("create done")
        return stored

    def read(self, namespace: str, name: str) -> Remediation:
        with self._call("read"):
            if (namespace, name) not in self.stored:
                raise NotFound(f"{namespace}/{name} is not there")
            return self.stored[namespace, name]

    def rewrite(self, record: Remediation) -> Remediation:
        with self._call("rewrite", record):
            stored = self._put(record, replace(self._current(record), intent=record.intent, approval=record.approval))
        self._step("rewrite done")
        return stored

    def conclude(self, record: Remediation) -> Remediation:
        with self._call("conclude", record):
            stored = self._put(record, replace(self._current(record), status=record.status))
        self._step("conclude done")
        return stored

    def delete(self, record: Remediation) -> None:
        with self._call("delete", record):
            self._current(record)
            del self.stored[record.namespace, record.name]
            self._begun = [each for each in self._begun if each != (record.namespace, record.name)]

    def listed(self, namespace: str | None = None) -> Iterator[Remediation]:
        yield from (record for record in self.records() if namespace in (None, record.namespace))

    def announce(self, event: Event) -> bool:
        with self._call("announce"):
            is_new = event.name not in self.events
            self.events.setdefault(event.name, event)
        self._step("announce done")
        return is_new

    def heads(self) -> tuple[Head, ...]:
        return tuple(
            sorted((head(record) for record in self._indexed()), key=lambda each: each.created_at, reverse=True)
        )

    def get(self, namespace: str, name: str) -> Remediation | None:
        return next((each for each in self._indexed() if (each.namespace, each.name) == (namespace, name)), None)

    def answering(self, fingerprint: str, starts_at: datetime) -> tuple[Head, ...]:
        return tuple(head(each) for each in self._indexed() if (fingerprint, starts_at) in each.intent.firings)

    def taken_back(self, target_uid: str) -> tuple[Head, ...]:
        found = (head(each) for each in self._indexed() if each.intent.target.uid == target_uid)
        return tuple(each for each in found if each.taken_back)

    def awaiting(self) -> tuple[Head, ...]:
        return tuple(head(each) for each in self._indexed() if moments(each).awaiting)

    def unverified(self, since: datetime) -> tuple[Head, ...]:
        found = ((moments(each).unverified_at, each) for each in self._indexed())
        return tuple(head(each) for at, each in found if at is not None and at > since)

    def unidentified(self, since: datetime) -> tuple[Head, ...]:
        found = ((moments(each).unidentified_at, each) for each in self._indexed())
        return tuple(head(each) for at, each in found if at is not None and at > since)

    def holding(self, now: datetime) -> tuple[Head, ...]:
        return tuple(head(each) for each in self._indexed() if is_held(each, now))

    def let_go(self, target_uid: str) -> tuple[Head, ...]:
        found = (each for each in self._indexed() if each.intent.target.uid == target_uid)
        return tuple(head(each) for each in found if moments(each).let_go or each.taken_back)

    def latest(self, target_uid: str) -> Made | None:
        made = [each for each in self._indexed() if each.intent.target.uid == target_uid]
        times = [(at, each.name) for each in made if (at := moments(each).made_at)]
        return Made(max(times)[1], max(times)[0]) if times else None

    def accusing(self, host: Host, since: datetime) -> tuple[Remediation, ...]:
        found = [each for each in self._indexed() if host in moments(each).accused]
        heard = [each for each in found if (moments(each).heard_at or NOW) > since]
        return tuple(sorted(heard, key=lambda each: moments(each).heard_at or NOW, reverse=True))

    def barring(self, host: Host) -> tuple[Remediation, ...]:
        return tuple(each for each in self._indexed() if host in moments(each).barred)

    def of_canary(self, namespace: str, name: str) -> tuple[Remediation, ...]:
        found = ((moments(each).trial, each) for each in self.records())
        return tuple(each for trial, each in found if trial and trial[:2] == (namespace, name))

    def offered(self) -> tuple[Head, ...]:
        return tuple(head(each) for each in self._indexed() if moments(each).offered)

    def tally(self, since: datetime) -> Tally:
        found = [moments(each) for each in self._indexed()]
        made = sum(each.counts and each.made_at is not None and each.made_at > since for each in found)
        observed = sum(each.observed_at is not None and each.observed_at > since for each in found)
        times = [(at, each) for each in self._indexed() if (at := moments(each).made_at) and moments(each).counts]
        last = max(times, key=lambda each: each[0])[1] if made else None
        return Tally(made, sum(each.begun for each in found), observed, (last.namespace, last.name) if last else None)

    def ahead(self, record: Remediation, since: datetime) -> int:
        with self._lock:
            before = self._begun[: self._begun.index((record.namespace, record.name))]
            return self.tally(since).made + len(before)

    def _order(self, record: Remediation) -> None:
        """Keep the order in which patches were begun. Called with the lock held."""
        key = record.namespace, record.name
        if not moments(record).begun:
            self._begun = [each for each in self._begun if each != key]
        elif key not in self._begun:
            self._begun.append(key)

    def _indexed(self) -> list[Remediation]:
        if "index" in self.fails:
            raise self.fails["index"]
        return self.records()

    @contextmanager
    def _call(self, name: str, record: Remediation | None = None) -> Iterator[None]:
        self._step(name)
        if name in self.fails:
            raise self.fails[name]
        if record is not None:
            self.before(name, record)
        with self._lock:
            yield

    def _current(self, record: Remediation) -> Remediation:
        current = self.stored.get((record.namespace, record.name))
        if current is None:
            raise NotFound(f"{record} is not there")
        if current.resource_version != record.resource_version:
            raise Conflict(f"{record} is at {current.resource_version}, not {record.resource_version}")
        return current

    def _put(self, record: Remediation, changed: Remediation) -> Remediation:
        stored = replace(changed, resource_version=str(int(changed.resource_version) + 1))
        self.stored[record.namespace, record.name] = stored
        self._order(stored)
        return stored
