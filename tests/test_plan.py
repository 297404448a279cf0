"""The plan in cases that people meet: one situation a row, the result written out."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.outcome import Reason
from remediator.policies.model import Action, MirrorScope
from remediator.traffic import subsets, virtualservice
from remediator.traffic.hosts import resolve
from remediator.traffic.proposal import Proposal, propose
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Refusal, Suspect
from tests.builders import by_host, destination, destination_rule, split, virtual_service, when

Json = dict[str, Any]
BOTH = frozenset({Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS})
FQDN = "reviews.shop.svc.cluster.local"
THREE = destination_rule(v1="v1", v2="v2", v3="v3")


def demand(version: str | None = "v2", host: str = "reviews", **more: Any) -> Demand:
    fields = {"actions": BOTH, "mirrors": MirrorScope.SUSPECT, "stable": None} | more
    return Demand(Suspect(resolve(host, "shop"), version), **fields)


def plan(body: Json, *demands: Demand, rules: tuple[Json, ...] = (THREE,), roots: tuple[Json, ...] = ()) -> Proposal:
    routing = virtualservice.read(body, roots)
    return propose(body, routing, Rules(tuple(subsets.read(rule) for rule in rules)), demands or (demand(),))


def weights(body: Json, protocol: str = "http", index: int = 0) -> dict[str, int | None]:
    route = body["spec"][protocol][index]["route"]
    return {item["destination"].get("subset", item["destination"]["host"]): item.get("weight") for item in route}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({"v1": 90, "v2": 10}, {"v1": 100, "v2": 0}, id="a canary of 10 % goes back to stable"),
        pytest.param({"v1": 60, "v3": 30, "v2": 10}, {"v1": 67, "v3": 33, "v2": 0}, id="in proportion to the others"),
        pytest.param({"v1": 1, "v3": 1, "v2": 1}, {"v1": 2, "v3": 1, "v2": 0}, id="a tie goes to the earlier one"),
        pytest.param({"v1": 7, "v2": 3}, {"v1": 10, "v2": 0}, id="a total that is not 100 is kept"),
        pytest.param({"v1": 90, "v2": 5, "v3": 0}, {"v1": 95, "v2": 0, "v3": 0}, id="an idle third version stays idle"),
        pytest.param({"v1": 100, "v2": 0}, {"v1": 100, "v2": 0}, id="no weight, nothing to do"),
        pytest.param({"v1": 100, "v2": None}, {"v1": 100, "v2": None}, id="a missing weight is no exposure"),
    ],
)
def test_weights_of_a_split(before: dict[str, int | None], after: dict[str, int]) -> None:
    found = plan(virtual_service({"route": split(**before)}))
    assert after == weights(found.after)


def test_a_header_matched_route_falls_back_on_what_the_other_routes_use() -> None:
    body = virtual_service(when(route=split(v2=None)), {"route": split(v1=None)})
    assert {"v1": None} == weights(plan(body).after)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            when("x", route=split(v1=100, v3=0)), id="what they name without giving it traffic does not count"
        ),
        pytest.param(when("x", route=split(v1=None)), id="nor does what stands behind a route that takes everything"),
    ],
)
def test_what_the_other_routes_use_is_what_gets_traffic(other: Json) -> None:
    body = virtual_service(when(route=split(v2=None)), other, {"route": split(v1=None)}, {"route": split(v3=None)})
    assert {"v1": None} == weights(plan(body).after)


def test_an_idle_sibling_that_the_other_routes_use_gets_everything() -> None:
    body = virtual_service(when(route=split(v1=0, v2=100)), {"route": split(v1=None)})
    assert {"v1": 100, "v2": 0} == weights(plan(body).after)


def test_a_port_stays_where_it_stood() -> None:
    body = virtual_service(when(route=[{"destination": destination("v2", port=8080)}]), {"route": split(v1=None)})
    assert destination("v1", port=8080) == plan(body).after["spec"]["http"][0]["route"][0]["destination"]


@pytest.mark.parametrize(
    ("body", "reason", "words"),
    [
        pytest.param(
            virtual_service({"route": split(v2=None)}),
            Reason.NO_STABLE_DESTINATION,
            "no route of the object uses another destination",
            id="the only route sends everything to the suspect",
        ),
        pytest.param(
            virtual_service(when(route=split(v2=None)), {"route": split(v1=50, v3=50)}),
            Reason.NO_STABLE_DESTINATION,
            "reviews.shop subset v1, reviews.shop subset v3",
            id="the other routes use two versions",
        ),
        pytest.param(
            virtual_service({"route": split(v1=0, v2=100)}),
            Reason.NO_STABLE_DESTINATION,
            "reviews.shop subset v1 has weight 0, and what is idle is not taken for stable",
            id="an idle sibling may be what was taken out a minute ago",
        ),
        pytest.param(
            virtual_service({"route": [{"destination": destination()}]}),
            Reason.NOT_SEPARABLE,
            "the whole service",
            id="a destination without a subset is the whole service",
        ),
        pytest.param(
            virtual_service(when(route=split(v2=None)), {"route": [{"destination": destination()}]}),
            Reason.NOT_SEPARABLE,
            "http[1]",
            id="one of the routes goes to the whole service",
        ),
        pytest.param(
            virtual_service({"route": split(v1=60, v2=60)}, {"route": None}),
            Reason.UNSAFE_PLAN,
            "spec.http[1]",
            id="a route of null beside it",
        ),
        pytest.param(
            virtual_service(when(route=split(v1=60, v2=60)), None),  # type: ignore[arg-type]
            Reason.UNSAFE_PLAN,
            "spec.http[1]: is null",
            id="an entry of null beside it",
        ),
        pytest.param(
            virtual_service({"route": split(v1=110, v2=-10)}),
            Reason.UNSAFE_PLAN,
            "-10 is below 0",
            id="a negative weight",
        ),
        pytest.param(
            virtual_service({"route": split(v1=None, v2=None)}),
            Reason.UNSAFE_PLAN,
            "the total weight is 0",
            id="no weights at all",
        ),
        pytest.param(
            virtual_service({"route": split(v1=90, v2=10), "mirror": destination("v3"), "mirrors": [{}]}),
            Reason.UNSAFE_PLAN,
            "mirror and mirrors exclude each other",
            id="mirror together with mirrors",
        ),
    ],
)
def test_refusals(body: Json, reason: Reason, words: str) -> None:
    found = plan(body)
    verdict = found.verdicts[0]
    assert isinstance(verdict, Refusal)
    assert (reason, None, body) == (verdict.reason, found.patch, found.after)
    assert words in verdict.message


class TestNamedStable:
    """`target.stable` of the policy."""

    def test_it_wins_over_the_proportions(self) -> None:
        found = plan(virtual_service({"route": split(v1=60, v3=30, v2=10)}), demand(stable="v1"))
        assert {"v1": 70, "v3": 30, "v2": 0} == weights(found.after)

    def test_it_may_be_idle(self) -> None:
        found = plan(virtual_service({"route": split(v1=0, v2=100)}), demand(stable="v1"))
        assert {"v1": 100, "v2": 0} == weights(found.after)

    def test_a_missing_weight_is_0_and_gets_a_number(self) -> None:
        found = plan(virtual_service({"route": split(v1=None, v2=10)}), demand(stable="v1"))
        assert {"v1": 10, "v2": 0} == weights(found.after)

    def test_it_takes_the_suspects_place_where_the_route_lacks_it(self) -> None:
        found = plan(virtual_service({"route": split(v3=90, v2=10)}), demand(stable="v1"))
        assert {"v3": 90, "v1": 10} == weights(found.after)

    def test_it_is_a_version_and_no_subset_name(self) -> None:
        rule = destination_rule(old={"version": "v1"}, new={"version": "v2"})
        found = plan(virtual_service({"route": split(new=None)}), demand(stable="v1"), rules=(rule,))
        assert {"old": None} == weights(found.after)

    def test_an_accused_one_does_not_make_another_service_stable(self) -> None:
        body = virtual_service({"route": [*split(v2=50), *split("ratings", v1=50)]})
        body["spec"]["http"][0]["route"][1]["destination"] = destination(host="ratings")
        verdict = plan(body, demand("v2", stable="v1"), demand("v1", stable="v3")).verdicts[0]
        assert isinstance(verdict, Refusal)
        assert Reason.NO_STABLE_DESTINATION == verdict.reason

    def test_a_rule_for_the_whole_mesh_does_not_hide_it(self) -> None:
        """The usual mTLS rule in the root namespace; nobody asks it where the service's namespace has a rule."""
        mesh = destination_rule("*.local", "istio-system")
        body = virtual_service(when(route=split(v2=None)), {"route": split(v1=None)})
        assert {"v1": None} == weights(plan(body, demand(stable="v1"), rules=(mesh, THREE)).after)

    def test_an_accused_one_is_none(self) -> None:
        body = virtual_service(when(route=split(v2=None)), {"route": split(v3=None)})
        found = plan(body, demand("v2", stable="v1"), demand("v1", stable="v3"))
        assert ([Reason.NO_STABLE_DESTINATION], {"v2": None}) == (
            [verdict.reason for verdict in found.verdicts if isinstance(verdict, Refusal)],
            weights(found.after),
        )

    def test_a_subset_that_not_every_client_knows_is_none(self) -> None:
        """A client in the object's namespace asks that namespace's rule, and would find nothing."""
        near = destination_rule(FQDN, "edge", v2="v2")
        body = virtual_service({"route": split("reviews.shop.svc.cluster.local", v2=None)}, namespace="edge")
        verdict = plan(body, demand(stable="v1"), rules=(near, THREE)).verdicts[0]
        assert isinstance(verdict, Refusal)
        assert Reason.NO_STABLE_DESTINATION == verdict.reason

    def test_several_destinations_of_it_share_in_proportion(self) -> None:
        rule = destination_rule(eu="v1", us="v1", new="v2")
        found = plan(virtual_service({"route": split(eu=30, us=60, new=10)}), demand(stable="v1"), rules=(rule,))
        assert {"eu": 33, "us": 67, "new": 0} == weights(found.after)

    def test_of_several_subsets_the_one_in_use_is_meant(self) -> None:
        rule = destination_rule(eu="v1", us="v1", new="v2")
        body = virtual_service(when(route=split(new=None)), {"route": split(us=None)})
        assert {"us": None} == weights(plan(body, demand(stable="v1"), rules=(rule,)).after)

    def test_without_a_subset_of_it_nothing_is_done(self) -> None:
        verdict = plan(virtual_service({"route": split(v3=90, v2=10)}), demand(stable="v9")).verdicts[0]
        assert isinstance(verdict, Refusal)
        assert Reason.NO_STABLE_DESTINATION == verdict.reason
        assert "subsets of the policy's stable version v9: none. Give that version a subset" in verdict.message


class TestSubsets:
    """Versions are what the DestinationRule says."""

    def test_a_subset_name_counts_where_there_is_no_rule(self) -> None:
        assert {"v1": 100, "v2": 0} == weights(plan(virtual_service({"route": split(v1=90, v2=10)}), rules=()).after)

    def test_a_subset_name_does_not_count_where_there_is_a_rule(self) -> None:
        rule = destination_rule(v1="v2", v2="v1")
        assert {"v1": 0, "v2": 100} == weights(
            plan(virtual_service({"route": split(v1=90, v2=10)}), rules=(rule,)).after
        )

    @pytest.mark.parametrize("label", ["version", "app.kubernetes.io/version", "service.istio.io/canonical-revision"])
    def test_each_label_that_tells_a_version(self, label: str) -> None:
        rule = destination_rule(a={label: "v1"}, b={label: "v2"})
        assert {"a": 100, "b": 0} == weights(plan(virtual_service({"route": split(a=90, b=10)}), rules=(rule,)).after)

    def test_labels_that_tell_no_version_cannot_be_told_apart(self) -> None:
        rule = destination_rule(stable={"app": "reviews"}, canary={"app": "reviews"})
        verdict = plan(virtual_service({"route": split(stable=90, canary=10)}), rules=(rule,)).verdicts[0]
        assert isinstance(verdict, Refusal)
        assert Reason.NOT_SEPARABLE == verdict.reason

    def test_a_subset_that_no_rule_defines_never_receives(self) -> None:
        found = plan(virtual_service({"route": split(v1=50, gone=30, v2=20)}))
        assert {"v1": 70, "gone": 30, "v2": 0} == weights(found.after)

    def test_two_namespaces_that_disagree_are_not_separable(self) -> None:
        rules = (destination_rule(v1="v1", v2="v2"), destination_rule(FQDN, "edge", v1="v1", v2="v3"))
        body = virtual_service({"route": split(FQDN, v1=90, v2=10)}, namespace="edge")
        verdict = plan(body, rules=rules).verdicts[0]
        assert isinstance(verdict, Refusal)
        assert Reason.NOT_SEPARABLE == verdict.reason


class TestSplitByHost:
    """`reviews-stable` and `reviews-canary`: the alert names the canary's host."""

    canary = demand(host="reviews-canary")

    def test_the_other_host_takes_over(self) -> None:
        body = virtual_service({"route": by_host(reviews_stable=90, reviews_canary=10)})
        assert {"reviews-stable": 100, "reviews-canary": 0} == weights(plan(body, self.canary, rules=()).after)

    def test_alone_in_its_route_it_is_the_whole_service(self) -> None:
        verdict = plan(virtual_service({"route": by_host(reviews_canary=100)}), self.canary, rules=()).verdicts[0]
        assert isinstance(verdict, Refusal)
        assert Reason.NOT_SEPARABLE == verdict.reason

    def test_a_host_that_has_other_versions_too_is_not_redirected(self) -> None:
        body = virtual_service({"route": by_host(other=90, reviews=10)})
        verdict = plan(body).verdicts[0]
        assert isinstance(verdict, Refusal)
        assert Reason.NOT_SEPARABLE == verdict.reason

    def test_another_host_that_leads_nowhere_is_none(self) -> None:
        body = virtual_service({"route": [*by_host(reviews_canary=10), *split("other", gone=90)]})
        rule = destination_rule("other", v1="v1")
        verdict = plan(body, self.canary, rules=(rule,)).verdicts[0]
        assert isinstance(verdict, Refusal)
        assert Reason.NOT_SEPARABLE == verdict.reason

    def test_a_named_stable_version_does_not_wake_an_idle_host(self) -> None:
        body = virtual_service({"route": by_host(reviews_canary=100, maintenance_page=0)})
        verdict = plan(body, demand(host="reviews-canary", stable="v1"), rules=()).verdicts[0]
        assert isinstance(verdict, Refusal)
        assert Reason.NO_STABLE_DESTINATION == verdict.reason

    def test_a_named_stable_version_means_the_other_host(self) -> None:
        body = virtual_service({"route": by_host(reviews_stable=90, reviews_canary=10)})
        found = plan(body, demand(host="reviews-canary", stable="v1"), rules=())
        assert {"reviews-stable": 100, "reviews-canary": 0} == weights(found.after)


MIRROR_ONLY = frozenset({Action.REMOVE_MIRRORS})


class TestMirrors:
    """`mirror` and its percentages, `mirrors`."""

    @pytest.mark.parametrize(
        "percentage",
        [
            pytest.param({}, id="no percentage is all of it"),
            pytest.param({"mirrorPercentage": {"value": 12.5}}, id="mirrorPercentage"),
            pytest.param({"mirrorPercent": 50}, id="mirrorPercent"),
            pytest.param({"mirror_percent": 50}, id="mirror_percent"),
            pytest.param({"mirrorPercentage": {"value": 1}, "mirrorPercent": 0}, id="the message wins"),
            pytest.param({"mirrorPercent": None}, id="a null percentage is all of it"),
        ],
    )
    def test_a_mirror_goes_with_every_percentage(self, percentage: Json) -> None:
        kept = {"route": split(v1=None), "timeout": "5s"}
        body = virtual_service(kept | {"mirror": destination("v2")} | percentage)
        assert [kept] == plan(body).after["spec"]["http"]

    @pytest.mark.parametrize(
        "percentage",
        [
            pytest.param({"mirrorPercentage": {"value": 0}}, id="0 %"),
            pytest.param({"mirrorPercentage": {}}, id="an empty percentage is 0 %"),
            pytest.param({"mirrorPercent": 0}, id="0 % in the deprecated field"),
        ],
    )
    def test_a_mirror_that_is_off_stays(self, percentage: Json) -> None:
        body = virtual_service({"route": split(v1=None), "mirror": destination("v2")} | percentage)
        assert (False,) == plan(body).verdicts

    def test_only_the_suspects_elements_of_mirrors_go(self) -> None:
        items = [{"destination": destination(name)} for name in ("v2", "v3", "v2")]
        body = virtual_service({"route": split(v1=None), "mirrors": items})
        found = plan(body)
        assert [items[1]] == found.after["spec"]["http"][0]["mirrors"]
        assert found.patch is not None
        removed = [operation["path"] for operation in found.patch.operations if operation["op"] == "remove"]
        assert ["/spec/http/0/mirrors/2", "/spec/http/0/mirrors/0"] == removed

    def test_the_list_goes_with_its_last_element(self) -> None:
        body = virtual_service({"route": split(v1=None), "mirrors": [{"destination": destination("v2")}]})
        assert [{"route": split(v1=None)}] == plan(body).after["spec"]["http"]

    def test_all_takes_every_mirror_of_routes_that_reach_the_service(self) -> None:
        body = virtual_service(
            {
                "match": [{"uri": {"prefix": "/a"}}],
                "route": split(v1=None),
                "mirrors": [{"destination": destination("v2")}, {"destination": destination(host="audit")}],
            },
            {"route": [{"destination": destination(host="ratings")}], "mirror": destination(host="audit")},
        )
        found = plan(body, demand(version=None, actions=MIRROR_ONLY, mirrors=MirrorScope.ALL))
        assert "mirrors" not in found.after["spec"]["http"][0]
        assert body["spec"]["http"][1] == found.after["spec"]["http"][1]

    @pytest.mark.parametrize("weight", [10, 0])
    def test_all_is_about_routes_as_they_were(self, weight: int) -> None:
        """The canary's host has no weight left, or never had any here; the other route gives it some."""
        first = {
            "route": by_host(reviews_stable=100 - weight, reviews_canary=weight),
            "mirror": destination(host="audit"),
        }
        body = virtual_service(when(**first), {"route": by_host(reviews_stable=90, reviews_canary=10)})
        found = plan(body, demand(host="reviews-canary", mirrors=MirrorScope.ALL), rules=())
        assert (True,) == found.verdicts
        assert ("mirror" in found.after["spec"]["http"][0]) == (weight == 0)

    def test_a_mirror_to_a_host_of_its_own_is_the_suspect(self) -> None:
        body = virtual_service({"route": [{"destination": destination()}], "mirror": destination(host="reviews-v2")})
        found = plan(body, demand(host="reviews-v2"), rules=())
        assert [{"route": [{"destination": destination()}]}] == found.after["spec"]["http"]

    def test_a_mirror_to_a_whole_service_of_several_versions_is_not_separable(self) -> None:
        verdict = plan(virtual_service({"route": split(v1=None), "mirror": destination()})).verdicts[0]
        assert isinstance(verdict, Refusal)
        assert Reason.NOT_SEPARABLE == verdict.reason

    def test_a_delegates_mirror_is_switched_off_where_its_root_has_one(self) -> None:
        """Without a mirror of its own, a delegate inherits its root's; so removing this one would uncover that."""
        delegate = virtual_service({"route": split(v1=None), "mirror": destination("v2")}, hosts=[])
        root = virtual_service({"delegate": {"name": "reviews"}, "mirror": destination("v3")}, name="gateway")
        found = plan(delegate, roots=(root,))
        off = {"route": split(v1=None), "mirror": destination("v2"), "mirrorPercentage": {"value": 0}}
        assert [off] == found.after["spec"]["http"]
        assert (False,) == plan(found.after, roots=(root,)).verdicts

    def test_a_delegates_mirror_is_removed_where_its_root_has_none(self) -> None:
        delegate = virtual_service({"route": split(v1=None), "mirror": destination("v2")}, hosts=[])
        root = virtual_service({"delegate": {"name": "reviews"}}, name="gateway")
        assert [{"route": split(v1=None)}] == plan(delegate, roots=(root,)).after["spec"]["http"]

    def test_a_roots_mirror_over_a_delegate_is_removed(self) -> None:
        root = virtual_service({"delegate": {"name": "reviews"}, "mirror": destination("v2")}, name="gateway")
        assert [{"delegate": {"name": "reviews"}}] == plan(root).after["spec"]["http"]


def test_only_mirrors_are_touched_by_a_policy_that_only_removes_mirrors() -> None:
    body = virtual_service({"route": split(v1=90, v2=10), "mirror": destination("v2")})
    assert [{"route": split(v1=90, v2=10)}] == plan(body, demand(actions=MIRROR_ONLY)).after["spec"]["http"]


def test_only_weights_are_touched_by_a_policy_that_only_reverts() -> None:
    body = virtual_service({"route": split(v1=90, v2=10), "mirror": destination("v2")})
    found = plan(body, demand(actions=frozenset({Action.REVERT_TO_STABLE})))
    assert [{"route": split(v1=100, v2=0), "mirror": destination("v2")}] == found.after["spec"]["http"]


def test_tls_and_tcp_routes_are_reverted_too() -> None:
    tls = [{"match": [{"sniHosts": ["reviews"]}], "route": split(v1=80, v2=20)}]
    body = virtual_service(tls=tls, tcp=[{"route": split(v1=1, v2=1)}])
    after = plan(body).after
    assert ({"v1": 100, "v2": 0}, {"v1": 2, "v2": 0}) == (weights(after, "tls"), weights(after, "tcp"))


def test_a_route_behind_one_that_takes_everything_carries_nothing() -> None:
    body = virtual_service({"route": split(v1=None)}, {"route": split(v2=None)})
    assert (False,) == plan(body).verdicts


def test_what_stands_behind_a_delegate_is_live() -> None:
    """A delegate takes what its own routes match, and leaves the rest."""
    body = virtual_service({"delegate": {"name": "api"}}, {"route": split(v1=90, v2=10)})
    assert {"v1": 100, "v2": 0} == weights(plan(body).after, index=1)


def test_a_prefix_of_everything_in_a_delegate_is_not_everything() -> None:
    """It is merged with the root's match, say `/api`."""
    everything = {"match": [{"uri": {"prefix": "/"}}], "route": split(v1=None)}
    body = virtual_service(everything, {"route": split(v1=90, v2=10)}, hosts=[])
    assert {"v1": 100, "v2": 0} == weights(plan(body).after, index=1)


def test_two_accused_versions_never_get_each_others_traffic() -> None:
    body = virtual_service({"route": split(v1=80, v2=10, v3=10)})
    found = plan(body, demand("v2"), demand("v3"))
    assert ({"v1": 100, "v2": 0, "v3": 0}, (True, True)) == (weights(found.after), found.verdicts)


def test_both_sides_accused_is_refused_for_both() -> None:
    found = plan(virtual_service({"route": split(v1=90, v2=10)}), demand("v1"), demand("v2"))
    reasons = [verdict.reason for verdict in found.verdicts if isinstance(verdict, Refusal)]
    assert ([Reason.STABLE_ALSO_FAILING] * 2, None) == (reasons, found.patch)


def test_several_alerts_for_one_suspect_take_part_in_one_change() -> None:
    found = plan(virtual_service({"route": split(v1=90, v2=10)}), demand(), demand())
    assert (True, True) == found.verdicts


def test_changes_read_as_a_person_says_them() -> None:
    body = virtual_service(
        when(name="beta", route=split(v2=None)),
        {"route": split(v1=90, v2=10), "mirror": destination("v2"), "mirrorPercentage": {"value": 100}},
    )
    assert (
        "http[0] (beta): reviews.shop subset v2 → reviews.shop subset v1",
        "http[1]: reviews.shop subset v1 weight 90 → 100",
        "http[1]: reviews.shop subset v2 weight 10 → 0",
        "http[1]: mirror to reviews.shop subset v2 (100 %) removed",
    ) == plan(body).plan.changes


def test_a_share_that_changes_twice_is_told_in_full() -> None:
    found = plan(virtual_service({"route": split(v2=50, v3=50)}), demand("v2", stable="v1"), demand("v3", stable="v1"))
    assert (
        "http[0]: reviews.shop subset v2 → reviews.shop subset v1",
        "http[0]: reviews.shop subset v1 weight 50 → 100",
        "http[0]: reviews.shop subset v3 weight 50 → 0",
    ) == found.plan.changes


def test_another_host_is_not_put_in_the_place_of_a_share_with_a_port() -> None:
    """The port is the service's own; on the other one it may lead nowhere."""
    canary = {"destination": destination("v2", "reviews-canary", 9080), "weight": 100}
    body = virtual_service(when(route=[canary, *split(v3=0)]), {"route": split(v1=None)})
    rules = (THREE, destination_rule("reviews-canary", v2="v2"))
    verdict = plan(body, demand(host="reviews-canary"), rules=rules).verdicts[0]
    assert isinstance(verdict, Refusal)
    assert Reason.NO_STABLE_DESTINATION == verdict.reason


def test_the_patch_says_what_it_expects_and_what_it_does() -> None:
    found = plan(virtual_service({"route": split(v1=90, v2=10)}))
    assert found.patch is not None
    route = "/spec/http/0/route"
    assert [
        {"op": "test", "path": "/metadata/uid", "value": "uid-shop-reviews"},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "test", "path": f"{route}/0/destination/host", "value": "reviews"},
        {"op": "test", "path": f"{route}/0/destination/subset", "value": "v1"},
        {"op": "test", "path": f"{route}/0/weight", "value": 90},
        {"op": "test", "path": f"{route}/1/destination/host", "value": "reviews"},
        {"op": "test", "path": f"{route}/1/destination/subset", "value": "v2"},
        {"op": "test", "path": f"{route}/1/weight", "value": 10},
        {"op": "replace", "path": f"{route}/0/weight", "value": 100},
        {"op": "replace", "path": f"{route}/1/weight", "value": 0},
    ] == found.patch.operations
