"""How a routing object stands to the remediation that changed it: as it was left, or otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from remediator.cli.render import diff
from remediator.cluster.port import Cluster
from remediator.errors import ClusterError
from remediator.records.model import Phase, Remediation
from remediator.traffic import undo
from remediator.traffic.stamp import stamp_of
from remediator.traffic.undo import Difference


@dataclass(frozen=True, slots=True)
class Standing:
    """What the live object tells about a record. Of one that cannot be read: only why."""

    record: Remediation
    live: dict[str, Any] | None = None
    fault: str = ""
    """Why the object cannot be read."""
    before: dict[str, Any] | None = None
    """The object with the remediation taken back; None: it cannot be."""
    differences: tuple[Difference, ...] = ()
    """What is no longer as the remediation left it."""
    undone: bool = False
    """Whether what an undo would put back stands there already."""

    @property
    def made(self) -> bool:
        """Whether the patch was made: nobody may have come to write that down, but the object says so."""
        phase = self.record.status.phase
        stamped = self.live is not None and stamp_of(self.live) == self.record.name
        return phase is Phase.APPLIED or (phase is Phase.PLANNED and stamped)

    def diff(self) -> tuple[str, ...]:
        """The unified diff of what the remediation did, and nobody else; empty where that cannot be told apart."""
        if self.live is None or self.before is None:
            return ()
        ref = self.record.intent.target.ref
        return diff(self.before, self.live, (f"{ref} (without it)", f"{ref} (live)"))


def standing(cluster: Cluster, record: Remediation) -> Standing:
    """Read the record's target from its source, and hold it against the record. Changes nothing."""
    operations = record.intent.undo
    try:
        live = cluster.read(record.intent.target.ref).body
    except ClusterError as error:
        return Standing(record, fault=str(error))
    if not operations or undo.is_undone(operations, live):
        return Standing(record, live, undone=bool(operations))
    differences = undo.differences(operations, live)
    before = None if differences else undo.patch(operations, live).applied(live)
    return Standing(record, live, before=before, differences=differences)
