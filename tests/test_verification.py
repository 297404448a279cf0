"""From what was counted to a verdict: the pure part. What cannot be told is no success."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.policies.model import Action
from remediator.records.status_wire import parse_status
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect
from remediator.traffic.virtualservice import taken
from remediator.verification import queries, steps
from remediator.verification.judging import Evidence, Question, recovered, withdrawn
from remediator.verification.model import Side, Verification, VerificationVerdict
from remediator.verification.reading import Count, Sample, Teller, Traffic
from remediator.verification.schedule import Schedule
from remediator.verification.steps import Course

HOST = Host("reviews.shop.svc.cluster.local")
V2 = Suspect(HOST, "v2")
LIVE = Question((V2,), (Side.LIVE,))
MIRRORED = Question((V2,), (Side.MIRRORED,))
BOTH = Question((V2,), (Side.LIVE, Side.MIRRORED))
NOON = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
SCHEDULE = Schedule(2 * MINUTE)

Verdict = VerificationVerdict


def sample(
    requests: float, version: str = "v2", code: str = "200", reporter: str = "source", **labels: str
) -> list[Sample]:
    """What one series that rose by so much makes in an answer: its requests, and that it is one series."""
    about = {"reporter": reporter, "destination_version": version, "destination_canonical_revision": version}
    named = about | {"response_code": code, "grpc_response_status": ""} | labels
    return [(named | {"figure": "requests"}, requests), (named | {"figure": "series"}, 1.0)]


def traffic(*samples: list[Sample]) -> Traffic:
    return Traffic(tuple(each for rows in samples for each in rows))


def live(v1: float | None = None, v2: float | None = None, e1: float | None = None, e2: float | None = None) -> Traffic:
    """Requests and failed ones of two versions, as the callers count them; None: no such series."""
    wanted = [(v1, "v1", "200"), (e1, "v1", "503"), (v2, "v2", "200"), (e2, "v2", "503")]
    return traffic(*(sample(count, version, code) for count, version, code in wanted if count is not None))


def called(live_v2: float, all_v2: float | None, v1: float = 900) -> Traffic:
    """As both ends count them: what the called proxy has beyond the callers' is mirrored."""
    rows = [sample(v1, "v1"), sample(v1, "v1", reporter="destination"), sample(live_v2)]
    return traffic(*rows, *([] if all_v2 is None else [sample(all_v2, reporter="destination")]))


def evidence(before: Traffic, after: Traffic) -> Evidence:
    return Evidence(MINUTE, {HOST: before}, {HOST: after})


NOTHING = Traffic(())


class TestReading:
    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            pytest.param(sample(60), Count(60, 0, 1), id="requests of the version"),
            pytest.param(sample(60, "v1"), Count(), id="requests of another one"),
            pytest.param(sample(60, reporter="waypoint"), Count(60, 0, 1), id="a waypoint counts as a caller"),
            pytest.param(sample(60, reporter="destination"), Count(), id="the called proxy is no caller"),
            pytest.param(sample(6, code="503"), Count(6, 6, 1), id="a 5xx is an error"),
            pytest.param(sample(6, code="404"), Count(6, 0, 1), id="a 4xx is none"),
            pytest.param(sample(6, grpc_response_status="14"), Count(6, 6, 1), id="gRPC says unavailable, HTTP 200"),
            pytest.param(sample(6, grpc_response_status="5"), Count(6, 0, 1), id="gRPC says not found"),
            pytest.param(sample(6, destination_version="unknown"), Count(6, 0, 1), id="only the revision is known"),
            pytest.param(
                sample(6, destination_canonical_revision="latest"), Count(6, 0, 1), id="only the version is known"
            ),
            pytest.param(sample(6, "unknown"), Count(), id="no version was reached"),
        ],
    )
    def test_a_version_is_known_by_either_of_two_labels(self, rows: list[Sample], expected: Count) -> None:
        assert expected == traffic(rows).count(Teller.CALLERS, {"v2"})

    def test_what_reached_no_version_is_the_services_and_no_versions(self) -> None:
        found = traffic(sample(10), sample(90, "v1"), sample(7, "unknown", "503"))

        assert Count(107, 7, 3) == found.count(Teller.CALLERS)
        assert Count(90, 0, 1) == found.without(Teller.CALLERS, {"v2"})


class TestTraffic:
    @pytest.mark.parametrize(
        ("question", "before", "after", "expected"),
        [
            pytest.param(LIVE, live(900, 100), live(1000, 0), Verdict.WITHDRAWN, id="nothing any more"),
            pytest.param(LIVE, live(900, 1000), live(900, 10), Verdict.WITHDRAWN, id="a hundredth counts as none"),
            pytest.param(LIVE, live(900, 1000), live(900, 11), Verdict.STILL_RECEIVING, id="more than a hundredth"),
            pytest.param(LIVE, live(900, 20), live(900, 2), Verdict.WITHDRAWN, id="one stray request, seen as two"),
            pytest.param(LIVE, live(900, 20), live(900, 3), Verdict.STILL_RECEIVING, id="a few of twenty"),
            pytest.param(LIVE, live(900, 19), live(900, 1), Verdict.STILL_RECEIVING, id="among few, one is too many"),
            pytest.param(LIVE, live(900, 5), live(900, 0), Verdict.WITHDRAWN, id="five, and then none"),
            pytest.param(LIVE, live(900, 4), live(900, 0), Verdict.NO_DATA, id="too few before to miss them"),
            pytest.param(LIVE, live(900, 4), live(900, 4), Verdict.STILL_RECEIVING, id="few, and they go on"),
            pytest.param(LIVE, live(900, 0), live(900, 0), Verdict.NO_DATA, id="it never had any"),
            pytest.param(LIVE, live(900, 0), live(900, 9), Verdict.STILL_RECEIVING, id="it had none, and has now"),
            pytest.param(LIVE, NOTHING, NOTHING, Verdict.NO_DATA, id="nothing is known of the service"),
            pytest.param(LIVE, live(900, 100), NOTHING, Verdict.NO_DATA, id="nothing is known since the patch"),
            pytest.param(LIVE, NOTHING, live(1000, 0), Verdict.NO_DATA, id="nothing is known from before"),
            pytest.param(LIVE, live(900, 100), live(1000), Verdict.WITHDRAWN, id="its series end, the service goes on"),
            pytest.param(LIVE, live(900, 100), live(499), Verdict.NO_DATA, id="its series end, and much of the rest"),
            pytest.param(
                LIVE, live(900, 100, e2=9), live(499, 0), Verdict.NO_DATA, id="one of its series ends, and much else"
            ),
            pytest.param(LIVE, live(v2=100), live(v2=0), Verdict.WITHDRAWN, id="a host of its own, still told of"),
            pytest.param(LIVE, live(v2=100), NOTHING, Verdict.NO_DATA, id="a host of its own, told of no more"),
            pytest.param(
                LIVE, live(900, 0, e2=100), live(1000, 0, e2=0), Verdict.WITHDRAWN, id="it failed all of them"
            ),
            pytest.param(MIRRORED, called(0, 100), called(0, 0), Verdict.WITHDRAWN, id="no copies any more"),
            pytest.param(MIRRORED, called(0, 100), called(0, 100), Verdict.STILL_RECEIVING, id="copies go on"),
            pytest.param(MIRRORED, called(0, 100), called(0, None), Verdict.WITHDRAWN, id="the mirror's pods are gone"),
            pytest.param(MIRRORED, called(50, 150), called(50, 52), Verdict.WITHDRAWN, id="live ones are no copies"),
            pytest.param(
                MIRRORED, called(50, 150), called(50, 60), Verdict.STILL_RECEIVING, id="more than live ones explain"
            ),
            pytest.param(MIRRORED, called(900, 950), called(900, 905), Verdict.NO_DATA, id="copies lost in live ones"),
            pytest.param(MIRRORED, live(900, 100), live(900, 0), Verdict.NO_DATA, id="called proxies are not scraped"),
            pytest.param(BOTH, called(50, 150), called(0, 0), Verdict.WITHDRAWN, id="neither live ones nor copies"),
            pytest.param(BOTH, called(50, 150), called(0, 100), Verdict.STILL_RECEIVING, id="only copies go on"),
            pytest.param(BOTH, called(50, 50), called(0, 0), Verdict.NO_DATA, id="there were no copies"),
        ],
    )
    def test_a_verdict_needs_figures(
        self, question: Question, before: Traffic, after: Traffic, expected: VerificationVerdict
    ) -> None:
        assert expected is withdrawn(question, evidence(before, after)).verdict

    def test_of_several_suspects_the_worst_counts(self) -> None:
        two = Question((Suspect(HOST, "v1"), V2), (Side.LIVE,))
        found = withdrawn(two, evidence(live(900, 100), live(900, 0)))

        assert Verdict.STILL_RECEIVING is found.verdict
        assert [900.0, 0.0] == [figure.after for figure in found.figures]

    def test_the_words_hold_the_figures(self) -> None:
        found = withdrawn(LIVE, evidence(live(900, 100), live(1000, 0)))
        expected = "reviews.shop v2: 100 live requests in the 1m before the patch, 0 in 1m since"

        assert expected == found.message

    @given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
    def test_more_traffic_since_is_never_a_better_verdict(self, was: float, now: float, more: float, v1: float) -> None:
        order = [Verdict.WITHDRAWN, Verdict.NO_DATA, Verdict.STILL_RECEIVING]
        less, worse = (withdrawn(LIVE, evidence(live(v1, was), live(v1, count))).verdict for count in (now, now + more))
        assert order.index(less) <= order.index(worse)

    @given(st.floats(0, 1e6), st.floats(0, 1e6))
    def test_who_gets_as_much_as_before_is_never_withdrawn(self, was: float, v1: float) -> None:
        assert Verdict.WITHDRAWN is not withdrawn(LIVE, evidence(live(v1, was), live(v1, was))).verdict


class TestErrors:
    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [
            pytest.param(live(900, 50, e2=50), live(1000, 0), Verdict.RECOVERED, id="none any more"),
            pytest.param(live(900, 50, e2=50), live(980, 0, e1=20), Verdict.RECOVERED, id="two points are no matter"),
            pytest.param(live(900, 50, e2=50), live(979, 0, e1=21), Verdict.NOT_RECOVERED, id="more than two points"),
            pytest.param(live(855, 50, 45, 50), live(930, 0, 70, 0), Verdict.RECOVERED, id="as the others did before"),
            pytest.param(live(855, 50, 45, 50), live(920, 0, 80, 0), Verdict.NOT_RECOVERED, id="worse than the others"),
            pytest.param(
                live(600, 70, 300, 30), live(890, 0, 110, 0), Verdict.NOT_RECOVERED, id="all fail: nobody is well"
            ),
            pytest.param(live(v2=50, e2=50), live(1000, e1=0), Verdict.RECOVERED, id="it had all of the traffic"),
            pytest.param(live(v2=50, e2=50), live(900, e1=100), Verdict.NOT_RECOVERED, id="and the next one fails too"),
            pytest.param(live(900, 50, e2=50), live(19, 0), Verdict.NO_DATA, id="too few requests since"),
            pytest.param(live(50, 2, e2=2), live(46, 0, e1=4), Verdict.NO_DATA, id="four errors may be chance"),
            pytest.param(live(50, 2, e2=2), live(45, 0, e1=5), Verdict.NOT_RECOVERED, id="five are not"),
            pytest.param(live(900, 50, e2=50), live(499), Verdict.NO_DATA, id="half of the callers are silent"),
            pytest.param(live(v2=50, e2=50), live(v2=0, e2=0), Verdict.NO_DATA, id="a host of its own has no requests"),
        ],
    )
    def test_a_service_is_to_be_as_its_other_versions_were(
        self, before: Traffic, after: Traffic, expected: VerificationVerdict
    ) -> None:
        assert expected is recovered(LIVE, evidence(before, after)).verdict

    def test_the_figures_are_shares(self) -> None:
        (found,) = recovered(LIVE, evidence(live(900, 50, e2=50), live(990, 0, e1=10))).errors

        assert (0.05, 0.0, 0.01) == (found.before, found.others, found.after)

    def test_errors_that_reached_no_version_do_not_make_the_others_look_worse(self) -> None:
        """No endpoint of the suspect's subset was found: the proxies name no version then."""
        before = traffic(sample(900, "v1"), sample(100, "unknown", "503"))
        after = traffic(sample(950, "v1"), sample(50, "unknown", "503"))

        assert Verdict.NOT_RECOVERED is recovered(LIVE, evidence(before, after)).verdict


def course(so_far: Verification | None = None, question: Question = LIVE) -> Course:
    return Course(question, SCHEDULE, NOON, so_far)


WELL = evidence(live(900, 50, e2=50), live(1000, 0, e2=0))
FAILING = evidence(live(900, 50, e2=50), live(900, 0, 100, 0))
EXPOSED = evidence(live(900, 50, e2=50), live(900, 50, e2=50))
UNKNOWN = evidence(NOTHING, NOTHING)
GONE = Verification(Verdict.WITHDRAWN, NOON + 80 * SECOND, "gone", 60.0, withdrawn_at=NOON + 80 * SECOND)


class TestSteps:
    @pytest.mark.parametrize(
        ("so_far", "found", "after_s", "expected", "is_final"),
        [
            pytest.param(None, WELL, 75, Verdict.RECOVERED, True, id="all is well at the first look"),
            pytest.param(None, FAILING, 75, Verdict.WITHDRAWN, False, id="gone, and the errors are asked about on"),
            pytest.param(None, EXPOSED, 119, None, False, id="it may still end"),
            pytest.param(None, EXPOSED, 120, Verdict.STILL_RECEIVING, True, id="it has not ended in time"),
            pytest.param(None, UNKNOWN, 119, None, False, id="something may still be told"),
            pytest.param(None, UNKNOWN, 120, Verdict.NO_DATA, True, id="nothing was told in time"),
            pytest.param(None, EXPOSED, 3000, Verdict.STILL_RECEIVING, True, id="nobody was there in time"),
            pytest.param(GONE, WELL, 90, Verdict.RECOVERED, True, id="the errors end later"),
            pytest.param(GONE, FAILING, 199, None, False, id="the errors may still end"),
            pytest.param(GONE, FAILING, 200, Verdict.NOT_RECOVERED, True, id="the errors have not ended in time"),
            pytest.param(GONE, UNKNOWN, 199, None, False, id="the errors may still be told"),
            pytest.param(GONE, UNKNOWN, 200, Verdict.WITHDRAWN, True, id="nobody can tell how they went on"),
        ],
    )
    def test_what_is_known_next(
        self,
        so_far: Verification | None,
        found: Evidence,
        after_s: float,
        expected: VerificationVerdict | None,
        is_final: bool,
    ) -> None:
        known = steps.answered(course(so_far), found, NOON + after_s * SECOND)

        assert expected is (known and known.verdict)
        assert is_final is bool(known and known.concluded_at)

    @pytest.mark.parametrize(
        ("so_far", "after_s", "expected"),
        [
            pytest.param(None, 179, None, id="it is tried again beyond the deadline"),
            pytest.param(None, 180, Verdict.NO_DATA, id="nobody answers, and that is no success"),
            pytest.param(GONE, 259, None, id="it is tried again about the errors"),
            pytest.param(GONE, 260, Verdict.WITHDRAWN, id="what was known stays"),
        ],
    )
    def test_a_prometheus_that_does_not_answer(
        self, so_far: Verification | None, after_s: float, expected: VerificationVerdict | None
    ) -> None:
        known = steps.unanswered(course(so_far), "no route to host", NOON + after_s * SECOND)

        assert expected is (known and known.verdict)
        assert known is None or ("no route to host" in known.message and known.concluded_at is not None)

    def test_who_comes_late_asks_about_the_time_at_which_it_was_to_be_asked(self) -> None:
        assert NOON + 2 * MINUTE == course().asked_about(NOON + 50 * MINUTE)
        assert NOON + 80 * SECOND + 2 * MINUTE == course(GONE).asked_about(NOON + 50 * MINUTE)

    def test_both_windows_hold_nothing_of_the_other_side_of_the_patch(self) -> None:
        first = SCHEDULE.first(NOON)

        assert NOON + 75 * SECOND == first
        assert NOON + SCHEDULE.settle == first - SCHEDULE.window

    @given(st.integers(0, 4000), st.sampled_from([WELL, FAILING, EXPOSED, UNKNOWN]), st.booleans())
    def test_nothing_is_open_for_ever(self, after_s: int, found: Evidence, answers: bool) -> None:
        """Whoever looks at any moment and again at the end of all patience has a final verdict."""
        known: Verification | None = None
        for moment in (NOON + after_s * SECOND, NOON + 4000 * SECOND, NOON + 8000 * SECOND):
            if known is None or known.concluded_at is None:
                at = course(known)
                step: Any = steps.answered(at, found, moment) if answers else steps.unanswered(at, "away", moment)
                known = step or known

        assert known is not None
        assert known.concluded_at is not None
        assert answers or known.verdict is Verdict.NO_DATA


class TestQueries:
    def test_a_service_is_known_by_its_host_whatever_the_clusters_domain(self) -> None:
        assert 'destination_service=~"reviews[.]shop[.]svc[.].+"' in queries.requests(HOST, MINUTE)

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            pytest.param("api.example.com", '{destination_service="api.example.com"}[60000ms]', id="outside"),
            pytest.param('a"b\\c', '{destination_service="a\\"b\\\\c"}[60000ms]', id="with quotes in it"),
        ],
    )
    def test_another_host_is_taken_as_it_is(self, host: str, expected: str) -> None:
        assert expected in queries.requests(Host(host), MINUTE)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        pytest.param(["/spec/http/0/route/1/weight"], {Action.REVERT_TO_STABLE}, id="a weight"),
        pytest.param(["/spec/tcp/0/route/0/destination/subset"], {Action.REVERT_TO_STABLE}, id="a destination"),
        pytest.param(["/spec/http/0/mirrors/1"], {Action.REMOVE_MIRRORS}, id="one of several mirrors"),
        pytest.param(["/spec/http/0/mirrorPercentage"], {Action.REMOVE_MIRRORS}, id="how much a mirror takes"),
        pytest.param(["/spec/http/0/mirror", "/spec/http/1/route/0/weight"], set(Action), id="both"),
        pytest.param(["/metadata/annotations/remediator.io~1remediation"], set(), id="our annotation is no traffic"),
    ],
)
def test_a_patch_tells_what_it_takes(paths: list[str], expected: set[Action]) -> None:
    operations = [{"op": "test", "path": "/spec/http/0/mirror/host", "value": "x"}]

    assert expected == taken([*operations, *({"op": "remove", "path": path} for path in paths)])


def test_a_verdict_says_whether_a_person_has_to_look() -> None:
    worrying = {each for each in Verdict if each.needs_a_person}

    assert {Verdict.STILL_RECEIVING, Verdict.NOT_RECOVERED, Verdict.NO_DATA, Verdict.STILL_ROUTED} == worrying


def test_a_verdict_of_a_later_version_is_none_and_the_record_is_not_lost() -> None:
    known = {"verdict": "Improved", "at": "2026-08-01T12:00:00.000000Z"}

    assert None is parse_status({"phase": "Applied", "verification": known}).verification
    assert None is not parse_status({"phase": "Applied", "verification": known | {"verdict": "NoData"}}).verification


@pytest.mark.parametrize(
    "figure",
    [
        pytest.param({"before": -1}, id="fewer than none"),
        pytest.param({"after": "many"}, id="no number"),
        pytest.param({"floor": None}, id="not there"),
        pytest.param({"side": "Left"}, id="a side that is none"),
    ],
)
def test_a_figure_that_somebody_broke_is_told(figure: dict[str, object]) -> None:
    whole = {"host": "h", "version": "v2", "side": "Live", "before": 1, "after": 0, "floor": 0}
    known = {"verdict": "NoData", "at": "2026-08-01T12:00:00.000000Z", "figures": [whole | figure]}

    with pytest.raises((KeyError, TypeError, ValueError)):
        parse_status({"phase": "Applied", "verification": known})
