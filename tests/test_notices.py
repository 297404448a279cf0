"""What people are told: of which Events and rows, in which words, and how much of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.notifying.message import Message, Tone, composed
from remediator.notifying.notice import Notice, of_event, of_row
from remediator.outcome import AlertOutcome, NoticeKind, Outcome, Reason, TargetRef
from remediator.records.events import Event
from remediator.records.model import Target
from remediator.verification.model import VerificationVerdict

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
REF = TargetRef("VirtualService", "shop", "reviews")
CHANGES = ("http[0]: reviews.shop subset v1 weight 90 → 100", "http[0]: reviews.shop subset v2 weight 10 → 0")
PATCHED = Event(
    target=Target("networking.istio.io/v1", REF, "u-1"),
    subject=("canary-1",),
    outcome=Outcome.APPLIED,
    reason=Reason.PATCHED.value,
    action="RevertToStable",
    note=f"changed: {'; '.join(CHANGES)}. Alert CanaryHardDown, policy canary-error-rate; to undo: remediator undo "
    "shop/canary-1",
    at=NOON,
    record="canary-1",
    changes=CHANGES,
)
FAILED = AlertOutcome("f00", "CanaryHardDown", "canary", REF, Outcome.FAILED, Reason.UNAVAILABLE, "no answer")


def event(outcome: Outcome, reason: Reason | VerificationVerdict, action: str = "RevertToStable") -> Event:
    return replace(PATCHED, outcome=outcome, reason=reason.value, action=action, note="so it is", changes=())


def notice(kind: NoticeKind = NoticeKind.APPLIED, text: str = "so it is", number: int = 0) -> Notice:
    about = replace(REF, name=f"reviews-{number}")
    return Notice(f"{kind}-{number}", kind, "Patched", str(about), text, NOON, (), f"shop/canary-{number}", about)


class TestKinds:
    @pytest.mark.parametrize(
        ("told", "expected"),
        [
            pytest.param(PATCHED, NoticeKind.APPLIED, id="a patch"),
            pytest.param(event(Outcome.APPLIED, Reason.ABORTED), NoticeKind.APPLIED, id="an abort"),
            pytest.param(event(Outcome.OBSERVED, Reason.DRY_RUN), NoticeKind.OBSERVED, id="a dry run"),
            pytest.param(
                event(Outcome.PLANNED, Reason.ROLLBACK_OFFERED),
                NoticeKind.PLANNED,
                id="what Flagger is told once it asks",
            ),
            pytest.param(
                event(Outcome.APPLIED, Reason.ROLLED_BACK, "Rollback"), NoticeKind.APPLIED, id="Flagger has been told"
            ),
            pytest.param(
                event(Outcome.DENIED, Reason.LEVER_NOT_PULLED, "Rollback"),
                NoticeKind.LEVER_NOT_PULLED,
                id="Flagger did not ask in time",
            ),
            pytest.param(
                event(Outcome.DENIED, Reason.LEVER_NOT_PULLED),
                NoticeKind.LEVER_NOT_PULLED,
                id="Flagger will not ask, for it has no webhook",
            ),
            pytest.param(
                event(Outcome.DENIED, Reason.NOTHING_TO_ABORT, "Rollback"),
                NoticeKind.DENIED,
                id="Flagger did not ask before it promoted",
            ),
            pytest.param(
                event(Outcome.UNCHANGED, Reason.NOT_EXPOSED, "Rollback"), None, id="the trial has ended by itself"
            ),
            pytest.param(
                event(Outcome.AWAITING_APPROVAL, Reason.APPROVAL_REQUIRED),
                NoticeKind.AWAITING_APPROVAL,
                id="a plan that waits for a person",
            ),
            pytest.param(
                event(Outcome.DENIED, Reason.APPROVAL_EXPIRED, "Expire"),
                NoticeKind.APPROVAL_EXPIRED,
                id="a plan that nobody answered",
            ),
            pytest.param(event(Outcome.DENIED, Reason.STABLE_NOT_READY), NoticeKind.DENIED, id="a guard's no"),
            pytest.param(event(Outcome.DENIED, Reason.PAUSED), NoticeKind.DENIED, id="a pause, which may be forgotten"),
            pytest.param(
                event(Outcome.DENIED, Reason.BUDGET_SPENT, "SpendBudget"),
                NoticeKind.DENIED,
                id="a budget that is spent",
            ),
            pytest.param(event(Outcome.APPLIED, Reason.HELD, "Hold"), NoticeKind.HELD, id="a hold that was enforced"),
            pytest.param(
                event(Outcome.DENIED, Reason.HOLD_LOST, "Hold"), NoticeKind.HOLD_LOST, id="a hold that was lost"
            ),
            pytest.param(
                event(Outcome.DENIED, Reason.FROZEN, "Hold"), NoticeKind.DENIED, id="a suspect that keeps its traffic"
            ),
            pytest.param(event(Outcome.APPLIED, Reason.UNDONE, "Undo"), NoticeKind.UNDONE, id="an undo"),
            pytest.param(event(Outcome.APPLIED, Reason.RELEASED, "Release"), NoticeKind.RELEASED, id="a release"),
            pytest.param(event(Outcome.DENIED, Reason.CHANGED_SINCE, "Undo"), None, id="an undo that was refused"),
            pytest.param(event(Outcome.DENIED, Reason.UNDONE), None, id="an alert that a person has overruled"),
            pytest.param(event(Outcome.DENIED, Reason.APPROVAL_REJECTED, "Reject"), None, id="a person's no"),
            pytest.param(event(Outcome.DENIED, Reason.RESOLVED, "Expire"), None, id="a question that answered itself"),
            pytest.param(event(Outcome.DENIED, Reason.SWITCHED_OFF), None, id="an object that is switched off"),
            pytest.param(event(Outcome.APPLIED, Reason.HELD, "PauseGitOps"), None, id="Flux is told to wait"),
            pytest.param(event(Outcome.APPLIED, Reason.HELD, "ResumeGitOps"), None, id="Flux is told to go on"),
        ],
    )
    def test_of_an_event(self, told: Event, expected: NoticeKind | None) -> None:
        found = of_event(told)
        assert expected == (found and found.kind)

    @pytest.mark.parametrize(
        "verdict", [each for each in VerificationVerdict if each is not VerificationVerdict.NOT_VERIFIED]
    )
    def test_a_verdict_is_its_own_kind(self, verdict: VerificationVerdict) -> None:
        outcome = Outcome.DENIED if verdict.needs_a_person else Outcome.APPLIED
        found = of_event(event(outcome, verdict, "Verify"))
        assert found is not None
        assert (verdict.value, verdict.needs_a_person) == (found.kind, found.kind.usual)

    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            pytest.param(FAILED, NoticeKind.FAILED, id="what failed"),
            pytest.param(
                replace(FAILED, outcome=Outcome.DENIED, target=None, reason=Reason.LABEL_MISSING),
                NoticeKind.DENIED,
                id="what was refused before any object was looked at",
            ),
            pytest.param(
                replace(FAILED, outcome=Outcome.DENIED, reason=Reason.STABLE_NOT_READY), None, id="what an Event tells"
            ),
            pytest.param(
                replace(FAILED, outcome=Outcome.IGNORED, target=None, reason=Reason.NO_POLICY),
                None,
                id="what is ignored",
            ),
            pytest.param(
                replace(FAILED, outcome=Outcome.UNCHANGED, reason=Reason.NOT_EXPOSED), None, id="what is fine already"
            ),
        ],
    )
    def test_of_a_row(self, row: AlertOutcome, expected: NoticeKind | None) -> None:
        found = of_row(row, NOON)
        assert expected == (found and found.kind)

    def test_the_same_thing_has_the_same_key_and_others_have_others(self) -> None:
        rows = (FAILED, FAILED, replace(FAILED, reason=Reason.CONFLICT), replace(FAILED, fingerprint="b"))
        keys = [found.key for row in rows if (found := of_row(row, NOON))]
        assert keys[0] == keys[1]
        assert 3 == len(set(keys))


class TestMessages:
    def test_of_a_patch(self) -> None:
        made = of_event(PATCHED)
        assert made is not None
        assert Message(
            "remediator: Applied: VirtualService shop/reviews",
            """\
changed:
  http[0]: reviews.shop subset v1 weight 90 → 100
  http[0]: reviews.shop subset v2 weight 10 → 0
Alert CanaryHardDown, policy canary-error-rate; to undo: remediator undo shop/canary-1
  remediator show shop/canary-1
2026-08-01 12:00:00Z""",
            Tone.INFO,
        ) == composed([made])

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            pytest.param(
                NoticeKind.AWAITING_APPROVAL,
                ["show shop/canary-0", "approve shop/canary-0", "reject shop/canary-0"],
                id="a plan waits for an answer",
            ),
            pytest.param(
                NoticeKind.HOLD_LOST,
                ["show shop/canary-0", "rollback shop/reviews-0 --suspect VERSION"],
                id="a hold was lost",
            ),
            pytest.param(NoticeKind.STILL_RECEIVING, ["show shop/canary-0"], id="a patch did not help"),
            pytest.param(
                NoticeKind.NOT_RECOVERED, ["show shop/canary-0", "undo shop/canary-0"], id="nor was it the one"
            ),
        ],
    )
    def test_what_to_type_next(self, kind: NoticeKind, expected: list[str]) -> None:
        lines = composed([notice(kind)]).body.splitlines()
        assert expected == [line.removeprefix("  remediator ") for line in lines if line.startswith("  remediator ")]

    @pytest.mark.parametrize(
        ("reason", "expected"),
        [
            pytest.param(Reason.PATCHED, ["show", "undo"], id="a patch is undone"),
            pytest.param(Reason.ABORTED, ["show"], id="an abort is not"),
            pytest.param(Reason.ROLLED_BACK, ["show", "release"], id="what Flagger rolled back is released"),
        ],
    )
    def test_what_takes_it_back(self, reason: Reason, expected: list[str]) -> None:
        found = of_event(event(Outcome.APPLIED, reason))
        assert found is not None
        assert tuple(f"remediator {verb} shop/canary-1" for verb in expected) == found.commands

    def test_what_nobody_takes_away_is_urgent(self) -> None:
        found = composed([notice(NoticeKind.LEVER_NOT_PULLED), notice(NoticeKind.NOT_RECOVERED)])
        assert (Tone.FAILURE, "remediator: 1 LeverNotPulled, 1 NotRecovered") == (found.tone, found.title)
        assert (True, True) == (NoticeKind.LEVER_NOT_PULLED.urgent, NoticeKind.LEVER_NOT_PULLED.usual)

    def test_several_are_told_together_the_worst_first(self) -> None:
        kinds = (NoticeKind.APPLIED, NoticeKind.HOLD_LOST, NoticeKind.APPLIED)
        found = composed([notice(kind, number=number) for number, kind in enumerate(kinds)])
        assert ("remediator: 1 HoldLost, 2 Applied", Tone.FAILURE) == (found.title, found.tone)
        firsts = [part.splitlines()[0] for part in found.body.split("\n\n")]
        assert [
            "HoldLost: VirtualService shop/reviews-1",
            "Applied: VirtualService shop/reviews-0",
            "Applied: VirtualService shop/reviews-2",
        ] == firsts

    def test_of_a_thousand_it_tells_what_fits_and_counts_the_rest(self) -> None:
        found = composed([notice(number=number) for number in range(1000)])
        told = found.body.count("Applied: ")
        assert "remediator: 1000 Applied" == found.title
        assert 4000 >= len(found.body)
        assert 10 < told
        assert found.body.endswith(f"\n\nAnd {1000 - told} more: `remediator list --since 1h` has them.")

    def test_what_was_not_done_says_why_in_a_word(self) -> None:
        found = of_row(FAILED, NOON)
        assert found is not None
        assert "remediator: Failed (Unavailable): VirtualService shop/reviews" == composed([found]).title

    def test_of_many_changes_the_first_are_told(self) -> None:
        many = tuple(f"http[{number}]: reviews.shop subset v2 weight 10 → 0" for number in range(20))
        found = composed([replace(notice(text=f"changed: {'; '.join(many)}. Alert A"), changes=many)])
        assert 12 == found.body.count("weight")
        assert "  and 8 more changes\nAlert A" in found.body

    @given(
        st.lists(st.text(alphabet="ab \n;", max_size=400), min_size=1, max_size=30),
        st.integers(min_value=100, max_value=600),
    )
    def test_no_message_is_longer_than_its_recipient_takes(self, texts: list[str], longest: int) -> None:
        notices = [notice(text=text, number=number) for number, text in enumerate(texts)]
        body = composed(notices, longest).body
        assert longest >= len(body)
        counted = body.rpartition("And ")[2].partition(" ")[0] if "more: `" in body else "0"
        assert len(notices) == int(counted) + (body.count("Applied: ") if len(notices) > 1 else 1)

    def test_times_are_of_greenwich(self) -> None:
        elsewhere = replace(notice(), at=NOON.astimezone(UTC) + timedelta(seconds=1))
        assert "2026-08-01 12:00:01Z" == composed([elsewhere]).body.splitlines()[-1]
