"""Who may write into a folder, and how: one writer at a time, and each file all or nothing.

Readers take no lock: a file is replaced by a rename, so it is the old one or the new one. Writers exclude each
other, in this process and in others, by a lock on a hidden file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from remediator.cluster.folder import Stamp
from remediator.errors import Conflict, Forbidden, Unavailable

LOCK: Final = ".remediator.lock"
"""The hidden file that writers lock; its content means nothing."""

_LOCK_WAIT = 10.0  # seconds; a write takes milliseconds, so whoever holds it longer is stuck
_LOCK_POLL = 0.005  # seconds; flock has no time-out of its own
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)


class Right(NamedTuple):
    """What one wants to do, as an RBAC rule would name it: `Forbidden` says it where the folder does not let us."""

    verb: str
    resource: str

    def failure(self, error: OSError, path: Path) -> Forbidden | Unavailable:
        """What it means that a file or folder cannot be written."""
        if error.errno in _NO_PERMISSION:
            return Forbidden(self.verb, self.resource, f"{path}: {error.strerror}. Let this process write there")
        return Unavailable(f"{path}: {error.strerror or error}")


class Gate:
    """Lets one writer at a time into a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._threads = threading.Lock()

    @contextmanager
    def passed(self, right: Right) -> Iterator[Writer]:
        """Keep other writers out, threads as well as processes.

        Raises:
            Forbidden: the lock file cannot be made. Unavailable: another writer does not let go.
        """
        # The lock of this process comes first: its threads then wait without polling.
        with self._threads, _locked(self._root / LOCK, right):
            yield Writer(self._root, right)


class Writer:
    """Writes the files of a folder, for as long as its lock is held."""

    def __init__(self, root: Path, right: Right) -> None:
        self._root = root
        self._right = right

    def replace(self, path: Path, text: str, expected: Stamp) -> None:
        """Put `text` in the place of the file's content, all or nothing, on disk when this returns. Mode and owner
        stay; a link is followed.

        Raises:
            Conflict: somebody without the lock changed the file since `expected`, an editor say.
            Forbidden, Unavailable.
        """
        target = path.resolve()
        with self._unchanged(path, expected) as status:
            _put(target, text, status)

    def create(self, path: Path, text: str) -> Path:
        """Write a new file, all or nothing, and the folders that lead to it; on disk when this returns.

        Args:
            path: below the folder. Where something stands there already, a number is put to the name.

        Returns:
            Where it is.

        Raises:
            Unavailable: something else stands in the place of a folder. Forbidden.
        """
        try:
            self._make(path.parent)
            free = _free(path)
            _put(free, text, None)
        except OSError as error:
            raise self._right.failure(error, path) from error
        return free

    def remove(self, path: Path, expected: Stamp) -> None:
        """Delete the file; of a link, the link. Raises as `replace`."""
        with self._unchanged(path, expected):
            os.unlink(path)
            _sync(path.parent)

    @contextmanager
    def _unchanged(self, path: Path, expected: Stamp) -> Iterator[os.stat_result]:
        """The state of a file that nobody changed. Opened to be written, though what follows needs no such thing: a
        file that is read-only stays as it is."""
        try:
            with path.open("r+b") as file:
                status = os.fstat(file.fileno())
                if Stamp.of(status) != expected:
                    raise Conflict(f"{path} was changed by somebody else just now")
                yield status
        except FileNotFoundError as error:
            raise Conflict(f"{path} was removed just now") from error
        except OSError as error:
            raise self._right.failure(error, path) from error

    def _make(self, folder: Path) -> None:
        if folder == self._root:
            return
        self._make(folder.parent)
        with suppress(FileExistsError):
            os.mkdir(folder)
        if folder.is_symlink() or not folder.is_dir():
            raise Unavailable(f"{folder}: is in the way of a folder of that name (links are not followed). Move it")
        _sync(folder.parent)


def _free(path: Path) -> Path:
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return free


@contextmanager
def _locked(path: Path, right: Right) -> Iterator[None]:
    """Each call locks a file that it opened itself: flock tells threads apart by that."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise right.failure(error, path) from error
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)  # gives the lock back


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


def _put(target: Path, text: str, like: os.stat_result | None) -> None:
    """Write the file beside its place, and rename it.

    Args:
        like: whose mode and owner it gets; None: those of any new file.
    """
    # In the same folder, so that the rename stays within one file system. Hidden, so that no reader takes it for one
    # of the folder's files, should the process end here.
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if like else 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
            if like:
                _take_after(file.fileno(), like)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync(target.parent)


def _take_after(descriptor: int, like: os.stat_result) -> None:
    with suppress(PermissionError):  # only root may give a file away; then it is ours, and says so
        os.fchown(descriptor, like.st_uid, like.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _sync(folder: Path) -> None:
    """A rename is on disk when the folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
