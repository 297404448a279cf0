"""What the chart renders with values of every kind, each object held against the real API server's own schemas."""

from __future__ import annotations

import copy
import itertools
import json
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import remediator
from remediator import settings
from tests import processes
from tests.chart.helm import CHART, NAMESPACE, Json, container, flags, helm, merged, of_kind, only, render
from tests.chart.matrix import FACTORS, RULES, at
from tests.definitions import CrdLoader
from tests.servers import ApiServer

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Case:
    """Values, and what the chart makes of them."""

    values: Json
    objects: list[Json]

    def has(self, path: str) -> object:
        """What the values say of a key; the chart's default where they say nothing."""
        found: Any = DEFAULTS
        own: Any = self.values
        for key in path.split("."):
            found = found.get(key) if isinstance(found, dict) else None
            own = own.get(key) if isinstance(own, dict) else None
        return found if own is None else own


NEWER = {"matchLabelKeys": ["pod-template-hash"], "nodeTaintsPolicy": "Honor"}
"""Of a spread, since 1.27."""
EXAMPLES = ("values-production.yaml", "values-development.yaml")
DEFAULTS: Json = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cases(matrix: list[tuple[Json, list[Json]]]) -> list[Case]:
    return [Case(values, objects) for values, objects in matrix]


@pytest.fixture(scope="module")
def default(cases: list[Case]) -> list[Json]:
    return cases[0].objects


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield ".".join(path), value


def test_every_switch_is_tried_on_and_off() -> None:
    tried = {
        (path, value)
        for choices in FACTORS.values()
        for choice in choices
        for path, value in leaves(choice)
        if isinstance(value, bool)
    }
    switches = {path: value for path, value in leaves(DEFAULTS) if isinstance(value, bool)}
    untried = {path for path, value in switches.items() if (path, not value) not in tried}
    # Nobody should turn these, and test_security.py holds on to how they are.
    assert {path for path in switches if "ecurityContext." in path} == untried


@pytest.mark.parametrize("file", ["values.yaml", *EXAMPLES])
def test_lint_finds_nothing(file: str) -> None:
    done = helm("lint", "--strict", str(CHART), "--values", str(CHART / file))
    assert 0 == done.returncode, done.stdout
    # An icon would have to be fetched from somewhere.
    assert [] == [
        line for line in done.stdout.splitlines() if line.startswith("[") and "icon is recommended" not in line
    ]


# -- the API server's own schemas


def for_old_servers(found: Json) -> Json:
    """As a server of 1.20 knows it: without the fields of 1.27, and a PodDisruptionBudget was of v1beta1."""
    found = copy.deepcopy(found)
    if found["kind"] == "PodDisruptionBudget":
        found["apiVersion"] = "policy/v1beta1"
        found["spec"].pop("unhealthyPodEvictionPolicy")
    if found["kind"] == "Deployment":
        for constraint in found["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            for field in NEWER:
                constraint.pop(field, None)
    return found


def dry_run(cluster: ApiServer, objects: list[Json]) -> subprocess.CompletedProcess[str]:
    """Have the server judge objects as if they were applied; it keeps none."""
    return subprocess.run(
        (
            processes.binary("KUBEBUILDER_ASSETS", "kubectl"),
            *(f"--kubeconfig={cluster.kubeconfig()}", "apply", "--dry-run=server", "--validate=strict", "-f", "-"),
        ),
        input="\n---\n".join(json.dumps(found) for found in objects),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_api_server_takes_every_object(cluster: ApiServer, cases: list[Case]) -> None:
    """But cert-manager's, whose definitions are not at hand."""
    rendered = [found for case in cases for found in case.objects]
    for file in EXAMPLES:
        rendered += render({}, "--values", str(CHART / file))
    objects = {json.dumps(for_old_servers(found), sort_keys=True) for found in rendered}
    judged = [found for found in map(json.loads, sorted(objects)) if found["kind"] != "Certificate"]
    done = dry_run(cluster, judged)

    assert (0, "") == (done.returncode, done.stderr)
    assert len(judged) == len(done.stdout.splitlines())


def test_the_api_server_refuses_what_is_wrong(cluster: ApiServer, default: list[Json]) -> None:
    """That the test above can fail: an unknown field in each kind of object."""
    taken = []
    for found in {found["kind"]: found for found in map(for_old_servers, default)}.values():
        wrong = copy.deepcopy(found) | {"unknownField": True}
        if not dry_run(cluster, [wrong]).returncode:
            taken.append(found["kind"])
    assert [] == taken


# -- what belongs together


def test_every_object_has_our_labels_and_a_name_of_its_own(cases: list[Case]) -> None:
    for case in cases:
        names = [
            (found["kind"], found["metadata"].get("namespace"), found["metadata"]["name"]) for found in case.objects
        ]
        assert len(names) == len(set(names))
        for found in case.objects:
            labels = found["metadata"]["labels"]
            assert {"remediator", "Helm"} == {
                labels["app.kubernetes.io/name"],
                labels["app.kubernetes.io/managed-by"],
            }, found
            assert (case.has("commonLabels") or {}).items() <= labels.items()


def test_no_label_of_the_values_is_said_twice_or_changes_what_is_selected() -> None:
    """Helm takes the last of two; Flux and kustomize refuse them."""
    names = ("name", "instance", "component", "part-of", "managed-by")
    theirs = {f"app.kubernetes.io/{name}": "theirs" for name in names}
    places = ("serviceMonitor", "prometheusRule", "alertmanagerConfig", "grafanaDashboard", "service")
    values = {"commonLabels": theirs, "podLabels": theirs} | {place: {"labels": theirs} for place in places}
    done = helm("template", "remediator", str(CHART), "--namespace", NAMESPACE, values=values)
    selecting = {"app.kubernetes.io/name": "remediator", "app.kubernetes.io/instance": "remediator"}
    for text in done.stdout.split("\n---\n"):
        below = text.partition("\n  labels:\n")[2].splitlines()
        keys = [line.split(":")[0] for line in itertools.takewhile(lambda line: line.startswith("    "), below)]
        assert sorted(set(keys)) == sorted(keys)
    for found in filter(None, yaml.load_all(done.stdout, CrdLoader)):
        assert selecting.items() <= found["metadata"]["labels"].items()
        assert "theirs" == found["metadata"]["labels"]["app.kubernetes.io/part-of"]


def test_selectors_select_the_pods_of_the_service_and_not_the_one_of_helm_test(cases: list[Case]) -> None:
    for case in cases:
        deployment = only(case.objects, "Deployment")["spec"]
        service = deployment["template"]["metadata"]["labels"].items()
        tests = [pod["metadata"]["labels"].items() for pod in of_kind(case.objects, "Pod")]
        selectors = [deployment["selector"]["matchLabels"], only(case.objects, "Service")["spec"]["selector"]]
        selectors += [each["spec"]["selector"]["matchLabels"] for each in of_kind(case.objects, "PodDisruptionBudget")]
        policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(case.objects, "NetworkPolicy")}
        selectors += [spec["podSelector"]["matchLabels"] for name, spec in policies.items() if name == "remediator"]
        for selector in selectors:
            assert selector.items() <= service
            assert [] == [labels for labels in tests if selector.items() <= labels]


def test_replicas_are_spread_over_nodes_and_zones(cases: list[Case]) -> None:
    for case in cases:
        spec = only(case.objects, "Deployment")["spec"]
        constraints = spec["template"]["spec"]["topologySpreadConstraints"]
        assert [spec["selector"]] * len(constraints) == [each["labelSelector"] for each in constraints]
        expected = {"kubernetes.io/hostname": case.has("spread"), "topology.kubernetes.io/zone": "ScheduleAnyway"}
        own = {each["topologyKey"]: each["whenUnsatisfiable"] for each in case.has("topologySpreadConstraints")}  # type: ignore[attr-defined]
        assert own or all(NEWER.items() <= each.items() for each in constraints)
        assert (own or expected) == {each["topologyKey"]: each["whenUnsatisfiable"] for each in constraints}


def test_what_the_pod_mounts_is_there(cases: list[Case]) -> None:
    """Made by the chart, unless the values name one that is there already."""
    given = {"served", "given", "ours", "theirs"}
    for case in cases:
        made = {(found["kind"], found["metadata"]["name"]) for found in case.objects}
        made |= {("Secret", each["spec"]["secretName"]) for each in of_kind(case.objects, "Certificate")}
        pod = only(case.objects, "Deployment")["spec"]["template"]["spec"]
        mounted = [mount["name"] for mount in container(case.objects)["volumeMounts"]]
        assert sorted(mounted) == sorted(volume["name"] for volume in pod["volumes"])
        for volume in pod["volumes"]:
            kind, name = (
                ("Secret", volume["secret"]["secretName"])
                if "secret" in volume
                else ("ConfigMap", volume["configMap"]["name"])
            )
            assert (kind, name) in made or name in given
        assert ("ServiceAccount", pod["serviceAccountName"]) in made or pod["serviceAccountName"] in given


def test_ports_are_called_the_same_everywhere(cases: list[Case]) -> None:
    for case in cases:
        scheme = "https" if case.has("tls.enabled") else "http"
        (port,) = container(case.objects)["ports"]
        (of_service,) = only(case.objects, "Service")["spec"]["ports"]
        probes = [container(case.objects)[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness")]
        assert {scheme} == {port["name"], of_service["name"], of_service["targetPort"]} | {
            probe["port"] for probe in probes
        }
        assert {scheme.upper()} == {probe["scheme"] for probe in probes}
        for monitor in of_kind(case.objects, "ServiceMonitor"):
            (endpoint,) = monitor["spec"]["endpoints"]
            assert (scheme, scheme) == (endpoint["port"], endpoint["scheme"])
            assert (scheme == "https") == ("tlsConfig" in endpoint)
        for config in of_kind(case.objects, "AlertmanagerConfig"):
            ((webhook,),) = [receiver["webhookConfigs"] for receiver in config["spec"]["receivers"]]
            assert webhook["url"].startswith(f"{scheme}://remediator.{NAMESPACE}.svc:{of_service['port']}/")


# -- the service's own view


def as_given(arguments: list[str]) -> dict[str, str]:
    """Flags as the command line gives them to `settings.read`."""
    pairs = (argument.removeprefix("--").partition("=") for argument in arguments)
    return {name: value if equals else "true" for name, equals, value in pairs}


def test_the_service_takes_its_flags_and_says_what_the_values_say(cases: list[Case]) -> None:
    for case in cases:
        found = settings.read(as_given(flags(case.objects)), {}, serving=True)
        told = case.has("settings")
        assert isinstance(told, dict)
        names = {setting.name: setting for setting in settings.TABLE}
        for name, value in told.items():
            parse = names[name].parse
            expected = (
                tuple(map(parse, value))
                if isinstance(value, list)
                else parse(str(value).lower() if isinstance(value, bool) else str(value))
            )
            assert expected == getattr(found, names[name].field)
        assert tuple(case.has("rbac.namespaces")) == found.namespaces  # type: ignore[arg-type]
        assert bool(case.has("tls.enabled")) == bool(found.tls_cert_file)
        assert bool(case.has("notifications.existingSecret")) == bool(found.notify_file)


@pytest.mark.parametrize(
    ("drain", "grace", "expected"),
    [
        pytest.param(5, "20s", 35, id="seconds"),
        pytest.param(0, "0", 10, id="none"),
        pytest.param(10, "1m30s", 110, id="a minute and a half"),
        pytest.param(5, "1500ms", 17, id="a part of a second counts as a whole one"),
        pytest.param(5, "1h", 3615, id="an hour"),
    ],
)
def test_the_pod_is_given_more_time_than_the_service_takes(drain: int, grace: str, expected: int) -> None:
    objects = render({"drainSeconds": drain, "settings": {"shutdown-grace": grace}})
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]
    (shutdown,) = (setting for setting in settings.TABLE if setting.name == "shutdown-grace")
    seconds = shutdown.parse(grace)
    assert isinstance(seconds, float)

    assert expected == pod["terminationGracePeriodSeconds"]
    assert pod["terminationGracePeriodSeconds"] >= drain + seconds + 2


def test_without_a_grace_of_its_own_the_services_default_counts(default: list[Json]) -> None:
    (shutdown,) = (setting for setting in settings.TABLE if setting.name == "shutdown-grace")
    pod = only(default, "Deployment")["spec"]["template"]["spec"]
    assert "20s" == shutdown.default
    assert DEFAULTS["drainSeconds"] + 20 + 10 == pod["terminationGracePeriodSeconds"]


# -- monitoring


def test_prometheus_knows_the_service_by_the_job_of_the_rules(cases: list[Case]) -> None:
    rules = (CHART.parent / "rules" / "remediator.yaml").read_text(encoding="utf-8")
    assert 'up{job="remediator"}' in rules
    for case in cases:
        for monitor in of_kind(case.objects, "ServiceMonitor"):
            first = monitor["spec"]["endpoints"][0]["relabelings"][0]
            assert {"targetLabel": "job", "replacement": "remediator", "action": "replace"} == first


def test_the_operator_selects_what_it_is_to_read(cases: list[Case]) -> None:
    kinds = ("ServiceMonitor", "PodMonitor", "PrometheusRule", "AlertmanagerConfig")
    for case in cases:
        for found in (found for kind in kinds for found in of_kind(case.objects, kind)):
            assert "kube-prometheus-stack" == found["metadata"]["labels"]["release"]


def documented(page: str, kind: str) -> Json:
    """The manifest of a kind that a page of the documentation prints."""
    texts = (CHART.parent / "docs" / page).read_text(encoding="utf-8").split("```yaml\n")[1:]
    manifests = [yaml.safe_load(text.split("```")[0]) for text in texts if f"kind: {kind}\n" in text]
    found: Json = manifests[0]
    return found


@pytest.mark.parametrize(
    ("page", "kind", "values"),
    [
        pytest.param("telemetry.md", "Telemetry", at("istio.telemetry.enabled", True), id="Telemetry"),
        pytest.param("telemetry.md", "PodMonitor", at("istio.podMonitor.enabled", True), id="PodMonitor"),
    ],
)
def test_what_the_documentation_prints_is_what_is_made(page: str, kind: str, values: Json) -> None:
    found = only(render(values), kind)
    assert documented(page, kind)["spec"] == found["spec"]


def test_the_route_is_the_one_that_the_documentation_prints(default: list[Json]) -> None:
    expected = documented("alertmanager.md", "AlertmanagerConfig")["spec"]
    found = only(default, "AlertmanagerConfig")["spec"]
    (webhook,) = expected["receivers"][0]["webhookConfigs"]
    webhook["url"] = f"http://remediator.{NAMESPACE}.svc:8080/webhook"
    assert expected == found


def test_alerts_without_the_label_have_a_route_by_their_names() -> None:
    objects = render({"alertmanagerConfig": {"alertNames": ["One", "Two"]}})
    ours, by_name = of_kind(objects, "AlertmanagerConfig")
    assert [{"name": "alertname", "matchType": "=~", "value": "One|Two"}] == by_name["spec"]["route"]["matchers"]
    assert ours["spec"]["receivers"] == by_name["spec"]["receivers"]
    assert {"inhibitRules"} == ours["spec"].keys() - by_name["spec"].keys()


def test_the_plain_routes_of_the_notes_are_those_that_the_documentation_prints() -> None:
    done = helm(
        "install",
        "remediator",
        str(CHART),
        "-n",
        NAMESPACE,
        "--dry-run=client",
        values=at("alertmanagerConfig.enabled", False),
    )
    assert 0 == done.returncode, done.stderr
    snippet = done.stdout.split("and the receiver:\n\n", 1)[1].split("\n\n", 1)[0]
    found = yaml.safe_load(snippet)

    (page,) = (
        yaml.safe_load(text.split("```")[0])
        for text in (CHART.parent / "docs" / "alertmanager.md").read_text(encoding="utf-8").split("```yaml\n")
        if text.startswith("route:\n  receiver: people\n  group_by")
    )
    routes = [route for route in page["route"]["routes"] if route["receiver"] == "remediator"]
    (receiver,) = (each for each in page["receivers"] if each["name"] == "remediator")
    (webhook,) = receiver["webhook_configs"]
    webhook["url"] = f"http://remediator.{NAMESPACE}.svc:8080/webhook"
    assert {"routes": routes, "receivers": [receiver]} == found


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(
            at("settings.allow-anonymous", True), "WARNING: settings.allow-anonymous is set.", id="nobody is asked"
        ),
        pytest.param(at("networkPolicy.enabled", False), "There is no NetworkPolicy", id="no network policy"),
        pytest.param({}, "Nothing is verified after a patch", id="no Prometheus"),
        pytest.param({}, "(is it? --set alertmanagerConfig.namespace=monitoring)", id="a route beside no Alertmanager"),
        pytest.param({}, "image.repository names no registry: remediator:", id="no registry"),
        pytest.param(
            {"token": {"existingSecret": "given"}, "alertmanagerConfig": {"namespace": "monitoring"}},
            "Secret given has to be in namespace monitoring, too",
            id="a token that is needed twice",
        ),
    ],
)
def test_the_notes_say_what_is_missing(values: Json, expected: str) -> None:
    done = helm("install", "remediator", str(CHART), "-n", NAMESPACE, "--dry-run=client", values=values)
    assert expected in done.stdout


def test_tls_can_be_had_as_the_documentation_says() -> None:
    """With the values of its second step, which put the AlertmanagerConfig elsewhere."""
    texts = (CHART.parent / "docs" / "install.md").read_text(encoding="utf-8").split("```yaml\n")[1:]
    (values,) = [yaml.safe_load(text.split("```")[0]) for text in texts if text.startswith("# tls.yaml\n")]
    objects = render(merged([at("alertmanagerConfig.namespace", "monitoring"), values]))
    (receiver,) = only(objects, "AlertmanagerConfig")["spec"]["receivers"]
    (webhook,) = receiver["webhookConfigs"]
    assert values["alertmanagerConfig"]["tlsConfig"] == webhook["httpConfig"]["tlsConfig"]
    assert webhook["url"].startswith("https://")


def test_the_certificate_is_good_for_the_name_that_is_asked() -> None:
    """cert-manager's definitions are not at hand: this is all that is looked at."""
    objects = render({"tls": {"enabled": True, "certManager": {"enabled": True, "issuerRef": {"name": "ours"}}}})
    spec = only(objects, "Certificate")["spec"]
    (receiver,) = only(objects, "AlertmanagerConfig")["spec"]["receivers"]
    (webhook,) = receiver["webhookConfigs"]
    tls = {"ca": {"secret": {"name": spec["secretName"], "key": "ca.crt"}}, "serverName": f"remediator.{NAMESPACE}.svc"}
    assert tls == webhook["httpConfig"]["tlsConfig"]
    assert tls["serverName"] in spec["dnsNames"]
    assert tls["serverName"] in webhook["url"]
    assert {"name": "ours", "kind": "ClusterIssuer", "group": "cert-manager.io"} == spec["issuerRef"]
    volumes = only(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert [spec["secretName"]] == [each["secret"]["secretName"] for each in volumes if each["name"] == "tls"]


# -- no file is a copy


@pytest.mark.parametrize("name", ["rules", "policies"])
def test_what_comes_from_elsewhere_is_a_link(name: str) -> None:
    link = CHART / "files" / name
    if not link.is_symlink():
        pytest.skip("this is a source archive, which has copies: it is made from links")
    assert Path("..") / ".." / name == link.readlink()


def test_the_source_archive_takes_what_the_links_lead_to() -> None:
    """A build walks over what two ways lead to only once, so that the second way has to be named."""
    links = {str(path.relative_to(CHART.parent)) for path in (CHART / "files").iterdir() if path.is_symlink()}
    built = tomllib.loads((CHART.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert {link: link for link in links} == built["targets"]["sdist"]["force-include"]


@pytest.mark.parametrize("chosen", ["production", "development"])
def test_the_policies_are_the_files_of_the_set(chosen: str) -> None:
    (found,) = [
        each
        for each in of_kind(render(at("policies.set", chosen)), "ConfigMap")
        if "policies" in each["metadata"]["name"]
    ]
    files = sorted((CHART.parent / "policies" / chosen).glob("*.yaml"))
    assert {file.name: file.read_text(encoding="utf-8") for file in files} == found["data"]


def shipped_rules() -> dict[str, Json]:
    files = sorted((CHART.parent / "rules").glob("*.yaml"))
    return {found["metadata"]["name"]: found["spec"] for found in map(yaml.safe_load, map(Path.read_text, files))}


def labelled(spec: Json, namespace: str) -> Json:
    """The same rules, whose alerts have one label more."""
    for each in (rule for group in spec["groups"] for rule in group["rules"] if "alert" in rule):
        each["labels"] = {**each.get("labels", {}), "namespace": namespace}
    return spec


@pytest.mark.parametrize("key", ["enabled", "labelAlerts"])
def test_the_rules_are_those_of_the_files(key: str) -> None:
    objects = render(at(f"alertmanagerConfig.{key}", False))
    found = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "PrometheusRule")}
    assert shipped_rules() == found


@pytest.mark.parametrize(
    ("values", "namespace"),
    [
        pytest.param({}, NAMESPACE, id="of the release"),
        pytest.param(at("alertmanagerConfig.namespace", "monitoring"), "monitoring", id="of its own"),
    ],
)
def test_alerts_have_the_namespace_that_the_operator_lets_the_route_have(values: Json, namespace: str) -> None:
    """prometheus-operator adds the matcher `namespace="…"` to each route of an AlertmanagerConfig (its
    pkg/alertmanager/amcfg.go; the strategy OnNamespace, the default)."""
    objects = render(values)
    assert {namespace} == {found["metadata"]["namespace"] for found in of_kind(objects, "AlertmanagerConfig")}
    expected = {name: labelled(spec, namespace) for name, spec in shipped_rules().items()}
    assert expected == {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "PrometheusRule")}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("remediator", "remediator", id="about the service itself"),
        pytest.param("remediator-mesh-wide", "remediator-mesh-wide", id="about all services"),
        pytest.param("own", "remediator-own", id="of one's own"),
    ],
)
def test_rendered_rules_have_names_of_the_release(name: str, expected: str) -> None:
    objects = render(at("prometheusRule.rendered", f"---\n{RULES.replace('remediator-mesh-wide', name)}---\n"))
    assert [(expected, labelled(yaml.safe_load(RULES)["spec"], NAMESPACE))] == [
        (found["metadata"]["name"], found["spec"]) for found in of_kind(objects, "PrometheusRule")
    ]


def test_policies_of_ones_own_stay_as_they_are_to_the_letter() -> None:
    text = "  # begins with spaces\n\tand a tab: {{ not a template }}\n\n"
    objects = render({"policies": {"files": {"own.yml": text}}})
    (found,) = [each for each in of_kind(objects, "ConfigMap") if each["metadata"]["name"] == "remediator-policies"]
    assert {"own.yml": text} == found["data"]


def test_the_version_is_that_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (remediator.__version__, remediator.__version__) == (chart["version"], chart["appVersion"])


def test_the_package_has_everything_but_tests_of_policies(tmp_path: Path) -> None:
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert 0 == done.returncode, done.stderr
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as package:
        members = package.getmembers()
    assert [] == [member.name for member in members if not member.isfile()]
    packed = {member.name.removeprefix("remediator/") for member in members}
    root = CHART.parent
    expected = {f"files/rules/{file.name}" for file in (root / "rules").glob("*.yaml")}
    expected |= {
        f"files/policies/{file.relative_to(root / 'policies')}" for file in (root / "policies").glob("*/*.yaml")
    }
    assert expected == {name for name in packed if name.startswith(("files/rules/", "files/policies/"))}
    assert {f"crds/{file.name}" for file in (CHART / "crds").iterdir()} == {n for n in packed if n.startswith("crds/")}
