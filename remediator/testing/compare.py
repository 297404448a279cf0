"""What was expected of a step against what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from remediator.outcome import AlertOutcome, Reason
from remediator.testing.golden import golden_for, object_difference, read_golden, unified
from remediator.testing.model import Expected, GivenAlert
from remediator.testing.results import Difference
from remediator.testing.world import Came

_NOTHING = "nothing"
_NOT_OURS = (Reason.NO_POLICY, Reason.HEARTBEAT)

_ROW: Mapping[str, Callable[[AlertOutcome], Any]] = {
    "alert": lambda row: row.alertname,
    "target": lambda row: row.target,
    "policy": lambda row: row.policy,
    "outcome": lambda row: row.outcome,
    "reason": lambda row: row.reason,
}
"""What of a row an expectation of the same name is about, the most telling first."""


def outcomes(expected: Sequence[Expected], came: Sequence[Came], *, lenient: bool = False) -> Iterator[Difference]:
    """Compare the outcomes of one step. Raises InputError: a file of an expected object is faulty.

    Args:
        lenient: an alert for which there is no policy, and the watchdog, need not be expected.
    """
    left = _distinct(came)
    pairs = dict(_fitting(expected, left))
    for number, each in enumerate(expected):
        best = pairs.get(number) or min(left, key=lambda one: tuple(_mismatches(each, one.row)), default=None)
        if best is None:
            yield Difference("", "outcome", _shown(each), "not among those that came")
            continue
        if number not in pairs:
            left.remove(best)
        yield from _row(each, best)
        yield from _state(each, best)
    for other in left:
        if not lenient or other.row.reason not in _NOT_OURS:
            yield Difference("", "outcome", "nothing more", _told(other.row), (other.row.message,))


def firing(expected: Sequence[Mapping[str, str]], alerts: Sequence[GivenAlert]) -> Iterator[Difference]:
    """Compare the whole set of alerts that fire."""
    left = list(alerts)
    # The most specific first: of two alerts of one name, one may be meant by its window.
    for labels in sorted(expected, key=len, reverse=True):
        fit = next((alert for alert in left if labels.items() <= alert.labels.items()), None)
        if fit is None:
            yield Difference("", "firing alerts", _labels(labels), "not among them", tuple(_listed(alerts)))
        else:
            left.remove(fit)
    for alert in left:
        yield Difference("", "firing alerts", "no other", _labels(alert.labels))


def _distinct(came: Sequence[Came]) -> list[Came]:
    """Outcomes that differ: several alerts of one name that end alike are one."""
    return list({tuple(ask(each.row) for ask in _ROW.values()): each for each in reversed(came)}.values())[::-1]


def _fitting(expected: Sequence[Expected], left: list[Came]) -> Iterator[tuple[int, Came]]:
    """The expectations that fit, by their numbers, each with an outcome that is taken from `left`.

    The most specific choose first: of two outcomes that are alike but for the object, one may be meant by it.
    """
    for number, each in sorted(enumerate(expected), key=lambda item: _left_open(item[1])):
        fit = next((one for one in left if not any(_mismatches(each, one.row))), None)
        if fit is not None:
            left.remove(fit)
            yield number, fit


def _left_open(expected: Expected) -> int:
    """How much of a row an expectation does not say."""
    return sum(getattr(expected, name) is None for name in _ROW)


def _mismatches(expected: Expected, row: AlertOutcome) -> Iterator[bool]:
    for name, ask in _ROW.items():
        wanted = getattr(expected, name)
        yield wanted is not None and wanted != ask(row)


def _row(expected: Expected, came: Came) -> Iterator[Difference]:
    about, row = _about(came.row), came.row
    for (name, ask), differs in zip(_ROW.items(), _mismatches(expected, row), strict=True):
        if differs:
            detail = (row.message,) if name in ("outcome", "reason") else ()
            yield Difference(about, name, str(getattr(expected, name)), str(ask(row) or _NOTHING), detail)
    if expected.changes is not None and expected.changes != row.changes:
        lines = unified("\n".join(expected.changes), "\n".join(row.changes))
        yield Difference(about, "changes", _list(expected.changes), _list(row.changes), lines)
    if expected.guards is not None and (came.guards is None or set(expected.guards) != set(came.guards)):
        said = "not known, for there is no record of it" if came.guards is None else _list(came.guards)
        yield Difference(about, "guards that say no", _list(expected.guards), said, (row.message,))


def _state(expected: Expected, came: Came) -> Iterator[Difference]:
    about = _about(came.row)
    wants_object = expected.fields or expected.object is not None or expected.object_file is not None
    if wants_object and came.body is None:
        yield Difference(about, "routing object", "one to look at", "none: this outcome is about no routing object")
    if came.body is None:
        return
    for place, wanted in expected.fields:
        found = place.of(came.body)
        if not _same(wanted, found):
            yield Difference(about, str(place), _value(wanted), _value(found))
    for difference in _objects(expected, came.body, about):
        if difference is not None:
            yield difference


def _objects(expected: Expected, body: dict[str, Any], about: str) -> Iterator[Difference | None]:
    if expected.object is not None:
        yield object_difference(about, expected.object, body, None)
    if expected.object_file is not None:
        golden = golden_for(expected.object_file, body)
        yield object_difference(about, read_golden(expected.object_file, body.get("kind")), body, golden)


def _same(one: Any, other: Any) -> bool:
    """As JSON has it: 1 is 1.0, and not true."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _about(row: AlertOutcome) -> str:
    by = f" by {row.policy}" if row.policy else ""
    return f"{row.alertname or 'an alert without a name'}{by}" + (f" on {row.target}" if row.target else "")


def _told(row: AlertOutcome) -> str:
    return f"{row.outcome} ({row.reason}): {_about(row)}"


def _shown(expected: Expected) -> str:
    reason = f" ({expected.reason})" if expected.reason else ""
    target = f" on {expected.target}" if expected.target else ""
    return f"{expected.outcome}{reason}{target}"


def _value(value: Any) -> str:
    return _NOTHING if value is None else json.dumps(value, ensure_ascii=False)


def _list(texts: Sequence[str]) -> str:
    return "; ".join(texts) or "none"


def _labels(labels: Mapping[str, str]) -> str:
    named = labels.get("alertname", "")
    rest = ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items()) if name != "alertname")
    return f"{named}{{{rest}}}"


def _listed(alerts: Sequence[GivenAlert]) -> Iterator[str]:
    yield "firing are:" if alerts else "no alert fires"
    yield from (f"  {_labels(alert.labels)}" for alert in alerts)
