"""Which records go, and when; what becomes of one left Planned; how rivals and an API server in trouble are met."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.local import LocalCluster
from remediator.errors import ClusterError, Conflict, Forbidden, NotFound, NotSynced, Rejected, Unavailable
from remediator.outcome import Reason, TargetRef
from remediator.pipeline import housekeeping
from remediator.pipeline.housekeeping import EVERY_S, MOST, MOST_FAILURES, UNDO_STANDS, Housekeeping, due, is_over
from remediator.records.ledger import head
from remediator.records.model import Conclusion, Phase, Remediation, Request, Status, Target, Undoing
from remediator.traffic.stamp import ANNOTATION
from tests.builders import split, virtual_service
from tests.fakes import FakeCluster
from tests.ledger_contract import APPLIED, record
from tests.real_world import RealWorld, Start
from tests.servers import ApiServer
from tests.strategies import remediations

NOON = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
TARGET = Target("networking.istio.io/v1", TargetRef("VirtualService", "shop", "reviews"), "uid-shop-reviews")

FINISHED = [Phase.APPLIED, Phase.OBSERVED, Phase.REJECTED, Phase.EXPIRED, Phase.FAILED]
UNFINISHED = [Phase.PLANNED, Phase.AWAITING_APPROVAL]


def aged(phase: Phase, age: timedelta, name: str = "canary-1", **status: Any) -> Remediation:
    """A stored record of this phase, created, and finished if it is, so long before NOON."""
    at = NOON - age
    fields = {"finished_at": at if phase.finished else None} | status
    made = replace(record(name, target=TARGET), uid=f"uid-{name}", resource_version="7", created_at=at)
    return replace(made, status=Status(phase=phase, **fields))


def asked(age: timedelta, done: timedelta | None = None) -> Undoing:
    return Undoing(Request("ann", "not it"), NOON - age, None if done is None else NOON - done)


def cluster_of(*records: Remediation) -> FakeCluster:
    cluster = FakeCluster(virtual_service({"route": split(v1=90, v2=10)}))
    cluster.ledger.stored = {(each.namespace, each.name): each for each in records}
    return cluster


def keeper(cluster: FakeCluster, retention: timedelta | None = DAY, **parts: Any) -> Housekeeping:
    return Housekeeping(cluster, retention, lambda: NOON, **parts)


def names(cluster: FakeCluster) -> list[str]:
    return [each.name for each in cluster.ledger.records()]


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(each.levelname, each.getMessage()) for each in caplog.records]


@pytest.fixture(autouse=True)
def listen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, housekeeping.__name__)


class TestRetention:
    @pytest.mark.parametrize("phase", FINISHED)
    def test_a_finished_record_goes_when_it_is_as_old_as_the_retention(self, phase: Phase) -> None:
        cluster = cluster_of(aged(phase, DAY, "old"), aged(phase, DAY - SECOND, "young"))
        keeper(cluster).tidy()

        assert ["young"] == names(cluster)

    @pytest.mark.parametrize("phase", UNFINISHED)
    def test_what_is_not_finished_never_goes(self, phase: Phase) -> None:
        old = aged(phase, 1000 * DAY)

        assert not is_over(old, NOON, HOUR)
        assert (phase is Phase.PLANNED) == bool(due([head(old)], NOON, HOUR))

    def test_it_counts_from_the_end_and_not_from_the_beginning(self) -> None:
        cluster = cluster_of(aged(Phase.APPLIED, 9 * DAY, finished_at=NOON - HOUR))
        keeper(cluster).tidy()

        assert ["canary-1"] == names(cluster)

    @pytest.mark.parametrize(
        ("age", "expected"),
        [pytest.param(DAY, [], id="old"), pytest.param(DAY - SECOND, ["canary-1"], id="young")],
    )
    def test_without_a_known_end_it_counts_from_the_beginning(self, age: timedelta, expected: list[str]) -> None:
        cluster = cluster_of(aged(Phase.FAILED, age, finished_at=None))
        keeper(cluster).tidy()

        assert expected == names(cluster)

    def test_an_end_in_the_future_is_waited_for(self) -> None:
        """Of a replica whose clock is ahead."""
        assert not is_over(aged(Phase.APPLIED, 9 * DAY, finished_at=NOON + HOUR), NOON, DAY)

    @pytest.mark.parametrize(
        ("phase", "until", "expected"),
        [
            pytest.param(Phase.APPLIED, NOON + SECOND, ["canary-1"], id="traffic is held away"),
            pytest.param(Phase.APPLIED, NOON, [], id="the hold is over"),
            pytest.param(Phase.FAILED, NOON + SECOND, [], id="nothing was done, so nothing is held"),
        ],
    )
    def test_traffic_that_is_held_away_keeps_its_record(
        self, phase: Phase, until: datetime, expected: list[str]
    ) -> None:
        old = aged(phase, 2 * DAY)
        cluster = cluster_of(replace(old, intent=replace(old.intent, hold_until=until)))
        keeper(cluster).tidy()

        assert expected == names(cluster)

    @pytest.mark.parametrize("phase", [*FINISHED, Phase.UNDONE])
    def test_without_a_retention_all_are_kept(self, phase: Phase) -> None:
        cluster = cluster_of(aged(phase, 1000 * DAY))
        keeper(cluster, None).tidy()

        assert ["canary-1"] == names(cluster)

    @given(remediations())
    def test_only_what_the_heads_name_can_be_over(self, found: Remediation) -> None:
        """The heads are looked at first: they must leave nothing out."""
        stored = replace(found, created_at=found.created_at or NOON)
        for now in (NOON, NOON + UNDO_STANDS, LATER):
            if is_over(stored, now, DAY):
                assert (head(stored),) == due([head(stored)], now, DAY)


class TestUndo:
    """With the record goes what it says: that a person has overruled the alerts that fired then."""

    @pytest.mark.parametrize(
        ("age", "expected"),
        [
            pytest.param(2 * DAY, ["canary-1"], id="older than the retention"),
            pytest.param(UNDO_STANDS - SECOND, ["canary-1"], id="almost a month"),
            pytest.param(UNDO_STANDS, [], id="a month"),
        ],
    )
    def test_an_undo_outlives_a_short_retention(self, age: timedelta, expected: list[str]) -> None:
        cluster = cluster_of(aged(Phase.UNDONE, age, undo=asked(age, age)))
        keeper(cluster).tidy()

        assert expected == names(cluster)

    def test_a_long_retention_counts_for_it_too(self) -> None:
        assert not is_over(aged(Phase.UNDONE, UNDO_STANDS), NOON, 2 * UNDO_STANDS)

    @pytest.mark.parametrize(
        ("since", "expected"),
        [
            pytest.param(SECOND, ["canary-1"], id="it may be under way"),
            pytest.param(UNDO_STANDS, [], id="nobody goes on with it"),
        ],
    )
    def test_an_undo_that_is_not_known_to_be_done(self, since: timedelta, expected: list[str]) -> None:
        cluster = cluster_of(aged(Phase.APPLIED, 1000 * DAY, undo=asked(since)))
        keeper(cluster).tidy()

        assert expected == names(cluster)


class TestLeftPlanned:
    @pytest.mark.parametrize(
        ("age", "expected"),
        [
            pytest.param(HOUR, (Phase.FAILED, Reason.INTERRUPTED), id="an hour old"),
            pytest.param(HOUR - SECOND, (Phase.PLANNED, None), id="somebody may be at work"),
        ],
    )
    @pytest.mark.parametrize("retention", [pytest.param(None, id="all are kept"), pytest.param(DAY, id="a retention")])
    def test_it_is_settled(
        self, age: timedelta, expected: tuple[Phase, Reason | None], retention: timedelta | None
    ) -> None:
        cluster = cluster_of(aged(Phase.PLANNED, age))
        keeper(cluster, retention).tidy()

        (after,) = cluster.ledger.records()
        assert expected == (after.status.phase, after.status.reason)

    def test_the_object_tells_that_the_patch_was_made(self, caplog: pytest.LogCaptureFixture) -> None:
        cluster = cluster_of(aged(Phase.PLANNED, 9 * DAY))
        cluster.edit(TARGET.ref, lambda body: body["metadata"].update(annotations={ANNOTATION: "canary-1"}))
        keeper(cluster).tidy()

        (after,) = cluster.ledger.records()
        assert (Phase.APPLIED, NOON) == (after.status.phase, after.status.applied_at)
        assert [("INFO", "0 finished records deleted, 1 that were left Planned settled")] == lines(caplog)
        assert {"shop/canary-1": "Applied"} == vars(caplog.records[0])["settled"]

    def test_its_object_may_be_gone(self) -> None:
        cluster = cluster_of(aged(Phase.PLANNED, DAY))
        cluster.stored.clear()
        keeper(cluster).tidy()

        assert [Phase.FAILED] == [each.status.phase for each in cluster.ledger.records()]

    def test_a_second_round_finds_nothing_to_do(self, caplog: pytest.LogCaptureFixture) -> None:
        cluster = cluster_of(aged(Phase.PLANNED, DAY))
        keeper(cluster).tidy()
        before = cluster.ledger.records()
        caplog.clear()
        keeper(cluster).tidy()

        assert before == cluster.ledger.records()
        assert [] == lines(caplog)


class TestRivals:
    def test_who_was_changed_meanwhile_stays(self, caplog: pytest.LogCaptureFixture) -> None:
        """A person asks for its undo between our look at the index and our delete."""
        cluster = cluster_of(aged(Phase.APPLIED, 2 * DAY))

        def undo_first(_call: str, found: Remediation) -> None:
            changed = replace(found, resource_version="8", status=replace(found.status, undo=asked(SECOND)))
            cluster.ledger.stored["shop", found.name] = changed

        cluster.ledger.before = undo_first
        keeper(cluster).tidy()

        assert ["8"] == [each.resource_version for each in cluster.ledger.records()]
        assert [] == lines(caplog)

    def test_who_was_deleted_meanwhile_is_no_failure(self, caplog: pytest.LogCaptureFixture) -> None:
        cluster = cluster_of(aged(Phase.APPLIED, 2 * DAY))
        cluster.ledger.before = lambda _call, _found: cluster.ledger.stored.clear()
        keeper(cluster).tidy()

        assert [] == lines(caplog)

    @pytest.mark.parametrize("phase", [Phase.APPLIED, Phase.FAILED])
    def test_the_end_that_another_wrote_stays(self, phase: Phase) -> None:
        cluster = cluster_of(aged(Phase.PLANNED, DAY))

        def end_first(_call: str, found: Remediation) -> None:
            cluster.ledger.before = lambda _call, _found: None
            ended = replace(found.ended(Conclusion(phase, Reason.PATCHED, "another's"), NOON), resource_version="8")
            cluster.ledger.stored["shop", found.name] = ended

        cluster.ledger.before = end_first
        keeper(cluster).tidy()

        assert [(phase, "another's")] == [(each.status.phase, each.status.message) for each in cluster.ledger.records()]

    def test_what_another_settled_before_the_index_heard_of_it_is_not_told_again(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        cluster = cluster_of(aged(Phase.PLANNED, DAY))
        asked_for: list[str] = []

        def settle_first(call: str) -> None:
            asked_for.append(call)
            cluster.ledger.stored["shop", "canary-1"] = aged(Phase.FAILED, SECOND)

        cluster.step = settle_first
        keeper(cluster).tidy()

        assert ["read"] == asked_for
        assert [] == lines(caplog)

    def test_replicas_share_the_work(self, caplog: pytest.LogCaptureFixture) -> None:
        old = [aged(Phase.APPLIED, 2 * DAY, f"old-{number}") for number in range(100)]
        young = [aged(Phase.APPLIED, HOUR, f"young-{number}") for number in range(3)]
        cluster = cluster_of(*old, *young)
        together = threading.Barrier(4)

        def tidy() -> None:
            together.wait(10)
            keeper(cluster).tidy()

        with ThreadPoolExecutor(4) as executor:
            for done in [executor.submit(tidy) for _ in range(4)]:
                done.result()

        assert ["young-0", "young-1", "young-2"] == names(cluster)
        assert {"INFO"} == {level for level, _ in lines(caplog)}
        assert 100 == sum(vars(each)["deleted"] for each in caplog.records)


class TestBounds:
    def test_a_round_deletes_so_many_and_says_that_more_are_left(self, caplog: pytest.LogCaptureFixture) -> None:
        cluster = cluster_of(*(aged(Phase.OBSERVED, 2 * DAY, f"old-{number}") for number in range(MOST + 1)))
        tidy = keeper(cluster).tidy
        tidy()
        assert 1 == len(names(cluster))
        tidy()
        assert [] == names(cluster)

        counted = "finished records deleted, 0 that were left Planned settled"
        assert [
            ("INFO", f"{MOST} {counted}; the next round goes on"),
            ("INFO", f"1 {counted}"),
        ] == lines(caplog)

    def test_what_is_kept_takes_nobodys_place(self) -> None:
        kept = [aged(Phase.UNDONE, 2 * DAY, f"kept-{number}") for number in range(MOST + 1)]
        cluster = cluster_of(*kept, aged(Phase.APPLIED, 2 * DAY, "old"))
        keeper(cluster).tidy()

        assert "old" not in names(cluster)

    def test_it_stops_in_the_middle_of_a_round(self) -> None:
        cluster = cluster_of(*(aged(Phase.APPLIED, 2 * DAY, f"old-{number}") for number in range(5)))
        keep = keeper(cluster)
        cluster.ledger.before = lambda _call, _found: keep.stop()
        keep.tidy()

        assert 4 == len(names(cluster))


class TestFailures:
    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(NotSynced("remediations: not listed yet"), id="the index is not synced"),
            pytest.param(Unavailable("canary.yaml cannot be understood"), id="a folder cannot be read"),
        ],
    )
    def test_without_an_index_nothing_is_done(self, fault: ClusterError, caplog: pytest.LogCaptureFixture) -> None:
        cluster = cluster_of(aged(Phase.APPLIED, 2 * DAY))
        cluster.ledger.fails["index"] = fault
        keep = keeper(cluster)
        keep.tidy()

        assert ["canary-1"] == names(cluster)
        expected = f"old records could not all be deleted or settled; the next round tries again: {fault}"
        assert [("WARNING", expected)] == lines(caplog)

        del cluster.ledger.fails["index"]
        keep.tidy()
        assert [] == names(cluster)

    def test_the_same_failure_is_told_once_until_it_is_over(self, caplog: pytest.LogCaptureFixture) -> None:
        cluster = cluster_of(aged(Phase.PLANNED, 2 * DAY))
        keep = keeper(cluster)
        for fault in (Forbidden("get", "remediations"), Forbidden("get", "remediations"), None, Unavailable("away")):
            cluster.ledger.fails = {"read": fault} if fault else {"read": NotFound("gone")}
            keep.tidy()
        cluster.ledger.fails = {"read": Forbidden("get", "remediations")}
        keep.tidy()

        told = [message.rpartition(": ")[2] for _, message in lines(caplog)]
        assert ["no permission to get remediations", "away", "no permission to get remediations"] == told

    def test_one_that_cannot_be_deleted_does_not_keep_the_others(self, caplog: pytest.LogCaptureFixture) -> None:
        cluster = cluster_of(*(aged(Phase.APPLIED, 2 * DAY, f"old-{number}") for number in range(20)))

        def refuse(_call: str, found: Remediation) -> None:
            if found.name == "old-7":
                raise Rejected("a webhook keeps it")

        cluster.ledger.before = refuse
        keeper(cluster).tidy()

        assert ["old-7"] == names(cluster)
        assert ["INFO", "WARNING"] == sorted(level for level, _ in lines(caplog))

    def test_an_api_server_in_trouble_is_left_alone(self) -> None:
        cluster = cluster_of(*(aged(Phase.APPLIED, 2 * DAY, f"old-{number}") for number in range(20)))
        tried: list[str] = []

        def away(_call: str, found: Remediation) -> None:
            tried.append(found.name)
            raise Unavailable("no answer")

        cluster.ledger.before = away
        keeper(cluster).tidy()

        assert MOST_FAILURES == len(tried)

    def test_those_who_are_quicker_are_no_trouble(self) -> None:
        cluster = cluster_of(*(aged(Phase.APPLIED, 2 * DAY, f"old-{number}") for number in range(20)))
        tried: list[str] = []

        def moved(_call: str, found: Remediation) -> None:
            tried.append(found.name)
            raise Conflict("moved")

        cluster.ledger.before = moved
        keeper(cluster).tidy()

        assert 20 == len(tried)

    def test_a_bug_ends_one_round_and_not_the_next(self, caplog: pytest.LogCaptureFixture) -> None:
        cluster = cluster_of(aged(Phase.APPLIED, 2 * DAY))
        keep = keeper(cluster)

        def bug(_name: str) -> None:
            raise ZeroDivisionError("a bug")

        cluster.step = bug
        keep.tidy()
        cluster.step = lambda _name: None
        keep.tidy()

        assert ["ERROR", "INFO"] == [level for level, _ in lines(caplog)]
        assert "ZeroDivisionError: a bug" in caplog.text
        assert [] == names(cluster)


class TestThread:
    @pytest.mark.parametrize(
        ("chance", "first"),
        [pytest.param(0.0, 300.0, id="the earliest"), pytest.param(0.5, 600.0, id="in the middle")],
    )
    def test_a_first_round_some_minutes_after_the_start_and_then_every_hour(self, chance: float, first: float) -> None:
        cluster = cluster_of(aged(Phase.APPLIED, 2 * DAY))
        waited: list[tuple[float, int]] = []
        over = threading.Event()

        def pause(_stop: threading.Event, seconds: float) -> bool:
            waited.append((seconds, len(names(cluster))))
            if len(waited) == 3:
                over.set()
            return over.is_set()

        keep = keeper(cluster, chance=lambda: chance, pause=pause)
        keep.start()
        assert over.wait(10)
        keep.stop()

        assert [(first, 1), (EVERY_S, 0), (EVERY_S, 0)] == waited

    def test_it_ends_when_it_is_told_to(self) -> None:
        before = threading.active_count()
        keep = keeper(cluster_of())
        keep.start()
        keep.stop()

        assert before == threading.active_count()

    def test_what_was_never_begun_can_be_stopped(self) -> None:
        keeper(cluster_of()).stop()


class TestAdapters:
    """The precondition of a delete, which comes from the index, is one that the store itself knows."""

    def test_a_folder_loses_the_old_files(self, tmp_path: Path) -> None:
        cluster = LocalCluster(tmp_path)
        cluster.ledger.conclude(replace(cluster.ledger.create(record("old")), status=APPLIED))
        cluster.ledger.create(record("crashed"))
        keep = Housekeeping(cluster, DAY, lambda: LATER)
        keep.tidy()

        assert ["crashed.yaml"] == [path.name for path in tmp_path.rglob("*.yaml")]
        (settled,) = cluster.ledger.listed()
        assert (Phase.FAILED, Reason.INTERRUPTED) == (settled.status.phase, settled.status.reason)

    @pytest.mark.servers
    def test_two_replicas_on_one_api_server(
        self, start: Start, api_server: ApiServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        api_server.namespace("shop")
        worlds = start(), start()
        ledger = worlds[0].ledger
        for number in range(20):
            ledger.conclude(replace(ledger.create(record(f"old-{number}")), status=APPLIED))
        ledger.create(record("crashed"))
        phases = Counter({Phase.APPLIED: 20, Phase.PLANNED: 1})
        for world in worlds:
            world.eventually(partial(_are, world, phases))
        with ThreadPoolExecutor(2) as executor:
            list(executor.map(lambda world: Housekeeping(world.cluster, DAY, lambda: LATER).tidy(), worlds))

        assert [("crashed", Phase.FAILED)] == [(each.name, each.status.phase) for each in ledger.listed()]
        assert {"INFO"} == {level for level, _ in lines(caplog)}
        assert 20 == sum(vars(each)["deleted"] for each in caplog.records)
        for world in worlds:
            world.eventually(partial(_are, world, Counter({Phase.FAILED: 1})))


def _are(world: RealWorld, phases: Counter[Phase]) -> bool:
    return world.cluster.health().synced and phases == Counter(each.phase for each in world.ledger.heads())


@given(st.timedeltas(min_value=HOUR, max_value=timedelta(weeks=999_999, days=999_999)))
def test_any_retention_that_can_be_set_is_reckoned_with(retention: timedelta) -> None:
    assert is_over(aged(Phase.OBSERVED, DAY), NOON, retention) == (retention <= DAY)
