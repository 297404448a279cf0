"""What the documentation says to apply is what the real servers take, and does what it says there."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.definitions import CRDS, DATA, ISTIO, OPERATOR, crds
from tests.processes import Missing, binary, wait_until
from tests.servers import Alertmanager, ApiServer, running_alertmanager
from tests.test_docs import DOCS, README, ROOT, blocks, text

Json = dict[str, Any]

ALERTMANAGER = DOCS / "alertmanager.md"
TELEMETRY = DOCS / "telemetry.md"
ARTICLE = DATA / "samples" / "article"


def amtool(*arguments: str) -> str:
    """What the real amtool prints; it has to be content."""
    try:
        program = binary("PROMETHEUS_BIN_DIR", "amtool")
    except Missing as missing:
        pytest.skip(str(missing))
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


# -- Alertmanager: the plain configuration


def plain(page: Path) -> str:
    """The page's configuration that has our webhook in it."""
    (block,) = (each for each in blocks(page) if re.search("^route:", each, re.MULTILINE) and "webhook_configs" in each)
    return block


def written(configuration: str, folder: Path) -> str:
    """As a file: its path."""
    path = folder / "alertmanager.yml"
    path.write_text(configuration, encoding="utf-8")
    return str(path)


def receivers(file: str, **labels: str) -> str:
    """Who gets an alert with these labels, in the order of the routes."""
    pairs = [f"{name}={value}" for name, value in labels.items()]
    return amtool("config", "routes", "test", f"--config.file={file}", *pairs).strip()


@pytest.mark.servers
def test_alertmanager_accepts_the_configuration(tmp_path: Path) -> None:
    assert "SUCCESS" in amtool("check-config", written(plain(ALERTMANAGER), tmp_path))


@pytest.mark.servers
def test_alerts_that_ask_for_a_remediation_reach_us_and_people(tmp_path: Path) -> None:
    """`continue` goes on to the next route, and never back to the receiver at the top."""
    file = written(plain(ALERTMANAGER), tmp_path)
    asking = {"CanaryHardDown": "RevertToStable", "StableDegradedWhileMirroring": "RemoveMirrors"}
    expected = dict.fromkeys(asking, "remediator,people") | {"DiskFull": "people"}
    found = {name: receivers(file, alertname=name, remediation=asks) for name, asks in asking.items()}
    assert expected == found | {"DiskFull": receivers(file, alertname="DiskFull")}


def test_the_readme_shows_the_route_of_the_page() -> None:
    (shown,) = (yaml.safe_load(block) for block in blocks(README) if block.startswith("routes:"))
    assert [yaml.safe_load(plain(ALERTMANAGER))["route"]["routes"][0]] == [
        _as_written(route) for route in shown["routes"]
    ]


def _as_written(route: dict[str, Any]) -> dict[str, Any]:
    """Matchers as the page writes them."""
    return route | {"matchers": [matcher.replace("'", "") for matcher in route["matchers"]]}


def by_remediation(file: str) -> dict[str, str]:
    """Who gets the shipped alerts, by what they ask for."""
    rules = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "rules").glob("*.yaml"))]
    alerts = [rule for each in rules for group in each["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    asked = {rule["labels"]["remediation"]: rule["alert"] for rule in alerts}
    return {asks: receivers(file, alertname=alert, remediation=asks) for asks, alert in asked.items()}


@pytest.mark.servers
def test_each_remediation_goes_where_the_page_says(tmp_path: Path) -> None:
    assert {
        "RevertToStable": "remediator,people",
        "RemoveMirrors": "remediator,people",
        "None": "people",
        "Heartbeat": "remediator",
    } == by_remediation(written(plain(ALERTMANAGER), tmp_path))


@pytest.mark.servers
def test_the_commands_that_the_page_shows_answer_what_it_says(tmp_path: Path) -> None:
    file = written(plain(ALERTMANAGER), tmp_path)
    shown = re.findall(r"^ +amtool config routes test \S+ ([\w= ]+\w) +# (\S+)$", text("alertmanager.md"), re.MULTILINE)
    assert 3 == len(shown)
    for labels, expected in shown:
        assert expected == receivers(file, **dict(pair.split("=") for pair in labels.split()))


@pytest.mark.servers
def test_rules_without_the_label_join_by_one_more_route(tmp_path: Path) -> None:
    (more,) = (yaml.safe_load(block) for block in blocks(ALERTMANAGER) if block.startswith("matchers:"))
    configuration = yaml.safe_load(plain(ALERTMANAGER))
    routes = configuration["route"]["routes"]
    routes.insert(1, routes[0] | more)
    file = written(yaml.safe_dump(configuration), tmp_path)
    names = [rule["alert"] for rule in popular_rules()]
    assert dict.fromkeys(names, "remediator,people") == {name: receivers(file, alertname=name) for name in names}


def popular_rules() -> list[Json]:
    """The alerting rules of the article."""
    files = sorted(ARTICLE.glob("prometheusrule-*.yaml"))
    if not files:
        pytest.skip(f"there are no rules in {ARTICLE}")
    return [
        rule
        for file in files
        for group in yaml.safe_load(file.read_text())["spec"]["groups"]
        for rule in group["rules"]
    ]


# -- Alertmanager: inhibition, in a real one


@pytest.fixture(scope="module")
def alertmanager() -> Iterator[Alertmanager]:
    """A real Alertmanager with the page's configuration, whose webhook leads nowhere."""
    configuration = yaml.safe_load(plain(ALERTMANAGER))
    for receiver in configuration["receivers"]:
        for webhook in receiver.get("webhook_configs", ()):
            webhook.update(url="http://127.0.0.1:9/", http_config={})
    with ExitStack() as stack:
        try:
            yield stack.enter_context(running_alertmanager(configuration))
        except Missing as missing:
            pytest.skip(str(missing))


def inhibited_of(alertmanager: Alertmanager, version: str) -> dict[str, bool]:
    """By name, of the alerts with this version that Alertmanager knows of: whether each is inhibited."""
    query = urllib.parse.urlencode({"filter": f'destination_version="{version}"'})
    with urllib.request.urlopen(f"{alertmanager.url}/api/v2/alerts?{query}", timeout=10) as answer:
        return {alert["labels"]["alertname"]: alert["status"]["inhibitedBy"] != [] for alert in json.load(answer)}


@pytest.mark.servers
@pytest.mark.parametrize(
    ("source", "target", "inhibited"),
    [
        pytest.param(
            {"alertname": "CanaryHardDown"},
            {"alertname": "CanaryLatencyShift", "remediation": "None"},
            True,
            id="the slowness of a version that fails is no news",
        ),
        pytest.param(
            {"alertname": "CanaryHardDown"},
            {"alertname": "CanaryLatencyShift", "remediation": "RevertToStable"},
            False,
            id="what asks for a remediation is never held back",
        ),
        pytest.param(
            {"alertname": "CanaryHardDown"},
            {"alertname": "CanaryLatencyShift", "remediation": "None", "destination_service_name": "ratings"},
            False,
            id="nor what is said of another service's version",
        ),
        pytest.param(
            {"alertname": "RemediationTelemetryMissing"},
            {"alertname": "MirrorWithoutTraffic", "remediation": "None"},
            True,
            id="where nothing is measured it is no news that a version has no traffic",
        ),
    ],
)
def test_inhibition(
    alertmanager: Alertmanager, request: pytest.FixtureRequest, source: Json, target: Json, inhibited: bool
) -> None:
    """Each case has a version of its own. A pair behind it that is surely inhibited tells when all has been seen."""
    case = request.node.callspec.id
    labels = {"destination_service_name": "reviews", "destination_service_namespace": "shop"}
    behind = {**labels, "destination_version": f"behind: {case}"}
    alertmanager.post(
        [{"labels": {**labels, "destination_version": case, **each}} for each in (source, target)]
        + [{"labels": {**behind, "alertname": "CanaryUnreachable"}}]
        + [{"labels": {**behind, "alertname": "CanaryLatencyShift", "remediation": "None"}}]
    )
    wait_until(
        lambda: inhibited_of(alertmanager, f"behind: {case}").get("CanaryLatencyShift"), "the pair behind is inhibited"
    )
    assert {source["alertname"]: False, target["alertname"]: inhibited} == inhibited_of(alertmanager, case)


# -- AlertmanagerConfig


def alertmanagerconfig() -> Json:
    """The object that the page shows."""
    (block,) = (each for each in blocks(ALERTMANAGER) if "kind: AlertmanagerConfig" in each)
    config = yaml.safe_load(block)
    assert isinstance(config, dict)
    return config


def test_both_forms_of_the_configuration_say_the_same() -> None:
    expected = yaml.safe_load(plain(ALERTMANAGER))
    spec = alertmanagerconfig()["spec"]
    asking, heartbeat, _people = expected["route"]["routes"]
    route, (child,) = spec["route"], spec["route"]["routes"]
    assert {asking["repeat_interval"]: heartbeat["repeat_interval"]} == {
        route["repeatInterval"]: child["repeatInterval"]
    }
    for name in ("group_by", "group_wait", "group_interval"):
        assert asking[name] == heartbeat[name] == route[camel(name)]
    assert expected["inhibit_rules"] == [inhibition(rule) for rule in spec["inhibitRules"]]
    (webhook,) = (each for receiver in expected["receivers"] for each in receiver.get("webhook_configs", ()))
    (other,) = spec["receivers"][0]["webhookConfigs"]
    assert {camel(key): value for key, value in webhook.items() if key != "http_config"} == {
        key: value for key, value in other.items() if key != "httpConfig"
    }


def inhibition(rule: Json) -> Json:
    """An inhibition of an AlertmanagerConfig, as Alertmanager's own configuration has it."""
    found = {f"{side}_matchers": [matcher(each) for each in rule[f"{side}Match"]] for side in ("source", "target")}
    return found | ({"equal": rule["equal"]} if "equal" in rule else {})


def matcher(written: Json) -> str:
    return f'{written["name"]} {written["matchType"]} "{written["value"]}"'


def camel(name: str) -> str:
    return re.sub("_(.)", lambda letter: letter[1].upper(), name)


def converted(route: Json) -> Json:
    """A route of an AlertmanagerConfig, as prometheus-operator writes it into Alertmanager's configuration."""
    snake = {re.sub("([A-Z])", lambda letter: f"_{letter[1].lower()}", key): value for key, value in route.items()}
    snake["matchers"] = [matcher(each) for each in route["matchers"]]
    return snake | {"routes": [converted(each) for each in route.get("routes", ())]}


@pytest.mark.servers
def test_with_prometheus_operator_each_remediation_goes_where_the_page_says(tmp_path: Path) -> None:
    """The operator puts our route first, and lets every alert go on to the Alertmanager's own."""
    (own,) = (yaml.safe_load(block) for block in blocks(ALERTMANAGER) if "receiver: nobody" in block)
    own["route"]["routes"].insert(0, converted(alertmanagerconfig()["spec"]["route"]) | {"continue": True})
    own["receivers"].append({"name": "remediator"})
    assert {
        "RevertToStable": "remediator,people",
        "RemoveMirrors": "remediator,people",
        "None": "people",
        "Heartbeat": "remediator,nobody",
    } == by_remediation(written(yaml.safe_dump(own), tmp_path))


# -- objects, on a real API server

PLURALS = {
    "Telemetry": "telemetries",
    "PodMonitor": "podmonitors",
    "ServiceMonitor": "servicemonitors",
    "AlertmanagerConfig": "alertmanagerconfigs",
    "PrometheusRule": "prometheusrules",
}


@pytest.fixture(scope="module")
def monitored(api_server: ApiServer) -> ApiServer:
    """The API server, with the kinds that the documentation has manifests of."""
    try:
        definitions = crds(ISTIO, "telemetries")
        for plural in set(PLURALS.values()) - {"telemetries"}:
            definitions += crds(CRDS / OPERATOR.format(plural), plural)
    except Missing as missing:
        pytest.skip(str(missing))
    api_server.install(definitions)
    api_server.namespace("monitoring", "istio-system", "remediator", "shop")
    return api_server


def dry_run(server: ApiServer, manifest: Json) -> Json:
    """What the server would store. Raises urllib.error.HTTPError."""
    namespace = manifest["metadata"].setdefault("namespace", "shop")
    place = f"/apis/{manifest['apiVersion']}/namespaces/{namespace}/{PLURALS[manifest['kind']]}"
    return server.request("POST", f"{place}?dryRun=All", manifest)


def lost(sent: Any, kept: Any, path: str = "") -> Iterator[str]:
    """The places of what was sent and would not be stored: unknown keys are dropped without a word."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        for key, value in sent.items():
            yield from lost(value, kept[key], f"{path}.{key}") if key in kept else [f"{path}.{key}"]
    elif isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        for index, value in enumerate(sent):
            yield from lost(value, kept[index], f"{path}[{index}]")
    elif sent != kept:
        yield path


def shown() -> list[Any]:
    """Every manifest of telemetry.md and alertmanager.md, and the rules that are shipped."""
    texts = [block for page in (TELEMETRY, ALERTMANAGER) for block in blocks(page) if "apiVersion:" in block]
    texts += [path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").glob("*.yaml"))]
    manifests = [manifest for each in texts for manifest in yaml.safe_load_all(each)]
    return [
        pytest.param(manifest, id=f"{number} {manifest['kind']} {manifest['metadata']['name']}")
        for number, manifest in enumerate(manifests)
    ]


@pytest.mark.servers
@pytest.mark.parametrize("manifest", shown())
def test_an_api_server_takes_what_the_documentation_shows(monitored: ApiServer, manifest: Json) -> None:
    assert [] == list(lost(manifest["spec"], dry_run(monitored, manifest)["spec"]))


@pytest.mark.servers
@pytest.mark.parametrize(
    ("kind", "good", "bad", "place"),
    [
        pytest.param("AlertmanagerConfig", "maxAlerts", "max_alerts", ".max_alerts", id="a key in the wrong spelling"),
        pytest.param("PodMonitor", "metricRelabelings", "metricRelabeling", ".metricRelabeling", id="a missing letter"),
        pytest.param("Telemetry", "tagOverrides", "tagOverride", ".tagOverride", id="a key of another kind"),
    ],
)
def test_a_key_that_the_server_drops_would_be_noticed(
    monitored: ApiServer, kind: str, good: str, bad: str, place: str
) -> None:
    (block,) = (each for page in (TELEMETRY, ALERTMANAGER) for each in blocks(page) if is_about(each, kind, good))
    manifest = yaml.safe_load(block.replace(good, bad))
    (told,) = lost(manifest["spec"], dry_run(monitored, manifest)["spec"])
    assert told.endswith(place)


def is_about(block: str, kind: str, word: str) -> bool:
    return f"kind: {kind}\n" in block and word in block


@pytest.mark.servers
@pytest.mark.parametrize(
    ("good", "bad"),
    [
        pytest.param("key: token", "optional: true", id="a missing key"),
        pytest.param('"=~"', '"~="', id="a wrong word"),
        pytest.param("30s", "30 s", id="a wrong form"),
        pytest.param("maxAlerts: 0", 'maxAlerts: "0"', id="a wrong type"),
    ],
)
def test_a_wrong_value_is_refused(monitored: ApiServer, good: str, bad: str) -> None:
    (block,) = (each for each in blocks(ALERTMANAGER) if is_about(each, "AlertmanagerConfig", good))
    with pytest.raises(urllib.error.HTTPError) as refused:
        dry_run(monitored, yaml.safe_load(block.replace(good, bad)))
    with refused.value:
        assert 422 == refused.value.code


# -- the article's objects


def article(kinds: Callable[[str], bool]) -> list[Json]:
    """Its manifests of these kinds."""
    files = sorted(ARTICLE.glob("*.yaml")) if ARTICLE.exists() else []
    manifests = [manifest for file in files for manifest in yaml.safe_load_all(file.read_text()) if manifest]
    return [manifest for manifest in manifests if kinds(manifest["kind"])]


@pytest.mark.servers
def test_an_api_server_takes_the_articles_objects_as_they_are(monitored: ApiServer) -> None:
    """So that they apply says nothing: no key is dropped, and nothing is refused."""
    found = article(PLURALS.__contains__)
    expected = {"Telemetry": 2, "ServiceMonitor": 1, "PrometheusRule": 4}
    assert expected == {kind: sum(each["kind"] == kind for each in found) for kind in expected}
    for manifest in found:
        assert [] == list(lost(manifest["spec"], dry_run(monitored, manifest)["spec"])), manifest["metadata"]["name"]


def kept(monitor: Json, metrics: set[str]) -> set[str]:
    """Which metrics the first endpoint's relabelings by name let through."""
    spec = monitor["spec"]
    (endpoint,) = spec.get("endpoints") or spec["podMetricsEndpoints"]
    for step in endpoint["metricRelabelings"]:
        assert ("keep", ["__name__"]) == (step["action"], step["sourceLabels"])
        metrics = {name for name in metrics if re.fullmatch(step["regex"], name)}
    return metrics


def needed() -> set[str]:
    """Istio's metrics that the shipped rules ask for."""
    texts = (path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").glob("*.yaml")))
    return {name for each in texts for name in re.findall(r"\bistio_\w+", each)}


def test_the_articles_servicemonitor_throws_away_all_that_the_rules_need() -> None:
    (monitor,) = article("ServiceMonitor".__eq__) or pytest.skip(f"there is none in {ARTICLE}")
    assert needed()
    assert set() == kept(monitor, needed())


def test_ours_keeps_it() -> None:
    (monitor,) = (yaml.safe_load(block) for block in blocks(TELEMETRY) if "kind: PodMonitor\n" in block)
    assert needed() == kept(monitor, needed())


def test_the_remediator_is_scraped_under_the_job_that_the_rules_look_for() -> None:
    """A Service's name becomes the job."""
    from remediator.rules.shipped.parameters import Parameters

    (monitor,) = (yaml.safe_load(block) for block in blocks(TELEMETRY) if "kind: ServiceMonitor\n" in block)
    assert Parameters().job == monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
    assert f"becomes the Service's name, `{Parameters().job}`" in text("telemetry.md")
