"""Globs over namespaces: one that can match no namespace is a mistake, for it would quietly allow nothing."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from remediator.policies.mistake import Mistake, shown

GLOB_PATTERN = r"^(?:[a-z0-9*?-]|\[!?[a-z0-9*?!\[-]+\])+$"
"""As JSON Schema writes patterns. What fits may still match nothing: `[z-a]`."""
_PART = re.compile(r"\*|\[[^]]*\]|.", re.DOTALL)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-"
_LONGEST = 63
"""Characters of a namespace's name, which is a DNS-1123 label
(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/)."""


def parse_glob(text: str) -> str:
    """A glob over namespaces, as `fnmatch` reads it, if there can be a namespace that it matches.

    >>> parse_glob("shop-[ab]*")
    'shop-[ab]*'

    Raises:
        Mistake: it can match none.
    """
    if not re.fullmatch(GLOB_PATTERN, text) or text.endswith("\n"):
        raise _wrong(text, _advice(text))
    parts = [part if part == "*" else _characters(part) for part in _PART.findall(text)]
    if "" in parts:
        raise _wrong(text, "nothing fits these brackets; write [abc], [a-c] or [!a]")
    if "-" in (parts[0], parts[-1]):
        raise _wrong(text, "a namespace has no - at its ends; write shop-* for those that start with shop-")
    if len([part for part in parts if part != "*"]) > _LONGEST:
        raise _wrong(text, f"a namespace has at most {_LONGEST} characters")
    return text


def _characters(part: str) -> str:
    """All that may stand in a namespace where `part` of a glob stands."""
    return "".join(char for char in _ALPHABET if fnmatchcase(char, part))


def _advice(text: str) -> str:
    if text.count("[") != text.count("]"):
        return "close each bracket: shop-[ab]"
    if text != text.lower():
        return "namespaces are in lower case"
    if re.search(r"[\s,;|]", text):
        return "each glob is an item of its own: [shop, pay]"
    return _MADE_OF


_MADE_OF = "a glob is made of a-z, 0-9, -, *, ?, [abc] and [!abc]"


def _wrong(text: str, hint: str) -> Mistake:
    return Mistake(f"no namespace can match the glob {shown(text)}", hint)
