"""Records and Events in a Kubernetes API server, and the index of records that a watch keeps."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from remediator.cluster import answers
from remediator.cluster.archive import Archive
from remediator.cluster.call import EVENTS
from remediator.cluster.discovery import Discovery
from remediator.cluster.rest import Rest
from remediator.cluster.sink import parsed
from remediator.cluster.watch import PAGE_SIZE
from remediator.cluster.watches import Watches
from remediator.errors import AlreadyExists, NotFound, NotSynced, Unavailable
from remediator.guards.cooldown import Made
from remediator.records.events import Event
from remediator.records.ledger import Head, Tally, unheard
from remediator.records.model import KIND, Remediation
from remediator.records.status_wire import render_status
from remediator.records.wire import RecordError, render, render_spec
from remediator.traffic.hosts import Host
from remediator.traffic.patch import Operation
from remediator.traffic.stamp import OWN_MANAGER

FIELD_MANAGER: Final = OWN_MANAGER
"""What every write says that it is from."""

_QUERY: Final = {"fieldManager": FIELD_MANAGER}

_PATIENCE_S: Final = 5.0
"""How long a watch may take to tell of a record that we have stored."""
_SETTLING_S: Final = 0.3
"""How long it is waited for what other watches have to tell of the same moment."""

_log = logging.getLogger(__name__)


class KubernetesLedger:
    """Implements records.ledger.Ledger on a Kubernetes API server.

    Args:
        archive: the index, which `watches` keep.
        instance: which of our replicas this is, for Events.
    """

    def __init__(self, rest: Rest, discovery: Discovery, archive: Archive, watches: Watches, instance: str) -> None:
        self._rest = rest
        self._discovery = discovery
        self._archive = archive
        self._watches = watches
        self._instance = instance
        self._settled = threading.Event()  # never set: to wait by
        self.listener: Callable[[Event], None] = unheard

    # -- at the source

    def create(self, record: Remediation) -> Remediation:
        """Store a new record; it begins as Planned, which the CRD says of every record without a status.

        Raises:
            AlreadyExists: there is one of this name. NotFound: its namespace is gone.
            Rejected, Forbidden, Retriable.
        """
        body = render(replace(record, uid="", resource_version="", created_at=None))
        del body["status"]
        path = self._discovery.resource(KIND).path(record.namespace)
        made = _understood(self._rest.post(path, body, _QUERY))
        self._archive.advance(made, None)
        return made

    def read(self, namespace: str, name: str) -> Remediation:
        """Read a record from the API server, past the index.

        Raises:
            NotFound, Forbidden, Retriable. Unavailable also where somebody has made it unreadable.
        """
        with self._unless_gone(namespace, name):
            return _understood(self._rest.get(self._path(namespace, name)))

    def rewrite(self, record: Remediation) -> Remediation:
        """Store the record's intent, and what a person has said to it, in the place of those there, if nobody changed
        the record since it was read.

        Raises:
            Conflict: somebody did. NotFound, Rejected, Forbidden, Retriable.
        """
        intent = {"op": "replace", "path": "/spec", "value": render_spec(record)}
        return self._patched(record, self._path(record.namespace, record.name), intent)

    def conclude(self, record: Remediation) -> Remediation:
        """Store the record's status, and nothing else of it. Raises as `rewrite`."""
        # `add` replaces too, and a record is without a status where the CRD that is installed has no default.
        status = {"op": "add", "path": "/status", "value": render_status(record.status)}
        return self._patched(record, self._path(record.namespace, record.name, "status"), status)

    def delete(self, record: Remediation) -> None:
        """Delete the record, if nobody changed it since it was read. Raises as `rewrite`."""
        preconditions = {"uid": record.uid, "resourceVersion": record.resource_version}
        with self._unless_gone(record.namespace, record.name):
            self._rest.delete(self._path(record.namespace, record.name), preconditions)
        self._archive.retract(record.namespace, record.name, record.resource_version)

    def listed(self, namespace: str | None = None) -> Iterator[Remediation]:
        """Every record of a namespace, or of all, page by page; what cannot be understood is said and left out.

        Raises:
            Forbidden, Retriable.
        """
        resource = self._discovery.resource(KIND)
        kind = {"apiVersion": f"{resource.group}/{resource.version}", "kind": KIND}
        query = {"limit": str(PAGE_SIZE)}
        token: str | None = ""
        while token is not None:
            page = self._rest.get(resource.path(namespace), query | ({"continue": token} if token else {}))
            for body in answers.items(page):
                try:
                    yield parsed(kind | body)
                except RecordError as error:
                    _log.warning("left out of the list of records: %s", error)
            token = answers.following(page)

    def announce(self, event: Event) -> bool:
        """Store an Event; one that is there already stays. Raises Forbidden, Rejected, NotFound, Retriable.

        Returns:
            False: it was there.
        """
        try:
            self._rest.post(EVENTS.path(event.target.ref.namespace), event.body(self._instance), _QUERY)
        except AlreadyExists:
            return False  # told before: its name says what happened
        return True

    # -- by the index

    def heads(self) -> Sequence[Head]:
        """The head of every record, newest first, then by namespace and name.

        Raises:
            NotSynced: the index is not complete or too old.
        """
        self._watches.require()
        return self._archive.heads()

    def get(self, namespace: str, name: str) -> Remediation | None:
        """One record; None if there is none. Raises as `heads`."""
        self._watches.require()
        return self._archive.get(namespace, name)

    def answering(self, fingerprint: str, starts_at: datetime) -> tuple[Head, ...]:
        """The head of every record that answers this firing of an alert. Raises as `heads`."""
        self._watches.require()
        return self._archive.answering(fingerprint, starts_at)

    def taken_back(self, target_uid: str) -> tuple[Head, ...]:
        """The head of every record of this routing object that a person has taken back. Raises as `heads`."""
        self._watches.require()
        return self._archive.taken_back(target_uid)

    def awaiting(self) -> tuple[Head, ...]:
        """The head of every record that waits for a person. Raises as `heads`."""
        self._watches.require()
        return self._archive.awaiting()

    def unverified(self, since: datetime) -> tuple[Head, ...]:
        """The head of every record made later than `since` that is not verified yet. Raises as `heads`."""
        self._watches.require()
        return self._archive.unverified(since)

    def unidentified(self, since: datetime) -> tuple[Head, ...]:
        """The head of every record made later than `since` whose suspects' images are not known. Raises as `heads`."""
        self._watches.require()
        return self._archive.unidentified(since)

    def holding(self, now: datetime) -> tuple[Head, ...]:
        """The head of every record whose withdrawal is held up. Raises as `heads`."""
        self._watches.require()
        return self._archive.holding(now)

    def let_go(self, target_uid: str) -> tuple[Head, ...]:
        """The head of every record of this object whose suspect may have had traffic again. Raises as `heads`."""
        self._watches.require()
        return self._archive.let_go(target_uid)

    def latest(self, target_uid: str) -> Made | None:
        """The last change of this routing object. Raises as `heads`."""
        self._watches.require()
        return self._archive.latest(target_uid)

    def accusing(self, host: Host, since: datetime) -> tuple[Remediation, ...]:
        """The records heard of later than `since` that accuse a version of this service. Raises as `heads`."""
        self._watches.require()
        return self._archive.accusing(host, since)

    def barring(self, host: Host) -> tuple[Remediation, ...]:
        """The records that hold a version of this service back. Raises as `heads`."""
        self._watches.require()
        return self._archive.barring(host)

    def of_canary(self, namespace: str, name: str) -> tuple[Remediation, ...]:
        """The records that condemn a revision of this Canary, by an index of whatever age."""
        return self._archive.of_canary(namespace, name)

    def offered(self) -> tuple[Head, ...]:
        """The head of every record that waits for Flagger to ask. Raises as `heads`."""
        self._watches.require()
        return self._archive.offered()

    def tally(self, since: datetime) -> Tally:
        """The remediations later than `since`. Raises as `heads`."""
        self._watches.require()
        return self._archive.tally(since)

    def ahead(self, record: Remediation, since: datetime) -> int:
        """How many remediations later than `since` are made, or were begun before this one. Raises NotSynced.

        One watch tells of all records in the order in which etcd has them, so replicas agree about it, and need
        nobody to lead them. Several watches tell in no common order; there it is waited a little, and the older is
        before.
        """
        self._watches.require()
        if self._archive.ahead(record, since, patience_s=_PATIENCE_S) is None:
            raise NotSynced(f"the watch of records has not told of {record} within {_PATIENCE_S:g} s")
        if self._watches.listing:
            raise NotSynced("the records are being listed anew, and in no order")
        if self._watches.count > 1:
            self._settled.wait(_SETTLING_S)
            return self._archive.first(record, since)
        # Once more: a list may have come to its end since, and then all of it counts.
        found = self._archive.ahead(record, since)
        if found is None:
            raise NotSynced(f"the record {record} was changed by somebody else at the same moment")
        return found

    def _path(self, namespace: str, name: str, part: str | None = None) -> str:
        return self._discovery.resource(KIND).path(namespace, name, part)

    def _patched(self, record: Remediation, path: str, change: Operation) -> Remediation:
        """Make one change, if the record is still at the resourceVersion that it was read at: else 409."""
        unmoved = {"op": "replace", "path": "/metadata/resourceVersion", "value": record.resource_version}
        with self._unless_gone(record.namespace, record.name):
            made = _understood(self._rest.patch(path, (unmoved, change), _QUERY))
        self._archive.advance(made, record.resource_version)
        return made

    @contextmanager
    def _unless_gone(self, namespace: str, name: str) -> Iterator[None]:
        """A record that is gone leaves the index too: if the answer to its creation came after the event that it was
        deleted, or while no watch was open, no other event will."""
        known = self._archive.version(namespace, name)
        try:
            yield
        except NotFound:
            self._archive.retract(namespace, name, known)
            raise


def _understood(body: Mapping[str, Any]) -> Remediation:
    """The same, of one record that is needed: without it nothing can be done."""
    try:
        return parsed(body)
    except RecordError as error:
        raise Unavailable(f"{error}; mend or delete it, with kubectl edit or kubectl delete") from error
