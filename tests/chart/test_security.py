"""The manifests pass Pod Security `restricted`, whatever the values; nothing has more than it needs.

kube-apiserver 1.20 has no such admission, so the rules of the profile are written out here
(kubernetes.io/docs/concepts/security/pod-security-standards).
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.helm import Json, of_kind, only, render
from tests.chart.matrix import at

pytestmark = pytest.mark.servers

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def violations(pod: Json) -> Iterator[str]:
    """What the profile `restricted`, with all of `baseline`, forbids of a pod's spec."""
    for host in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(host):
            yield host
    for volume in pod.get("volumes", ()):
        if not VOLUMES >= volume.keys() - {"name"}:
            yield f"volume {volume['name']}"
    context = pod.get("securityContext", {})
    if context.get("runAsUser") == 0:
        yield "runAsUser 0"
    if context.get("sysctls") or context.get("windowsOptions"):
        yield "sysctls or windowsOptions"
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        yield from (f"{container['name']}: {what}" for what in of_container(container, context))


def of_container(container: Json, context: Json) -> Iterator[str]:
    own: Json = container.get("securityContext", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if not own.get("runAsNonRoot", context.get("runAsNonRoot")) or own.get("runAsUser") == 0:
        yield "runAsNonRoot"
    if (own.get("seccompProfile") or context.get("seccompProfile") or {}).get("type") not in {
        "RuntimeDefault",
        "Localhost",
    }:
        yield "seccompProfile"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()) or set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "hostPort"
    if own.get("procMount", "Default") != "Default" or "seLinuxOptions" in own:
        yield "procMount or seLinuxOptions"


def pods(objects: list[Json]) -> list[Json]:
    """The spec of every pod that may come of these."""
    found = [each["spec"]["template"]["spec"] for each in of_kind(objects, "Deployment")]
    return found + [each["spec"] for each in of_kind(objects, "Pod")]


@pytest.fixture(scope="module")
def rendered(matrix: list[tuple[Json, list[Json]]]) -> list[list[Json]]:
    return [objects for _, objects in matrix]


def test_every_pod_passes_the_profile_restricted(rendered: list[list[Json]]) -> None:
    assert [] == [found for objects in rendered for pod in pods(objects) for found in violations(pod)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(at("hostNetwork", True), ["hostNetwork"], id="the network of the node"),
        pytest.param(
            at("volumes", [{"name": "root", "hostPath": {"path": "/"}}]), ["volume root"], id="a folder of the node"
        ),
        pytest.param(
            at("securityContext", {"runAsUser": 0}),
            ["runAsUser 0", "remediator: runAsNonRoot", "remediator: seccompProfile"],
            id="root",
        ),
        pytest.param(
            at("containers", [{"name": "remediator", "securityContext": {"privileged": True}}]),
            ["remediator: privileged", "remediator: allowPrivilegeEscalation", "remediator: capabilities"],
            id="a privileged container",
        ),
    ],
)
def test_the_rules_above_can_be_broken(rendered: list[list[Json]], change: Json, expected: list[str]) -> None:
    pod = copy.deepcopy(pods(rendered[0])[0])
    assert expected == list(violations(pod | change))


def test_the_root_file_system_is_read_only_and_nothing_else_is_writable(rendered: list[list[Json]]) -> None:
    """Volumes of the values are theirs."""
    for objects in rendered:
        for pod in pods(objects):
            (container,) = pod["containers"]
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            ours = [mount for mount in container.get("volumeMounts", ()) if mount["name"] != "ours"]
            assert [] == [mount["name"] for mount in ours if not mount["readOnly"]]


def test_no_user_is_named_so_that_any_will_do(rendered: list[list[Json]]) -> None:
    ids = {"runAsUser", "runAsGroup", "fsGroup"}
    for objects in rendered:
        for pod in pods(objects):
            assert set() == ids & {*pod["securityContext"], *pod["containers"][0]["securityContext"]}


def test_only_the_service_is_given_the_token_of_the_api_server(rendered: list[list[Json]]) -> None:
    for objects in rendered:
        assert only(objects, "Deployment")["spec"]["template"]["spec"]["automountServiceAccountToken"] is True
        others = of_kind(objects, "ServiceAccount") + [pod["spec"] for pod in of_kind(objects, "Pod")]
        assert {False} >= {each["automountServiceAccountToken"] for each in others}


def test_every_container_says_what_it_needs(rendered: list[list[Json]]) -> None:
    for objects in rendered:
        for pod in pods(objects):
            resources = pod["containers"][0]["resources"]
            assert ({"cpu", "memory"}, {"memory"}) == (set(resources["requests"]), set(resources["limits"]))


# -- the network


def policy(values: Json | None = None) -> Json:
    """The spec of the NetworkPolicy."""
    (found,) = (each for each in of_kind(render(values), "NetworkPolicy") if not is_of_the_test(each))
    spec: Json = found["spec"]
    return spec


def is_of_the_test(found: Json) -> bool:
    return bool(found["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test")


def peers(rules: list[Json]) -> list[Any]:
    return [peer for rule in rules for peer in rule.get("from", rule.get("to", ("anybody",)))]


def test_nobody_is_let_in_who_is_not_named() -> None:
    spec = policy()
    assert ["Ingress", "Egress"] == spec["policyTypes"]
    names = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in peers(spec["ingress"])]
    assert ["remediator", "alertmanager", "prometheus", "flagger"] == names
    assert {"http"} == {port["port"] for rule in spec["ingress"] for port in rule["ports"]}


def test_every_pod_is_under_a_policy() -> None:
    objects = render()
    selectors = [each["spec"]["podSelector"]["matchLabels"].items() for each in of_kind(objects, "NetworkPolicy")]
    labels = [
        only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"],
        only(objects, "Pod")["metadata"]["labels"],
    ]
    assert [1, 1] == [sum(selector <= each.items() for selector in selectors) for each in labels]


def test_with_everybody_taken_out_only_helm_test_is_left() -> None:
    nobody = {"networkPolicy": {"alertmanager": [], "prometheus": [], "flagger": []}}
    (only_one,) = peers(policy(nobody)["ingress"])
    assert "test" == only_one["podSelector"]["matchLabels"]["app.kubernetes.io/component"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, [{53}, {443, 6443}], id="DNS and the API server"),
        pytest.param(
            at("settings.prometheus-url", "http://prometheus.monitoring:9090"),
            [{53}, {443, 6443}, {9090}],
            id="Prometheus, where it is asked",
        ),
        pytest.param(
            at("notifications.existingSecret", "given"), [{53}, {443, 6443}, {443, 465, 587}], id="those who are told"
        ),
        pytest.param(
            {"networkPolicy": {"apiServer": {"ports": [6443]}, "dnsPorts": [53, 5353]}},
            [{53, 5353}, {6443}],
            id="as the values say",
        ),
    ],
)
def test_nothing_goes_out_but_to(values: Json, expected: list[set[int]]) -> None:
    assert expected == [{port["port"] for port in rule["ports"]} for rule in policy(values)["egress"]]


def test_the_api_server_may_have_any_address() -> None:
    """Not 0.0.0.0/0: Cilium takes no node for a part of it, and the API server is mostly on one."""
    assert "to" not in policy()["egress"][1]


def test_the_address_of_the_api_server_can_be_narrowed() -> None:
    spec = policy({"networkPolicy": {"apiServer": {"cidrs": ["10.0.0.1/32"]}}})
    assert [{"ipBlock": {"cidr": "10.0.0.1/32"}}] == spec["egress"][1]["to"]


# -- secrets


def test_no_token_stands_anywhere_but_in_its_secret() -> None:
    objects = render()
    secret = only(objects, "Secret")
    token = base64.b64decode(secret["data"]["token"]).decode()
    others = [found for found in objects if found is not secret]
    assert 43 == len(token)
    assert token not in json.dumps(others)
    assert secret["data"]["token"] not in json.dumps(others)


def test_alertmanager_gets_the_same_token_in_its_own_namespace() -> None:
    objects = render({"alertmanagerConfig": {"namespace": "monitoring"}})
    secrets = {each["metadata"]["namespace"]: each["data"] for each in of_kind(objects, "Secret")}
    assert {"remediator", "monitoring"} == set(secrets)
    assert secrets["remediator"] == secrets["monitoring"]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(at("token.existingSecret", "given"), id="there is one already"),
        pytest.param(at("settings.allow-anonymous", True), id="nobody is asked for it"),
    ],
)
def test_no_token_is_made_where(values: Json) -> None:
    assert [] == of_kind(render(values), "Secret")
