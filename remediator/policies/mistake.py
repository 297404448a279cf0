"""A wrong value in a policy: how it is shown, and what to do about it."""

from __future__ import annotations

import json


class Mistake(ValueError):
    """What is wrong and what to do, apart: a fault shows them apart, and `str` together."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}; {hint}")
        self.message = message
        self.hint = hint


def shown(text: str) -> str:
    """A text in quotes, cut if long, and without what a terminal obeys."""
    short = text if len(text) <= 80 else text[:80] + "…"
    return json.dumps(short, ensure_ascii=not short.isprintable())
