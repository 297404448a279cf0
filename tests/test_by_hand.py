"""What a person asks for by hand: which suspect a word means, and a work that makes no other change than was shown."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.inventory import Inventory
from remediator.cluster.port import Snapshot
from remediator.errors import InputError
from remediator.outcome import Outcome, Reason
from remediator.pipeline.by_hand import Agreed, Settled, Wish, plan_by_hand
from remediator.pipeline.drafting import draft, granted, key_of
from remediator.policies.model import MANUAL, Action
from remediator.records.model import Request
from tests.builders import Json, by_host, destination, destination_rule, split, virtual_service, when

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
REQUEST = Request("ada", "INC-4711")

RULE = destination_rule(v1="v1", v2="v2")
SPLIT = {"route": split(v1=90, v2=10)}
HOSTS = {"route": by_host(reviews_stable=90, reviews_canary=10)}


def snapshot(*bodies: Json) -> Snapshot:
    """The VirtualService, which is the first, with the others in the index."""
    inventory = Inventory()
    for body in bodies:
        inventory.put(body)
    return inventory.snapshot(bodies[0])


def rollback(suspect: str, **more: str) -> Wish:
    return Wish(Action.REVERT_TO_STABLE, REQUEST, suspect, more.get("service"), more.get("stable"))


def stop_mirror(suspect: str | None = None, service: str | None = None) -> Wish:
    return Wish(Action.REMOVE_MIRRORS, REQUEST, suspect, service)


def planned(wish: Wish, *bodies: Json) -> Agreed:
    found = plan_by_hand(snapshot(*bodies), wish, NOW)
    assert isinstance(found, Agreed), found
    return found


def settled(wish: Wish, *bodies: Json) -> Settled:
    found = plan_by_hand(snapshot(*bodies), wish, NOW)
    assert isinstance(found, Settled), found
    return found


def mirrored(host: str, subset: str | None = None) -> Json:
    return {"route": split(v1=100), "mirror": destination(subset, host)}


# -- whom a word means


@pytest.mark.parametrize(
    ("wish", "bodies", "changes"),
    [
        pytest.param(
            rollback("v2"),
            (virtual_service(SPLIT), RULE),
            ["http[0]: reviews.shop subset v1 weight 90 → 100", "http[0]: reviews.shop subset v2 weight 10 → 0"],
            id="a version that a DestinationRule names",
        ),
        pytest.param(
            rollback("2.0"),
            (virtual_service(SPLIT), destination_rule(v1="1.0", v2="2.0")),
            ["http[0]: reviews.shop subset v1 weight 90 → 100", "http[0]: reviews.shop subset v2 weight 10 → 0"],
            id="a version that is called otherwise than its subset",
        ),
        pytest.param(
            rollback("v2"),
            (virtual_service(SPLIT),),
            ["http[0]: reviews.shop subset v1 weight 90 → 100", "http[0]: reviews.shop subset v2 weight 10 → 0"],
            id="a subset, where no DestinationRule says more",
        ),
        pytest.param(
            rollback("v2"),
            (virtual_service(when(route=[{"destination": destination(host="ratings")}]), SPLIT), RULE),
            ["http[1]: reviews.shop subset v1 weight 90 → 100", "http[1]: reviews.shop subset v2 weight 10 → 0"],
            id="the one service that has the version, beside a whole other one",
        ),
        pytest.param(
            rollback("v2"),
            (
                virtual_service(when(route=split("ratings", v1=100, v2=0)), SPLIT),
                RULE,
                destination_rule("ratings", v1="v1", v2="v2"),
            ),
            ["http[1]: reviews.shop subset v1 weight 90 → 100", "http[1]: reviews.shop subset v2 weight 10 → 0"],
            id="the one service that gives the version any traffic",
        ),
        pytest.param(
            rollback("v2", service="ratings"),
            (
                virtual_service(when(route=split("ratings", v1=50, v2=50)), SPLIT),
                RULE,
                destination_rule("ratings", v1="v1", v2="v2"),
            ),
            ["http[0]: ratings.shop subset v1 weight 50 → 100", "http[0]: ratings.shop subset v2 weight 50 → 0"],
            id="of two services with the version, the one that is named",
        ),
        *(
            pytest.param(
                rollback(name),
                (virtual_service(HOSTS),),
                ["http[0]: reviews-stable.shop weight 90 → 100", "http[0]: reviews-canary.shop weight 10 → 0"],
                id=f"a split by host: {name}",
            )
            for name in ("reviews-canary", "Reviews-Canary.shop", "reviews-canary.shop.svc.cluster.local")
        ),
        pytest.param(
            rollback("v2", service="reviews-canary"),
            (virtual_service(HOSTS),),
            ["http[0]: reviews-stable.shop weight 90 → 100", "http[0]: reviews-canary.shop weight 10 → 0"],
            id="a split by host, with a version as an alert has it",
        ),
        pytest.param(
            rollback("reviews-canary"),
            (virtual_service(HOSTS), destination_rule("reviews-canary", all="v2")),
            ["http[0]: reviews-stable.shop weight 90 → 100", "http[0]: reviews-canary.shop weight 10 → 0"],
            id="a split by host, whose one version is known",
        ),
        pytest.param(
            rollback("reviews-canary"),
            (virtual_service({"route": [*by_host(reviews_stable=90), *split("reviews-canary", blue=10)]}),),
            ["http[0]: reviews-stable.shop weight 90 → 100", "http[0]: reviews-canary.shop subset blue weight 10 → 0"],
            id="a host by its one subset",
        ),
        pytest.param(
            rollback("v2", stable="v3"),
            (virtual_service({"route": split(v1=80, v2=10, v3=10)}), destination_rule(v1="v1", v2="v2", v3="v3")),
            ["http[0]: reviews.shop subset v2 weight 10 → 0", "http[0]: reviews.shop subset v3 weight 10 → 20"],
            id="a stable version",
        ),
        pytest.param(
            rollback("reviews-canary", stable="reviews-stable"),
            (virtual_service(HOSTS),),
            ["http[0]: reviews-stable.shop weight 90 → 100", "http[0]: reviews-canary.shop weight 10 → 0"],
            id="a stable host",
        ),
        pytest.param(
            rollback("reviews-canary", stable="v1"),
            (virtual_service(HOSTS),),
            ["http[0]: reviews-stable.shop weight 90 → 100", "http[0]: reviews-canary.shop weight 10 → 0"],
            id="a stable version that can only be the other host",
        ),
        pytest.param(
            rollback("v2", stable="v1"),
            (virtual_service(when(route=split(v2=None))), RULE),
            ["http[0]: reviews.shop subset v2 → reviews.shop subset v1"],
            id="a stable version in the place of the only destination",
        ),
        pytest.param(
            stop_mirror(),
            (virtual_service(when(**mirrored("reviews", "v2")), mirrored("shadow")),),
            [
                "http[0]: mirror to reviews.shop subset v2 (100 %) removed",
                "http[1]: mirror to shadow.shop (100 %) removed",
            ],
            id="every mirror",
        ),
        pytest.param(
            stop_mirror("v2"),
            (virtual_service(when(**mirrored("reviews", "v2")), mirrored("shadow")), RULE),
            ["http[0]: mirror to reviews.shop subset v2 (100 %) removed"],
            id="mirrors of one version",
        ),
        pytest.param(
            stop_mirror("shadow"),
            (virtual_service(when(**mirrored("reviews", "v2")), mirrored("shadow")), RULE),
            ["http[1]: mirror to shadow.shop (100 %) removed"],
            id="mirrors of one host",
        ),
        pytest.param(
            stop_mirror("v9", "shadow"),
            (virtual_service(mirrored("shadow")),),
            ["http[0]: mirror to shadow.shop (100 %) removed"],
            id="mirrors of one host, with a version as an alert has it",
        ),
    ],
)
def test_a_word_that_names_one_thing(wish: Wish, bodies: tuple[Json, ...], changes: list[str]) -> None:
    assert changes == list(planned(wish, *bodies).proposal.plan.changes)


BOTH = destination_rule("ratings", v1="v1", v2="v2")


@pytest.mark.parametrize(
    ("wish", "bodies", "message"),
    [
        pytest.param(
            rollback("v2"),
            (virtual_service(when(route=split("ratings", v1=50, v2=50)), SPLIT), RULE, BOTH),
            "--suspect v2 may be several on VirtualService shop/reviews; say which: "
            "--suspect v2 --service ratings.shop, or --suspect v2 --service reviews.shop",
            id="a version of two services",
        ),
        pytest.param(
            rollback("canary"),
            (virtual_service({"route": [*split(v1=80, canary=10), *by_host(canary=10)]}),),
            "--suspect canary may be several on VirtualService shop/reviews; say which: "
            "--suspect canary --service reviews.shop, or --suspect canary.shop",
            id="a version and a host",
        ),
        pytest.param(
            rollback("v2"),
            (virtual_service(HOSTS),),
            "--suspect v2: nothing says which host of VirtualService shop/reviews is version v2; name the host: "
            "--suspect reviews-canary.shop, or --suspect reviews-stable.shop",
            id="a version of hosts that tell none",
        ),
        pytest.param(
            rollback("reviews"),
            (virtual_service(SPLIT), RULE),
            "--suspect reviews: reviews.shop has the versions v1, v2; say which one: "
            "--suspect v2 --service reviews.shop",
            id="a host with several versions",
        ),
        pytest.param(
            rollback("v9"),
            (virtual_service(SPLIT), RULE),
            "--suspect v9: VirtualService shop/reviews has no host and no version of that name; "
            "it has reviews.shop (v1, v2)",
            id="nothing of that name",
        ),
        pytest.param(
            rollback("v9", service="reviews"),
            (virtual_service(SPLIT), RULE),
            "--suspect v9: reviews.shop has no such version; it has v1, v2",
            id="no such version of the service",
        ),
        pytest.param(
            rollback("v2", service="ratings"),
            (virtual_service(SPLIT), RULE),
            "--service ratings: VirtualService shop/reviews neither sends nor mirrors to it, "
            "but to reviews.shop (v1, v2)",
            id="no such service",
        ),
        pytest.param(
            stop_mirror("shadow"),
            (virtual_service(),),
            "--suspect shadow: VirtualService shop/reviews has no host and no version of that name; "
            "it has no host at all",
            id="an object without routes",
        ),
    ],
)
def test_a_word_that_is_asked_back(wish: Wish, bodies: tuple[Json, ...], message: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_by_hand(snapshot(*bodies), wish, NOW)
    assert message == str(caught.value)


# -- refused, and nothing to do


@pytest.mark.parametrize(
    ("wish", "bodies", "reason", "words"),
    [
        pytest.param(
            rollback("v2"),
            (virtual_service({"route": by_host(reviews=100)}), RULE),
            Reason.NOT_SEPARABLE,
            "http[0]: reviews.shop is the whole service, the suspect among it; reviews.shop v2 cannot be told apart",
            id="the whole service, whose versions are known",
        ),
        pytest.param(
            rollback("v2"),
            (virtual_service({"route": by_host(reviews=100)}),),
            Reason.NOT_SEPARABLE,
            "http[0]: reviews.shop is the whole service, the suspect among it; reviews.shop v2 cannot be told apart",
            id="the whole service, of which nothing is known",
        ),
        pytest.param(
            rollback("reviews"),
            (virtual_service({"route": by_host(reviews=100)}),),
            Reason.NOT_SEPARABLE,
            "http[0]: reviews.shop is the whole service, the suspect among it; reviews.shop cannot be told apart",
            id="the whole service by its name",
        ),
        pytest.param(
            rollback("v2"),
            (virtual_service(SPLIT), destination_rule(v1={"track": "stable"}, v2={"track": "canary"})),
            Reason.NOT_SEPARABLE,
            "http[0]: reviews.shop subset v1 is a subset whose labels do not tell",
            id="labels that tell no version",
        ),
        pytest.param(
            rollback("v2"),
            (virtual_service({"route": split(v2=None)}), RULE),
            Reason.NO_STABLE_DESTINATION,
            "Name it in the policy's spec.target.stable (by hand: --stable)",
            id="nobody to fall back on",
        ),
        pytest.param(
            rollback("v2", stable="v2"),
            (virtual_service(SPLIT), RULE),
            Reason.SUSPECT_IS_STABLE,
            "reviews.shop v2 is both accused and called stable",
            id="the suspect as stable",
        ),
        pytest.param(
            rollback("reviews-canary", stable="v2"),
            (virtual_service(HOSTS), destination_rule("reviews-canary", all="v2")),
            Reason.SUSPECT_IS_STABLE,
            "reviews-canary.shop v2 is both accused and called stable",
            id="the suspect's own version as stable",
        ),
        pytest.param(
            rollback("reviews-canary", stable="b"),
            (virtual_service({"route": by_host(a=45, b=45, reviews_canary=10)}),),
            Reason.NO_STABLE_DESTINATION,
            "its traffic would go to a.shop, b.shop, and nothing says that this is b (by hand: --stable)",
            id="more hosts than the one that is called stable",
        ),
        pytest.param(
            rollback("reviews-canary", stable="v1"),
            (virtual_service({"route": by_host(a=45, b=45, reviews_canary=10)}),),
            Reason.NO_STABLE_DESTINATION,
            "its traffic would go to a.shop, b.shop, and nothing says that this is v1",
            id="two hosts, either of which may be the stable version",
        ),
        pytest.param(
            rollback("reviews-canary", stable="v1"),
            (virtual_service(HOSTS), destination_rule("reviews-stable", all="v0")),
            Reason.NO_STABLE_DESTINATION,
            "its traffic would go to reviews-stable.shop, and nothing says that this is v1",
            id="another host, which is known to be another version",
        ),
        pytest.param(
            rollback("v2"),
            (virtual_service({"route": split(v1=0, v2=0)}), RULE),
            Reason.UNSAFE_PLAN,
            "it is malformed",
            id="an object that Istio refuses",
        ),
        pytest.param(
            stop_mirror("v2"),
            (virtual_service({"route": split(v1=100), "mirror": destination()}), RULE),
            Reason.NOT_SEPARABLE,
            "http[0]: mirror to reviews.shop is the whole service",
            id="a mirror to the whole service",
        ),
    ],
)
def test_what_is_refused(wish: Wish, bodies: tuple[Json, ...], reason: Reason, words: str) -> None:
    found = settled(wish, *bodies)

    assert (Outcome.DENIED, reason) == (found.outcome, found.why.reason)
    assert words in found.why.message


@pytest.mark.parametrize(
    ("wish", "bodies", "message"),
    [
        pytest.param(
            rollback("v2"),
            (virtual_service({"route": split(v1=100, v2=0)}), RULE),
            "VirtualService shop/reviews gives no weight to reviews.shop v2",
            id="rolled back before",
        ),
        pytest.param(
            rollback("reviews-canary"),
            (virtual_service({"route": by_host(reviews_stable=100, reviews_canary=0)}),),
            "VirtualService shop/reviews gives no weight to reviews-canary.shop",
            id="a host, rolled back before",
        ),
        pytest.param(
            stop_mirror("v2"),
            (virtual_service({"route": split(v1=100, v2=0)}), RULE),
            "VirtualService shop/reviews mirrors nothing to reviews.shop v2",
            id="no mirror of the version",
        ),
        pytest.param(
            stop_mirror(),
            (virtual_service(SPLIT), RULE),
            "no mirror of VirtualService shop/reviews copies anything",
            id="no mirror at all",
        ),
        pytest.param(
            stop_mirror(),
            (virtual_service(mirrored("shadow") | {"mirrorPercentage": {"value": 0}}),),
            "no mirror of VirtualService shop/reviews copies anything",
            id="a mirror that is off",
        ),
    ],
)
def test_nothing_to_do(wish: Wish, bodies: tuple[Json, ...], message: str) -> None:
    found = settled(wish, *bodies)

    assert (Outcome.UNCHANGED, Reason.NOT_EXPOSED, message) == (found.outcome, *found.why.words)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param(
            rollback("v2"), ("http[0]: mirror to reviews.shop subset v2 (100 %)",), id="rollback leaves mirrors"
        ),
        pytest.param(
            stop_mirror("v2"), ("http[0]: reviews.shop subset v2 weight 10 of 100",), id="stop-mirror, weights"
        ),
        pytest.param(stop_mirror(), (), id="every mirror accuses nobody"),
    ],
)
def test_what_the_suspect_gets_all_the_same(wish: Wish, expected: tuple[str, ...]) -> None:
    body = virtual_service(SPLIT | {"mirror": destination("v2")})

    assert expected == planned(wish, body, RULE).remaining


def test_what_stays_is_said_where_there_is_nothing_to_do_as_well() -> None:
    body = virtual_service({"route": split(v1=100, v2=0), "mirror": destination("v2")})

    assert ("http[0]: mirror to reviews.shop subset v2 (100 %)",) == settled(rollback("v2"), body, RULE).remaining


def test_who_gets_the_traffic() -> None:
    body = virtual_service({"route": split(v1=60, v2=10, v3=30)}, when(route=split(v2=None)))
    rule = destination_rule(v1="v1", v2="v2", v3="v3")
    work = planned(rollback("v2", stable="v1"), body, rule)

    assert ["reviews.shop subset v1"] == [str(each) for each in work.proposal.plan.receivers]


# -- the record


def test_the_record_names_the_person_and_nothing_else_makes_it_a_special_case() -> None:
    work = planned(rollback("v2", stable="v1"), virtual_service(SPLIT), RULE)
    (first,) = granted(work)
    intent = draft(work, first, key_of(work, first).name(), NOW).intent

    assert (MANUAL, MANUAL, REQUEST) == (intent.policy.name, intent.alert.alertname, intent.request)
    assert {"alertname": MANUAL, "by": "ada", "reason": "INC-4711"} == intent.alert.labels
    assert ("reviews.shop v2", "v1", (Action.REVERT_TO_STABLE,)) == (str(intent.suspect), intent.stable, intent.actions)
    assert NOW == intent.alert.starts_at
    assert key_of(work, first).name().startswith("manual-")


@dataclass(frozen=True)
class Asked:
    wish: Wish
    at: datetime


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Asked(replace(rollback("v2"), request=Request("bob", "INC-4711")), NOW), id="another person"),
        pytest.param(Asked(rollback("v1"), NOW), id="another suspect"),
        pytest.param(Asked(stop_mirror("v2"), NOW), id="another action"),
        pytest.param(Asked(rollback("v2"), NOW.replace(microsecond=1)), id="another moment"),
    ],
)
def test_each_asking_has_a_record_of_its_own(other: Asked) -> None:
    known = snapshot(virtual_service(SPLIT | {"mirror": destination("v2")}), RULE)

    def name(asked: Asked) -> str:
        work = plan_by_hand(known, asked.wish, asked.at)
        assert isinstance(work, Agreed)
        return key_of(work, granted(work)[0]).name()

    assert name(Asked(rollback("v2"), NOW)) == name(Asked(rollback("v2"), NOW))
    assert name(Asked(rollback("v2"), NOW)) != name(other)


def test_every_mirror_is_one_patch_with_a_case_for_each_host() -> None:
    work = planned(stop_mirror(), virtual_service(when(**mirrored("reviews", "v2")), mirrored("shadow")))

    assert ["reviews.shop", "shadow.shop"] == [str(case.demand.suspect) for case in work.cases]
    assert 2 == len({case.alert.fingerprint for case in work.cases})
    assert (True, True) == work.proposal.verdicts


# -- nothing but what was shown


def moved(body: Json, change: Any) -> Json:
    other = copy.deepcopy(body)
    other["metadata"]["resourceVersion"] = "2"
    change(other["spec"]["http"], other)
    return other


WAY = virtual_service(when(route=split(v1=None)), SPLIT | {"name": "all"})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda http, body: None, id="only its resourceVersion"),
        pytest.param(lambda http, body: body["metadata"].update(labels={"a": "b"}), id="a label"),
        pytest.param(lambda http, body: http[0].update(timeout="1s"), id="another route"),
        pytest.param(lambda http, body: http.append({"route": split(v1=None)}), id="a route at the end"),
    ],
)
def test_the_same_change_is_made_on_an_object_that_moved_elsewhere(change: Any) -> None:
    work = planned(rollback("v2"), WAY, RULE)
    again = work.on(snapshot(moved(WAY, change), RULE))

    assert (True,) == again.proposal.verdicts
    assert work.proposal.plan.changes == again.proposal.plan.changes
    assert again.proposal.patch is not None
    assert "2" == again.proposal.patch.resource_version


@pytest.mark.parametrize(
    ("change", "now"),
    [
        pytest.param(
            lambda http, body: http[1]["route"][1].update(weight=20) or http[1]["route"][0].update(weight=80),
            "http[1] (all): reviews.shop subset v1 weight 80 → 100; "
            "http[1] (all): reviews.shop subset v2 weight 20 → 0",
            id="the weights",
        ),
        pytest.param(
            lambda http, body: http.insert(0, when("gold", route=split(v1=None))),
            "http[2] (all): reviews.shop subset v1 weight 90 → 100; "
            "http[2] (all): reviews.shop subset v2 weight 10 → 0",
            id="a route before it",
        ),
        pytest.param(
            lambda http, body: http[1].update(timeout="1s"),
            "http[1] (all): reviews.shop subset v1 weight 90 → 100; "
            "http[1] (all): reviews.shop subset v2 weight 10 → 0",
            id="the route that was shown",
        ),
        pytest.param(
            lambda http, body: http[0].update(route=split(v2=None)),
            "http[0]: reviews.shop subset v2 → reviews.shop subset v1; "
            "http[1] (all): reviews.shop subset v1 weight 90 → 100; "
            "http[1] (all): reviews.shop subset v2 weight 10 → 0",
            id="one route more that would be changed",
        ),
    ],
)
def test_another_change_than_was_shown_is_refused(change: Any, now: str) -> None:
    again = planned(rollback("v2"), WAY, RULE).on(snapshot(moved(WAY, change), RULE))
    (verdict,) = again.proposal.verdicts

    assert not isinstance(verdict, bool)
    assert Reason.CHANGED_SINCE is verdict.reason
    assert verdict.message.endswith(f"Now it would be: {now}")
    assert again.proposal.patch is None
    assert again.proposal.after == again.snapshot.body
    assert () == again.proposal.plan.changes


def test_what_somebody_else_has_done_meanwhile_is_nothing_to_do() -> None:
    gone = moved(WAY, lambda http, body: http[1].update(route=split(v1=100, v2=0)))
    again = planned(rollback("v2"), WAY, RULE).on(snapshot(gone, RULE))

    assert ((False,), None) == (again.proposal.verdicts, again.proposal.patch)


def test_less_than_was_shown_is_refused() -> None:
    """Two cases, of which one is overruled: one mirror would be removed where two were shown."""
    work = planned(stop_mirror(), virtual_service(when(**mirrored("reviews", "v2")), mirrored("shadow")))
    less = work.without({0})

    assert [Reason.CHANGED_SINCE] == [getattr(verdict, "reason", None) for verdict in less.proposal.verdicts]


@given(st.integers(0, 100), st.integers(0, 100))
def test_whatever_the_weights_become_no_other_change_is_made(before: int, after: int) -> None:
    def body(weight: int) -> Json:
        return virtual_service({"route": split(v1=100 - weight, v2=weight)})

    first = plan_by_hand(snapshot(body(before), RULE), rollback("v2"), NOW)
    if not isinstance(first, Agreed):
        return
    again = first.on(snapshot(body(after), RULE))
    made = again.proposal.patch.edits if again.proposal.patch else None

    assert made in (None, first.proposal.patch.edits if first.proposal.patch else None)
    assert (made is None) is (before != after)
