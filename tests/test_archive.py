"""The index of records: what it finds, in which order, at what cost; and what a watch may bring."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.archive import Archive
from remediator.cluster.sink import RecordSink
from remediator.records.ledger import head
from remediator.records.model import Phase, Remediation, Request, Status, Undoing
from remediator.records.wire import render
from tests.builders import Json
from tests.ledger_contract import APPLIED, NOON, TAKEN_BACK, accused, companion, keys, record
from tests.strategies import json_values, remediations, spoil

versions = count(1)


LATER = NOON + timedelta(seconds=1)
"""When the companions of ledger_contract begin."""


def at(
    name: str = "canary-1", namespace: str = "shop", version: str = "1", late: int = 0, **intent: object
) -> Remediation:
    """A stored record; `late`: seconds after noon at which it was created."""
    made = record(name, namespace, **intent)
    return replace(made, uid=f"u-{name}", resource_version=version, created_at=NOON + timedelta(seconds=late))


def archive(*records: Remediation) -> Archive:
    made = Archive()
    for each in records:
        made.put(each)
    return made


@given(remediations())
def test_gives_back_what_was_put(whole: Remediation) -> None:
    stored = replace(whole, uid="u", resource_version="7", created_at=NOON)
    made = archive(stored)

    assert stored == made.get(whole.namespace, whole.name)
    assert (head(stored),) == made.heads()
    assert (head(stored),) == made.answering(stored.intent.alert.fingerprint, stored.intent.alert.starts_at)
    assert stored.taken_back == bool(made.taken_back(stored.intent.target.uid))


def test_the_newest_are_first_and_equals_go_by_name() -> None:
    made = archive(at("b"), at("a", "web"), at("new", late=5), at("a"), at("old", late=-5))

    expected = [("shop", "new"), ("shop", "a"), ("shop", "b"), ("web", "a"), ("shop", "old")]
    assert expected == [each.key for each in made.heads()]


def test_the_order_is_made_once_for_every_change() -> None:
    made = archive(at("a"), at("b"))
    first = made.heads()

    assert first is made.heads()
    made.drop("shop", "nobody")
    assert first is made.heads()
    made.put(at("c"))
    assert 3 == len(made.heads())
    made.drop("shop", "c")
    assert first == made.heads()


def test_a_record_is_put_in_the_place_of_the_one_before() -> None:
    made = archive(at(also=(companion("beef"),)))

    made.put(replace(at(version="2", alert=accused("cafe")), status=APPLIED))

    assert [Phase.APPLIED] == [each.phase for each in made.heads()]
    assert () == made.answering("beef", LATER) == made.answering("f00d", NOON)
    assert [("shop", "canary-1")] == keys(made.answering("cafe", NOON))
    assert (1, "2") == (len(made), made.version("shop", "canary-1"))


def test_what_is_dropped_is_found_no_more() -> None:
    made = archive(at(also=(companion("beef"),)))

    made.drop("shop", "canary-1")

    assert (0, ()) == (len(made), made.heads())
    assert made.get("shop", "canary-1") is None
    assert () == made.answering("f00d", NOON) == made.answering("beef", LATER) == made.taken_back("uid-1")
    assert made.version("shop", "canary-1") is None


@pytest.mark.parametrize(
    ("known", "base", "expected"),
    [
        pytest.param(None, None, "8", id="created, and not heard of yet: the answer"),
        pytest.param("9", None, "9", id="created, and changed by somebody since: what the watch says"),
        pytest.param("7", "7", "8", id="what was written on: the answer"),
        pytest.param("8", "7", "8", id="the write's own event has come"),
        pytest.param("9", "7", "9", id="somebody has changed it since"),
        pytest.param(None, "7", None, id="somebody has deleted it since"),
    ],
)
def test_the_answer_to_a_write_never_hides_what_came_after_it(
    known: str | None, base: str | None, expected: str | None
) -> None:
    made = archive(*([at(version=known)] if known else []))

    made.advance(at(version="8"), base)

    assert expected == made.version("shop", "canary-1")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param("7", None, id="what was known when it was asked for"),
        pytest.param("8", "8", id="created again since"),
        pytest.param(None, None, id="not known at all"),
    ],
)
def test_what_the_source_has_no_more_is_forgotten(known: str | None, expected: str | None) -> None:
    made = archive(*([at(version=known)] if known else []))

    made.retract("shop", "canary-1", "7")

    assert expected == made.version("shop", "canary-1")


_Step = tuple[str, str | None, str, Status, int]

changes = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["f00d", "beef", "cafe", None]),
        st.sampled_from(["uid-1", "uid-2"]),
        st.sampled_from([APPLIED, TAKEN_BACK]),
        st.integers(0, 3),
    ),
    max_size=12,
)


@given(changes)
def test_any_sequence_of_changes_leaves_what_the_last_of_each_said(
    steps: list[tuple[str, str | None, str, Status, int]],
) -> None:
    made, expected = Archive(), dict[str, Remediation]()
    for name, fingerprint, uid, status, late in steps:
        if fingerprint is None:
            made.drop("shop", name)
            expected.pop(name, None)
            continue
        stored = at(name, late=late, alert=accused(fingerprint), also=(companion("beef"),))
        target = replace(stored.intent.target, uid=uid)
        expected[name] = replace(stored, intent=replace(stored.intent, target=target), status=status)
        made.put(expected[name])

    by_name = sorted(expected.values(), key=lambda each: each.name)
    newest_first = sorted(by_name, key=lambda each: each.created_at or NOON, reverse=True)
    assert [head(each) for each in newest_first] == list(made.heads())
    for firing in ((name, NOON + timedelta(seconds=late)) for name in ("f00d", "beef", "cafe") for late in (0, 1)):
        answering = [each for each in by_name if firing in each.intent.firings]
        assert keys(answering) == keys(made.answering(*firing))
    for uid in ("uid-1", "uid-2"):
        taken_back = [each for each in by_name if each.intent.target.uid == uid and each.taken_back]
        assert keys(taken_back) == keys(made.taken_back(uid))


def test_of_several_sources_the_older_record_is_before_the_others() -> None:
    """Whatever the order in which they are told; of the same second, the name decides."""
    made = Archive()
    for name, late in (("c", 1), ("b", 1), ("a", 2), ("d", 0)):
        made.put(at(name, late=late))
    order = {name: made.first(at(name), NOON) for name in "abcd"}
    assert {"d": 0, "b": 1, "c": 2, "a": 3} == order


def test_what_is_listed_in_no_order_counts_as_before() -> None:
    made = Archive()
    for name in ("a", "b"):
        made.put(at(name), listed=True)
    assert [1, 1] == [made.ahead(at(name), NOON) for name in ("a", "b")]
    made.put(at("c"))
    assert [1, 1, 2] == [made.ahead(at(name), NOON) for name in "abc"]


def test_of_our_own_write_nothing_is_known_before_its_source_has_told_of_it() -> None:
    made = Archive()
    made.advance(at("a"), None)
    assert None is made.ahead(at("a"), NOON)
    assert 1 == made.tally(NOON).begun
    made.put(at("a"))
    assert 0 == made.ahead(at("a"), NOON)


def test_a_record_that_was_begun_anew_waits_for_the_news_of_that() -> None:
    """It was refused in between, and another was begun meanwhile, of which the watch has not told yet."""
    made = Archive()
    made.put(at("a"))
    again = at("a", version="8")
    assert None is made.ahead(again, NOON)
    made.put(at("b"))
    made.put(replace(at("a", version="7"), status=Status(phase=Phase.FAILED)))
    made.put(again)
    assert 1 == made.ahead(again, NOON)


def test_threads_do_not_disturb_each_other() -> None:
    made, faults = Archive(), list[BaseException]()

    def work(number: int) -> None:
        try:
            for turn in range(50):
                made.put(at(f"{number}-{turn % 5}", version=str(turn)))
                made.heads()
                made.answering("f00d", NOON)
                made.drop("shop", f"{number}-{(turn + 2) % 5}")
        except BaseException as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [] == faults
    assert len(made.heads()) == len(made) == len(made.answering("f00d", NOON))


def many(number: int) -> Iterator[Remediation]:
    """Records of a fleet, about 3 KB of JSON each, of which little repeats."""
    random = Random(7)

    def digits(count: int) -> str:
        return f"{random.getrandbits(4 * count):0{count}x}"

    for late in range(number):
        labels = {f"label_{key}": f"value-{digits(8)}" for key in range(12)}
        texts = {"summary": "s" * 150, "description": "d" * 500, "runbook_url": f"https://example.org/{digits(8)}"}
        alert = replace(accused(digits(16)), labels=labels, annotations=texts, generator_url=f"http://p/{'g' * 150}")
        made = at(f"canary-{digits(12)}", f"shop-{late % 50}", digits(9), late // 10, alert=alert)
        target = replace(made.intent.target, uid=f"{digits(8)}-{digits(4)}-{digits(4)}-{digits(4)}-{digits(12)}")
        patch, undo = made.intent.patch * 2, made.intent.undo * 2
        status = replace(TAKEN_BACK, hold=None)  # few holds are ever tested
        yield replace(made, intent=replace(made.intent, target=target, patch=patch, undo=undo), status=status)


def test_ten_thousand_records_take_less_than_28_mib() -> None:
    sample = 1000
    records = list(many(sample))
    made = Archive()
    made.put(next(many(1)))  # what is made once is not counted
    gc.collect()
    tracemalloc.start()
    try:
        for each in records:
            made.put(each)
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / sample * 10_000 < 28 * 2**20


# What a watch brings


def body(stored: Remediation) -> Json:
    return render(stored)


def test_a_watch_puts_and_drops() -> None:
    made = Archive()
    sink = RecordSink(made)

    sink.put(body(at()))
    assert at() == made.get("shop", "canary-1")
    sink.drop("Remediation", "shop", "canary-1")
    assert made.get("shop", "canary-1") is None


def test_what_cannot_be_understood_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    made = Archive()
    sink = RecordSink(made)
    sink.put(body(at()))
    broken = body(at(version="2"))
    broken["spec"]["mode"] = "Maybe"

    for _ in range(3):
        sink.put(broken)

    assert made.get("shop", "canary-1") is None, "what it said before holds no more"
    expected = "left out of the index of records: Remediation shop/canary-1 cannot be understood: 'Maybe' is not"
    assert [True] == [each.startswith(expected) for each in caplog.messages]
    sink.put(body(at()))
    assert at() == made.get("shop", "canary-1")
    sink.put(broken)
    assert 2 == len(caplog.messages), "it was whole in between"


def test_the_news_of_our_own_write_only_says_that_it_was_told() -> None:
    made = Archive()
    made.advance(at(), None)
    assert not made.told("shop", "canary-1", "7")
    assert None is made.ahead(at(), NOON)
    RecordSink(made).put(body(at()))
    assert (0, at()) == (made.ahead(at(), NOON), made.get("shop", "canary-1"))


@given(st.data())
def test_no_body_ends_the_watch(data: st.DataObject) -> None:
    """Whoever may write records may write nonsense; the thread that keeps the index must outlive it."""
    undo = Undoing(Request("ann"), NOON)
    stored = replace(at(also=(companion("beef"),)), status=replace(TAKEN_BACK, undo=undo))
    whole = body(stored)
    for part in ("spec", "status"):
        if data.draw(st.booleans()):
            inner = {"spec": whole[part]}
            spoil(inner, data)
            whole[part] = inner["spec"]
    if data.draw(st.booleans()):
        whole["metadata"]["creationTimestamp"] = data.draw(json_values)
    made = Archive()

    RecordSink(made).put(whole)

    for each in made.heads():
        assert made.get(*each.key) is not None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("spec", "alert", "startsAt"), "0001-01-01T00:00:00+01:00", id="a time before all time"),
        pytest.param(("spec", "alert", "startsAt"), "0001-01-01T00:00:00Z", id="Go's zero time"),
        pytest.param(("status", "resolved", 0, "afterSeconds"), 1e308, id="longer than any time"),
        pytest.param(("metadata", "creationTimestamp"), None, id="no time of creation"),
        pytest.param(("metadata", "resourceVersion"), None, id="no resourceVersion"),
        pytest.param(("spec", "suspect", "host"), None, id="no host"),
        pytest.param(("spec", "suspect", "host"), "", id="an empty host"),
        pytest.param(("spec", "suspect", "version"), {}, id="a version that is no text"),
        pytest.param(("spec", "alert", "fingerprint"), "", id="an empty fingerprint"),
        pytest.param(("spec", "policy", "name"), "", id="an empty policy"),
        pytest.param(("spec", "actions"), [], id="no actions"),
        pytest.param(("status", "resolved", 0, "fingerprint"), "", id="resolved without a fingerprint"),
    ],
)
def test_odd_values_do_not_end_the_watch(path: tuple[str | int, ...], value: object) -> None:
    whole = body(replace(at(), status=TAKEN_BACK))
    place = whole
    for part in path[:-1]:
        place = place[part]  # type: ignore[index]
    place[path[-1]] = value  # type: ignore[index]
    made = Archive()

    RecordSink(made).put(whole)

    for each in made.heads():
        assert made.get(*each.key) is not None


def test_a_record_without_a_status_is_planned() -> None:
    whole = body(at())
    del whole["status"]
    made = Archive()
    RecordSink(made).put(whole)
    assert [Phase.PLANNED] == [each.phase for each in made.heads()]
    assert Status() == (made.get("shop", "canary-1") or at(version="none")).status
