"""Sets of characters as ranges of code points, and those that Go's regular expressions give names to.

Source: go/src/regexp/syntax/perl_groups.go and parse.go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]
"""Code points, both ends included; sorted, disjoint."""

LAST = 0x10FFFF

_DIGIT: Ranges = ((0x30, 0x39),)
_UPPER: Ranges = ((0x41, 0x5A),)
_LOWER: Ranges = ((0x61, 0x7A),)
_WORD: Ranges = (*_DIGIT, *_UPPER, (0x5F, 0x5F), *_LOWER)

PERL: dict[str, Ranges] = {"d": _DIGIT, "s": ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)), "w": _WORD}
"""`\\d`, `\\s` and `\\w`: ASCII only; the vertical tab is no white space."""

POSIX: dict[str, Ranges] = {
    "alnum": (*_DIGIT, *_UPPER, *_LOWER),
    "alpha": (*_UPPER, *_LOWER),
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": _DIGIT,
    "graph": ((0x21, 0x7E),),
    "lower": _LOWER,
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": (*_DIGIT, (0x41, 0x46), (0x61, 0x66)),
}

# The letters beyond ASCII that fold into ASCII ones: the long s and the Kelvin sign.
_FAR_FOLDS = {0x53: 0x17F, 0x73: 0x17F, 0x4B: 0x212A, 0x6B: 0x212A}


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Sort ranges, and join those that touch."""
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = result[-1][0], max(high, result[-1][1])
        else:
            result.append((low, high))
    return tuple(result)


def complement(ranges: Ranges) -> Ranges:
    """Every character that is not in `ranges`."""
    edges = [-1, *(edge for low, high in ranges for edge in (low, high)), LAST + 1]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    return tuple((before + 1, after - 1) for before, after in gaps if before + 1 <= after - 1)


def folded(ranges: Ranges) -> Ranges:
    """With the other case of every letter added.

    Raises:
        ValueError: there is more than ASCII in `ranges`; Go's and Python's folding differ there.
    """
    if any(high > 0x7F for _, high in ranges):
        raise ValueError("(?i) is known for ASCII only here; write both cases as a character class")
    codes = {code for low, high in ranges for code in range(low, high + 1)}
    swapped = {ord(chr(code).swapcase()) for code in codes}
    far = {_FAR_FOLDS[code] for code in codes if code in _FAR_FOLDS}
    return merged((code, code) for code in codes | swapped | far)


def written(ranges: Ranges) -> str:
    """A pattern of Python's `re` for one character out of `ranges`."""
    if not ranges:
        return "(?:(?!))"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return re.escape(chr(ranges[0][0]))
    return "[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges) + "]"


_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_POSIX_CLASS = re.compile(r"\[:(\^?)([A-Za-z0-9_]*):\]")


class CharacterReader:
    """Reads what stands for one character of a value: a character, an escape, a class."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._flags: frozenset[str] = frozenset()

    def _char_class(self) -> Ranges:
        start = self._at
        self._at += 1
        negated = self._take("^")
        first = self._at
        ranges: list[tuple[int, int]] = []
        while True:
            if self._at >= len(self._pattern):
                raise self._wrong("the ] of this class is missing", start)
            if self._at > first and self._take("]"):
                break
            ranges.extend(self._class_item())
        joined = merged(ranges)
        return complement(joined) if negated else joined

    def _class_item(self) -> Ranges:
        if match := _POSIX_CLASS.match(self._pattern, self._at):
            if match[2] not in POSIX:
                raise self._wrong(f"there is no class [:{match[2][:20]}:]")
            self._at = match.end()
            ranges = self._folded(POSIX[match[2]])
            return complement(ranges) if match[1] else ranges
        if (perl := self._perl_class()) is not None:
            return perl
        start = self._at
        low = high = self._class_char()
        if self._pattern.startswith("-", self._at) and self._pattern[self._at + 1 : self._at + 2] not in ("]", ""):
            self._at += 1
            high = self._class_char()
        if high < low:
            raise self._wrong("a range that ends before it starts", start)
        return self._folded(((ord(low), ord(high)),))

    def _class_char(self) -> str:
        char = self._pattern[self._at]
        if char == "\\":
            return self._escaped_char()
        self._at += 1
        return char

    def _perl_class(self) -> Ranges | None:
        """`\\d`, `\\s`, `\\w` or the opposite of one, if it stands here."""
        letter = self._pattern[self._at + 1 : self._at + 2]
        if self._pattern[self._at] != "\\" or letter.lower() not in PERL:
            return None
        self._at += 2
        ranges = self._folded(PERL[letter.lower()])
        return complement(ranges) if letter.isupper() else ranges

    def _escaped_char(self) -> str:
        """A backslash and what stands for one character behind it."""
        start = self._at
        rest = self._pattern[start + 1 :]
        if match := re.match(r"x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})", rest):
            code = int((match[1] or match[2])[-9:], 16)
            if code > LAST or len(match[1] or "") > 9:
                raise self._wrong("there is no such character", start)
        elif match := re.match(r"0[0-7]{0,2}|[1-7][0-7]{1,2}", rest):
            code = int(match[0], 8)
        elif match := re.match(r"[afnrtv]", rest):
            code = ord(_CONTROLS[match[0]])
        elif match := re.match(r"[\x00-\x2f:-@\[-`{-\x7f]", rest):
            code = ord(match[0])
        else:
            raise self._wrong(_unknown_escape(rest[:1]), start)
        self._at += 1 + match.end()
        return chr(code)

    def _folded(self, ranges: Ranges) -> Ranges:
        """With the other case added where `(?i)` holds."""
        if "i" not in self._flags:
            return ranges
        try:
            return folded(ranges)
        except ValueError as error:
            raise self._wrong(str(error)) from None

    def _take(self, char: str) -> bool:
        taken = self._pattern.startswith(char, self._at)
        self._at += taken
        return taken

    def _wrong(self, what: str, at: int | None = None) -> ValueError:
        at = self._at if at is None else at
        shown = self._pattern if len(self._pattern) <= 80 else self._pattern[:80] + "…"
        return ValueError(
            f"in the regular expression {json.dumps(shown, ensure_ascii=False)}, character {at + 1}: {what}"
        )


def _unknown_escape(letter: str) -> str:
    if not letter:
        return "a backslash at the end"
    if letter in "123456789":
        return "references to a group are not in RE2"
    if letter in "pP":
        return "Unicode classes are not supported here; list the characters in [ ]"
    return f"no escape \\{letter} in RE2; write the character as it is, and nothing for start and end"
