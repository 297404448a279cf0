"""JSON, strictly: from the bytes of a request to plain values."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Never

from remediator.alerts.values import shown
from remediator.errors import NotificationError

MAX_DEPTH = 100
"""Objects and lists within each other; a notification needs three."""
_TOO_DEEP = f"the body nests deeper than {MAX_DEPTH} objects and lists"


def decode(body: bytes) -> object:
    """Decode JSON, strictly.

    Raises:
        NotificationError: not UTF-8, not JSON, a key that stands twice, NaN or Infinity, or nested too deeply.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotificationError(f"the body is not UTF-8 at byte {error.start}") from None
    if not text.strip():
        raise NotificationError("the body is empty, expected JSON")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotificationError(f"the body is not JSON: {error.msg}, {where}") from None
    except RecursionError:
        raise NotificationError(_TOO_DEEP) from None
    except ValueError:
        # Python refuses to convert thousands of digits; no number of a notification has more than a few.
        raise NotificationError("a number in the body is too large") from None
    _check_depth(value)
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = max(counts, key=counts.__getitem__)
        raise NotificationError(f"the key {shown(twice)} stands twice in one object")
    return result


def _no_constant(word: str) -> Never:
    raise NotificationError(f"{word} is not JSON")


def _finite(text: str) -> float:
    if math.isinf(float(text)):
        raise NotificationError(f"the number {shown(text)} is too large")
    return float(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        nested = (node.values() if isinstance(node, dict) else node for node in level if isinstance(node, dict | list))
        level = [child for children in nested for child in children if isinstance(child, dict | list)]
        if not level:
            return
    raise NotificationError(_TOO_DEEP)
