"""What an answer of failure means: each HTTP code as the error that says what the caller does next.

Four errors are finer than the tree in errors.py, for the cluster room's own use; to everybody else they are the
branches that they grow from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from remediator.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Forbidden,
    NotFound,
    Rejected,
    Retriable,
    Throttled,
    Unauthenticated,
    Unavailable,
)

LONGEST_MESSAGE: Final = 1000
"""Characters of a server's message that are kept: a webhook may send pages."""

_DENIAL: Final = re.compile(
    r"^admission webhook |\bValidatingAdmissionPolicy '[^']*' (?:with binding '[^']*' )?denied request"
)
"""How the API server begins to say that admission, and no missing permission, stopped a request (apiserver
admission/plugin/webhook/errors/statuserror.go, ToStatusErr; admission/plugin/policy/validating/dispatcher.go)."""


class Gone(Retriable):
    """The server no longer knows this resourceVersion or continue token (410): list from the start."""


class Stalled(Unavailable):
    """A stream was silent for longer than its time-out: the connection may be half-open."""


class Unserved(Unavailable):
    """404 for the path itself, not for an object: the CRD is missing, or the server has only just started."""


class Unapplied(Rejected):
    """A 422 without a cause: an operation of the JSON Patch did not apply, a `test` perhaps.

    The server does not say which (kubernetes apiserver, handlers/patch.go).
    """


def failure(code: int, status: Mapping[str, Any], verb: str, resource: str) -> ClusterError:
    """Sort an answer of failure by what the caller does next.

    Args:
        code: HTTP code, or that of the Status in a watch's ERROR event.
        status: a Kubernetes Status.
        verb, resource: what was asked for, as an RBAC rule names it.
    """
    message = _message(status) or f"HTTP {code} for {verb} {resource}"
    details = _details(status)
    if code in (401, 403):
        return _refused(
            status, message, Forbidden(verb, resource, message) if code == 403 else Unauthenticated(message)
        )
    if code == 404 and not details.get("name"):
        return Unserved(f"the API server does not serve {resource}: {message}")
    if code == 409 and status.get("reason") == "AlreadyExists":
        return AlreadyExists(message)
    if code == 422 and not details.get("causes"):
        return Unapplied(message)
    if code >= 500 or code < 400 or code == 408:
        return Unavailable(f"HTTP {code}: {message}")
    return _BY_CODE.get(code, Rejected)(message)


def _refused(status: Mapping[str, Any], message: str, error: ClusterError) -> ClusterError:
    """What a 401 or a 403 is: `error`, unless no permission and no other token would mend it."""
    if _DENIAL.search(message):  # Gatekeeper denies with these codes, as any admission may
        return Rejected(message)
    if any(cause.get("reason") == "NamespaceTerminating" for cause in _causes(status)):
        # What is missing is the namespace (apiserver admission/plugin/namespace/lifecycle/admission.go).
        return NotFound(message)
    return error


_BY_CODE: Mapping[int, Callable[[str], ClusterError]] = {
    404: NotFound,
    409: Conflict,
    410: Gone,
    429: Throttled,
}


def _details(status: Mapping[str, Any]) -> Mapping[str, Any]:
    details = status.get("details")
    return details if isinstance(details, Mapping) else {}


def _causes(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = _details(status).get("causes")
    return [cause for cause in found if isinstance(cause, Mapping)] if isinstance(found, list) else []


def _message(status: Mapping[str, Any]) -> str:
    """What the server says, and each cause that it names."""
    message = str(status.get("message") or "")
    causes = [_cause(cause) for cause in _causes(status)]
    # Most messages list the causes already.
    text = "; ".join([message, *(cause for cause in causes if cause not in message)]).strip("; ")
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def _cause(cause: Mapping[str, Any]) -> str:
    """One cause; a policy's denial concerns no field."""
    return ": ".join(str(cause[key]) for key in ("field", "message") if cause.get(key))
