"""`rollback` and `stop-mirror` on what Flagger drives: offered as an alert's is, and bound by no guard."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from remediator.cli.main import program
from remediator.cluster.local import LocalCluster
from remediator.guards.pause import Pause
from remediator.outcome import AlertOutcome, Outcome, Reason, TargetRef
from remediator.owners import Lever
from remediator.pipeline.by_hand import Agreed, Settled, Wish, plan_by_hand
from remediator.pipeline.execution import execute
from remediator.pipeline.guarding import Guarding
from remediator.pipeline.tools import Limits, Tools
from remediator.policies.model import MANUAL, Action, Mode
from remediator.records.journal import Journal
from remediator.records.model import Phase, Remediation, Request
from tests.builders import Json, by_host, flagger_canary, virtual_service
from tests.fakes import FakeCluster
from tests.test_pipeline_records import Crash, Mesh, at, die, steps_of
from tests.test_rollbacks import CANARY, HOOK, OFFERED, QUICK, SERVICE, TOLD, World

REVIEWS = TargetRef("VirtualService", "shop", "reviews")
HOSTS = virtual_service({"name": "primary", "route": by_host(reviews_primary=90, reviews_canary=10)})
MIRROR = virtual_service(
    {"route": by_host(reviews_primary=100, reviews_canary=0), "mirror": {"host": "reviews-canary"}},
)
ROLLBACK = ("rollback", "shop/reviews", "--suspect", "reviews-canary")
STOP_MIRROR = ("stop-mirror", "shop/reviews")
ANN = Request("ann", "INC-4711")
CHECKSUM = "6657cd9495"
"""Flagger's, of this status."""


# -- the command line, on a folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("shop").mkdir()
    furnish()
    return Path("shop")


def furnish(body: Json = HOSTS, *hooks: Json, phase: str = "Progressing", **spec: Any) -> None:
    """The VirtualService, and a Canary that is on trial unless `phase` says otherwise."""
    driver = flagger_canary(analysis={"interval": "10s", "webhooks": list(hooks or (HOOK,))}, **spec)
    driver |= {"status": {"phase": phase, "lastAppliedSpec": "5454669676"}}
    Path("shop/shop.yaml").write_text(yaml.safe_dump_all((body, driver), sort_keys=False))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, [*arguments, "--manifests", "shop"], prog_name="remediator")


def records() -> list[Remediation]:
    return list(LocalCluster(Path("shop")).ledger.listed())


@pytest.mark.usefixtures("folder")
class TestTheCommand:
    @pytest.mark.parametrize(
        ("arguments", "body"),
        [pytest.param(ROLLBACK, HOSTS, id="rollback"), pytest.param(STOP_MIRROR, MIRROR, id="stop-mirror")],
    )
    def test_leaves_an_offer_and_all_else_alone(self, arguments: tuple[str, ...], body: Json) -> None:
        furnish(body)
        before = Path("shop/shop.yaml").read_bytes()
        found = run(*arguments, "--yes", "--by", "ann", "--reason", "INC-4711")

        assert 0 == found.exit_code, found.stderr
        assert before == Path("shop/shop.yaml").read_bytes()
        (record,) = records()
        intent = record.intent
        assert (Phase.PLANNED, Lever.FLAGGER, MANUAL, ANN) == (
            record.status.phase, intent.lever, intent.policy.name, intent.request,
        )  # fmt: skip
        assert intent.rollback is not None
        assert (("shop", "reviews", CHECKSUM), (), ()) == (intent.rollback.of("shop"), intent.patch, intent.undo)

    def test_says_before_and_afterwards_who_does_it_and_when(self) -> None:
        found = run(*ROLLBACK, "--yes")
        lines = found.stdout.splitlines()
        (record,) = records()

        assert "" == found.stderr
        assert (
            f"By Flagger's rollback of Canary shop/reviews (checksum {CHECKSUM}): it asks once an interval (10s), and "
            "then makes this of the object." in lines
        )
        assert "The service that it asks has to run: nothing is sent from here." in lines
        assert any(
            line.startswith(
                "Planned (RollbackOffered): Flagger is told to roll Canary shop/reviews back as soon as it asks, "
                "within 30s"
            )
            for line in lines
        )
        assert ["Whether Flagger did it:", f"  remediator show {record} --manifests shop"] == lines[-2:]
        assert not any("remediator undo" in line or "remediator.io/remediation" in line for line in lines)

    def test_warns_of_a_canary_that_may_never_ask(self) -> None:
        furnish(HOSTS, HOOK | {"url": "http://flagger-loadtester.test/rollback/check"})
        assert "It may never ask: Canary shop/reviews asks elsewhere: add one" in run(*ROLLBACK, "--yes").stdout

    def test_gives_a_document_of_the_offer(self) -> None:
        document = json.loads(run(*ROLLBACK, "--yes", "-o", "json").stdout)

        assert ("Planned", "RollbackOffered", "Flagger") == (
            document["outcome"], document["reason"], document["lever"],
        )  # fmt: skip
        assert {"canary": "reviews", "checksum": CHECKSUM, "withinSeconds": 30} == document["rollback"]
        assert ([], [], None) == (document["patch"], document["undo"], document["undoCommand"])
        assert records()[0].name == document["remediation"]

    def test_sends_and_writes_nothing_in_a_dry_run(self) -> None:
        before = Path("shop/shop.yaml").read_bytes()
        found = run(*ROLLBACK, "--dry-run")

        assert (2, []) == (found.exit_code, records())
        assert before == Path("shop/shop.yaml").read_bytes()
        assert "Dry run: Flagger would be told. Nothing was changed." in found.stdout

    def test_needs_no_second_offer(self) -> None:
        run(*ROLLBACK, "--yes")
        (record,) = records()
        found = run(*ROLLBACK, "--yes")

        assert (0, [record.name]) == (found.exit_code, [each.name for each in records()])
        assert f"Planned (RollbackOffered): {record.name} asks for the same" in found.stdout

    def test_says_of_an_offer_how_it_is_taken_back(self) -> None:
        run(*ROLLBACK, "--yes")
        (record,) = records()
        for command in (("undo", "--yes"), ("release",)):
            found = run(*command, str(record))
            assert f"to take that back before, kubectl delete rem {record.name} -n shop" in found.output, command

    @pytest.mark.parametrize(
        ("arguments", "given", "code", "words"),
        [
            pytest.param(
                ROLLBACK, {"phase": "Promoting"}, 1, "Denied (NothingToAbort): Canary shop/reviews is Promoting",
                id="it is promoted already",
            ),
            pytest.param(ROLLBACK, {"suspend": True}, 1, "Denied (NoLever)", id="Flagger rests"),
            pytest.param(
                ("rollback", "shop/reviews", "--suspect", "reviews-primary"), {}, 1, "Denied (NothingToAbort)",
                id="the primary is meant",
            ),
            pytest.param(
                ROLLBACK, {"body": MIRROR}, 0, "Nothing to do: VirtualService shop/reviews gives no weight",
                id="the canary has a mirror only, which is the other lever's",
            ),
        ],
    )  # fmt: skip
    def test_offers_nothing_where(self, arguments: tuple[str, ...], given: Json, code: int, words: str) -> None:
        furnish(**given)
        found = run(*arguments, "--yes")

        assert (code, []) == (found.exit_code, records())
        assert words in found.output


# -- with the service, which Flagger asks


@pytest.fixture
def world() -> Iterator[World]:
    with ThreadPoolExecutor(4) as executor:
        yield World(Mesh(FakeCluster(SERVICE, CANARY), executor, policies=(QUICK,)))


def planned(world: World, action: Action = Action.REVERT_TO_STABLE) -> Agreed | Settled:
    wish = Wish(action, ANN, "reviews-canary")
    return plan_by_hand(world.mesh.cluster.read(REVIEWS), wish, world.flagger.now())


def carried_out(world: World, work: Agreed | Settled) -> AlertOutcome:
    assert isinstance(work, Agreed)
    cluster, now = world.mesh.cluster, world.flagger.now
    tools = Tools(cluster, Journal(cluster.ledger, now), Limits((work,)), Guarding(cluster, cluster.ledger, now))
    ((_, row),) = execute(work, tools)
    return row


def ask_for_it(world: World) -> tuple[str, str]:
    row = carried_out(world, planned(world))
    return row.outcome.value, row.reason.value


def test_flagger_rolls_back_what_a_person_asks_for(world: World) -> None:
    assert OFFERED == ask_for_it(world)
    world.flagger.tick()
    assert ("Failed", 0, [200]) == (world.flagger.phase, world.flagger.weight, world.flagger.answers)
    assert [TOLD] == world.ends
    assert ([], []) == (world.mesh.cluster.patches, world.mesh.cluster.aborts)


def test_the_next_revision_is_not(world: World) -> None:
    ask_for_it(world)
    world.flagger.tick()
    world.after(30)
    world.flagger.deploy("good")
    assert 404 == world.ask()


def off(world: World) -> None:
    said = {"remediator.io/mode": "Off"}
    world.mesh.cluster.edit(REVIEWS, lambda body: body["metadata"].update(annotations=said), indexed=True)


def paused(world: World) -> None:
    world.mesh.cluster.brake.stored["fleet"] = Pause(by="bob")


@pytest.mark.parametrize(
    "brake",
    [
        pytest.param(paused, id="a pause"),
        pytest.param(off, id="an object that is switched off"),
        pytest.param(lambda world: world.more.update(ceiling=Mode.OBSERVE), id="a service of mode Observe"),
    ],
)
def test_what_holds_the_service_back_binds_no_person(world: World, brake: Callable[[World], None]) -> None:
    brake(world)
    assert OFFERED == ask_for_it(world)
    brake(world)
    assert 200 == world.ask()


def test_an_offer_of_an_alert_that_a_guard_holds_back_does_not_do_for_a_person(world: World) -> None:
    world.fire()
    paused(world)
    assert 404 == world.ask()
    assert OFFERED == ask_for_it(world)
    assert 200 == world.ask()
    assert {("Planned", "None"), TOLD} == set(world.ends)


def test_an_offer_of_a_person_does_for_an_alert(world: World) -> None:
    ask_for_it(world)
    assert [OFFERED] == world.fire()
    assert 1 == len(world.mesh.records)


def test_one_whose_time_is_over_does_for_nobody(world: World) -> None:
    """As where no service runs to end it."""
    ask_for_it(world)
    world.after(30)
    assert OFFERED == ask_for_it(world)
    assert 2 == len(world.mesh.records)
    assert 200 == world.ask()


def test_what_flagger_was_told_already_is_not_offered_again(world: World) -> None:
    world.fire()
    world.ask()
    assert ("Unchanged", "RolledBack") == ask_for_it(world)
    assert 1 == len(world.mesh.records)


def test_if_flagger_does_not_ask_it_says_that_a_person_has_to_ask_again(world: World) -> None:
    ask_for_it(world)
    world.after(30)
    world.look()
    assert [("Failed", "LeverNotPulled")] == world.ends
    assert world.mesh.record.status.message.endswith("Nobody offers it again by itself: do so by the same command")
    assert OFFERED == ask_for_it(world)
    assert 200 == world.ask()


def test_a_record_that_is_deleted_offers_nothing(world: World) -> None:
    ask_for_it(world)
    world.mesh.cluster.ledger.delete(world.mesh.record)
    assert 404 == world.ask()


def test_every_moment_of_a_crash_leaves_one_offer_at_most(world: World) -> None:
    """Whoever asks again has another record; the first is found, or was never written."""
    count = len(steps_of(world.mesh, lambda: ask_for_it(world)))
    for moment in range(count):
        with ThreadPoolExecutor(4) as executor:
            each = World(Mesh(FakeCluster(SERVICE, CANARY), executor, policies=(QUICK,)))
            each.mesh.cluster.step = at(moment, die)
            with pytest.raises(Crash):
                ask_for_it(each)
            each.mesh.cluster.step = lambda _name: None
            assert OFFERED == ask_for_it(each), moment
            assert [200, [TOLD]] == [each.ask(), each.ends], moment


# -- what moves between the question and the answer


def step(world: World) -> None:
    world.flagger.tick()
    assert 20 == world.flagger.weight


def status(**members: Any) -> Callable[[World], None]:
    return lambda world: world.edit(lambda body: body["status"].update(members))


@pytest.mark.parametrize(
    ("meanwhile", "expected", "code"),
    [
        pytest.param(step, (Outcome.PLANNED, Reason.ROLLBACK_OFFERED), 200, id="a step: it is the same revision"),
        pytest.param(
            status(lastAppliedSpec="newer"), (Outcome.DENIED, Reason.CHANGED_SINCE), 404, id="another one: ask anew"
        ),
        pytest.param(
            status(phase="Promoting"), (Outcome.DENIED, Reason.NOTHING_TO_ABORT), 404, id="it is promoted by now"
        ),
        pytest.param(
            lambda world: world.mesh.cluster.lose(world.flagger.canary),
            (Outcome.DENIED, Reason.CHANGED_SINCE),
            404,
            id="no Canary any more: nobody agreed to a patch",
        ),
    ],
)
def test_only_the_rollback_that_was_shown_is_offered(
    world: World, meanwhile: Callable[[World], None], expected: tuple[Outcome, Reason], code: int
) -> None:
    work = planned(world)
    shown = world.flagger.checksum
    meanwhile(world)
    row = carried_out(world, work)

    assert (expected, []) == ((row.outcome, row.reason), world.mesh.cluster.patches)
    assert code == world.ask(shown)


def test_what_it_takes_along_is_the_record_s(world: World) -> None:
    """Whoever looks whether it worked asks about that."""
    policy = replace(QUICK, actions=(Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS))
    world.mesh.policies = (policy,)
    world.fire()
    assert (Action.REVERT_TO_STABLE,) == world.mesh.record.intent.actions
