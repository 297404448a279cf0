"""The command line for plans that wait for a person: `approve` and `reject`, on a folder that a service works on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from remediator.alerts import parse_notification
from remediator.cluster.local import LocalCluster
from remediator.metrics import Metrics
from remediator.pipeline import Pipeline
from remediator.pipeline.approvals import Approvals
from remediator.pipeline.rollbacks import Rollbacks
from remediator.policies.model import Mode, PolicySet
from remediator.records.model import Approval, Phase, Remediation
from tests.builders import (
    alert,
    by_host,
    destination_rule,
    flagger_canary,
    labels,
    notification,
    split,
    virtual_service,
)
from tests.folders import dump
from tests.test_cli import here, run
from tests.test_pipeline import Loaded, Policies, policy

__all__ = ["here"]

pytestmark = pytest.mark.usefixtures("here", "mesh")

ASKING: Any = Policies(Loaded(PolicySet((policy(mode=Mode.APPROVE),))))


@pytest.fixture
def mesh(here: None, tmp_path: Path) -> None:
    """A canary whose alert waits for a person."""
    folder = tmp_path / "mesh"
    folder.mkdir()
    bodies = [virtual_service({"route": split(v1=90, v2=10)}), destination_rule(v1="v1", v2="v2")]
    for body in bodies:
        for key in ("uid", "resourceVersion"):
            body["metadata"].pop(key, None)
    (folder / "shop.yaml").write_text("---\n".join(map(dump, bodies)))
    began = {"startsAt": datetime.now(UTC).isoformat()}
    with pipeline() as service:
        (row,) = service.handle(parse_notification(notification([alert(labels()) | began])))
    assert "AwaitingApproval" == row.outcome


@contextmanager
def pipeline() -> Iterator[Pipeline]:
    with ThreadPoolExecutor(2) as pool:
        yield Pipeline(LocalCluster(Path("mesh").resolve()), ASKING, Metrics(), pool)


@contextmanager
def service_at_work() -> Iterator[None]:
    """A service that looks after approvals, a hundred times a second."""

    def quickly(event: threading.Event, _seconds: float) -> bool:
        return event.wait(0.01)

    with pipeline() as service:
        approvals = Approvals(service, pause=quickly)
        approvals.start()
        try:
            yield
        finally:
            approvals.stop()


def record() -> Remediation:
    (found,) = LocalCluster(Path("mesh")).ledger.listed()
    return found


def weights() -> list[int]:
    (found,) = LocalCluster(Path("mesh")).routing()
    return [share.weight for share in found.routing.routes[0].shares]


def answer(command: str, *more: str, name: Callable[[], str] = lambda: record().name) -> Result:
    return run(command, name(), "--manifests", "mesh", "--by", "ann", "--reason", "seen in the traces", *more)


class TestApprove:
    def test_it_is_waited_for_the_service_that_carries_it_out(self) -> None:
        with service_at_work():
            found = answer("approve", "--wait", "30s")
        assert (0, "") == (found.exit_code, found.stderr)
        assert f"shop/{record().name} is approved: Applied\n" in found.stdout
        assert "weight 10 → 0" in found.stdout
        assert (Phase.APPLIED, [100, 0]) == (record().status.phase, weights())

    def test_without_waiting_it_only_stands_on_the_record(self) -> None:
        found = answer("approve", "--wait", "0")
        assert (0, "") == (found.exit_code, found.stderr)
        assert "a service that runs acts on it within seconds" in found.stdout
        approval = record().approval
        assert isinstance(approval, Approval)
        assert (True, "ann", "seen in the traces") == (approval.approved, approval.by, approval.reason)
        assert (Phase.AWAITING_APPROVAL, [90, 10]) == (record().status.phase, weights())

    def test_without_a_service_it_says_that_nobody_has_acted_yet(self) -> None:
        found = answer("approve", "--wait", "1ms")
        assert (1, "") == (found.exit_code, found.stdout)
        assert "is approved, and no service has acted on it within 1ms; it does once it runs" in found.stderr

    def test_a_second_yes_finds_it_done(self) -> None:
        with service_at_work():
            answer("approve")
            found = answer("approve")
        assert 0 == found.exit_code
        assert "waits for no answer: it is Applied, approved by ann" in found.stdout

    def test_what_a_guard_speaks_against_is_an_error(self) -> None:
        run("pause", "--manifests", "mesh", "--reason", "INC-4711", "--by", "kim")
        with service_at_work():
            found = answer("approve")
        assert 1 == found.exit_code
        assert "was approved, and ended as Failed (Paused): pause: the service is paused by kim" in found.stderr
        stands = "The yes stands until the plan would have expired: the next delivery of the alert tries again."
        assert found.stderr.endswith(f". {stands}\n")
        assert [90, 10] == weights()

    def test_a_no_after_a_yes_that_nobody_has_acted_on_yet(self) -> None:
        """The record waits still, so that alone would explain nothing."""
        answer("approve", "--wait", "0")
        found = answer("reject", "--wait", "0")
        assert (1, "") == (found.exit_code, found.stdout)
        assert "was approved by ann" in found.stderr
        assert "already; the first answer counts" in found.stderr
        assert record().approved

    def test_what_flagger_drives_waits_for_flagger_then(self) -> None:
        record_path = Path("mesh/remediations/shop") / f"{record().name}.yaml"
        record_path.unlink()
        hook = {"name": "remediator", "type": "rollback", "url": "http://remediator/flagger/rollback"}
        canary = flagger_canary(analysis={"webhooks": [hook]})
        canary |= {"status": {"phase": "Progressing", "lastAppliedSpec": "5454669676"}}
        service = virtual_service({"route": by_host(reviews_primary=90, reviews_canary=10)})
        for key in ("uid", "resourceVersion"):
            service["metadata"].pop(key, None)
        Path("mesh/shop.yaml").write_text("---\n".join(map(dump, [service, canary])))
        found = alert(labels(name="reviews-canary")) | {"startsAt": datetime.now(UTC).isoformat()}
        with pipeline() as serving:
            (row,) = serving.handle(parse_notification(notification([found])))
            assert "AwaitingApproval" == row.outcome
            trial = ("shop", "reviews", "6657cd9495")
            assert not Rollbacks(serving).asked(trial)
            with service_at_work():
                said = answer("approve", "--wait", "30s")
            assert (0, "") == (said.exit_code, said.stderr)
            assert f"shop/{record().name} is approved: Flagger is told to roll back as soon as it asks\n" in said.stdout
            assert Rollbacks(serving).asked(trial)
        assert (Phase.APPLIED, [90, 10]) == (record().status.phase, weights())

    def test_for_a_program(self) -> None:
        with service_at_work():
            found = answer("approve", "-o", "json")
        assert "Applied" == json.loads(found.stdout)["remediation"]["status"]["phase"]

    def test_an_unknown_name_is_an_error(self) -> None:
        found = answer("approve", name=lambda: "shop/none")
        assert 1 == found.exit_code
        assert "there is no remediation shop/none" in found.stderr

    def test_a_wrong_duration_is_an_error(self) -> None:
        found = answer("approve", "--wait", "long")
        assert 1 == found.exit_code
        assert 'error: --wait: "long" is not a duration' in found.stderr
        assert None is record().approval


class TestReject:
    def test_nothing_is_changed(self) -> None:
        with service_at_work():
            found = answer("reject")
        assert (0, "") == (found.exit_code, found.stderr)
        assert f"shop/{record().name} is rejected: Rejected\n" in found.stdout
        assert (Phase.REJECTED, [90, 10]) == (record().status.phase, weights())

    def test_a_yes_comes_too_late(self) -> None:
        with service_at_work():
            answer("reject")
            found = answer("approve")
        assert (Phase.REJECTED, [90, 10]) == (record().status.phase, weights())
        assert (1, "") == (found.exit_code, found.stdout)
        assert "waits for no answer: it is Rejected, rejected by ann" in found.stderr
