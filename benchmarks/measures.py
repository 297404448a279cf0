"""The measures: each does one thing again and again on the stage, and says how long that took."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks import fleet, history, plans
from benchmarks.deliveries import Deliveries
from benchmarks.direct import encoded
from benchmarks.figures import Samples
from benchmarks.stage import Stage
from benchmarks.witness import Witness
from remediator.pipeline.drafting import draft, granted, key_of
from remediator.records.wire import render
from tests.processes import binary
from tests.service import Service

_WARM_UP: Final = 20
_PLANNED: Final = 100
_LISTS: Final = (fleet.everywhere("virtualservices"), fleet.everywhere("destinationrules"), history.EVERYWHERE)
_BARE: Final = encoded(fleet.WITHDRAW)
_AT: Final = datetime(2026, 8, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ways to the same end, measured in turn."""

    ours: Samples
    other: Samples


@dataclass(frozen=True, slots=True)
class Latency:
    """One alert through the service and one bare PATCH, in turn; each in seconds from sending the request."""

    patched: Samples
    """Until a watch tells of the alert's patch."""
    answered: Samples
    """Until the alert's answer is read: Event and status are written by then."""
    bare: Samples
    """Until the bare PATCH's answer is read."""
    bare_heard: Samples
    """Until a watch tells of the bare PATCH."""


@dataclass(frozen=True, slots=True)
class Storm:
    """One notification with many alerts, and as many bare PATCHes; each round in seconds for all of them."""

    answered: Samples
    bare: Samples
    half: Samples
    """Until half of the VirtualServices were patched."""
    last: Samples
    """Until all were."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the service's two processes hold, in MiB."""

    worker: float
    """Resident (VmRSS) in the process that does the work; what it shares with the parent counts in full."""
    parent: float
    """Resident in gunicorn's parent."""
    both: float
    """Both together, what they share counted once (Pss)."""


@dataclass(frozen=True, slots=True)
class _Deed:
    """One VirtualService was changed. Times are seconds from sending the request."""

    number: int
    answered: float
    heard: float
    records: tuple[tuple[int, str], ...] = ()


def latency(stage: Stage, service: Service, samples: int) -> Latency:
    """One alert through the service, and one bare PATCH that does the same: A B, B A, A B …

    Between the two the fleet is walked through at a distance, so that whatever was put back has long been heard of.
    """
    size = stage.size
    ours: list[_Deed] = []
    bare: list[_Deed] = []
    with closing(stage.deliveries(service)) as deliveries, stage.witness() as witness:
        rounds = range(_WARM_UP + samples)
        for turn in stage.progress.track(f"one alert, {size} services", rounds, len(rounds)):
            mine, theirs = turn % size, (turn + size // 2) % size
            steps: list[tuple[list[_Deed], Callable[[], _Deed]]] = [
                (ours, partial(_alert, deliveries, witness, mine)),
                (bare, partial(_bare, stage, witness, theirs)),
            ]
            for deeds, step in steps[:: 1 if turn % 2 else -1]:
                deeds.append(step())
            for deed in (ours[-1], bare[-1]):
                _take_back(stage, witness, deed)
    ours, bare = ours[_WARM_UP:], bare[_WARM_UP:]
    return Latency(
        patched=Samples(tuple(deed.heard for deed in ours)),
        answered=Samples(tuple(deed.answered for deed in ours)),
        bare=Samples(tuple(deed.answered for deed in bare)),
        bare_heard=Samples(tuple(deed.heard for deed in bare)),
    )


def kubectl(stage: Stage, service: Service, samples: int) -> Pair:
    """One alert through the service until it is patched, and a process of `kubectl patch --type=json` until it ends, in
    turn."""
    ours: list[float] = []
    other: list[float] = []
    kubeconfig = stage.server.kubeconfig("guest")
    with (
        closing(stage.deliveries(service)) as deliveries,
        stage.witness() as witness,
        tempfile.TemporaryDirectory(prefix="kubectl-") as home,
    ):
        # The first run fills kubectl's cache of what the server serves; it does not count.
        for turn in stage.progress.track("kubectl", range(samples + 1), samples + 1):
            mine, theirs = turn % stage.size, (turn + stage.size // 2) % stage.size
            deed = _alert(deliveries, witness, mine)
            ours.append(deed.heard)
            other.append(_kubectl(theirs, kubeconfig, home))
            _take_back(stage, witness, deed)
            witness.heard(theirs, stage.put_back(theirs))
    return Pair(Samples(tuple(ours[1:])), Samples(tuple(other[1:])))


def storm(stage: Stage, service: Service, alerts: int, rounds: int) -> Storm:
    """One notification with an alert for each of many services, and as many bare PATCHes over as many connections
    as the service has threads."""
    numbers = range(alerts)
    answered: list[float] = []
    bare: list[float] = []
    heard: list[list[float]] = []
    for _ in stage.progress.track("storm", range(rounds), rounds):
        # Nobody is to watch the bare PATCHes but the service: a watch that falls behind slows the API server down.
        with closing(stage.deliveries(service)) as deliveries, stage.witness() as witness:
            answer = deliveries.send(numbers)()
            heard.append([witness.changed(number, None) - answer.sent_at for number in numbers])
        answered.append(answer.seconds)
        stage.forget(answer.records)
        _put_back_and_settle(stage, service, numbers)
        bare.append(stage.all("", partial(_send_bare, stage), numbers))
        _put_back_and_settle(stage, service, numbers)
    half, last = (Samples(tuple(map(found, heard))) for found in (median, max))
    return Storm(Samples(tuple(answered)), Samples(tuple(bare)), half, last)


def start(stage: Stage, times: int) -> Pair:
    """From the start of the service's process to /readyz saying 200; and a bare list of all that it has to read."""
    ours: list[float] = []
    other: list[float] = []
    for _ in stage.progress.track("starting", range(times), times):
        other.append(stage.all("", lambda kind: stage.guest.list_all(_LISTS[kind]), range(len(_LISTS))))
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
    cluster, seconds = plans.cluster(*range(_PLANNED)), []
    for turn in range(_WARM_UP + samples):
        body = plans.request(fleet.alert(turn % _PLANNED, _AT))
        begin = perf_counter()
        plans.planned(body, cluster)
        seconds.append(perf_counter() - begin)
    return Samples(tuple(seconds[_WARM_UP:]))


def drafting(samples: int) -> Samples:
    """What the intent takes on top of that: the undo and its proof, the record, and its JSON."""
    work = plans.planned(plans.request(fleet.alert(0, _AT)), plans.cluster(0))
    seconds = []
    for _ in range(_WARM_UP + samples):
        begin = perf_counter()
        first = granted(work)[0]
        json.dumps(render(draft(work, first, key_of(work, first).name(), _AT)))
        seconds.append(perf_counter() - begin)
    return Samples(tuple(seconds[_WARM_UP:]))


def _alert(deliveries: Deliveries, witness: Witness, number: int) -> _Deed:
    before = witness.version(number)
    answer = deliveries.send([number])()
    return _Deed(number, answer.seconds, witness.changed(number, before) - answer.sent_at, answer.records)


def _bare(stage: Stage, witness: Witness, number: int) -> _Deed:
    before = witness.version(number)
    begin = perf_counter()
    _send_bare(stage, number)
    answered = perf_counter() - begin
    return _Deed(number, answered, witness.changed(number, before) - begin)


def _send_bare(stage: Stage, number: int) -> None:
    stage.guest.patch(fleet.path(number), _BARE)


def _take_back(stage: Stage, witness: Witness, deed: _Deed) -> None:
    """Have everything as it was before."""
    stage.forget(deed.records)
    witness.heard(deed.number, stage.put_back(deed.number))


def _put_back_and_settle(stage: Stage, service: Service, numbers: Iterable[int]) -> None:
    stage.all("", lambda number: _put_back(stage, number), numbers)
    stage.settle(service)


def _put_back(stage: Stage, number: int) -> None:
    stage.put_back(number)


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
