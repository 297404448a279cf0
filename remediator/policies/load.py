"""Reads policy files: every fault of all files at once, or the policies. The only module here that touches files."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from remediator.errors import Fault, PolicyError
from remediator.policies.model import Policy, PolicySet
from remediator.policies.parse import parse_policy
from remediator.policies.strict_yaml import read_documents

MAX_BYTES = 1 << 20
"""Largest policy file; a ConfigMap holds no more either."""
_SUFFIXES = (".yaml", ".yml")


def load(paths: Iterable[Path]) -> PolicySet:
    """Read policy files, and folders of them.

    A folder gives its *.yaml and *.yml in order of file name; it is not searched deeper, and hidden entries, such as
    a ConfigMap's `..data`, are left out.

    Raises:
        PolicyError: at least one fault, or no policy at all.
    """
    given = tuple(paths)
    policies: list[Policy] = []
    faults: list[Fault] = []
    for path in given:
        for item in _read(path):
            if isinstance(item, Fault):
                faults.append(item)
            else:
                policies.append(item)
    faults += _zone_faults(policies) + _name_faults(policies)
    if not policies and not faults:
        named = ", ".join(map(str, given)) or "nothing"
        faults.append(Fault(named, 1, "", "no policy in it", "give files, or folders with *.yaml or *.yml"))
    if faults:
        raise PolicyError(tuple(faults))
    return PolicySet(tuple(policies))


def _read(path: Path) -> Iterator[Policy | Fault]:
    try:
        files = _files(path)
    except OSError as error:
        yield Fault(str(path), 1, "", f"cannot be listed: {error.strerror}", "check that it is there and readable")
        return
    for file in files:
        yield from _read_file(file)


def _files(path: Path) -> tuple[Path, ...]:
    """The policy files that `path` stands for. Raises OSError."""
    if not path.is_dir():
        return (path,)
    names = sorted(entry for entry in os.listdir(path) if entry.endswith(_SUFFIXES) and not entry.startswith("."))
    return tuple(path / name for name in names)


def _read_file(file: Path) -> Iterator[Policy | Fault]:
    text = _text(file)
    if isinstance(text, Fault):
        yield text
        return
    for document in read_documents(text, str(file)):
        parsed = parse_policy(document, str(file))
        if isinstance(parsed, Policy):
            yield parsed
        else:
            yield from parsed


def _text(file: Path) -> str | Fault:
    try:
        # Looked at first: a named pipe would be waited for, and a device may do anything when it is opened.
        mode = os.stat(file).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return Fault(str(file), 1, "", "a pipe, a socket or a device", "give a regular file")
        with open(file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        return Fault(str(file), 1, "", message, "check that the file is there and readable")
    if len(content) > MAX_BYTES:
        return Fault(str(file), 1, "", f"larger than {MAX_BYTES // 1024} KiB", "split it into several files")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Fault(str(file), 1, "", f"not UTF-8 in line {line}", "save the file as UTF-8")


def _zone_faults(policies: list[Policy]) -> list[Fault]:
    return [
        _fault_at(
            policy,
            f"spec.guards.freeze[{index}].location",
            f"time zone {interval.location} is not known here",
            "take a name of the IANA database, such as Europe/Berlin; is the package tzdata installed?",
        )
        for policy in policies
        for index, interval in enumerate(policy.guards.freeze)
        if not _is_zone(interval.location)
    ]


def _is_zone(name: str) -> bool:
    if name == "UTC":
        return True
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _name_faults(policies: list[Policy]) -> list[Fault]:
    first: dict[str, Policy] = {}
    faults = []
    for policy in policies:
        known = first.setdefault(policy.name, policy)
        if known is not policy:
            message = f"{policy.name} is the name of the policy in {known.source} too"
            faults.append(_fault_at(policy, "metadata.name", message, "give each policy a name of its own"))
    return faults


def _fault_at(policy: Policy, key: str, message: str, hint: str) -> Fault:
    file, _, number = policy.source.rpartition(", document ")
    return Fault(file, int(number), key, message, hint)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is in force, and whether what lies in the files is that."""

    policies: PolicySet
    fault: str | None
    """Every fault of the files as they are now; the policies are then those of the last good load."""
    generation: int
    """How many loads have succeeded."""
    failures: int = 0
    """How many loads have failed."""


class PolicyStore:
    """Policy files in force, loaded again when they change. Safe for threads.

    Example:
        store = PolicyStore([Path("policies/production")])
        policies = store.current().policies
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        """Load once.

        Raises:
            PolicyError: the first load fails.
        """
        self._paths = tuple(paths)
        self._lock = threading.Lock()
        self._seen = _state(self._paths)
        self._loaded = Loaded(load(self._paths), None, 1)

    def current(self) -> Loaded:
        """What is in force. Costs a few stat calls while no file changes.

        While one thread loads, the others are given what was in force before.
        """
        if self._lock.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._lock.release()
        return self._loaded

    def _refresh(self) -> None:
        # Looked at before the files are read: a change in between is then seen by the next call.
        state = _state(self._paths)
        if state == self._seen:
            return
        before = self._loaded
        try:
            self._loaded = Loaded(load(self._paths), None, before.generation + 1, before.failures)
        except PolicyError as error:
            self._loaded = replace(before, fault=str(error), failures=before.failures + 1)
        self._seen = state


def _state(paths: tuple[Path, ...]) -> tuple[object, ...]:
    """What tells whether files have changed; a ConfigMap changes where its symbolic links lead."""
    return tuple(_stamp(entry) for path in paths for entry in (path, *_entries(path)))


def _entries(path: Path) -> tuple[Path, ...]:
    try:
        return _files(path) if path.is_dir() else ()
    except OSError:
        return ()


def _stamp(path: Path) -> tuple[object, ...]:
    real = os.path.realpath(path)
    try:
        status = os.stat(real)
    except OSError as error:
        return real, error.errno
    return real, status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode
