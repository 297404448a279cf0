"""What krew installs: archives that are the same whoever makes them, and a manifest that knows their hashes."""

from __future__ import annotations

import hashlib
import os
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

import remediator
from release.krew import TEMPLATE, archive_name, manifest, pack, written
from remediator.cli.ourselves import ourselves

V = remediator.__version__
URL = "https://example.org/releases"


def program(folder: Path, mode: int = 0o700) -> Path:
    """What a build leaves: a program, its parts, a link."""
    (folder / "_internal").mkdir(parents=True)
    (folder / "kubectl-remediate").write_bytes(b"\x7fELF")
    (folder / "kubectl-remediate").chmod(mode)
    (folder / "_internal" / "library.so.1").write_bytes(b"library")
    (folder / "_internal" / "library.so").symlink_to("library.so.1")
    return folder


def test_an_archive_is_the_same_wherever_and_whenever_it_is_made(tmp_path: Path) -> None:
    first, second = program(tmp_path / "a"), program(tmp_path / "b", 0o755)
    os.utime(second / "kubectl-remediate", (1, 1))
    pack(first, tmp_path / "first.tar.gz", 1_700_000_000)
    pack(second, tmp_path / "second.tar.gz", 1_700_000_000)

    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "second.tar.gz").read_bytes()


def test_an_archive_holds_everything_and_tells_nobody_s_name(tmp_path: Path) -> None:
    pack(program(tmp_path / "a"), tmp_path / "a.tar.gz", 1_700_000_000)
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        held = {entry.name: (oct(entry.mode), entry.linkname) for entry in archive}
        owners = {(entry.uid, entry.uname, entry.mtime) for entry in archive}

    assert {
        "kubectl-remediate": ("0o755", ""),
        "_internal": ("0o755", ""),
        "_internal/library.so.1": ("0o644", ""),
        "_internal/library.so": ("0o755", "library.so.1"),
    } == held
    assert {(0, "", 1_700_000_000)} == owners


class TestManifest:
    @pytest.fixture
    def archives(self, tmp_path: Path) -> Path:
        for system in ("linux_amd64", "linux_arm64", "darwin_arm64", "windows_amd64"):
            (tmp_path / f"kubectl-remediate-v{V}_{system}.tar.gz").write_bytes(system.encode())
        (tmp_path / "kubectl-remediate-v0.0.9_linux_amd64.tar.gz").write_bytes(b"old")
        (tmp_path / "remediate.yaml").write_text("")
        return tmp_path

    def test_names_each_archive_of_this_version_with_its_hash(self, archives: Path) -> None:
        spec = manifest(archives, f"{URL}/")["spec"]

        assert f"v{V}" == spec["version"]
        assert [
            ("darwin", "arm64", "kubectl-remediate"),
            ("linux", "amd64", "kubectl-remediate"),
            ("linux", "arm64", "kubectl-remediate"),
            ("windows", "amd64", "kubectl-remediate.exe"),
        ] == [
            (each["selector"]["matchLabels"]["os"], each["selector"]["matchLabels"]["arch"], each["bin"])
            for each in spec["platforms"]
        ]
        (linux,) = [each for each in spec["platforms"] if "linux_amd64" in each["uri"]]
        assert f"{URL}/kubectl-remediate-v{V}_linux_amd64.tar.gz" == linux["uri"]
        assert hashlib.sha256(b"linux_amd64").hexdigest() == linux["sha256"]

    def test_a_home_page_stands_in_it_only_if_there_is_one(self, archives: Path) -> None:
        assert "https://example.org" == manifest(archives, URL, "https://example.org")["spec"]["homepage"]
        assert "homepage" not in manifest(archives, URL)["spec"]

    def test_is_written_to_be_read(self, archives: Path) -> None:
        told = manifest(archives, URL)
        text = written(told)

        assert told == yaml.safe_load(text)
        assert "  description: |\n    Takes traffic away" in text

    def test_without_an_archive_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=f"has no archive of version {V}"):
            manifest(tmp_path, URL)

    def test_this_platform_s_archive_is_one_that_it_knows(self, tmp_path: Path) -> None:
        (tmp_path / archive_name()).write_bytes(b"")
        assert 1 == len(manifest(tmp_path, URL)["spec"]["platforms"])


def test_the_template_has_no_hash_and_fits_krew_s_rules() -> None:
    """krew-index asks for a short description of at most 50 characters."""
    template = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))

    assert ("Plugin", "remediate") == (template["kind"], template["metadata"]["name"])
    assert 50 >= len(template["spec"]["shortDescription"])
    assert "platforms" not in template["spec"]


def test_a_program_with_all_in_it_starts_itself_without_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """As PyInstaller's documentation has it, `sys.frozen` says that it is one."""
    assert (sys.executable, "-m", "remediator") == ourselves()
    monkeypatch.setattr(sys, "frozen", True, raising=False)

    assert (sys.executable,) == ourselves()
