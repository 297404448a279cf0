"""Canaries and Rollouts on a real API server, with the real CRDs: that come later, go again, or may not be read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError

import pytest

from remediator.cluster.kubernetes import KubernetesCluster
from remediator.errors import Conflict, NotSynced
from tests.builders import Json, flagger_canary, rollout, updating
from tests.contract import REF, REVIEWS, canary
from tests.definitions import CRDS, crds
from tests.processes import Missing, wait_until
from tests.real_world import GROUP, QUICK, RealWorld, rest_of
from tests.servers import ApiServer, running_api_server
from tests.service import PERMISSIONS
from tests.test_flagger_hook import page_canary

pytestmark = pytest.mark.servers

SOON = replace(QUICK, absent=0.2)
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DRIVERS = {
    "Canary": ("flagger.app/v1beta1", "canaries", "flagger.yaml"),
    "Rollout": ("argoproj.io/v1alpha1", "rollouts", "argo-rollouts.yaml"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """An API server of its own: kinds come and go on it."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(running_api_server())
            made.namespace("shop")
            made.request("POST", f"{GROUP}/namespaces/shop/virtualservices", canary())
        except Missing as missing:
            pytest.skip(str(missing))
        yield made


def definition(kind: str) -> list[Json]:
    _, plural, file = DRIVERS[kind]
    return crds(CRDS / file, plural)


def collection(kind: str, namespace: str = "shop") -> str:
    version, plural, _ = DRIVERS[kind]
    return f"/apis/{version}/namespaces/{namespace}/{plural}"


def uninstall(server: ApiServer) -> None:
    """Delete the CRD of Rollouts, if it is there, and wait until it is gone."""

    def gone() -> bool:
        try:
            server.request("DELETE", f"{DEFINITIONS}/rollouts.argoproj.io")
        except HTTPError as error:
            return error.code == 404
        return False

    wait_until(gone, "Rollouts are no more")


def create(server: ApiServer, body: Json) -> None:
    """Create the object, without what the server fills in."""
    metadata = {key: body["metadata"][key] for key in ("namespace", "name")}
    server.request("POST", collection(body["kind"]), body | {"metadata": metadata})


class Watched:
    """An adapter on the server, and how it has been all the time."""

    def __init__(self, server: ApiServer, cluster: KubernetesCluster) -> None:
        self.world = RealWorld(server, cluster)
        self.server, self.cluster = server, cluster

    def owner(self) -> str:
        """Who drives the VirtualService; believed at any time, or it is an error."""
        (found,) = self.cluster.routing_to(REVIEWS)
        return str(found.owner)

    def becomes(self, expected: str) -> None:
        wait_until(lambda: expected == self.owner(), f"driven by {expected}", timeout=20)


@pytest.fixture
def watched(server: ApiServer) -> Iterator[Watched]:
    cluster = KubernetesCluster(rest_of(server), pace=SOON)
    cluster.start()
    made = Watched(server, cluster)
    made.world.eventually(lambda: cluster.health().synced and cluster.routing_to(REVIEWS))
    yield made
    cluster.stop()


def test_drivers_that_come_later_are_found_and_forgotten_when_they_go(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server = watched.server
    assert "Nobody" == watched.owner()
    assert watched.cluster.health().synced

    server.install(definition("Rollout"))
    create(server, rollout("reviews"))
    watched.becomes("ArgoRollouts (Rollout shop/reviews)")
    server.install(definition("Canary"))
    create(server, flagger_canary())
    watched.becomes("Flagger (Canary shop/reviews)")
    assert "1 Canary, 1 Rollout" in watched.cluster.health().detail

    server.request("DELETE", f"{collection('Canary')}/reviews")
    watched.becomes("ArgoRollouts (Rollout shop/reviews)")
    uninstall(server)
    watched.becomes("Nobody")
    assert watched.cluster.health().synced
    noise = [each.getMessage() for each in caplog.records if "flagger" in each.getMessage()]
    assert [] == noise, "that a kind is not there is no news"


def test_the_abort_reaches_the_status_of_the_update_that_was_read(watched: Watched) -> None:
    server, cluster = watched.server, watched.cluster
    server.install(definition("Rollout"))
    path = f"{collection('Rollout')}/aborted"
    create(server, rollout("reviews", name="aborted"))
    watched.becomes("ArgoRollouts (Rollout shop/aborted)")

    def stand(**status: Any) -> Json:
        """Let its controller write where it stands."""
        now = server.request("GET", path)
        return server.request("PUT", f"{path}/status", now | {"status": status})

    stand(**updating())
    (read,) = cluster.read(REF).driving.rollouts
    assert read.update.in_progress

    cluster.abort(read, dry_run=True)
    assert updating() == server.request("GET", path)["status"]
    cluster.abort(read)
    cluster.abort(read)
    assert updating(abort=True) == server.request("GET", path)["status"]
    (managed,) = [
        each for each in server.request("GET", path)["metadata"]["managedFields"] if each["manager"] == "remediator"
    ]
    assert {"f:status": {"f:abort": {}}} == managed["fieldsV1"]

    stand(**updating("newer"))
    with pytest.raises(Conflict, match="at another update than was read"):
        cluster.abort(read)
    assert updating("newer") == server.request("GET", path)["status"]
    server.request("DELETE", path)
    with pytest.raises(Conflict, match="is gone"):
        cluster.abort(read)
    watched.becomes("Nobody")


def test_flaggers_definition_takes_the_canary_of_the_page_whole(server: ApiServer) -> None:
    server.install(definition("Canary"))
    wanted = page_canary()
    stored = server.request("POST", f"{collection('Canary')}?dryRun=All", wanted)
    assert wanted["spec"]["analysis"] == stored["spec"]["analysis"]


def test_without_the_permission_to_read_rollouts_nothing_is_believed(server: ApiServer) -> None:
    uninstall(server)
    lacking = [rule for rule in PERMISSIONS if "rollouts" not in rule["resources"]]
    server.allow("guest", *lacking)
    cluster = KubernetesCluster(rest_of(server, "guest"), pace=SOON)
    cluster.start()
    try:
        wait_until(lambda: cluster.health().synced, "synced without the CRD")

        server.install(definition("Rollout"))

        def fault() -> str:
            with suppress(NotSynced):
                cluster.routing()
                return ""
            return cluster.health().routing_fault

        wait_until(lambda: "no permission to list rollouts.argoproj.io" in fault(), "told", timeout=40)
        server.allow("guest", *PERMISSIONS)
        wait_until(lambda: cluster.health().synced, "synced again")
    finally:
        cluster.stop()
