"""Pauses in a Kubernetes API server, and the index of them that a watch keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from remediator.cluster import answers
from remediator.cluster.discovery import Discovery
from remediator.cluster.ledger import FIELD_MANAGER
from remediator.cluster.rest import Rest
from remediator.cluster.roster import Roster
from remediator.cluster.watches import Watches
from remediator.errors import AlreadyExists, Conflict, NotFound, Unavailable
from remediator.guards.pause import Pause
from remediator.records.pauses import FLEET, KIND, parse, render

ATTEMPTS: Final = 5
"""How often it is tried anew where somebody else pauses or resumes between two requests."""

_QUERY: Final = {"fieldManager": FIELD_MANAGER}


class KubernetesBrake:
    """Implements records.brake.Brake on a Kubernetes API server.

    Args:
        roster: the index, which `watches` keep.
    """

    def __init__(self, rest: Rest, discovery: Discovery, roster: Roster, watches: Watches) -> None:
        self._rest = rest
        self._discovery = discovery
        self._roster = roster
        self._watches = watches

    # -- by the index

    def pauses(self) -> tuple[Pause, ...]:
        """Every Pause there is, by name: no request is made.

        Raises:
            NotSynced: the index is not complete or too old.
        """
        self._watches.require()
        return self._roster.all()

    # -- at the source

    def read(self) -> tuple[Pause, ...]:
        """Every Pause there is, from the API server.

        Raises:
            Forbidden, Retriable.
        """
        return tuple(map(parse, self._listed()))

    def pause(self, pause: Pause) -> None:
        """Store who, why and until when as the Pause `fleet`, in the place of the one there.

        Raises:
            Rejected, Forbidden, Retriable.
        """
        body = render(replace(pause, name=FLEET, since=None))
        for _ in range(ATTEMPTS):
            if self._created(body) or self._replaced(body):
                return
        raise Unavailable("others pause and resume at the same time; look at what they did, and try again")

    def resume(self) -> tuple[Pause, ...]:
        """Delete every Pause there is; those that were there.

        Raises:
            Unavailable: one is still there after all. Forbidden, other Retriable.
        """
        gone: list[Pause] = []
        for _ in range(ATTEMPTS):
            found = self._listed()
            if not found:
                return tuple(gone)
            gone += [parse(body) for body in found if self._deleted(body)]
        names = ", ".join(answers.name(body)[1] for body in found)
        raise Unavailable(f"deleted, and still there or there again: {names}. A finalizer keeps it, or somebody pauses")

    def _created(self, body: Mapping[str, Any]) -> bool:
        """Create it; False if there is one of its name."""
        try:
            self._rest.post(self._path(), body, _QUERY)
        except AlreadyExists:
            return False
        return True

    def _replaced(self, body: Mapping[str, Any]) -> bool:
        """Say it in the place of what is there, whoever wrote that and when; False if there is none."""
        try:
            # `add` replaces too. Without a resourceVersion: the last word is the one that counts.
            self._rest.patch(self._path(FLEET), ({"op": "add", "path": "/spec", "value": body["spec"]},), _QUERY)
        except (NotFound, Conflict):
            return False
        return True

    def _deleted(self, body: Mapping[str, Any]) -> bool:
        """Delete it as it was read, for it will be told that this is gone; False if it is another one by now."""
        preconditions = {"uid": str(body["metadata"].get("uid", "")), "resourceVersion": answers.version(body)}
        try:
            self._rest.delete(self._path(answers.name(body)[1]), preconditions)
        except (NotFound, Conflict):
            return False
        return True

    def _listed(self) -> list[dict[str, Any]]:
        """All of them at once: where there are more than a few, something else is wrong."""
        resource = self._discovery.resource(KIND)
        kind = {"apiVersion": f"{resource.group}/{resource.version}", "kind": KIND}
        return [kind | body for body in answers.items(self._rest.get(resource.path()))]

    def _path(self, name: str | None = None) -> str:
        return self._discovery.resource(KIND).path(None, name)
