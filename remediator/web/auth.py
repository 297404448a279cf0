"""Who may ask: bearer tokens from a file, compared in constant time.

A token is also accepted as the password of Basic authentication (any user name), for a browser and for
Alertmanager's `basic_auth`.

A sender that can send no header has a token in the path. Such paths stand in objects that many people may read, so it
is not the token itself, but one made of it that opens hooks and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from remediator.errors import SettingsError
from remediator.reread import Reread

logger = logging.getLogger(__name__)

_MOST_TOKENS = 2
_LARGEST_FILE = 16 * 1024
# What an Authorization header can carry: RFC 6750 section 2.1 allows less, but nothing is won by refusing the rest.
_TOKEN = re.compile(rb"[!-~]+")


class AuthVerdict(StrEnum):
    """Whether a request may be answered, and why not."""

    ACCEPTED = "Accepted"
    TOKEN_MISSING = "TokenMissing"  # noqa: S105 - not a password
    TOKEN_NOT_ACCEPTED = "TokenNotAccepted"  # noqa: S105 - not a password


class Authenticator(Protocol):
    """Decides on one request."""

    def check(self, header: str | None) -> AuthVerdict:
        """Judge the value of the Authorization header; None if there is none."""

    def check_hook(self, token: str) -> AuthVerdict:
        """Judge the last segment of a hook's path."""


class Anonymous:
    """Accepts everybody: `--allow-anonymous`."""

    def check(self, header: str | None) -> AuthVerdict:  # noqa: ARG002 - the protocol's
        """Accept."""
        return AuthVerdict.ACCEPTED

    def check_hook(self, token: str) -> AuthVerdict:  # noqa: ARG002 - the protocol's
        """Accept."""
        return AuthVerdict.ACCEPTED


def hook_token(token: bytes) -> str:
    """The token that opens hooks, made of one of the file: `printf 'hook:%s' TOKEN | sha256sum`."""
    return hashlib.sha256(b"hook:" + token).hexdigest()


@dataclass(frozen=True, slots=True)
class _Loaded:
    """One reading of the file. Digests, so that lengths tell nothing and no token is ever printed."""

    digests: tuple[bytes, ...]
    hooks: tuple[bytes, ...]
    """Of the tokens that open hooks."""

    @classmethod
    def of(cls, tokens: tuple[bytes, ...]) -> _Loaded:
        hooks = (hook_token(token).encode() for token in tokens)
        return cls(tuple(map(_digest, tokens)), tuple(map(_digest, hooks)))


class TokenFile:
    """Tokens from a file, one a line; two of them while one is being replaced by the other.

    The file is looked at on each request (reread.py). A new content that cannot be used is logged, and the old tokens
    stay.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            SettingsError: it cannot be read, or it does not hold one or two tokens.
        """
        try:
            self._loaded = Reread((path,), lambda: _Loaded.of(_read(path)), changed=_tell, failed=_warn)
        except OSError as error:
            raise SettingsError(
                f"--token-file {path}: cannot be read: {error.strerror}; give a file with one token a line"
            ) from error

    def check(self, header: str | None) -> AuthVerdict:
        """Judge the value of the Authorization header. Every token is compared, whichever fits."""
        given = _credentials(header)
        if given is None:
            return AuthVerdict.TOKEN_MISSING
        return _among(self._loaded.current().digests, given)

    def check_hook(self, token: str) -> AuthVerdict:
        """Judge the last segment of a hook's path. Every token is compared, whichever fits."""
        return _among(self._loaded.current().hooks, token.encode("utf-8", "surrogateescape"))


def _tell(loaded: _Loaded) -> None:
    logger.info("the token file changed: %d token(s) are accepted now", len(loaded.digests))


def _warn(error: Exception) -> None:
    logger.warning("the token file changed and cannot be used; the old tokens stay: %s", error)


def _read(path: Path) -> tuple[bytes, ...]:
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise SettingsError(f"--token-file {path}: larger than {_LARGEST_FILE} bytes; one token a line is expected")
    lines = [(number, line.strip()) for number, line in enumerate(content.splitlines(), start=1)]
    tokens = [(number, line) for number, line in lines if line]
    if not tokens:
        raise SettingsError(f"--token-file {path}: holds no token; write one on a line of its own")
    if len(tokens) > _MOST_TOKENS:
        raise SettingsError(
            f"--token-file {path}: holds {len(tokens)} tokens; at most {_MOST_TOKENS} are accepted,"
            " the old and the new while rotating"
        )
    for number, token in tokens:
        if not _TOKEN.fullmatch(token):
            raise SettingsError(
                f"--token-file {path}, line {number}: a token is made of visible ASCII characters, without spaces"
            )
    return tuple(token for _, token in tokens)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _among(known: tuple[bytes, ...], given: bytes) -> AuthVerdict:
    digest, accepted = _digest(given), False
    for each in known:
        accepted |= hmac.compare_digest(each, digest)
    return AuthVerdict.ACCEPTED if accepted else AuthVerdict.TOKEN_NOT_ACCEPTED


def _credentials(header: str | None) -> bytes | None:
    """The token in a header; None where there is none to compare."""
    scheme, _, rest = (header or "").strip().partition(" ")
    value = rest.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "bearer" and value:
        return value
    if scheme.lower() == "basic" and value:
        return _password(value)
    return None


def _password(encoded: bytes) -> bytes | None:
    try:
        _, colon, password = base64.b64decode(encoded, validate=True).partition(b":")
    except binascii.Error:
        return None
    return password if colon and password else None
