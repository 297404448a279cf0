"""How the local adapter writes a file back."""

from __future__ import annotations

import difflib
import errno
import os
import stat
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.edits import rewrite
from remediator.cluster.folder import Folder
from remediator.cluster.local import LocalCluster
from remediator.cluster.manifests import documents, manifests
from remediator.cluster.writer import LOCK, Gate, Right
from remediator.errors import Conflict, Forbidden, NotFound, Rejected, Unavailable
from remediator.outcome import TargetRef
from remediator.traffic.patch import ABSENT, Edit, Patch
from tests.contract import REF, REVIEWS, canary, content, patched_by_hand, withdrawal
from tests.folders import dump, patch_canary, powerless, rule

SAMPLES = Path(__file__).parents[1].parent / "shared" / "data" / "samples"


BEFORE = """\
# The shop's routes.

apiVersion: networking.istio.io/v1   # first
kind: VirtualService
metadata: {name:   other, namespace: shop}   # odd spaces
spec: {hosts: ['other'], http: []}
---
# Reviews: ask the shop's people.
"""
AFTER = """
# End of reviews.
---
apiVersion: v1
kind: ConfigMap
data:
  text: |
    --- not a marker
    ünïcödé 😀

---
# only a comment
...
"""


@pytest.mark.parametrize("newline", [pytest.param("\n", id="unix"), pytest.param("\r\n", id="windows")])
@pytest.mark.parametrize("mark", [pytest.param("", id="plain"), pytest.param("\ufeff", id="byte order mark")])
def test_leaves_the_other_documents_as_they_are(tmp_path: Path, newline: str, mark: str) -> None:
    head, tail = (mark + BEFORE).replace("\n", newline), AFTER.replace("\n", newline)
    path = tmp_path / "shop.yaml"
    path.write_bytes((head + dump(canary()).rstrip("\n").replace("\n", newline) + tail).encode())
    cluster = LocalCluster(tmp_path)
    before = cluster.read(REF)

    cluster.patch(REF, withdrawal(before))

    written = path.read_bytes().decode()
    assert head == written[: len(head)]
    assert tail == written[-len(tail) :]
    assert patched_by_hand(before) == content(cluster.read(REF).body)


def test_changes_no_line_but_those_that_changed(tmp_path: Path) -> None:
    path = tmp_path / "reviews.yaml"
    path.write_text(dump(canary()))
    before = path.read_text().splitlines()

    patch_canary(LocalCluster(tmp_path))

    lines = [line for line in difflib.ndiff(before, path.read_text().splitlines()) if line[0] in "+-"]
    expected = [
        "+     remediator.io/remediation: canary-1",
        "-       weight: 90",
        "+       weight: 100",
        "-       weight: 10",
        "+       weight: 0",
        "-     mirror:",
        "-       host: reviews",
        "-       subset: v2",
        "-     mirrorPercentage:",
        "-       value: 12.5",
    ]
    assert expected == lines


def test_writes_no_metadata_that_was_not_there(tmp_path: Path) -> None:
    path = tmp_path / "reviews.yaml"
    body = canary()
    del body["metadata"]["namespace"]
    path.write_text(dump(body))
    cluster = LocalCluster(tmp_path)
    before = cluster.read(TargetRef("VirtualService", "default", "reviews"))

    cluster.patch(before.routing.ref, withdrawal(before))

    assert ["name", "labels", "annotations"] == list(yaml.safe_load(path.read_text())["metadata"])


def test_renews_a_resource_version_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "reviews.yaml"
    path.write_text(dump(canary(uid="abc", resourceVersion="812")))
    cluster = LocalCluster(tmp_path)

    answer = cluster.patch(REF, withdrawal(cluster.read(REF)))

    metadata = yaml.safe_load(path.read_text())["metadata"]
    assert ("abc", answer.routing.resource_version) == (metadata["uid"], metadata["resourceVersion"])
    assert answer == cluster.read(REF)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("--- # start\n{doc}", id="a comment behind the marker"),
        pytest.param("%YAML 1.1\n---\n{doc}...\n", id="a directive and an end"),
        pytest.param("--- {flow}\n---\na: 1\n", id="JSON on the line of the marker"),
        pytest.param("{flow}", id="JSON"),
        pytest.param("--- !!map\n{doc}", id="a tag"),
        pytest.param("{indented}", id="everything indented"),
        pytest.param("{doc}  note: |\n    last\n\n# behind\n---\na: 1\n", id="a block of text at the end"),
        pytest.param("{doc}  note:\n# behind\n---\na: 1\n", id="nothing at the end"),
        pytest.param("{doc}  note: 1 # of this value\n---\na: 1\n", id="a comment behind the last value"),
        pytest.param("{doc}  one: &a [1, 2]\n  two: *a\n", id="an alias at the end"),
        pytest.param("{doc}  one: &a\n    x: 1\n  two:\n    <<: *a\n    x: 2\n", id="a merge key that is overridden"),
        pytest.param("{list}", id="an item of a list"),
    ],
)
def test_writes_whatever_it_can_read(tmp_path: Path, text: str) -> None:
    doc = dump(canary())
    listed = {"apiVersion": "v1", "kind": "List", "items": [rule(), canary(), {"kind": "Other"}]}
    path = tmp_path / "reviews.yaml"
    path.write_text(
        text.replace("{doc}", doc)
        .replace("{flow}", yaml.safe_dump(canary(), default_flow_style=True, width=10**6).strip())
        .replace("{indented}", textwrap.indent(doc, "  "))
        .replace("{list}", dump(listed))
    )
    cluster = LocalCluster(tmp_path)
    before = cluster.read(REF)

    cluster.patch(REF, withdrawal(before))

    assert patched_by_hand(before) == content(cluster.read(REF).body)
    assert content(LocalCluster(tmp_path).read(REF).body) == patched_by_hand(before)
    assert "of this value" not in path.read_text()


texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    [
        "yes",
        "n",
        "1e3",
        "0x1f",
        "012",
        "1:30",
        "2026-01-01",
        "=",
        "<<",
        "~",
        "null",
        ".inf",
        "a: b",
        "- a",
        "# a",
        "a\n",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(spec=values, other=values)
def test_what_is_written_is_what_is_read(spec: Any, other: Any) -> None:
    body = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "a"},
        "spec": {"x": other},
    }
    text = "# first\n---\n" + dump(body) + "# behind\n---\nlast: 1\n"
    (found,) = manifests(documents(text, "a.yaml"), "a.yaml")

    changed = {**body, "spec": {"x": spec}}

    written = rewrite(text, found, changed)

    (reread,) = manifests(documents(written, "a.yaml"), "a.yaml")
    assert changed == reread.body
    assert changed == next(yaml.safe_load_all(written))
    assert written.endswith("# behind\n---\nlast: 1\n")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not beside this repository")
def test_reads_and_rewrites_the_public_samples() -> None:
    rewritten = 0
    for path in sorted(SAMPLES.rglob("*.yaml")):
        text = path.read_text()
        for found in manifests(documents(text, path.name), path.name):
            changed = {**found.body, "spec": {**found.body["spec"], "changed": True}}
            again = manifests(documents(rewrite(text, found, changed), path.name), path.name)
            assert changed in [one.body for one in again]
            rewritten += 1
    assert rewritten > 20


def test_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "reviews.yaml"
    path.write_text(dump(canary()))
    path.chmod(0o640)

    patch_canary(LocalCluster(tmp_path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_follows_a_link_to_a_file(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap, and as some keep their manifests."""
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "real" / "reviews.yaml").write_text(dump(canary()))
    (tmp_path / "linked" / "reviews.yaml").symlink_to(tmp_path / "real" / "reviews.yaml")

    patch_canary(LocalCluster(tmp_path / "linked"))

    assert (tmp_path / "linked" / "reviews.yaml").is_symlink()
    assert "canary-1" in (tmp_path / "real" / "reviews.yaml").read_text()


def test_a_patch_without_effect_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reviews.yaml"
    path.write_text(dump(canary()))
    cluster = LocalCluster(tmp_path)
    before, inode = cluster.read(REF), path.stat().st_ino

    answer = cluster.patch(REF, withdrawal(before, edits=()))

    assert (before, inode) == (answer, path.stat().st_ino)


def test_a_dry_run_needs_no_permission_and_leaves_no_lock(tmp_path: Path) -> None:
    (tmp_path / "reviews.yaml").write_text(dump(canary()))
    cluster = LocalCluster(tmp_path)

    cluster.patch(REF, withdrawal(cluster.read(REF)), dry_run=True)

    assert ["reviews.yaml"] == os.listdir(tmp_path)


def test_leaves_no_other_file_than_the_lock(tmp_path: Path) -> None:
    (tmp_path / "reviews.yaml").write_text(dump(canary()))

    patch_canary(LocalCluster(tmp_path))

    assert [LOCK, "reviews.yaml"] == sorted(os.listdir(tmp_path))


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(Edit(("metadata", "name"), "reviews", "other"), id="the name"),
        pytest.param(Edit(("kind",), "VirtualService", "Gateway"), id="the kind"),
        pytest.param(Edit(("metadata", "uid"), "", "other"), id="the uid"),
        pytest.param(Edit(("metadata",), {}, ABSENT), id="all metadata"),
    ],
)
def test_refuses_a_patch_that_changes_who_an_object_is(tmp_path: Path, edit: Edit) -> None:
    (tmp_path / "reviews.yaml").write_text(dump(canary()))
    cluster = LocalCluster(tmp_path)
    before = cluster.read(REF)

    with pytest.raises(Rejected, match="changes what names"):
        cluster.patch(REF, withdrawal(before, edits=(edit,)))


def test_patches_no_destination_rule(tmp_path: Path) -> None:
    (tmp_path / "reviews.yaml").write_text(dump(rule()))

    with pytest.raises(NotFound, match="no routing object"):
        LocalCluster(tmp_path).patch(TargetRef("DestinationRule", "shop", "reviews"), Patch("", "", (), ()))


def test_notices_an_editor_that_takes_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "reviews.yaml"
    path.write_text("a: 1\n")
    folder = Folder(tmp_path)
    text, stamp = folder.read(path)
    path.write_text("a: 22\n")

    with (
        Gate(tmp_path).passed(Right("patch", "virtualservices")) as writer,
        pytest.raises(Conflict, match=r"reviews\.yaml was changed by somebody else"),
    ):
        writer.replace(path, text, stamp)

    assert path.read_text() == "a: 22\n"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "reviews.yaml"
    path.write_text(dump(canary()))
    before = path.read_text()
    cluster = LocalCluster(tmp_path)
    snapshot = cluster.read(REF)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left on device"):
        cluster.patch(REF, withdrawal(snapshot))

    assert (before, [LOCK, "reviews.yaml"]) == (path.read_text(), sorted(os.listdir(tmp_path)))


# Permissions


@pytest.fixture
def without_power() -> Iterator[Path]:
    with powerless() as folder:
        yield folder


def test_says_that_a_file_may_not_be_read(without_power: Path) -> None:
    path = without_power / "reviews.yaml"
    path.write_text(dump(canary()))
    cluster = LocalCluster(without_power)
    path.chmod(0)

    with pytest.raises(Unavailable, match=r"reviews\.yaml: Permission denied\. Let this process read it"):
        cluster.routing_to(REVIEWS)

    path.chmod(0o600)
    assert len(cluster.routing_to(REVIEWS)) == 1


@pytest.mark.parametrize(
    ("mode", "folder_mode"),
    [pytest.param(0o444, 0o777, id="the file is read-only"), pytest.param(0o666, 0o555, id="the folder is")],
)
def test_says_that_a_file_may_not_be_written(without_power: Path, mode: int, folder_mode: int) -> None:
    path = without_power / "reviews.yaml"
    path.write_text(dump(canary()))
    path.chmod(mode)
    os.chmod(without_power, folder_mode)
    cluster = LocalCluster(without_power)
    before = cluster.read(REF)

    with pytest.raises(Forbidden, match=r"Permission denied") as refused:
        cluster.patch(REF, withdrawal(before))

    assert ("patch", "virtualservices.networking.istio.io") == (refused.value.verb, refused.value.resource)
    assert before == cluster.read(REF)
