"""The local adapter's records: a YAML file for each, in the folder of the routing objects."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from remediator.cluster.archive import Archive
from remediator.cluster.catalogue import Catalogue, Source, remediation
from remediator.cluster.edits import alone, as_json, rewrite, without
from remediator.cluster.identity import presented, stored
from remediator.cluster.manifests import Manifest, Place
from remediator.cluster.writer import Gate, Right
from remediator.errors import AlreadyExists, Conflict, NotSynced, Rejected, Unavailable
from remediator.guards.cooldown import Made
from remediator.outcome import TargetRef
from remediator.records.events import Event
from remediator.records.ledger import Head, Tally, unheard
from remediator.records.model import GROUP, KIND, PLURAL, Remediation, Status
from remediator.records.status_wire import render_status
from remediator.records.wire import render, render_spec
from remediator.traffic.hosts import Host

FOLDER: Final = PLURAL
"""Where new records go, below the folder: `remediations/NAMESPACE/NAME.yaml`."""

_RESOURCE = f"{PLURAL}.{GROUP}"
_CREATE, _PATCH, _DELETE = (Right(verb, _RESOURCE) for verb in ("create", "patch", "delete"))
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
_LONGEST_NAME = 200
"""Characters. A file's name has at most 255 bytes, and that of the file which it is written to first is longer."""


class LocalLedger:
    """A `records.ledger.Ledger` on a folder of YAML (docs/local.md). The folder is looked at in each method, so the
    index is what the files say; `Unavailable` is raised where one of them cannot be understood."""

    def __init__(
        self, root: Path, catalogue: Catalogue, archive: Archive, gate: Gate, clock: Callable[[], float]
    ) -> None:
        """
        Args:
            archive: the one that `catalogue` keeps.
            clock: Unix time (s).
        """
        self._root = root
        self._catalogue = catalogue
        self._archive = archive
        self._gate = gate
        self._clock = clock
        self.listener: Callable[[Event], None] = unheard

    # -- at the source

    def create(self, record: Remediation) -> Remediation:
        """Write a new file with the record, as Planned.

        Raises:
            AlreadyExists: some file of the folder has one of this name. Rejected: its name or namespace is none that
                Kubernetes would take. Forbidden, Unavailable.
        """
        _refuse_unfit_names(record)
        path = self._root / FOLDER / record.namespace / f"{record.name}.yaml"
        manifest = Manifest(record.ref, self._new(record), Place(str(path), 1, 0))
        made, text = remediation(manifest), alone(manifest)
        with self._gate.passed(_CREATE) as writer:
            self._catalogue.refresh()
            home = self._catalogue.home(record.ref)
            if home is not None:
                raise AlreadyExists(f"{record.ref} exists already, in {home}")
            writer.create(path, text)
        return made

    def read(self, namespace: str, name: str) -> Remediation:
        """Read a record from its file.

        Raises:
            NotFound: no file has it. Unavailable.
        """
        return remediation(self._catalogue.source(TargetRef(KIND, namespace, name)).manifest)

    def rewrite(self, record: Remediation) -> Remediation:
        """Write the record's intent into its file, if nobody changed the record since it was read.

        Raises:
            Conflict: somebody did. NotFound: no file has it. Rejected, Forbidden, Unavailable.
        """
        return self._write(record, {"spec": render_spec(record)})

    def conclude(self, record: Remediation) -> Remediation:
        """Write the record's status into its file, and nothing else of it. Raises as `rewrite`."""
        return self._write(record, {"status": render_status(record.status)})

    def delete(self, record: Remediation) -> None:
        """Remove the record's file, or its part of a file that says more. Raises as `rewrite`."""
        with self._gate.passed(_DELETE) as writer:
            source = self._current(record)
            rest = without(source.text, source.manifest)
            if rest:
                writer.replace(source.path, rest, source.stamp)
            else:
                writer.remove(source.path, source.stamp)

    def listed(self, namespace: str | None = None) -> Iterator[Remediation]:
        """Every record of a namespace, or of all, newest first. Raises Unavailable."""
        for head in self.heads():
            record = self._archive.get(*head.key) if namespace in (None, head.namespace) else None
            if record is not None:
                yield record

    def announce(self, event: Event) -> bool:  # noqa: ARG002 - the protocol's
        """Nothing: a folder keeps no Events. The record and the log say the same.

        Returns:
            True: nobody knows whether it was told before.
        """
        return True

    # -- by the index

    def heads(self) -> Sequence[Head]:
        """The head of every record, newest first, then by namespace and name.

        Raises:
            Unavailable: the folder or a file in it cannot be read or understood.
        """
        self._catalogue.refresh()
        return self._archive.heads()

    def get(self, namespace: str, name: str) -> Remediation | None:
        """One record; None if there is none. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.get(namespace, name)

    def answering(self, fingerprint: str, starts_at: datetime) -> tuple[Head, ...]:
        """The head of every record that answers this firing of an alert. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.answering(fingerprint, starts_at)

    def taken_back(self, target_uid: str) -> tuple[Head, ...]:
        """The head of every record of this routing object that a person has taken back. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.taken_back(target_uid)

    def awaiting(self) -> tuple[Head, ...]:
        """The head of every record that waits for a person. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.awaiting()

    def unverified(self, since: datetime) -> tuple[Head, ...]:
        """The head of every record made later than `since` that is not verified yet. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.unverified(since)

    def unidentified(self, since: datetime) -> tuple[Head, ...]:
        """The head of every record made later than `since` whose suspects' images are not known. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.unidentified(since)

    def holding(self, now: datetime) -> tuple[Head, ...]:
        """The head of every record whose withdrawal is held up. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.holding(now)

    def let_go(self, target_uid: str) -> tuple[Head, ...]:
        """The head of every record of this object whose suspect may have had traffic again. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.let_go(target_uid)

    def latest(self, target_uid: str) -> Made | None:
        """The last change of this routing object. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.latest(target_uid)

    def accusing(self, host: Host, since: datetime) -> tuple[Remediation, ...]:
        """The records heard of later than `since` that accuse a version of this service. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.accusing(host, since)

    def barring(self, host: Host) -> tuple[Remediation, ...]:
        """The records that hold a version of this service back. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.barring(host)

    def of_canary(self, namespace: str, name: str) -> tuple[Remediation, ...]:
        """The records that condemn a revision of this Canary, by an index of whatever age."""
        with suppress(Unavailable):  # what was read before is still true of what was written before
            self._catalogue.refresh()
        return self._archive.of_canary(namespace, name)

    def offered(self) -> tuple[Head, ...]:
        """The head of every record that waits for Flagger to ask. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.offered()

    def tally(self, since: datetime) -> Tally:
        """The remediations later than `since`. Raises as `heads`."""
        self._catalogue.refresh()
        return self._archive.tally(since)

    def ahead(self, record: Remediation, since: datetime) -> int:
        """How many remediations later than `since` are made, or were begun before this one, in the order in which this
        process has found their files. Raises as `heads`, and NotSynced where somebody removed its file."""
        self._catalogue.refresh()
        found = self._archive.ahead(record, since)
        if found is None:
            raise NotSynced(f"{record.ref} is in no file of {self._root} any more, or was changed there since")
        return found

    def _new(self, record: Remediation) -> dict[str, Any]:
        """What the file of a new record says: with what an API server would fill in, but for the resourceVersion,
        which `kubectl apply` refuses."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        whole = replace(record, status=Status(), uid=str(uuid.uuid4()), resource_version="", created_at=now)
        return as_json(render(whole))

    def _write(self, record: Remediation, part: Mapping[str, Any]) -> Remediation:
        """Put `part` into the record's document."""
        with self._gate.passed(_PATCH) as writer:
            source = self._current(record)
            manifest = source.manifest
            result = stored(presented(manifest.body) | as_json(part), manifest.body)
            written = remediation(replace(manifest, body=result))
            if result != manifest.body:
                writer.replace(source.path, rewrite(source.text, manifest, result), source.stamp)
        return written

    def _current(self, record: Remediation) -> Source:
        """The record's file, if the record is in it as it was read."""
        source = self._catalogue.source(record.ref)
        if remediation(source.manifest).resource_version != record.resource_version:
            raise Conflict(f"{record.ref} was changed since it was read, in {source.path}")
        return source


def _refuse_unfit_names(record: Remediation) -> None:
    """They make a path, and what `kubectl apply` would not take has no place in the folder."""
    for what, name in (("name", record.name), ("namespace", record.namespace)):
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
            raise Rejected(
                f"{KIND} {record}: {name!r} cannot be its {what}. Small letters, digits, `-` and `.` can, at most"
                f" {_LONGEST_NAME}, with a letter or digit at both ends"
            )
