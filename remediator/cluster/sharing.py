"""Texts that thousands of records have in common are kept once."""

from __future__ import annotations

from dataclasses import replace
from sys import intern

from remediator.outcome import TargetRef
from remediator.records.ledger import Head
from remediator.records.moments import Moments
from remediator.traffic.hosts import Host


def interned(found: Moments) -> Moments:
    """The same moments, in which hosts that many records have in common are there once."""
    accused, barred = (tuple(Host(intern(host)) for host in hosts) for hosts in (found.accused, found.barred))
    return replace(found, target_uid=intern(found.target_uid), accused=accused, barred=barred)


def shared(found: Head) -> Head:
    """The same head, in which texts that many records have in common are there once."""
    target = TargetRef(intern(found.target.kind), intern(found.target.namespace), intern(found.target.name))
    return replace(
        found,
        namespace=intern(found.namespace),
        policy=intern(found.policy),
        target=target,
        target_uid=intern(found.target_uid),
    )
