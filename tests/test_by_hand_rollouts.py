"""`rollback` and `stop-mirror` on what Argo Rollouts drives: the same lever as an alert's, and the same record."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from remediator.cli.main import program
from remediator.cluster.local import LocalCluster
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.owners import Lever
from remediator.pipeline.by_hand import Agreed, Settled, Wish, plan_by_hand
from remediator.pipeline.execution import execute
from remediator.pipeline.guarding import Guarding
from remediator.pipeline.tools import Limits, Tools
from remediator.policies.model import MANUAL, Action
from remediator.records.journal import Journal
from remediator.records.model import Phase, Remediation, Request
from tests.builders import Json, by_host, destination, rollout, updating, virtual_service
from tests.fakes import NOW, FakeCluster

REVIEWS = TargetRef("VirtualService", "shop", "reviews")
ROLLOUT = TargetRef("Rollout", "shop", "reviews")
HOSTS = virtual_service({"name": "primary", "route": by_host(reviews_stable=90, reviews_canary=10)})
MIRROR = virtual_service(
    {"name": "mirror", "route": by_host(reviews_stable=100), "mirror": destination(host="reviews-canary")},
    {"name": "primary", "route": by_host(reviews_stable=90, reviews_canary=10)},
)
ROLLBACK = ("rollback", "shop/reviews", "--suspect", "reviews-canary")
STOP_MIRROR = ("stop-mirror", "shop/reviews")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop").mkdir()
    furnish()


def furnish(body: Json = HOSTS, **status: Any) -> None:
    """The VirtualService, and a Rollout that is updating unless `status` says otherwise."""
    objects = (body, rollout("reviews", status=updating(**status)))
    Path("shop/shop.yaml").write_text(yaml.safe_dump_all(objects, sort_keys=False))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, [*arguments, "--manifests", "shop"], prog_name="remediator")


def stored() -> tuple[Json, Json]:
    """The VirtualService and the Rollout, as the file has them."""
    routing, driver = yaml.safe_load_all(Path("shop/shop.yaml").read_text())
    return routing, driver


def records() -> list[Remediation]:
    return list(LocalCluster(Path("shop")).ledger.listed())


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        pytest.param(ROLLBACK, HOSTS, id="rollback"),
        pytest.param(STOP_MIRROR, MIRROR, id="stop-mirror"),
    ],
)
def test_the_update_is_aborted_the_object_left_alone_and_the_record_says_so(
    arguments: tuple[str, ...], body: Json
) -> None:
    furnish(body)
    found = run(*arguments, "--yes", "--by", "ada", "--reason", "INC-4711")

    assert 0 == found.exit_code, found.stderr
    routing, driver = stored()
    assert (body["spec"], updating(abort=True)) == (routing["spec"], driver["status"])
    assert "annotations" not in routing["metadata"]
    (record,) = records()
    assert (Phase.APPLIED, Reason.ABORTED) == (record.status.phase, record.status.reason)
    assert (Lever.ARGO_ROLLOUTS, MANUAL, ()) == (record.intent.lever, record.intent.policy.name, record.intent.undo)
    assert Request("ada", "INC-4711") == record.intent.request


def test_it_is_said_before_and_how_to_go_on_afterwards() -> None:
    lines = run(*ROLLBACK, "--yes").stdout.splitlines()

    whose = "By the abort of Rollout shop/reviews: its whole update ends, and its controller makes this of the object."
    assert whose in lines
    assert "  http[0] (primary): reviews-canary.shop weight 10 → 0" in lines
    assert "Applied (Aborted), as shown." in lines
    assert any("kubectl argo rollouts retry rollout reviews -n shop" in line for line in lines)
    assert not any("remediator undo" in line or "remediator.io/remediation" in line for line in lines)


def test_a_document_has_what_is_sent() -> None:
    found = run(*ROLLBACK, "--yes", "-o", "json")
    document = json.loads(found.stdout)
    (record,) = records()

    assert ("Applied", "Aborted", "ArgoRollouts") == (document["outcome"], document["reason"], document["lever"])
    assert list(record.intent.patch) == document["patch"]
    assert ([], None) == (document["undo"], document["undoCommand"])


def test_a_dry_run_tries_the_abort() -> None:
    before = Path("shop/shop.yaml").read_bytes()
    found = run(*ROLLBACK, "--dry-run")

    assert 2 == found.exit_code, found.stderr
    assert (before, []) == (Path("shop/shop.yaml").read_bytes(), records())


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        pytest.param(
            {"current": "old"}, 1, "Denied (NothingToAbort): Rollout shop/reviews is not updating", id="not updating"
        ),
        pytest.param({"abort": True}, 0, "Rollout shop/reviews is aborted already", id="aborted already"),
    ],
)
def test_left_alone(status: Json, code: int, words: str) -> None:
    furnish(**status)
    before = Path("shop/shop.yaml").read_bytes()
    found = run(*ROLLBACK, "--yes")

    assert code == found.exit_code
    assert words in found.output
    assert (before, []) == (Path("shop/shop.yaml").read_bytes(), records())


def test_another_version_than_the_one_on_trial_has_no_lever() -> None:
    found = run("rollback", "shop/reviews", "--suspect", "reviews-stable", "--yes")

    assert 1 == found.exit_code
    assert "is the stable side of Rollout shop/reviews" in found.output


# -- what moves between the question and the answer


ROLLBACK_WISH = Wish(Action.REVERT_TO_STABLE, Request("ada"), "reviews-canary")


def now() -> datetime:
    return NOW


def carried_out(cluster: FakeCluster, meanwhile: Callable[[FakeCluster], None]) -> tuple[Outcome, Reason]:
    """What a person's yes to an abort comes to, if something else happens first."""
    work = plan_by_hand(cluster.read(REVIEWS), ROLLBACK_WISH, NOW)
    assert isinstance(work, Agreed)
    meanwhile(cluster)
    tools = Tools(cluster, Journal(cluster.ledger, now), Limits((work,)), Guarding(cluster, cluster.ledger, now))
    ((_, row),) = execute(work, tools)
    return row.outcome, row.reason


def step(cluster: FakeCluster) -> None:
    def more(body: Json) -> None:
        body["spec"]["http"][0]["route"] = by_host(reviews_stable=75, reviews_canary=25)

    cluster.edit(REVIEWS, more, indexed=True)


def becomes(**status: Any) -> Callable[[FakeCluster], None]:
    """Its controller writes these members of its status."""
    return lambda cluster: cluster.edit(ROLLOUT, lambda body: body["status"].update(status), indexed=True)


@pytest.mark.parametrize(
    ("meanwhile", "expected", "aborts"),
    [
        pytest.param(step, (Outcome.APPLIED, Reason.ABORTED), 1, id="a step of the same update: it is the same abort"),
        pytest.param(
            becomes(currentPodHash="newer"), (Outcome.DENIED, Reason.CHANGED_SINCE), 0, id="another update: ask anew"
        ),
        pytest.param(
            becomes(stableRS="new"), (Outcome.DENIED, Reason.NOTHING_TO_ABORT), 0, id="promoted: nothing to abort"
        ),
        pytest.param(becomes(abort=True), (Outcome.UNCHANGED, Reason.ABORTED), 0, id="aborted by somebody else"),
        pytest.param(
            lambda cluster: cluster.lose(ROLLOUT),
            (Outcome.DENIED, Reason.CHANGED_SINCE),
            0,
            id="no Rollout any more: nobody agreed to a patch",
        ),
    ],
)
def test_only_the_abort_that_was_shown_is_made(
    meanwhile: Callable[[FakeCluster], None], expected: tuple[Outcome, Reason], aborts: int
) -> None:
    cluster = FakeCluster(HOSTS, rollout("reviews", status=updating()))

    assert expected == carried_out(cluster, meanwhile)
    assert (aborts, []) == (len(cluster.aborts), cluster.patches)


def test_what_no_lever_takes_away_is_not_patched_in_vain() -> None:
    cluster = FakeCluster(HOSTS, rollout("reviews", name="other", status=updating()))
    found = plan_by_hand(cluster.read(REVIEWS), ROLLBACK_WISH, NOW)

    assert isinstance(found, Settled)
    assert (Outcome.DENIED, Reason.NO_LEVER) == (found.outcome, found.why.reason)
