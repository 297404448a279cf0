"""Requests before and after → figures → verdict. Unknown is no success: what cannot be told is `NoData`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from remediator.policies.quantities import format_duration
from remediator.traffic.hosts import Host
from remediator.traffic.suspect import Suspect
from remediator.verification.model import Errors, Figure, Side, VerificationVerdict
from remediator.verification.reading import Count, Teller, Traffic

FLOOR: Final = 0.01
"""This share of what it was counts as none."""
CHANCE: Final = 2.0
"""And so does one request, which `increase` may take for two (it extrapolates to the ends of the window) …"""
CHANCE_FROM: Final = 20.0
"""… where there were at least so many: among fewer it says too much."""
LEAST: Final = 5.0
"""Fewer requests before are too few to see that they ended: none in the next window may be chance."""
NOISE: Final = 0.1
"""Mirrored requests are the difference of two counts, not scraped at once: this share of the live ones is noise."""
HEARD: Final = 0.5
"""Where series are missing: this share of the service's requests has to be told of still, or nobody knows."""

ENOUGH: Final = 20.0
"""Requests that it takes to speak of an error ratio."""
MARGIN: Final = 0.02
"""So much above its other versions is no difference; the same as the shipped rules take for none."""
MOST: Final = 0.1
"""A service that fails more than this has not recovered, whatever its other versions did."""
LEAST_ERRORS: Final = 5.0
"""Fewer may be chance: they prove nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a patch was to take away."""

    suspects: tuple[Suspect, ...]
    """Each with its version."""
    sides: tuple[Side, ...]

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The services that have to be asked about."""
        return tuple(dict.fromkeys(suspect.host for suspect in self.suspects))

    def versions(self, host: Host) -> frozenset[str]:
        """The suspects of one service."""
        return frozenset(each.version for each in self.suspects if each.host == host and each.version)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was counted, by service: in the window before the patch, and in the one that was asked about."""

    window: timedelta
    before: Mapping[Host, Traffic]
    after: Mapping[Host, Traffic]

    def told(self, teller: Teller, host: Host) -> bool:
        """Whether one of the windows has anything from there."""
        return self.before[host].told(teller) or self.after[host].told(teller)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the figures say, of the traffic or of the errors."""

    verdict: VerificationVerdict
    message: str
    figures: tuple[Figure, ...] = ()
    errors: tuple[Errors, ...] = ()


# -- the traffic


def withdrawn(question: Question, evidence: Evidence) -> Seen:
    """Whether each suspect's traffic fell to the floor: `Withdrawn`, `StillReceiving` or `NoData`."""
    found = tuple(_sides(question, evidence))
    for verdict in (VerificationVerdict.STILL_RECEIVING, VerificationVerdict.NO_DATA):
        words = [told for _, said, told in found if said is verdict]
        if words:
            return Seen(verdict, "; ".join(words), tuple(figure for figure, _, _ in found))
    words = [told for _, _, told in found]
    return Seen(VerificationVerdict.WITHDRAWN, "; ".join(words), tuple(figure for figure, _, _ in found))


_TELLERS: Final = {Side.LIVE: Teller.CALLERS, Side.MIRRORED: Teller.CALLED}
_Said = tuple[Figure, VerificationVerdict, str]


def _sides(question: Question, evidence: Evidence) -> Iterator[_Said]:
    for suspect in question.suspects:
        for side in question.sides:
            yield _side(suspect, side, evidence)


def _side(suspect: Suspect, side: Side, evidence: Evidence) -> _Said:
    before, after = evidence.before[suspect.host], evidence.after[suspect.host]
    was, live_was = _requests(suspect, side, before)
    now, live_now = _requests(suspect, side, after)
    floor = max(_floor(was.requests), NOISE * max(live_was, live_now))
    figure = Figure(suspect, side, *(round(each, 3) for each in (was.requests, now.requests, floor)))
    span = format_duration(evidence.window)
    kind = f"{side.lower()} requests"
    what = f"{suspect}: {was.requests:.0f} {kind} in the {span} before the patch, {now.requests:.0f} in {span} since"
    if now.requests > floor:
        return figure, VerificationVerdict.STILL_RECEIVING, what
    if not evidence.told(_TELLERS[side], suspect.host):
        return figure, VerificationVerdict.NO_DATA, f"{suspect}: {_nothing(_TELLERS[side])}"
    if was.requests < LEAST or was.requests <= floor:
        return figure, VerificationVerdict.NO_DATA, f"{what}: too few before to see that they ended"
    if not _heard(was, now, side, (before, after)):
        return figure, VerificationVerdict.NO_DATA, f"{what}: but those who counted them are not all heard any more"
    return figure, VerificationVerdict.WITHDRAWN, what


def _requests(suspect: Suspect, side: Side, traffic: Traffic) -> tuple[Count, float]:
    """The suspect's requests on this side; and how many live ones are among what was counted there."""
    versions = {suspect.version or ""}
    live = traffic.count(Teller.CALLERS, versions)
    if side is Side.LIVE:
        return live, 0.0
    called = traffic.count(Teller.CALLED, versions)
    return Count(max(0.0, called.requests - live.requests), 0.0, called.series), live.requests


def _nothing(teller: Teller) -> str:
    reporters = " or ".join(f'reporter="{each}"' for each in teller.value)
    return f"Prometheus has no istio_requests_total of this service with {reporters} in these windows"


def _floor(before: float) -> float:
    return max(FLOOR * before, CHANCE if before >= CHANCE_FROM else 0.0)


def _heard(was: Count, now: Count, side: Side, windows: tuple[Traffic, Traffic]) -> bool:
    """Whether all who counted the suspect's requests are still heard, or the service's requests go on elsewhere."""
    return (now.series > 0 and now.series >= was.series) or _goes_on(side, windows)


def _goes_on(side: Side, windows: tuple[Traffic, Traffic]) -> bool:
    before, after = (each.count(_TELLERS[side]).requests for each in windows)
    return after > 0 and after >= HEARD * before


# -- the errors


def recovered(question: Question, evidence: Evidence) -> Seen:
    """Whether each service fails no more than its other versions did: `Recovered`, `NotRecovered` or `NoData`."""
    found = [_service(question, host, evidence) for host in question.hosts]
    errors = tuple(errors for errors, _, _ in found)
    for verdict in (VerificationVerdict.NOT_RECOVERED, VerificationVerdict.NO_DATA):
        words = [told for _, said, told in found if said is verdict]
        if words:
            return Seen(verdict, "; ".join(words), errors=errors)
    return Seen(VerificationVerdict.RECOVERED, "; ".join(told for _, _, told in found), errors=errors)


def _service(question: Question, host: Host, evidence: Evidence) -> tuple[Errors, VerificationVerdict, str]:
    before, after = evidence.before[host], evidence.after[host]
    was, now = before.count(Teller.CALLERS), after.count(Teller.CALLERS)
    others = before.without(Teller.CALLERS, question.versions(host))
    reference = (others.ratio or 0.0) if others.requests >= ENOUGH else 0.0
    errors = Errors(host, *(_rounded(each.ratio) for each in (was, others, now)))
    told = f"{host}: {_percent(was)} of its requests failed before, {_percent(now)} now"
    heard = (now.series > 0 and now.series >= was.series) or _goes_on(Side.LIVE, (before, after))
    if now.requests < ENOUGH or not heard or now.ratio is None:
        return errors, VerificationVerdict.NO_DATA, f"{told}: too few requests are told of to speak of its errors"
    if now.ratio <= min(reference + MARGIN, MOST):
        return errors, VerificationVerdict.RECOVERED, told
    if now.errors < LEAST_ERRORS:
        return errors, VerificationVerdict.NO_DATA, f"{told}: too few errors to tell them from chance"
    return errors, VerificationVerdict.NOT_RECOVERED, f"{told}, and {_percent(others)} of its other versions' before"


def _percent(count: Count) -> str:
    return "none" if count.ratio is None else f"{100 * count.ratio:.1f} %"


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 6)
