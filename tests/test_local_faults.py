"""The local adapter on a folder that cannot be understood: never a guess on part of it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from remediator.cluster.local import LocalCluster
from remediator.errors import NotFound, Unavailable
from tests.builders import split, virtual_service
from tests.contract import REF, REVIEWS, canary, withdrawal
from tests.folders import dump

REMEDY = "until then|half-written|Remove|Mend|Create|Wait|UTF-8|quotes|Name"
FAULTS = (
    pytest.param("metadata: {name: [", r"bad\.yaml:1: not YAML", id="a file that ends in the middle"),
    pytest.param("a: 1\n b: 2\n", r"bad\.yaml:2: not YAML", id="an indentation that is wrong"),
    pytest.param("", r"bad\.yaml: empty", id="a file that was only just opened for writing"),
    pytest.param("apiVersion", r"bad\.yaml:1: not a Kubernetes object but str", id="a torn first line"),
    pytest.param("- a\n- b\n", r"not a Kubernetes object but list", id="a list at the top"),
    pytest.param("apiVersion: networking.istio.io/v1\n", r"bad\.yaml:1: kind is missing", id="no kind"),
    pytest.param("kind: VirtualService\n", r"bad\.yaml:1: apiVersion is missing", id="no apiVersion"),
    pytest.param(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n", r"needs a metadata\.name", id="no metadata"
    ),
    pytest.param(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: 12}\n",
        r"needs a metadata\.name that is text",
        id="a name that is a number",
    ),
    pytest.param(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a, namespace: 12}\n",
        r"metadata\.namespace must be text",
        id="a namespace that is a number",
    ),
    pytest.param(
        "# one\n---\nspec:\n  weight: 1\n  weight: 2\n",
        r"bad\.yaml:5: key 'weight' stands twice, first in line 4",
        id="a key that stands twice",
    ),
    pytest.param(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n",
        r"VirtualService a has no spec",
        id="a file that ends before its spec",
    ),
    pytest.param(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec: {a: .nan}\n",
        r"cannot be said in JSON",
        id="a number that JSON has not",
    ),
    pytest.param(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: &m {name: a, self: *m}\nspec: {}\n",
        r"cannot be said in JSON|not YAML",
        id="an object that contains itself",
    ),
    pytest.param(
        "apiVersion: v1\nkind: List\nitems: [1]\n", r"item 1 of the list: not a Kubernetes object", id="a torn list"
    ),
    pytest.param("a: 1\nb:\n  " + "[" * 101, r"bad\.yaml:3: nests deeper than 100", id="lists nested too deeply"),
    pytest.param("a: \x00\n", r"bad\.yaml:1: not YAML", id="bytes of zero, as a crash leaves them"),
)


@pytest.mark.parametrize(("text", "problem"), FAULTS)
def test_names_the_fault_and_answers_nothing(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "good.yaml").write_text(dump(canary()))
    cluster = LocalCluster(tmp_path)
    before = cluster.read(REF)
    (tmp_path / "bad.yaml").write_text(text)

    for use in (
        lambda: cluster.routing_to(REVIEWS),
        cluster.routing,
        lambda: cluster.read(REF),
        lambda: cluster.patch(REF, withdrawal(before)),
    ):
        with pytest.raises(Unavailable, match=problem):
            use()
    health = cluster.health()
    assert not health.synced
    assert re.search(rf"bad\.yaml.*({REMEDY})", health.detail)

    (tmp_path / "bad.yaml").unlink()
    assert cluster.health().synced
    assert before == cluster.read(REF)


def test_names_the_line_of_a_byte_that_is_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"a: 1\nb: \xff\n")

    with pytest.raises(Unavailable, match=r"bad\.yaml:2: not UTF-8\. Save"):
        LocalCluster(tmp_path).routing()


def test_counts_further_faults(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml", "c.yaml"):
        (tmp_path / name).write_text("[")

    assert "a.yaml:1: " in (detail := LocalCluster(tmp_path).health().detail)
    assert "(2 more faults)" in detail


def test_keeps_the_objects_of_a_file_while_it_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "reviews.yaml"
    path.write_text(dump(canary()))
    cluster = LocalCluster(tmp_path)
    before = cluster.read(REF)

    path.write_text(dump(canary())[:195])
    torn = cluster.health()
    path.write_text(dump(virtual_service({"route": split("ratings", v1=100)}, name="other")))

    assert not torn.synced
    assert not cluster.routing_to(REVIEWS)
    with pytest.raises(NotFound):
        cluster.patch(REF, withdrawal(before))


def test_says_that_there_is_no_such_folder(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path / "nowhere")

    with pytest.raises(Unavailable, match=r"nowhere: No such file or directory\. Create it, or correct the path"):
        cluster.routing_to(REVIEWS)
    assert "nowhere" in cluster.health().detail
    assert cluster.health().last_event is None


def test_says_that_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text("a: 1")

    with pytest.raises(Unavailable, match="Not a directory"):
        LocalCluster(tmp_path / "file.yaml").routing()


def test_does_not_take_a_dangling_link_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "reviews.yaml").symlink_to(tmp_path / "gone")

    with pytest.raises(Unavailable, match=r"reviews\.yaml: a link to nothing\. Correct the link, or remove it"):
        LocalCluster(tmp_path).routing()


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(path))  # an address holds about a hundred bytes


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_folder(path: Path) -> None:
    path.symlink_to(path.parent)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(os.mkfifo, "a named pipe", id="a named pipe, which would be waited for"),
        pytest.param(socket_at, "a socket", id="a socket"),
        pytest.param(link_to_device, "a device", id="a device, which would be read for ever"),
        pytest.param(link_to_folder, "a folder", id="a link to a folder"),
    ],
)
def test_opens_regular_files_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(dump(canary()))
    cluster = LocalCluster(tmp_path)
    assert cluster.health().synced

    make(tmp_path / "bad.yaml")

    assert re.search(rf"bad\.yaml: {kind}, not a regular file\. Remove it", cluster.health().detail)
    with pytest.raises(Unavailable, match=kind):
        cluster.read(REF)
    (tmp_path / "bad.yaml").unlink()
    assert cluster.health().synced


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="lists that do not end"),
        pytest.param("[" * 100_000 + "]" * 100_000, id="lists"),
        pytest.param("{a: " * 100_000, id="mappings"),
        pytest.param("- " * 100_000, id="lists of one line"),
        pytest.param("".join(" " * depth + "a:\n" for depth in range(2_000)), id="mappings by indentation"),
    ],
)
def test_deep_nesting_is_refused_and_ends_no_process(tmp_path: Path, text: str) -> None:
    """PyYAML with libyaml composes nodes on C's stack, and overflows it."""
    (tmp_path / "bad.yaml").write_text(text)

    with pytest.raises(Unavailable, match=r"bad\.yaml:\d+: nests deeper than 100 mappings and lists\. Mend the file"):
        LocalCluster(tmp_path).routing()


@pytest.mark.parametrize(("removed", "left"), [("a", "b"), ("b", "a")], ids=["the first goes", "the second goes"])
def test_refuses_two_documents_for_one_object(tmp_path: Path, removed: str, left: str) -> None:
    (tmp_path / "a.yaml").write_text(dump(canary(labels={"app": "a"})))
    (tmp_path / "b.yaml").write_text("---\n# copied\n---\n" + dump(canary(labels={"app": "b"})))
    cluster = LocalCluster(tmp_path)

    with pytest.raises(Unavailable, match=r"shop/reviews stands twice: .*a\.yaml:1 and .*b\.yaml:4\. Remove one"):
        cluster.routing_to(REVIEWS)

    (tmp_path / f"{removed}.yaml").unlink()
    (found,) = cluster.routing_to(REVIEWS)
    assert left == found.body["metadata"]["labels"]["app"]


def test_refuses_two_documents_for_one_object_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(dump(canary(), canary()))

    with pytest.raises(Unavailable, match=r"stands twice: .*a\.yaml:1 and .*a\.yaml:\d+"):
        LocalCluster(tmp_path).routing()
