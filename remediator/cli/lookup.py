"""Records from their source, found by the names that people type; and the way to say which cluster that was."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import click
from rich.console import Console

from remediator.cli.options import PLACE, chosen
from remediator.cli.outside import open_cluster
from remediator.cluster.port import Cluster
from remediator.errors import ClusterError, Forbidden, InputError, NotFound
from remediator.outcome import TargetRef
from remediator.policies.mistake import shown
from remediator.records.ledger import Ledger
from remediator.records.model import Remediation
from remediator.settings import CONFIG
from remediator.traffic import virtualservice
from remediator.traffic.stamp import stamp_of

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
"""What can name a namespace or a record; nothing else is put into a path."""

_LOOKED_AT = 5
"""Objects of one name that are read, in as many namespaces, to guess what is meant."""


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster, which is asked and not watched, and how it was named."""

    cluster: Cluster
    flags: tuple[str, ...]
    """As on the command line; empty where the surroundings name it."""

    def command(self, context: click.Context, *words: str) -> str:
        """A command on the same cluster, to be typed or pasted next."""
        return f"{context.find_root().command_path} {shlex.join((*words, *self.flags))}"


@contextmanager
def opened(values: dict[str, Any]) -> Iterator[Place]:
    """The cluster that a command's flags name.

    Args:
        values: what click gives for options.PLACE; taken out of the mapping.

    Raises:
        SettingsError: no such folder, or no credentials for a cluster.
    """
    config = values.get(CONFIG)
    settings = chosen(values)
    named = [(f"--{CONFIG}", config)] if config else []
    named += [(f"--{name}", str(getattr(settings, name))) for name in PLACE if settings.origins[name] == f"--{name}"]
    # What is wrong is told once, as the error that ends the command.
    logging.getLogger("remediator").addHandler(logging.NullHandler())
    cluster = open_cluster(settings)
    try:
        yield Place(cluster, tuple(word for pair in named for word in pair))
    finally:
        cluster.stop()


def everything(ledger: Ledger, namespace: str | None) -> list[Remediation]:
    """Every record of a namespace, or of all, in no order.

    Raises:
        InputError: not permitted in all namespaces at once.
        Forbidden, Retriable.
    """
    try:
        with Console(stderr=True, markup=False).status("Reading the records …"):
            return list(ledger.listed(namespace))
    except Forbidden as error:
        if namespace is not None:
            raise
        raise InputError(f"{error}; if you may do so in a namespace, name it with -n") from error


def named(cluster: Cluster, name: str, namespace: str | None) -> Remediation:
    """The one record that a person means.

    Args:
        name: NAME, looked for in `namespace` or in all; or NAMESPACE/NAME.

    Raises:
        InputError: there is none of that name, or more than one.
        Forbidden, Retriable.
    """
    home, bare = _split(name, namespace)
    if home is None:
        return _wherever(cluster, bare)
    try:
        return cluster.ledger.read(home, bare)
    except NotFound as error:
        advice = _stamped(cluster, [TargetRef(virtualservice.KIND, home, bare)]) or f"; see `list -n {home}`"
        raise InputError(f"there is no remediation {home}/{bare} ({error}){advice}") from error


def _split(name: str, namespace: str | None) -> tuple[str | None, str]:
    home, slash, bare = name.rpartition("/")
    if not all(_NAME.fullmatch(part) for part in (*([home] if slash else []), bare)):
        raise InputError(f"{shown(name)} names no remediation; give NAME or NAMESPACE/NAME, as `list` shows them")
    if not slash:
        return namespace, bare
    if namespace not in (None, home):
        raise InputError(f"{name} and -n {namespace} contradict each other; give one of them")
    return home, bare


def in_namespace(name: str | None) -> str | None:
    """What -n says, checked.

    Raises:
        InputError: no namespace can be called so.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise InputError(f"-n {shown(name)}: no namespace can be called so; without -n it is all of them")
    return name


def _wherever(cluster: Cluster, name: str) -> Remediation:
    records = everything(cluster.ledger, None)
    found = sorted((record for record in records if record.name == name), key=str)
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{name} is the name of {len(found)} remediations; say which: {', '.join(map(str, found))}")
    near = get_close_matches(name, {record.name: None for record in records}, n=1)
    targets = sorted({each.intent.target.ref for each in records if each.intent.target.ref.name == name}, key=str)
    advice = _stamped(cluster, targets[:_LOOKED_AT]) or (
        f"; did you mean {near[0]}?" if near else "; `list` shows all there are"
    )
    raise InputError(f"there is no remediation {name} in any namespace{advice}")


def _stamped(cluster: Cluster, targets: Iterable[TargetRef]) -> str:
    """The remediations that routing objects name, where a person has typed the name of such an object."""
    found = []
    for ref in targets:
        with suppress(ClusterError):
            name = stamp_of(cluster.read(ref).body)
            if name:
                found.append(f"{ref} names {ref.namespace}/{cluster.ledger.read(ref.namespace, name).name}")
    return f"; {', '.join(found)}: did you mean that?" if found else ""
