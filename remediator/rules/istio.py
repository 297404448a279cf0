"""Istio's standard metrics, which the shipped rules and most others read.

Names: istio/proxy extensions/stats, istio_stats.cc; https://istio.io/latest/docs/reference/config/metrics/. Prometheus
knows a histogram by three names, or by its own where it stores native ones.
"""

from __future__ import annotations

from remediator.rules.expression import Selector

COUNTERS = (
    "istio_requests_total",
    "istio_request_messages_total",
    "istio_response_messages_total",
    "istio_tcp_sent_bytes_total",
    "istio_tcp_received_bytes_total",
    "istio_tcp_connections_opened_total",
    "istio_tcp_connections_closed_total",
)
HISTOGRAMS = (
    "istio_request_duration_milliseconds",
    "istio_request_bytes",
    "istio_response_bytes",
)
TRAFFIC = frozenset(COUNTERS) | {
    f"{name}{suffix}" for name in HISTOGRAMS for suffix in ("", "_bucket", "_sum", "_count")
}
"""What proxies tell about requests and connections. Two of them report each request that passes two: `reporter` says
which."""

_ABOUT_ITSELF = (
    "istio_active_proxy_", "istio_agent_", "istio_build", "istio_cni_", "istio_dns_", "istio_on_demand_dns_",
    "istio_pending_proxy_", "istio_proxies_", "istio_xds_",
)  # fmt: skip
"""Beginnings of the names of metrics about Istio's own processes."""

REPORTERS = ("source", "destination", "waypoint")


def is_traffic(selector: Selector) -> bool:
    """Whether a selector reads what proxies tell about requests."""
    return selector.name in TRAFFIC


def tells_of_traffic(name: str) -> bool:
    """Whether a metric is, or looks like, one of what proxies tell about requests and connections.

    >>> tells_of_traffic("istio_requests_total"), tells_of_traffic("istio_build")
    (True, False)
    """
    return name.startswith("istio_") and not name.startswith(_ABOUT_ITSELF)


def is_unknown(name: str) -> bool:
    """Whether a name looks like one of Istio's metrics and is none. A name with a colon is a recorded one."""
    return tells_of_traffic(name) and ":" not in name and name not in TRAFFIC


def both_sides(selector: Selector) -> bool:
    """Whether a selector takes the reports of both ends of a request, which count it twice."""
    matchers = [matcher for matcher in selector.matchers if matcher.name == "reporter"]
    taken = [
        reporter
        for reporter in ("source", "destination")
        if all(matcher.matches({"reporter": reporter}) for matcher in matchers)
    ]
    return len(taken) == 2
