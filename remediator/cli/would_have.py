"""What would have been done, were it not for mode Observe: summed up by policy, of the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from remediator.cli.render import say
from remediator.outcome import Reason, TargetRef
from remediator.policies.model import Mode
from remediator.records.model import Phase, Remediation

_COLUMNS: Final = ("POLICY", "TARGET", "CHANGES", "REFUSALS")
_GAP: Final = "  "


@dataclass(frozen=True, slots=True)
class Sum:
    """How often something would have been changed, and how often it would have been refused, and why."""

    changed: int
    refused: Mapping[Reason | None, int]
    """None: the record has no reason that this version knows."""

    @classmethod
    def of(cls, records: Sequence[Remediation]) -> Sum:
        """Of records of mode Observe that are Observed or Failed."""
        failed = [record for record in records if record.status.phase is Phase.FAILED]
        refused = Counter(record.status.reason for record in failed)
        return cls(len(records) - len(failed), dict(refused.most_common()))

    @property
    def words(self) -> tuple[str, str]:
        """Changes and refusals: `4` and `3: CoolingDown 2, Paused 1`."""
        why = ", ".join(f"{_word(reason)} {count}" for reason, count in self.refused.items())
        return str(self.changed), f"{sum(self.refused.values())}: {why}" if why else "0"

    def json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "changed": self.changed,
            "refused": sum(self.refused.values()),
            "reasons": {_word(reason): count for reason, count in self.refused.items()},
        }


@dataclass(frozen=True, slots=True)
class WouldHave:
    """What one policy would have done."""

    policy: str
    total: Sum
    targets: tuple[tuple[TargetRef, Sum], ...]


def would_have(records: Iterable[Remediation]) -> tuple[WouldHave, ...]:
    """Sum up the records of mode Observe, by policy and by target."""
    grouped: dict[str, dict[TargetRef, list[Remediation]]] = {}
    for record in records:
        if record.intent.mode is Mode.OBSERVE and record.status.phase in (Phase.OBSERVED, Phase.FAILED):
            of_policy = grouped.setdefault(record.intent.policy.name, {})
            of_policy.setdefault(record.intent.target.ref, []).append(record)
    return tuple(
        WouldHave(
            policy,
            Sum.of([record for found in by_target.values() for record in found]),
            tuple((ref, Sum.of(by_target[ref])) for ref in sorted(by_target)),
        )
        for policy, by_target in sorted(grouped.items())
    )


def say_would_have(out: Console, found: Sequence[WouldHave]) -> None:
    """Print a line for each policy, and below it one for each target."""
    if not found:
        say(out, "No remediation of mode Observe that matches.")
        return
    rows = [_COLUMNS]
    for each in found:
        count = len(each.targets)
        rows.append((each.policy, f"{count} target{'' if count == 1 else 's'}", *each.total.words))
        rows += [("", str(ref), *total.words) for ref, total in each.targets]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        line = _GAP.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        say(out, (line, "bold" if row[0] else ""))


def would_have_json(found: Iterable[WouldHave]) -> dict[str, Any]:
    """The same for a program."""
    return {
        "policies": [
            {"policy": each.policy}
            | each.total.json()
            | {
                "targets": [
                    {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name} | total.json()
                    for ref, total in each.targets
                ]
            }
            for each in found
        ]
    }


def _word(reason: Reason | None) -> str:
    return reason.value if reason else "unknown"
