"""The local adapter's records: the contract, and how they stand in the folder."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.archive import Archive
from remediator.cluster.catalogue import Catalogue
from remediator.cluster.edits import alone
from remediator.cluster.folder import Folder, Stamp
from remediator.cluster.inventory import Inventory
from remediator.cluster.local import LocalCluster
from remediator.cluster.manifests import Manifest, Place, documents
from remediator.cluster.roster import Roster
from remediator.cluster.writer import LOCK
from remediator.errors import AlreadyExists, Conflict, Forbidden, NotFound, Rejected, Unavailable
from remediator.records.ledger import Ledger, head
from remediator.records.model import Phase, Remediation, Request, Status
from remediator.records.wire import render
from tests.builders import Json
from tests.contract import REVIEWS, canary
from tests.folders import CountingFolder, LocalLedgerWorld, dump, patch_canary, powerless, rule
from tests.ledger_contract import (
    APPLIED,
    NOON,
    OBSERVED,
    TAKEN_BACK,
    LedgerContract,
    accused,
    companion,
    intent,
    record,
    stored,
)
from tests.processes import binary
from tests.real_world import RECORDS, cleared
from tests.servers import ApiServer

FILE = Path("remediations", "shop", "canary-1.yaml")
ROOT = Path(__file__).parents[1]


@pytest.fixture
def world(tmp_path: Path) -> LocalLedgerWorld:
    return LocalLedgerWorld(tmp_path)


@pytest.fixture
def without_power() -> Iterator[Path]:
    with powerless() as folder:
        yield folder


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return LocalCluster(tmp_path).ledger


class TestContract(LedgerContract):
    pass


def written(name: str = "canary-1", **fields: Any) -> Json:
    """A record as somebody else has put it into the folder."""
    return render(replace(record(name), uid="u-1", created_at=NOON)) | fields


def keys(found: Ledger) -> list[tuple[str, str]]:
    return [each.key for each in found.heads()]


# What a record looks like


def test_a_new_record_is_a_file_of_its_own(tmp_path: Path) -> None:
    made = LocalCluster(tmp_path, clock=lambda: NOON.timestamp() + 0.5).ledger.create(record())

    body = yaml.safe_load((tmp_path / FILE).read_text())
    assert ["apiVersion", "kind", "metadata", "spec", "status"] == list(body)
    assert ["name", "namespace", "labels", "uid", "creationTimestamp"] == list(body["metadata"])
    assert ("2026-08-01T12:00:00Z", NOON) == (body["metadata"]["creationTimestamp"], made.created_at)
    assert made.uid == body["metadata"]["uid"]
    assert {"phase": "Planned"} == body["status"]
    assert [LOCK, "remediations"] == sorted(os.listdir(tmp_path))
    assert ["canary-1.yaml"] == os.listdir(tmp_path / "remediations" / "shop")


def test_two_records_of_one_name_are_told_apart(ledger: Ledger, tmp_path: Path) -> None:
    uids = set()
    for _ in range(2):
        made = ledger.create(record())
        uids.add(made.uid)
        ledger.delete(made)

    assert 2 == len(uids)


def test_text_of_many_lines_stands_line_by_line(ledger: Ledger, tmp_path: Path) -> None:
    told = "5 % of the requests fail:\n  - GET /\n\nLook at: the dashboard\n"
    alert = replace(accused("f00d"), annotations={"description": told})

    made = ledger.create(record(alert=alert))
    ledger.conclude(replace(made, status=APPLIED))

    lines = (
        "      description: |\n        5 % of the requests fail:\n          - GET /\n\n        Look at: the dashboard\n"
    )
    assert lines in (tmp_path / FILE).read_text()
    assert alert == ledger.read("shop", "canary-1").intent.alert


lines = st.lists(
    st.text(st.characters(codec="utf-8"), max_size=6)
    | st.sampled_from(["", " a", "a ", "# a", "---", "\t", "\r", "…"]),
    max_size=4,
).map("\n".join)


@given(values=st.lists(st.tuples(lines, lines), max_size=3))
def test_a_new_file_says_what_it_should(values: list[tuple[str, str]]) -> None:
    body = written(spec={"labels": dict(values), "last": [value for _, value in values]})
    manifest = Manifest(record().ref, body, Place("a.yaml", 1, 0))

    text = alone(manifest)

    assert [body] == [document.data for document in documents(text, "a.yaml")]
    assert body == yaml.safe_load(text)
    assert text.endswith("\n")


def test_a_conclusion_changes_the_status_only(ledger: Ledger, tmp_path: Path) -> None:
    made = ledger.create(record())
    before = (tmp_path / FILE).read_text()

    ledger.conclude(replace(made, status=APPLIED))

    after = (tmp_path / FILE).read_text()
    start = before.index("status:\n")
    assert before[:start] == after[:start]
    assert "status:\n  phase: Applied\n  reason: Patched\n" in after


def test_a_new_file_has_the_mode_of_any_new_file(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "other").touch()

    ledger.create(record())

    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == stat.S_IMODE((tmp_path / FILE).stat().st_mode)


def test_what_is_said_twice_is_written_once(ledger: Ledger, tmp_path: Path) -> None:
    made = ledger.create(record())
    inode = (tmp_path / FILE).stat().st_ino

    again = ledger.conclude(made)

    assert (stored(made), inode) == (stored(again), (tmp_path / FILE).stat().st_ino)


def test_events_are_not_kept(ledger: Ledger, tmp_path: Path) -> None:
    ledger.announce(OBSERVED)

    assert [] == os.listdir(tmp_path)


# Records that others wrote


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(dump(written()), id="a file of its own"),
        pytest.param(dump(canary(), written(), rule()), id="beside routing objects"),
        pytest.param(dump({"apiVersion": "v1", "kind": "List", "items": [rule(), written()]}), id="an item of a list"),
        pytest.param(
            dump({"apiVersion": "remediator.io/v1alpha1", "kind": "RemediationList", "items": [written()]}),
            id="kubectl's list of records",
        ),
    ],
)
def test_reads_a_record_of_any_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "shop.yaml").write_text(text)
    ledger = LocalCluster(tmp_path).ledger

    found = ledger.read("shop", "canary-1")

    assert ("u-1", NOON, record().intent) == (found.uid, found.created_at, found.intent)
    assert [stored(found)] == [stored(each) for each in ledger.listed()]
    assert Phase.APPLIED is ledger.conclude(replace(found, status=APPLIED)).status.phase


def test_fills_in_what_a_file_lacks(tmp_path: Path) -> None:
    """A record that was stripped of what a server counts, as some keep manifests in Git."""
    body = written()
    for key in ("uid", "creationTimestamp", "labels"):
        del body["metadata"][key]
    del body["status"]
    (tmp_path / "a.yaml").write_text(dump(body))
    ledger = LocalCluster(tmp_path).ledger

    found = ledger.read("shop", "canary-1")

    assert Status() == found.status
    assert found.uid
    assert NOON == found.created_at, "as old as its alert"
    ledger.conclude(replace(found, status=APPLIED))
    assert ["apiVersion", "kind", "metadata", "spec", "status"] == list(
        yaml.safe_load((tmp_path / "a.yaml").read_text())
    )
    assert stored(replace(found, status=APPLIED))[4:] == stored(ledger.read("shop", "canary-1"))[4:]


def test_keeps_what_others_wrote_into_a_record(tmp_path: Path) -> None:
    body = written()
    body["metadata"]["annotations"] = {"team": "shop"}
    body["spec"]["approval"] = {"approved": True}
    path = tmp_path / "a.yaml"
    path.write_text("# Asked ann.\n" + dump(body, canary()))
    ledger = LocalCluster(tmp_path).ledger

    ledger.conclude(replace(ledger.read("shop", "canary-1"), status=APPLIED))

    after = next(yaml.safe_load_all(path.read_text()))
    assert (body["metadata"], body["spec"]) == (after["metadata"], after["spec"])
    assert path.read_text().startswith("# Asked ann.\n")
    assert path.read_text().endswith(dump(canary()))


def test_ignores_what_is_called_alike(tmp_path: Path) -> None:
    policy = {"apiVersion": "remediator.io/v1alpha1", "kind": "RemediationPolicy", "metadata": {"name": "a"}}
    other = {"apiVersion": "example.org/v1", "kind": "Remediation", "metadata": {"name": "a"}}
    (tmp_path / "a.yaml").write_text("replicas: 3\n---\n" + dump(policy, other))
    cluster = LocalCluster(tmp_path)

    assert cluster.health().synced
    assert 0 == cluster.health().objects["Remediation"]
    assert () == tuple(cluster.ledger.heads())


def test_a_name_that_any_file_has_is_taken(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "kept.yaml").write_text(dump(canary(), written()))

    with pytest.raises(AlreadyExists, match=r"canary-1 exists already, in .*kept\.yaml"):
        ledger.create(record())

    assert not (tmp_path / "remediations").exists()


def test_a_file_that_is_in_the_way_is_left_alone(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(dump(written("other")))

    ledger.create(record())

    assert dump(written("other")) == (tmp_path / FILE).read_text()
    assert (tmp_path / FILE).with_name("canary-1.2.yaml").exists()
    assert {("shop", "canary-1"), ("shop", "other")} == set(keys(ledger))


FAULTS = (
    pytest.param({"spec": {}}, r"cannot be understood: target is missing\. Mend it or remove it", id="an empty spec"),
    pytest.param({"status": {"phase": "Paused"}}, r"'Paused' is not a valid Phase\. Mend", id="a phase that is none"),
    pytest.param({"spec": None}, r"has no spec\. Is the file half-written", id="no spec"),
    pytest.param({"apiVersion": None}, r"apiVersion is missing\. Add it", id="no apiVersion"),
    pytest.param(
        {"apiVersion": "remediator.io/v2"},
        r"is of remediator\.io/v2, and this program reads remediator\.io/v1alpha1\. Mend",
        id="a version of the future",
    ),
    pytest.param({"metadata": {"name": 3}}, r"needs a metadata\.name that is text", id="a name that is a number"),
)


@pytest.mark.parametrize(("fault", "problem"), FAULTS)
def test_one_record_that_cannot_be_understood_stops_everything(tmp_path: Path, fault: Json, problem: str) -> None:
    (tmp_path / "good.yaml").write_text(dump(canary(), written("good")))
    cluster = LocalCluster(tmp_path)
    good = cluster.ledger.read("shop", "good")
    (tmp_path / "bad.yaml").write_text("# first\n---\n" + dump(written() | fault))

    for use in (
        lambda: cluster.routing_to(REVIEWS),
        cluster.ledger.heads,
        lambda: cluster.ledger.get("shop", "good"),
        lambda: cluster.ledger.answering("f00d", NOON),
        lambda: cluster.ledger.taken_back("uid-1"),
        lambda: list(cluster.ledger.listed()),
        lambda: cluster.ledger.read("shop", "good"),
        lambda: cluster.ledger.create(record("new")),
        lambda: cluster.ledger.conclude(replace(good, status=APPLIED)),
        lambda: cluster.ledger.delete(good),
    ):
        with pytest.raises(Unavailable, match=problem):
            use()
    health = cluster.health()
    assert not health.synced
    assert re.search(rf"bad\.yaml:3: .*{problem}", health.detail)

    (tmp_path / "bad.yaml").unlink()
    assert [("shop", "good")] == keys(cluster.ledger)
    assert "1 Remediation" in cluster.health().detail


def test_two_records_of_one_name_are_refused(tmp_path: Path, ledger: Ledger) -> None:
    ledger.create(record())
    (tmp_path / "copy.yaml").write_text((tmp_path / FILE).read_text())

    with pytest.raises(Unavailable, match=r"Remediation shop/canary-1 stands twice: .*copy\.yaml:1 and .*Remove one"):
        ledger.heads()


# Deleting

BEFORE = "# The shop's.\n\nkind: ConfigMap   # odd\napiVersion: v1\nmetadata: {name: a}\n# end of it\n"
AFTER = "# of the next\n\napiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    --- ünïcödé 😀\n\n---\n# only a comment\n"
RECORD = dump(written())


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param(f"{RECORD}---\n{AFTER}", f"---\n{AFTER}", id="the first"),
        pytest.param(f"# head\n{RECORD}# of it\n---\n{AFTER}", f"# head\n---\n{AFTER}", id="the first, with comments"),
        pytest.param(f"{BEFORE}---\n# of it\n{RECORD}", BEFORE, id="the last"),
        pytest.param(f"{BEFORE}---\n{RECORD}---\n{AFTER}", f"{BEFORE}---\n{AFTER}", id="between two"),
        pytest.param(
            f"{BEFORE}...\n--- # of it\n{RECORD}...\n---\n{AFTER}", f"{BEFORE}...\n---\n{AFTER}", id="with ends"
        ),
        pytest.param(f"%YAML 1.1\n---\n{RECORD}---\n{AFTER}", f"---\n{AFTER}", id="with a directive"),
        pytest.param(f"\ufeff{RECORD}---\n{AFTER}", f"\ufeff---\n{AFTER}", id="behind a byte order mark"),
        pytest.param(f"{BEFORE}---\n{RECORD}", None, id="of a file with other line breaks"),
    ],
)
def test_leaves_the_other_documents_as_they_are(tmp_path: Path, text: str, left: str | None) -> None:
    path = tmp_path / "shop.yaml"
    if left is None:
        text, left = text.replace("\n", "\r\n"), BEFORE.replace("\n", "\r\n")
    path.write_bytes(text.encode())
    ledger = LocalCluster(tmp_path).ledger

    ledger.delete(ledger.read("shop", "canary-1"))

    assert left == path.read_bytes().decode()
    with pytest.raises(NotFound, match="canary-1"):
        ledger.read("shop", "canary-1")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(RECORD, id="alone"),
        pytest.param(f"# ours\n---\n# and this\n---\n{RECORD}---\n# last\n", id="with nothing but comments"),
        pytest.param(dump({"apiVersion": "v1", "kind": "List", "items": [written()]}), id="the only item of a list"),
    ],
)
def test_removes_the_file_that_says_nothing_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    ledger = LocalCluster(tmp_path).ledger

    ledger.delete(ledger.read("shop", "canary-1"))

    assert [LOCK] == os.listdir(tmp_path)
    assert [] == keys(ledger)


def test_takes_one_item_out_of_a_list(tmp_path: Path) -> None:
    items = [rule(), written(), canary(), written("other")]
    (tmp_path / "a.yaml").write_text("# all\n" + dump({"apiVersion": "v1", "kind": "List", "items": items}))
    ledger = LocalCluster(tmp_path).ledger

    ledger.delete(ledger.read("shop", "canary-1"))

    text = (tmp_path / "a.yaml").read_text()
    assert [items[0], *items[2:]] == yaml.safe_load(text)["items"]
    assert text.startswith("# all\n")


def test_an_editor_that_takes_no_lock_is_not_overruled(tmp_path: Path, ledger: Ledger) -> None:
    made = ledger.create(record())
    path = tmp_path / FILE
    path.write_text(path.read_text().replace("mode: Enforce", "mode: Observe"))

    for call in (ledger.delete, ledger.conclude, ledger.rewrite):
        with pytest.raises(Conflict, match=r"canary-1 was changed since it was read, in .*canary-1\.yaml"):
            call(replace(made, status=APPLIED))

    assert "mode: Observe" in path.read_text()


# Names


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("shop", "../../reviews"), id="a way out of the folder"),
        pytest.param(("..", "canary-1"), id="a namespace that leads up"),
        pytest.param((".shop", "canary-1"), id="a hidden folder"),
        pytest.param(("shop", "Canary"), id="a capital letter"),
        pytest.param(("shop", "canary-1\n"), id="a line break"),
        pytest.param(("", "canary-1"), id="no namespace"),
        pytest.param(("shop", "a" * 201), id="too long"),
    ],
)
def test_a_name_that_kubernetes_would_not_take_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    namespace, name = names

    with pytest.raises(Rejected, match=r"cannot be its (name|namespace)\. Small letters"):
        LocalCluster(tmp_path).ledger.create(record(name, namespace))

    assert [] == os.listdir(tmp_path)


@pytest.mark.parametrize("way", [pytest.param("link", id="a link"), pytest.param("file", id="a file")])
def test_says_what_is_in_the_way_of_the_records_folder(tmp_path: Path, way: str) -> None:
    """A link to a folder is not followed when files are read: a record below it would never be found again."""
    (tmp_path / "root").mkdir()
    place = tmp_path / "root" / "remediations"
    if way == "link":
        place.symlink_to(tmp_path)
    else:
        place.touch()

    with pytest.raises(Unavailable, match=r"root/remediations: is in the way of a folder of that name .*Move it"):
        LocalCluster(tmp_path / "root").ledger.create(record())


def test_half_a_character_does_not_stop_a_record(ledger: Ledger) -> None:
    """As a terminal passes on a byte that is no UTF-8."""
    made = ledger.create(record(stable="v\udcff1"))

    assert "v�1" == made.intent.stable == ledger.read("shop", "canary-1").intent.stable


# Permissions


def test_says_that_no_record_can_be_created(without_power: Path) -> None:
    os.chmod(without_power, 0o555)

    with pytest.raises(
        Forbidden, match=rf"{without_power}.*Permission denied\. Let this process write there"
    ) as refused:
        LocalCluster(without_power).ledger.create(record())

    assert ("create", "remediations.remediator.io") == (refused.value.verb, refused.value.resource)


def test_names_the_folder_of_records_that_is_read_only(without_power: Path) -> None:
    (without_power / "remediations").mkdir(mode=0o555)

    with pytest.raises(Forbidden, match=r"remediations/shop/canary-1\.yaml: Permission denied") as refused:
        LocalCluster(without_power).ledger.create(record())

    assert ("create", "remediations.remediator.io") == (refused.value.verb, refused.value.resource)


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        pytest.param("conclude", "patch", id="conclude"),
        pytest.param("rewrite", "patch", id="rewrite"),
        pytest.param("delete", "delete", id="delete"),
    ],
)
def test_a_file_that_is_read_only_stays_as_it_is(without_power: Path, verb: str, said: str) -> None:
    ledger = LocalCluster(without_power).ledger
    made = ledger.create(record())
    (without_power / FILE).chmod(0o444)

    with pytest.raises(Forbidden, match=r"canary-1\.yaml: Permission denied") as refused:
        getattr(ledger, verb)(replace(made, status=APPLIED, intent=intent(stable="v1")))

    assert (said, "remediations.remediator.io") == (refused.value.verb, refused.value.resource)
    assert stored(made) == stored(ledger.read("shop", "canary-1"))


def test_a_command_reads_records_that_it_may_not_write(without_power: Path) -> None:
    LocalCluster(without_power).ledger.create(record())
    (without_power / LOCK).unlink()
    os.chmod(without_power, 0o555)

    assert ["canary-1"] == [found.name for found in LocalCluster(without_power).ledger.listed()]


# Crashes, and others at work

CRASH = """
import os, signal, sys
from pathlib import Path
from remediator.cluster.local import LocalCluster
from tests.ledger_contract import record

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(os, sys.argv[2], die)
LocalCluster(Path(sys.argv[1])).ledger.create(record())
"""


@pytest.mark.parametrize("moment", ["mkdir", "fsync", "replace"])
def test_a_crash_on_the_way_leaves_no_record(tmp_path: Path, moment: str) -> None:
    """The lock goes with the process; what it had begun to write is hidden, and no reader takes it for a file."""
    done = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path), moment], cwd=ROOT, timeout=60, check=False)
    assert -signal.SIGKILL == done.returncode
    ledger = LocalCluster(tmp_path).ledger
    assert [] == keys(ledger)

    made = ledger.create(record())

    assert stored(made) == stored(ledger.read("shop", "canary-1"))
    assert [("shop", "canary-1")] == keys(ledger)


CREATOR = """
import sys
from pathlib import Path
from remediator.cluster.local import LocalCluster
from remediator.errors import AlreadyExists
from tests.ledger_contract import record

ledger, won = LocalCluster(Path(sys.argv[1])).ledger, []
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    try:
        ledger.create(record(f"canary-{number}", stable=sys.argv[3]))
    except AlreadyExists:
        assert ledger.read("shop", f"canary-{number}").intent.stable != sys.argv[3]
    else:
        won.append(number)
print(*won)
"""


def test_of_two_processes_that_create_the_same_records_one_wins_each(tmp_path: Path) -> None:
    count = 40
    creators = [
        subprocess.Popen(
            [sys.executable, "-c", CREATOR, str(tmp_path), str(count), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        for name in ("one", "two")
    ]
    try:
        for creator in creators:
            assert creator.stdout
            assert "ready\n" == creator.stdout.readline()
    finally:
        answers = [creator.communicate("\n", timeout=60)[0] for creator in creators]

    assert [0, 0] == [creator.returncode for creator in creators]
    ledger = LocalCluster(tmp_path).ledger
    winners = {
        name: {int(number) for number in answer.split()} for name, answer in zip(("one", "two"), answers, strict=True)
    }
    assert list(range(count)) == sorted([*winners["one"], *winners["two"]])
    for name, numbers in winners.items():
        assert numbers == {int(found.name[7:]) for found in ledger.listed() if found.intent.stable == name}


def test_threads_see_their_own_records_at_once(tmp_path: Path) -> None:
    ledger = LocalCluster(tmp_path).ledger
    unseen: list[str] = []

    def work(worker: int) -> None:
        for number in range(10):
            made = ledger.create(record(f"canary-{worker}-{number}"))
            made = ledger.conclude(replace(made, status=APPLIED))
            found = ledger.get("shop", made.name)
            if found is None or stored(made) != stored(found) or head(made) not in ledger.heads():
                unseen.append(made.name)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert [] == unseen
    assert 40 == len(ledger.heads())


class Emptied(Folder):
    """Somebody removes a file between the listing of the folder and the reading of its files."""

    def files(self) -> dict[str, Stamp]:
        found = super().files()
        for path in found:
            os.unlink(path)
        return found


def test_a_record_that_is_deleted_meanwhile_is_no_fault(tmp_path: Path) -> None:
    LocalCluster(tmp_path).ledger.create(record())
    archive = Archive()

    Catalogue(Emptied(tmp_path), Inventory(), archive, Roster(), lambda: 0.0).refresh()

    assert () == archive.heads()


def test_unchanged_records_are_read_once(tmp_path: Path) -> None:
    ledger = LocalCluster(tmp_path).ledger
    for number in range(10):
        ledger.create(record(f"canary-{number}"))
    much_later = (datetime.now(UTC) + timedelta(minutes=1)).timestamp()
    folder, archive = CountingFolder(tmp_path), Archive()
    catalogue = Catalogue(folder, Inventory(), archive, Roster(), lambda: much_later)

    for _ in range(3):
        catalogue.refresh()

    assert [f"canary-{number}.yaml" for number in range(10)] == folder.opened
    assert 10 == len(archive.heads())


def test_a_routing_object_is_patched_beside_its_record(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(dump(canary(), written()))
    cluster = LocalCluster(tmp_path)
    before: Remediation = cluster.ledger.read("shop", "canary-1")

    patch_canary(cluster)

    assert path.read_text().endswith("---\n" + RECORD)
    assert stored(before) == stored(cluster.ledger.read("shop", "canary-1"))
    assert {"VirtualService": 1, "DestinationRule": 0, "Remediation": 1} == cluster.health().objects


@pytest.mark.servers
@pytest.mark.parametrize("verb", ["create", "apply"])
def test_kubectl_takes_the_files(tmp_path: Path, api_server: ApiServer, verb: str) -> None:
    """From a folder to a cluster the history comes along, but for the status, which is written apart."""
    cleared(api_server)
    api_server.namespace("shop")
    ledger = LocalCluster(tmp_path).ledger
    made = ledger.create(record(also=(companion("beef"),), hold_until=NOON, request=Request("ann", "why"), stable="v1"))
    ledger.conclude(replace(made, status=TAKEN_BACK))
    kubectl = (binary("KUBEBUILDER_ASSETS", "kubectl"), "--kubeconfig", str(api_server.kubeconfig()))

    done = subprocess.run(
        [*kubectl, verb, "--recursive", "-f", str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )

    assert (0, "") == (done.returncode, done.stderr)
    spec = api_server.request("GET", f"{RECORDS}/namespaces/shop/remediations/canary-1")["spec"]
    if verb == "apply":  # which takes `null` for nothing said
        spec["undo"] = [{"value": None} | each for each in spec["undo"]]
    assert yaml.safe_load((tmp_path / FILE).read_text())["spec"] == spec
