"""Pauses on a real kube-apiserver: the contract, the CRD, the index, permissions."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from remediator.cli.main import program
from remediator.cluster.kubernetes import KubernetesCluster
from remediator.cluster.pace import Pace
from remediator.errors import Forbidden, NotSynced, Rejected, Unavailable
from remediator.records.brake import Brake
from tests.brake_contract import KIM, LEE, NOON, BrakeContract, by_hand, said
from tests.builders import Json
from tests.contract import REVIEWS, canary, names, seen
from tests.definitions import our_crd
from tests.processes import binary, wait_until
from tests.real_world import QUICK, RECORDS, Clock, RealWorld, Start, may_read, rest_of
from tests.relay import Relay
from tests.servers import ApiServer, running_api_server
from tests.test_ledger_kubernetes import fields, record, rule, unknown

pytestmark = pytest.mark.servers

COLLECTION = f"{RECORDS}/pauses"
REMEDY = (
    "serves no pauses.remediator.io in any of v1alpha1: install its CRD: remediator schema --crd | kubectl apply -f -"
)


Kubectl = Callable[..., str]


class RealBrakeWorld:
    """A cluster that watches, another that does not, and an administrator with kubectl."""

    def __init__(self, real: RealWorld) -> None:
        self.real = real
        self.brake = real.cluster.brake

    @cached_property
    def bare(self) -> Brake:
        return KubernetesCluster(rest_of(self.real.server)).brake

    def write(self, body: Json) -> None:
        self.real.server.request("POST", COLLECTION, body)

    def eventually(self, condition: Callable[[], object]) -> object:
        return self.real.eventually(condition)


@pytest.fixture
def world(start: Start) -> RealBrakeWorld:
    made = start()
    made.eventually(lambda: made.cluster.health().synced)
    return RealBrakeWorld(made)


class TestContract(BrakeContract):
    """On a real server."""


# The CRD


def test_every_field_of_a_pause_is_one_of_the_schema_and_described() -> None:
    schema = our_crd("pauses")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert [] == list(unknown(by_hand("fleet", by="a", reason="b", until="c"), schema, ""))
    assert ["metadata"] == [path for path, inner in fields(schema, "") if not inner.get("description")]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({"by": "ann", "reason": "why", "until": "tomorrow"}, "spec.until", id="an end that is no time"),
        pytest.param({"by": "ann", "reason": "why", "until": ""}, "spec.until", id="an empty end"),
        pytest.param({"by": "ann", "reason": ""}, "spec.reason", id="an empty reason"),
        pytest.param({"reason": "why"}, "spec.by", id="by nobody"),
        pytest.param({"by": "ann"}, "spec.reason", id="for no reason"),
        pytest.param(None, "spec", id="no spec"),
    ],
)
def test_the_schema_refuses_and_says_where(world: RealBrakeWorld, spec: Json | None, field: str) -> None:
    body = by_hand("fleet") | {"spec": spec}
    with pytest.raises(urllib.error.HTTPError) as caught:
        world.write({key: value for key, value in body.items() if value is not None})
    assert field in caught.value.read().decode()
    assert () == world.brake.read()


def test_what_the_schema_does_not_know_is_dropped_and_ends_nothing(world: RealBrakeWorld) -> None:
    world.write(by_hand("fleet", by="ann", reason="why", untill="2026-08-01T12:00:00Z"))

    (found,) = world.bare.read()
    assert (None, "") == (found.until, found.fault)


def test_an_end_that_the_schema_takes_and_we_do_not_holds(world: RealBrakeWorld) -> None:
    world.write(by_hand("fleet", by="ann", reason="why", until="9999-12-31T23:59:59-12:00"))

    world.eventually(world.brake.pauses)

    (found,) = world.brake.pauses()
    assert (found,) == world.bare.read()
    assert "spec.until is '9999-12-31T23:59:59-12:00', and no time with its zone" == found.fault
    assert found.holds(NOON + timedelta(days=365_000))
    world.bare.pause(KIM)
    world.eventually(lambda: [KIM] == said(world.brake.pauses()))


def test_what_the_server_refuses_is_told(world: RealBrakeWorld) -> None:
    with pytest.raises(Rejected, match=r"spec\.by"):
        world.brake.pause(replace(KIM, by=""))


def test_we_are_named_as_the_writer(world: RealBrakeWorld) -> None:
    world.brake.pause(KIM)
    world.brake.pause(LEE)

    body = world.real.server.request("GET", f"{COLLECTION}/fleet")
    assert {"remediator"} == {entry["manager"] for entry in body["metadata"]["managedFields"]}


def test_what_others_wrote_beside_the_spec_stays(world: RealBrakeWorld) -> None:
    body = by_hand("fleet", by="ann", reason="why")
    body["metadata"]["labels"] = {"team": "shop"}
    world.write(body)

    world.brake.pause(KIM)

    found = world.real.server.request("GET", f"{COLLECTION}/fleet")
    assert ({"team": "shop"}, "kim") == (found["metadata"]["labels"], found["spec"]["by"])


def test_one_that_a_finalizer_keeps_is_said_to_be_there_still(world: RealBrakeWorld) -> None:
    body = by_hand("fleet", by="ann", reason="why")
    body["metadata"]["finalizers"] = ["example.com/stay"]
    world.write(body)
    try:
        with pytest.raises(Unavailable, match=r"still there or there again: fleet"):
            world.brake.resume()
        assert ["ann"] == [pause.by for pause in world.brake.read()]
    finally:
        operations: Any = [{"op": "remove", "path": "/metadata/finalizers"}]
        world.real.server.request(
            "PATCH", f"{COLLECTION}/fleet", operations, content_type="application/json-patch+json"
        )


class TestKubectl:
    """What a person sees and does who has nothing else."""

    @pytest.fixture
    def kubectl(self, world: RealBrakeWorld, tmp_path: Path) -> Kubectl:
        flags = (f"--kubeconfig={world.real.server.kubeconfig()}", f"--cache-dir={tmp_path}")

        def run(*arguments: str, stdin: str = "") -> str:
            command = [binary("KUBEBUILDER_ASSETS", "kubectl"), *flags, *arguments]
            done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
            assert 0 == done.returncode, done.stderr
            return done.stdout

        return run

    def test_the_table_says_who_why_and_until_when(self, world: RealBrakeWorld, kubectl: Kubectl) -> None:
        world.brake.pause(replace(KIM, reason="move"))
        world.write(by_hand("other", by="ann", reason="Friday"))

        head, *rows = (line.split()[:-1] for line in kubectl("get", "pauses").splitlines())

        assert ["NAME", "BY", "REASON", "UNTIL"] == head
        assert [["fleet", "kim", "move", "2026-08-01T14:00:00Z"], ["other", "ann", "Friday"]] == rows

    def test_a_pause_is_written_and_taken_away_by_hand(self, world: RealBrakeWorld, kubectl: Kubectl) -> None:
        kubectl("create", "-f", "-", stdin=json.dumps(by_hand("mine", by="ann", reason="why")))
        world.eventually(lambda: ["mine"] == [pause.name for pause in world.brake.pauses()])

        kubectl("delete", "pauses", "--all")
        world.eventually(lambda: () == world.brake.pauses())

    def test_both_definitions_are_installed_by_one_command(self, kubectl: Kubectl) -> None:
        text = CliRunner().invoke(program, ["schema", "--crd"]).stdout

        found = kubectl("create", "--dry-run=client", "-o", "name", "-f", "-", stdin=text)

        kind = "customresourcedefinition.apiextensions.k8s.io"
        assert [f"{kind}/remediations.remediator.io", f"{kind}/pauses.remediator.io"] == found.splitlines()


# The index


def test_a_cluster_that_nobody_started_says_that_it_has_no_index(world: RealBrakeWorld) -> None:
    with pytest.raises(NotSynced, match=r"pauses\.remediator\.io in the whole cluster not listed yet"):
        world.bare.pauses()


def test_pauses_that_are_too_old_are_not_believed(start: Start, network: Relay) -> None:
    clock = Clock()
    world = start(port=network.port, clock=clock, stale_after=120.0, pace=Pace(stall=30, clock=clock))
    world.eventually(lambda: world.cluster.health().synced)
    network.freeze()  # before its watch has opened, or after: in words it differs
    clock.now += 121
    with pytest.raises(NotSynced, match=r"(nothing heard|no watch) of pauses\.remediator\.io"):
        world.cluster.brake.pauses()


def test_one_namespace_is_paused_as_all_are(start: Start) -> None:
    world = start(namespaces=("shop",))
    world.eventually(lambda: world.cluster.health().synced)

    KubernetesCluster(rest_of(world.server)).brake.pause(KIM)

    world.eventually(lambda: [KIM] == said(world.cluster.brake.pauses()))


def test_the_log_tells_of_a_pause_and_of_its_end(world: RealBrakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    world.bare.pause(KIM)
    world.eventually(world.brake.pauses)
    world.bare.resume()
    world.eventually(lambda: () == world.brake.pauses())

    begun, ended = (each for each in caplog.messages if each.startswith("pause fleet"))
    assert begun.startswith("pause fleet: by kim since ")
    assert ended.startswith("pause fleet is taken away: it was by kim since ")


# Health and permissions


def test_without_the_pauses_traffic_and_records_are_found_and_health_says_what_is_wrong(
    start: Start, api_server: ApiServer
) -> None:
    others = ("VirtualService", "DestinationRule", "Namespace", "Remediation")
    api_server.allow("guest", may_read(*others))
    world = start("guest")
    world.create(canary())
    world.eventually(lambda: names(world) == {"reviews"})
    world.eventually(lambda: () == tuple(world.ledger.heads()))
    missing = "pauses.remediator.io in the whole cluster not listed yet: no permission to list pauses.remediator.io"
    wait_until(lambda: missing in world.cluster.health().detail, "reason")
    health = world.cluster.health()
    assert (False, "", "") == (health.synced, health.routing_fault, health.records_fault)
    assert world.cluster.routing_to(REVIEWS)
    with pytest.raises(NotSynced, match="no permission to list pauses"):
        world.cluster.brake.pauses()

    api_server.allow("guest", may_read(*others, "Pause"))
    world.eventually(lambda: world.cluster.health().synced)
    assert () == world.cluster.brake.pauses()


@pytest.mark.parametrize(
    ("call", "verb"),
    [
        pytest.param("pause", "create", id="to pause takes create"),
        pytest.param("replace", "patch", id="to replace takes patch besides"),
        pytest.param("read", "list", id="to read takes list"),
        pytest.param("resume", "list", id="to resume takes list"),
        pytest.param("delete", "delete", id="to resume takes delete besides"),
    ],
)
def test_a_missing_permission_is_named_and_is_the_one_that_is_needed(
    world: RealBrakeWorld, api_server: ApiServer, call: str, verb: str
) -> None:
    guest = KubernetesCluster(rest_of(api_server, "guest")).brake
    has = {"replace": ["create"], "delete": ["list"]}.get(call, [])
    calls: dict[str, Callable[[], object]] = {"read": guest.read, "resume": guest.resume, "delete": guest.resume}
    do = calls.get(call, lambda: guest.pause(KIM))
    api_server.allow("guest", *[rule("pauses", *has)] if has else ())

    def lacks() -> bool:
        # Each time anew: RBAC needs a moment to hear of a new role.
        if call in {"replace", "delete"}:
            world.bare.pause(LEE)
        return (verb, "pauses.remediator.io") == lacking(do)

    wait_until(lacks, f"{verb} missing", timeout=10)
    api_server.allow("guest", rule("pauses", *has, verb))
    wait_until(lambda: lacking(do) is None, f"{verb} allowed", timeout=10)


def lacking(do: Callable[[], object]) -> tuple[str, str] | None:
    """The permission that is missing; None if it works."""
    try:
        do()
    except Forbidden as error:
        return error.verb, error.resource
    return None


@pytest.mark.usefixtures("api_server")  # skips where there is none
def test_without_its_crd_it_says_what_to_do_and_finds_it_by_itself() -> None:
    """As after an update: the CRD of the records is there, and that of the pauses is not."""
    with running_api_server(ours=False) as server:
        server.install([our_crd("remediations")])
        server.namespace("shop")
        cluster = KubernetesCluster(rest_of(server), pace=QUICK)
        cluster.start()
        world = RealWorld(server, cluster)
        try:
            wait_until(lambda: REMEDY in cluster.health().detail, "reason said", timeout=10)
            seen(world, canary())
            world.eventually(lambda: () == tuple(cluster.ledger.heads()))
            health = cluster.health()
            assert (False, "", "") == (health.synced, health.routing_fault, health.records_fault)
            assert cluster.ledger.create(record()).uid
            with pytest.raises(NotSynced, match=re.escape(REMEDY)):
                cluster.brake.pauses()
            for call in (cluster.brake.read, cluster.brake.resume, lambda: cluster.brake.pause(KIM)):
                with pytest.raises(Unavailable, match=re.escape(REMEDY)):
                    call()

            server.install([our_crd("pauses")])

            world.eventually(lambda: cluster.health().synced)
            cluster.brake.pause(KIM)
            world.eventually(lambda: [KIM] == said(cluster.brake.pauses()))
        finally:
            cluster.stop()
