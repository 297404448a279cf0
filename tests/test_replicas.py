"""Two processes and no leader: they meet at the records in the API server, and nowhere else."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import count

import pytest

from remediator.traffic.stamp import stamp_of
from tests.builders import alert, destination, labels, notification, split, virtual_service
from tests.canaries import FIRING_SINCE, Canaries, Json, content, delivery, main_route, phase, same_patch, without_v2
from tests.contract import manifest
from tests.counting import Passage
from tests.processes import wait_until
from tests.real_world import cleared, collection_of
from tests.replica import DEADLINE_S, Replica, running_replica
from tests.servers import ApiServer
from tests.service import PERMISSIONS

pytestmark = pytest.mark.servers

PATCH = "patch virtualservices"
STEPS = ("create remediations", PATCH, "create events", "patch remediations/status")
NOTIFICATIONS = 200
NAMESPACES = 8
SENDERS = 8
"""Connections to each process."""

_numbers = count()


@pytest.fixture(scope="module")
def canaries(api_server: ApiServer) -> Canaries:
    cleared(api_server)
    api_server.allow("guest", *PERMISSIONS)
    return Canaries(api_server)


@pytest.fixture(scope="module")
def both(canaries: Canaries) -> Iterator[tuple[Replica, Replica]]:
    with ExitStack() as stack:
        yield (
            stack.enter_context(running_replica(canaries.server)),
            stack.enter_context(running_replica(canaries.server)),
        )


@pytest.fixture
def one(both: tuple[Replica, Replica]) -> Replica:
    both[0].proxy.recount()
    return both[0]


@pytest.fixture
def other(both: tuple[Replica, Replica]) -> Replica:
    both[1].proxy.recount()
    return both[1]


@pytest.fixture
def namespace(both: tuple[Replica, Replica], canaries: Canaries) -> str:
    """With a canary that both know."""
    name = f"shared-{next(_numbers)}"
    canaries.create(name)
    for replica in both:
        replica.knows(name)
    return name


@pytest.fixture(
    params=[
        pytest.param(None, id="its index is up to date"),
        pytest.param("/remediations", id="its index of records lags"),
        pytest.param("/virtualservices", id="its index of routes lags"),
        pytest.param("/", id="its index lags"),
    ]
)
def index(request: pytest.FixtureRequest, other: Replica, namespace: str) -> Iterator[None]:
    """What the other process has heard since the canary came."""
    with other.proxy.muted(request.param) if request.param else nullcontext():
        yield


def sent(both: tuple[Replica, Replica], namespace: str) -> list[Passage]:
    """The patches that the server carried out for either of them."""
    return [passage for replica in both for passage in replica.proxy.made(PATCH, namespace)]


class Gate:
    """Holds the requests of a kind until it is opened."""

    def __init__(self, step: str, number: int = 1) -> None:
        self._step = step
        self._number = number
        self._lock = threading.Lock()
        self.arrived = threading.Event()
        self.opened = threading.Event()

    def __call__(self, passage: Passage) -> None:
        """A hook of a proxy: the request of this number waits."""
        if passage.step == self._step:
            with self._lock:
                self._number -= 1
                held = self._number == 0
            if held:
                self.arrived.set()
                assert self.opened.wait(DEADLINE_S), f"nobody opened the gate before {self._step}"

    def reached(self) -> None:
        """Wait until a request waits here."""
        assert self.arrived.wait(DEADLINE_S), f"nobody asked to {self._step}"


@contextmanager
def held(replica: Replica, step: str, number: int = 1) -> Iterator[Gate]:
    """Hold the request of this kind and number that comes from `replica`; with the block's end it goes on."""
    gate = Gate(step, number)
    replica.proxy.before = gate
    try:
        yield gate
    finally:
        gate.opened.set()


# -- a storm

Fleet = tuple[tuple[str, str], ...]
"""Namespace and name of each canary."""


def fleet(prefix: str) -> Fleet:
    return tuple((f"{prefix}-{number % NAMESPACES}", f"service-{number}") for number in range(NOTIFICATIONS))


def created(canaries: Canaries, where: Fleet) -> list[Json]:
    """A canary at each of these places, with a mirror."""
    canaries.server.namespace(*{namespace for namespace, _ in where})

    def create(each: tuple[str, str]) -> Json:
        namespace, name = each
        route = {"route": split(name, v1=90, v2=10), "mirror": destination("v2", name)}
        body = manifest(virtual_service(route, name=name, namespace=namespace))
        return canaries.server.request("POST", collection_of("VirtualService", namespace), body)

    with ThreadPoolExecutor(SENDERS) as pool:
        return list(pool.map(create, where))


def about(namespace: str, name: str) -> Json:
    """The notification that this canary is ill."""
    found = alert(labels(name=name, namespace=namespace), fingerprint=f"{namespace}/{name}")
    return notification([found | {"startsAt": FIRING_SINCE}])


def knows_all(replica: Replica, where: Fleet) -> bool:
    return set(where) <= {(each["namespace"], each["name"]) for each in replica.exposures()}


def stormed(replica: Replica, where: Fleet, seed: int) -> list[tuple[int, list[Json]]]:
    """Deliver all to one process, a tenth of them twice, in the order that `seed` makes; every answer."""
    dice = random.Random(seed)
    order = [*where, *dice.sample(where, NOTIFICATIONS // 10)]
    dice.shuffle(order)
    with ThreadPoolExecutor(SENDERS) as senders:
        return list(senders.map(lambda each: replica.deliver(about(*each)), order))


@pytest.mark.parametrize(
    ("prefix", "seeds"),
    [
        pytest.param("apart", (1, 2), id="in different orders"),
        pytest.param("abreast", (3, 3), id="in the same order, so that both are at the same object"),
    ],
)
def test_two_processes_get_the_same_storm(
    both: tuple[Replica, Replica], canaries: Canaries, prefix: str, seeds: tuple[int, int]
) -> None:
    where = fleet(prefix)
    before = created(canaries, where)
    for replica in both:
        wait_until(partial(knows_all, replica, where), "all are known", DEADLINE_S)

    with ThreadPoolExecutor(2) as pool:
        storms = pool.map(stormed, both, (where, where), seeds)
    answers = [answer for each in storms for answer in each]

    assert {200: 2 * (NOTIFICATIONS + NOTIFICATIONS // 10)} == Counter(code for code, _ in answers)
    rows = [row for _, rows in answers for row in rows]
    assert {("Applied", "Patched"), ("Unchanged", "NotExposed")} == {(row["outcome"], row["reason"]) for row in rows}
    once = {f"{namespace}/{name}": 1 for namespace, name in where}
    assert once == Counter(row["fingerprint"] for row in rows if row["outcome"] == "Applied")
    judge(both, canaries, before)


def judge(both: tuple[Replica, Replica], canaries: Canaries, before: list[Json]) -> None:
    """One record, one patch and one Event for each canary."""
    uids = {body["metadata"]["uid"]: body for body in before}
    namespaces = {body["metadata"]["namespace"] for body in before}
    records = [record for record in canaries.records() if record["metadata"]["namespace"] in namespaces]
    patches = [patch for namespace in namespaces for patch in sent(both, namespace)]
    told = [event for event in canaries.events() if event["metadata"]["namespace"] in namespaces]
    assert dict.fromkeys(uids, 1) == Counter(record["spec"]["target"]["uid"] for record in records)
    assert dict.fromkeys(uids, 1) == Counter(patch.answer["metadata"]["uid"] for patch in patches)
    assert dict.fromkeys(uids, 1) == Counter(event["regarding"]["uid"] for event in told)
    assert {"Applied": len(uids)} == Counter(map(phase, records))

    live = {body["metadata"]["uid"]: body for body in canaries.all_live()}
    made = {patch.answer["metadata"]["uid"]: patch for patch in patches}
    for record in records:
        uid = record["spec"]["target"]["uid"]
        was, now = uids[uid], live[uid]
        assert was["metadata"]["generation"] + 1 == now["metadata"]["generation"]
        assert record["metadata"]["name"] == stamp_of(now)
        assert [{"route": split(was["metadata"]["name"], v1=100, v2=0)}] == now["spec"]["http"]
        assert same_patch(record, made[uid].body), "the record says what was really done"


# -- one of them comes late


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.usefixtures("index")
def test_one_is_overtaken_by_the_other(
    one: Replica, other: Replica, canaries: Canaries, namespace: str, step: str
) -> None:
    """It stood still before a request (a long pause, a slow network), and sends it when all has been done."""
    before = canaries.live(namespace)
    with ThreadPoolExecutor(1) as pool:
        with held(one, step) as gate:
            late = pool.submit(one.deliver, delivery(namespace))
            gate.reached()
            code, (quick,) = other.deliver(delivery(namespace))
        (late_code, (slow,)) = late.result(DEADLINE_S)

    record = canaries.record(namespace)
    name = record["metadata"]["name"]
    assert (200, 200, name, name) == (code, late_code, quick["remediation"], slow["remediation"])
    assert ["Applied", "Unchanged"] == sorted((quick["outcome"], slow["outcome"]))
    assert "Applied" == phase(record)
    assert content(without_v2(before, name)) == content(canaries.live(namespace))
    (patch,) = sent((one, other), namespace)
    assert same_patch(record, patch.body)
    assert ["Patched"] == [reason for reason, _ in canaries.story(namespace)]


@pytest.mark.parametrize(
    ("step", "delivered"),
    [
        *(pytest.param(step, True, id=f"{step}, and the other has done it") for step in STEPS),
        *(pytest.param(step, False, id=f"{step}, and the other knows nothing of it") for step in STEPS[2:]),
    ],
)
@pytest.mark.usefixtures("index")
def test_one_comes_late_and_a_person_has_undone_it(
    one: Replica, other: Replica, canaries: Canaries, namespace: str, step: str, delivered: bool
) -> None:
    before = canaries.live(namespace)
    with ThreadPoolExecutor(1) as pool:
        with held(one, step) as gate:
            late = pool.submit(one.deliver, delivery(namespace))
            gate.reached()
            if delivered:
                other.deliver(delivery(namespace))
            code, answer = other.undo(canaries.record(namespace))
            assert (200, "Applied") == (code, answer["outcome"])
        code, (slow,) = late.result(DEADLINE_S)

    assert 200 == code
    expected = ("Denied", "Undone") if step in STEPS[:2] else ("Applied", "Patched")
    assert expected == (slow["outcome"], slow["reason"])
    assert content(before) == content(canaries.live(namespace)), "a person's decision stands"
    assert "Undone" == phase(canaries.record(namespace))
    assert 2 == len(sent((one, other), namespace)), "there and back"


@pytest.mark.usefixtures("index")
def test_what_one_has_done_the_other_finds(one: Replica, other: Replica, canaries: Canaries, namespace: str) -> None:
    """Twice, since somebody brought the canary back between; and then a person undoes the second time."""
    one.deliver(delivery(namespace))
    first = canaries.record(namespace)["metadata"]["name"]
    _, (row,) = other.deliver(delivery(namespace))
    assert ("Unchanged", first) == (row["outcome"], row["remediation"])

    before = canaries.edit(namespace, lambda body: main_route(body).update(route=split(v1=50, v2=50)))
    _, (row,) = one.deliver(delivery(namespace))
    assert ("Applied", f"{first}-2") == (row["outcome"], row["remediation"])
    _, (row,) = other.deliver(delivery(namespace))
    assert ("Unchanged", f"{first}-2") == (row["outcome"], row["remediation"])

    records = {record["metadata"]["name"]: record for record in canaries.records(namespace)}
    assert 200 == one.undo(records[f"{first}-2"])[0]
    _, (row,) = other.deliver(delivery(namespace))
    assert ("Denied", "Undone") == (row["outcome"], row["reason"])
    assert content(before) == content(canaries.live(namespace))
    assert {first, f"{first}-2"} == {record["metadata"]["name"] for record in canaries.records(namespace)}


def test_another_alert_that_accuses_the_same_version_obeys_an_undo(
    one: Replica, other: Replica, canaries: Canaries, namespace: str
) -> None:
    before = canaries.live(namespace)
    one.deliver(delivery(namespace))
    record = canaries.record(namespace)
    one.undo(record)
    path = f"/api/v1/remediations/{namespace}/{record['metadata']['name']}"
    wait_until(lambda: "Undone" == phase(other.service.ask("GET", path)[1]), "the other knows of the undo", DEADLINE_S)

    code, (row,) = other.deliver(delivery(namespace, fingerprint="latency"))

    assert (200, "Denied", "Undone") == (code, row["outcome"], row["reason"])
    assert content(before) == content(canaries.live(namespace))
    assert "Undone" == phase(canaries.record(namespace)), "and no other record is begun"


# -- both at the same moment


def test_both_send_their_patch_at_once(one: Replica, other: Replica, canaries: Canaries, namespace: str) -> None:
    before = canaries.live(namespace)
    with ThreadPoolExecutor(2) as pool:
        with held(one, PATCH) as first, held(other, PATCH) as second:
            answers = [pool.submit(replica.deliver, delivery(namespace)) for replica in (one, other)]
            first.reached()
            second.reached()
        rows = [row for answer in answers for row in answer.result(DEADLINE_S)[1]]

    record = canaries.record(namespace)
    assert ["Applied", "Unchanged"] == sorted(row["outcome"] for row in rows)
    assert "Applied" == phase(record)
    assert content(without_v2(before, record["metadata"]["name"])) == content(canaries.live(namespace))
    (patch,) = sent((one, other), namespace)
    assert same_patch(record, patch.body)
    assert ["Patched"] == [reason for reason, _ in canaries.story(namespace)]


def test_two_alerts_accuse_one_canary_at_once(one: Replica, other: Replica, canaries: Canaries, namespace: str) -> None:
    """Two records are begun, and one of them is carried out; the other says that nothing was left to do."""
    before = canaries.live(namespace)
    with ThreadPoolExecutor(2) as pool:
        with held(one, PATCH) as first, held(other, PATCH) as second:
            answers = [
                pool.submit(one.deliver, delivery(namespace, fingerprint="errors")),
                pool.submit(other.deliver, delivery(namespace, fingerprint="latency")),
            ]
            first.reached()
            second.reached()
        rows = [row for answer in answers for row in answer.result(DEADLINE_S)[1]]

    records = {phase(record): record for record in canaries.records(namespace)}
    assert {"Applied", "Expired"} == set(records)
    assert ["Applied", "Unchanged"] == sorted(row["outcome"] for row in rows)
    (patch,) = sent((one, other), namespace)
    assert same_patch(records["Applied"], patch.body)
    assert ["Patched"] == [reason for reason, _ in canaries.story(namespace)]
    assert 200 == other.undo(records["Applied"])[0]
    assert content(before) == content(canaries.live(namespace))


def test_both_undo_at_once(one: Replica, other: Replica, canaries: Canaries, namespace: str) -> None:
    before = canaries.live(namespace)
    one.deliver(delivery(namespace))
    record = canaries.record(namespace)
    with ThreadPoolExecutor(2) as pool:
        with held(one, PATCH) as first, held(other, PATCH) as second:
            answers = [pool.submit(replica.undo, record) for replica in (one, other)]
            first.reached()
            second.reached()
        codes, bodies = zip(*(answer.result(DEADLINE_S) for answer in answers), strict=True)

    assert (200, 200) == codes
    assert ["Applied", "Unchanged"] == sorted(body["outcome"] for body in bodies)
    assert content(before) == content(canaries.live(namespace))
    assert "Undone" == phase(canaries.record(namespace))
    assert 2 == len(sent((one, other), namespace)), "there and back"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(1, ("Unchanged", "NotExposed"), id="before it is noted that it was asked for"),
        pytest.param(2, ("Denied", "Undone"), id="when the traffic is back, and before that is noted"),
    ],
)
def test_the_alert_goes_on_in_the_middle_of_an_undo(
    one: Replica, other: Replica, canaries: Canaries, namespace: str, status: int, expected: tuple[str, str]
) -> None:
    before = canaries.live(namespace)
    one.deliver(delivery(namespace))
    record = canaries.record(namespace)
    with ThreadPoolExecutor(1) as pool:
        with held(one, "patch remediations/status", status) as gate:
            undo = pool.submit(one.undo, record)
            gate.reached()
            code, (row,) = other.deliver(delivery(namespace))
            assert (200, *expected) == (code, row["outcome"], row["reason"])
        code, answer = undo.result(DEADLINE_S)

    assert (200, "Applied") == (code, answer["outcome"])
    assert content(before) == content(canaries.live(namespace))
    assert "Undone" == phase(canaries.record(namespace))
