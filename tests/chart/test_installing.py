"""The release on the real API server: installed, upgraded, taken away and installed again."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import urllib.error
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import processes
from tests.chart.helm import CHART, NAMESPACE, RELEASE, Json, helm
from tests.definitions import our_crd
from tests.servers import ApiServer

pytestmark = pytest.mark.servers

VALUES: Json = {
    "alertmanagerConfig": {"namespace": "monitoring"},
    # policy/v1 came with 1.21.
    "podDisruptionBudget": {"enabled": False},
}


@dataclass(frozen=True)
class Installation:
    """A release of a chart on a server that is older than the chart wants."""

    chart: Path
    server: ApiServer

    def run(self, *arguments: str, values: Json | None = None) -> str:
        kubeconfig = f"--kubeconfig={self.server.kubeconfig()}"
        done = helm(*arguments, f"--namespace={NAMESPACE}", kubeconfig, values=values)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def install(self) -> str:
        return self.run("install", RELEASE, str(self.chart), values=VALUES)

    def token(self, namespace: str = NAMESPACE) -> str:
        found = self.server.request("GET", f"/api/v1/namespaces/{namespace}/secrets/remediator-token")
        return b64decode(found["data"]["token"]).decode()

    def write_token(self, text: str, namespace: str = NAMESPACE) -> None:
        self.server.request(
            "PATCH",
            f"/api/v1/namespaces/{namespace}/secrets/remediator-token",
            {"data": {"token": b64encode(text.encode()).decode()}},
            content_type="application/merge-patch+json",
        )

    def upgrade(self) -> None:
        self.run("upgrade", RELEASE, str(self.chart), values=VALUES)

    def args(self) -> list[str]:
        found = self.server.request("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/remediator")
        (container,) = found["spec"]["template"]["spec"]["containers"]
        return list(container["args"])


@pytest.fixture
def installation(cluster: ApiServer, tmp_path: Path) -> Iterator[Installation]:
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    text = (chart / "Chart.yaml").read_text(encoding="utf-8")
    (chart / "Chart.yaml").write_text(
        "".join(line for line in text.splitlines(True) if not line.startswith("kubeVersion"))
    )
    found = Installation(chart, cluster)
    yield found
    helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", f"--kubeconfig={cluster.kubeconfig()}", "--ignore-not-found")
    for namespace in (NAMESPACE, "monitoring"):
        cluster.request("DELETE", f"/api/v1/namespaces/{namespace}/secrets/remediator-token")


def test_the_token_stays_the_same_for_ever(installation: Installation) -> None:
    said = installation.install()
    assert "AlertmanagerConfig monitoring/remediator brings alerts here." in said
    first = installation.token()
    assert first == installation.token("monitoring")
    assert "--mode=Observe" not in installation.args()

    upgrade = (
        "upgrade",
        RELEASE,
        str(installation.chart),
        "--reset-then-reuse-values",
        "--set",
        "settings.mode=Observe",
    )
    installation.run(*upgrade)
    assert [first, first] == [installation.token(), installation.token("monitoring")]
    assert "--mode=Observe" in installation.args()

    installation.run("uninstall", RELEASE)
    assert first == installation.token()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        installation.args()

    installation.install()
    assert [first, first] == [installation.token(), installation.token("monitoring")]


def test_while_it_is_replaced_alertmanager_has_a_single_token(installation: Installation) -> None:
    """As docs/install.md says it, with an upgrade after each step."""
    installation.install()
    old, both = installation.token(), f"{installation.token()}\nnewer\n"
    installation.write_token(both)
    installation.upgrade()
    assert [both, old] == [installation.token(), installation.token("monitoring")]

    installation.write_token("newer", "monitoring")
    installation.upgrade()
    assert [both, "newer"] == [installation.token(), installation.token("monitoring")]

    installation.write_token("newer")
    installation.upgrade()
    assert ["newer", "newer"] == [installation.token(), installation.token("monitoring")]


def test_definitions_that_helm_made_are_brought_up_to_date(cluster: ApiServer) -> None:
    """By the command that docs/install.md has for it, on a definition of a name of its own."""
    page = (CHART.parent / "docs" / "install.md").read_text(encoding="utf-8")
    (command,) = [line.split() for line in page.splitlines() if line.startswith("    kubectl apply ")]
    made = copy.deepcopy(our_crd("pauses"))
    made["metadata"]["name"] = "pauses.upgraded.example"
    made["spec"]["group"] = "upgraded.example"
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    cluster.request("POST", f"{path}?fieldManager=helm", made)
    changed = copy.deepcopy(made)
    changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "Changed."
    done = subprocess.run(
        (
            processes.binary("KUBEBUILDER_ASSETS", "kubectl"),
            f"--kubeconfig={cluster.kubeconfig()}",
            *("-" if word == "chart/crds/" else word for word in command[1:]),
        ),
        input=json.dumps(changed),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = cluster.request("GET", f"{path}/pauses.upgraded.example")
    cluster.request("DELETE", f"{path}/pauses.upgraded.example")

    assert 0 == done.returncode, done.stderr
    assert "Changed." == found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"]
