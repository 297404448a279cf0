"""The local adapter: the contract, what it reads, and many writers at once."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from remediator.cluster.archive import Archive
from remediator.cluster.catalogue import Catalogue
from remediator.cluster.folder import Folder, Stamp
from remediator.cluster.inventory import Inventory
from remediator.cluster.local import LocalCluster
from remediator.cluster.roster import Roster
from remediator.cluster.writer import Gate, Right
from remediator.errors import Conflict, Unavailable
from remediator.guards.stable_ready import Readiness
from remediator.outcome import TargetRef
from remediator.traffic.patch import Edit, Patch
from remediator.traffic.view import Destination, RouteChange
from tests.builders import endpoint, endpoint_slice, managed, namespace, pod
from tests.contract import REF, REVIEWS, ClusterContract, canary, names, withdrawal
from tests.folders import CountingFolder, LocalWorld, dump, patch_canary, rule


@pytest.fixture
def world(tmp_path: Path) -> LocalWorld:
    return LocalWorld(tmp_path)


class TestContract(ClusterContract):
    pass


# Reading a folder


def test_reads_subfolders_both_endings_and_lists(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "rules.yml").write_text(dump({"apiVersion": "v1", "kind": "List", "items": [rule()]}))
    (tmp_path / "reviews.yaml").write_text(dump(canary()))

    (found,) = LocalCluster(tmp_path).routing_to(REVIEWS)

    assert frozenset({"2"}) == found.rules.versions(REVIEWS, "v2", "shop")


def test_leaves_out_hidden_files_and_all_other_kinds(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.yaml").write_text(dump(canary()))
    (tmp_path / ".reviews.yaml.tmp.yaml").write_text("half: [")
    (tmp_path / "notes.txt").write_text("half: [")
    (tmp_path / "others.yaml").write_text(
        "replicas: 3\n---\n# a comment\n---\n"
        "apiVersion: example.org/v1\nkind: VirtualService\nmetadata: {name: not-istios}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
    )

    health = LocalCluster(tmp_path).health()

    assert health.synced
    assert {"VirtualService": 0, "DestinationRule": 0, "Remediation": 0} == health.objects


def test_fills_in_what_a_cluster_would(tmp_path: Path) -> None:
    body = canary()
    del body["metadata"]["namespace"]
    (tmp_path / "reviews.yaml").write_text(dump(body))

    read = LocalCluster(tmp_path).read(TargetRef("VirtualService", "default", "reviews"))

    assert read.routing.uid == read.body["metadata"]["uid"] != ""
    assert read.routing.resource_version == read.body["metadata"]["resourceVersion"] != ""
    assert LocalCluster(tmp_path).read(read.routing.ref) == read


def test_keeps_the_uid_that_a_file_has(tmp_path: Path) -> None:
    (tmp_path / "reviews.yaml").write_text(dump(canary(uid="from-the-cluster", resourceVersion="812")))

    routing = LocalCluster(tmp_path).read(REF).routing

    assert (routing.uid, routing.resource_version != "812") == ("from-the-cluster", True)


def test_hides_managed_fields_and_keeps_them_in_the_file(tmp_path: Path) -> None:
    owners = [{"manager": "argocd-controller", "operation": "Update"}]
    path = tmp_path / "reviews.yaml"
    path.write_text(dump(canary(managedFields=owners)))
    cluster = LocalCluster(tmp_path)

    patch_canary(cluster)

    assert "managedFields" not in cluster.read(REF).body["metadata"]
    assert owners == yaml.safe_load(path.read_text())["metadata"]["managedFields"]


def test_knows_who_changed_the_routes_where_the_file_says_so(tmp_path: Path) -> None:
    owners = [managed("argocd-controller", "2026-08-01T12:00:00Z", "http")]
    (tmp_path / "reviews.yaml").write_text(dump(canary(managedFields=owners, generation=2)))
    cluster = LocalCluster(tmp_path)

    expected = RouteChange(datetime(2026, 8, 1, 12, tzinfo=UTC), "argocd-controller")
    assert [expected, expected] == [cluster.read(REF).changed, cluster.routing_to(REVIEWS)[0].changed]


def test_a_namespace_whose_file_is_gone_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "reviews.yaml").write_text(dump(canary()))
    (tmp_path / "namespace.yaml").write_text(dump(namespace("shop", "Off")))
    cluster = LocalCluster(tmp_path)
    assert "Off" == cluster.read(REF).namespace_mode

    (tmp_path / "namespace.yaml").unlink()

    assert cluster.read(REF).namespace_mode is None


def test_without_endpoint_slices_nothing_is_known_of_endpoints(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(dump(canary(), pod("a", version="v2")))

    assert LocalCluster(tmp_path).readiness(Destination(REVIEWS, "v2"), {"version": "v2"}) is None


def test_reads_endpoints_of_either_version_as_the_files_are_now(tmp_path: Path) -> None:
    first, second = (endpoint_slice(endpoint(f"10.0.0.{n}", f"pod-{n}"), name=f"reviews-{n}") for n in (1, 2))
    path, destination = tmp_path / "shop.yaml", Destination(REVIEWS, "v2")
    items = [first, second | {"apiVersion": "discovery.k8s.io/v1"}, pod("pod-1", version="v2")]
    path.write_text(dump({"apiVersion": "v1", "kind": "List", "items": items}))
    cluster = LocalCluster(tmp_path)
    assert Readiness(destination, 1, 1) == cluster.readiness(destination, {"version": "v2"})

    path.write_text(dump(*items, pod("pod-2", version="v2")))

    assert Readiness(destination, 2, 2) == cluster.readiness(destination, {"version": "v2"})


def test_cannot_count_the_endpoints_of_a_folder_that_is_not_understood(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(dump(endpoint_slice(endpoint("10.0.0.1"))))
    (tmp_path / "b.yaml").write_text("half: [")

    with pytest.raises(Unavailable, match=r"b\.yaml"):
        LocalCluster(tmp_path).readiness(Destination(REVIEWS), {})


def test_finds_an_object_that_moved_to_another_file(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(dump(canary()))
    cluster = LocalCluster(tmp_path)
    cluster.read(REF)

    (tmp_path / "b.yaml").rename(tmp_path / "a.yaml")

    assert "a.yaml" in str(cluster._catalogue.source(REF).path)
    assert len(cluster.routing_to(REVIEWS)) == 1


class CoarseFolder(Folder):
    """On a file system whose clock stands still, so that no edit of equal length changes a stamp."""

    NOW = 1_000_000

    def files(self) -> dict[str, Stamp]:
        return {path: self._coarse(stamp) for path, stamp in super().files().items()}

    def read(self, path: Path) -> tuple[str, Stamp]:
        text, stamp = super().read(path)
        return text, self._coarse(stamp)

    def _coarse(self, stamp: Stamp) -> Stamp:
        return stamp._replace(mtime_ns=self.NOW * 10**9, ctime_ns=self.NOW * 10**9)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(1, 91, id="a file that was only just changed is read to be sure"),
        pytest.param(3, 90, id="the stamp of an older one is believed"),
    ],
)
def test_sees_a_second_edit_within_one_tick_of_the_clock(tmp_path: Path, age: int, expected: int) -> None:
    path, inventory = tmp_path / "reviews.yaml", Inventory()
    path.write_text(dump(canary()))
    catalogue = Catalogue(CoarseFolder(tmp_path), inventory, Archive(), Roster(), lambda: CoarseFolder.NOW + age)
    catalogue.refresh()

    path.write_text(path.read_text().replace("weight: 90", "weight: 91"))
    catalogue.refresh()

    (found,) = inventory.routing()
    assert expected == found.body["spec"]["http"][1]["route"][0]["weight"]


def test_reads_an_unchanged_file_once(tmp_path: Path) -> None:
    (tmp_path / "reviews.yaml").write_text(dump(canary()))
    much_later = (tmp_path / "reviews.yaml").stat().st_ctime + 60
    folder, inventory = CountingFolder(tmp_path), Inventory()
    catalogue = Catalogue(folder, inventory, Archive(), Roster(), lambda: much_later)

    for _ in range(3):
        catalogue.refresh()

    assert ["reviews.yaml"] == folder.opened
    assert 1 == len(inventory.routing_to(REVIEWS))


def test_says_when_the_folder_was_last_looked_at(tmp_path: Path) -> None:
    assert 812.0 == LocalCluster(tmp_path, clock=lambda: 812.0).health().last_event


# Many writers

WRITER = """
import sys
from pathlib import Path
from remediator.cluster.local import LocalCluster
from remediator.errors import Conflict
from remediator.outcome import TargetRef
from remediator.traffic.patch import Edit, Patch

cluster, ref = LocalCluster(Path(sys.argv[1])), TargetRef("VirtualService", "shop", "reviews")
path, done = ("metadata", "annotations", "count"), 0
print("ready", flush=True)
sys.stdin.readline()
while done < int(sys.argv[2]):
    read = cluster.read(ref)
    count = read.body["metadata"]["annotations"]["count"]
    edit = Edit(path, count, str(int(count) + 1))
    patch = Patch(read.routing.uid, read.routing.resource_version, ((path, count),), (edit,))
    try:
        cluster.patch(ref, patch)
    except Conflict:
        continue
    done += 1
"""


def test_processes_lose_no_update_and_a_reader_sees_whole_files(tmp_path: Path) -> None:
    processes, patches = 4, 25
    (tmp_path / "reviews.yaml").write_text(dump(canary(annotations={"count": "0"}), rule()))
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(patches)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            text=True,
        )
        for _ in range(processes)
    ]
    try:
        for writer in writers:
            assert writer.stdout
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin
            writer.stdin.write("\n")
            writer.stdin.flush()
        cluster, counts = LocalCluster(tmp_path), []
        while any(writer.poll() is None for writer in writers):
            (found,) = cluster.routing_to(REVIEWS)
            counts.append(int(found.body["metadata"]["annotations"]["count"]))
            assert frozenset({"2"}) == found.rules.versions(REVIEWS, "v2", "shop")
    finally:
        for writer in writers:
            writer.communicate(timeout=30)

    assert [0] * processes == [writer.returncode for writer in writers]
    assert counts == sorted(counts)
    assert str(processes * patches) == cluster.read(REF).body["metadata"]["annotations"]["count"]


def test_threads_lose_no_update(tmp_path: Path) -> None:
    (tmp_path / "reviews.yaml").write_text(dump(canary(annotations={"count": "0"})))
    cluster = LocalCluster(tmp_path)
    path = ("metadata", "annotations", "count")
    failures: list[Exception] = []

    def count_up() -> None:
        done = 0
        while done < 10:
            read = cluster.read(REF)
            count = read.body["metadata"]["annotations"]["count"]
            edit = Edit(path, count, str(int(count) + 1))
            try:
                cluster.patch(REF, Patch(read.routing.uid, read.routing.resource_version, (), (edit,)))
            except Conflict:
                continue
            except Exception as error:
                failures.append(error)
                raise
            done += 1

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert not failures
    assert cluster.read(REF).body["metadata"]["annotations"]["count"] == "40"


def test_names_the_lock_that_another_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reviews.yaml").write_text(dump(canary()))
    cluster = LocalCluster(tmp_path)
    before = cluster.read(REF)
    monkeypatch.setattr("remediator.cluster.writer._LOCK_WAIT", 0.02)

    with (
        Gate(tmp_path).passed(Right("patch", "virtualservices")),
        pytest.raises(Unavailable, match=r"\.remediator\.lock: locked"),
    ):
        cluster.patch(REF, withdrawal(before))

    assert names(LocalWorld(tmp_path)) == {"reviews"}
