"""DestinationRules that are not read: they are not taken for such as are not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.outcome import Reason
from remediator.policies.model import Action, MirrorScope
from remediator.traffic import subsets, virtualservice
from remediator.traffic.exposure import Facts, Relation
from remediator.traffic.hosts import Host, resolve
from remediator.traffic.proposal import Proposal, propose
from remediator.traffic.sight import Sight
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Refusal, Suspect
from remediator.traffic.view import Destination
from tests.builders import destination, destination_rule, split, virtual_service

Json = dict[str, Any]

SHOP = resolve("reviews", "shop")
BANK = resolve("reviews.bank.svc.cluster.local", "shop")
OUTSIDE = resolve("api.example.com", "shop")
HERE = Sight.of(("shop",), "istio-system")
ALL = Sight()
BOTH = frozenset({Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS})


def rules(*bodies: Json, sight: Sight = HERE) -> Rules:
    """Those of the bodies that are read."""
    read = map(subsets.read, bodies)
    return Rules(tuple(each for each in read if sight.namespaces is None or each.namespace in sight.namespaces), sight)


def plan(body: Json, known: Rules, host: Host = BANK, **more: Any) -> Proposal:
    demand = Demand(Suspect(host, "v2"), **({"actions": BOTH, "mirrors": MirrorScope.SUSPECT, "stable": None} | more))
    return propose(body, virtualservice.read(body), known, (demand,))


def routed(host: str = BANK, **http: Any) -> Json:
    return virtual_service({"route": split(host, v1=90, v2=10)} | http)


@pytest.mark.parametrize(
    ("sight", "host", "unseen"),
    [
        pytest.param(HERE, SHOP, "", id="a service of a namespace that is watched"),
        pytest.param(HERE, resolve("pilot.istio-system.svc.cluster.local", ""), "", id="one of the root namespace"),
        pytest.param(HERE, BANK, "namespace bank", id="one of another namespace"),
        pytest.param(HERE, OUTSIDE, "namespaces besides istio-system, shop", id="a host outside the cluster"),
        pytest.param(ALL, BANK, "", id="everything is read"),
        pytest.param(ALL, OUTSIDE, "", id="everything is read, and so is what speaks of other hosts"),
    ],
)
def test_where_unread_rules_may_stand(sight: Sight, host: Host, unseen: str) -> None:
    assert unseen == sight.unseen(host)


def test_a_subset_of_which_not_all_is_read_is_never_told() -> None:
    facts = Facts("shop", rules(destination_rule(BANK, "istio-system", v2="v2")))
    for subset in ("v1", "v2"):
        assert Relation.UNCLEAR is facts.relation(Destination(BANK, subset), Suspect(BANK, "v2"))
        assert not facts.is_dead(Destination(BANK, subset))
    assert () == facts.rules.names(BANK, "v2", "shop")
    assert facts.rules.speaks_of(BANK, "shop")
    assert not Facts("shop", rules()).one_version(Suspect(BANK, "v2"))


@pytest.mark.parametrize(
    ("body", "more"),
    [
        pytest.param(routed(), {}, id="the weights of two subsets"),
        pytest.param(
            virtual_service({"route": split(v1=None), "mirror": destination("v2", BANK)}), {}, id="a mirror to a subset"
        ),
        pytest.param(
            virtual_service({"route": split(v1=None), "mirror": destination(host=BANK)}),
            {},
            id="a mirror to a whole service, which may have versions",
        ),
        pytest.param(
            virtual_service({"route": [*split(v2=10), *split(BANK, v1=90)]}),
            {"host": SHOP},
            id="what would get the traffic is not known",
        ),
        pytest.param(
            virtual_service({"route": split(OUTSIDE, v1=90, v2=10)}), {"host": OUTSIDE}, id="a host outside the cluster"
        ),
    ],
)
def test_it_is_refused_where_rules_that_are_not_read_may_speak(body: Json, more: Json) -> None:
    found = plan(body, rules(destination_rule(v1="v1", v2="v2")), **more)
    (verdict,) = found.verdicts
    assert isinstance(verdict, Refusal)
    assert Reason.RULES_UNKNOWN == verdict.reason
    assert "not read. Watch that namespace too (--namespaces" in verdict.message
    assert found.patch is None


@pytest.mark.parametrize(
    ("body", "more"),
    [
        pytest.param(virtual_service({"route": split(v1=90, v2=10)}), {"host": SHOP}, id="all that matters is read"),
        pytest.param(
            virtual_service({"route": split(v1=90, v2=10)}, {"route": split(BANK, v1=50, v2=50)}),
            {"host": SHOP},
            id="another route goes elsewhere",
        ),
        pytest.param(
            virtual_service({"route": split(v1=None), "mirror": destination("v9", BANK)}),
            {"actions": frozenset({Action.REMOVE_MIRRORS}), "mirrors": MirrorScope.ALL},
            id="every mirror is taken, whichever version it goes to",
        ),
        pytest.param(
            virtual_service({"route": split(v1=90, v2=10), "mirror": destination("v9", BANK)}),
            {"host": SHOP},
            id="a mirror to a version of a service elsewhere, which is not the accused one",
        ),
    ],
)
def test_it_is_planned_where_they_cannot_matter(body: Json, more: Json) -> None:
    assert (True,) == plan(body, rules(destination_rule(v1="v1", v2="v2")), **more).verdicts


_hosts = st.sampled_from(["reviews", str(BANK), str(OUTSIDE)])
_subsets = st.sampled_from(["v1", "v2", "v3", None])
_destinations = st.builds(lambda host, subset: destination(subset, host), _hosts, _subsets)
_shares = st.builds(lambda to, weight: {"destination": to, "weight": weight}, _destinations, st.integers(0, 100))
_routes = st.lists(_shares, min_size=1, max_size=3)
_entries = st.builds(
    lambda route, mirror: {"route": route} | ({"mirror": mirror} if mirror else {}),
    _routes,
    st.none() | _destinations,
)
_versions = st.dictionaries(st.sampled_from(["v1", "v2", "v3"]), st.sampled_from(["v1", "v2"]), max_size=3)
_rules = st.builds(
    lambda host, namespace, found: destination_rule(host, namespace, **found),
    st.sampled_from([str(SHOP), str(BANK), str(OUTSIDE), "*.bank.svc.cluster.local"]),
    st.sampled_from(["shop", "bank", "istio-system", "egress"]),
    _versions,
)


@given(
    http=st.lists(_entries, min_size=1, max_size=2),
    bodies=st.lists(_rules, max_size=4),
    host=st.sampled_from([SHOP, BANK, OUTSIDE]),
    mirrors=st.sampled_from(MirrorScope),
    actions=st.sets(st.sampled_from(Action), min_size=1),
)
def test_who_sees_less_does_the_same_or_nothing(
    http: list[Json], bodies: list[Json], host: Host, mirrors: MirrorScope, actions: set[Action]
) -> None:
    body, more = virtual_service(*http), {"mirrors": mirrors, "actions": frozenset(actions)}
    narrow = plan(body, rules(*bodies), host, **more)
    wide = plan(body, rules(*bodies, sight=ALL), host, **more)
    assert narrow.patch is None or narrow.patch == wide.patch


def test_another_root_namespace_counts_in_the_place_of_istios_default() -> None:
    mesh = destination_rule(SHOP, "istio-config", v2="v2")
    assert rules(mesh, sight=ALL).versions(SHOP, "v2", "shop") is None
    assert frozenset({"v2"}) == rules(mesh, sight=replace(ALL, root="istio-config")).versions(SHOP, "v2", "shop")
