"""Patches are verified against a real Prometheus; what is pending comes from the records, whoever looks at them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from benchmarks.prometheus import running_prometheus
from remediator.errors import Conflict, NotFound, Unanswered, Unavailable
from remediator.metrics import Metrics
from remediator.outcome import Outcome, Reason
from remediator.pipeline.verifying import Asks, Verifying
from remediator.policies.model import Action
from remediator.prometheus import Prometheus
from remediator.records.events import Tone
from remediator.records.journal import Journal
from remediator.records.model import Conclusion, Phase, Release, Remediation, Request, Undoing
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect
from remediator.verification.model import Verification, VerificationVerdict
from remediator.verification.reading import Sample
from remediator.verification.schedule import Schedule
from tests.counted import Flow, written
from tests.fakes import FakeCluster
from tests.ledger_contract import APPLIED, companion, record
from tests.processes import Missing
from tests.test_verification import sample

Verdict = VerificationVerdict
Json = dict[str, Any]

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SCHEDULE = Schedule(2 * MINUTE)
WEIGHT: Final[Json] = {"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 0}
MIRROR: Final[Json] = {"op": "remove", "path": "/spec/http/0/mirror"}

STABLE = (Flow("v1", 9, 10), Flow("v1", 0, 0, code="503"))
SUSPECT = (Flow("v2", 0.7, 0), Flow("v2", 0.3, 0, code="503"))
KEPT = (Flow("v2", 0.7, 0.7), Flow("v2", 0.3, 0.3, code="503"))


@dataclass(frozen=True)
class Story:
    """What happens to a service around a patch, and what is to be found."""

    flows: tuple[Flow, ...]
    expected: VerificationVerdict
    figures: tuple[tuple[str, float, float], ...]
    """Of each side: its name, requests before and after."""
    patch: tuple[Json, ...] = (WEIGHT,)
    at_s: float = 75
    """When it is found."""


def mirrored(before: float, after: float) -> tuple[Flow, ...]:
    """What the called proxies count of both versions: of v2 all its requests, live or copied."""
    return Flow("v1", 9, 10, reporter="destination"), Flow("v2", before, after, reporter="destination")


STORIES: Final[dict[str, Story]] = {
    "recovers": Story((*STABLE, *SUSPECT), Verdict.RECOVERED, (("Live", 60, 0),)),
    "fails-on": Story(
        (Flow("v1", 9, 8), Flow("v1", 0, 2, code="503"), *SUSPECT),
        Verdict.NOT_RECOVERED,
        (("Live", 60, 0),),
        at_s=75 + 120,
    ),
    "keeps-it": Story((*STABLE, *KEPT), Verdict.STILL_RECEIVING, (("Live", 60, 60),), at_s=120),
    "keeps-a-tenth": Story((*STABLE, Flow("v2", 1, 0.1)), Verdict.STILL_RECEIVING, (("Live", 60, 6),), at_s=120),
    "slow-mesh": Story((*STABLE, Flow("v2", 1, 0, late=40 * SECOND)), Verdict.RECOVERED, (("Live", 60, 0),), at_s=90),
    "errors-end-later": Story(
        (*STABLE, Flow("v2", 1, 0), Flow("unknown", 2, 0, code="503", late=90 * SECOND)),
        Verdict.RECOVERED,
        (("Live", 60, 0),),
        at_s=135,
    ),
    "own-host": Story((Flow("v2", 1, 0),), Verdict.WITHDRAWN, (("Live", 60, 0),), at_s=75 + 120),
    "idle": Story((*STABLE, Flow("v2", 0, 0)), Verdict.NO_DATA, (("Live", 0, 0),), at_s=120),
    "goes-dark": Story(
        tuple(replace(flow, ends=10 * SECOND) for flow in (*STABLE, *SUSPECT)),
        Verdict.NO_DATA,
        (("Live", 60, 0),),
        at_s=120,
    ),
    "gateway-goes-dark": Story(
        (Flow("v1", 1, 1), replace(STABLE[0], code="201", ends=10 * SECOND), Flow("v2", 1, 0, ends=10 * SECOND)),
        Verdict.NO_DATA,
        (("Live", 60, 0),),
        at_s=120,
    ),
    "not-scraped": Story((), Verdict.NO_DATA, (("Live", 0, 0),), at_s=120),
    "mirror-ends": Story((*STABLE, *mirrored(9, 0)), Verdict.RECOVERED, (("Mirrored", 540, 0),), (MIRROR,)),
    "mirror-goes-on": Story(
        (*STABLE, *mirrored(9, 9)), Verdict.STILL_RECEIVING, (("Mirrored", 540, 540),), (MIRROR,), at_s=120
    ),
    "weight-ends-mirror-goes-on": Story(
        (*STABLE, *SUSPECT, *mirrored(10, 9)),
        Verdict.STILL_RECEIVING,
        (("Live", 60, 0), ("Mirrored", 540, 540)),
        (MIRROR, WEIGHT),
        at_s=120,
    ),
    "weight-ends-mirror-is-kept": Story((*STABLE, *SUSPECT, *mirrored(10, 9)), Verdict.RECOVERED, (("Live", 60, 0),)),
    "known-by-its-revision": Story(
        (*STABLE, Flow("v2", 1, 1, named={"destination_version": "unknown", "destination_canonical_revision": "v2"})),
        Verdict.STILL_RECEIVING,
        (("Live", 60, 60),),
        at_s=120,
    ),
}
"""By the service's name."""


class Clock:
    """The wall clock of a test, moved by hand."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class Past:
    """A Prometheus that has seen all stories; their patches were made at one moment."""

    prometheus: Prometheus
    patched_at: datetime


@pytest.fixture(scope="module")
def past() -> Iterator[Past]:
    patched_at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
    try:
        with running_prometheus({"scrape_configs": []}, ["--web.enable-remote-write-receiver"]) as server:
            server.write(written({name: story.flows for name, story in STORIES.items()}, patched_at))
            yield Past(Prometheus(server.url), patched_at)
    except Missing as missing:
        pytest.skip(str(missing))


def patched(at: datetime, service: str = "reviews", patch: tuple[Json, ...] = (WEIGHT,), **status: Any) -> Remediation:
    """A stored record whose patch was made."""
    made = record(suspect=Suspect(Host(f"{service}.shop.svc.cluster.local"), "v2"), patch=patch)
    stored = replace(made, uid="u", resource_version="1", created_at=at - SECOND)
    return replace(stored, status=replace(APPLIED, applied_at=at, finished_at=at, **status))


@dataclass
class Replica:
    """One life of one replica: only what the cluster keeps outlives it."""

    cluster: FakeCluster
    prometheus: Asks | None
    clock: Clock
    metrics: Metrics = field(default_factory=Metrics)
    chance: float = 0.0

    def __post_init__(self) -> None:
        self.verifying = Verifying(
            self.cluster, self.prometheus, SCHEDULE, now=self.clock, counted=self.metrics.verification
        )
        self.verifying.chance = lambda: self.chance

    def look(self, until: datetime, step: timedelta = 5 * SECOND) -> None:
        """Look every few seconds until then."""
        while self.clock.at <= until:
            self.verifying.look()
            self.clock.at += step

    @property
    def counted(self) -> dict[str, float]:
        """Verdicts that it has counted."""
        lines = self.metrics.render()[0].decode().splitlines()
        found = (line.split() for line in lines if line.startswith("remediator_verifications_total{"))
        return {name.split('"')[1]: float(count) for name, count in found if float(count)}


def cluster_of(*records: Remediation) -> FakeCluster:
    cluster = FakeCluster()
    cluster.ledger.stored = {(each.namespace, each.name): each for each in records}
    return cluster


def known(cluster: FakeCluster) -> Verification:
    """What is known of the only record."""
    (found,) = cluster.ledger.records()
    assert found.status.verification is not None
    return found.status.verification


@pytest.mark.servers
class TestOnPrometheus:
    @pytest.mark.parametrize("service", [pytest.param(name, id=name.replace("-", " ")) for name in STORIES])
    def test_each_verdict(self, past: Past, service: str) -> None:
        story, clock = STORIES[service], Clock(past.patched_at)
        cluster = cluster_of(patched(past.patched_at, service, story.patch))
        replica = Replica(cluster, past.prometheus, clock)
        replica.look(past.patched_at + 5 * MINUTE)
        found = known(cluster)

        assert story.expected is found.verdict, found.message
        assert found.concluded_at == found.at
        late = (found.at - past.patched_at).total_seconds() - story.at_s
        assert 0 <= late < SCHEDULE.pause.total_seconds() + 5, found
        assert {story.expected.value: 1.0} == replica.counted
        assert story.figures == tuple(
            (each.side.value, round(each.before), round(each.after)) for each in found.figures
        )

    def test_a_restart_in_the_middle(self, past: Past) -> None:
        """It dies after it has seen the traffic go, and another life sees how the errors went on."""
        cluster = cluster_of(patched(past.patched_at, "fails-on"))
        Replica(cluster, past.prometheus, Clock(past.patched_at)).look(past.patched_at + 90 * SECOND)
        withdrawn = known(cluster)
        reborn = Replica(cluster, past.prometheus, Clock(past.patched_at + 10 * MINUTE))
        reborn.look(past.patched_at + 10 * MINUTE)
        found = known(cluster)

        assert (Verdict.WITHDRAWN, None) == (withdrawn.verdict, withdrawn.concluded_at)
        assert Verdict.NOT_RECOVERED is found.verdict
        assert withdrawn.withdrawn_at == found.withdrawn_at
        assert past.patched_at + 195 * SECOND == found.at
        assert {"NotRecovered": 1.0} == reborn.counted

    def test_who_starts_late_finds_what_was_to_be_found_in_time(self, past: Past) -> None:
        """Nobody was there for a quarter of an hour; the windows are those of then."""
        cluster = cluster_of(patched(past.patched_at, "slow-mesh"))
        Replica(cluster, past.prometheus, Clock(past.patched_at + 15 * MINUTE)).look(past.patched_at + 15 * MINUTE)

        assert (Verdict.RECOVERED, past.patched_at + 2 * MINUTE) == (known(cluster).verdict, known(cluster).at)


class Scripted:
    """Answers as a test says: the suspect's requests in each window, or why there is no answer."""

    def __init__(self, patched_at: datetime) -> None:
        self.patched_at = patched_at
        self.asked: list[datetime] = []
        self.fails: str = ""
        self.since = 0.0
        """Requests of the suspect since the patch."""

    def instant(self, query: str, at: datetime) -> list[Sample]:
        self.asked.append(at)
        if self.fails:
            raise Unanswered(self.fails)
        count = 100.0 if at <= self.patched_at else self.since
        return [*sample(900, "v1"), *sample(count, "v2")]


NOON = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)


@dataclass
class World:
    """One record, whose patch was made at noon, and an answer to every question."""

    cluster: FakeCluster = field(default_factory=lambda: cluster_of(patched(NOON)))
    prometheus: Scripted = field(default_factory=lambda: Scripted(NOON))

    def replica(self, at: datetime = NOON, **more: Any) -> Replica:
        return Replica(self.cluster, self.prometheus, Clock(at), **more)


@pytest.fixture
def world() -> World:
    return World()


class TestWhatIsPending:
    def test_nothing_is_asked_before_a_window_has_gone_by(self, world: World) -> None:
        world.replica().look(NOON + 74 * SECOND, SECOND)

        assert [] == world.prometheus.asked

    @pytest.mark.parametrize(
        "changed",
        [
            pytest.param(
                lambda was: replace(was, status=replace(was.status, phase=Phase.OBSERVED)), id="nothing was patched"
            ),
            pytest.param(
                lambda was: replace(was, status=replace(was.status, undo=Undoing(Request("ann"), NOON))),
                id="a person wants it back",
            ),
            pytest.param(
                lambda was: replace(was, status=replace(was.status, release=Release(Request("ann"), NOON))),
                id="a person let the suspect have traffic again",
            ),
            pytest.param(
                lambda was: replace(was, intent=replace(was.intent, suspect=Suspect(was.intent.suspect.host, None))),
                id="no version is accused",
            ),
            pytest.param(
                lambda was: replace(was, status=replace(was.status, applied_at=NOON - timedelta(hours=2))),
                id="it is too long ago",
            ),
        ],
    )
    def test_what_is_not_asked_about(self, world: World, changed: Callable[[Remediation], Remediation]) -> None:
        key = ("shop", "canary-1")
        world.cluster.ledger.stored[key] = changed(world.cluster.ledger.stored[key])
        world.replica().look(NOON + 5 * MINUTE)

        assert [] == world.prometheus.asked

    def test_a_final_verdict_is_not_asked_about_again(self, world: World) -> None:
        world.replica().look(NOON + 80 * SECOND)
        count = len(world.prometheus.asked)
        world.replica(NOON + 90 * SECOND).look(NOON + 10 * MINUTE)

        assert (Verdict.RECOVERED, 2) == (known(world.cluster).verdict, count)
        assert count == len(world.prometheus.asked)

    def test_an_index_that_is_not_known_is_waited_for(self, world: World) -> None:
        world.cluster.ledger.fails["index"] = Unavailable("not yet")
        replica = world.replica(NOON + 80 * SECOND)
        replica.verifying.look()
        del world.cluster.ledger.fails["index"]
        replica.verifying.look()

        assert Verdict.RECOVERED is known(world.cluster).verdict

    def test_one_service_is_asked_once_for_all_of_its_suspects(self, world: World) -> None:
        key = ("shop", "canary-1")
        was = world.cluster.ledger.stored[key]
        also = replace(companion("beef"), suspect=Suspect(was.intent.suspect.host, "v3"))
        world.cluster.ledger.stored[key] = replace(was, intent=replace(was.intent, also=(also,)))
        world.replica(NOON + 2 * MINUTE).verifying.look()

        assert [NOON, NOON + 2 * MINUTE] == world.prometheus.asked
        assert Verdict.NO_DATA is known(world.cluster).verdict
        assert ["v2", "v3"] == [figure.suspect.version for figure in known(world.cluster).figures]

    def test_a_record_that_names_no_patch_is_asked_about_by_its_actions(self, world: World) -> None:
        key = ("shop", "canary-1")
        was = world.cluster.ledger.stored[key]
        intent = replace(was.intent, patch=(), actions=(Action.REMOVE_MIRRORS,))
        world.cluster.ledger.stored[key] = replace(was, intent=intent)
        world.replica(NOON + 2 * MINUTE).verifying.look()

        assert ["Mirrored"] == [figure.side.value for figure in known(world.cluster).figures]


class TestLoad:
    def test_a_verification_that_takes_its_time_costs_a_dozen_questions(self, world: World) -> None:
        world.prometheus.since = 100.0
        world.replica(chance=0.5).look(NOON + 5 * MINUTE, SECOND)

        assert Verdict.STILL_RECEIVING is known(world.cluster).verdict
        assert 2 * 7 == len(world.prometheus.asked)

    def test_two_replicas_look_at_different_times_and_mostly_one_asks(self, world: World) -> None:
        first, second = world.replica(chance=0.0), world.replica(chance=0.9)
        for seconds in range(120):
            for replica in (first, second):
                replica.clock.at = NOON + seconds * SECOND
                replica.verifying.look()

        assert ({"Recovered": 1.0}, {}) == (first.counted, second.counted)
        assert 2 == len(world.prometheus.asked)


class TestRivals:
    def test_the_first_to_write_is_right(self, world: World) -> None:
        """Two find different verdicts at the same moment; the record keeps one, and one Event is told."""
        theirs = Verification(Verdict.STILL_RECEIVING, NOON + 2 * MINUTE, "theirs", concluded_at=NOON + 2 * MINUTE)

        def rival(call: str, found: Remediation) -> None:
            if call == "conclude":
                world.cluster.ledger.before = lambda _call, _record: None
                was = world.cluster.ledger.stored[found.namespace, found.name]
                world.cluster.ledger.conclude(replace(was, status=replace(was.status, verification=theirs)))

        world.cluster.ledger.before = rival
        replica = world.replica(NOON + 2 * MINUTE)
        replica.verifying.look()

        assert (theirs, {}) == (known(world.cluster), replica.counted)

    def test_who_finds_it_written_tells_nothing(self, world: World) -> None:
        """The index is behind: another replica has written, and told it, a moment ago."""
        theirs = Verification(Verdict.RECOVERED, NOON + 80 * SECOND, "theirs", concluded_at=NOON + 80 * SECOND)
        ledger, key = world.cluster.ledger, ("shop", "canary-1")
        old = ledger.stored[key]
        ledger.stored[key] = replace(old, status=replace(old.status, verification=theirs), resource_version="2")
        ledger.unverified = lambda since: ledger.heads()  # type: ignore[method-assign]
        ledger.get = lambda namespace, name: old  # type: ignore[method-assign]
        world.replica(NOON + 2 * MINUTE).verifying.look()

        assert (theirs, {}) == (known(world.cluster), ledger.events)

    def test_another_write_on_the_record_is_kept(self, world: World) -> None:
        def rival(call: str, found: Remediation) -> None:
            if call == "conclude":
                world.cluster.ledger.before = lambda _call, _record: None
                was = world.cluster.ledger.stored[found.namespace, found.name]
                world.cluster.ledger.conclude(replace(was, status=replace(was.status, heard_at=NOON)))

        world.cluster.ledger.before = rival
        world.replica(NOON + 2 * MINUTE).verifying.look()
        (found,) = world.cluster.ledger.records()

        assert NOON == found.status.heard_at
        assert Verdict.RECOVERED is known(world.cluster).verdict

    def test_an_undo_in_the_same_moment_ends_it(self, world: World) -> None:
        def undone(call: str, found: Remediation) -> None:
            if call == "conclude":
                world.cluster.ledger.before = lambda _call, _record: None
                was = world.cluster.ledger.stored[found.namespace, found.name]
                taken = replace(was.status, undo=Undoing(Request("ann"), NOON))
                world.cluster.ledger.conclude(replace(was, status=taken))

        world.cluster.ledger.before = undone
        replica = world.replica(NOON + 2 * MINUTE)
        replica.verifying.look()
        (found,) = world.cluster.ledger.records()

        assert (None, {}) == (found.status.verification, replica.counted)

    @pytest.mark.parametrize(
        ("call", "error", "expected"),
        [
            pytest.param("conclude", Unavailable("away"), 1, id="the API server is away: told, and tried again"),
            pytest.param("conclude", Conflict("again and again"), 1, id="others write all the time"),
            pytest.param("read", NotFound("gone"), 0, id="somebody deleted it"),
        ],
    )
    def test_a_write_that_fails(
        self, world: World, caplog: pytest.LogCaptureFixture, call: str, error: Exception, expected: int
    ) -> None:
        world.cluster.ledger.fails[call] = error  # type: ignore[assignment]
        replica = world.replica(NOON + 2 * MINUTE)
        replica.look(NOON + 3 * MINUTE)
        told = [each for each in caplog.records if "could not be seen to" in each.getMessage()]
        del world.cluster.ledger.fails[call]
        replica.look(NOON + 4 * MINUTE)

        assert expected == len(told)
        assert {"Recovered": 1.0} == replica.counted
        assert 1 == len(world.cluster.ledger.events)


class TestTelling:
    @pytest.mark.parametrize(
        ("since", "expected", "tone", "level"),
        [
            pytest.param(0.0, Verdict.RECOVERED, Tone.NORMAL, logging.INFO, id="it worked"),
            pytest.param(100.0, Verdict.STILL_RECEIVING, Tone.WARNING, logging.WARNING, id="it did not"),
        ],
    )
    def test_an_event_a_line_and_a_count(
        self,
        world: World,
        caplog: pytest.LogCaptureFixture,
        since: float,
        expected: VerificationVerdict,
        tone: Tone,
        level: int,
    ) -> None:
        caplog.set_level(logging.INFO, "remediator.pipeline.verifying")
        world.prometheus.since = since
        replica = world.replica()
        replica.look(NOON + 3 * MINUTE)
        (event,) = world.cluster.ledger.events.values()
        (line,) = caplog.records

        assert (expected.value, tone, "Verify") == (event.reason, event.tone, event.action)
        assert f"canary-1: {known(world.cluster).message}" == event.note
        assert (level, expected.value) == (line.levelno, line.verdict)  # type: ignore[attr-defined]
        assert {expected.value: 1.0} == replica.counted

    def test_a_verdict_is_heard_once_by_whoever_listens(self, world: World) -> None:
        heard: list[str] = []
        world.cluster.ledger.listener = lambda event: heard.append(event.reason)
        world.replica().look(NOON + 3 * MINUTE)
        world.replica(NOON + 3 * MINUTE).look(NOON + 4 * MINUTE)

        assert ["Recovered"] == heard

    def test_a_crash_between_event_and_record_tells_nothing_twice(self, world: World) -> None:
        world.cluster.ledger.fails["conclude"] = Unavailable("killed here")
        world.replica(NOON + 2 * MINUTE).verifying.look()
        del world.cluster.ledger.fails["conclude"]
        world.replica(NOON + 3 * MINUTE).verifying.look()

        assert Verdict.RECOVERED is known(world.cluster).verdict
        assert 1 == len(world.cluster.ledger.events)

    def test_traffic_that_is_gone_is_not_told_before_the_errors_are_known(self, past_errors: World) -> None:
        past_errors.replica(NOON + 80 * SECOND).verifying.look()

        assert (Verdict.WITHDRAWN, None) == (
            known(past_errors.cluster).verdict,
            known(past_errors.cluster).concluded_at,
        )
        assert {} == past_errors.cluster.ledger.events


@pytest.fixture
def past_errors(world: World) -> World:
    """The traffic is gone, and the other version fails."""

    class Failing(Scripted):
        def instant(self, query: str, at: datetime) -> list[Sample]:
            failing = sample(0.0 if at <= NOON else 200.0, "v1", "503")
            return [*super().instant(query, at), *failing]

    world.prometheus = Failing(NOON)
    return world


class TestWithoutAnswer:
    def test_nobody_to_ask_is_said_once_and_is_final(self, world: World) -> None:
        replica = Replica(world.cluster, None, Clock(NOON + SECOND))
        replica.look(NOON + 5 * MINUTE)
        found = known(world.cluster)

        assert (Verdict.NOT_VERIFIED, NOON + SECOND) == (found.verdict, found.concluded_at)
        assert "--prometheus-url" in found.message
        assert ({"NotVerified": 1.0}, {}) == (replica.counted, world.cluster.ledger.events)

    def test_it_is_said_as_the_patch_is_recorded_without_a_write_of_its_own(self) -> None:
        begun = patched(NOON)
        planned = replace(begun, status=replace(begun.status, phase=Phase.PLANNED, applied_at=None, finished_at=None))
        cluster, writes = cluster_of(planned), []
        cluster.ledger.before = lambda call, _: writes.append(call)
        Journal(cluster.ledger, lambda: NOON, verifies=False).end(
            planned, Conclusion(Phase.APPLIED, Reason.PATCHED, "changed")
        )
        replica = Replica(cluster, None, Clock(NOON + SECOND))
        replica.look(NOON + 5 * MINUTE)

        assert (Verdict.NOT_VERIFIED, NOON) == (known(cluster).verdict, known(cluster).concluded_at)
        assert (["conclude"], {}) == (writes, replica.counted)

    def test_what_takes_only_mirrors_of_any_version_is_not_verified_and_says_nothing(self) -> None:
        begun = patched(NOON)
        accused = replace(begun.intent, suspect=replace(begun.intent.suspect, version=None))
        planned = replace(begun, intent=accused, status=replace(begun.status, phase=Phase.PLANNED, applied_at=None))
        cluster = cluster_of(planned)
        ended = Journal(cluster.ledger, lambda: NOON, verifies=False).end(
            planned, Conclusion(Phase.APPLIED, Reason.PATCHED, "changed")
        )
        assert (Phase.APPLIED, None) == (ended.status.phase, ended.status.verification)

    def test_a_prometheus_that_is_away_is_tried_again_and_then_told(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.prometheus.fails = "no answer from http://prometheus"
        replica = world.replica()
        replica.look(NOON + 5 * MINUTE)
        told = [each.getMessage() for each in caplog.records if "could not be seen to" in each.getMessage()]
        (event,) = world.cluster.ledger.events.values()

        assert Verdict.NO_DATA is known(world.cluster).verdict
        assert "no answer from http://prometheus" in known(world.cluster).message
        assert 1 == len(told)
        assert (Outcome.DENIED, Tone.WARNING) == (event.outcome, event.tone)

    def test_one_that_comes_back_in_time_is_believed(self, world: World) -> None:
        world.prometheus.fails = "starting"
        replica = world.replica()
        replica.look(NOON + 150 * SECOND)
        world.prometheus.fails = ""
        replica.look(NOON + 3 * MINUTE)

        assert (Verdict.RECOVERED, NOON + 2 * MINUTE) == (known(world.cluster).verdict, known(world.cluster).at)

    def test_a_bug_at_one_does_not_keep_the_others(self, caplog: pytest.LogCaptureFixture) -> None:
        other = replace(patched(NOON, "ratings"), name="canary-2")
        cluster = cluster_of(patched(NOON), other)

        class Broken(Scripted):
            def instant(self, query: str, at: datetime) -> list[Sample]:
                if "reviews" in query:
                    raise RuntimeError("a bug")
                return super().instant(query, at)

        Replica(cluster, Broken(NOON), Clock(NOON + 2 * MINUTE)).verifying.look()
        verdicts = {each.name: each.status.verification for each in cluster.ledger.records()}

        assert verdicts["canary-1"] is None
        assert verdicts["canary-2"] is not None
        assert ["internal error at the verification of shop/canary-1; it is tried again"] == [
            each.getMessage() for each in caplog.records
        ]


def test_it_starts_and_stops_a_thread(world: World) -> None:
    verifying = Verifying(world.cluster, None, SCHEDULE, now=lambda: NOON)
    verifying.start()
    verifying.stop()

    assert not verifying._rounds.running


def test_a_service_that_stops_asks_no_more_and_writes_nothing(world: World) -> None:
    class Stopping(Scripted):
        def instant(self, query: str, at: datetime) -> list[Sample]:
            replica.verifying.stop()
            return super().instant(query, at)

    world.prometheus = Stopping(NOON)
    replica = world.replica(NOON + 10 * MINUTE)
    replica.verifying.look()
    (found,) = world.cluster.ledger.records()

    assert ([NOON], None) == (world.prometheus.asked, found.status.verification)
