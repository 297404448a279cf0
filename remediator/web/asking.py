"""Who asks for something by hand, and why: the JSON body of POST …/undo, …/release, …/approve and …/reject."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import Request as HttpRequest

from remediator.alerts import decode
from remediator.alerts.values import mapping, text
from remediator.errors import InputError, NotificationError
from remediator.policies.mistake import shown
from remediator.records.model import Request
from remediator.web.body import read_body

ANONYMOUS = "api"
"""Who asks, where nobody says so."""
LONGEST = {"by": 256, "reason": 1024}
"""Characters of each member there is."""
NO_CONTROLS = r"^[^\u0000-\u001f\u007f-\u009f]*$"
"""One line, and nothing that a terminal obeys: it is shown in tables, Events and the log."""


class RequestError(InputError):
    """The body is wrong: HTTP 400."""


def read_request(request: HttpRequest, most: int) -> Request:
    """Read `{"by": …, "reason": …}`; both may be left out, and so may the whole body.

    Args:
        request: the request; its body has not been read.
        most: bytes that a body may have.

    Raises:
        RequestError: it is anything else.
        BodyTooLarge, IncompleteBody: as `read_body`.
    """
    try:
        body = read_body(request, most)
        return _parse(mapping(decode(body), "")) if body.strip() else Request(ANONYMOUS)
    except NotificationError as error:
        raise RequestError(str(error)) from error


def _parse(found: Mapping[str, Any]) -> Request:
    for name in found:
        if name not in LONGEST:
            raise RequestError(f"{shown(name)}: unknown; the members are {', '.join(LONGEST)}")
    return Request(_line(found, "by") if "by" in found else ANONYMOUS, _line(found, "reason"))


def _line(found: Mapping[str, Any], name: str) -> str:
    value = text(found.get(name, ""), name)
    if len(value) > LONGEST[name]:
        raise RequestError(f"{name}: has {len(value)} characters; at most {LONGEST[name]} are taken")
    if not re.fullmatch(NO_CONTROLS, value):
        raise RequestError(f"{name}: expected one line without control characters")
    if name == "by" and not value.strip():
        raise RequestError("by: is empty; say who asks, or leave it out")
    return value
