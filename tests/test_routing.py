"""Alertmanager's routing tree: which routes take an alert, held against amtool; and how its file is read."""

from __future__ import annotations

import random
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remediator.checking.alertmanager import read_configuration
from remediator.checking.routing import Configuration, Route
from remediator.rules.labels import ABSENT, PRESENT, Labels, exactly
from remediator.rules.reading import read_rules
from tests.processes import Missing, binary

Json = dict[str, Any]

SEED = 20_260_801


def configuration(route: Json, **more: Any) -> Configuration:
    names = sorted({receiver_of(each) for each in walk(route)} - {""})
    text = yaml.safe_dump({"route": route, "receivers": [{"name": name} for name in names]} | more)
    read = read_configuration(text, "alertmanager.yml")
    assert isinstance(read, Configuration), read
    return read


def walk(route: Json) -> list[Json]:
    return [route, *(each for child in route.get("routes", ()) for each in walk(child))]


def receiver_of(route: Json) -> str:
    return str(route.get("receiver", ""))


def taking(route: Json, labels: Labels) -> list[str]:
    return [taken.receiver for taken in configuration(route).root.taking(labels)]


def known(**values: str) -> Labels:
    """Labels of which everything is known."""
    return Labels({name: exactly(value) for name, value in values.items()}, ABSENT)


class TestRoutes:
    def test_a_child_that_goes_on_and_one_that_ends(self) -> None:
        first = {"receiver": "a", "matchers": ["x = 1"], "continue": True}
        route = {"receiver": "top", "routes": [first, {"receiver": "b", "matchers": ["x = 1"]}, {"receiver": "c"}]}

        assert ["a", "b"] == taking(route, known(x="1"))
        assert ["c"] == taking(route, known(x="2"))

    def test_the_top_takes_what_none_of_its_children_does(self) -> None:
        assert ["top"] == taking({"receiver": "top", "routes": [{"receiver": "a", "match": {"x": "1"}}]}, known())

    def test_a_child_that_only_may_match_ends_nothing(self) -> None:
        route = {"receiver": "top", "routes": [{"receiver": "a", "match_re": {"x": "1|2"}}, {"receiver": "b"}]}

        assert ["a", "b"] == taking(route, Labels({"x": PRESENT}))
        assert ["a", "top"] == taking({"receiver": "top", "routes": route["routes"][:1]}, Labels())

    def test_times_are_inherited(self) -> None:
        child = {"receiver": "a", "group_wait": "0s", "routes": [{"receiver": "b", "group_by": ["x"]}]}
        top = configuration({"receiver": "top", "group_by": ["..."], "repeat_interval": "1h", "routes": [child]}).root
        (leaf,) = top.routes[0].routes

        assert (("x",), timedelta(), timedelta(minutes=5), timedelta(hours=1)) == (
            leaf.times.group_by,
            leaf.times.group_wait,
            leaf.times.group_interval,
            leaf.times.repeat_interval,
        )
        assert ("...",) == top.routes[0].times.group_by


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("", "no `route:` in it", id="an empty file"),
            pytest.param("[]", "expected a mapping, found a list", id="a list"),
            pytest.param("receivers: []", "no `route:` in it", id="no route"),
            pytest.param("route: {receiver: a}\nreceivers: []", "line 1: no receiver 'a'", id="no such receiver"),
            pytest.param(
                "route: {receiver: a, groupby: [x]}\nreceivers: [{name: a}]",
                "route.groupby: line 1: unknown key (did you mean group_by?)",
                id="a typo",
            ),
            pytest.param(
                "route: {receiver: a, matchers: ['x ~ 1']}\nreceivers: [{name: a}]",
                'route.matchers[0]: line 1: "x ~ 1" is not a matcher',
                id="no matcher",
            ),
            pytest.param(
                "route: {receiver: a, group_wait: soon}\nreceivers: [{name: a}]",
                'route.group_wait: line 1: "soon" is not a duration',
                id="no duration",
            ),
            pytest.param("kind: AlertmanagerConfig\nspec: {}", "is only a part of the configuration", id="a part"),
        ],
    )  # fmt: skip
    def test_what_is_wrong(self, text: str, expected: str) -> None:
        read = read_configuration(text, "alertmanager.yml")

        assert not isinstance(read, Configuration)
        assert [] != [str(fault) for fault in read if expected in str(fault)], read

    @pytest.mark.parametrize(
        ("top", "webhook", "authorized"),
        [
            pytest.param({}, {}, False, id="none"),
            pytest.param({}, {"http_config": {"basic_auth": {"username": "a"}}}, True, id="its own"),
            pytest.param({"http_config": {"authorization": {"credentials": "a"}}}, {}, True, id="everybody's"),
            pytest.param(
                {"http_config": {"authorization": {"credentials": "a"}}},
                {"http_config": {}},
                False,
                id="its own is none",
            ),
        ],
    )
    def test_authorization_may_be_set_for_all(self, top: Json, webhook: Json, authorized: bool) -> None:
        receiver = {"name": "a", "webhook_configs": [{"url": "http://a/webhook"} | webhook]}
        read = configuration({"receiver": "a"}, receivers=[receiver], **{"global": top})

        assert [authorized] == [each.authorized for each in read.receivers["a"].webhooks]


scalars = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "a", "1m", "PrometheusRule", "x = 1"])
KEYS = """
    groups rules alert record expr for labels name interval kind spec items route routes receivers receiver matchers
    match webhook_configs http_config inhibit_rules equal
"""
keys = st.sampled_from(KEYS.split())
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


@given(st.dictionaries(keys, anything, max_size=4) | anything)
def test_whatever_stands_in_a_file_is_read_or_is_a_fault(value: Any) -> None:
    text = yaml.safe_dump(value)

    rules, routes = read_rules(text, "a.yaml"), read_configuration(text, "a.yaml")
    assert rules.files or rules.faults
    assert isinstance(routes, Configuration) or routes


# -- against amtool

CASES = 40


def random_route(dice: random.Random, depth: int, number: list[int]) -> Json:
    """A tree whose receivers are numbered, so that who takes an alert tells which route did."""
    number[0] += 1
    route: Json = {"receiver": f"r{number[0]}", "continue": dice.random() < 0.4}
    op, value = dice.choice(["=", "!=", "=~", "!~"]), dice.choice(["", "1", "2", "1|2", ".+"])
    if dice.random() < 0.8:
        route["matchers"] = [f'{dice.choice("xyz")} {op} "{value}"']
    if depth:
        route["routes"] = [random_route(dice, depth - 1, number) for _ in range(dice.randint(0, 3))]
    return route


@pytest.mark.servers
def test_the_routes_that_take_an_alert_are_those_that_amtool_says(tmp_path: Path) -> None:
    try:
        amtool = binary("PROMETHEUS_BIN_DIR", "amtool")
    except Missing as missing:
        pytest.skip(str(missing))
    dice = random.Random(SEED)
    for case in range(CASES):
        top: Json = {"receiver": "top", "routes": [random_route(dice, 2, [0]) for _ in range(3)]}
        labels = {name: dice.choice("12") for name in dice.sample("xyz", dice.randint(0, 3))}
        path = tmp_path / f"{case}.yml"
        names = sorted({receiver_of(each) for each in walk(top)})
        path.write_text(yaml.safe_dump({"route": top, "receivers": [{"name": name} for name in names]}))
        given_labels = [f"{name}={value}" for name, value in labels.items()]
        command = [amtool, "config", "routes", "test", f"--config.file={path}", *given_labels]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

        assert done.stdout.strip() == ",".join(taking(top, known(**labels))), (top, labels, done.stderr)


def test_a_route_knows_all_below_it() -> None:
    from remediator.checking.routing import every_route

    leaf = Route("c")
    assert ["a", "b", "c"] == [
        route.receiver for route in every_route(Route("a", routes=(Route("b", routes=(leaf,)),)))
    ]
