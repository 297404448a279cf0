"""Lists in pages: `limit` says how long one is, `continue` where it begins.

A page begins behind the last item of the one before, by its key; so items that come or go meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from remediator.web.query import QueryError

DEFAULT_LIMIT = 100
MOST_LIMIT = 1_000

Item = TypeVar("Item")
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Order(Generic[Item]):
    """How a list is sorted."""

    key: Callable[[Item], Key]
    """Sorts the items, the first one lowest, and tells each from all others."""
    parts: tuple[type[str | int], ...]
    """What a key is made of."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """What part of a list is wanted."""

    order: Order[Item]
    limit: int
    after: Key | None
    """The key of the last item that was shown."""

    def of(self, items: Sequence[Item]) -> tuple[Sequence[Item], str | None]:
        """The items of this page out of sorted `items`, and the token for the next page; None at the end."""
        key = self.order.key
        start = 0 if self.after is None else bisect_right(items, self.after, key=key)
        shown = items[start : start + self.limit]
        return shown, _token(key(shown[-1])) if start + self.limit < len(items) else None


def parse_page(query: Mapping[str, str], order: Order[Item]) -> Page[Item]:
    """Read `limit` and `continue`, for a list in this `order`.

    Raises:
        QueryError: one of them is wrong.
    """
    token = query.get("continue")
    return Page(order, _limit(query.get("limit")), None if token is None else _key(token, order.parts))


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_LIMIT):
        raise QueryError(f"limit: expected a whole number from 1 to {MOST_LIMIT}")
    return int(text)


def _token(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _key(token: str, parts: tuple[type[str | int], ...]) -> Key:
    wrong = QueryError("continue: expected the value of `next` from the page before; begin again without it")
    try:
        key = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as error:
        raise wrong from error
    if not isinstance(key, list) or tuple(map(type, key)) != parts:
        raise wrong
    return tuple(key)
