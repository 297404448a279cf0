"""Which VirtualService a person means, and that object as it is."""

from __future__ import annotations

import re
from difflib import get_close_matches

from remediator.cluster.port import Cluster, Snapshot
from remediator.errors import InputError, NotFound
from remediator.outcome import TargetRef
from remediator.traffic.virtualservice import KIND

_MOST_NAMED = 5
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
"""What can name a namespace or an object; nothing else is put into a path."""


def meant(target: str, namespace: str | None) -> TargetRef:
    """The object that was typed as NAME or NAMESPACE/NAME, and perhaps with -n. Raises InputError."""
    home, slash, name = target.rpartition("/")
    if slash and namespace not in (None, home):
        raise InputError(f"{target} and -n {namespace} contradict each other; give one of them")
    home = home if slash else namespace or ""
    if not slash and namespace is None:
        raise InputError(f"{target!r} is in which namespace? Give NAMESPACE/NAME, or -n NAMESPACE")
    if not (_NAME.fullmatch(home) and _NAME.fullmatch(name)):
        whole = target if slash else f"{home}/{name}"
        raise InputError(f"{whole!r} names no VirtualService; give NAMESPACE/NAME")
    return TargetRef(KIND, home, name)


def read_meant(cluster: Cluster, ref: TargetRef) -> Snapshot:
    """The object as it is at its source.

    Raises:
        InputError: there is none; with those that have a name like it.
    """
    try:
        return cluster.read(ref)
    except NotFound as error:
        names = [f"{each.routing.ref.namespace}/{each.routing.ref.name}" for each in cluster.routing()]
        wanted = f"{ref.namespace}/{ref.name}"
        near = get_close_matches(wanted, names, n=_MOST_NAMED) or [
            name for name in names if name.endswith(f"/{ref.name}") or name.startswith(f"{ref.namespace}/")
        ]
        listed = ", ".join(near[:_MOST_NAMED]) + (", …" if len(near) > _MOST_NAMED else "")
        hint = f"did you mean {listed}?" if near else f"of the {len(names)} that are there, none has a name like it"
        raise InputError(f"there is no {ref}; {hint}") from error
