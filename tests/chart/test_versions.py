"""What the chart renders, held against the schemas of the oldest Kubernetes that it is for, and of the newest known.

The real API server of these tests is older than both: it has no policy/v1, and does not know the fields of later years.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import kubernetes_validate
import pytest

from tests.chart.helm import Json, Refused, only, render

pytestmark = pytest.mark.servers

OLDEST = "1.25"
NEWEST = str(kubernetes_validate.latest_version())
OTHERS = {"AlertmanagerConfig", "Certificate", "PodMonitor", "PrometheusRule", "ServiceMonitor", "Telemetry"}
"""Kinds that Kubernetes itself does not have."""


def faults(objects: Iterable[Json], version: str) -> Iterator[str]:
    """What the schemas of a version say against objects; an unknown field is a fault, too."""
    for found in objects:
        if found["kind"] not in OTHERS:
            try:
                kubernetes_validate.validate(found, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{found['kind']}: {error.message}"


def test_the_newest_kubernetes_knows_every_field(matrix: list[tuple[Json, list[Json]]]) -> None:
    different = {
        json.dumps({**found, "metadata": {"name": "any"}, "data": {}}, sort_keys=True): found
        for _, objects in matrix
        for found in objects
    }
    assert [] == list(faults(different.values(), NEWEST))


def test_so_does_the_oldest() -> None:
    assert [] == list(faults(render(None, "--kube-version", OLDEST), OLDEST))


def test_what_came_later_is_left_out_there() -> None:
    """It is what the test above would find."""
    older, newer = (
        only(render(None, "--kube-version", version), "PodDisruptionBudget") for version in (OLDEST, NEWEST)
    )
    assert {"unhealthyPodEvictionPolicy"} == newer["spec"].keys() - older["spec"].keys()
    expected = [
        "PodDisruptionBudget: Additional properties are not allowed ('unhealthyPodEvictionPolicy' was unexpected)"
    ]
    assert expected == list(faults([newer], OLDEST))


def test_what_is_older_than_that_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        render(None, "--kube-version", "1.24")
    assert "chart requires kubeVersion: >=1.25.0-0" in refused.value.message
