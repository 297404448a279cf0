"""What an alert's labels accuse."""

from typing import Any

import pytest

from remediator.outcome import Reason
from remediator.policies.model import Action, LabelNames, MirrorScope, Mode, Policy, TargetSpec
from remediator.traffic.hosts import resolve
from remediator.traffic.suspect import Refusal, Suspect, demand
from tests.builders import labels


def policy(actions: tuple[Action, ...] = tuple(Action), **target: Any) -> Policy:
    return Policy("canary", "", (), TargetSpec(**target), actions, Mode.ENFORCE)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(labels(), "reviews.shop v2", id="name and namespace"),
        pytest.param(labels(destination_service="ratings.prod.svc.cluster.local"), "ratings.prod v2", id="a host wins"),
        pytest.param(labels(destination_service="ratings"), "ratings.shop v2", id="a short host with the namespace"),
        pytest.param(labels(destination_service="unknown"), "reviews.shop v2", id="Istio's unknown host is no host"),
        pytest.param(labels(destination_service="api.example.com"), "api.example.com v2", id="an external host"),
    ],
)
def test_the_suspect(given: dict[str, str], expected: str) -> None:
    found = demand(given, policy())
    assert not isinstance(found, Refusal)
    assert expected == str(found.suspect)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        pytest.param(labels(version=None), "destination_version", id="no version"),
        pytest.param(labels(version=""), "destination_version", id="an empty version is none"),
        pytest.param(labels(version="unknown"), "destination_version", id="Istio's unknown version is none"),
        pytest.param(labels(name=""), "destination_service", id="no service"),
        pytest.param(labels(namespace=""), "destination_service_namespace", id="no namespace"),
    ],
)
def test_a_missing_label_is_named(given: dict[str, str], missing: str) -> None:
    found = demand(given, policy())
    assert isinstance(found, Refusal)
    assert Reason.LABEL_MISSING == found.reason
    assert f"label {missing}" in found.message


def test_other_labels_may_tell() -> None:
    names = LabelNames(service="svc", version="ver")
    found = demand({"svc": "reviews.shop.svc.cluster.local", "ver": "v2"}, policy(labels=names))
    assert not isinstance(found, Refusal)
    assert Suspect(resolve("reviews", "shop"), "v2") == found.suspect


def test_no_version_is_needed_to_remove_all_mirrors() -> None:
    found = demand(labels(version=None), policy((Action.REMOVE_MIRRORS,), mirrors=MirrorScope.ALL))
    assert not isinstance(found, Refusal)
    assert Suspect(resolve("reviews", "shop"), None) == found.suspect


def test_a_mirror_of_the_stable_version_may_be_removed() -> None:
    assert not isinstance(demand(labels(version="v1"), policy((Action.REMOVE_MIRRORS,), stable="v1")), Refusal)
