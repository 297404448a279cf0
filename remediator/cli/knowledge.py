"""What the guards ask about, as far as whoever asks may read it. The rest is not asked, and that is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from remediator.cli.waiting import LACKING, awaited
from remediator.cluster.port import Cluster
from remediator.errors import ClusterError
from remediator.guards import budget, cooldown, pause, stable_also_failing, stable_ready
from remediator.guards.cooldown import Made
from remediator.guards.pause import Pause
from remediator.guards.stable_ready import Readiness
from remediator.pipeline.guarding import Pauses
from remediator.policies.model import Mode
from remediator.records.ledger import Head, Ledger, Tally
from remediator.records.model import Remediation
from remediator.traffic.hosts import Host
from remediator.traffic.view import Destination


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that cannot be read."""

    what: str
    why: str
    unasked: str
    """What nobody was asked for that reason, in words."""
    guards: tuple[str, ...]
    """The guards that would have asked."""

    def __str__(self) -> str:
        return f"{self.what} cannot be read ({self.why}): {self.unasked} not asked"


class Recollection:
    """Implements pipeline.guarding.Remembers: what the records tell, and what was planned since. Used by one thread."""

    def __init__(self, ledger: Ledger | None) -> None:
        """
        Args:
            ledger: None: the records cannot be read, and tell nothing.
        """
        self._ledger = ledger
        self._planned: dict[Mode, int] = {}

    def count(self, mode: Mode) -> None:
        """One more remediation would be made; those that come after it find it in the budget."""
        self._planned[mode] = self._planned.get(mode, 0) + 1

    def get(self, namespace: str, name: str) -> Remediation | None:
        """As of Ledger."""
        return self._ledger.get(namespace, name) if self._ledger else None

    def answering(self, fingerprint: str, starts_at: datetime) -> tuple[Head, ...]:
        """As of Ledger."""
        return self._ledger.answering(fingerprint, starts_at) if self._ledger else ()

    def latest(self, target_uid: str) -> Made | None:
        """As of Ledger."""
        return self._ledger.latest(target_uid) if self._ledger else None

    def accusing(self, host: Host, since: datetime) -> tuple[Remediation, ...]:
        """As of Ledger."""
        return self._ledger.accusing(host, since) if self._ledger else ()

    def of_canary(self, namespace: str, name: str) -> tuple[Remediation, ...]:
        """As of Ledger."""
        return self._ledger.of_canary(namespace, name) if self._ledger else ()

    def tally(self, since: datetime) -> Tally:
        """As of Ledger, with what was planned since."""
        found = self._ledger.tally(since) if self._ledger else Tally(0, 0, 0)
        enforced, observed = (self._planned.get(mode, 0) for mode in (Mode.ENFORCE, Mode.OBSERVE))
        return replace(found, begun=found.begun + enforced, observed=found.observed + observed)


class Knowledge:
    """Implements pipeline.guarding.Surroundings, and holds the records. Used by one thread."""

    def __init__(self, cluster: Cluster, deadline_s: float) -> None:
        """Find out what can be read; wait so long for an index that is not complete yet."""
        self._cluster = cluster
        self._gaps: dict[str, Gap] = {}
        self._unless("records", awaited(partial(_records_fault, cluster), deadline_s))
        self._unless("pauses", awaited(partial(_pauses_fault, cluster), deadline_s))
        self.ledger: Ledger | None = None if "records" in self._gaps else cluster.ledger
        """None: the records cannot be read."""
        self.records = Recollection(self.ledger)

    @property
    def brake(self) -> Pauses:
        """Where pauses are; nothing is known of any where they cannot be read."""
        return _Unread() if "pauses" in self._gaps else self._cluster.brake

    def readiness(self, destination: Destination, labels: Mapping[str, str]) -> Readiness | None:
        """As of Cluster. What a person may not count, the service may: that is no no."""
        found = self._cluster.readiness(destination, labels)
        if found is not None and found.unknown.startswith(LACKING):
            self._unless("endpoints", found.unknown)
            return None
        return found

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What cannot be read, as far as it was asked for."""
        return tuple(self._gaps.values())

    def _unless(self, what: str, fault: str) -> None:
        if fault:
            unasked, guards = _ASKED_OF[what]
            self._gaps[what] = Gap(f"the {what}", fault, unasked, guards)


_ASKED_OF: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "records": (
        "cooldown, budget and other alerts were",
        (cooldown.GUARD, budget.GUARD, stable_also_failing.GUARD),
    ),
    "pauses": ("whether somebody has paused the service was", (pause.GUARD,)),
    "endpoints": ("whether the stable side is ready was", (stable_ready.GUARD,)),
}


class _Unread:
    """Pauses that cannot be read."""

    def pauses(self) -> tuple[Pause, ...]:
        return ()


def _records_fault(cluster: Cluster) -> str:
    try:
        cluster.ledger.awaiting()  # files given with -f have no ledger at all
    except ClusterError as error:
        return str(error)
    return ""


def _pauses_fault(cluster: Cluster) -> str:
    try:
        cluster.brake.pauses()
    except ClusterError as error:
        return str(error)
    return ""
