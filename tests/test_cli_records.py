"""The command line for records: `list`, `show`, `undo` and `schema --crd`, on a folder that stands in for a cluster.

The texts are held against tests/golden/cli; `python -m tests.test_cli` accepts a change of them.
"""

from __future__ import annotations

import getpass
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from rich.console import Console

from remediator.cli.listing import PHASES
from remediator.cli.record_table import age, say_table
from remediator.cluster.local import LocalCluster
from remediator.cluster.port import Cluster
from remediator.outcome import Outcome, Reason, TargetRef
from remediator.owners import Lever
from remediator.policies.model import MANUAL, Action, MirrorScope, Mode
from remediator.records.hold import Enforcement, Hold
from remediator.records.model import (
    Accusation,
    Approval,
    Companion,
    Conclusion,
    Intent,
    Phase,
    PolicyRef,
    Remediation,
    Request,
    Resolution,
    Status,
    Target,
    Undoing,
)
from remediator.records.rollback import Rollback
from remediator.records.wire import render
from remediator.traffic import undo
from remediator.traffic.hosts import Host
from remediator.traffic.proposal import propose
from remediator.traffic.stamp import ANNOTATION, stamp
from remediator.traffic.suspect import Demand, Suspect
from remediator.verification.model import Figure, Side, Verification, VerificationVerdict
from tests import builders
from tests.contract import manifest
from tests.real_world import EVENTS, RealWorld, Start
from tests.servers import ApiServer
from tests.test_cli import GOLDEN, REVIEWS, ROOT, RULE, here, process, run

__all__ = ["here"]

BEGAN = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
PLANNED = BEGAN + timedelta(seconds=45)
APPLIED = PLANNED + timedelta(milliseconds=180)
REF = TargetRef("VirtualService", "shop", "reviews")
SUSPECT = Suspect(Host("reviews.shop.svc.cluster.local"), "v2")
ACTIONS = (Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS)
NAME = "canary-errors-1b8a1b9b1d55"
TWIN = "mirror-errors-0c0ffee0c0ff"
NEWER = "canary-late-1a7e1a7e1a7e"
MANUALLY = "manual-5eed5eed5eed"

pytestmark = pytest.mark.usefixtures("here", "cluster")

Json = dict[str, Any]


@pytest.fixture
def cluster(tmp_path: Path) -> LocalCluster:
    return furnish_records(tmp_path)


def furnish_records(folder: Path) -> LocalCluster:
    """A folder `mesh` with routing objects, and a story for each phase that a person asks about."""
    mesh = folder / "mesh"
    mesh.mkdir()
    bank = builders.virtual_service({"route": builders.split(v1=90, v2=10)}, namespace="bank")
    (mesh / "shop.yaml").write_text(yaml.safe_dump_all([REVIEWS, RULE, bank], sort_keys=False))
    cluster = LocalCluster(mesh, PLANNED.timestamp)
    apply(cluster)
    record(cluster, TWIN, Phase.OBSERVED, Reason.DRY_RUN, "mode Observe, nothing was changed")
    record(cluster, TWIN, Phase.PLANNED, namespace="bank")
    undone = Undoing(Request("alice", "false alarm"), APPLIED, APPLIED + timedelta(seconds=1))
    status = Status(Phase.UNDONE, Reason.UNDONE, "undone by alice", APPLIED, APPLIED, undo=undone)
    record(cluster, MANUALLY, status=status, policy=PolicyRef(MANUAL), request=Request("bob", "INC-4711"))
    return cluster


def apply(cluster: Cluster) -> None:
    """What the service does for a firing alert, the alert's end included."""
    live = cluster.read(REF)
    demand = Demand(SUSPECT, frozenset(ACTIONS), MirrorScope.SUSPECT, "v1")
    proposal = propose(live.body, live.routing, live.rules, [demand])
    assert proposal.patch
    patch = stamp(proposal.patch, live.body, NAME)
    alert = Accusation(
        "c0ffee0123456789",
        "CanaryErrorRatioAboveStable",
        BEGAN,
        builders.labels(),
        {"summary": "5 % of the canary's requests fail", "runbook_url": "https://runbooks.example/canary"},
        "http://prometheus/graph?g0.expr=errors",
    )
    begun = record(
        cluster,
        NAME,
        alert=alert,
        changes=proposal.plan.changes,
        patch=tuple(patch.operations),
        undo=undo.make(live.body, patch),
        stable="v1",
        also=(Companion("f00d", "CanaryLatency", BEGAN + timedelta(seconds=5), "canary-late", SUSPECT),),
        target=Target("networking.istio.io/v1", REF, live.routing.uid),
    )
    cluster.patch(REF, patch)
    ended = begun.ended(Conclusion(Phase.APPLIED, Reason.PATCHED, "; ".join(proposal.plan.changes)), APPLIED)
    resolved = (Resolution("c0ffee0123456789", APPLIED + timedelta(minutes=5), 300.0),)
    cluster.ledger.conclude(replace(ended, status=replace(ended.status, resolved=resolved)))


def record(
    cluster: Cluster,
    name: str,
    phase: Phase = Phase.PLANNED,
    reason: Reason | None = None,
    message: str = "",
    *,
    namespace: str = "shop",
    status: Status | None = None,
    **intent: Any,
) -> Remediation:
    ref = TargetRef("VirtualService", namespace, "reviews")
    fields: Json = {
        "alert": Accusation("f00d", "MirrorErrors", BEGAN),
        "policy": PolicyRef(name.rpartition("-")[0]),
        "target": Target("networking.istio.io/v1", ref, f"uid-{namespace}-reviews"),
        "suspect": SUSPECT,
        "actions": ACTIONS,
        "mode": Mode.ENFORCE,
        "changes": ("http[0]: reviews subset v2 weight 10 → 0",),
        "patch": (),
        "undo": (),
    }
    made = Intent(**fields | intent)
    stored = cluster.ledger.create(Remediation(namespace, name, made))
    ended = status or Status(phase, reason, message, finished_at=APPLIED if phase.finished else None)
    return stored if ended.phase is Phase.PLANNED else cluster.ledger.conclude(replace(stored, status=ended))


def records(command: str, *more: str) -> Result:
    return run(command, *more, "--manifests", "mesh")


def edit(change: Callable[[Json], Any]) -> None:
    """Somebody changes the VirtualService of shop."""
    path = Path("mesh/shop.yaml")
    bodies = list(yaml.safe_load_all(path.read_text()))
    change(bodies[0])
    path.write_text(yaml.safe_dump_all(bodies, sort_keys=False))


def live() -> Json:
    body: Json = next(yaml.safe_load_all(Path("mesh/shop.yaml").read_text()))
    return body


def give_weight(body: Json) -> None:
    body["spec"]["http"][1]["route"][0]["weight"] = 95
    body["spec"]["http"][1]["route"][1]["weight"] = 5


def later(cluster: Cluster) -> None:
    """A second remediation changes the VirtualService of shop, in another place."""
    record(cluster, NEWER, Phase.APPLIED, Reason.PATCHED)
    edit(lambda body: body["metadata"]["annotations"].update({ANNOTATION: NEWER}))


def shown(*arguments: str) -> list[str]:
    """What `show` says, line by line."""
    return records("show", *arguments).stdout.splitlines()


def listed(*more: str) -> list[str]:
    items = json.loads(records("list", "-o", "json", *more).stdout)["items"]
    return [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in items]


def kept(name: str = NAME, namespace: str = "shop") -> Json:
    found: Json = yaml.safe_load(Path(f"mesh/remediations/{namespace}/{name}.yaml").read_text())
    return found


# -- golden texts


TEXTS = {
    "records-list": ("list",),
    "records-show-applied": ("show", NAME),
    "records-show-changed": ("show", NAME),
    "records-show-verified": ("show", NAME),
    "records-list-verified": ("list",),
    "records-show-undone": ("show", f"shop/{MANUALLY}"),
    "records-show-planned": ("show", TWIN, "-n", "bank"),
    "records-undo": ("undo", NAME, "--by", "alice"),
    "records-undo-dry-run": ("undo", NAME, "--by", "alice", "--dry-run"),
    "records-undo-changed": ("undo", NAME, "--by", "alice"),
}
"""Golden texts and their commands; `changed`: somebody has edited the routing object; `verified`: it did not help."""


def verified() -> None:
    """The canary of shop gets traffic all the same."""
    at = APPLIED + timedelta(minutes=2)
    known = Verification(
        verdict=VerificationVerdict.STILL_RECEIVING,
        at=at,
        message="reviews.shop v2: 600 live requests in the 1m before the patch, 540 in 1m since",
        window_s=60.0,
        figures=(Figure(SUSPECT, Side.LIVE, 600.0, 540.0, 6.0),),
        concluded_at=at,
    )
    ledger = LocalCluster(Path("mesh"), PLANNED.timestamp).ledger
    stored = ledger.read("shop", NAME)
    ledger.conclude(replace(stored, status=replace(stored.status, verification=known)))


def settled(text: str) -> str:
    """A text without what a clock says: how long ago something was, and when an undo was asked for."""
    text = re.sub(r"(?<=  )in \d+[smhd]$", "N ago", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=that began before )\S+", "WHEN", text)
    return re.sub(r"\b\d+[smhd](?= ago$|$)", "N", text, flags=re.MULTILINE)


def golden(name: str) -> Path:
    return GOLDEN / "cli" / f"{name}.txt"


def told(name: str) -> str:
    if name == "records-list":
        record(LocalCluster(Path("mesh"), PLANNED.timestamp), NEWER, Phase.FAILED, Reason.BUDGET_SPENT)
    if name.endswith("-verified"):
        verified()
    if name.endswith("-changed"):
        edit(give_weight)
    return settled(records(*TEXTS[name]).stdout)


def texts(folder: Callable[[], Path]) -> Iterator[tuple[Path, str]]:
    """Every golden text as it would be now, each told in a `folder` of its own, which becomes the current one."""
    for name in TEXTS:
        furnish_records(folder())
        yield golden(name), told(name)


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_as_it_was_reviewed(name: str) -> None:
    assert golden(name).read_text(encoding="utf-8") == told(name)


# -- list


class TestList:
    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            pytest.param((), [f"bank/{TWIN}", f"shop/{NAME}", f"shop/{MANUALLY}", f"shop/{TWIN}"], id="all"),
            pytest.param(("-n", "bank"), [f"bank/{TWIN}"], id="a namespace"),
            pytest.param(("--policy", "manual"), [f"shop/{MANUALLY}"], id="a policy"),
            pytest.param(("--phase", "Applied"), [f"shop/{NAME}"], id="a phase"),
            pytest.param(("--phase", "applied"), [f"shop/{NAME}"], id="a phase in small letters"),
            pytest.param(("--since", "2026-08-01T14:00:46+02:00"), [], id="a time after all of them"),
            pytest.param(("-n", "bank", "--since", "2026-08-01T12:00:45Z"), [f"bank/{TWIN}"], id="the very time"),
            pytest.param(("--since", "1s"), [], id="a duration"),
        ],
    )
    def test_filters(self, flags: tuple[str, ...], expected: list[str]) -> None:
        assert expected == listed(*flags)

    def test_the_newest_stands_first(self, cluster: LocalCluster) -> None:
        path = Path(f"mesh/remediations/shop/{TWIN}.yaml")
        path.write_text(path.read_text().replace("2026-08-01T12:00:45Z", "2026-08-01T12:00:46Z"))

        assert f"shop/{TWIN}" == listed()[0]

    def test_json_holds_the_records_as_the_cluster_keeps_them(self, cluster: LocalCluster) -> None:
        found = json.loads(records("list", "-n", "bank", "-o", "json").stdout)

        assert {"items": [render(cluster.ledger.read("bank", TWIN))]} == found
        assert found == yaml.safe_load(records("list", "-n", "bank", "-o", "yaml").stdout)

    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            pytest.param(
                ("--phase", "Failed"),
                "No remediation matches --policy, --phase and --since; without them there are 4.\n",
                id="none that match",
            ),
            pytest.param(("-n", "nobody"), "No remediations.\n", id="none at all"),
        ],
    )
    def test_none_is_said_and_is_no_error(self, flags: tuple[str, ...], expected: str) -> None:
        found = records("list", *flags)

        assert (0, expected, "") == (found.exit_code, found.stdout, found.stderr)
        assert {"items": []} == json.loads(records("list", *flags, "-o", "json").stdout)

    def test_every_phase_can_be_asked_for(self) -> None:
        assert tuple(Phase) == PHASES

    @pytest.mark.parametrize(
        ("passed", "expected"),
        [
            pytest.param(timedelta(seconds=-5), "0s", id="a clock that is behind"),
            pytest.param(timedelta(seconds=119), "119s", id="below two minutes"),
            pytest.param(timedelta(minutes=90), "90m", id="below two hours"),
            pytest.param(timedelta(hours=47), "47h", id="below two days"),
            pytest.param(timedelta(days=400), "400d", id="long ago"),
        ],
    )
    def test_ages(self, passed: timedelta, expected: str) -> None:
        assert expected == age(passed)

    @pytest.mark.parametrize(
        ("phase", "reason", "expected"),
        [
            pytest.param(Phase.FAILED, Reason.BUDGET_SPENT, "Failed (BudgetSpent)", id="refused by a guard"),
            pytest.param(Phase.EXPIRED, Reason.APPROVAL_EXPIRED, "Expired (ApprovalExpired)", id="expired"),
            pytest.param(Phase.REJECTED, Reason.APPROVAL_REJECTED, "Rejected (ApprovalRejected)", id="rejected"),
            pytest.param(Phase.FAILED, None, "Failed", id="a reason of a later version"),
            pytest.param(Phase.AWAITING_APPROVAL, Reason.APPROVAL_REQUIRED, "AwaitingApproval", id="waiting"),
        ],
    )
    def test_the_reason_stands_with_a_phase_that_needs_it(
        self, cluster: LocalCluster, phase: Phase, reason: Reason | None, expected: str
    ) -> None:
        record(cluster, NEWER, phase, reason)
        (line,) = (line for line in records("list").stdout.splitlines() if NEWER in line)

        assert ["shop", NEWER, expected, "canary-late"] == re.split(r" {2,}", line)[:4]


class TestTable:
    def lines(self, cluster: LocalCluster, width: int | None, name: str = NAME) -> list[str]:
        """What a terminal of that width shows; None: a pipe."""
        colours: Json = {"force_terminal": True, "color_system": "standard"} if width else {}
        out = Console(file=io.StringIO(), width=width, soft_wrap=True, **colours)
        found = [replace(each, name=name) for each in cluster.ledger.listed("shop") if each.name == NAME]
        say_table(out, found, 1, PLANNED + timedelta(minutes=3))
        assert isinstance(out.file, io.StringIO)
        return out.file.getvalue().splitlines()

    def bare(self, *given: Any) -> list[str]:
        return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in self.lines(*given)]

    def test_all_of_it_where_it_fits(self, cluster: LocalCluster) -> None:
        assert [
            "NAMESPACE  NAME                        PHASE    POLICY         TARGET                  SUSPECT"
            "          AGE",
            f"shop       {NAME}  Applied  canary-errors  VirtualService/reviews  reviews.shop v2  3m",
        ] == self.bare(cluster, 120)

    def test_on_a_terminal_of_80_columns_names_stay_whole(self, cluster: LocalCluster) -> None:
        lines = self.bare(cluster, 80)

        assert all(len(line) <= 80 for line in lines)
        assert ["NAMESPACE", "NAME", "PHASE", "TARGET", "SUSPECT", "AGE"] == lines[0].split()
        assert f"shop       {NAME}  Applied  reviews  reviews.shop v2  3m" == lines[1]

    def test_what_is_cut_says_so(self, cluster: LocalCluster) -> None:
        (_, row) = self.bare(cluster, 72)

        assert len(row) <= 72
        assert NAME in row
        assert row.endswith("  revie…p v2  3m")

    def test_a_pipe_gets_everything_and_no_colour(self, cluster: LocalCluster) -> None:
        name = "long-" * 40
        (_, row) = self.lines(cluster, None, name)

        # Lines that a terminal's width would break could not be searched.
        assert ["shop", name, "Applied", "canary-errors", "VirtualService/reviews", "reviews.shop", "v2", "3m"] == (
            row.split()
        )

    def test_a_reason_makes_no_row_too_wide(self, cluster: LocalCluster) -> None:
        failed = replace(
            cluster.ledger.read("shop", NAME), status=Status(Phase.FAILED, Reason.NO_STABLE_DESTINATION, "")
        )
        out = Console(file=io.StringIO(), width=80, soft_wrap=True, force_terminal=True, color_system=None)
        say_table(out, [failed], 1, PLANNED + timedelta(minutes=3))
        assert isinstance(out.file, io.StringIO)
        title, row = out.file.getvalue().splitlines()

        assert (True, True) == (NAME in row, "  Failed" in row)
        assert max(len(title), len(row)) <= 80

    def test_a_phase_has_its_colour_on_a_terminal(self, cluster: LocalCluster) -> None:
        assert "\x1b[32mApplied" in self.lines(cluster, 120)[1]


# -- show


class TestShow:
    def test_of_what_flagger_rolls_back_it_says_how_long_it_waits_and_then_why_there_is_no_undo(
        self, cluster: LocalCluster
    ) -> None:
        rollback = Rollback("reviews", "6657cd9495", timedelta(seconds=180))
        offered = record(cluster, "canary-0ffe4ed", lever=Lever.FLAGGER, rollback=rollback)
        assert offered.created_at
        lines = shown("canary-0ffe4ed")
        actions = (
            "  actions  RevertToStable, RemoveMirrors, by Flagger's rollback of Canary reviews, checksum 6657cd9495"
        )
        assert actions in lines
        until = (offered.created_at + timedelta(minutes=3)).isoformat(timespec="seconds").replace("+00:00", "Z")
        told = (
            f"Flagger is told to roll back as soon as it asks, until {until}; to take that back before, kubectl delete"
        )
        assert f"{told} rem canary-0ffe4ed -n shop." in lines

        told = offered.ended(Conclusion(Phase.APPLIED, Reason.ROLLED_BACK, "told"), APPLIED)
        cluster.ledger.conclude(told)
        (line,) = (each for each in shown("canary-0ffe4ed") if each.startswith("An undo is refused"))
        assert line.endswith("To let it try the same revision again: remediator release shop/canary-0ffe4ed")

    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param((NAME,), id="a bare name, looked for everywhere"),
            pytest.param((NAME, "-n", "shop"), id="a name and its namespace"),
            pytest.param((f"shop/{NAME}",), id="both in one"),
            pytest.param((f"shop/{NAME}", "-n", "shop"), id="the namespace twice"),
        ],
    )
    def test_names_as_people_type_them(self, arguments: tuple[str, ...], cluster: LocalCluster) -> None:
        found = records("show", *arguments, "-o", "json")

        assert (0, render(cluster.ledger.read("shop", NAME))) == (found.exit_code, json.loads(found.stdout))

    def test_yaml_says_the_same_as_json(self) -> None:
        assert json.loads(records("show", NAME, "-o", "json").stdout) == yaml.safe_load(
            records("show", NAME, "-o", "yaml").stdout
        )

    def test_the_command_that_takes_it_back_works_as_it_stands(self) -> None:
        *_, title, command = records("show", NAME).stdout.splitlines()

        assert ("Undo it with:", f"  remediator undo shop/{NAME} --manifests mesh") == (title, command)
        assert 0 == run(*command.split()[1:]).exit_code
        assert "Undone" == kept()["status"]["phase"]

    def test_an_object_that_is_gone_is_said(self) -> None:
        Path("mesh/shop.yaml").write_text(yaml.safe_dump(RULE))
        text = records("show", NAME).stdout

        assert f"{REF} is gone" in text.splitlines()
        assert "There is nothing to put back." == text.splitlines()[-1]

    def test_an_object_that_was_created_anew_is_said(self) -> None:
        edit(lambda body: body["metadata"].update(uid="another"))
        text = records("show", NAME).stdout

        assert f"{REF} is another object of that name now" in text.splitlines()
        assert "There is nothing to put back." == text.splitlines()[-1]

    def test_a_later_remediation_of_the_same_object_is_to_be_undone_first(self, cluster: LocalCluster) -> None:
        later(cluster)

        assert f"A later remediation, {NEWER}, changed this object; undo that first." in shown(NAME)

    @pytest.mark.parametrize(
        ("name", "status"),
        [
            pytest.param(NEWER, Status(Phase.UNDONE), id="that was undone"),
            pytest.param("canary-gone-0ddba110ddba", None, id="of which there is no record"),
        ],
    )
    def test_no_other_name_is_a_later_one(self, cluster: LocalCluster, name: str, status: Status | None) -> None:
        if status:
            record(cluster, name, status=status)
        edit(lambda body: body["metadata"]["annotations"].update({ANNOTATION: name}))

        assert not [line for line in shown(NAME) if "later remediation" in line]

    @pytest.mark.parametrize(
        ("phase", "reason"),
        [
            pytest.param(Phase.OBSERVED, Reason.DRY_RUN, id="observed"),
            pytest.param(Phase.AWAITING_APPROVAL, None, id="awaiting approval"),
            pytest.param(Phase.PLANNED, None, id="planned"),
            pytest.param(Phase.REJECTED, Reason.APPROVAL_REJECTED, id="rejected by a person"),
            pytest.param(Phase.EXPIRED, Reason.APPROVAL_EXPIRED, id="answered by nobody"),
            pytest.param(Phase.FAILED, Reason.STABLE_NOT_READY, id="refused by a guard"),
        ],
    )
    def test_a_suspect_that_still_has_its_traffic(
        self, cluster: LocalCluster, phase: Phase, reason: Reason | None
    ) -> None:
        edit(lambda body: body.update(spec=REVIEWS["spec"]))
        record(cluster, NEWER, phase, reason)

        assert [
            "reviews.shop v2 still gets its traffic. Take it away now, by hand, with:",
            "  remediator rollback shop/reviews --suspect v2 --manifests mesh",
            "  remediator stop-mirror shop/reviews --suspect v2 --manifests mesh",
        ] == shown(NEWER)[-3:]

    def test_what_a_hold_did_is_told_with_the_times(self, cluster: LocalCluster) -> None:
        found = cluster.ledger.read("shop", NAME)
        at = found.status.applied_at or found.intent.alert.starts_at
        began = [at + timedelta(minutes=minutes) for minutes in (1, 2)]
        times = Enforcement(began[0], "helm", "41", began[0] + timedelta(seconds=0.08)), Enforcement(began[1], "", "42")
        hold = Hold(times, at + timedelta(minutes=3), "kubectl-edit")
        cluster.ledger.conclude(replace(found, status=replace(found.status, hold=hold)))

        told = [line.split(", ", 1)[1] for line in shown(NAME) if line.startswith(("  held ", "  hold lost "))]

        assert [
            "brought back in 80ms, against helm",
            "not known to be brought back, against somebody unknown",
            "to kubectl-edit",
        ] == [words.split("  ")[0] for words in told]

    def test_a_plan_that_waits_tells_how_to_answer_it(self, cluster: LocalCluster) -> None:
        edit(lambda body: body.update(spec=REVIEWS["spec"]))
        asked_at = APPLIED + timedelta(seconds=2)
        record(cluster, NEWER, status=Status(Phase.AWAITING_APPROVAL, judged_at=APPLIED, asked_at=asked_at))
        lines = shown(NEWER)
        begin = lines.index("Answer it with one of:")

        assert [
            "It waits for a person since 2026-08-01T12:00:47Z; "
            "the service lets it expire after --approve-within, 1h unless set.",
            "Answer it with one of:",
            f"  remediator approve shop/{NEWER} --manifests mesh",
            f"  remediator reject shop/{NEWER} --manifests mesh",
            "reviews.shop v2 still gets its traffic. Take it away now, by hand, with:",
        ] == lines[begin - 1 : begin + 4]
        (since,) = (line for line in lines if "waits since" in line)
        assert since.startswith("  waits since  2026-08-01T12:00:47Z, for a person's yes or no")

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            pytest.param(Status(judged_at=APPLIED), " since 2026-08-01T12:00:45Z", id="an older record"),
            pytest.param(Status(), "", id="nobody knows"),
        ],
    )
    def test_since_when_it_waits(self, cluster: LocalCluster, status: Status, expected: str) -> None:
        record(cluster, NEWER, status=replace(status, phase=Phase.AWAITING_APPROVAL))

        assert f"It waits for a person{expected}; the service lets it expire" in "\n".join(shown(NEWER))

    @pytest.mark.parametrize(
        ("approval", "words"),
        [
            pytest.param(
                Approval(approved=True, by="ann", reason="seen in the traces", at=APPLIED),
                "approved by ann: seen in the traces",
                id="yes",
            ),
            pytest.param(Approval(approved=False, by="kim", at=APPLIED), "rejected by kim", id="no"),
            pytest.param(Approval(approved=True), "approved by somebody who is not named", id="kubectl patch"),
        ],
    )
    def test_a_person_s_answer_is_told(self, cluster: LocalCluster, approval: Approval, words: str) -> None:
        waiting = record(cluster, NEWER, Phase.AWAITING_APPROVAL)
        cluster.ledger.rewrite(replace(waiting, approval=approval))
        lines = shown(NEWER)

        assert f"  answer   {words}" in lines
        assert f"It is {words} already: a service that runs acts on it within seconds." in lines
        assert not [line for line in lines if "remediator approve" in line]
        verb = words.partition(" ")[0]
        times = [line.rpartition("  ")[0] for line in lines if line.startswith(f"  {verb} ")]
        assert ([f"  {verb}     2026-08-01T12:00:45Z, by {approval.by}"] if approval.at else []) == times

    def test_only_what_there_is_to_take_is_offered(self, cluster: LocalCluster) -> None:
        edit(give_weight)

        assert "  remediator rollback shop/reviews --suspect v2 --manifests mesh" == shown(f"shop/{TWIN}")[-1]

    @pytest.mark.parametrize(
        "status",
        [
            pytest.param(Status(Phase.OBSERVED, resolved=(Resolution("f00d", APPLIED, None),)), id="was resolved"),
            pytest.param(Status(Phase.REJECTED, resolved=(Resolution("f00d", APPLIED, None),)), id="was rejected, too"),
        ],
    )
    def test_nothing_is_to_be_taken_by_hand_once_it(self, cluster: LocalCluster, status: Status) -> None:
        edit(lambda body: body.update(spec=REVIEWS["spec"]))
        record(cluster, NEWER, status=status)

        assert "Nothing was changed, so there is nothing to undo." == shown(NEWER)[-1]

    def test_a_suspect_that_has_no_traffic(self) -> None:
        assert "Nothing was changed, so there is nothing to undo." == shown(f"shop/{TWIN}")[-1]

    @pytest.mark.parametrize(
        ("resolved", "expected"),
        [
            pytest.param(True, "where you want it.", id="that was resolved: traffic put back stays"),
            pytest.param(
                False,
                "where you want it, and silence the alert first, or its next delivery takes it away again.",
                id="that fires still",
            ),
        ],
    )
    def test_traffic_put_by_hand_under_an_alert(self, cluster: LocalCluster, resolved: bool, expected: str) -> None:
        current = cluster.ledger.read("shop", NAME)
        if not resolved:
            cluster.ledger.conclude(replace(current, status=replace(current.status, resolved=())))
        edit(give_weight)

        refused = "An undo is refused while that is so: put the traffic by hand"
        assert f"{refused} {expected}" == shown(NAME)[-1]

    def test_what_a_clock_that_is_ahead_wrote_is_not_past(self, cluster: LocalCluster) -> None:
        current = cluster.ledger.read("shop", NAME)
        at = datetime.now(UTC) + timedelta(days=10, hours=1)
        resolved = (Resolution("c0ffee0123456789", at, 300.0),)
        cluster.ledger.conclude(replace(current, status=replace(current.status, resolved=resolved)))

        (line,) = (line for line in shown(NAME) if line.startswith("  resolved"))
        assert line.endswith("after the patch  in 10d")

    def test_planned_and_applied_in_the_same_second_are_one_line(self, cluster: LocalCluster) -> None:
        current = cluster.ledger.read("shop", NAME)
        late = replace(current.status, applied_at=PLANNED + timedelta(seconds=3))
        before = [line.split()[0] for line in shown(NAME) if line.startswith(("  planned", "  applied"))]
        cluster.ledger.conclude(replace(current, status=late))
        after = [line.split()[0] for line in shown(NAME) if line.startswith(("  planned", "  applied"))]

        assert (["applied"], ["planned", "applied"]) == (before, after)

    def test_what_was_put_back_by_hand_is_seen(self) -> None:
        edit(lambda body: body.update(spec=REVIEWS["spec"]))
        text = records("show", NAME).stdout

        assert f"{REF} has all back that was taken away; somebody did that by hand" in text.splitlines()

    def test_a_patch_that_was_made_though_nobody_wrote_it_down(self, cluster: LocalCluster) -> None:
        current = cluster.ledger.read("shop", NAME)
        cluster.ledger.conclude(replace(current, status=Status()))
        text = records("show", NAME).stdout

        assert f"Remediation shop/{NAME}: Planned" in text.splitlines()
        assert f"{REF} stands as this remediation left it:" in text.splitlines()
        assert f"  remediator undo shop/{NAME} --manifests mesh" in text.splitlines()

    def test_edits_in_other_places_are_no_part_of_the_diff(self) -> None:
        edit(lambda body: body["spec"]["http"][1].update(timeout="5s"))
        text = records("show", NAME).stdout

        assert f"{REF} stands as this remediation left it:" in text.splitlines()
        assert "+    timeout" not in text

    def test_what_a_record_says_cannot_move_the_cursor(self, cluster: LocalCluster) -> None:
        current = cluster.ledger.read("shop", TWIN)
        cluster.ledger.conclude(replace(current, status=replace(current.status, message="a\x1b[2Jb")))

        assert "  a\\x1b[2Jb" in records("show", f"shop/{TWIN}").stdout.splitlines()


# -- undo


class TestUndo:
    def test_the_object_is_what_it_was(self) -> None:
        found = records("undo", NAME, "--by", "alice", "--reason", "false alarm")

        assert (0, REVIEWS["spec"]) == (found.exit_code, live()["spec"])
        assert ANNOTATION not in live()["metadata"].get("annotations", {})
        status = kept()["status"]
        assert ("Undone", "alice", "false alarm") == (
            status["phase"],
            status["undo"]["by"],
            status["undo"]["reason"],
        )

    def test_who_asks_is_the_account_unless_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOGNAME", "carol")
        records("undo", NAME)

        assert "carol" == getpass.getuser() == kept()["status"]["undo"]["by"]

    def test_it_is_said_whom_it_holds_off(self) -> None:
        last = records("undo", NAME, "--by", "alice", "--yes").stdout.splitlines()[-1]
        moment = kept()["status"]["undo"]["requestedAt"][:19]

        assert f"Alerts that began before {moment}Z will not touch reviews.shop v2 here; a new firing will." == last
        assert last == shown(NAME)[-1]

    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            pytest.param((), f"A later remediation, {NEWER}, changed this object; it still stands.", id="in earnest"),
            pytest.param(
                ("--dry-run",), f"A later remediation, {NEWER}, changed this object; undo that first.", id="dry run"
            ),
        ],
    )
    def test_a_later_remediation_is_said(self, cluster: LocalCluster, flags: tuple[str, ...], expected: str) -> None:
        later(cluster)

        assert expected in records("undo", NAME, *flags).stdout.splitlines()

    def test_a_later_remediation_is_said_where_it_is_refused(self, cluster: LocalCluster) -> None:
        later(cluster)
        edit(give_weight)

        expected = f"A later remediation, {NEWER}, changed this object; undo that first."
        assert expected == records("undo", NAME).stdout.splitlines()[-1]

    def test_text_and_json_have_the_same_diff(self) -> None:
        text = records("undo", NAME, "--dry-run").stdout
        answer = json.loads(records("undo", NAME, "--dry-run", "-o", "json").stdout)

        assert f"+++ {REF} (undone)" == answer["diff"].splitlines()[1]
        assert answer["diff"] in text

    def test_twice_is_unchanged(self) -> None:
        records("undo", NAME, "--by", "alice")
        found = records("undo", NAME, "--by", "bob")

        assert 0 == found.exit_code
        assert found.stdout.startswith(f"shop/{NAME}: Unchanged (Undone): ")
        assert "alice" == kept()["status"]["undo"]["by"]

    def test_what_changed_nothing_has_nothing_to_undo(self) -> None:
        found = records("undo", f"shop/{TWIN}")

        assert 0 == found.exit_code
        assert found.stdout.startswith(f"shop/{TWIN}: Unchanged (NotApplied): ")

    def test_json_tells_all_of_it(self) -> None:
        found = json.loads(records("undo", NAME, "--by", "alice", "-o", "json").stdout)

        assert (Outcome.APPLIED, Reason.UNDONE, []) == (found["outcome"], found["reason"], found["differences"])
        assert "Undone" == found["remediation"]["status"]["phase"]
        assert "-      weight: 100\n+      weight: 90" in found["diff"]
        assert found["changes"]

    def test_a_dry_run_changes_nothing(self) -> None:
        before = {path: path.read_bytes() for path in Path("mesh").rglob("*.yaml")}
        found = records("undo", NAME, "--dry-run")

        assert 2 == found.exit_code
        assert before == {path: path.read_bytes() for path in Path("mesh").rglob("*.yaml")}

    def test_a_dry_run_with_nothing_to_do(self) -> None:
        assert 0 == records("undo", f"shop/{TWIN}", "--dry-run").exit_code

    @pytest.mark.parametrize("flags", [pytest.param((), id="in earnest"), pytest.param(("--dry-run",), id="dry run")])
    def test_refused_where_somebody_changed_it_since(self, flags: tuple[str, ...]) -> None:
        edit(give_weight)
        before = live()
        found = records("undo", NAME, *flags, "--by", "alice")

        assert (1, before) == (found.exit_code, live())
        assert "  /spec/http/1/route/0/weight: was left as 100, and is now 95" in found.stdout.splitlines()
        assert (
            f"error: shop/{NAME}: Denied (ChangedSince): nothing was put back; "
            "put the traffic by hand where you want it\n" == found.stderr
        )
        assert ("Applied", None) == (kept()["status"]["phase"], kept()["status"].get("undo"))

    def test_a_refusal_as_json(self) -> None:
        edit(give_weight)
        found = records("undo", NAME, "--by", "alice", "-o", "json")
        answer = json.loads(found.stdout)

        assert (1, "Denied", "ChangedSince") == (found.exit_code, answer["outcome"], answer["reason"])
        assert {"path": "/spec/http/1/route/1/weight", "expected": 0, "found": 5} in answer["differences"]
        assert "" == answer["diff"]


# -- errors


@pytest.mark.parametrize("command", ["show", "undo"])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(
            (TWIN,),
            f"error: {TWIN} is the name of 2 remediations; say which: bank/{TWIN}, shop/{TWIN}\n",
            id="ambiguous",
        ),
        pytest.param(
            ("canary-errors-1b8a1b9b1d56",),
            f"error: there is no remediation canary-errors-1b8a1b9b1d56 in any namespace; did you mean {NAME}?\n",
            id="mistyped",
        ),
        pytest.param(
            ("nothing",),
            "error: there is no remediation nothing in any namespace; `list` shows all there are\n",
            id="none",
        ),
        pytest.param(
            ("bank/nothing",),
            "error: there is no remediation bank/nothing (Remediation bank/nothing is in no file of mesh); "
            "see `list -n bank`\n",
            id="none in the namespace",
        ),
        pytest.param(
            ("reviews",),
            f"error: there is no remediation reviews in any namespace; {REF} names shop/{NAME}: did you mean that?\n",
            id="the name of an object",
        ),
        pytest.param(
            ("shop/reviews",),
            "error: there is no remediation shop/reviews (Remediation shop/reviews is in no file of mesh); "
            f"{REF} names shop/{NAME}: did you mean that?\n",
            id="an object and its namespace",
        ),
        pytest.param(
            (f"shop/{NAME}", "-n", "bank"),
            f"error: shop/{NAME} and -n bank contradict each other; give one of them\n",
            id="two namespaces",
        ),
        pytest.param(
            ("../../secrets/x",),
            'error: "../../secrets/x" names no remediation; give NAME or NAMESPACE/NAME, as `list` shows them\n',
            id="a path",
        ),
        pytest.param(
            ("x", "-n", "../x"),
            'error: -n "../x": no namespace can be called so; without -n it is all of them\n',
            id="a namespace that cannot be",
        ),
    ],
)
def test_a_record_that_is_not_found(command: str, arguments: tuple[str, ...], expected: str) -> None:
    found = records(command, *arguments)

    assert (1, "", expected) == (found.exit_code, found.stdout, found.stderr)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(
            ("list", "--since", "yesterday"),
            'error: --since: "yesterday" is neither a duration back from now, such as 2h or 7d, nor a time with its '
            "zone, such as 2026-08-01T12:00:00Z\n",
            id="a time that is none",
        ),
        pytest.param(("list", "--since", "2026-08-01T12:00:00"), 'error: --since: "2026-08-01T12', id="no zone"),
        pytest.param(
            ("list", "--phase", "Done"),
            "error: invalid value for '--phase': 'Done' is not one of Planned, Ap",
            id="phase",
        ),
        pytest.param(("undo", NAME, "--by", " "), "error: --by: is empty; say who you are", id="nobody"),
        pytest.param(("undo", NAME, "--by", "a\nb"), "error: --by: expected one line without", id="two lines"),
        pytest.param(
            ("undo", NAME, "--reason", "x" * 1025),
            "error: --reason: has 1025 characters; a record holds 1024\n",
            id="a long reason",
        ),
        pytest.param(("show",), "error: missing argument 'NAME|NAMESPACE/NAME'\n", id="no name"),
    ],
)
def test_a_wrong_command_line(arguments: tuple[str, ...], expected: str) -> None:
    found = records(*arguments)

    assert (1, "") == (found.exit_code, found.stdout)
    assert found.stderr.startswith(expected)


def test_a_folder_with_a_torn_file_is_said_where() -> None:
    Path("mesh/torn.yaml").write_text("kind: [")
    found = records("list")

    assert (1, "") == (found.exit_code, found.stdout)
    assert found.stderr.startswith("error: mesh/torn.yaml:1: not YAML: ")


def test_the_flags_that_name_the_cluster_are_kept_in_commands_to_come() -> None:
    Path("my config.yaml").write_text("manifests: mesh\n")
    found = run("show", NAME, "--config", "my config.yaml")

    assert f"  remediator undo shop/{NAME} --config 'my config.yaml'" in found.stdout.splitlines()


# -- a live cluster


@pytest.mark.servers
class TestLive:
    @pytest.fixture
    def world(self, start: Start) -> RealWorld:
        """An API server on which the canary of shop was taken away."""
        world = start()
        world.create(manifest(REVIEWS))
        world.create(manifest(RULE))
        world.eventually(lambda: world.cluster.routing_to(SUSPECT.host) and world.cluster.read(REF).rules)
        apply(world.cluster)
        return world

    def test_the_whole_story(self, world: RealWorld, api_server: ApiServer) -> None:
        flags = ("--kubeconfig", str(api_server.kubeconfig()))
        (item,) = json.loads(run("list", *flags, "-o", "json").stdout)["items"]
        shown = run("show", NAME, *flags).stdout.splitlines()
        undone = run("undo", NAME, *flags, "--by", "alice")

        assert render(world.cluster.ledger.read("shop", NAME))["spec"] == item["spec"]
        assert f"{REF} stands as this remediation left it:" in shown
        assert f"  remediator undo shop/{NAME} {' '.join(flags)}" == shown[-1]
        assert (0, "") == (undone.exit_code, undone.stderr)
        assert REVIEWS["spec"] == world.cluster.read(REF).body["spec"]
        assert Phase.UNDONE is world.cluster.ledger.read("shop", NAME).status.phase
        (event,) = api_server.request("GET", f"{EVENTS}/namespaces/shop/events")["items"]
        assert ("reviews", NAME) == (event["regarding"]["name"], event["related"]["name"])

    def test_a_dry_run_and_a_refusal(self, world: RealWorld, api_server: ApiServer) -> None:
        flags = ("--kubeconfig", str(api_server.kubeconfig()))
        tried = run("undo", NAME, *flags, "--dry-run")
        world.edit(REF, give_weight)
        refused = run("undo", NAME, *flags)

        assert (2, 1) == (tried.exit_code, refused.exit_code)
        assert "  /spec/http/1/route/1/weight: was left as 0, and is now 5" in refused.stdout.splitlines()
        assert Phase.APPLIED is world.cluster.ledger.read("shop", NAME).status.phase

    def test_a_permission_that_is_missing_is_named(self, world: RealWorld, api_server: ApiServer) -> None:
        api_server.allow("guest")
        api_server.allow("guest", namespace="shop")
        guest = ("--kubeconfig", str(api_server.kubeconfig("guest")))
        everywhere, somewhere = run("list", *guest), run("list", *guest, "-n", "shop")

        expected = "error: no permission to list remediations.remediator.io"
        assert [(1, ""), (1, "")] == [(found.exit_code, found.stdout) for found in (everywhere, somewhere)]
        assert everywhere.stderr.startswith(expected)
        assert everywhere.stderr.endswith("; if you may do so in a namespace, name it with -n\n")
        assert somewhere.stderr.startswith(expected)
        assert "-n" not in somewhere.stderr


# -- schema --crd


def test_schema_prints_the_crds() -> None:
    found = run("schema", "--crd")

    assert 0 == found.exit_code
    texts = [
        (ROOT / "chart" / "crds" / f"{name}.yaml").read_text(encoding="utf-8") for name in ("remediations", "pauses")
    ]
    assert "---\n".join(texts) == found.stdout
    names = [each["metadata"]["name"] for each in yaml.safe_load_all(found.stdout)]
    assert ["remediations.remediator.io", "pauses.remediator.io"] == names


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(("list",), 0, id="list"),
        pytest.param(("undo", NAME, "--dry-run"), 2, id="a dry run"),
        pytest.param(("show", TWIN), 1, id="ambiguous"),
    ],
)
def test_exit_codes_of_the_real_process(arguments: tuple[str, ...], code: int) -> None:
    done = process("kubectl-remediate", *arguments, "--manifests", "mesh")

    assert code == done.returncode, done.stderr
    assert b"Traceback" not in done.stderr
