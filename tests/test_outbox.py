"""How notices reach people: real recipients behind apprise's json://, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from remediator.errors import SettingsError
from remediator.metrics import Metrics
from remediator.notifying.courier import MOST_WAITING, Pace, Result
from remediator.notifying.outbox import Outbox
from remediator.notifying.recipients import Addressee, RecipientsFile
from remediator.outcome import NoticeKind, Outcome, Reason
from tests.mailbox import Mailbox, mailbox
from tests.processes import wait_until
from tests.test_notices import FAILED, PATCHED, event

AT_ONCE = Pace(gather=0.0, calm=0.0, again=())
USUAL = frozenset(kind for kind in NoticeKind if kind.usual)
SECRET = "hunter2-is-the-password"


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as found:
        yield found


@pytest.fixture
def other() -> Iterator[Mailbox]:
    with mailbox() as found:
        yield found


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


OutboxOf = Callable[..., Outbox]


@pytest.fixture
def outbox_of(tmp_path: Path, metrics: Metrics) -> Iterator[OutboxOf]:
    """Outboxes that run, of the lines of a file."""
    made: list[Outbox] = []

    def outbox(*lines: str, pace: Pace = AT_ONCE, patience_s: float = 10.0, **more: Callable[[], float]) -> Outbox:
        path = tmp_path / "recipients"
        path.write_text("\n".join(lines))
        made.append(Outbox(RecipientsFile(path, USUAL), metrics.notices, pace=pace, patience_s=patience_s, **more))
        made[-1].start()
        return made[-1]

    yield outbox
    for each in made:
        each.stop()


def counted(metrics: Metrics, result: Result) -> float:
    name = f'remediator_notices_total{{result="{result}",service="json"}} '
    (line,) = (line for line in metrics.render()[0].decode().splitlines() if line.startswith(name))
    return float(line.removeprefix(name))


class TestSending:
    def test_an_event_is_told(self, box: Mailbox, outbox_of: OutboxOf, metrics: Metrics) -> None:
        outbox_of(box.url()).hear(PATCHED)
        (message,) = box.await_messages(1)
        assert ("remediator: Applied: VirtualService shop/reviews", "info") == (message["title"], message["type"])
        assert "  http[0]: reviews.shop subset v2 weight 10 → 0\n" in message["message"]
        wait_until(lambda: counted(metrics, Result.SENT) == 1, "it is counted")

    def test_it_is_told_once_however_often_it_is_heard(self, box: Mailbox, outbox_of: OutboxOf) -> None:
        outbox = outbox_of(box.url())
        for _ in range(3):
            outbox.hear(PATCHED)
            outbox.tell(FAILED)
        outbox.stop()
        assert (1, 1) == (notices(box, "Alert CanaryHardDown, policy canary-error-rate"), notices(box, "no answer"))

    def test_it_is_told_again_after_an_hour(self, box: Mailbox, outbox_of: OutboxOf) -> None:
        now = [0.0]
        outbox = outbox_of(box.url(), seconds=lambda: now[0])
        for at in (0.0, 3599.0, 3600.0):
            now[0] = at
            outbox.tell(FAILED)
        outbox.stop()
        assert 2 == notices(box)

    def test_what_comes_together_is_one_message(self, box: Mailbox, outbox_of: OutboxOf) -> None:
        """A thousand alerts at once wake nobody a thousand times."""
        outbox = outbox_of(box.url(), pace=replace(AT_ONCE, gather=600.0))
        for number in range(1000):
            outbox.tell(replace(FAILED, fingerprint=str(number)))
        outbox.stop()  # does not wait until they are gathered
        assert ["remediator: 1000 Failed"] == [message["title"] for message in box.taken]

    def test_a_line_says_itself_what_it_is_told(self, box: Mailbox, other: Mailbox, outbox_of: OutboxOf) -> None:
        outbox = outbox_of(f"HoldLost, Held = {box.url()}", other.url())
        lost = replace(event(Outcome.DENIED, Reason.HOLD_LOST, "Hold"), subject=("lost",))
        for each in (PATCHED, lost, event(Outcome.APPLIED, Reason.HELD, "Hold")):
            outbox.hear(each)
        outbox.stop()
        titles = "".join(message["title"] for message in box.taken)
        assert ("Held" in titles, "HoldLost" in titles, "Applied" in titles) == (True, True, False)
        titles = "".join(message["title"] for message in other.taken)
        assert ("Held" in titles, "HoldLost" in titles, "Applied" in titles) == (False, True, True)

    def test_what_is_urgent_is_not_kept_for_later(self, box: Mailbox, outbox_of: OutboxOf) -> None:
        outbox = outbox_of(box.url(), pace=replace(AT_ONCE, calm=600.0))
        outbox.hear(PATCHED)
        box.await_messages(1)
        outbox.tell(FAILED)  # is told with the next message
        outbox.hear(replace(event(Outcome.DENIED, Reason.HOLD_LOST, "Hold"), subject=("lost",)))
        assert "remediator: 1 HoldLost, 1 Failed" == box.await_messages(2)[1]["title"]

    def test_one_who_is_slow_delays_nobody(self, box: Mailbox, other: Mailbox, outbox_of: OutboxOf) -> None:
        gate = threading.Event()
        box.before = gate.wait
        outbox = outbox_of(box.url(), other.url())
        outbox.hear(PATCHED)
        wait_until(lambda: box.tries, "the slow one is being told")
        outbox.tell(FAILED)
        wait_until(lambda: notices(other) == 2, "the other one is told both")
        assert 1 == box.tries
        gate.set()

    def test_what_is_not_taken_is_tried_again(self, box: Mailbox, outbox_of: OutboxOf, metrics: Metrics) -> None:
        def mended() -> None:
            box.code = 200 if box.tries > 2 else 503

        box.before = mended
        outbox_of(box.url(), pace=replace(AT_ONCE, again=(0.01, 0.01, 0.01))).hear(PATCHED)
        box.await_messages(1)
        assert 3 == box.tries
        wait_until(lambda: counted(metrics, Result.SENT) == 1, "it is counted")
        assert 0 == counted(metrics, Result.FAILED)

    def test_what_nobody_takes_is_counted_and_named(
        self, box: Mailbox, outbox_of: OutboxOf, metrics: Metrics, caplog: pytest.LogCaptureFixture
    ) -> None:
        box.code = 500
        outbox_of(box.url(credentials=f"bot:{SECRET}")).hear(PATCHED)
        wait_until(lambda: counted(metrics, Result.FAILED) == 1, "it is counted")
        wait_until(lambda: caplog.records, "it is logged")
        (record,) = caplog.records
        assert "1 notice(s) could not be brought to line 1, json://: it answered 500" == record.getMessage()
        assert ["Applied: shop/canary-1"] == vars(record)["notices"]

    def test_more_than_can_wait_is_dropped_and_counted(
        self, box: Mailbox, outbox_of: OutboxOf, metrics: Metrics, caplog: pytest.LogCaptureFixture
    ) -> None:
        gate = threading.Event()
        box.before = gate.wait
        outbox = outbox_of(box.url())
        outbox.hear(PATCHED)
        wait_until(lambda: box.tries, "the recipient is busy")
        for number in range(MOST_WAITING + 3):
            outbox.tell(replace(FAILED, fingerprint=str(number)))
        assert 3 == counted(metrics, Result.DROPPED)
        assert 1 == len([each for each in caplog.records if "are dropped" in each.getMessage()])
        gate.set()

    def test_the_end_waits_no_longer_than_its_patience(
        self, box: Mailbox, outbox_of: OutboxOf, caplog: pytest.LogCaptureFixture
    ) -> None:
        gate = threading.Event()
        box.before = gate.wait
        outbox = outbox_of(box.url(), patience_s=0.0)
        outbox.hear(PATCHED)
        wait_until(lambda: box.tries, "a message is on its way")
        outbox.stop()
        assert "it is left" in caplog.text
        gate.set()

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param(b"", id="a plain no"),
            pytest.param(b"no header at all\r\n", id="an answer of which urllib3 logs the whole URL"),
        ],
    )
    def test_no_part_of_a_url_is_logged(
        self, headers: bytes, box: Mailbox, outbox_of: OutboxOf, metrics: Metrics, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        box.code, box.headers = 500, headers
        outbox_of(box.url(f"{SECRET}?key={SECRET}", f"bot:{SECRET}")).hear(PATCHED)
        wait_until(lambda: counted(metrics, Result.FAILED) == 1, "it is counted")
        wait_until(lambda: "could not be brought" in caplog.text, "it is logged")
        assert SECRET not in caplog.text

    def test_nobody_there_is_said(
        self, outbox_of: OutboxOf, metrics: Metrics, caplog: pytest.LogCaptureFixture
    ) -> None:
        with mailbox() as gone:
            url = gone.url()
        outbox_of(url).hear(PATCHED)
        wait_until(lambda: "could not be brought" in caplog.text, "it is logged")
        assert "line 1, json://: no connection" in caplog.text

    def test_a_bug_in_the_telling_breaks_nothing_else(
        self, box: Mailbox, outbox_of: OutboxOf, caplog: pytest.LogCaptureFixture
    ) -> None:
        outbox_of(box.url()).hear(replace(PATCHED, target=None))  # type: ignore[arg-type]
        assert "internal error while people were to be told" in caplog.text

    def test_a_bug_in_a_look_at_the_recipients_ends_no_later_look(
        self, box: Mailbox, metrics: Metrics, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Of apprise's many services one may fail to be made in a way that nobody has thought of."""
        (tmp_path / "recipients").write_text(box.url())
        there = RecipientsFile(tmp_path / "recipients", USUAL).current()
        looks = iter([(), RuntimeError("a bug")])

        class Recipients:
            def current(self) -> tuple[Addressee, ...]:
                found = next(looks, there)
                if isinstance(found, RuntimeError):
                    raise found
                return found

        outbox = Outbox(Recipients(), metrics.notices, pace=replace(AT_ONCE, look=0.01))
        outbox.start()

        def told_anew() -> bool:
            outbox.hear(replace(PATCHED, subject=(str(time.monotonic()),)))
            return bool(box.taken)

        try:
            wait_until(told_anew, "it is told")
        finally:
            outbox.stop()
        assert "internal error while the recipients were looked at" in caplog.text


def notices(box: Mailbox, words: str = "Alert CanaryHardDown") -> int:
    """How many have come, in whatever messages; each says these words once."""
    return sum(each["message"].count(words) for each in box.taken)


class TestRecipients:
    def test_every_fault_is_told_and_no_word_of_a_line(self, tmp_path: Path) -> None:
        path = tmp_path / "recipients"
        lines = ("# ours", f"nosuch://{SECRET}", f"HoldLots=json://{SECRET}", SECRET, "json://localhost")
        path.write_text("\n".join(lines))
        with pytest.raises(SettingsError) as raised:
            RecipientsFile(path, USUAL)
        assert [
            f"--notify-file {path}, line 2: apprise knows no service nosuch://",
            f"--notify-file {path}, line 3: before = stands what is no kind of notice",
            f"--notify-file {path}, line 4: is no URL of apprise",
        ] == [
            line.partition(", or")[0].partition("; ")[0].partition(", such")[0]
            for line in str(raised.value).split("\n")
        ]
        assert SECRET not in str(raised.value)

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            pytest.param("# nobody yet\n", "names nobody", id="no line"),
            pytest.param("json://localhost\n" * 21, "holds 21 URLs; at most 20", id="too many"),
            pytest.param("#" * 70_000, "larger than 65536 bytes", id="too long"),
        ],
    )
    def test_a_file_that_names_nobody_or_too_many(self, content: str, expected: str, tmp_path: Path) -> None:
        path = tmp_path / "recipients"
        path.write_text(content)
        with pytest.raises(SettingsError, match=expected):
            RecipientsFile(path, USUAL)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="cannot be read: No such file"):
            RecipientsFile(tmp_path / "none", USUAL)

    def test_a_change_of_the_file_is_obeyed(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        path = tmp_path / "recipients"
        path.write_text("json://localhost/a\njson://localhost/b")
        file = RecipientsFile(path, USUAL)
        before = file.current()
        caplog.set_level(logging.INFO)
        path.write_text("json://localhost/a\nHoldLost=json://localhost/c")
        after = file.current()
        assert (before[0], {NoticeKind.HOLD_LOST}) == (after[0], after[1].kinds)
        assert before[1] not in after
        assert ["line 1, json://: ", "line 2, json://: HoldLost"] == [
            vars(caplog.records[0])["recipients"][0][:17],
            vars(caplog.records[0])["recipients"][1],
        ]

    def test_a_change_that_cannot_be_used_leaves_the_old_ones(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "recipients"
        path.write_text("json://localhost/a")
        file = RecipientsFile(path, USUAL)
        before = file.current()
        path.write_text(SECRET)
        assert before == file.current() == file.current()
        (record,) = caplog.records
        assert "the old ones stay" in record.getMessage()
        assert SECRET not in caplog.text

    def test_whoever_is_new_in_the_file_is_told_and_whoever_is_gone_is_not(
        self, box: Mailbox, other: Mailbox, outbox_of: OutboxOf, tmp_path: Path
    ) -> None:
        outbox = outbox_of(box.url())
        (tmp_path / "recipients").write_text(f"# now\n{other.url()}")
        number = 0

        def told_anew() -> bool:
            nonlocal number
            number += 1
            outbox.tell(replace(FAILED, fingerprint=str(number)))
            return bool(other.taken)

        wait_until(told_anew, "the new one is told")
        before = len(box.taken)
        outbox.hear(PATCHED)
        outbox.stop()
        assert (True, before) == (any("Applied" in each["title"] for each in other.taken), len(box.taken))
