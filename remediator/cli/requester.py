"""Who asks for something by hand, and why: what --by and --reason say, or else the account."""

from __future__ import annotations

import getpass
import re

from remediator.errors import InputError
from remediator.records.model import Request

LONGEST_NAME = 256
LONGEST_REASON = 1024
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def requester(by: str | None, reason: str | None) -> Request:
    """Who asks.

    Args:
        by: None: the account that this runs under.

    Raises:
        InputError: one is too long for a record or not a single line, or the account has no name.
    """
    if by is not None and not by.strip():
        raise InputError("--by: is empty; say who you are, or leave it out")
    return Request(
        _checked("--by", _account() if by is None else by, LONGEST_NAME),
        _checked("--reason", reason or "", LONGEST_REASON),
    )


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        # A container may run under a number that no account has.
        raise InputError("this account has no name; say who you are with --by") from error


def _checked(flag: str, text: str, longest: int) -> str:
    """`text`, if a record takes it."""
    if len(text) > longest:
        raise InputError(f"{flag}: has {len(text)} characters; a record holds {longest}")
    if _CONTROLS.search(text):
        # It is shown in tables, Events and the log.
        raise InputError(f"{flag}: expected one line without control characters")
    return text
