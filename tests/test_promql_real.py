"""Labels that are followed through expressions are those that Prometheus gives: promtool evaluates the same.

What is said to be surely there is on every series, what cannot be there is on none, and every value is one that was
thought possible.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from remediator.rules.expression import Binary
from remediator.rules.labelling import Labelling
from remediator.rules.labels import Label
from remediator.rules.promql import PromqlError, parse
from tests.processes import Missing, binary

Series = dict[str, str]

pytestmark = pytest.mark.servers

VALUES = {"a": ("", "1", "2"), "b": ("", "1", "2"), "c": ("", "1")}
EVERY = [
    {name: value for name, value in zip(VALUES, values, strict=True) if value}
    for values in itertools.product(*VALUES.values())
]
"""Each combination of values, an absent label being one."""
FIXED = {"x": {}, "y": {}, "x_bucket": {"le": "5"}, "istio_requests_total": {"reporter": "source"}}
"""Metrics, and the labels that all of their series have."""

_MATCHED = ("", "1", "2", "1|2", "|1", ".+")

SEED = 20_260_801
HOW_MANY = 1_500


def written(name: str, labels: Series) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{inside}}}"


def evaluated(folder: Path, expressions: Sequence[str]) -> dict[str, list[Series]]:
    """The labels of each expression's series; an expression that Prometheus does not carry out is left out."""
    try:
        promtool = binary("PROMETHEUS_BIN_DIR", "promtool")
    except Missing as missing:
        pytest.skip(str(missing))
    series = [
        {"series": written(name, labels | fixed), "values": f"{1 + number}+{number}x20"}
        for name, fixed in FIXED.items()
        for number, labels in enumerate(EVERY)
        # Not all of y, so that operators leave series out.
        if name != "y" or number % 3
    ]
    asked = [{"expr": text, "eval_time": "10m", "exp_samples": []} for text in dict.fromkeys(expressions)]
    test = {"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": asked}]}
    (folder / "test.yaml").write_text(json.dumps(test), encoding="utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    return read(done.stdout + done.stderr, expressions)


_TOLD = re.compile(r'^    expr: ("(?:[^"\\]|\\.)*"), time: 10m,(?: (err: .*)|\n +exp: .*\n +got: (.*))$', re.MULTILINE)


def read(output: str, expressions: Sequence[str]) -> dict[str, list[Series]]:
    """What promtool says that it got. What gives nothing it does not speak of."""
    found: dict[str, list[Series]] = {text: [] for text in expressions}
    told = re.findall(
        r'^    expr: ("(?:[^"\\]|\\.)*"), time: 10m,(?: (err: .*)|\n +exp: .*\n +got: (.*))$', output, re.M
    )
    assert told, output
    for quoted, error, got in told:
        text = json.loads(quoted)
        if error:
            del found[text]
        else:
            each = re.findall(r"\{([^}]*)\} \S+", got)
            found[text] = [dict(re.findall(r'(\w+)="([^"]*)"', labels)) for labels in each]
    return found


def wrong(text: str, series: Sequence[Series]) -> Iterator[str]:
    """Where what is said of an expression's labels is not so."""
    labels = Labelling({}).of(parse(text)).labels
    names = {name for labels_ in series for name in labels_} | set(labels.named)
    for name in sorted(names - {"__name__"}):
        for each in series:
            if not allows(labels.of(name), each.get(name, "")):
                yield f"{text}: {name} is {each.get(name)!r}, and was said to be {labels.of(name)}"


def allows(label: Label, value: str) -> bool:
    return (bool(value) or not label.surely) if label.values is None else value in label.values


class _Maker:
    """Makes expressions. The same ones in every run, so that one which fails fails again."""

    def __init__(self) -> None:
        self._dice = random.Random(SEED)

    def expression(self, depth: int) -> str:
        """One of at most `depth` levels."""
        if depth == 0 or self._dice.random() < 0.15:
            return self._selector()
        return self._dice.choice([self._aggregation, self._operator, self._operator, self._function])(depth - 1)

    def _labels(self) -> str:
        return ", ".join(self._dice.sample(sorted(VALUES), self._dice.randint(0, 2)))

    def _selector(self) -> str:
        matchers = [
            f'{name}{self._dice.choice(["=", "!=", "=~", "!~"])}"{self._dice.choice(_MATCHED)}"'
            for name in self._dice.sample(sorted(VALUES), self._dice.randint(0, 3))
        ]
        return f"{self._dice.choice(sorted(FIXED))}{{{','.join(matchers)}}}"

    def _aggregation(self, depth: int) -> str:
        name = self._dice.choice(["sum", "max", "count", "topk", "count_values"])
        parameter = {"topk": "3, ", "count_values": '"v", '}.get(name, "")
        grouping = self._dice.choice([f"by ({self._labels()}) ", f"without ({self._labels()}) ", ""])
        return f"{name} {grouping}({parameter}{self.expression(depth)})"

    def _operator(self, depth: int) -> str:
        name = self._dice.choice(["+", "-", ">=", "and", "or", "unless"])
        matching = self._dice.choice(["", "", f"on ({self._labels()}) ", f"ignoring ({self._labels()}) "])
        grouping = self._dice.choice(["", f"group_left ({self._labels()}) ", f"group_right ({self._labels()}) "])
        if name in ("and", "or", "unless") or not matching:
            grouping = ""
        return f"({self.expression(depth)}) {name} {matching}{grouping}({self.expression(depth)})"

    def _function(self, depth: int) -> str:
        inner = self.expression(depth)
        first, second = self._dice.sample(sorted(VALUES), 2)
        replacement, pattern = (
            self._dice.choice(["$1", "new", "", "$1-$1"]),
            self._dice.choice(["(.+)", "(.*)", "1", ""]),
        )
        return self._dice.choice(
            [
                f'label_replace({inner}, "{first}", "{replacement}", "{second}", "{pattern}")',
                f'label_join({inner}, "{first}", "-", "{second}", "{first}")',
                f"abs({inner})",
                f"absent({inner})",
                f"-({inner})",
                f"({inner}) * 2",
                f"max_over_time(({inner})[3m:1m])",
                f"histogram_quantile(0.5, {inner})",
            ]
        )


def parsed(texts: Iterator[str]) -> Iterator[str]:
    """Without those that are no PromQL, such as a label that is both matched and taken over."""
    for text in texts:
        try:
            parse(text)
        except PromqlError:
            continue
        yield text


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Series]]:
    """What promtool makes of many expressions, in one run."""
    maker = _Maker()
    texts = list(parsed(maker.expression(1 + number % 3) for number in range(HOW_MANY)))
    return evaluated(tmp_path_factory.mktemp("promtool"), texts)


def test_what_is_said_of_labels_is_so(series: dict[str, list[Series]]) -> None:
    assert [] == [fault for text, given in series.items() for fault in wrong(text, given)]


def test_enough_of_it_says_something(series: dict[str, list[Series]]) -> None:
    """Expressions without a result, or without a word on their labels, would prove nothing."""
    labelling = Labelling({})
    telling = [text for text, given in series.items() if given and labelling.of(parse(text)).labels.named]

    assert HOW_MANY / 4 < len(telling)


def test_what_never_matches_gives_nothing(series: dict[str, list[Series]]) -> None:
    labelling = Labelling({})
    outermost = [
        text
        for text in series
        if isinstance(expr := parse(text), Binary)
        and expr.operator not in ("or", "unless")
        and len(labelling.of(expr).mismatches) > sum(len(labelling.of(s).mismatches) for s in (expr.left, expr.right))
    ]

    assert 10 < len(outermost)
    assert [] == [text for text in outermost if series[text]]
