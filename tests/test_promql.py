"""Expressions: what is parsed, and which labels their series have, through recorded series down to what is scraped."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.rules import istio
from remediator.rules.expression import Aggregation, Binary, Selector, is_scalar, selectors, walk
from remediator.rules.labelling import Labelling, Recorded
from remediator.rules.labels import ABSENT, MAYBE, PRESENT, Label, Labels, exactly
from remediator.rules.model import RecordingRule, RuleGroup
from remediator.rules.promql import MAX_OPERATORS, PromqlError, parse
from remediator.rules.reading import read_rules

REFERENCE = Path(__file__).parents[1].parent / "shared" / "reference" / "rules"

NO_LABELS_ADDED: dict[str, str] = {}


def selector(text: str) -> Selector:
    """The only selector in an expression."""
    (found,) = selectors(parse(text))
    return found


def labels(text: str, *recorded: tuple[str, str, dict[str, str]]) -> Labels:
    return labelling(*recorded).of(parse(text)).labels


def labelling(*recorded: tuple[str, str, dict[str, str]]) -> Labelling:
    """`recorded` are recording rules: name, expression, labels."""
    rules: dict[str, list[Recorded]] = {}
    for name, expr, added in recorded:
        rules.setdefault(name, []).append(Recorded(parse(expr), added))
    return Labelling(rules)


class TestParsing:
    def test_a_selector_with_range_offset_and_matchers(self) -> None:
        found = selector('rate(istio_requests_total{reporter="source",response_code!~"5.."}[5m] offset 1m)')

        assert ("istio_requests_total", timedelta(minutes=5), timedelta(minutes=1)) == (
            found.name,
            found.range,
            found.offset,
        )
        assert ['reporter="source"', 'response_code!~"5.."'] == list(map(str, found.matchers))

    def test_a_name_may_stand_in_the_braces(self) -> None:
        assert "up" == selector('{__name__="up", job="a"}').name
        assert ("", ()) == (selector('{__name__=~"up.*"}').name, selector('{__name__=~"up.*"}').matchers)

    def test_escapes_are_read(self) -> None:
        assert r"500(\.0)?" == selector(r'x{le=~"500(\\.0)?"}').matchers[0].value
        assert r"500(\.0)?" == selector(r"x{le=~`500(\.0)?`}").matchers[0].value

    def test_parentheses_are_the_shape_of_the_tree(self) -> None:
        assert parse("(a + b) / c") != parse("a + b / c")
        assert parse("((a)) + (b)") == parse("a + b")

    def test_operators_with_matching(self) -> None:
        found = parse("a / on (x, y) group_left (z) b > bool 1")

        assert isinstance(found, Binary)
        assert (">", True) == (found.operator, found.returns_bool)
        assert isinstance(found.left, Binary)
        matching = found.left.matching
        assert (True, ("x", "y"), "group_left", ("z",)) == (
            matching.on,
            matching.labels,
            matching.cardinality.value,
            matching.include,
        )

    def test_aggregations(self) -> None:
        found = parse("topk without (a) (3, x)")

        assert isinstance(found, Aggregation)
        assert ("topk", True, ("a",)) == (found.operator, found.grouping.without, found.grouping.labels)
        assert found.parameter is not None
        assert is_scalar(found.parameter)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            pytest.param("", "no expression", id="nothing"),
            pytest.param("sum(rate(x[5m])", "unclosed left parenthesis", id="an open parenthesis"),
            pytest.param("rate(x)", "expected type matrix", id="an instant vector for rate"),
            pytest.param("nofunc(x)", "unknown function", id="a function that does not exist"),
            pytest.param("1 and 2", "not allowed", id="a set operator between numbers"),
            pytest.param('x{a=~"("}', "illegal regex", id="an open group"),
            pytest.param(r'x{a=~"(?=b)"}', "illegal regex", id="a lookahead, which RE2 does not have"),
            pytest.param("{}", "non-empty matcher", id="all series there are"),
        ],
    )
    def test_what_is_no_promql(self, text: str, words: str) -> None:
        with pytest.raises(PromqlError, match=words):
            parse(text)

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            pytest.param("a\n  + b c", "line 2, column 5", id="a word too much"),
            pytest.param("sum(x) by (a) > > 5", "line 1, column 13", id="an operator too much"),
            pytest.param("a + rate(x)", "line 1, column 8", id="the argument of a function"),
            pytest.param(r"x{a=~`\d`} y", "line 1, column 10", id="behind a text in backticks"),
        ],
    )
    def test_where_it_is_wrong(self, text: str, place: str) -> None:
        with pytest.raises(PromqlError, match=f", read as far as {place}$"):
            parse(text)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("-" * 100_000 + "x", id="signs"),
            pytest.param("x" + "+x" * 50_000, id="sums"),
            pytest.param("(" * 50_000 + "x" + ")" * 50_000, id="parentheses"),
            pytest.param("x^" * MAX_OPERATORS + "x", id="as many as are counted"),
            pytest.param("x and " * 50_000 + "x", id="words"),
        ],
    )
    def test_what_would_overrun_the_parser_s_stack_is_refused(self, text: str) -> None:
        """It would end the whole process: what a test of it shows is that it goes on."""
        with pytest.raises(PromqlError, match="record parts of it by rules of their own"):
            parse(text)

    def test_what_nests_less_is_read(self) -> None:
        assert 300 == sum(1 for _ in selectors(parse("x" + "+x" * 299)))
        assert 201 == sum(1 for _ in walk(parse("sum(" * 200 + "x" + ")" * 200)))


class TestLabels:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param('x{a="1"}', {"a": exactly("1"), "b": MAYBE}, id="a matcher fixes a value"),
            pytest.param('x{a=""}', {"a": ABSENT}, id="the empty value is none"),
            pytest.param('x{a!=""}', {"a": PRESENT}, id="not empty is there"),
            pytest.param('x{a!~"|unknown"}', {"a": PRESENT}, id="an expression that excludes nothing at all"),
            pytest.param('x{a=~"1|"}', {"a": MAYBE}, id="an expression that lets it be absent"),
            pytest.param('x{a="1" or b="1"}', {"a": MAYBE, "b": MAYBE}, id="of alternatives nothing is sure"),
            pytest.param("sum(x)", {"a": ABSENT}, id="sum keeps nothing"),
            pytest.param('sum by (a, b) (x{a="1"})', {"a": exactly("1"), "b": MAYBE, "c": ABSENT}, id="by keeps"),
            pytest.param('sum without (a) (x{a="1",b="2"})', {"a": ABSENT, "b": exactly("2")}, id="without drops"),
            pytest.param('topk by (a) (3, x{b="1"})', {"b": exactly("1"), "c": MAYBE}, id="topk keeps all"),
            pytest.param('count_values by (a) ("v", x)', {"v": PRESENT, "b": ABSENT}, id="count_values adds one"),
            pytest.param('rate(x{a="1"}[5m])', {"a": exactly("1")}, id="functions keep"),
            pytest.param('max_over_time(sum by (a) (x)[5m:15s])', {"a": MAYBE, "b": ABSENT}, id="subqueries keep"),
            pytest.param('-x{a="1"}', {"a": exactly("1")}, id="a sign keeps"),
            pytest.param("vector(1)", {"a": ABSENT}, id="vector has none"),
            pytest.param("time() - 5", {"a": ABSENT}, id="a number has none"),
            pytest.param('absent(x{a="1",b=~"2",c="3",c="4"})', {"a": exactly("1"), "c": ABSENT}, id="absent"),
            pytest.param('absent(sum(x{a="1"}))', {"a": ABSENT}, id="absent of an expression"),
            pytest.param("histogram_quantile(0.9, x_bucket)", {"le": ABSENT, "a": MAYBE}, id="quantiles lose le"),
            pytest.param("x_bucket", {"le": PRESENT}, id="buckets have le"),
            pytest.param("istio_requests_total", {"reporter": PRESENT}, id="Istio says who reports"),
        ],
    )  # fmt: skip
    def test_selectors_aggregations_and_functions(self, text: str, expected: dict[str, Label]) -> None:
        found = labels(text)
        assert expected == {name: found.of(name) for name in expected}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param('sum by (a, b) (x) > 5', {"a": MAYBE, "c": ABSENT}, id="with a number"),
            pytest.param('5 < sum by (a) (x)', {"a": MAYBE, "c": ABSENT}, id="with a number before it"),
            pytest.param('x{a="1"} / y{b="2"}', {"a": exactly("1"), "b": exactly("2")}, id="what both have in common"),
            pytest.param('x / sum by (a) (y)', {"a": MAYBE, "b": ABSENT}, id="what only one can have is not there"),
            pytest.param('x{a="1",b="1"} / on (a) y', {"a": exactly("1"), "b": ABSENT}, id="on keeps its labels"),
            pytest.param('x{a="1",b="1"} / ignoring (a) y', {"a": ABSENT, "b": exactly("1")}, id="ignoring drops its"),
            pytest.param(
                'x{b="1"} / on (a) group_left (c) y{c="2"}',
                {"b": exactly("1"), "c": exactly("2"), "d": MAYBE},
                id="group_left keeps the left, and takes over",
            ),
            pytest.param(
                'sum by (a) (x) / on (a) group_right () y{b="1"}', {"b": exactly("1"), "c": MAYBE}, id="group_right"
            ),
            pytest.param(
                'x{b="1"} / on (a) group_left (b) sum by (a) (y)', {"b": ABSENT}, id="taken over from nothing"
            ),
            pytest.param('x{a="1"} and on (b) y{a="2"}', {"a": exactly("1"), "c": MAYBE}, id="and keeps the left"),
            pytest.param('x and sum by (a) (y)', {"a": MAYBE, "b": ABSENT}, id="and needs the same labels"),
            pytest.param('x{a="1"} unless y', {"a": exactly("1"), "b": MAYBE}, id="unless keeps the left"),
            pytest.param(
                'x{a="1"} or y{a="2"}', {"a": Label(frozenset({"1", "2"})), "b": MAYBE}, id="or is one or the other"
            ),
            pytest.param('sum by (a) (x{a="1"}) or vector(0)', {"a": Label(frozenset({"1", ""}))}, id="or nothing"),
        ],
    )  # fmt: skip
    def test_operators(self, text: str, expected: dict[str, Label]) -> None:
        found = labels(text)
        assert expected == {name: found.of(name) for name in expected}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param('label_replace(x, "b", "1", "", "")', exactly("1"), id="a constant"),
            pytest.param('label_replace(x{a!=""}, "b", "$1", "a", "(.+)")', PRESENT, id="a copy of what is there"),
            pytest.param('label_replace(x{a="1"}, "b", "$1", "a", "(.+)")', exactly("1"), id="a copy of what is known"),
            pytest.param('label_replace(sum by (b) (x), "b", "$1", "a", "(.+)")', MAYBE, id="nothing: it stays"),
            pytest.param('label_replace(sum(x), "b", "$1", "a", "(.+)")', ABSENT, id="a copy of nothing to nothing"),
            pytest.param('label_replace(sum(x), "b", "$1", "a", "(.*)")', ABSENT, id="a copy of the empty text"),
            pytest.param('label_replace(x, "b", "$1", "a", "([^.]+)[.].*")', MAYBE, id="a part of what may be there"),
            pytest.param('label_replace(x{b="1"}, "b", "", "a", ".*")', ABSENT, id="removed"),
            pytest.param('label_replace(x{a="1",b="2"}, "b", "3", "a", "[2-9]")', exactly("2"), id="it stays"),
            pytest.param('label_join(x{a="1",c="2"}, "b", "-", "a", "c")', exactly("1-2"), id="joined"),
            pytest.param('label_join(sum(x), "b", "-", "a")', ABSENT, id="joined of nothing"),
            pytest.param('label_join(x{a!=""}, "b", "", "a", "c")', PRESENT, id="joined of what is there"),
        ],
    )  # fmt: skip
    def test_label_functions(self, text: str, expected: Label) -> None:
        assert expected == labels(text).of("b")

    def test_recorded_series_are_followed(self) -> None:
        found = labels(
            "ratio > 0.5",
            ("errors", 'sum by (a, b) (istio_requests_total{response_code=~"5.."})', {"kind": "errors"}),
            ("ratio", "sum without (b) (errors)", NO_LABELS_ADDED),
        )

        assert (MAYBE, ABSENT, exactly("errors"), ABSENT) == tuple(map(found.of, ("a", "b", "kind", "reporter")))

    def test_of_several_rules_of_one_name_those_count_that_the_matchers_let_through(self) -> None:
        rules = (
            ("errors", "sum by (a) (x)", {"reporter": "source"}),
            ("errors", "sum by (b) (x)", {"reporter": "destination"}),
        )

        assert (MAYBE, ABSENT) == tuple(map(labels('errors{reporter="source"}', *rules).of, ("a", "b")))
        assert (MAYBE, MAYBE) == tuple(map(labels("errors", *rules).of, ("a", "b")))

    def test_a_series_that_refers_to_itself_is_one_of_which_nothing_is_known(self) -> None:
        assert MAYBE == labels("loop", ("loop", "loop + 1", NO_LABELS_ADDED)).of("a")


class TestWhatCanNeverBe:
    @pytest.mark.parametrize(
        ("text", "label"),
        [
            pytest.param('x{v="v2"} > x{v="v1"} * 2', "v", id="two values"),
            pytest.param('rate(x{v="v2"}[5m]) / on (v, w) rate(x{v="v1"}[5m])', "v", id="two values, with on"),
            pytest.param('sum by (a) (istio_requests_total) / istio_requests_total', "reporter", id="one label more"),
            pytest.param('x{v="v2"} and x{v="v1"}', "v", id="and"),
            pytest.param('x{v="v2"} unless x{v="v1"}', "v", id="unless, which then leaves all"),
            pytest.param('x{v="v2"} * on (v) group_left () y{v=""}', "v", id="group_left"),
        ],
    )  # fmt: skip
    def test_sides_that_never_match(self, text: str, label: str) -> None:
        assert [label] == [miss.label for miss in labelling().of(parse(text)).mismatches]

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param('x{v="v2"} > ignoring (v) x{v="v1"}', id="ignored"),
            pytest.param('x{v="v2"} > on (w) x{v="v1"}', id="not compared"),
            pytest.param('x{v="v2"} or x{v="v1"}', id="or"),
            pytest.param('x{v=~"v2|v3"} > x{v="v3"}', id="an expression that lets it through"),
            pytest.param('sum(x{v="v2"}) > sum(x{v="v1"})', id="aggregated"),
            pytest.param("x / y", id="nothing known"),
        ],
    )
    def test_sides_that_may_match(self, text: str) -> None:
        assert () == labelling().of(parse(text)).mismatches

    def test_a_selector_that_no_recorded_series_fits(self) -> None:
        found = labelling(("errors", "sum by (a) (x)", {"kind": "errors"})).of(parse('errors{kind="faults"} > 5'))
        assert ['errors{kind="faults"}'] == list(map(str, found.dead))


@st.composite
def known(draw: st.DrawFn) -> Label:
    values = draw(st.none() | st.frozensets(st.sampled_from(["", "a", "b", "c"]), min_size=1))
    return Label(values, surely=draw(st.booleans())) if values is None else Label(values)


def possible(label: Label) -> set[str]:
    """The values that a label can have, of those that the tests speak of."""
    every = {"", "a", "b", "c", "d"} if label.values is None else set(label.values)
    return every - {""} if label.surely else every


class TestKnowledge:
    """Held against the sets of values that it stands for."""

    @given(known(), known())
    def test_joined_is_the_union(self, one: Label, other: Label) -> None:
        assert possible(one) | possible(other) == possible(one.joined(other))

    @given(known(), known())
    def test_met_is_the_intersection(self, one: Label, other: Label) -> None:
        met = one.met(other)
        assert possible(one) & possible(other) == (possible(met) if met else set())

    @given(known())
    def test_what_is_said_of_it(self, label: Label) -> None:
        values = possible(label)
        assert (values != {""}, "" not in values) == (label.may_be_there, label.is_there)


class TestIstio:
    @pytest.mark.parametrize(
        ("name", "unknown"),
        [
            pytest.param("istio_requests_total", False, id="requests"),
            pytest.param("istio_request_duration_milliseconds_bucket", False, id="a histogram"),
            pytest.param("istio_request_duration_milliseconds", False, id="a native histogram"),
            pytest.param("istio_mirror_requests_total", True, id="the article's"),
            pytest.param("istio_request_total", True, id="a typo"),
            pytest.param("istio_agent_pilot_xds", False, id="of the agent"),
            pytest.param("istio_canary:errors:rate5m", False, id="a recorded series"),
            pytest.param("http_requests_total", False, id="somebody else's"),
        ],
    )
    def test_names(self, name: str, unknown: bool) -> None:
        assert unknown is istio.is_unknown(name)

    @pytest.mark.parametrize(
        ("matchers", "both"),
        [
            pytest.param("", True, id="no reporter"),
            pytest.param('{reporter="source"}', False, id="one"),
            pytest.param('{reporter=~"source|waypoint"}', False, id="source or waypoint"),
            pytest.param('{reporter!="source"}', False, id="not the other"),
            pytest.param('{reporter=~".+"}', True, id="any"),
            pytest.param('{reporter!="waypoint"}', True, id="both ends"),
        ],
    )
    def test_requests_that_are_counted_twice(self, matchers: str, both: bool) -> None:
        assert both is istio.both_sides(selector(f"istio_requests_total{matchers}"))


def test_every_expression_of_the_reference_rules_is_read() -> None:
    """Three ways to write such rules; what each alert of one group carries is what its target's labels say."""
    if not REFERENCE.is_dir():
        pytest.skip(f"{REFERENCE.name} is not there; it belongs in {REFERENCE.parent}")
    for name in ("generic-join.rules.yaml", "meta.rules.yaml", "native.rules.yaml", "naive-rules.yaml"):
        read = read_rules((REFERENCE / name).read_text(encoding="utf-8"), name)
        assert () == read.faults
        groups: list[RuleGroup] = [group for file in read.files for group in file.groups]
        rules = [rule for group in groups for rule in group.rules]
        recorded = [(rule.record, rule.expr, dict(rule.labels)) for rule in rules if isinstance(rule, RecordingRule)]
        everything = labelling(*recorded)
        mismatches = [miss for rule in rules for miss in everything.of(parse(rule.expr)).mismatches]
        assert (2 if name == "naive-rules.yaml" else 0) == len(mismatches), name
