"""The records of the past weeks, as the service wrote them and the API server keeps them in etcd."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks import fleet, plans
from remediator.guards.situation import Bounds
from remediator.guards.verdict import Verdict
from remediator.outcome import Reason
from remediator.pipeline.drafting import draft, granted, key_of
from remediator.pipeline.guarding import Guarding
from remediator.pipeline.preparation import Work
from remediator.records.model import GROUP, PLURAL, VERSION, Conclusion, Phase, Remediation, Resolution
from remediator.records.wire import render
from tests.fakes import FakeCluster

Json = dict[str, Any]

EVERYWHERE: Final = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
"""Where the API server has all records."""
PREFIX: Final = f"/registry/{GROUP}/{PLURAL}/"
"""What their keys in etcd begin with."""

_SPAN: Final = timedelta(days=20)
"""Less than the time for which the service keeps a record."""
_LAST: Final = timedelta(days=1)
_PATCHED_AFTER: Final = timedelta(milliseconds=20)
_RESOLVED_AFTER: Final = timedelta(minutes=7)


def path(namespace: str, name: str = "") -> str:
    """Where the API server has the records of a namespace, or one of them."""
    collection = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
    return f"{collection}/{name}" if name else collection


def moments(count: int, now: datetime) -> list[datetime]:
    """When so many alerts began to fire: evenly over the past weeks, the last of them a day ago."""
    begin = (now - _LAST - _SPAN).replace(microsecond=0)
    return [begin + _SPAN * turn / count for turn in range(count)]


def record(number: int, uid: str, starts_at: datetime) -> Remediation:
    """What is left of an earlier firing of this service's alert: the patch was made, and later it was resolved.

    Args:
        uid: that of the service's VirtualService.
    """
    work = plans.planned(plans.request(fleet.alert(number, starts_at)), plans.cluster(number, uid=uid))
    first = granted(work)[0]
    made = draft(work, first, key_of(work, first).name(), starts_at)
    patched_at = starts_at + _PATCHED_AFTER
    changed = f"changed: {'; '.join(made.intent.changes)}"
    ended = made.ended(Conclusion(Phase.APPLIED, Reason.PATCHED, changed, _verdicts(first.number, work)), patched_at)
    resolved = Resolution(first.alert.fingerprint, patched_at + _RESOLVED_AFTER, _RESOLVED_AFTER.total_seconds())
    return replace(
        ended,
        status=replace(ended.status, resolved=(resolved,)),
        uid=str(uuid.uuid5(uuid.NAMESPACE_OID, str(ended))),
        created_at=starts_at,
    )


def _verdicts(number: int, work: Work) -> tuple[Verdict, ...]:
    """What the guards say of it, as it stands on a record of the service's."""
    ledger = FakeCluster().ledger
    guarding = Guarding(FakeCluster(), ledger, lambda: datetime.now(UTC), Bounds(max_alert_age=None))
    # A record does not keep that a guard was switched off, only its words.
    return tuple(replace(each, off=False) for each in guarding.screen(work, lambda _: 1).verdicts[number])


def kept(found: Remediation, managed_fields: list[Json]) -> tuple[str, bytes]:
    """A record as etcd holds it: its key, and JSON.

    Args:
        managed_fields: those of a record that went through the API server.
    """
    body = render(found)
    body["metadata"] |= {"generation": 1, "managedFields": managed_fields}
    return f"{PREFIX}{found.namespace}/{found.name}", json.dumps(body, separators=(",", ":")).encode()
