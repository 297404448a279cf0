"""Wrong values are refused before anything is installed, and the message says which and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from remediator.outcome import NoticeKind
from remediator.settings import TABLE, Setting
from tests.chart.helm import CHART, Json, Refused, render
from tests.chart.matrix import at

pytestmark = pytest.mark.servers

SCHEMA: Json = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
OWN = {
    "listen": "listenHost and containerPort",
    "policies": "policies",
    "token-file": "token",
    "notify-file": "notifications",
    "tls-cert-file": "tls",
    "tls-key-file": "tls",
}
"""Settings that the chart gives to the service by itself, and the values that they follow."""


@dataclass(frozen=True)
class Wrong:
    """Values, and what the message has to have in it."""

    values: Json
    message: str


REFUSED = {
    "an unknown key": Wrong({"replica": 2}, "additional properties 'replica' not allowed"),
    "an unknown key further down": Wrong(
        at("networkPolicy.apiserver", {}), "at '/networkPolicy': additional properties 'apiserver' not allowed"
    ),
    "an unknown setting": Wrong(
        at("settings.max-alert-aeg", "1h"), "at '/settings': additional properties 'max-alert-aeg' not allowed"
    ),
    "a setting by the name of its variable": Wrong(
        at("settings.optIn", True), "at '/settings': additional properties 'optIn' not allowed"
    ),
    "a setting that the chart gives itself": Wrong(
        at("settings.token-file", "/token"), "at '/settings': additional properties 'token-file' not allowed"
    ),
    "a part that is taken away": Wrong({"tls": None}, "missing property 'tls'"),
    "a text for a number": Wrong({"replicas": "two"}, "at '/replicas': got string, want integer"),
    "no replica": Wrong({"replicas": 0}, "at '/replicas': minimum: got 0, want 1"),
    "a text for a switch": Wrong(
        at("networkPolicy.enabled", "yes"), "at '/networkPolicy/enabled': got string, want boolean"
    ),
    "an unknown mode": Wrong(
        at("settings.mode", "enforce"), "at '/settings/mode': value must be one of 'Observe', 'Approve', 'Enforce'"
    ),
    "an unknown set of policies": Wrong(
        at("policies.set", "prod"), "at '/policies/set': value must be one of 'production', 'development'"
    ),
    "a policy file that is no YAML by its name": Wrong(
        at("policies.files", {"shop.json": "x"}), "at '/policies/files': additional properties 'shop.json' not allowed"
    ),
    "a duration without a unit": Wrong(
        at("settings.max-alert-age", "60"), "at '/settings/max-alert-age': '60' does not match pattern"
    ),
    "a number for a duration": Wrong(
        at("settings.verify-within", 120), "at '/settings/verify-within': got number, want string"
    ),
    "a route that never waits": Wrong(
        at("alertmanagerConfig.groupInterval", "0s"),
        "at '/alertmanagerConfig/groupInterval': '0s' does not match pattern",
    ),
    "an interval with its units the wrong way round": Wrong(
        at("serviceMonitor.interval", "30s1m"), "at '/serviceMonitor/interval': '30s1m' does not match pattern"
    ),
    "too many threads": Wrong(at("settings.threads", 5000), "at '/settings/threads': maximum: got 5,000, want 1,000"),
    "a password in the URL of Prometheus": Wrong(
        at("settings.prometheus-url", "http://me:secret@prometheus:9090"), "at '/settings/prometheus-url'"
    ),
    "a namespace with capitals": Wrong(
        at("rbac.namespaces", ["Shop"]), "at '/rbac/namespaces/0': 'Shop' does not match pattern"
    ),
    "a glob where a Role is to be made": Wrong(
        at("rbac.namespaces", ["shop-*"]), "at '/rbac/namespaces/0': 'shop-*' does not match pattern"
    ),
    "a network that is none": Wrong(
        at("networkPolicy.apiServer", {"cidrs": ["10.0.0.1"]}),
        "at '/networkPolicy/apiServer/cidrs/0': '10.0.0.1' does not match pattern",
    ),
    "a peer with a mistyped selector": Wrong(
        at("networkPolicy.clients", [{"podSelectors": {}}]), "additional properties 'podSelectors' not allowed"
    ),
    "a digest that is cut off": Wrong(
        at("image.digest", "sha256:abc"), "at '/image/digest': 'sha256:abc' does not match"
    ),
    "a port that only root may open": Wrong(
        at("containerPort", 80), "at '/containerPort': minimum: got 80, want 1,024"
    ),
    "a label that no server takes": Wrong(
        at("podLabels", {"a": "b c"}), "at '/podLabels/a': 'b c' does not match pattern"
    ),
    "an unknown kind of spread": Wrong({"spread": "Never"}, "at '/spread': value must be one of 'ScheduleAnyway'"),
    "TLS without a certificate": Wrong(
        at("tls.enabled", True),
        "tls.enabled: there is no certificate; set tls.existingSecret, or tls.certManager.enabled",
    ),
    "two certificates": Wrong(
        {"tls": {"enabled": True, "existingSecret": "a", "certManager": {"enabled": True, "issuerRef": {"name": "b"}}}},
        "tls.existingSecret and tls.certManager.enabled: both are set; give one of them",
    ),
    "a certificate without an issuer": Wrong(
        {"tls": {"enabled": True, "certManager": {"enabled": True}}},
        "tls.certManager.issuerRef.name: is empty; name the Issuer or ClusterIssuer that signs",
    ),
    "a certificate, and no TLS": Wrong(
        at("tls.existingSecret", "served"), "tls.enabled is false, though a certificate is given"
    ),
    "an authority that cannot be read by Alertmanager": Wrong(
        {"tls": {"enabled": True, "existingSecret": "a"}, "alertmanagerConfig": {"namespace": "monitoring"}},
        "alertmanagerConfig.tlsConfig: is empty, and the authority's certificate cannot be read from another namespace",
    ),
    "policies from two places": Wrong(
        {"policies": {"files": {"a.yaml": "x"}, "existingConfigMap": "b"}},
        "policies.files and policies.existingConfigMap: both are set; give one of them",
    ),
    "a token, and nobody is asked for it": Wrong(
        {"token": {"existingSecret": "a"}, "settings": {"allow-anonymous": True}},
        "settings.allow-anonymous and token.existingSecret: either nobody is asked for a token, or there is one",
    ),
    "people's roles without a switch": Wrong({"rbac": {"people": True}}, "rbac.people"),
    "a permission that is not there": Wrong({"rbac": {"secrets": True}}, "secrets"),
    "namespaces said twice": Wrong(
        {"rbac": {"namespaces": ["shop"]}, "settings": {"namespaces": ["shop"]}},
        "rbac.namespaces and settings.namespaces: both are set",
    ),
    "the permissions for everybody's account": Wrong(
        at("serviceAccount.create", False), "serviceAccount.create is false and serviceAccount.name is empty"
    ),
    "a class without a name": Wrong(at("priorityClass.create", True), "the class has no name; set priorityClass.name"),
    "what is forgotten before it is over": Wrong(
        at("settings.retention", "1d"),
        "settings.known-bad: 7d is longer than settings.retention, 1d, keeps the records",
    ),
    "rules that are none": Wrong(
        at("prometheusRule.rendered", "groups: []"),
        "prometheusRule.rendered: is not what `remediator rules render` prints",
    ),
}


@pytest.mark.parametrize("wrong", [pytest.param(wrong, id=name) for name, wrong in REFUSED.items()])
def test_it_is_refused_and_told_why(wrong: Wrong) -> None:
    with pytest.raises(Refused) as refused:
        render(wrong.values)
    assert wrong.message in refused.value.message


def test_all_contradictions_are_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        render({"settings": {"verify-within": "1h", "approve-within": "1s"}, "tls": {"enabled": True}})
    lines = [line for line in refused.value.message.splitlines() if line.startswith("- ")]
    assert ["settings.approve-within", "settings.verify-within", "tls.enabled"] == [
        line[2:].split(":")[0] for line in lines
    ]


@pytest.mark.parametrize("values", [{"global": {"region": "eu"}, "enabled": True}], ids=["of a chart around it"])
def test_what_a_chart_around_it_sets_is_no_mistake(values: Json) -> None:
    assert render(values)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"monitoring": {"labels": {"release": None}}}, id="a label"),
        pytest.param({"resources": {"limits": None}}, id="the limits"),
        pytest.param(
            {"livenessProbe": {"timeoutSeconds": None}}, id="a number of a probe, for Kubernetes' own default"
        ),
    ],
)
def test_what_may_be_taken_away_by_null(values: Json) -> None:
    assert render(values)


# -- the schema


def objects(schema: Any, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every object of the schema that names properties."""
    if isinstance(schema, dict):
        if "properties" in schema and "type" in schema:
            yield path, schema
        for key, inner in schema.items():
            yield from objects(inner, f"{path}/{key}")


OPEN = {"/properties/extraVolumes/items", "/properties/extraVolumeMounts/items"}
"""Kubernetes' own, of which only what is needed is looked at."""


def test_unknown_keys_are_refused_wherever_keys_are_known() -> None:
    assert OPEN == {path for path, found in objects(SCHEMA) if found.get("additionalProperties") is not False}


def test_schema_and_defaults_know_the_same_keys() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert [] == list(differences(SCHEMA, defaults, ""))


def differences(schema: Json, values: Json, path: str) -> Iterator[str]:
    known = {key for key in schema["properties"] if path or key not in {"global", "enabled"}}
    yield from (f"{path}.{key}" for key in sorted(known ^ values.keys()))
    for key, inner in schema["properties"].items():
        if "properties" in inner and values.get(key):
            yield from differences(inner, values[key], f"{path}.{key}")


MAY_BE_AWAY = {"resources", "livenessProbe", "readinessProbe"}
"""Of these Kubernetes has defaults."""


def test_what_the_templates_look_at_has_to_be_there() -> None:
    """Without it a template would end with an error about itself."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert [] == list(undemanded(SCHEMA, defaults, ""))


def undemanded(schema: Json, values: Json, path: str) -> Iterator[str]:
    if not path or path.lstrip(".") not in MAY_BE_AWAY:
        yield from (f"{path}.{key}" for key in values if key not in schema.get("required", ()))
    for key, inner in schema["properties"].items():
        if "properties" in inner and values.get(key) and key not in MAY_BE_AWAY:
            yield from undemanded(inner, values[key], f"{path}.{key}")


# -- settings: schema, templates and the service's own table are one


def test_every_setting_can_be_said_by_values_and_by_one_only() -> None:
    reachable = SCHEMA["properties"]["settings"]["properties"]
    assert {setting.name for setting in TABLE} == {*reachable, *OWN}
    assert set() == set(reachable) & set(OWN)


def test_the_schema_says_of_each_setting_what_the_service_says() -> None:
    reachable = SCHEMA["properties"]["settings"]["properties"]
    assert {setting.name: setting.help for setting in TABLE if setting.name not in OWN} == {
        name: found["description"] for name, found in reachable.items()
    }


TRIED: dict[str, tuple[object, ...]] = {
    "manifests": ("/srv/mesh",),
    "kubeconfig": ("/etc/kube/config",),
    "context": ("west",),
    "namespaces": (["shop", "pay-*"], ["Shop"], ["a_b"]),
    "root-namespace": ("istio-config", "Mesh", "a_b", "mesh-"),
    "allow-anonymous": (True, False, "maybe"),
    "mode": ("Observe", "Approve", "Enforce", "Off"),
    "opt-in": (True, False, "yes"),
    "budget": ("10/10m", "off", "1/1d", "0/10m", "10", "10/10", "10/"),
    "max-alert-age": ("1h", "0", "1s", "500ms", "1w", "h"),
    "approve-within": ("1h", "1m", "7d", "59s", "8d", "0"),
    "known-bad": ("7d", "0", "1m", "59s", "forever"),
    "prometheus-url": (
        "http://prometheus:9090",
        "https://p.example.org/prefix",
        "prometheus:9090",
        "http://p:9090/?a=b",
        "ftp://prometheus",
        "http://a@p:9090",
    ),
    "verify-within": ("2m", "30s", "30m", "29s", "31m", "0"),
    "gitops-pause": (True, False, 1),
    "notify-on": (list(NoticeKind), ["Held", "Denied"], ["held"], ["Everything"]),
    "threads": (1, 16, 1000, 0, 1001),
    "max-body": ("4MiB", "512KiB", "1000000", "4MB", "4 MiB", "-1"),
    "shutdown-grace": ("20s", "0", "1h", "1m30s", "2h", "20"),
    "retention": ("30d", "0", "1w2d", "7d", "59m", "30 days"),
}


def parses(setting: Setting, value: object) -> bool:
    """Whether the service takes it, written as a flag."""
    texts = value if isinstance(value, list) else [str(value).lower() if isinstance(value, bool) else str(value)]
    try:
        for text in texts:
            setting.parse(text)
    except ValueError:
        return False
    return True


def renders(name: str, value: object) -> bool:
    """Whether the chart takes it."""
    try:
        render({"settings": {name: value}})
    except Refused:
        return False
    return True


@pytest.mark.parametrize("name", TRIED)
def test_the_chart_takes_of_a_setting_what_the_service_takes(name: str) -> None:
    (setting,) = (setting for setting in TABLE if setting.name == name)
    assert {str(value): parses(setting, value) for value in TRIED[name]} == {
        str(value): renders(name, value) for value in TRIED[name]
    }


def test_every_setting_is_tried() -> None:
    assert {setting.name for setting in TABLE} - OWN.keys() == TRIED.keys()
