"""Records and Events on a real kube-apiserver: the contract, the CRD, the index, permissions."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remediator.cluster.kubernetes import KubernetesCluster
from remediator.cluster.pace import Pace
from remediator.errors import AlreadyExists, Conflict, Forbidden, NotFound, NotSynced, Rejected, Unavailable
from remediator.owners import Driver, Lever, Owner
from remediator.policies.model import Mode
from remediator.records.events import CONTROLLER
from remediator.records.ledger import head
from remediator.records.model import Phase, Remediation, Request, Status
from remediator.records.rollback import Rollback
from remediator.records.wire import render
from tests.builders import Json
from tests.contract import REVIEWS, canary, names, seen
from tests.definitions import our_crd, our_crds
from tests.ledger_contract import (
    APPLIED,
    NOON,
    OBSERVED,
    TAKEN_BACK,
    LedgerContract,
    companion,
    intent,
    keys,
    record,
    stored,
)
from tests.processes import binary, wait_until
from tests.real_world import EVENTS, QUICK, RECORDS, Clock, RealWorld, Start, may_read, rest_of
from tests.relay import Relay
from tests.servers import ApiServer, running_api_server

pytestmark = pytest.mark.servers

COLLECTION = f"{RECORDS}/namespaces/shop/remediations"
JSON_PATCH = "application/json-patch+json"
FULL = replace(
    record(
        also=(companion("beef"),),
        stable="v1",
        hold_until=NOON + timedelta(minutes=30),
        request=Request("ann", "why"),
        owner=Owner(Driver.FLUX, "Kustomization flux-system/apps", "its labels"),
        lever=Lever.ARGO_ROLLOUTS,
        rollback=Rollback("reviews", "6657cd9495", timedelta(seconds=180)),
    ),
    status=TAKEN_BACK,
)
VALUES = (None, "", 0, False, [], {}, 12.5, "ä<&>\u2028", [None], {"a": None}, {"host": "reviews"})


@pytest.fixture
def world(start: Start, api_server: ApiServer) -> RealWorld:
    api_server.namespace("shop", "web")
    made = start()
    made.eventually(lambda: made.cluster.health().synced)
    return made


class TestContract(LedgerContract):
    """On a real server."""


def raw(world: RealWorld, name: str = "canary-1") -> Json:
    return world.server.request("GET", f"{COLLECTION}/{name}")


def events(world: RealWorld) -> list[Json]:
    items: list[Json] = world.server.request("GET", f"{EVENTS}/namespaces/shop/events")["items"]
    return items


# The CRD


def test_nothing_of_a_record_is_lost(world: RealWorld) -> None:
    world.ledger.conclude(replace(world.ledger.create(FULL), status=FULL.status))

    found, expected = raw(world), render(FULL)

    assert expected["spec"] == found["spec"]
    assert expected["status"] == found["status"]
    assert expected["metadata"]["labels"] == found["metadata"]["labels"]


def test_every_field_of_a_record_is_one_of_the_schema() -> None:
    """So that what is added to the record, and not to the schema, is found out without a server too."""
    version = our_crd()["spec"]["versions"][0]
    assert [] == list(unknown(render(FULL), version["schema"]["openAPIV3Schema"], ""))


def test_every_field_of_the_schema_is_described() -> None:
    schema = our_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert ["metadata"] == [path for path, inner in fields(schema, "") if not inner.get("description")]


def unknown(value: Any, schema: Json, path: str) -> Iterator[str]:
    """Paths in `value` that the schema does not know."""
    if path == ".metadata" or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for item in value:
            yield from unknown(item, schema["items"], f"{path}[]")
    elif isinstance(value, dict) and "additionalProperties" not in schema:
        known = schema.get("properties", {})
        yield from (f"{path}.{key}" for key in value if key not in known)
        for key in value.keys() & known.keys():
            yield from unknown(value[key], known[key], f"{path}.{key}")


def fields(schema: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Every field below a schema."""
    for key, inner in schema.get("properties", {}).items():
        yield f"{path}{key}", inner
        yield from fields(inner, f"{path}{key}.")
        if "items" in inner:
            yield f"{path}{key}[]", inner["items"]
            yield from fields(inner["items"], f"{path}{key}[].")


@pytest.mark.parametrize("value", [pytest.param(value, id=json.dumps(value)) for value in VALUES])
def test_any_value_of_an_operation_comes_back(world: RealWorld, value: Any) -> None:
    patch = ({"op": "test", "path": "/spec/http/0/mirror", "value": value},)

    world.ledger.create(record(patch=patch, undo=patch))

    assert patch == world.bare.read("shop", "canary-1").intent.patch
    assert [{"op": "test", "path": "/spec/http/0/mirror", "value": value}] == raw(world)["spec"]["undo"]


def test_a_record_without_a_status_is_planned_for_everybody(world: RealWorld) -> None:
    """Whoever reads it, in whatever way: nobody has to write the first status."""
    version = world.server.request("GET", COLLECTION)["metadata"]["resourceVersion"]

    made = world.ledger.create(record())

    assert {"phase": "Planned"} == raw(world)["status"]
    assert [{"phase": "Planned"}] == [each["status"] for each in world.server.request("GET", COLLECTION)["items"]]
    watch = world.cluster._rest.stream(COLLECTION, {"watch": "true", "resourceVersion": version}, 10)
    with watch as lines:
        event = json.loads(next(iter(lines)))
    assert ("ADDED", {"phase": "Planned"}) == (event["type"], event["object"]["status"])
    assert Status() == made.status


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        pytest.param("/spec/mode", "Maybe", "spec.mode", id="a mode that is none"),
        pytest.param("/spec/actions", ["Panic"], "spec.actions", id="an action that is none"),
        pytest.param("/spec/actions", [], "spec.actions", id="no action"),
        pytest.param("/spec/patch", [{"op": "jump", "path": "/"}], "spec.patch.op", id="an operation that is none"),
        pytest.param("/spec/alert/startsAt", "at noon", "spec.alert.startsAt", id="a time that is none"),
        pytest.param("/spec/target", {"kind": "VirtualService"}, "spec.target", id="half a target"),
        pytest.param("/spec/approval", {"by": "ann"}, "spec.approval.approved", id="an approval that says neither"),
    ],
)
def test_the_schema_refuses_and_says_where(world: RealWorld, path: str, value: Any, field: str) -> None:
    world.ledger.create(record())
    operations = [{"op": "add", "path": path, "value": value}]
    with pytest.raises(Rejected, match=re.escape(field)):
        world.cluster._rest.patch(f"{COLLECTION}/canary-1", operations)


def test_a_phase_that_is_none_is_refused(world: RealWorld) -> None:
    world.ledger.create(record())
    operations = [{"op": "add", "path": "/status", "value": {"phase": "Done"}}]
    with pytest.raises(Rejected, match=r"status\.phase"):
        world.cluster._rest.patch(f"{COLLECTION}/canary-1/status", operations)


def test_an_approval_is_kept(world: RealWorld) -> None:
    world.ledger.create(record())
    approval = {"approved": True, "by": "ann", "reason": "looks right", "at": "2026-08-01T12:00:00Z"}
    operations = [{"op": "add", "path": "/spec/approval", "value": approval}]
    body = world.server.request("PATCH", f"{COLLECTION}/canary-1", operations, content_type=JSON_PATCH)  # type: ignore[arg-type]
    assert approval == body["spec"]["approval"]


class TestKubectl:
    """What a person sees who has nothing else."""

    @pytest.fixture
    def kubectl(self, world: RealWorld, tmp_path: Any) -> Any:
        command = (
            binary("KUBEBUILDER_ASSETS", "kubectl"),
            f"--kubeconfig={world.server.kubeconfig()}",
            f"--cache-dir={tmp_path}",
        )

        def run(*arguments: str) -> str:
            done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
            assert 0 == done.returncode, done.stderr
            return done.stdout

        return run

    def test_the_table_says_what_was_done_to_whom(self, world: RealWorld, kubectl: Any) -> None:
        world.ledger.conclude(replace(world.ledger.create(record()), status=APPLIED))
        world.ledger.create(record("canary-2", namespace="web"))

        head, *rows = (line.split() for line in kubectl("get", "rem", "-A").splitlines())

        assert ["NAMESPACE", "NAME", "PHASE", "POLICY", "TARGET", "SUSPECT", "AGE"] == head
        found = [" ".join(row[:-1]) for row in rows]
        assert "shop canary-1 Applied canary VirtualService/reviews reviews.shop v2" == found[0]
        assert "web canary-2 Planned canary VirtualService/reviews reviews.shop v2" == found[1]

    def test_it_is_among_all_and_found_by_its_policy(self, world: RealWorld, kubectl: Any) -> None:
        world.ledger.create(record())

        assert "remediation.remediator.io/canary-1" in kubectl("get", "all", "-n", "shop")
        assert "canary-1" in kubectl("get", "rem", "-n", "shop", "-l", "remediator.io/policy=canary")
        assert "" == kubectl("get", "rem", "-n", "shop", "-l", "remediator.io/policy=other")

    def test_one_can_wait_for_it(self, world: RealWorld, kubectl: Any) -> None:
        world.ledger.conclude(replace(world.ledger.create(record()), status=APPLIED))

        assert "condition met" in kubectl(
            "wait", "--for=condition=Applied", "rem/canary-1", "-n", "shop", "--timeout=5s"
        )

    def test_its_fields_are_explained(self, world: RealWorld, kubectl: Any) -> None:
        wait_until(lambda: "Remediation" in json.dumps(world.server.request("GET", "/openapi/v2")), "schema published")

        assert "The JSON Patch that takes it back" in " ".join(kubectl("explain", "rem.spec.undo").split())

    def test_the_target_tells_its_story(self, world: RealWorld, kubectl: Any) -> None:
        seen(world, canary())
        uid = world.server.request("GET", "/apis/networking.istio.io/v1/namespaces/shop/virtualservices/reviews")
        target = replace(OBSERVED.target, uid=uid["metadata"]["uid"])

        world.ledger.announce(replace(OBSERVED, target=target))

        told = kubectl("describe", "virtualservice", "reviews", "-n", "shop")
        assert re.search(r"Normal\s+DryRun\s+.*remediator.io/remediator\s+http\[0\]: reviews subset v2", told), told


# What the server is told


def test_we_are_named_as_the_writer(world: RealWorld) -> None:
    world.ledger.conclude(replace(world.ledger.create(record()), status=APPLIED))
    world.ledger.announce(OBSERVED)
    (event,) = events(world)
    for body in (raw(world), event):
        assert {"remediator"} == {entry["manager"] for entry in body["metadata"]["managedFields"]}


def test_a_rewrite_keeps_what_others_wrote_beside_the_spec(world: RealWorld) -> None:
    made = world.ledger.create(record())
    operations = [{"op": "add", "path": "/metadata/labels/team", "value": "shop"}]
    world.server.request("PATCH", f"{COLLECTION}/canary-1", operations, content_type=JSON_PATCH)  # type: ignore[arg-type]
    with pytest.raises(Conflict):
        world.ledger.rewrite(replace(made, intent=intent(mode=Mode.OBSERVE)))

    world.ledger.rewrite(replace(world.ledger.read("shop", "canary-1"), intent=intent(mode=Mode.OBSERVE)))

    found = raw(world)
    assert ("shop", "Observe") == (found["metadata"]["labels"]["team"], found["spec"]["mode"])


def test_a_record_in_a_namespace_that_is_not_there(world: RealWorld) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        world.ledger.create(record(namespace="nowhere"))


def test_a_record_in_a_namespace_that_is_about_to_go(world: RealWorld) -> None:
    """The server says 403, but nobody lacks a permission."""
    world.server.namespace("doomed")
    world.server.request("DELETE", "/api/v1/namespaces/doomed")  # no controller runs here: it stays Terminating
    with pytest.raises(NotFound, match="being terminated"):
        world.ledger.create(record(namespace="doomed"))


# Events


def test_an_event_told_twice_is_one(world: RealWorld) -> None:
    told = [world.ledger.announce(OBSERVED) for _ in range(2)]
    told.append(world.bare.announce(replace(OBSERVED, at=OBSERVED.at + timedelta(minutes=1))))
    assert [True, False, False] == told, "the first one is news"

    (found,) = events(world)

    assert (OBSERVED.name, "DryRun", "RevertToStable") == (found["metadata"]["name"], found["reason"], found["action"])
    assert (OBSERVED.note, "Normal", CONTROLLER) == (found["note"], found["type"], found["reportingController"])
    assert "2026-08-01T12:00:00.000000Z" == found["eventTime"]
    assert ("reviews", "uid-1") == (found["regarding"]["name"], found["regarding"]["uid"])
    assert ("Remediation", "canary-1") == (found["related"]["kind"], found["related"]["name"])


def test_an_event_with_a_long_note_in_letters_of_many_bytes(world: RealWorld) -> None:
    world.ledger.announce(replace(OBSERVED, note="→" * 2000))
    (found,) = events(world)
    assert 1000 < len(found["note"].encode()) <= 1024


# The index


def test_an_own_write_is_known_before_its_event(start: Start, network: Relay, api_server: ApiServer) -> None:
    """Even if none comes: the connections of the watches are lost."""
    api_server.namespace("shop")
    world = start(port=network.port, pace=Pace(stall=60))
    world.eventually(lambda: world.cluster.health().synced)
    network.freeze()
    world.cluster._rest.close()

    made = world.ledger.create(record())
    assert [("shop", "canary-1")] == keys(world.ledger.answering("f00d", NOON))
    world.ledger.conclude(replace(made, status=APPLIED))
    assert [Phase.APPLIED] == [each.phase for each in world.ledger.heads()]
    rewritten = world.ledger.rewrite(replace(world.ledger.read("shop", "canary-1"), intent=intent(stable="v1")))
    assert (head(rewritten),) == world.ledger.answering("f00d", NOON)
    found = world.ledger.get("shop", "canary-1")
    assert found is not None
    assert stored(rewritten) == stored(found)
    world.ledger.delete(rewritten)
    assert () == world.ledger.heads()


def test_a_record_that_is_gone_unheard_leaves_the_index_when_it_is_asked_for(
    start: Start, network: Relay, api_server: ApiServer
) -> None:
    api_server.namespace("shop")
    world = start(port=network.port, pace=Pace(stall=60))
    world.eventually(lambda: world.cluster.health().synced)
    network.freeze()
    world.cluster._rest.close()
    made = world.ledger.create(record())
    world.bare.delete(made)
    assert world.ledger.get("shop", "canary-1")

    with pytest.raises(NotFound):
        world.ledger.conclude(replace(made, status=APPLIED))

    assert world.ledger.get("shop", "canary-1") is None


def test_an_unreadable_record_is_said_once_and_left_out(world: RealWorld, caplog: pytest.LogCaptureFixture) -> None:
    """A time beyond all calendars, which the schema lets pass."""
    made = world.ledger.create(record())
    world.ledger.create(record("canary-2"))
    world.eventually(lambda: len(world.ledger.heads()) == 2)

    for number in (1, 2):
        status = {"phase": "Failed", "finishedAt": "9999-12-31T23:59:59-12:00", "message": str(number)}
        operations = [{"op": "add", "path": "/status", "value": status}]
        world.server.request("PATCH", f"{COLLECTION}/canary-1/status", operations, content_type=JSON_PATCH)  # type: ignore[arg-type]
        wait_until(lambda: [("shop", "canary-2")] == [each.key for each in world.ledger.heads()], "left out")

    world.ledger.conclude(replace(world.ledger.read("shop", "canary-2"), status=APPLIED))
    world.eventually(lambda: [Phase.APPLIED] == [each.phase for each in world.ledger.heads()])
    said = [each for each in caplog.messages if "left out of the index" in each]
    assert 1 == len(said)
    assert "Remediation shop/canary-1 cannot be understood: date value out of range" in said[0]
    with pytest.raises(Unavailable, match="out of range"):
        world.ledger.read("shop", "canary-1")
    with pytest.raises(AlreadyExists):
        world.ledger.create(record())
    assert [("shop", "canary-2")] == keys(list(world.bare.listed()))

    world.bare.delete(replace(made, resource_version=raw(world)["metadata"]["resourceVersion"]))


def test_a_reason_of_a_newer_release_is_no_reason_to_lose_the_record(world: RealWorld) -> None:
    world.ledger.create(record())
    operations = [{"op": "add", "path": "/status", "value": {"phase": "Failed", "reason": "NotYetInvented"}}]
    world.server.request("PATCH", f"{COLLECTION}/canary-1/status", operations, content_type=JSON_PATCH)  # type: ignore[arg-type]
    found = world.ledger.read("shop", "canary-1")
    assert (Phase.FAILED, None) == (found.status.phase, found.status.reason)


def test_many_records_come_page_by_page(world: RealWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remediator.cluster.ledger.PAGE_SIZE", 3)
    for number in range(7):
        world.ledger.create(record(f"canary-{number}"))
    assert 7 == len({found.name for found in world.bare.listed()})
    assert 7 == len({found.name for found in world.bare.listed("shop")})


def test_a_cluster_that_nobody_started_says_that_it_has_no_index(world: RealWorld) -> None:
    for look in (
        world.bare.heads,
        lambda: world.bare.get("shop", "a"),
        lambda: world.bare.answering("a", NOON),
        lambda: world.bare.taken_back("a"),
    ):
        with pytest.raises(NotSynced, match=r"remediations\.remediator\.io in all namespaces not listed yet"):
            look()


def test_names_are_watched_one_by_one(start: Start, api_server: ApiServer) -> None:
    api_server.namespace("shop", "web")
    world = start(namespaces=("shop",))
    world.ledger.create(record(namespace="web"))
    world.bare.create(record("canary-2", namespace="web"))
    world.bare.create(record())
    world.eventually(lambda: ("shop", "canary-1") in {each.key for each in world.ledger.heads()})
    assert ("web", "canary-2") not in {each.key for each in world.ledger.heads()}
    assert "web" == world.ledger.read("web", "canary-1").namespace


def test_a_glob_sees_what_it_matches(start: Start, api_server: ApiServer) -> None:
    api_server.namespace("shop", "web")
    world = start(namespaces=("sho?",))
    world.bare.create(record(namespace="web"))
    world.bare.create(record())
    world.eventually(world.ledger.heads)
    assert [("shop", "canary-1")] == [each.key for each in world.ledger.heads()]


# Health and permissions


def test_health_counts_records(world: RealWorld) -> None:
    world.ledger.create(record())
    world.eventually(lambda: 1 == world.cluster.health().objects["Remediation"])
    assert "1 Remediation" in world.cluster.health().detail


def test_without_the_records_traffic_is_found_and_health_says_what_is_wrong(
    start: Start, api_server: ApiServer
) -> None:
    api_server.allow("guest", may_read("VirtualService", "DestinationRule", "Namespace"))
    world = start("guest")
    world.create(canary())
    world.eventually(lambda: names(world) == {"reviews"})
    wait_until(lambda: "no permission to list remediations.remediator.io" in world.cluster.health().detail, "reason")
    assert not world.cluster.health().synced
    assert world.cluster.routing_to(REVIEWS)
    with pytest.raises(NotSynced, match="no permission to list remediations"):
        world.ledger.heads()
    api_server.allow("guest", may_read("VirtualService", "DestinationRule", "Namespace", "Remediation", "Pause"))
    world.eventually(lambda: world.cluster.health().synced)


def test_records_that_are_too_old_are_not_believed(start: Start, network: Relay) -> None:
    clock = Clock()
    world = start(port=network.port, clock=clock, stale_after=120.0, pace=Pace(stall=30, clock=clock))
    world.eventually(lambda: world.cluster.health().synced)
    network.freeze()  # before its watch has opened, or after: in words it differs
    clock.now += 121
    with pytest.raises(NotSynced, match=r"(nothing heard|no watch) of remediations\.remediator\.io"):
        world.ledger.heads()


def rule(resource: str, *verbs: str) -> Json:
    group = "events.k8s.io" if resource == "events" else "remediator.io"
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


@pytest.mark.parametrize(
    ("call", "verb", "resource"),
    [
        pytest.param("create", "create", "remediations.remediator.io", id="create"),
        pytest.param("rewrite", "patch", "remediations.remediator.io", id="rewrite"),
        pytest.param("conclude", "patch", "remediations.remediator.io/status", id="conclude"),
        pytest.param("delete", "delete", "remediations.remediator.io", id="delete"),
        pytest.param("read", "get", "remediations.remediator.io", id="read"),
        pytest.param("listed", "list", "remediations.remediator.io", id="listed"),
        pytest.param("announce", "create", "events.events.k8s.io", id="announce"),
    ],
)
def test_a_missing_permission_is_named_and_is_the_one_that_is_needed(
    world: RealWorld, api_server: ApiServer, call: str, verb: str, resource: str
) -> None:
    made = world.ledger.create(record())
    guest = KubernetesCluster(rest_of(api_server, "guest")).ledger
    calls: dict[str, Any] = {
        "create": lambda: guest.create(record("canary-2")),
        "read": lambda: guest.read("shop", "canary-1"),
        "listed": lambda: list(guest.listed()),
        "announce": lambda: guest.announce(OBSERVED),
    }
    do = calls.get(call, lambda: getattr(guest, call)(replace(made, status=APPLIED)))
    api_server.allow("guest")
    with pytest.raises(Forbidden) as caught:
        do()
    assert (verb, resource) == (caught.value.verb, caught.value.resource)

    plural = {"remediations.remediator.io/status": "remediations/status", "events.events.k8s.io": "events"}
    api_server.allow("guest", rule(plural.get(resource, "remediations"), verb))
    wait_until(lambda: allowed(do), f"{verb} allowed", timeout=10)


def allowed(do: Any) -> bool:
    """Whether it works; RBAC needs a moment to hear of a new role."""
    try:
        do()
    except Forbidden:
        return False
    return True


@pytest.mark.usefixtures("api_server")  # skips where there is none
def test_without_our_crd_it_says_what_to_do() -> None:
    with running_api_server(ours=False) as server:
        server.namespace("shop")
        cluster = KubernetesCluster(rest_of(server), pace=QUICK)
        cluster.start()
        world = RealWorld(server, cluster)
        try:
            remedy = (
                "serves no remediations.remediator.io: install its CRD: remediator schema --crd | kubectl apply -f -"
            )
            wait_until(lambda: remedy in cluster.health().detail, "reason said", timeout=10)
            assert not cluster.health().synced
            assert () == world.eventually(lambda: (cluster.routing(),))[0]  # type: ignore[index]
            for call in (
                lambda: cluster.ledger.create(record()),
                lambda: cluster.ledger.read("shop", "canary-1"),
                lambda: list(cluster.ledger.listed()),
            ):
                with pytest.raises(Unavailable, match=re.escape(remedy)):
                    call()
            server.install(our_crds())
            world.eventually(lambda: cluster.health().synced)
            assert isinstance(cluster.ledger.create(record()), Remediation)
            world.eventually(lambda: cluster.ledger.get("shop", "canary-1"))
        finally:
            cluster.stop()
