"""Guard `evidence` and the steps of Argo Rollouts: more weight for the pods that were accused is no other state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.guards import evidence
from remediator.guards.cooldown import Made
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.owners import Tried
from remediator.traffic.view import RouteChange
from tests.builders import Json, alert, by_host, labels, managed, rollout, updating, virtual_service
from tests.fakes import FakeCluster
from tests.test_pipeline_records import Mesh

NOON = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CONTROLLER = "rollouts-controller"
REVIEWS = TargetRef("VirtualService", "shop", "reviews")
ROLLOUT = TargetRef("Rollout", "shop", "reviews")


def step(after: timedelta = SECOND) -> RouteChange:
    """A step so long after the alert began, at noon."""
    return RouteChange(NOON + after, CONTROLLER)


def trial(since: timedelta) -> Tried:
    return Tried("Rollout shop/reviews", NOON + since)


def made(after: timedelta) -> Made:
    return Made("canary-1", NOON + after)


@pytest.mark.parametrize(
    ("tried", "last", "allows"),
    [
        pytest.param(trial(-SECOND), None, True, id="what is tried is older than the alert"),
        pytest.param(trial(timedelta()), None, True, id="it is of the same second"),
        pytest.param(trial(SECOND), None, False, id="it came after the alert began"),
        pytest.param(None, None, False, id="nobody knows what is tried"),
        pytest.param(trial(-SECOND), made(-SECOND), True, id="it was withdrawn before, and began anew before"),
        pytest.param(
            trial(-SECOND), made(timedelta()), False, id="it was withdrawn since: who tries it anew knows why"
        ),
    ],
)
def test_a_step_after_the_alert_began(tried: Tried | None, last: Made | None, allows: bool) -> None:
    found = evidence.evaluate(NOON, step(), "", tried, last)
    assert (allows, None if allows else Reason.STALE_EVIDENCE) == (found.allows, found.reason)
    assert ("a step of Rollout shop/reviews" in found.message) is allows


SPANS = st.integers(-7200, 7200).map(lambda seconds: timedelta(seconds=seconds))


@given(since=SPANS, steps=st.lists(SPANS, min_size=1))
def test_however_many_steps_only_the_age_of_what_is_tried_counts(since: timedelta, steps: list[timedelta]) -> None:
    """Evidence that is good stays so through all further steps; and none makes a version older that came later."""
    later = [each for each in steps if each > timedelta()]
    verdicts = {evidence.evaluate(NOON, step(each), "", trial(since)).allows for each in later}
    assert verdicts <= {since <= timedelta()}


# -- through the pipeline


def routed(at: str, by: str = CONTROLLER, canary: int = 25) -> Json:
    body = virtual_service({"name": "primary", "route": by_host(reviews_stable=100 - canary, reviews_canary=canary)})
    body["metadata"] |= {"generation": 4, "managedFields": [managed(by, at, "http")]}
    return body


def tried_since(at: str, *fields: str) -> Json:
    driver = rollout("reviews", status=updating())
    driver["metadata"]["managedFields"] = [managed("kubectl-client-side-apply", at, *(fields or ("template",)))]
    return driver


@pytest.fixture
def mesh_of() -> Iterator[Callable[..., Mesh]]:
    with ThreadPoolExecutor(2) as executor:
        yield lambda *bodies: Mesh(FakeCluster(*bodies), executor)


ACCUSED = alert(labels(name="reviews-canary"), fingerprint="e" * 16)
APPLIED, STALE = (Outcome.APPLIED, Reason.ABORTED), (Outcome.DENIED, Reason.STALE_EVIDENCE)


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        pytest.param(
            (routed("2026-08-01T12:00:20Z"), tried_since("2026-08-01T11:00:00Z")),
            APPLIED,
            id="a step of the update that was accused",
        ),
        pytest.param(
            (routed("2026-08-01T12:00:20Z"), tried_since("2026-08-01T12:00:10Z")),
            STALE,
            id="the first step of another update",
        ),
        pytest.param(
            (routed("2026-08-01T12:00:20Z", by="kubectl-edit"), tried_since("2026-08-01T11:00:00Z")),
            STALE,
            id="a person's change of the weights",
        ),
        pytest.param(
            (routed("2026-08-01T12:00:20Z"), tried_since("2026-08-01T11:00:00Z", "workloadRef")),
            STALE,
            id="a template that stands elsewhere",
        ),
        pytest.param(
            (routed("2026-08-01T12:00:20Z"), rollout("reviews", status=updating())),
            STALE,
            id="an update of an age that nobody knows",
        ),
    ],
)
def test_the_routes_were_changed_since(
    mesh_of: Callable[..., Mesh], bodies: tuple[Json, ...], expected: tuple[Outcome, Reason]
) -> None:
    mesh = mesh_of(*bodies)
    (row,) = mesh.deliver(ACCUSED)
    assert expected == (row.outcome, row.reason), row.message


def test_whoever_tries_the_aborted_version_anew_is_not_overruled_by_the_same_alert(
    mesh_of: Callable[..., Mesh],
) -> None:
    mesh = mesh_of(routed("2026-08-01T11:59:00Z"), tried_since("2026-08-01T11:00:00Z"))
    mesh.deliver(ACCUSED)
    assert 1 == len(mesh.cluster.aborts)

    def retried(body: Json) -> None:
        del body["status"]["abort"]

    def stepped(body: Json) -> None:
        body["metadata"]["managedFields"] = [managed(CONTROLLER, "2026-08-01T12:14:00Z", "http")]

    mesh.cluster.edit(ROLLOUT, retried, indexed=True)
    mesh.cluster.edit(REVIEWS, stepped, indexed=True)
    mesh.minutes = 15
    (row,) = mesh.deliver(ACCUSED)

    assert STALE == (row.outcome, row.reason), row.message
    assert 1 == len(mesh.cluster.aborts)
