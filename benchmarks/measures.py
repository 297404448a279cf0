"""The measures: each does one thing again and again on the stage, and says how long that took."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks import fleet
from benchmarks.figures import Samples
from benchmarks.stage import Deliveries, Stage, encoded
from remediator.alerts import decode, parse_notification
from remediator.pipeline.preparation import prepare
from remediator.policies.matchers import parse_matcher
from remediator.policies.model import Action, Mode, Policy, PolicySet, TargetSpec
from tests.builders import notification
from tests.fakes import FakeCluster
from tests.processes import binary
from tests.service import Service

_WARM_UP: Final = 20
_PLANNED: Final = 100
_KINDS: Final = ("virtualservices", "destinationrules")
_BARE: Final = encoded(fleet.WITHDRAW)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ways to the same end, measured in turn."""

    ours: Samples
    other: Samples


@dataclass(frozen=True, slots=True)
class Memory:
    """What the service's two processes hold, in MiB."""

    worker: float
    """Resident (VmRSS) in the process that does the work; what it shares with the parent counts in full."""
    parent: float
    """Resident in gunicorn's parent."""
    both: float
    """Both together, what they share counted once (Pss)."""


def latency(stage: Stage, service: Service, samples: int) -> Pair:
    """One alert through the service, and one bare PATCH that does the same: A B, B A, A B …

    Between the two the fleet is walked through at a distance, so that whatever was put back has long been heard of.
    """
    size = stage.size
    ours: list[float] = []
    other: list[float] = []
    with closing(Deliveries(service)) as deliveries:
        rounds = range(_WARM_UP + samples)
        for number in stage.progress.track(f"one alert, {size} services", rounds, len(rounds)):
            mine, bare = number % size, (number + size // 2) % size
            steps: list[tuple[list[float], Callable[[], float]]] = [
                (ours, deliveries.send([mine])),
                (other, partial(_bare, stage, bare)),
            ]
            for times, step in steps[:: 1 if number % 2 else -1]:
                times.append(step())
            stage.put_back(mine)
            stage.put_back(bare)
    return Pair(Samples(tuple(ours[_WARM_UP:])), Samples(tuple(other[_WARM_UP:])))


def kubectl(stage: Stage, service: Service, samples: int) -> Pair:
    """One alert through the service, and a process of `kubectl patch --type=json` that does the same, in turn."""
    ours: list[float] = []
    other: list[float] = []
    kubeconfig = stage.server.kubeconfig("guest")
    with closing(Deliveries(service)) as deliveries, tempfile.TemporaryDirectory(prefix="kubectl-") as home:
        # The first run fills kubectl's cache of what the server serves; it does not count.
        for number in stage.progress.track("kubectl", range(samples + 1), samples + 1):
            mine, theirs = number % stage.size, (number + stage.size // 2) % stage.size
            ours.append(deliveries.send([mine])())
            other.append(_kubectl(theirs, kubeconfig, home))
            stage.put_back(mine)
            stage.put_back(theirs)
    return Pair(Samples(tuple(ours[1:])), Samples(tuple(other[1:])))


def storm(stage: Stage, service: Service, alerts: int, rounds: int) -> Pair:
    """One notification with an alert for each of many services, and as many bare PATCHes over as many connections
    as the service has threads; each round in seconds for all of them."""
    numbers = range(alerts)
    ours: list[float] = []
    other: list[float] = []
    for _ in stage.progress.track("storm", range(rounds), rounds):
        with closing(Deliveries(service)) as deliveries:
            ours.append(deliveries.send(numbers)())
        _put_back_and_settle(stage, service, numbers)
        other.append(stage.all("", lambda number: stage.guest.patch(fleet.path(number), _BARE), numbers))
        _put_back_and_settle(stage, service, numbers)
    return Pair(Samples(tuple(ours)), Samples(tuple(other)))


def start(stage: Stage, times: int) -> Pair:
    """From the start of the service's process to /readyz saying 200; and a bare list of all that it has to read."""
    ours: list[float] = []
    other: list[float] = []
    for _ in stage.progress.track("starting", range(times), times):
        other.append(stage.all("", lambda kind: stage.guest.list_all(fleet.everywhere(_KINDS[kind])), range(2)))
        begin = perf_counter()
        with stage.service():
            ours.append(perf_counter() - begin)
    return Pair(Samples(tuple(ours)), Samples(tuple(other)))


def memory(service: Service) -> Memory:
    """What the service's processes hold now (Linux's /proc)."""
    parent = service.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    if len(children) != 1:
        raise RuntimeError(f"one worker process is expected; the parent has {len(children)}")
    worker = int(children[0])
    both = _mebibytes(parent, "smaps_rollup", "Pss") + _mebibytes(worker, "smaps_rollup", "Pss")
    return Memory(_mebibytes(worker, "status", "VmRSS"), _mebibytes(parent, "status", "VmRSS"), both)


def planning(samples: int) -> Samples:
    """All that is done for one alert between the two ends of the network, in this process: decode, parse, match, look
    up, plan, render and prove."""
    bodies = [body for number in range(_PLANNED) for body in (_stored(number), fleet.destination_rule(number))]
    cluster, policies, seconds = FakeCluster(*bodies), PolicySet((_policy(),)), []
    for number in range(_WARM_UP + samples):
        body = json.dumps(notification([fleet.alert(number % _PLANNED)])).encode()
        begin = perf_counter()
        prepared = prepare(parse_notification(decode(body)).alerts, policies, cluster)
        seconds.append(perf_counter() - begin)
        if len(prepared.works) != 1 or prepared.works[0].proposal.patch is None:
            raise RuntimeError(f"one patch was to be planned: {prepared}")
    return Samples(tuple(seconds[_WARM_UP:]))


def _put_back_and_settle(stage: Stage, service: Service, numbers: Iterable[int]) -> None:
    stage.all("", stage.put_back, numbers)
    with closing(Deliveries(service)) as deliveries:
        stage.settle(deliveries)


def _bare(stage: Stage, number: int) -> float:
    path = fleet.path(number)
    begin = perf_counter()
    stage.guest.patch(path, _BARE)
    return perf_counter() - begin


def _kubectl(number: int, kubeconfig: Path, home: str) -> float:
    ref = fleet.target(number)
    command = (
        *(binary("KUBEBUILDER_ASSETS", "kubectl"), "--kubeconfig", str(kubeconfig), "--namespace", ref.namespace),
        *("patch", "virtualservices.networking.istio.io", ref.name, "--type=json", "--patch", _BARE.decode()),
    )
    begin = perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"HOME": home}, timeout=60)
    return perf_counter() - begin


def _mebibytes(process: int, file: str, key: str) -> float:
    """A line of a file in /proc/PID, in MiB; it is given in KiB."""
    for line in Path(f"/proc/{process}/{file}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) / 1024
    raise RuntimeError(f"/proc/{process}/{file} has no {key}")


def _stored(number: int) -> fleet.Json:
    body = fleet.virtual_service(number)
    return body | {"metadata": body["metadata"] | {"uid": f"uid-{number}", "resourceVersion": "1"}}


def _policy() -> Policy:
    return Policy(
        name="canary",
        description="",
        matchers=(parse_matcher('alertname =~ "Canary.*"'),),
        target=TargetSpec(),
        actions=(Action.REVERT_TO_STABLE, Action.REMOVE_MIRRORS),
        mode=Mode.ENFORCE,
    )
