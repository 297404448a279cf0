"""The local adapter's pauses: documents of the folder in which the routing objects are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from remediator.cluster.catalogue import Catalogue
from remediator.cluster.edits import alone, as_json, rewrite, without
from remediator.cluster.manifests import Manifest, Place
from remediator.cluster.roster import Roster
from remediator.cluster.writer import Gate, Right, Writer
from remediator.errors import Conflict, NotFound, Unavailable
from remediator.guards.pause import Pause
from remediator.outcome import TargetRef
from remediator.records.pauses import FLEET, KIND, PLURAL, RESOURCE, parse, render

FOLDER: Final = PLURAL
"""Where a new one goes, below the folder: `pauses/fleet.yaml`."""

_REF: Final = TargetRef(KIND, "default", FLEET)
_PATCH, _DELETE = (Right(verb, RESOURCE) for verb in ("patch", "delete"))
_ATTEMPTS = 5
"""How often it is tried anew where somebody without the lock, an editor say, writes at the same time."""


class LocalBrake:
    """A `records.brake.Brake` on a folder of YAML (docs/local.md). The folder is looked at in each method, so the index
    is what the files say; `Unavailable` is raised where one of them cannot be understood."""

    def __init__(
        self, root: Path, catalogue: Catalogue, roster: Roster, gate: Gate, clock: Callable[[], float]
    ) -> None:
        """
        Args:
            roster: the one that `catalogue` keeps.
            clock: Unix time (s).
        """
        self._root = root
        self._catalogue = catalogue
        self._roster = roster
        self._gate = gate
        self._clock = clock

    def pauses(self) -> tuple[Pause, ...]:
        """Every Pause there is, by name.

        Raises:
            Unavailable: the folder or a file in it cannot be read or understood.
        """
        self._catalogue.refresh()
        return self._roster.all()

    def read(self) -> tuple[Pause, ...]:
        """The same: the files are the source. Raises as `pauses`."""
        return self.pauses()

    def pause(self, pause: Pause) -> None:
        """Write who, why and until when into the file of the Pause `fleet`, or into a new one.

        Raises:
            Rejected, Forbidden, Unavailable.
        """
        with self._gate.passed(_PATCH) as writer:
            for _ in range(_ATTEMPTS):
                with suppress(Conflict, NotFound):
                    self._put(writer, pause)
                    return
        raise Unavailable(f"{_REF} changes while it is written. Wait for whoever is writing it")

    def resume(self) -> tuple[Pause, ...]:
        """Remove every Pause there is: its file, or its part of a file that says more.

        Raises:
            Unavailable: one is still there after all, or as `pauses`. Rejected, Forbidden.
        """
        if not self.pauses():
            return ()  # nothing is to be written, so nobody has to be permitted to
        gone: list[Pause] = []
        with self._gate.passed(_DELETE) as writer:
            for _ in range(_ATTEMPTS):
                if not self.pauses():
                    return tuple(gone)
                for ref in self._roster.refs():
                    with suppress(Conflict, NotFound):
                        gone.append(self._removed(writer, ref))
        raise Unavailable("pauses are put into the folder while they are taken out. Wait for whoever is writing them")

    def _put(self, writer: Writer, pause: Pause) -> None:
        self._catalogue.refresh()
        if self._catalogue.home(_REF) is None:
            now = datetime.fromtimestamp(self._clock(), UTC)
            path = self._root / FOLDER / f"{FLEET}.yaml"
            body = as_json(render(replace(pause, name=FLEET, since=now)))
            writer.create(path, alone(Manifest(_REF, body, Place(str(path), 1, 0))))
            return
        source = self._catalogue.source(_REF)
        said = as_json(render(replace(pause, name=FLEET)))
        body = source.manifest.body | {key: said[key] for key in ("apiVersion", "spec")}
        writer.replace(source.path, rewrite(source.text, source.manifest, body), source.stamp)

    def _removed(self, writer: Writer, ref: TargetRef) -> Pause:
        source = self._catalogue.source(ref)
        rest = without(source.text, source.manifest)
        if rest:
            writer.replace(source.path, rest, source.stamp)
        else:
            writer.remove(source.path, source.stamp)
        return parse(source.manifest.body)
