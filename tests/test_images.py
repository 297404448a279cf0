"""Which images a suspect's pods ran: found once while they are there, kept on the record, asked about at the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.images import images
from remediator.cluster.local import LocalCluster
from remediator.errors import Unavailable
from remediator.outcome import Outcome
from remediator.records.gate import Candidate, judge
from remediator.records.images import Image, Images, Ran, digest_of
from remediator.records.model import Remediation
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect
from remediator.traffic.view import Destination
from tests.builders import (
    Json,
    alert,
    by_host,
    destination_rule,
    endpoint,
    endpoint_slice,
    labels,
    pod,
    split,
    virtual_service,
    when,
)
from tests.fakes import NOW, FakeCluster
from tests.test_cli import run
from tests.test_gate import ASKED, GATE, client
from tests.test_pipeline_records import Mesh
from tests.test_verifying import Clock, Replica
from tests.web_fakes import a_record

A, B, C = (f"sha256:{64 * letter}" for letter in "abc")
HOST = Host("reviews.shop.svc.cluster.local")
V2 = Suspect(HOST, "v2")
SECOND = timedelta(seconds=1)


def running(name: str, *pulled: str, sidecar: bool = False, pinned: str = "", **more: str) -> Json:
    """A pod whose containers have pulled these images; an empty one has not started."""
    made = pod(name, app="reviews", **more)
    names = [f"c{number}" for number in range(len(pulled))]
    made["spec"]["containers"] = [
        {"name": each, "image": pinned or "example.org/reviews" + (f"@{digest}" if digest else ":2")}
        for each, digest in zip(names, pulled, strict=True)
    ]
    made["status"] = {
        "containerStatuses": [
            {"name": each, "imageID": digest and f"example.org/reviews@{digest}"}
            for each, digest in zip(names, pulled, strict=True)
        ]
    }
    if sidecar:
        made["spec"]["containers"].append({"name": "istio-proxy", "image": "example.org/proxy"})
        made["status"]["containerStatuses"].append({"name": "istio-proxy", "imageID": f"example.org/proxy@{C}"})
    return made


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(running("a", A), (Ran("c0", A),), id="what was pulled"),
        pytest.param(running("a", A, B), (Ran("c0", A), Ran("c1", B)), id="of each container"),
        pytest.param(running("a", A, sidecar=True), (Ran("c0", A),), id="not of Istio's proxy, which all pods have"),
        pytest.param(running("a", A, pinned="example.org/reviews:2"), (Ran("c0", None), Ran("c0", A)),
                     id="by a tag, so that it may go by other digests, too"),
        pytest.param(running("a", "", pinned="example.org/reviews:2"), (Ran("c0", None),),
                     id="one that has not started is not known"),
        pytest.param(
            running("a", B, pinned=f"example.org/reviews@{A}"),
            (Ran("c0", A), Ran("c0", B)),
            id="an index and an image",
        ),
        pytest.param(running("a", "", pinned=f"example.org/reviews@{A}"), (Ran("c0", A),), id="pinned, not started"),
        pytest.param(pod("a") | {"status": {"containerStatuses": [{"name": "main", "imageID": A}]}},
                     (Ran("main", None),), id="the digest of a configuration, which no registry knows"),
        pytest.param(running("b", A), (), id="another pod"),
    ],
)  # fmt: skip
def test_what_a_pod_runs(found: Json, expected: tuple[Ran, ...]) -> None:
    assert expected == images([found], {"a"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(status=JSON, spec=JSON)
def test_a_malformed_pod_tells_nothing(status: Any, spec: Any) -> None:
    images([{"kind": "Pod", "metadata": {"name": "a"}, "status": status, "spec": spec}], {"a"})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(A, id="a digest"),
        pytest.param(f"example.org/shop/reviews@{A}", id="a reference with its digest"),
        pytest.param(f"example.org:5000/reviews:2@{A}", id="with a port and a tag besides"),
    ],
)
def test_an_image_is_named_by_its_digest(text: str) -> None:
    assert A == digest_of(text)


@pytest.mark.parametrize("text", ["", "example.org/reviews:2", "sha256:abc", f"@{A}", f"{A} ", f"a b@{A}", A.upper()])
def test_a_tag_names_no_image(text: str) -> None:
    with pytest.raises(ValueError, match=r"image: names no digest; give REF@sha256"):
        digest_of(text)


# -- found


ENDPOINTS = endpoint_slice(*(endpoint(f"10.0.0.{number}", f"p{number}", ready=True) for number in range(1, 4)))
PODS = (running("p1", A, version="v2"), running("p2", B, version="v1"), running("p9", C, version="v2"))
"""p9 is of the version, and not of the service."""
CANARY = virtual_service({"route": split(v1=90, v2=10)})
RULE = destination_rule(v1="v1", v2="v2")


@pytest.fixture
def applied_on() -> Iterator[Callable[..., FakeCluster]]:
    with ThreadPoolExecutor(2) as executor:

        def made(*bodies: Json, accusing: Json | None = None, verifies: bool = True) -> FakeCluster:
            mesh = Mesh(FakeCluster(*bodies), executor)
            (row,) = mesh.deliver(accusing or alert(labels(), fingerprint="e" * 16), verifies=verifies)
            assert Outcome.APPLIED is row.outcome, row.message
            return mesh.cluster

        yield made


AppliedOn = Callable[..., FakeCluster]


def record_of(cluster: FakeCluster) -> Remediation:
    (found,) = cluster.ledger.records()
    return found


def look(cluster: FakeCluster, after: timedelta = SECOND, rounds: int = 1) -> None:
    """A fresh replica looks, so long after the patch."""
    Replica(cluster, None, Clock(NOW + after)).look(NOW + after + (rounds - 1) * SECOND, SECOND)


HEADER = virtual_service(when(route=split(v2=None)), {"route": split(v1=100)})
HOSTS = virtual_service({"route": by_host(reviews_stable=90, reviews_canary=10)})
CANARY_ENDPOINTS = endpoint_slice(endpoint("10.0.0.1", "p1", ready=True), service="reviews-canary")
OF_HOST = alert(labels(name="reviews-canary"), fingerprint="e" * 16)


@pytest.mark.parametrize(
    ("bodies", "accusing", "expected"),
    [
        pytest.param((CANARY, RULE, ENDPOINTS, *PODS), None, {A}, id="of the version's pods behind the service"),
        pytest.param((HEADER, RULE, ENDPOINTS, *PODS), None, {A}, id="where no route names its subset any more"),
        pytest.param(
            (CANARY, RULE, ENDPOINTS, *PODS, running("p3", C, version="v2")), None, {A, C}, id="of two builds both"
        ),
        pytest.param((HOSTS, CANARY_ENDPOINTS, running("p1", A)), OF_HOST, {A}, id="of a service of its own"),
    ],
)
def test_it_is_found_and_written(
    applied_on: AppliedOn, bodies: tuple[Json, ...], accusing: Json | None, expected: set[str]
) -> None:
    cluster = applied_on(*bodies, accusing=accusing)
    look(cluster)
    found = record_of(cluster).status.images

    assert found is not None
    assert (NOW + SECOND, True) == (found.at, found.complete)
    assert expected == {each.digest for each in found.found}


@pytest.mark.parametrize(
    "bodies",
    [
        pytest.param((CANARY, RULE), id="no endpoints"),
        pytest.param((CANARY, RULE, ENDPOINTS, running("p1", "", version="v2")), id="no digest"),
        pytest.param((CANARY, RULE, ENDPOINTS, *PODS[1:]), id="no pod of that version"),
        pytest.param((CANARY, ENDPOINTS, *PODS), id="no rule says which pods are of the version"),
    ],
)
def test_nothing_is_written_where_nobody_knows(applied_on: AppliedOn, bodies: tuple[Json, ...]) -> None:
    cluster = applied_on(*bodies)
    look(cluster)

    assert record_of(cluster).status.images is None


def test_pods_of_which_one_does_not_tell_leave_it_incomplete(applied_on: AppliedOn) -> None:
    cluster = applied_on(CANARY, RULE, ENDPOINTS, *PODS, running("p3", "", version="v2"))
    look(cluster)
    found = record_of(cluster).status.images

    assert found is not None
    assert (False, {A}) == (found.complete, {each.digest for each in found.found})


def test_it_is_found_where_no_prometheus_is_asked(applied_on: AppliedOn) -> None:
    """Such a record says at once that nobody verifies it, and was looked at no more: no image was ever known."""
    cluster = applied_on(CANARY, RULE, ENDPOINTS, *PODS, verifies=False)
    look(cluster)
    found = record_of(cluster).status

    assert found.verification is not None
    assert found.verification.concluded_at is not None
    assert {A} == {each.digest for each in (found.images or Images(NOW)).found}


def test_it_is_found_of_a_service_that_a_person_names_as_a_whole(applied_on: AppliedOn) -> None:
    """Whether that worked is not verified, as it names no version; its image is known all the same."""
    cluster = applied_on(HOSTS, CANARY_ENDPOINTS, running("p1", A), accusing=OF_HOST, verifies=False)
    made = record_of(cluster)
    nameless = replace(made.intent, suspect=replace(made.intent.suspect, version=None))
    cluster.ledger.stored[made.namespace, made.name] = replace(made, intent=nameless)
    look(cluster)

    assert {A} == {each.digest for each in (record_of(cluster).status.images or Images(NOW)).found}


def test_what_could_not_be_written_is_looked_at_again(applied_on: AppliedOn) -> None:
    cluster = applied_on(CANARY, RULE, ENDPOINTS, *PODS, verifies=False)
    replica = Replica(cluster, None, Clock(NOW + SECOND))
    away = [True]

    def rival(call: str, _: Remediation) -> None:
        if call == "conclude" and away:
            away.clear()
            raise Unavailable("away")

    cluster.ledger.before = rival
    replica.verifying.look()
    assert record_of(cluster).status.images is None

    replica.verifying.look()
    assert record_of(cluster).status.images is not None


def test_it_is_looked_once(applied_on: AppliedOn) -> None:
    cluster = applied_on(CANARY, RULE, ENDPOINTS, *PODS)
    look(cluster)
    asked: list[str] = []
    cluster.step = asked.append
    cluster.put(running("p3", C, version="v2"))
    look(cluster, 2 * SECOND, rounds=3)

    assert "images" not in asked
    assert {A} == {each.digest for each in (record_of(cluster).status.images or Images(NOW)).found}


def test_pods_that_come_much_later_are_not_taken_for_those_of_then(applied_on: AppliedOn) -> None:
    cluster = applied_on(CANARY, RULE, ENDPOINTS, *PODS)
    look(cluster, timedelta(minutes=2))

    assert record_of(cluster).status.images is None


def test_an_api_server_that_is_away_is_asked_again_and_delays_no_verdict(applied_on: AppliedOn) -> None:
    cluster = applied_on(CANARY, RULE, ENDPOINTS, *PODS)
    replica = Replica(cluster, None, Clock(NOW + SECOND))
    away = [True]

    def step(name: str) -> None:
        if name == "images" and away.pop():
            raise Unavailable("away")

    away.insert(0, False)
    cluster.step = step
    replica.verifying.look()

    assert record_of(cluster).status.verification is not None
    assert record_of(cluster).status.images is None
    assert away == [False]


def test_a_folder_tells_it_by_its_pods(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([CANARY, RULE, ENDPOINTS, *PODS]))

    assert (Ran("c0", A),) == LocalCluster(tmp_path).images(Destination(HOST), {"version": "v2"})


# -- asked about


def ran(*digests: str, complete: bool = True, suspect: Suspect = V2) -> Remediation:
    """A record whose suspect's pods ran these images."""
    found = Images(NOW, tuple(Image(suspect, "reviews", each) for each in digests), complete)
    made = a_record(suspect=suspect)
    return replace(made, status=replace(made.status, images=found))


@pytest.mark.parametrize(
    ("found", "version", "image", "held"),
    [
        pytest.param(ran(A), "v2", A, True, id="the same image under the same name"),
        pytest.param(ran(A), "v3", A, True, id="the same image under another name"),
        pytest.param(ran(A), None, A, True, id="the same image under no name"),
        pytest.param(ran(A), "v2", B, False, id="a mended one under the same name"),
        pytest.param(ran(A), None, B, False, id="another image under no name"),
        pytest.param(ran(A), "v3", B, False, id="another image under another name"),
        pytest.param(ran(A), "v2", None, True, id="the same name, and no image is said"),
        pytest.param(ran(A), "v3", None, False, id="another name, and no image is said"),
        pytest.param(ran(A, C), "v2", C, True, id="one of several images"),
        pytest.param(ran(A, complete=False), "v2", B, True, id="not all images of that name are known"),
        pytest.param(ran(A, complete=False), "v3", A, True, id="not all are known, but this one is"),
        pytest.param(ran(), "v2", B, True, id="no image of that name is known"),
        pytest.param(a_record(), "v2", B, True, id="nobody has looked"),
        pytest.param(a_record(), "v3", B, False, id="nobody has looked at another name"),
        pytest.param(ran(A, suspect=Suspect(HOST, None)), "v9", A, True, id="a service that is accused as a whole"),
        pytest.param(ran(A, suspect=Suspect(HOST, None)), "v9", B, False, id="another image in its place"),
        pytest.param(ran(A, suspect=Suspect(Host("x.shop.svc.cluster.local"), "v2")), "v2", A, False,
                     id="the same image in another service"),
    ],
)  # fmt: skip
def test_what_the_gate_says(found: Remediation, version: str | None, image: str | None, held: bool) -> None:
    assert held is bool(judge(Candidate((HOST,), version, image=image), [found], NOW, None))


class TestHttp:
    @pytest.mark.parametrize(("image", "go"), [(f"example.org/reviews@{A}", False), (B, True)])
    def test_a_query_may_name_an_image(self, image: str, go: bool) -> None:
        answer = client(ran(A)).get(GATE, query_string=ASKED | {"image": image})

        assert (200, go) == (answer.status_code, answer.json and answer.json["go"])

    @pytest.mark.parametrize(("image", "code"), [(A, 403), (B, 200), ("reviews:2", 400)])
    def test_flaggers_payload_may_name_one_in_its_metadata(self, image: str, code: int) -> None:
        body = {"name": "reviews", "namespace": "shop", "metadata": {"service": "reviews", "image": image}}

        assert code == client(ran(A)).post(GATE, json=body).status_code

    def test_a_tag_is_a_wrong_question(self) -> None:
        answer = client(ran(A)).get(GATE, query_string=ASKED | {"image": "reviews:2"})

        assert 400 == answer.status_code
        assert "image: names no digest" in str(answer.json)


class TestCommand:
    @pytest.mark.parametrize(
        ("image", "code"),
        [pytest.param(A, 2, id="held"), pytest.param(B, 0, id="go"), pytest.param("x:2", 1, id="tag")],
    )
    def test_it_takes_an_image(self, tmp_path: Path, image: str, code: int) -> None:
        cluster = LocalCluster(tmp_path)
        made = ran(A)
        stored = cluster.ledger.create(replace(made, uid="", resource_version=""))
        cluster.ledger.conclude(replace(stored, status=made.status))
        command = ("gate", "--namespace", "shop", "--service", "reviews", "--version", "v2", "--known-bad", "0")
        found = run(*command, "--manifests", str(tmp_path), "--image", image)

        assert code == found.exit_code, found.output
