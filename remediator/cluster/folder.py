"""A folder of YAML files: which there are, what is in them, and one of them replaced whole.

Readers take no lock: a file is replaced by a rename, so it is the old one or the new one. Writers exclude each
other, in this process and in others, by a lock on a hidden file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from remediator.errors import Conflict, Forbidden, Unavailable

LOCK: Final = ".remediator.lock"
"""The hidden file that writers lock; its content means nothing."""

_SUFFIXES = (".yaml", ".yml")
_LOCK_WAIT = 10.0  # seconds; a write takes milliseconds, so whoever holds it longer is stuck
_LOCK_POLL = 0.005  # seconds; flock has no time-out of its own
_READ_ATTEMPTS = 3
_RESOURCE = "virtualservices.networking.istio.io"
_SPECIAL = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)


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
                            found[entry.path] = Stamp.of(entry.stat())
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

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other writers out, threads as well as processes: each call locks a file that it opened itself.

        Raises:
            Forbidden: the lock file cannot be made. Unavailable: another writer does not let go.
        """
        path = self.root / LOCK
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unwritable(error, path) from error
        try:
            _lock(descriptor, path)
            yield
        finally:
            os.close(descriptor)  # gives the lock back

    def replace(self, path: Path, text: str, expected: Stamp) -> None:
        """Put `text` in the place of the file's content, all or nothing, on disk when this returns. Mode and owner
        stay; a link is followed. The lock must be held.

        Raises:
            Conflict: somebody without the lock changed the file since `expected`, an editor say.
            Forbidden, Unavailable.
        """
        target = path.resolve()
        try:
            # Opened to be written, though it is replaced: a file that is read-only stays as it is.
            with target.open("r+b") as original:
                if Stamp.of(os.fstat(original.fileno())) != expected:
                    raise Conflict(f"{path} was changed by somebody else just now")
                _replace(target, text.encode("utf-8"), original)
        except FileNotFoundError as error:
            raise Conflict(f"{path} was removed just now") from error
        except OSError as error:
            raise _unwritable(error, path) from error


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


def _lock(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise Unavailable(f"{path}: locked for {_LOCK_WAIT:.0f} s. `fuser {path}` says by whom") from error
            time.sleep(_LOCK_POLL)
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}. The file system must support flock") from error
        else:
            return


def _replace(target: Path, content: bytes, original: BinaryIO) -> None:
    status = os.fstat(original.fileno())
    # In the same folder, so that the rename stays within one file system.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            with suppress(PermissionError):  # only root may give a file away; then it is ours, and says so
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync(target.parent)


def _sync(folder: Path) -> None:
    """A rename is on disk when the folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def _unwritable(error: OSError, path: Path) -> Forbidden | Unavailable:
    if error.errno in _NO_PERMISSION:
        return Forbidden("patch", _RESOURCE, f"{path}: {error.strerror}. Let this process write there")
    return Unavailable(f"{path}: {error.strerror or error}")
