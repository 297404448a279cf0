"""What a Rollout drives is taken away by its abort: once, and recorded before it is done, whatever the crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.cluster.local import LocalCluster
from remediator.errors import Conflict, Forbidden, Unavailable
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.owners import Lever
from remediator.policies.model import Mode
from remediator.records.model import Phase
from tests.builders import (
    Json,
    alert,
    by_host,
    destination,
    destination_rule,
    labels,
    rollout,
    split,
    updating,
    virtual_service,
)
from tests.fakes import FakeCluster
from tests.test_pipeline_records import Crash, Mesh, at, die, steps_of, words

ROLLOUT = TargetRef("Rollout", "shop", "reviews")
HOSTS = virtual_service({"name": "primary", "route": by_host(reviews_stable=90, reviews_canary=10)})
ACCUSED = alert(labels(name="reviews-canary"), fingerprint="e" * 16)
ABORT = (
    {"op": "test", "path": "/metadata/uid", "value": "uid-rollout-reviews"},
    {"op": "test", "path": "/status/currentPodHash", "value": "new"},
    {"op": "test", "path": "/status/stableRS", "value": "old"},
    {"op": "add", "path": "/status/abort", "value": True},
)


def under_way(**more: Any) -> Json:
    return rollout("reviews", status=updating(**more))


@pytest.fixture
def mesh_of() -> Iterator[Callable[..., Mesh]]:
    with ThreadPoolExecutor(4) as executor:
        yield lambda *bodies, **more: Mesh(FakeCluster(*(bodies or (HOSTS, under_way()))), executor, **more)


MeshOf = Callable[..., Mesh]


@pytest.fixture
def mesh(mesh_of: MeshOf) -> Mesh:
    return mesh_of()  # type: ignore[no-any-return]


def status(mesh: Mesh) -> Json:
    found: Json = mesh.cluster.stored[ROLLOUT]["status"]
    return found


def test_it_is_aborted_and_the_object_is_left_alone(mesh: Mesh) -> None:
    (row,) = mesh.deliver(ACCUSED)
    assert (Outcome.APPLIED, Reason.ABORTED) == (row.outcome, row.reason)
    assert "Rollout shop/reviews aborted" in row.message
    assert ([(ROLLOUT, False)], []) == (mesh.cluster.aborts, mesh.cluster.patches)
    assert [90, 10] == mesh.weights()
    assert status(mesh)["abort"] is True


def test_the_record_says_by_which_lever_and_what_is_sent(mesh: Mesh) -> None:
    mesh.deliver(ACCUSED)
    record = mesh.record
    assert (Phase.APPLIED, Reason.ABORTED) == (record.status.phase, record.status.reason)
    assert (Lever.ARGO_ROLLOUTS, ABORT, ()) == (record.intent.lever, record.intent.patch, record.intent.undo)
    assert record.intent.owner is not None
    assert "ArgoRollouts (Rollout shop/reviews)" == str(record.intent.owner)
    assert record.intent.changes


def test_the_intent_is_written_before_it_is_aborted(mesh: Mesh) -> None:
    seen = steps_of(mesh, lambda: mesh.deliver(ACCUSED))
    assert seen.index("create done") < seen.index("abort") < seen.index("conclude")


def test_further_deliveries_wait_for_its_controller(mesh: Mesh) -> None:
    mesh.deliver(ACCUSED)
    for _ in range(2):
        (row,) = mesh.deliver(ACCUSED)
        assert (Outcome.UNCHANGED, Reason.ABORTED) == (row.outcome, row.reason)
        assert mesh.record.name == row.remediation
    assert 1 == len(mesh.cluster.aborts)


def test_every_moment_of_a_crash_ends_in_the_same_state(mesh_of: MeshOf) -> None:
    whole = mesh_of()
    seen = steps_of(whole, lambda: whole.deliver(ACCUSED))
    assert {"create done", "abort", "abort done", "conclude done"} <= set(seen)
    for moment in range(len(seen)):
        mesh = mesh_of()
        mesh.cluster.step = at(moment, die)
        with suppress(Crash):
            mesh.deliver(ACCUSED)
        mesh.cluster.step = lambda _name: None
        mesh.deliver(ACCUSED)
        record = mesh.record
        assert (Phase.APPLIED, Reason.ABORTED) == (record.status.phase, record.status.reason), moment
        assert (1, [90, 10]) == (len(mesh.cluster.aborts), mesh.weights()), moment


def test_what_its_controller_did_after_a_crash_is_known_to_be_ours(mesh: Mesh) -> None:
    """The weights are away by then, and nothing on the object names the record."""
    mesh.cluster.step = lambda name: die(name) if name == "abort done" else None
    with suppress(Crash):
        mesh.deliver(ACCUSED)
    mesh.cluster.step = lambda _name: None

    def back(body: Json) -> None:
        body["spec"]["http"][0]["route"] = by_host(reviews_stable=100, reviews_canary=0)

    mesh.cluster.edit(TargetRef("VirtualService", "shop", "reviews"), back, indexed=True)
    (row,) = mesh.deliver(ACCUSED)
    assert (Outcome.UNCHANGED, Reason.NOT_EXPOSED, mesh.record.name) == (row.outcome, row.reason, row.remediation)
    assert (Phase.APPLIED, Reason.ABORTED) == (mesh.record.status.phase, mesh.record.status.reason)


def test_another_update_by_then_is_looked_at_anew(mesh: Mesh) -> None:
    """The abort is for the version that was accused, and not for the next one; here that is updating as well."""
    once: list[Callable[[Json], Any]] = [lambda body: body["status"].update(currentPodHash="newer")]
    mesh.cluster.before_patch = lambda _ref: mesh.cluster.edit(ROLLOUT, once.pop(), indexed=True) if once else None
    (row,) = mesh.deliver(ACCUSED)
    assert (Outcome.APPLIED, Reason.ABORTED) == (row.outcome, row.reason)
    assert "newer" == mesh.record.intent.patch[1]["value"]


def test_an_index_that_lags_behind_aborts_nothing(mesh: Mesh) -> None:
    mesh.cluster.edit(ROLLOUT, lambda body: body["status"].update(stableRS="new"), indexed=False)
    (row,) = mesh.deliver(ACCUSED)
    assert (Outcome.DENIED, Reason.NOTHING_TO_ABORT) == (row.outcome, row.reason)
    assert [] == mesh.cluster.aborts


SUBSETS = virtual_service({"name": "primary", "route": split(stable=90, canary=10)})


RULE = destination_rule(stable="v1", canary="v2")
REFUSED = (
    pytest.param(
        (HOSTS, under_way(current="old")), Reason.NOTHING_TO_ABORT, "is not updating", id="one that is not updating"
    ),
    pytest.param((HOSTS, rollout("reviews")), Reason.NOTHING_TO_ABORT, "is not updating", id="one without a status"),
    pytest.param(
        (HOSTS, rollout("reviews", name="other", status=updating())),
        Reason.NO_LEVER,
        "nothing says that its canary side is accused",
        id="one of other hosts",
    ),
    pytest.param(
        (
            virtual_service({"name": "primary", "route": by_host(reviews_canary=10, reviews_stable=90)}),
            rollout("reviews", name="swapped", status=updating())
            | {"spec": {"strategy": {"canary": {
                "canaryService": "reviews-stable", "stableService": "reviews-canary",
                "trafficRouting": {"istio": {"virtualService": {"name": "reviews"}}},
            }}}},
        ),
        Reason.NOTHING_TO_ABORT,
        "is the stable side of Rollout shop/swapped",
        id="one whose stable side is accused",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("bodies", "reason", "telling"), REFUSED)
def test_left_alone_with_a_record_that_says_why(
    mesh_of: MeshOf, bodies: tuple[Json, ...], reason: Reason, telling: str
) -> None:
    mesh = mesh_of(*bodies)
    (row,) = mesh.deliver(ACCUSED)
    assert (Outcome.DENIED, reason) == (row.outcome, row.reason)
    assert telling in row.message
    assert ([], []) == (mesh.cluster.aborts, mesh.cluster.patches)
    assert (Phase.FAILED, reason) == (mesh.record.status.phase, mesh.record.status.reason)


def test_a_split_by_subset_is_told_by_the_rollouts_destination_rule(mesh_of: MeshOf) -> None:
    mesh = mesh_of(SUBSETS, RULE, rollout("reviews", rule="reviews", status=updating()))
    (row,) = mesh.deliver(alert(labels(), fingerprint="e" * 16))
    assert (Outcome.APPLIED, Reason.ABORTED) == (row.outcome, row.reason)


def test_a_mirror_that_the_update_brought_goes_with_it(mesh_of: MeshOf) -> None:
    mirror = {"name": "mirror", "route": by_host(reviews_stable=100), "mirror": destination(host="reviews-canary")}
    mesh = mesh_of(virtual_service(mirror), under_way())
    (row,) = mesh.deliver(ACCUSED)
    assert (Outcome.APPLIED, Reason.ABORTED) == (row.outcome, row.reason)


def test_observe_only_tries_it(mesh: Mesh) -> None:
    (row,) = mesh.deliver(ACCUSED, ceiling=Mode.OBSERVE)
    assert (Outcome.OBSERVED, Reason.DRY_RUN) == (row.outcome, row.reason)
    assert [(ROLLOUT, True)] == mesh.cluster.aborts
    assert "abort" not in status(mesh)


def test_approve_waits_for_a_person(mesh: Mesh) -> None:
    (row,) = mesh.deliver(ACCUSED, ceiling=Mode.APPROVE)
    assert (Outcome.AWAITING_APPROVAL, []) == (row.outcome, mesh.cluster.aborts)


def test_an_undo_is_refused_and_says_what_to_do(mesh: Mesh) -> None:
    mesh.deliver(ACCUSED)
    ending = mesh.undo()
    assert (Outcome.DENIED, Reason.NO_LEVER) == (ending.outcome, ending.reason)
    assert "kubectl argo rollouts retry rollout reviews -n shop" in ending.message
    assert Phase.APPLIED is mesh.record.status.phase
    assert not mesh.record.taken_back


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(Forbidden("patch", "rollouts/status.argoproj.io"), ("Denied", "Forbidden"), id="no permission"),
        pytest.param(Unavailable("away"), ("Failed", "Unavailable"), id="the API server is away"),
        pytest.param(Conflict("another update"), ("Failed", "Conflict"), id="another update each time"),
    ],
)
def test_each_failure(mesh: Mesh, error: Exception, expected: tuple[str, str]) -> None:
    def fail(_ref: TargetRef) -> None:
        raise error

    mesh.cluster.before_patch = fail
    assert [expected] == words(mesh.deliver(ACCUSED))
    assert [] == mesh.cluster.aborts


# -- a folder


def test_a_folder_keeps_the_abort_in_the_rollouts_file(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump_all([HOSTS, under_way()]))
    cluster = LocalCluster(tmp_path)
    (found,) = cluster.read(TargetRef("VirtualService", "shop", "reviews")).driving.rollouts

    cluster.abort(found, dry_run=True)
    assert "abort: true" not in path.read_text()
    cluster.abort(found)
    assert updating(abort=True) == list(yaml.safe_load_all(path.read_text()))[1]["status"]
    (after,) = cluster.read(TargetRef("VirtualService", "shop", "reviews")).driving.rollouts
    assert after.update.aborted

    path.write_text(yaml.safe_dump_all([HOSTS, under_way(current="newer")]))
    with pytest.raises(Conflict, match="at another update than was read"):
        cluster.abort(found)
    path.write_text(yaml.safe_dump_all([HOSTS]))
    with pytest.raises(Conflict, match="is gone"):
        cluster.abort(found)
