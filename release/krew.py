"""Builds the kubectl plugin as krew installs it: an archive for this platform, and the manifest of all there are.

    python -m release.krew URL [HOMEPAGE]

In dist/krew. The archive holds the program with its Python and its libraries, since krew installs files, no packages.
URL is the folder from which the archives will be served. Archives of other platforms, built there, are laid beside.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import remediator
from remediator.cli.plugin import PROGRAM

HERE = Path(__file__).parent
TEMPLATE = HERE / "krew.yaml"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "AMD64": "amd64"}
"""What machines call themselves, and what Go and so krew calls them."""

_ARCHIVE = re.compile(rf"{PROGRAM}-v(?P<version>[^_]+)_(?P<os>[a-z]+)_(?P<arch>[a-z0-9]+)\.tar\.gz")

_UNUSED = ("tkinter", "_tkinter", "PIL", "numpy", "IPython", "setuptools", "pip", "pytest")
"""Modules that libraries name in passing."""


def freeze(into: Path) -> Path:
    """Make the program of this platform, of what is installed and not of this tree; the folder that holds it."""
    work = into / "work"
    subprocess.run(  # noqa: S603 - a tool of ours
        [
            *(sys.executable, "-P", "-m", "PyInstaller", str(HERE / "plugin.py"), "--name", PROGRAM, "--onedir"),
            *("--noconfirm", "--clean", "--log-level", "WARN"),
            *("--distpath", str(into), "--workpath", str(work), "--specpath", str(work)),
            # Policies, rules, the CRDs, the sample; commands are imported when they are called; time zones are files.
            *("--collect-data", "remediator", "--collect-submodules", "remediator", "--collect-data", "tzdata"),
            *(part for name in _UNUSED for part in ("--exclude-module", name)),
        ],
        check=True,
        # The order of sets in byte code hangs on it.
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    shutil.rmtree(work)
    return into / PROGRAM


def pack(folder: Path, archive: Path, epoch: int) -> None:
    """Make an archive of what is in `folder`, the same whoever makes it and when: all in it is as old as `epoch`."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", mtime=epoch, fileobj=raw) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, str(path.relative_to(folder)), recursive=False, filter=lambda each: _plain(each, epoch))


def _plain(entry: tarfile.TarInfo, epoch: int) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = epoch
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def manifest(archives: Path, url: str, homepage: str = "") -> dict[str, Any]:
    """What krew reads: the template, and each archive of this version in the folder `archives`.

    Raises:
        FileNotFoundError: there is none.
    """
    told: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    platforms = list(_platforms(archives, url.rstrip("/")))
    if not platforms:
        raise FileNotFoundError(f"{archives} has no archive of version {remediator.__version__}")
    spec = {"version": f"v{remediator.__version__}"} | ({"homepage": homepage} if homepage else {})
    return told | {"spec": spec | told["spec"] | {"platforms": platforms}}


def _platforms(archives: Path, url: str) -> Iterator[dict[str, Any]]:
    for path in sorted(archives.iterdir()):
        named = _ARCHIVE.fullmatch(path.name)
        if named and named["version"] == remediator.__version__:
            yield {
                "selector": {"matchLabels": {"os": named["os"], "arch": named["arch"]}},
                "uri": f"{url}/{path.name}",
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "bin": f"{PROGRAM}.exe" if named["os"] == "windows" else PROGRAM,
            }


class _Writer(yaml.SafeDumper):
    """Writes texts of several lines as such: people review the manifest."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Writer.add_representer(str, _Writer.represent_text)


def written(told: dict[str, Any]) -> str:
    """The manifest as YAML."""
    return yaml.dump(told, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120)


def archive_name() -> str:
    """What the archive of this platform is called."""
    machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
    return f"{PROGRAM}-v{remediator.__version__}_{platform.system().lower()}_{machine}.tar.gz"


def main(url: str, homepage: str = "") -> None:
    """Build it all."""
    out = Path("dist") / "krew"
    out.mkdir(parents=True, exist_ok=True)
    pack(freeze(Path("build") / "krew"), out / archive_name(), int(os.environ["SOURCE_DATE_EPOCH"]))
    (out / "remediate.yaml").write_text(written(manifest(out, url, homepage)), encoding="utf-8")
    sys.stdout.write(f"{out / archive_name()}\n{out / 'remediate.yaml'}\n")


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3} or not sys.argv[1].startswith("https://"):
        sys.exit(f"{__doc__}\nURL has to begin with https://")
    main(*sys.argv[1:])
