"""How a routing object stands to the remediation that changed it, or would have: as it was left, or otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from remediator.cli.render import diff
from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import ClusterError, NotFound
from remediator.policies.model import Action
from remediator.records.model import Phase, Remediation
from remediator.traffic import undo
from remediator.traffic.exposure import Facts, Relation, is_live
from remediator.traffic.stamp import stamp_of
from remediator.traffic.undo import Difference


@dataclass(frozen=True, slots=True)
class Standing:
    """What the live object tells about a record. Of one that cannot be read: only why."""

    record: Remediation
    live: dict[str, Any] | None = None
    fault: str = ""
    """Why the object cannot be read."""
    lost: str = ""
    """What became of an object that is no longer there, or not the same one: `is gone`."""
    before: dict[str, Any] | None = None
    """The object with the remediation taken back; None: it cannot be."""
    differences: tuple[Difference, ...] = ()
    """What is no longer as the remediation left it."""
    undone: bool = False
    """Whether what an undo would put back stands there already."""
    later: str = ""
    """The remediation that changed the object after this one."""
    exposed: frozenset[Action] = frozenset()
    """What would still be taken from the suspect now, of what the record is about."""

    @property
    def made(self) -> bool:
        """Whether the patch was made: nobody may have come to write that down, but the object says so."""
        record = self.record
        stamped = self.live is not None and stamp_of(self.live) == record.name
        return record.status.phase is Phase.APPLIED or (record.unproven and (stamped or record.status.undo is not None))

    def diff(self) -> tuple[str, ...]:
        """The unified diff of what the remediation did, and nobody else; empty where that cannot be told apart."""
        if self.live is None or self.before is None:
            return ()
        ref = self.record.intent.target.ref
        return diff(self.before, self.live, (f"{ref} (without it)", f"{ref} (live)"))


def standing(cluster: Cluster, record: Remediation) -> Standing:
    """Read the record's target from its source, and hold it against the record. Changes nothing."""
    target = record.intent.target
    try:
        live = cluster.read(target.ref)
    except NotFound:
        return Standing(record, lost="is gone")
    except ClusterError as error:
        return Standing(record, fault=str(error))
    if live.routing.uid != target.uid:
        return Standing(record, lost="is another object of that name now")
    found = Standing(
        record, live.body, later=later(cluster, record, live.body), exposed=frozenset(_exposed(live, record))
    )
    operations = record.intent.undo
    if not operations or undo.is_undone(operations, live.body):
        return replace(found, undone=bool(operations))
    differences = undo.differences(operations, live.body)
    before = None if differences else undo.patch(operations, live.body).applied(live.body)
    return replace(found, before=before, differences=differences)


def later(cluster: Cluster, record: Remediation, live: dict[str, Any] | None) -> str:
    """The remediation that changed `live` after `record` did, as it is named there; empty: none is known.

    A name of which there is no record any more is none that can be undone.
    """
    name = live and stamp_of(live)
    if not name or name == record.name:
        return ""
    try:
        other = cluster.ledger.read(record.namespace, name)
    except NotFound:
        return ""
    except ClusterError:
        return name
    older = record.created_at and other.created_at and other.created_at < record.created_at
    return "" if older or other.status.phase is Phase.UNDONE else name


def _exposed(live: Snapshot, record: Remediation) -> Iterator[Action]:
    """Which of the record's actions would find something to take from the suspect."""
    intent, facts = record.intent, Facts(live.routing.ref.namespace, live.rules)
    for route in live.routing.routes:
        shares = (
            share.weight > 0 and facts.of_share(route, position, intent.suspect) is Relation.SUSPECT
            for position, share in enumerate(route.shares)
        )
        if Action.REVERT_TO_STABLE in intent.actions and route.reachable and any(shares):
            yield Action.REVERT_TO_STABLE
        mirrors = (
            is_live(route, mirror)
            and (intent.suspect.version is None or facts.of_mirror(mirror, intent.suspect) is Relation.SUSPECT)
            for mirror in route.mirrors
        )
        if Action.REMOVE_MIRRORS in intent.actions and any(mirrors):
            yield Action.REMOVE_MIRRORS
