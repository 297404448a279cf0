"""The wheel and the sdist built from this tree, and an environment that has the wheel and nothing of the tree."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
RELEASE = ROOT / "release"
EPOCH = "1700000000"

_LEFT_BEHIND = shutil.ignore_patterns(".venv*", ".git", ".*_cache", ".hypothesis", "build", "dist", "__pycache__")


@dataclass(frozen=True)
class Locked:
    """A line of a lock file."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def name(self) -> str:
        """As package indexes compare names."""
        return normal(self.requirement.name)

    @property
    def version(self) -> str:
        """RuntimeError if it is not one version."""
        (only,) = self.requirement.specifier
        if only.operator != "==" or "*" in only.version:
            raise RuntimeError(f"{self.requirement} is no pin")
        return only.version


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> tuple[Locked, ...]:
    """All that a lock file holds, as pip reads it."""
    text = (RELEASE / f"{name}.lock").read_text(encoding="utf-8")
    lines = re.sub(r"\s*\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    rows = (line.split(" --hash=") for line in lines if line.strip())
    return tuple(Locked(Requirement(row[0]), frozenset(each.strip() for each in row[1:])) for row in rows)


def build(target: str, source: Path, folder: Path, **environ: str) -> Path:
    """Build the wheel or the sdist as `pip` and `make wheel` do, by the backend."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)],
        cwd=source,
        env=os.environ | {"SOURCE_DATE_EPOCH": EPOCH} | environ,
        capture_output=True,
        timeout=120,
        check=True,
    )
    (built,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


def copied(folder: Path) -> Path:
    """The tree, as another checkout has it: other times, other permissions, another place."""
    tree = folder / "elsewhere"
    shutil.copytree(ROOT, tree, ignore=_LEFT_BEHIND, symlinks=True)
    for path in (tree, *tree.rglob("*")):
        os.utime(path, (1_000_000_000, 1_000_000_000), follow_symlinks=False)
        if path.is_file():
            path.chmod(0o600)
    return tree


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def installed(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel and what the lock file says, checked against its hashes."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], timeout=120, check=True)
    for arguments in (
        ("--require-hashes", "--only-binary", ":all:", "-r", str(RELEASE / "requirements.lock")),
        ("--no-deps", "--no-index", str(wheel)),
    ):
        pip(folder, "install", "--quiet", "--no-compile", *arguments)
    return folder


def pip(environment: Path, *arguments: str) -> str:
    """Run this environment's pip on another; AssertionError with what it says if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(environment), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def clean_surroundings(environment: Path, **more: str) -> dict[str, str]:
    """Environment variables of somebody who has nothing else of ours."""
    kept = {name: value for name, value in os.environ.items() if name in {"HOME", "LANG", "TMPDIR"}}
    return kept | {"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "TERM": "dumb"} | more
