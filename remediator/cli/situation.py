"""What `plan` and `explain` look at: alerts, policies, and a cluster or the files that stand in for one."""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.status import Status

from remediator.cli.alert_file import STDIN, GivenAlert, read_alerts
from remediator.cli.offline import read_manifests
from remediator.cli.options import chosen
from remediator.cli.outside import open_cluster
from remediator.cluster.port import Cluster
from remediator.errors import InputError, Unavailable
from remediator.policies.load import load
from remediator.policies.model import Mode, PolicySet
from remediator.settings import Settings

SYNC_DEADLINE_S = 15.0
_POLL_S = 0.1

_LACKING = "no permission to "
"""How errors.Forbidden begins. It has to be granted first, so there is nothing to wait for."""
_BETWEEN_CAUSES = re.compile(r"; (?=\S+ in \S.* not listed yet|no watch of |the watch of |nothing heard of )")


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that any policy may do."""

    mode: Mode
    origin: str
    """Where it was given: `--mode`, `REMEDIATOR_MODE`."""


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
    alerts = read_alerts(alert, stdin)
    policies = load(settings.policies)
    cluster = read_manifests(files, stdin, settings.namespaces) if files else open_cluster(settings)
    is_live = not files and settings.manifests is None
    ceiling = Ceiling(Mode(settings.mode), settings.origins["mode"])
    # What is wrong with a watch is told once, as the error that ends the command.
    logging.getLogger("remediator").addHandler(logging.NullHandler())
    cluster.start()
    try:
        # Planning needs no records, and whoever may only read routing objects may ask what would happen.
        await_sync(
            lambda: cluster.health().routing_fault,
            deadline_s=SYNC_DEADLINE_S if is_live else 0.0,
            advice="check --kubeconfig and --context, or give files with -f" if is_live else "",
        )
        yield Situation(alerts, policies, cluster, ceiling, "live" if is_live else "file", bool(files))
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
    deadline = time.monotonic() + deadline_s
    pause = threading.Event()
    found = fault()
    with _progress() as progress:
        while found and _LACKING not in found and time.monotonic() < deadline:
            progress.update(f"Reading the cluster … {found}")
            pause.wait(_POLL_S)
            found = fault()
    if found:
        causes = _BETWEEN_CAUSES.split(found)
        lines = [f"{what} cannot be read: {causes[0]}", *causes[1:]]
        raise Unavailable("\n".join(lines + ([advice] if advice and _LACKING not in found else [])))


def _progress() -> Status:
    """Shown on a terminal only, and on standard error, so that the output can be piped."""
    return Console(stderr=True, markup=False).status("Reading the cluster …")
