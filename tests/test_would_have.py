"""`list --would-have`: what policies of mode Observe would have done, summed up; and what `show` says of the guards."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.cluster.local import LocalCluster
from remediator.guards.verdict import no, yes
from remediator.outcome import Reason
from remediator.policies.model import Mode
from remediator.records.model import Phase, Remediation, Status
from tests.test_cli import RULE, here
from tests.test_cli_records import record, records

__all__ = ["here"]

pytestmark = pytest.mark.usefixtures("here")

MADE = datetime(2026, 8, 1, 12, 0, 45, tzinfo=UTC)
VERDICTS = (
    yes("pause", "nobody has paused the service"),
    no("cooldown", Reason.COOLING_DOWN, "canary-errors-0ddba11c0ffe changed it 2m ago; the policy wants 10m"),
)

EXPECTED = """\
POLICY         TARGET                       CHANGES  REFUSALS
canary-errors  2 targets                    2        3: CoolingDown 2, Paused 1
               VirtualService bank/reviews  1        0
               VirtualService shop/reviews  1        3: CoolingDown 2, Paused 1
mirror-errors  1 target                     0        1: Frozen 1
               VirtualService shop/reviews  0        1: Frozen 1
"""


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path) -> LocalCluster:
    mesh = tmp_path / "mesh"
    mesh.mkdir()
    (mesh / "rule.yaml").write_text(yaml.safe_dump(RULE))
    return LocalCluster(mesh, MADE.timestamp)


def kept(cluster: LocalCluster, name: str, phase: Phase, reason: Reason, **more: Any) -> Remediation:
    return record(cluster, name, phase, reason, **{"mode": Mode.OBSERVE} | more)


def several(cluster: LocalCluster) -> None:
    kept(cluster, "canary-errors-1", Phase.OBSERVED, Reason.DRY_RUN)
    kept(cluster, "canary-errors-2", Phase.OBSERVED, Reason.DRY_RUN, namespace="bank")
    kept(cluster, "canary-errors-3", Phase.FAILED, Reason.PAUSED)
    kept(cluster, "canary-errors-4", Phase.FAILED, Reason.COOLING_DOWN)
    kept(cluster, "canary-errors-5", Phase.FAILED, Reason.COOLING_DOWN)
    kept(cluster, "mirror-errors-6", Phase.FAILED, Reason.FROZEN)
    # None of these is of mode Observe, or has come to an end that counts.
    kept(cluster, "canary-errors-7", Phase.APPLIED, Reason.PATCHED, mode=Mode.ENFORCE)
    kept(cluster, "canary-errors-8", Phase.FAILED, Reason.PAUSED, mode=Mode.ENFORCE)
    kept(cluster, "canary-errors-9", Phase.EXPIRED, Reason.NOT_EXPOSED)


def test_by_policy_and_target(cluster: LocalCluster) -> None:
    several(cluster)

    assert EXPECTED == records("list", "--would-have").stdout


def test_json_says_the_same(cluster: LocalCluster) -> None:
    several(cluster)
    found = json.loads(records("list", "--would-have", "-o", "json").stdout)
    canary, mirror = found["policies"]

    assert ("canary-errors", 2, 3) == (canary["policy"], canary["changed"], canary["refused"])
    assert {"CoolingDown": 2, "Paused": 1} == canary["reasons"]
    assert [("bank", 1, 0), ("shop", 1, 3)] == [
        (each["namespace"], each["changed"], each["refused"]) for each in canary["targets"]
    ]
    assert {"kind": "VirtualService", "namespace": "shop", "name": "reviews"}.items() <= mirror["targets"][0].items()
    assert found == yaml.safe_load(records("list", "--would-have", "-o", "yaml").stdout)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param(("-n", "bank"), {"canary-errors": (1, 0)}, id="a namespace"),
        pytest.param(("--policy", "mirror-errors"), {"mirror-errors": (0, 1)}, id="a policy"),
        pytest.param(("--phase", "Observed"), {"canary-errors": (2, 0)}, id="a phase"),
        pytest.param(("--since", "2026-08-01T12:00:46Z"), {}, id="a time after all of them"),
        pytest.param(
            ("--since", "2026-08-01T12:00:45Z"), {"canary-errors": (2, 3), "mirror-errors": (0, 1)}, id="the very time"
        ),
    ],
)
def test_the_other_filters_count(
    cluster: LocalCluster, flags: tuple[str, ...], expected: dict[str, tuple[int, int]]
) -> None:
    several(cluster)
    found = json.loads(records("list", "--would-have", "-o", "json", *flags).stdout)

    assert expected == {each["policy"]: (each["changed"], each["refused"]) for each in found["policies"]}


def test_none_is_said(cluster: LocalCluster) -> None:
    kept(cluster, "canary-errors-7", Phase.APPLIED, Reason.PATCHED, mode=Mode.ENFORCE)

    assert "No remediation of mode Observe that matches.\n" == records("list", "--would-have").stdout


def test_a_reason_of_a_later_version_is_counted_too(cluster: LocalCluster) -> None:
    made = kept(cluster, "canary-errors-1", Phase.FAILED, Reason.PAUSED)
    path = Path("mesh/remediations/shop/canary-errors-1.yaml")
    path.write_text(path.read_text().replace(f"reason: {made.status.reason}", "reason: Tomorrow"))

    assert "1: unknown 1" in records("list", "--would-have").stdout


# -- show


def test_show_says_what_each_guard_said_and_when(cluster: LocalCluster) -> None:
    status = Status(
        Phase.FAILED,
        Reason.COOLING_DOWN,
        f"cooldown: {VERDICTS[1].message}",
        finished_at=MADE,
        verdicts=VERDICTS,
        judged_at=MADE + timedelta(minutes=5),
    )
    kept(cluster, "canary-errors-1", Phase.FAILED, Reason.COOLING_DOWN, status=status)
    text = records("show", "canary-errors-1").stdout

    assert (
        "Guards, asked 2026-08-01T12:05:45Z (yes: nothing against it; NO: nothing is changed):\n"
        "  yes  pause     nobody has paused the service\n"
        f"  NO   cooldown  {VERDICTS[1].message}\n"
    ) in text


def test_show_says_nothing_of_guards_that_were_not_asked(cluster: LocalCluster) -> None:
    kept(cluster, "canary-errors-1", Phase.APPLIED, Reason.PATCHED)

    assert "Guards" not in records("show", "canary-errors-1").stdout
