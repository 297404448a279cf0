"""Whatever comes in whatever order, on real files: no route without a live destination, no more than the budget, no
object that opted out, nothing while the service is paused, and one record for each change."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from remediator.alerts import parse_notification
from remediator.cluster.local import LocalCluster
from remediator.cluster.port import Snapshot
from remediator.guards.budget import Budget
from remediator.guards.pause import Pause
from remediator.guards.situation import Bounds
from remediator.guards.switch import ANNOTATION
from remediator.metrics import Metrics
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.pipeline import Pipeline
from remediator.pipeline.shell import Clock
from remediator.policies.model import Guards, Mode, PolicySet
from remediator.records.ledger import Ledger
from remediator.records.model import Approval, Phase, Remediation, Request
from remediator.traffic.patch import Patch
from remediator.traffic.stamp import stamp_of
from tests.builders import (
    alert,
    destination,
    destination_rule,
    labels,
    namespace,
    notification,
    split,
    virtual_service,
    when,
)
from tests.folders import LocalWorld
from tests.test_pipeline import Loaded, Policies, policy
from tests.test_pipeline_records import Crash

Json = dict[str, Any]
START = datetime(2020, 1, 1, 12, tzinfo=UTC)
"""Long ago: files are never old enough to be taken for settled, so each is looked into at each use."""
BUDGET = Budget(2, timedelta(minutes=10))
BOUNDS = Bounds(budget=BUDGET, max_alert_age=timedelta(hours=1))
GUARDS = Guards(cooldown=timedelta(minutes=2), hold=timedelta(minutes=5))
POLICIES = (
    policy("ask", 'severity = "warning"', mode=Mode.APPROVE, guards=GUARDS),
    policy("do", 'severity = "critical"', guards=GUARDS),
)
NAMESPACES = {"reviews": "shop", "ratings": "shop", "details": "web"}
"""Each service and its one VirtualService."""
REFS = {name: TargetRef("VirtualService", where, name) for name, where in NAMESPACES.items()}
TOTAL = 100
WEIGHTS = (
    {"v1": 100, "v2": 0, "v3": 0},
    {"v1": 90, "v2": 10, "v3": 0},
    {"v1": 80, "v2": 10, "v3": 10},
    {"v1": 34, "v2": 33, "v3": 33},
    {"v1": 0, "v2": 50, "v3": 50},
    {"v1": 0, "v2": 100, "v3": 0},
)
CALLS = ("create", "conclude", "rewrite", "patch")
"""Requests before and after which the process may die."""

services = st.sampled_from(sorted(NAMESPACES))
words = st.sampled_from([None, None, "Off", "off", "Observe", "Approve", "Enforce", "Enforce"])
accusations = st.builds(
    lambda name, version, severity: labels(version, name, NAMESPACES[name], severity=severity),
    services,
    st.sampled_from(["v1", "v2", "v2", "v3"]),
    st.sampled_from(["critical", "critical", "warning"]),
)
moments = st.integers(0, 11)


@dataclass(frozen=True)
class Edit:
    """What a person makes of the last route of a VirtualService."""

    weights: dict[str, int]
    mirror: str | None

    def make(self, name: str, body: Json) -> None:
        entry = body["spec"]["http"][-1]
        entry["route"] = split(name, **self.weights)
        entry.pop("mirror", None)
        if self.mirror:
            entry["mirror"] = destination(self.mirror, name)


edits = st.builds(Edit, st.sampled_from(WEIGHTS), st.sampled_from([None, "v2", "v3"]))


@pytest.fixture(autouse=True, scope="module")
def _without_logs() -> Iterator[None]:
    """The outcomes of hundreds of deliveries would hide the one that fails."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class OneByOne(Executor):
    """Carries out the works of a notification in their order: what a failing history did, it does again."""

    def map(self, fn: Callable[..., Any], *iterables: Any, **_: Any) -> Iterator[Any]:
        return map(fn, *iterables)


class Mortal(LocalCluster):
    """A folder, and a process that may die before or after each request that changes something."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        super().__init__(folder, clock)
        self.step: Callable[[], None] = lambda: None
        self.patched: Callable[[TargetRef, Json, Json], None] = lambda _ref, _before, _after: None
        """Told of each patch that was made: the object before and after."""

    @property
    def ledger(self) -> Ledger:
        found: Any = _Steps(super().ledger, self)
        return found  # type: ignore[no-any-return]

    def patch(self, ref: TargetRef, patch: Patch, *, dry_run: bool = False) -> Snapshot:
        self.step()
        before = self.read(ref).body
        after = super().patch(ref, patch, dry_run=dry_run)
        if not dry_run:
            self.patched(ref, before, after.body)
            self.step()
        return after


@dataclass(frozen=True)
class _Steps:
    """A ledger, each of whose changes is two steps."""

    ledger: Ledger
    cluster: Mortal

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.ledger, name)
        if name not in CALLS:
            return found

        def stepping(record: Remediation) -> Remediation:
            self.cluster.step()
            done: Remediation = found(record)
            self.cluster.step()
            return done

        return stepping


@dataclass(frozen=True)
class Change:
    """A patch of ours."""

    at: datetime
    ref: TargetRef
    after: Json
    by: str
    """`alert`, `answer` or `undo`."""
    wrong: str
    """Why it should not have been made; empty: it may."""

    @property
    def record(self) -> str:
        return stamp_of(self.after) or ""


class Shop(RuleBasedStateMachine):
    """A mesh of three services in a folder, the people who edit it, and the service."""

    @initialize()
    def fill_the_folder(self) -> None:
        self.home = tempfile.TemporaryDirectory()
        self.world = LocalWorld(Path(self.home.name))
        self.now = START
        self.doing = ""
        """Who acts: for what the service changes meanwhile."""
        self.changes: list[Change] = []
        self.records: list[Remediation] = []
        """All there are, after each step."""
        self.alerts: list[Json] = [
            alert(labels("v2", name, where, severity="critical")) | {"startsAt": START.isoformat()}
            for name, where in NAMESPACES.items()
        ]
        """That were delivered, or are about to be."""
        self.bugs: list[str] = []
        self.said: dict[str, str | None] = {}
        """What the annotation of each object and each namespace says."""
        self.paused_until: datetime | None = None
        main = {"route": split("reviews", **WEIGHTS[2]), "mirror": destination("v2")}
        self.world.create(virtual_service(main))
        by_header = when(route=split("ratings", v2=None))
        self.world.create(virtual_service(by_header, {"route": split("ratings", **WEIGHTS[1])}, name="ratings"))
        self.world.create(virtual_service({"route": split("details", **WEIGHTS[3])}, name="details", namespace="web"))
        for name, where in NAMESPACES.items():
            self.world.create(destination_rule(name, where, v1="v1", v2="v2", v3="v3"))
        for where in ("shop", "web"):
            self.world.create(namespace(where))
        self.restart()

    def teardown(self) -> None:
        if hasattr(self, "home"):
            self.home.cleanup()

    # -- what happens

    @rule()
    def restart(self) -> None:
        """The process ends, and another one begins."""
        self.cluster = Mortal(self.world.folder, lambda: self.now.timestamp())  # noqa: PLW0108 - time goes on
        self.cluster.patched = self._changed
        store: Any = Policies(Loaded(PolicySet(POLICIES)))
        clock = Clock(now=lambda: self.now)
        self.pipeline = Pipeline(self.cluster, store, Metrics(), OneByOne(), bounds=BOUNDS, clock=clock)

    @rule(minutes=st.sampled_from([0.01, 0.5, 1, 2, 3, 5, 9.99, 10, 30]))
    def wait(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(accused=st.lists(accusations, min_size=1, max_size=3), ago=st.sampled_from([0, 0, 1, 5, 59, 61]))
    def alerts_fire(self, accused: list[dict[str, str]], ago: int) -> None:
        self._fire(accused, ago)

    @rule(severity=st.sampled_from(["critical", "critical", "warning"]))
    def every_canary_has_an_alert(self, severity: str) -> None:
        self._fire([labels("v2", name, where, severity=severity) for name, where in NAMESPACES.items()], 0)

    @rule(data=st.data())
    def alerts_fire_still(self, data: st.DataObject) -> None:
        self._deliver(*self._some(data))

    @rule(data=st.data(), moment=moments)
    def alerts_fire_still_and_the_process_dies(self, data: st.DataObject, moment: int) -> None:
        self.cluster.step = _once_at(moment, _die)
        with suppress(Crash):
            self._deliver(*self._some(data))
        self.restart()

    @rule(data=st.data(), moment=moments)
    def alerts_fire_while_somebody_edits(self, data: st.DataObject, moment: int) -> None:
        name, change = data.draw(services), data.draw(edits)
        self.cluster.step = _once_at(moment, lambda: self.somebody_edits([name], change))
        self._deliver(*self._some(data))
        self.cluster.step = lambda: None

    @rule(data=st.data(), moment=moments, name=services)
    def alerts_fire_while_somebody_opts_out(self, data: st.DataObject, moment: int, name: str) -> None:
        self.cluster.step = _once_at(moment, lambda: self._annotate_object(name, "Off"))
        self._deliver(*self._some(data))
        self.cluster.step = lambda: None

    @rule(data=st.data())
    def alerts_are_resolved(self, data: st.DataObject) -> None:
        ended = {"status": "resolved", "endsAt": self.now.isoformat()}
        self._deliver(*(each | ended for each in self._some(data)))

    @rule(names=st.lists(services, min_size=1, unique=True), change=edits)
    def somebody_edits(self, names: list[str], change: Edit) -> None:
        for name in names:
            self.world.edit(REFS[name], lambda body, name=name: change.make(name, body))  # type: ignore[misc]

    @rule(where=st.sampled_from([*NAMESPACES, "namespace shop", "namespace web"]), word=words)
    def somebody_annotates(self, where: str, word: str | None) -> None:
        if where in NAMESPACES:
            self._annotate_object(where, word)
        else:
            self.said[where] = word
            self.world.edit(TargetRef("Namespace", "", where.split()[1]), lambda body: _annotate(body, word))

    @rule(minutes=st.sampled_from([None, 0, 0, 1, 10]))
    def somebody_brakes(self, minutes: int | None) -> None:
        """For so many minutes; None: until somebody resumes; 0: they resume."""
        if minutes == 0:
            self.paused_until = None
            self.cluster.brake.resume()
            return
        until = None if minutes is None else self.now + timedelta(minutes=minutes)
        self.paused_until = until or datetime.max.replace(tzinfo=UTC)
        self.cluster.brake.pause(Pause("kim", "a test", until=until))

    @precondition(lambda self: self.records)
    @rule(data=st.data(), moment=st.none() | moments)
    def somebody_undoes(self, data: st.DataObject, moment: int | None) -> None:
        record = data.draw(st.sampled_from(self.records))
        self.cluster.step = _once_at(moment, _die) if moment is not None else self.cluster.step
        with suppress(Crash), self._as("undo"):
            event(f"undo: {self.pipeline.undo(record.namespace, record.name, Request('kim')).reason}")
        if moment is not None:
            self.restart()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), approved=st.sampled_from([True, True, False]))
    def somebody_answers(self, data: st.DataObject, approved: bool) -> None:
        record = data.draw(st.sampled_from(self.waiting))
        with self._as("answer"):
            answered = self.pipeline.answer(record.namespace, record.name, Approval(approved, "kim"))
        event(f"answer: {answered.outcome}: {answered.reason}")

    # -- what holds after each of them

    @invariant()
    def no_bug_is_met(self) -> None:
        assert [] == self.bugs

    @invariant()
    def every_route_keeps_its_weight_and_a_live_destination(self) -> None:
        for name, body in self._bodies().items():
            *by_header, main = body["spec"]["http"]
            assert sum(share["weight"] for share in main["route"]) == TOTAL, name
            assert all(share["destination"]["subset"] in WEIGHTS[0] for share in main["route"]), name
            for entry in by_header:
                assert [True] == [share["destination"]["subset"] in WEIGHTS[0] for share in entry["route"]], name

    @invariant()
    def nothing_was_changed_that_nobody_wanted_changed(self) -> None:
        assert [] == [(change.ref.name, change.by, change.wrong) for change in self.changes if change.wrong]

    @invariant()
    def the_budget_was_kept(self) -> None:
        made = [change.at for change in self.changes if change.by != "undo"]
        spans = [late - early for early, late in zip(made, made[BUDGET.most :], strict=False)]
        assert all(span >= BUDGET.window for span in spans), f"{BUDGET.most + 1} changes within {min(spans)}"

    @invariant()
    def every_change_has_one_record(self) -> None:
        made = Counter(change.record for change in self.changes if change.by != "undo")
        self.records = sorted(self.cluster.ledger.listed(), key=lambda record: record.name)
        records = {record.name: record for record in self.records}
        assert set(made) <= set(records)
        assert all(count == 1 for count in made.values()), made
        applied = {name for name, record in records.items() if record.status.phase is Phase.APPLIED}
        assert applied <= set(made), "a record says Applied, and no patch of it was made"

    # -- how

    def _fire(self, accused: list[dict[str, str]], ago: int) -> None:
        starts_at = (self.now - timedelta(minutes=ago)).isoformat()
        fired = [alert(each) | {"startsAt": starts_at} for each in accused]
        self.alerts += fired
        self._deliver(*fired)

    def _annotate_object(self, name: str, word: str | None) -> None:
        self.said[name] = word
        self.world.edit(REFS[name], lambda body: _annotate(body, word))

    def _deliver(self, *alerts: Json) -> None:
        with self._as("alert"):
            rows = self.pipeline.handle(parse_notification(notification(alerts)))
        for row in rows:
            event(f"{row.outcome}: {row.reason}")
        self.bugs += [row.message for row in rows if row.reason is Reason.INTERNAL_ERROR]
        paused = [row for row in rows if self._is_paused() and row.outcome is Outcome.APPLIED]
        assert [] == paused

    def _as(self, who: str) -> _Acting:
        return _Acting(self, who)

    def _some(self, data: st.DataObject) -> list[Json]:
        return data.draw(st.lists(st.sampled_from(self.alerts), min_size=1, max_size=3))

    def _changed(self, ref: TargetRef, before: Json, after: Json) -> None:
        self.changes.append(Change(self.now, ref, after, self.doing, "" if self.doing == "undo" else self._wrong(ref)))

    def _wrong(self, ref: TargetRef) -> str:
        """Why nothing of this object may be changed now, as far as the people know."""
        said = [self.said.get(ref.name), self.said.get(f"namespace {ref.namespace}")]
        if self._is_paused():
            return "the service is paused"
        allowed = {None, "Enforce"} | ({"Approve"} if self.doing == "answer" else set())
        return "" if set(said) <= allowed else f"the annotations say {said}"

    def _is_paused(self) -> bool:
        return self.paused_until is not None and self.now < self.paused_until

    @property
    def waiting(self) -> list[Remediation]:
        return [record for record in self.records if record.status.phase is Phase.AWAITING_APPROVAL]

    def _bodies(self) -> dict[str, Json]:
        return {snapshot.routing.ref.name: snapshot.body for snapshot in self.cluster.routing()}


@dataclass
class _Acting:
    shop: Shop
    who: str

    def __enter__(self) -> None:
        self.shop.doing = self.who

    def __exit__(self, *_: object) -> None:
        self.shop.doing = ""


def _annotate(body: Json, word: str | None) -> None:
    annotations = body["metadata"].setdefault("annotations", {})
    annotations.pop(ANNOTATION, None)
    if word is not None:
        annotations[ANNOTATION] = word


def _die() -> None:
    raise Crash


def _once_at(moment: int, act: Callable[[], object]) -> Callable[[], None]:
    """`act` at the step of that number, counted from 0; once."""
    left = [moment]

    def step() -> None:
        left[0] -= 1
        if left[0] == -1:
            act()

    return step


TestShop = Shop.TestCase
TestShop.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
