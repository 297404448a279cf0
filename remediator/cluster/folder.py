"""A folder of YAML files: which there are, and what is in them. How they are written, is in writer.py."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import NamedTuple

from remediator.errors import Unavailable

_SUFFIXES = (".yaml", ".yml")
_READ_ATTEMPTS = 3
_SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}


class Stamp(NamedTuple):
    """What tells a changed file from an unchanged one without reading it."""

    mtime_ns: int
    ctime_ns: int
    """Unlike mtime nobody can set it back, as `cp -p` and rsync do with the other."""
    size: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The stamp of a file that was looked at."""
        return cls(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


class Folder:
    """The YAML files of a folder and its subfolders, hidden ones left out. Links to files are followed, links to
    folders are not."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def files(self) -> dict[str, Stamp]:
        """The path of every file, as text: thousands are compared at each use.

        Raises:
            Unavailable: the folder or one within it cannot be listed, or changes while it is.
        """
        found: dict[str, Stamp] = {}
        left = [str(self.root)]
        try:
            while left:
                with os.scandir(left.pop()) as entries:
                    for entry in entries:
                        if entry.name.startswith("."):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            left.append(entry.path)
                        elif entry.name.endswith(_SUFFIXES):
                            status = _status(entry)
                            if status:
                                found[entry.path] = Stamp.of(status)
        except OSError as error:
            raise _unreadable(error, self.root) from error
        return found

    def read(self, path: Path) -> tuple[str, Stamp]:
        """The text of a file, line breaks as they are, and the stamp that belongs to it.

        Raises:
            Unavailable: it cannot be read, is no regular file, is no UTF-8, is empty, or changes while it is read.
        """
        try:
            for _ in range(_READ_ATTEMPTS):
                _refuse_special(path)
                with open(path, "rb", opener=_without_waiting) as file:
                    before = Stamp.of(os.fstat(file.fileno()))
                    content = file.read()
                    if before == Stamp.of(os.fstat(file.fileno())):
                        return _text(content, path), before
        except OSError as error:
            raise _unreadable(error, path) from error
        raise Unavailable(f"{path}: changes while it is read. Wait for whoever is writing it")


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """None for a file that was removed since the folder was listed, as records are; a link to nothing is an error."""
    try:
        return entry.stat()
    except FileNotFoundError:
        if os.path.lexists(entry.path):
            raise
        return None


def _refuse_special(path: Path) -> None:
    """Looked at before it is opened: opening a device may have an effect, and a named pipe waits for a writer."""
    kind = stat.S_IFMT(os.stat(path).st_mode)
    if kind != stat.S_IFREG:
        raise Unavailable(
            f"{path}: {_SPECIAL.get(kind, 'a device')}, not a regular file."
            " Remove it, or give it another ending; nothing is read until then"
        )


def _without_waiting(path: str, flags: int) -> int:
    """Should a named pipe have come in the file's place since: it then reads as empty."""
    return os.open(path, flags | os.O_NONBLOCK)


def _text(content: bytes, path: Path) -> str:
    if not content:
        raise Unavailable(f"{path}: empty, as a file is whose writing has only begun. Remove it if it is not needed")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unavailable(f"{path}:{line}: not UTF-8. Save the file as UTF-8") from error


def _unreadable(error: OSError, path: Path) -> Unavailable:
    where = error.filename or path
    if error.errno == errno.ENOENT and os.path.islink(where):
        return Unavailable(f"{where}: a link to nothing. Correct the link, or remove it; nothing is read until then")
    advice = {
        errno.ENOENT: "Create it, or correct the path",
        errno.ENOTDIR: "Name the folder that it is in",
        errno.EACCES: "Let this process read it",
    }.get(error.errno or 0, "Nothing is read until then")
    return Unavailable(f"{where}: {error.strerror or error}. {advice}")
