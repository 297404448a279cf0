"""A mesh to scrape: an HTTP exporter whose counters grow, with Istio's label set and histogram boundaries."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from random import Random
from typing import Final

BOUNDARIES: Final = (
    *("0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "30000"),
    *("60000", "300000", "600000", "1.8e+06", "3.6e+06", "+Inf"),
)
"""Of istio_request_duration_milliseconds, as Envoy's Prometheus endpoint writes them."""
_CLASSES: Final = 500
"""How many different rates there are: each scrape renders so many numbers, and not one per series."""
_SEED: Final = 11
_FAILING: Final = 0.05
"""Share of the tracks that have answered 503 at all."""
_BROKEN: Final = 100
"""One canary in so many fails a fifth of its requests, so that the rules have suspects to look at."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How large the mesh is."""

    services: int = 1000
    versions: int = 2
    clients: int = 10
    boundaries: tuple[str, ...] = BOUNDARIES
    timed: tuple[str, ...] = ("source",)
    """The reporters that export durations too."""


class Page:
    """What one target exposes: prefixes of lines, rendered once, and the number that each has now."""

    def __init__(self) -> None:
        self._prefixes: list[bytes] = []
        self._classes: list[int] = []

    def add(self, series: str, rate_class: int) -> None:
        """One series; its value grows at the rate of its class."""
        self._prefixes.append(f"{series} ".encode())
        self._classes.append(rate_class)

    def __len__(self) -> int:
        return len(self._prefixes)

    def text(self, values: list[bytes]) -> bytes:
        """The page with the number of each class."""
        lines = [b""] * (2 * len(self._prefixes))
        lines[0::2] = self._prefixes
        lines[1::2] = [values[each] for each in self._classes]
        return b"".join(lines)


class Mesh:
    """The pages of all targets: one per client, whose proxy and whose servers' proxies report."""

    def __init__(self, extent: Extent) -> None:
        random = Random(_SEED)
        self._rates = sorted(random.lognormvariate(0, 2) for _ in range(_CLASSES))
        self._begun = time.monotonic()
        self.pages = tuple(_page(client, extent, random) for client in range(extent.clients))

    @property
    def series(self) -> int:
        """How many there are."""
        return sum(map(len, self.pages))

    def text(self, client: int) -> bytes:
        """What the target of a client exposes now."""
        elapsed = time.monotonic() - self._begun
        values = [f"{int(rate * elapsed)}\n".encode() for rate in self._rates]
        return self.pages[client].text(values)


def _page(client: int, extent: Extent, random: Random) -> Page:
    page = Page()
    for service, version in product(range(extent.services), range(extent.versions)):
        rate = random.randrange(_CLASSES // 2, _CLASSES)
        bad = _bad(service, version, random)
        for reporter in ("source", "destination"):
            labels = _labels(client, service, version, reporter)
            page.add(f"istio_requests_total{{{labels},{_answer(200)}}}", rate)
            if bad:
                page.add(f"istio_requests_total{{{labels},{_answer(503)}}}", max(0, rate - bad))
            if reporter in extent.timed:
                _add_durations(page, f"{labels},{_answer(200)}", rate, extent.boundaries)
    return page


def _bad(service: int, version: int, random: Random) -> int:
    """How many classes the failures lie below the requests; 0: none."""
    if version and not service % _BROKEN:
        return 30
    return 250 if random.random() < _FAILING else 0


def _add_durations(page: Page, labels: str, rate: int, boundaries: tuple[str, ...]) -> None:
    name = "istio_request_duration_milliseconds"
    for place, boundary in enumerate(boundaries):
        below = max(0, rate - 20 * max(0, 8 - place))
        page.add(f'{name}_bucket{{{labels},le="{boundary}"}}', below)
    page.add(f"{name}_count{{{labels}}}", rate)
    page.add(f"{name}_sum{{{labels}}}", min(_CLASSES - 1, rate + 100))


def _answer(code: int) -> str:
    flags = "-" if code == 200 else "URX"
    return f'response_code="{code}",response_flags="{flags}",grpc_response_status=""'


def _labels(client: int, service: int, version: int, reporter: str) -> str:
    name, namespace, of = f"service-{service:04}", f"team-{service % 40:02}", f"v{version + 1}"
    caller, home = f"client-{client:02}", f"team-{client:02}"
    pairs = {
        "reporter": reporter,
        "source_workload": caller,
        "source_canonical_service": caller,
        "source_canonical_revision": "v1",
        "source_workload_namespace": home,
        "source_principal": f"spiffe://cluster.local/ns/{home}/sa/{caller}",
        "source_app": caller,
        "source_version": "v1",
        "source_cluster": "Kubernetes",
        "destination_workload": f"{name}-{of}",
        "destination_workload_namespace": namespace,
        "destination_principal": f"spiffe://cluster.local/ns/{namespace}/sa/{name}",
        "destination_app": name,
        "destination_version": of,
        "destination_service": f"{name}.{namespace}.svc.cluster.local",
        "destination_canonical_service": name,
        "destination_canonical_revision": of,
        "destination_service_name": name,
        "destination_service_namespace": namespace,
        "destination_cluster": "Kubernetes",
        "request_protocol": "http",
        "connection_security_policy": "unknown" if reporter == "source" else "mutual_tls",
    }
    return ",".join(f'{key}="{value}"' for key, value in pairs.items())


@contextlib.contextmanager
def exposed(mesh: Mesh) -> Iterator[int]:
    """Serve the pages below /metrics/<client>; the port."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            text = mesh.text(int(self.path.rsplit("/", 1)[1]))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
