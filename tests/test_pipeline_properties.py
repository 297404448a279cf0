"""Whatever happens in whatever order, records and traffic end in agreement: random histories of one object."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

from remediator.errors import ClusterError, Unavailable
from remediator.outcome import AlertOutcome, Reason, TargetRef
from remediator.policies.model import Mode
from remediator.records.model import Phase, Remediation
from remediator.traffic.patch import Operation, Patch
from remediator.traffic.stamp import stamp_of
from tests.builders import alert, labels, split
from tests.fakes import FakeCluster
from tests.test_pipeline import policy
from tests.test_pipeline_records import (
    AT_ONCE,
    MANY,
    REVIEWS,
    RULE,
    Crash,
    Json,
    Mesh,
    Step,
    at,
    content,
    die,
    words,
)

STABLE, *CANARIES = VERSIONS = ("v1", "v2", "v3")
ALERTS = {
    "a": alert(labels("v2"), fingerprint="a" * 16),
    "b": alert(labels("v3"), fingerprint="b" * 16),
    "c": alert(labels("v2"), fingerprint="c" * 16),
}
LAST_STEP = 11
"""Few deliveries and undos make more steps than this; where one makes fewer, it has no trouble."""


@pytest.fixture(autouse=True, scope="module")
def _without_logs() -> Iterator[None]:
    """The outcomes of hundreds of histories would hide the one that fails."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@dataclass(frozen=True)
class Change:
    """One change of the object that the server carried out."""

    patch: Patch
    before: Json
    after: Json

    @property
    def takes_away(self) -> bool:
        """Whether it takes traffic from the canaries; the undo of such a one gives it back."""
        return weights(self.before)[STABLE] < weights(self.after)[STABLE]


class Witness(FakeCluster):
    """Remembers every patch that it accepted; its index may fall behind."""

    lags = False
    """Whether what is stored from now on is not indexed."""

    def __init__(self, *bodies: Json) -> None:
        self._accepted: list[Change] = []
        super().__init__(*bodies)

    @property
    def changes(self) -> list[Change]:
        """What was changed by patches, in order; no dry run."""
        pairs = zip(self._accepted, self.patches, strict=True)
        return [change for change, (_, dry_run) in pairs if not dry_run]

    def put(self, body: Json, *, indexed: bool = True) -> None:
        super().put(body, indexed=indexed and not self.lags)

    def _patched(self, ref: TargetRef, patch: Patch) -> Json:
        before = self.stored[ref]
        after = super()._patched(ref, patch)
        self._accepted.append(Change(patch, before, after))
        return after


def weights(body: Json) -> dict[str, int]:
    return dict(zip(VERSIONS, (share["weight"] for share in body["spec"]["http"][0]["route"]), strict=True))


def wanted_by_a_person(mesh: Mesh) -> set[str | None]:
    """The canaries to which a person gave their traffic back, or wanted to."""
    return {suspect.version for record in mesh.records if record.taken_back for suspect in record.intent.suspects}


@contextmanager
def what_was_given_back_stays(mesh: Mesh) -> Iterator[None]:
    """All alerts fire since before any undo, so a delivery leaves these canaries at least what they have."""
    wanted, before = wanted_by_a_person(mesh), weights(mesh.live)
    try:
        yield
    finally:
        lost = {version for version, weight in weights(mesh.live).items() if weight < before[version]}
        assert not lost & wanted, f"a person gave {lost & wanted} its traffic back, and it was taken away again"


# What may happen. Each is a value, so that a failing history can be read.


@dataclass(frozen=True)
class Deliver:
    alerts: tuple[str, ...]
    mode: Mode = Mode.ENFORCE

    def play(self, mesh: Mesh) -> tuple[AlertOutcome, ...]:
        with what_was_given_back_stays(mesh):
            rows = mesh.deliver(*(ALERTS[name] for name in self.alerts), ceiling=self.mode)
        bugs = [row.message for row in rows if row.reason is Reason.INTERNAL_ERROR]
        assert not bugs, f"a bug was met: {bugs}"
        return rows


@dataclass(frozen=True)
class Undo:
    number: int
    """Of the record, by name; counted around."""

    def play(self, mesh: Mesh) -> None:
        if records := mesh.records:
            mesh.undo(records[self.number % len(records)].name)


@dataclass(frozen=True)
class Label:
    """Somebody edits what has nothing to do with traffic."""

    text: str

    def play(self, mesh: Mesh) -> None:
        mesh.cluster.edit(REVIEWS, lambda body: body["metadata"].update(labels={"team": self.text}), indexed=True)


@dataclass(frozen=True)
class BringBack:
    """Somebody gives the canaries their traffic again, without an undo."""

    def play(self, mesh: Mesh) -> None:
        route = split(v1=80, v2=10, v3=10)
        mesh.cluster.edit(REVIEWS, lambda body: body["spec"]["http"][0].update(route=route), indexed=True)


Act = Deliver | Undo | Label | BringBack


@dataclass(frozen=True)
class Dies:
    """The process ends."""

    def strike(self, mesh: Mesh, name: str) -> None:
        die(name)


@dataclass(frozen=True)
class NoAnswer:
    """The request was not sent, or was carried out and its answer lost: by the step at which it happens."""

    def strike(self, mesh: Mesh, name: str) -> None:
        raise Unavailable(f"the connection broke at {name}")


@dataclass(frozen=True)
class Meanwhile:
    """Another replica, or a person, does all this in between."""

    act: Act

    def strike(self, mesh: Mesh, name: str) -> None:
        self.act.play(mesh)


@dataclass(frozen=True)
class Turn:
    """One act, the trouble that it meets, and when."""

    act: Act
    trouble: Dies | NoAnswer | Meanwhile | None = None
    step: int = 0
    lags: bool = False
    """Whether the cluster's index does not hear of what is changed."""

    def play(self, mesh: Mesh) -> None:
        cluster = witness(mesh)
        cluster.lags, cluster.step = self.lags, self._step(mesh)
        with suppress(Crash, ClusterError):
            self.act.play(mesh)
        cluster.lags, cluster.step = False, lambda _name: None

    def _step(self, mesh: Mesh) -> Step:
        trouble = self.trouble
        return at(self.step, lambda name: trouble.strike(mesh, name)) if trouble else lambda _name: None


def histories(*modes: Mode) -> st.SearchStrategy[list[Turn]]:
    names = st.lists(st.sampled_from(tuple(ALERTS)), min_size=1, max_size=3, unique=True).map(tuple)
    deliveries = st.builds(Deliver, names, st.sampled_from(modes))
    edits = st.builds(Label, st.sampled_from(("shop", "web"))) | st.builds(BringBack)
    # Deliveries are what most histories are made of.
    requests = deliveries | deliveries | st.builds(Undo, st.integers(0, 3))
    troubles = st.none() | st.builds(Dies) | st.builds(NoAnswer) | st.builds(Meanwhile, requests | edits)
    lags = st.booleans()
    turns = st.builds(Turn, requests, troubles, st.integers(0, LAST_STEP), lags) | st.builds(Turn, edits, lags=lags)
    return st.lists(turns, min_size=1, max_size=6)


@contextmanager
def a_mesh() -> Iterator[Mesh]:
    with ThreadPoolExecutor(1) as executor:
        yield Mesh(Witness(MANY, RULE), executor, (policy(guards=AT_ONCE),))


def witness(mesh: Mesh) -> Witness:
    assert isinstance(mesh.cluster, Witness)
    return mesh.cluster


@dataclass
class Story:
    """What is known when all is over."""

    mesh: Mesh
    answers: list[tuple[AlertOutcome, ...]]
    """Of the last deliveries, to which nothing happened."""

    @property
    def records(self) -> dict[str, Remediation]:
        return {record.name: record for record in self.mesh.records}

    def sent(self) -> dict[str, list[list[Operation]]]:
        """The patches that took traffic away, by the record that each wrote on the object."""
        found = defaultdict(list)
        for change in witness(self.mesh).changes:
            if change.takes_away:
                found[stamp_of(change.after) or "no record"].append(change.patch.operations)
        return found


def told(history: list[Turn]) -> Story:
    """Play it, then let Alertmanager deliver everything three times in peace; nothing of that is wrong."""
    with a_mesh() as mesh:
        for turn in history:
            turn.play(mesh)
        return Story(mesh, [Deliver(tuple(ALERTS)).play(mesh) for _ in range(3)])


def assert_consistent(history: list[Turn]) -> None:
    note("\n".join(map(str, history)))
    story = told(history)
    assert_each_patch_has_its_record(story)
    assert_each_record_is_true(story)
    assert_traffic_is_where_a_person_wants_it(story)
    assert not any(row.retriable for row in story.answers[-1]), f"asked to deliver again: {words(story.answers[-1])}"
    assert_the_last_one_can_be_undone(story.mesh)


def assert_each_patch_has_its_record(story: Story) -> None:
    for name, patches in story.sent().items():
        assert len(patches) == 1, f"{len(patches)} patches were made under the record {name}"
        assert name in story.records, f"a patch was made without a record: {name}"
        record = story.records[name]
        is_known = record.status.phase in (Phase.APPLIED, Phase.UNDONE) or record.status.undo is not None
        assert is_known, f"{name} was patched, and its record says {record.status.phase}"
        assert record.intent.mode is Mode.ENFORCE, f"{name} was patched, in mode {record.intent.mode}"
        assert list(record.intent.patch) in patches, f"the patch of {name} is not the one that was sent"


def assert_each_record_is_true(story: Story) -> None:
    sent = story.sent()
    for name, record in story.records.items():
        phase = record.status.phase
        was_made = phase not in (Phase.APPLIED, Phase.UNDONE) or name in sent
        assert was_made, f"{name} is {phase}, and no patch of it was made"
        assert phase is not Phase.PLANNED or record.status.undo is not None, f"{name} was left Planned"


def assert_traffic_is_where_a_person_wants_it(story: Story) -> None:
    exposed = {version for version in CANARIES if weights(story.mesh.live)[version]}
    stray = exposed - wanted_by_a_person(story.mesh)
    assert not stray, f"traffic on {stray}, and nobody has undone that"
    given_back = [change for change in witness(story.mesh).changes if not change.takes_away]
    asked = [name for name, record in story.records.items() if record.taken_back]
    assert len(given_back) <= len(asked), f"{len(given_back)} undos were made, and asked for were only {asked}"


def assert_the_last_one_can_be_undone(mesh: Mesh) -> None:
    changes = witness(mesh).changes
    last = changes[-1] if changes else None
    if last is None or not last.takes_away or content(last.after) != content(mesh.live):
        return  # somebody touched the object since
    ending = mesh.undo(stamp_of(last.after))
    assert content(last.before) == content(mesh.live), f"the undo did not restore it: {ending.message}"


AGAIN = (Turn(Deliver(("a", "b"))), Turn(BringBack()))
"""One record is Applied, and there is cause for a next one."""


@settings(max_examples=150)
# Found by this test: an intent was never settled, since the undo of an earlier one overrules its alerts.
@example([*AGAIN, Turn(Deliver(("a",)), Dies(), step=3), Turn(Undo(0))])
@example([*AGAIN, Turn(Deliver(("a", "b")), Dies(), step=5), Turn(Undo(0))])
@example([*AGAIN, Turn(Deliver(("b",)), Dies(), step=1), Turn(Undo(1))])
@given(histories(Mode.ENFORCE))
def test_records_and_traffic_agree_whatever_happens(history: list[Turn]) -> None:
    assert_consistent(history)


@settings(max_examples=150)
@given(histories(Mode.ENFORCE, Mode.OBSERVE, Mode.APPROVE))
def test_records_and_traffic_agree_whatever_the_mode_is_changed_to(history: list[Turn]) -> None:
    assert_consistent(history)
