"""Go's regular expressions (RE2) on Python's `re`: the same verdict, or a refusal that says why.

Alertmanager matches a whole label value, `^(?:…)$`, with Go's regexp package. Python's `re` gives many of the same
characters another meaning (`$`, `\\s`, `\\w`, case folding), and can take exponential time. So a pattern is read
here as Go reads it (go/src/regexp/syntax/parse.go, flags Perl), and written anew with nothing in it but single
characters, sets of characters, groups, alternatives and counted repetition, which mean the same to both.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from remediator.policies.charsets import CharacterReader, Ranges, written

MAX_LENGTH = 10_000
"""Characters in a pattern."""
_MAX_DEPTH = 100
_MAX_COUNT = 1000  # Go's own limit

_ASSERTIONS = {
    "A": r"(?:\A)",
    "z": r"(?:\Z)",
    "b": r"(?a:\b)",
    # Not `\B`, which before Python 3.14 does not hold on the empty string.
    "B": r"(?!(?a:\b))",
}


_GROUP = re.compile(r"\(\?(?:P?<(?P<name>[A-Za-z0-9_]+)>|(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<end>[:)]))")
_REPEAT = re.compile(r"\{(0|[1-9][0-9]*)(,(0|[1-9][0-9]*)?)?\}")


class Piece(NamedTuple):
    """A part of the pattern, written for Python."""

    text: str
    varies: bool
    """Whether it holds a choice: repeated, it could be read in exponentially many ways."""


def translate(pattern: str) -> re.Pattern[str]:
    """Compile a Go pattern for use with `fullmatch`.

    Raises:
        ValueError: Go refuses the pattern, or it is outside the subset; the text says what, where and what to write.
    """
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"a regular expression of {len(pattern)} characters; at most {MAX_LENGTH} are allowed")
    piece = _Reader(pattern).read()
    return re.compile(piece.text)


class _Reader(CharacterReader):
    """Reads a pattern from left to right. One use only."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self._depth = 0
        self._names: set[str] = set()

    def read(self) -> Piece:
        """The whole pattern."""
        piece = self._alternatives()
        if self._at < len(self._pattern):
            raise self._wrong("this ) closes nothing")
        return piece

    def _alternatives(self) -> Piece:
        branches = [self._branch()]
        while self._take("|"):
            branches.append(self._branch())
        varies = len(branches) > 1 or branches[0].varies
        return Piece("|".join(branch.text for branch in branches), varies)

    def _branch(self) -> Piece:
        texts = []
        varies = False
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            for piece in self._repeated():
                texts.append(piece.text)
                varies = varies or piece.varies
        return Piece("".join(texts), varies)

    def _repeated(self) -> list[Piece]:
        """The next atoms (`\\Q…\\E` is several), the last one with its repetition."""
        start = self._at
        pieces = self._atoms()
        counts = self._counts()
        if counts is None:
            return pieces
        if not pieces:
            raise self._wrong("there is nothing to repeat", start)
        low, high = counts
        text, varies = pieces[-1]
        if varies and (high is None or high > 1):
            raise self._wrong(
                "a repeated group holds a repetition or alternatives, which can take exponential time here; "
                "write it without, or use a character class",
                start,
            )
        pieces[-1] = Piece(f"{text}{{{low},{'' if high is None else high}}}", varies or low != high)
        if self._counts() is not None:
            raise self._wrong("a repetition of a repetition")
        return pieces

    def _counts(self) -> tuple[int, int | None] | None:
        """The repetition that stands here: least and most; None if there is none."""
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        counts: tuple[int, int | None] | None = simple.get(self._pattern[self._at : self._at + 1])
        if counts is not None:
            self._at += 1
        elif match := _REPEAT.match(self._pattern, self._at):
            low = int(match[1][:9])
            high = low if match[2] is None else None if match[3] is None else int(match[3][:9])
            if low > _MAX_COUNT or (high is not None and (high > _MAX_COUNT or high < low)):
                raise self._wrong(f"a count must be 0 to {_MAX_COUNT}, the smaller one first")
            self._at = match.end()
            counts = low, high
        if counts is not None:
            self._take("?")  # reluctance decides which match is found, and not whether there is one
        return counts

    def _atoms(self) -> list[Piece]:
        char = self._pattern[self._at]
        if char in "*+?" or _REPEAT.match(self._pattern, self._at):
            return []
        if char == "(":
            return self._group()
        if char == "\\":
            return self._escape()
        if char == "[":
            return [_one_of(self._char_class())]
        self._at += 1
        return [Piece(self._sign(char), varies=False) if char in ".^$" else self._literal(char)]

    def _sign(self, char: str) -> str:
        if char == ".":
            return "(?s:.)" if "s" in self._flags else r"[^\n]"
        if "m" in self._flags:
            return f"(?m:{char})"
        return _ASSERTIONS["A" if char == "^" else "z"]

    def _group(self) -> list[Piece]:
        start = self._at
        outer = self._flags
        if self._pattern.startswith("(?", start):
            match = _GROUP.match(self._pattern, start)
            if match is None:
                raise self._wrong(_unknown_group(self._pattern[start:]))
            self._at = match.end()
            if match["name"] is None:
                self._switch(match["flags"])
            elif match["name"] in self._names:
                raise self._wrong(f"two groups are named {match['name']}", start)
            else:
                self._names.add(match["name"])
            if match["end"] == ")":
                return self._flags_only()
        else:
            self._at += 1
        body = self._body(start)
        self._flags = outer
        return [Piece(f"(?:{body.text})", body.varies)]

    def _flags_only(self) -> list[Piece]:
        if self._counts() is not None:
            raise self._wrong("flags cannot be repeated")
        return []

    def _body(self, start: int) -> Piece:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._wrong(f"groups nest deeper than {_MAX_DEPTH}", start)
        body = self._alternatives()
        if not self._take(")"):
            raise self._wrong("the ) of this group is missing", start)
        self._depth -= 1
        return body

    def _switch(self, flags: str) -> None:
        on, _, off = flags.partition("-")
        self._flags = (self._flags | set(on)) - set(off)

    def _escape(self) -> list[Piece]:
        letter = self._pattern[self._at + 1 : self._at + 2]
        if letter in _ASSERTIONS and letter:
            self._at += 2
            return [Piece(_ASSERTIONS[letter], varies=False)]
        if letter == "Q":
            quoted, end, _ = self._pattern[self._at + 2 :].partition("\\E")
            self._at += 2 + len(quoted) + len(end)
            return [self._literal(char) for char in quoted]
        if (ranges := self._perl_class()) is not None:
            return [_one_of(ranges)]
        return [self._literal(self._escaped_char())]

    def _literal(self, char: str) -> Piece:
        return _one_of(self._folded(((ord(char), ord(char)),)))


def _one_of(ranges: Ranges) -> Piece:
    return Piece(written(ranges), varies=False)


def _unknown_group(rest: str) -> str:
    refusals = {
        ("(?=", "(?!", "(?<=", "(?<!"): "lookaround is not in RE2; for `must not`, use a second matcher with !~",
        ("(?>",): "atomic groups are not in RE2; write (?:…)",
        ("(?P=", "(?("): "references to a group are not in RE2",
        ("(?P<", "(?<", "(?'"): "a group's name is letters, digits and _, written (?P<name>…)",
    }
    found = (text for starts, text in refusals.items() if rest.startswith(starts))
    return next(found, "(? must go on with a group's name, with flags out of imsU, or with :")
