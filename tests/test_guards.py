"""Each guard at its edges: what it says, why, and the part of its message that a person needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from remediator.guards import (
    alert_age,
    budget,
    cooldown,
    evidence,
    freeze,
    lever,
    max_targets,
    namespaces,
    pause,
    stable_also_failing,
    stable_ready,
    suspect_is_stable,
    switch,
    unsafe_plan,
)
from remediator.guards.budget import Budget, Spent
from remediator.guards.cooldown import Made
from remediator.guards.judging import GUARDS, Guard, judge
from remediator.guards.pause import Pause
from remediator.guards.situation import Bounds, History, Object, Situation
from remediator.guards.stable_also_failing import Accused
from remediator.guards.stable_ready import Readiness
from remediator.guards.switch import Switch, annotated
from remediator.guards.verdict import Verdict, against, no, yes
from remediator.outcome import Reason
from remediator.owners import Driver, Driving, Owner, Rollout
from remediator.policies.intervals import (
    Span,
    TimeInterval,
    TimeRange,
    parse_days_of_month,
    parse_months,
    parse_time,
    parse_weekdays,
    parse_years,
    time_range,
)
from remediator.policies.model import Action, Guards, MirrorScope, Mode, TargetSpec
from remediator.policies.quantities import parse_percentage
from remediator.traffic import subsets, virtualservice
from remediator.traffic.exposure import Facts
from remediator.traffic.hosts import resolve
from remediator.traffic.plan import Plan, make
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Suspect
from remediator.traffic.view import Destination, RouteChange
from tests.builders import by_host, destination, destination_rule, split, virtual_service, when
from tests.test_pipeline import policy

Json = dict[str, Any]
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
REVIEWS = resolve("reviews", "shop")


def assert_says(verdict: Verdict, reason: Reason | None, telling: str) -> None:
    assert (reason, reason is None) == (verdict.reason, verdict.allows)
    assert telling in verdict.message


def z(text: str) -> datetime:
    """`2026-08-01 12:00` in UTC; seconds where they are given."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# -- pause

KIM = Pause("kim", "etcd is being moved", since=NOON - HOUR)


@pytest.mark.parametrize(
    ("pauses", "reason", "telling"),
    [
        pytest.param((), None, "nobody has paused the service", id="nobody has paused it"),
        pytest.param(
            (KIM,), Reason.PAUSED, "paused by kim since 2026-08-01T11:00:00Z until somebody resumes: etcd is being"
            " moved. `remediator resume` ends that", id="until somebody resumes",
        ),
        pytest.param(
            (replace(KIM, until=NOON + TICK),), Reason.PAUSED, "until 2026-08-01T12:00:00Z",
            id="in its last microsecond it holds",
        ),
        pytest.param((replace(KIM, until=NOON),), None, "nobody has paused", id="at its end it holds no longer"),
        pytest.param(
            (replace(KIM, until=NOON - HOUR, fault="spec.until is no time"),), Reason.PAUSED, "(spec.until is no time)",
            id="one that cannot be read holds, whatever else it says",
        ),
        pytest.param((Pause(""),), Reason.PAUSED, "by somebody", id="nobody says who it was"),
        pytest.param(
            (replace(KIM, until=NOON), Pause("lee", name="b")), Reason.PAUSED, "paused by lee until",
            id="of two, the one that still holds is told",
        ),
        pytest.param((KIM, Pause("lee", name="b")), Reason.PAUSED, "; by lee", id="of two that hold, both are told"),
        pytest.param(
            (replace(KIM, since=NOON + HOUR),), Reason.PAUSED, "since 2026-08-01T13:00",
            id="one written by a clock that is ahead holds at once",
        ),
    ],
)  # fmt: skip
def test_pause(pauses: tuple[Pause, ...], reason: Reason | None, telling: str) -> None:
    assert_says(pause.evaluate(pauses, NOON), reason, telling)


# -- switch: the annotation remediator.io/mode

OFF = Reason.SWITCHED_OFF


@pytest.mark.parametrize(
    ("on_object", "on_namespace", "opt_in", "reason", "telling"),
    [
        pytest.param(None, None, False, None, "no annotation remediator.io/mode", id="no annotation, and none needed"),
        pytest.param(None, None, True, Reason.NOT_OPTED_IN, "(--opt-in)", id="no annotation, and --opt-in wants one"),
        pytest.param("Off", None, False, OFF, "of the object says Off", id="Off on the object"),
        pytest.param(None, "Off", False, OFF, "of its namespace says Off", id="Off on the namespace"),
        pytest.param("Enforce", "Off", True, OFF, "of its namespace says Off", id="the namespace's Off wins"),
        pytest.param("Off", "Enforce", True, OFF, "of the object says Off", id="the object's Off wins"),
        pytest.param("off", None, False, OFF, "says 'off', which is none of Off, Observe", id="case counts: off"),
        pytest.param("enforce", None, False, OFF, "says 'enforce'", id="case counts: enforce"),
        pytest.param(" Enforce", None, False, OFF, "says ' Enforce'", id="a space is part of the word"),
        pytest.param("", None, False, OFF, "of the object says ''", id="an empty word is none"),
        pytest.param("yes", "Enforce", True, OFF, "'yes', which is none of", id="a word that is not known"),
        pytest.param("Enforce", "of", True, OFF, "of its namespace says 'of'", id="a misspelt word on the namespace"),
        pytest.param("Enforce", None, True, None, "says Enforce on the object", id="the object opts in"),
        pytest.param(None, "Observe", True, None, "Observe on its namespace", id="the namespace opts in, carefully"),
        pytest.param(
            "Approve", "Enforce", True, None, "Approve on the object, Enforce on its namespace", id="both opt in"
        ),
    ],
)
def test_switch(
    on_object: str | None, on_namespace: str | None, opt_in: bool, reason: Reason | None, telling: str
) -> None:
    assert_says(switch.evaluate(Switch(on_object, on_namespace), opt_in=opt_in), reason, telling)


@pytest.mark.parametrize(
    ("on_object", "on_namespace", "mode"),
    [
        pytest.param(None, None, Mode.ENFORCE, id="without annotations the policy's mode counts"),
        pytest.param("Observe", None, Mode.OBSERVE, id="the object is more careful"),
        pytest.param(None, "Approve", Mode.APPROVE, id="the namespace is more careful"),
        pytest.param("Approve", "Observe", Mode.OBSERVE, id="the most careful of both counts"),
        pytest.param("Observe", "Approve", Mode.OBSERVE, id="whichever of both that is"),
        pytest.param("Enforce", "Enforce", Mode.ENFORCE, id="Enforce caps nothing"),
        pytest.param("Off", "Approve", Mode.APPROVE, id="Off caps nothing: it is a no"),
        pytest.param("observe", None, Mode.ENFORCE, id="an unknown word caps nothing: it is a no"),
    ],
)
def test_switch_caps_the_mode(on_object: str | None, on_namespace: str | None, mode: Mode) -> None:
    assert mode is Switch(on_object, on_namespace).cap(Mode.ENFORCE)


@pytest.mark.parametrize("mode", Mode)
def test_switch_never_makes_a_mode_bolder(mode: Mode) -> None:
    assert mode is Switch("Enforce", "Enforce").cap(mode)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        pytest.param({"annotations": {"remediator.io/mode": "Off"}}, "Off", id="a word"),
        pytest.param({"annotations": {"remediator.io/mode": ""}}, "", id="an empty word is there"),
        pytest.param({"annotations": {"remediator.io/mode": False}}, "False", id="YAML's unquoted Off is no word"),
        pytest.param({"annotations": {"remediator.io/mode": None}}, "", id="a key without a value is there"),
        pytest.param({"annotations": {"team": "shop"}}, None, id="other annotations"),
        pytest.param({"annotations": None}, None, id="null annotations"),
        pytest.param({"annotations": "Off"}, None, id="annotations that are none"),
        pytest.param({}, None, id="no annotations"),
        pytest.param(None, None, id="no metadata"),
    ],
)
def test_an_annotation_is_read_as_it_is_written(metadata: Json | None, said: str | None) -> None:
    assert said == annotated({"metadata": metadata}, switch.ANNOTATION)


@pytest.mark.parametrize(
    ("annotations", "version"),
    [
        pytest.param({"remediator.io/stable": "v1"}, "v1", id="a version"),
        pytest.param({"remediator.io/stable": ""}, None, id="an empty text names none"),
        pytest.param({"remediator.io/stable": None}, None, id="nor does a key without a value"),
        pytest.param({"remediator.io/stable": 1.1}, "1.1", id="a number, as YAML may read it"),
        pytest.param({}, None, id="no annotation"),
    ],
)
def test_the_stable_version_of_an_annotation(annotations: Json, version: str | None) -> None:
    assert version == switch.named_stable({"metadata": {"annotations": annotations}})


# -- namespaces


@pytest.mark.parametrize(
    ("globs", "namespace", "reason", "telling"),
    [
        pytest.param((), "shop", None, "every namespace", id="a policy that names none allows all"),
        pytest.param(("shop-*",), "shop-eu", None, "shop-*", id="a glob that fits"),
        pytest.param(
            ("shop-*",), "shop", Reason.NAMESPACE_NOT_ALLOWED,
            "the object stands in shop, and the policy allows the namespaces shop-*", id="a glob that just does not",
        ),
        pytest.param(("a", "sh?p"), "shop", None, "a, sh?p", id="one of several is enough"),
        pytest.param(("shop",), "Shop", Reason.NAMESPACE_NOT_ALLOWED, "stands in Shop", id="case counts"),
        pytest.param(("shop",), "shop2", Reason.NAMESPACE_NOT_ALLOWED, "stands in shop2", id="a name is whole"),
    ],
)  # fmt: skip
def test_namespaces(globs: tuple[str, ...], namespace: str, reason: Reason | None, telling: str) -> None:
    assert_says(namespaces.evaluate(namespace, TargetSpec(namespaces=globs)), reason, telling)


# -- lever


BY_FLAGGER = Owner(Driver.FLAGGER, "Canary shop/reviews", "its ownerReference")
BY_ROLLOUTS = Owner(Driver.ARGO_ROLLOUTS, "Rollout shop/reviews", "the Rollout names it")


@pytest.mark.parametrize(
    ("driving", "reason", "telling"),
    [
        pytest.param(Driving(), None, "nobody is known to drive the object", id="nobody"),
        pytest.param(
            Driving(Owner(Driver.FLUX, "Kustomization flux-system/apps")),
            None,
            "driven by Flux (Kustomization flux-system/apps): a patch stays until",
            id="Flux",
        ),
        pytest.param(Driving(Owner(Driver.ARGO_CD, "Application apps")), None, "until the next sync", id="Argo CD"),
        pytest.param(Driving(Owner(Driver.HELM, "release shop/reviews")), None, "until the next upgrade", id="Helm"),
        pytest.param(
            Driving(BY_FLAGGER),
            Reason.NO_LEVER,
            "Flagger (Canary shop/reviews) drives the object and would put a patch back within seconds (its owner",
            id="Flagger",
        ),
        pytest.param(
            Driving(BY_ROLLOUTS, rollouts=(Rollout("shop", "reviews"),)),
            Reason.NO_LEVER,
            "Rollout shop",
            id="a Rollout",
        ),
        pytest.param(Driving(BY_ROLLOUTS), None, "the weights are not what it writes", id="a Rollout of subsets alone"),
    ],
)
def test_lever(driving: Driving, reason: Reason | None, telling: str) -> None:
    fine = scene(
        {"route": by_host(reviews_stable=90, reviews_canary=10)}, Suspect(resolve("reviews-canary", "shop"), "v2")
    )
    assert_says(lever.evaluate(driving, fine.plan, fine.facts), reason, telling)


# -- freeze


def interval(*times: str, where: str = "UTC", **spans: str) -> TimeInterval:
    """`interval("22:00-24:00", weekdays="saturday sunday", where="Europe/Berlin")`."""
    parsers: Mapping[str, Any] = {
        "weekdays": parse_weekdays, "days": parse_days_of_month, "months": parse_months, "years": parse_years
    }  # fmt: skip
    found = {kind: tuple(map(parsers[kind], text.split())) for kind, text in spans.items()}
    ranges = tuple(time_range(*map(parse_time, text.split("-"))) for text in times)
    return TimeInterval(
        ranges, found.get("weekdays", ()), found.get("days", ()), found.get("months", ()), found.get("years", ()), where
    )


NIGHT = interval("22:00-24:00", "00:00-06:00")
BERLIN = "Europe/Berlin"
SMALL_HOURS = interval("02:00-03:00", where=BERLIN)
LAST_DAY = interval(days="-1")
WEEKEND = interval(weekdays="saturday sunday")


@pytest.mark.parametrize(
    ("what", "moment", "held"),
    [
        pytest.param(interval(), "2026-08-01 12:00", True, id="an interval without any range is always"),
        pytest.param(NIGHT, "2026-08-01 21:59:59", False, id="over midnight: the last second before it"),
        pytest.param(NIGHT, "2026-08-01 22:00", True, id="over midnight: its first moment"),
        pytest.param(NIGHT, "2026-08-01 23:59:59", True, id="over midnight: the day's last second"),
        pytest.param(NIGHT, "2026-08-02 00:00", True, id="over midnight: midnight itself"),
        pytest.param(NIGHT, "2026-08-02 05:59:59", True, id="over midnight: its last second"),
        pytest.param(NIGHT, "2026-08-02 06:00", False, id="over midnight: its end does not belong to it"),
        # Clocks go forward on 2026-03-29 at 01:00 UTC: 02:00 to 03:00 does not happen.
        pytest.param(SMALL_HOURS, "2026-03-29 00:59:59", False, id="clocks go forward: 01:59:59 is before it"),
        pytest.param(SMALL_HOURS, "2026-03-29 01:00", False, id="clocks go forward: the next second is 03:00"),
        pytest.param(SMALL_HOURS, "2026-03-28 01:00", True, id="the day before clocks go forward"),
        pytest.param(SMALL_HOURS, "2026-03-30 00:00", True, id="the day after clocks went forward, an hour earlier"),
        pytest.param(SMALL_HOURS, "2026-03-30 01:00", False, id="the day after clocks went forward, its end"),
        # Clocks go back on 2026-10-25 at 01:00 UTC: 02:00 to 03:00 comes twice.
        pytest.param(SMALL_HOURS, "2026-10-24 23:59:59", False, id="clocks go back: 01:59:59 is before it"),
        pytest.param(SMALL_HOURS, "2026-10-25 00:00", True, id="clocks go back: its first time"),
        pytest.param(SMALL_HOURS, "2026-10-25 01:00", True, id="clocks go back: its second time"),
        pytest.param(SMALL_HOURS, "2026-10-25 01:59:59", True, id="clocks go back: the last second of the second"),
        pytest.param(SMALL_HOURS, "2026-10-25 02:00", False, id="clocks go back: 03:00 is after it"),
        pytest.param(LAST_DAY, "2026-02-28 12:00", True, id="the last of February in a common year"),
        pytest.param(LAST_DAY, "2028-02-28 12:00", False, id="the last but one of February in a leap year"),
        pytest.param(LAST_DAY, "2028-02-29 12:00", True, id="the last of February in a leap year"),
        pytest.param(LAST_DAY, "2100-02-28 12:00", True, id="the year 2100 is no leap year"),
        pytest.param(LAST_DAY, "2026-04-30 23:59:59", True, id="the last second of April"),
        pytest.param(LAST_DAY, "2026-05-01 00:00", False, id="the first of May"),
        pytest.param(interval(days="-3:-1"), "2026-02-25 12:00", False, id="before the last three days"),
        pytest.param(interval(days="-3:-1"), "2026-02-26 12:00", True, id="the first of the last three days"),
        pytest.param(interval(days="29:31"), "2026-02-28 12:00", False, id="a month that has no such day"),
        pytest.param(interval(days="28:31"), "2026-02-28 12:00", True, id="a range that goes beyond the month"),
        pytest.param(interval(days="-31:-1"), "2026-02-01 12:00", True, id="a range from before the month began"),
        pytest.param(interval(days="20:-10"), "2026-02-19 12:00", False, id="20:-10 is nothing before February 20"),
        pytest.param(interval(days="20:-10"), "2026-02-20 12:00", False, id="20:-10 is empty in a short February"),
        pytest.param(interval(days="20:-10"), "2026-01-22 12:00", True, id="20:-10 is January 20 to 22"),
        pytest.param(interval(days="1 15"), "2026-08-15 12:00", True, id="one of several days"),
        pytest.param(WEEKEND, "2026-08-01 12:00", True, id="a Saturday of the weekend"),
        pytest.param(WEEKEND, "2026-08-03 00:00", False, id="the weekend's end"),
        pytest.param(interval(weekdays="sunday"), "2026-08-02 00:00", True, id="Sunday is the first weekday"),
        pytest.param(interval(weekdays="saturday"), "2026-08-01 23:59:59", True, id="Saturday is the last weekday"),
        pytest.param(interval(weekdays="monday", where="Asia/Tokyo"), "2026-08-02 15:00", True,
                     id="it is Monday in Tokyo, and Sunday in UTC"),
        pytest.param(interval(months="december 1"), "2026-01-31 12:00", True, id="one of several months"),
        pytest.param(interval(months="june:august"), "2026-09-01 00:00", False, id="the month after a range"),
        pytest.param(interval(years="2026"), "2026-12-31 23:59:59", True, id="the last second of a year"),
        pytest.param(interval(years="2026"), "2027-01-01 00:00", False, id="the first moment of the next year"),
        pytest.param(interval(years="2027", where=BERLIN), "2026-12-31 23:00", True, id="a year that began in Berlin"),
        pytest.param(interval("12:00-13:00", weekdays="monday"), "2026-08-01 12:00", False, id="the time, not the day"),
        pytest.param(interval("12:00-13:00", weekdays="saturday"), "2026-08-01 12:00", True, id="the time and the day"),
    ],
)  # fmt: skip
def test_freeze_contains(what: TimeInterval, moment: str, held: bool) -> None:
    assert held is freeze.contains(what, z(moment))


@pytest.mark.parametrize(
    ("intervals", "moment", "reason", "telling"),
    [
        pytest.param((), "2026-08-01 12:00", None, "names no freeze", id="no freeze is named"),
        pytest.param((NIGHT,), "2026-08-01 21:59:59", None, "none of the policy's 1 freeze intervals holds at"
                     " 2026-08-01T21:59Z", id="the last second before it"),
        pytest.param((NIGHT,), "2026-08-01 22:00", Reason.FROZEN, "holds until 2026-08-02T06:00Z: spec.guards.freeze[0]"
                     " (UTC)", id="over midnight, until its second range ends"),
        pytest.param((interval("22:00-24:00"),), "2026-08-01 23:59:59", Reason.FROZEN, "until 2026-08-02T00:00Z",
                     id="the last second of an evening"),
        pytest.param((interval("22:00-24:00"), interval("00:00-06:00")), "2026-08-01 23:00", Reason.FROZEN,
                     "until 2026-08-02T06:00Z: spec.guards.freeze[0]", id="intervals that follow each other are one"),
        pytest.param((interval("10:00-11:00"), interval("11:30-13:00", where="UTC"), WEEKEND), "2026-08-01 12:00",
                     Reason.FROZEN, "until 2026-08-03T00:00Z: spec.guards.freeze[1] (UTC), [2] (UTC)",
                     id="every interval that holds is named"),
        pytest.param((SMALL_HOURS,), "2026-10-25 00:00", Reason.FROZEN, "until 2026-10-25T02:00Z: spec.guards.freeze[0]"
                     " (Europe/Berlin)", id="clocks go back: it lasts two hours"),
        pytest.param((interval("01:30-02:30", where=BERLIN),), "2026-03-29 00:30", Reason.FROZEN,
                     "until 2026-03-29T01:00Z", id="clocks go forward: it lasts half an hour"),
        pytest.param((interval("01:30-03:30", where=BERLIN),), "2026-03-29 00:30", Reason.FROZEN,
                     "until 2026-03-29T01:30Z", id="clocks go forward: it lasts one of its two hours"),
        pytest.param((LAST_DAY,), "2028-02-29 12:00", Reason.FROZEN, "until 2028-03-01T00:00Z", id="until a leap"
                     " February ends"),
        pytest.param((interval(months="august"),), "2026-08-01 12:00", Reason.FROZEN, "holds for more than 8 days",
                     id="an end that is too far to be looked for"),
        pytest.param((interval(months="august"),), "2026-08-24 00:00", Reason.FROZEN, "until 2026-09-01T00:00Z",
                     id="an end that is just near enough"),
        pytest.param((interval(),), "2026-08-01 12:00", Reason.FROZEN, "for more than 8 days", id="a freeze for ever"),
    ],
)  # fmt: skip
def test_freeze(intervals: tuple[TimeInterval, ...], moment: str, reason: Reason | None, telling: str) -> None:
    assert_says(freeze.evaluate(intervals, z(moment)), reason, telling)


def test_freeze_ends_at_the_minute_that_its_message_names() -> None:
    asked = z("2026-10-24 23:30:30")
    intervals = (interval("01:15-02:45", where=BERLIN),)
    assert_says(freeze.evaluate(intervals, asked), Reason.FROZEN, "until 2026-10-25T00:45Z")
    assert freeze.evaluate(intervals, z("2026-10-25 00:45")).allows
    # The second 02:00 of that night.
    assert not freeze.evaluate(intervals, z("2026-10-25 01:00")).allows


# -- suspectIsStable

RULE = destination_rule(v1="v1", v2="v2", v3="v3")
BOTH = frozenset(Action)


@dataclass(frozen=True)
class Scene:
    """What is planned against a suspect on one VirtualService."""

    demand: Demand
    plan: Plan
    facts: Facts


def scene(*http: Json, suspect: Suspect | None = None, actions: frozenset[Action] = BOTH, rule: Json = RULE) -> Scene:
    facts = Facts("shop", Rules((subsets.read(rule),)))
    demand = Demand(suspect or Suspect(REVIEWS, "v2"), actions, MirrorScope.SUSPECT, None)
    return Scene(demand, make(virtualservice.read(virtual_service(*http)), facts, [demand]), facts)


NOBODY = (("policy canary", None), ("the annotation", None))
BY_HOST = Suspect(resolve("reviews-canary", "shop"), "v2")
MIRRORED = {"route": split(v1=100), "mirror": destination("v2")}
BLUE = destination_rule(blue="v1", teal="v1", green="v2")
STABLE = Reason.SUSPECT_IS_STABLE


@pytest.mark.parametrize(
    ("asked", "names", "reason", "telling"),
    [
        pytest.param(scene({"route": split(v1=90, v2=10)}), NOBODY, None, "reviews.shop v2 is not the heaviest",
                     id="a canary has the smaller part"),
        pytest.param(scene({"route": split(v1=49, v2=51)}), NOBODY, STABLE, "is the heaviest destination of every route"
                     " that it shares", id="the suspect has the larger part"),
        pytest.param(scene({"route": split(v1=50, v2=50)}), NOBODY, None, "not the heaviest", id="a tie is no reason"),
        pytest.param(scene({"route": split(v1=30, v3=30, v2=40)}), NOBODY, STABLE, "the heaviest",
                     id="the heaviest of three, though others have more together"),
        pytest.param(scene({"route": split(v1=40, v3=20, v2=40)}), NOBODY, None, "not the heaviest",
                     id="a tie with one of two"),
        pytest.param(scene({"route": split(v1=30) + split(v1=30) + split(v2=40)}), NOBODY, None, "not the heaviest",
                     id="what the route sends to one destination in two shares counts together"),
        pytest.param(scene({"route": split(blue=30, teal=30, green=40)}, rule=BLUE), NOBODY, None, "not the heaviest",
                     id="two subsets of one version count together"),
        pytest.param(scene({"route": split(v1=90, v2=10)}), (("policy canary", "v2"), NOBODY[1]), STABLE,
                     "policy canary calls v2 stable", id="the policy calls the suspect stable"),
        pytest.param(scene({"route": split(v1=90, v2=10)}), (NOBODY[0], ("the annotation", "v2")), STABLE,
                     "the annotation calls v2 stable", id="the annotation calls the suspect stable"),
        pytest.param(scene({"route": split(v1=90, v2=10)}), (("policy canary", "v1"), ("the annotation", "v2")), STABLE,
                     "the annotation calls v2 stable", id="of two that disagree, the more careful counts"),
        pytest.param(scene({"route": split(v1=10, v2=90)}), (("policy canary", "v1"), NOBODY[1]), None,
                     "policy canary calls v1 stable", id="the policy names another: the weight does not count"),
        pytest.param(scene({"route": split(v1=10, v2=90)}), (NOBODY[0], ("the annotation", "v1")), None,
                     "the annotation calls v1 stable", id="the annotation names another: the weight does not count"),
        pytest.param(scene(when(route=split(v2=100)), {"route": split(v1=90, v2=10)}), NOBODY, None,
                     "not the heaviest", id="a canary route by header, beside the main split"),
        pytest.param(scene(when(route=split(v2=100)), {"route": split(v1=10, v2=90)}), NOBODY, STABLE, "the heaviest",
                     id="a route by header, beside a split in which the suspect has more"),
        pytest.param(scene(when(route=split(v2=100)), {"route": split(v1=100)}), NOBODY, None, "not the heaviest",
                     id="a canary route by header, beside a route of stable alone"),
        pytest.param(scene(when(route=split(v1=10, v2=90)), {"route": split(v1=90, v2=10)}), NOBODY, None,
                     "not the heaviest", id="the heaviest of one route, and not of the other"),
        pytest.param(scene(when(route=split(v1=10, v2=90)), {"route": split(v1=100)}), NOBODY, None,
                     "not the heaviest", id="the heaviest by header, beside a route of whoever receives"),
        pytest.param(scene(when(route=split(v1=10, v2=90)), {"route": split(v1=90, v3=10)}), NOBODY, None,
                     "not the heaviest", id="the heaviest by header, beside a route of a receiver and another"),
        pytest.param(scene(when(route=split(v1=10, v2=90)), {"route": split("ratings", v1=100)}), NOBODY, STABLE,
                     "the heaviest", id="the heaviest by header, beside a route of another service"),
        pytest.param(scene({"route": split(v2=100)}), NOBODY, None, "not the heaviest",
                     id="alone in the object: that is the planner's to say"),
        pytest.param(scene({"route": split(v1=0, v2=100)}), NOBODY, None, "not the heaviest",
                     id="what is idle is nobody to compare with"),
        pytest.param(scene({"route": split(v1=10, v2=90)}, {"route": split(v1=90, v2=10)}), NOBODY, STABLE,
                     "the heaviest", id="a route behind one that takes everything does not count"),
        pytest.param(scene({"route": by_host(reviews_stable=90, reviews_canary=10)}, suspect=BY_HOST), NOBODY, None,
                     "reviews-canary.shop v2 is not", id="split by host: the canary's has the smaller part"),
        pytest.param(scene({"route": by_host(reviews_stable=10, reviews_canary=90)}, suspect=BY_HOST), NOBODY, STABLE,
                     "reviews-canary.shop v2 is the heaviest", id="split by host: the canary's has the larger part"),
        pytest.param(scene(MIRRORED), NOBODY, None, "not the heaviest", id="a mirror has no weight"),
        pytest.param(scene({"route": split(v1=10, v2=90)}, actions=frozenset({Action.REMOVE_MIRRORS})),
                     (("policy canary", "v2"), NOBODY[1]), None, "no weight is moved", id="RemoveMirrors moves none"),
    ],
)  # fmt: skip
def test_suspect_is_stable(
    asked: Scene, names: tuple[tuple[str, str | None], ...], reason: Reason | None, telling: str
) -> None:
    assert_says(suspect_is_stable.evaluate(asked.demand, names, asked.plan, asked.facts), reason, telling)


# -- stableAlsoFailing

V1, V2, V3 = (Destination(REVIEWS, subset) for subset in ("v1", "v2", "v3"))
FACTS = Facts("shop", Rules((subsets.read(destination_rule(v1="v1", v2="v2", v3="v3", odd={"tier": "x"})),)))
UNRULED = Facts("shop", Rules())


def accusing(version: str, host: str = "reviews") -> Accused:
    return Accused(Suspect(resolve(host, "shop"), version), "LatencyHigh", NOON, "canary-1")


@pytest.mark.parametrize(
    ("receivers", "accusations", "facts", "reason", "telling"),
    [
        pytest.param((V1,), (), FACTS, None, "no alert of the last 10 minutes accuses reviews.shop subset v1",
                     id="nobody is accused"),
        pytest.param((), (accusing("v1"),), FACTS, None, "no traffic is moved to anybody", id="nobody receives"),
        pytest.param((V1,), (accusing("v2"),), FACTS, None, "no alert of the last", id="another version is accused"),
        pytest.param((V1,), (accusing("v1"),), FACTS, Reason.STABLE_ALSO_FAILING, "reviews.shop subset v1 would get the"
                     " traffic, and alert LatencyHigh accuses reviews.shop v1 as well (heard 2026-08-01T12:00:00Z,"
                     " record canary-1)", id="who receives is accused"),
        pytest.param((V1, V3), (accusing("v2"), accusing("v3")), FACTS, Reason.STABLE_ALSO_FAILING,
                     "reviews.shop subset v3 would get", id="one of two receivers is accused"),
        pytest.param((replace(V1, port=9080),), (accusing("v1"),), FACTS, Reason.STABLE_ALSO_FAILING, "subset v1 would",
                     id="a port makes no other version of it"),
        pytest.param((V1,), (accusing("v1", "ratings"),), FACTS, None, "no alert", id="another service is accused"),
        pytest.param((Destination(REVIEWS),), (accusing("v9"),), FACTS, Reason.STABLE_ALSO_FAILING, "reviews.shop would"
                     " get", id="the whole service may be the accused version"),
        pytest.param((Destination(REVIEWS, "odd"),), (accusing("v1"),), FACTS, Reason.STABLE_ALSO_FAILING,
                     "subset odd would get", id="a subset whose labels do not tell may be it"),
        pytest.param((V1,), (accusing("v1"),), UNRULED, Reason.STABLE_ALSO_FAILING, "subset v1 would get",
                     id="without a DestinationRule the subset's name counts"),
        pytest.param((V1,), (accusing("v2"),), UNRULED, None, "no alert", id="without one, another name is another"),
    ],
)  # fmt: skip
def test_stable_also_failing(
    receivers: tuple[Destination, ...],
    accusations: tuple[Accused, ...],
    facts: Facts,
    reason: Reason | None,
    telling: str,
) -> None:
    assert_says(stable_also_failing.evaluate(receivers, accusations, facts), reason, telling)


# -- stableReady


def ready(count: int, total: int, unknown: str = "", destination: Destination = V1) -> Readiness:
    return Readiness(destination, count, total, unknown)


NOT_READY = Reason.STABLE_NOT_READY


@pytest.mark.parametrize(
    ("found", "least", "reason", "telling"),
    [
        pytest.param((ready(799, 1000),), "80%", NOT_READY, "799 of 1000 endpoints ready (79.9 %); the policy wants 80"
                     " % and at least one", id="79.9 of 80 percent"),
        pytest.param((ready(800, 1000),), "80%", None, "800 of 1000 endpoints ready (80 %)", id="80 of 80 percent"),
        pytest.param((ready(4, 5),), "80%", None, "4 of 5 endpoints ready", id="four of five is 80 percent"),
        pytest.param((ready(7, 10),), "70%", None, "7 of 10", id="seven of ten is 70 percent"),
        pytest.param((ready(44, 1000),), "4.4%", None, "44 of 1000", id="44 of 1000 is 4.4 percent, and no less"),
        pytest.param((ready(999, 1000),), "99.9%", None, "999 of 1000", id="999 of 1000 is 99.9 percent"),
        pytest.param((ready(1, 1),), "100%", None, "1 of 1", id="the only one is all"),
        pytest.param((ready(99, 100),), "100%", NOT_READY, "99 of 100 endpoints ready (99 %)", id="all but one"),
        pytest.param((ready(0, 0),), "1%", NOT_READY, "reviews.shop subset v1: it has no endpoints;",
                     id="there is none"),
        pytest.param((ready(0, 3),), "0.1%", NOT_READY, "0 of 3 endpoints ready (0 %)", id="none is ready"),
        pytest.param((ready(2, 2, "may not list endpointslices"),), "80%", NOT_READY, "not known, may not list"
                     " endpointslices", id="what is not known counts for nothing"),
        pytest.param((ready(2, 2), ready(0, 2, destination=V3)), "80%", NOT_READY, "subset v1: 2 of 2 endpoints ready"
                     " (100 %); reviews.shop subset v3: 0 of 2", id="one of two receivers, and both are told"),
        pytest.param((), "80%", None, "no traffic is moved to anybody", id="nobody receives"),
        pytest.param(None, "80%", None, "the folder holds no EndpointSlices", id="a folder that says nothing"),
        pytest.param((ready(0, 0, "unknown"),), "0%", None, "spec.guards.stableReady is 0%", id="0% switches it off"),
        pytest.param(None, "0%", None, "switched off", id="switched off on a folder"),
    ],
)  # fmt: skip
def test_stable_ready(found: tuple[Readiness, ...] | None, least: str, reason: Reason | None, telling: str) -> None:
    assert_says(stable_ready.evaluate(found, parse_percentage(least)), reason, telling)


def test_a_percentage_is_met_by_just_as_many() -> None:
    """4.4 / 100 is a little more than 44 / 1000 in floating point: a percentage is rounded once."""
    short = [count for count in range(1, 1000) if count / 1000 < parse_percentage(f"{count // 10}.{count % 10}%")]
    assert [] == short


# -- alertAge

STALE = Reason.STALE_EVIDENCE


@pytest.mark.parametrize(
    ("age", "most", "reason", "telling"),
    [
        pytest.param(HOUR - SECOND, HOUR, None, "began 59m59s ago; at most 1h is acted upon (--max-alert-age)",
                     id="its last second but one"),
        pytest.param(HOUR, HOUR, None, "began 1h ago", id="just as old as it may be"),
        pytest.param(HOUR + TICK, HOUR, STALE, "began 1h ago", id="a moment too old"),
        pytest.param(HOUR + SECOND, HOUR, STALE, "began 1h1s ago; at most 1h is", id="a second too old"),
        pytest.param(30 * timedelta(days=1), None, None, "--max-alert-age 0", id="any age will do"),
        pytest.param(timedelta(), HOUR, None, "began 0s ago", id="it began now"),
        pytest.param(-HOUR, HOUR, None, "began 0s ago", id="it begins in the future: Prometheus' clock is ahead"),
    ],
)  # fmt: skip
def test_alert_age(age: timedelta, most: timedelta | None, reason: Reason | None, telling: str) -> None:
    assert_says(alert_age.evaluate(NOON - age, NOON, most), reason, telling)


# -- evidence


def changed(after: timedelta, by: str = "kubectl-edit") -> RouteChange:
    """The routes were changed so long after the alert began."""
    return RouteChange(NOON + after, by)


@pytest.mark.parametrize(
    ("change", "kept_up", "reason", "telling"),
    [
        pytest.param(None, "", None, "nobody but the remediator", id="nobody is known to have changed them"),
        pytest.param(changed(-SECOND), "", None, "at 2026-08-01T11:59:59Z by kubectl-edit, and the alert began at"
                     " 2026-08-01T12:00:00Z", id="a second before"),
        pytest.param(changed(timedelta()), "", None, "began at 2026-08-01T12:00:00Z", id="in the same second"),
        pytest.param(changed(SECOND), "", STALE, "it accuses what stood there before", id="a second after"),
        pytest.param(changed(SECOND, ""), "", STALE, "at 2026-08-01T12:00:01Z, and", id="nobody knows by whom"),
        pytest.param(changed(SECOND), "canary-1", None, "canary-1 holds the withdrawal up", id="the hold lasts"),
        pytest.param(changed(-SECOND), "canary-1", None, "began at 2026-08-01T12:00:00Z", id="the hold is not needed"),
    ],
)  # fmt: skip
def test_evidence(change: RouteChange | None, kept_up: str, reason: Reason | None, telling: str) -> None:
    assert_says(evidence.evaluate(NOON, change, kept_up), reason, telling)


def test_evidence_of_the_second_in_which_the_routes_were_changed_counts() -> None:
    """Kubernetes notes whole seconds: the change came at 12:00:00.9, perhaps, and the alert began at 12:00:00.5."""
    assert evidence.evaluate(NOON + SECOND / 2, changed(timedelta()), "").allows


# -- maxTargets


@pytest.mark.parametrize(
    ("count", "most", "reason", "telling"),
    [
        pytest.param(3, 3, None, "3 routing objects would be changed for this alert, and the policy allows 3",
                     id="three of three"),
        pytest.param(4, 3, Reason.TOO_MANY_TARGETS, "4 routing objects would be changed", id="four of three"),
        pytest.param(1, 1, None, "1 routing object would be changed", id="one of one"),
        pytest.param(2, 1, Reason.TOO_MANY_TARGETS, "allows 1 (spec.guards.maxTargets)", id="two of one"),
    ],
)  # fmt: skip
def test_max_targets(count: int, most: int, reason: Reason | None, telling: str) -> None:
    assert_says(max_targets.evaluate(count, most), reason, telling)


# -- cooldown


@pytest.mark.parametrize(
    ("ago", "wanted", "kept_up", "reason", "telling"),
    [
        pytest.param(None, 10 * MINUTE, "", None, "no remediation has changed this object; the policy wants 10m",
                     id="nothing has changed it"),
        pytest.param(10 * MINUTE - SECOND, 10 * MINUTE, "", Reason.COOLING_DOWN, "canary-1 changed it 9m59s ago; the"
                     " policy wants 10m between two (spec.guards.cooldown)", id="its last second"),
        pytest.param(10 * MINUTE - TICK, 10 * MINUTE, "", Reason.COOLING_DOWN, "9m59s ago", id="its last microsecond"),
        pytest.param(10 * MINUTE, 10 * MINUTE, "", None, "canary-1 changed it 10m ago", id="it is over"),
        pytest.param(timedelta(), 10 * MINUTE, "", Reason.COOLING_DOWN, "0s ago", id="changed at this moment"),
        pytest.param(timedelta(), timedelta(), "", None, "wants 0s between two", id="a cooldown of nothing"),
        pytest.param(SECOND, 10 * MINUTE, "canary-1", None, "but this firing goes on, and canary-1 holds the withdrawal"
                     " up", id="the same firing, whose hold lasts"),
        pytest.param(HOUR, 10 * MINUTE, "canary-1", None, "1h ago; the policy wants 10m", id="the hold is not needed"),
        pytest.param(-HOUR, 10 * MINUTE, "", Reason.COOLING_DOWN, "0s ago", id="our clock runs behind"),
        pytest.param(-HOUR, timedelta(), "", None, "0s ago", id="our clock runs behind, and nothing is to be waited"),
    ],
)  # fmt: skip
def test_cooldown(ago: timedelta | None, wanted: timedelta, kept_up: str, reason: Reason | None, telling: str) -> None:
    last = None if ago is None else Made("canary-1", NOON - ago)
    assert_says(cooldown.evaluate(last, NOON, wanted, kept_up), reason, telling)


# -- budget

TEN = Budget(10, 10 * MINUTE)


@pytest.mark.parametrize(
    ("spent", "most", "reason", "telling"),
    [
        pytest.param(9, TEN, None, "in the whole fleet within 10m: 9 made; --budget 10/10m allows 10",
                     id="nine of ten"),
        pytest.param(10, TEN, Reason.BUDGET_SPENT, "the whole fleet within 10m: 10 made", id="ten of ten"),
        pytest.param(11, TEN, Reason.BUDGET_SPENT, "seldom the versions' fault", id="more than there should be"),
        pytest.param(0, Budget(1, 90 * MINUTE), None, "--budget 1/1h30m allows 1", id="none of one"),
        pytest.param(1000, None, None, "--budget off", id="there is no budget"),
    ],
)  # fmt: skip
def test_budget(spent: int, most: Budget | None, reason: Reason | None, telling: str) -> None:
    assert_says(budget.evaluate(Spent(spent), most), reason, telling)


# -- unsafePlan


@pytest.mark.parametrize(
    ("wrong", "reason", "telling"),
    [
        pytest.param(None, None, "every route keeps a live destination", id="nothing is wrong"),
        pytest.param("http[0] has no live destination", Reason.UNSAFE_PLAN, "http[0] has no live", id="a black hole"),
        pytest.param("", Reason.UNSAFE_PLAN, "", id="something is wrong, and nobody says what"),
    ],
)
def test_unsafe_plan(wrong: str | None, reason: Reason | None, telling: str) -> None:
    assert_says(unsafe_plan.evaluate(wrong), reason, telling)


# -- judging

ORDER = (
    "pause", "mode", "namespaces", "lever", "freeze", "suspectIsStable", "stableAlsoFailing", "stableReady", "alertAge",
    "evidence", "maxTargets", "cooldown", "budget", "unsafePlan",
)  # fmt: skip


def situation(**more: Any) -> Situation:
    """A situation in which every guard says yes."""
    fine = scene({"route": split(v1=90, v2=10)})
    given: dict[str, Any] = {
        "now": NOON, "policy": policy(), "demand": fine.demand, "starts_at": NOON - MINUTE, "plan": fine.plan,
        "facts": fine.facts, "target": Object(),
        "bounds": Bounds(budget=TEN, max_alert_age=HOUR), "readiness": (ready(2, 2),),
    }  # fmt: skip
    return Situation(**(given | more))


def worst() -> Situation:
    """A situation in which every guard says no."""
    heavy = scene({"route": split(v1=10, v2=90)})
    return situation(
        policy=policy(target=TargetSpec(namespaces=("elsewhere",)), guards=Guards(freeze=(interval(),))),
        demand=heavy.demand,
        plan=heavy.plan,
        starts_at=NOON - 2 * HOUR,
        target=Object(
            Switch("Off"), changed=RouteChange(NOON - HOUR, "argocd-controller"), driving=Driving(BY_FLAGGER)
        ),
        history=History(Made("canary-1", NOON - SECOND), "", (accusing("v1"),), Spent(10)),
        pauses=(KIM,),
        readiness=(ready(0, 2),),
        targets=4,
        wrong="http[0] has no live destination",
    )


def test_every_guard_is_asked_in_order_though_the_first_says_no() -> None:
    verdicts = judge(worst())
    assert ORDER == tuple(verdict.guard for verdict in verdicts) == tuple(GUARDS)
    assert [False] * len(ORDER) == [verdict.allows for verdict in verdicts]
    assert verdicts == against(verdicts)


def test_every_reason_of_a_no_comes_in_the_order_of_the_guards() -> None:
    reasons = [
        Reason.PAUSED, Reason.SWITCHED_OFF, Reason.NAMESPACE_NOT_ALLOWED, Reason.NO_LEVER, Reason.FROZEN,
        Reason.SUSPECT_IS_STABLE, Reason.STABLE_ALSO_FAILING, Reason.STABLE_NOT_READY, Reason.STALE_EVIDENCE,
        Reason.STALE_EVIDENCE, Reason.TOO_MANY_TARGETS, Reason.COOLING_DOWN, Reason.BUDGET_SPENT, Reason.UNSAFE_PLAN,
    ]  # fmt: skip
    assert reasons == [verdict.reason for verdict in judge(worst())]


def test_a_yes_is_told_in_words_as_well() -> None:
    verdicts = judge(situation())
    assert () == against(verdicts)
    assert ORDER == tuple(verdict.guard for verdict in verdicts)
    assert all(verdict.message for verdict in verdicts)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"approved": True}, None, id="a person has approved it: they looked at its age"),
        pytest.param({"approved": False}, Reason.STALE_EVIDENCE, id="nobody has"),
    ],
)
def test_an_approval_stands_for_the_age_of_the_alert(change: Json, reason: Reason | None) -> None:
    verdict = GUARDS["alertAge"](situation(starts_at=NOON - 2 * HOUR, **change))
    assert_says(verdict, reason, "but a person has approved it since" if reason is None else "began 2h ago")


@pytest.mark.parametrize(
    ("most", "reason", "telling"),
    [
        pytest.param(HOUR, STALE, "it accuses what stood there before", id="the age of evidence counts"),
        pytest.param(None, None, "switched off: --max-alert-age 0", id="evidence of any age will do"),
    ],
)
def test_evidence_is_switched_off_with_the_age_of_alerts(
    most: timedelta | None, reason: Reason | None, telling: str
) -> None:
    asked = situation(target=Object(changed=RouteChange(NOON, "argocd")), bounds=Bounds(max_alert_age=most))
    assert_says(GUARDS["evidence"](asked), reason, telling)


def test_an_approval_stands_for_nothing_else() -> None:
    verdicts = judge(replace(worst(), approved=True))
    assert ["alertAge"] == [verdict.guard for verdict in verdicts if verdict.allows]


@pytest.mark.parametrize(
    ("target", "annotation", "told"),
    [
        pytest.param(TargetSpec(stable="v1"), None, "policy canary calls v1 stable", id="the policy names it"),
        pytest.param(TargetSpec(), "v1", "the object's annotation remediator.io/stable calls v1", id="the object does"),
        pytest.param(TargetSpec(stable="v1"), "v3", "policy canary calls v1 stable", id="of both the policy is told"),
    ],
)
def test_who_names_the_stable_version_is_told(target: TargetSpec, annotation: str | None, told: str) -> None:
    asked = situation(policy=policy(target=target), target=Object(stable=annotation))
    assert_says(GUARDS["suspectIsStable"](asked), None, told)


def test_the_guards_that_are_given_are_asked_and_no_others() -> None:
    silent: Mapping[str, Guard] = {"b": lambda _: yes("b", "fine"), "a": lambda _: no("a", Reason.PAUSED, "no")}
    assert (yes("b", "fine"), no("a", Reason.PAUSED, "no")) == judge(situation(), silent)


def test_spans_and_ranges_are_what_the_policy_says() -> None:
    """The tables above are read by the parsers of policy files; so that they test what people write."""
    assert TimeInterval((TimeRange(1320, 1440),), days_of_month=(Span(-1, -1),)) == interval("22:00-24:00", days="-1")


def test_budget_tells_what_is_made_from_what_is_under_way() -> None:
    spent = Spent(made=2, begun=1, observed=3)
    told = "within 10m: 2 made, 1 under way, 3 that would have been made (Observe); --budget 10/10m allows 10"
    assert_says(budget.evaluate(spent, TEN), None, told)
    assert_says(budget.evaluate(replace(spent, begun=5), TEN), Reason.BUDGET_SPENT, "5 under way")
