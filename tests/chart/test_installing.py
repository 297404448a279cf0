"""The release on the real API server: installed, upgraded, taken away and installed again."""

from __future__ import annotations

import shutil
import urllib.error
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chart.helm import CHART, NAMESPACE, RELEASE, Json, helm
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
