"""What is asked, in PromQL: one query tells all versions of a service, from both ends of each request.

It reads Istio's counter itself and none of the shipped recording rules, so it needs none of them to be loaded.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from remediator.traffic.hosts import Host, service_namespace, short

REPORTER: Final = "reporter"
VERSION: Final = "destination_version"
REVISION: Final = "destination_canonical_revision"
CODE: Final = "response_code"
GRPC_STATUS: Final = "grpc_response_status"
FIGURE: Final = "figure"
"""The label that tells the two numbers of one answer apart."""
REQUESTS: Final = "requests"
SERIES: Final = "series"

_BY: Final = ", ".join((REPORTER, VERSION, REVISION, CODE, GRPC_STATUS))


def requests(host: Host, window: timedelta) -> str:
    """The requests of a service in the window before the moment that is asked about, and how many series told it."""
    span = f"{round(window.total_seconds() * 1000)}ms"
    increase = f"increase(istio_requests_total{{{_selected(host)}}}[{span}])"
    return (
        f'label_replace(sum by ({_BY}) ({increase}), "{FIGURE}", "{REQUESTS}", "", "")'
        f' or label_replace(count by ({_BY}) ({increase}), "{FIGURE}", "{SERIES}", "", "")'
    )


def _selected(host: Host) -> str:
    """By the whole host: where a proxy finds no endpoint, only that is told, and such requests are errors too. The
    cluster's domain is left open, for a resolved host does not tell it."""
    if service_namespace(host) is None:
        return f"destination_service={_quoted(host)}"
    pattern = short(host).replace(".", "[.]")
    return f'destination_service=~"{pattern}[.]svc[.].+"'


def _quoted(text: str) -> str:
    """As PromQL's double quotes have it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
