"""What `plan` and `explain` look at: alerts, policies, and a cluster or the files that stand in for one."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from remediator.alerts.values import moment as parsed_moment
from remediator.cli.alert_file import STDIN, GivenAlert, read_alerts
from remediator.cli.knowledge import Knowledge
from remediator.cli.offline import read_manifests
from remediator.cli.options import NOW, chosen
from remediator.cli.outside import open_cluster
from remediator.cli.waiting import LACKING, awaited
from remediator.cluster.port import Cluster
from remediator.errors import InputError, NotificationError, Unavailable
from remediator.guards.situation import Bounds
from remediator.pipeline.bounds import bounds_of
from remediator.policies.load import load
from remediator.policies.mistake import shown
from remediator.policies.model import Mode, PolicySet
from remediator.settings import Settings

SYNC_DEADLINE_S = 15.0
RECORDS_DEADLINE_S = 3.0
"""For records and pauses: they are read beside the routing objects, and can be done without."""

_BETWEEN_CAUSES = re.compile(r"; (?=\S+ (?:in|named) \S.* not listed yet|no watch of |the watch of |nothing heard of )")


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that any policy may do."""

    mode: Mode
    origin: str
    """Where it was given: `--mode`, `REMEDIATOR_MODE`."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When the alerts are judged."""

    at: datetime
    why: str
    """Why then, in words: `when the alert began`."""

    def __str__(self) -> str:
        return f"{self.written}, {self.why}"

    @property
    def written(self) -> str:
        """The moment, in UTC."""
        return self.at.isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Situation:
    """What is looked at."""

    alerts: tuple[GivenAlert, ...]
    policies: PolicySet
    cluster: Cluster
    ceiling: Ceiling
    source: str
    """Where the routing objects are from, in one word: `live` or `file`."""
    offline: bool
    """Whether the routing objects are files that were named: then all of them are of interest."""
    knowledge: Knowledge
    """What is around them."""
    bounds: Bounds
    moment: Moment


@contextmanager
def opened(values: dict[str, Any]) -> Iterator[Situation]:
    """The situation that a command's flags name.

    Args:
        values: what click gives for options.situation_options.

    Raises:
        RemediatorError: anything of it cannot be read.
    """
    alert, files, at = values.pop("alert"), values.pop("files"), values.pop("at")
    settings = chosen(values)
    stdin = _stdin(alert, files)
    _refuse_two_sources(files, settings)
    alerts = read_alerts(alert, stdin)
    is_live = not files and settings.manifests is None
    moment = _moment(at, alerts, is_live=is_live)
    policies = load(settings.policies)
    cluster = (
        read_manifests(files, stdin, settings.namespaces, settings.root_namespace) if files else open_cluster(settings)
    )
    # What is wrong with a watch is told once, as the error that ends the command.
    logging.getLogger("remediator").addHandler(logging.NullHandler())
    cluster.start()
    try:
        _await_routing(cluster, is_live=is_live)
        yield Situation(
            alerts=alerts,
            policies=policies,
            cluster=cluster,
            ceiling=Ceiling(Mode(settings.mode), settings.origins["mode"]),
            source="live" if is_live else "file",
            offline=bool(files),
            knowledge=Knowledge(cluster, RECORDS_DEADLINE_S if is_live else 0.0),
            bounds=bounds_of(settings),
            moment=moment,
        )
    finally:
        cluster.stop()


def _await_routing(cluster: Cluster, *, is_live: bool) -> None:
    """Planning needs no records, and whoever may only read routing objects may ask what would happen."""
    await_sync(
        lambda: cluster.health().routing_fault,
        deadline_s=SYNC_DEADLINE_S if is_live else 0.0,
        advice="check --kubeconfig and --context, or give files with -f" if is_live else "",
    )


def _moment(at: str | None, alerts: Sequence[GivenAlert], *, is_live: bool) -> Moment:
    """When the alerts are judged: all at once, as those of one notification are.

    Raises:
        InputError: `at` is no time.
    """
    if at == NOW or (at is None and is_live):
        return Moment(datetime.now(UTC), "now")
    if at is None:
        which = "the alert" if len(alerts) == 1 else "the last of the alerts"
        return Moment(max(each.alert.starts_at for each in alerts), f"when {which} began")
    try:
        return Moment(parsed_moment(at, "--at"), "as --at says")
    except NotificationError as error:
        raise InputError(
            f"--at: {shown(at)} is neither {NOW} nor a time with its zone, such as 2026-08-01T12:00:00Z"
        ) from error


def _refuse_two_sources(files: tuple[str, ...], settings: Settings) -> None:
    for name in ("manifests", "kubeconfig", "context"):
        # What a variable or the file says is a habit; a flag is meant for this very call.
        if files and settings.origins[name] == f"--{name}":
            raise InputError(f"-f and --{name} exclude each other: each says where the routing objects are")


def _stdin(alert: str, files: tuple[str, ...]) -> str:
    wanted = [alert, *files].count(STDIN)
    if wanted > 1:
        raise InputError("standard input can be read for one of --alert and -f, not for both")
    if not wanted:
        return ""
    if sys.stdin is None:
        raise InputError("standard input is closed; give it alerts or manifests, or name a file")
    try:
        # JSON and YAML are UTF-8, whatever the terminal speaks.
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("standard input: not UTF-8") from error
    except OSError as error:
        raise InputError(f"standard input: cannot be read: {error.strerror}") from error


def await_sync(fault: Callable[[], str], *, deadline_s: float, advice: str, what: str = "the routing objects") -> None:
    """Wait until the index of a cluster that was started can be believed.

    Args:
        fault: what is wrong with it; empty: nothing.
        deadline_s: seconds. Files are there or they are not; a cluster takes a while to list.
        advice: what to do if it cannot, and waiting may have mended it.
        what: cannot be read then.

    Raises:
        Unavailable: it cannot; one cause a line. At once where a permission is missing.
    """
    found = awaited(fault, deadline_s)
    if found:
        causes = _BETWEEN_CAUSES.split(found)
        lines = [f"{what} cannot be read: {causes[0]}", *causes[1:]]
        raise Unavailable("\n".join(lines + ([advice] if advice and LACKING not in found else [])))
