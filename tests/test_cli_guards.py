"""What `plan` and `explain` say of the guards: in words that a tired person understands, and when they are asked.

The texts are held against tests/golden/cli/guards-*.txt; `python -m tests.test_cli` accepts a change of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from remediator.cli.alert_file import read_alerts
from remediator.cli.forecast import Forecast, foresee
from remediator.cli.knowledge import Knowledge
from remediator.cli.situation import Ceiling, Moment
from remediator.cli.situation import Situation as Looked
from remediator.cluster.local import LocalCluster
from remediator.errors import NotSynced, Unavailable
from remediator.guards.budget import Budget
from remediator.guards.judging import GUARDS
from remediator.guards.situation import Bounds
from remediator.guards.stable_ready import Readiness
from remediator.outcome import Outcome, Reason
from remediator.policies.load import load
from remediator.policies.model import MANUAL, Mode
from remediator.records.model import Accusation, Approval, Phase, PolicyRef, Request, Status, Undoing
from remediator.records.naming import Key
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect
from remediator.traffic.view import Destination
from tests import builders
from tests.contract import manifest
from tests.fakes import FakeCluster
from tests.real_world import Start, may_read
from tests.servers import ApiServer
from tests.test_cli import GOLDEN, RULE, here, look
from tests.test_cli_records import record

__all__ = ["here"]

pytestmark = pytest.mark.usefixtures("here")

Json = dict[str, Any]

BEGAN = datetime(2026, 8, 1, 12, tzinfo=UTC)
"""A Saturday."""
LATELY = BEGAN - timedelta(minutes=2)
V1 = Suspect(Host("reviews.shop.svc.cluster.local"), "v1")
MESH = ("--manifests", "mesh")


def canary(v1: int = 90, v2: int = 10, **metadata: Any) -> Json:
    body = builders.virtual_service({"name": "all", "route": builders.split(v1=v1, v2=v2)})
    body["metadata"] |= metadata
    return body


def endpoints(ready: int = 2, of: int = 2) -> list[Json]:
    """Those of v1, and one of v2."""
    names = [f"v1-{number}" for number in range(of)]
    found = [builders.endpoint(f"10.0.0.{n + 1}", name, ready=n < ready) for n, name in enumerate(names)]
    slices = builders.endpoint_slice(*found, builders.endpoint("10.0.1.1", "v2-0", ready=True))
    return [slices, *(builders.pod(name, version="v1") for name in names), builders.pod("v2-0", version="v2")]


def pause(**spec: str) -> Json:
    metadata = {"name": "fleet", "creationTimestamp": "2026-08-01T11:30:00Z"}
    return {"apiVersion": "remediator.io/v1alpha1", "kind": "Pause", "metadata": metadata, "spec": spec}


def furnish(*bodies: Json) -> None:
    """The folder `mesh`: a canary of which all is well, or these objects in the place of it."""
    Path("mesh").mkdir(exist_ok=True)
    kinds = {body["kind"] for body in bodies}
    usual = [body for body in (canary(), RULE, *endpoints()) if body["kind"] not in kinds]
    Path("mesh/mesh.yaml").write_text(yaml.safe_dump_all([*usual, *bodies], sort_keys=False))


def guarded(**guards: Any) -> None:
    """The one policy, with these guards."""
    Path("policies.yaml").write_text(yaml.safe_dump(builders.policy("canary-errors", guards=guards)))


def accusation() -> Accusation:
    """The alert of alert.json, as a record names it."""
    (given,) = read_alerts("alert.json", "")
    return Accusation(given.alert.fingerprint, given.alert.name, given.alert.starts_at)


def remembered(name: str, at: datetime, phase: Phase, reason: Reason, **intent: Any) -> None:
    """A record in `mesh`, made at that time."""
    undo = Undoing(Request("ada", "v2 is fine, its database was not"), at, at) if phase is Phase.UNDONE else None
    applied = at if phase in (Phase.APPLIED, Phase.UNDONE) else None
    status = Status(phase, reason, "", applied, at if phase.finished else None, undo=undo)
    record(LocalCluster(Path("mesh"), at.timestamp), name, status=status, **intent)


# -- situations


def all_is_well() -> None:
    furnish()


def paused() -> None:
    furnish(pause(by="kim", reason="INC-4711: the network is being moved", until="2026-08-01T14:00:00Z"))


def frozen() -> None:
    furnish()
    guarded(freeze=[{"weekdays": ["saturday", "sunday"], "location": "Europe/Berlin"}])


def opted_out() -> None:
    furnish(canary(annotations={"remediator.io/mode": "Off"}))


def namespace_opted_out() -> None:
    furnish(builders.namespace("shop", "off"))


def cooldown() -> None:
    furnish()
    remembered("canary-errors-0ddba11c0ffe", LATELY, Phase.APPLIED, Reason.PATCHED)


def suspect_is_heaviest() -> None:
    furnish(canary(v1=10, v2=90))


def stable_is_suspect() -> None:
    furnish(canary(annotations={"remediator.io/stable": "v2"}))


def stable_not_ready() -> None:
    furnish(*endpoints(ready=1, of=3))


def stable_also_failing() -> None:
    furnish()
    alert = Accusation("0ddba11", "StableDegraded", LATELY)
    remembered(
        "stable-errors-0ddba11c0ffe", LATELY, Phase.FAILED, Reason.NO_STABLE_DESTINATION, alert=alert, suspect=V1
    )


def changed_since() -> None:
    entry = builders.managed("argocd-application-controller", "2026-08-01T12:00:05Z", "http")
    furnish(canary(managedFields=[entry], generation=7))


def budget_spent() -> None:
    furnish()
    for number in range(3):
        remembered(f"canary-late-{number}ddba11c0ffe", LATELY, Phase.APPLIED, Reason.PATCHED, namespace="bank")


def several() -> None:
    frozen()
    remembered("canary-errors-0ddba11c0ffe", LATELY, Phase.APPLIED, Reason.PATCHED)
    furnish(pause(by="kim", reason="all hands"), *endpoints(ready=0))
    guarded(freeze=[{"times": [{"start_time": "08:00", "end_time": "17:30"}], "weekdays": ["saturday"]}])


def undone() -> None:
    furnish()
    at = BEGAN + timedelta(minutes=1)
    remembered("canary-errors-0ddba11c0ffe", at, Phase.UNDONE, Reason.UNDONE, alert=accusation())


@dataclass(frozen=True)
class Situation:
    """One golden text: what is there, how it is asked about, and the reason that it must end with."""

    name: str
    furnish: Callable[[], None]
    reason: Reason
    flags: tuple[str, ...] = MESH
    guards: tuple[str, ...] = tuple(GUARDS)
    """Those that have something to say."""

    def asked(self, command: str = "explain", *more: str) -> Result:
        self.furnish()
        return look(command, *self.flags, *more)

    @property
    def path(self) -> Path:
        return GOLDEN / "cli" / f"guards-{self.name}.txt"


SITUATIONS = (
    Situation("all-is-well", all_is_well, Reason.PATCHED),
    Situation("files-alone", all_is_well, Reason.PATCHED, ("-f", "mesh")),
    Situation("paused", paused, Reason.PAUSED),
    Situation("frozen", frozen, Reason.FROZEN),
    Situation("opted-out", opted_out, Reason.SWITCHED_OFF),
    Situation("namespace-opted-out", namespace_opted_out, Reason.SWITCHED_OFF),
    Situation("not-opted-in", all_is_well, Reason.NOT_OPTED_IN, (*MESH, "--opt-in")),
    Situation("suspect-is-heaviest", suspect_is_heaviest, Reason.SUSPECT_IS_STABLE),
    Situation("stable-is-suspect", stable_is_suspect, Reason.SUSPECT_IS_STABLE, guards=("suspectIsStable",)),
    Situation("stable-also-failing", stable_also_failing, Reason.STABLE_ALSO_FAILING),
    Situation("stable-not-ready", stable_not_ready, Reason.STABLE_NOT_READY),
    Situation("alert-too-old", all_is_well, Reason.STALE_EVIDENCE, (*MESH, "--at", "2026-08-01T15:00:00+01:00")),
    Situation("changed-since", changed_since, Reason.STALE_EVIDENCE),
    Situation("cooldown", cooldown, Reason.COOLING_DOWN),
    Situation("budget-spent", budget_spent, Reason.BUDGET_SPENT, (*MESH, "--budget", "3/10m")),
    Situation("several", several, Reason.PAUSED),
    Situation("undone", undone, Reason.UNDONE, guards=()),
)
each_situation = pytest.mark.parametrize("situation", [pytest.param(each, id=each.name) for each in SITUATIONS])


def texts(folder: Callable[[], Path]) -> Iterator[tuple[Path, str]]:
    """Every golden text as it would be now, each told in a `folder` of its own, which becomes the current one."""
    from tests.test_cli import furnish as usual

    for situation in SITUATIONS:
        usual(folder())
        yield situation.path, situation.asked().stdout


@each_situation
def test_the_text_is_as_it_was_reviewed(situation: Situation) -> None:
    found = situation.asked()

    assert situation.path.read_text(encoding="utf-8") == found.stdout
    assert (2 if situation.reason is Reason.PATCHED else 0) == found.exit_code


@each_situation
def test_every_guard_is_asked_and_plan_says_the_same(situation: Situation) -> None:
    (alert,) = json.loads(situation.asked("explain", "-o", "json").stdout)["alerts"]
    (planned,) = json.loads(look("plan", *situation.flags, "-o", "json").stdout)["alerts"]
    (row,), (target,) = alert["outcomes"], alert["objects"]

    assert situation.reason == row["reason"]
    assert alert["outcomes"] == planned["outcomes"]
    assert [*situation.guards] == [each["guard"] for each in target["guards"]]
    assert all(each["message"] for each in target["guards"])
    nos = [each for each in target["guards"] if not each["allows"]]
    assert [situation.reason][: len(nos)] == [each["reason"] for each in nos[:1]]
    assert all(each["reason"] is None for each in target["guards"] if each["allows"])
    assert nos == [] or row["message"] == "; ".join(f"{each['guard']}: {each['message']}" for each in nos)


# -- when


class TestAt:
    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            pytest.param((), "2026-08-01T12:00:00Z, when the alert began", id="files: when the alert began"),
            pytest.param(
                ("--at", "2026-08-01T14:30:00+02:00"), "2026-08-01T12:30:00Z, as --at says", id="a time with its zone"
            ),
        ],
    )
    def test_the_moment_is_said(self, flags: tuple[str, ...], expected: str) -> None:
        furnish()

        assert f"Judged at: {expected}" in look("explain", *MESH, *flags).stdout.splitlines()
        found = json.loads(look("plan", *MESH, *flags, "-o", "json").stdout)
        assert expected.partition(",")[0] == found["judgedAt"]

    def test_now_is_now(self) -> None:
        furnish()
        before = datetime.now(UTC).replace(microsecond=0)
        found = json.loads(look("explain", *MESH, "--at", "now", "-o", "json").stdout)

        assert before <= datetime.fromisoformat(found["judgedAt"]) <= datetime.now(UTC)
        assert "StaleEvidence" == found["alerts"][0]["outcomes"][0]["reason"]

    def test_of_several_alerts_it_is_when_the_last_began(self) -> None:
        """Those of one notification are judged at once."""
        furnish()
        alerts = [
            builders.alert(builders.labels()) | {"startsAt": "2026-08-01T11:00:00Z"},
            builders.alert(builders.labels(alertname="Other")) | {"startsAt": "2026-08-01T12:10:00Z"},
        ]
        text = look("explain", *MESH, alert="-", stdin=json.dumps(alerts)).stdout

        assert "Judged at: 2026-08-01T12:10:00Z, when the last of the alerts began" in text.splitlines()
        assert "  would be Denied (StaleEvidence): VirtualService shop/reviews: alertAge: " in text

    @pytest.mark.parametrize("text", ["yesterday", "2026-08-01T12:00:00", "12:00", ""])
    def test_what_is_no_time_is_an_error(self, text: str) -> None:
        furnish()
        found = look("plan", *MESH, "--at", text)

        assert (1, "") == (found.exit_code, found.stdout)
        assert found.stderr.startswith("error: --at: ")
        assert found.stderr.endswith(" is neither now nor a time with its zone, such as 2026-08-01T12:00:00Z\n")


# -- what the records say besides


class TestPeople:
    def approval(self, approval: Approval | None) -> None:
        """A plan of mode Approve that waits, or waited, for a person."""
        furnish()
        Path("policies.yaml").write_text(yaml.safe_dump(builders.policy("canary-errors", mode="Approve")))
        cluster, alert = LocalCluster(Path("mesh"), BEGAN.timestamp), accusation()
        name = Key(alert.fingerprint, alert.starts_at, "canary-errors", "uid-shop-reviews").name()
        status = Status(Phase.AWAITING_APPROVAL, Reason.APPROVAL_REQUIRED)
        made = record(cluster, name, status=status, alert=alert, mode=Mode.APPROVE)
        if approval:
            cluster.ledger.rewrite(replace(made, approval=approval))

    @pytest.mark.parametrize(
        ("approval", "expected"),
        [
            pytest.param(None, "AwaitingApproval ApprovalRequired", id="nobody has answered"),
            pytest.param(Approval(True, "ada"), "Applied Patched", id="yes"),
            pytest.param(Approval(False, "ada", "not now"), "Denied ApprovalRejected", id="no"),
        ],
    )
    def test_an_answer_counts(self, approval: Approval | None, expected: str) -> None:
        self.approval(approval)
        (alert,) = json.loads(look("plan", *MESH, "-o", "json").stdout)["alerts"]

        assert [expected] == [f"{row['outcome']} {row['reason']}" for row in alert["outcomes"]]

    def test_what_waits_is_not_judged(self) -> None:
        self.approval(None)

        assert "  Guards: not asked, see the verdict" in look("explain", *MESH).stdout.splitlines()


def test_what_would_be_changed_counts_for_the_budget() -> None:
    """Two objects, and a budget of one: which of them comes first is chance, and that it is one is not."""
    other = builders.virtual_service({"route": builders.split(v1=90, v2=10)}, name="other")
    furnish(canary(), other)
    (alert,) = json.loads(look("plan", *MESH, "--budget", "1/10m", "-o", "json").stdout)["alerts"]

    assert ["BudgetSpent", "Patched"] == sorted(row["reason"] for row in alert["outcomes"])


def test_where_it_is_observed_what_would_be_observed_counts() -> None:
    other = builders.virtual_service({"route": builders.split(v1=90, v2=10)}, name="other")
    furnish(canary(), other)
    flags = (*MESH, "--budget", "1/10m", "--mode", "Observe", "-o", "json")
    (alert,) = json.loads(look("plan", *flags).stdout)["alerts"]

    assert ["BudgetSpent", "DryRun"] == sorted(row["reason"] for row in alert["outcomes"])


def test_what_a_person_did_by_hand_changes_an_object_too() -> None:
    furnish()
    remembered(
        "manual-0ddba11c0ffe", LATELY, Phase.APPLIED, Reason.PATCHED, policy=PolicyRef(MANUAL), request=Request("bob")
    )
    (alert,) = json.loads(look("explain", *MESH, "-o", "json").stdout)["alerts"]

    assert "CoolingDown" == alert["outcomes"][0]["reason"]


def test_an_alert_without_a_policy_has_nobody_to_ask() -> None:
    furnish()
    text = look("explain", "-f", "mesh", alert="-", stdin=json.dumps({"labels": {"alertname": "Other"}})).stdout

    assert "Guards" not in text
    assert "cannot be read" not in text


# -- what cannot be read


class TestUnread:
    @pytest.fixture
    def cluster(self) -> FakeCluster:
        return FakeCluster(canary(), RULE)

    def foreseen(self, cluster: FakeCluster, **guards: Any) -> Forecast:
        Path("policies.yaml").write_text(yaml.safe_dump(builders.policy("canary-errors", guards=guards)))
        return foresee(
            Looked(
                alerts=read_alerts("alert.json", ""),
                policies=load((Path("policies.yaml"),)),
                cluster=cluster,
                ceiling=Ceiling(Mode.ENFORCE, "--mode"),
                source="live",
                offline=False,
                knowledge=Knowledge(cluster, 0.0),
                bounds=Bounds(budget=Budget(10, timedelta(minutes=10))),
                moment=Moment(BEGAN, "now"),
            )
        )

    def not_asked(self, forecast: Forecast) -> list[str]:
        (verdicts,) = forecast.alerts[0].verdicts.values()
        return [verdict.guard for verdict in verdicts if verdict.message.startswith("not asked: ")]

    def test_records_that_are_not_there_hide_nothing_else(self, cluster: FakeCluster) -> None:
        cluster.ledger.fails["index"] = NotSynced("install its CRD")
        found = self.foreseen(cluster)

        assert ["stableAlsoFailing", "cooldown", "budget"] == self.not_asked(found)
        assert (
            "the records cannot be read (install its CRD): cooldown, budget and other alerts were not asked",
        ) == found.unasked
        assert 2 == found.exit_code

    def test_pauses_that_are_not_there_hide_nothing_else(self, cluster: FakeCluster) -> None:
        cluster.brake.fails["pauses"] = NotSynced("install its CRD")
        found = self.foreseen(cluster)

        assert ["pause"] == self.not_asked(found)
        assert (
            "the pauses cannot be read (install its CRD): whether somebody has paused the service was not asked",
        ) == found.unasked

    def test_endpoints_that_a_person_may_not_count(self, cluster: FakeCluster) -> None:
        lacking = "no permission to list endpointslices.discovery.k8s.io in shop"
        v1 = Destination(V1.host, "v1")
        cluster.endpoints[v1] = Readiness(v1, 0, 0, lacking)
        found = self.foreseen(cluster)

        assert ["stableReady"] == self.not_asked(found)
        assert (
            f"the endpoints cannot be read ({lacking}): whether the stable side is ready was not asked",
        ) == found.unasked
        assert 2 == found.exit_code

    def test_a_host_without_endpoints_is_a_no(self, cluster: FakeCluster) -> None:
        v1 = Destination(V1.host, "v1")
        cluster.endpoints[v1] = Readiness(v1, 0, 0, "the host is no Kubernetes service")
        found = self.foreseen(cluster)

        assert [Reason.STABLE_NOT_READY] == [row.reason for row in found.alerts[0].rows]
        assert () == found.unasked

    def test_what_is_switched_off_would_not_have_asked(self, cluster: FakeCluster) -> None:
        cluster.ledger.fails["index"] = NotSynced("install its CRD")
        found = self.foreseen(cluster, stableReady="0%")
        (verdicts,) = found.alerts[0].verdicts.values()

        assert ["switched off: the policy's spec.guards.stableReady is 0%"] == [
            verdict.message for verdict in verdicts if verdict.guard == "stableReady"
        ]

    def test_an_api_server_that_goes_away_meanwhile_is_an_error(self, cluster: FakeCluster) -> None:
        def away(request: str) -> None:
            if request == "readiness":
                raise Unavailable("no answer")

        cluster.step = away
        found = self.foreseen(cluster)
        (row,) = found.alerts[0].rows

        assert (Outcome.FAILED, Reason.UNAVAILABLE) == (row.outcome, row.reason)
        assert "the guards could not be asked: no answer" == row.message
        assert 1 == found.exit_code


# -- a live cluster


@pytest.mark.servers
class TestLive:
    def test_now_is_when_it_is_judged_and_records_are_asked(self, api_server: ApiServer, start: Start) -> None:
        world = start()
        world.create(manifest(canary()))
        world.create(manifest(RULE))
        flags = ("--kubeconfig", str(api_server.kubeconfig()), "-o", "json")
        found = json.loads(look("explain", *flags).stdout)
        guards = {each["guard"]: each for each in found["alerts"][0]["objects"][0]["guards"]}

        assert [] == found["notAsked"]
        assert [] == [each["message"] for each in guards.values() if each["message"].startswith("not asked")]
        assert ["StableNotReady", "StaleEvidence", "StaleEvidence"] == [
            guards[name]["reason"] for name in ("stableReady", "alertAge", "evidence")
        ]

    def test_whoever_may_only_read_routing_objects_may_ask(self, api_server: ApiServer, start: Start) -> None:
        world = start()
        world.create(manifest(canary()))
        world.create(manifest(RULE))
        api_server.allow("guest", may_read("VirtualService", "DestinationRule", "Namespace"))
        Path("alert.json").write_text(json.dumps({"labels": builders.labels()}))  # it begins now
        flags = ("--kubeconfig", str(api_server.kubeconfig("guest")), "-o", "json")
        found = json.loads(look("explain", *flags).stdout)
        (alert,) = found["alerts"]
        said = {each["guard"]: each["message"] for each in alert["objects"][0]["guards"]}

        assert "Applied" == alert["outcomes"][0]["outcome"]
        assert {
            "pause": "not asked: the pauses cannot be read",
            "cooldown": "not asked: the records cannot be read",
            "budget": "not asked: the records cannot be read",
            "stableAlsoFailing": "not asked: the records cannot be read",
            "stableReady": "not asked: the endpoints cannot be read",
        } == {guard: message for guard, message in said.items() if message.startswith("not asked")}
        records, pauses, endpoints_ = found["notAsked"]
        assert "no permission to list remediations.remediator.io" in records
        assert records.endswith("): cooldown, budget and other alerts were not asked")
        assert "no permission to list pauses.remediator.io" in pauses
        assert "no permission to list endpointslices.discovery.k8s.io in shop" in endpoints_
