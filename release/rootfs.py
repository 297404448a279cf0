"""Collects the files of the image: a virtual environment, its Python, and the libraries that these are linked with.

    python rootfs.py ENVIRONMENT TARGET

Run by the Python that the environment was made with, on Debian, in the build stage of the Dockerfile. What is not
needed at run time is left behind: the shell, pip, apt, the rest of Debian. For whoever scans the image, the records of
the Debian packages that its libraries come from are in var/lib/dpkg/status.d, as in distroless images, and their
licences in usr/share/doc.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

NOT_NEEDED = (
    *("ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo", "venv"),
    *("site-packages", "dist-packages", "__pycache__", "config-*"),
    # What is linked with libraries that nothing here uses.
    *("_curses*.so", "_curses_panel*.so", "_dbm*.so", "_gdbm*.so", "_sqlite3*.so", "_tkinter*.so", "readline*.so"),
    *("_ctypes_test*.so", "_test*.so", "xxlimited*.so"),
)
"""Parts of Python's library."""

NOT_NEEDED_OF_AN_ENVIRONMENT = (
    *("__pycache__", "activate*", "Activate.ps1", "include"),
    "aio",  # of kubernetes: the same client once more, for asyncio, a quarter of the image
)

PROGRAMS = ("python*", "remediator")
"""What is started; packages bring programs of theirs, which nobody needs here."""

LOADED_BY_NAME = ("libgcc_s.so.1",)
"""What glibc opens itself, to end a thread."""

ELF = b"\x7fELF"

USERS = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"
GROUPS = "root:x:0:\nnonroot:x:65532:\n"
NAMES = "hosts: files dns\n"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
CERTIFICATES_FROM = "ca-certificates"
"""The package that makes the file, which dpkg does not know of."""

SYSTEM = (CERTIFICATES, Path("/etc/os-release"), Path("/usr/lib/os-release"))
"""Who is trusted; what a scanner asks first."""


@dataclass(frozen=True, slots=True)
class Image:
    """The tree that becomes the image."""

    root: Path

    def place(self, path: Path) -> Path:
        """Where a file of this machine is in the image."""
        return self.root / path.relative_to("/")

    def take_tree(self, folder: Path, without: Iterable[str]) -> None:
        """Copy a folder, symbolic links as they are. One that is there already stays."""
        if not self.place(folder).exists():
            shutil.copytree(folder, self.place(folder), symlinks=True, ignore=shutil.ignore_patterns(*without))

    def take(self, path: Path) -> None:
        """Copy a file under its name; if that is a symbolic link, the file that it leads to as well."""
        place = self.place(path.parent.resolve() / path.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_symlink():
            shutil.copy2(path, place, follow_symlinks=False)
        if path.is_symlink():
            self.take(path.parent.resolve() / os.readlink(path))

    def write(self, path: str, text: str) -> None:
        """Write a file of our own."""
        place = self.place(Path(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def assemble(environment: Path, root: Path) -> None:
    """Make the tree. RuntimeError if something in it is linked with what is not here."""
    image = Image(root)
    image.take_tree(environment, NOT_NEEDED_OF_AN_ENVIRONMENT)
    for path in image.place(environment / "bin").iterdir():
        if not any(path.match(name) for name in PROGRAMS):
            path.unlink()
    for key in ("stdlib", "platstdlib"):
        image.take_tree(Path(sysconfig.get_path(key)), NOT_NEEDED)
    for link in sorted((environment / "bin").glob("python*")):
        _take_interpreter(image, link)
    for name in ("lib", "lib64"):
        if (Path("/") / name).is_symlink():
            image.place(Path("/") / name).symlink_to(os.readlink(Path("/") / name))
    libraries = _libraries(image)
    for path in (*libraries, *SYSTEM):
        image.take(path)
    _tell_packages(image, (*libraries, *SYSTEM, Path(sys.executable).resolve(), Path(os.__file__)))
    image.write("/etc/passwd", USERS)
    image.write("/etc/group", GROUPS)
    image.write("/etc/nsswitch.conf", NAMES)
    (root / "tmp").mkdir(exist_ok=True)
    _compile(root)


def _take_interpreter(image: Image, link: Path) -> None:
    """Every step of the way from a name in the environment to the program itself."""
    while link.is_symlink():
        link = link.parent / os.readlink(link)
        image.take(link)


def _libraries(image: Image) -> tuple[Path, ...]:
    """The shared libraries of every program and module in the image, by their names."""
    found: set[Path] = set()
    for path in _elves(image.root):
        # Asked about where it comes from: its libraries may be found from there ($ORIGIN).
        found |= set(_linked(Path("/") / path.relative_to(image.root)))
    folders = {path.parent for path in found}
    found |= {folder / name for folder in folders for name in LOADED_BY_NAME if (folder / name).exists()}
    return tuple(sorted(path for path in found if not image.place(path).exists()))


def _elves(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(len(ELF)) == ELF:
                    yield path


def _linked(path: Path) -> Iterator[Path]:
    done = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if missing := re.findall(r"^\s*(\S+) => not found", done.stdout, re.MULTILINE):
        raise RuntimeError(f"{path} is linked with {', '.join(missing)}, not found here")
    for line in done.stdout.splitlines():
        if name := re.match(r"\s*(?:\S+ => )?(/\S+) \(0x", line):
            yield Path(name[1])


def _tell_packages(image: Image, paths: Iterable[Path]) -> None:
    """Which Debian packages are in the image, in part, and their licences."""
    for package in sorted({CERTIFICATES_FROM, *(package for path in paths for package in _owner(path))}):
        status = _said("dpkg-query", "--status", package)
        name = package.partition(":")[0]
        image.write(f"/var/lib/dpkg/status.d/{name}", status)
        licence = Path("/usr/share/doc") / name / "copyright"
        if licence.exists():
            # Under the package's own name; the folder may be a link to that of another.
            image.write(str(licence), licence.read_text(encoding="utf-8"))


def _owner(path: Path) -> tuple[str, ...]:
    """The package that brought a file; nobody's was made on the machine, or is Python itself."""
    real = path.resolve()
    # dpkg knows a file by the name that its package gives it, which may leave /usr out.
    for name in (path, real, Path("/") / real.relative_to("/usr") if real.is_relative_to("/usr") else real):
        for line in _said("dpkg-query", "--search", str(name)).splitlines():
            if not line.startswith("diversion "):
                return (line.partition(": ")[0].split(", ")[0],)
    return ()


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603


def _compile(root: Path) -> None:
    """Byte code that is used without a look at its source: nothing may be written at run time, nor has it to be."""
    done = compileall.compile_dir(
        root,
        maxlevels=99,
        quiet=2,
        stripdir=str(root),
        prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        # Templates and tests of old syntax in others' packages; what does not compile is not run either.
        sys.stderr.write("some files do not compile\n")


def settle(root: Path, epoch: int) -> None:
    """Give everything the same time and plain permissions, whoever builds it and when."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(0o1777 if path == root / "tmp" else 0o755 if path.is_dir() or mode & 0o100 else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    assemble(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    settle(Path(sys.argv[2]).resolve(), int(os.environ["SOURCE_DATE_EPOCH"]))
