"""Who changed the routes of a VirtualService last, and when, as managedFields tell it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.traffic.view import RouteChange
from remediator.traffic.virtualservice import last_change
from tests.builders import Json, managed, split, virtual_service
from tests.strategies import json_values

CREATED = "2026-07-01T08:00:00Z"
EARLY, LATE = "2026-08-01T12:00:00Z", "2026-08-01T12:30:00Z"


def at(hour: int, minute: int = 0, *, month: int = 8) -> datetime:
    return datetime(2026, month, 1, hour, minute, tzinfo=UTC)


def body(*entries: Any, generation: int | None = 2, **metadata: Any) -> Json:
    """A VirtualService that was changed since it was created, unless `generation` says otherwise."""
    made = virtual_service({"route": split(v1=90, v2=10)})
    made["metadata"] |= {"creationTimestamp": CREATED, "generation": generation, "managedFields": list(entries)}
    made["metadata"] |= metadata
    return made


OF_METADATA = {"fieldsV1": {"f:metadata": {"f:labels": {"f:app": {}}}}}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param(
            (managed("kubectl-edit", EARLY, "http", "hosts"),),
            RouteChange(at(12), "kubectl-edit"),
            id="the owner of the http routes",
        ),
        pytest.param(
            (managed("argocd", EARLY, "tls"),), RouteChange(at(12), "argocd"), id="the owner of the tls routes"
        ),
        pytest.param((managed("helm", EARLY, "tcp"),), RouteChange(at(12), "helm"), id="the owner of the tcp routes"),
        pytest.param(
            (managed("kubectl-edit", LATE, "http"), managed("argocd", EARLY, "http")),
            RouteChange(at(12, 30), "kubectl-edit"),
            id="of several the newest, wherever it stands",
        ),
        pytest.param(
            (managed("a", EARLY, "http"), managed("b", EARLY, "tcp")),
            RouteChange(at(12), "b"),
            id="of two in one second always the same",
        ),
        pytest.param(
            (managed("argocd", "2026-08-01T14:00:00+02:00", "http"),), RouteChange(at(12), "argocd"), id="in UTC"
        ),
        pytest.param(
            (managed("argocd", EARLY, "http"), managed("remediator", LATE, "http")),
            RouteChange(at(12), "argocd"),
            id="ourselves left out",
        ),
        pytest.param((managed("remediator", LATE, "http"),), None, id="ourselves alone"),
        pytest.param(
            (managed("argocd", EARLY, "http"), managed("kubectl-label", LATE, **OF_METADATA)),
            RouteChange(at(12), "argocd"),
            id="who owns labels only left out",
        ),
        pytest.param((managed("istioctl", LATE, "hosts", "gateways"),), None, id="who owns hosts and gateways only"),
        pytest.param(
            (managed("istiod", LATE, "http", subresource="status"),), None, id="who came by way of the status left out"
        ),
        pytest.param((managed("argocd", EARLY, "http", subresource=""),), RouteChange(at(12), "argocd"), id="no part"),
        pytest.param((), None, id="no managedFields: a file"),
    ],
)
def test_the_last_change_of_the_routes(entries: tuple[Json, ...], expected: RouteChange | None) -> None:
    assert expected == last_change(body(*entries))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param((managed("argocd", LATE, "http"),), "argocd", id="its one writer"),
        pytest.param((managed("argocd", LATE, "http"), managed("argocd", EARLY, "tcp")), "argocd", id="twice the same"),
        pytest.param((managed("argocd", LATE, "http"), managed("helm", EARLY, "http")), "", id="one of two writers"),
        pytest.param((managed("kubectl-label", LATE, **OF_METADATA),), "", id="a writer of whom nothing was noted"),
        pytest.param(
            (managed("argocd", LATE, "http"), managed("remediator", LATE, **OF_METADATA)), "argocd", id="not by us"
        ),
    ],
)
def test_routes_that_were_never_changed_are_as_old_as_their_object(entries: tuple[Json, ...], expected: str) -> None:
    """The writer's time would be that of its last change of anything: of a label, say."""
    assert RouteChange(at(8, month=7), expected) == last_change(body(*entries, generation=1))


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"creationTimestamp": None}, id="no time of creation"),
        pytest.param({"creationTimestamp": "yesterday"}, id="a time of creation that is none"),
        pytest.param({"generation": None}, id="no generation"),
        pytest.param({"generation": "1"}, id="a generation that is text"),
    ],
)
def test_where_it_is_not_known_that_it_was_never_changed_the_writers_tell(metadata: Json) -> None:
    found = body(managed("argocd", EARLY, "http"), **{"generation": 1} | metadata)
    assert RouteChange(at(12), "argocd") == last_change(found)


def test_a_file_says_nothing_of_its_changes_though_it_has_a_generation() -> None:
    found = body(generation=1)
    del found["metadata"]["managedFields"]
    assert last_change(found) is None


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(None, id="nothing"),
        pytest.param("kubectl", id="text"),
        pytest.param({}, id="an empty one"),
        pytest.param(managed("argocd", "", "http"), id="an empty time"),
        pytest.param(managed("argocd", "2026-08-01T12:30:00", "http"), id="a time without a zone"),
        pytest.param(managed("argocd", "0001-01-01T00:00:00+09:00", "http"), id="a time before all years"),
        pytest.param(managed("argocd", LATE, "http", time=7), id="a number for a time"),
        pytest.param({**managed("argocd", LATE, "http"), "manager": None}, id="no manager"),
        pytest.param(managed("argocd", LATE, fieldsV1=None), id="no fields"),
        pytest.param(managed("argocd", LATE, fieldsV1={"f:spec": []}), id="a list for a spec"),
    ],
)
def test_a_malformed_entry_tells_nothing(entry: Any) -> None:
    assert RouteChange(at(12), "helm") == last_change(body(entry, managed("helm", EARLY, "http")))


@given(st.dictionaries(st.sampled_from(["managedFields", "generation", "creationTimestamp"]), json_values))
def test_malformed_metadata_never_raises(metadata: Json) -> None:
    for whole in (metadata, {"metadata": metadata}, body(metadata), body(managed("a", EARLY, "http"), **metadata)):
        assert isinstance(last_change(whole), RouteChange | None)


def test_the_name_of_a_writer_is_kept_once() -> None:
    """Ten thousand objects have the same few."""
    first, second = (last_change(body(managed("".join(["argo", "cd"]), EARLY, "http"))) for _ in range(2))
    assert first
    assert second
    assert first.by is second.by
