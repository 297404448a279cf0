"""Every routing object of the public samples through the plan, held against tests/golden/samples.yaml.

Each version that a sample's routes name is accused in turn, by a policy that may do everything. HTTPRoutes are
among the samples, and are not read yet: nothing is planned on them.

To accept a change: `python -m tests.test_samples`, and review the difference.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.alerts import Alert, parse_alerts
from remediator.cluster.local import LocalCluster
from remediator.cluster.port import Snapshot
from remediator.outcome import AlertOutcome
from remediator.pipeline.execution import execute
from remediator.pipeline.guarding import Guarding
from remediator.pipeline.preparation import prepare
from remediator.pipeline.rows import settle
from remediator.pipeline.tools import Limits, Tools
from remediator.policies.matchers import parse_matcher
from remediator.policies.model import Action, Mode, Policy, PolicySet, TargetSpec
from remediator.records.journal import Journal
from remediator.traffic.hosts import Host, short
from remediator.traffic.proposal import advise

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "shared" / "data" / "samples"
GOLDEN = HERE / "golden" / "samples.yaml"
RULE = "destinationrule-mirror-traffic-isolation.yaml"

# Samples that need a DestinationRule which stands in another file.
BESIDE = {
    "article": (RULE,),
    "bookinfo": ("destination-rule-all.yaml",),
}
POLICIES = PolicySet(
    (Policy("all", "", (parse_matcher('alertname="Bad"'),), TargetSpec(), tuple(Action), Mode.ENFORCE),)
)
NOW = datetime(2026, 8, 1, tzinfo=UTC)


def scenarios() -> Iterator[tuple[str, tuple[Path, ...]]]:
    """(name, files): each sample alone, each with the DestinationRule beside it, and the article's put right."""
    for path in sorted(SAMPLES.rglob("*.yaml")):
        if any(f"kind: {kind}\n" in path.read_text(encoding="utf-8") for kind in ("VirtualService", "HTTPRoute")):
            name = f"{path.parent.name}/{path.name}"
            yield name, (path,)
            for rule in BESIDE.get(path.parent.name, ()):
                yield f"{name} with {rule}", (path, path.parent / rule)
    yield "article, put right", (HERE / "golden" / "article-put-right.yaml",)


def planned(files: tuple[Path, ...], folder: Path) -> dict[str, Any]:
    """What the plan makes of each accusation, and the warnings, for the objects in `files`."""
    for path in files:
        shutil.copy(path, folder / path.name)
    cluster = LocalCluster(folder)
    told: dict[str, Any] = {}
    for snapshot in cluster.routing():
        warnings = [str(each) for each in advise(snapshot.body, snapshot.routing, snapshot.rules)]
        if warnings:
            told.setdefault("warnings", {})[snapshot.routing.ref.name] = warnings
        for host, version in sorted(versions(snapshot)):
            alert = accusation(host, version)
            told[f"{short(host)} {version}"] = [line for row in outcomes(alert, cluster) for line in lines(row)]
            # Or the next would find that the stable side is accused as well.
            shutil.rmtree(folder / "remediations", ignore_errors=True)
    return told


def versions(snapshot: Snapshot) -> set[tuple[Host, str]]:
    """Every (host, version) that the object's destinations name; what tells no version is accused as v2."""
    found: set[tuple[Host, str]] = set()
    for route in snapshot.routing.routes:
        for each in (*route.shares, *route.mirrors):
            destination = each.destination
            known = snapshot.rules.versions(destination.host, destination.subset or "", "default")
            named = {destination.subset} if known is None else {version for version in known if version}
            found |= {(destination.host, version or "v2") for version in named or {None}}
    return found


def accusation(host: str, version: str) -> Alert:
    labels = {"alertname": "Bad", "destination_service": host, "destination_version": version}
    return parse_alerts({"labels": labels}, now=NOW)[0]


def outcomes(alert: Alert, cluster: LocalCluster) -> tuple[AlertOutcome, ...]:
    prepared = prepare([alert], POLICIES, cluster, Mode.OBSERVE)
    guarding = Guarding(cluster, cluster.ledger, lambda: NOW)
    tools = Tools(cluster, Journal(cluster.ledger, lambda: NOW), Limits(prepared.works), guarding)
    rows = [row for work in prepared.works for row in execute(work, tools)]
    return settle([*prepared.rows, *rows])


def lines(row: AlertOutcome) -> Iterator[str]:
    target = row.target.name if row.target else "-"
    if row.changes:
        yield from (f"{target}: {change}" for change in row.changes)
    else:
        yield f"{target}: {row.outcome} {row.reason}: {row.message}"


def golden() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))
    return found


pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"the public samples are not at {SAMPLES}")


@pytest.mark.parametrize(("name", "files"), [pytest.param(name, files, id=name) for name, files in scenarios()])
def test_sample(name: str, files: tuple[Path, ...], tmp_path: Path) -> None:
    assert golden()[name] == planned(files, tmp_path)


def test_every_routing_object_of_the_samples_is_among_them() -> None:
    assert sorted(golden()) == sorted(name for name, _ in scenarios())


def _accept() -> None:
    import tempfile

    found = {}
    for name, files in scenarios():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = planned(files, Path(folder))
    GOLDEN.write_text(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")


if __name__ == "__main__":
    _accept()
