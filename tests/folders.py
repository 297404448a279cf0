"""Short ways to fill a folder with manifests, and somebody who edits them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from remediator.cluster.folder import Folder, Stamp
from remediator.cluster.local import LocalCluster
from remediator.outcome import TargetRef
from tests.builders import Json, destination_rule
from tests.contract import REF, manifest, withdrawal


class LocalWorld:
    """A folder with one file for each object; somebody edits it without a lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = LocalCluster(folder)

    def path(self, ref: TargetRef) -> Path:
        return self.folder / f"{ref.kind}-{ref.namespace}-{ref.name}.yaml"

    def create(self, body: Json) -> None:
        ref = TargetRef(body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"])
        self.path(ref).write_text(yaml.safe_dump(body, sort_keys=False))

    def edit(self, ref: TargetRef, change: Callable[[Json], Any]) -> None:
        body = yaml.safe_load(self.path(ref).read_text())
        change(body)
        self.path(ref).write_text(yaml.safe_dump(body, sort_keys=False))

    def delete(self, ref: TargetRef) -> None:
        self.path(ref).unlink()

    def eventually(self, condition: Callable[[], object]) -> object:
        """A folder is looked at when it is asked about, so there is nothing to wait for."""
        result = condition()
        assert result
        return result


class CountingFolder(Folder):
    """Remembers what was read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[str] = []

    def read(self, path: Path) -> tuple[str, Stamp]:
        self.opened.append(path.name)
        return super().read(path)


def dump(*bodies: Json) -> str:
    return yaml.safe_dump_all(bodies, sort_keys=False, allow_unicode=True)


def patch_canary(cluster: LocalCluster) -> None:
    cluster.patch(REF, withdrawal(cluster.read(REF)))


def rule() -> Json:
    return manifest(destination_rule(v1="1", v2="2"))


class LocalLedgerWorld:
    """A folder, and two clusters on it, as two processes have them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = LocalCluster(folder).ledger
        self.bare = LocalCluster(folder).ledger

    def eventually(self, condition: Callable[[], object]) -> object:
        """As `LocalWorld.eventually`."""
        result = condition()
        assert result
        return result


@contextmanager
def powerless() -> Iterator[Path]:
    """A folder of ours, and a process that file modes hold for: root is nobody meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        user = os.geteuid()
        if user == 0:
            os.chown(name, 65534, -1)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            os.seteuid(user)
