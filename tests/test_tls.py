"""HTTPS: what is served, who is refused, and a certificate that is replaced while the service runs."""

from __future__ import annotations

import http.client
import logging
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from remediator.errors import SettingsError
from remediator.web.tls import Certificate
from tests import builders
from tests.processes import Process, free_port, wait_until
from tests.test_server import running

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Pair:
    """A self-signed certificate for 127.0.0.1, and its key."""

    cert: Path
    key: Path

    def swap(self, other: Pair) -> None:
        """Put another pair in the place of this one, each file in one step."""
        for own, new in ((self.cert, other.cert), (self.key, other.key)):
            copy = own.with_suffix(".new")
            shutil.copy(new, copy)
            copy.replace(own)

    def trusted(self) -> ssl.SSLContext:
        """Who trusts this certificate and no other."""
        return ssl.create_default_context(cafile=str(self.cert))


def made(folder: Path, name: str, *more: str) -> Pair:
    """A fresh pair, by openssl."""
    program = shutil.which("openssl")
    if not program:
        pytest.skip("there is no openssl here to make certificates with")
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    subprocess.run(
        (
            *(program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(pair.key), "-out", str(pair.cert), *(more or ("-nodes",))),
        ),
        check=True,
        capture_output=True,
    )
    return pair


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    """An old one and a new one."""
    folder = tmp_path_factory.mktemp("pairs")
    return made(folder, "old"), made(folder, "new")


@pytest.fixture
def pair(pairs: tuple[Pair, Pair], tmp_path: Path) -> Pair:
    """A copy of the old one, to be replaced."""
    own = Pair(tmp_path / "tls.crt", tmp_path / "tls.key")
    own.swap(pairs[0])
    return own


class TestCertificate:
    def test_the_context_is_made_once_while_nothing_changes(self, pair: Pair) -> None:
        certificate = Certificate(pair.cert, pair.key)

        assert certificate.context() is certificate.context()

    def test_a_new_pair_is_taken_up(
        self, pair: Pair, pairs: tuple[Pair, Pair], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        certificate = Certificate(pair.cert, pair.key)
        before = certificate.context()
        pair.swap(pairs[1])

        assert before is not certificate.context()
        assert ["the certificate changed: new connections are served with it"] == caplog.messages

    @pytest.mark.parametrize(
        ("file", "why"),
        [
            pytest.param("key", "key values mismatch", id="a key of another certificate"),
            pytest.param("cert", "key values mismatch", id="a certificate of another key"),
        ],
    )
    def test_half_a_pair_changes_nothing_and_is_told_once(
        self, pair: Pair, pairs: tuple[Pair, Pair], caplog: pytest.LogCaptureFixture, file: str, why: str
    ) -> None:
        certificate = Certificate(pair.cert, pair.key)
        before = certificate.context()
        shutil.copy(getattr(pairs[1], file), getattr(pair, file))

        assert [before, before] == [certificate.context(), certificate.context()]
        assert [f"the certificate changed and cannot be used; the old one stays: {why}"] == caplog.messages

    def test_the_other_half_completes_it(self, pair: Pair, pairs: tuple[Pair, Pair]) -> None:
        certificate = Certificate(pair.cert, pair.key)
        before = certificate.context()
        shutil.copy(pairs[1].cert, pair.cert)
        certificate.context()
        shutil.copy(pairs[1].key, pair.key)

        assert before is not certificate.context()

    def test_files_that_are_gone_change_nothing(self, pair: Pair) -> None:
        certificate = Certificate(pair.cert, pair.key)
        before = certificate.context()
        pair.key.unlink()

        assert before is certificate.context()

    def test_a_file_that_is_not_there_is_an_error(self, pair: Pair, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"none: cannot be used: No such file or directory"):
            Certificate(pair.cert, tmp_path / "none")

    def test_a_file_without_a_certificate_is_an_error(self, pair: Pair) -> None:
        pair.cert.write_text("nothing\n")

        with pytest.raises(SettingsError, match=r"cannot be used: .*; give PEM files"):
            Certificate(pair.cert, pair.key)

    def test_a_key_with_a_passphrase_is_an_error_and_asks_nobody(self, tmp_path: Path) -> None:
        locked = made(tmp_path, "locked", "-passout", "pass:secret")

        with pytest.raises(SettingsError, match="without a passphrase"):
            Certificate(locked.cert, locked.key)


# -- the real process


@dataclass(frozen=True)
class Served:
    """`serve` with HTTPS, and what to ask it with."""

    port: int
    pair: Pair

    def status(self, context: ssl.SSLContext, path: str = "/readyz") -> int:
        """Of one GET over a new connection. Raises OSError."""
        client = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
        with closing(client):
            client.request("GET", path)
            return client.getresponse().status

    def ready(self, context: ssl.SSLContext) -> bool:
        try:
            return self.status(context) == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def served(pairs: tuple[Pair, Pair], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "shop").mkdir()
    (folder / "shop" / "reviews.yaml").write_text(
        yaml.safe_dump(builders.virtual_service({"route": builders.split(v1=1)}))
    )
    own = Pair(folder / "tls.crt", folder / "tls.key")
    own.swap(pairs[0])
    port = free_port()
    command = (
        *(sys.executable, "-m", "remediator", "serve", "--allow-anonymous", "--threads", "2"),
        *("--listen", f"127.0.0.1:{port}", "--manifests", str(folder / "shop")),
        *("--tls-cert-file", str(own.cert), "--tls-key-file", str(own.key)),
    )
    process = Process(command, folder / "log", ROOT)
    process.start()
    found = Served(port, own)
    try:
        wait_until(lambda: process.running() and found.ready(pairs[0].trusted()), "the service is ready")
        yield found
    finally:
        process.terminate()


def test_https_is_answered_and_its_certificate_can_be_checked(served: Served, pairs: tuple[Pair, Pair]) -> None:
    assert 200 == served.status(pairs[0].trusted())
    with pytest.raises(ssl.SSLCertVerificationError):
        served.status(pairs[1].trusted())


def test_plain_http_is_not_answered(served: Served) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)) as client:
        client.request("GET", "/readyz")
        with pytest.raises((http.client.HTTPException, OSError)):
            client.getresponse()


def test_what_is_older_than_tls_1_2_is_refused(served: Served, pairs: tuple[Pair, Pair]) -> None:
    context = pairs[0].trusted()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(ssl.SSLError):
        served.status(context)


def test_a_renewed_certificate_is_served_without_a_restart(served: Served, pairs: tuple[Pair, Pair]) -> None:
    with closing(http.client.HTTPSConnection("127.0.0.1", served.port, timeout=30, context=pairs[0].trusted())) as kept:
        kept.request("GET", "/readyz")
        kept.getresponse().read()
        served.pair.swap(pairs[1])
        try:
            assert 200 == served.status(pairs[1].trusted())
            # A connection that is open goes on with what it began with.
            kept.request("GET", "/readyz")
            assert 200 == kept.getresponse().status
        finally:
            served.pair.swap(pairs[0])


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [
        pytest.param(0, (0, ""), id="that it knows"),
        pytest.param(1, (1, "certificate verify failed"), id="that it does not know"),
    ],
)
def test_what_helm_test_runs_checks_a_certificate(
    served: Served, pairs: tuple[Pair, Pair], trusted: int, expected: tuple[int, str]
) -> None:
    code, said = expected
    environment = {"URL": f"https://127.0.0.1:{served.port}", "CA_FILE": str(pairs[trusted].cert)}
    done = subprocess.run(
        (sys.executable, str(ROOT / "chart" / "files" / "notify.py")),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert code == done.returncode
    assert said in done.stderr


class TestTheSlow:
    """They have a second here; there are four threads."""

    def test_who_never_finishes_the_handshake_keeps_no_thread(self, pair: Pair) -> None:
        with running(arrival_s=1.0, **certificate_of(pair)) as server, ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(server.connect()).sendall(HALF_A_HELLO)

            assert 200 == Served(server.port, pair).status(pair.trusted(), "/healthz")

    def test_a_body_that_stalls_is_cut_off_and_nothing_is_said_in_the_clear(self, pair: Pair) -> None:
        """TLS knows no half-closed connection: there can be no 503 as over HTTP. A sender takes it for the same."""
        with running(arrival_s=1.0, **certificate_of(pair)) as server:
            come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = pair.trusted().wrap_bio(come, go, server_hostname="127.0.0.1")
            with server.connect() as connection:
                until_done(client.do_handshake, connection, come, go)
                client.write(b"POST /webhook HTTP/1.1\r\nHost: remediator\r\nContent-Length: 100\r\n\r\n{")
                connection.sendall(go.read())
                said = b"".join(iter(lambda: connection.recv(65536), b""))

            assert b"HTTP" not in said
            assert 200 == Served(server.port, pair).status(pair.trusted(), "/healthz")


def until_done(step: Callable[[], object], connection: socket.socket, come: ssl.MemoryBIO, go: ssl.MemoryBIO) -> None:
    """Do what needs the other side, carrying the bytes there and back."""
    done = False
    while not done:
        try:
            step()
            done = True
        except ssl.SSLWantReadError:
            connection.sendall(go.read())
            come.write(connection.recv(65536))
    connection.sendall(go.read())


HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01"
"""A TLS record that announces 512 bytes and has one."""


def certificate_of(pair: Pair) -> dict[str, str]:
    """For tests/web_server.py."""
    return {"CERT_FILE": str(pair.cert), "KEY_FILE": str(pair.key)}
