"""Properties of every plan, on generated VirtualServices."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from remediator.outcome import Reason
from remediator.policies.model import Action, MirrorScope
from remediator.traffic import subsets, virtualservice
from remediator.traffic.hosts import resolve
from remediator.traffic.patch import apply
from remediator.traffic.proposal import Proposal, propose
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Refusal, Suspect
from tests import oracle
from tests.builders import virtual_service
from tests.strategies import GREEN, RULE, SUBSETS, spoil, virtual_services

BOTH = frozenset({Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS})
RULES = Rules((subsets.read(RULE),))
HOST = resolve("reviews", "shop")
V2 = Demand(Suspect(HOST, "v2"), BOTH, MirrorScope.SUSPECT, "v1")


def proposal(body: dict[str, Any], *demands: Demand) -> Proposal:
    return propose(body, virtualservice.read(body), RULES, demands or (V2,))


def planned(body: dict[str, Any]) -> Proposal:
    """The proposal for v2, where it is one."""
    found = proposal(body)
    assume(found.patch is not None)
    return found


@given(virtual_services())
def test_a_plan_is_made_exactly_where_the_suspect_gets_traffic(body: dict[str, Any]) -> None:
    found = proposal(body)
    assert (oracle.exposure(body, GREEN) > 0) == (found.verdicts != (False,))


@given(virtual_services())
def test_the_suspect_gets_no_traffic_in_the_result(body: dict[str, Any]) -> None:
    assert oracle.exposure(planned(body).after, GREEN) == 0


@given(virtual_services())
def test_a_named_stable_version_that_has_a_subset_is_never_refused(body: dict[str, Any]) -> None:
    assert not isinstance(proposal(body).verdicts[0], Refusal)


@given(virtual_services())
def test_what_others_get_is_never_less_than_before(body: dict[str, Any]) -> None:
    after = planned(body).after
    for protocol, index, entry in oracle.reachable(body):
        for name in ("blue", "red"):
            now = oracle.live_weight(after["spec"][protocol][index], {name})
            # A whole number of the total: rounding may take one from one receiver and give it to another.
            slack = 1 / max(1, sum(item.get("weight") or 0 for item in entry.get("route", [])))
            assert oracle.live_weight(entry, {name}) <= now + slack + 1e-9


@given(virtual_services())
def test_totals_are_kept(body: dict[str, Any]) -> None:
    after = planned(body).after
    for protocol, index, entry in oracle.reachable(body):
        was, now = entry.get("route", []), after["spec"][protocol][index].get("route", [])
        assert len(was) == len(now)
        if len(was) > 1:
            assert sum(item.get("weight", 0) for item in was) == sum(item.get("weight", 0) for item in now)


@given(virtual_services())
def test_planning_the_result_again_is_empty(body: dict[str, Any]) -> None:
    again = proposal(planned(body).after)
    assert ((False,), None) == (again.verdicts, again.patch)


@given(virtual_services())
def test_the_patch_applied_by_another_library_is_the_planned_state(body: dict[str, Any]) -> None:
    found = planned(body)
    assert found.patch is not None
    assert found.after == jsonpatch.apply_patch(body, found.patch.operations)


@given(virtual_services())
def test_undo_applied_is_the_original(body: dict[str, Any]) -> None:
    found = planned(body)
    assert found.patch is not None
    assert body == apply(found.after, found.patch.undo)
    assert body == jsonpatch.apply_patch(found.after, [edit.operation for edit in found.patch.undo])


@given(virtual_services())
def test_routes_that_do_not_reach_the_suspect_are_identical(body: dict[str, Any]) -> None:
    after = planned(body).after
    reached = {(protocol, index) for protocol, index, _ in oracle.reachable(body)}
    for protocol in ("http", "tls", "tcp"):
        for index, entry in enumerate(body["spec"].get(protocol, [])):
            exposes = oracle.live_weight(entry, GREEN) + oracle.mirrored(entry, GREEN)
            if (protocol, index) not in reached or not exposes:
                assert entry == after["spec"][protocol][index]
    assert {key: value for key, value in body.items() if key != "spec"} == {
        key: value for key, value in after.items() if key != "spec"
    }


@given(virtual_services())
def test_only_weights_subsets_and_mirrors_change(body: dict[str, Any]) -> None:
    def rest(source: dict[str, Any]) -> dict[str, Any]:
        stripped = copy.deepcopy(source)
        for protocol in ("http", "tls", "tcp"):
            for entry in stripped["spec"].get(protocol, []):
                for key in ("mirror", "mirrors", "mirrorPercentage", "mirrorPercent", "mirror_percent"):
                    entry.pop(key, None)
                for item in entry.get("route", []):
                    item.pop("weight", None)
                    item["destination"].pop("subset", None)
        return stripped

    assert rest(body) == rest(planned(body).after)


@given(virtual_services())
def test_the_result_is_one_that_istio_accepts(body: dict[str, Any]) -> None:
    assume(virtualservice.faults(body) == ())
    assert virtualservice.faults(planned(body).after) == ()


@given(virtual_services(), st.data())
def test_a_patch_fails_on_a_change_to_any_scalar_that_it_edits_beside(
    body: dict[str, Any], data: st.DataObject
) -> None:
    """Even without the resourceVersion, a reordered or retargeted route is never patched at the wrong place."""
    found = planned(body)
    assert found.patch is not None
    path, value = data.draw(st.sampled_from(found.patch.expects))
    changed = copy.deepcopy(body)
    parent: Any = changed
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = f"{value}x" if isinstance(value, str) else value + 1
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch(changed, found.patch.operations)


stables = st.sampled_from([None, "v1", "v2", "v3"])
versions = st.sampled_from(["v1", "v2", "v3"])


@given(
    virtual_services(), st.lists(st.tuples(versions, stables), min_size=2, max_size=3, unique_by=lambda pair: pair[0])
)
def test_no_accused_version_ever_gets_more(body: dict[str, Any], accusations: list[tuple[str, str | None]]) -> None:
    """Whatever each policy calls stable, refused or not, in any order."""
    demands = [Demand(Suspect(HOST, version), BOTH, MirrorScope.SUSPECT, stable) for version, stable in accusations]
    found = proposal(body, *demands)
    for (version, _), verdict in zip(accusations, found.verdicts, strict=True):
        names = {name for name, of in SUBSETS.items() if of == version}
        for protocol, index, entry in oracle.reachable(body):
            after = found.after["spec"][protocol][index]
            assert oracle.live_weight(after, names) <= oracle.live_weight(entry, names)
        if verdict is True:
            assert oracle.exposure(found.after, names) == 0


@given(virtual_services(), st.permutations([("v2", "v1"), ("v3", None), ("v1", "v3")]))
def test_the_order_of_alerts_does_not_matter_for_who_is_refused(
    body: dict[str, Any], accusations: list[tuple[str, str | None]]
) -> None:
    def refused(pairs: list[tuple[str, str | None]]) -> set[str]:
        demands = [Demand(Suspect(HOST, version), BOTH, MirrorScope.SUSPECT, stable) for version, stable in pairs]
        found = proposal(body, *demands)
        return {pair[0] for pair, verdict in zip(pairs, found.verdicts, strict=True) if isinstance(verdict, Refusal)}

    assert refused(sorted(accusations)) == refused(accusations)


by_hosts = st.dictionaries(
    st.sampled_from(["reviews-canary", "reviews-stable", "reviews-old", "page"]), st.integers(0, 100), min_size=2
).filter(lambda weights: sum(weights.values()) > 0)


@given(by_hosts, stables)
def test_a_split_by_host_never_wakes_an_idle_host(weights: dict[str, int], stable: str | None) -> None:
    route = [{"destination": {"host": host}, "weight": weight} for host, weight in weights.items()]
    body = virtual_service({"route": route})
    canary = Demand(Suspect(resolve("reviews-canary", "shop"), "v2"), BOTH, MirrorScope.SUSPECT, stable)
    found = propose(body, virtualservice.read(body), Rules(), [canary])
    after = {item["destination"]["host"]: item["weight"] for item in found.after["spec"]["http"][0]["route"]}
    assert sum(weights.values()) == sum(after.values())
    assert {host for host, weight in after.items() if weight} <= {host for host, weight in weights.items() if weight}
    others = [weight for host, weight in weights.items() if host != "reviews-canary" and weight]
    if weights.get("reviews-canary") and others:
        assert 0 == after["reviews-canary"]


@given(virtual_services())
def test_without_a_named_stable_version_a_refusal_says_so_and_changes_nothing(body: dict[str, Any]) -> None:
    found = proposal(body, Demand(Suspect(HOST, "v2"), BOTH, MirrorScope.SUSPECT, None))
    if isinstance(found.verdicts[0], Refusal):
        assert (Reason.NO_STABLE_DESTINATION, None, body) == (found.verdicts[0].reason, found.patch, found.after)
    else:
        assert oracle.exposure(found.after, GREEN) == 0


@given(virtual_services(), st.data())
def test_a_malformed_object_is_planned_soundly_or_left_alone(body: dict[str, Any], data: st.DataObject) -> None:
    spoil(body, data)
    before = copy.deepcopy(body)
    found = proposal(body)
    assert before == body
    if found.patch is not None:
        assert virtualservice.faults(found.after) == ()
        assert (True,) == found.verdicts
