"""Subsets that Argo Rollouts writes name pods by a hash and no version: the Rollout tells which version that is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from remediator.cli.main import program
from remediator.cluster.local import LocalCluster
from remediator.errors import Forbidden, NotFound, Unavailable
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.owners import Rollout, Update, Versions, read_rollout, told, with_stable
from remediator.traffic.hosts import Host, resolve
from remediator.traffic.sight import Sight
from remediator.traffic.subsets import POD_HASH, DestinationRule, Rules, Subset
from tests.builders import (
    Json,
    alert,
    destination_rule,
    labels,
    notification,
    pod,
    policy,
    rollout,
    split,
    updating,
    virtual_service,
    when,
)
from tests.fakes import FakeCluster
from tests.test_pipeline_records import Mesh

REVIEWS = TargetRef("VirtualService", "shop", "reviews")
SUBSETS = virtual_service({"name": "primary", "route": split(stable=90, canary=10)})
AT_REST = virtual_service({"name": "primary", "route": split(stable=100, canary=0)})
RULE = destination_rule(stable={"app": "reviews", POD_HASH: "old"}, canary={"app": "reviews", POD_HASH: "new"})
RULE_AT_REST = destination_rule(stable={"app": "reviews", POD_HASH: "old"}, canary={"app": "reviews", POD_HASH: "old"})


def updated(version: str | None = "v2", *, observed: str = "3", **status: Any) -> Json:
    """A Rollout whose new pods have this version; its spec is of generation 3."""
    made = rollout("reviews", rule="reviews", status=updating(observedGeneration=observed, **status))
    made["metadata"]["generation"] = 3
    made["spec"]["template"]["metadata"] = {"labels": {"app": "reviews"} | ({"version": version} if version else {})}
    return made


def stable_pod(name: str = "a", pod_hash: str = "old", **more: str) -> Json:
    return pod(name, app="reviews", **{POD_HASH: pod_hash} | more)


@pytest.fixture
def mesh_of() -> Iterator[Callable[..., Mesh]]:
    with ThreadPoolExecutor(2) as executor:
        yield lambda *bodies: Mesh(FakeCluster(*bodies), executor)


V1, V2 = stable_pod(version="v1"), alert(labels("v2"), fingerprint="e" * 16)


@pytest.mark.parametrize(
    ("bodies", "version", "expected"),
    [
        pytest.param((updated(), V1), "v2", (Outcome.APPLIED, Reason.ABORTED), id="the new pods' version"),
        pytest.param((updated(),), "new", (Outcome.APPLIED, Reason.ABORTED), id="the hash of the new pods itself"),
        pytest.param(
            (updated(None), V1), "new", (Outcome.APPLIED, Reason.ABORTED), id="the hash, where nothing has a version"
        ),
        pytest.param((updated(),), "v2", (Outcome.DENIED, Reason.NOT_SEPARABLE), id="no stable pod says its version"),
        pytest.param(
            (updated(), stable_pod()), "v2", (Outcome.DENIED, Reason.NOT_SEPARABLE), id="a stable pod without a version"
        ),
        pytest.param(
            (updated(), V1, stable_pod("b", version="v0")),
            "v2",
            (Outcome.DENIED, Reason.NOT_SEPARABLE),
            id="stable pods of two versions",
        ),
        pytest.param(
            (updated("v1"), V1), "v1", (Outcome.DENIED, Reason.NOT_SEPARABLE), id="an update that keeps the version"
        ),
        pytest.param(
            (updated(observed="2"), V1),
            "v2",
            (Outcome.DENIED, Reason.NOT_SEPARABLE),
            id="a template that its controller has not seen yet",
        ),
        pytest.param(
            (updated(), stable_pod(pod_hash="older", version="v1")),
            "v2",
            (Outcome.DENIED, Reason.NOT_SEPARABLE),
            id="only pods of neither side",
        ),
        pytest.param((updated(), V1), "v1", (Outcome.DENIED, Reason.NOTHING_TO_ABORT), id="the stable pods' version"),
        pytest.param((updated(),), "old", (Outcome.DENIED, Reason.NOTHING_TO_ABORT), id="the hash of the stable pods"),
        pytest.param((updated(), V1), "v9", (Outcome.UNCHANGED, Reason.NOT_EXPOSED), id="a version of neither side"),
    ],
)
def test_an_update(
    mesh_of: Callable[..., Mesh], bodies: tuple[Json, ...], version: str, expected: tuple[Outcome, Reason]
) -> None:
    mesh = mesh_of(SUBSETS, RULE, *bodies)
    (row,) = mesh.deliver(alert(labels(version), fingerprint="e" * 16))

    assert expected == (row.outcome, row.reason), row.message
    assert (expected[0] is Outcome.APPLIED, []) == (bool(mesh.cluster.aborts), mesh.cluster.patches)


@pytest.mark.parametrize(
    ("version", "driver", "expected"),
    [
        pytest.param("v2", updated("v1", current="old"), (Outcome.UNCHANGED, Reason.NOT_EXPOSED), id="not the accused"),
        pytest.param("v1", updated("v1", current="old"), (Outcome.DENIED, Reason.NOTHING_TO_ABORT), id="the accused"),
        pytest.param(
            "v2", updated(None, current="old"), (Outcome.DENIED, Reason.NOTHING_TO_ABORT), id="without a name"
        ),
    ],
)
def test_one_version_alone(
    mesh_of: Callable[..., Mesh], version: str, driver: Json, expected: tuple[Outcome, Reason]
) -> None:
    mesh = mesh_of(AT_REST, RULE_AT_REST, driver)
    (row,) = mesh.deliver(alert(labels(version), fingerprint="e" * 16))

    assert expected == (row.outcome, row.reason), row.message
    assert ([], []) == (mesh.cluster.aborts, mesh.cluster.patches)


def test_another_service_of_the_object_is_not_explained_by_it(mesh_of: Callable[..., Mesh]) -> None:
    both = virtual_service(
        when(route=[{"destination": {"host": "ratings"}}]), {"name": "primary", "route": split(stable=100)}
    )
    mesh = mesh_of(both, RULE_AT_REST, updated("v1", current="old"))
    (row,) = mesh.deliver(alert(labels("v2", name="ratings"), fingerprint="e" * 16))

    assert (Outcome.DENIED, Reason.NOT_SEPARABLE) == (row.outcome, row.reason), row.message


def test_a_refusal_for_want_of_an_update_is_recorded_with_the_lever_s_no(mesh_of: Callable[..., Mesh]) -> None:
    mesh = mesh_of(AT_REST, RULE_AT_REST, updated(None, current="old"))
    mesh.deliver(V2)

    assert ["lever"] == [each.guard for each in mesh.record.status.verdicts if not each.allows]
    assert "is not updating" in mesh.record.status.message


def test_a_folder_tells_it_by_its_pods(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump_all([SUBSETS, RULE, updated(), V1, pod("other", version="v7")]))
    (driver,) = LocalCluster(tmp_path).read(REVIEWS).driving.rollouts
    assert Versions("v2", "v1") == driver.versions

    path.write_text(yaml.safe_dump_all([SUBSETS, RULE, updated()]))
    (driver,) = LocalCluster(tmp_path).read(REVIEWS).driving.rollouts
    assert Versions("v2") == driver.versions


# -- the pure part


def rules(**subsets: Mapping[str, str]) -> Rules:
    found = tuple(
        Subset(name, each.get("version"), tuple(sorted(each.items())), each.get(POD_HASH))
        for name, each in subsets.items()
    )
    return Rules((DestinationRule("shop", "reviews", Host("reviews.shop.svc.cluster.local"), "", found),))


def versions(found: Rules) -> dict[str, str | None]:
    return {subset.name: subset.version for rule in found.rules for subset in rule.subsets}


def test_what_labels_say_is_not_overruled() -> None:
    driver = Rollout(
        "shop", "reviews", rule=("shop", "reviews"), update=Update("new", "old"), versions=Versions("v2", "v1")
    )
    given = rules(canary={POD_HASH: "new", "version": "v3"}, stable={POD_HASH: "old"}, other={"app": "reviews"})

    assert {"canary": "v3", "stable": "v1", "other": None} == versions(told(given, (driver,)))


def test_another_rollout_s_rule_is_left_alone() -> None:
    driver = Rollout(
        "shop", "reviews", rule=("shop", "other"), update=Update("new", "old"), versions=Versions("v2", "v1")
    )
    given = rules(canary={POD_HASH: "new"}, stable={POD_HASH: "old"})

    assert given == told(given, (driver,))


def test_what_is_not_read_stays_unknown() -> None:
    """Where some namespaces alone are watched, a Rollout once made of its rules such as are all that there are: a
    subset of a service elsewhere then passed for one that nobody defines, and its name for its version."""
    driver = Rollout(
        "shop", "reviews", rule=("shop", "reviews"), update=Update("new", "old"), versions=Versions("v2", "v1")
    )
    given = replace(rules(canary={POD_HASH: "new"}), sight=Sight.of(("shop",), "mesh-root"))
    found = told(given, (driver,))

    assert given.sight == found.sight
    assert frozenset({None}) == found.versions(resolve("reviews.bank.svc.cluster.local", "shop"), "v2", "shop")


HASHES = st.sampled_from(["", "a", "b", "c"])
NAMES = st.sampled_from([None, "v1", "v2"])


@given(
    update=st.builds(Update, HASHES, HASHES, st.booleans()),
    versions=st.builds(Versions, NAMES, NAMES),
    hashes=st.tuples(HASHES, HASHES),
)
def test_two_sides_of_an_update_are_never_told_the_same_version(
    update: Update, versions: Versions, hashes: tuple[str, str]
) -> None:
    driver = Rollout("shop", "reviews", rule=("shop", "reviews"), update=update, versions=versions)
    one, other = (driver.version_of(each) for each in hashes)

    assert hashes[0] == hashes[1] or one is None or one != other or not update.in_progress


@given(found=st.lists(st.dictionaries(st.sampled_from(["app", "version"]), st.sampled_from(["v1", "v2"]))))
def test_the_stable_version_is_what_all_its_pods_say(found: list[dict[str, str]]) -> None:
    said = [each.get("version") for each in found]
    told_by = with_stable(Rollout("shop", "reviews"), found).versions.stable_version

    assert told_by == (said[0] if said and len(set(said)) == 1 else None)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param([("kubectl", "12:00:00", "f:template")], "12:00:00", id="one writer"),
        pytest.param(
            [("kubectl", "12:00:00", "f:template"), ("kustomize-controller", "12:30:00", "f:template")],
            "12:30:00",
            id="the later of two",
        ),
        pytest.param(
            [("kubectl", "12:00:00", "f:template"), ("rollouts-controller", "12:30:00", "f:paused")],
            "12:00:00",
            id="who writes something else does not count",
        ),
        pytest.param([("kubectl", "12:00:00", "f:workloadRef")], None, id="a template that stands elsewhere"),
        pytest.param([("kubectl", "some time", "f:template")], None, id="a time that cannot be read"),
        pytest.param([], None, id="nobody is known"),
    ],
)
def test_since_when_the_pods_are_the_same(entries: list[tuple[str, str, str]], expected: str | None) -> None:
    made = rollout("reviews")
    made["metadata"]["managedFields"] = [
        {"manager": manager, "time": f"2026-08-01T{at}Z", "fieldsV1": {"f:spec": {field: {}}}}
        for manager, at, field in entries
    ]
    since = read_rollout(made).versions.since

    assert expected == (since and since.strftime("%H:%M:%S"))


def test_a_permission_that_is_missing_leaves_the_version_unknown() -> None:
    from remediator.cluster.rollout_versions import rollout_at

    class Server:
        """Answers for the Rollout, and refuses its pods."""

        def get(self, path: str, *_: object, **__: object) -> Json:
            if "pods" in path:
                raise Forbidden("list", "pods")
            return updated()

    server: Any = Server()
    assert Versions("v2") == rollout_at(server, "/rollout").versions


def test_a_rollout_that_is_gone_is_not_taken_for_the_routing_object() -> None:
    """The index still has it. NotFound would say that the VirtualService is gone, and that was the end of the alert."""
    from remediator.cluster.rollout_versions import is_still, rollout_at

    class Server:
        def get(self, *_: object, **__: object) -> Json:
            raise NotFound("rollouts reviews is not there")

    server: Any = Server()
    with pytest.raises(Unavailable, match="the index has not heard of that yet"):
        rollout_at(server, "/rollout")
    assert not is_still(server, "/rollout", read_rollout(updated()))


@pytest.mark.parametrize("source", ["-f", "--manifests"])
def test_plan_foresees_what_the_service_finds_past_its_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop").mkdir()
    Path("shop/all.yaml").write_text(yaml.safe_dump_all([SUBSETS, RULE, updated(), V1]))
    Path("policy.yaml").write_text(yaml.safe_dump(policy(guards={"stableReady": "0%"})))
    Path("alert.json").write_text(json.dumps(notification([V2])))
    command = ["plan", "--alert", "alert.json", "--policies", "policy.yaml", source, "shop", "-o", "json"]
    found = CliRunner().invoke(program, command, prog_name="remediator")
    (work,) = json.loads(found.stdout)["targets"]

    assert (2, "ArgoRollouts") == (found.exit_code, work["lever"]), found.output
