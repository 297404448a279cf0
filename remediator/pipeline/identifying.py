"""Finds out which images the suspects' pods run, while these are there: once, after the traffic was taken away.

Nothing waits for it, and nothing fails with it: a record that says nothing of images bars its version by its name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import ClusterError, NotFound
from remediator.records.images import Image, Images, Ran
from remediator.records.journal import Journal
from remediator.records.model import Remediation
from remediator.traffic.suspect import Suspect
from remediator.traffic.view import Destination

SOON: Final = timedelta(minutes=2)
"""So long after the patch its pods are looked at: later ones of the same version may be mended."""
_MOST: Final = 64
"""Images that are kept of one record."""
_TRIES: Final = 5
"""How often it is asked that could not be asked; about a second apart."""

logger = logging.getLogger(__name__)


def identify(cluster: Cluster, record: Remediation, now: datetime) -> Images | None:
    """What the pods of a record's suspects run; None: nobody knows.

    Raises:
        ClusterError: it could not be asked.
    """
    live = _live(cluster, record)
    if live is None:
        return None
    found: list[Image] = []
    complete = True
    for suspect in sorted(record.intent.suspects, key=str):
        ran = _ran(cluster, live, suspect)
        complete = complete and bool(ran) and all(each.digest for each in ran)
        found += _images(suspect, ran)
    return Images(now, tuple(found[:_MOST]), complete and len(found) <= _MOST) if found else None


def _live(cluster: Cluster, record: Remediation) -> Snapshot | None:
    """The target, by the index; past it where a Rollout drives it: that alone tells which of its subsets is which."""
    target = record.intent.target
    live = cluster.find(target.ref)
    try:
        live = cluster.read(target.ref) if live is not None and live.driving.rollouts else live
    except NotFound:
        return None
    return live if live is not None and live.routing.uid == target.uid else None


def _images(suspect: Suspect, ran: Iterable[Ran]) -> Iterator[Image]:
    for each in ran:
        if each.digest:
            yield Image(suspect, each.container, each.digest)


def _ran(cluster: Cluster, live: Snapshot, suspect: Suspect) -> tuple[Ran, ...]:
    selections = _selections(live, suspect)
    found = (ran for labels in selections for ran in cluster.images(Destination(suspect.host), labels))
    return tuple(dict.fromkeys(found))


def _selections(live: Snapshot, suspect: Suspect) -> tuple[Mapping[str, str], ...]:
    """The labels that select a suspect's pods among those of its service; empty: nobody knows how to tell them."""
    rules, namespace, host = live.rules, live.routing.ref.namespace, suspect.host
    named = [each.subset for route in live.routing.routes for each in route.destinations if each.host == host]
    subsets = dict.fromkeys(each for each in named if each)
    if suspect.version is not None:
        # Where the patch has put another destination in its place, no route names it any more.
        subsets |= dict.fromkeys(rules.names(host, suspect.version, namespace))
    if not subsets and not rules.known_versions(host, namespace) - {suspect.version}:
        return ({},)  # a service of its own
    if suspect.version is None:
        return ()
    own: frozenset[str | None] = frozenset({suspect.version})
    chosen = (each for each in subsets if rules.versions(host, each, namespace, suspect.version) == own)
    found = (labels for each in chosen for labels in rules.labels(host, each, namespace) if labels)
    return tuple({tuple(sorted(labels.items())): labels for labels in found}.values())


class Identifying:
    """Remembers at which records this replica has looked. Forgotten by a crash, which costs a look."""

    def __init__(self, cluster: Cluster, now: Callable[[], datetime]) -> None:
        """
        Args:
            now: the wall clock, aware.
        """
        self._cluster = cluster
        self._now = now
        self._tries: dict[tuple[str, str], int] = {}

    def due(self) -> tuple[Remediation, ...]:
        """The records to look at: whose patch was made a moment ago, and of which nothing is known yet.

        Raises:
            NotSynced, Unavailable.
        """
        heads = self._cluster.ledger.unidentified(self._now() - SOON)
        self._tries = {head.key: count for head in heads if (count := self._tries.get(head.key))}
        found = (self._cluster.ledger.get(*head.key) for head in heads if self._tries.get(head.key, 0) < _TRIES)
        return tuple(record for record in found if record and record.status.images is None)

    def see_to(self, record: Remediation) -> None:
        """Look at one, and write what is known. Never raises."""
        key = record.namespace, record.name
        self._tries[key] = self._tries.get(key, 0) + 1
        try:
            found = identify(self._cluster, record, self._now())
            if found is not None:
                Journal(self._cluster.ledger, self._now).identified(record, found)
            self._tries[key] = _TRIES
        except ClusterError as error:
            logger.info("which images %s took the traffic from is not known yet: %s", record, error)
        except Exception:  # the outer edge: it must not take what else is verified with it
            logger.exception("internal error: which images %s took the traffic from is not known", record)
