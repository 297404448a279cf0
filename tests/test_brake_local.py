"""The local adapter's pauses: the contract, and how they stand in the folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from remediator.cluster.local import LocalCluster
from remediator.cluster.writer import LOCK
from remediator.errors import Forbidden, Unavailable
from remediator.records.pauses import render
from tests.brake_contract import KIM, LEE, NOON, BrakeContract, by_hand, said
from tests.builders import Json
from tests.contract import REF, canary
from tests.folders import dump, powerless, rule

FILE = Path("pauses", "fleet.yaml")


class LocalBrakeWorld:
    """A folder, and two clusters on it, as two processes have them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.brake = LocalCluster(folder).brake
        self.bare = LocalCluster(folder).brake

    def write(self, body: Json) -> None:
        (self.folder / f"{body['metadata']['name']}.yaml").write_text(dump(body))

    def eventually(self, condition: Callable[[], object]) -> object:
        """A folder is looked at when it is asked about, so there is nothing to wait for."""
        result = condition()
        assert result
        return result


@pytest.fixture
def world(tmp_path: Path) -> LocalBrakeWorld:
    return LocalBrakeWorld(tmp_path)


class TestContract(BrakeContract):
    """On a folder."""


def test_a_pause_is_a_file_of_its_own(tmp_path: Path) -> None:
    LocalCluster(tmp_path, clock=lambda: NOON.timestamp() + 0.5).brake.pause(KIM)

    assert render(replace(KIM, since=NOON)) == yaml.safe_load((tmp_path / FILE).read_text())
    assert [LOCK, "pauses"] == sorted(os.listdir(tmp_path))
    assert ["fleet.yaml"] == os.listdir(tmp_path / "pauses")


def test_resuming_leaves_no_file(world: LocalBrakeWorld) -> None:
    world.brake.pause(KIM)

    world.brake.resume()

    assert [] == os.listdir(world.folder / "pauses")


def test_resuming_where_nothing_is_paused_writes_nothing(world: LocalBrakeWorld) -> None:
    world.brake.resume()

    assert [] == os.listdir(world.folder)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(dump(render(KIM)), id="a file of its own"),
        pytest.param(dump(canary(), render(KIM), rule()), id="between routing objects"),
        pytest.param(dump({"apiVersion": "v1", "kind": "List", "items": [rule(), render(KIM)]}), id="in a list"),
    ],
)
def test_a_pause_counts_and_ends_wherever_it_stands(world: LocalBrakeWorld, text: str) -> None:
    path = world.folder / "shop.yaml"
    path.write_text(text)
    others = [each for each in _objects(text) if each["kind"] != "Pause"]

    assert [KIM] == said(world.brake.pauses())
    world.brake.pause(LEE)
    assert [LEE] == said(world.bare.pauses())
    assert [path.name] == [name for name in os.listdir(world.folder) if not name.startswith(".")]
    assert [LEE] == said(world.bare.resume())

    assert () == world.brake.pauses()
    assert others == (_objects(path.read_text()) if path.exists() else [])


def _objects(text: str) -> list[Json]:
    documents: list[Json] = list(yaml.safe_load_all(text))
    return [one for each in documents for one in (each["items"] if each["kind"] == "List" else [each])]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param(
            by_hand("fleet", by="ann", reason="typo", until="tomorow"),
            "spec.until is 'tomorow', and no time with its zone",
            id="an end that is no time",
        ),
        pytest.param(by_hand("fleet") | {"spec": None}, "it has no spec", id="a spec of nothing"),
        pytest.param(
            {key: value for key, value in by_hand("fleet").items() if key != "spec"}, "it has no spec", id="no spec"
        ),
        pytest.param(
            by_hand("fleet", by="ann", reason="new") | {"apiVersion": "remediator.io/v9"},
            "it is of 'remediator.io/v9', and this program reads remediator.io/v1alpha1",
            id="of a later version",
        ),
    ],
)
def test_what_cannot_be_read_holds_and_stops_nothing_else(world: LocalBrakeWorld, body: Json, fault: str) -> None:
    world.write(body)
    world.write(canary())
    cluster = LocalCluster(world.folder)

    (found,) = world.brake.pauses()
    assert (fault, True) == (found.fault, found.holds(NOON))
    assert REF == cluster.read(REF).routing.ref
    assert cluster.health().synced

    world.bare.pause(KIM)
    assert [KIM] == said(world.brake.pauses())


def test_another_programs_pause_is_none_of_ours(world: LocalBrakeWorld) -> None:
    world.write(render(KIM) | {"apiVersion": "cd.example/v1"})

    assert () == world.brake.pauses()


def test_two_of_one_name_are_refused(world: LocalBrakeWorld) -> None:
    world.brake.pause(KIM)
    world.write(render(LEE))

    with pytest.raises(Unavailable, match=r"Pause default/fleet stands twice"):
        world.brake.pauses()


def test_an_end_that_a_person_edits_counts(world: LocalBrakeWorld) -> None:
    world.brake.pause(LEE)
    assert [LEE] == said(world.brake.pauses())
    path = world.folder / FILE

    path.write_text(path.read_text() + "  until: 2026-08-01T14:00:00Z\n")

    assert [replace(LEE, until=KIM.until)] == said(world.brake.pauses())


def test_a_name_that_no_file_can_hold_is_written_as_far_as_it_goes(world: LocalBrakeWorld) -> None:
    world.brake.pause(replace(KIM, by="k\udcffm"))

    assert [replace(KIM, by="k\ufffdm")] == said(world.brake.pauses())


def test_a_folder_that_may_not_be_written_says_which_permission_is_missing() -> None:
    with powerless() as folder:
        brake = LocalCluster(folder).brake
        brake.pause(KIM)
        (folder / FILE).chmod(0o444)
        (folder / FILE).parent.chmod(0o555)
        for call, verb in ((lambda: brake.pause(LEE), "patch"), (brake.resume, "delete")):
            with pytest.raises(Forbidden) as caught:
                call()
            assert (verb, "pauses.remediator.io") == (caught.value.verb, caught.value.resource)
        assert [KIM] == said(brake.pauses())
        (folder / FILE).parent.chmod(0o755)


def test_a_file_that_cannot_be_understood_pauses_nobody_knows_what(world: LocalBrakeWorld) -> None:
    (world.folder / "half.yaml").write_text("spec: {")

    for call in (world.brake.pauses, world.brake.read, world.brake.resume, lambda: world.brake.pause(KIM)):
        with pytest.raises(Unavailable, match=r"half\.yaml:1: not YAML"):
            call()
