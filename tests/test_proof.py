"""The proof stops wrong plans: each is made wrong on purpose, and held against the object."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.policies.model import Action, MirrorScope
from remediator.traffic import subsets, virtualservice
from remediator.traffic.exposure import Facts
from remediator.traffic.hosts import resolve
from remediator.traffic.proof import disproof
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Suspect
from tests.builders import destination, destination_rule, split, virtual_service

REVIEWS = resolve("reviews", "shop")
FACTS = Facts("shop", Rules((subsets.read(destination_rule(v1="v1", v2="v2", v3="v3")),)))
V2, V3 = Suspect(REVIEWS, "v2"), Suspect(REVIEWS, "v3")
BEFORE = {"route": split(v1=80, v2=10, v3=10), "mirror": destination("v2")}


def wrong(after: dict[str, Any], mirrors: MirrorScope = MirrorScope.SUSPECT) -> str | None:
    before = virtualservice.read(virtual_service(BEFORE))
    demand = Demand(V2, frozenset(Action), mirrors, None)
    return disproof(before, virtual_service(after), FACTS, [demand], frozenset({V2, V3}))


def test_a_right_plan_is_not_disproved() -> None:
    assert wrong({"route": split(v1=90, v2=0, v3=10)}) is None


@pytest.mark.parametrize(
    ("after", "words"),
    [
        pytest.param({"route": split(v1=89, v2=1, v3=10)}, "reviews.shop v2 would still get traffic", id="weight left"),
        pytest.param(BEFORE | {"route": split(v1=90, v2=0, v3=10)}, "would still get traffic", id="a mirror left"),
        pytest.param({"route": [{"destination": destination()}]}, "would still get traffic", id="the whole service"),
        pytest.param(
            {"route": split(v1=80, v2=0, v3=10)}, "total weight would become 90, not 100", id="a total changed"
        ),
        pytest.param(
            {"route": split(v1=80, v2=0, v3=20)}, "reviews.shop v3, which is accused as well", id="v3 gets more"
        ),
        pytest.param({"route": split(v1=0, v2=0, v3=0)}, "the total weight is 0", id="a black hole"),
        pytest.param({"route": []}, "one of route, redirect", id="an empty route"),
    ],
)
def test_a_wrong_plan_is_disproved(after: dict[str, Any], words: str) -> None:
    assert words in str(wrong(after))


def test_any_mirror_left_is_wrong_where_all_were_to_go() -> None:
    after = {"route": split(v1=90, v2=0, v3=10), "mirrors": [{"destination": destination(host="audit")}]}
    assert "would still get traffic" in str(wrong(after, MirrorScope.ALL))
    assert wrong(after) is None
