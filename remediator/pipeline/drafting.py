"""From a work to the record of its intent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice

from remediator.alerts import Alert
from remediator.guards.switch import named_stable
from remediator.logs import cut
from remediator.owners import Lever
from remediator.pipeline.preparation import Case, Work
from remediator.pipeline.trials import rollback_of
from remediator.records.model import Accusation, Companion, Intent, PolicyRef, Remediation, Target
from remediator.records.naming import Key
from remediator.traffic import undo
from remediator.traffic.patch import Patch
from remediator.traffic.stamp import stamp
from remediator.traffic.virtualservice import taken

# etcd takes 1.5 MiB, and an alert may be as large as the request that brings it.
_LONGEST_TEXT = 2_000
_MOST_TEXTS = 64
_MOST_COMPANIONS = 500


def key_of(work: Work, case: Case) -> Key:
    """What the record is named for, if `case` is the one that it is about."""
    return Key(case.alert.fingerprint, case.alert.starts_at, case.policy.name, work.snapshot.routing.uid)


def granted(work: Work) -> tuple[Case, ...]:
    """The cases that take part in the patch, in an order that every delivery gives them."""
    taking_part = [case for case, verdict in zip(work.cases, work.proposal.verdicts, strict=True) if verdict is True]
    return tuple(sorted(taking_part, key=_order))


def target_of(work: Work) -> Target:
    """The routing object, as the record names it."""
    return Target(str(work.snapshot.body.get("apiVersion", "")), work.ref, work.snapshot.routing.uid)


def stamped(work: Work, name: str) -> Patch:
    """The work's patch, which says on the object that the record `name` tells about it."""
    if work.proposal.patch is None:
        raise ValueError(f"{work.ref} has nothing to patch")
    return stamp(work.proposal.patch, work.snapshot.body, name)


def draft(work: Work, first: Case, name: str, now: datetime) -> Remediation:
    """The record of what `work` is about to do.

    Args:
        first: the case that it is named for; the others that take part stand beside it.
    """
    patch, lever, rollout = stamped(work, name), work.lever, work.rollout
    others = [case for case in granted(work) if case is not first]
    intent = replace(
        _intent(work, first, now),
        # A patch tells what it took. Of what a driver takes, this is what had something to be taken.
        actions=tuple(a for a in first.policy.actions if lever is Lever.PATCH or a in taken(patch.operations)),
        changes=work.proposal.plan.changes,
        lever=lever,
        patch=tuple(patch.operations) if lever is Lever.PATCH else rollout.abort if rollout else (),
        undo=undo.make(work.snapshot.body, patch) if lever is Lever.PATCH else (),
        rollback=rollback_of(work),
        also=tuple(_companion(case) for case in others[:_MOST_COMPANIONS]),
    )
    return Remediation(work.ref.namespace, name, intent)


def draft_refused(work: Work, case: Case, name: str, now: datetime) -> Remediation:
    """The record of what a guard spoke against, with what would have been changed, and without a patch: whoever finds
    it before its end is written finds nothing that could have been sent."""
    alone = work.without({each.number for each in work.cases if each is not case})
    return Remediation(work.ref.namespace, name, replace(_intent(work, case, now), changes=alone.proposal.plan.changes))


def _intent(work: Work, case: Case, now: datetime) -> Intent:
    return Intent(
        alert=_accusation(case.alert),
        policy=PolicyRef(case.policy.name, case.policy.content_hash),
        target=target_of(work),
        suspect=case.demand.suspect,
        actions=case.policy.actions,
        mode=work.mode,
        changes=(),
        patch=(),
        undo=(),
        stable=case.demand.stable or named_stable(work.snapshot.body),
        mirrors=case.policy.target.mirrors,
        hold_until=now + case.policy.guards.hold,
        request=case.request,
        owner=work.snapshot.owner,
    )


def _order(case: Case) -> tuple[str, datetime, str]:
    return case.alert.fingerprint, case.alert.starts_at, case.policy.name


def _accusation(alert: Alert) -> Accusation:
    return Accusation(
        fingerprint=alert.fingerprint,
        alertname=alert.name,
        starts_at=alert.starts_at,
        labels=_within_reason(alert.labels),
        annotations=_within_reason(alert.annotations),
        generator_url=cut(alert.generator_url, _LONGEST_TEXT),
    )


def _within_reason(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: cut(text, _LONGEST_TEXT) for name, text in islice(texts.items(), _MOST_TEXTS)}


def _companion(case: Case) -> Companion:
    alert = case.alert
    return Companion(alert.fingerprint, alert.name, alert.starts_at, case.policy.name, case.demand.suspect)
