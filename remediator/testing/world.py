"""A folder that stands in for a cluster, filled with what a test gives, and the real pipeline on it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import yaml

from remediator.alerts import Alert, Notification, Status
from remediator.alerts.model import fingerprint_of
from remediator.cluster.folder import Folder
from remediator.cluster.local import LocalCluster
from remediator.cluster.manifests import Document, Manifest, documents, manifests
from remediator.errors import InputError
from remediator.metrics import Metrics
from remediator.outcome import AlertOutcome, Outcome, TargetRef
from remediator.pipeline import Pipeline
from remediator.pipeline.shell import Clock
from remediator.policies.load import PolicyStore
from remediator.records.model import Approval
from remediator.testing.model import NOON, Answer, GivenAlert, Json, Service

_PERSON = "a person of the test"


@dataclass(frozen=True, slots=True)
class Came:
    """One outcome, and what is around it."""

    row: AlertOutcome
    guards: tuple[str, ...] | None
    """Those that said no; None: there is no record that would say."""
    body: Json | None
    """The routing object afterwards, as its file has it; None: the outcome is about none."""


class World:
    """What one test takes place in. Time passes when it is told to."""

    def __init__(self, folder: Path, policies: PolicyStore, service: Service, executor: Executor) -> None:
        """
        Args:
            folder: where the manifests go; empty.
            executor: where the targets of one notification are patched.
        """
        self._folder = folder
        self.at: datetime = NOON
        self._cluster = LocalCluster(folder, self._unix_s)
        self._pipeline = Pipeline(
            cluster=self._cluster,
            policies=policies,
            metrics=Metrics(),
            executor=executor,
            ceiling=service.mode,
            bounds=service.bounds,
            clock=Clock(now=lambda: self.at),
            log=_silent(),
        )

    def _unix_s(self) -> float:
        return self.at.timestamp()

    def furnish(self, given: Sequence[Path | Json]) -> None:
        """Put manifests there.

        Raises:
            InputError: an object is of no kind that is read, or stands twice. Unavailable: a file cannot be understood.
        """
        places: dict[TargetRef, str] = {}
        for manifest in _manifests(given):
            if manifest.ref in places:
                raise InputError(
                    f"{manifest.ref} is given twice: {places[manifest.ref]} and {manifest.place}; give one"
                )
            places[manifest.ref] = str(manifest.place)
            file = self._folder / f"{len(places):04}.yaml"
            file.write_text(yaml.safe_dump(manifest.body, sort_keys=False, allow_unicode=True), encoding="utf-8")
        health = self._cluster.health()
        if not health.synced:
            raise InputError(f"what is given cannot be used: {health.detail}")

    def deliver(self, alerts: Iterable[GivenAlert]) -> tuple[Came, ...]:
        """Deliver alerts as one notification, now; what came of them."""
        delivered = tuple(self._alert(each) for each in alerts)
        firing = any(alert.status is Status.FIRING for alert in delivered)
        status = Status.FIRING if firing else Status.RESOLVED
        rows = self._pipeline.handle(Notification("test", "remediator", status, delivered, 0, None))
        return tuple(self._came(rows))

    def answer(self, waiting: Iterable[Came], answer: Answer) -> tuple[Came, ...]:
        """Answer the plans among these outcomes that wait for a person; what came of it, nothing where none waits.

        Raises:
            ClusterError: as Pipeline.answer.
        """
        approval = Approval(answer is Answer.APPROVE, _PERSON, "", self.at)
        rows = [each.row for each in waiting if each.row.outcome is Outcome.AWAITING_APPROVAL]
        plans = dict.fromkeys((row.target.namespace, row.remediation) for row in rows if row.target and row.remediation)
        return tuple(self._came(self._pipeline.answer(where, name, approval).row for where, name in plans))

    def _alert(self, given: GivenAlert) -> Alert:
        is_over = given.status is Status.RESOLVED
        return Alert(
            status=given.status,
            labels=MappingProxyType(dict(given.labels)),
            annotations=MappingProxyType({}),
            starts_at=given.starts_at or self.at,
            ends_at=self.at if is_over else None,
            generator_url="",
            fingerprint=fingerprint_of(given.labels),
        )

    def _came(self, rows: Iterable[AlertOutcome]) -> Iterator[Came]:
        found = list(rows)
        # Those of furnish alone: records have a folder of their own.
        files = self._folder.glob("*.yaml") if any(row.target for row in found) else ()
        bodies = {each.ref: each.body for file in files for each in _in_file(file)}
        for row in found:
            yield Came(row, self._guards(row), bodies.get(row.target) if row.target else None)

    def _guards(self, row: AlertOutcome) -> tuple[str, ...] | None:
        if row.target is None or row.remediation is None:
            return None
        verdicts = self._cluster.ledger.read(row.target.namespace, row.remediation).status.verdicts
        return tuple(each.guard for each in verdicts if not each.allows)


def moment_of(alerts: Iterable[GivenAlert], otherwise: datetime) -> datetime:
    """When alerts are delivered: when the last of them began, as far as they say."""
    return max((each.starts_at for each in alerts if each.starts_at), default=otherwise)


def _manifests(given: Sequence[Path | Json]) -> Iterator[Manifest]:
    for number, each in enumerate(given):
        if isinstance(each, Path):
            yield from _in_folder(each) if each.is_dir() else _in_file(each)
            continue
        # Of one that is written out somebody wants to be sure that it counts; files may hold other things too.
        found = manifests((Document(1, each),), f"spec.given[{number}]")
        if not found:
            known = f"{each.get('apiVersion')} {each.get('kind')}"
            raise InputError(f"spec.given[{number}]: {known} is no kind that the service reads; is it spelled so?")
        yield from found


def _in_folder(folder: Path) -> Iterator[Manifest]:
    for file in sorted(map(Path, Folder(folder).files())):
        yield from _in_file(file)


def _in_file(file: Path) -> Iterator[Manifest]:
    text, _ = Folder(file.parent).read(file)
    yield from manifests(documents(text, str(file)), str(file))


def _silent() -> logging.Logger:
    """For the line of each outcome, which the result of a test says better."""
    logger = logging.Logger("remediator.testing")
    logger.addHandler(logging.NullHandler())
    return logger
