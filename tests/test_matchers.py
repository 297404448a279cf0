"""Matchers: both grammars, RE2, and the verdicts of the real amtool."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from remediator.policies.expressions import MAX_DEPTH, MAX_LENGTH, Expression
from remediator.policies.matchers import Matcher, Op, parse_matcher, parse_matchers
from tests.processes import Missing, binary

Triple = tuple[str, str, str]


def triples(text: str) -> list[Triple]:
    return [(matcher.name, str(matcher.op), matcher.value) for matcher in parse_matchers(text)]


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        pytest.param([("a", "=", "b")], "a=b", id="nothing is quoted"),
        pytest.param([("a", "=", "b")], ' a = "b" ', id="white space around every token"),
        pytest.param([("a", "=~", "b|c")], "a=~b|c", id="an unquoted alternative"),
        pytest.param([("a", "!~", "b.*")], 'a!~"b.*"', id="a negated expression"),
        pytest.param([("a", "=", "")], "a=", id="the classic grammar takes an empty value"),
        pytest.param([("a", "=", "")], 'a=""', id="a quoted empty value"),
        pytest.param([("a", "=", 'say "hi"\n\\')], r'a="say \"hi\"\n\\"', id="the escapes both grammars share"),
        pytest.param([("a", "=~", r"\d+")], r'a=~"\d+"', id="an escape that only the classic grammar takes literally"),
        pytest.param([("a", "=", r"\x41")], r'a="\x41"', id="the grammars disagree, so the classic one counts"),
        pytest.param([("a é", "=", "A\t")], r'"a é"="\x41\t"', id="only the UTF-8 grammar takes this name"),
        pytest.param([("é", "=", "\u00fc")], '"\\u00e9"="\\303\\274"', id="Unicode and octal escapes"),
        pytest.param([("foo🙂", "=", "bar")], "foo🙂=bar", id="an unquoted name beyond ASCII"),
        pytest.param([("a", "=", "!b\n")], "a=!b\\n", id="an exclamation mark, classic only"),
        pytest.param([("a", "=", "=b")], "a==b", id="a second equals sign is the value's, classic only"),
        pytest.param([("a", "=", "b"), ("c", "=~", "d,e")], '{a="b", c=~"d,e"}', id="braces, and a quoted comma"),
        pytest.param([("a", "=", "b"), ("c", "!=", "d")], "a=b,c!=d,", id="one comma at the end"),
        pytest.param([("a", "=", "b")], "{a=b", id="the classic grammar wants no closing brace"),
        pytest.param([], "{}", id="no matcher in braces"),
        pytest.param([], "", id="nothing at all"),
        pytest.param([("a", "=", "b\\"), ("c", "=", "d")], "a=b\\,c=d", id="a backslash does not protect a comma"),
    ],
)
def test_reads_what_alertmanager_reads(expected: list[Triple], text: str) -> None:
    assert expected == triples(text)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        pytest.param('expected one of = != =~ !~, found "!" at character 2', "a!b", id="no operator"),
        pytest.param('expected a label name, found "=" at character 1', "=b", id="no name"),
        pytest.param('expected a label name, found "," at character 5', "a=b,,c=d", id="two commas"),
        pytest.param('the closing quote is missing, found "\\"" at character 3', 'a="b', id="an open quote"),
        pytest.param('expected a comma, found "c" at character 7', 'a="b" c="d"', id="no comma between"),
        pytest.param("a quoted string that is not UTF-8", r'"a b"="\xff"', id="bytes that are not UTF-8"),
        pytest.param("no such escape (or a line break)", r'"a b"="\q"', id="an unknown escape in the UTF-8 grammar"),
        pytest.param("there is no such character", r'"a b"="\U00110000"', id="a code point beyond Unicode"),
        pytest.param("a matcher needs the name of a label", '""="b"', id="an empty name"),
    ],
)
def test_refuses_what_alertmanager_refuses(expected: str, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        parse_matchers(text)


def test_one_matcher_is_one_matcher() -> None:
    assert Matcher("a", Op.EQUAL, "b") == parse_matcher("a=b")
    for text, expected in (("a=b,c=d", "found 2"), ("", "found 0"), ("{a=b}", "without braces")):
        with pytest.raises(ValueError, match=expected):
            parse_matcher(text)


def test_a_long_wrong_text_is_not_echoed_whole() -> None:
    with pytest.raises(ValueError, match="is not a matcher") as refusal:
        parse_matchers("x" * 100_000)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("expected", "text", "labels"),
    [
        pytest.param(True, "a=b", {"a": "b"}, id="equal"),
        pytest.param(False, "a=b", {"a": "bb"}, id="not equal"),
        pytest.param(True, 'a=""', {}, id="an absent label is empty"),
        pytest.param(True, 'a!~".+"', {}, id="an absent label is not something"),
        pytest.param(False, 'a=~".+"', {}, id="an absent label does not match something"),
        pytest.param(True, "a!=b", {}, id="an absent label differs"),
        pytest.param(False, "a=~b", {"a": "abc"}, id="an expression must match the whole value"),
        pytest.param(False, "a=~b|abc|c", {"a": "ab"}, id="alternatives are anchored together"),
        pytest.param(False, 'a=~"b"', {"a": "b\n"}, id="a line feed at the end is a character"),
        pytest.param(False, 'a=~"b$"', {"a": "b\n"}, id="$ is the very end"),
        pytest.param(False, 'a=~"b.*"', {"a": "b\nc"}, id=". is not a line feed"),
        pytest.param(True, 'a=~"(?s)b.*"', {"a": "b\nc"}, id=". is any character with (?s)"),
        pytest.param(False, 'a=~"\\w"', {"a": "é"}, id="words are ASCII"),
        pytest.param(False, 'a=~"\\s"', {"a": "\v"}, id="the vertical tab is no white space"),
        pytest.param(True, 'a=~"(?i)k"', {"a": "\u212a"}, id="the Kelvin sign is a k of another case"),
        pytest.param(False, 'a=~"(?i)i"', {"a": "\u0130"}, id="the dotted capital I is none of another case"),
    ],
)
def test_matches(expected: bool, text: str, labels: Mapping[str, str]) -> None:
    assert expected is parse_matcher(text).matches(labels)


@pytest.mark.parametrize(
    ("expected", "pattern", "value"),
    [
        pytest.param(True, "(foo|bar)+-v[0-9]+", "foobar-v12", id="alternatives that repeat"),
        pytest.param(True, "([a-z0-9]+-)*canary", "shop-eu-canary", id="a repetition that repeats"),
        pytest.param(True, r"\p{L}+", "über", id="letters of every script"),
        pytest.param(False, r"\p{Greek}", "a", id="a script"),
        pytest.param(True, "(?i)É", "é", id="cases beyond ASCII"),
        pytest.param(False, "a|b", "ab", id="alternatives are anchored together"),
        pytest.param(True, "(?P<n>a)(?P<n>b)", "ab", id="a name twice, as Go takes it: nobody asks for the groups"),
        pytest.param(True, r"\Qa.b\E+", "a.bb", id="a quotation"),
        pytest.param(True, r"[(\\C]+", r"(\C", id="in a class, a bracket and an escaped backslash are characters"),
        pytest.param(True, r"\\C", r"\C", id="an escaped backslash before a C"),
        pytest.param(True, r"\Q\C(\E", r"\C(", id="in a quotation all is literal"),
        pytest.param(True, "a.b", "a\ud800b", id="half a surrogate pair is some character"),
    ],
)
def test_an_expression_is_re2(expected: bool, pattern: str, value: str) -> None:
    assert expected is Expression(pattern).matches(value)


@pytest.mark.parametrize(
    ("expected", "pattern"),
    [
        pytest.param('lookaround is not in RE2; RE2 says "invalid perl operator: (?!"; for', "(?!a)b", id="lookahead"),
        pytest.param("lookaround is not in RE2", "(?<=a)b", id="lookbehind"),
        pytest.param("no such escape", r"(a)\1", id="a reference by number"),
        pytest.param("references to a group", "(?P<n>a)(?P=n)", id="a reference by name"),
        pytest.param("references to a group", "(a)?(?(1)b|c)", id="a conditional"),
        pytest.param("atomic groups", "(?>a)", id="an atomic group"),
        pytest.param("a repetition of a repetition", "a++", id="a possessive repetition"),
        pytest.param("a repetition of a repetition", "a{2}{3}", id="a count of a count"),
        pytest.param("nothing to repeat", "*a", id="a repetition at the start"),
        pytest.param("nothing to repeat", "a|?", id="a repetition behind a bar"),
        pytest.param(r'no such escape; RE2 says "invalid escape sequence: \Z"', r"a\Z", id="Python's end of text"),
        pytest.param("no such escape", r"\h", id="Perl's horizontal space"),
        pytest.param("no such class", r"\p{Elvish}", id="an unknown script"),
        pytest.param("the flags imsU", "(?x)a b", id="Python's verbose mode"),
        pytest.param("the flags imsU", "(?#comment)", id="a comment"),
        pytest.param("the ] of a class is missing", "[a", id="an open class"),
        pytest.param("ends before it starts", "[z-a]", id="a range backwards"),
        pytest.param("such as [[:alpha:]]", "[[:alfa:]]", id="an unknown class"),
        pytest.param('the ) of a group is missing; RE2 says "missing )"; to', "(a", id="an open group"),
        pytest.param("a ) closes nothing", "a)", id="a group that was not opened"),
        pytest.param("a ) closes nothing", "a)|(?:b", id="one that would leave the anchors"),
        pytest.param("0 to 1000", "a{1001}", id="a count beyond Go's limit"),
        pytest.param("0 to 1000", "((a{10}){10}){11}", id="counts within counts beyond Go's limit"),
        pytest.param("0 to 1000", "a{3,2}", id="a count backwards"),
        pytest.param("no name of a group", "(?P<>a)", id="an empty name"),
        pytest.param("a backslash at the end", "a\\", id="half an escape"),
        pytest.param("no such escape", r"\x{110000}", id="beyond Unicode"),
        pytest.param("half a surrogate pair", "a\ud800", id="half a surrogate pair"),
        pytest.param("too much memory", r"(?:\pL{30}){30}", id="a very large program"),
        pytest.param(f"over {MAX_LENGTH} characters", "a" * (MAX_LENGTH + 1), id="a very long pattern"),
        # RE2 in C++ takes these, and Go does not.
        pytest.param("any byte, is not in Go's RE2", r"a\Cb", id="any byte"),
        pytest.param(r"a \Q has no \E", r"a\Qb", id="a quotation that swallows Alertmanager's own bracket"),
        pytest.param("not the name of a group in Go", "(?P<é>a)", id="a name beyond ASCII"),
        pytest.param(f"deeper than {MAX_DEPTH}", "(" * 101 + ")" * 101, id="deep groups"),
    ],
)
def test_refuses_what_go_would_not_read_so(expected: str, pattern: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)) as refusal:
        Expression(pattern)
    text = str(refusal.value)
    assert text.startswith("in the regular expression ")
    assert text.isprintable()
    assert len(text) < 400


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(".*foo.*bar.*baz", id="three stars"),
        pytest.param("(a+)+|(foo|bar|foobar)*x", id="repetitions of repetitions"),
        pytest.param("([a-z0-9]+-)*canary", id="a list of words"),
    ],
)
def test_a_hostile_value_costs_time_in_proportion_to_its_length(pattern: str) -> None:
    """With a backtracking library 12 kB took twenty seconds, and stopped every thread; a body may have 4 MiB."""
    value = "foobar" * 700_000
    begun = time.process_time()
    assert not Expression(pattern).matches(value)
    assert time.process_time() - begun < 5


def test_matchers_are_compared_by_what_they_say() -> None:
    same, other = parse_matcher("a=~b|c"), parse_matcher('a =~ "b|c"')
    assert same == other
    assert {same} == {other}
    assert same != parse_matcher("a=~c|b")
    assert "Matcher(name='a', op=<Op.MATCHES: '=~'>, value='b|c')" == repr(same)


@given(
    st.builds(
        Matcher,
        name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
        op=st.sampled_from([Op.EQUAL, Op.NOT_EQUAL]),
        value=st.text(st.characters(codec="utf-8"), max_size=12),
    )
)
def test_a_matcher_reads_back_what_it_writes(matcher: Matcher) -> None:
    assert (matcher,) == parse_matchers("{" + str(matcher) + "}")


@given(st.text('ab={}!~,"\\ \n', max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert all(matcher.name for matcher in parse_matchers(text))


# Characters that libraries read differently, and their neighbours.
CHARACTERS = "abkKsS1_-. \n\t\v\u212a\u017féİ"
LITERALS = [*"abkKsS1_- é", r"\.", r"\-", r"\n", r"\x41", r"\x{e9}", r"\101", r"\Qa.b\E", r"\_"]
CHARSETS = [
    *(".", r"\d", r"\D", r"\s", r"\S", r"\w", r"\W", "[abk]", "[^a]", "[a-k1-9]", r"[\w-]", r"[^\s]", "[]a]", "[-a]"),
    *(
        r"[^\W\d]",
        r"[\d-a]",
        "[[:alpha:]]",
        "[[:^space:]_]",
        "[[:punct:]k]",
        r"[^\d\D]",
        r"[\x00-\x{10FFFF}]",
        "[^k-s]",
    ),
    *(r"\pL", r"\PL", r"\p{Lu}", r"\p{^Lu}", r"\p{Greek}", r"[\pL1]", "[[:word:]]"),
]
PLACES = ["^", "$", r"\A", r"\z", r"\b", r"\B"]
SWITCHES = ["", "(?i)", "(?s)", "(?m)", "(?im-s)", "(?)"]
literal, charset, place = map(st.sampled_from, (LITERALS, CHARSETS, PLACES))
counts = st.sampled_from(["", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{1,2}?", "{,2}", "{"])
flags = st.sampled_from(["(?:", "(?i:", "(?s:", "(?m:", "(?U:", "(?i-s:", "(?-i:", "(", "(?P<n>"])
switches = st.sampled_from(SWITCHES)


def within(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join),
        st.builds(lambda flag, body, count: f"{flag}{body}){count}", flags, inner, counts),
        st.builds(lambda switch, body: f"{switch}{body}", switches, inner),
    )


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """A pattern that both Go and this house accept."""
    single = st.builds(lambda atom, count: atom + count, st.one_of(literal, charset, place), counts)
    pattern = draw(st.recursive(single, within, max_leaves=8))
    try:
        Expression(pattern)
    except ValueError:
        assume(False)
    return pattern


values = st.text(CHARACTERS, max_size=4)
names = st.sampled_from("ab")
matchers = st.lists(
    st.one_of(
        st.tuples(names, st.sampled_from([Op.EQUAL, Op.NOT_EQUAL]), values),
        st.tuples(names, st.sampled_from([Op.MATCHES, Op.NOT_MATCHES]), patterns()),
    ),
    min_size=20,
    max_size=40,
)
label_sets = st.lists(st.dictionaries(st.sampled_from("ab"), values, max_size=2), min_size=15, max_size=15)


def classic(triple: Triple) -> str:
    name, op, value = triple
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'{name}{op}"{escaped}"'


def verdicts(
    amtool: str, folder: Path, routes: Sequence[Triple], label_sets: Sequence[Mapping[str, str]]
) -> list[list[int]]:
    """Which of `routes` the real Alertmanager takes for each label set."""
    names = [f"r{index}" for index in range(len(routes))]
    config = folder / "alertmanager.yaml"
    children = [
        {"receiver": name, "continue": True, "matchers": [classic(route)]}
        for name, route in zip(names, routes, strict=True)
    ]
    receivers = [{"name": name} for name in ["none", *names]]
    config.write_text(json.dumps({"route": {"receiver": "none", "routes": children}, "receivers": receivers}))
    found = []
    for labels in label_sets:
        arguments = [classic((name, "=", value)) for name, value in labels.items()]
        command = [amtool, "config", "routes", "test", f"--config.file={config}", *(arguments or ["unrelated=x"])]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert 0 == run.returncode, run.stderr
        taken = run.stdout.strip().split(",")
        found.append([names.index(name) for name in taken if name != "none"])
    return found


@pytest.fixture(scope="module")
def amtool() -> str:
    try:
        return binary("PROMETHEUS_BIN_DIR", "amtool")
    except Missing as missing:
        pytest.skip(str(missing))


def taken(routes: Sequence[Triple], label_sets: Sequence[Mapping[str, str]]) -> list[list[int]]:
    """Which of `routes` this house takes for each label set."""
    parsed = [parse_matcher(classic(route)) for route in routes]
    assert list(routes) == [(matcher.name, matcher.op, matcher.value) for matcher in parsed]
    return [[index for index, matcher in enumerate(parsed) if matcher.matches(labels)] for labels in label_sets]


@pytest.mark.servers
@pytest.mark.parametrize("switch", [pytest.param(switch, id=f"with {switch!r}") for switch in SWITCHES])
def test_every_atom_agrees_with_amtool(amtool: str, tmp_path: Path, switch: str) -> None:
    """Each atom alone, and each place between two words, on each character that is easily read differently."""
    expressions = [*LITERALS, *CHARSETS, *(f".*{place}.*" for place in PLACES), *(f"a{place}\nb" for place in PLACES)]
    routes = [("a", str(Op.MATCHES), switch + expression) for expression in expressions]
    label_sets = [{"a": value} for value in ["", *CHARACTERS, "a.b", "ab", "a\n", "a\nb", "a-b", "é_", "\n\n"]]
    assert verdicts(amtool, tmp_path, routes, label_sets) == taken(routes, label_sets)


@pytest.mark.servers
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(matchers, label_sets)
def test_agrees_with_amtool(
    amtool: str,
    tmp_path_factory: pytest.TempPathFactory,
    routes: list[Triple],
    label_sets: list[dict[str, str]],
) -> None:
    """Many label sets against twenty to forty composed matchers each, judged by the real Alertmanager's router."""
    folder = tmp_path_factory.mktemp("amtool")
    assert verdicts(amtool, folder, routes, label_sets) == taken(routes, label_sets)
