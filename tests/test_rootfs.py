"""The tree of the image: it runs as anybody, writes nothing, has no shell, and holds what it needs and no more.

What the build stage of the Dockerfile does on its own Python is done here on the Python of the tests, and run in a
`chroot` that is mounted read-only, as a container runtime would.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.packaged import EPOCH, RELEASE, ROOT
from tests.processes import Process, free_port, wait_until
from tests.test_wheel import answers, fetched, shop

USER = 1_000_650_000
"""Some user, as OpenShift gives one to a namespace; its group is 0."""

RUN = """
set -e
mount --bind "$1" "$1"
mount -t tmpfs tmpfs "$1/dev"
mkdir -m 1777 "$1/dev/shm"
for each in null urandom; do touch "$1/dev/$each"; mount --bind "/dev/$each" "$1/dev/$each"; done
mount -t tmpfs tmpfs "$1/mnt"
cp -R "$2" "$1/mnt/shop"
chown -R "$3" "$1/mnt/shop"
mount -o remount,ro,bind "$1"
root=$1 user=$3
shift 3
exec chroot --userspec="$user:0" --groups= "$root" "$@"
"""
"""What a runtime prepares: /dev, a volume, a root that is read-only, a user. Its mounts end with it."""


def needed() -> str:
    """Why it cannot be done here; empty if it can."""
    if os.geteuid() != 0:
        return "mounts need root"
    missing = [name for name in ("unshare", "chroot", "ldd", "dpkg-query") if not shutil.which(name)]
    if missing:
        return f"{missing[0]} is not on this machine"
    tried = subprocess.run(("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"), check=False)
    return "this machine lets nobody mount anything" if tried.returncode else ""


NEEDED = needed()
pytestmark = [pytest.mark.privileged, pytest.mark.skipif(bool(NEEDED), reason=NEEDED)]


@pytest.fixture(scope="module")
def tree(empty_environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's tree, made by the script that makes it there."""
    root = tmp_path_factory.mktemp("image") / "rootfs"
    assembled(empty_environment, root)
    return root


def assembled(environment: Path, root: Path) -> None:
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    subprocess.run(
        [str(base), "-I", str(RELEASE / "rootfs.py"), str(environment), str(root)],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "SOURCE_DATE_EPOCH": EPOCH},
        timeout=300,
        check=True,
    )


@pytest.fixture(scope="module")
def prepared(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The beginning of a command line that runs a program of the tree."""
    for name in ("dev", "mnt"):
        (tree / name).mkdir()
    folder = tmp_path_factory.mktemp("volume") / "shop"
    folder.mkdir()
    (folder / "shop.yaml").write_text(yaml.safe_dump_all(shop()))
    return ("unshare", "--mount", "sh", "-c", RUN, "sh", str(tree), str(folder), str(USER))


@pytest.fixture(scope="module")
def python(empty_environment: Path, prepared: tuple[str, ...]) -> tuple[str, ...]:
    """The image's Python, as a program of the tree."""
    return (*prepared, str(empty_environment / "bin" / "python"))


@pytest.fixture(scope="module")
def url(python: tuple[str, ...], empty_environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`serve` there."""
    address = f"127.0.0.1:{free_port()}"
    flags = ("--listen", address, "--manifests", "/mnt/shop", "--allow-anonymous")
    program = (str(empty_environment / "bin" / "remediator"), "serve", *flags)
    process = Process((*python, *program), tmp_path_factory.mktemp("served") / "log")
    process.start()
    try:
        wait_until(lambda: process.running() and answers(f"http://{address}/readyz"), "the service is ready")
        yield f"http://{address}"
    finally:
        process.terminate(30)


def done(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


class TestTree:
    def test_starts_python_and_our_program_and_nothing_else(self, tree: Path, empty_environment: Path) -> None:
        """No shell, no pip, no apt, nothing of Debian's, and no programs that other packages bring."""
        own = f"python3.{sys.version_info.minor}"
        found = {
            Path("/") / path.relative_to(tree)
            for path in tree.rglob("*")
            if path.parent.name in {"bin", "sbin"} and (path.is_symlink() or os.access(path, os.X_OK))
        }
        names = {path.name for path in found if path.parent == empty_environment / "bin"}

        assert {"python", "python3", own, "remediator"} == names
        assert {own, "python3", "python"} >= {path.name for path in found if path.parent != empty_environment / "bin"}

    def test_belongs_to_nobody(self, tree: Path) -> None:
        """Everybody may read all of it, nobody may write any of it but /tmp, and no program gives its caller rights."""
        modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in tree.rglob("*") if not path.is_symlink()}

        assert 0o1777 == modes.pop(tree / "tmp")
        assert {0o644, 0o755} == {mode for path, mode in modes.items() if path.name not in {"dev", "mnt"}}

    def test_everything_has_the_time_that_was_asked_for(self, tree: Path) -> None:
        times = {path.lstat().st_mtime for path in tree.rglob("*") if path.is_file() or path.is_symlink()}
        assert {float(EPOCH)} == times

    def test_byte_code_is_there_and_is_not_compared_with_its_source(self, tree: Path) -> None:
        """PEP 552: the second word of the header is 1 for an unchecked hash."""
        compiled = [path for path in tree.rglob("*.pyc") if "remediator" in path.parts]

        assert len(list((ROOT / "remediator").rglob("*.py"))) == len(compiled)
        assert {1} == {int.from_bytes(path.read_bytes()[4:8], "little") for path in tree.rglob("*.pyc")}

    def test_says_which_packages_of_debian_it_has_parts_of(self, tree: Path) -> None:
        told = {path.name: path.read_text() for path in (tree / "var/lib/dpkg/status.d").iterdir()}

        assert {"libc6", "libgcc-s1", "ca-certificates"} <= set(told)
        assert set() == {"bash", "dash", "apt", "perl-base"} & set(told)
        assert all(re.search(r"^Version: \S+$", text, flags=re.MULTILINE) for text in told.values())
        assert set() == {name for name in told if not (tree / "usr/share/doc" / name / "copyright").exists()}


class TestRun:
    def test_the_user_has_no_name_and_may_write_nothing(self, python: tuple[str, ...]) -> None:
        look = (
            "import os; print(os.getuid(), os.getgid(), os.getgroups());"
            "print(os.access('/tmp', os.W_OK), os.path.exists('/bin/sh'))"
        )
        found = done(*python, "-c", look)

        assert (f"{USER} 0 []\nFalse False\n", "") == (found.stdout, found.stderr)

    def test_every_module_of_ours_can_be_imported(self, python: tuple[str, ...]) -> None:
        """With all libraries that those of their packages are linked with, and without a warning."""
        look = (
            "import importlib, pkgutil, remediator;"
            "names = [each.name for each in pkgutil.walk_packages(remediator.__path__, 'remediator.')];"
            "[importlib.import_module(name) for name in names if not name.endswith('__main__')]; print(len(names))"
        )
        found = done(*python, "-W", "error", "-c", look)

        assert (str(len(list((ROOT / "remediator").rglob("*.py"))) - 1), "") == (found.stdout.strip(), found.stderr)

    def test_certificates_and_time_zones_and_names_are_there(self, python: tuple[str, ...]) -> None:
        look = (
            "import socket, ssl, zoneinfo;"
            "context = ssl.create_default_context(cafile='/etc/ssl/certs/ca-certificates.crt');"
            "zoneinfo.ZoneInfo('Europe/Berlin'); socket.getaddrinfo('127.0.0.1', 443);"
            "print(len(context.get_ca_certs()) > 50)"
        )
        assert "True\n" == done(*python, "-c", look).stdout

    def test_serves(self, url: str) -> None:
        assert "reviews" in fetched(f"{url}/")

    def test_the_image_s_own_question_for_health_is_answered(self, url: str, python: tuple[str, ...]) -> None:
        """The command of HEALTHCHECK, at the port that --listen says by its variable."""
        (check,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
        code = json.loads(check)[2]
        away = f"127.0.0.1:{free_port()}"

        for listen, expected in ((url.removeprefix("http://"), 0), (away, 1)):
            look = f"import os; os.environ['REMEDIATOR_LISTEN'] = {listen!r}; {code}"
            assert expected == done(*python, "-c", look).returncode
