"""Lists in pages: `limit` says how long one is, `continue` where it begins.

A page begins behind the last item of the one before, by its key; so items that come or go meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remediator.web.exposures import Exposure
from remediator.web.query import QueryError

DEFAULT_LIMIT = 100
MOST_LIMIT = 1_000

_Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Page:
    """What part of a list is wanted."""

    limit: int
    after: _Key | None
    """The key of the last item that was shown."""

    def of(self, items: Sequence[Exposure]) -> tuple[tuple[Exposure, ...], str | None]:
        """The items of this page out of sorted `items`, and the token for the next page; None at the end."""
        rest = [item for item in items if self.after is None or item.key > self.after]
        shown = tuple(rest[: self.limit])
        return shown, _token(shown[-1].key) if len(rest) > self.limit else None


def parse_page(query: Mapping[str, str]) -> Page:
    """Read `limit` and `continue`.

    Raises:
        QueryError: one of them is wrong.
    """
    token = query.get("continue")
    return Page(_limit(query.get("limit")), None if token is None else _key(token))


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_LIMIT):
        raise QueryError(f"limit: expected a whole number from 1 to {MOST_LIMIT}")
    return int(text)


def _token(key: _Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _key(token: str) -> _Key:
    wrong = QueryError("continue: expected the value of `next` from the page before; begin again without it")
    try:
        key = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as error:
        raise wrong from error
    match key:
        case [str(namespace), str(name), str(kind), int(position)]:
            return (namespace, name, kind, position)
    raise wrong
