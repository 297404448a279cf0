"""Helm for tests: the chart rendered with values, as objects, or the error that it is refused with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.definitions import CrdLoader
from tests.processes import Missing

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "chart"
RELEASE = NAMESPACE = "remediator"


def binary() -> str:
    """Helm's path. Raises Missing."""
    found = os.environ.get("HELM_BIN") or shutil.which("helm")
    if not found or not os.access(found, os.X_OK):
        raise Missing("HELM_BIN is not set, and there is no helm in PATH; it names Helm's binary")
    return found


def helm(*arguments: str, values: Json | None = None) -> subprocess.CompletedProcess[str]:
    """Run Helm; `values` are what a file given by `-f` would hold."""
    more = () if values is None else ("--values", "-")
    return subprocess.run(
        (binary(), *arguments, *more),
        input=json.dumps(values or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass(frozen=True)
class Refused(Exception):
    """Helm does not render the chart with these values."""

    message: str


def render(values: Json | None = None, *more: str, release: str = RELEASE, namespace: str = NAMESPACE) -> list[Json]:
    """The objects that `helm template` makes, those of hooks too. Raises Refused."""
    done = helm("template", release, str(CHART), "--namespace", namespace, *more, values=values or {})
    if done.returncode:
        raise Refused(done.stderr)
    return [found for found in yaml.load_all(done.stdout, CrdLoader) if found]


def of_kind(objects: Iterable[Json], kind: str) -> list[Json]:
    """The objects of one kind."""
    return [found for found in objects if found["kind"] == kind]


def only(objects: Iterable[Json], kind: str) -> Json:
    """The one object of a kind."""
    (found,) = of_kind(objects, kind)
    return found


def container(objects: Iterable[Json]) -> Json:
    """The service's container."""
    (found,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def flags(objects: Iterable[Json]) -> list[str]:
    """What the service is started with, behind `serve`."""
    serve, *given = container(objects)["args"]
    assert "serve" == serve
    return given


def merged(parts: Sequence[Json]) -> Json:
    """Values that belong together; later ones win."""
    found: Json = {}
    for part in parts:
        for key, value in part.items():
            both = isinstance(value, dict) and isinstance(found.get(key), dict)
            found[key] = merged([found[key], value]) if both else value
    return found
