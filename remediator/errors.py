"""The exception tree. Each branch says what its caller does next.

RemediatorError
├── InputError               what we were given is wrong: tell the giver, do not retry
│   ├── NotificationError      HTTP 400
│   ├── PolicyError            keep the last good set; `check` and `serve` print every fault
│   ├── PolicyTestError        exit 1; `test` prints every fault, and runs nothing
│   └── SettingsError          exit 1
├── Unanswered             Prometheus gave no answer that can be believed: nothing is known, and it may be asked again
└── ClusterError             the other side said no, or nothing
    ├── Conflict               the object moved: read it again, plan again (409, a failed `test`)
    ├── AlreadyExists          somebody was quicker: read theirs, and go on from it (409 to a create)
    ├── NotFound               the object is gone: read again, plan again (404)
    ├── Forbidden              final: a person must grant the permission (403)
    ├── Rejected               final: the server refused this very change (400, 413, 415, 422)
    └── Retriable              answer 503; Alertmanager delivers again
        ├── Unauthenticated      401: the token may be in rotation
        ├── Throttled            429
        ├── Unavailable          5xx, time-out, no connection, unreadable folder
        └── NotSynced            the index is not complete, or too old to be believed
"""

from __future__ import annotations

from dataclasses import dataclass


class RemediatorError(Exception):
    """The root: everything this package raises on purpose."""


class InputError(RemediatorError):
    """What we were given is wrong; a retry with the same input fails again."""


class NotificationError(InputError):
    """Not an Alertmanager notification of version "4"."""


class SettingsError(InputError):
    """A flag, an environment variable or a key of the configuration file is wrong."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a file that a person wrote: where it is, what it is, and what to do."""

    file: str
    document: int
    """Counted from 1, as a person would."""
    key: str
    """Dotted path within the document, such as `spec.guards.cooldown`; empty for the document itself."""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}, document {self.document}" + (f", {self.key}" if self.key else "")
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class PolicyError(InputError):
    """One or more faults in policy files; all faults of all files, in the order of the files."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class PolicyTestError(InputError):
    """One or more faults in tests of policies; all faults of all files, in the order of the files."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class Unanswered(RemediatorError):
    """Prometheus gave no answer that can be believed. Nothing is known; it may be asked again."""


class ClusterError(RemediatorError):
    """The cluster (or the folder that stands in for it) did not do what was asked."""


class Conflict(ClusterError):
    """The object is no longer the one that was read. Read, plan and guard again."""


class AlreadyExists(ClusterError):
    """There is an object of this name. Read it, and go on from what it says."""


class NotFound(ClusterError):
    """The object is gone; there is nothing left to do on it."""


class Forbidden(ClusterError):
    """We lack a permission. `verb` and `resource` are what an RBAC rule must name."""

    def __init__(self, verb: str, resource: str, detail: str = "") -> None:
        super().__init__(f"no permission to {verb} {resource}" + (f": {detail}" if detail else ""))
        self.verb = verb
        self.resource = resource


class Rejected(ClusterError):
    """The server refused this very change: an admission webhook, the schema, or a malformed patch."""


class Retriable(ClusterError):
    """May succeed later without anybody's help."""


class Unauthenticated(Retriable):
    """Our credentials were not accepted (401)."""


class Throttled(Retriable):
    """The server asked us to slow down (429)."""


class Unavailable(Retriable):
    """No answer, half an answer, or a 5xx."""


class NotSynced(Retriable):
    """The index is not complete yet, or has heard nothing for too long to be believed."""
