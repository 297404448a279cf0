"""What is watched for the namespaces that a flag names."""

from __future__ import annotations

import pytest

from remediator.cluster.area import Area
from remediator.cluster.granting import granting
from remediator.cluster.scope import Scope
from remediator.traffic.sight import Sight

EVERYWHERE = (
    "virtualservices.networking.istio.io in all namespaces",
    "destinationrules.networking.istio.io in all namespaces",
    "namespaces in the whole cluster",
    "canaries.flagger.app in all namespaces",
    "rollouts.argoproj.io in all namespaces",
    "remediations.remediator.io in all namespaces",
    "pauses.remediator.io in the whole cluster",
)


def scopes(area: Area) -> tuple[str, ...]:
    return tuple(map(str, (*area.routing(), *area.records(), *area.pauses())))


@pytest.mark.parametrize(
    ("area", "sight"),
    [
        pytest.param(Area(), Sight(), id="nothing is named"),
        pytest.param(Area(("shop", "web-*")), Sight(), id="a glob among the names"),
        pytest.param(
            Area(("shop", "[a-c]x"), "istio-config"), Sight(None, "istio-config"), id="another root namespace"
        ),
    ],
)
def test_the_whole_cluster_is_watched(area: Area, sight: Sight) -> None:
    assert EVERYWHERE == scopes(area)
    assert sight == area.sight


def test_with_names_alone_nothing_else_is_asked_for() -> None:
    area = Area(("shop", "bank", "shop"))
    assert (
        "virtualservices.networking.istio.io in shop",
        "virtualservices.networking.istio.io in bank",
        "destinationrules.networking.istio.io in shop",
        "destinationrules.networking.istio.io in bank",
        "destinationrules.networking.istio.io in istio-system",
        "namespaces named shop",
        "namespaces named bank",
        "canaries.flagger.app in shop",
        "canaries.flagger.app in bank",
        "rollouts.argoproj.io in shop",
        "rollouts.argoproj.io in bank",
        "remediations.remediator.io in shop",
        "remediations.remediator.io in bank",
        "pauses.remediator.io in the whole cluster",
    ) == scopes(area)
    assert len(scopes(area)) == area.watches
    assert Sight(frozenset({"shop", "bank", "istio-system"})) == area.sight


def test_the_root_namespace_is_watched_once() -> None:
    found = scopes(Area(("istio-system",)))
    assert 1 == found.count("destinationrules.networking.istio.io in istio-system")


def test_a_glob_keeps_what_matches_and_the_rules_and_rollouts_of_all() -> None:
    kept = {scope.kind: scope.keeps("bank") for scope in Area(("shop*",)).routing()}
    assert {
        "VirtualService": False,
        "Canary": False,
        "DestinationRule": True,
        "Namespace": True,
        "Rollout": True,
    } == kept


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        pytest.param(
            Scope("VirtualService", "shop"),
            "grant list and watch by a Role in shop (remediator schema --rbac --namespaces prints it)",
            id="in a namespace",
        ),
        pytest.param(
            Scope("VirtualService"),
            "grant list and watch by a ClusterRole (remediator schema --rbac prints it); or name the namespaces with "
            "--namespaces, and a Role in each is enough",
            id="in all namespaces",
        ),
        pytest.param(
            Scope("Namespace", name="shop"),
            "grant list and watch by a ClusterRole (remediator schema --rbac prints it)",
            id="one of no namespace",
        ),
        pytest.param(
            Scope("Pause"), "grant list and watch by a ClusterRole (remediator schema --rbac prints it)", id="pauses"
        ),
    ],
)
def test_a_missing_permission_says_how_to_grant_it(scope: Scope, words: str) -> None:
    assert words == granting(scope)
