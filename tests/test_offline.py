"""Manifests given with -f, as `plan` and `explain` see them: what they say besides the routes."""

from __future__ import annotations

from datetime import UTC, datetime

from remediator.cli.offline import Offline, read_manifests
from remediator.guards.stable_ready import Readiness
from remediator.traffic.view import Destination, RouteChange
from tests.builders import Json, endpoint, endpoint_slice, managed, namespace, pod
from tests.contract import REF, REVIEWS, canary
from tests.folders import dump

V2 = Destination(REVIEWS, "v2")


def offline(*bodies: Json) -> Offline:
    return read_manifests(("-",), dump(canary(), *bodies), ("shop",))


def test_a_namespace_among_them_says_how_far_anything_may_go_in_it() -> None:
    found = offline(namespace("shop", "Observe"), namespace("web", "Off"))

    assert "Observe" == found.read(REF).namespace_mode
    assert ["Observe"] == [snapshot.namespace_mode for snapshot in found.routing_to(REVIEWS)]


def test_an_object_with_its_managed_fields_tells_who_changed_it() -> None:
    """As `kubectl get -o yaml --show-managed-fields` writes it."""
    body = canary(managedFields=[managed("helm", "2026-08-01T12:00:00Z", "http")], generation=3)
    found = read_manifests(("-",), dump(body))

    assert RouteChange(datetime(2026, 8, 1, 12, tzinfo=UTC), "helm") == found.read(REF).changed


def test_endpoints_are_counted_among_them() -> None:
    found = offline(
        endpoint_slice(endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b", ready=False), endpoint("10.0.0.3", "c")),
        *(pod("a", version="v2"), pod("b", version="v2"), pod("c", version="v1")),
    )

    assert Readiness(V2, 1, 2) == found.readiness(V2, {"version": "v2"})


def test_without_endpoint_slices_nothing_is_known_of_endpoints() -> None:
    assert offline(pod("a", version="v2")).readiness(V2, {"version": "v2"}) is None
