"""Who drives a routing object: by itself, by Canaries and Rollouts, and which of several counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.inventory import Inventory
from remediator.cluster.local import LocalCluster
from remediator.outcome import TargetRef
from remediator.owners import Canary, Driver, Driving, Rollout, claims, read_canary, read_rollout
from tests.builders import Json, by_host, destination_rule, flagger_canary, managed, rollout, split, virtual_service
from tests.definitions import DATA
from tests.strategies import spoil

REF = TargetRef("VirtualService", "shop", "reviews")
KUSTOMIZATION = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
HELM_RELEASE = {"helm.toolkit.fluxcd.io/name": "reviews", "helm.toolkit.fluxcd.io/namespace": "shop"}
RELEASE = {"meta.helm.sh/release-name": "reviews", "meta.helm.sh/release-namespace": "shop"}
INSTANCE = {"app.kubernetes.io/instance": "apps"}
HELM_LABEL = {"app.kubernetes.io/managed-by": "Helm"}
TRACKING = "argocd.argoproj.io/tracking-id"
OWN_ID = "apps:networking.istio.io/VirtualService:shop/reviews"
FLAGGERS = {"kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled"}
ARGO = [managed("argocd-controller", "2026-08-01T12:00:00Z", "http")]


def service(labels: Json | None = None, annotations: Json | None = None, **metadata: Any) -> Json:
    """The VirtualService shop/reviews, split by subset, with this metadata."""
    body = virtual_service({"route": split(v1=90, v2=10)})
    body["metadata"] |= {"labels": labels or {}, "annotations": annotations or {}} | metadata
    return body


def owned_by(kind: str, version: str) -> list[Json]:
    return [{"apiVersion": version, "kind": kind, "name": "reviews", "uid": "1", "controller": True}]


def driving(body: Json, *others: Json) -> Driving:
    """Who drives it, by every way to a snapshot."""
    index = Inventory()
    for each in (body, *others):
        index.put(each)
    found = index.get(TargetRef("VirtualService", body["metadata"]["namespace"], body["metadata"]["name"]))
    assert found is not None
    assert found.driving == index.snapshot(body).driving
    return found.driving


def told(body: Json, *others: Json) -> tuple[str, str]:
    owner = driving(body, *others).owner
    return owner.driver.value, owner.name


BY_ITSELF = (
    pytest.param(service(), ("Nobody", ""), id="nothing said"),
    pytest.param(service(KUSTOMIZATION), ("Flux", "Kustomization flux-system/apps"), id="a Kustomization's labels"),
    pytest.param(service(HELM_RELEASE), ("Flux", "HelmRelease shop/reviews"), id="a HelmRelease's labels"),
    pytest.param(service({"kustomize.toolkit.fluxcd.io/name": "apps"}), ("Nobody", ""), id="one of two labels"),
    pytest.param(service(annotations=FLAGGERS), ("Nobody", ""), id="annotations as Flagger's, which people write too"),
    pytest.param(
        service(ownerReferences=owned_by("Canary", "flagger.app/v1beta1")),
        ("Flagger", "Canary shop/reviews"),
        id="an ownerReference to a Canary",
    ),
    pytest.param(
        service(ownerReferences=owned_by("Canary", "example.org/v1")), ("Nobody", ""), id="a Canary of another group"
    ),
    pytest.param(service(ownerReferences=owned_by("Service", "v1")), ("Nobody", ""), id="another owner"),
    pytest.param(service(annotations={TRACKING: OWN_ID}), ("ArgoCD", "Application apps"), id="Argo CD's annotation"),
    pytest.param(
        service(annotations={TRACKING: f"argo_{OWN_ID}"}),
        ("ArgoCD", "Application argo/apps"),
        id="an Application in a namespace of its own",
    ),
    pytest.param(
        service(annotations={TRACKING: "apps:networking.istio.io/VirtualService:shop/other"}),
        ("Nobody", ""),
        id="Argo CD's annotation, copied from another object",
    ),
    pytest.param(service(INSTANCE), ("Nobody", ""), id="the label that many set"),
    pytest.param(
        service(INSTANCE, managedFields=ARGO), ("ArgoCD", "Application apps"), id="the label, and Argo CD writes"
    ),
    pytest.param(service(managedFields=ARGO), ("Nobody", ""), id="Argo CD wrote, and claims nothing"),
    pytest.param(service(INSTANCE | HELM_LABEL, RELEASE), ("Helm", "release shop/reviews"), id="a release of Helm's"),
    pytest.param(service(INSTANCE | HELM_LABEL), ("Nobody", ""), id="a rendered chart"),
    pytest.param(
        service(HELM_RELEASE | HELM_LABEL, RELEASE), ("Flux", "HelmRelease shop/reviews"), id="Flux by way of Helm"
    ),
)


@pytest.mark.parametrize(("body", "expected"), BY_ITSELF)
def test_what_the_object_itself_tells(body: Json, expected: tuple[str, str]) -> None:
    assert expected == told(body)


CANARY = ("Flagger", "Canary shop/reviews")
ROLLOUT = ("ArgoRollouts", "Rollout shop/reviews")
RULE = destination_rule(v1="v1", v2="v2")

BY_OTHERS = (
    pytest.param((flagger_canary(),), CANARY, True, id="a Canary by its target's name"),
    pytest.param(
        (flagger_canary("backend", service={"name": "reviews", "port": 80}),),
        ("Flagger", "Canary shop/backend"),
        True,
        id="a Canary by its service's name",
    ),
    pytest.param(
        (flagger_canary(service={"name": "other", "port": 80}),), ("Nobody", ""), False, id="a Canary of another apex"
    ),
    pytest.param((flagger_canary(namespace="web"),), ("Nobody", ""), False, id="a Canary of another namespace"),
    pytest.param((flagger_canary(provider="istio"),), CANARY, True, id="a Canary that says Istio"),
    pytest.param(
        (flagger_canary(provider="gatewayapi:v1"),), ("Nobody", ""), False, id="a Canary that routes by something else"
    ),
    pytest.param((rollout("reviews"),), ROLLOUT, True, id="a Rollout that names it"),
    pytest.param((rollout("other", "reviews"),), ROLLOUT, True, id="a Rollout that names it among several"),
    pytest.param(
        (rollout("reviews.shop", namespace="web"),),
        ("ArgoRollouts", "Rollout web/reviews"),
        True,
        id="a Rollout of another namespace",
    ),
    pytest.param((rollout("reviews", namespace="web"),), ("Nobody", ""), False, id="a Rollout that means its own"),
    pytest.param((rollout("other"),), ("Nobody", ""), False, id="a Rollout that names another"),
    pytest.param(
        (rollout("reviews", name="b"), rollout("reviews", name="a")),
        ("ArgoRollouts", "Rollout shop/a"),
        True,
        id="two Rollouts: the first by name",
    ),
    pytest.param((rollout(rule="reviews"), RULE), ROLLOUT, False, id="a Rollout of the host's subsets alone"),
    pytest.param((rollout("other", rule="reviews"), RULE), ROLLOUT, False, id="which drives another object"),
    pytest.param((rollout(rule="reviews"),), ("Nobody", ""), False, id="a Rollout of a DestinationRule not there"),
    pytest.param((flagger_canary(), rollout("reviews")), CANARY, True, id="of both Flagger"),
)


@pytest.mark.parametrize(("others", "expected", "overwritten"), BY_OTHERS)
def test_what_canaries_and_rollouts_tell(
    others: tuple[Json, ...], expected: tuple[str, str], overwritten: bool
) -> None:
    assert expected == told(service(), *others)
    assert overwritten is driving(service(), *others).overwritten


@pytest.mark.parametrize(
    ("others", "first"),
    [
        pytest.param((flagger_canary(), rollout("reviews")), "Flagger", id="Flagger before all"),
        pytest.param((rollout("reviews"),), "ArgoRollouts", id="a Rollout that writes weights before GitOps"),
        pytest.param((rollout(rule="reviews"), RULE), "Flux", id="GitOps before a Rollout that writes subsets"),
    ],
)
def test_of_several_the_one_that_overwrites_first_counts_and_the_others_are_told(
    others: tuple[Json, ...], first: str
) -> None:
    owner = driving(service(KUSTOMIZATION, RELEASE), *others).owner
    assert first == owner.driver
    assert "beside it Helm (release shop/reviews)" in owner.evidence
    assert ("beside it Flux" in owner.evidence) is (first != "Flux")


def test_what_tells_is_said_in_words() -> None:
    sent = virtual_service({"route": by_host(reviews_primary=90, reviews_canary=10)})
    assert (
        "its name is the apex name of the Canary, and it sends to reviews-primary.shop and reviews-canary.shop"
        == driving(sent, flagger_canary()).owner.evidence
    )
    assert "the Rollout names VirtualService shop/reviews" == driving(service(), rollout("reviews")).owner.evidence
    hint = driving(service(INSTANCE)).owner.evidence
    assert "its label app.kubernetes.io/instance: apps may be Argo CD's, or anybody's" in hint
    assert "Flux (Kustomization flux-system/apps)" == str(driving(service(KUSTOMIZATION)).owner)
    assert "Nobody" == str(driving(service()).owner)


def test_the_index_forgets_who_is_gone_or_means_another_now() -> None:
    index = Inventory()
    for body in (service(), rollout("reviews"), flagger_canary()):
        index.put(body)

    def driver() -> Driver:
        found = index.get(REF)
        assert found is not None
        return found.owner.driver

    assert {"VirtualService": 1, "DestinationRule": 0, "Canary": 1, "Rollout": 1} == index.counts()
    index.put(flagger_canary(service={"name": "other", "port": 80}))
    assert driver() is Driver.ARGO_ROLLOUTS
    index.put(flagger_canary())
    assert driver() is Driver.FLAGGER
    for _ in range(2):
        index.drop("Canary", "shop", "reviews")
    index.put(rollout("other"))
    assert driver() is Driver.NOBODY
    index.drop("Rollout", "shop", "reviews")
    assert {"VirtualService": 1, "DestinationRule": 0} == index.counts()


@given(
    st.sampled_from([flagger_canary(), rollout("reviews", rule="reviews"), service(KUSTOMIZATION, RELEASE)]), st.data()
)
def test_what_is_malformed_tells_nothing_and_breaks_nothing(good: Json, data: st.DataObject) -> None:
    whole = {"spec": yaml.safe_load(yaml.safe_dump(good))}
    for _ in range(data.draw(st.integers(1, 3))):
        spoil(whole, data)
    body = whole["spec"] if isinstance(whole["spec"], dict) else {}
    assert isinstance(read_canary(body), Canary)
    assert isinstance(read_rollout(body), Rollout)
    assert all(isinstance(owner.name, str) for owner in claims(body))


# -- from a folder


def test_a_folder_tells_it_too(tmp_path: Path) -> None:
    written = yaml.safe_dump_all([service(), flagger_canary()])
    (tmp_path / "all.yaml").write_text(written)
    cluster = LocalCluster(tmp_path)
    assert "Flagger (Canary shop/reviews)" == str(cluster.read(REF).owner)
    assert "1 VirtualService, 0 DestinationRules, 1 Canary, 0 Remediations" == cluster.health().detail
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([service(), rollout("reviews"), rollout("x", name="x")]))
    assert ["ArgoRollouts (Rollout shop/reviews)"] == [str(each.owner) for each in cluster.routing()]
    assert "2 Rollouts" in cluster.health().detail


def test_the_samples_of_argo_rollouts() -> None:
    folder = DATA / "samples" / "argo-rollouts"
    if not folder.exists():
        pytest.skip(f"{folder.name} is not there; it belongs in {folder.parent}")
    expected = {
        "istio-host-split-vsvc": "ArgoRollouts (Rollout default/istio-host-split)",
        "istio-subset-split-vsvc": "ArgoRollouts (Rollout default/istio-subset-split)",
    }
    assert expected == {each.routing.ref.name: str(each.owner) for each in LocalCluster(folder).routing()}


def test_the_sample_of_flagger(tmp_path: Path) -> None:
    sample = DATA / "samples" / "flagger" / "istio-canary.yaml"
    if not sample.exists():
        pytest.skip(f"{sample.name} is not there; it belongs in {sample.parent}")
    body = virtual_service({"route": by_host(podinfo_primary=90, podinfo_canary=10)}, name="podinfo", namespace="test")
    (tmp_path / "canary.yaml").write_text(sample.read_text() + "\n---\n" + yaml.safe_dump(body))
    (found,) = LocalCluster(tmp_path).routing()
    assert "Flagger (Canary test/podinfo)" == str(found.owner)
