"""Regular expressions as Alertmanager reads them: RE2's syntax, the whole value, in time linear in its length.

The library is RE2 itself (PyPI google-re2), in C++; Alertmanager has its Go edition. What only the C++ edition takes is
refused here, so that a matcher which is accepted means in both what it says (go/src/regexp/syntax/parse.go;
https://github.com/google/re2/wiki/Syntax).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import re2

from remediator.policies.mistake import Mistake, shown

MAX_LENGTH = 10_000
"""Characters of an expression."""
MAX_DEPTH = 100
"""Groups within each other. Go counts other things too, and stops at 1000."""
_MEMORY = 8 << 20
"""Bytes that one compiled expression and its cache may take: RE2's own default, written out. With less, a few hundred
alternatives no longer fit the cache, and long values take a thousand times as long."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression, compiled once. Safe for threads, which RE2 lets run while it searches.

    Raises:
        Mistake: not an expression that both RE2 in C++ and in Go understand.
    """

    pattern: str
    _compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.pattern) > MAX_LENGTH:
            raise _wrong(self.pattern, f"it has over {MAX_LENGTH} characters", "write several policies")
        # Alone first: `a)|(?:b` would fit into the brackets, and leave the anchors.
        _compile(self.pattern, self.pattern)
        _refuse_what_go_refuses(self.pattern)
        object.__setattr__(self, "_compiled", _compile(self.pattern, f"^(?:{self.pattern})$"))

    def matches(self, value: str) -> bool:
        """Whether the whole of `value` matches."""
        # As bytes, which saves RE2's binding the counting of characters. Half a surrogate pair has none: `?` for it.
        return self._compiled.fullmatch(value.encode("utf-8", "replace")) is not None


def _compile(pattern: str, anchored: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True  # nobody asks for the groups
    options.max_mem = _MEMORY
    try:
        return re2.compile(anchored, options)
    except UnicodeEncodeError:
        raise _wrong(pattern, "half a surrogate pair is no character", "write the whole character") from None
    except re2.error as error:
        # The binding hands the text on as the C++ library has it: UTF-8, cut wherever.
        said = error.args[0].decode("utf-8", "replace")
        raise _wrong(pattern, *_words(said), said) from None


# An expression that RE2 has taken, cut where Go's reading of it may differ.
_TOKEN = re.compile(
    r"""
      (?P<quote> \\Q .*? (?P<end> \\E | \Z ) )
    | \\ (?P<escape> . )
    | \[ \^? \]? (?: \\. | \[:.*?:\] | [^\]\\] )*+ \]
    | \( \? P? < (?P<name> [^>]* ) >
    | (?P<sign> [()] )
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(r"[A-Za-z0-9_]+")


def _refuse_what_go_refuses(pattern: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(pattern):
        name = token["name"]
        depth += (token["sign"] == "(") + (name is not None) - (token["sign"] == ")")
        if depth > MAX_DEPTH:
            raise _wrong(pattern, f"groups nest deeper than {MAX_DEPTH}", "write it flatter")
        if token["escape"] == "C":
            raise _wrong(pattern, r"\C, any byte, is not in Go's RE2", "write . for any character")
        if token["quote"] and not token["end"]:
            raise _wrong(pattern, r"a \Q has no \E", r"write \E where the quotation ends")
        if name is not None and not _NAME.fullmatch(name):
            raise _wrong(
                pattern, f"{shown(name)} is not the name of a group in Go", "use letters of ASCII, digits and _"
            )


_WORDS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("invalid perl operator: (?=", "invalid perl operator: (?!", "invalid perl operator: (?<"),
        "lookaround is not in RE2",
        "for `must not`, use a second matcher with !~",
    ),
    (("invalid perl operator: (?>",), "atomic groups are not in RE2", "write (?:…)"),
    (
        ("invalid perl operator: (?P", "invalid perl operator: (?("),
        "references to a group are not in RE2",
        "spell it out",
    ),
    (("invalid perl operator",), "what follows this (? is not in RE2", "RE2 has (?:…), (?P<name>…) and the flags imsU"),
    (("invalid named capture group",), "this is no name of a group", "write (?P<name>…), of letters, digits and _"),
    (("invalid escape sequence",), "RE2 has no such escape", r"to mean the backslash itself write \\"),
    (("invalid character class range: [:",), "RE2 has no such class", "such as [[:alpha:]]"),
    (("invalid character class range: \\",), "RE2 has no such class", r"such as \pL or \p{Greek}"),
    (("invalid character class range",), "a range ends before it starts, or is none", "write it as a-z"),
    (("missing ]",), "the ] of a class is missing", r"to mean the bracket itself write \["),
    (("missing )",), "the ) of a group is missing", r"to mean the bracket itself write \("),
    (("unexpected )",), "a ) closes nothing", r"to mean the bracket itself write \)"),
    (("trailing \\",), "a backslash at the end", r"to mean the backslash itself write \\"),
    (("no argument for repetition",), "there is nothing to repeat", r"to mean the sign itself put \ before it"),
    (("bad repetition operator",), "a repetition of a repetition", "put the inner one into (?:…)"),
    (("invalid repetition size",), "a count is 0 to 1000, the smaller one first", "counts within counts multiply"),
    (("pattern too large",), "it takes too much memory", "use smaller counts"),
)


def _words(said: str) -> tuple[str, str]:
    """What is wrong and what to do, for the first words of RE2's message (re2/regexp.cc, kErrorStrings)."""
    found = ((message, hint) for starts, message, hint in _WORDS if said.startswith(starts))
    return next(found, ("RE2 does not understand it", "https://github.com/google/re2/wiki/Syntax"))


def _wrong(pattern: str, message: str, hint: str, said: str = "") -> Mistake:
    # Of a bracket it says no more than the whole expression.
    cause = f"; RE2 says {_quoted(said.removesuffix(f': {pattern}'))}" if said else ""
    return Mistake(f"in the regular expression {shown(pattern)}: {message}{cause}", hint)


def _quoted(said: str) -> str:
    short = said if len(said) <= 80 else said[:80] + "…"
    return f'"{short}"' if short.isprintable() else ascii(short)
