"""Where a Rollout is at, past the index, and what the pods of its stable side are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from remediator.cluster.inventory import reference
from remediator.cluster.readiness import pods_with
from remediator.cluster.rest import Rest
from remediator.errors import Forbidden, NotFound, Unavailable
from remediator.owners import Rollout, read_rollout, stable_pods, with_stable


def among(rollout: Rollout, pods: Iterable[Mapping[str, Any]]) -> Rollout:
    """The Rollout, whose stable side is called as its pods among these are; they are those of a folder."""
    wanted = stable_pods(rollout)
    if wanted is None:
        return rollout
    labels = (_labels(pod) for pod in pods if reference(pod).namespace == rollout.namespace)
    return with_stable(rollout, (each for each in labels if wanted.items() <= each.items()))


def rollout_at(rest: Rest, path: str) -> Rollout:
    """The Rollout at this path of the API server.

    That a pod's labels may not be read is no failure: the version of the stable side is not known then.

    Raises:
        Unavailable: it is gone, and the index has not heard of that: who drives its routes now is not known.
        Forbidden, Retriable.
    """
    try:
        found = read_rollout(rest.get(path))
    except NotFound as error:
        # Not to be taken for the routing object, of which NotFound says that there is nothing left to do on it.
        raise Unavailable(f"{error}; the index has not heard of that yet") from error
    wanted = stable_pods(found)
    if wanted is None:
        return found
    try:
        pods = pods_with(rest, found.namespace, wanted)
    except Forbidden:
        return found
    return with_stable(found, map(_labels, pods))


def is_still(rest: Rest, path: str, rollout: Rollout) -> bool:
    """Whether the Rollout at this path is the one that was read, at the same update; not if it is gone.

    Raises:
        Forbidden, Retriable.
    """
    try:
        now = read_rollout(rest.get(path))
    except NotFound:
        return False
    return (now.uid, now.update) == (rollout.uid, rollout.update)


def _labels(pod: Mapping[str, Any]) -> Mapping[str, object]:
    found = pod["metadata"].get("labels")
    return found if isinstance(found, Mapping) else {}
