"""What `plan` and `explain` look at: alerts, policies, and a cluster or the files that stand in for one."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status

from remediator.alerts import Alert, decode, parse_alerts
from remediator.cli.offline import STDIN, read_manifests
from remediator.cli.options import chosen
from remediator.cli.outside import open_cluster
from remediator.cluster.manifests import documents
from remediator.cluster.port import Cluster
from remediator.errors import InputError, NotificationError, Unavailable
from remediator.policies.load import load
from remediator.policies.model import Mode, PolicySet
from remediator.settings import Settings

SYNC_DEADLINE_S = 15.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Situation:
    """What is looked at."""

    alerts: tuple[Alert, ...]
    policies: PolicySet
    cluster: Cluster
    ceiling: Mode
    offline: bool
    """Whether the routing objects are files that were named: then all of them are of interest."""


@contextmanager
def opened(values: dict[str, Any]) -> Iterator[Situation]:
    """The situation that a command's flags name.

    Args:
        values: what click gives for options.situation_options.

    Raises:
        RemediatorError: anything of it cannot be read.
    """
    alert, files = values.pop("alert"), values.pop("files")
    settings = chosen(values)
    stdin = _stdin(alert, files)
    _refuse_two_sources(files, settings)
    alerts = _alerts(alert, stdin)
    policies = load(settings.policies)
    cluster = read_manifests(files, stdin, settings.namespaces) if files else open_cluster(settings)
    cluster.start()
    try:
        # Files are there or they are not; a cluster takes a while to list.
        _await_sync(cluster, 0.0 if files or settings.manifests else SYNC_DEADLINE_S)
        yield Situation(alerts, policies, cluster, Mode(settings.mode), bool(files))
    finally:
        cluster.stop()


def _refuse_two_sources(files: tuple[str, ...], settings: Settings) -> None:
    for name in ("manifests", "kubeconfig", "context"):
        # What a variable or the file says is a habit; a flag is meant for this very call.
        if files and settings.origins[name] == f"--{name}":
            raise InputError(f"-f and --{name} exclude each other: each says where the routing objects are")


def _stdin(alert: str, files: tuple[str, ...]) -> str:
    wanted = [alert, *files].count(STDIN)
    if wanted > 1:
        raise InputError("standard input can be read for one of --alert and -f, not for both")
    return sys.stdin.read() if wanted else ""


def _alerts(name: str, stdin: str) -> tuple[Alert, ...]:
    """Read alerts as Alertmanager posts or lists them, or as a person writes one."""
    try:
        text = stdin if name == STDIN else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"--alert {name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--alert {name}: not UTF-8") from error
    try:
        return parse_alerts(_payload(text), now=datetime.now(UTC))
    except NotificationError as error:
        raise NotificationError(f"--alert {name}: {error}") from error


def _payload(text: str) -> object:
    if text.lstrip().startswith(("{", "[")):
        return decode(text.encode("utf-8"))
    try:
        found = [document.data for document in documents(text, "YAML") if document.data is not None]
    except Unavailable as error:
        raise NotificationError(f"neither JSON nor {error}") from error
    if len(found) != 1:
        raise NotificationError(f"expected one document, found {len(found)}; write several alerts as a list")
    return found[0]


def _await_sync(cluster: Cluster, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    pause = threading.Event()
    health = cluster.health()
    with _progress() as progress:
        while not health.synced and time.monotonic() < deadline:
            progress.update(f"Reading the cluster … {health.detail}")
            pause.wait(_POLL_S)
            health = cluster.health()
    if not health.synced:
        raise Unavailable(f"the routing objects cannot be read: {health.detail}")


def _progress() -> Status:
    """Shown on a terminal only, and on standard error, so that the output can be piped."""
    return Console(stderr=True, markup=False).status("Reading the cluster …")
