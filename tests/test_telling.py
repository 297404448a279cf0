"""How the pipeline tells what it did: whatever goes wrong there, what was done stays done."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from remediator.alerts import parse_notification
from remediator.errors import ClusterError, Forbidden, Unavailable
from remediator.guards.situation import Bounds
from remediator.metrics import Metrics
from remediator.outcome import AlertOutcome, Outcome, Reason
from remediator.pipeline import Pipeline
from remediator.pipeline.telling import announce
from remediator.policies.matchers import parse_matcher
from remediator.policies.model import Action, Mode, Policy, PolicySet, TargetSpec
from remediator.records.events import Event
from tests.builders import alert, destination_rule, labels, notification, split, virtual_service
from tests.fakes import FakeCluster, FakeLedger
from tests.test_notices import PATCHED

POLICY = Policy("all", "", (parse_matcher("alertname=~.+"),), TargetSpec(), tuple(Action), Mode.ENFORCE)
MOST = 2**64 - 1


class BrokenMetrics(Metrics):
    """Metrics with a bug: no alert can be counted."""

    def alert(self, status: str) -> None:
        raise OverflowError(f"cannot count {status}")


@dataclass(frozen=True)
class Policies:
    """A store that never changes, and what it has loaded."""

    policies: PolicySet

    def current(self) -> Policies:
        return self


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def told(metrics: Metrics, executor: ThreadPoolExecutor, truncated: int = 0) -> tuple[AlertOutcome, ...]:
    cluster = FakeCluster(virtual_service({"route": split(v1=90, v2=10)}), destination_rule(v1="v1", v2="v2"))
    store: Any = Policies(PolicySet((POLICY,)))
    payload = notification([alert(labels())]) | {"truncatedAlerts": truncated}
    bounds = Bounds(max_alert_age=None)  # the alert is of a day that is long over
    return Pipeline(cluster, store, metrics, executor, bounds=bounds).handle(parse_notification(payload))


def test_a_bug_in_the_telling_asks_for_no_other_delivery(executor: ThreadPoolExecutor, caplog: Any) -> None:
    """The canary has lost its traffic; a 500 would have Alertmanager deliver that again and again."""
    with caplog.at_level(logging.INFO, logger="remediator.outcome"):
        (row,) = told(BrokenMetrics(), executor)
    assert (Outcome.APPLIED, Reason.PATCHED) == (row.outcome, row.reason)
    outcome, error = caplog.records
    assert "Applied" == outcome.outcome
    assert "internal error while telling the outcomes" == error.getMessage()
    assert "cannot count firing" in caplog.text


def test_the_outcomes_are_told_before_what_was_left_out(executor: ThreadPoolExecutor, caplog: Any) -> None:
    metrics = Metrics()
    with caplog.at_level(logging.INFO, logger="remediator.outcome"):
        told(metrics, executor, truncated=MOST)
    first, second = caplog.records
    assert "Applied" == first.outcome
    assert f"Alertmanager left {MOST} alerts out" in second.getMessage()
    assert "remediator_truncated_alerts_total 1.8446744073709552e+19" in metrics.render()[0].decode()


class Flaky(FakeLedger):
    """Writes an Event, or fails, or writes it and fails; one of these after the other."""

    def __init__(self, *faults: ClusterError | None, lost: bool = False) -> None:
        super().__init__(lambda _: None)
        self._faults = list(faults)
        self._lost = lost
        self.heard: list[Event] = []
        self.listener = self.heard.append

    def announce(self, event: Event) -> bool:
        fault = self._faults.pop(0) if self._faults else None
        is_new = super().announce(event) if fault is None or self._lost else False
        if fault is not None:
            raise fault
        return is_new


AWAY = Unavailable("no answer")


@pytest.mark.parametrize(
    ("ledger", "written"),
    [
        pytest.param(Flaky(), 1, id="it is written"),
        pytest.param(Flaky(AWAY), 1, id="it is written at the second try"),
        pytest.param(Flaky(AWAY, lost=True), 1, id="it was written, and the answer to that got lost"),
        pytest.param(Flaky(AWAY, AWAY), 0, id="it cannot be written"),
        pytest.param(Flaky(Forbidden("create", "events")), 0, id="it may not be written"),
    ],
)
def test_the_listener_hears_of_an_event_that_is_new(ledger: Flaky, written: int) -> None:
    announce(ledger, [PATCHED])
    assert ([PATCHED], written) == (ledger.heard, len(ledger.events))


def test_the_listener_hears_of_an_event_once_whichever_replica_tells_it_again() -> None:
    ledger = Flaky()
    for _ in range(3):
        announce(ledger, [PATCHED])
    assert [PATCHED] == ledger.heard


def test_people_are_told_of_each_row_of_an_answer(executor: ThreadPoolExecutor) -> None:
    rows: list[AlertOutcome] = []
    cluster = FakeCluster(virtual_service({"route": split(v1=90, v2=10)}), destination_rule(v1="v1", v2="v2"))
    cluster.ledger.fails["create"] = AWAY
    store: Any = Policies(PolicySet((POLICY,)))
    pipeline = Pipeline(cluster, store, Metrics(), executor, bounds=Bounds(max_alert_age=None), told=rows.append)
    answered = pipeline.handle(parse_notification(notification([alert(labels())])))
    assert (Outcome.FAILED, answered) == (answered[0].outcome, tuple(rows))
