"""Real servers for tests and benchmarks: etcd with kube-apiserver, and Alertmanager.

Plain context managers, so that a benchmark can use them without pytest. Every process ends with its `with` block.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import ssl
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.definitions import ISTIO, crds, our_crds
from tests.processes import Process, binary, free_port, wait_until

Json = dict[str, Any]

_AUDIT: Json = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
}
"""What ServiceAccounts ask for, and by which role they may."""


class _AlreadyThere(Exception):
    """There is an object of this name."""


@dataclass
class ApiServer:
    """A kube-apiserver with RBAC, and the etcd behind it. `token` is a cluster administrator's."""

    folder: Path
    port: int
    etcd_url: str
    etcd: Process
    process: Process
    tokens: dict[str, str] = field(default_factory=dict)
    """By user: `admin`, and `guest`, who may do nothing until `allow` says so."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return self.tokens["admin"]

    @property
    def audit_log(self) -> Path:
        """What ServiceAccounts asked for, a line of JSON each; there is none without `audited`."""
        return self.folder / "audit.log"

    @property
    def ca_file(self) -> Path:
        # The server writes its certificate and the authority's into one file.
        return self.folder / "certificates" / "apiserver.crt"

    def start(self) -> None:
        """Start it on the port and the data that it had, and wait until it is ready."""
        self.process.start()
        wait_until(lambda: self.process.running() and self._ready(), f"kube-apiserver ready at {self.url}")

    def kill(self) -> None:
        """End the API server as a crash does; etcd goes on."""
        self.process.kill()

    def restart(self) -> None:
        """Crash, and start again."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """End both processes."""
        self.process.kill()
        self.etcd.kill()

    def kubeconfig(self, user: str = "admin", *, port: int | None = None) -> Path:
        """Write a kubeconfig for `user`; with `port`, for a relay to this server on that port of 127.0.0.1."""
        server = f"https://127.0.0.1:{port or self.port}"
        authority = b64encode(self.ca_file.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
        }
        # A colon would make several paths of it.
        path = self.folder / f"kubeconfig-{user.replace(':', '-')}-{port or self.port}"
        path.write_text(yaml.safe_dump(config))
        return path

    def request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        content_type: str = "application/json",
        user: str = "admin",
    ) -> Json:
        """Make a request as the administrator, or another user. Raises urllib.error.HTTPError."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.tokens[user]}", "Content-Type": content_type},
        )
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            text = answer.read()
        try:
            decoded = json.loads(text)
        except ValueError:  # /readyz
            decoded = {"text": text.decode()}
        assert isinstance(decoded, dict)
        return decoded

    def install(self, definitions: Sequence[Json]) -> None:
        """Create CustomResourceDefinitions that are not there yet, and wait until every version of each is served."""
        for definition in definitions:
            with contextlib.suppress(_AlreadyThere):
                self._create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        for definition in definitions:
            for version in definition["spec"]["versions"]:
                if version["served"]:
                    spec = definition["spec"]
                    path = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}?limit=1"
                    wait_until(partial(self._serves, path), f"{path} served")

    def namespace(self, *names: str) -> None:
        """Create namespaces; those that exist stay as they are."""
        for name in names:
            with contextlib.suppress(_AlreadyThere):
                self._create("/api/v1/namespaces", {"metadata": {"name": name}})

    def allow(self, user: str, *rules: Json, namespace: str | None = None) -> None:
        """Give `user` a role of these rules, in the place of the one given before; without a namespace everywhere."""
        kind = "Role" if namespace else "ClusterRole"
        name = {"name": f"test-{user}"}
        rbac = "rbac.authorization.k8s.io"
        path = f"/apis/{rbac}/v1" + (f"/namespaces/{namespace}" if namespace else "")
        self.apply(f"{path}/{kind.lower()}s", {"metadata": name, "rules": list(rules)})
        self.apply(
            f"{path}/{kind.lower()}bindings",
            {
                "metadata": name,
                "roleRef": {"apiGroup": rbac, "kind": kind, **name},
                "subjects": [{"apiGroup": rbac, "kind": "User", "name": user}],
            },
        )

    def apply(self, collection: str, body: Json) -> None:
        """Create an object in the collection at this path, or replace the one of its name."""
        try:
            self._create(collection, body)
        except _AlreadyThere:
            self.request("PUT", f"{collection}/{body['metadata']['name']}", body)

    def _create(self, collection: str, body: Json) -> None:
        try:
            self.request("POST", collection, body)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            raise _AlreadyThere from error

    def compact(self) -> None:
        """Forget all history in etcd: whoever watches from an old resourceVersion is told 410."""
        revision = int(self._etcd("range", {"key": b64encode(b"x").decode()})["header"]["revision"])
        self._etcd("compaction", {"revision": revision, "physical": True})

    def _etcd(self, call: str, body: Json) -> Json:
        request = urllib.request.Request(f"{self.etcd_url}/v3/kv/{call}", data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            decoded = json.loads(answer.read())
        assert isinstance(decoded, dict)
        return decoded

    def _ready(self) -> bool:
        try:
            self.request("GET", "/readyz")
        except (OSError, ValueError):
            return False
        return True

    def _serves(self, path: str) -> bool:
        try:
            self.request("GET", path)
        except urllib.error.HTTPError as error:
            if error.code not in {404, 429, 503}:
                raise
            return False
        return True


@contextlib.contextmanager
def running_api_server(istio: Path | None = ISTIO, *, ours: bool = True, audited: bool = False) -> Iterator[ApiServer]:
    """A fresh API server, with VirtualService and DestinationRule as in the file `istio`, and with our own
    kinds if `ours`; with `audited` it keeps a log of what ServiceAccounts ask for. Raises Missing."""
    definitions = crds(istio, "virtualservices", "destinationrules") if istio else []
    definitions += our_crds() if ours else []
    binaries = [binary("KUBEBUILDER_ASSETS", name) for name in ("etcd", "kube-apiserver")]
    with tempfile.TemporaryDirectory(prefix="api-server-") as folder:
        server = _prepared(Path(folder), *binaries, *(_audit(Path(folder)) if audited else ()))
        try:
            server.etcd.start()
            server.start()
            server.install(definitions)
            yield server
        finally:
            server.stop()


def _audit(folder: Path) -> tuple[str, ...]:
    """The flags that make the API server log what _AUDIT says; the policy is written."""
    path = folder / "audit.yaml"
    path.write_text(yaml.safe_dump(_AUDIT))
    return f"--audit-policy-file={path}", f"--audit-log-path={folder / 'audit.log'}"


def _prepared(folder: Path, etcd: str, kube_apiserver: str, *more: str) -> ApiServer:
    """Both servers, not started yet; `more` are flags of the API server."""
    etcd_url, peers, port = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}", free_port()
    tokens = {user: secrets.token_hex(16) for user in ("admin", "guest")}
    (folder / "tokens.csv").write_text(
        f'{tokens["admin"]},admin,admin,"system:masters"\n{tokens["guest"]},guest,guest\n'
    )
    (folder / "service-accounts.pem").write_text(_private_key())
    store = (
        etcd,
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={etcd_url}",
        f"--advertise-client-urls={etcd_url}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
        "--log-level=error",
    )
    api = (
        kube_apiserver,
        f"--etcd-servers={etcd_url}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'service-accounts.pem'}",
        f"--service-account-signing-key-file={folder / 'service-accounts.pem'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        # No controllers run here, so no namespace would ever get the default ServiceAccount that this one wants.
        "--disable-admission-plugins=ServiceAccount",
        "--profiling=false",
        *more,
    )
    return ApiServer(
        folder, port, etcd_url, Process(store, folder / "etcd.log"), Process(api, folder / "api.log"), tokens
    )


def _private_key() -> str:
    """A fresh P-256 key in SEC 1 form (RFC 5915), which the API server demands to sign tokens with."""
    scalar = secrets.token_bytes(31).rjust(32, b"\x01")
    prime256v1 = bytes.fromhex("06082a8648ce3d030107")
    content = b"\x02\x01\x01" + b"\x04\x20" + scalar + b"\xa0\x0a" + prime256v1
    text = b64encode(b"\x30" + bytes([len(content)]) + content).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}\n-----END EC PRIVATE KEY-----\n"


@dataclass(frozen=True)
class Alertmanager:
    """A running Alertmanager."""

    url: str
    process: Process

    def post(self, alerts: Sequence[Json]) -> None:
        """Send alerts as Prometheus does (API v2)."""
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts",
            data=json.dumps(list(alerts)).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10):
            pass

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
                return True
        except OSError:
            return False


@contextlib.contextmanager
def running_alertmanager(config: Json, port: int | None = None) -> Iterator[Alertmanager]:
    """An Alertmanager with this configuration, on `port` of 127.0.0.1 or a free one. Raises Missing."""
    program = binary("PROMETHEUS_BIN_DIR", "alertmanager", "prometheus-alertmanager")
    address = f"127.0.0.1:{port or free_port()}"
    with tempfile.TemporaryDirectory(prefix="alertmanager-") as folder:
        path = Path(folder) / "alertmanager.yaml"
        path.write_text(yaml.safe_dump(config))
        command = (
            program,
            f"--config.file={path}",
            f"--storage.path={folder}/data",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        )
        alertmanager = Alertmanager(f"http://{address}", Process(command, Path(folder) / "alertmanager.log"))
        try:
            alertmanager.process.start()
            wait_until(lambda: alertmanager.process.running() and alertmanager.ready(), f"{program} ready")
            yield alertmanager
        finally:
            alertmanager.process.terminate()
