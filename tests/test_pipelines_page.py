"""docs/pipelines.md: servers take every manifest, every command is one, and the script does what the page says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from werkzeug.serving import make_server

from remediator.cli.main import program
from remediator.cluster.local import LocalCluster
from remediator.guards.situation import Bounds
from remediator.metrics import Metrics
from remediator.outcome import TargetRef
from remediator.pipeline import Pipeline, releasing
from remediator.policies.load import PolicyStore
from remediator.records.journal import Journal
from remediator.records.model import Phase, Request
from remediator.settings import packaged_policies
from remediator.traffic.hosts import resolve
from remediator.web.auth import hook_token
from remediator.web.gate import GATE_PARAMETERS
from tests.builders import alert, labels, notification
from tests.definitions import CRDS, DATA, ISTIO, crds
from tests.processes import Missing
from tests.real_world import cleared
from tests.servers import ApiServer
from tests.service import ANY_EVIDENCE, UNGUARDED, running_service
from tests.test_docs import DOCS, blocks
from tests.test_manifests import lost
from tests.web_fakes import House, token_file

Json = dict[str, Any]

PAGE = DOCS / "pipelines.md"
ARTICLE = DATA / "samples" / "article"
ROOT = PAGE.parents[1]
USER_SERVICE = TargetRef("VirtualService", "shop", "user-service")


def manifests() -> list[Json]:
    """Every manifest of the page, in its order."""
    return [manifest for block in blocks(PAGE) for manifest in yaml.safe_load_all(block)]


def named(kind: str, name: str = "") -> Json:
    """The one manifest of this kind, or of this kind and name."""
    (found,) = (
        each for each in manifests() if each["kind"] == kind and each["metadata"].get("name", name).startswith(name)
    )
    return found


# -- what the page shows


def test_each_of_them_is_there() -> None:
    expected = {
        "AnalysisTemplate": 2,
        "Canary": 1,
        "ClusterRole": 1,
        "ClusterRoleBinding": 1,
        "ConfigMap": 1,
        "DestinationRule": 1,
        "Job": 2,
        "Role": 1,
        "RoleBinding": 1,
        "Rollout": 1,
        "ServiceAccount": 2,
        "VirtualService": 1,
        "Workflow": 1,
    }
    kinds = [each["kind"] for each in manifests()]
    assert expected == {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def containers(value: Any) -> Iterator[Json]:
    """Every container in a manifest."""
    if isinstance(value, dict):
        if "image" in value:
            yield value
        for inner in value.values():
            yield from containers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from containers(inner)


def command_lines() -> list[Any]:
    """Every command line of ours on the page: of containers, and of blocks and paragraphs."""
    ours = (each for each in containers(manifests()) if each["image"].startswith("remediator:"))
    lines = [each["args"] for each in ours]
    page = PAGE.read_text(encoding="utf-8")
    lines += [shlex.split(line) for line in re.findall(r"^ *remediator (.+)$", page, flags=re.MULTILINE)]
    return [pytest.param(line, id=" ".join(line)) for line in lines]


@pytest.mark.parametrize("line", command_lines())
def test_every_command_line_is_one(line: list[str]) -> None:
    assert isinstance(program, click.Group)
    name, *arguments = line
    # A command keeps the flags of its help from the first context that it is made in: this has to be the program's.
    whole = program.make_context("remediator", list(line))
    program.commands[name].make_context(name, arguments, parent=whole)


def test_there_are_some() -> None:
    assert 4 == len(command_lines())


def hooks() -> Json:
    """The Canary's webhooks, by type."""
    return {hook["type"]: hook for hook in named("Canary")["spec"]["analysis"]["webhooks"]}


def test_flagger_asks_before_the_rollout_each_step_and_the_promotion() -> None:
    paths = {kind: hook["url"].partition(":8080")[2] for kind, hook in hooks().items()}
    gate = dict.fromkeys(
        ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion"), "/api/v1/gate/HOOK-TOKEN"
    )
    # And to the question whether to roll back a yes is another thing.
    assert gate | {"rollback": "/flagger/rollback/HOOK-TOKEN"} == paths


def test_argo_rollouts_asks_with_the_parameters_that_there_are() -> None:
    templates = [each for each in manifests() if each["kind"] == "AnalysisTemplate"]
    for (metric,) in (each["spec"]["metrics"] for each in templates):
        web = metric["provider"]["web"]
        # An image by its digest is not among what a Rollout gives to its analysis.
        assert set(GATE_PARAMETERS) - {"image"} == set(re.findall(r"[?&](\w+)=", web["url"]))
        assert ("{$.go}", "result == true", 0) == (web["jsonPath"], metric["successCondition"], metric["failureLimit"])


def test_the_steps_of_the_rollout_and_of_the_workflow_name_templates_that_there_are() -> None:
    canary = named("Rollout")["spec"]["strategy"]["canary"]
    used = {each["templateName"] for each in canary["analysis"]["templates"]}
    analyses = (step["analysis"] for step in canary["steps"] if "analysis" in step)
    used |= {each["templateName"] for analysis in analyses for each in analysis["templates"]}
    assert {each["metadata"]["name"] for each in manifests() if each["kind"] == "AnalysisTemplate"} == used
    workflow = named("Workflow")["spec"]
    templates = {each["name"]: each for each in workflow["templates"]}
    steps = [step for group in templates[workflow["entrypoint"]]["steps"] for step in group]
    assert set() == {step["template"] for step in steps} - set(templates)
    assert ["gate", "mirror-test", "manual-approval", "canary-deploy"] == [step["name"] for step in steps]


def test_the_articles_workflow_names_templates_that_there_are_not() -> None:
    """What is put right was wrong."""
    path = ARTICLE / "workflow-canary-workflow.yaml"
    if not path.exists():
        pytest.skip(f"{path.name} is not there; it belongs in {ARTICLE}")
    (template,) = yaml.safe_load(path.read_text())["spec"]["templates"]
    assert {"mirror-test", "manual-approval", "canary-deploy"} == {
        step["template"] for group in template["steps"] for step in group
    }


# -- what servers take

PLURALS = {
    "Canary": "canaries",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "DestinationRule": "destinationrules",
    "Job": "jobs",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Rollout": "rollouts",
    "ServiceAccount": "serviceaccounts",
    "VirtualService": "virtualservices",
}
"""The kinds whose definitions there are; Argo's other two are parsed only."""


@pytest.fixture(scope="module")
def furnished(api_server: ApiServer) -> ApiServer:
    """The API server, with the kinds that the page has manifests of."""
    try:
        definitions = crds(CRDS / "flagger.yaml", "canaries") + crds(CRDS / "argo-rollouts.yaml", "rollouts")
        definitions += crds(ISTIO, "virtualservices", "destinationrules")
    except Missing as missing:
        pytest.skip(str(missing))
    api_server.install(definitions)
    api_server.namespace("shop")
    return api_server


def dry_run(server: ApiServer, manifest: Json) -> Json:
    """What the server would store. Raises urllib.error.HTTPError."""
    version, namespace = manifest["apiVersion"], manifest["metadata"].get("namespace")
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = f"{group}/namespaces/{namespace}" if namespace else group
    return server.request("POST", f"{place}/{PLURALS[manifest['kind']]}?dryRun=All", manifest)


def sent() -> list[Any]:
    return [
        pytest.param(each, id=f"{number} {each['kind']} {each['metadata']['name']}")
        for number, each in enumerate(manifests())
        if each["kind"] in PLURALS
    ]


@pytest.mark.servers
@pytest.mark.parametrize("manifest", sent())
def test_an_api_server_takes_it_and_drops_nothing(furnished: ApiServer, manifest: Json) -> None:
    kept = dry_run(furnished, manifest)
    for part in set(manifest) - {"apiVersion", "kind", "metadata"}:
        assert [] == list(lost(manifest[part], kept[part]))


def refusal(server: ApiServer, manifest: Json) -> str:
    """Why the server refuses it."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        dry_run(server, manifest)
    with refused.value:
        return str(json.load(refused.value)["message"])


@pytest.mark.servers
def test_two_of_the_articles_canaries_are_refused_and_one_would_lose_what_it_wants(furnished: ApiServer) -> None:
    files = [ARTICLE / f"canary-user-service{name}.yaml" for name in ("-2", "-pre-mirror")]
    if not all(path.exists() for path in files):
        pytest.skip(f"they are not there; they belong in {ARTICLE}")
    hooked, mirrored = (yaml.safe_load(path.read_text()) for path in files)
    for each in (hooked, mirrored):
        each["metadata"]["namespace"] = "shop"
    assert "spec.targetRef: Required value" in refusal(furnished, hooked)
    assert "spec.analysis.iterations: Required value" in refusal(furnished, mirrored)
    mirrored["spec"]["analysis"]["iterations"] = 1
    assert [".analysis.preMirroring"] == list(lost(mirrored["spec"], dry_run(furnished, mirrored)["spec"]))


# -- the script, run


@dataclass(frozen=True)
class Scene:
    """A folder that stands in for a cluster, the real service on it, and what the script's Job says."""

    folder: Path
    url: str
    token: Path
    tools: Path

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the script as the Job does, only quicker."""
        (container,) = containers(named("Job", "release"))
        environment = {each["name"]: each["value"] for each in container["env"]}
        environment |= {"GATE": f"{self.url}/api/v1/gate", "TOKEN_FILE": str(self.token), "MESH": str(self.folder)}
        environment |= {"PATH": f"{self.tools}:{os.environ['PATH']}", "MIRROR_FOR": "90", "STEP_FOR": "30"} | more
        script = self.tools / "release.sh"
        script.write_text(named("ConfigMap")["data"]["release.sh"])
        command = ["bash", str(script), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def story(self) -> list[str]:
        """What became of the mirror and of the canary's weight, change by change."""
        path = self.folder / "story.log"
        return path.read_text().splitlines() if path.exists() else []

    def approve(self) -> None:
        path = self.folder / "job-shop-release-user-service-v2.yaml"
        path.write_text(path.read_text().replace("annotations: {}", "annotations: {approved-by: ann}"))

    def alert_after(self, weight: int) -> None:
        """The alert fires as soon as the canary has this weight."""
        headers = {"Authorization": "Bearer s3cret"}
        body = notification([alert(labels("v2", "user-service"))])
        told = {"url": f"{self.url}/webhook", "headers": headers, "body": body}
        (self.folder / f"after-{weight}.json").write_text(json.dumps(told))

    def weights(self) -> list[int]:
        body = LocalCluster(self.folder).read(USER_SERVICE).body
        return [each["weight"] for each in body["spec"]["http"][0]["route"]]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    for program_ in ("bash", "curl"):
        if shutil.which(program_) is None:
            pytest.skip(f"{program_} is not on the PATH")
    mesh, tools = tmp_path / "mesh", tmp_path / "tools"
    mesh.mkdir()
    tools.mkdir()
    for kind in ("VirtualService", "DestinationRule"):
        (mesh / f"{kind.lower()}-shop-user-service.yaml").write_text(yaml.safe_dump(named(kind), sort_keys=False))
    (mesh / "job-shop-release-user-service-v2.yaml").write_text(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {annotations: {}}\n"
    )
    _tool(tools / "kubectl", f'exec {shlex.quote(sys.executable)} {ROOT / "tests" / "fake_kubectl.py"} "$@"')
    _tool(tools / "sleep", f'echo "$1" >> {tools / "slept"}')
    with serving(mesh, tmp_path) as url:
        yield Scene(mesh, url, tmp_path / "token", tools)


def _tool(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@contextmanager
def serving(mesh: Path, folder: Path) -> Iterator[str]:
    """The real pipeline, API and tokens on a port, with the packaged policies."""
    tokens = token_file(folder, "s3cret")
    with ThreadPoolExecutor(1) as executor, ExitStack() as stack:
        cluster: Any = LocalCluster(mesh)
        bounds = Bounds(max_alert_age=None)  # the alert is of a day that is long over
        pipeline: Any = Pipeline(cluster, PolicyStore([packaged_policies()]), Metrics(), executor, bounds=bounds)
        app = House(pipeline, cluster=cluster, authenticator=tokens).app()
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield f"http://127.0.0.1:{server.server_port}"


UP = ["100 0", "0 1", "0 5", "0 10", "0 25", "0 50", "0 100"]
"""Percent mirrored, percent of the traffic."""


class TestTheScript:
    def test_it_mirrors_waits_for_a_person_and_raises_step_by_step(self, scene: Scene) -> None:
        scene.approve()
        done = scene.run()
        assert (0, UP, [0, 100]) == (done.returncode, scene.story(), scene.weights()), done.stderr
        assert "approved by ann" in done.stdout
        # A mirror of 90 s, and six steps of 30 s each, of which it asks every 30 s.
        assert ["30"] * 9 == (scene.tools / "slept").read_text().split()

    def test_the_first_no_ends_it_and_it_puts_nothing_back(self, scene: Scene) -> None:
        scene.approve()
        scene.alert_after(10)
        done = scene.run(STEPS="1 10 25")
        assert (1, ["100 0", "0 1", "0 10"], [100, 0]) == (done.returncode, scene.story(), scene.weights()), done.stderr
        (head,) = LocalCluster(scene.folder).ledger.heads()
        assert Phase.APPLIED is head.phase
        assert f"remediator release shop/{head.name}" in done.stdout

    def test_held_it_changes_nothing_and_released_it_begins_with_the_mirror(self, scene: Scene) -> None:
        scene.approve()
        scene.alert_after(10)
        first, again = (scene.run(STEPS="10", MIRROR_FOR="0") for _ in range(2))
        assert [1, 1] == [first.returncode, again.returncode]
        assert (["100 0", "0 10"], [100, 0]) == (scene.story(), scene.weights())

        cluster = LocalCluster(scene.folder)
        (head,) = cluster.ledger.heads()
        journal = Journal(cluster.ledger, lambda: datetime.now(UTC))
        releasing.release(journal, cluster.ledger.read(*head.key), Request("ann"))
        (scene.folder / "after-10.json").unlink()
        done = scene.run(STEPS="10", MIRROR_FOR="0")
        assert (0, ["100 0", "0 10"] * 2) == (done.returncode, scene.story()), done.stderr

    def test_it_goes_on_from_where_the_object_stands(self, scene: Scene) -> None:
        path = scene.folder / "virtualservice-shop-user-service.yaml"
        path.write_text(path.read_text().replace("weight: 100", "weight: 75").replace("weight: 0", "weight: 25"))
        assert 0 == scene.run().returncode
        assert UP[5:] == scene.story()

    def test_what_somebody_did_between_its_look_and_its_patch_is_looked_at_again(self, scene: Scene) -> None:
        """And the gate is asked again: it may have been the remediator."""
        (scene.folder / "edit-once").touch()
        done = scene.run("mirror")
        assert (0, UP[:1]) == (done.returncode, scene.story()), done.stderr
        assert "not changed (try 1 of 5)" in done.stdout

    def test_a_route_that_goes_elsewhere_is_not_touched(self, scene: Scene) -> None:
        before = LocalCluster(scene.folder).read(USER_SERVICE).body
        done = scene.run("mirror", STABLE="v0", MIRROR_FOR="0")
        assert (1, before) == (done.returncode, LocalCluster(scene.folder).read(USER_SERVICE).body)
        assert 5 == done.stdout.count("not changed")

    def test_while_nobody_knows_nothing_is_raised(self, scene: Scene) -> None:
        """The service cannot be reached, until it is; the fake sleep is when that happens."""
        _tool(
            scene.tools / "sleep",
            f"sed -i s/:1/:{scene.url.rpartition(':')[2]}/ {scene.tools}/where",
        )
        (scene.tools / "where").write_text('url = "http://127.0.0.1:1/api/v1/gate"')
        _tool(scene.tools / "curl", f'{shutil.which("curl")} --config {scene.tools}/where "$@"')
        done = scene.run("mirror", GATE="--globoff", MIRROR_FOR="0")
        assert 0 == done.returncode, done.stderr
        assert "nobody knows" in done.stdout.splitlines()[0]
        assert UP[:1] == scene.story()

    def test_a_token_that_is_not_accepted_ends_it(self, scene: Scene) -> None:
        scene.token.with_name("other").write_text("guess")
        done = scene.run(TOKEN_FILE=str(scene.token.with_name("other")))
        assert (1, []) == (done.returncode, scene.story())
        assert "no (401)" in done.stdout

    def test_without_a_persons_word_no_weight_is_raised(self, scene: Scene) -> None:
        """Until the alert fires, which ends the wait for a person, too: here at the first sleep behind the mirror."""
        body = json.dumps(notification([alert(labels("v2", "user-service"))]))
        (scene.tools / "alert.json").write_text(body)
        _tool(
            scene.tools / "sleep",
            f"curl -sf -H 'Authorization: Bearer s3cret' -d @{scene.tools}/alert.json {scene.url}/webhook > /dev/null",
        )
        done = scene.run(MIRROR_FOR="0")
        assert (1, UP[:1]) == (done.returncode, scene.story()), done.stderr
        assert "waits for a person" in done.stdout

    def test_another_word_is_told(self, scene: Scene) -> None:
        done = scene.run("raze")
        assert (64, []) == (done.returncode, scene.story())


@pytest.mark.servers
def test_on_a_real_cluster_with_the_real_kubectl(furnished: ApiServer, tmp_path: Path) -> None:
    """The alert fires at the first sleep behind the first step: the remediator takes the traffic, which ends it."""
    for word in ("bash", "curl", "kubectl"):
        if shutil.which(word) is None:
            pytest.skip(f"{word} is not on the PATH")
    cleared(furnished)
    for kind in ("VirtualService", "DestinationRule"):
        furnished.apply(f"/apis/networking.istio.io/v1/namespaces/shop/{PLURALS[kind]}", named(kind))
    job = named("Job", "release")
    job["metadata"]["annotations"] = {"approved-by": "ann"}
    furnished.apply("/apis/batch/v1/namespaces/shop/jobs", job)
    kubeconfig = furnished.kubeconfig()
    with running_service(kubeconfig, [UNGUARDED], *ANY_EVIDENCE) as service:
        scene = Scene(tmp_path, service.url, service.token_file, tmp_path)
        (tmp_path / "alert.json").write_text(json.dumps(notification([alert(labels("v2", "user-service"))])))
        token = f"Authorization: Bearer {service.token_file.read_text().strip()}"
        _tool(tmp_path / "sleep", f"curl -sf -H '{token}' -d @{tmp_path}/alert.json {service.url}/webhook > /dev/null")
        done = scene.run(MIRROR_FOR="0", STEPS="10 50", KUBECONFIG=str(kubeconfig), HOME=str(tmp_path))
    live = furnished.request("GET", "/apis/networking.istio.io/v1/namespaces/shop/virtualservices/user-service")
    (route,) = live["spec"]["http"]
    assert (1, [100, 0]) == (done.returncode, [each.get("weight", 0) for each in route["route"]]), done.stderr
    assert "mirror" not in route
    told = [line.partition(" ")[2] for line in done.stdout.splitlines() if re.match(r"\d{4}-", line)]
    assert ["everything is mirrored to v2", "approved by ann", "10 % go to v2"] == [told[0], told[2], told[3]]
    assert told[4].startswith('no (403): {"go":false')


def test_the_hooks_of_the_canary_open_with_the_token_that_the_page_makes(scene: Scene) -> None:
    """The page's shell line, and Flagger's payload with the Canary's own metadata."""
    (line,) = set(re.findall(r"`(printf 'hook:%s' .*?)`", PAGE.read_text(encoding="utf-8")))
    made = subprocess.run(
        ["bash", "-c", line], env=os.environ | {"TOKEN": "s3cret"}, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert hook_token(b"s3cret") == made
    for hook in hooks().values():
        url = hook["url"].replace("http://remediator.remediator:8080", scene.url).replace("HOOK-TOKEN", made)
        payload = {"name": "user-service", "namespace": "shop", "phase": "Progressing", "checksum": "1"}
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d"]
        told = json.dumps(payload | ({"metadata": hook["metadata"]} if "metadata" in hook else {}))
        answer = subprocess.run([*command, told, url], capture_output=True, text=True, check=True).stdout
        assert ("404" if hook["type"] == "rollback" else "200") == answer


def test_the_services_of_the_page_are_one() -> None:
    """So that what one part of it holds back, the others ask about."""
    hosts = {resolve(each["host"], "shop") for each in [named("DestinationRule")["spec"]]}
    assert {resolve("user-service", "shop")} == hosts
