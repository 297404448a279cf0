"""Alertmanager's label matchers: `name = "value"`, `!=`, `=~`, `!~`, in both of its grammars.

Like Alertmanager's default mode (`fallback`, since 0.27) both grammars are tried: where only one accepts the text it
counts, and where they disagree the classic one does (prometheus/alertmanager matcher/compat/parse.go).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from remediator.policies.expressions import Expression
from remediator.policies.mistake import shown


class Op(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"


_RESERVED = frozenset("{}!=~,\\\"'` \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | frozenset(
    map(chr, range(0x2000, 0x200B))
)
_SPACES = "".join(_RESERVED - frozenset("{}!=~,\\\"'`"))


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. A label that is absent is the empty string.

    Raises:
        ValueError: no label name, or a regular expression that is not one (see expressions.Expression).
    """

    name: str
    op: Op
    value: str
    _expression: Expression | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a matcher needs the name of a label")
        if self.op in (Op.MATCHES, Op.NOT_MATCHES):
            object.__setattr__(self, "_expression", Expression(self.value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the condition holds; a regular expression must match the whole value."""
        value = labels.get(self.name, "")
        same = value == self.value if self._expression is None else self._expression.matches(value)
        return same is (self.op in (Op.EQUAL, Op.MATCHES))

    def __str__(self) -> str:
        name = _quote(self.name) if _RESERVED.intersection(self.name) else self.name
        return f"{name}{self.op}{_quote(self.value)}"


def parse_matcher(text: str) -> Matcher:
    """Read exactly one matcher.

    >>> str(parse_matcher("severity =~ warning|critical"))
    'severity=~"warning|critical"'

    Raises:
        ValueError: not one matcher; the text says where and why.
    """
    if text.startswith("{") or text.endswith("}"):
        raise ValueError(f"one matcher stands without braces: {shown(text)}")
    matchers = parse_matchers(text)
    if len(matchers) != 1:
        raise ValueError(f"expected one matcher, found {len(matchers)}: {shown(text)}")
    return matchers[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Read matchers separated by commas, with or without braces around them, as Alertmanager's configuration does.

    >>> [str(matcher) for matcher in parse_matchers('{a="b", c=~"d.*"}')]
    ['a="b"', 'c=~"d.*"']

    Raises:
        ValueError: neither grammar accepts the text; it says where and why.
    """
    utf8, mistake = _tried(_Tokens(text).triples)
    classic, _ = _tried(lambda: _classic_triples(text))
    triples = utf8 if classic is None else classic
    if triples is None:
        raise ValueError(f"{shown(text)} is not a matcher: {mistake}")
    return tuple(Matcher(*triple) for triple in triples)


_Triple = tuple[str, Op, str]


def _tried(parse: Callable[[], list[_Triple]]) -> tuple[list[_Triple] | None, str]:
    try:
        return parse(), ""
    except ValueError as error:
        return None, str(error)


# The classic grammar, with Go's idea of white space (prometheus/alertmanager pkg/labels/parse.go).
_CLASSIC = re.compile(
    r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)[\t\n\f\r ]*(.*?)[\t\n\f\r ]*", re.DOTALL
)


def _classic_triples(text: str) -> list[_Triple]:
    *tokens, last = _classic_tokens(text.removeprefix("{").removesuffix("}"))
    # One comma at the end is allowed, and so is nothing at all.
    tokens += [last.strip(_SPACES)] if last.strip(_SPACES) else []
    return [_classic_triple(token) for token in tokens]


def _classic_tokens(text: str) -> list[str]:
    """Split at the commas outside of quotes. A backslash before a comma protects nothing, as in Alertmanager."""
    tokens = [""]
    quoted = escaped = False
    for char in text:
        if char == "," and not quoted:
            tokens.append("")
            continue
        if char == '"' and not escaped:
            quoted = not quoted
        if char != ",":
            escaped = char == "\\" and not escaped
        tokens[-1] += char
    return tokens


def _classic_triple(token: str) -> _Triple:
    match = _CLASSIC.fullmatch(token)
    if match is None:
        raise ValueError("expected a label name, one of = != =~ !~, and a value")
    raw = match[3]
    if raw.startswith('"'):
        quoted = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', raw, re.DOTALL)
        if quoted is None:
            raise ValueError("the closing quote is missing or stands too early")
        raw = quoted[1]
    elif re.fullmatch(r'(?:[^"\\]|\\.)*\\?', raw, re.DOTALL) is None:
        raise ValueError("a quote within a value needs a backslash before it")
    # A backslash before anything else stands for itself.
    value = re.sub(r'\\(["\\n])', lambda escape: "\n" if escape[1] == "n" else escape[1], raw)
    return match[1], Op(match[2]), value


_OPERATOR = re.compile("=~|=|!=|!~")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class _Tokens:
    """The grammar that takes any UTF-8 (prometheus/alertmanager matcher/parse/parse.go and lexer.go)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def triples(self) -> list[_Triple]:
        """Every matcher in the text.

        Raises:
            ValueError: the text is not in this grammar.
        """
        braces = self._take("{")
        found: list[_Triple] = []
        while self._peek() not in ("", "}"):
            found.append(self._triple())
            if not self._take(",") and self._peek() not in ("", "}"):
                raise self._wrong("expected a comma")
        if braces and not self._take("}"):
            raise self._wrong("the closing brace is missing")
        if self._peek():
            raise self._wrong("expected nothing more")
        return found

    def _triple(self) -> _Triple:
        name = self._word("a label name")
        self._peek()
        op = _OPERATOR.match(self._text, self._at)
        if op is None:
            raise self._wrong("expected one of = != =~ !~")
        self._at = op.end()
        return name, Op(op[0]), self._word("a value (quote it)")

    def _word(self, what: str) -> str:
        if self._peek() == '"':
            quoted = _QUOTED.match(self._text, self._at)
            if quoted is None:
                raise self._wrong("the closing quote is missing")
            self._at = quoted.end()
            return _unquoted(quoted[0])
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in _RESERVED:
            self._at += 1
        if start == self._at:
            raise self._wrong(f"expected {what}")
        return self._text[start : self._at]

    def _peek(self) -> str:
        """The next character that is not white space, empty at the end."""
        while self._at < len(self._text) and self._text[self._at] in _SPACES:
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _take(self, char: str) -> bool:
        taken = self._peek() == char
        self._at += taken
        return taken

    def _wrong(self, what: str) -> ValueError:
        found = shown(self._text[self._at]) if self._at < len(self._text) else "the end"
        return ValueError(f"{what}, found {found} at character {self._at + 1}")


_GO_ESCAPE = re.compile(
    r"""\\(?:(?P<simple>[abfnrtv\\"])|(?P<octal>[0-3][0-7]{2})|x(?P<hex>[0-9a-fA-F]{2})"""
    r"""|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8}))|(?P<plain>[^\\\n]+)""",
    re.VERBOSE,
)
_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}


def _unquoted(text: str) -> str:
    """Read a Go string literal (go/src/strconv/quote.go, Unquote)."""
    inner = text[1:-1]
    value = bytearray()
    at = 0
    while at < len(inner):
        match = _GO_ESCAPE.match(inner, at)
        if match is None:
            raise ValueError(f"no such escape (or a line break) in a quoted string: {shown(inner[at : at + 2])}")
        value += _bytes_of(match)
        at = match.end()
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("a quoted string that is not UTF-8") from None


def _bytes_of(match: re.Match[str]) -> bytes:
    if match["plain"]:
        return match["plain"].encode("utf-8", "surrogatepass")
    if match["simple"]:
        return bytes([_SIMPLE[match["simple"]]])
    if match["octal"] or match["hex"]:
        return bytes([int(match["octal"], 8) if match["octal"] else int(match["hex"], 16)])
    code = int(match["u"] or match["U"], 16)
    if code > 0x10FFFF:
        raise ValueError("there is no such character")
    return chr(code).encode("utf-8", "surrogatepass")


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'
