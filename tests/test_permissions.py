"""The one list of permissions, and the roles that are made of it: by the program, and by the chart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from remediator.cli.main import program
from remediator.cluster.discovery import APIS
from remediator.cluster.permissions import Permission, Where, permissions
from remediator.cluster.roles import Account, roles
from tests.accounts import installed
from tests.chart.helm import NAMESPACE
from tests.processes import Missing

Json = dict[str, Any]

servers = pytest.mark.servers
OURS = Account("remediator", "remediator")
EVERYTHING = {"*", "secrets", "bind", "escalate", "impersonate", "update", "deletecollection"}
"""Words that stand in no role."""


def chart(rbac: Json | None = None, home: str = NAMESPACE, **more: Any) -> Sequence[Json]:
    """The roles that the chart makes of `rbac` in its values, for a release in namespace `home`."""
    try:
        return installed({"rbac": rbac or {}} | more, home).roles
    except Missing as missing:
        pytest.skip(str(missing))


def rules(bodies: Sequence[Json]) -> list[Json]:
    return [rule for body in bodies for rule in body.get("rules", ())]


def test_each_resource_stands_once_and_the_reason_with_it() -> None:
    service = permissions().service
    names = [each.rule.name for each in service]
    assert sorted(set(names)) == sorted(names)
    assert [] == [each.rule.name for each in service if not each.why or not each.rule.verbs]


@pytest.mark.parametrize("permission", [pytest.param(each, id=each.rule.name) for each in permissions().service])
def test_what_is_in_no_namespace_is_said_to_be(permission: Permission) -> None:
    """Or a Role would permit it, which has no effect."""
    of_none = {api.resource for api in APIS.values() if not api.namespaced}
    assert (permission.rule.name in of_none) is (permission.where in (Where.NAMED, Where.CLUSTER))


@servers
@pytest.mark.parametrize(
    ("namespaces", "root"),
    [
        pytest.param((), "istio-system", id="in the whole cluster"),
        pytest.param(("shop", "bank"), "istio-system", id="in two namespaces"),
        pytest.param(("shop",), "istio-config", id="with another root namespace"),
        pytest.param(("shop", "istio-system"), "istio-system", id="the root namespace among them"),
    ],
)
@pytest.mark.parametrize("home", ["remediator", "tenant"])
def test_the_chart_and_the_program_make_the_same_roles(namespaces: tuple[str, ...], root: str, home: str) -> None:
    values = {"namespaces": list(namespaces), "people": {"create": False}}
    made = chart(values, home, settings={"root-namespace": root})
    assert _plain(roles(Account(home, "remediator"), namespaces, root)) == _plain(made)


def _plain(bodies: Sequence[Json]) -> list[str]:
    """The objects without labels, in one order."""
    bare = (body | {"metadata": {k: v for k, v in body["metadata"].items() if k != "labels"}} for body in bodies)
    return sorted(json.dumps(body, sort_keys=True) for body in bare)


def test_in_some_namespaces_there_is_little_left_of_the_cluster() -> None:
    made = roles(OURS, ("shop", "bank"))
    (cluster,) = [body for body in made if body["kind"] == "ClusterRole"]
    assert [
        {
            "apiGroups": [""],
            "resources": ["namespaces"],
            "verbs": ["list", "watch"],
            "resourceNames": ["shop", "bank"],
        },
        {"apiGroups": ["remediator.io"], "resources": ["pauses"], "verbs": ["list", "watch"]},
    ] == cluster["rules"]
    (mesh,) = [body for body in made if body["kind"] == "Role" and body["metadata"]["namespace"] == "istio-system"]
    assert ["destinationrules"] == [resource for rule in mesh["rules"] for resource in rule["resources"]]


@servers
@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="in the whole cluster"),
        pytest.param({"namespaces": ["shop"], "people": {"aggregateToView": True}}, id="in a namespace"),
    ],
)
def test_no_role_says_more_than_a_few_verbs_on_a_few_resources(values: Json) -> None:
    found = rules(chart(values))
    words = {word for rule in found for key in ("apiGroups", "resources", "verbs") for word in rule[key]}
    assert set() == words & EVERYTHING
    assert set() == {resource for rule in found for resource in rule["resources"] if "*" in resource}


@servers
@servers
@pytest.mark.parametrize(
    ("value", "resources"),
    [
        pytest.param("flagger", {"canaries"}, id="without Flagger"),
        pytest.param("argoRollouts", {"rollouts", "rollouts/status"}, id="without Argo Rollouts"),
    ],
)
def test_what_is_not_installed_need_not_be_permitted(value: str, resources: set[str]) -> None:
    def permitted(**values: bool) -> set[str]:
        return {each for rule in rules(chart(values)) for each in rule["resources"]}

    assert resources == permitted() - permitted(**{value: False})


@servers
def test_roles_for_people_are_bound_by_nobody() -> None:
    made = chart({"create": False})
    assert {"remediator-viewer", "remediator-approver", "remediator-pauser"} == {
        body["metadata"]["name"] for body in made
    }
    assert {"ClusterRole"} == {body["kind"] for body in made}
    assert () == chart({"create": False, "people": {"create": False}})


@servers
def test_whoever_may_view_views_records_where_that_is_wished() -> None:
    label = "rbac.authorization.k8s.io/aggregate-to-view"
    made = chart({"people": {"aggregateToView": True}})
    assert ["remediator-viewer"] == [
        body["metadata"]["name"] for body in made if label in body["metadata"].get("labels", {})
    ]


def test_two_installations_do_not_take_each_others_roles() -> None:
    homes = ("tenant-a", "tenant-b", "remediator")
    made = [each for home in homes for each in chart({"namespaces": ["shop"]}, home)]
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in made]
    assert sorted(set(names), key=str) == sorted(names, key=str)


# -- the command


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(program, ["schema", *arguments])
    return result.exit_code, result.output


def test_the_command_prints_what_kubectl_applies() -> None:
    code, text = said(
        "--rbac", "--namespaces", "shop, bank", "--service-account", "tenant/r", "--root-namespace", "mesh"
    )
    assert 0 == code
    assert list(roles(Account("tenant", "r"), ("shop", "bank"), "mesh")) == list(yaml.safe_load_all(text))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--rbac", "--crd"), "--crd and --rbac exclude each other", id="two things at once"),
        pytest.param(("--namespaces", "shop"), "--namespaces says where --rbac permits something", id="no --rbac"),
        pytest.param(("--rbac", "--namespaces", "sho?"), "'sho?' is no name; a Role is in one namespace", id="a glob"),
        pytest.param(("--rbac", "--namespaces", "shop,"), "--namespaces: '' is no name", id="nothing behind a comma"),
        pytest.param(
            ("--rbac", "--service-account", "r"), "write NAMESPACE/NAME", id="an account without its namespace"
        ),
        pytest.param(("--rbac", "--root-namespace", "Mesh"), "--root-namespace: 'Mesh' is no name", id="a capital"),
    ],
)
def test_a_wrong_call_is_told_and_prints_nothing(arguments: tuple[str, ...], words: str) -> None:
    result = CliRunner().invoke(program, ["schema", *arguments])
    assert 1 == result.exit_code
    assert words in result.stderr
    assert "" == result.stdout
