"""Policy files: reading them, every mistake in them, and reading them again when they change."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from remediator.errors import PolicyError
from remediator.policies.load import MAX_BYTES, PolicyStore, load

BAD = sorted((Path(__file__).parent / "bad_policies").glob("*.yaml"))
TEXT = """
apiVersion: remediator.io/v1alpha1
kind: RemediationPolicy
metadata: {name: NAME}
spec:
  matchers: [alertname = "CanaryHardDown"]
  actions: [RevertToStable]
  mode: Enforce
"""


def text(*names: str) -> str:
    return "---".join(TEXT.replace("NAME", name) for name in names)


def write(path: Path, *names: str) -> Path:
    path.write_text(text(*names))
    return path


def names(store: PolicyStore) -> list[str]:
    return [policy.name for policy in store.current().policies.policies]


def faults(*paths: Path) -> list[str]:
    with pytest.raises(PolicyError) as error:
        load(paths)
    assert "\n".join(map(str, error.value.faults)) == str(error.value)
    return [str(fault) for fault in error.value.faults]


class TestLoad:
    def test_reads_in_order_of_path_file_name_and_position(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        write(folder / "b.yml", "third", "fourth")
        write(folder / "a.yaml", "second")
        first = write(tmp_path / "z.yaml", "first")
        loaded = load([first, folder]).policies
        assert ["first", "second", "third", "fourth"] == [policy.name for policy in loaded]
        assert f"{folder / 'b.yml'}, document 2" == loaded[3].source

    def test_a_folder_is_not_searched_deeper_and_hidden_entries_are_left_out(self, tmp_path: Path) -> None:
        write(tmp_path / "a.yaml", "seen")
        write(tmp_path / ".hidden.yaml", "hidden")
        write(tmp_path / "notes.txt", "notes")
        (tmp_path / "deeper").mkdir()
        write(tmp_path / "deeper" / "b.yaml", "deeper")
        assert ["seen"] == [policy.name for policy in load([tmp_path]).policies]

    def test_a_byte_order_mark_is_no_part_of_the_text(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + text("canary").encode())
        assert "canary" == load([path]).policies[0].name

    @pytest.mark.parametrize("path", [pytest.param(path, id=path.stem.replace("_", " ")) for path in BAD])
    def test_says_what_is_wrong_with(self, path: Path) -> None:
        expected = path.read_text().splitlines()[0].removeprefix("# error: ")
        assert [f"{path}, {expected}"] == faults(path)

    def test_every_fault_of_every_file_is_told_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text("a: [")
        (tmp_path / "b.yaml").write_text(text("b").replace("RevertToStable", "Revert"))
        (tmp_path / "c.yaml").write_bytes(b"a: 1\nb: \xff\n")
        missing = tmp_path / "missing.yaml"
        told = faults(tmp_path, missing)
        assert 4 == len(told)
        assert told[0].startswith(f"{tmp_path / 'a.yaml'}, document 1: not YAML: line 1, column 5")
        assert told[1].startswith(
            f"{tmp_path / 'b.yaml'}, document 1, spec.actions[0]: the text 'Revert' is not one of"
        )
        assert f"{tmp_path / 'c.yaml'}, document 1: not UTF-8 in line 2 (save the file as UTF-8)" == told[2]
        assert told[3].startswith(f"{missing}, document 1: cannot be read: No such file or directory")

    def test_every_kind_of_fault_says_where_and_what_to_do(self, tmp_path: Path) -> None:
        """A wrong regular expression, key, duration and glob, in two files, one of them in its second document."""
        lines = "  guards: {coolDown: 1m, hold: 1 hour}\n  target: {namespaces: ['[']}\n"
        (tmp_path / "a.yaml").write_text(text("a", "b") + lines)
        (tmp_path / "b.yaml").write_text(text("c").replace('alertname = "CanaryHardDown"', "'a =~ \"b(c\"'"))
        with pytest.raises(PolicyError) as error:
            load([tmp_path])
        first, second = str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")
        assert {
            (first, 2, "spec.guards.coolDown", "did you mean cooldown?"),
            (first, 2, "spec.guards.hold", "write it as 30s, 10m or 1h30m, largest unit first"),
            (first, 2, "spec.target.namespaces[0]", "close each bracket: shop-[ab]"),
            (second, 1, "spec.matchers[0]", r"to mean the bracket itself write \("),
        } == {(fault.file, fault.document, fault.key, fault.hint) for fault in error.value.faults}

    def test_two_policies_of_one_name(self, tmp_path: Path) -> None:
        first, second = write(tmp_path / "a.yaml", "other", "same"), write(tmp_path / "b.yaml", "same")
        assert [
            f"{second}, document 1, metadata.name: same is the name of the policy in {first}, document 2 too "
            "(give each policy a name of its own)"
        ] == faults(first, second)

    @pytest.mark.parametrize(
        "content", [pytest.param(None, id="an empty folder"), pytest.param("# soon\n", id="a comment")]
    )
    def test_no_policy_at_all(self, tmp_path: Path, content: str | None) -> None:
        if content:
            (tmp_path / "a.yaml").write_text(content)
        assert [f"{tmp_path}, document 1: no policy in it (give files, or folders with *.yaml or *.yml)"] == faults(
            tmp_path
        )

    def test_a_file_larger_than_a_configmap(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_bytes(b"#" * (MAX_BYTES + 1))
        assert [f"{path}, document 1: larger than 1024 KiB (split it into several files)"] == faults(path)

    def test_a_file_that_cannot_be_opened(self, tmp_path: Path) -> None:
        """A link to itself: no permission would do for everybody but root, who may read every file."""
        path = tmp_path / "a.yaml"
        path.symlink_to(path)
        assert f"{path}, document 1: cannot be read: " in faults(path)[0]

    def test_only_regular_files_are_opened(self, tmp_path: Path) -> None:
        """A named pipe would be waited for, and /dev/zero read for ever."""
        os.mkfifo(tmp_path / "a.yaml")
        (tmp_path / "b.yaml").symlink_to("/dev/zero")
        assert [
            f"{tmp_path / name}, document 1: a pipe, a socket or a device (give a regular file)"
            for name in ("a.yaml", "b.yaml")
        ] == faults(tmp_path)

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param("[" * 100_000, id="lists"),
            pytest.param("{a: " * 100_000, id="mappings"),
            pytest.param("- " * 100_000, id="lists of one line"),
        ],
    )
    def test_deep_nesting_is_a_fault_and_ends_no_process(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "a.yaml").write_text(content)
        assert [f"{tmp_path / 'a.yaml'}, document 1: nests deeper than 30 levels (a policy needs five)"] == faults(
            tmp_path
        )

    def test_a_folder_for_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").mkdir()
        assert "cannot be read: Is a directory" in faults(tmp_path)[0]


class TestStore:
    def test_the_first_load_must_succeed(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match="no policy in it"):
            PolicyStore([tmp_path])

    def test_nothing_is_loaded_twice(self, tmp_path: Path) -> None:
        store = PolicyStore([write(tmp_path / "a.yaml", "a")])
        first = store.current()
        assert first is store.current()
        assert (1, 0, None) == (first.generation, first.failures, first.fault)

    def test_sees_a_file_changed_added_and_removed(self, tmp_path: Path) -> None:
        write(tmp_path / "a.yaml", "a")
        store = PolicyStore([tmp_path])
        write(tmp_path / "a.yaml", "changed")
        assert ["changed"] == names(store)
        write(tmp_path / "b.yaml", "added")
        assert ["changed", "added"] == names(store)
        (tmp_path / "a.yaml").unlink()
        assert ["added"] == names(store)
        assert 4 == store.current().generation

    def test_sees_a_change_that_keeps_size_and_time(self, tmp_path: Path) -> None:
        """A file renamed over another may have the same size and modification time."""
        path = write(tmp_path / "a.yaml", "one")
        store = PolicyStore([path])
        status = path.stat()
        other = write(tmp_path / "new", "two")
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.rename(path)
        assert ["two"] == names(store)

    def test_keeps_the_last_good_set_while_there_is_a_fault(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.yaml", "good")
        store = PolicyStore([path])
        path.write_text("a: [")
        broken = store.current()
        assert broken is store.current()
        assert ["good"] == names(store)
        assert (1, 1) == (broken.generation, broken.failures)
        assert "not YAML" in (broken.fault or "")
        path.unlink()
        assert "No such file" in (store.current().fault or "")
        write(path, "mended")
        mended = store.current()
        assert ["mended"] == names(store)
        assert (None, 2, 2) == (mended.fault, mended.generation, mended.failures)

    @pytest.mark.parametrize("by_file", [pytest.param(False, id="as a folder"), pytest.param(True, id="as a file")])
    def test_sees_a_configmap_swapped(self, tmp_path: Path, by_file: bool) -> None:
        """The kubelet renames a new link over `..data`; the entries of the folder stay what they were."""
        for version in ("one", "two"):
            (tmp_path / f"..{version}").mkdir()
            path = write(tmp_path / f"..{version}" / "a.yaml", version)
            os.utime(path, ns=(1, 1))
        (tmp_path / "..data").symlink_to("..one")
        (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
        store = PolicyStore([tmp_path / "a.yaml" if by_file else tmp_path])
        assert ["one"] == names(store)
        (tmp_path / "..data_tmp").symlink_to("..two")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        assert ["two"] == names(store)

    def test_threads_see_whole_sets_and_every_change_once(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.yaml", "v0", "w0")
        store = PolicyStore([path])
        stop = threading.Event()
        torn: list[list[str]] = []

        def read() -> None:
            while not stop.is_set():
                found = names(store)
                if len({name[1:] for name in found}) != 1:
                    torn.append(found)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for version in range(1, 20):
            write(tmp_path / "new", f"v{version}", f"w{version}").rename(path)
        stop.set()
        for thread in threads:
            thread.join()
        last = store.current()
        assert [] == torn
        assert ["v19", "w19"] == names(store)
        assert (True, 0) == (2 <= last.generation <= 20, last.failures)
