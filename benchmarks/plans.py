"""One alert planned in this process, where the service would plan it: no network, and nothing is sent."""

from __future__ import annotations

import json
from typing import Any, Final

from benchmarks import fleet
from remediator.alerts import decode, parse_notification
from remediator.pipeline.preparation import Work, prepare
from remediator.policies.matchers import parse_matcher
from remediator.policies.model import Action, Mode, Policy, PolicySet, TargetSpec
from tests.builders import notification
from tests.fakes import FakeCluster

Json = dict[str, Any]

POLICIES: Final = PolicySet(
    (
        Policy(
            name="canary",
            description="",
            matchers=(parse_matcher('alertname =~ "Canary.*"'),),
            target=TargetSpec(),
            actions=(Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS),
            mode=Mode.ENFORCE,
        ),
    )
)
"""What fleet.policy says."""


def request(alert: Json) -> bytes:
    """A notification of one alert, as it comes."""
    return json.dumps(notification([alert])).encode()


def planned(body: bytes, cluster: FakeCluster) -> Work:
    """Decode, parse, match, look up, plan, render and prove.

    Raises:
        RuntimeError: that comes not to one patch, but to none or several.
    """
    prepared = prepare(parse_notification(decode(body)).alerts, POLICIES, cluster)
    if len(prepared.works) != 1 or prepared.works[0].proposal.patch is None:
        raise RuntimeError(f"one patch was to be planned: {prepared}")
    return prepared.works[0]


def cluster(*numbers: int, uid: str | None = None) -> FakeCluster:
    """A cluster in memory with these services.

    Args:
        uid: that of their VirtualServices; None: any.
    """
    bodies = []
    for number in numbers:
        body = fleet.virtual_service(number)
        metadata = body["metadata"] | {"uid": uid or f"uid-{number}", "resourceVersion": "1"}
        bodies += [body | {"metadata": metadata}, fleet.destination_rule(number)]
    return FakeCluster(*bodies)
