"""An answer → how many requests each version of a service had, and how many of them failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from remediator.verification.queries import CODE, FIGURE, GRPC_STATUS, REPORTER, REQUESTS, REVISION, SERIES, VERSION

Sample = tuple[Mapping[str, str], float]
"""Labels and value of one row of an answer."""

_GRPC_ERRORS: Final = frozenset({"2", "4", "12", "13", "14", "15"})
"""Those that the shipped rules count (docs/rules.md): what the server is to blame for."""


class Teller(Enum):
    """At which end of a request it was counted."""

    CALLERS = ("source", "waypoint")
    """They count what somebody waits for, and no mirrored request."""
    CALLED = ("destination",)


@dataclass(frozen=True, slots=True)
class Count:
    """Requests in a window."""

    requests: float = 0.0
    errors: float = 0.0
    series: float = 0.0
    """How many time series told it."""

    @property
    def ratio(self) -> float | None:
        """The share of errors; None: there were no requests."""
        return self.errors / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was counted of one service in one window."""

    samples: tuple[Sample, ...]

    def count(self, teller: Teller, versions: Collection[str] | None = None) -> Count:
        """The requests of some versions; None: of all, also those that reached none."""
        wanted = None if versions is None else frozenset(versions)
        return _sum(each for each in self._of(teller) if wanted is None or _names(each[0]) & wanted)

    def without(self, teller: Teller, versions: Collection[str]) -> Count:
        """The requests of all versions but some. What reached no version is nobody's, and may be the suspect's."""
        known = ((_names(each[0]), each) for each in self._of(teller))
        return _sum(each for names, each in known if names and not names & frozenset(versions))

    def told(self, teller: Teller) -> bool:
        """Whether anything was counted there at all, be it nought."""
        return bool(self._of(teller))

    def _of(self, teller: Teller) -> tuple[Sample, ...]:
        return tuple(each for each in self.samples if each[0].get(REPORTER) in teller.value)


def _names(labels: Mapping[str, str]) -> frozenset[str]:
    """What a version is called. Where no connection was made, only the revision is known (istio/proxy istio_stats)."""
    return frozenset({labels.get(VERSION, ""), labels.get(REVISION, "")}) - {"", "unknown"}


def _sum(samples: Iterable[Sample]) -> Count:
    requests = errors = series = 0.0
    for labels, value in samples:
        if labels.get(FIGURE) == SERIES:
            series += value
        elif labels.get(FIGURE) == REQUESTS:
            requests += value
            errors += value if _failed(labels) else 0.0
    return Count(requests, errors, series)


def _failed(labels: Mapping[str, str]) -> bool:
    return labels.get(CODE, "").startswith("5") or labels.get(GRPC_STATUS) in _GRPC_ERRORS
