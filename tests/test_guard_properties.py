"""What holds for the guards whatever they are asked: a no stays a no, nobody's word depends on another's, and a freeze
is what its calendar says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.guards import freeze
from remediator.guards.budget import Budget, Spent
from remediator.guards.cooldown import Made
from remediator.guards.judging import GUARDS, Guard, judge
from remediator.guards.pause import Pause
from remediator.guards.situation import Bounds, History, Object, Situation
from remediator.guards.stable_also_failing import Accused
from remediator.guards.stable_ready import Readiness
from remediator.guards.switch import Switch
from remediator.guards.verdict import against
from remediator.outcome import Reason
from remediator.owners import Driver, Driving, Owner, Rollout
from remediator.policies.intervals import MONTHS, WEEKDAYS, Span, TimeInterval, TimeRange
from remediator.policies.model import Action, Guards, MirrorScope, TargetSpec
from remediator.traffic import subsets, virtualservice
from remediator.traffic.exposure import Facts
from remediator.traffic.hosts import resolve
from remediator.traffic.plan import make
from remediator.traffic.subsets import Rules
from remediator.traffic.suspect import Demand, Suspect
from remediator.traffic.view import Destination, RouteChange
from tests.strategies import RULE, SUBSETS, virtual_services
from tests.test_pipeline import policy

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
HOST = resolve("reviews", "shop")
FACTS = Facts("shop", Rules((subsets.read(RULE),)))
YEARS = (2024, 2028)


# -- what may be asked


def spans(least: int, most: int) -> st.SearchStrategy[Span]:
    return st.tuples(st.integers(least, most), st.integers(least, most)).map(lambda ends: Span(min(ends), max(ends)))


days = st.one_of(
    spans(1, 31), spans(-31, -1), st.builds(Span, st.integers(1, 31), st.integers(-31, -1))
)  # those that are empty in every month as well: they hold never
times = (
    st.tuples(st.integers(0, 1440), st.integers(0, 1440))
    .filter(lambda ends: ends[0] != ends[1])
    .map(lambda ends: TimeRange(min(ends), max(ends)))
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")


def few(one: st.SearchStrategy[Span]) -> st.SearchStrategy[tuple[Span, ...]]:
    return st.lists(one, max_size=2).map(tuple)


intervals = st.builds(
    TimeInterval,
    times=st.lists(times, max_size=2).map(tuple),
    weekdays=few(spans(0, 6)),
    days_of_month=few(days),
    months=few(spans(1, 12)),
    years=few(spans(*YEARS)),
    location=st.sampled_from(ZONES),
)
around_noon = st.integers(-7200, 7200).map(lambda seconds: NOON + timedelta(seconds=seconds))
versions = st.sampled_from(["v1", "v2", "v3"])
suspects = st.builds(Suspect, st.sampled_from([HOST, resolve("ratings", "shop")]), versions)
destinations = st.builds(Destination, st.just(HOST), st.none() | st.sampled_from(sorted(SUBSETS)))
modes = st.none() | st.sampled_from(["Off", "off", "", "Observe", "Approve", "Enforce"])
pauses = st.builds(
    Pause, by=st.just("kim"), until=st.none() | around_noon, fault=st.sampled_from(["", "", "spec.until is no time"])
)
readiness = st.builds(
    Readiness, destinations, st.integers(0, 5), st.integers(0, 5), st.sampled_from(["", "", "may not list"])
)
histories = st.builds(
    History,
    last=st.none() | st.builds(Made, st.just("canary-1"), around_noon),
    kept_up=st.sampled_from(["", "canary-1"]),
    accusations=st.lists(
        st.builds(Accused, suspects, st.just("LatencyHigh"), around_noon, st.just("canary-2")), max_size=2
    ).map(tuple),
    spent=st.builds(Spent, *(st.integers(0, 5) for _ in range(3))),
)
guard_settings = st.builds(
    Guards,
    cooldown=st.integers(0, 3600).map(lambda seconds: timedelta(seconds=seconds)),
    max_targets=st.integers(1, 4),
    stable_ready=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    freeze=st.lists(intervals, max_size=2).map(tuple),
)
bounds = st.builds(
    Bounds,
    opt_in=st.booleans(),
    budget=st.none() | st.builds(Budget, st.integers(1, 12), st.just(timedelta(minutes=10))),
    max_alert_age=st.none() | st.just(timedelta(hours=1)),
)

drivings = st.builds(
    lambda driver, many: Driving(Owner(driver, "x shop/y"), rollouts=(Rollout("shop", "y"),) * many),
    st.sampled_from(Driver),
    st.integers(0, 1),
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Anything that the guards may be asked about one alert and one VirtualService."""
    target = TargetSpec(
        namespaces=draw(st.sampled_from([(), ("shop",), ("sh*", "x"), ("elsewhere",)])),
        stable=draw(st.none() | versions),
    )
    actions = draw(st.sampled_from([frozenset(Action), *(frozenset({action}) for action in Action)]))
    demand = Demand(Suspect(HOST, draw(versions)), actions, MirrorScope.SUSPECT, target.stable)
    routing = virtualservice.read(draw(virtual_services()))
    return Situation(
        now=draw(around_noon),
        policy=policy(target=target, guards=draw(guard_settings)),
        demand=demand,
        starts_at=draw(around_noon),
        plan=make(routing, FACTS, [demand]),
        facts=FACTS,
        target=Object(
            Switch(draw(modes), draw(modes)),
            draw(st.none() | versions),
            draw(st.none() | st.builds(RouteChange, around_noon, st.just("argocd"))),
            draw(drivings),
        ),
        bounds=draw(bounds),
        history=draw(histories),
        pauses=tuple(draw(st.lists(pauses, max_size=2))),
        readiness=draw(st.none() | st.lists(readiness, max_size=2).map(tuple)),
        targets=draw(st.integers(1, 5)),
        wrong=draw(st.none() | st.just("http[0] has no live destination")),
        approved=draw(st.booleans()),
    )


names = st.lists(st.sampled_from(tuple(GUARDS)), unique=True)


def those(chosen: list[str]) -> dict[str, Guard]:
    return {name: GUARDS[name] for name in chosen}


def reasons(asked: Situation) -> set[tuple[str, Reason | None]]:
    return {(verdict.guard, verdict.reason) for verdict in against(judge(asked))}


# -- many guards


@settings(max_examples=40)
@given(situations(), names, st.sampled_from(tuple(GUARDS)))
def test_adding_a_guard_never_turns_a_no_into_a_yes(asked: Situation, some: list[str], one: str) -> None:
    fewer = against(judge(asked, those(some)))
    more = against(judge(asked, those([*some, one])))
    assert set(fewer) <= set(more)


@settings(max_examples=40)
@given(situations(), names)
def test_of_all_guards_none_says_otherwise_than_among_some(asked: Situation, some: list[str]) -> None:
    told = {verdict.guard: verdict for verdict in judge(asked)}
    assert [told[name] for name in some] == list(judge(asked, those(some)))


@settings(max_examples=40)
@given(situations(), st.permutations(tuple(GUARDS)))
def test_the_order_of_the_guards_changes_no_verdict(asked: Situation, order: list[str]) -> None:
    assert set(judge(asked)) == set(judge(asked, those(order)))


@settings(max_examples=40)
@given(situations())
def test_every_guard_answers_under_its_name_and_in_words(asked: Situation) -> None:
    verdicts = judge(asked)
    assert tuple(GUARDS) == tuple(verdict.guard for verdict in verdicts)
    assert all(verdict.message.strip() for verdict in verdicts)


@settings(max_examples=40)
@given(situations(), st.data())
def test_worse_facts_never_turn_a_no_into_a_yes(asked: Situation, data: st.DataObject) -> None:
    """One more pause, accusation, remediation, target or freeze."""
    history, rules = asked.history, asked.policy.guards
    extra = Accused(data.draw(suspects), "LatencyHigh", NOON, "canary-3")
    worse = data.draw(
        st.sampled_from(
            [
                replace(asked, pauses=(*asked.pauses, data.draw(pauses))),
                replace(asked, history=replace(history, accusations=(*history.accusations, extra))),
                replace(asked, history=replace(history, spent=replace(history.spent, made=history.spent.made + 1))),
                replace(asked, history=replace(history, kept_up="")),
                replace(asked, targets=asked.targets + 1),
                replace(asked, wrong="http[0] has no live destination"),
                replace(asked, approved=False),
                replace(asked, target=replace(asked.target, driving=Driving(Owner(Driver.FLAGGER, "Canary shop/y")))),
                replace(asked, bounds=replace(asked.bounds, opt_in=True)),
                replace(asked, readiness=(*(asked.readiness or ()), data.draw(readiness))),
                replace(
                    asked,
                    policy=replace(asked.policy, guards=replace(rules, freeze=(*rules.freeze, data.draw(intervals)))),
                ),
            ]
        )
    )
    assert reasons(asked) <= reasons(worse)


# -- freeze, against a calendar that is written out


DAY = timedelta(days=1)
CHANGES = tuple(
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        "2026-03-29 01:00",  # Berlin's clocks go forward
        "2026-10-25 01:00",  # and back
        "2026-03-08 07:00",  # New York
        "2026-11-01 06:00",
        "2026-10-03 15:30",  # Lord Howe Island, by half an hour
        "2027-04-03 15:00",
        "2024-02-29 00:00",  # a leap day
        "2026-03-01 00:00",
        "2027-01-01 00:00",
    )
)
starts = st.one_of(
    st.sampled_from(CHANGES),
    st.integers(0, 4 * 365 * 24 * 60).map(lambda late: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=late)),
).flatmap(lambda moment: st.integers(-180, 60).map(lambda off: moment + timedelta(minutes=off)))


def days_in(span: Span, month: list[int]) -> set[int]:
    """The days of a month, written out, that `span` means."""
    forward, backward = [*month], [day - len(month) - 1 for day in month]

    def position(day: int) -> int:
        listed = forward if day > 0 else backward
        if day in listed:
            return listed.index(day)
        return len(month) if day > 0 else -1

    return {day for index, day in enumerate(month) if position(span.begin) <= index <= position(span.end)}


def days_of(moment: datetime) -> list[int]:
    """Every day of a month, found by walking."""
    day, found = moment.replace(day=1), []
    while day.month == moment.month:
        found.append(day.day)
        day += DAY
    return found


def listed(names: tuple[str, ...], found: tuple[Span, ...], first: int) -> set[str]:
    return {names[number - first] for span in found for number in range(span.begin, span.end + 1)}


def in_calendar(interval: TimeInterval, moment: datetime) -> bool:
    """Naively: by what a clock and a calendar on the wall show, as text."""
    wall = moment.astimezone(ZoneInfo(interval.location))
    clock, weekday, month = wall.strftime("%H:%M"), wall.strftime("%A").lower(), wall.strftime("%B").lower()
    ranges = [
        (f"{each.start // 60:02}:{each.start % 60:02}", f"{each.end // 60:02}:{each.end % 60:02}")
        for each in interval.times
    ]
    month_days = days_of(wall.replace(tzinfo=None))
    return all(
        (
            not ranges or any(start <= clock < end for start, end in ranges),
            not interval.weekdays or weekday in listed(WEEKDAYS, interval.weekdays, 0),
            not interval.months or month in listed(MONTHS, interval.months, 1),
            not interval.years or any(span.begin <= int(wall.strftime("%Y")) <= span.end for span in interval.years),
            not interval.days_of_month or any(wall.day in days_in(span, month_days) for span in interval.days_of_month),
        )
    )


def minutes_from(start: datetime, count: int) -> Iterator[datetime]:
    return (start + timedelta(minutes=number) for number in range(count))


@settings(max_examples=150)
@given(intervals, starts)
def test_a_freeze_holds_at_every_minute_at_which_a_calendar_says_so(interval: TimeInterval, start: datetime) -> None:
    expected = [moment for moment in minutes_from(start, 150) if in_calendar(interval, moment)]
    assert expected == [moment for moment in minutes_from(start, 150) if freeze.contains(interval, moment)]


@given(st.lists(intervals, min_size=1, max_size=2).map(tuple), starts, st.integers(0, 59_999_999))
def test_a_freeze_is_said_to_end_when_it_does(found: tuple[TimeInterval, ...], minute: datetime, late: int) -> None:
    now = minute + timedelta(microseconds=late)
    verdict = freeze.evaluate(found, now)
    assert verdict.allows is not any(in_calendar(interval, now) for interval in found)
    if not verdict.allows and "until" in verdict.message:
        text = verdict.message.partition("until ")[2].partition("Z")[0]
        end = datetime.fromisoformat(text).replace(tzinfo=UTC)
        assert now < end
        assert freeze.evaluate(found, end).allows
        assert not freeze.evaluate(found, end - timedelta(microseconds=1)).allows
