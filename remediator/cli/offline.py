"""A cluster that is only files: read once, looked at by `plan` and `explain`, never written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from remediator.cli.alert_file import STDIN
from remediator.cluster.endpoints import ENDPOINT_SLICE, POD, counted_in
from remediator.cluster.folder import Folder
from remediator.cluster.identity import presented
from remediator.cluster.images import images_in
from remediator.cluster.inventory import VIRTUAL_SERVICE, Inventory
from remediator.cluster.manifests import Manifest, documents, manifests
from remediator.cluster.news import News
from remediator.cluster.port import Health, Snapshot
from remediator.cluster.rollout_versions import among
from remediator.cluster.roster import Roster
from remediator.errors import InputError, NotFound, Rejected, Unavailable
from remediator.guards.pause import Pause
from remediator.guards.stable_ready import Readiness
from remediator.outcome import TargetRef
from remediator.owners import Rollout, told
from remediator.records.brake import Brake
from remediator.records.images import Ran
from remediator.records.ledger import Ledger
from remediator.records.pauses import KIND as PAUSE
from remediator.traffic.hosts import Host
from remediator.traffic.patch import Patch
from remediator.traffic.sight import ROOT_NAMESPACE, Sight
from remediator.traffic.view import Destination


class Offline:
    """Implements port.Cluster on manifests that were read beforehand."""

    def __init__(self, found: Iterable[Manifest], root_namespace: str, *, all_routing: bool) -> None:
        """
        Args:
            root_namespace: Istio's.
            all_routing: whether no VirtualService of the files was left out.

        Raises:
            InputError: an object stands twice, or there is no VirtualService.
        """
        self._inventory = Inventory(Sight(None, root_namespace), all_routing=all_routing)
        roster = Roster()
        self._brake = _OfflineBrake(roster)
        self._bodies: dict[str, list[dict[str, Any]]] = {ENDPOINT_SLICE: [], POD: []}
        places: dict[TargetRef, str] = {}
        for manifest in found:
            if manifest.ref in places:
                raise InputError(f"{manifest.ref} stands twice: {places[manifest.ref]} and {manifest.place}; give one")
            places[manifest.ref] = str(manifest.place)
            if manifest.ref.kind == PAUSE:
                roster.put(manifest.body)
            elif manifest.ref.kind in self._bodies:
                self._bodies[manifest.ref.kind].append(manifest.body)
            else:
                self._inventory.put(presented(manifest.body))
        if not any(ref.kind == VIRTUAL_SERVICE for ref in places):
            raise InputError("the files given with -f hold no VirtualService; give those of the service in question")

    @property
    def ledger(self) -> Ledger:
        """Raises Rejected: what is only looked at leaves no record."""
        raise Rejected("files given with -f are only looked at, and keep no records")

    @property
    def brake(self) -> Brake:
        """The pauses among the files: what they stop is shown as stopped."""
        return self._brake

    def start(self) -> None:
        """Nothing to begin."""

    def stop(self) -> None:
        """Nothing to end."""

    def health(self) -> Health:
        """Always to be believed: the files were read."""
        return Health(True, "read from files", self._inventory.counts(), None)

    def routing_to(self, host: Host) -> tuple[Snapshot, ...]:
        """Every routing object with a destination or a mirror of `host`."""
        return self._inventory.routing_to(host)

    def routing(self) -> tuple[Snapshot, ...]:
        """Every routing object."""
        return tuple(self._inventory.routing())

    def find(self, ref: TargetRef) -> Snapshot | None:
        """One routing object; None if there is none."""
        return self._inventory.get(ref)

    def marked(self) -> tuple[TargetRef, ...]:
        """What GitOps was told to leave alone by us."""
        return self._inventory.marked()

    def news(self) -> News:
        """Nothing changes in what was read beforehand."""
        return self._inventory.news()

    def read(self, ref: TargetRef) -> Snapshot:
        """One routing object. Raises NotFound."""
        found = self._inventory.get(ref)
        if found is None:
            raise NotFound(f"{ref} is in none of the files")
        rollouts = tuple(among(each, self._bodies[POD]) for each in found.driving.rollouts)
        return replace(found, driving=replace(found.driving, rollouts=rollouts), rules=told(found.rules, rollouts))

    def readiness(self, destination: Destination, labels: Mapping[str, str]) -> Readiness | None:
        """Counted among the EndpointSlices and Pods of the files; None where they hold no EndpointSlice."""
        return counted_in(self._bodies[ENDPOINT_SLICE], self._bodies[POD], destination, labels)

    def images(self, destination: Destination, labels: Mapping[str, str]) -> tuple[Ran, ...]:
        """What the Pods of the files run."""
        return images_in(self._bodies[ENDPOINT_SLICE], self._bodies[POD], destination, labels)

    def patch(self, ref: TargetRef, patch: Patch, *, dry_run: bool = False) -> Snapshot:  # noqa: ARG002 - the protocol's
        """Raises Rejected: files given with -f are never written."""
        raise Rejected(f"{ref} was read from a file that is only looked at")

    def abort(self, rollout: Rollout, *, dry_run: bool = False) -> None:  # noqa: ARG002 - the protocol's
        """Raises as `patch`."""
        raise Rejected(f"{rollout} was read from a file that is only looked at")


class _OfflineBrake:
    """Implements records.brake.Brake on pauses that were read beforehand."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    def pauses(self) -> tuple[Pause, ...]:
        return self._roster.all()

    def read(self) -> tuple[Pause, ...]:
        return self._roster.all()

    def pause(self, pause: Pause) -> None:
        raise Rejected(f"files given with -f are only looked at: not paused {pause}")

    def resume(self) -> tuple[Pause, ...]:
        raise Rejected("files given with -f are only looked at: nothing is resumed")


def read_manifests(
    paths: Iterable[str], stdin: str, namespaces: tuple[str, ...] = (), root_namespace: str = ROOT_NAMESPACE
) -> Offline:
    """Read manifests from files, folders (with their subfolders) and standard input.

    Args:
        paths: `-` is standard input.
        stdin: what stands on standard input.
        namespaces: globs; VirtualServices elsewhere are left out. DestinationRules count wherever they are, as on a
            cluster. Empty: all.
        root_namespace: Istio's.

    Raises:
        InputError: a path leads nowhere, an object stands twice, or there is no VirtualService in `namespaces`.
        Unavailable: a file cannot be read or understood.
    """
    found = [one for name, text in _texts(paths, stdin) for one in manifests(documents(text, name), name)]
    wanted = [one for one in found if one.ref.kind != VIRTUAL_SERVICE or _is_wanted(one.ref.namespace, namespaces)]
    homes = sorted({one.ref.namespace for one in found if one.ref.kind == VIRTUAL_SERVICE})
    if homes and not any(_is_wanted(home, namespaces) for home in homes):
        raise InputError(
            f"none of the VirtualServices given with -f is in {', '.join(namespaces)} (--namespaces);"
            f" they are in {', '.join(homes)}"
        )
    return Offline(wanted, root_namespace, all_routing=len(wanted) == len(found))


def _is_wanted(namespace: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(namespace, glob) for glob in globs)


def _texts(paths: Iterable[str], stdin: str) -> Iterator[tuple[str, str]]:
    """Name and text of each file; one that is reached twice comes once."""
    seen: set[Path] = set()
    for given in paths:
        if given == STDIN:
            yield "standard input", stdin
            continue
        path = Path(given)
        if not path.exists():
            raise InputError(f"-f {path}: no such file or folder")
        for file in _files(path) if path.is_dir() else [path]:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield str(file), Folder(file.parent).read(file)[0]


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(map(Path, Folder(folder).files()))
    except Unavailable as error:
        if isinstance(error.__cause__, FileNotFoundError):
            # The folder was there a moment ago, so it is a file in it.
            gone = error.__cause__.filename or folder
            raise InputError(f"-f {gone}: leads nowhere; mend the link, or name the files one by one") from error
        raise
