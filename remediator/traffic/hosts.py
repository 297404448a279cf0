"""Names of services, resolved as Istio resolves them."""

from __future__ import annotations

import ipaddress
import re
from typing import NewType

Host = NewType("Host", str)
"""A resolved host: lower case, and `NAME.NAMESPACE.svc.cluster.local` for a Kubernetes service whatever the
cluster's own domain is. Equal hosts are the same service."""

_DOMAIN = "cluster.local"
_SERVICE = re.compile(r"(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc\.(?P<domain>[a-z0-9.-]+)")
# A multi-cluster service's name is another service than the local one of the same name.
_CLUSTERSET = "clusterset.local"


def resolve(host: str, namespace: str) -> Host:
    """Resolve `host` as written in an object of `namespace`.

    Only a name without a dot is short; Istio takes every dotted name as it is, `reviews.prod` too
    (istio/istio pilot/pkg/model/config.go, ResolveShortnameToFQDN).

    >>> resolve("reviews", "shop")
    'reviews.shop.svc.cluster.local'
    >>> resolve("Reviews.shop.svc.example.org", "elsewhere")
    'reviews.shop.svc.cluster.local'
    >>> resolve("reviews.prod", "shop")
    'reviews.prod'
    """
    name = host.strip().lower()
    if not name or name == "*" or _is_address(name):
        return Host(name)
    if "." not in name:
        return Host(f"{name}.{namespace}.svc.{_DOMAIN}")
    match = _SERVICE.fullmatch(name)
    if match and match["domain"] != _CLUSTERSET:
        return Host(f"{match['name']}.{match['namespace']}.svc.{_DOMAIN}")
    return Host(name)


def meanings(name: str, namespace: str) -> tuple[Host, ...]:
    """Every service that a person in `namespace` may mean by `name`: as Istio reads it, and as DNS and `short` do.

    >>> meanings("reviews", "shop")
    ('reviews.shop.svc.cluster.local',)
    >>> meanings("reviews.prod", "shop")
    ('reviews.prod', 'reviews.prod.svc.cluster.local')
    """
    host = resolve(name, namespace)
    parts = host.split(".")
    is_short = len(parts) == 2 or (len(parts) == 3 and parts[2] == "svc")
    whole = resolve(f"{parts[0]}.{parts[1]}.svc.{_DOMAIN}", namespace) if is_short and all(parts) else host
    return tuple(dict.fromkeys((host, whole)))


def service_namespace(host: Host) -> str | None:
    """The namespace of a Kubernetes service; None for any other host (a ServiceEntry's, say)."""
    match = _SERVICE.fullmatch(host)
    return match["namespace"] if match and match["domain"] == _DOMAIN else None


def short(host: Host) -> str:
    """The host as a person says it: `reviews.shop`, or the whole name of a host outside the cluster."""
    match = _SERVICE.fullmatch(host)
    return f"{match['name']}.{match['namespace']}" if match and match["domain"] == _DOMAIN else str(host)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
